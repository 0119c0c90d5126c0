//! SMB of all versions on one connection: whichever message comes is told by its first four bytes
//! (MS-SMB2 2.2.1, 2.2.41, 2.2.42).

use super::bytes::wide;
use super::netbios::{self, Packet};
use super::protocol::{Extent, Message, Out, Protocol};
use super::smb1::{self, Smb1};
use super::smb2::{self, Smb2};
use super::{Carrier, SmbPacket};
use memchr::memmem;
use ntlm_capture::Direction;
use ntlm_smb::smb2::TransformHeader;

/// One connection.
#[derive(Debug, Default)]
pub(super) struct Smb {
    smb1: Smb1,
    smb2: Smb2,
    /// Whether SMB 2 was spoken.
    is_smb2: bool,
}

/// The packet header and the mark that tells the version.
const ENOUGH: usize = netbios::HEADER + 4;
const ENCRYPTED: &[u8] = b"\xfdSMB";
const COMPRESSED: &[u8] = b"\xfcSMB";
/// Shorter than any header.
const SHORTEST: usize = 32;

/// Whether a packet with SMB begins here, or a request of the NetBIOS session service.
pub(super) fn is_packet(bytes: &[u8]) -> bool {
    let marks = [smb1::MAGIC, smb2::MAGIC, ENCRYPTED, COMPRESSED];
    let mark = bytes.get(netbios::HEADER..ENOUGH).unwrap_or_default();
    match netbios::packet(bytes) {
        Some(Packet::Message(length)) => length >= SHORTEST && marks.contains(&mark),
        // A session request has two names of 34 bytes (RFC 1002 4.3.2).
        Some(Packet::Control(68)) => bytes.starts_with(b"\x81") && mark.starts_with(b"\x20"),
        Some(Packet::Control(_)) | None => false,
    }
}

impl Protocol for Smb {
    fn carrier(&self) -> Carrier {
        if self.is_smb2 { Carrier::Smb2 } else { Carrier::Smb1 }
    }

    fn extent(&mut self, _: Direction, bytes: &[u8]) -> Extent {
        let length = match netbios::packet(bytes) {
            None if bytes.len() < netbios::HEADER => return Extent::More,
            None => return Extent::Lost,
            Some(Packet::Control(length)) => {
                return Extent::new(netbios::HEADER + length, netbios::HEADER);
            }
            Some(Packet::Message(0)) => return Extent::new(netbios::HEADER, netbios::HEADER),
            Some(Packet::Message(length)) => length,
        };
        let Some(mark) = bytes.get(netbios::HEADER..ENOUGH) else { return Extent::More };
        let message = bytes.get(netbios::HEADER..).unwrap_or_default();
        let wanted = match mark {
            _ if length < SHORTEST => return Extent::Lost,
            ENCRYPTED => Some(TransformHeader::LENGTH),
            COMPRESSED => Some(COMPRESSED.len()),
            smb1::MAGIC => self.smb1.wanted(message, length),
            smb2::MAGIC => self.smb2.wanted(message, length),
            _ => return Extent::Lost,
        };
        match wanted {
            Some(wanted) => Extent::Packet {
                length: netbios::HEADER + length,
                wanted: netbios::HEADER + wanted.min(length),
                is_ciphertext: mark == ENCRYPTED,
            },
            None => Extent::More,
        }
    }

    fn message(&mut self, message: &Message<'_>, out: &mut Out<'_>) {
        let body = message.bytes.get(netbios::HEADER..).unwrap_or_default();
        let length = match netbios::packet(message.bytes) {
            Some(Packet::Message(length)) if length > 0 => length,
            _ => return,
        };
        let packet =
            |origin| SmbPacket { direction: message.direction, bytes: body, length, origin };
        let packet = message.last_origin().map(packet);
        if body.starts_with(ENCRYPTED) {
            self.is_smb2 = true;
            out.claim(0..message.bytes.len());
            if let Some(inside) = packet.and_then(|packet| out.listener.packet(&packet)) {
                self.inside(&inside, message, out);
            }
            return;
        }
        if body.starts_with(smb2::MAGIC) {
            self.is_smb2 = true;
            self.smb2.packet(message, netbios::HEADER, out);
        } else if body.starts_with(smb1::MAGIC) {
            self.smb1.message(message, netbios::HEADER, out);
        }
        packet.map(|packet| out.listener.packet(&packet));
    }

    fn resume(&self, _: Direction, bytes: &[u8]) -> Option<usize> {
        memmem::find_iter(bytes, b"SMB")
            .filter_map(|at| at.checked_sub(netbios::HEADER + 1))
            .find(|at| bytes.get(*at..).is_some_and(is_packet))
    }

    fn gap(&mut self, _: Direction) {
        self.smb2.gap();
        self.smb1.gap();
    }
}

impl Smb {
    /// Reads what was encrypted.
    fn inside(&mut self, inside: &[u8], message: &Message<'_>, out: &mut Out<'_>) {
        let before = wide(netbios::HEADER + TransformHeader::LENGTH);
        let start = message.start.saturating_add(before);
        let inner = Message { bytes: inside, start, ..*message };
        let mut claimed = Vec::new();
        let Out { listener, conversations, .. } = out;
        let out = &mut Out { listener: &mut **listener, claimed: &mut claimed, conversations };
        self.smb2.packet(&inner, 0, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_told_by_the_mark() {
        for mark in [smb1::MAGIC, smb2::MAGIC, ENCRYPTED, COMPRESSED] {
            assert!(is_packet(&[b"\0\0\0\x60", mark].concat()));
            assert!(!is_packet(&[b"\0\0\0\x10", mark].concat()));
        }
        assert!(is_packet(b"\x81\0\0\x44\x20CKFD"));
        assert!(!is_packet(b"\0\0\0\x60\xfbSMB"));
    }

    #[test]
    fn a_packet_is_found_in_the_midst() {
        let smb = Smb::default();
        let bytes = b"12345SMB7890\0\0\x01\0\xfeSMB\x40\0";
        assert_eq!(smb.resume(Direction::ClientToServer, bytes), Some(12));
    }
}
