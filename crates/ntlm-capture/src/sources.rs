//! Several files as one: what comes next is the earliest of what each file has next.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    io::{self, Read},
    iter::Fuse,
    ops::Range,
};

use crate::{
    bytes::index,
    error::CaptureError,
    event::Timestamp,
    file::{File, Record},
    limits::Limits,
};

/// The files of a capture. Of each that is open the next record is known, and nothing beyond.
pub(crate) struct Sources<F: Iterator, R> {
    files: Fuse<F>,
    /// By number; `None` once there is nothing more in it.
    open: Vec<Option<Box<Source<R>>>>,
    /// Each open file but the current one by the time of what it has next, then by number.
    order: BinaryHeap<Reverse<(Timestamp, u32)>>,
    /// The file of the present record.
    current: Option<u32>,
    /// Frames so far, of all files.
    frames: u64,
}

struct Source<R> {
    file: File<R>,
    next: Option<Record>,
    /// Of the latest record that had one. What has none keeps its place behind that.
    time: Timestamp,
    /// Frames that have been counted.
    counted: u64,
}

impl<F: Iterator<Item = io::Result<R>>, R: Read> Sources<F, R> {
    pub(crate) fn new(files: F) -> Self {
        let (open, order) = (Vec::new(), BinaryHeap::new());
        Self { files: files.fuse(), open, order, current: None, frames: 0 }
    }

    /// The next record of all; `None` at the end of the last file. An error ends one file, not the others.
    pub(crate) fn next(&mut self, limits: &Limits) -> Result<Option<Record>, CaptureError> {
        // The present record has been dealt with, so its file may read on.
        if let Some(number) = self.current.take() {
            self.look_ahead(number, limits)?;
        }
        while let Some(file) = self.files.next() {
            let number = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
            match file {
                Ok(input) => {
                    let file = File::new(input, number);
                    let source = Source { file, next: None, time: Timestamp(0), counted: 0 };
                    self.open.push(Some(Box::new(source)));
                    self.look_ahead(number, limits)?;
                }
                Err(error) => {
                    self.open.push(None);
                    let problem = error.into();
                    return Err(CaptureError {
                        file: number,
                        offset: 0,
                        decompressed: false,
                        problem,
                    });
                }
            }
        }
        let Some(Reverse((_, number))) = self.order.pop() else { return Ok(None) };
        self.current = Some(number);
        let Some(Some(source)) = self.open.get_mut(index(number)) else { return Ok(None) };
        let mut record = source.next.take();
        if let Some(Record::Packet(packet)) = &mut record {
            self.frames += packet.origin.frame_in_file - source.counted;
            source.counted = packet.origin.frame_in_file;
            packet.origin.frame = self.frames;
        }
        Ok(record)
    }

    /// Which file the present record is of.
    pub(crate) fn current(&self) -> u32 {
        self.current.unwrap_or_default()
    }

    /// Bytes of the present record.
    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        let source = self.current.and_then(|number| self.open.get(index(number))?.as_ref());
        source.map(|source| source.file.bytes(range)).unwrap_or_default()
    }

    fn look_ahead(&mut self, number: u32, limits: &Limits) -> Result<(), CaptureError> {
        let Some(place) = self.open.get_mut(index(number)) else { return Ok(()) };
        let Some(source) = place else { return Ok(()) };
        let next = source.file.next(limits);
        if let Ok(Some(record)) = next {
            if let Record::Packet(packet) = &record {
                source.time = packet.origin.time.unwrap_or(source.time);
            }
            self.order.push(Reverse((source.time, number)));
            source.next = Some(record);
            return Ok(());
        }
        self.frames += source.file.frames() - source.counted;
        *place = None;
        next.map(|_| ())
    }
}
