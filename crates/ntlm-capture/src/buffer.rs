use std::{io::Read, ops::Range};

use crate::{
    bytes::wide,
    error::{CaptureError, Problem},
    gzip::{self, Gzip},
};

/// Large enough that system calls do not matter, small enough to stay in the second-level cache.
const SIZE: usize = 256 << 10;

/// Enough for the first packet: many files may be open that wait for their turn.
const FIRST: usize = 16 << 10;

/// What was read of a file and not used yet, out of gzip if need be.
pub(crate) struct Buffer<R> {
    input: R,
    gzip: Option<Box<Gzip>>,
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// Of `start`, in the file or, with gzip, in what came out of it.
    offset: u64,
    /// Whether the current failure is gzip's, so that its offset is meant.
    in_gzip: bool,
    sniffed: bool,
}

impl<R: Read> Buffer<R> {
    pub(crate) fn new(input: R) -> Self {
        Self {
            input,
            gzip: None,
            bytes: vec![0; FIRST],
            start: 0,
            end: 0,
            offset: 0,
            in_gzip: false,
            sniffed: false,
        }
    }

    /// Reads on until `count` bytes are available or the file ends, and says how many are.
    ///
    /// Moves what is available: ranges from before no longer hold.
    pub(crate) fn fill(&mut self, count: usize) -> Result<usize, Problem> {
        if self.end - self.start < count {
            self.read_on(count)?;
        }
        Ok(self.end - self.start)
    }

    fn read_on(&mut self, count: usize) -> Result<(), Problem> {
        if self.sniffed {
            let size = self.bytes.len().max(SIZE);
            self.bytes.resize(size, 0);
        } else {
            self.sniffed = true;
            self.read(gzip::MAGIC.len())?;
            if self.available().starts_with(&gzip::MAGIC) {
                self.gzip = Some(Box::new(Gzip::new(self.available())));
                (self.start, self.end) = (0, 0);
            }
        }
        self.read(count)
    }

    fn read(&mut self, count: usize) -> Result<(), Problem> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < count {
            if self.end == self.bytes.len() {
                // By what has arrived, not by what was claimed.
                self.bytes.resize(count.min(self.bytes.len() * 2), 0);
            }
            let room = self.bytes.get_mut(self.end..).unwrap_or_default();
            let read = match &mut self.gzip {
                None => gzip::read(&mut self.input, room)?,
                Some(gzip) => {
                    gzip.read(&mut self.input, room).inspect_err(|_| self.in_gzip = true)?
                }
            };
            if read == 0 {
                break;
            }
            self.end += read;
        }
        Ok(())
    }

    pub(crate) fn available(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Where [`Buffer::available`] starts, for ranges that [`Buffer::get`] takes.
    pub(crate) fn position(&self) -> usize {
        self.start
    }

    /// Uses up `count` bytes and says where they lie, until the next `fill`.
    pub(crate) fn consume(&mut self, count: usize) -> Range<usize> {
        let range = self.start..self.end.min(self.start.saturating_add(count));
        self.start = range.end;
        self.offset += wide(range.len());
        range
    }

    pub(crate) fn get(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Where the reading stands when `problem` was met.
    pub(crate) fn error(&self, file: u32, problem: Problem) -> CaptureError {
        match &self.gzip {
            Some(gzip) if self.in_gzip => {
                CaptureError { file, offset: gzip.offset(), decompressed: false, problem }
            }
            gzip => {
                CaptureError { file, offset: self.offset, decompressed: gzip.is_some(), problem }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Trickle<'a>(&'a [u8]);

    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let count = out.len().min(3);
            self.0.read(&mut out[..count])
        }
    }

    #[test]
    fn short_reads_are_joined() {
        let bytes: Vec<u8> = (0..=255).collect();
        let mut buffer = Buffer::new(Trickle(&bytes));
        assert!(buffer.fill(100).unwrap() >= 100);
        let range = buffer.consume(100);
        assert_eq!(buffer.get(range), &bytes[..100]);
        assert_eq!(buffer.fill(500).unwrap(), 156);
        assert_eq!(buffer.available(), &bytes[100..]);
        assert_eq!(buffer.error(0, Problem::NotACapture).offset, 100);
    }

    #[test]
    fn memory_follows_what_arrives_not_what_is_asked_for() {
        let mut buffer = Buffer::new(&[1_u8, 2, 3][..]);
        assert_eq!(buffer.fill(usize::MAX).unwrap(), 3);
        assert_eq!(buffer.bytes.len(), FIRST);
        let big = vec![7; SIZE + 1];
        let mut buffer = Buffer::new(&big[..]);
        assert_eq!(buffer.fill(FIRST).unwrap(), FIRST);
        assert_eq!(buffer.bytes.len(), FIRST);
        assert_eq!(buffer.fill(usize::MAX).unwrap(), SIZE + 1);
        assert_eq!(buffer.bytes.len(), SIZE * 2);
    }
}
