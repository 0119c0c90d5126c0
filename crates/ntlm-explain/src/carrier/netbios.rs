//! The four bytes before an SMB message: direct TCP, and the NetBIOS session service
//! (MS-SMB2 2.1, RFC 1002 4.3.1).

use super::bytes::u8_at;

/// What a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// A message of so many bytes after the header.
    Message(usize),
    /// Something of the session service: request, response, keep-alive.
    Control(usize),
}

pub(super) const HEADER: usize = 4;

/// Reads the header; `None` if it is none. Needs four bytes.
pub(super) fn packet(bytes: &[u8]) -> Option<Packet> {
    let length = [0, u8_at(bytes, 1)?, u8_at(bytes, 2)?, u8_at(bytes, 3)?];
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    match u8_at(bytes, 0)? {
        0 => Some(Packet::Message(length)),
        0x81..=0x85 if length <= 0x1_ffff => Some(Packet::Control(length)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_big_endian_in_24_bits() {
        assert_eq!(packet(&[0, 1, 2, 3]), Some(Packet::Message(0x01_0203)));
        assert_eq!(packet(&[0x85, 0, 0, 0]), Some(Packet::Control(0)));
        assert_eq!(packet(&[0x85, 0xff, 0, 0]), None);
        assert_eq!(packet(&[1, 0, 0, 0]), None);
        assert_eq!(packet(&[0, 0, 0]), None);
    }
}
