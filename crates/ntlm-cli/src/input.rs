//! Captures as they are opened: with progress, and an end when nobody listens any more.

use crate::screen::Progress;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

/// Tells the reader to stop, where the output has failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Rc<Cell<bool>>);

impl Stop {
    pub(crate) fn stop(&self) {
        self.0.set(true);
    }
}

/// A capture that is being read.
pub(crate) struct Input {
    source: Box<dyn Read>,
    label: String,
    size: Option<u64>,
    read: u64,
    shown: Instant,
    progress: Progress,
    stop: Stop,
}

impl Input {
    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(path: &Path, stop: Stop) -> io::Result<Self> {
        let label = path.display().to_string();
        let (source, size): (Box<dyn Read>, _) = if path.as_os_str() == "-" {
            (Box::new(io::stdin().lock()), None)
        } else {
            let file = File::open(path)?;
            let size = file.metadata().ok().filter(|about| about.is_file());
            (Box::new(file), size.map(|about| about.len()))
        };
        let (shown, progress) = (Instant::now(), Progress::new());
        Ok(Self { source, label, size, read: 0, shown, progress, stop })
    }

    fn show(&mut self) {
        const OFTEN: Duration = Duration::from_millis(250);
        if self.shown.elapsed() < OFTEN {
            return;
        }
        self.shown = Instant::now();
        let done = self.read >> 20;
        let text = match self.size {
            Some(size) if size > 0 => {
                let percent = self.read.saturating_mul(100) / size;
                format!("{}: {done} of {} MiB, {percent} %", self.label, size >> 20)
            }
            _ => format!("{}: {done} MiB", self.label),
        };
        self.progress.show(&text);
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stop.0.get() {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        let count = self.source.read(buffer)?;
        self.read = self.read.saturating_add(u64::try_from(count).unwrap_or(0));
        if count == 0 {
            self.progress.clear();
        } else {
            self.show();
        }
        Ok(count)
    }
}
