//! Brings the messages of an exchange together.

use crate::carrier::{Answer, Carrier, Report, Sighting, Wrapping};
use ntlm::message::MessageType;
use ntlm_capture::{Endpoints, Origin};

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
    /// NEGOTIATE_MESSAGE.
    pub negotiate: Option<Seen>,
    /// CHALLENGE_MESSAGE.
    pub challenge: Option<Seen>,
    /// AUTHENTICATE_MESSAGE.
    pub authenticate: Option<Seen>,
    /// What the server said.
    pub answer: Option<Answer>,
    /// Whether bytes of one of its messages are lost.
    pub has_gap: bool,
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
            negotiate: None,
            challenge: None,
            authenticate: None,
            answer: None,
            has_gap: false,
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
}

/// The exchanges of one flow that may still go on.
#[derive(Debug)]
pub struct Assembler {
    endpoints: Endpoints,
    open: Vec<(u64, FoundExchange)>,
}

impl Assembler {
    /// More open exchanges than this in one flow, and the oldest is given up.
    pub const MAX_OPEN: usize = 256;

    /// For one flow.
    #[must_use]
    pub const fn new(endpoints: Endpoints) -> Self {
        Self { endpoints, open: Vec::new() }
    }

    /// Takes what a carrier reports; exchanges that are over go to `done`.
    pub fn report(&mut self, report: Report, done: &mut impl FnMut(FoundExchange)) {
        match report {
            Report::Token(sighting) => self.token(sighting, done),
            Report::Answer(answer) => {
                if let Some(at) = self.find(answer.conversation, |found| {
                    found.answer.is_none() && found.authenticate.is_some()
                }) {
                    let (_, mut found) = self.open.remove(at);
                    found.answer = Some(answer);
                    done(found);
                }
            }
            Report::Incomplete { .. } => {
                if let Some((_, found)) = self.open.last_mut() {
                    found.has_gap = true;
                }
            }
        }
    }

    /// The flow is over: everything that is open goes to `done`.
    pub fn end(&mut self, done: &mut impl FnMut(FoundExchange)) {
        self.open.drain(..).for_each(|(_, found)| done(found));
    }

    fn token(&mut self, sighting: Sighting, done: &mut impl FnMut(FoundExchange)) {
        let Ok(kind) = MessageType::of(&sighting.bytes) else { return };
        let conversation = sighting.conversation;
        let at = match kind {
            MessageType::Negotiate => None,
            MessageType::Challenge => self.find(conversation, |found| {
                found.negotiate.is_some()
                    && found.challenge.is_none()
                    && found.authenticate.is_none()
            }),
            MessageType::Authenticate => self.find(conversation, |found| {
                found.challenge.is_some() && found.authenticate.is_none()
            }),
        };
        let seen = Some(Seen { bytes: sighting.bytes, origin: Some(sighting.origin) });
        let slot = match at.and_then(|at| self.open.get_mut(at)) {
            Some((_, found)) => found,
            None => {
                self.make_room(conversation, done);
                let (carrier, wrapping) = (Some(sighting.carrier), sighting.wrapping);
                let found = FoundExchange::empty(carrier, wrapping, Some(self.endpoints));
                self.open.push((conversation, found));
                match self.open.last_mut() {
                    Some((_, found)) => found,
                    None => return,
                }
            }
        };
        match kind {
            MessageType::Negotiate => slot.negotiate = seen,
            MessageType::Challenge => slot.challenge = seen,
            MessageType::Authenticate => slot.authenticate = seen,
        }
    }

    /// A new exchange in a conversation ends those whose AUTHENTICATE was seen.
    fn make_room(&mut self, conversation: u64, done: &mut impl FnMut(FoundExchange)) {
        while let Some(at) = self.find(conversation, |found| found.authenticate.is_some()) {
            done(self.open.remove(at).1);
        }
        while self.open.len() >= Self::MAX_OPEN {
            done(self.open.remove(0).1);
        }
    }

    fn find(&self, conversation: u64, fits: impl Fn(&FoundExchange) -> bool) -> Option<usize> {
        self.open.iter().position(|(id, found)| *id == conversation && fits(found))
    }
}
