//! A TCP segment with the headers around it, taken apart and put together.

use std::net::{IpAddr, SocketAddr};

/// Flags of a TCP header (RFC 9293 3.1).
pub mod flag {
    /// No more data.
    pub const FIN: u8 = 1;
    /// Synchronize sequence numbers.
    pub const SYN: u8 = 2;
    /// Reset.
    pub const RST: u8 = 4;
    /// Push.
    pub const PSH: u8 = 8;
    /// The acknowledgement counts.
    pub const ACK: u8 = 16;
}

/// The longest payload that fits behind the longest headers into an IPv4 packet.
pub const MAX_PAYLOAD: usize = 65_535 - 60 - 60;

const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];
const TCP: u8 = 6;
const FRAGMENT_HEADER: u8 = 44;

/// One segment. Lengths and checksums within the headers are filled in by [`frame`](Self::frame).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Ethernet header, VLAN tags included.
    link: Vec<u8>,
    /// IP header, options included.
    ip: Vec<u8>,
    /// TCP header, options included.
    tcp: Vec<u8>,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl Segment {
    /// An empty segment between two ends of the same kind of address.
    #[must_use]
    pub fn new(from: SocketAddr, to: SocketAddr, flags: u8) -> Self {
        let mut link = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        let mut ip;
        match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                link.extend(IPV4);
                ip = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, TCP, 0, 0];
                ip.extend(from.octets());
                ip.extend(to.octets());
            }
            (from, to) => {
                let wide = |address: IpAddr| match address {
                    IpAddr::V4(v4) => v4.to_ipv6_mapped(),
                    IpAddr::V6(v6) => v6,
                };
                link.extend(IPV6);
                ip = vec![0x60, 0, 0, 0, 0, 0, TCP, 64];
                ip.extend(wide(from).octets());
                ip.extend(wide(to).octets());
            }
        }
        let mut tcp = Vec::with_capacity(20);
        tcp.extend(from.port().to_be_bytes());
        tcp.extend(to.port().to_be_bytes());
        tcp.extend([0, 0, 0, 0, 0, 0, 0, 0, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        Self { link, ip, tcp, payload: Vec::new() }
    }

    /// Takes a frame apart. `None` if it is not a whole, unfragmented TCP segment over Ethernet.
    #[must_use]
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let mut at = 12;
        let mut kind: [u8; 2] = *frame.get(at..)?.first_chunk()?;
        while matches!(kind, [0x81, 0x00] | [0x88, 0xa8]) {
            at += 4;
            kind = *frame.get(at..)?.first_chunk()?;
        }
        let (link, packet) = frame.split_at_checked(at + 2)?;
        let (header, total) = match kind {
            IPV4 => {
                let header = usize::from(packet.first()? & 15) * 4;
                let fragment = number(packet, 6)? & 0x3fff;
                let fits = header >= 20 && fragment == 0 && *packet.get(9)? == TCP;
                fits.then_some((header, usize::from(number(packet, 2)?)))?
            }
            IPV6 if *packet.get(6)? == TCP => (40, 40 + usize::from(number(packet, 4)?)),
            _ => return None,
        };
        let (ip, rest) = packet.get(..total)?.split_at_checked(header)?;
        let header = usize::from(rest.get(12)? >> 4) * 4;
        let (tcp, payload) = rest.split_at_checked(header.max(20))?;
        Some(Self {
            link: link.to_vec(),
            ip: ip.to_vec(),
            tcp: tcp.to_vec(),
            payload: payload.to_vec(),
        })
    }

    /// Addresses and ports as they stand in the headers: source and destination, of one flow the
    /// one swapped from the other.
    #[must_use]
    pub fn ends(&self) -> (Vec<u8>, Vec<u8>) {
        let (at, length) = if self.is_v6() { (8, 16) } else { (12, 4) };
        let end = |address: usize, port: usize| {
            let address = self.ip.get(address..address + length).unwrap_or_default();
            [address, self.tcp.get(port..port + 2).unwrap_or_default()].concat()
        };
        (end(at, 0), end(at + length, 2))
    }

    /// Sequence number of the segment; a SYN takes one, then comes the payload.
    #[must_use]
    pub fn seq(&self) -> u32 {
        self.tcp.get(4..).and_then(|rest| rest.first_chunk().copied()).map_or(0, u32::from_be_bytes)
    }

    /// Sets it.
    pub fn set_seq(&mut self, seq: u32) {
        put(&mut self.tcp, 4, &seq.to_be_bytes());
    }

    /// Sets the acknowledgement.
    pub fn set_ack(&mut self, ack: u32) {
        put(&mut self.tcp, 8, &ack.to_be_bytes());
    }

    /// Flags of [`flag`].
    #[must_use]
    pub fn flags(&self) -> u8 {
        self.tcp.get(13).copied().unwrap_or_default()
    }

    /// Sets them.
    pub fn set_flags(&mut self, flags: u8) {
        put(&mut self.tcp, 13, &[flags]);
    }

    /// A part of the payload as a segment of its own. Only the last part pushes and finishes.
    #[must_use]
    pub fn part(&self, from: usize, to: usize) -> Self {
        let payload = self.payload.get(from..to).unwrap_or_default().to_vec();
        let mut part = Self { payload, ..self.clone() };
        part.set_seq(self.seq().wrapping_add(sequence(from)));
        if to < self.payload.len() {
            part.set_flags(self.flags() & !(flag::PSH | flag::FIN));
        }
        part
    }

    /// The whole frame, with right lengths and checksums.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        let tcp = self.tcp_packet();
        let mut frame = Vec::with_capacity(self.link.len() + self.ip.len() + tcp.len());
        frame.extend_from_slice(&self.link);
        frame.extend_from_slice(&self.ip_header(tcp.len(), None));
        frame.extend_from_slice(&tcp);
        frame
    }

    /// The same in IP fragments, cut at these places of the TCP packet, rounded down to eight bytes.
    /// The whole frame, if there is nothing to cut.
    #[must_use]
    pub fn fragments(&self, identification: u16, cuts: &[usize]) -> Vec<Vec<u8>> {
        let tcp = self.tcp_packet();
        let mut cuts: Vec<usize> = cuts.iter().map(|at| at / 8 * 8).collect();
        cuts.retain(|at| (1..tcp.len()).contains(at));
        cuts.extend([0, tcp.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        if cuts.len() <= 2 {
            return vec![self.frame()];
        }
        let pairs = cuts.iter().zip(cuts.iter().skip(1));
        let fragments = pairs.map(|(&from, &to)| {
            let place = Place { identification, offset: from, more: to < tcp.len() };
            let header = self.ip_header(to - from, Some(place));
            [&self.link, &header, tcp.get(from..to).unwrap_or_default()].concat()
        });
        fragments.collect()
    }

    fn is_v6(&self) -> bool {
        self.ip.first().is_some_and(|first| first >> 4 == 6)
    }

    /// Header and payload with their checksum.
    fn tcp_packet(&self) -> Vec<u8> {
        let mut tcp = Vec::with_capacity(self.tcp.len() + self.payload.len());
        tcp.extend_from_slice(&self.tcp);
        tcp.extend_from_slice(&self.payload);
        put(&mut tcp, 16, &[0, 0]);
        let addresses = if self.is_v6() { 8..40 } else { 12..20 };
        let mut sum = sum(self.ip.get(addresses).unwrap_or_default());
        sum += u64::from(TCP) + u64::try_from(tcp.len()).unwrap_or_default();
        let checksum = fold(sum + self::sum(&tcp));
        put(&mut tcp, 16, &checksum.to_be_bytes());
        tcp
    }

    /// The IP header of a packet, or of a fragment, with a payload of this length.
    fn ip_header(&self, length: usize, place: Option<Place>) -> Vec<u8> {
        let mut ip = self.ip.clone();
        let narrow = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        if self.is_v6() {
            let extension = if place.is_some() { 8 } else { 0 };
            put(&mut ip, 4, &narrow(length + extension).to_be_bytes());
            if let Some(place) = place {
                put(&mut ip, 6, &[FRAGMENT_HEADER]);
                ip.extend([TCP, 0]);
                ip.extend((narrow(place.offset) | u16::from(place.more)).to_be_bytes());
                ip.extend(u32::from(place.identification).to_be_bytes());
            }
            return ip;
        }
        put(&mut ip, 2, &narrow(length + self.ip.len()).to_be_bytes());
        if let Some(place) = place {
            let offset = narrow(place.offset / 8) | (u16::from(place.more) << 13);
            put(&mut ip, 4, &place.identification.to_be_bytes());
            put(&mut ip, 6, &offset.to_be_bytes());
        }
        put(&mut ip, 10, &[0, 0]);
        let checksum = fold(sum(&ip));
        put(&mut ip, 10, &checksum.to_be_bytes());
        ip
    }
}

/// Where a fragment belongs.
#[derive(Clone, Copy)]
struct Place {
    identification: u16,
    offset: usize,
    more: bool,
}

/// How far a number of bytes moves a sequence number.
#[must_use]
pub fn sequence(bytes: usize) -> u32 {
    u32::try_from(bytes & 0xffff_ffff).unwrap_or_default()
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}

/// The sum of 16-bit words, the last one filled up with zeros (RFC 1071).
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let whole: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    whole + rest.first().map_or(0, |last| u64::from(*last) << 8)
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(from: &str, to: &str, payload: &[u8]) -> Segment {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        let mut segment = Segment::new(from, to, flag::ACK | flag::PSH | flag::FIN);
        segment.set_seq(u32::MAX);
        segment.set_ack(5);
        segment.payload = payload.to_vec();
        segment
    }

    #[test]
    fn checksums_are_right() {
        // Summed with its checksum, a packet gives zero.
        let v4 = segment("10.0.0.1:40000", "10.0.0.2:80", b"odd").frame();
        assert_eq!(fold(sum(&v4[14..34])), 0);
        let pseudo = sum(&v4[26..34]) + 6 + 23;
        assert_eq!(fold(pseudo + sum(&v4[34..])), 0);
        let v6 = segment("[::1]:40000", "[::2]:80", b"even").frame();
        assert_eq!(fold(sum(&v6[22..54]) + 6 + 24 + sum(&v6[54..])), 0);
    }

    #[test]
    fn a_frame_is_parsed_and_written_back() {
        for (from, to) in [("10.0.0.1:40000", "10.0.0.2:80"), ("[::1]:1", "[::2]:2")] {
            let segment = segment(from, to, b"hello");
            let mut frame = segment.frame();
            assert_eq!(Segment::parse(&frame).unwrap().frame(), frame);
            let parsed = Segment::parse(&frame).unwrap();
            assert_eq!((parsed.seq(), &parsed.payload[..]), (u32::MAX, &b"hello"[..]));
            // Padding of Ethernet is no payload.
            frame.extend([0; 9]);
            assert_eq!(Segment::parse(&frame).unwrap(), parsed);
            for length in 0..frame.len() - 9 {
                assert_eq!(Segment::parse(&frame[..length]), None, "{length}");
            }
        }
    }

    #[test]
    fn only_the_last_part_pushes_and_finishes() {
        let segment = segment("10.0.0.1:40000", "10.0.0.2:80", b"hello");
        let (first, last) = (segment.part(0, 3), segment.part(3, 5));
        assert_eq!((first.seq(), &first.payload[..], first.flags()), (u32::MAX, &b"hel"[..], 16));
        assert_eq!((last.seq(), &last.payload[..], last.flags()), (2, &b"lo"[..], 25));
    }

    #[test]
    fn fragments_hold_the_whole_packet() {
        for (from, to) in [("10.0.0.1:40000", "10.0.0.2:80"), ("[::1]:1", "[::2]:2")] {
            let segment = segment(from, to, &[7; 50]);
            let whole = segment.frame();
            let header = whole.len() - 70;
            let extension = if whole[14] == 0x60 { 8 } else { 0 };
            let fragments = segment.fragments(9, &[13, 1000, 40, 44, 3]);
            let lengths: Vec<usize> =
                fragments.iter().map(|frame| frame.len() - header - extension).collect();
            assert_eq!(lengths, [8, 32, 30]);
            assert!(fragments.iter().all(|frame| Segment::parse(frame).is_none()));
            let joined: Vec<u8> =
                fragments.iter().flat_map(|frame| &frame[header + extension..]).copied().collect();
            assert_eq!(joined, whole[header..]);
            assert_eq!(segment.fragments(9, &[3]), [whole]);
        }
    }
}
