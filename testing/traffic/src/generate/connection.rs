//! A TCP connection: what is said, as segments.

use super::Fate;
use super::bulk::{Bulk, BulkKind};
use crate::random::Random;
use crate::segment::{Segment, flag, sequence};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;

/// Both ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// What happens next.
#[derive(Debug)]
pub(super) enum Step {
    /// Bytes are sent.
    Say(Side, Vec<u8>),
    /// A header, and behind it bytes that are made when it is their turn.
    Bulk(Side, Vec<u8>, BulkKind, usize),
    /// An NTLM message in its carrier.
    Token(Side, Vec<u8>, Place, Fate),
}

/// Where in a carrier's bytes the NTLM message stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) signature: Range<usize>,
    pub(super) end: usize,
}

/// What happens on a connection between its SYN and its FIN.
#[derive(Debug, Default)]
pub(super) struct Steps(VecDeque<Step>);

impl Steps {
    pub(super) fn push(&mut self, step: Step) {
        self.0.push_back(step);
    }

    /// What is to happen to the messages.
    pub(super) fn fates(&mut self) -> impl Iterator<Item = &mut Fate> {
        self.0.iter_mut().filter_map(|step| match step {
            Step::Token(_, _, _, fate) => Some(fate),
            _ => None,
        })
    }
}

/// One connection, as far as it has come.
pub(super) struct Connection {
    ends: Ends,
    /// Next sequence numbers.
    client_seq: u32,
    server_seq: u32,
    steps: Steps,
    state: State,
    /// Frames that are next.
    ready: VecDeque<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Open,
    Closed,
}

impl Connection {
    pub(super) fn new(ends: Ends, steps: Steps, random: &mut Random) -> Self {
        let mut seq = || u32::try_from(random.bits() >> 32).unwrap_or_default();
        let (client_seq, server_seq) = (seq(), seq());
        Self { ends, client_seq, server_seq, steps, state: State::New, ready: VecDeque::new() }
    }

    /// The next frame; `None` when all is said.
    pub(super) fn next(&mut self, bulk: &mut Bulk, random: &mut Random) -> Option<Vec<u8>> {
        while self.ready.is_empty() && self.state != State::Closed {
            self.step(bulk, random);
        }
        self.ready.pop_front()
    }

    fn step(&mut self, bulk: &mut Bulk, random: &mut Random) {
        if self.state == State::New {
            self.state = State::Open;
            self.control(Side::Client, flag::SYN);
            self.control(Side::Server, flag::SYN | flag::ACK);
            self.control(Side::Client, flag::ACK);
            return;
        }
        match self.steps.0.pop_front() {
            Some(Step::Say(side, bytes)) => self.say(side, &bytes),
            Some(Step::Bulk(side, mut bytes, kind, count)) => {
                bulk.append(&mut bytes, kind, count, random);
                self.say(side, &bytes);
            }
            Some(Step::Token(side, bytes, place, fate)) => {
                self.token(side, &bytes, &place, fate, random);
            }
            None => {
                self.state = State::Closed;
                self.control(Side::Client, flag::FIN | flag::ACK);
                self.control(Side::Server, flag::FIN | flag::ACK);
                self.control(Side::Client, flag::ACK);
            }
        }
    }

    fn say(&mut self, side: Side, bytes: &[u8]) {
        let most = if self.ends.client.is_ipv6() { 1440 } else { 1460 };
        for (number, part) in (1_u32..).zip(bytes.chunks(most)) {
            self.data(side, part);
            if number % 2 == 0 {
                self.control(side.opposite(), flag::ACK);
            }
        }
    }

    fn token(&mut self, side: Side, bytes: &[u8], place: &Place, fate: Fate, random: &mut Random) {
        match fate {
            Fate::Whole => self.say(side, bytes),
            Fate::SentTwice => {
                let seq = self.seq(side);
                self.data(side, bytes);
                let again = self.segment(side, flag::ACK | flag::PSH, seq, bytes);
                self.ready.push_back(again);
            }
            Fate::Split { in_signature, swapped } => {
                let (from, to) = if in_signature {
                    (place.signature.start + 1, place.signature.end)
                } else {
                    (place.signature.end, place.end)
                };
                let at = from + random.place(to.saturating_sub(from));
                let (front, back) = bytes.split_at_checked(at).unwrap_or((bytes, &[]));
                self.data(side, front);
                self.data(side, back);
                if swapped && let Some(last) = self.ready.len().checked_sub(2) {
                    self.ready.swap(last, last + 1);
                }
            }
        }
        self.control(side.opposite(), flag::ACK);
    }

    fn data(&mut self, side: Side, bytes: &[u8]) {
        let frame = self.segment(side, flag::ACK | flag::PSH, self.seq(side), bytes);
        self.ready.push_back(frame);
        self.advance(side, sequence(bytes.len()));
    }

    fn control(&mut self, side: Side, flags: u8) {
        let frame = self.segment(side, flags, self.seq(side), &[]);
        self.ready.push_back(frame);
        self.advance(side, u32::from(flags & (flag::SYN | flag::FIN) != 0));
    }

    fn segment(&self, side: Side, flags: u8, seq: u32, bytes: &[u8]) -> Vec<u8> {
        let Ends { client, server } = self.ends;
        let (from, to) = if side == Side::Client { (client, server) } else { (server, client) };
        let mut segment = Segment::new(from, to, flags);
        segment.set_seq(seq);
        if flags & flag::ACK != 0 {
            segment.set_ack(self.seq(side.opposite()));
        }
        segment.payload = bytes.to_vec();
        segment.frame()
    }

    fn seq(&self, side: Side) -> u32 {
        if side == Side::Client { self.client_seq } else { self.server_seq }
    }

    fn advance(&mut self, side: Side, count: u32) {
        let seq = if side == Side::Client { &mut self.client_seq } else { &mut self.server_seq };
        *seq = seq.wrapping_add(count);
    }
}

impl Side {
    fn opposite(self) -> Self {
        if self == Self::Client { Self::Server } else { Self::Client }
    }
}
