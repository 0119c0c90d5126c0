//! SMB2 SESSION_SETUP (MS-SMB2 2.2.5, 2.2.6).

use super::{Capabilities, Command, Header};
use crate::error::{DecodeError, TooLong};
use crate::wire::{Part, Reader, length};
use alloc::vec::Vec;
use bitflags::bitflags;

bitflags! {
    /// Flags of SESSION_SETUP Request. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SessionSetupFlags: u8 {
        /// SMB2_SESSION_FLAG_BINDING: joins this connection to a session of another.
        const BINDING = 0x01;

        const _ = !0;
    }
}

bitflags! {
    /// SessionFlags of SESSION_SETUP Response. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SessionFlags: u16 {
        /// SMB2_SESSION_FLAG_IS_GUEST.
        const IS_GUEST = 0x0001;
        /// SMB2_SESSION_FLAG_IS_NULL: anonymous. Samba leaves it out.
        const IS_NULL = 0x0002;
        /// SMB2_SESSION_FLAG_ENCRYPT_DATA: everything in this session is to be encrypted.
        const ENCRYPT_DATA = 0x0004;

        const _ = !0;
    }
}

/// SMB2 SESSION_SETUP Request (MS-SMB2 2.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSetupRequest<'a> {
    /// Flags.
    pub flags: SessionSetupFlags,
    /// SecurityMode: the bits of [`SecurityMode`](super::SecurityMode) in one byte.
    pub security_mode: u8,
    /// Capabilities; only DFS counts.
    pub capabilities: Capabilities,
    /// Channel, zero.
    pub channel: u32,
    /// PreviousSessionId: a session to be closed, after a lost connection.
    pub previous_session_id: u64,
    /// SecurityBuffer: a token of SPNEGO or of NTLM itself.
    pub security_buffer: Part<'a>,
}

impl<'a> SessionSetupRequest<'a> {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::SESSION_SETUP)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(25)?;
        let flags = SessionSetupFlags::from_bits_retain(r.u8("Flags")?);
        let security_mode = r.u8("SecurityMode")?;
        let capabilities = Capabilities::from_bits_retain(r.u32("Capabilities")?);
        let channel = r.u32("Channel")?;
        let descriptor = r.position();
        let buffer_offset = usize::from(r.u16("SecurityBufferOffset")?);
        let buffer_len = usize::from(r.u16("SecurityBufferLength")?);
        let previous_session_id = r.u64("PreviousSessionId")?;
        let security_buffer = r.part(buffer_offset, buffer_len, "SecurityBuffer", descriptor)?;
        Ok(Self {
            flags,
            security_mode,
            capabilities,
            channel,
            previous_session_id,
            security_buffer,
        })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// The token is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let buffer = self.security_buffer.bytes();
        let buffer_len: u16 = length(buffer.len(), "SecurityBufferLength")?;
        let mut out = header.encode().to_vec();
        out.extend_from_slice(&25_u16.to_le_bytes());
        out.push(self.flags.bits());
        out.push(self.security_mode);
        out.extend_from_slice(&self.capabilities.bits().to_le_bytes());
        out.extend_from_slice(&self.channel.to_le_bytes());
        out.extend_from_slice(&0x58_u16.to_le_bytes());
        out.extend_from_slice(&buffer_len.to_le_bytes());
        out.extend_from_slice(&self.previous_session_id.to_le_bytes());
        out.extend_from_slice(buffer);
        Ok(out)
    }
}

/// SMB2 SESSION_SETUP Response (MS-SMB2 2.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSetupResponse<'a> {
    /// SessionFlags.
    pub session_flags: SessionFlags,
    /// SecurityBuffer: a token, or nothing.
    pub security_buffer: Part<'a>,
}

impl<'a> SessionSetupResponse<'a> {
    /// Reads the message that begins with its header. A refusal is an
    /// [`ErrorResponse`](super::ErrorResponse) instead.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::SESSION_SETUP)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(9)?;
        let session_flags = SessionFlags::from_bits_retain(r.u16("SessionFlags")?);
        let descriptor = r.position();
        let buffer_offset = usize::from(r.u16("SecurityBufferOffset")?);
        let buffer_len = usize::from(r.u16("SecurityBufferLength")?);
        let security_buffer = r.part(buffer_offset, buffer_len, "SecurityBuffer", descriptor)?;
        Ok(Self { session_flags, security_buffer })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// The token is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let buffer = self.security_buffer.bytes();
        let buffer_len: u16 = length(buffer.len(), "SecurityBufferLength")?;
        let mut out = header.encode().to_vec();
        out.extend_from_slice(&9_u16.to_le_bytes());
        out.extend_from_slice(&self.session_flags.bits().to_le_bytes());
        out.extend_from_slice(&0x48_u16.to_le_bytes());
        out.extend_from_slice(&buffer_len.to_le_bytes());
        out.extend_from_slice(buffer);
        Ok(out)
    }
}
