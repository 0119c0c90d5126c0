//! What both generations of SMB say of files and pipes (MS-FSCC 2.4, 2.6; MS-DTYP 2.4.3).

use crate::error::DecodeError;
use crate::wire::{Reader, Writer};
use bitflags::bitflags;
use ntlm::FileTime;

bitflags! {
    /// DesiredAccess and MaximalAccess (MS-SMB2 2.2.13.1). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct AccessMask: u32 {
        /// FILE_READ_DATA.
        const READ_DATA = 0x0000_0001;
        /// FILE_WRITE_DATA.
        const WRITE_DATA = 0x0000_0002;
        /// FILE_APPEND_DATA.
        const APPEND_DATA = 0x0000_0004;
        /// FILE_READ_EA.
        const READ_EA = 0x0000_0008;
        /// FILE_WRITE_EA.
        const WRITE_EA = 0x0000_0010;
        /// FILE_EXECUTE.
        const EXECUTE = 0x0000_0020;
        /// FILE_READ_ATTRIBUTES.
        const READ_ATTRIBUTES = 0x0000_0080;
        /// FILE_WRITE_ATTRIBUTES.
        const WRITE_ATTRIBUTES = 0x0000_0100;
        /// DELETE.
        const DELETE = 0x0001_0000;
        /// READ_CONTROL.
        const READ_CONTROL = 0x0002_0000;
        /// SYNCHRONIZE.
        const SYNCHRONIZE = 0x0010_0000;
        /// MAXIMUM_ALLOWED.
        const MAXIMUM_ALLOWED = 0x0200_0000;
        /// GENERIC_ALL.
        const GENERIC_ALL = 0x1000_0000;
        /// GENERIC_EXECUTE.
        const GENERIC_EXECUTE = 0x2000_0000;
        /// GENERIC_WRITE.
        const GENERIC_WRITE = 0x4000_0000;
        /// GENERIC_READ.
        const GENERIC_READ = 0x8000_0000;

        const _ = !0;
    }
}

bitflags! {
    /// FileAttributes (MS-FSCC 2.6). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct FileAttributes: u32 {
        /// FILE_ATTRIBUTE_READONLY.
        const READONLY = 0x0000_0001;
        /// FILE_ATTRIBUTE_DIRECTORY.
        const DIRECTORY = 0x0000_0010;
        /// FILE_ATTRIBUTE_ARCHIVE.
        const ARCHIVE = 0x0000_0020;
        /// FILE_ATTRIBUTE_NORMAL: none of the others.
        const NORMAL = 0x0000_0080;

        const _ = !0;
    }
}

bitflags! {
    /// ShareAccess: what others may do meanwhile. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct ShareAccess: u32 {
        /// FILE_SHARE_READ.
        const READ = 0x0000_0001;
        /// FILE_SHARE_WRITE.
        const WRITE = 0x0000_0002;
        /// FILE_SHARE_DELETE.
        const DELETE = 0x0000_0004;

        const _ = !0;
    }
}

bitflags! {
    /// CreateOptions. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct CreateOptions: u32 {
        /// FILE_DIRECTORY_FILE: it must be a folder.
        const DIRECTORY_FILE = 0x0000_0001;
        /// FILE_NON_DIRECTORY_FILE: it must not be a folder.
        const NON_DIRECTORY_FILE = 0x0000_0040;
        /// FILE_DELETE_ON_CLOSE.
        const DELETE_ON_CLOSE = 0x0000_1000;

        const _ = !0;
    }
}

/// CreateDisposition: what to do where the file is there, and where it is not. Unknown ones are
/// kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CreateDisposition(pub u32);

impl CreateDisposition {
    /// FILE_SUPERSEDE: replace it; else create it.
    pub const SUPERSEDE: Self = Self(0);
    /// FILE_OPEN: open it; else fail.
    pub const OPEN: Self = Self(1);
    /// FILE_CREATE: fail; else create it.
    pub const CREATE: Self = Self(2);
    /// FILE_OPEN_IF: open it; else create it.
    pub const OPEN_IF: Self = Self(3);
    /// FILE_OVERWRITE: empty it; else fail.
    pub const OVERWRITE: Self = Self(4);
    /// FILE_OVERWRITE_IF: empty it; else create it.
    pub const OVERWRITE_IF: Self = Self(5);
}

/// CreateAction: what was done. Unknown ones are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CreateAction(pub u32);

impl CreateAction {
    /// FILE_SUPERSEDED.
    pub const SUPERSEDED: Self = Self(0);
    /// FILE_OPENED.
    pub const OPENED: Self = Self(1);
    /// FILE_CREATED.
    pub const CREATED: Self = Self(2);
    /// FILE_OVERWRITTEN.
    pub const OVERWRITTEN: Self = Self(3);
}

/// ImpersonationLevel: what the server may do in the client's name. Unknown ones are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ImpersonationLevel(pub u32);

impl ImpersonationLevel {
    /// Anonymous.
    pub const ANONYMOUS: Self = Self(0);
    /// Identification.
    pub const IDENTIFICATION: Self = Self(1);
    /// Impersonation.
    pub const IMPERSONATION: Self = Self(2);
    /// Delegate.
    pub const DELEGATE: Self = Self(3);
}

/// What CREATE and CLOSE say of a file: times, sizes and attributes, in the order of
/// FileNetworkOpenInformation (MS-FSCC 2.4.34).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkOpenInformation {
    /// CreationTime.
    pub creation_time: FileTime,
    /// LastAccessTime.
    pub last_access_time: FileTime,
    /// LastWriteTime.
    pub last_write_time: FileTime,
    /// ChangeTime.
    pub change_time: FileTime,
    /// AllocationSize, in bytes.
    pub allocation_size: u64,
    /// EndOfFile: its length in bytes.
    pub end_of_file: u64,
    /// FileAttributes.
    pub file_attributes: FileAttributes,
}

impl NetworkOpenInformation {
    /// The seven fields, 52 bytes.
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            creation_time: FileTime(r.u64("CreationTime")?),
            last_access_time: FileTime(r.u64("LastAccessTime")?),
            last_write_time: FileTime(r.u64("LastWriteTime")?),
            change_time: FileTime(r.u64("ChangeTime")?),
            allocation_size: r.u64("AllocationSize")?,
            end_of_file: r.u64("EndOfFile")?,
            file_attributes: FileAttributes::from_bits_retain(r.u32("FileAttributes")?),
        })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u64(self.creation_time.0);
        w.u64(self.last_access_time.0);
        w.u64(self.last_write_time.0);
        w.u64(self.change_time.0);
        w.u64(self.allocation_size);
        w.u64(self.end_of_file);
        w.u32(self.file_attributes.bits());
    }
}
