//! HTTP authentication with NTLM and Negotiate, by origin servers and proxies (MS-NTHT, RFC 4559).

use super::base64_text::{self, Decoded};
use super::http_head::{Body, Head, Party, VERSION, end_of_head};
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

#[cfg(test)]
mod tests {
    use super::super::Report;
    use super::super::protocol::driver::{CLIENT, SERVER, damage, drive, ntlm, words};
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    fn base64(kind: u8) -> String {
        STANDARD.encode(ntlm(kind))
    }

    fn request(headers: &str) -> (Direction, Vec<u8>) {
        (CLIENT, format!("GET / HTTP/1.1\r\nHost: x\r\n{headers}\r\n").into_bytes())
    }

    fn response(status: u16, headers: &str, body: &str) -> (Direction, Vec<u8>) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status} x\r\n{headers}Content-Length: {length}\r\n\r\n");
        (SERVER, (head + body).into_bytes())
    }

    fn found(pieces: &[(Direction, Vec<u8>)]) -> Vec<String> {
        words(&drive(&mut Http::default(), pieces))
    }

    #[test]
    fn whatever_is_not_401_is_a_yes() {
        for (status, word) in [(200, "yes1: 200"), (403, "yes1: 403"), (401, "no1: 401")] {
            let pieces = [
                request(""),
                response(401, "WWW-Authenticate: Negotiate, NTLM\r\n", "go away"),
                request(&format!("authorization: ntlm {}\r\n", base64(1))),
                response(401, &format!("WWW-AUTHENTICATE: NTLM {}\r\n", base64(2)), "again"),
                request(&format!("Authorization: NTLM {}\r\n", base64(3))),
                response(status, "", "here"),
            ];
            assert_eq!(found(&pieces), ["n1", "c1", "a1", word]);
            damage(|| Box::new(Http::default()), &pieces);
        }
    }

    #[test]
    fn proxy_and_origin_are_two_conversations() {
        let pieces = [
            request(&format!("Proxy-Authorization: NTLM {}\r\n", base64(3))),
            response(401, "WWW-Authenticate: NTLM\r\n", ""),
            request(&format!("Authorization: NTLM {}\r\n", base64(3))),
            response(407, "Proxy-Authenticate: NTLM\r\n", ""),
        ];
        // The proxy let it pass; then it asked again, so that the origin was not asked.
        assert_eq!(found(&pieces), ["a1", "yes1: 401", "a2"]);
    }

    #[test]
    fn requests_may_be_pipelined_and_bodies_chunked() {
        let token = base64(3);
        let requests = format!(
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nHTTP/\r\n0\r\nTrailer: 1\r\n\r\n\
             HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nAuthorization: NTLM {token}\r\n\r\n"
        );
        let responses = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 3\r\n\r\nabc\
                         HTTP/1.1 200 x\r\nContent-Length: 1000\r\n\r\nHTTP/1.1 302 x\r\n\r\n";
        let pieces = [(CLIENT, requests.into_bytes()), (SERVER, responses.as_bytes().to_vec())];
        assert_eq!(found(&pieces), ["a1", "yes1: 302"]);
        damage(|| Box::new(Http::default()), &pieces);
    }

    #[test]
    fn after_connect_another_protocol_follows() {
        let mut http = Http::default();
        let connect = (CLIENT, b"CONNECT x:443 HTTP/1.1\r\n\r\n".to_vec());
        drive(&mut http, &[connect, response(200, "", "")]);
        assert!(http.is_over());
    }

    #[test]
    fn a_response_to_a_request_that_is_lost_answers_nobody() {
        let mut http = Http::default();
        let mut reports =
            drive(&mut http, &[request(&format!("Authorization: NTLM {}\r\n", base64(3)))]);
        http.gap(SERVER);
        reports.extend(drive(&mut http, &[request(""), response(200, "", "")]));
        assert!(!reports.iter().any(|report| matches!(report, Report::Answer(_))));
    }

    #[test]
    fn a_head_is_found_in_the_midst() {
        let http = Http::default();
        assert_eq!(http.resume(SERVER, b"of a body\nHTTP/1.1 200 x\r\n"), Some(10));
        assert_eq!(http.resume(CLIENT, b"of a body\nGET /x HTTP/1.1\r\n"), Some(10));
        assert_eq!(http.resume(CLIENT, b"we speak HTTP/1.1 here\r\n"), None);
    }
}
