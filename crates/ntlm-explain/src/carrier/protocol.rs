//! What a carrier is: it says where messages end, and reads those that matter.

use super::bytes::wide;
use super::spnego::{self, Content};
use super::{
    Answer, BareExchange, BareSighting, Carrier, Listener, Report, RpcFragment, Said, Sighting,
    Wrapping,
};
use ntlm_capture::{Direction, Origin, StreamOrigins};
use std::borrow::Cow;
use std::fmt::Debug;
use std::ops::Range;

/// A protocol that messages of both directions of one flow are read with.
pub(super) trait Protocol: Debug + Send {
    /// The name for tokens whose place in the protocol is lost.
    fn carrier(&self) -> Carrier;

    /// How far the message reaches that `bytes` begin with.
    fn extent(&mut self, direction: Direction, bytes: &[u8]) -> Extent;

    /// Reads the wanted part of a message.
    fn message(&mut self, message: &Message<'_>, out: &mut Out<'_>);

    /// Where in `bytes` a message seems to begin, when the thread is lost.
    fn resume(&self, direction: Direction, bytes: &[u8]) -> Option<usize>;

    /// Whether a message begins here although the present one is not over, by its own account.
    fn interrupts(&self, _direction: Direction, _bytes: &[u8]) -> bool {
        false
    }

    /// Bytes are missing in this direction.
    fn gap(&mut self, _direction: Direction) {}

    /// Whether tokens would be encrypted.
    fn hides_tokens(&self) -> bool {
        false
    }

    /// Whether another protocol follows from here on.
    fn is_over(&self) -> bool {
        false
    }
}

/// How far a message reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// More bytes are needed to tell.
    More,
    /// So many bytes, of which the first `wanted` are to be read; the rest is only searched.
    Message { length: u64, wanted: usize },
    /// The same, but whoever listens may want all of it. What is left of ciphertext is not searched.
    Packet { length: usize, wanted: usize, is_ciphertext: bool },
    /// So many bytes that nobody reads; unless they are ciphertext, they are searched.
    Skip { length: u64, searched: bool },
    /// This is no message of the protocol.
    Lost,
}

impl Extent {
    /// A message of which `wanted` bytes are to be read, at most all.
    pub(super) fn new(length: usize, wanted: usize) -> Self {
        Self::Message { length: wide(length), wanted: wanted.min(length) }
    }

    #[cfg(test)]
    fn message(self) -> (u64, usize) {
        match self {
            Self::Message { length, wanted } => (length, wanted),
            Self::Packet { length, wanted, .. } => (wide(length), wanted),
            _ => (0, 0),
        }
    }
}

/// A message, or as much of it as was wanted.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) direction: Direction,
    pub(super) bytes: &'a [u8],
    /// Where it begins in the stream.
    pub(super) start: u64,
    /// The frames of the stream.
    pub(super) origins: &'a Origins,
}

impl Message<'_> {
    /// The frame of the byte right before `end`.
    pub(super) fn origin(&self, end: usize) -> Option<Origin> {
        self.origins.at(self.start.saturating_add(wide(end.saturating_sub(1))))
    }

    /// The frame of the last byte that was wanted.
    pub(super) fn last_origin(&self) -> Option<Origin> {
        self.origin(self.bytes.len())
    }
}

/// Takes what a carrier reports of one message.
pub(super) struct Out<'a> {
    pub(super) listener: &'a mut dyn Listener,
    /// Parts of the message that the search is not to look at again.
    pub(super) claimed: &'a mut Vec<Range<usize>>,
    /// The number of the last conversation of this flow.
    pub(super) conversations: &'a mut u64,
}

/// What a token belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carried {
    pub(super) carrier: Carrier,
    pub(super) conversation: u64,
    pub(super) session: Option<u64>,
}

impl Out<'_> {
    /// A number that no other conversation of this flow has.
    pub(super) fn new_conversation(&mut self) -> u64 {
        *self.conversations = self.conversations.saturating_add(1);
        *self.conversations
    }

    /// The bytes are accounted for.
    pub(super) fn claim(&mut self, range: Range<usize>) {
        self.claimed.push(range);
    }

    /// Reports the token in a part of the message. Returns what the part holds.
    pub(super) fn security_buffer(
        &mut self,
        message: &Message<'_>,
        buffer: Range<usize>,
        carried: Carried,
    ) -> Option<Content> {
        let bytes = message.bytes.get(buffer.clone())?;
        let content = spnego::content(bytes);
        if let Some((range, wrapping)) = content.message(bytes) {
            let token = bytes.get(range.clone()).unwrap_or_default();
            self.claim(buffer.start + range.start..buffer.start + range.end);
            self.token(message, buffer.start + range.end, token.to_vec(), wrapping, carried);
        }
        Some(content)
    }

    /// Reports a token that is complete with the bytes up to `end` of the message.
    pub(super) fn token(
        &mut self,
        message: &Message<'_>,
        end: usize,
        bytes: Vec<u8>,
        wrapping: Wrapping,
        carried: Carried,
    ) {
        let Some(origin) = message.origin(end) else { return };
        let direction = message.direction;
        let Carried { carrier, conversation, session } = carried;
        self.listener.report(Report::Token(Sighting {
            carrier,
            wrapping,
            conversation,
            session,
            direction,
            bytes,
            origin,
        }));
    }

    /// Hands over a fragment of DCE/RPC that ends before `end` of the message.
    pub(super) fn fragment(&mut self, message: &Message<'_>, end: usize, fragment: &Fragment<'_>) {
        let Some(origin) = message.origin(end) else { return };
        let Fragment { association, conversation, has_mech_list_mic, .. } = *fragment;
        self.listener.fragment(&RpcFragment {
            direction: message.direction,
            association,
            conversation,
            has_mech_list_mic,
            is_after_gap: fragment.is_after_gap,
            bytes: fragment.bytes,
            is_whole: fragment.is_whole,
            origin,
        });
    }

    /// Responses without a token.
    pub(super) fn bare(&mut self, message: &Message<'_>, conversation: u64, bare: BareExchange) {
        let direction = message.direction;
        self.listener.report(Report::Bare(Box::new(BareSighting {
            direction,
            conversation,
            bare,
        })));
    }

    /// What the server says to a logon.
    pub(super) fn answer(&mut self, message: &Message<'_>, answer: Verdict) {
        let Some(origin) = message.last_origin() else { return };
        let Verdict { conversation, said, status } = answer;
        self.listener.report(Report::Answer(Answer { conversation, said, status, origin }));
    }
}

/// What a carrier knows of a fragment of DCE/RPC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fragment<'a> {
    pub(super) association: u64,
    pub(super) conversation: Option<u64>,
    pub(super) has_mech_list_mic: bool,
    pub(super) is_after_gap: bool,
    pub(super) bytes: &'a [u8],
    pub(super) is_whole: bool,
}

/// What the server says to a logon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) conversation: u64,
    pub(super) said: Said,
    pub(super) status: Cow<'static, str>,
}

/// Which frames carried what: those of the bytes that are held, and the one that is being read.
#[derive(Debug, Default)]
pub(super) struct Origins {
    held: StreamOrigins,
    current: Option<(Range<u64>, Origin)>,
}

impl Origins {
    /// The bytes that are being read.
    pub(super) fn read(&mut self, offset: u64, length: usize, origin: Origin) {
        let end = offset.saturating_add(wide(length));
        self.current = Some((offset..end, origin));
    }

    /// Keeps what is needed for bytes from `offset` on; `None` if none are held.
    pub(super) fn settle(&mut self, offset: Option<u64>) {
        let current = self.current.take();
        match (offset, current) {
            (Some(offset), Some((range, origin))) => {
                let length = range.end.saturating_sub(range.start);
                self.held.add(range.start, usize::try_from(length).unwrap_or(usize::MAX), origin);
                self.held.forget_before(offset);
            }
            (Some(offset), None) => self.held.forget_before(offset),
            (None, _) => self.held.forget_before(u64::MAX),
        }
    }

    /// The frame that carried the byte at `offset`.
    pub(super) fn at(&self, offset: u64) -> Option<Origin> {
        match &self.current {
            Some((range, origin)) if range.contains(&offset) => Some(*origin),
            _ => self.held.at(offset),
        }
    }
}

#[cfg(test)]
pub(super) mod driver {
    //! Drives a protocol by messages made by hand.

    use super::super::Loss;
    use super::*;
    use ntlm::message::MessageType;

    pub(in super::super) const CLIENT: Direction = Direction::ClientToServer;
    pub(in super::super) const SERVER: Direction = Direction::ServerToClient;

    /// NEGOTIATE, CHALLENGE and AUTHENTICATE: headers whose fields are empty.
    pub(in super::super) fn ntlm(kind: u8) -> Vec<u8> {
        let mut message = [&b"NTLMSSP\0"[..], &[kind, 0, 0, 0]].concat();
        message.resize(if kind == 3 { 64 } else { 48 }, 0);
        message
    }

    /// A NegTokenResp around a token.
    pub(in super::super) fn spnego(token: &[u8]) -> Vec<u8> {
        let tlv = |tag, content: &[u8]| {
            assert!(content.len() < 0x80);
            [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
        };
        tlv(0xa1, &tlv(0x30, &tlv(0xa2, &tlv(0x04, token))))
    }

    /// Every piece comes whole, in a frame of its own, numbered from 1.
    pub(in super::super) fn drive(
        protocol: &mut dyn Protocol,
        pieces: &[(Direction, Vec<u8>)],
    ) -> Vec<Report> {
        let mut reports = Vec::new();
        let (mut conversations, mut claimed) = (0, Vec::new());
        for (frame, (direction, bytes)) in (1..).zip(pieces) {
            let mut origins = Origins::default();
            origins.read(
                0,
                bytes.len(),
                Origin { frame, file: 0, frame_in_file: frame, time: None },
            );
            let mut at = 0;
            while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
                let extent = protocol.extent(*direction, rest);
                match extent {
                    Extent::Message { .. } | Extent::Packet { .. } => {
                        let (length, wanted) = extent.message();
                        let Some(part) = rest.get(..wanted) else { break };
                        let (direction, start) = (*direction, wide(at));
                        let message = Message { direction, bytes: part, start, origins: &origins };
                        let mut report = |told| reports.push(told);
                        let mut out = Out {
                            listener: &mut report,
                            claimed: &mut claimed,
                            conversations: &mut conversations,
                        };
                        protocol.message(&message, &mut out);
                        assert!(claimed.drain(..).all(|range| range.end <= wanted));
                        at = at.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
                    }
                    Extent::Skip { length, .. } => {
                        at = at.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
                    }
                    Extent::More | Extent::Lost => break,
                }
            }
        }
        reports
    }

    /// Every prefix, and every byte replaced by a few others: nothing panics.
    pub(in super::super) fn damage(
        make: impl Fn() -> Box<dyn Protocol>,
        pieces: &[(Direction, Vec<u8>)],
    ) {
        for index in 0..pieces.len() {
            for at in 0..pieces[index].1.len() {
                let mut cut = pieces.to_vec();
                cut[index].1.truncate(at);
                drive(&mut *make(), &cut);
                for byte in [0x00, 0x01, 0x7f, 0x80, 0xff] {
                    let mut other = pieces.to_vec();
                    other[index].1[at] = byte;
                    drive(&mut *make(), &other);
                }
                let protocol = make();
                let _ = protocol.resume(pieces[index].0, &pieces[index].1[at..]);
            }
        }
    }

    /// One word for each report: `n1`, `c1`, `a1` for messages of conversation 1, `yes1: status`
    /// and so on for answers.
    pub(in super::super) fn words(reports: &[Report]) -> Vec<String> {
        let word = |report: &Report| match report {
            Report::Token(token) => {
                let kind = match MessageType::of(&token.bytes).unwrap() {
                    MessageType::Negotiate => 'n',
                    MessageType::Challenge => 'c',
                    MessageType::Authenticate => 'a',
                };
                format!("{kind}{}", token.conversation)
            }
            Report::Bare(bare) => format!("bare{}", bare.conversation),
            Report::Answer(answer) => {
                let said = match answer.said {
                    Said::Accepted => "yes",
                    Said::AcceptedAsGuest => "guest",
                    Said::Refused => "no",
                    Said::Unclear => "unclear",
                };
                format!("{said}{}: {}", answer.conversation, answer.status)
            }
            Report::Loss(Loss { .. }) => "loss".to_owned(),
        };
        reports.iter().map(word).collect()
    }
}
