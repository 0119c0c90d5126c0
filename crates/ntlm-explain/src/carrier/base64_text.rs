//! Tokens in base64, as HTTP and mail carry them.

use super::{Wrapping, spnego};
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// What `NTLMSSP` begins with in base64, whatever follows.
pub(super) const SIGNATURE: &[u8] = b"TlRMTVNTUA";

/// Padding may be missing; nobody has ever refused that.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A token of a text protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    /// The NTLM message in it, if there is one.
    pub(super) message: Option<(Vec<u8>, Wrapping)>,
    /// What SPNEGO says beside.
    pub(super) state: Option<spnego::NegState>,
}

/// How much of `text` is in the alphabet of base64.
pub(super) fn length(text: &[u8]) -> usize {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
    text.iter().take_while(|byte| is_base64(byte)).count()
}

/// Decodes a token; `None` if it is not base64.
pub(super) fn decode(text: &[u8]) -> Option<Decoded> {
    let bytes = BASE64.decode(text).ok()?;
    let content = spnego::content(&bytes);
    let message = content
        .message(&bytes)
        .and_then(|(range, wrapping)| bytes.get(range).map(|message| (message.to_vec(), wrapping)));
    Some(Decoded { message, state: content.state() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_may_be_missing() {
        let message = b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2".to_vec();
        let expected = Some((message, Wrapping::Raw));
        for text in [&b"TlRMTVNTUAABAAAAB4IIog=="[..], b"TlRMTVNTUAABAAAAB4IIog"] {
            assert!(text.starts_with(SIGNATURE));
            assert_eq!(decode(text).and_then(|token| token.message), expected);
        }
    }

    #[test]
    fn what_is_no_token_is_none() {
        assert_eq!(decode(b"?"), None);
        assert_eq!(decode(b"AAAA").and_then(|token| token.message), None);
        assert_eq!(length(b"AAAA== rest"), 6);
    }
}
