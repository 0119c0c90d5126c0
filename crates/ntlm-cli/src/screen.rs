//! Where text goes: colours only to terminals, lines as wide as they are, files whole or not at all.

use crate::args::Colour;
use crate::failure::Failure;
use anstream::ColorChoice;
use anstream::adapter::strip_str;
use ntlm_explain::render::Layout;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// How wide to draw: the terminal's width, `COLUMNS`, or 100 where neither is known.
pub(crate) fn layout() -> Layout {
    let terminal = terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    let wished = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    Layout::new(wished.or(terminal).unwrap_or(100))
}

/// Settles for all output when there are colours.
pub(crate) fn colour(wish: Colour) {
    match wish {
        Colour::Auto => {}
        Colour::Always => ColorChoice::Always.write_global(),
        Colour::Never => ColorChoice::Never.write_global(),
    }
}

/// Prints text; colours are stripped where they do not belong.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    write!(out, "{text}").and_then(|()| out.flush()).map_err(|error| Failure::io("output", &error))
}

/// Standard output, or a file that appears once it is whole.
pub(crate) enum Output {
    /// Standard output.
    Screen,
    /// A file.
    File(Pending),
}

/// A file beside the one it is going to be.
pub(crate) struct Pending {
    file: Option<BufWriter<File>>,
    has_colours: bool,
    written: PathBuf,
    wanted: PathBuf,
}

impl Output {
    /// Standard output where no file is named.
    pub(crate) fn open(file: Option<&Path>) -> Result<Self, Failure> {
        file.map_or(Ok(Self::Screen), |file| Pending::create(file).map(Self::File))
    }

    /// Appends text.
    pub(crate) fn write(&mut self, text: &str) -> Result<(), Failure> {
        match self {
            Self::Screen => print(text),
            Self::File(file) => file.text(text),
        }
    }

    /// Everything was written: a file takes its name.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self {
            Self::Screen => Ok(()),
            Self::File(file) => file.finish(),
        }
    }
}

impl Pending {
    pub(crate) fn create(wanted: &Path) -> Result<Self, Failure> {
        let label = wanted.display().to_string();
        let Some(name) = wanted.file_name() else {
            return Err(Failure::new(format!("{label}: not the name of a file")));
        };
        let part = format!(".{}.{}.part", name.to_string_lossy(), std::process::id());
        let written = wanted.with_file_name(part);
        let file = OpenOptions::new().write(true).create_new(true).open(&written);
        let file = file.map_err(|error| Failure::io(&label, &error))?;
        let has_colours =
            matches!(ColorChoice::global(), ColorChoice::Always | ColorChoice::AlwaysAnsi);
        let file = Some(BufWriter::new(file));
        Ok(Self { file, has_colours, written, wanted: wanted.to_owned() })
    }

    fn text(&mut self, text: &str) -> Result<(), Failure> {
        let label = self.wanted.display().to_string();
        match &mut self.file {
            Some(file) if self.has_colours => file.write_all(text.as_bytes()),
            Some(file) => write!(file, "{}", strip_str(text)),
            None => Ok(()),
        }
        .map_err(|error| Failure::io(&label, &error))
    }

    /// Everything was written: the file takes its name.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        let label = self.wanted.display().to_string();
        let flushed = self.file.take().map_or(Ok(()), |mut file| file.flush());
        flushed
            .and_then(|()| std::fs::rename(&self.written, &self.wanted))
            .map_err(|error| Failure::io(&label, &error))
    }
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.as_mut().map_or(Ok(0), |file| file.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        // After `finish` there is no such file any more; before, it is half-written.
        let _ = std::fs::remove_file(&self.written);
    }
}

/// A line of progress on standard error, if someone is looking.
pub(crate) struct Progress {
    shown: bool,
}

impl Progress {
    pub(crate) const fn new() -> Self {
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

/// Without what a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
