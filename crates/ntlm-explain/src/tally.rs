//! Counts of what was checked, and what did not hold.

use serde::Serialize;

/// What the signatures of a session or channel came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Signatures {
    /// They hold.
    pub valid: u64,
    /// They do not, or are missing where there has to be one.
    pub invalid: u64,
    /// What is needed to check them is missing.
    pub unchecked: u64,
    /// Messages that could have been signed and were neither that nor encrypted.
    pub unsigned: u64,
}

/// What the encrypted packets of a session came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Decrypted {
    /// They open.
    pub ok: u64,
    /// They do not open with the key they should.
    pub failed: u64,
    /// Their key is not known, or they are not all there.
    pub unopened: u64,
}

/// Something that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The frame that completes it.
    pub frame: u64,
    /// What it is, and what is known of it.
    pub message: String,
}

/// Why something was not checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unchecked {
    /// No key is known for the session.
    NoKey,
    /// The packet is not all there.
    NotWhole,
    /// Messages before it are missing, so its sequence number is not known (SMB 1).
    SequenceNumber,
    /// It is compressed.
    Compressed,
    /// Fragments before it are missing, so the place in the key stream is not known (DCE/RPC).
    KeyStream,
}

impl Unchecked {
    const ALL: [Self; 5] =
        [Self::NoKey, Self::NotWhole, Self::SequenceNumber, Self::Compressed, Self::KeyStream];

    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NoKey => "the key is not known",
            Self::NotWhole => {
                "the packet was not captured whole, or too many long ones were under way"
            }
            Self::SequenceNumber => "messages are missing, so the sequence number is not known",
            Self::Compressed => "the packet is compressed",
            Self::KeyStream => {
                "fragments before them are missing, so the place in the key stream is not known"
            }
        }
    }
}

/// Where a message was seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) frame: u64,
    /// Whether all of its packet is there.
    pub(crate) whole: bool,
}

/// What a message's signature came to.
#[derive(Debug)]
pub(crate) enum Checked {
    /// It holds.
    Valid,
    /// It holds under a key that anyone can compute.
    ByAnyone,
    /// It does not hold, or is missing where there has to be one.
    Invalid(String),
    /// What is needed to check it is missing.
    Unchecked(Unchecked),
    /// There could be one, and there is none.
    Unsigned,
}

impl Signatures {
    pub(crate) const fn count(&mut self, checked: &Checked) {
        match checked {
            Checked::Valid | Checked::ByAnyone => self.valid += 1,
            Checked::Invalid(_) => self.invalid += 1,
            Checked::Unchecked(_) => self.unchecked += 1,
            Checked::Unsigned => self.unsigned += 1,
        }
    }
}

/// More than this many failures of one session are counted only.
const MOST_FAILURES: usize = 8;

/// The counts of one session on one connection.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) signatures: Signatures,
    pub(crate) decrypted: Decrypted,
    pub(crate) failures: Vec<Failure>,
    /// Of the valid signatures: with a key that anyone can compute.
    pub(crate) by_anyone: u64,
    unchecked: [u64; 5],
}

impl Tally {
    /// Counts what a message's signature came to.
    pub(crate) fn count(&mut self, checked: Checked, frame: u64) {
        self.signatures.count(&checked);
        match checked {
            Checked::Valid | Checked::Unsigned => {}
            Checked::ByAnyone => self.by_anyone += 1,
            Checked::Invalid(message) => self.fail(frame, message),
            Checked::Unchecked(why) => self.note(why),
        }
    }

    pub(crate) fn unopenable(&mut self, frame: u64, message: String) {
        self.decrypted.failed += 1;
        self.fail(frame, message);
    }

    pub(crate) fn unopened(&mut self, why: Unchecked) {
        self.decrypted.unopened += 1;
        self.note(why);
    }

    /// Why things were left unchecked, and how many.
    pub(crate) fn whys(&self) -> Vec<(Unchecked, u64)> {
        let counts = Unchecked::ALL.into_iter().zip(self.unchecked);
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Counts signatures that could not be checked.
    pub(crate) fn leave_unchecked(&mut self, why: Unchecked, count: u64) {
        self.signatures.unchecked += count;
        self.note_all(why, count);
    }

    fn note(&mut self, why: Unchecked) {
        self.note_all(why, 1);
    }

    fn note_all(&mut self, why: Unchecked, number: u64) {
        let at = Unchecked::ALL.iter().position(|other| *other == why);
        if let Some(count) = at.and_then(|at| self.unchecked.get_mut(at)) {
            *count += number;
        }
    }

    /// Whether further failures are counted only.
    pub(crate) const fn is_full(&self) -> bool {
        self.failures.len() >= MOST_FAILURES
    }

    /// Tells of something that is wrong.
    pub(crate) fn fail(&mut self, frame: u64, message: String) {
        if !self.is_full() {
            self.failures.push(Failure { frame, message });
        }
    }
}
