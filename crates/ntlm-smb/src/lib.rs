//! SMB 1, 2 and 3 sessions.
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod crypto;
mod dialect;
mod error;
pub mod keys;
mod secret;
pub mod smb2;
mod status;
#[cfg(test)]
mod testing;
mod transport;
mod wire;

pub use dialect::{Cipher, Dialect, SigningAlgorithm};
pub use error::{DecodeError, DecodeErrorKind, TooLong};
pub use status::NtStatus;
pub use transport::{Frame, FrameType, ProtocolId, Transport, decode_prefix, message_prefix};
pub use wire::{Part, U16List};
