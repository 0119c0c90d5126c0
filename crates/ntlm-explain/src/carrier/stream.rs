//! One direction of a flow, cut into messages for its protocol. What the protocol does not claim is
//! searched, so that every token is found, and found once.

use super::bytes::wide;
use super::protocol::{Extent, Message, Origins, Out, Protocol};
use super::search::{Found, Patterns, Search};
use super::{Carrier, Listener, Loss, LossKind, MAX_TOKEN, Report, Sighting, SmbPacket};
use ntlm_capture::{Data, Direction, Gap, Origin};

/// One direction of a flow.
#[derive(Debug)]
pub(super) struct Stream {
    direction: Direction,
    /// Bytes of a message that is not whole yet.
    held: Vec<u8>,
    /// Where in the stream `held` begins, or the next bytes if there are none.
    start: u64,
    /// How many bytes of the present message are still to come that nobody wants.
    skip: u64,
    /// Whether what is skipped is searched.
    search_skipped: bool,
    /// Whether the next byte begins a message.
    in_step: bool,
    search: Search,
    origins: Origins,
    /// The last frame that was read.
    last: Option<Origin>,
}

/// More than this is not held for a message to become whole.
const MAX_HELD: usize = MAX_TOKEN / 2 * 3;

/// As much as this is held in any case: more than the messages of a logon mostly have.
const ALWAYS_HELD: usize = 1024;

/// With the prefix of the transport.
const MAX_PACKET: usize = SmbPacket::MAX_LENGTH + 4;

/// What every call needs besides the stream.
pub(super) struct Context<'a> {
    pub(super) protocol: Option<&'a mut (dyn Protocol + 'static)>,
    pub(super) conversations: &'a mut u64,
    pub(super) listener: &'a mut dyn Listener,
}

impl Stream {
    pub(super) fn new(direction: Direction) -> Self {
        Self {
            direction,
            held: Vec::new(),
            start: 0,
            skip: 0,
            search_skipped: true,
            in_step: true,
            search: Search::default(),
            origins: Origins::default(),
            last: None,
        }
    }

    /// The bytes that are held.
    pub(super) fn held(&self) -> &[u8] {
        &self.held
    }

    #[cfg(test)]
    pub(super) fn held_capacity(&self) -> usize {
        self.held.capacity()
    }

    /// Takes bytes without looking at them yet.
    pub(super) fn hold(&mut self, data: &Data<'_>) {
        if self.held.is_empty() {
            self.start = data.offset;
        }
        self.held.extend_from_slice(data.bytes);
        self.origins.read(data.offset, data.bytes.len(), data.origin);
        self.origins.settle(Some(self.start));
        self.last = Some(data.origin);
    }

    /// Another protocol follows.
    pub(super) fn forget_step(&mut self) {
        (self.in_step, self.skip) = (!self.held.is_empty(), 0);
    }

    /// The client turns out to be at the other end.
    pub(super) fn flip(&mut self) {
        self.direction = self.direction.opposite();
    }

    /// Takes the next bytes.
    pub(super) fn data(&mut self, data: &Data<'_>, context: &mut Context<'_>) {
        // What begins a segment often begins a message, known so far or not.
        self.in_step |= self.held.is_empty() && self.skip == 0;
        self.last = Some(data.origin);
        self.origins.read(data.offset, data.bytes.len(), data.origin);
        let mut held = std::mem::take(&mut self.held);
        if held.is_empty() {
            self.start = data.offset;
            let done = self.work(data.bytes, context);
            held.extend_from_slice(data.bytes.get(done..).unwrap_or_default());
            self.start = self.start.saturating_add(wide(done));
        } else {
            held.extend_from_slice(data.bytes);
            let done = self.work(&held, context);
            held.drain(..done.min(held.len()));
            self.start = self.start.saturating_add(wide(done));
        }
        if held.capacity() > 2 * MAX_HELD && held.len() < held.capacity() / 4 {
            // A long packet is over: most flows have no other so soon.
            held.shrink_to_fit();
        }
        let needed = (!held.is_empty()).then_some(self.start);
        self.held = held;
        let searched = self.search.held_from();
        self.origins.settle(needed.into_iter().chain(searched).min());
    }

    /// Bytes are missing.
    pub(super) fn gap(&mut self, gap: &Gap, context: &mut Context<'_>) {
        let unwanted = self.held.is_empty() && self.skip >= gap.length;
        if !unwanted {
            self.flush(context);
        }
        let hides_tokens = context.protocol.as_ref().is_some_and(|it| it.hides_tokens());
        if !unwanted && !hides_tokens {
            let kind = LossKind::Missing { bytes: gap.length, cause: gap.cause };
            let loss = Loss { direction: self.direction, kind, origin: gap.origin };
            context.listener.report(Report::Loss(loss));
        }
        self.finish_search(context);
        if unwanted {
            self.skip -= gap.length;
        } else {
            self.skip = 0;
            self.in_step = false;
            if let Some(protocol) = context.protocol.as_deref_mut() {
                protocol.gap(self.direction);
            }
        }
        self.start = gap.offset.saturating_add(gap.length);
        self.origins.settle(None);
    }

    /// Nothing more will come.
    pub(super) fn end(&mut self, context: &mut Context<'_>) {
        self.flush(context);
        self.finish_search(context);
    }

    /// Searches what is held: it will not become a message.
    fn flush(&mut self, context: &mut Context<'_>) {
        let held = std::mem::take(&mut self.held);
        let carrier = self.carrier(context);
        self.search(&held, 0, Patterns::All, carrier, context);
    }

    /// Reads messages; returns how many bytes are done with.
    fn work(&mut self, bytes: &[u8], context: &mut Context<'_>) -> usize {
        let mut at = 0;
        let protocol = context.protocol.as_deref();
        if self.skip > 0 && protocol.is_some_and(|it| it.interrupts(self.direction, bytes)) {
            self.skip = 0;
        }
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if self.skip > 0 {
                let length = usize::try_from(self.skip).map_or(rest.len(), |n| n.min(rest.len()));
                if self.search_skipped {
                    self.search_unclaimed(bytes, at, at + length, context);
                }
                self.skip = self.skip.saturating_sub(wide(length));
                at += length;
                continue;
            }
            let carrier = self.carrier(context);
            let Some(protocol) = context.protocol.as_deref_mut() else {
                self.search(rest, at, Patterns::All, carrier, context);
                return bytes.len();
            };
            if protocol.is_over() {
                return at;
            }
            if !self.in_step {
                let next = protocol.resume(self.direction, rest);
                let lost = rest.get(..next.unwrap_or(rest.len())).unwrap_or_default();
                self.search(lost, at, Patterns::All, carrier, context);
                at += lost.len();
                if next.is_none() {
                    return at;
                }
            }
            match self.next_message(bytes, at, context) {
                Next::Done(length) => at += length,
                Next::Wait => return at,
                Next::Lost => {
                    self.in_step = false;
                    self.search(
                        bytes.get(at..at + 1).unwrap_or_default(),
                        at,
                        Patterns::All,
                        carrier,
                        context,
                    );
                    at += 1;
                }
            }
        }
        at
    }

    fn next_message(&mut self, bytes: &[u8], at: usize, context: &mut Context<'_>) -> Next {
        let rest = bytes.get(at..).unwrap_or_default();
        let Some(protocol) = context.protocol.as_deref_mut() else { return Next::Lost };
        self.search_skipped = true;
        let may_hold =
            rest.len() <= ALWAYS_HELD || (rest.len() < MAX_HELD && context.listener.may_wait());
        let (length, wanted) = match protocol.extent(self.direction, rest) {
            Extent::More if may_hold => return Next::Wait,
            Extent::Skip { length, searched } if length > 0 => {
                (self.in_step, self.skip, self.search_skipped) = (true, length, searched);
                return Next::Done(0);
            }
            Extent::Message { length, wanted } if wanted > 0 && wanted <= MAX_HELD => {
                (length, wanted)
            }
            Extent::Packet { length, wanted, is_ciphertext } if wanted > 0 => {
                self.search_skipped = !is_ciphertext;
                let listener = &context.listener;
                let whole = length <= MAX_PACKET
                    && listener.wants_whole_packets()
                    && (rest.len() >= length || listener.may_wait());
                (wide(length), if whole { length } else { wanted })
            }
            _ => return Next::Lost,
        };
        let Some(part) = rest.get(..wanted) else {
            let may_hold = rest.len() <= ALWAYS_HELD || context.listener.may_wait();
            return if may_hold { Next::Wait } else { Next::Lost };
        };
        self.in_step = true;
        let start = self.start.saturating_add(wide(at));
        let mut claimed = Vec::new();
        let message =
            Message { direction: self.direction, bytes: part, start, origins: &self.origins };
        let mut out = Out {
            listener: context.listener,
            claimed: &mut claimed,
            conversations: context.conversations,
        };
        protocol.message(&message, &mut out);
        claimed.sort_by_key(|range| range.start);
        let mut from = at;
        for range in claimed {
            self.search_unclaimed(bytes, from, at + range.start, context);
            from = from.max(at + range.end);
        }
        self.search_unclaimed(bytes, from, at + wanted, context);
        self.skip = length.saturating_sub(wide(wanted));
        Next::Done(wanted)
    }

    /// What a protocol that is in step leaves over holds none of its own tokens.
    fn search_unclaimed(
        &mut self,
        bytes: &[u8],
        from: usize,
        to: usize,
        context: &mut Context<'_>,
    ) {
        if let Some(part) = bytes.get(from..to).filter(|part| !part.is_empty()) {
            self.search(part, from, Patterns::Binary, Carrier::Stream, context);
        }
    }

    fn search(
        &mut self,
        bytes: &[u8],
        at: usize,
        patterns: Patterns,
        carrier: Carrier,
        context: &mut Context<'_>,
    ) {
        let offset = self.start.saturating_add(wide(at));
        let (direction, origins) = (self.direction, &self.origins);
        let last = self.last;
        self.search.run(bytes, offset, patterns, &mut |found| {
            tell(found, direction, carrier, origins, last, context.listener);
        });
    }

    fn finish_search(&mut self, context: &mut Context<'_>) {
        let carrier = self.carrier(context);
        let (direction, origins) = (self.direction, &self.origins);
        let last = self.last;
        self.search.finish(&mut |found| {
            tell(found, direction, carrier, origins, last, context.listener);
        });
    }

    fn carrier(&self, context: &Context<'_>) -> Carrier {
        context.protocol.as_ref().map_or(Carrier::Stream, |protocol| protocol.carrier())
    }
}

enum Next {
    Done(usize),
    Wait,
    Lost,
}

/// Makes a report of what the search found.
fn tell(
    found: Found,
    direction: Direction,
    carrier: Carrier,
    origins: &Origins,
    last: Option<Origin>,
    listener: &mut dyn Listener,
) {
    match found {
        Found::Token { bytes, wrapping, after_scheme, last: at } => {
            let Some(origin) = origins.at(at).or(last) else { return };
            let carrier = match carrier {
                Carrier::Stream if after_scheme => Carrier::Http,
                carrier => carrier,
            };
            listener.report(Report::Token(Sighting {
                carrier,
                wrapping,
                conversation: 0,
                session: None,
                direction,
                bytes,
                origin,
            }));
        }
        Found::Incomplete { at } => {
            if let Some(origin) = origins.at(at).or(last) {
                listener.report(Report::Loss(Loss { direction, kind: LossKind::CutOff, origin }));
            }
        }
    }
}
