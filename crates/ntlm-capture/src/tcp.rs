//! One direction of a TCP connection: segments in, its bytes in order out.

use etherparse::TcpHeaderSlice;

use crate::{
    bytes::wide,
    event::{Conflict, Direction, Event, FlowId, Gap, GapCause, Notice, NoticeKind, Origin},
    ip::Payload,
    queue::{Bytes, Pending, Queue, Whole},
    store::{About, Content, Piece, Store},
};

/// No window is larger (RFC 7323 2.3), so nothing that belongs to a connection is further away.
const WINDOW: i64 = 1 << 30;

/// How far before the first captured byte an acknowledgement may tell that the stream began.
pub(crate) const REORDERED_START: u32 = 1 << 20;

/// What reassembly needs of a TCP header, and what follows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) source_port: u16,
    pub(crate) destination_port: u16,
    pub(crate) seq: u32,
    pub(crate) ack: Option<u32>,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    /// As far as they were captured.
    pub(crate) bytes: &'a [u8],
    /// How many more there were.
    pub(crate) missing: u64,
}

impl<'a> Segment<'a> {
    /// `None` if the header is cut short or wrong.
    pub(crate) fn parse(payload: Payload<'a>) -> Option<Self> {
        let header = TcpHeaderSlice::from_slice(payload.bytes).ok()?;
        Some(Self {
            source_port: header.source_port(),
            destination_port: header.destination_port(),
            seq: header.sequence_number(),
            ack: header.ack().then(|| header.acknowledgment_number()),
            syn: header.syn(),
            fin: header.fin(),
            rst: header.rst(),
            bytes: payload.bytes.get(header.slice().len()..)?,
            missing: wide(payload.missing),
        })
    }

    /// Bytes of the stream on the wire.
    pub(crate) fn len(&self) -> u64 {
        wide(self.bytes.len()) + self.missing
    }

    /// Whether it has a part in a stream. What only acknowledges or resets is no reason to follow a flow.
    pub(crate) fn begins_a_flow(&self) -> bool {
        self.syn || !self.rst && (self.len() > 0 || self.fin)
    }

    /// Where its first byte is in sequence; a SYN takes one.
    pub(crate) fn first_seq(&self) -> u32 {
        self.seq.wrapping_add(self.syn.into())
    }
}

/// Where events of one stream go.
pub(crate) struct Out<'a, 'p> {
    pub(crate) queue: &'a mut Queue,
    pub(crate) flow: FlowId,
    pub(crate) direction: Direction,
    /// The current packet.
    pub(crate) origin: Origin,
    pub(crate) whole: Whole<'p>,
}

impl Out<'_, '_> {
    fn event(&mut self, event: Event<'static>) {
        self.queue.push_back(Pending::Event(event));
    }

    fn data(&mut self, offset: u64, origin: Origin, bytes: Bytes) {
        let (flow, direction) = (self.flow, self.direction);
        self.queue.push_back(Pending::Data { flow, direction, offset, origin, bytes });
    }

    fn gap(&mut self, offset: u64, length: u64, cause: GapCause) {
        let Self { flow, direction, origin, .. } = *self;
        self.event(Event::Gap(Gap { flow, direction, offset, length, cause, origin }));
    }

    fn notice(&mut self, kind: NoticeKind) {
        self.event(Event::Notice(Notice { kind, origin: self.origin }));
    }
}

/// The first bytes of a stream that are not told yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) origin: Origin,
    /// What their sender had received when it sent them.
    pub(crate) ack: Option<u32>,
    /// Whether they adjoin what was told.
    pub(crate) is_next: bool,
}

/// What is known of one direction.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    start: Start,
    /// The sequence number of the byte at `next`.
    next_seq: u32,
    /// Position of the next byte to deliver.
    next: u64,
    /// The peer has acknowledged everything before.
    acked: u64,
    /// Acknowledged bytes that have not come yet may still do so.
    wait: Option<Wait>,
    /// What has not come before here has had its time.
    given_up: u64,
    /// Position of the end, once a FIN came.
    fin: Option<u64>,
    /// What came out of order.
    store: Store,
}

/// The peer has bytes which the capture did not bring yet. They may have been recorded late.
#[derive(Clone, Copy, Debug)]
struct Wait {
    /// Up to where.
    until: u64,
    /// Packets of the flow that may still bring them.
    patience: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Start {
    #[default]
    Unknown,
    /// The peer has acknowledged up to this sequence number before anything came.
    Hint(u32),
    /// From the first byte that was captured, of the connection's midst.
    Midway,
    Syn,
}

impl Stream {
    /// Whether a SYN with this segment's sequence number begins another connection than this one's.
    pub(crate) fn is_other_start(&self, segment: &Segment<'_>) -> bool {
        let next = u32::try_from(self.next & 0xffff_ffff).unwrap_or_default();
        let start_seq = self.next_seq.wrapping_sub(next);
        matches!(self.start, Start::Midway | Start::Syn) && segment.first_seq() != start_seq
    }

    pub(crate) fn open(&mut self, segment: &Segment<'_>) {
        if let Start::Unknown | Start::Hint(_) = self.start {
            self.next_seq = segment.first_seq();
        }
        self.start = Start::Syn;
    }

    /// Whether the beginning is known for certain.
    pub(crate) fn is_open(&self) -> bool {
        self.start == Start::Syn
    }

    /// What the peer has acknowledged before anything came.
    pub(crate) fn hint(&self) -> Option<u32> {
        match self.start {
            Start::Hint(ack) => Some(ack),
            _ => None,
        }
    }

    /// Begins with this sequence number, unless the beginning is known already.
    pub(crate) fn begin_midway(&mut self, seq: u32) {
        if let Start::Unknown | Start::Hint(_) = self.start {
            (self.start, self.next_seq) = (Start::Midway, seq);
        }
    }

    /// The peer acknowledged everything before `ack`.
    pub(crate) fn acknowledge(&mut self, ack: u32) {
        match self.start {
            Start::Unknown => self.start = Start::Hint(ack),
            Start::Hint(_) => {}
            Start::Midway | Start::Syn => {
                let distance = distance(self.next_seq, ack);
                if (1..WINDOW).contains(&distance) {
                    self.acked = self.acked.max(self.next.saturating_add_signed(distance));
                }
            }
        }
    }

    /// Another packet of the flow has come.
    pub(crate) fn tick(&mut self) {
        if let Some(wait) = &mut self.wait {
            wait.patience = wait.patience.saturating_sub(1);
        }
    }

    /// Gives up what is acknowledged and has had `patience` packets to come.
    pub(crate) fn give_up_if_due(&mut self, patience: u32) {
        let acked = self.fin.map_or(self.acked, |fin| self.acked.min(fin));
        if acked <= self.next.max(self.given_up) {
            self.wait = None;
            return;
        }
        let wait = match self.wait {
            Some(wait) if wait.until > self.next => wait,
            _ => Wait { until: acked, patience },
        };
        self.wait = Some(wait);
        if wait.patience == 0 {
            self.given_up = wait.until;
            self.wait = (acked > wait.until).then_some(Wait { until: acked, patience });
        }
    }

    /// Gives up all that is acknowledged and has not come.
    pub(crate) fn give_up_acknowledged(&mut self) {
        self.given_up = self.given_up.max(self.acked);
        self.wait = None;
    }

    /// How far the peer's acknowledgement proves that there were bytes. A FIN is acknowledged like one, so the
    /// last is none for certain unless something lies beyond.
    fn known_lost_end(&self) -> u64 {
        match self.fin {
            Some(fin) => self.acked.min(fin),
            None if self.store.end() >= self.acked => self.acked,
            None => self.acked.saturating_sub(1),
        }
    }

    /// Whether nothing before `ack` is still to be told, so that what was sent with this acknowledgement may follow.
    pub(crate) fn has_told(&self, ack: Option<u32>) -> bool {
        let (Some(ack), Start::Midway | Start::Syn) = (ack, self.start) else { return true };
        let ahead = match u64::try_from(distance(self.next_seq, ack)) {
            Ok(ahead) if ahead > 0 && ahead < WINDOW.unsigned_abs() => ahead,
            _ => return true,
        };
        let before = self.fin.map_or(self.next + ahead, |fin| fin.min(self.next + ahead));
        let told = if self.is_ready() { self.next } else { self.next.max(self.given_up) };
        before <= told
    }

    /// Whether the first waiting bytes are next.
    fn is_ready(&self) -> bool {
        self.store.first().is_some_and(|(start, _)| start <= self.next)
    }

    /// Whether there is nothing to tell, now or after more packets of the peer.
    pub(crate) fn is_idle(&self) -> bool {
        self.store.is_empty() && self.given_up <= self.next
    }

    /// Memory in use for waiting bytes.
    pub(crate) fn cost(&self) -> usize {
        self.store.cost()
    }

    /// All bytes up to the FIN have been told.
    pub(crate) fn is_complete(&self) -> bool {
        self.fin.is_some_and(|fin| self.next >= fin)
    }

    /// Takes the bytes of a segment, and delivers them if they are next and `may_follow` what was told. Returns
    /// whether there were new ones.
    pub(crate) fn receive(
        &mut self,
        segment: &Segment<'_>,
        may_follow: bool,
        out: &mut Out<'_, '_>,
    ) -> bool {
        let seq = segment.first_seq();
        match self.start {
            Start::Unknown => (self.start, self.next_seq) = (Start::Midway, seq),
            Start::Hint(hint) => {
                self.start = Start::Midway;
                let known = (0..REORDERED_START).contains(&seq.wrapping_sub(hint));
                self.next_seq = if known { hint } else { seq };
            }
            Start::Midway | Start::Syn => {}
        }

        let distance = distance(self.next_seq, seq);
        if !(-WINDOW..WINDOW).contains(&distance) {
            if segment.len() > 0 {
                out.notice(NoticeKind::SequenceOutOfWindow);
            }
            return false;
        }
        // What was delivered already comes off the front.
        let old = u64::try_from(-distance).unwrap_or_default();
        let start = match self.next.checked_add_signed(distance) {
            Some(start) => start,
            None => {
                if segment.len() > 1 && self.start == Start::Midway {
                    out.notice(NoticeKind::BeforeStart);
                }
                0
            }
        };
        let end = self.next.saturating_add_signed(distance.saturating_add_unsigned(segment.len()));
        if segment.fin && self.fin.is_none() && end >= self.next {
            self.fin = Some(end);
        }
        if end <= self.next || segment.len() == 0 {
            return false;
        }
        let start = start.max(self.next);
        let old_bytes = usize::try_from(old).unwrap_or(usize::MAX).min(segment.bytes.len());
        let bytes = segment.bytes.get(old_bytes..).unwrap_or_default();
        let cut = segment.missing.min(end - start);

        let nothing_within = self.store.first().is_none_or(|(first, _)| first >= end);
        if start == self.next && may_follow && nothing_within {
            if !bytes.is_empty() {
                let refer = out.whole.refer(bytes);
                out.data(start, out.origin, refer);
                self.advance(wide(bytes.len()));
            }
            if cut > 0 {
                out.gap(self.next, cut, GapCause::Cut);
                self.advance(cut);
            }
        } else {
            let about = About { origin: out.origin, ack: segment.ack };
            if let Some(offset) = self.store.insert(start, bytes, cut, about) {
                let Out { flow, direction, origin, .. } = *out;
                out.event(Event::Conflict(Conflict { flow, direction, offset, origin }));
            }
        }
        true
    }

    /// The first waiting bytes.
    pub(crate) fn waiting(&self) -> Option<Waiting> {
        let (start, piece) = self.store.first()?;
        let About { origin, ack } = piece.about;
        Some(Waiting { origin, ack, is_next: start <= self.next })
    }

    /// Delivers one waiting piece if it is next, or as much of it as lies before the sequence number `until`.
    pub(crate) fn deliver_one(&mut self, until: Option<u32>, out: &mut Out<'_, '_>) -> bool {
        if !self.is_ready() {
            return false;
        }
        let ahead = until.and_then(|until| u64::try_from(distance(self.next_seq, until)).ok());
        let ahead = ahead.filter(|ahead| *ahead > 0).unwrap_or(u64::MAX);
        let Some((start, piece)) = self.store.pop_first(ahead) else { return false };
        let Piece { about, content } = piece;
        debug_assert_eq!(start, self.next);
        let origin = about.origin;
        match content {
            Content::Bytes(bytes) => {
                let length = wide(bytes.len());
                out.data(self.next, origin, Bytes::Kept(bytes));
                self.advance(length);
            }
            Content::Cut(length) => {
                out.gap(self.next, length, GapCause::Cut);
                self.advance(length);
            }
        }
        true
    }

    /// Declares lost what is missing before the first waiting bytes.
    pub(crate) fn skip_hole(&mut self, cause: GapCause, out: &mut Out<'_, '_>) -> bool {
        let start = self.store.first().map_or(self.next, |(start, _)| start);
        self.skip_until(start, cause, out)
    }

    /// Declares lost what has been given up before the first waiting bytes.
    pub(crate) fn skip_given_up(&mut self, cause: GapCause, out: &mut Out<'_, '_>) -> bool {
        let end = self.given_up.min(self.known_lost_end());
        let end = self.store.first().map_or(end, |(start, _)| start.min(end));
        self.skip_until(end, cause, out)
    }

    /// Declares lost what is missing at the end, once nothing waits any more.
    pub(crate) fn skip_to_end(&mut self, cause: GapCause, out: &mut Out<'_, '_>) {
        let end = match self.fin {
            Some(fin) => fin,
            None if self.acked > self.next => self.known_lost_end(),
            None => self.next,
        };
        self.skip_until(end, cause, out);
    }

    fn skip_until(&mut self, end: u64, cause: GapCause, out: &mut Out<'_, '_>) -> bool {
        if end <= self.next {
            return false;
        }
        out.gap(self.next, end - self.next, cause);
        self.advance(end - self.next);
        true
    }

    fn advance(&mut self, count: u64) {
        self.next += count;
        let count = u32::try_from(count & 0xffff_ffff).unwrap_or_default();
        self.next_seq = self.next_seq.wrapping_add(count);
    }
}

/// From one sequence number to another, the shorter way round.
pub(crate) fn distance(from: u32, to: u32) -> i64 {
    to.wrapping_sub(from).cast_signed().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's stream whose first byte has the sequence number 100.
    struct Test {
        stream: Stream,
        queue: Queue,
        frame: u64,
    }

    impl Test {
        fn new() -> Self {
            let mut stream = Stream::default();
            stream.open(&Segment { syn: true, ..segment(99, b"") });
            Self { stream, queue: Queue::new(), frame: 0 }
        }

        fn receive(&mut self, segment: &Segment<'_>) -> Vec<(u64, Option<u64>)> {
            self.frame += 1;
            self.tell(|stream, out| {
                stream.receive(segment, true, out);
                while stream.deliver_one(None, out) {}
            })
        }

        /// Takes a step and says what comes out: the offset, and the length if it is a gap.
        fn tell(
            &mut self,
            step: impl FnOnce(&mut Stream, &mut Out<'_, '_>),
        ) -> Vec<(u64, Option<u64>)> {
            let mut out = Out {
                queue: &mut self.queue,
                flow: FlowId { serial: 1, slot: 0 },
                direction: Direction::ClientToServer,
                origin: Origin {
                    frame: self.frame,
                    file: 0,
                    frame_in_file: self.frame,
                    time: None,
                },
                whole: Whole::Packet(b""),
            };
            step(&mut self.stream, &mut out);
            let told = self.queue.drain(..).map(|pending| match pending {
                Pending::Data { offset, .. } => (offset, None),
                Pending::Event(Event::Gap(gap)) => (gap.offset, Some(gap.length)),
                _ => panic!("neither data nor gap"),
            });
            told.collect()
        }
    }

    fn segment(seq: u32, bytes: &[u8]) -> Segment<'_> {
        Segment {
            source_port: 1,
            destination_port: 2,
            seq,
            ack: None,
            syn: false,
            fin: false,
            rst: false,
            bytes,
            missing: 0,
        }
    }

    #[test]
    fn what_may_not_follow_yet_waits() {
        let mut test = Test::new();
        let segment = Segment { ack: Some(7), ..segment(100, b"abc") };
        let receive = |stream: &mut Stream, out: &mut Out<'_, '_>| {
            assert!(stream.receive(&segment, false, out));
        };
        assert_eq!(test.tell(receive), []);
        let waiting = test.stream.waiting().unwrap();
        assert_eq!((waiting.ack, waiting.is_next), (Some(7), true));
        let deliver = |stream: &mut Stream, out: &mut Out<'_, '_>| {
            assert!(stream.deliver_one(None, out));
        };
        assert_eq!(test.tell(deliver), [(0, None)]);
        assert_eq!(test.stream.waiting(), None);
    }

    /// What the peer says with this acknowledgement may follow.
    fn may_follow(stream: &Stream, ack: u32) -> bool {
        stream.has_told(Some(ack))
    }

    #[test]
    fn an_acknowledgement_waits_for_what_it_acknowledges() {
        let mut test = Test::new();
        assert!(may_follow(&test.stream, 100) && !may_follow(&test.stream, 101));
        test.receive(&segment(101, b"bc"));
        assert!(!may_follow(&test.stream, 103));
        test.receive(&segment(100, b"a"));
        assert!(may_follow(&test.stream, 103) && !may_follow(&test.stream, 104));
        test.receive(&Segment { fin: true, ..segment(103, b"") });
        assert!(may_follow(&test.stream, 104));
    }

    #[test]
    fn patience_is_counted_in_packets() {
        let mut test = Test::new();
        test.stream.acknowledge(104);
        let mut waited = 0;
        loop {
            test.stream.give_up_if_due(3);
            let lost = test.tell(|stream, out| {
                stream.skip_given_up(GapCause::Acknowledged, out);
            });
            if !lost.is_empty() {
                // The fourth may be a FIN.
                assert_eq!((lost, waited), (vec![(0, Some(3))], 3));
                break;
            }
            test.stream.tick();
            waited += 1;
        }
        assert!(may_follow(&test.stream, 104));
        // Something lies beyond, so it was none.
        assert_eq!(test.receive(&segment(104, b"x")), []);
        let lost = test.tell(|stream, out| {
            stream.skip_given_up(GapCause::Acknowledged, out);
        });
        assert_eq!(lost, [(3, Some(1))]);
    }

    #[test]
    fn an_acknowledgement_from_nowhere_proves_nothing() {
        let mut test = Test::new();
        for ack in [100 + (1 << 30), 50] {
            test.stream.acknowledge(ack);
            test.stream.give_up_if_due(0);
            assert!(test.stream.is_idle() && may_follow(&test.stream, ack));
        }
    }

    #[test]
    fn holes_are_skipped_one_at_a_time() {
        let mut test = Test::new();
        test.receive(&segment(102, b"c"));
        test.receive(&segment(105, b"f"));
        let skip = |stream: &mut Stream, out: &mut Out<'_, '_>| {
            stream.skip_hole(GapCause::Bound, out);
            while stream.deliver_one(None, out) {}
        };
        assert_eq!(test.tell(skip), [(0, Some(2)), (2, None)]);
        assert_eq!(test.tell(skip), [(3, Some(2)), (5, None)]);
        assert_eq!(test.stream.cost(), 0);
    }
}
