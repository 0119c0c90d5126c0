//! Where text goes: colours only to terminals, lines as wide as they are.

use crate::failure::Failure;
use ntlm_explain::render::Layout;
use std::io::{IsTerminal, Write};

/// How wide to draw: the terminal's width, `COLUMNS`, or 100 where neither is known.
pub(crate) fn layout() -> Layout {
    let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let wished = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    Layout::new(wished.or(terminal).unwrap_or(100))
}

/// Prints text; colours are stripped where they do not belong.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    write!(out, "{text}").and_then(|()| out.flush()).map_err(|error| Failure::io("output", &error))
}

/// A line of progress on standard error, if someone is looking.
pub(crate) struct Progress {
    shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { shown: false }
    }

    /// Shows `text` in place of the last one.
    pub(crate) fn show(&mut self, text: &str) {
        if std::io::stderr().is_terminal() {
            eprint!("\r\x1b[K{text}");
            self.shown = true;
        }
    }

    /// Takes the line away.
    pub(crate) fn clear(&mut self) {
        if self.shown {
            eprint!("\r\x1b[K");
            self.shown = false;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
