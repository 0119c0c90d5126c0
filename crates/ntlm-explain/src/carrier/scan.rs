//! Finds tokens in any stream: raw, inside SPNEGO, and base64 after `NTLM` or `Negotiate`.

use super::{Carrier, Report, Sighting, Wrapping};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use memchr::memmem::Finder;
use ntlm::message::{Message, MessageType};
use ntlm_capture::{Data, Direction, Gap, Origin, StreamOrigins};

/// Searches both directions of one flow.
#[derive(Debug)]
pub struct Scanner {
    to_server: Stream,
    to_client: Stream,
}

/// The bytes of one direction that are not done with.
#[derive(Debug)]
struct Stream {
    direction: Direction,
    bytes: Vec<u8>,
    /// Offset of `bytes` in the stream.
    start: u64,
    /// Up to here, in `bytes`, there is nothing to be found.
    searched: usize,
    origins: StreamOrigins,
}

/// The longest token that is waited for. Length fields of 16 bits allow seven items of 64 KiB.
const MAX_TOKEN: usize = 512 * 1024;
/// How far back the DER header of an OCTET STRING may begin.
const LOOK_BEHIND: usize = 8;
/// The longest word before a token in base64.
const LONGEST_SCHEME: usize = "Negotiate ".len();

impl Default for Scanner {
    fn default() -> Self {
        Self {
            to_server: Stream::new(Direction::ClientToServer),
            to_client: Stream::new(Direction::ServerToClient),
        }
    }
}

impl Scanner {
    /// Takes the next bytes of a direction.
    pub fn data(&mut self, data: &Data<'_>, report: &mut impl FnMut(Report)) {
        self.stream(data.direction).data(data, report);
    }

    /// Bytes are missing: what was begun cannot be finished.
    pub fn gap(&mut self, gap: &Gap, report: &mut impl FnMut(Report)) {
        let stream = self.stream(gap.direction);
        stream.search(report, true);
        stream.restart(gap.offset.saturating_add(gap.length));
    }

    /// The flow is over.
    pub fn end(&mut self, report: &mut impl FnMut(Report)) {
        self.to_server.search(report, true);
        self.to_client.search(report, true);
    }

    fn stream(&mut self, direction: Direction) -> &mut Stream {
        match direction {
            Direction::ClientToServer => &mut self.to_server,
            Direction::ServerToClient => &mut self.to_client,
        }
    }
}

/// What stands at a place that looks like a token.
enum Found {
    /// A token that ends there.
    Token { bytes: Vec<u8>, wrapping: Wrapping, carrier: Carrier, end: usize },
    /// It may become one when more bytes come.
    Incomplete,
    /// Nothing; the search goes on from there.
    Nothing { next: usize },
}

impl Stream {
    fn new(direction: Direction) -> Self {
        let origins = StreamOrigins::default();
        Self { direction, bytes: Vec::new(), start: 0, searched: 0, origins }
    }

    fn data(&mut self, data: &Data<'_>, report: &mut impl FnMut(Report)) {
        if self.bytes.is_empty() {
            self.start = data.offset;
        }
        self.origins.add(data.offset, data.bytes.len(), data.origin);
        self.bytes.extend_from_slice(data.bytes);
        self.search(report, false);
    }

    fn restart(&mut self, offset: u64) {
        self.bytes.clear();
        self.searched = 0;
        self.start = offset;
        self.origins.forget_before(offset);
    }

    fn search(&mut self, report: &mut impl FnMut(Report), is_over: bool) {
        while let Some(at) = self.candidate() {
            match self.look_at(at, is_over) {
                Found::Token { bytes, wrapping, carrier, end } => {
                    let last = self.start.saturating_add(wide(end.saturating_sub(1)));
                    if let Some(origin) = self.origins.at(last) {
                        let (direction, conversation) = (self.direction, 0);
                        report(Report::Token(Sighting {
                            carrier,
                            wrapping,
                            conversation,
                            direction,
                            bytes,
                            origin,
                        }));
                    }
                    self.searched = end;
                }
                Found::Incomplete if is_over || self.bytes.len() - at > MAX_TOKEN => {
                    if let Some(origin) = self.origin_at(at) {
                        report(Report::Incomplete { direction: self.direction, origin });
                    }
                    self.searched = at + 1;
                }
                Found::Incomplete => {
                    self.searched = at;
                    self.forget(at);
                    return;
                }
                Found::Nothing { next } => self.searched = next.max(at + 1),
            }
        }
        let keep = LONGEST_SCHEME + ntlm::message::SIGNATURE.len();
        self.searched = self.searched.max(self.bytes.len().saturating_sub(keep));
        self.forget(self.searched);
    }

    /// The first place from `searched` on where a token may begin.
    fn candidate(&self) -> Option<usize> {
        let rest = self.bytes.get(self.searched..)?;
        let raw = Finder::new(&ntlm::message::SIGNATURE).find(rest);
        let before = |limit: Option<usize>| rest.get(..limit.unwrap_or(rest.len()));
        let ntlm = Finder::new(b"NTLM ").find(before(raw)?);
        let negotiate = Finder::new(b"Negotiate ").find(before(ntlm.or(raw))?);
        negotiate.or(ntlm).or(raw).map(|at| self.searched + at)
    }

    fn look_at(&self, at: usize, is_over: bool) -> Found {
        let rest = self.bytes.get(at..).unwrap_or_default();
        for scheme in [b"NTLM ".as_slice(), b"Negotiate "] {
            if let Some(text) = rest.strip_prefix(scheme) {
                return look_at_base64(text, at + scheme.len(), is_over);
            }
        }
        let before = self.bytes.get(at.saturating_sub(LOOK_BEHIND)..at).unwrap_or_default();
        match octet_string_length(before) {
            Some(length) if length <= rest.len() => raw_token(rest, at, Some(length)),
            Some(_) => Found::Incomplete,
            None => match message_length(rest) {
                Some(length) if length <= rest.len() => raw_token(rest, at, None),
                _ if rest.len() < 16 => Found::Incomplete,
                Some(_) => Found::Incomplete,
                None => Found::Nothing { next: at + 1 },
            },
        }
    }

    fn origin_at(&self, at: usize) -> Option<Origin> {
        self.origins.at(self.start.saturating_add(wide(at)))
    }

    /// Drops what lies before `at`, but for the few bytes that a DER header needs.
    fn forget(&mut self, at: usize) {
        let drop = at.saturating_sub(LOOK_BEHIND);
        if drop > 0 {
            self.bytes.drain(..drop.min(self.bytes.len()));
            self.start = self.start.saturating_add(wide(drop));
            self.searched = self.searched.saturating_sub(drop);
            self.origins.forget_before(self.start);
        }
    }
}

fn raw_token(rest: &[u8], at: usize, wrapped: Option<usize>) -> Found {
    let wrapping = if wrapped.is_some() { Wrapping::Spnego } else { Wrapping::Raw };
    let length = wrapped.or_else(|| message_length(rest)).unwrap_or_default();
    match rest.get(..length).map(<[u8]>::to_vec) {
        Some(bytes) if MessageType::of(&bytes).is_ok() => {
            Found::Token { bytes, wrapping, carrier: Carrier::Stream, end: at + length }
        }
        _ => Found::Nothing { next: at + 1 },
    }
}

/// The text ends where base64 does.
fn look_at_base64(text: &[u8], at: usize, is_over: bool) -> Found {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    let length = text.iter().take_while(|byte| is_base64(byte)).count();
    if length == text.len() && !is_over && length < MAX_TOKEN {
        return Found::Incomplete;
    }
    let nothing = Found::Nothing { next: at };
    let Some(token) = text.get(..length).and_then(|text| BASE64.decode(text).ok()) else {
        return nothing;
    };
    match Finder::new(&ntlm::message::SIGNATURE).find(&token) {
        Some(0) => Found::Token {
            bytes: token,
            wrapping: Wrapping::Raw,
            carrier: Carrier::Http,
            end: at + length,
        },
        Some(inner) => {
            let before = token.get(..inner).unwrap_or_default();
            let bytes = token.get(inner..).unwrap_or_default();
            let end = octet_string_length(before).filter(|length| *length <= bytes.len());
            match end.and_then(|end| bytes.get(..end)) {
                Some(bytes) if MessageType::of(bytes).is_ok() => Found::Token {
                    bytes: bytes.to_vec(),
                    wrapping: Wrapping::Spnego,
                    carrier: Carrier::Http,
                    end: at + length,
                },
                _ => nothing,
            }
        }
        None => nothing,
    }
}

/// The length that a DER OCTET STRING header right before the token says.
pub(crate) fn octet_string_length(before: &[u8]) -> Option<usize> {
    const OCTET_STRING: u8 = ntlm::der::tag::OCTET_STRING;
    match before {
        [.., OCTET_STRING, 0x82, high, low] => Some(usize::from(u16::from_be_bytes([*high, *low]))),
        [.., OCTET_STRING, 0x81, low] if *low >= 0x80 => Some(usize::from(*low)),
        [.., OCTET_STRING, low @ 0x10..0x80] => Some(usize::from(*low)),
        _ => None,
    }
    .filter(|length| *length >= 16)
}

/// Where a raw message ends, by its own fields; `None` if it is none, or not enough is there.
fn message_length(bytes: &[u8]) -> Option<usize> {
    use ntlm::message::{AuthenticateMessage, ChallengeMessage, NegotiateMessage};
    let end_of_header = match MessageType::of(bytes).ok()? {
        MessageType::Negotiate => negotiate_header(bytes)?,
        MessageType::Challenge => 32,
        MessageType::Authenticate => 52,
    };
    let descriptors: &[usize] = match MessageType::of(bytes).ok()? {
        MessageType::Negotiate => &[16, 24],
        MessageType::Challenge => &[12, 40],
        MessageType::Authenticate => &[12, 20, 28, 36, 44, 52],
    };
    let mut end = end_of_header;
    for at in descriptors.iter().filter(|at| **at + 8 <= first_payload(bytes, descriptors)) {
        if let Some([l0, l1, _, _, o0, o1, o2, o3]) =
            bytes.get(*at..).and_then(|rest| rest.first_chunk::<8>())
            && (*l0, *l1) != (0, 0)
        {
            let length = usize::from(u16::from_le_bytes([*l0, *l1]));
            let offset = usize::try_from(u32::from_le_bytes([*o0, *o1, *o2, *o3])).ok()?;
            end = end.max(offset.checked_add(length).filter(|end| *end <= MAX_TOKEN)?);
        }
    }
    let whole = bytes.get(..end);
    let decodes = whole.is_none_or(|bytes| match MessageType::of(bytes) {
        Ok(MessageType::Negotiate) => NegotiateMessage::decode(bytes).is_ok(),
        Ok(MessageType::Challenge) => ChallengeMessage::decode(bytes).is_ok(),
        Ok(MessageType::Authenticate) => AuthenticateMessage::decode(bytes).is_ok(),
        Err(_) => false,
    });
    decodes.then_some(end)
}

/// 40 bytes with VERSION, 32 with descriptors that make sense, else 16.
fn negotiate_header(bytes: &[u8]) -> Option<usize> {
    let flags = u32::from_le_bytes(*bytes.get(12..)?.first_chunk::<4>()?);
    let has_version = ntlm::flags::NegotiateFlags::from_bits_retain(flags)
        .contains(ntlm::flags::NegotiateFlags::NEGOTIATE_VERSION);
    Some(if has_version {
        40
    } else if bytes.len() >= 32 {
        32
    } else {
        16
    })
}

fn first_payload(bytes: &[u8], descriptors: &[usize]) -> usize {
    let offsets = descriptors.iter().filter_map(|at| {
        let [l0, l1, _, _, o0, o1, o2, o3] = *bytes.get(*at..)?.first_chunk::<8>()?;
        let offset = usize::try_from(u32::from_le_bytes([o0, o1, o2, o3])).ok()?;
        (l0 != 0 || l1 != 0).then_some(offset).filter(|offset| *offset >= 16)
    });
    offsets.min().unwrap_or(usize::MAX)
}

fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
