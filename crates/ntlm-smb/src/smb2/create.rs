//! SMB2 CREATE and CLOSE (MS-SMB2 2.2.13 to 2.2.16): a file or pipe is opened and let go.

use super::{Command, Header};
use crate::error::{DecodeError, TooLong};
use crate::file::{
    AccessMask, CreateAction, CreateDisposition, CreateOptions, FileAttributes, ImpersonationLevel,
    NetworkOpenInformation, ShareAccess,
};
use crate::wire::{Part, Reader, Writer, length, offset};
use alloc::vec::Vec;

/// SMB2_FILEID: a name for what was opened, 16 bytes (MS-SMB2 2.2.14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    /// Persistent.
    pub persistent: u64,
    /// Volatile.
    pub volatile: u64,
}

impl FileId {
    /// All ones: no file, or in a compound the one before.
    pub const NONE: Self = Self { persistent: u64::MAX, volatile: u64::MAX };

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { persistent: r.u64("FileId")?, volatile: r.u64("FileId")? })
    }

    pub(super) fn write(self, w: &mut Writer) {
        w.u64(self.persistent);
        w.u64(self.volatile);
    }
}

/// RequestedOplockLevel and OplockLevel. Unknown ones are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct OplockLevel(pub u8);

impl OplockLevel {
    /// SMB2_OPLOCK_LEVEL_NONE.
    pub const NONE: Self = Self(0x00);
    /// SMB2_OPLOCK_LEVEL_II.
    pub const II: Self = Self(0x01);
    /// SMB2_OPLOCK_LEVEL_EXCLUSIVE.
    pub const EXCLUSIVE: Self = Self(0x08);
    /// SMB2_OPLOCK_LEVEL_BATCH.
    pub const BATCH: Self = Self(0x09);
    /// SMB2_OPLOCK_LEVEL_LEASE.
    pub const LEASE: Self = Self(0xff);
}

/// SMB2 CREATE Request (MS-SMB2 2.2.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateRequest<'a> {
    /// RequestedOplockLevel.
    pub requested_oplock_level: OplockLevel,
    /// ImpersonationLevel.
    pub impersonation_level: ImpersonationLevel,
    /// DesiredAccess.
    pub desired_access: AccessMask,
    /// FileAttributes of a file that is made.
    pub file_attributes: FileAttributes,
    /// ShareAccess.
    pub share_access: ShareAccess,
    /// CreateDisposition.
    pub create_disposition: CreateDisposition,
    /// CreateOptions.
    pub create_options: CreateOptions,
    /// Name: UTF-16LE below the share, without a leading backslash or a terminator; empty for the
    /// root.
    pub name: Part<'a>,
    /// SMB2_CREATE_CONTEXT list, as it stands in the message.
    pub create_contexts: Part<'a>,
}

impl<'a> CreateRequest<'a> {
    const NAME: u16 = 0x78;

    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::CREATE)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(57)?;
        r.u8("SecurityFlags")?;
        let requested_oplock_level = OplockLevel(r.u8("RequestedOplockLevel")?);
        let impersonation_level = ImpersonationLevel(r.u32("ImpersonationLevel")?);
        r.u64("SmbCreateFlags")?;
        r.u64("Reserved")?;
        let desired_access = AccessMask::from_bits_retain(r.u32("DesiredAccess")?);
        let file_attributes = FileAttributes::from_bits_retain(r.u32("FileAttributes")?);
        let share_access = ShareAccess::from_bits_retain(r.u32("ShareAccess")?);
        let create_disposition = CreateDisposition(r.u32("CreateDisposition")?);
        let create_options = CreateOptions::from_bits_retain(r.u32("CreateOptions")?);
        let descriptor = r.position();
        let name_offset = usize::from(r.u16("NameOffset")?);
        let name_len = usize::from(r.u16("NameLength")?);
        let name = r.part(name_offset, name_len, "Name", descriptor)?;
        let create_contexts = create_contexts(&mut r)?;
        Ok(Self {
            requested_oplock_level,
            impersonation_level,
            desired_access,
            file_attributes,
            share_access,
            create_disposition,
            create_options,
            name,
            create_contexts,
        })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let (name, contexts) = (self.name.bytes(), self.create_contexts.bytes());
        let mut w = Writer::new(&header.encode());
        w.u16(57);
        w.u8(0); // SecurityFlags
        w.u8(self.requested_oplock_level.0);
        w.u32(self.impersonation_level.0);
        w.zeros(16); // SmbCreateFlags, Reserved
        w.u32(self.desired_access.bits());
        w.u32(self.file_attributes.bits());
        w.u32(self.share_access.bits());
        w.u32(self.create_disposition.0);
        w.u32(self.create_options.bits());
        w.u16(Self::NAME);
        w.u16(length(name.len(), "NameLength")?);
        let behind_name = (usize::from(Self::NAME) + name.len()).next_multiple_of(8);
        let has_contexts = !contexts.is_empty();
        let list_offset = if has_contexts { behind_name } else { 0 };
        w.u32(length(list_offset, "CreateContextsOffset")?);
        w.u32(length(contexts.len(), "CreateContextsLength")?);
        w.bytes(name);
        if has_contexts {
            w.pad(8);
            w.bytes(contexts);
        }
        if name.is_empty() && !has_contexts {
            w.u8(0); // The one byte of the buffer that StructureSize counts.
        }
        Ok(w.finish())
    }
}

/// SMB2 CREATE Response (MS-SMB2 2.2.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreateResponse<'a> {
    /// OplockLevel.
    pub oplock_level: OplockLevel,
    /// Flags, under 3.x.
    pub flags: u8,
    /// CreateAction.
    pub create_action: CreateAction,
    /// Times, sizes and attributes.
    pub information: NetworkOpenInformation,
    /// FileId.
    pub file_id: FileId,
    /// SMB2_CREATE_CONTEXT list, as it stands in the message.
    pub create_contexts: Part<'a>,
}

impl<'a> CreateResponse<'a> {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::CREATE)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(89)?;
        let oplock_level = OplockLevel(r.u8("OplockLevel")?);
        let flags = r.u8("Flags")?;
        let create_action = CreateAction(r.u32("CreateAction")?);
        let information = NetworkOpenInformation::read(&mut r)?;
        r.u32("Reserved2")?;
        let file_id = FileId::read(&mut r)?;
        let create_contexts = create_contexts(&mut r)?;
        Ok(Self { oplock_level, flags, create_action, information, file_id, create_contexts })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// The contexts are too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let contexts = self.create_contexts.bytes();
        let mut w = Writer::new(&header.encode());
        w.u16(89);
        w.u8(self.oplock_level.0);
        w.u8(self.flags);
        w.u32(self.create_action.0);
        self.information.write(&mut w);
        w.zeros(4); // Reserved2
        self.file_id.write(&mut w);
        w.u32(if contexts.is_empty() { 0 } else { 0x98 });
        w.u32(length(contexts.len(), "CreateContextsLength")?);
        w.bytes(contexts);
        Ok(w.finish())
    }
}

fn create_contexts<'a>(r: &mut Reader<'a>) -> Result<Part<'a>, DecodeError> {
    let descriptor = r.position();
    let list_offset = offset(r.u32("CreateContextsOffset")?);
    let list_len = offset(r.u32("CreateContextsLength")?);
    r.part(list_offset, list_len, "CreateContexts", descriptor)
}

/// SMB2 CLOSE Request (MS-SMB2 2.2.15).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseRequest {
    /// Flags; 1 is [`POSTQUERY_ATTRIB`](Self::POSTQUERY_ATTRIB).
    pub flags: u16,
    /// FileId.
    pub file_id: FileId,
}

impl CloseRequest {
    /// SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB: the response shall say what the file is now.
    pub const POSTQUERY_ATTRIB: u16 = 1;

    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::CLOSE)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(24)?;
        let flags = r.u16("Flags")?;
        r.u32("Reserved")?;
        Ok(Self { flags, file_id: FileId::read(&mut r)? })
    }

    /// Header and body.
    #[must_use]
    pub fn encode(&self, header: &Header) -> Vec<u8> {
        let mut w = Writer::new(&header.encode());
        w.u16(24);
        w.u16(self.flags);
        w.zeros(4); // Reserved
        self.file_id.write(&mut w);
        w.finish()
    }
}

/// SMB2 CLOSE Response (MS-SMB2 2.2.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseResponse {
    /// Flags of the request.
    pub flags: u16,
    /// What the file is now, where it was asked; else zeros.
    pub information: NetworkOpenInformation,
}

impl CloseResponse {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::CLOSE)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(60)?;
        let flags = r.u16("Flags")?;
        r.u32("Reserved")?;
        Ok(Self { flags, information: NetworkOpenInformation::read(&mut r)? })
    }

    /// Header and body.
    #[must_use]
    pub fn encode(&self, header: &Header) -> Vec<u8> {
        let mut w = Writer::new(&header.encode());
        w.u16(60);
        w.u16(self.flags);
        w.zeros(4); // Reserved
        self.information.write(&mut w);
        w.finish()
    }
}
