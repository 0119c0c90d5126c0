//! NTLM over sockets: the only crate here with an async runtime, tokio.
//!
//! The protocols are state machines elsewhere; this crate moves their bytes, and puts limits on time
//! and size.
//!
//! | | |
//! |---|---|
//! | [`smb::Client`] | an SMB client, from SMB1 to 3.1.1 |
//! | [`smb::Server`] | an SMB server with a share in memory |
//! | [`Judge`] | who answers a server's logons |
//! | [`netlogon::Domain`] | domain controllers that do |
//! | [`fresh`] | the clock and randomness |
//!
//! The feature `dns` finds the controllers of a domain by DNS.

mod fresh;
mod judge;
pub mod netlogon;
pub mod smb;

pub use fresh::{fresh, random};
pub use judge::{Answer, ByController, DenialCause, Denied, Granted, Judge, Judged};
