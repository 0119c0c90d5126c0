//! What lies inside a SPNEGO token (RFC 4178 4.2): the token of the mechanism, and the state.
//!
//! Only as much as an observer needs; what cannot be read is left to the search for raw messages.

use super::{Wrapping, raw};
use memchr::memmem;
use ntlm::der::{Der, DerError, tag};
use ntlm::message::SIGNATURE;
use std::ops::Range;

/// `negState` of a NegTokenResp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NegState {
    AcceptCompleted,
    AcceptIncomplete,
    Reject,
    RequestMic,
}

impl NegState {
    /// As RFC 4178 spells it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::AcceptCompleted => "accept-completed",
            Self::AcceptIncomplete => "accept-incomplete",
            Self::Reject => "reject",
            Self::RequestMic => "request-mic",
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::AcceptCompleted),
            1 => Some(Self::AcceptIncomplete),
            2 => Some(Self::Reject),
            3 => Some(Self::RequestMic),
            _ => None,
        }
    }
}

/// What a security buffer holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// An NTLM message as it is.
    Raw,
    /// SPNEGO, perhaps with a token, which need not be NTLM's.
    Spnego { token: Option<Range<usize>>, state: Option<NegState>, has_mic: bool },
    /// Something else, or nothing.
    Other,
}

impl Content {
    /// The NTLM message in the buffer that this is the content of.
    pub(super) fn message(&self, buffer: &[u8]) -> Option<(Range<usize>, Wrapping)> {
        let (range, wrapping) = match self {
            Self::Raw => (0..buffer.len(), Wrapping::Raw),
            Self::Spnego { token, .. } => (token.clone()?, Wrapping::Spnego),
            Self::Other => return None,
        };
        buffer.get(range.clone()).is_some_and(raw::is_message).then_some((range, wrapping))
    }

    /// Whether SPNEGO vouches for its list of mechanisms.
    pub(super) const fn has_mech_list_mic(&self) -> bool {
        matches!(self, Self::Spnego { has_mic: true, .. })
    }

    /// What SPNEGO says beside.
    pub(super) fn state(&self) -> Option<NegState> {
        match self {
            Self::Spnego { state, .. } => *state,
            Self::Raw | Self::Other => None,
        }
    }
}

/// The identifier of SPNEGO, 1.3.6.1.5.5.2.
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
/// `[APPLICATION 0]`, the frame of RFC 2743 3.1.
const INITIAL_CONTEXT_TOKEN: u8 = 0x60;
const NEG_TOKEN_INIT: u8 = 0xa0;
const NEG_TOKEN_RESP: u8 = 0xa1;

/// Looks into a security buffer.
pub(super) fn content(buffer: &[u8]) -> Content {
    match buffer.first() {
        Some(_) if buffer.starts_with(&SIGNATURE) => Content::Raw,
        Some(&(INITIAL_CONTEXT_TOKEN | NEG_TOKEN_INIT | NEG_TOKEN_RESP)) => {
            read(buffer).unwrap_or_else(|_| search(buffer))
        }
        _ => Content::Other,
    }
}

fn read(buffer: &[u8]) -> Result<Content, DerError> {
    let mut token = Der::new(buffer);
    if token.peek_tag() == Some(INITIAL_CONTEXT_TOKEN) {
        token = token.inside(INITIAL_CONTEXT_TOKEN)?;
        if token.expect(tag::OID)?.content != SPNEGO {
            return Ok(Content::Other);
        }
    }
    let is_response = token.peek_tag() == Some(NEG_TOKEN_RESP);
    let choice = token.element()?;
    let mut fields = choice.reader().inside(tag::SEQUENCE)?;
    let (mut inner, mut state, mut has_mic) = (None, None, false);
    while !fields.is_empty() {
        let field = fields.element()?;
        match field.tag {
            // negState in a response, mechTypes in an initial token.
            0xa0 if is_response => {
                let number = field.reader().expect(tag::ENUMERATED)?.content;
                state = number.first().copied().and_then(NegState::from_number);
            }
            // mechToken or responseToken.
            0xa2 => {
                let octets = field.reader().expect(tag::OCTET_STRING)?;
                let start = octets.content_offset;
                inner = Some(start..start.saturating_add(octets.content.len()));
            }
            // mechListMIC. In NegTokenInit of Windows the hints stand here.
            0xa3 if is_response => {
                has_mic = field.reader().peek_tag() == Some(tag::OCTET_STRING);
            }
            _ => {}
        }
    }
    Ok(Content::Spnego { token: inner, state, has_mic })
}

/// Lengths are not minimal, or something is cut: the message still shows.
fn search(buffer: &[u8]) -> Content {
    let Some(at) = memmem::find(buffer, &SIGNATURE) else { return Content::Other };
    let before = buffer.get(..at).unwrap_or_default();
    let rest = buffer.len() - at;
    let length = raw::octet_string_length(before).filter(|length| *length <= rest);
    let token = length.map(|length| at..at + length);
    Content::Spnego { token, state: None, has_mic: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INIT: &[u8] = b"\x60\x30\x06\x06\x2b\x06\x01\x05\x05\x02\xa0\x26\x30\x24\xa0\x0e\x30\x0c\
        \x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a\xa2\x12\x04\x10NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2";
    const COMPLETED: &[u8] = b"\xa1\x07\x30\x05\xa0\x03\x0a\x01\x00";

    #[test]
    fn the_token_of_the_mechanism_is_found() {
        let Content::Spnego { token: Some(token), state: None, .. } = content(INIT) else {
            panic!("{:?}", content(INIT));
        };
        assert!(INIT[token].starts_with(&SIGNATURE));
    }

    #[test]
    fn the_state_is_read() {
        let state = Some(NegState::AcceptCompleted);
        assert_eq!(content(COMPLETED), Content::Spnego { token: None, state, has_mic: false });
        let mut rejected = COMPLETED.to_vec();
        rejected[8] = 2;
        let state = Some(NegState::Reject);
        assert_eq!(content(&rejected), Content::Spnego { token: None, state, has_mic: false });
    }

    #[test]
    fn a_bare_message_is_raw() {
        assert_eq!(content(b"NTLMSSP\0\x01\0\0\0"), Content::Raw);
    }

    #[test]
    fn another_mechanism_is_none_of_ours() {
        let mut kerberos = INIT.to_vec();
        kerberos[4] = 0x2a;
        assert_eq!(content(&kerberos), Content::Other);
    }

    #[test]
    fn damage_is_harmless() {
        for end in 0..INIT.len() {
            let _ = content(&INIT[..end]);
        }
        for at in 0..INIT.len() {
            for byte in [0x00, 0x7f, 0x80, 0x84, 0xff] {
                let mut token = INIT.to_vec();
                token[at] = byte;
                if let Content::Spnego { token: Some(range), .. } = content(&token) {
                    assert!(token.get(range).is_some());
                }
            }
        }
    }
}
