//! Writes TCP streams as a pcapng file that other programs read: packets are made up, what they carry
//! is what the caller says.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    net::SocketAddr,
};

use etherparse::{IpNumber, Ipv4Header, Ipv6Header, TcpHeader};

use crate::event::{Direction, Endpoints, FlowId, Timestamp};

/// Writes messages of TCP flows, each flow with a handshake in front and sequence numbers of its own.
///
/// ```
/// use ntlm_capture::{Capture, Direction, Endpoints, Event, Limits, StreamWriter};
/// # use ntlm_capture::FlowId;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let endpoints = Endpoints {
///     client: "127.0.0.1:40000".parse()?,
///     server: "127.0.0.1:445".parse()?,
///     guessed: false,
/// };
/// let mut writer = StreamWriter::new(Vec::new())?;
/// writer.message(FlowId::default(), endpoints, Direction::ClientToServer, None, b"hello", None)?;
/// let file = writer.finish()?;
///
/// let mut capture = Capture::new(&file[..], Limits::default());
/// let mut said = Vec::new();
/// while let Some(event) = capture.next_event()? {
///     if let Event::Data(data) = event {
///         said.extend_from_slice(data.bytes);
///     }
/// }
/// assert_eq!(said, b"hello");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StreamWriter<W> {
    out: W,
    /// What comes next in each direction of the flows that have begun.
    flows: BTreeMap<FlowId, Sequence>,
    /// Packets without a time get that of the one before.
    time: Timestamp,
}

#[derive(Clone, Copy, Debug)]
struct Sequence {
    to_server: u32,
    to_client: u32,
}

/// As much as an IP packet holds beside the headers, rounded down.
const MOST_PAYLOAD: usize = 60_000;
/// More at once, and the oldest begins anew when it goes on.
const MOST_FLOWS: usize = 65_536;
/// Raw IP, version 4 or 6.
const LINKTYPE_RAW: u16 = 101;
const WINDOW: u16 = u16::MAX;
const TIME_TO_LIVE: u8 = 64;

impl<W: Write> StreamWriter<W> {
    /// Begins a file with one section and one interface.
    ///
    /// # Errors
    ///
    /// Writing fails.
    pub fn new(mut out: W) -> io::Result<Self> {
        let mut section = Vec::with_capacity(16);
        section.extend_from_slice(&0x1a2b_3c4d_u32.to_le_bytes());
        section.extend_from_slice(&1_u16.to_le_bytes());
        section.extend_from_slice(&0_u16.to_le_bytes());
        section.extend_from_slice(&u64::MAX.to_le_bytes());
        block(&mut out, 0x0a0d_0d0a, &section)?;
        let mut interface = Vec::with_capacity(20);
        interface.extend_from_slice(&LINKTYPE_RAW.to_le_bytes());
        interface.extend_from_slice(&[0; 6]);
        option(&mut interface, 9, &[9]); // if_tsresol: nanoseconds
        option(&mut interface, 0, &[]);
        block(&mut out, 1, &interface)?;
        Ok(Self { out, flows: BTreeMap::new(), time: Timestamp(0) })
    }

    /// Writes a message, in as many packets as it takes. The comment goes to the first of them.
    ///
    /// # Errors
    ///
    /// Writing fails, or one end has IPv4 and the other IPv6.
    pub fn message(
        &mut self,
        flow: FlowId,
        endpoints: Endpoints,
        direction: Direction,
        time: Option<Timestamp>,
        bytes: &[u8],
        comment: Option<&str>,
    ) -> io::Result<()> {
        self.time = time.unwrap_or(self.time);
        let mut next = match self.flows.get(&flow) {
            Some(next) => *next,
            None => self.handshake(endpoints)?,
        };
        let mut comment = comment;
        for part in bytes.chunks(MOST_PAYLOAD) {
            let length = u32::try_from(part.len()).unwrap_or_default();
            self.segment(endpoints, direction, next, Flags::Data, part, comment.take())?;
            let sent = match direction {
                Direction::ClientToServer => &mut next.to_server,
                Direction::ServerToClient => &mut next.to_client,
            };
            *sent = sent.wrapping_add(length);
        }
        self.flows.insert(flow, next);
        if self.flows.len() > MOST_FLOWS {
            self.flows.pop_first();
        }
        Ok(())
    }

    /// Flows of another capture follow, whose ids may be the same.
    pub fn forget_flows(&mut self) {
        self.flows.clear();
    }

    /// Nothing more will be written.
    ///
    /// # Errors
    ///
    /// Writing fails.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }

    fn handshake(&mut self, endpoints: Endpoints) -> io::Result<Sequence> {
        let (there, back) = (Direction::ClientToServer, Direction::ServerToClient);
        let next = Sequence { to_server: 0, to_client: 0 };
        self.segment(endpoints, there, next, Flags::Syn, &[], None)?;
        let next = Sequence { to_server: 1, ..next };
        self.segment(endpoints, back, next, Flags::SynAck, &[], None)?;
        let next = Sequence { to_client: 1, ..next };
        self.segment(endpoints, there, next, Flags::Data, &[], None)?;
        Ok(next)
    }

    fn segment(
        &mut self,
        endpoints: Endpoints,
        direction: Direction,
        next: Sequence,
        flags: Flags,
        payload: &[u8],
        comment: Option<&str>,
    ) -> io::Result<()> {
        let Endpoints { client, server, .. } = endpoints;
        let (from, to, sequence, acknowledged) = match direction {
            Direction::ClientToServer => (client, server, next.to_server, next.to_client),
            Direction::ServerToClient => (server, client, next.to_client, next.to_server),
        };
        let mut tcp = TcpHeader::new(from.port(), to.port(), sequence, WINDOW);
        tcp.syn = flags != Flags::Data;
        tcp.ack = flags != Flags::Syn;
        tcp.psh = !payload.is_empty();
        if tcp.ack {
            tcp.acknowledgment_number = acknowledged;
        }
        let mut packet = with_headers(from, to, tcp, payload)?;
        packet.extend_from_slice(payload);
        self.packet(&packet, comment)
    }

    /// An enhanced packet block.
    fn packet(&mut self, packet: &[u8], comment: Option<&str>) -> io::Result<()> {
        let length = u32::try_from(packet.len()).map_err(io::Error::other)?;
        let Timestamp(time) = self.time;
        let [low, high] = halves(time);
        let mut body = Vec::with_capacity(24 + packet.len());
        for field in [0, high, low, length, length] {
            body.extend_from_slice(&field.to_le_bytes());
        }
        body.extend_from_slice(packet);
        body.resize(body.len().next_multiple_of(4), 0);
        if let Some(comment) = comment {
            option(&mut body, 1, comment.as_bytes());
            option(&mut body, 0, &[]);
        }
        block(&mut self.out, 6, &body)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Flags {
    Syn,
    SynAck,
    Data,
}

/// The headers of a packet with room for its payload.
fn with_headers(
    from: SocketAddr,
    to: SocketAddr,
    mut tcp: TcpHeader,
    payload: &[u8],
) -> io::Result<Vec<u8>> {
    let length = u16::try_from(tcp.header_len() + payload.len()).map_err(io::Error::other)?;
    let mut packet = Vec::with_capacity(40 + usize::from(length));
    match (from, to) {
        (SocketAddr::V4(from), SocketAddr::V4(to)) => {
            let (from, to) = (from.ip().octets(), to.ip().octets());
            let mut ip = Ipv4Header::new(length, TIME_TO_LIVE, IpNumber::TCP, from, to)
                .map_err(io::Error::other)?;
            ip.header_checksum = ip.calc_header_checksum();
            tcp.checksum = tcp.calc_checksum_ipv4(&ip, payload).map_err(io::Error::other)?;
            packet.extend_from_slice(&ip.to_bytes());
        }
        (SocketAddr::V6(from), SocketAddr::V6(to)) => {
            let ip = Ipv6Header {
                payload_length: length,
                next_header: IpNumber::TCP,
                hop_limit: TIME_TO_LIVE,
                source: from.ip().octets(),
                destination: to.ip().octets(),
                ..Ipv6Header::default()
            };
            tcp.checksum = tcp.calc_checksum_ipv6(&ip, payload).map_err(io::Error::other)?;
            packet.extend_from_slice(&ip.to_bytes());
        }
        _ => return Err(io::Error::other("one end has IPv4 and the other IPv6")),
    }
    packet.extend_from_slice(&tcp.to_bytes());
    Ok(packet)
}

/// Type and length in front, length behind. The body is padded to 4 bytes already.
fn block(out: &mut impl Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len() + 12).map_err(io::Error::other)?;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(body)?;
    out.write_all(&length.to_le_bytes())
}

fn option(out: &mut Vec<u8>, code: u16, value: &[u8]) {
    // Comments are ours, and short; what does not fit is cut off.
    let length = u16::try_from(value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend(value.iter().take(usize::from(length)));
    out.resize(out.len().next_multiple_of(4), 0);
}

/// The low half and the high one.
fn halves(number: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
    [u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Capture, Event, Limits};

    fn read(file: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut capture = Capture::new(file, Limits::default());
        let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
        while let Some(event) = capture.next_event().unwrap() {
            match event {
                Event::Data(data) => match data.direction {
                    Direction::ClientToServer => to_server.extend_from_slice(data.bytes),
                    Direction::ServerToClient => to_client.extend_from_slice(data.bytes),
                },
                Event::Gap(gap) => panic!("{gap:?}"),
                _ => {}
            }
        }
        (to_server, to_client)
    }

    #[test]
    fn what_is_written_is_read() {
        for (client, server) in
            [("10.0.0.1:40000", "10.0.0.2:445"), ("[fe80::1]:40000", "[fe80::2]:445")]
        {
            let client = client.parse().unwrap();
            let endpoints = Endpoints { client, server: server.parse().unwrap(), guessed: false };
            let mut writer = StreamWriter::new(Vec::new()).unwrap();
            let long: Vec<u8> = (0..200_000).map(|at: u32| at.to_le_bytes()[1]).collect();
            let flow = FlowId::default();
            let time = Some(Timestamp(1_700_000_000_123_456_789));
            let there = Direction::ClientToServer;
            writer.message(flow, endpoints, there, time, b"abc", Some("first")).unwrap();
            writer.message(flow, endpoints, there.opposite(), None, &long, None).unwrap();
            writer.message(flow, endpoints, there, None, b"def", None).unwrap();
            let file = writer.finish().unwrap();
            assert_eq!(read(&file), (b"abcdef".to_vec(), long));
        }
    }
}
