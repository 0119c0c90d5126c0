//! Brings the messages of an exchange together.

use crate::carrier::{
    Answer, BareExchange, BareSighting, Carrier, Loss, LossKind, MAX_TOKEN, Report, Sighting,
    Wrapping,
};
use ntlm::message::MessageType;
use ntlm_capture::{Direction, EndReason, Endpoints, Origin};

/// One message of an exchange, exactly as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The frame that completes it. `None` for a token that came from no capture.
    pub origin: Option<Origin>,
}

/// The messages that belong together, as far as they were seen.
#[derive(Clone, Debug)]
pub struct FoundExchange {
    /// The protocol around them.
    pub carrier: Option<Carrier>,
    /// What stood between the protocol and the messages.
    pub wrapping: Wrapping,
    /// Both ends. `None` for tokens that came from no capture.
    pub endpoints: Option<Endpoints>,
    /// What tells it apart on its connection; 0 where the carrier cannot.
    pub conversation: u64,
    /// The carrier's own number for it: a session id, a UID, a context id.
    pub session: Option<u64>,
    /// NEGOTIATE_MESSAGE.
    pub negotiate: Option<Seen>,
    /// CHALLENGE_MESSAGE.
    pub challenge: Option<Seen>,
    /// AUTHENTICATE_MESSAGE.
    pub authenticate: Option<Seen>,
    /// Challenge and responses where there are no messages.
    pub bare: Option<BareExchange>,
    /// What the server said.
    pub answer: Option<Answer>,
    /// Bytes that are lost and may have been part of it.
    pub losses: Vec<Loss>,
    /// Why its connection ended before it did.
    pub ended: Option<EndReason>,
}

impl FoundExchange {
    /// An exchange of which nothing was seen yet.
    #[must_use]
    pub const fn empty(
        carrier: Option<Carrier>,
        wrapping: Wrapping,
        endpoints: Option<Endpoints>,
    ) -> Self {
        Self {
            carrier,
            wrapping,
            endpoints,
            conversation: 0,
            session: None,
            negotiate: None,
            challenge: None,
            authenticate: None,
            bare: None,
            answer: None,
            losses: Vec::new(),
            ended: None,
        }
    }

    /// The messages that were seen, in order.
    pub fn messages(&self) -> impl Iterator<Item = (MessageType, &Seen)> {
        [
            (MessageType::Negotiate, &self.negotiate),
            (MessageType::Challenge, &self.challenge),
            (MessageType::Authenticate, &self.authenticate),
        ]
        .into_iter()
        .filter_map(|(kind, seen)| seen.as_ref().map(|seen| (kind, seen)))
    }

    /// Where its parts were seen, in order: each message, or challenge and responses.
    pub fn origins(&self) -> impl Iterator<Item = Origin> {
        let messages = self.messages().filter_map(|(_, seen)| seen.origin);
        let bare = self.bare.iter().flat_map(|bare| {
            let challenge = bare.server_challenge.as_ref().map(|field| field.origin);
            challenge.into_iter().chain([bare.nt.origin])
        });
        messages.chain(bare)
    }

    /// Whether bytes that may have been part of it are lost.
    #[must_use]
    pub const fn has_gap(&self) -> bool {
        !self.losses.is_empty()
    }

    /// Whether the client has said its last word.
    const fn is_proved(&self) -> bool {
        self.authenticate.is_some() || self.bare.is_some()
    }

    /// Whether nothing is missing that the keys depend on.
    const fn is_whole(&self) -> bool {
        self.challenge.is_some() && self.authenticate.is_some() || self.bare.is_some()
    }

    /// Whether a message that was completed there may belong to it.
    ///
    /// Messages are told in order but for one case: a direction that waits for bytes that never
    /// come is told late. Then the frames show the order.
    fn has_place(&self, kind: MessageType, origin: Origin) -> bool {
        let (own, later) = match kind {
            MessageType::Negotiate => (&self.negotiate, [&self.challenge, &self.authenticate]),
            MessageType::Challenge => (&self.challenge, [&None, &self.authenticate]),
            MessageType::Authenticate => (&self.authenticate, [&None, &None]),
        };
        let answer = self.answer.as_ref().map(|answer| answer.origin);
        let later = later.map(|seen| seen.as_ref().and_then(|seen| seen.origin));
        let mut later = later.into_iter().flatten().chain(answer).peekable();
        let begins_another = kind == MessageType::Negotiate && later.peek().is_none();
        own.is_none()
            && self.bare.is_none()
            && !begins_another
            && later.all(|later| origin <= later)
    }

    fn size(&self) -> usize {
        let bare = self.bare.as_ref().map_or(0, |bare| bare.lm.bytes.len() + bare.nt.bytes.len());
        self.messages().map(|(_, seen)| seen.bytes.len()).sum::<usize>() + bare
    }
}

/// The exchanges of one flow that may still go on.
#[derive(Debug)]
pub struct Assembler {
    endpoints: Endpoints,
    open: Vec<Open>,
    /// What was lost lately: an exchange that begins in the middle may have begun there.
    lost: Vec<Loss>,
    unclaimed: Unclaimed,
}

/// What was lost of a flow that belongs to none of its exchanges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unclaimed {
    /// How often.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
    /// The frame in which it shows first.
    pub first: Option<Origin>,
}

impl Unclaimed {
    fn add(&mut self, loss: &Loss) {
        self.count += 1;
        if let LossKind::Missing { bytes, .. } = loss.kind {
            self.bytes = self.bytes.saturating_add(bytes);
        }
        self.first.get_or_insert(loss.origin);
    }
}

#[derive(Debug)]
struct Open {
    /// 0 if the carrier cannot tell conversations apart.
    conversation: u64,
    /// Who sends what a client sends; not always who opened the connection.
    client: Direction,
    found: FoundExchange,
}

impl Open {
    /// Notes a loss, seen from who is the client here.
    fn lose(&mut self, mut loss: Loss) {
        if self.found.endpoints.is_some_and(|ends| ends.guessed)
            && self.client == Direction::ServerToClient
        {
            loss.direction = loss.direction.opposite();
        }
        remember(&mut self.found.losses, loss);
    }
}

fn remember(losses: &mut Vec<Loss>, loss: Loss) {
    if losses.len() >= MOST_LOSSES {
        losses.remove(0);
    }
    losses.push(loss);
}

/// More losses than this are not listed.
const MOST_LOSSES: usize = 8;

impl Assembler {
    /// More open exchanges than this in one flow, and the oldest is given up.
    pub const MAX_OPEN: usize = 256;
    /// More bytes of messages than this in one flow, and the oldest is given up.
    pub const MAX_BYTES: usize = 4 * MAX_TOKEN;

    /// For one flow.
    #[must_use]
    pub const fn new(endpoints: Endpoints) -> Self {
        let unclaimed = Unclaimed { count: 0, bytes: 0, first: None };
        Self { endpoints, open: Vec::new(), lost: Vec::new(), unclaimed }
    }

    /// Takes what a carrier reports; exchanges that are over go to `done`.
    pub fn report(&mut self, report: Report, done: &mut impl FnMut(FoundExchange)) {
        match report {
            Report::Token(sighting) => self.token(sighting, done),
            Report::Bare(sighting) => self.bare(*sighting, done),
            Report::Answer(answer) => self.answer(answer, done),
            Report::Loss(loss) => {
                if self.open.is_empty() {
                    self.unclaimed.add(&loss);
                }
                self.open.iter_mut().for_each(|open| open.lose(loss));
                remember(&mut self.lost, loss);
            }
        }
    }

    /// The flow is over: everything that is open goes to `done`.
    pub fn end(&mut self, reason: EndReason, done: &mut impl FnMut(FoundExchange)) {
        for mut open in self.open.drain(..) {
            open.found.ended = Some(reason);
            done(open.found);
        }
    }

    /// The exchange of a conversation in which the client has proved itself, as long as it is not over.
    #[must_use]
    pub fn proved(&self, conversation: u64) -> Option<&FoundExchange> {
        let open = self.open.iter().rev().filter(|open| open.conversation == conversation);
        let mut found = open.map(|open| &open.found);
        found.find(|found| found.is_proved()).filter(|_| conversation != 0)
    }

    /// What was lost so far that belongs to no exchange.
    #[must_use]
    pub const fn unclaimed(&self) -> Unclaimed {
        self.unclaimed
    }

    fn token(&mut self, sighting: Sighting, done: &mut impl FnMut(FoundExchange)) {
        let Ok(kind) = MessageType::of(&sighting.bytes) else { return };
        let conversation = sighting.conversation;
        let client = match kind {
            MessageType::Challenge => sighting.direction.opposite(),
            MessageType::Negotiate | MessageType::Authenticate => sighting.direction,
        };
        let origin = sighting.origin;
        let fits = |found: &FoundExchange| found.has_place(kind, origin);
        let at = match kind {
            MessageType::Negotiate | MessageType::Challenge => {
                self.find(conversation, client, fits)
            }
            MessageType::Authenticate => self
                .find(conversation, client, |found| found.challenge.is_some() && fits(found))
                .or_else(|| self.find(conversation, client, fits)),
        };
        let at = at.unwrap_or_else(|| {
            let (carrier, wrapping) = (Some(sighting.carrier), sighting.wrapping);
            let found = FoundExchange::empty(carrier, wrapping, None);
            // Without its conversation, even a beginning may stand where a loss has left it.
            let begins = kind == MessageType::Negotiate && conversation != 0;
            self.begin(Open { conversation, client, found }, begins, done)
        });
        if let Some(open) = self.open.get_mut(at) {
            if open.conversation == 0 {
                open.conversation = conversation;
            }
            let found = &mut open.found;
            if found.carrier == Some(Carrier::Stream) {
                // The protocol was recognized only now.
                found.carrier = Some(sighting.carrier);
            }
            found.conversation = open.conversation;
            found.session = sighting.session.or(found.session);
            let seen = Some(Seen { bytes: sighting.bytes, origin: Some(origin) });
            match kind {
                MessageType::Negotiate => found.negotiate = seen,
                MessageType::Challenge => found.challenge = seen,
                MessageType::Authenticate => found.authenticate = seen,
            }
            if found.answer.is_some() && found.is_whole() {
                done(self.open.remove(at).found);
            }
        }
        self.bound(done);
    }

    fn bare(&mut self, sighting: BareSighting, done: &mut impl FnMut(FoundExchange)) {
        let BareSighting { direction: client, conversation, bare } = sighting;
        let mut found = FoundExchange::empty(Some(Carrier::Smb1), Wrapping::Bare, None);
        let begins = bare.server_challenge.is_some();
        found.bare = Some(bare);
        self.begin(Open { conversation, client, found }, begins, done);
        self.bound(done);
    }

    fn answer(&mut self, answer: Answer, done: &mut impl FnMut(FoundExchange)) {
        let id = answer.conversation;
        let exact = self
            .open
            .iter()
            .rposition(|open| open.conversation == id && id != 0 && open.found.answer.is_none());
        // After a gap the carrier may have taken a conversation for a new one.
        let lost_thread = || {
            let fits = |open: &Open| {
                open.conversation == 0 && open.found.is_proved() && open.found.has_gap()
            };
            self.open.iter().position(fits)
        };
        if let Some(at) = exact.or_else(lost_thread) {
            if let Some(open) = self.open.get_mut(at) {
                open.found.answer = Some(answer);
            }
            // What is missing may yet come.
            if self.open.get(at).is_some_and(|open| open.found.is_whole()) {
                done(self.open.remove(at).found);
            }
        }
    }

    /// Opens an exchange; returns its place. Unless its beginning was seen, it may have been lost.
    fn begin(
        &mut self,
        mut open: Open,
        beginning_was_seen: bool,
        done: &mut impl FnMut(FoundExchange),
    ) -> usize {
        open.found.endpoints = Some(self.endpoints);
        if self.endpoints.guessed && open.client == Direction::ServerToClient {
            let Endpoints { client: server, server: client, guessed } = self.endpoints;
            open.found.endpoints = Some(Endpoints { client, server, guessed });
        }
        if !beginning_was_seen {
            self.lost.iter().for_each(|loss| open.lose(*loss));
            self.unclaimed = Unclaimed::default();
        }
        // A new exchange in a conversation ends the one before.
        let ends = |other: &Open| {
            let same = other.conversation == open.conversation && other.client == open.client;
            same && (open.conversation != 0 || other.found.is_proved())
        };
        while let Some(at) = self.open.iter().position(ends) {
            done(self.open.remove(at).found);
        }
        self.open.push(open);
        self.open.len() - 1
    }

    /// Gives up the oldest while there is too much.
    fn bound(&mut self, done: &mut impl FnMut(FoundExchange)) {
        let mut bytes: usize = self.open.iter().map(|open| open.found.size()).sum();
        while self.open.len() > 1 && (self.open.len() > Self::MAX_OPEN || bytes > Self::MAX_BYTES) {
            let mut oldest = self.open.remove(0).found;
            bytes = bytes.saturating_sub(oldest.size());
            oldest.ended = Some(EndReason::Evicted);
            done(oldest);
        }
    }

    /// The youngest of the same conversation; else the oldest of no known one.
    fn find(
        &self,
        conversation: u64,
        client: Direction,
        fits: impl Fn(&FoundExchange) -> bool,
    ) -> Option<usize> {
        let fits = |open: &Open, conversation| {
            open.conversation == conversation && open.client == client && fits(&open.found)
        };
        let exact = || self.open.iter().rposition(|open| fits(open, conversation));
        let unknown = || self.open.iter().position(|open| fits(open, 0));
        match conversation {
            0 => unknown().or_else(|| {
                // The carrier lost the thread in the middle of one that it knew.
                let known = |open: &Open| fits(open, open.conversation) && open.found.has_gap();
                self.open.iter().rposition(known)
            }),
            _ => exact().or_else(unknown),
        }
    }
}
