//! Capture files to their end, with so little memory that every limit is met.
#![no_main]

use ntlm_capture::{Capture, Direction, Event, Limits};
use std::collections::HashMap;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut limits = Limits::default();
    limits.packet = 4096;
    limits.interfaces = 4;
    limits.flows = 3;
    limits.waiting_per_stream = 2048;
    limits.waiting = 4096;
    limits.patience = 2;
    limits.datagrams = 2;
    limits.fragments = 2048;
    for limits in [Limits::default(), limits] {
        let mut ends = HashMap::new();
        let mut capture = Capture::new(data, limits);
        // The damaged file ends at the error; what was in order before it follows.
        loop {
            match capture.next_event() {
                Ok(None) => break,
                Ok(Some(Event::Data(data))) => {
                    let stream = (data.flow, data.direction == Direction::ClientToServer);
                    let end = data.offset + data.bytes.len() as u64;
                    let before = ends.insert(stream, end).unwrap_or(0);
                    assert!(before <= data.offset, "a byte of a stream is told once");
                }
                Ok(Some(event)) => drop(std::hint::black_box(event)),
                Err(error) => drop(error.to_string()),
            }
        }
        let _ = capture.totals();
    }
});
