//! Bytes that are not looked at: random, text, and `NTLMSSP` where it is no message.

use super::Generate;
use crate::random::Random;

/// What bulk data looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BulkKind {
    /// As if compressed or encrypted.
    Random,
    /// Words and lines.
    Text,
}

/// Makes it.
pub(super) struct Bulk {
    /// Text to take pieces of.
    text: Vec<u8>,
    decoys: u64,
    placed: u64,
    /// Bulk bytes between two decoys, and until the next.
    interval: u64,
    until_next: u64,
}

const WORDS: [&str; 16] = [
    "the", "server", "and", "client", "of", "session", "a", "key", "to", "report", "in", "2026",
    "table", "with", "for", "user",
];
/// Words that stand before tokens in HTTP, and now and then elsewhere.
const SCHEMES: [&str; 2] = ["Negotiate", "NTLM"];
const TEXT: usize = 1 << 18;

impl Bulk {
    pub(super) fn new(what: &Generate, random: &mut Random) -> Self {
        let mut text = Vec::with_capacity(TEXT + 16);
        while text.len() < TEXT {
            let words: &[&str] = if random.chance(0.002) { &SCHEMES } else { &WORDS };
            text.extend_from_slice(random.pick(words).map_or(&[], |word| word.as_bytes()));
            text.extend_from_slice(if random.chance(0.1) { b"\r\n" } else { b" " });
        }
        // Not all of a file is bulk data.
        let interval = what.size / 2 / what.decoys.saturating_add(1);
        Self { text, decoys: what.decoys, placed: 0, interval, until_next: interval }
    }

    pub(super) fn decoys_placed(&self) -> u64 {
        self.placed
    }

    /// Appends exactly so many bytes.
    pub(super) fn append(
        &mut self,
        out: &mut Vec<u8>,
        kind: BulkKind,
        count: usize,
        random: &mut Random,
    ) {
        let end = out.len().saturating_add(count);
        let start = out.len();
        match kind {
            BulkKind::Random => random.append(out, count),
            BulkKind::Text => {
                while out.len() < end {
                    let from = random.place(TEXT / 2);
                    let to = (from + end - out.len()).min(TEXT);
                    out.extend_from_slice(self.text.get(from..to).unwrap_or_default());
                }
            }
        }
        let bytes = u64::try_from(count).unwrap_or(u64::MAX);
        self.until_next = self.until_next.saturating_sub(bytes);
        if self.until_next == 0 && self.placed < self.decoys && count >= 128 {
            let decoy = decoy(self.placed, random);
            let at = start + random.place(count - decoy.len());
            if let Some(place) = out.get_mut(at..at + decoy.len()) {
                place.copy_from_slice(&decoy);
                self.placed += 1;
                self.until_next = self.interval;
            }
        }
    }
}

/// The signature, and what makes it no message.
fn decoy(number: u64, random: &mut Random) -> Vec<u8> {
    let mut decoy = b"NTLMSSP".to_vec();
    match number % 4 {
        // A word.
        0 => decoy.extend_from_slice(b" is what the signature says. "),
        // A message type that there is not.
        1 => decoy.extend_from_slice(b"\0\x04\0\0\0\x02\0\0\0"),
        // A CHALLENGE_MESSAGE whose fields lie beyond everything.
        2 => {
            decoy.extend_from_slice(b"\0\x02\0\0\0");
            decoy.extend_from_slice(&[0xff; 36]);
        }
        // The signature alone.
        _ => {
            decoy.extend_from_slice(&[0, 0xff, 0xff]);
            random.append(&mut decoy, 40);
        }
    }
    decoy
}
