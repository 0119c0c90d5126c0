//! The response to what failed (MS-SMB2 2.2.2).

use super::Header;
use crate::error::{DecodeError, TooLong};
use crate::wire::{Part, Reader, length, offset};
use alloc::vec::Vec;

/// SMB2 ERROR Response (MS-SMB2 2.2.2): what any command answers when it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorResponse<'a> {
    /// ErrorContextCount, under 3.1.1.
    pub error_context_count: u8,
    /// ErrorData. Where there is none, one byte stands in its place, which is not kept.
    pub error_data: Part<'a>,
}

impl<'a> ErrorResponse<'a> {
    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::decode(message)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(9)?;
        let error_context_count = r.u8("ErrorContextCount")?;
        r.u8("Reserved")?;
        let byte_count = r.u32("ByteCount")?;
        let error_data = r.take(offset(byte_count), "ErrorData")?;
        Ok(Self { error_context_count, error_data })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// The data is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let data = self.error_data.bytes();
        let byte_count: u32 = length(data.len(), "ByteCount")?;
        let mut out = header.encode().to_vec();
        out.extend_from_slice(&9_u16.to_le_bytes());
        out.extend_from_slice(&[self.error_context_count, 0]);
        out.extend_from_slice(&byte_count.to_le_bytes());
        out.extend_from_slice(if data.is_empty() { &[0] } else { data });
        Ok(out)
    }
}
