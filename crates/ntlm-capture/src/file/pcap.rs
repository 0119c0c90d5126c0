use std::io::Read;

use super::captured::{Captured, check_length, require};
use crate::{
    buffer::Buffer,
    bytes::{Order, index, wide},
    error::{Part, Problem},
    event::Timestamp,
    limits::Limits,
    link::LinkType,
};

const FILE_HEADER: usize = 24;
const PACKET_HEADER: usize = 16;
/// That of kernels patched by Alexey Kuznetzov: interface, protocol and packet type come after the usual fields.
const PATCHED_PACKET_HEADER: usize = 24;

/// The classic format: a file header, then packets (draft-ietf-opsawg-pcap).
pub(super) struct Pcap {
    order: Order,
    nanoseconds_per_tick: u64,
    header_len: usize,
    link_type: LinkType,
    first: bool,
}

impl Pcap {
    pub(super) fn read<R: Read>(buffer: &mut Buffer<R>, magic: [u8; 4]) -> Result<Self, Problem> {
        let (order, nanoseconds_per_tick, header_len) = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] => (Order::Big, 1000, PACKET_HEADER),
            [0xd4, 0xc3, 0xb2, 0xa1] => (Order::Little, 1000, PACKET_HEADER),
            [0xa1, 0xb2, 0x3c, 0x4d] => (Order::Big, 1, PACKET_HEADER),
            [0x4d, 0x3c, 0xb2, 0xa1] => (Order::Little, 1, PACKET_HEADER),
            [0xa1, 0xb2, 0xcd, 0x34] => (Order::Big, 1000, PATCHED_PACKET_HEADER),
            [0x34, 0xcd, 0xb2, 0xa1] => (Order::Little, 1000, PATCHED_PACKET_HEADER),
            _ => return Err(Problem::NotACapture),
        };
        require(buffer, Part::FileHeader, FILE_HEADER)?;
        let header = buffer.available();
        match (order.u16(header, 4), order.u16(header, 6)) {
            (Some(2), _) => {}
            (major, minor) => {
                let (major, minor) = (major.unwrap_or_default(), minor.unwrap_or_default());
                return Err(Problem::UnknownVersion { major, minor });
            }
        }
        let network = order.u32(header, 20).unwrap_or_default();
        buffer.consume(FILE_HEADER);
        // The upper half tells of a frame check sequence, which the IP length leaves out anyway.
        let link_type = LinkType(u16::try_from(network & 0xffff).unwrap_or_default());
        Ok(Self { order, nanoseconds_per_tick, header_len, link_type, first: true })
    }

    pub(super) fn next<R: Read>(
        &mut self,
        buffer: &mut Buffer<R>,
        limits: &Limits,
    ) -> Result<Option<Captured>, Problem> {
        if buffer.fill(self.header_len)? == 0 {
            return Ok(None);
        }
        require(buffer, Part::PacketHeader, self.header_len)?;
        let header = buffer.available();
        let field = |at| self.order.u32(header, at).unwrap_or_default();
        let (seconds, ticks, captured_len, original_len) =
            (field(0), field(4), field(8), field(12));
        let length = index(captured_len);
        check_length(Part::PacketData, length, limits)?;
        let found = buffer.fill(self.header_len + length)? - self.header_len;
        if found < length {
            let (expected, found) = (wide(length), wide(found));
            return Err(Problem::Truncated { part: Part::PacketData, expected, found });
        }
        buffer.consume(self.header_len);
        let bytes = buffer.consume(length);
        let time =
            u64::from(seconds) * 1_000_000_000 + u64::from(ticks) * self.nanoseconds_per_tick;
        Ok(Some(Captured {
            time: Some(Timestamp(time)),
            link_type: self.link_type,
            interface: 0,
            first: std::mem::take(&mut self.first),
            original_len: original_len.max(captured_len),
            bytes,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::{File, Record};

    /// A file of one packet `abc` at 2 s and 3 ticks, which had five bytes on the wire.
    fn file(magic: [u8; 4], field: fn(u32) -> [u8; 4], extra: usize) -> Vec<u8> {
        let short = |value| match field(1)[0] {
            0 => u16::to_be_bytes(value),
            _ => u16::to_le_bytes(value),
        };
        let mut file = magic.to_vec();
        file.extend([short(2), short(4)].concat());
        for value in [0, 0, 65_535, 0xf400_0071, 2, 3, 3, 5] {
            file.extend(field(value));
        }
        file.extend(vec![0; extra]);
        file.extend(b"abc");
        file
    }

    fn read(file: &[u8]) -> Result<(u64, LinkType, Vec<u8>, u32), Problem> {
        let mut file = File::new(file, 0);
        match file.next(&Limits::default()).map_err(|error| error.problem)? {
            Some(Record::Packet(packet)) => {
                assert_eq!((packet.origin.frame, packet.first, packet.interface), (1, true, 0));
                let bytes = file.bytes(packet.bytes.clone()).to_vec();
                let time = packet.origin.time.unwrap();
                assert!(file.next(&Limits::default()).unwrap().is_none());
                Ok((time.0, packet.link_type, bytes, packet.original_len))
            }
            _ => panic!("no packet"),
        }
    }

    #[test]
    fn each_magic_tells_byte_order_and_resolution() {
        for (file, nanoseconds) in [
            (file([0xa1, 0xb2, 0xc3, 0xd4], u32::to_be_bytes, 0), 3000),
            (file([0xd4, 0xc3, 0xb2, 0xa1], u32::to_le_bytes, 0), 3000),
            (file([0xa1, 0xb2, 0x3c, 0x4d], u32::to_be_bytes, 0), 3),
            (file([0x4d, 0x3c, 0xb2, 0xa1], u32::to_le_bytes, 0), 3),
            (file([0xa1, 0xb2, 0xcd, 0x34], u32::to_be_bytes, 8), 3000),
            (file([0x34, 0xcd, 0xb2, 0xa1], u32::to_le_bytes, 8), 3000),
        ] {
            let expected = (2_000_000_000 + nanoseconds, LinkType::LINUX_SLL, b"abc".to_vec(), 5);
            assert_eq!(read(&file).unwrap(), expected);
        }
    }

    #[test]
    fn every_prefix_is_truncated_and_says_where() {
        let whole = file([0xa1, 0xb2, 0xc3, 0xd4], u32::to_be_bytes, 0);
        for length in 0..whole.len() {
            let mut file = File::new(&whole[..length], 7);
            match file.next(&Limits::default()) {
                Ok(None) => assert_eq!(length, FILE_HEADER),
                Ok(Some(_)) => panic!("a packet out of {length} bytes"),
                Err(error) => {
                    let (offset, part) = match length {
                        0..24 => (0, Part::FileHeader),
                        24..40 => (24, Part::PacketHeader),
                        _ => (24, Part::PacketData),
                    };
                    assert_eq!((error.file, error.offset), (7, offset));
                    match error.problem {
                        Problem::NotACapture => assert!(length < 4),
                        Problem::Truncated { part: found, .. } => assert_eq!(found, part),
                        other => panic!("{other}"),
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_no_pcap_is_refused() {
        assert!(matches!(read(b"GIF89a"), Err(Problem::NotACapture)));
        let mut version = file([0xa1, 0xb2, 0xc3, 0xd4], u32::to_be_bytes, 0);
        version[5] = 3;
        assert!(matches!(read(&version), Err(Problem::UnknownVersion { major: 3, minor: 4 })));
    }
}
