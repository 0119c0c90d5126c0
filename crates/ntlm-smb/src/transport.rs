//! What carries SMB over TCP: the four bytes before each message (MS-SMB2 2.1, RFC 1002 4.3).

use crate::error::{DecodeError, DecodeErrorKind, TooLong};
use crate::wire::length;
use alloc::vec::Vec;

/// Which of the two prefixes a connection uses. They differ in how long a message may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Port 445: a zero and a length of 24 bits.
    DirectTcp,
    /// Port 139: a packet type, and a length of 17 bits.
    NetBios,
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FrameType {
    /// 0x00: an SMB message.
    SessionMessage,
    /// 0x81: called and calling name.
    SessionRequest,
    /// 0x82: the session request was accepted.
    PositiveSessionResponse,
    /// 0x83: the session request was refused; one byte says why.
    NegativeSessionResponse,
    /// 0x84: try another address.
    RetargetSessionResponse,
    /// 0x85: nothing, to keep the connection alive. Sent on port 445 too.
    SessionKeepAlive,
}

impl FrameType {
    const ALL: [(u8, Self); 6] = [
        (0x00, Self::SessionMessage),
        (0x81, Self::SessionRequest),
        (0x82, Self::PositiveSessionResponse),
        (0x83, Self::NegativeSessionResponse),
        (0x84, Self::RetargetSessionResponse),
        (0x85, Self::SessionKeepAlive),
    ];
}

/// One frame of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it is.
    pub frame_type: FrameType,
    /// What stands behind the prefix.
    pub payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Length of the prefix in bytes.
    pub const PREFIX: usize = 4;

    /// The first frame of `stream` and what follows it; `None` where the stream ends inside it.
    ///
    /// # Errors
    ///
    /// No frame begins here: the stream is something else, or bytes of it are missing.
    pub fn split(
        transport: Transport,
        stream: &'a [u8],
    ) -> Result<Option<(Self, &'a [u8])>, DecodeError> {
        let Some((prefix, rest)) = stream.split_first_chunk() else { return Ok(None) };
        let (frame_type, length) = decode_prefix(transport, *prefix)?;
        Ok(rest
            .split_at_checked(length)
            .map(|(payload, rest)| (Self { frame_type, payload }, rest)))
    }
}

/// What follows a prefix, and how many bytes of it.
///
/// # Errors
///
/// The four bytes are no prefix.
pub fn decode_prefix(
    transport: Transport,
    prefix: [u8; 4],
) -> Result<(FrameType, usize), DecodeError> {
    let [kind, high, middle, low] = prefix;
    let wrong = |field, offset| DecodeError::new(DecodeErrorKind::WrongValue, field, offset);
    let (_, frame_type) =
        FrameType::ALL.into_iter().find(|(byte, _)| *byte == kind).ok_or(wrong("TYPE", 0))?;
    if transport == Transport::NetBios && high > 1 {
        return Err(wrong("FLAGS", 1));
    }
    let length = u32::from_be_bytes([0, high, middle, low]);
    Ok((frame_type, crate::wire::offset(length)))
}

/// The prefix of an SMB message of `message_len` bytes.
///
/// # Errors
///
/// The message is too long for this transport.
pub fn message_prefix(transport: Transport, message_len: usize) -> Result<[u8; 4], TooLong> {
    let most = match transport {
        Transport::DirectTcp => 0x00ff_ffff,
        Transport::NetBios => 0x0001_ffff,
    };
    let length: u32 = length(message_len, "LENGTH")?;
    if length > most {
        return Err(TooLong { field: "LENGTH" });
    }
    Ok(length.to_be_bytes())
}

/// A NetBIOS session request, prefix and all: what a client sends first on port 139 (RFC 1002
/// 4.3.2, names as in 4.1).
///
/// The names are those of machines, in upper case; what is longer than 15 bytes is cut off.
#[must_use]
pub fn session_request(called: &str, calling: &str) -> Vec<u8> {
    let mut request = alloc::vec![0x81, 0, 0, 68];
    // 0x20: the service that takes files; 0x00: the one that sends.
    for (name, suffix) in [(called, 0x20_u8), (calling, 0x00)] {
        let padded = name.bytes().chain(core::iter::repeat(b' ')).take(15);
        request.push(32);
        for byte in padded.chain([suffix]) {
            request.extend_from_slice(&[b'A' + (byte >> 4), b'A' + (byte & 0x0f)]);
        }
        request.push(0);
    }
    request
}

/// What an SMB message is, by its first four bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProtocolId {
    /// `ff S M B`: SMB1.
    Smb1,
    /// `fe S M B`: SMB2 and SMB3.
    Smb2,
    /// `fd S M B`: an encrypted SMB3 message (MS-SMB2 2.2.41).
    Transform,
    /// `fc S M B`: a compressed SMB3 message (MS-SMB2 2.2.42).
    Compression,
}

impl ProtocolId {
    /// What `message` is; `None` where it is no SMB message.
    #[must_use]
    pub fn of(message: &[u8]) -> Option<Self> {
        match message.first_chunk()? {
            [0xff, b'S', b'M', b'B'] => Some(Self::Smb1),
            [0xfe, b'S', b'M', b'B'] => Some(Self::Smb2),
            [0xfd, b'S', b'M', b'B'] => Some(Self::Transform),
            [0xfc, b'S', b'M', b'B'] => Some(Self::Compression),
            _ => None,
        }
    }

    /// Its four bytes.
    #[must_use]
    pub const fn bytes(self) -> [u8; 4] {
        match self {
            Self::Smb1 => [0xff, b'S', b'M', b'B'],
            Self::Smb2 => [0xfe, b'S', b'M', b'B'],
            Self::Transform => [0xfd, b'S', b'M', b'B'],
            Self::Compression => [0xfc, b'S', b'M', b'B'],
        }
    }

    pub(crate) fn expect(self, bytes: [u8; 4]) -> Result<(), DecodeError> {
        if bytes == self.bytes() {
            Ok(())
        } else {
            Err(DecodeError::new(DecodeErrorKind::WrongProtocolId, "ProtocolId", 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_split_where_they_end() {
        let stream = [0, 0, 0, 3, 1, 2, 3, 0x85, 0, 0, 0, 0, 0, 0, 9, 1];
        let (first, rest) = Frame::split(Transport::NetBios, &stream).unwrap().unwrap();
        assert_eq!((first.frame_type, first.payload), (FrameType::SessionMessage, &stream[4..7]));
        let (second, rest) = Frame::split(Transport::NetBios, rest).unwrap().unwrap();
        assert_eq!((second.frame_type, second.payload.len()), (FrameType::SessionKeepAlive, 0));
        assert_eq!(Frame::split(Transport::NetBios, rest), Ok(None));
        assert_eq!(Frame::split(Transport::NetBios, &[]), Ok(None));
    }

    #[test]
    fn a_session_request_names_both_ends() {
        let request = session_request("*SMBSERVER", "CLIENT");
        assert_eq!(request.len(), 72);
        let (frame, rest) = Frame::split(Transport::NetBios, &request).unwrap().unwrap();
        assert_eq!((frame.frame_type, rest.len()), (FrameType::SessionRequest, 0));
        // The name that RFC 1001 14.1 encodes as an example has the same form.
        assert_eq!(&frame.payload[..34], b"\x20CKFDENECFDEFFCFGEFFCCACACACACACA\0");
    }

    #[test]
    fn lengths_have_24_or_17_bits() {
        let prefix = [0, 2, 0, 0];
        let direct = decode_prefix(Transport::DirectTcp, prefix);
        assert_eq!(direct, Ok((FrameType::SessionMessage, 0x2_0000)));
        assert_eq!(decode_prefix(Transport::NetBios, prefix).unwrap_err().field, "FLAGS");
        assert_eq!(decode_prefix(Transport::DirectTcp, *b"GET ").unwrap_err().field, "TYPE");
        assert_eq!(message_prefix(Transport::DirectTcp, 0x2_0000), Ok(prefix));
        assert!(message_prefix(Transport::NetBios, 0x2_0000).is_err());
        assert_eq!(message_prefix(Transport::NetBios, 0x1_ffff), Ok([0, 1, 0xff, 0xff]));
        assert!(message_prefix(Transport::DirectTcp, 0x100_0000).is_err());
    }
}
