//! Segments of one connection in any order, against a reference that marks which bytes were sent.
#![no_main]

use ntlm_capture::{Capture, Direction, Event, Limits};
use ntlm_fuzz::traffic::Connection;

/// The byte at an offset of a stream.
fn pattern(side: usize, offset: usize) -> u8 {
    let mixed = (offset + 7 * side).wrapping_mul(0x9e37_79b1);
    mixed.to_le_bytes()[2]
}

fn word(bytes: [u8; 2]) -> usize {
    usize::from(u16::from_le_bytes(bytes))
}

// Patience, then segments: side, and two bytes each of offset, length and acknowledgement.
libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((&patience, data)) = data.split_first() else { return };
    // With so much, nothing is given up before the end.
    let patient = patience == u8::MAX;
    let mut limits = Limits::default();
    limits.patience = if patient { u32::MAX } else { patience.into() };
    let mut connection = Connection::new([u32::MAX - 1000, 7]);
    let mut sent = [Vec::new(), Vec::new()];
    for [side, a, b, c, d, e, f] in data.as_chunks::<7>().0 {
        let side = usize::from(side % 2);
        let (offset, length) = (word([*a, *b]), word([*c, *d]) % 1500);
        let (end, ack) = (offset + length, word([*e, *f]));
        let stream: &mut Vec<bool> = &mut sent[side];
        stream.resize(stream.len().max(end), false);
        stream[offset..end].fill(true);
        let bytes: Vec<u8> = (offset..end).map(|offset| pattern(side, offset)).collect();
        let direction = [Direction::ClientToServer, Direction::ServerToClient][side];
        let [offset, ack] = [offset, ack].map(|it| u32::try_from(it).expect("two bytes"));
        connection.bytes(direction, offset, ack, &bytes);
    }
    let mut told = [0, 0];
    let mut capture = Capture::new(&connection.pcap[..], limits);
    while let Some(event) = capture.next_event().expect("the file is whole") {
        match event {
            Event::Data(data) => {
                let side = usize::from(data.direction == Direction::ServerToClient);
                let from = told[side];
                assert_eq!(data.offset, from as u64, "in order, without a hole");
                told[side] += data.bytes.len();
                assert!(sent[side][from..told[side]].iter().all(|sent| *sent), "all was sent");
                let wanted = (from..told[side]).map(|offset| pattern(side, offset));
                assert!(data.bytes.iter().copied().eq(wanted), "as it was sent");
            }
            Event::Gap(gap) => {
                let side = usize::from(gap.direction == Direction::ServerToClient);
                assert_eq!(gap.offset, told[side] as u64, "in order, without a hole");
                let from = told[side];
                told[side] += usize::try_from(gap.length).expect("short");
                let missing = sent[side].iter().skip(from).take(told[side] - from);
                assert!(
                    !patient || missing.clone().all(|sent| !sent),
                    "what is told as missing was not sent"
                );
            }
            Event::Conflict(_) => panic!("all copies are equal"),
            _ => {}
        }
    }
    for (sent, told) in sent.iter().zip(told) {
        assert!(sent.iter().skip(told).all(|sent| !sent), "all that was sent is told");
    }
});
