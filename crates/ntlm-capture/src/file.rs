//! Capture files: which format, and packets and blocks out of it.

mod captured;
mod pcap;
mod pcapng;

use std::{io::Read, ops::Range};

use captured::Captured;

use crate::{
    buffer::Buffer,
    bytes::Order,
    error::{CaptureError, Problem},
    event::Origin,
    limits::Limits,
    link::LinkType,
};

/// A file as far as it has been read.
pub(crate) struct File<R> {
    buffer: Buffer<R>,
    number: u32,
    frames: u64,
    format: Option<Format>,
}

enum Format {
    Pcap(pcap::Pcap),
    PcapNg(pcapng::PcapNg),
}

/// Something out of a file. Ranges are good for [`File::bytes`] until the next one is read.
pub(crate) enum Record {
    Packet(Packet),
    Secrets { kind: u32, bytes: Range<usize> },
    Names { order: Order, records: Range<usize> },
}

pub(crate) struct Packet {
    pub(crate) origin: Origin,
    pub(crate) link_type: LinkType,
    /// Within the section.
    pub(crate) interface: u32,
    /// This interface's first packet.
    pub(crate) first: bool,
    /// On the wire; may be more than was captured.
    pub(crate) original_len: u32,
    pub(crate) bytes: Range<usize>,
}

impl<R: Read> File<R> {
    pub(crate) fn new(input: R, number: u32) -> Self {
        Self { buffer: Buffer::new(input), number, frames: 0, format: None }
    }

    /// How many frames have been read, those without a packet too.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    pub(crate) fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.buffer.get(range)
    }

    /// The next record; `None` at the end of the file. After an error there is none to be had.
    pub(crate) fn next(&mut self, limits: &Limits) -> Result<Option<Record>, CaptureError> {
        self.read(limits).map_err(|problem| self.buffer.error(self.number, problem))
    }

    fn read(&mut self, limits: &Limits) -> Result<Option<Record>, Problem> {
        let format = match &mut self.format {
            Some(format) => format,
            none => none.insert(recognize(&mut self.buffer)?),
        };
        let captured = match format {
            Format::Pcap(pcap) => pcap.next(&mut self.buffer, limits)?,
            Format::PcapNg(section) => loop {
                match section.next(&mut self.buffer, limits)? {
                    None => break None,
                    Some(pcapng::Block::Packet(captured)) => break Some(captured),
                    Some(pcapng::Block::JournalEntry) => self.frames += 1,
                    Some(pcapng::Block::Secrets { kind, bytes }) => {
                        return Ok(Some(Record::Secrets { kind, bytes }));
                    }
                    Some(pcapng::Block::Names { order, records }) => {
                        return Ok(Some(Record::Names { order, records }));
                    }
                }
            },
        };
        Ok(captured.map(|captured| {
            self.frames += 1;
            let Captured { time, link_type, interface, first, original_len, bytes } = captured;
            let (file, frames) = (self.number, self.frames);
            let origin = Origin { frame: frames, file, frame_in_file: frames, time };
            Record::Packet(Packet { origin, link_type, interface, first, original_len, bytes })
        }))
    }
}

fn recognize<R: Read>(buffer: &mut Buffer<R>) -> Result<Format, Problem> {
    buffer.fill(4)?;
    let Some(&magic) = buffer.available().first_chunk() else { return Err(Problem::NotACapture) };
    if magic == pcapng::SECTION_HEADER {
        return Ok(Format::PcapNg(pcapng::PcapNg::new()));
    }
    pcap::Pcap::read(buffer, magic).map(Format::Pcap)
}
