//! SMB2 QUERY_INFO and SET_INFO (MS-SMB2 2.2.37 to 2.2.40).

use super::{Command, FileId, Header};
use crate::error::{DecodeError, TooLong};
use crate::wire::{Part, Reader, Writer, length, offset};
use alloc::vec::Vec;

/// InfoType: of what something is asked or set. Unknown ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InfoType(pub u8);

impl InfoType {
    /// SMB2_0_INFO_FILE.
    pub const FILE: Self = Self(1);
    /// SMB2_0_INFO_FILESYSTEM.
    pub const FILE_SYSTEM: Self = Self(2);
    /// SMB2_0_INFO_SECURITY.
    pub const SECURITY: Self = Self(3);
    /// SMB2_0_INFO_QUOTA.
    pub const QUOTA: Self = Self(4);
}

/// FileInfoClass of a file (MS-FSCC 2.4). Unknown ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileInfoClass(pub u8);

impl FileInfoClass {
    /// FileBasicInformation: four times and the attributes, 40 bytes.
    pub const BASIC: Self = Self(4);
    /// FileStandardInformation, 24 bytes.
    pub const STANDARD: Self = Self(5);
    /// FileDispositionInformation: one byte, whether to delete on close.
    pub const DISPOSITION: Self = Self(13);
    /// FilePositionInformation, 8 bytes.
    pub const POSITION: Self = Self(14);
    /// FileAllInformation, 96 bytes and a name behind its length.
    pub const ALL: Self = Self(18);
}

/// SMB2 QUERY_INFO Request (MS-SMB2 2.2.37).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryInfoRequest<'a> {
    /// InfoType.
    pub info_type: InfoType,
    /// FileInfoClass.
    pub file_info_class: FileInfoClass,
    /// OutputBufferLength: how much fits, in bytes.
    pub output_buffer_length: u32,
    /// AdditionalInformation.
    pub additional_information: u32,
    /// Flags.
    pub flags: u32,
    /// FileId.
    pub file_id: FileId,
    /// Buffer: the input.
    pub input_buffer: Part<'a>,
}

impl<'a> QueryInfoRequest<'a> {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::QUERY_INFO)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(41)?;
        let info_type = InfoType(r.u8("InfoType")?);
        let file_info_class = FileInfoClass(r.u8("FileInfoClass")?);
        let output_buffer_length = r.u32("OutputBufferLength")?;
        let descriptor = r.position();
        let input_offset = usize::from(r.u16("InputBufferOffset")?);
        r.u16("Reserved")?;
        let input_len = offset(r.u32("InputBufferLength")?);
        let additional_information = r.u32("AdditionalInformation")?;
        let flags = r.u32("Flags")?;
        let file_id = FileId::read(&mut r)?;
        let input_buffer = r.part(input_offset, input_len, "InputBuffer", descriptor)?;
        Ok(Self {
            info_type,
            file_info_class,
            output_buffer_length,
            additional_information,
            flags,
            file_id,
            input_buffer,
        })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// The input is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let input = self.input_buffer.bytes();
        let mut w = Writer::new(&header.encode());
        w.u16(41);
        w.u8(self.info_type.0);
        w.u8(self.file_info_class.0);
        w.u32(self.output_buffer_length);
        w.u16(if input.is_empty() { 0 } else { 0x68 }); // InputBufferOffset
        w.zeros(2); // Reserved
        w.u32(length(input.len(), "InputBufferLength")?);
        w.u32(self.additional_information);
        w.u32(self.flags);
        self.file_id.write(&mut w);
        // The one byte of the buffer that StructureSize counts.
        w.bytes(if input.is_empty() { &[0] } else { input });
        Ok(w.finish())
    }
}

/// SMB2 QUERY_INFO Response (MS-SMB2 2.2.38).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueryInfoResponse<'a> {
    /// Buffer: the output.
    pub output_buffer: Part<'a>,
}

impl<'a> QueryInfoResponse<'a> {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::QUERY_INFO)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(9)?;
        let descriptor = r.position();
        let output_offset = usize::from(r.u16("OutputBufferOffset")?);
        let output_len = offset(r.u32("OutputBufferLength")?);
        let output_buffer = r.part(output_offset, output_len, "OutputBuffer", descriptor)?;
        Ok(Self { output_buffer })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// The output is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let output = self.output_buffer.bytes();
        let mut w = Writer::new(&header.encode());
        w.u16(9);
        w.u16(0x48); // OutputBufferOffset
        w.u32(length(output.len(), "OutputBufferLength")?);
        w.bytes(output);
        Ok(w.finish())
    }
}

/// SMB2 SET_INFO Request (MS-SMB2 2.2.39).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetInfoRequest<'a> {
    /// InfoType.
    pub info_type: InfoType,
    /// FileInfoClass.
    pub file_info_class: FileInfoClass,
    /// AdditionalInformation.
    pub additional_information: u32,
    /// FileId.
    pub file_id: FileId,
    /// Buffer: what is set.
    pub buffer: Part<'a>,
}

impl<'a> SetInfoRequest<'a> {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::SET_INFO)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(33)?;
        let info_type = InfoType(r.u8("InfoType")?);
        let file_info_class = FileInfoClass(r.u8("FileInfoClass")?);
        let descriptor = r.position();
        let buffer_len = offset(r.u32("BufferLength")?);
        let buffer_offset = usize::from(r.u16("BufferOffset")?);
        r.u16("Reserved")?;
        let additional_information = r.u32("AdditionalInformation")?;
        let file_id = FileId::read(&mut r)?;
        let buffer = r.part(buffer_offset, buffer_len, "Buffer", descriptor)?;
        Ok(Self { info_type, file_info_class, additional_information, file_id, buffer })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// What is set is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let buffer = self.buffer.bytes();
        let mut w = Writer::new(&header.encode());
        w.u16(33);
        w.u8(self.info_type.0);
        w.u8(self.file_info_class.0);
        w.u32(length(buffer.len(), "BufferLength")?);
        w.u16(0x60); // BufferOffset
        w.zeros(2); // Reserved
        w.u32(self.additional_information);
        self.file_id.write(&mut w);
        w.bytes(buffer);
        Ok(w.finish())
    }
}

/// SMB2 SET_INFO Response, which says nothing (MS-SMB2 2.2.40).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetInfoResponse;

impl SetInfoResponse {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::SET_INFO)?;
        Reader::new(message, Header::LENGTH).structure_size(2)?;
        Ok(Self)
    }

    /// Header and body.
    #[must_use]
    pub fn encode(&self, header: &Header) -> Vec<u8> {
        let mut w = Writer::new(&header.encode());
        w.u16(2);
        w.finish()
    }
}
