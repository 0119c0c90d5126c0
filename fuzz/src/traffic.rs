//! A TCP connection as a capture file, packet by packet.

use ntlm_capture::Direction;

const RAW_IP: u32 = 101;
const SYN: u8 = 2;
const ACK: u8 = 16;
/// What fits into an IP packet behind both headers.
pub const LONGEST: usize = 65_535 - 40;

/// The file so far. Offsets and acknowledgements count from the first byte of each stream.
pub struct Connection {
    pub pcap: Vec<u8>,
    first_seq: [u32; 2],
    packets: u32,
}

impl Connection {
    /// With both SYNs.
    pub fn new(first_seq: [u32; 2]) -> Self {
        let header = [0xa1b2_c3d4, 0x0002_0004, 0, 0, 1 << 20, RAW_IP].map(u32::to_be_bytes);
        let mut connection = Self { pcap: header.concat(), first_seq, packets: 0 };
        let [client, server] = first_seq.map(|seq| seq.wrapping_sub(1));
        connection.packet(Direction::ClientToServer, client, 0, SYN, b"");
        connection.packet(Direction::ServerToClient, server, first_seq[0], SYN | ACK, b"");
        connection
    }

    /// Adds bytes of one stream.
    pub fn bytes(&mut self, direction: Direction, offset: u32, ack: u32, bytes: &[u8]) {
        let [own, other] = match direction {
            Direction::ClientToServer => self.first_seq,
            Direction::ServerToClient => [self.first_seq[1], self.first_seq[0]],
        };
        self.packet(direction, own.wrapping_add(offset), other.wrapping_add(ack), ACK, bytes);
    }

    fn packet(&mut self, direction: Direction, seq: u32, ack: u32, flags: u8, bytes: &[u8]) {
        let (ends, ports) = match direction {
            Direction::ClientToServer => ([10, 0, 0, 1, 10, 0, 0, 2], [40_000_u16, 445]),
            Direction::ServerToClient => ([10, 0, 0, 2, 10, 0, 0, 1], [445, 40_000]),
        };
        let length = 40 + bytes.len();
        let ip_length = u16::try_from(length).expect("no longer than LONGEST").to_be_bytes();
        let length = u32::from(u16::from_be_bytes(ip_length));
        self.packets += 1;
        self.pcap.extend([self.packets, 0, length, length].map(u32::to_be_bytes).concat());
        self.pcap.extend([0x45, 0, ip_length[0], ip_length[1], 0, 0, 0, 0, 64, 6, 0, 0]);
        self.pcap.extend(ends);
        self.pcap.extend(ports.map(u16::to_be_bytes).concat());
        self.pcap.extend([seq, ack].map(u32::to_be_bytes).concat());
        self.pcap.extend([0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        self.pcap.extend(bytes);
    }
}
