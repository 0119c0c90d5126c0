//! SMB 1: session setup with extended security (MS-SMB 2.2.4.6), without it and in LANMAN dialects
//! (MS-CIFS 2.2.4.52, 2.2.4.53), and what goes through named pipes.

use super::bytes::{size16_at, u8_at, u16_at, u32_at};
use super::numbered::Numbered;
use super::pipe::{self, Pipes};
use super::protocol::{Carried, Message, Out, Verdict};
use super::status::{self, MORE_PROCESSING_REQUIRED};
use super::{BareExchange, BareField, Carrier, MAX_TOKEN, Said};
use std::borrow::Cow;
use std::ops::Range;

/// The state of one connection.
#[derive(Debug, Default)]
pub(super) struct Smb1 {
    /// The challenge of the NEGOTIATE response, which all logons without extended security answer.
    server_challenge: Option<BareField>,
    /// The server asks for passwords in clear.
    is_plaintext: bool,
    /// Session setups without an answer yet: PID and MID to conversation.
    setups: Numbered<u32, u64>,
    /// Answers whose request was not seen, which may be told late: PID and MID to conversation.
    early: Numbered<u32, u64>,
    /// UID to conversation.
    sessions: Numbered<u16, u64>,
    /// Reads from pipes without an answer yet: PID and MID to FID.
    reads: Numbered<u32, u16>,
    pipes: Pipes<u16>,
}

pub(super) const MAGIC: &[u8] = b"\xffSMB";
/// Up to WordCount; the words follow.
const HEADER: usize = 32;
const WORDS: usize = HEADER + 1;
const TRANSACTION: u8 = 0x25;
const READ_ANDX: u8 = 0x2e;
const WRITE_ANDX: u8 = 0x2f;
const NEGOTIATE: u8 = 0x72;
const SESSION_SETUP_ANDX: u8 = 0x73;
const REPLY: u8 = 0x80;
const FLAGS2_NT_STATUS: u16 = 0x4000;
const FLAGS2_UNICODE: u16 = 0x8000;
const NEGOTIATE_ENCRYPT_PASSWORDS: u8 = 0x02;
const CAP_EXTENDED_SECURITY: u32 = 0x8000_0000;
const TRANSACT_NMPIPE: u16 = 0x0026;
const SETUP_GUEST: u16 = 1;
/// The longest prefix in which the data of a read or write begin.
const FAR: usize = 256;

/// The header of one message (MS-CIFS 2.2.3.1).
#[derive(Clone, Copy, Debug)]
struct Header {
    at: usize,
    command: u8,
    is_reply: bool,
    flags2: u16,
    uid: u16,
    /// PIDLow and MID: which request a reply belongs to.
    request: u32,
    word_count: u8,
}

impl Header {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let request = u32::from(u16_at(bytes, at + 26)?) << 16 | u32::from(u16_at(bytes, at + 30)?);
        Some(Self {
            at,
            command: u8_at(bytes, at + 4)?,
            is_reply: u8_at(bytes, at + 9)? & REPLY != 0,
            flags2: u16_at(bytes, at + 10)?,
            uid: u16_at(bytes, at + 28)?,
            request,
            word_count: u8_at(bytes, at + HEADER)?,
        })
    }

    /// Where the words begin.
    const fn words(&self) -> usize {
        self.at + WORDS
    }

    /// Where the bytes begin, after ByteCount.
    fn bytes(&self) -> usize {
        self.words() + 2 * usize::from(self.word_count) + 2
    }
}

impl Smb1 {
    /// How much of a message is to be read: `None` until more of it is there.
    pub(super) fn wanted(&self, bytes: &[u8], length: usize) -> Option<usize> {
        if length < WORDS {
            return Some(length);
        }
        let whole = Some(length.min(MAX_TOKEN));
        match *bytes.get(4)? {
            NEGOTIATE | SESSION_SETUP_ANDX | TRANSACTION => whole,
            READ_ANDX | WRITE_ANDX if length <= FAR || self.pipes.is_midway() => whole,
            READ_ANDX | WRITE_ANDX => {
                let head = bytes.get(..FAR)?;
                let header = Header::read(head, 0)?;
                let is_rpc = data(head, &header).is_some_and(|data| {
                    let head = head.get(data.start..).unwrap_or_default();
                    pipe::is_rpc(head) || head.get(2..).is_some_and(pipe::is_rpc)
                });
                if is_rpc { whole } else { Some(WORDS) }
            }
            _ => Some(WORDS),
        }
    }

    /// Reads a message that begins at `at`.
    pub(super) fn message(&mut self, message: &Message<'_>, at: usize, out: &mut Out<'_>) {
        if let Some(header) = Header::read(message.bytes, at) {
            match (header.command, header.is_reply) {
                (NEGOTIATE, true) => self.negotiate_response(message, &header),
                (SESSION_SETUP_ANDX, false) => self.setup_request(message, &header, out),
                (SESSION_SETUP_ANDX, true) => self.setup_response(message, &header, out),
                (TRANSACTION | READ_ANDX | WRITE_ANDX, _) => self.pipe(message, &header, out),
                _ => None,
            };
        }
    }

    /// Messages may be missing.
    pub(super) fn gap(&mut self) {
        self.pipes.gap();
    }

    fn negotiate_response(&mut self, message: &Message<'_>, header: &Header) -> Option<()> {
        let words = header.words();
        let (mode, length, extended) = match header.word_count {
            17 => {
                let capabilities = u32_at(message.bytes, words + 19)?;
                let length = usize::from(u8_at(message.bytes, words + 33)?);
                (
                    u8_at(message.bytes, words + 2)?,
                    length,
                    capabilities & CAP_EXTENDED_SECURITY != 0,
                )
            }
            13 => (u8_at(message.bytes, words + 2)?, size16_at(message.bytes, words + 22)?, false),
            _ => return None,
        };
        self.is_plaintext = !extended && mode & NEGOTIATE_ENCRYPT_PASSWORDS == 0;
        if !extended && length == 8 {
            self.server_challenge = field(message, header, header.bytes()..header.bytes() + 8);
        }
        Some(())
    }

    fn setup_request(
        &mut self,
        message: &Message<'_>,
        header: &Header,
        out: &mut Out<'_>,
    ) -> Option<()> {
        let words = header.words();
        let conversation = match self.early.take(&header.request) {
            Some(conversation) => conversation,
            None => {
                let conversation = self.conversation(header.uid, out);
                self.setups.insert(header.request, conversation);
                conversation
            }
        };
        if header.word_count == 12 {
            let length = size16_at(message.bytes, words + 14)?;
            let session = (header.uid != 0).then_some(u64::from(header.uid));
            let token = Carried { carrier: Carrier::Smb1, conversation, session };
            out.security_buffer(message, header.bytes()..header.bytes() + length, token)?;
            return Some(());
        }
        let (lm, nt) = match header.word_count {
            13 => (size16_at(message.bytes, words + 14)?, size16_at(message.bytes, words + 16)?),
            10 => (size16_at(message.bytes, words + 14)?, 0),
            _ => return None,
        };
        let unicode = header.word_count == 13 && header.flags2 & FLAGS2_UNICODE != 0;
        let after_lm = header.bytes() + lm;
        let after_nt = after_lm + nt;
        // Unicode strings are aligned to the header.
        let names = if unicode { after_nt + (after_nt - header.at) % 2 } else { after_nt };
        let user = string(message.bytes, names, unicode)?;
        let after_user = user.end + if unicode { 2 } else { 1 };
        let domain = string(message.bytes, after_user, unicode).unwrap_or(after_user..after_user);
        let is_anonymous = user.is_empty() && lm <= 1 && nt <= 1;
        let has_response = lm == 24 || nt >= 24;
        if self.is_plaintext || !(is_anonymous || has_response) {
            return None;
        }
        out.bare(
            message,
            conversation,
            BareExchange {
                server_challenge: self.server_challenge.clone(),
                lm: field(message, header, header.bytes()..after_lm)?,
                nt: field(message, header, after_lm..after_nt)?,
                user: field(message, header, user)?,
                domain: field(message, header, domain)?,
                unicode,
            },
        );
        Some(())
    }

    fn setup_response(
        &mut self,
        message: &Message<'_>,
        header: &Header,
        out: &mut Out<'_>,
    ) -> Option<()> {
        let conversation = match self.setups.take(&header.request) {
            Some(conversation) => conversation,
            None => {
                let conversation = self.conversation(header.uid, out);
                self.early.insert(header.request, conversation);
                conversation
            }
        };
        if header.uid != 0 {
            self.sessions.insert(header.uid, conversation);
        }
        let words = header.words();
        if header.word_count == 4 {
            let length = size16_at(message.bytes, words + 6)?;
            let session = (header.uid != 0).then_some(u64::from(header.uid));
            let token = Carried { carrier: Carrier::Smb1, conversation, session };
            out.security_buffer(message, header.bytes()..header.bytes() + length, token);
        }
        let (accepted, status) = status(message.bytes, header)?;
        if let Some(status) = status {
            let action = match header.word_count {
                3 | 4 => u16_at(message.bytes, words + 4)?,
                _ => 0,
            };
            let said = match accepted {
                true if action & SETUP_GUEST != 0 => Said::AcceptedAsGuest,
                accepted => Said::plain(accepted),
            };
            out.answer(message, Verdict { conversation, said, status });
        }
        if !accepted && header.uid != 0 && status_is_final(message.bytes, header) {
            self.sessions.take(&header.uid);
        }
        Some(())
    }

    fn conversation(&mut self, uid: u16, out: &mut Out<'_>) -> u64 {
        match self.sessions.get_mut(&uid).filter(|_| uid != 0) {
            Some(conversation) => *conversation,
            None => out.new_conversation(),
        }
    }

    fn pipe(&mut self, message: &Message<'_>, header: &Header, out: &mut Out<'_>) -> Option<()> {
        let words = header.words();
        let file = match (header.command, header.is_reply) {
            (WRITE_ANDX, true) => return None,
            (_, true) => self.reads.take(&header.request)?,
            (TRANSACTION, false) => {
                if u16_at(message.bytes, words + 28)? != TRANSACT_NMPIPE {
                    return None;
                }
                let file = u16_at(message.bytes, words + 30)?;
                self.reads.insert(header.request, file);
                file
            }
            (READ_ANDX, false) => {
                let file = u16_at(message.bytes, words + 4)?;
                if self.pipes.knows(&file) {
                    self.reads.insert(header.request, file);
                }
                return Some(());
            }
            _ => u16_at(message.bytes, words + 4)?,
        };
        let mut data = data(message.bytes, header)?;
        let starts_at = |at: usize| message.bytes.get(at..).is_some_and(pipe::is_rpc);
        if !starts_at(data.start) && starts_at(data.start + 2) {
            // A raw write to a pipe begins with its length.
            data.start += 2;
        }
        self.pipes.data(file, message, data, out)
    }
}

/// Whether it is a yes, and the name of the status; no name while more is to come.
fn status(bytes: &[u8], header: &Header) -> Option<(bool, Option<Cow<'static, str>>)> {
    let status = u32_at(bytes, header.at + 5)?;
    if header.flags2 & FLAGS2_NT_STATUS != 0 {
        let name = (status != MORE_PROCESSING_REQUIRED).then(|| status::ntstatus(status));
        return Some((status::is_success(status), name));
    }
    let (class, code) = (u8_at(bytes, header.at + 5)?, u16_at(bytes, header.at + 7)?);
    Some((class == 0, Some(status::dos(class, code))))
}

fn status_is_final(bytes: &[u8], header: &Header) -> bool {
    matches!(status(bytes, header), Some((_, Some(_))))
}

/// Where the data of a read, write or transaction stand.
fn data(bytes: &[u8], header: &Header) -> Option<Range<usize>> {
    let words = header.words();
    let (length, offset) = match (header.command, header.is_reply) {
        (WRITE_ANDX, false) => (words + 20, words + 22),
        (READ_ANDX, true) => (words + 10, words + 12),
        (TRANSACTION, false) => (words + 22, words + 24),
        (TRANSACTION, true) => (words + 12, words + 14),
        _ => return None,
    };
    let start = header.at + size16_at(bytes, offset).filter(|offset| *offset > WORDS)?;
    Some(start..start + size16_at(bytes, length)?)
}

/// A string up to its end mark, or to the end of the message.
fn string(bytes: &[u8], at: usize, unicode: bool) -> Option<Range<usize>> {
    let rest = bytes.get(at..)?;
    let length = if unicode {
        rest.chunks_exact(2).take_while(|unit| *unit != [0, 0]).count() * 2
    } else {
        memchr::memchr(0, rest).unwrap_or(rest.len())
    };
    Some(at..at + length)
}

fn field(message: &Message<'_>, header: &Header, range: Range<usize>) -> Option<BareField> {
    let bytes = message.bytes.get(range.clone())?.to_vec();
    let origin = message.last_origin()?;
    Some(BareField { bytes, offset: range.start - header.at, origin })
}

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::super::protocol::driver::{CLIENT, SERVER, damage, drive, ntlm, words};
    use super::super::smb::Smb;
    use super::*;
    use ntlm_capture::Direction;

    const REQUEST: bool = false;
    const RESPONSE: bool = true;

    fn message(
        command: u8,
        is_reply: bool,
        status: u32,
        uid: u16,
        words: &[u8],
        bytes: &[u8],
    ) -> (Direction, Vec<u8>) {
        let mut message = [MAGIC, &[command]].concat();
        message.extend(status.to_le_bytes());
        message.push(if is_reply { REPLY } else { 0 });
        message.extend((FLAGS2_NT_STATUS | FLAGS2_UNICODE).to_le_bytes());
        message.extend([0; 16]);
        message.extend(uid.to_le_bytes());
        message.extend([1, 0]);
        message.push(u8::try_from(words.len() / 2).unwrap());
        message.extend(words);
        message.extend(u16::try_from(bytes.len()).unwrap().to_le_bytes());
        message.extend(bytes);
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        (if is_reply { SERVER } else { CLIENT }, [&length[..], &message].concat())
    }

    fn negotiate_response(challenge: [u8; 8]) -> (Direction, Vec<u8>) {
        let mut words = [0; 34];
        words[2] = 3;
        words[33] = 8;
        message(NEGOTIATE, RESPONSE, 0, 0, &words, &challenge)
    }

    fn lanman_negotiate_response(challenge: [u8; 8]) -> (Direction, Vec<u8>) {
        let mut words = [0; 26];
        words[2] = 3;
        words[22] = 8;
        message(NEGOTIATE, RESPONSE, 0, 0, &words, &challenge)
    }

    fn bare(reports: &[Report]) -> &BareExchange {
        let bare = reports.iter().find_map(|report| match report {
            Report::Bare(sighting) => Some(&sighting.bare),
            _ => None,
        });
        bare.unwrap()
    }

    #[test]
    fn challenge_and_responses_stand_in_two_messages() {
        let mut words_of_setup = [0; 26];
        (words_of_setup[14], words_of_setup[16]) = (24, 24);
        let mut bytes = [[1; 24], [2; 24]].concat();
        // The names are aligned to the header: 61 bytes and 48 come before.
        bytes.push(0);
        bytes.extend("al\0D\0".encode_utf16().flat_map(u16::to_le_bytes));
        let pieces = [
            negotiate_response(*b"challeng"),
            message(SESSION_SETUP_ANDX, REQUEST, 0, 0, &words_of_setup, &bytes),
            message(SESSION_SETUP_ANDX, RESPONSE, 0, 5, &[0xff, 0, 0, 0, 1, 0], &[]),
        ];
        let reports = drive(&mut Smb::default(), &pieces);
        assert_eq!(words(&reports), ["bare1", "guest1: STATUS_SUCCESS"]);
        let bare = bare(&reports);
        let challenge = bare.server_challenge.as_ref().unwrap();
        assert_eq!((&challenge.bytes[..], challenge.offset), (&b"challeng"[..], 69));
        assert_eq!((&bare.lm.bytes[..], bare.lm.offset), (&[1; 24][..], 61));
        assert_eq!((&bare.nt.bytes[..], bare.nt.offset), (&[2; 24][..], 85));
        assert_eq!((&bare.user.bytes[..], bare.user.offset), (&b"a\0l\0"[..], 110));
        assert_eq!((&bare.domain.bytes[..], bare.domain.offset), (&b"D\0"[..], 116));
        damage(|| Box::new(Smb::default()), &pieces);
    }

    #[test]
    fn lanman_has_one_response() {
        let mut words_of_setup = [0; 20];
        words_of_setup[14] = 24;
        let bytes = [&[1; 24][..], b"AL\0DOM\0"].concat();
        let pieces = [
            lanman_negotiate_response(*b"challeng"),
            message(SESSION_SETUP_ANDX, REQUEST, 0, 0, &words_of_setup, &bytes),
            message(SESSION_SETUP_ANDX, RESPONSE, 0xc000_006d, 0, &[], &[]),
        ];
        let reports = drive(&mut Smb::default(), &pieces);
        assert_eq!(words(&reports), ["bare1", "no1: STATUS_LOGON_FAILURE"]);
        let bare = bare(&reports);
        assert!(bare.nt.bytes.is_empty() && !bare.unicode);
        assert_eq!((&bare.user.bytes[..], &bare.domain.bytes[..]), (&b"AL"[..], &b"DOM"[..]));
        damage(|| Box::new(Smb::default()), &pieces);
    }

    #[test]
    fn passwords_in_clear_are_no_responses() {
        let mut words_of_setup = [0; 26];
        words_of_setup[14] = 4;
        let pieces = [
            negotiate_response(*b"challeng"),
            message(SESSION_SETUP_ANDX, REQUEST, 0, 0, &words_of_setup, b"Pass\0a\0\0\0\0"),
        ];
        assert!(drive(&mut Smb::default(), &pieces).is_empty());
    }

    #[test]
    fn with_extended_security_a_session_has_its_uid() {
        let request = |uid, token: &[u8]| {
            let mut words = [0; 24];
            words[14] = u8::try_from(token.len()).unwrap();
            message(SESSION_SETUP_ANDX, REQUEST, 0, uid, &words, token)
        };
        let response = |status, token: &[u8]| {
            let mut words = [0; 8];
            words[6] = u8::try_from(token.len()).unwrap();
            message(SESSION_SETUP_ANDX, RESPONSE, status, 5, &words, token)
        };
        let pieces = [
            request(0, &ntlm(1)),
            response(MORE_PROCESSING_REQUIRED, &ntlm(2)),
            request(5, &ntlm(3)),
            response(0, &[]),
        ];
        let reports = drive(&mut Smb::default(), &pieces);
        assert_eq!(words(&reports), ["n1", "c1", "a1", "yes1: STATUS_SUCCESS"]);
        damage(|| Box::new(Smb::default()), &pieces);
    }
}
