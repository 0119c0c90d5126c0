//! Messages of SMB1 that say no more than their header.

use super::block::{Block, encode, without_andx};
use super::header::{Command, Header};
use crate::error::{DecodeError, TooLong};
use alloc::vec::Vec;

/// TREE_DISCONNECT and LOGOFF_ANDX, request and response; the response to CLOSE; NT_CANCEL; and what
/// any command answers when it fails: no words but AndX, no bytes (MS-CIFS 2.2.4.5, 2.2.4.51,
/// 2.2.4.54, 2.2.4.65).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BareMessage;

impl BareMessage {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It has words besides AndX.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?;
        match block.word_count() {
            0 => Ok(Self),
            2 if block.command == Command::LOGOFF_ANDX => Ok(Self),
            _ => Err(block.wrong_word_count()),
        }
    }

    /// Header and body: AndX in a LOGOFF_ANDX that did not fail.
    ///
    /// # Errors
    ///
    /// None: there is nothing to be too long. It has the form of the others.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let has_andx = header.command == Command::LOGOFF_ANDX && header.status == 0;
        let words = if has_andx { without_andx().finish() } else { Vec::new() };
        encode(header, &words, &[])
    }
}
