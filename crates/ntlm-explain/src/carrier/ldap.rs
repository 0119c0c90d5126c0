//! LDAP bind: SASL, and the Sicily binds of Windows (RFC 4511 4.2, MS-ADTS 5.1.1.1).

use super::MAX_TOKEN;
use super::bytes::wide;
use super::protocol::{Carried, Extent, Message, Out, Protocol, Verdict};
use super::spnego::Content;
use super::{Carrier, Said};
use ntlm_capture::Direction;
use std::borrow::Cow;
use std::ops::Range;

/// One connection. A bind allows no other operation beside it, so there is one conversation.
#[derive(Debug, Default)]
pub(super) struct Ldap {
    conversation: Option<u64>,
    /// What the last bind request brought.
    bind: Bind,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Bind {
    /// Nothing of ours.
    #[default]
    Other,
    /// A leg after which SUCCESS means that the logon was accepted.
    Sasl,
    /// Sicily's NEGOTIATE, to which SUCCESS brings the CHALLENGE.
    SicilyNegotiate,
    /// Sicily's AUTHENTICATE.
    SicilyResponse,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const ENUMERATED: u8 = 0x0a;
const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;
const SASL: u8 = 0xa3;
const SICILY_NEGOTIATE: u8 = 0x8a;
const SICILY_RESPONSE: u8 = 0x8b;
const SERVER_SASL_CREDS: u8 = 0x87;
/// As far as the operation of a message is looked for.
const ENOUGH: usize = 16;
/// A message with more bytes is none.
const LONGEST: usize = 64 << 20;
/// Active Directory takes no longer SASL buffers.
const LONGEST_SASL: u32 = 16 << 20;

/// An element of BER: its tag and where its content stands. Lengths need not be minimal here, and
/// Windows writes four bytes always.
#[derive(Clone, Debug)]
struct Element {
    tag: u8,
    content: Range<usize>,
}

fn element(bytes: &[u8], at: usize) -> Option<Element> {
    let (tag, first) = (*bytes.get(at)?, *bytes.get(at + 1)?);
    let (start, length) = match first {
        0..=0x7f => (at + 2, usize::from(first)),
        0x81..=0x84 => {
            let count = usize::from(first & 0x7f);
            let digits = bytes.get(at + 2..at + 2 + count)?;
            let length = digits.iter().fold(0, |value, digit| value << 8 | usize::from(*digit));
            (at + 2 + count, length)
        }
        _ => return None,
    };
    (length <= LONGEST).then(|| Element { tag, content: start..start + length })
}

/// The whole message, and its operation.
fn envelope(bytes: &[u8]) -> Option<(Element, Element)> {
    let whole = element(bytes, 0).filter(|whole| whole.tag == SEQUENCE)?;
    let id = element(bytes, whole.content.start).filter(|id| id.tag == INTEGER)?;
    if !(1..=5).contains(&id.content.len()) {
        return None;
    }
    let operation = element(bytes, id.content.end)?;
    let is_known = matches!(operation.tag, 0x42 | 0x4a | 0x50 | 0x60..=0x79);
    (is_known && operation.content.end <= whole.content.end).then_some((whole, operation))
}

/// Whether a message begins here.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    envelope(bytes).is_some()
}

impl Ldap {
    fn bind_request(
        &mut self,
        message: &Message<'_>,
        operation: &Element,
        out: &mut Out<'_>,
    ) -> Option<()> {
        self.bind = Bind::Other;
        let version = element(message.bytes, operation.content.start)?;
        let name = element(message.bytes, version.content.end)?;
        let choice = element(message.bytes, name.content.end)?;
        let (bind, buffer) = match choice.tag {
            SASL => {
                let mechanism = element(message.bytes, choice.content.start)?;
                let credentials = element(message.bytes, mechanism.content.end)
                    .filter(|it| it.tag == OCTET_STRING && it.content.end <= choice.content.end)?;
                (Bind::Sasl, credentials.content)
            }
            SICILY_NEGOTIATE => (Bind::SicilyNegotiate, choice.content),
            SICILY_RESPONSE => (Bind::SicilyResponse, choice.content),
            _ => return None,
        };
        let carried = self.carried(out);
        if out.security_buffer(message, buffer, carried)? != Content::Other {
            self.bind = bind;
        }
        Some(())
    }

    fn bind_response(
        &mut self,
        message: &Message<'_>,
        operation: &Element,
        out: &mut Out<'_>,
    ) -> Option<()> {
        let code = element(message.bytes, operation.content.start)?;
        if code.tag != ENUMERATED {
            return None;
        }
        let code = *message.bytes.get(code.content.clone())?.last()?;
        let matched = element(message.bytes, operation.content.start + 3)?;
        let text = element(message.bytes, matched.content.end)?;
        let carried = self.carried(out);
        // Sicily's CHALLENGE stands where the matched DN would.
        out.security_buffer(message, matched.content.clone(), carried);
        let mut at = text.content.end;
        let mut state = None;
        while let Some(rest) =
            element(message.bytes, at).filter(|it| it.content.end <= operation.content.end)
        {
            if rest.tag == SERVER_SASL_CREDS {
                let content = out.security_buffer(message, rest.content.clone(), carried);
                state = content.and_then(|content| content.state());
            }
            at = rest.content.end;
        }
        let bind = std::mem::take(&mut self.bind);
        let accepted = match (bind, code) {
            (Bind::Other, _) | (_, SASL_BIND_IN_PROGRESS) | (Bind::SicilyNegotiate, 0) => {
                return None;
            }
            (_, code) => code == 0,
        };
        let text = message.bytes.get(text.content).unwrap_or_default();
        let mut status = result(code, text);
        if let Some(state) = state.filter(|_| !accepted) {
            status = format!("{status} ({})", state.name()).into();
        }
        let Carried { conversation, .. } = carried;
        out.answer(message, Verdict { conversation, said: Said::plain(accepted), status });
        Some(())
    }

    fn carried(&mut self, out: &mut Out<'_>) -> Carried {
        let conversation = *self.conversation.get_or_insert_with(|| out.new_conversation());
        Carried { carrier: Carrier::Ldap, conversation, session: None }
    }
}

const SASL_BIND_IN_PROGRESS: u8 = 14;

/// The result code, and what Active Directory adds to it.
fn result(code: u8, text: &[u8]) -> Cow<'static, str> {
    let name = match code {
        0 => "success",
        1 => "operationsError",
        2 => "protocolError",
        3 => "timeLimitExceeded",
        7 => "authMethodNotSupported",
        8 => "strongerAuthRequired",
        13 => "confidentialityRequired",
        SASL_BIND_IN_PROGRESS => "saslBindInProgress",
        32 => "noSuchObject",
        34 => "invalidDNSyntax",
        48 => "inappropriateAuthentication",
        49 => "invalidCredentials",
        50 => "insufficientAccessRights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwillingToPerform",
        80 => "other",
        _ => return format!("resultCode {code}").into(),
    };
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    match text.trim() {
        _ if code == 0 => name.into(),
        "" => name.into(),
        text => {
            let text: String = text.chars().take(MOST_TEXT).collect();
            match reason(&text) {
                Some(reason) => format!("{name}: {text} ({reason})").into(),
                None => format!("{name}: {text}").into(),
            }
        }
    }
}

/// More of the server's text is not repeated.
const MOST_TEXT: usize = 200;

/// What `data xxx` in the text of Active Directory means.
fn reason(text: &str) -> Option<&'static str> {
    let (_, after) = text.split_once("data ")?;
    let code = after.split(|c: char| !c.is_ascii_hexdigit()).next()?;
    Some(match code {
        "525" => "no such user",
        "52e" => "wrong password",
        "530" => "not at this hour",
        "531" => "not from this workstation",
        "532" => "password expired",
        "533" => "account disabled",
        "701" => "account expired",
        "773" => "password must be changed",
        "775" => "account locked",
        _ if text.contains("80090346") => "channel bindings do not match",
        _ => return None,
    })
}

impl Protocol for Ldap {
    fn carrier(&self) -> Carrier {
        Carrier::Ldap
    }

    fn extent(&mut self, _: Direction, bytes: &[u8]) -> Extent {
        if let Some((whole, operation)) = envelope(bytes) {
            let is_bind = matches!(operation.tag, BIND_REQUEST | BIND_RESPONSE);
            let wanted = if is_bind { MAX_TOKEN } else { operation.content.start };
            return Extent::new(whole.content.end, wanted);
        }
        // A SASL buffer: its length, then a signature of NTLM or a token of another mechanism.
        match bytes {
            [SEQUENCE, ..] if bytes.len() < ENOUGH => Extent::More,
            [l0 @ 0..=1, l1, l2, l3, 0x01 | 0x05 | 0x60, ..] => {
                let length = u32::from_be_bytes([*l0, *l1, *l2, *l3]);
                if (16..=LONGEST_SASL).contains(&length) {
                    Extent::Message { length: u64::from(length) + wide(4), wanted: 4 }
                } else {
                    Extent::Lost
                }
            }
            [0 | 1, ..] if bytes.len() < 5 => Extent::More,
            _ => Extent::Lost,
        }
    }

    fn message(&mut self, message: &Message<'_>, out: &mut Out<'_>) {
        if let Some((_, operation)) = envelope(message.bytes) {
            match operation.tag {
                BIND_REQUEST => self.bind_request(message, &operation, out),
                BIND_RESPONSE => self.bind_response(message, &operation, out),
                _ => None,
            };
        }
    }

    fn resume(&self, _: Direction, bytes: &[u8]) -> Option<usize> {
        memchr::memchr_iter(SEQUENCE, bytes).find(|at| {
            bytes.get(*at..).is_some_and(|rest| {
                envelope(rest).is_some_and(|(_, operation)| {
                    matches!(operation.tag, BIND_REQUEST | BIND_RESPONSE) || *at == 0
                })
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::protocol::driver::{CLIENT, SERVER, damage, drive, ntlm, spnego, words};
    use super::*;

    fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
        // As Windows writes them: four bytes of length, whatever it is.
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84], &length[..], content].concat()
    }

    fn message(operation: &[u8]) -> Vec<u8> {
        tlv(SEQUENCE, &[&[2, 1, 3], operation].concat())
    }

    fn bind(choice: &[u8]) -> (Direction, Vec<u8>) {
        (CLIENT, message(&tlv(BIND_REQUEST, &[&[2, 1, 3, 4, 0], choice].concat())))
    }

    fn sasl(token: &[u8]) -> (Direction, Vec<u8>) {
        bind(&tlv(SASL, &[tlv(OCTET_STRING, b"GSS-SPNEGO"), tlv(OCTET_STRING, token)].concat()))
    }

    fn answer(code: u8, matched: &[u8], text: &str, credentials: &[u8]) -> (Direction, Vec<u8>) {
        let mut operation = [&[ENUMERATED, 1, code][..], &tlv(OCTET_STRING, matched)].concat();
        operation.extend(tlv(OCTET_STRING, text.as_bytes()));
        operation.extend(tlv(SERVER_SASL_CREDS, credentials));
        (SERVER, message(&tlv(BIND_RESPONSE, &operation)))
    }

    fn found(pieces: &[(Direction, Vec<u8>)]) -> Vec<String> {
        words(&drive(&mut Ldap::default(), pieces))
    }

    #[test]
    fn success_ends_a_sasl_bind_and_buffers_follow() {
        let pieces = [
            sasl(&spnego(&ntlm(1))),
            answer(SASL_BIND_IN_PROGRESS, b"", "", &spnego(&ntlm(2))),
            sasl(&spnego(&ntlm(3))),
            answer(0, b"", "", b"\xa1\x07\x30\x05\xa0\x03\x0a\x01\x00"),
            (CLIENT, [&[0, 0, 0, 32, 1, 0, 0, 0][..], &[7; 28]].concat()),
            sasl(&ntlm(1)),
        ];
        assert_eq!(found(&pieces), ["n1", "c1", "a1", "yes1: success", "n1"]);
        damage(|| Box::new(Ldap::default()), &pieces);
    }

    #[test]
    fn a_refusal_is_put_into_words() {
        let text = "80090308: LdapErr: DSID-0C090446, comment: AcceptSecurityContext error, data 52e, v4563\0";
        let pieces = [sasl(&ntlm(3)), answer(49, b"", text, b"")];
        let words = found(&pieces);
        let refusal = words.last().unwrap();
        assert!(refusal.starts_with("no1: invalidCredentials: 80090308"), "{refusal}");
        assert!(refusal.ends_with("(wrong password)"), "{refusal}");
    }

    #[test]
    fn sicily_has_its_challenge_in_the_matched_dn() {
        let pieces = [
            bind(&tlv(0x89, b"")),
            answer(0, b"NTLM", "", b""),
            bind(&tlv(SICILY_NEGOTIATE, &ntlm(1))),
            answer(0, &ntlm(2), "", b""),
            bind(&tlv(SICILY_RESPONSE, &ntlm(3))),
            answer(0, b"", "", b""),
        ];
        assert_eq!(found(&pieces), ["n1", "c1", "a1", "yes1: success"]);
        damage(|| Box::new(Ldap::default()), &pieces);
    }

    #[test]
    fn a_simple_bind_is_no_logon_of_ours() {
        assert!(found(&[bind(&tlv(0x80, b"password")), answer(0, b"", "", b"")]).is_empty());
    }
}
