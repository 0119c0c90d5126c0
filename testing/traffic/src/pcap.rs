//! Classic pcap files of Ethernet frames.

use crate::error::TrafficError;
use std::io::{self, Write};

/// A frame and when it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Nanoseconds since 1970-01-01 UTC.
    pub nanos: u64,
    /// As much of it as was captured.
    pub bytes: Vec<u8>,
    /// Its length on the wire.
    pub length: u32,
}

impl Packet {
    /// A frame that was captured whole.
    #[must_use]
    pub fn whole(nanos: u64, bytes: Vec<u8>) -> Self {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        Self { nanos, bytes, length }
    }
}

/// What LINKTYPE_ETHERNET is in file headers.
pub const ETHERNET: u32 = 1;

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
/// The longest frame that is believed.
const MAX_FRAME: usize = 1 << 24;

/// Reads a whole file, of either byte order and resolution.
///
/// # Errors
///
/// It is no pcap file, has no Ethernet frames, or ends within one.
pub fn read(file: &[u8]) -> Result<Vec<Packet>, TrafficError> {
    let magic: [u8; 4] = *file.first_chunk().ok_or(TrafficError::NotPcap)?;
    let (big, nanoseconds) = match (u32::from_be_bytes(magic), u32::from_le_bytes(magic)) {
        (MICROSECONDS, _) => (true, false),
        (NANOSECONDS, _) => (true, true),
        (_, MICROSECONDS) => (false, false),
        (_, NANOSECONDS) => (false, true),
        _ => return Err(TrafficError::NotPcap),
    };
    let number = |bytes: &[u8], at: usize| -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let link_type = number(file, 20).ok_or(TrafficError::NotPcap)?;
    if link_type != ETHERNET {
        return Err(TrafficError::LinkType(link_type));
    }
    let mut packets = Vec::new();
    let mut rest = file.get(24..).unwrap_or_default();
    while !rest.is_empty() {
        let packet = || {
            let (seconds, fraction) = (number(rest, 0)?, number(rest, 4)?);
            let captured = usize::try_from(number(rest, 8)?).ok().filter(|n| *n <= MAX_FRAME)?;
            let length = number(rest, 12)?;
            let bytes = rest.get(16..16 + captured)?.to_vec();
            let fraction = u64::from(fraction) * if nanoseconds { 1 } else { 1000 };
            let nanos = u64::from(seconds) * 1_000_000_000 + fraction;
            Some((Packet { nanos, bytes, length }, rest.get(16 + captured..)?))
        };
        let (packet, after) = packet().ok_or(TrafficError::CutShort(packets.len() + 1))?;
        packets.push(packet);
        rest = after;
    }
    Ok(packets)
}

/// The file of these packets: to the microsecond if all times are, else to the nanosecond.
#[must_use]
pub fn write(packets: &[Packet]) -> Vec<u8> {
    let nanoseconds = packets.iter().any(|packet| packet.nanos % 1000 != 0);
    let mut file = header(nanoseconds).to_vec();
    for packet in packets {
        file.extend_from_slice(&record_header(packet, nanoseconds));
        file.extend_from_slice(&packet.bytes);
    }
    file
}

/// Writes packets one at a time, to the microsecond.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    written: u64,
}

impl<W: Write> Writer<W> {
    /// Writes the header of the file.
    ///
    /// # Errors
    ///
    /// Writing failed.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(&header(false))?;
        Ok(Self { out, written: 24 })
    }

    /// Writes one packet.
    ///
    /// # Errors
    ///
    /// Writing failed.
    pub fn packet(&mut self, packet: &Packet) -> io::Result<()> {
        self.out.write_all(&record_header(packet, false))?;
        self.out.write_all(&packet.bytes)?;
        let length = u64::try_from(packet.bytes.len()).unwrap_or(u64::MAX);
        self.written = self.written.saturating_add(length).saturating_add(16);
        Ok(())
    }

    /// Flushes, and says how many bytes there are.
    ///
    /// # Errors
    ///
    /// Writing failed.
    pub fn finish(mut self) -> io::Result<u64> {
        self.out.flush()?;
        Ok(self.written)
    }
}

fn header(nanoseconds: bool) -> [u8; 24] {
    let magic = if nanoseconds { NANOSECONDS } else { MICROSECONDS };
    let mut header = [0; 24];
    let fields = [magic, 2 | (4 << 16), 0, 0, 1 << 18, ETHERNET];
    for (place, field) in header.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    header
}

fn record_header(packet: &Packet, nanoseconds: bool) -> [u8; 16] {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let fraction = packet.nanos % 1_000_000_000 / if nanoseconds { 1 } else { 1000 };
    let captured = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
    let fields = [narrow(packet.nanos / 1_000_000_000), narrow(fraction), captured, packet.length];
    let mut header = [0; 16];
    for (place, field) in header.chunks_exact_mut(4).zip(fields) {
        place.copy_from_slice(&field.to_le_bytes());
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let micro = vec![Packet::whole(1_700_000_000_123_456_000, vec![1; 60])];
        assert_eq!(read(&write(&micro)).unwrap(), micro);
        let nano = vec![Packet { nanos: 7, bytes: vec![2; 14], length: 1514 }];
        assert_eq!(read(&write(&nano)).unwrap(), nano);
        let mut writer = Writer::new(Vec::new()).unwrap();
        writer.packet(micro.first().unwrap()).unwrap();
        assert_eq!((writer.written, writer.out.clone()), (100, write(&micro)));
    }

    #[test]
    fn every_prefix_is_read_or_refused() {
        let file = write(&[Packet::whole(1000, vec![1; 20]), Packet::whole(2000, vec![2; 20])]);
        for length in 0..file.len() {
            let whole = [24, 60].contains(&length);
            assert_eq!(read(&file[..length]).is_ok(), whole, "{length}");
        }
    }
}
