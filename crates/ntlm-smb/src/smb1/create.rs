//! SMB_COM_NT_CREATE_ANDX and SMB_COM_CLOSE (MS-CIFS 2.2.4.64, 2.2.4.5).

use super::block::{Block, BytesWriter, Texts, encode, without_andx};
use super::header::{Command, Header};
use crate::error::{DecodeError, TooLong};
use crate::file::{
    AccessMask, CreateAction, CreateDisposition, CreateOptions, FileAttributes, ImpersonationLevel,
    NetworkOpenInformation, ShareAccess,
};
use crate::wire::{Part, Writer, length};
use alloc::vec::Vec;
use ntlm::FileTime;

/// SMB_COM_NT_CREATE_ANDX Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtCreateRequest<'a> {
    /// Flags: oplocks asked for, and [`EXTENDED_RESPONSE`](Self::EXTENDED_RESPONSE).
    pub flags: u32,
    /// RootDirectoryFID; 0 for the share's root.
    pub root_directory_fid: u32,
    /// DesiredAccess.
    pub desired_access: AccessMask,
    /// AllocationSize of a file that is made, in bytes.
    pub allocation_size: u64,
    /// ExtFileAttributes of a file that is made.
    pub ext_file_attributes: FileAttributes,
    /// ShareAccess.
    pub share_access: ShareAccess,
    /// CreateDisposition.
    pub create_disposition: CreateDisposition,
    /// CreateOptions.
    pub create_options: CreateOptions,
    /// ImpersonationLevel.
    pub impersonation_level: ImpersonationLevel,
    /// SecurityFlags.
    pub security_flags: u8,
    /// FileName, with a leading backslash.
    pub file_name: Part<'a>,
    /// Whether the name is UTF-16LE; else it is OEM.
    pub unicode: bool,
}

impl<'a> NtCreateRequest<'a> {
    /// NT_CREATE_REQUEST_EXTENDED_RESPONSE.
    pub const EXTENDED_RESPONSE: u32 = 0x0000_0010;

    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::NT_CREATE_ANDX)?;
        let unicode = Header::decode(message)?.is_unicode();
        let mut r = block.reader(24)?;
        r.u32("AndX")?;
        r.u8("Reserved")?;
        r.u16("NameLength")?; // Samba and Windows disagree on what it counts: the name ends itself.
        Ok(Self {
            flags: r.u32("Flags")?,
            root_directory_fid: r.u32("RootDirectoryFID")?,
            desired_access: AccessMask::from_bits_retain(r.u32("DesiredAccess")?),
            allocation_size: r.u64("AllocationSize")?,
            ext_file_attributes: FileAttributes::from_bits_retain(r.u32("ExtFileAttributes")?),
            share_access: ShareAccess::from_bits_retain(r.u32("ShareAccess")?),
            create_disposition: CreateDisposition(r.u32("CreateDisposition")?),
            create_options: CreateOptions::from_bits_retain(r.u32("CreateOptions")?),
            impersonation_level: ImpersonationLevel(r.u32("ImpersonationLevel")?),
            security_flags: r.u8("SecurityFlags")?,
            file_name: Texts::new(block.bytes, 0, unicode).next(),
            unicode,
        })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// The name is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let mut words = without_andx();
        words.u8(0); // Reserved
        words.u16(length(self.file_name.bytes().len(), "NameLength")?);
        words.u32(self.flags);
        words.u32(self.root_directory_fid);
        words.u32(self.desired_access.bits());
        words.u64(self.allocation_size);
        words.u32(self.ext_file_attributes.bits());
        words.u32(self.share_access.bits());
        words.u32(self.create_disposition.0);
        words.u32(self.create_options.bits());
        words.u32(self.impersonation_level.0);
        words.u8(self.security_flags);
        let words = words.finish();
        let mut bytes = BytesWriter::new(&words, self.unicode);
        bytes.text(self.file_name);
        encode(header, &words, bytes.finish())
    }
}

/// SMB_COM_NT_CREATE_ANDX Response. Of the extended form, which says 42 words, the first 34 are read.
/// Encodes to the form of 34 words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NtCreateResponse {
    /// OpLockLevel.
    pub oplock_level: u8,
    /// FID: a name for what was opened.
    pub fid: u16,
    /// CreateDisposition: what was done.
    pub create_action: CreateAction,
    /// Times, attributes and sizes.
    pub information: NetworkOpenInformation,
    /// ResourceType: 0 a file, 2 a pipe of messages.
    pub resource_type: u16,
    /// NMPipeStatus.
    pub nm_pipe_status: u16,
    /// Directory: whether it is a folder.
    pub directory: u8,
}

impl NtCreateResponse {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::NT_CREATE_ANDX)?;
        let mut r = match block.word_count() {
            count @ (34 | 42) => block.reader(count)?,
            _ => return Err(block.wrong_word_count()),
        };
        r.u32("AndX")?;
        let oplock_level = r.u8("OpLockLevel")?;
        let fid = r.u16("FID")?;
        let create_action = CreateAction(r.u32("CreateDisposition")?);
        let creation_time = FileTime(r.u64("CreateTime")?);
        let last_access_time = FileTime(r.u64("LastAccessTime")?);
        let last_write_time = FileTime(r.u64("LastWriteTime")?);
        let change_time = FileTime(r.u64("LastChangeTime")?);
        let file_attributes = FileAttributes::from_bits_retain(r.u32("ExtFileAttributes")?);
        let allocation_size = r.u64("AllocationSize")?;
        let end_of_file = r.u64("EndOfFile")?;
        Ok(Self {
            oplock_level,
            fid,
            create_action,
            information: NetworkOpenInformation {
                creation_time,
                last_access_time,
                last_write_time,
                change_time,
                allocation_size,
                end_of_file,
                file_attributes,
            },
            resource_type: r.u16("ResourceType")?,
            nm_pipe_status: r.u16("NMPipeStatus")?,
            directory: r.u8("Directory")?,
        })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// None: nothing in it varies in length. It has the form of the others.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let information = &self.information;
        let mut words = without_andx();
        words.u8(self.oplock_level);
        words.u16(self.fid);
        words.u32(self.create_action.0);
        words.u64(information.creation_time.0);
        words.u64(information.last_access_time.0);
        words.u64(information.last_write_time.0);
        words.u64(information.change_time.0);
        words.u32(information.file_attributes.bits());
        words.u64(information.allocation_size);
        words.u64(information.end_of_file);
        words.u16(self.resource_type);
        words.u16(self.nm_pipe_status);
        words.u8(self.directory);
        encode(header, &words.finish(), &[])
    }
}

/// SMB_COM_CLOSE Request. Its response is a [`BareMessage`](super::BareMessage).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseRequest {
    /// FID.
    pub fid: u16,
    /// LastTimeModified, in seconds since 1970; 0 or all ones to leave it.
    pub last_time_modified: u32,
}

impl CloseRequest {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::CLOSE)?;
        let mut r = block.reader(3)?;
        Ok(Self { fid: r.u16("FID")?, last_time_modified: r.u32("LastTimeModified")? })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// None: nothing in it varies in length. It has the form of the others.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let mut words = Writer::new(&self.fid.to_le_bytes());
        words.u32(self.last_time_modified);
        encode(header, &words.finish(), &[])
    }
}
