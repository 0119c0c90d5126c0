//! SMB_COM_ECHO (MS-CIFS 2.2.4.39): are you there?

use super::block::{Block, encode};
use super::header::{Command, Header};
use crate::error::{DecodeError, TooLong};
use crate::wire::Part;
use alloc::vec::Vec;

/// SMB_COM_ECHO, request and response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo<'a> {
    /// EchoCount: how many responses are wanted; in a response SequenceNumber, which counts from 1.
    pub number: u16,
    /// Data, which comes back.
    pub data: Part<'a>,
}

impl<'a> Echo<'a> {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::ECHO)?;
        let number = block.reader(1)?.u16("EchoCount")?;
        Ok(Self { number, data: block.bytes })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// The data is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        encode(header, &self.number.to_le_bytes(), self.data.bytes())
    }
}
