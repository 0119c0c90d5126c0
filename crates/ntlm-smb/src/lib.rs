//! SMB 1, 2 and 3 sessions.
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod crypto;
mod dialect;
mod encryption;
mod error;
pub mod keys;
mod secret;
mod signature_rule;
mod signing;
pub mod smb1;
pub mod smb2;
mod status;
#[cfg(test)]
mod testing;
mod transport;
mod wire;

pub use dialect::{Cipher, Dialect, SigningAlgorithm};
pub use encryption::{
    DecryptError, Decrypted, EncryptError, InnerDefect, Nonce, Nonces, PacketCipher,
};
pub use error::{DecodeError, DecodeErrorKind, TooLong};
pub use signature_rule::{Identity, SessionPhase, SignatureRule, SignatureRuleDoc, Signed};
pub use signing::{NeverSigned, SignError, SignatureError, Signer, Verified};
pub use status::NtStatus;
pub use transport::{Frame, FrameType, ProtocolId, Transport, decode_prefix, message_prefix};
pub use wire::{Part, U16List};
