//! HTTP authentication with NTLM and Negotiate, by origin servers and proxies (MS-NTHT, RFC 4559).

use super::base64_text::{self, Decoded};
use super::protocol::{Carried, Extent, Message, Out, Protocol, Verdict};
use super::spnego::NegState;
use super::{Carrier, Said};
use memchr::{memchr, memmem};
use ntlm::message::MessageType;
use ntlm_capture::Direction;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Http {
    to_server: Body,
    to_client: Body,
    /// Requests without an answer yet, oldest first.
    waiting: VecDeque<Request>,
    /// Responses may be missing: whoever waits when the next request comes has lost its own.
    responses_lost: bool,
    /// Conversation of the origin server, and of the proxy.
    conversations: [Option<u64>; 2],
    /// CONNECT was accepted: what follows is another protocol.
    is_tunnel: bool,
}

/// What follows the head, in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Body {
    /// The next head.
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks, each with its length (RFC 9112 7.1).
    Chunked,
    /// Lines after the last chunk.
    Trailer,
}

/// Who asks for the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Party {
    Origin,
    Proxy,
}

#[derive(Debug)]
struct Request {
    is_head: bool,
    is_connect: bool,
    /// What it proves, and to whom: true once it is the client's last word.
    logon: Option<(Party, bool)>,
}

/// More requests than this are not kept in mind.
const MOST_WAITING: usize = 1024;
const METHODS: [&str; 24] = [
    "GET",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "CONNECT",
    "PATCH",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "SEARCH",
    "REPORT",
    "SUBSCRIBE",
    "POLL",
    "RPC_IN_DATA",
    "RPC_OUT_DATA",
    "BITS_POST",
    "CCM_POST",
];
const VERSION: &[u8] = b"HTTP/1.";

/// Whether a request or a response begins here.
pub(super) fn is_head(direction: Direction, bytes: &[u8]) -> bool {
    match direction {
        Direction::ClientToServer => is_request(bytes),
        Direction::ServerToClient => bytes.starts_with(VERSION),
    }
}

fn is_request(bytes: &[u8]) -> bool {
    let word = memchr(b' ', bytes.get(..16).unwrap_or(bytes)).and_then(|end| bytes.get(..end));
    word.is_some_and(|word| METHODS.iter().any(|method| method.as_bytes() == word))
}

impl Http {
    fn body(&mut self, direction: Direction) -> &mut Body {
        match direction {
            Direction::ClientToServer => &mut self.to_server,
            Direction::ServerToClient => &mut self.to_client,
        }
    }

    fn conversation(&mut self, party: Party, out: &mut Out<'_>) -> u64 {
        let [origin, proxy] = &mut self.conversations;
        let slot = match party {
            Party::Origin => origin,
            Party::Proxy => proxy,
        };
        *slot.get_or_insert_with(|| out.new_conversation())
    }

    fn request(&mut self, message: &Message<'_>, out: &mut Out<'_>) {
        let head = Head::read(message.bytes);
        self.to_server = head.body(false, false);
        if std::mem::take(&mut self.responses_lost) || self.waiting.len() >= MOST_WAITING {
            self.waiting.clear();
        }
        let mut logon = None;
        for (party, range) in &head.tokens {
            let conversation = self.conversation(*party, out);
            let token = report(message, range.clone(), conversation, out);
            let kind = token.and_then(|token| token.kind);
            if let Some(kind) = kind {
                logon = Some((*party, kind == MessageType::Authenticate));
            }
        }
        let method = head.first_word(message.bytes);
        let (is_head, is_connect) = (method == b"HEAD", method == b"CONNECT");
        self.waiting.push_back(Request { is_head, is_connect, logon });
    }

    fn response(&mut self, message: &Message<'_>, out: &mut Out<'_>) {
        let head = Head::read(message.bytes);
        let status = head.status(message.bytes);
        if matches!(status, Some(100..200)) && status != Some(101) {
            return;
        }
        let request = self.waiting.pop_front();
        let has_no_body = request.as_ref().is_some_and(|request| request.is_head)
            || matches!(status, Some(204 | 304));
        self.to_client = head.body(true, has_no_body);
        let mut goes_on = false;
        for (party, range) in &head.tokens {
            let conversation = self.conversation(*party, out);
            if let Some(token) = report(message, range.clone(), conversation, out) {
                goes_on |= token.kind == Some(MessageType::Challenge)
                    || token.state == Some(NegState::AcceptIncomplete);
            }
        }
        let Some((request, status)) = request.zip(status) else { return };
        if request.is_connect && (200..300).contains(&status) {
            self.is_tunnel = true;
        }
        if status == 101 {
            self.is_tunnel = true;
        }
        let Some((party, is_last)) = request.logon else { return };
        let (refusal, others) = match party {
            Party::Origin => (401, 407),
            Party::Proxy => (407, 401),
        };
        let is_refused = status == refusal && !goes_on;
        let is_accepted =
            status != refusal && is_last && (party == Party::Proxy || status != others);
        if is_refused || is_accepted {
            let conversation = self.conversation(party, out);
            let status = Cow::Owned(status.to_string());
            let said = Said::plain(is_accepted);
            let verdict = Verdict { conversation, said, status };
            out.answer(message, verdict);
        }
    }
}

/// A token that was reported.
struct Reported {
    kind: Option<MessageType>,
    state: Option<NegState>,
}

fn report(
    message: &Message<'_>,
    range: Range<usize>,
    conversation: u64,
    out: &mut Out<'_>,
) -> Option<Reported> {
    let Decoded { message: token, state } = base64_text::decode(message.bytes.get(range.clone())?)?;
    let mut kind = None;
    if let Some((bytes, wrapping)) = token {
        kind = MessageType::of(&bytes).ok();
        let carried = Carried { carrier: Carrier::Http, conversation, session: None };
        let end = range.end;
        out.claim(range);
        out.token(message, end, bytes, wrapping, carried);
    }
    Some(Reported { kind, state })
}

/// What matters of a head.
#[derive(Debug, Default)]
struct Head {
    length: Option<u64>,
    is_chunked: bool,
    closes: bool,
    /// Where the tokens stand.
    tokens: Vec<(Party, Range<usize>)>,
}

impl Head {
    fn read(bytes: &[u8]) -> Self {
        let mut head = Self::default();
        let mut at = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            head.line(line, at);
            at += line.len();
        }
        head
    }

    fn line(&mut self, line: &[u8], at: usize) {
        let Some(colon) = memchr(b':', line) else { return };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default();
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        if is("content-length") {
            self.length = number(value);
        } else if is("transfer-encoding") {
            self.is_chunked = contains_word(value, b"chunked");
        } else if is("connection") {
            self.closes = contains_word(value, b"close");
        } else if is("authorization") || is("www-authenticate") {
            self.tokens(Party::Origin, value, at + colon + 1);
        } else if is("proxy-authorization") || is("proxy-authenticate") {
            self.tokens(Party::Proxy, value, at + colon + 1);
        }
    }

    /// Every challenge or credential of a line that is NTLM or Negotiate and has a token.
    fn tokens(&mut self, party: Party, value: &[u8], at: usize) {
        let mut start = at;
        for part in value.split_inclusive(|byte| *byte == b',') {
            let skipped = part.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
            let rest = part.get(skipped..).unwrap_or_default();
            let scheme = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let (scheme, rest) = rest.split_at(scheme);
            let is_ours =
                scheme.eq_ignore_ascii_case(b"NTLM") || scheme.eq_ignore_ascii_case(b"Negotiate");
            let spaces = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            let length = base64_text::length(rest.get(spaces..).unwrap_or_default());
            if is_ours && spaces > 0 && length > 0 {
                let from = start + skipped + scheme.len() + spaces;
                self.tokens.push((party, from..from + length));
            }
            start += part.len();
        }
    }

    fn body(&self, is_response: bool, has_none: bool) -> Body {
        match self.length {
            _ if has_none => Body::None,
            _ if self.is_chunked => Body::Chunked,
            Some(0) => Body::None,
            Some(length) => Body::Length(length),
            // Up to the end of the connection (RFC 9112 6.3).
            None if is_response && self.closes => Body::Length(u64::MAX),
            None => Body::None,
        }
    }

    fn first_word<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.split(|byte| *byte == b' ').next().unwrap_or_default()
    }

    fn status(&self, bytes: &[u8]) -> Option<u16> {
        let digits = bytes.get(VERSION.len() + 2..)?.first_chunk::<3>()?;
        digits.iter().try_fold(0, |value, digit| {
            digit.is_ascii_digit().then(|| value * 10 + u16::from(digit - b'0'))
        })
    }
}

fn number(value: &[u8]) -> Option<u64> {
    std::str::from_utf8(value).ok()?.trim().parse().ok()
}

fn contains_word(value: &[u8], word: &[u8]) -> bool {
    memmem::find(&value.to_ascii_lowercase(), word).is_some()
}

/// Where a head ends.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let proper = memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4);
    proper.or_else(|| memmem::find(bytes, b"\n\n").map(|at| at + 2))
}

impl Protocol for Http {
    fn carrier(&self) -> Carrier {
        Carrier::Http
    }

    fn extent(&mut self, direction: Direction, bytes: &[u8]) -> Extent {
        let line = || memchr(b'\n', bytes).map(|end| end + 1);
        match *self.body(direction) {
            Body::Length(length) => {
                *self.body(direction) = Body::None;
                Extent::Skip { length, searched: true }
            }
            Body::None if bytes.starts_with(b"\r\n") => Extent::new(2, 2),
            Body::None if is_head(direction, bytes) => match end_of_head(bytes) {
                Some(end) => Extent::new(end, end),
                None => Extent::More,
            },
            Body::None if bytes.len() < 16 && memchr(b'\n', bytes).is_none() => Extent::More,
            Body::None => Extent::Lost,
            Body::Chunked => match line() {
                Some(end) => match chunk_length(bytes.get(..end).unwrap_or_default()) {
                    Some(0) => Extent::new(end, end),
                    Some(length) => Extent::Message {
                        length: length.saturating_add(super::bytes::wide(end + 2)),
                        wanted: end,
                    },
                    None => {
                        *self.body(direction) = Body::None;
                        Extent::Lost
                    }
                },
                None if bytes.len() < 1024 => Extent::More,
                None => {
                    *self.body(direction) = Body::None;
                    Extent::Lost
                }
            },
            Body::Trailer => line().map_or(Extent::More, |end| Extent::new(end, end)),
        }
    }

    fn message(&mut self, message: &Message<'_>, out: &mut Out<'_>) {
        let direction = message.direction;
        match *self.body(direction) {
            Body::None if message.bytes == b"\r\n" => {}
            Body::None => match direction {
                Direction::ClientToServer => self.request(message, out),
                Direction::ServerToClient => self.response(message, out),
            },
            Body::Chunked if chunk_length(message.bytes) == Some(0) => {
                *self.body(direction) = Body::Trailer;
            }
            Body::Trailer if message.bytes.iter().all(u8::is_ascii_whitespace) => {
                *self.body(direction) = Body::None;
            }
            Body::Chunked | Body::Trailer | Body::Length(_) => {}
        }
    }

    fn resume(&self, direction: Direction, bytes: &[u8]) -> Option<usize> {
        if is_head(direction, bytes) {
            return Some(0);
        }
        let begins_line = |at: &usize| *at > 0 && bytes.get(at - 1) == Some(&b'\n');
        let mut versions = memmem::find_iter(bytes, VERSION);
        match direction {
            Direction::ServerToClient => versions.find(begins_line),
            Direction::ClientToServer => versions.find_map(|at| {
                let before = bytes.get(..at)?;
                let line = memchr::memrchr(b'\n', before).map_or(0, |end| end + 1);
                is_request(before.get(line..)?).then_some(line)
            }),
        }
    }

    fn interrupts(&self, direction: Direction, bytes: &[u8]) -> bool {
        match direction {
            Direction::ServerToClient => bytes.starts_with(VERSION),
            Direction::ClientToServer => {
                let line = bytes.get(..memchr(b'\n', bytes).unwrap_or_default());
                is_request(bytes) && line.is_some_and(|line| memmem::find(line, VERSION).is_some())
            }
        }
    }

    fn gap(&mut self, direction: Direction) {
        *self.body(direction) = Body::None;
        if direction == Direction::ServerToClient {
            self.responses_lost = true;
        }
    }

    fn is_over(&self) -> bool {
        self.is_tunnel
    }
}

/// The length of a chunk: hex, perhaps with extensions.
fn chunk_length(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let digits = line.get(..digits).filter(|digits| (1..=15).contains(&digits.len()))?;
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}
