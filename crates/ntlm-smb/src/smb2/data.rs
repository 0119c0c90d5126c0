//! SMB2 READ and WRITE (MS-SMB2 2.2.19 to 2.2.22).

use super::{Command, FileId, Header};
use crate::error::{DecodeError, TooLong};
use crate::wire::{Part, Reader, Writer, length, offset};
use alloc::vec::Vec;

/// SMB2 READ Request (MS-SMB2 2.2.19). Channels over RDMA are neither read nor made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// Padding: where in the response the client would like the data to begin.
    pub padding: u8,
    /// Flags, under 3.x.
    pub flags: u8,
    /// Length: how many bytes at most.
    pub length: u32,
    /// Offset in the file.
    pub offset: u64,
    /// FileId.
    pub file_id: FileId,
    /// MinimumCount: fewer bytes are a failure.
    pub minimum_count: u32,
    /// RemainingBytes: how many more the client is about to read.
    pub remaining_bytes: u32,
}

impl ReadRequest {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::READ)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(49)?;
        let padding = r.u8("Padding")?;
        let flags = r.u8("Flags")?;
        let length = r.u32("Length")?;
        let offset = r.u64("Offset")?;
        let file_id = FileId::read(&mut r)?;
        let minimum_count = r.u32("MinimumCount")?;
        r.u32("Channel")?;
        let remaining_bytes = r.u32("RemainingBytes")?;
        r.u32("ReadChannelInfo")?;
        Ok(Self { padding, flags, length, offset, file_id, minimum_count, remaining_bytes })
    }

    /// Header and body.
    #[must_use]
    pub fn encode(&self, header: &Header) -> Vec<u8> {
        let mut w = Writer::new(&header.encode());
        w.u16(49);
        w.u8(self.padding);
        w.u8(self.flags);
        w.u32(self.length);
        w.u64(self.offset);
        self.file_id.write(&mut w);
        w.u32(self.minimum_count);
        w.zeros(4); // Channel
        w.u32(self.remaining_bytes);
        w.zeros(4); // ReadChannelInfoOffset, ReadChannelInfoLength
        w.zeros(1); // The one byte of the buffer that StructureSize counts.
        w.finish()
    }
}

/// SMB2 READ Response (MS-SMB2 2.2.20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadResponse<'a> {
    /// DataRemaining.
    pub data_remaining: u32,
    /// Data.
    pub data: Part<'a>,
}

impl<'a> ReadResponse<'a> {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::READ)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(17)?;
        let descriptor = r.position();
        let data_offset = usize::from(r.u8("DataOffset")?);
        r.u8("Reserved")?;
        let data_len = offset(r.u32("DataLength")?);
        let data_remaining = r.u32("DataRemaining")?;
        r.u32("Reserved2")?;
        let data = r.part(data_offset, data_len, "Data", descriptor)?;
        Ok(Self { data_remaining, data })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// The data is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let mut w = Writer::new(&header.encode());
        w.u16(17);
        w.u8(0x50); // DataOffset
        w.zeros(1); // Reserved
        w.u32(length(self.data.bytes().len(), "DataLength")?);
        w.u32(self.data_remaining);
        w.zeros(4); // Reserved2
        w.bytes(self.data.bytes());
        Ok(w.finish())
    }
}

/// SMB2 WRITE Request (MS-SMB2 2.2.21). Channels over RDMA are neither read nor made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteRequest<'a> {
    /// Offset in the file.
    pub offset: u64,
    /// FileId.
    pub file_id: FileId,
    /// RemainingBytes: how many more the client is about to write.
    pub remaining_bytes: u32,
    /// Flags: 1 to write through.
    pub flags: u32,
    /// Data.
    pub data: Part<'a>,
}

impl<'a> WriteRequest<'a> {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::WRITE)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(49)?;
        let descriptor = r.position();
        let data_offset = usize::from(r.u16("DataOffset")?);
        let data_len = offset(r.u32("Length")?);
        let offset = r.u64("Offset")?;
        let file_id = FileId::read(&mut r)?;
        r.u32("Channel")?;
        let remaining_bytes = r.u32("RemainingBytes")?;
        r.u32("WriteChannelInfo")?;
        let flags = r.u32("Flags")?;
        let data = r.part(data_offset, data_len, "Data", descriptor)?;
        Ok(Self { offset, file_id, remaining_bytes, flags, data })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// The data is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let mut w = Writer::new(&header.encode());
        w.u16(49);
        w.u16(0x70); // DataOffset
        w.u32(length(self.data.bytes().len(), "Length")?);
        w.u64(self.offset);
        self.file_id.write(&mut w);
        w.zeros(4); // Channel
        w.u32(self.remaining_bytes);
        w.zeros(4); // WriteChannelInfoOffset, WriteChannelInfoLength
        w.u32(self.flags);
        w.bytes(self.data.bytes());
        Ok(w.finish())
    }
}

/// SMB2 WRITE Response (MS-SMB2 2.2.22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteResponse {
    /// Count: how many bytes were written.
    pub count: u32,
}

impl WriteResponse {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::WRITE)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(17)?;
        r.u16("Reserved")?;
        let count = r.u32("Count")?;
        r.u32("Remaining")?;
        r.u32("WriteChannelInfo")?;
        Ok(Self { count })
    }

    /// Header and body.
    #[must_use]
    pub fn encode(&self, header: &Header) -> Vec<u8> {
        let mut w = Writer::new(&header.encode());
        w.u16(17);
        w.zeros(2); // Reserved
        w.u32(self.count);
        w.zeros(8); // Remaining, WriteChannelInfoOffset, WriteChannelInfoLength
        w.finish()
    }
}
