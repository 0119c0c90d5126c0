//! Colours by meaning, and wrapping by width.

use anstyle::{AnsiColor, Style};
use std::fmt::Write;

/// How wide the text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    width: usize,
}

impl Layout {
    /// The narrowest layout that is still readable.
    pub const MIN_WIDTH: usize = 40;
    /// Longer lines are tiring to read.
    pub const MAX_WIDTH: usize = 120;

    /// For a terminal of so many columns.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        Self { width: columns.clamp(Self::MIN_WIDTH, Self::MAX_WIDTH) }
    }

    pub(super) const fn width(self) -> usize {
        self.width
    }

    /// Appends `text`, wrapped, each line behind `indent`, the first behind `first`.
    pub(super) fn wrap(
        self,
        out: &mut String,
        first: &str,
        indent: &str,
        style: Style,
        text: &str,
    ) {
        let options = textwrap::Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(indent)
            .break_words(true);
        for line in textwrap::wrap(&printable(text), options) {
            let _ = writeln!(out, "{style}{line}{style:#}");
        }
    }
}

pub(super) const HEADING: Style = Style::new().bold();
pub(super) const KEY: Style = AnsiColor::Cyan.on_default().bold();
pub(super) const FAINT: Style = Style::new().dimmed();
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const WARN: Style = AnsiColor::Yellow.on_default();
pub(super) const PLAIN: Style = Style::new();

/// Names come from the network: control characters are shown, not obeyed.
pub(super) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        let is_bidi = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if c.is_control() || is_bidi {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
        safe
    })
}
