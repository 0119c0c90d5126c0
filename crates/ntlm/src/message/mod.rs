//! The messages and the structures inside them (MS-NLMP 2.2).
//!
//! A message is a struct that borrows from the received bytes. It has one `read` and one `write`,
//! side by side, each listing the fields once in wire order. Decoding succeeds on all that can be
//! shown; `defects` names what a peer may not send, and the state machines refuse it.

mod authenticate;
mod av_pair;
mod challenge;
mod negotiate;
mod response;
mod signature;
mod version;

pub use authenticate::AuthenticateMessage;
pub use av_pair::{
    AvFlags, AvId, AvPair, AvPairs, SingleHostData, TargetInfo, TargetInfoBuilder, TokenIntegrity,
};
pub use challenge::ChallengeMessage;
pub use negotiate::NegotiateMessage;
pub use response::{LmV2Response, NtChallengeResponse, Ntlmv2ClientChallenge, Ntlmv2Response};
pub use signature::{MessageSignature, MessageSignatureWithoutEss};
pub use version::Version;

use crate::wire::{DecodeError, DecodeErrorKind, Fields, Reader, TooLong, Writer};
use alloc::vec::Vec;

/// What every message begins with: `NTLMSSP\0`.
pub const SIGNATURE: [u8; 8] = *b"NTLMSSP\0";

/// The three messages, by the number in their second field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageType {
    /// NEGOTIATE_MESSAGE, 1.
    Negotiate,
    /// CHALLENGE_MESSAGE, 2.
    Challenge,
    /// AUTHENTICATE_MESSAGE, 3.
    Authenticate,
}

impl MessageType {
    /// Reads signature and type only.
    ///
    /// # Errors
    ///
    /// The bytes are too short, do not begin with [`SIGNATURE`], or have another type.
    pub fn of(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        match read_header(&mut reader)? {
            NegotiateMessage::TYPE => Ok(Self::Negotiate),
            ChallengeMessage::TYPE => Ok(Self::Challenge),
            AuthenticateMessage::TYPE => Ok(Self::Authenticate),
            _ => Err(wrong_type()),
        }
    }

    /// The name as the specification spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Negotiate => "NEGOTIATE_MESSAGE",
            Self::Challenge => "CHALLENGE_MESSAGE",
            Self::Authenticate => "AUTHENTICATE_MESSAGE",
        }
    }
}

/// What the three messages have in common.
pub trait Message<'a>: Sized {
    /// The value of MessageType.
    const TYPE: u32;

    #[doc(hidden)]
    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError>;

    #[doc(hidden)]
    fn write(&self, w: &mut Writer<'a>);

    /// Decodes one message. Bytes behind the last payload item are allowed.
    ///
    /// # Errors
    ///
    /// What is wrong, with the field and its offset.
    fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        Self::decode_with_fields(bytes).map(|(message, _)| message)
    }

    /// Decodes one message and says where each field stands.
    ///
    /// # Errors
    ///
    /// As [`Message::decode`].
    fn decode_with_fields(bytes: &'a [u8]) -> Result<(Self, Fields), DecodeError> {
        let mut reader = Reader::new(bytes);
        if read_header(&mut reader)? != Self::TYPE {
            return Err(wrong_type());
        }
        let message = Self::read(&mut reader)?;
        Ok((message, reader.into_fields()))
    }

    /// Encodes the message. Items that were received keep their place, the others follow the
    /// header in the order that Windows uses.
    ///
    /// # Errors
    ///
    /// [`TooLong`] where an item does not fit its length field.
    fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let mut w = Writer::new();
        w.bytes(&SIGNATURE);
        w.u32(Self::TYPE);
        self.write(&mut w);
        w.finish()
    }
}

fn read_header(r: &mut Reader<'_>) -> Result<u32, DecodeError> {
    if r.array("Signature")? != SIGNATURE {
        return Err(DecodeError {
            kind: DecodeErrorKind::WrongSignature,
            field: "Signature",
            offset: 0,
        });
    }
    r.u32("MessageType")
}

const fn wrong_type() -> DecodeError {
    DecodeError { kind: DecodeErrorKind::WrongMessageType, field: "MessageType", offset: 8 }
}
