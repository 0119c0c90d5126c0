//! Other files with the same packets.

use crate::pcap::Packet;
use crate::random::Random;
use flate2::{Compression, write::GzEncoder};
use std::io::{self, Write};

/// How a pcapng file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many sections it has, each of the other byte order than the one before; at least 1.
    pub sections: usize,
    /// How many interfaces a section has, in turn to the microsecond and to the nanosecond; at
    /// least 1.
    pub interfaces: u32,
}

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
/// A number for local use, which no reader knows.
const LOCAL: u32 = 0x8000_0001;

/// A pcapng file. Packets go to interfaces by chance; blocks that hold no packet stand between.
#[must_use]
pub fn pcapng(packets: &[Packet], layout: Layout, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let sections = layout.sections.max(1);
    let interfaces = layout.interfaces.max(1);
    let mut file = Vec::new();
    for section in 0..sections {
        let mut blocks = Blocks { big: section % 2 == 1, out: &mut file };
        blocks.section();
        for interface in 0..interfaces {
            blocks.interface(has_nanoseconds(interface));
        }
        let from = packets.len() * section / sections;
        let to = packets.len() * (section + 1) / sections;
        for packet in packets.get(from..to).unwrap_or_default() {
            let mut interface = u32::try_from(random.below(interfaces.into())).unwrap_or_default();
            if packet.nanos % 1000 != 0 && !has_nanoseconds(interface) && interfaces > 1 {
                interface = 1;
            }
            blocks.packet(packet, interface);
            match random.below(16) {
                0 => blocks.block(LOCAL, |_, body| body.extend_from_slice(b"NTLMSSP\0none")),
                1 => blocks.block(STATISTICS, |number, body| {
                    body.extend_from_slice(&number(interface));
                    body.extend_from_slice(&[0; 8]);
                }),
                _ => {}
            }
        }
    }
    file
}

fn has_nanoseconds(interface: u32) -> bool {
    interface % 2 == 1
}

struct Blocks<'a> {
    big: bool,
    out: &'a mut Vec<u8>,
}

impl Blocks<'_> {
    fn number(big: bool, number: u32) -> [u8; 4] {
        if big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn short(&self, number: u16) -> [u8; 2] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    /// A block around a body, which is filled up to four bytes.
    fn block(&mut self, kind: u32, body: impl FnOnce(&dyn Fn(u32) -> [u8; 4], &mut Vec<u8>)) {
        let big = self.big;
        let number = |number| Self::number(big, number);
        let mut bytes = Vec::new();
        body(&number, &mut bytes);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        let length = u32::try_from(bytes.len() + 12).unwrap_or(u32::MAX);
        self.out.extend_from_slice(&number(kind));
        self.out.extend_from_slice(&number(length));
        self.out.extend_from_slice(&bytes);
        self.out.extend_from_slice(&number(length));
    }

    fn section(&mut self) {
        let version = [self.short(1), self.short(0)].concat();
        self.block(SECTION, |number, body| {
            body.extend_from_slice(&number(0x1a2b_3c4d));
            body.extend_from_slice(&version);
            body.extend_from_slice(&[0xff; 8]);
        });
    }

    fn interface(&mut self, nanoseconds: bool) {
        let link = [self.short(1), self.short(0)].concat();
        let option = [self.short(9), self.short(1)].concat();
        self.block(INTERFACE, |number, body| {
            body.extend_from_slice(&link);
            body.extend_from_slice(&number(0));
            if nanoseconds {
                body.extend_from_slice(&option);
                body.extend_from_slice(&[9, 0, 0, 0]);
                body.extend_from_slice(&[0; 4]);
            }
        });
    }

    fn packet(&mut self, packet: &Packet, interface: u32) {
        let time = packet.nanos / if has_nanoseconds(interface) { 1 } else { 1000 };
        let captured = u32::try_from(packet.bytes.len()).unwrap_or(u32::MAX);
        let half = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap_or_default();
        let fields = [interface, half(time >> 32), half(time), captured, packet.length];
        self.block(ENHANCED_PACKET, |number, body| {
            for field in fields {
                body.extend_from_slice(&number(field));
            }
            body.extend_from_slice(&packet.bytes);
        });
    }
}

/// The file compressed, as so many gzip members one after another.
///
/// # Errors
///
/// None but what writing to memory may give.
pub fn gzip(file: &[u8], members: usize) -> io::Result<Vec<u8>> {
    let members = members.max(1);
    let mut out = Vec::new();
    for member in 0..members {
        let (from, to) = (file.len() * member / members, file.len() * (member + 1) / members);
        let mut encoder = GzEncoder::new(out, Compression::fast());
        encoder.write_all(file.get(from..to).unwrap_or_default())?;
        out = encoder.finish()?;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcap;
    use ntlm_capture::{Capture, Event, Limits, Timestamp};

    fn told(file: &[u8]) -> Vec<(Vec<u8>, u64)> {
        let mut capture = Capture::new(file, Limits::default());
        let mut told = Vec::new();
        while let Some(event) = capture.next_event().unwrap() {
            match event {
                Event::Data(data) => {
                    let Timestamp(nanos) = data.origin.time.unwrap();
                    told.push((data.bytes.to_vec(), nanos));
                }
                Event::FlowStarted(_) | Event::FlowEnded(_) => {}
                other => panic!("{other:?}"),
            }
        }
        told
    }

    #[test]
    fn every_container_holds_the_same() {
        let file = include_bytes!("../../../testdata/captures/http/ntlm-get.pcap");
        let packets = pcap::read(file).unwrap();
        let expected = told(file);
        assert!(!expected.is_empty());
        for (sections, interfaces) in [(1, 1), (3, 1), (1, 3), (4, 5), (100, 2)] {
            let layout = Layout { sections, interfaces };
            assert_eq!(told(&pcapng(&packets, layout, 9)), expected, "{layout:?}");
        }
        assert_eq!(told(&gzip(file, 1).unwrap()), expected);
        assert_eq!(told(&gzip(file, 3).unwrap()), expected);
    }

    #[test]
    fn nanoseconds_are_kept_where_they_can_be() {
        let file = include_bytes!("../../../testdata/captures/http/ntlm-get.pcap");
        let mut packets = pcap::read(file).unwrap();
        packets.iter_mut().for_each(|packet| packet.nanos += 7);
        let expected = told(&pcap::write(&packets));
        let layout = Layout { sections: 2, interfaces: 4 };
        assert_eq!(told(&pcapng(&packets, layout, 1)), expected);
    }
}
