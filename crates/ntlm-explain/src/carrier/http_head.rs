//! The head of a request or a response: how long its body is, and which tokens stand in it
//! (RFC 9110 11, RFC 9112).

use super::base64_text;
use memchr::{memchr, memmem};
use std::ops::Range;

/// Who asks for the proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Party {
    /// By `WWW-Authenticate`; answered in `Authorization`.
    Origin,
    /// By `Proxy-Authenticate`; answered in `Proxy-Authorization`.
    Proxy,
}

/// What follows the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Body {
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

pub(super) const VERSION: &[u8] = b"HTTP/1.";

/// What matters of a head.
#[derive(Debug, Default)]
pub(super) struct Head {
    length: Option<u64>,
    is_chunked: bool,
    closes: bool,
    /// Where the tokens stand.
    pub(super) tokens: Vec<(Party, Range<usize>)>,
}

impl Head {
    pub(super) fn read(bytes: &[u8]) -> Self {
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

    pub(super) fn body(&self, is_response: bool, has_none: bool) -> Body {
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

    pub(super) fn first_word<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.split(|byte| *byte == b' ').next().unwrap_or_default()
    }

    pub(super) fn status(&self, bytes: &[u8]) -> Option<u16> {
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
pub(super) fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let proper = memmem::find(bytes, b"\r\n\r\n").map(|at| at + 4);
    proper.or_else(|| memmem::find(bytes, b"\n\n").map(|at| at + 2))
}
