use std::{io::Read, ops::Range};

use super::{Captured, check_length, require};
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
