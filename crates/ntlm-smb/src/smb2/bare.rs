//! Messages of SMB 2 and 3 that say no more than their header.

use super::{Command, Header};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{Reader, concat};

/// LOGOFF, TREE_DISCONNECT and ECHO, request and response, and CANCEL: a header and nothing else
/// (MS-SMB2 2.2.7, 2.2.8, 2.2.11, 2.2.12, 2.2.28, 2.2.29, 2.2.30).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BareMessage;

impl BareMessage {
    /// Length in bytes, with the header.
    pub const LENGTH: usize = Header::LENGTH + 4;

    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let header = Header::decode(message)?;
        if !Self::is_bare(header.command) {
            return Err(DecodeError::new(DecodeErrorKind::WrongCommand, "Command", 12));
        }
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(4)?;
        r.u16("Reserved")?;
        Ok(Self)
    }

    /// Header and body.
    #[must_use]
    pub fn encode(&self, header: &Header) -> [u8; Self::LENGTH] {
        concat(&[&header.encode(), &[4, 0, 0, 0]])
    }

    const fn is_bare(command: Command) -> bool {
        matches!(
            command,
            Command::LOGOFF | Command::TREE_DISCONNECT | Command::ECHO | Command::CANCEL
        )
    }
}
