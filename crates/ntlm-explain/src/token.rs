//! Tokens as people have them: hex, base64, a header line, raw bytes; with or without SPNEGO.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use memchr::memmem;
use ntlm::message::SIGNATURE;
use std::fmt;

/// An NTLM message and what it was taken out of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The message.
    pub bytes: Vec<u8>,
    /// Where it began in what was given, once that was bytes: 0 unless something was around it.
    pub offset: usize,
}

/// Why there is no token in what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoToken {
    /// Neither hex nor base64.
    NotEncoded,
    /// Bytes, but `NTLMSSP` is nowhere in them.
    NoSignature,
}

impl fmt::Display for NoToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotEncoded => "neither hex nor base64",
            Self::NoSignature => "no NTLMSSP message in it",
        })
    }
}

impl std::error::Error for NoToken {}

impl Token {
    /// From raw bytes: the message, or something with the message inside.
    ///
    /// # Errors
    ///
    /// [`NoToken::NoSignature`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoToken> {
        let offset = memmem::find(bytes, &SIGNATURE).ok_or(NoToken::NoSignature)?;
        let rest = bytes.get(offset..).unwrap_or_default();
        let before = bytes.get(..offset).unwrap_or_default();
        // In SPNEGO, the OCTET STRING around the message says where it ends.
        let length = crate::carrier::octet_string_length(before).unwrap_or(rest.len());
        let bytes = rest.get(..length).unwrap_or(rest).to_vec();
        Ok(Self { bytes, offset })
    }

    /// From text: hex (spaces and colons allowed), base64, or a header line such as
    /// `Authorization: NTLM TlRM..`.
    ///
    /// # Errors
    ///
    /// The text is no encoding, or there is no message in it.
    pub fn from_text(text: &str) -> Result<Self, NoToken> {
        // The token is the last word of a header line; hex dumps have spaces in between.
        let whole = decode_hex(text);
        let word = || text.split_whitespace().next_back().unwrap_or_default();
        let bytes = whole.or_else(|| decode_hex(word())).or_else(|| decode_base64(word()));
        Self::from_bytes(&bytes.ok_or(NoToken::NotEncoded)?)
    }
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().trim_start_matches("0x");
    let mut digits = text.chars().filter(|c| !c.is_whitespace() && *c != ':').peekable();
    digits.peek()?;
    let digits: Option<Vec<u8>> =
        digits.map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
    let digits = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, d| byte << 4 | d)).collect())
}

fn decode_base64(word: &str) -> Option<Vec<u8>> {
    STANDARD.decode(word).or_else(|_| STANDARD_NO_PAD.decode(word)).ok()
}
