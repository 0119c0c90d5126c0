//! SMTP, IMAP and POP: base64 in lines (MS-SMTPNTLM, MS-POP3, RFC 3501 6.2.2).

use super::base64_text;
use super::protocol::{Carried, Extent, Message, Out, Protocol, Verdict};
use super::{Carrier, Said};
use memchr::memchr;
use ntlm::message::MessageType;
use ntlm_capture::Direction;
use std::borrow::Cow;

/// One connection. One logon at a time.
#[derive(Debug, Default)]
pub(super) struct Mail {
    conversation: Option<u64>,
    /// Whether a logon goes on, and the client's last word is said.
    logon: Option<bool>,
    /// The tag of IMAP's AUTHENTICATE.
    tag: Vec<u8>,
}

/// A longer line is none: RFC 4954 4 asks for 12 288 octets.
const LONGEST: usize = 64 * 1024;

/// Whether a server greets, or a client begins, as in one of these protocols.
pub(super) fn is_greeting(direction: Direction, bytes: &[u8]) -> bool {
    let greetings: &[&[u8]] = match direction {
        Direction::ServerToClient => &[b"220 ", b"220-", b"+OK", b"* OK", b"* PREAUTH", b"334 "],
        Direction::ClientToServer => &[b"EHLO ", b"ehlo ", b"HELO ", b"AUTH ", b"CAPA\r", b"auth "],
    };
    greetings.iter().any(|greeting| bytes.starts_with(greeting))
}

/// What a line of the server says.
enum Reply {
    Yes(&'static str),
    No(&'static str),
    Code(u16),
    Other,
}

impl Mail {
    fn client(&mut self, line: &[u8]) {
        let mut words = line.split(|byte| *byte == b' ');
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        if second.eq_ignore_ascii_case(b"AUTHENTICATE") {
            self.tag = first.get(..first.len().min(64)).unwrap_or_default().to_vec();
        }
    }

    fn reply(&self, line: &[u8]) -> Reply {
        let mut words = line.split(|byte| *byte == b' ');
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match first {
            b"+OK" => return Reply::Yes("+OK"),
            b"-ERR" => return Reply::No("-ERR"),
            _ => {}
        }
        if let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9'] = first {
            let digit = |byte: &u8| u16::from(byte - b'0');
            return Reply::Code(digit(a) * 100 + digit(b) * 10 + digit(c));
        }
        if !self.tag.is_empty() && first == self.tag {
            return match second.to_ascii_uppercase().as_slice() {
                b"OK" => Reply::Yes("OK"),
                b"NO" => Reply::No("NO"),
                b"BAD" => Reply::No("BAD"),
                _ => Reply::Other,
            };
        }
        Reply::Other
    }

    fn server(&mut self, message: &Message<'_>, line: &[u8], out: &mut Out<'_>) {
        let Some(is_last) = self.logon else { return };
        let (accepted, status): (bool, Cow<'static, str>) = match self.reply(line) {
            Reply::Yes(status) => (true, status.into()),
            Reply::No(status) => (false, status.into()),
            Reply::Code(code @ 200..300) => (true, code.to_string().into()),
            Reply::Code(code @ 400..600) => (false, code.to_string().into()),
            Reply::Code(_) | Reply::Other => return,
        };
        if let Some(conversation) = self.conversation.filter(|_| is_last || !accepted) {
            out.answer(message, Verdict { conversation, said: Said::plain(accepted), status });
            self.logon = None;
        }
    }
}

impl Protocol for Mail {
    fn carrier(&self) -> Carrier {
        Carrier::Mail
    }

    fn extent(&mut self, _: Direction, bytes: &[u8]) -> Extent {
        match memchr(b'\n', bytes.get(..LONGEST).unwrap_or(bytes)) {
            Some(end) => Extent::new(end + 1, end + 1),
            None if bytes.len() < LONGEST => Extent::More,
            None => Extent::Lost,
        }
    }

    fn message(&mut self, message: &Message<'_>, out: &mut Out<'_>) {
        let line = message.bytes.trim_ascii();
        let start = message.bytes.len() - message.bytes.trim_ascii_start().len();
        let word = memchr::memrchr(b' ', line).map_or(0, |space| space + 1);
        let text = line.get(word..).unwrap_or_default();
        if text.starts_with(base64_text::SIGNATURE)
            && let Some((bytes, wrapping)) = base64_text::decode(text).and_then(|it| it.message)
        {
            let conversation = *self.conversation.get_or_insert_with(|| out.new_conversation());
            let kind = MessageType::of(&bytes).ok();
            self.logon = Some(kind == Some(MessageType::Authenticate));
            let carried = Carried { carrier: Carrier::Mail, conversation, session: None };
            let from = start + word;
            out.claim(from..from + text.len());
            out.token(message, from + text.len(), bytes, wrapping, carried);
        } else if message.direction == Direction::ServerToClient {
            self.server(message, line, out);
        }
        if message.direction == Direction::ClientToServer {
            self.client(line);
        }
    }

    fn resume(&self, _: Direction, bytes: &[u8]) -> Option<usize> {
        // The beginning of a line, if lines are what it is.
        let head = bytes.get(..16).unwrap_or(bytes);
        if head.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
            return Some(0);
        }
        memchr(b'\n', bytes).map(|end| end + 1).filter(|at| *at < bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::protocol::driver::{CLIENT, SERVER, damage, drive, ntlm, words};
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    /// Lines of client and server in turn, the server first; `%1` is NEGOTIATE in base64.
    fn talk(lines: &[&str]) -> Vec<(Direction, Vec<u8>)> {
        let turns = [SERVER, CLIENT].into_iter().cycle();
        let fill = |line: &&str| {
            let filled = (1..=3).fold(format!("{line}\r\n"), |line, kind| {
                line.replace(&format!("%{kind}"), &STANDARD.encode(ntlm(kind)))
            });
            filled.into_bytes()
        };
        turns.zip(lines.iter().map(fill)).collect()
    }

    fn found(lines: &[&str]) -> Vec<String> {
        let pieces = talk(lines);
        assert!(is_greeting(SERVER, &pieces[0].1));
        damage(|| Box::new(Mail::default()), &pieces);
        words(&drive(&mut Mail::default(), &pieces))
    }

    #[test]
    fn smtp() {
        let lines =
            ["220 hi", "EHLO x", "250 AUTH NTLM", "AUTH NTLM", "334 go", "%1", "334 %2", "%3"];
        let yes = [&lines[..], &["235 welcome"]].concat();
        assert_eq!(found(&yes), ["n1", "c1", "a1", "yes1: 235"]);
        let no = [&lines[..], &["535 go away", "QUIT", "221 bye"]].concat();
        assert_eq!(found(&no), ["n1", "c1", "a1", "no1: 535"]);
    }

    #[test]
    fn smtp_refuses_the_mechanism() {
        assert_eq!(found(&["220 hi", "AUTH NTLM %1", "504 no such"]), ["n1", "no1: 504"]);
    }

    #[test]
    fn imap() {
        let lines = ["* OK hi", "a1 AUTHENTICATE NTLM", "+ ", "%1", "+ %2", "%3"];
        let yes = [&lines[..], &["a1 OK done"]].concat();
        assert_eq!(found(&yes), ["n1", "c1", "a1", "yes1: OK"]);
        let no = [&lines[..], &["* BYE", "x", "a1 NO"]].concat();
        assert_eq!(found(&no), ["n1", "c1", "a1", "no1: NO"]);
    }

    #[test]
    fn pop() {
        let lines = ["+OK hi", "AUTH NTLM", "+OK", "%1", "+ %2", "%3", "-ERR no"];
        assert_eq!(found(&lines), ["n1", "c1", "a1", "no1: -ERR"]);
    }
}
