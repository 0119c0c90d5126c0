//! SMB2 TREE_CONNECT (MS-SMB2 2.2.9, 2.2.10): which share, and whether it insists on encryption.

use super::{Command, Header};
use crate::error::{DecodeError, TooLong};
use crate::wire::{Part, Reader, length};
use alloc::vec::Vec;

/// SMB2 TREE_CONNECT Request (MS-SMB2 2.2.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeConnectRequest<'a> {
    /// Flags, under 3.1.1.
    pub flags: u16,
    /// Path: `\\server\share`, UTF-16LE, without a terminator.
    pub path: Part<'a>,
}

impl<'a> TreeConnectRequest<'a> {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::TREE_CONNECT)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(9)?;
        let flags = r.u16("Flags")?;
        let descriptor = r.position();
        let path_offset = usize::from(r.u16("PathOffset")?);
        let path_len = usize::from(r.u16("PathLength")?);
        let path = r.part(path_offset, path_len, "Path", descriptor)?;
        Ok(Self { flags, path })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// The path is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let path_len: u16 = length(self.path.bytes().len(), "PathLength")?;
        let mut out = header.encode().to_vec();
        out.extend_from_slice(&9_u16.to_le_bytes());
        out.extend_from_slice(&self.flags.to_le_bytes());
        out.extend_from_slice(&0x48_u16.to_le_bytes());
        out.extend_from_slice(&path_len.to_le_bytes());
        out.extend_from_slice(self.path.bytes());
        Ok(out)
    }
}

/// SMB2 TREE_CONNECT Response (MS-SMB2 2.2.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeConnectResponse {
    /// ShareType: 1 disk, 2 pipe, 3 printer.
    pub share_type: u8,
    /// ShareFlags.
    pub share_flags: u32,
    /// Capabilities.
    pub capabilities: u32,
    /// MaximalAccess.
    pub maximal_access: u32,
}

impl TreeConnectResponse {
    /// SMB2_SHAREFLAG_ENCRYPT_DATA: everything on this tree is to be encrypted.
    pub const ENCRYPT_DATA: u32 = 0x0000_8000;

    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::TREE_CONNECT)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(16)?;
        let share_type = r.u8("ShareType")?;
        r.u8("Reserved")?;
        let share_flags = r.u32("ShareFlags")?;
        let capabilities = r.u32("Capabilities")?;
        let maximal_access = r.u32("MaximalAccess")?;
        Ok(Self { share_type, share_flags, capabilities, maximal_access })
    }

    /// Header and body.
    #[must_use]
    pub fn encode(&self, header: &Header) -> Vec<u8> {
        let mut out = header.encode().to_vec();
        out.extend_from_slice(&16_u16.to_le_bytes());
        out.extend_from_slice(&[self.share_type, 0]);
        out.extend_from_slice(&self.share_flags.to_le_bytes());
        out.extend_from_slice(&self.capabilities.to_le_bytes());
        out.extend_from_slice(&self.maximal_access.to_le_bytes());
        out
    }

    /// Whether everything on this tree is to be encrypted.
    #[must_use]
    pub const fn encrypts(&self) -> bool {
        self.share_flags & Self::ENCRYPT_DATA != 0
    }
}
