//! What is said over one connection, through whichever carrier it begins like.

use crate::traffic::{Connection, LONGEST};
use ntlm::message::MessageType;
use ntlm_capture::{Capture, Direction, Event, Limits};
use ntlm_explain::carrier::{FlowReader, Report};

/// Who speaks, how many bytes follow (two bytes, the lower first), and these.
fn pieces(mut data: &[u8]) -> Vec<(Direction, &[u8])> {
    let mut pieces = Vec::new();
    while let Some(([side, low, high], rest)) = data.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(LONGEST).min(rest.len());
        let (bytes, rest) = rest.split_at(length);
        let direction = match side % 2 {
            0 => Direction::ClientToServer,
            _ => Direction::ServerToClient,
        };
        pieces.push((direction, bytes));
        data = rest;
    }
    pieces
}

/// Reads the pieces, cut into segments of at most `longest` bytes.
fn read(pieces: &[(Direction, &[u8])], longest: usize) -> Vec<Report> {
    let mut connection = Connection::new([1, 1]);
    let mut sent = [0_u32; 2];
    for (direction, bytes) in pieces {
        let own = usize::from(*direction == Direction::ServerToClient);
        for part in bytes.chunks(longest) {
            connection.bytes(*direction, sent[own], sent[1 - own], part);
            sent[own] += u32::try_from(part.len()).expect("no longer than LONGEST");
        }
    }
    let mut reports = Vec::new();
    let mut reader = FlowReader::default();
    let mut listener = |report| reports.push(report);
    let mut capture = Capture::new(&connection.pcap[..], Limits::default());
    while let Some(event) = capture.next_event().expect("the file is whole") {
        match event {
            Event::Data(data) => reader.data(&data, &mut listener),
            Event::Gap(gap) => reader.gap(&gap, &mut listener),
            _ => {}
        }
    }
    reader.end(&mut listener);
    reports
}

/// Whatever is said, and however it is cut: what is reported as a message is one.
///
/// Not that the reports are the same. Where a reader has lost the thread it takes it up where a segment
/// begins, so what is no protocol may be read in more than one way; for what is one, the captures that
/// tests cut up show that they are.
pub fn carrier(data: &[u8]) {
    let pieces = pieces(data);
    let seed = data.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(*byte));
    for longest in [LONGEST, [1, 7, 64, 1000][seed % 4]] {
        for report in read(&pieces, longest) {
            if let Report::Token(token) = report {
                MessageType::of(&token.bytes).expect("a message");
                assert!(token.origin.frame > 2, "it came in a frame that carries bytes");
            }
        }
    }
}
