//! SMB2 NEGOTIATE (MS-SMB2 2.2.3, 2.2.4).

use super::context::{ContextType, NegotiateContexts};
use super::{Command, Header};
use crate::dialect::{Cipher, Dialect, SigningAlgorithm};
use crate::error::{DecodeError, TooLong};
use crate::wire::{Part, Reader, U16List, length, offset, pad};
use alloc::vec::Vec;
use bitflags::bitflags;
use ntlm::FileTime;

bitflags! {
    /// SecurityMode of NEGOTIATE and SESSION_SETUP. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SecurityMode: u16 {
        /// SMB2_NEGOTIATE_SIGNING_ENABLED.
        const SIGNING_ENABLED = 0x0001;
        /// SMB2_NEGOTIATE_SIGNING_REQUIRED.
        const SIGNING_REQUIRED = 0x0002;

        const _ = !0;
    }
}

bitflags! {
    /// Capabilities of NEGOTIATE and SESSION_SETUP. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Capabilities: u32 {
        /// SMB2_GLOBAL_CAP_DFS.
        const DFS = 0x0000_0001;
        /// SMB2_GLOBAL_CAP_LEASING.
        const LEASING = 0x0000_0002;
        /// SMB2_GLOBAL_CAP_LARGE_MTU.
        const LARGE_MTU = 0x0000_0004;
        /// SMB2_GLOBAL_CAP_MULTI_CHANNEL.
        const MULTI_CHANNEL = 0x0000_0008;
        /// SMB2_GLOBAL_CAP_PERSISTENT_HANDLES.
        const PERSISTENT_HANDLES = 0x0000_0010;
        /// SMB2_GLOBAL_CAP_DIRECTORY_LEASING.
        const DIRECTORY_LEASING = 0x0000_0020;
        /// SMB2_GLOBAL_CAP_ENCRYPTION: under 3.0 and 3.0.2; 3.1.1 has a context for it.
        const ENCRYPTION = 0x0000_0040;
        /// SMB2_GLOBAL_CAP_NOTIFICATIONS.
        const NOTIFICATIONS = 0x0000_0080;

        const _ = !0;
    }
}

/// SMB2 NEGOTIATE Request (MS-SMB2 2.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiateRequest<'a> {
    /// SecurityMode.
    pub security_mode: SecurityMode,
    /// Capabilities.
    pub capabilities: Capabilities,
    /// ClientGuid.
    pub client_guid: [u8; 16],
    /// ClientStartTime, without 3.1.1 among the dialects; zero.
    pub client_start_time: u64,
    /// Dialects, each two bytes.
    pub dialects: Part<'a>,
    /// NegotiateContextList; empty without 3.1.1 among the dialects.
    pub contexts: NegotiateContexts<'a>,
}

impl<'a> NegotiateRequest<'a> {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::NEGOTIATE)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(36)?;
        let dialect_count = r.u16("DialectCount")?;
        let security_mode = SecurityMode::from_bits_retain(r.u16("SecurityMode")?);
        r.u16("Reserved")?;
        let capabilities = Capabilities::from_bits_retain(r.u32("Capabilities")?);
        let client_guid = r.array("ClientGuid")?;
        let descriptor = r.position();
        let start_time_or_contexts = r.u64("ClientStartTime")?;
        let dialects = r.take(usize::from(dialect_count) * 2, "Dialects")?;
        let mut this = Self {
            security_mode,
            capabilities,
            client_guid,
            client_start_time: start_time_or_contexts,
            dialects,
            contexts: NegotiateContexts::default(),
        };
        if this.offers(Dialect::Smb311) {
            this.client_start_time = 0;
            let mut fields = Reader::new(message, descriptor);
            let list_offset = fields.u32("NegotiateContextOffset")?;
            let count = fields.u16("NegotiateContextCount")?;
            this.contexts = context_list(&r, list_offset, count, descriptor)?;
        }
        Ok(this)
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let mut out = header.encode().to_vec();
        out.extend_from_slice(&36_u16.to_le_bytes());
        let dialect_count: u16 = length(self.dialects.bytes().len() / 2, "DialectCount")?;
        out.extend_from_slice(&dialect_count.to_le_bytes());
        out.extend_from_slice(&self.security_mode.bits().to_le_bytes());
        out.extend_from_slice(&[0; 2]); // Reserved
        out.extend_from_slice(&self.capabilities.bits().to_le_bytes());
        out.extend_from_slice(&self.client_guid);
        if self.offers(Dialect::Smb311) {
            let list = out.len() + 8 + self.dialects.bytes().len();
            let list: u32 = length(list.next_multiple_of(8), "NegotiateContextOffset")?;
            out.extend_from_slice(&list.to_le_bytes());
            out.extend_from_slice(&self.contexts.count.to_le_bytes());
            out.extend_from_slice(&[0; 2]); // Reserved2
        } else {
            out.extend_from_slice(&self.client_start_time.to_le_bytes());
        }
        out.extend_from_slice(self.dialects.bytes());
        if self.offers(Dialect::Smb311) {
            pad(&mut out, 8);
            out.extend_from_slice(self.contexts.list.bytes());
        }
        Ok(out)
    }

    /// DialectRevision of each dialect offered.
    #[must_use]
    pub const fn dialect_revisions(&self) -> U16List<'a> {
        U16List::new(self.dialects.bytes())
    }

    /// Whether a dialect is offered.
    #[must_use]
    pub fn offers(&self, dialect: Dialect) -> bool {
        self.dialect_revisions().contains(dialect.revision())
    }
}

/// SMB2 NEGOTIATE Response (MS-SMB2 2.2.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiateResponse<'a> {
    /// SecurityMode.
    pub security_mode: SecurityMode,
    /// DialectRevision, which may be the wildcard.
    pub dialect_revision: u16,
    /// Reserved, in the place of NegotiateContextCount below 3.1.1.
    pub reserved: u16,
    /// ServerGuid.
    pub server_guid: [u8; 16],
    /// Capabilities.
    pub capabilities: Capabilities,
    /// MaxTransactSize.
    pub max_transact_size: u32,
    /// MaxReadSize.
    pub max_read_size: u32,
    /// MaxWriteSize.
    pub max_write_size: u32,
    /// SystemTime.
    pub system_time: FileTime,
    /// ServerStartTime.
    pub server_start_time: FileTime,
    /// Reserved2, in the place of NegotiateContextOffset below 3.1.1. Windows fills it.
    pub reserved2: u32,
    /// SecurityBuffer: NegTokenInit2, or nothing.
    pub security_buffer: Part<'a>,
    /// NegotiateContextList; empty below 3.1.1.
    pub contexts: NegotiateContexts<'a>,
}

impl<'a> NegotiateResponse<'a> {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::NEGOTIATE)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(65)?;
        let security_mode = SecurityMode::from_bits_retain(r.u16("SecurityMode")?);
        let dialect_revision = r.u16("DialectRevision")?;
        let count = r.u16("NegotiateContextCount")?;
        let server_guid = r.array("ServerGuid")?;
        let capabilities = Capabilities::from_bits_retain(r.u32("Capabilities")?);
        let max_transact_size = r.u32("MaxTransactSize")?;
        let max_read_size = r.u32("MaxReadSize")?;
        let max_write_size = r.u32("MaxWriteSize")?;
        let system_time = FileTime::from_le_bytes(r.array("SystemTime")?);
        let server_start_time = FileTime::from_le_bytes(r.array("ServerStartTime")?);
        let descriptor = r.position();
        let buffer_offset = usize::from(r.u16("SecurityBufferOffset")?);
        let buffer_len = usize::from(r.u16("SecurityBufferLength")?);
        let list_descriptor = r.position();
        let list_offset = r.u32("NegotiateContextOffset")?;
        let security_buffer = r.part(buffer_offset, buffer_len, "SecurityBuffer", descriptor)?;
        let has_contexts = dialect_revision == Dialect::Smb311.revision();
        let (contexts, reserved, reserved2) = if has_contexts {
            (context_list(&r, list_offset, count, list_descriptor)?, 0, 0)
        } else {
            (NegotiateContexts::default(), count, list_offset)
        };
        Ok(Self {
            security_mode,
            dialect_revision,
            reserved,
            server_guid,
            capabilities,
            max_transact_size,
            max_read_size,
            max_write_size,
            system_time,
            server_start_time,
            reserved2,
            security_buffer,
            contexts,
        })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        const BUFFER: u16 = 0x80;
        let has_contexts = self.dialect() == Some(Dialect::Smb311);
        let buffer = self.security_buffer.bytes();
        let list = (usize::from(BUFFER) + buffer.len()).next_multiple_of(8);
        let list: u32 = length(list, "NegotiateContextOffset")?;
        let (count, list) = if has_contexts {
            (self.contexts.count, list)
        } else {
            (self.reserved, self.reserved2)
        };
        let mut out = header.encode().to_vec();
        out.extend_from_slice(&65_u16.to_le_bytes());
        out.extend_from_slice(&self.security_mode.bits().to_le_bytes());
        out.extend_from_slice(&self.dialect_revision.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&self.server_guid);
        out.extend_from_slice(&self.capabilities.bits().to_le_bytes());
        out.extend_from_slice(&self.max_transact_size.to_le_bytes());
        out.extend_from_slice(&self.max_read_size.to_le_bytes());
        out.extend_from_slice(&self.max_write_size.to_le_bytes());
        out.extend_from_slice(&self.system_time.to_le_bytes());
        out.extend_from_slice(&self.server_start_time.to_le_bytes());
        out.extend_from_slice(&BUFFER.to_le_bytes());
        let buffer_len: u16 = length(buffer.len(), "SecurityBufferLength")?;
        out.extend_from_slice(&buffer_len.to_le_bytes());
        out.extend_from_slice(&list.to_le_bytes());
        out.extend_from_slice(buffer);
        if has_contexts {
            pad(&mut out, 8);
            out.extend_from_slice(self.contexts.list.bytes());
        }
        Ok(out)
    }

    /// The dialect chosen; `None` for the wildcard and for what is not known.
    #[must_use]
    pub fn dialect(&self) -> Option<Dialect> {
        Dialect::from_revision(self.dialect_revision)
    }

    /// How messages will be signed; `None` without a dialect, or where the id is not known.
    #[must_use]
    pub fn signing_algorithm(&self) -> Option<SigningAlgorithm> {
        SigningAlgorithm::choose(self.dialect()?, self.contexts.chosen(ContextType::SIGNING))
    }

    /// How messages can be encrypted; `None` where they cannot.
    #[must_use]
    pub fn cipher(&self, client_capabilities: Capabilities) -> Option<Cipher> {
        let both = (self.capabilities & client_capabilities).contains(Capabilities::ENCRYPTION);
        Cipher::choose(self.dialect()?, both, self.contexts.chosen(ContextType::ENCRYPTION))
    }
}

/// `r` stands behind what comes before the list.
fn context_list<'a>(
    r: &Reader<'a>,
    list_offset: u32,
    count: u16,
    descriptor: usize,
) -> Result<NegotiateContexts<'a>, DecodeError> {
    if count == 0 {
        return Ok(NegotiateContexts::default());
    }
    let list = r.behind(offset(list_offset), "NegotiateContextOffset", descriptor)?;
    Ok(NegotiateContexts { count, list })
}
