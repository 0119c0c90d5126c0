//! One line of what was found out, and how it stands.

use crate::explained::Verdict;

/// How something stands, for marks and colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Bad,
    Warn,
    Plain,
}

impl Tone {
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Good => "✔",
            Self::Bad => "✘",
            Self::Warn => "?",
            Self::Plain => "·",
        }
    }

    /// The class in HTML.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Plain => "plain",
        }
    }
}

pub(super) const fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Valid => Tone::Good,
        Verdict::Invalid => Tone::Bad,
        Verdict::Absent => Tone::Plain,
        Verdict::Unchecked => Tone::Warn,
    }
}

/// One line of what was found out.
pub(super) struct Fact {
    pub(super) tone: Tone,
    pub(super) name: &'static str,
    pub(super) value: String,
}
