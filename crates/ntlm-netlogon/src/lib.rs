//! DCE/RPC with NTLM in it, and the Netlogon secure channel (C706, MS-RPCE, MS-NRPC).
//!
//! No I/O, no clock, no randomness, `no_std` with `alloc`.
//!
//! ```
//! use ntlm_netlogon::pdu::{Body, Pdu, PfcFlags, Request};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let request = Request { alloc_hint: 4, context_id: 0, opnum: 21, object: None, stub: b"stub" };
//! let pdu = Pdu {
//!     rpc_vers_minor: 0,
//!     pfc_flags: PfcFlags::WHOLE,
//!     call_id: 2,
//!     body: Body::Request(request),
//!     verifier: None,
//! };
//! assert_eq!(Pdu::decode(&pdu.encode()?)?, pdu);
//! # Ok(())
//! # }
//! ```
//!
//! Where to look:
//!
//! | | |
//! |---|---|
//! | [`pdu`] | fragments: bind, request, response, fault, their verifiers |
//! | [`protect`] | fragments signed and sealed: with NTLM, with the channel's own key |
//! | [`logon`] | a logon passed on, and the verdict |
//! | [`client`] | an association and the secure channel, step by step |
//! | [`calls`] | stubs: what is asked and answered, in NDR |
//! | [`keys`], [`flags`] | the channel's session key, credentials and authenticators |
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod calls;
pub mod client;
mod crypto;
mod error;
pub mod flags;
pub mod keys;
pub mod logon;
mod ndr;
pub mod pdu;
pub mod protect;
mod secret;
mod wire;

pub use error::{DecodeError, DecodeErrorKind, TooLong};
pub use ntlm::NtStatus;
