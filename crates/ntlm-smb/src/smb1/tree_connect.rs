//! SMB_COM_TREE_CONNECT_ANDX (MS-CIFS 2.2.4.55, MS-SMB 2.2.4.7).

use super::block::{Block, BytesWriter, Texts, encode, without_andx};
use super::header::{Command, Header};
use crate::error::{DecodeError, TooLong};
use crate::file::AccessMask;
use crate::wire::{Part, length};
use alloc::vec::Vec;
use bitflags::bitflags;

bitflags! {
    /// Flags of the request. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct TreeConnectFlags: u16 {
        /// TREE_CONNECT_ANDX_EXTENDED_SIGNATURES: the key for applications shall be another than
        /// the one that signs.
        const EXTENDED_SIGNATURES = 0x0004;
        /// TREE_CONNECT_ANDX_EXTENDED_RESPONSE: the response of 7 words is wanted.
        const EXTENDED_RESPONSE = 0x0008;

        const _ = !0;
    }
}

bitflags! {
    /// OptionalSupport of the response. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct OptionalSupport: u16 {
        /// SMB_SUPPORT_SEARCH_BITS.
        const SEARCH_BITS = 0x0001;
        /// SMB_EXTENDED_SIGNATURES: the server agrees to another key for applications.
        const EXTENDED_SIGNATURES = 0x0020;

        const _ = !0;
    }
}

/// SMB_COM_TREE_CONNECT_ANDX Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeConnectRequest<'a> {
    /// Flags.
    pub flags: TreeConnectFlags,
    /// Password of the share; one zero byte where users log on instead.
    pub password: Part<'a>,
    /// Path: `\\server\share`.
    pub path: Part<'a>,
    /// Service, OEM: `IPC`, `A:`, or `?????` for any.
    pub service: Part<'a>,
    /// Whether the path is UTF-16LE; else it is OEM.
    pub unicode: bool,
}

impl<'a> TreeConnectRequest<'a> {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::TREE_CONNECT_ANDX)?;
        let unicode = Header::decode(message)?.is_unicode();
        let mut r = block.reader(4)?;
        r.u32("AndX")?;
        let flags = TreeConnectFlags::from_bits_retain(r.u16("Flags")?);
        let password_len = usize::from(r.u16("PasswordLength")?);
        let password = block.bytes.slice(0, password_len, "Password")?;
        let mut texts = Texts::new(block.bytes, password_len, unicode);
        let path = texts.next();
        let service = texts.next_oem();
        Ok(Self { flags, password, path, service, unicode })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let mut words = without_andx();
        words.u16(self.flags.bits());
        words.u16(length(self.password.bytes().len(), "PasswordLength")?);
        let words = words.finish();
        let mut bytes = BytesWriter::new(&words, self.unicode);
        bytes.bytes(self.password.bytes());
        bytes.text(self.path);
        bytes.oem(self.service);
        encode(header, &words, bytes.finish())
    }
}

/// SMB_COM_TREE_CONNECT_ANDX Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeConnectResponse<'a> {
    /// OptionalSupport.
    pub optional_support: OptionalSupport,
    /// MaximalShareAccessRights and GuestMaximalShareAccessRights, of the form with 7 words.
    pub access_rights: Option<(AccessMask, AccessMask)>,
    /// Service, OEM: `IPC`, `A:` and so on.
    pub service: Part<'a>,
    /// NativeFileSystem.
    pub native_file_system: Part<'a>,
    /// Whether the file system is UTF-16LE; else it is OEM.
    pub unicode: bool,
}

impl<'a> TreeConnectResponse<'a> {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::TREE_CONNECT_ANDX)?;
        let unicode = Header::decode(message)?.is_unicode();
        let is_extended = match block.word_count() {
            3 => false,
            7 => true,
            _ => return Err(block.wrong_word_count()),
        };
        let mut r = block.reader(block.word_count())?;
        r.u32("AndX")?;
        let optional_support = OptionalSupport::from_bits_retain(r.u16("OptionalSupport")?);
        let access_rights = if is_extended {
            let maximal = AccessMask::from_bits_retain(r.u32("MaximalShareAccessRights")?);
            let guest = AccessMask::from_bits_retain(r.u32("GuestMaximalShareAccessRights")?);
            Some((maximal, guest))
        } else {
            None
        };
        let mut texts = Texts::new(block.bytes, 0, unicode);
        let service = texts.next_oem();
        let native_file_system = texts.next();
        Ok(Self { optional_support, access_rights, service, native_file_system, unicode })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let mut words = without_andx();
        words.u16(self.optional_support.bits());
        if let Some((maximal, guest)) = self.access_rights {
            words.u32(maximal.bits());
            words.u32(guest.bits());
        }
        let words = words.finish();
        let mut bytes = BytesWriter::new(&words, self.unicode);
        bytes.oem(self.service);
        bytes.text(self.native_file_system);
        encode(header, &words, bytes.finish())
    }
}
