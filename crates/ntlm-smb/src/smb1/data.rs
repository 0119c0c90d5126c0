//! SMB_COM_READ_ANDX and SMB_COM_WRITE_ANDX (MS-CIFS 2.2.4.42, 2.2.4.43; MS-SMB 2.2.4.2, 2.2.4.3).

use super::block::{Block, encode, part, without_andx};
use super::header::{Command, Header};
use crate::error::{DecodeError, TooLong};
use crate::wire::{Part, length};
use alloc::vec::Vec;

/// SMB_COM_READ_ANDX Request. Encodes to the form of 12 words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadRequest {
    /// FID.
    pub fid: u16,
    /// Offset in the file, and OffsetHigh of the form with 12 words.
    pub offset: u64,
    /// MaxCountOfBytesToReturn.
    pub max_count: u16,
    /// MinCountOfBytesToReturn.
    pub min_count: u16,
    /// Timeout, or MaxCountHigh.
    pub timeout: u32,
    /// Remaining.
    pub remaining: u16,
}

impl ReadRequest {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::READ_ANDX)?;
        let has_high = match block.word_count() {
            10 => false,
            12 => true,
            _ => return Err(block.wrong_word_count()),
        };
        let mut r = block.reader(block.word_count())?;
        r.u32("AndX")?;
        let fid = r.u16("FID")?;
        let low = r.u32("Offset")?;
        let max_count = r.u16("MaxCountOfBytesToReturn")?;
        let min_count = r.u16("MinCountOfBytesToReturn")?;
        let timeout = r.u32("Timeout")?;
        let remaining = r.u16("Remaining")?;
        let high = if has_high { r.u32("OffsetHigh")? } else { 0 };
        Ok(Self { fid, offset: joined(low, high), max_count, min_count, timeout, remaining })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// None: nothing in it varies in length. It has the form of the others.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let (low, high) = split(self.offset);
        let mut words = without_andx();
        words.u16(self.fid);
        words.bytes(&low);
        words.u16(self.max_count);
        words.u16(self.min_count);
        words.u32(self.timeout);
        words.u16(self.remaining);
        words.bytes(&high);
        encode(header, &words.finish(), &[])
    }
}

/// SMB_COM_READ_ANDX Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadResponse<'a> {
    /// Available: of a pipe, what is left; all ones for a file.
    pub available: u16,
    /// Data.
    pub data: Part<'a>,
}

impl<'a> ReadResponse<'a> {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::READ_ANDX)?;
        let mut r = block.reader(12)?;
        r.u32("AndX")?;
        let available = r.u16("Available")?;
        r.u32("DataCompactionMode")?; // and Reserved1
        let data_len = r.u16("DataLength")?;
        let data_offset = r.u16("DataOffset")?;
        let data_len_high = r.u16("DataLengthHigh")?;
        let data_len = crate::wire::offset(u32::from(data_len) | u32::from(data_len_high) << 16);
        let data = part(message, &block, usize::from(data_offset), data_len, "Data")?;
        Ok(Self { available, data })
    }

    /// Header and body. The data begins at 60, where Samba puts it.
    ///
    /// # Errors
    ///
    /// The data is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let data = self.data.bytes();
        let mut words = without_andx();
        words.u16(self.available);
        words.zeros(4); // DataCompactionMode, Reserved1
        words.u16(length(data.len(), "DataLength")?);
        words.u16(60); // DataOffset
        words.zeros(10); // DataLengthHigh, Reserved2
        encode(header, &words.finish(), &[&[0], data].concat())
    }
}

/// SMB_COM_WRITE_ANDX Request. Encodes to the form of 14 words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteRequest<'a> {
    /// FID.
    pub fid: u16,
    /// Offset in the file, and OffsetHigh of the form with 14 words.
    pub offset: u64,
    /// Timeout.
    pub timeout: u32,
    /// WriteMode.
    pub write_mode: u16,
    /// Remaining.
    pub remaining: u16,
    /// Data.
    pub data: Part<'a>,
}

impl<'a> WriteRequest<'a> {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::WRITE_ANDX)?;
        let has_high = match block.word_count() {
            12 => false,
            14 => true,
            _ => return Err(block.wrong_word_count()),
        };
        let mut r = block.reader(block.word_count())?;
        r.u32("AndX")?;
        let fid = r.u16("FID")?;
        let low = r.u32("Offset")?;
        let timeout = r.u32("Timeout")?;
        let write_mode = r.u16("WriteMode")?;
        let remaining = r.u16("Remaining")?;
        let data_len_high = r.u16("DataLengthHigh")?;
        let data_len = r.u16("DataLength")?;
        let data_offset = r.u16("DataOffset")?;
        let high = if has_high { r.u32("OffsetHigh")? } else { 0 };
        let data_len = crate::wire::offset(u32::from(data_len) | u32::from(data_len_high) << 16);
        let data = part(message, &block, usize::from(data_offset), data_len, "Data")?;
        Ok(Self { fid, offset: joined(low, high), timeout, write_mode, remaining, data })
    }

    /// Header and body. The data begins at 64.
    ///
    /// # Errors
    ///
    /// The data is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let data = self.data.bytes();
        let (low, high) = split(self.offset);
        let mut words = without_andx();
        words.u16(self.fid);
        words.bytes(&low);
        words.u32(self.timeout);
        words.u16(self.write_mode);
        words.u16(self.remaining);
        words.u16(0); // DataLengthHigh
        words.u16(length(data.len(), "DataLength")?);
        words.u16(64); // DataOffset
        words.bytes(&high);
        encode(header, &words.finish(), &[&[0], data].concat())
    }
}

/// SMB_COM_WRITE_ANDX Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteResponse {
    /// Count: how many bytes were written, low part.
    pub count: u16,
    /// Available.
    pub available: u16,
    /// CountHigh.
    pub count_high: u16,
}

impl WriteResponse {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::WRITE_ANDX)?;
        let mut r = block.reader(6)?;
        r.u32("AndX")?;
        Ok(Self {
            count: r.u16("Count")?,
            available: r.u16("Available")?,
            count_high: r.u16("CountHigh")?,
        })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// None: nothing in it varies in length. It has the form of the others.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let mut words = without_andx();
        words.u16(self.count);
        words.u16(self.available);
        words.u16(self.count_high);
        words.zeros(2); // Reserved
        encode(header, &words.finish(), &[])
    }
}

fn joined(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

fn split(offset: u64) -> ([u8; 4], [u8; 4]) {
    let [a, b, c, d, e, f, g, h] = offset.to_le_bytes();
    ([a, b, c, d], [e, f, g, h])
}
