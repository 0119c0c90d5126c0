use std::{io::Read, ops::Range};

use super::captured::{Captured, check_length, require};
use crate::{
    buffer::Buffer,
    bytes::{Order, index, wide},
    error::{Part, Problem},
    event::Timestamp,
    limits::Limits,
    link::LinkType,
};

pub(super) const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

const SECTION_HEADER_TYPE: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const NAME_RESOLUTION: u32 = 4;
const ENHANCED_PACKET: u32 = 6;
const JOURNAL_EXPORT: u32 = 9;
const DECRYPTION_SECRETS: u32 = 10;

/// Type and length in front, length behind.
const FRAMING: usize = 12;

/// The current section of a pcapng file (draft-ietf-opsawg-pcapng).
pub(super) struct PcapNg {
    order: Order,
    interfaces: Vec<Interface>,
}

struct Interface {
    link_type: LinkType,
    snap_len: u32,
    resolution: Resolution,
    /// Seconds to add.
    offset: i64,
    used: bool,
}

/// How long a tick is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// A whole number of nanoseconds.
    Nanoseconds(u64),
    /// So many in a second.
    PerSecond(u128),
    /// So many in a second that 64 bits of them are no second.
    Instant,
}

/// A block that matters outside.
pub(super) enum Block {
    Packet(Captured),
    Secrets {
        kind: u32,
        bytes: Range<usize>,
    },
    Names {
        order: Order,
        records: Range<usize>,
    },
    /// Not a packet, but Wireshark counts it as a frame.
    JournalEntry,
}

impl PcapNg {
    pub(super) fn new() -> Self {
        Self { order: Order::Little, interfaces: Vec::new() }
    }

    pub(super) fn next<R: Read>(
        &mut self,
        buffer: &mut Buffer<R>,
        limits: &Limits,
    ) -> Result<Option<Block>, Problem> {
        loop {
            if buffer.fill(FRAMING)? == 0 {
                return Ok(None);
            }
            require(buffer, Part::Block, FRAMING)?;
            let head = buffer.available();
            if head.starts_with(&SECTION_HEADER) {
                self.order = match head.get(8..12) {
                    Some([0x1a, 0x2b, 0x3c, 0x4d]) => Order::Big,
                    Some([0x4d, 0x3c, 0x2b, 0x1a]) => Order::Little,
                    _ => return Err(Problem::ByteOrderMagic),
                };
                self.interfaces.clear();
            }
            let kind = self.order.u32(head, 0).unwrap_or_default();
            let leading = self.order.u32(head, 4).unwrap_or_default();
            let length = index(leading);
            if length < FRAMING || !length.is_multiple_of(4) {
                return Err(wrong_length(leading));
            }
            check_length(Part::Block, length, limits)?;
            require(buffer, Part::Block, length)?;
            let block = buffer.available();
            let trailing = self.order.u32(block, length - 4).unwrap_or_default();
            if leading != trailing {
                return Err(Problem::LengthsDiffer { leading, trailing });
            }
            let body = block.get(8..length - 4).unwrap_or_default();
            // Nothing moves before the next `fill`, so this is where the body will still lie.
            let start = buffer.position() + 8;
            let read = self.block(kind, body, start, limits);
            let block = read?.map_err(|Short| wrong_length(leading))?;
            buffer.consume(length);
            if let Some(block) = block {
                return Ok(Some(block));
            }
        }
    }

    /// Reads a block's body, which lies at `start` in the buffer.
    fn block(
        &mut self,
        kind: u32,
        body: &[u8],
        start: usize,
        limits: &Limits,
    ) -> Result<Result<Option<Block>, Short>, Problem> {
        let order = self.order;
        let u16 = |at| order.u16(body, at);
        let u32 = |at| order.u32(body, at);
        // Each field in wire order; `None` if the body ends before the last one.
        let packet = match kind {
            SECTION_HEADER_TYPE => match (u16(4), u16(6)) {
                (Some(1), Some(_)) => return Ok(Ok(None)),
                (Some(major), Some(minor)) => return Err(Problem::UnknownVersion { major, minor }),
                _ => None,
            },
            INTERFACE_DESCRIPTION => {
                if self.interfaces.len() >= limits.interfaces {
                    return Err(Problem::TooManyInterfaces);
                }
                let interface = Interface::read(order, body);
                return Ok(interface
                    .map(|interface| self.interfaces.push(interface))
                    .map(|()| None)
                    .ok_or(Short));
            }
            ENHANCED_PACKET => (|| {
                Some(Fields {
                    interface: u32(0)?,
                    ticks: Some((u32(4)?, u32(8)?)),
                    captured_len: u32(12)?,
                    original_len: u32(16)?,
                    data: 20,
                })
            })(),
            OBSOLETE_PACKET => (|| {
                Some(Fields {
                    interface: u16(0)?.into(),
                    ticks: Some((u32(4)?, u32(8)?)),
                    captured_len: u32(12)?,
                    original_len: u32(16)?,
                    data: 20,
                })
            })(),
            SIMPLE_PACKET => (|| {
                let original_len = u32(0)?;
                let snap_len =
                    self.interfaces.first().map_or(u32::MAX, |interface| interface.snap_len);
                // Only the block's length tells what was captured, and that counts the padding.
                let room = u32::try_from(body.len().checked_sub(4)?).ok()?;
                let captured_len = original_len.min(snap_len).min(room);
                Some(Fields { interface: 0, ticks: None, captured_len, original_len, data: 4 })
            })(),
            NAME_RESOLUTION => {
                return Ok(Ok(Some(Block::Names { order, records: start..start + body.len() })));
            }
            DECRYPTION_SECRETS => {
                return Ok((|| {
                    let (kind, length) = (u32(0).ok_or(Short)?, index(u32(4).ok_or(Short)?));
                    body.get(8..).and_then(|rest| rest.get(..length)).ok_or(Short)?;
                    let bytes = start + 8..start + 8 + length;
                    Ok(Some(Block::Secrets { kind, bytes }))
                })());
            }
            JOURNAL_EXPORT => return Ok(Ok(Some(Block::JournalEntry))),
            _ => return Ok(Ok(None)),
        };
        let Some(fields) = packet else { return Ok(Err(Short)) };
        let length = index(fields.captured_len);
        check_length(Part::PacketData, length, limits)?;
        if body.get(fields.data..).is_none_or(|rest| rest.len() < length) {
            return Err(Problem::WrongLength { part: Part::PacketData, length: wide(length) });
        }
        let Some(interface) = self.interfaces.get_mut(index(fields.interface)) else {
            return Err(Problem::UnknownInterface(fields.interface));
        };
        let bytes = start + fields.data..start + fields.data + length;
        Ok(Ok(Some(Block::Packet(Captured {
            time: fields
                .ticks
                .map(|(high, low)| interface.time(u64::from(high) << 32 | u64::from(low))),
            link_type: interface.link_type,
            interface: fields.interface,
            first: !std::mem::replace(&mut interface.used, true),
            original_len: fields.original_len.max(fields.captured_len),
            bytes,
        }))))
    }
}

/// The block ends before its last field.
struct Short;

/// What the three kinds of packet block have in common.
struct Fields {
    interface: u32,
    /// Upper and lower half.
    ticks: Option<(u32, u32)>,
    captured_len: u32,
    original_len: u32,
    /// Where the packet starts in the body.
    data: usize,
}

fn wrong_length(length: u32) -> Problem {
    Problem::WrongLength { part: Part::Block, length: length.into() }
}

impl Interface {
    fn read(order: Order, body: &[u8]) -> Option<Self> {
        const IF_TSRESOL: u16 = 9;
        const IF_TSOFFSET: u16 = 14;

        let mut interface = Self {
            link_type: LinkType(order.u16(body, 0)?),
            snap_len: match order.u32(body, 4)? {
                0 => u32::MAX,
                snap_len => snap_len,
            },
            resolution: Resolution::Nanoseconds(1000),
            offset: 0,
            used: false,
        };
        let mut options = body.get(8..)?;
        while let (Some(code), Some(length)) = (order.u16(options, 0), order.u16(options, 2)) {
            let length = usize::from(length);
            let Some(value) = options.get(4..).and_then(|rest| rest.get(..length)) else { break };
            match (code, value) {
                (0, _) => break,
                (IF_TSRESOL, [resolution]) => interface.resolution = Resolution::read(*resolution),
                (IF_TSOFFSET, value) => interface.offset = order.i64(value, 0).unwrap_or_default(),
                _ => {}
            }
            options = options.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
        Some(interface)
    }

    fn time(&self, ticks: u64) -> Timestamp {
        let nanoseconds = match self.resolution {
            Resolution::Nanoseconds(factor) => u128::from(ticks) * u128::from(factor),
            Resolution::PerSecond(ticks_per_second) => {
                u128::from(ticks) * 1_000_000_000 / ticks_per_second
            }
            Resolution::Instant => 0,
        };
        let nanoseconds = i128::try_from(nanoseconds).unwrap_or(i128::MAX);
        let nanoseconds = nanoseconds.saturating_add(i128::from(self.offset) * 1_000_000_000);
        Timestamp(u64::try_from(nanoseconds.max(0)).unwrap_or(u64::MAX))
    }
}

impl Resolution {
    /// A power of ten, or of two if the top bit is set, both negative.
    fn read(resolution: u8) -> Self {
        let exponent = u32::from(resolution & 0x7f);
        match resolution & 0x80 {
            0 if exponent <= 9 => Self::Nanoseconds(10_u64.pow(9 - exponent)),
            0 => 10_u128.checked_pow(exponent).map_or(Self::Instant, Self::PerSecond),
            _ => Self::PerSecond(1 << exponent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::CaptureError,
        file::{File, Record},
    };

    /// Writes sections in one byte order.
    struct Writer {
        order: Order,
        bytes: Vec<u8>,
    }

    impl Writer {
        fn new(order: Order) -> Self {
            let mut writer = Self { order, bytes: Vec::new() };
            writer.section();
            writer
        }

        fn u16(&self, value: u16) -> [u8; 2] {
            if self.order == Order::Big { value.to_be_bytes() } else { value.to_le_bytes() }
        }

        fn u32(&self, value: u32) -> [u8; 4] {
            if self.order == Order::Big { value.to_be_bytes() } else { value.to_le_bytes() }
        }

        fn block(&mut self, kind: u32, body: &[u8]) {
            let padded = body.len().next_multiple_of(4);
            let length = self.u32(u32::try_from(padded + FRAMING).unwrap());
            self.bytes.extend(self.u32(kind));
            self.bytes.extend(length);
            self.bytes.extend(body);
            self.bytes.extend(vec![0; padded - body.len()]);
            self.bytes.extend(length);
        }

        fn section(&mut self) {
            let mut body = self.u32(0x1a2b_3c4d).to_vec();
            body.extend([self.u16(1), self.u16(0)].concat());
            body.extend([0xff; 8]);
            self.block(SECTION_HEADER_TYPE, &body);
        }

        fn interface(&mut self, link_type: u16, snap_len: u32, options: &[(u16, &[u8])]) {
            let mut body = [self.u16(link_type), [0; 2]].concat();
            body.extend(self.u32(snap_len));
            for (code, value) in options {
                body.extend(
                    [self.u16(*code), self.u16(u16::try_from(value.len()).unwrap())].concat(),
                );
                body.extend(*value);
                body.resize(body.len().next_multiple_of(4), 0);
            }
            self.block(INTERFACE_DESCRIPTION, &body);
        }

        fn packet(&mut self, interface: u32, ticks: u64, original_len: u32, bytes: &[u8]) {
            let (high, low) =
                (u32::try_from(ticks >> 32).unwrap(), u32::try_from(ticks & 0xffff_ffff).unwrap());
            let captured_len = u32::try_from(bytes.len()).unwrap();
            let mut body = Vec::new();
            for field in [interface, high, low, captured_len, original_len] {
                body.extend(self.u32(field));
            }
            body.extend(bytes);
            body.resize(body.len().next_multiple_of(4), 0);
            body.extend([0; 4]); // opt_endofopt
            self.block(ENHANCED_PACKET, &body);
        }
    }

    /// Each record in a line, and how it ended.
    fn read(file: &[u8]) -> (Vec<String>, Option<CaptureError>) {
        let mut file = File::new(file, 0);
        let mut lines = Vec::new();
        loop {
            match file.next(&Limits::default()) {
                Ok(Some(Record::Packet(packet))) => {
                    let time = packet.origin.time.map_or("-".to_owned(), |time| time.0.to_string());
                    let bytes = String::from_utf8_lossy(file.bytes(packet.bytes)).into_owned();
                    let first = if packet.first { "!" } else { "" };
                    lines.push(format!(
                        "#{} {time} {}:{}{first} {bytes} of {}",
                        packet.origin.frame,
                        packet.interface,
                        packet.link_type.0,
                        packet.original_len
                    ));
                }
                Ok(Some(Record::Secrets { kind, bytes })) => {
                    let bytes = String::from_utf8_lossy(file.bytes(bytes)).into_owned();
                    lines.push(format!("secrets {kind:x} {bytes}"));
                }
                Ok(Some(Record::Names { records, .. })) => {
                    lines.push(format!("names {:?}", file.bytes(records)));
                }
                Ok(None) => return (lines, None),
                Err(error) => return (lines, Some(error)),
            }
        }
    }

    #[test]
    fn sections_differ_in_byte_order_and_interfaces() {
        let mut writer = Writer::new(Order::Big);
        writer.interface(1, 0, &[]);
        writer.interface(113, 0, &[(2, b"eth0"), (9, &[9]), (0, b"")]);
        writer.packet(1, 5_000_000_001, 9, b"abc");
        writer.packet(0, 1 << 32, 3, b"def");
        let mut second = Writer::new(Order::Little);
        second.interface(276, 0, &[]);
        second.packet(0, 7, 2, b"gh");
        second.packet(0, 8, 2, b"ij");
        writer.bytes.extend(second.bytes);
        let (lines, error) = read(&writer.bytes);
        assert!(error.is_none());
        assert_eq!(
            lines,
            [
                "#1 5000000001 1:113! abc of 9",
                "#2 4294967296000 0:1! def of 3",
                "#3 7000 0:276! gh of 2",
                "#4 8000 0:276 ij of 2"
            ]
        );
    }

    #[test]
    fn each_interface_has_its_clock() {
        let mut writer = Writer::new(Order::Little);
        let day = (-86_400_i64).to_le_bytes();
        let minute = 60_i64.to_le_bytes();
        for options in [
            &[(9, &[0][..])][..],
            &[(9, &[3]), (14, &minute)],
            &[(9, &[12])],
            &[(9, &[0x80 | 10])],
            &[(9, &[100])],
            &[(9, &[0xff])],
            &[(14, &day)],
        ] {
            writer.interface(1, 0, options);
        }
        for interface in 0..7 {
            writer.packet(interface, 2_000_000, 0, b"");
        }
        writer.packet(0, u64::MAX, 0, b"");
        let times: Vec<_> = read(&writer.bytes)
            .0
            .iter()
            .map(|line| line.split(' ').nth(1).unwrap().to_owned())
            .collect();
        assert_eq!(
            times,
            [
                "2000000000000000",
                "2060000000000",
                "2000",
                "1953125000000",
                "0",
                "0",
                "0",
                "18446744073709551615"
            ]
        );
    }

    #[test]
    fn older_packet_blocks_and_journal_entries_count() {
        let mut writer = Writer::new(Order::Big);
        writer.interface(101, 4, &[]);
        writer.block(SIMPLE_PACKET, &[&[0, 0, 0, 9][..], b"abcd"].concat());
        writer.block(SIMPLE_PACKET, &[&[0, 0, 0, 3][..], b"abc"].concat());
        writer.block(JOURNAL_EXPORT, b"MESSAGE=x\n");
        let old =
            [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 2, 0, 0, 0, 4][..], b"xy"].concat();
        writer.block(OBSOLETE_PACKET, &old);
        writer.block(5, &[0; 40]); // interface statistics
        let (lines, error) = read(&writer.bytes);
        assert!(error.is_none());
        assert_eq!(
            lines,
            ["#1 - 0:101! abcd of 9", "#2 - 0:101 abc of 3", "#4 5000 0:101 xy of 4"]
        );
    }

    #[test]
    fn secrets_and_names_are_passed_on() {
        let mut writer = Writer::new(Order::Big);
        writer.block(DECRYPTION_SECRETS, &[&b"TLSK"[..], &[0, 0, 0, 5], b"key 1"].concat());
        writer.block(NAME_RESOLUTION, &[0, 0, 0, 0]);
        assert_eq!(read(&writer.bytes).0, ["secrets 544c534b key 1", "names [0, 0, 0, 0]"]);
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let mut writer = Writer::new(Order::Big);
        writer.interface(1, 0, &[]);
        writer.packet(0, 0, 3, b"abc");
        let whole = writer.bytes.clone();
        let start = whole.len();
        writer.packet(0, 0, 3, b"def");
        let length = writer.bytes.len() - start;

        type Damage = fn(&mut [u8]);
        let cases: [(Damage, &str); 8] = [
            (|block| block[4..8].fill(0xff), "block cannot be 4294967295 bytes long"),
            (|block| block[4] = 0x70, "block claims 1879048232 bytes, more than 16777216"),
            (|block| block[7] = 8, "block cannot be 8 bytes long"),
            (|block| block[11] = 1, "packet of undescribed interface 1"),
            (|block| block[22] = 1, "packet cannot be 259 bytes long"),
            (|block| block[20] = 1, "packet claims 16777219 bytes, more than 16777216"),
            (|block| *block.last_mut().unwrap() = 9, "block length is 40 in front and 9 behind"),
            (
                |block| block[..4].copy_from_slice(&SECTION_HEADER),
                "section header without byte-order magic",
            ),
        ];
        for (damage, expected) in cases {
            let mut bytes = writer.bytes.clone();
            damage(&mut bytes[start..]);
            let (lines, error) = read(&bytes);
            assert_eq!(lines, ["#1 0 0:1! abc of 3"], "{expected}");
            let error = error.unwrap();
            assert_eq!(error.offset, wide(start));
            assert_eq!(error.problem.to_string(), expected);
        }
        for cut in 1..length {
            let (lines, error) = read(&writer.bytes[..start + cut]);
            let error = error.unwrap();
            assert_eq!((lines.len(), error.offset), (1, wide(start)));
            assert!(matches!(error.problem, Problem::Truncated { part: Part::Block, .. }));
        }
    }

    #[test]
    fn short_blocks_and_unknown_versions_are_refused() {
        for (kind, body) in [
            (INTERFACE_DESCRIPTION, 4),
            (ENHANCED_PACKET, 16),
            (SIMPLE_PACKET, 0),
            (DECRYPTION_SECRETS, 4),
        ] {
            let mut writer = Writer::new(Order::Little);
            writer.interface(1, 0, &[]);
            writer.block(kind, &vec![0; body]);
            let error = read(&writer.bytes).1.unwrap();
            assert!(matches!(error.problem, Problem::WrongLength { part: Part::Block, .. }));
        }
        let mut writer = Writer::new(Order::Little);
        writer.bytes[12] = 2;
        let error = read(&writer.bytes).1.unwrap();
        assert!(matches!(error.problem, Problem::UnknownVersion { major: 2, minor: 0 }));
    }

    #[test]
    fn interfaces_are_bounded() {
        let mut writer = Writer::new(Order::Little);
        for _ in 0..=Limits::default().interfaces {
            writer.interface(1, 0, &[]);
        }
        assert!(matches!(read(&writer.bytes).1.unwrap().problem, Problem::TooManyInterfaces));
    }
}
