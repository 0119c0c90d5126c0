//! The search for tokens in bytes of which nothing else is known: raw, inside SPNEGO, in base64.
//!
//! It is the safety net under every carrier: whatever a protocol does not claim comes here, so a
//! token is found even where the capture begins midway, has a gap, or carries something unknown.

use super::bytes::wide;
use super::{MAX_TOKEN, Wrapping, base64_text, raw};
use memchr::memmem::Finder;
use ntlm::message::SIGNATURE;
use std::sync::LazyLock;

/// The search through one direction of a flow.
#[derive(Debug, Default)]
pub(super) struct Search {
    /// What stood right before `pending`: a DER header may be among it.
    before: [u8; LOOK_BEHIND],
    /// The beginning of something that may become a token.
    pending: Vec<u8>,
    /// Where in the stream `pending` begins.
    start: u64,
    /// Where in the stream the next bytes are expected.
    next: u64,
}

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patterns {
    /// Messages in binary: a known protocol carries no others here.
    Binary,
    /// Base64 as well.
    All,
}

/// What was found. Places are offsets in the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A message.
    Token { bytes: Vec<u8>, wrapping: Wrapping, after_scheme: bool, last: u64 },
    /// A message that never became whole, and the first byte of it.
    Incomplete { at: u64 },
}

/// How far back the header of an OCTET STRING may begin.
const LOOK_BEHIND: usize = 8;
const NTLM: &[u8] = b"NTLM ";
const NEGOTIATE: &[u8] = b"Negotiate ";
/// Base64 makes four bytes of three.
const MAX_TEXT: usize = MAX_TOKEN / 3 * 4 + 4;

static BINARY: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(&SIGNATURE));
/// The beginning of both `NTLMSSP` and the scheme of HTTP.
static NTLM_WORD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"NTLM"));
static NEGOTIATE_WORD: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(NEGOTIATE));
static BASE64: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(base64_text::SIGNATURE));

impl Search {
    /// Searches the next bytes; `offset` is their place in the stream.
    pub(super) fn run(
        &mut self,
        bytes: &[u8],
        offset: u64,
        patterns: Patterns,
        found: &mut dyn FnMut(Found),
    ) {
        if offset != self.next {
            self.finish(found);
            self.before = [0; LOOK_BEHIND];
        }
        self.next = offset.saturating_add(wide(bytes.len()));
        if self.pending.is_empty() {
            self.start = offset;
            let done = self.work(bytes, patterns, false, found);
            self.advance(bytes, done);
            self.pending.extend_from_slice(bytes.get(done..).unwrap_or_default());
        } else {
            let mut pending = std::mem::take(&mut self.pending);
            pending.extend_from_slice(bytes);
            let done = self.work(&pending, patterns, false, found);
            self.advance(&pending, done);
            pending.drain(..done.min(pending.len()));
            self.pending = pending;
        }
    }

    /// Nothing that continues these bytes will come.
    pub(super) fn finish(&mut self, found: &mut dyn FnMut(Found)) {
        if !self.pending.is_empty() {
            let pending = std::mem::take(&mut self.pending);
            self.work(&pending, Patterns::All, true, found);
        }
    }

    /// Where the bytes begin that are held, if any are.
    pub(super) fn held_from(&self) -> Option<u64> {
        (!self.pending.is_empty()).then_some(self.start)
    }

    fn advance(&mut self, bytes: &[u8], done: usize) {
        self.before = self.look_behind(bytes, done);
        self.start = self.start.saturating_add(wide(done));
    }

    /// The bytes right before `at`.
    fn look_behind(&self, bytes: &[u8], at: usize) -> [u8; LOOK_BEHIND] {
        let bytes = bytes.get(..at).unwrap_or_default();
        if let Some(last) = bytes.last_chunk() {
            return *last;
        }
        let mut both = [0; LOOK_BEHIND];
        let older = self.before.iter().skip(bytes.len());
        both.iter_mut().zip(older.chain(bytes)).for_each(|(to, from)| *to = *from);
        both
    }

    /// Returns how many of the bytes are done with.
    fn work(
        &self,
        bytes: &[u8],
        patterns: Patterns,
        is_over: bool,
        found: &mut dyn FnMut(Found),
    ) -> usize {
        let mut searched = 0;
        loop {
            let rest = bytes.get(searched..).unwrap_or_default();
            let Some(at) = candidate(rest, patterns).map(|at| searched + at) else {
                let rest = if is_over { 0 } else { beginning_of_a_pattern(rest, patterns) };
                return bytes.len() - rest;
            };
            let rest = bytes.get(at..).unwrap_or_default();
            match look_at(&self.look_behind(bytes, at), rest, is_over) {
                Look::Token { bytes, wrapping, after_scheme, length } => {
                    searched = at + length;
                    let last = self.start.saturating_add(wide(searched.saturating_sub(1)));
                    found(Found::Token { bytes, wrapping, after_scheme, last });
                }
                Look::Incomplete if is_over || rest.len() > MAX_TEXT => {
                    found(Found::Incomplete { at: self.start.saturating_add(wide(at)) });
                    searched = at + 1;
                }
                Look::Incomplete => return at,
                Look::Nothing { length } => searched = at + length.max(1),
            }
        }
    }
}

/// The first place where a token may begin.
fn candidate(bytes: &[u8], patterns: Patterns) -> Option<usize> {
    if patterns == Patterns::Binary {
        return BINARY.find(bytes);
    }
    let follows = |at: usize| {
        let rest = bytes.get(at..).unwrap_or_default();
        rest.starts_with(NTLM) || rest.starts_with(&SIGNATURE)
    };
    let ntlm = NTLM_WORD.find_iter(bytes).find(|at| follows(*at));
    let before = |limit: Option<usize>| limit.and_then(|limit| bytes.get(..limit)).unwrap_or(bytes);
    let first = NEGOTIATE_WORD.find(before(ntlm)).or(ntlm);
    BASE64.find(before(first)).or(first)
}

/// How many bytes at the end may be the beginning of a pattern.
fn beginning_of_a_pattern(bytes: &[u8], patterns: Patterns) -> usize {
    let all: [&[u8]; 4] = [&SIGNATURE, NTLM, NEGOTIATE, base64_text::SIGNATURE];
    let count = if patterns == Patterns::Binary { 1 } else { all.len() };
    let longest = |pattern: &&[u8]| {
        let most = (pattern.len() - 1).min(bytes.len());
        (1..=most).rev().find(|length| {
            pattern.get(..*length).is_some_and(|beginning| bytes.ends_with(beginning))
        })
    };
    all.iter().take(count).filter_map(longest).max().unwrap_or(0)
}

/// What a candidate turns out to be.
enum Look {
    Token { bytes: Vec<u8>, wrapping: Wrapping, after_scheme: bool, length: usize },
    Incomplete,
    Nothing { length: usize },
}

fn look_at(before: &[u8], rest: &[u8], is_over: bool) -> Look {
    for scheme in [NTLM, NEGOTIATE] {
        if let Some(text) = rest.strip_prefix(scheme) {
            return look_at_base64(text, scheme.len(), is_over);
        }
    }
    if rest.starts_with(base64_text::SIGNATURE) {
        return look_at_base64(rest, 0, is_over);
    }
    let octet_string = raw::octet_string_length(before);
    let wrapping = if octet_string.is_some() { Wrapping::Spnego } else { Wrapping::Raw };
    match octet_string.or_else(|| raw::message_length(rest)) {
        Some(length) if length <= rest.len() => {
            match rest.get(..length).filter(|bytes| raw::is_message(bytes)) {
                Some(bytes) => {
                    let bytes = bytes.to_vec();
                    Look::Token { bytes, wrapping, after_scheme: false, length }
                }
                None => Look::Nothing { length: 1 },
            }
        }
        Some(_) => Look::Incomplete,
        None if rest.len() < 16 => Look::Incomplete,
        None => Look::Nothing { length: 1 },
    }
}

/// The text ends where base64 does.
fn look_at_base64(text: &[u8], skipped: usize, is_over: bool) -> Look {
    let length = base64_text::length(text);
    if length == text.len() && !is_over && length < MAX_TEXT {
        return Look::Incomplete;
    }
    let token = text.get(..length).and_then(base64_text::decode);
    let token = token.and_then(|token| token.message);
    let is_cut = length == text.len();
    match token {
        Some((bytes, Wrapping::Raw)) if is_cut && !is_whole(&bytes) => Look::Incomplete,
        None if is_cut && text.starts_with(base64_text::SIGNATURE) => Look::Incomplete,
        Some((bytes, wrapping)) => {
            let after_scheme = skipped > 0;
            Look::Token { bytes, wrapping, after_scheme, length: skipped + length }
        }
        None => Look::Nothing { length: skipped.max(1) },
    }
}

/// Whether a message holds all that its fields point at.
fn is_whole(message: &[u8]) -> bool {
    raw::message_length(message).is_some_and(|length| length <= message.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &[u8] = b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\
        \x06\x01\xb1\x1d\0\0\0\x0f";

    fn tokens(pieces: &[&[u8]], patterns: Patterns) -> Vec<Found> {
        let (mut search, mut all, mut offset) = (Search::default(), Vec::new(), 0);
        for piece in pieces {
            search.run(piece, offset, patterns, &mut |found| all.push(found));
            offset += wide(piece.len());
        }
        search.finish(&mut |found| all.push(found));
        all
    }

    fn streams() -> Vec<Vec<u8>> {
        let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, MESSAGE);
        vec![
            [b"some bytes", MESSAGE, b"more"].concat(),
            [b"\xa2\x2a\x04\x28", MESSAGE, b"\xa3"].concat(),
            format!("Authorization: NTLM {text}\r\n").into_bytes(),
            format!("WWW-Authenticate: Negotiate {text}\r\n").into_bytes(),
            format!("+ {text}\r\n").into_bytes(),
        ]
    }

    #[test]
    fn a_token_is_found_once_however_it_is_cut() {
        for stream in streams() {
            let whole = tokens(&[&stream], Patterns::All);
            assert_eq!(whole.len(), 1, "{stream:?}");
            assert!(matches!(&whole[0], Found::Token { bytes, .. } if bytes == MESSAGE));
            for at in 0..=stream.len() {
                let (left, right) = stream.split_at(at);
                assert_eq!(tokens(&[left, right], Patterns::All), whole, "cut at {at}");
            }
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(tokens(&bytes, Patterns::All), whole);
        }
    }

    #[test]
    fn a_token_that_is_cut_off_is_said() {
        for end in 8..MESSAGE.len() {
            let found = tokens(&[b"12345", &MESSAGE[..end]], Patterns::Binary);
            assert_eq!(found.first(), Some(&Found::Incomplete { at: 5 }), "{end} bytes");
        }
    }

    #[test]
    fn a_hole_between_two_runs_ends_the_first() {
        let mut search = Search::default();
        let mut all = Vec::new();
        search.run(&MESSAGE[..20], 0, Patterns::All, &mut |found| all.push(found));
        search.run(&MESSAGE[20..], 21, Patterns::All, &mut |found| all.push(found));
        search.finish(&mut |found| all.push(found));
        assert_eq!(all, [Found::Incomplete { at: 0 }]);
    }

    #[test]
    fn damage_is_harmless() {
        for stream in streams() {
            for at in 0..stream.len() {
                for byte in [0, 0x41, 0x7f, 0xff] {
                    let mut stream = stream.clone();
                    stream[at] = byte;
                    assert!(tokens(&[&stream], Patterns::All).len() < 3);
                }
            }
        }
    }
}
