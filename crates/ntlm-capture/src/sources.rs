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
        if let Some(number) = self.current.take()
            && let Some((time, record)) = self.read(number, limits)?
        {
            let is_first = self.order.peek().is_none_or(|Reverse(other)| (time, number) < *other);
            if is_first {
                return Ok(Some(self.tell(number, record)));
            }
            self.keep(number, time, record);
        }
        while let Some(file) = self.files.next() {
            let number = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
            let file = match file {
                Ok(input) => File::new(input, number),
                Err(error) => {
                    self.open.push(None);
                    let (file, problem) = (number, error.into());
                    return Err(CaptureError { file, offset: 0, decompressed: false, problem });
                }
            };
            let source = Source { file, next: None, time: Timestamp(0), counted: 0 };
            self.open.push(Some(Box::new(source)));
            if let Some((time, record)) = self.read(number, limits)? {
                self.keep(number, time, record);
            }
        }
        let Some(Reverse((_, number))) = self.order.pop() else { return Ok(None) };
        let next = self.source(number).and_then(|source| source.next.take());
        Ok(next.map(|record| self.tell(number, record)))
    }

    fn source(&mut self, number: u32) -> Option<&mut Source<R>> {
        self.open.get_mut(index(number))?.as_deref_mut()
    }

    /// Keeps a record until it is the earliest.
    fn keep(&mut self, number: u32, time: Timestamp, record: Record) {
        self.order.push(Reverse((time, number)));
        if let Some(source) = self.source(number) {
            source.next = Some(record);
        }
    }

    /// Makes a record the present one, and numbers its frame.
    fn tell(&mut self, number: u32, mut record: Record) -> Record {
        self.current = Some(number);
        if let Record::Packet(packet) = &mut record {
            let frames = packet.origin.frame_in_file;
            let counted = self.source(number).map(|it| std::mem::replace(&mut it.counted, frames));
            self.frames += frames - counted.unwrap_or(frames);
            packet.origin.frame = self.frames;
        }
        record
    }

    /// Reads the next record of a file, and says when it is; at the end of the file, lets go of it.
    fn read(
        &mut self,
        number: u32,
        limits: &Limits,
    ) -> Result<Option<(Timestamp, Record)>, CaptureError> {
        let Some(source) = self.source(number) else { return Ok(None) };
        let next = source.file.next(limits);
        if let Ok(Some(record)) = next {
            if let Record::Packet(packet) = &record {
                source.time = packet.origin.time.unwrap_or(source.time);
            }
            return Ok(Some((source.time, record)));
        }
        let rest = source.file.frames() - source.counted;
        self.frames += rest;
        if let Some(place) = self.open.get_mut(index(number)) {
            *place = None;
        }
        next.map(|_| None)
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
}
