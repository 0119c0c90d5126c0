//! Colours by meaning, and wrapping by width.

use anstyle::{AnsiColor, Style};
use std::fmt::Write;
use textwrap::WordSplitter;
use textwrap::core::display_width;

/// How wide the text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    width: usize,
    columns: usize,
}

impl Layout {
    /// The narrowest layout that is still readable.
    pub const MIN_WIDTH: usize = 40;
    /// Longer lines of text are tiring to read; tables may be wider.
    pub const MAX_WIDTH: usize = 100;

    /// For a terminal of so many columns.
    #[must_use]
    pub fn new(columns: usize) -> Self {
        let columns = columns.max(Self::MIN_WIDTH);
        Self { width: columns.min(Self::MAX_WIDTH), columns }
    }

    /// How wide text is.
    pub(super) const fn width(self) -> usize {
        self.width
    }

    /// How wide a table may be.
    pub(super) const fn columns(self) -> usize {
        self.columns
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
        let text = printable(text);
        for (index, line) in self.lines(indent, &text).into_iter().enumerate() {
            let before = if index == 0 { first } else { indent };
            if before.trim().is_empty() {
                out.push_str(before);
            } else {
                let _ = write!(out, "{FAINT}{before}{FAINT:#}");
            }
            let _ = writeln!(out, "{style}{line}{style:#}");
        }
    }

    /// The lines of `text` that fit behind `indent`. Only words longer than a line are broken.
    fn lines(self, indent: &str, text: &str) -> Vec<String> {
        let room = self.width.saturating_sub(display_width(indent)).max(16);
        let options = textwrap::Options::new(room)
            .word_splitter(WordSplitter::NoHyphenation)
            .break_words(true);
        let lines = textwrap::wrap(text, options).into_iter();
        lines.map(|line| line.replace('\u{a0}', " ")).collect()
    }

    /// Appends items side by side, as many as fit on a line; none is broken unless it must be.
    pub(super) fn flow(self, out: &mut String, indent: &str, items: &[(Style, String)]) {
        let room = self.width.saturating_sub(display_width(indent)).max(16);
        let mut used = 0;
        for (style, text) in items.iter().filter(|(_, text)| !text.is_empty()) {
            let text = printable(text);
            let needs = display_width(&text);
            if used > 0 && used + 2 + needs <= room {
                let _ = write!(out, "  {style}{text}{style:#}");
                used += 2 + needs;
                continue;
            }
            if used > 0 {
                out.push('\n');
            }
            let lines = self.lines(indent, &text);
            used = lines.last().map_or(0, |line| display_width(line));
            for (index, line) in lines.iter().enumerate() {
                let end = if index + 1 < lines.len() { "\n" } else { "" };
                let _ = write!(out, "{indent}{style}{line}{style:#}{end}");
            }
        }
        if used > 0 {
            out.push('\n');
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

/// Names come from the network: what controls a terminal or turns text around is shown, not obeyed.
pub(super) fn printable(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        let is_invisible = matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        );
        if c.is_control() || is_invisible {
            safe.extend(c.escape_unicode());
        } else {
            safe.push(c);
        }
        safe
    })
}

/// At most `room` columns of text, with a sign where it was cut.
pub(super) fn shortened(text: &str, room: usize) -> String {
    if display_width(text) <= room {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if display_width(&short) + display_width(c.encode_utf8(&mut [0; 4])) >= room {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

/// `text`, filled up with blanks to `room` columns.
pub(super) fn padded(text: &str, room: usize) -> String {
    let blanks = room.saturating_sub(display_width(text));
    format!("{text}{}", " ".repeat(blanks))
}

/// Text that stays text in HTML and SVG, whoever wrote it.
pub(super) fn escaped(text: &str) -> String {
    let text = printable(text);
    text.chars().fold(String::with_capacity(text.len()), |mut safe, c| {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
        safe
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_is_shown() {
        assert_eq!(printable("a\x1b[2J\n\u{202e}b"), "a\\u{1b}[2J\\u{a}\\u{202e}b");
        assert_eq!(printable("Grüße 雪"), "Grüße 雪");
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(shortened("雪雪雪雪", 5), "雪雪…");
        assert_eq!(padded("雪", 4), "雪  ");
        assert_eq!(shortened("abc", 3), "abc");
    }

    #[test]
    fn words_are_not_broken_at_hyphens() {
        let mut out = String::new();
        let text = "as the specification says in its section MS-NLMP 3.4.5.1";
        Layout::new(45).wrap(&mut out, "", "", PLAIN, text);
        assert!(out.contains("MS-NLMP"), "{out}");
    }
}
