//! TLS: nothing can be read in it, so its records are stepped over (RFC 8446 5.1).

use super::Carrier;
use super::bytes::wide;
use super::protocol::{Extent, Message, Out, Protocol};
use ntlm_capture::Direction;

/// A connection of which only the records are known.
#[derive(Debug, Default)]
pub(super) struct Tls;

const HEADER: usize = 5;
/// 2^14 bytes, and what encryption adds.
const LONGEST: u16 = (1 << 14) + 2048;

/// Whether a record begins here.
pub(super) fn is_record(bytes: &[u8]) -> bool {
    matches!(length(bytes), Some(Some(_)))
}

/// The length with the header; the outer `None` asks for more bytes, the inner says no.
fn length(bytes: &[u8]) -> Option<Option<u64>> {
    let [kind, major, minor, high, low] = *bytes.first_chunk::<HEADER>()?;
    let length = u16::from_be_bytes([high, low]);
    let is_record = (20..=24).contains(&kind) && major == 3 && minor <= 4 && length <= LONGEST;
    Some(is_record.then_some(u64::from(length) + wide(HEADER)))
}

impl Protocol for Tls {
    fn carrier(&self) -> Carrier {
        Carrier::Stream
    }

    fn extent(&mut self, _: Direction, bytes: &[u8]) -> Extent {
        match length(bytes) {
            None => Extent::More,
            Some(None) => Extent::Lost,
            Some(Some(length)) => Extent::Skip { length, searched: false },
        }
    }

    fn message(&mut self, _: &Message<'_>, _: &mut Out<'_>) {}

    fn hides_tokens(&self) -> bool {
        true
    }

    fn resume(&self, _: Direction, bytes: &[u8]) -> Option<usize> {
        is_record(bytes).then_some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_told_by_their_header() {
        assert!(is_record(&[22, 3, 1, 2, 0, 1]));
        assert!(!is_record(&[22, 3, 1, 0xff, 0]));
        assert!(!is_record(&[22, 3, 1, 0]));
        assert!(!is_record(b"GET / HTTP/1.1"));
        let length = Extent::Skip { length: 517, searched: false };
        assert_eq!(Tls.extent(Direction::ClientToServer, &[22, 3, 1, 2, 0]), length);
    }
}
