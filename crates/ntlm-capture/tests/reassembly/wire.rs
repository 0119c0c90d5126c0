//! Packets and capture files, made by hand.

use std::net::{IpAddr, SocketAddr};

pub(crate) const CLIENT: &str = "10.0.0.1:40000";
pub(crate) const SERVER: &str = "10.0.0.2:445";

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const ACK: u8 = 16;

/// A TCP segment.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) flags: u8,
    pub(crate) bytes: Vec<u8>,
}

pub(crate) fn client(seq: u32, ack: u32, flags: u8, bytes: &[u8]) -> Segment {
    let (from, to) = (CLIENT.parse().unwrap(), SERVER.parse().unwrap());
    Segment { from, to, seq, ack, flags, bytes: bytes.to_vec() }
}

pub(crate) fn server(seq: u32, ack: u32, flags: u8, bytes: &[u8]) -> Segment {
    let Segment { from, to, .. } = client(0, 0, 0, b"");
    Segment { from: to, to: from, ..client(seq, ack, flags, bytes) }
}

impl Segment {
    pub(crate) fn tcp(&self) -> Vec<u8> {
        let mut tcp = Vec::new();
        tcp.extend(self.from.port().to_be_bytes());
        tcp.extend(self.to.port().to_be_bytes());
        tcp.extend(self.seq.to_be_bytes());
        tcp.extend(self.ack.to_be_bytes());
        tcp.extend([0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(&self.bytes);
        tcp
    }

    pub(crate) fn ip(&self) -> Vec<u8> {
        ip(self.from.ip(), self.to.ip(), 6, &self.tcp())
    }

    pub(crate) fn ethernet(&self) -> Vec<u8> {
        ethernet(&self.ip())
    }
}

pub(crate) fn ip(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    fragment(from, to, protocol, 0, 0, false, payload)
}

/// One fragment, or the whole datagram if nothing precedes or follows it.
pub(crate) fn fragment(
    from: IpAddr,
    to: IpAddr,
    protocol: u8,
    identification: u16,
    offset: u16,
    more: bool,
    payload: &[u8],
) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let more = u16::from(more);
    let mut ip = Vec::new();
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            ip.extend([0x45, 0]);
            ip.extend((length + 20).to_be_bytes());
            ip.extend(identification.to_be_bytes());
            ip.extend(((offset / 8) | (more << 13)).to_be_bytes());
            ip.extend([64, protocol, 0, 0]);
            ip.extend(from.octets());
            ip.extend(to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let fragment = offset > 0 || more > 0;
            ip.extend([0x60, 0, 0, 0]);
            ip.extend((length + if fragment { 8 } else { 0 }).to_be_bytes());
            ip.extend([if fragment { 44 } else { protocol }, 64]);
            ip.extend(from.octets());
            ip.extend(to.octets());
            if fragment {
                ip.extend([protocol, 0]);
                ip.extend((offset | more).to_be_bytes());
                ip.extend(u32::from(identification).to_be_bytes());
            }
        }
        _ => panic!("versions differ"),
    }
    ip.extend(payload);
    ip
}

pub(crate) fn ethernet(ip: &[u8]) -> Vec<u8> {
    let ether_type = if ip[0] >> 4 == 4 { [0x08, 0x00] } else { [0x86, 0xdd] };
    [&[0; 12], &ether_type[..], ip].concat()
}

/// A pcap file of packets a microsecond apart, the first at one second.
pub(crate) struct Pcap {
    pub(crate) bytes: Vec<u8>,
    frames: u32,
}

impl Pcap {
    pub(crate) fn new(link_type: u32) -> Self {
        let mut bytes =
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0];
        bytes.extend(link_type.to_le_bytes());
        Self { bytes, frames: 0 }
    }

    pub(crate) fn of<'a>(segments: impl IntoIterator<Item = &'a Segment>) -> Self {
        let mut pcap = Self::new(1);
        for segment in segments {
            pcap.add(&segment.ethernet());
        }
        pcap
    }

    pub(crate) fn add(&mut self, packet: &[u8]) {
        self.add_cut(packet, packet.len());
    }

    /// Adds a packet of another time, in microseconds.
    pub(crate) fn add_at(&mut self, micros: u32, packet: &[u8]) {
        self.frames = micros - 1;
        self.add(packet);
    }

    /// Adds what a snap length leaves of a packet.
    pub(crate) fn add_cut(&mut self, packet: &[u8], snap_len: usize) {
        let captured = &packet[..snap_len.min(packet.len())];
        self.frames += 1;
        self.bytes.extend(1_u32.to_le_bytes());
        self.bytes.extend(self.frames.to_le_bytes());
        self.bytes.extend(u32::try_from(captured.len()).unwrap().to_le_bytes());
        self.bytes.extend(u32::try_from(packet.len()).unwrap().to_le_bytes());
        self.bytes.extend(captured);
    }
}
