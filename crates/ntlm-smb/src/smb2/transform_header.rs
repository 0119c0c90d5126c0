//! What stands before encrypted and before compressed messages (MS-SMB2 2.2.41, 2.2.42).

use crate::error::DecodeError;
use crate::transport::ProtocolId;
use crate::wire::{Reader, concat};
use ntlm::wire::Span;

/// SMB2 TRANSFORM_HEADER, 52 bytes (MS-SMB2 2.2.41).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransformHeader {
    /// Signature: the tag of the cipher.
    pub signature: [u8; 16],
    /// Nonce: 11 bytes (CCM) or 12 (GCM) count; Windows 8 leaves something in the others.
    pub nonce: [u8; 16],
    /// OriginalMessageSize, in bytes.
    pub original_message_size: u32,
    /// Reserved.
    pub reserved: u16,
    /// Flags under 3.1.1, EncryptionAlgorithm before; 1 in either case.
    pub flags: u16,
    /// SessionId.
    pub session_id: u64,
}

impl TransformHeader {
    /// Length in bytes.
    pub const LENGTH: usize = 52;
    /// Where Signature stands.
    pub const SIGNATURE: Span = Span { offset: 4, length: 16 };
    /// What the tag covers besides the message: from Nonce on.
    pub const AUTHENTICATED: Span = Span { offset: 20, length: 32 };
    /// The one value of Flags.
    pub const ENCRYPTED: u16 = 1;

    /// Reads the header at the start of `packet`.
    ///
    /// # Errors
    ///
    /// It is too short, or not an encrypted message.
    pub fn decode(packet: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(packet, 0);
        ProtocolId::Transform.expect(r.array("ProtocolId")?)?;
        Ok(Self {
            signature: r.array("Signature")?,
            nonce: r.array("Nonce")?,
            original_message_size: r.u32("OriginalMessageSize")?,
            reserved: r.u16("Reserved")?,
            flags: r.u16("Flags")?,
            session_id: r.u64("SessionId")?,
        })
    }

    /// The 52 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        concat(&[&ProtocolId::Transform.bytes(), &self.signature, &self.authenticated()])
    }

    /// The 32 bytes from Nonce to SessionId: what the tag covers besides the message.
    #[must_use]
    pub fn authenticated(&self) -> [u8; 32] {
        concat(&[
            &self.nonce,
            &self.original_message_size.to_le_bytes(),
            &self.reserved.to_le_bytes(),
            &self.flags.to_le_bytes(),
            &self.session_id.to_le_bytes(),
        ])
    }
}

/// SMB2 COMPRESSION_TRANSFORM_HEADER, 16 bytes (MS-SMB2 2.2.42). Recognised, not expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompressionHeader {
    /// OriginalCompressedSegmentSize, in bytes.
    pub original_compressed_segment_size: u32,
    /// CompressionAlgorithm: 1 LZNT1, 2 LZ77, 3 LZ77+Huffman, 4 Pattern_V1, 5 LZ4.
    pub compression_algorithm: u16,
    /// Flags: 1 where chained, and then what follows has another layout.
    pub flags: u16,
    /// Offset of the compressed data behind this header; in a chain, the length of its first part.
    pub offset_or_length: u32,
}

impl CompressionHeader {
    /// Length in bytes.
    pub const LENGTH: usize = 16;

    /// Reads the header at the start of `packet`.
    ///
    /// # Errors
    ///
    /// It is too short, or not a compressed message.
    pub fn decode(packet: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(packet, 0);
        ProtocolId::Compression.expect(r.array("ProtocolId")?)?;
        Ok(Self {
            original_compressed_segment_size: r.u32("OriginalCompressedSegmentSize")?,
            compression_algorithm: r.u16("CompressionAlgorithm")?,
            flags: r.u16("Flags")?,
            offset_or_length: r.u32("Offset/Length")?,
        })
    }
}
