//! NTLM over sockets: the only crate here with an async runtime, tokio.
//!
//! The protocols are state machines elsewhere; this crate moves their bytes, and puts limits on time
//! and size.
//!
//! | | |
//! |---|---|
//! | [`smb::Client`] | an SMB client, from SMB1 to 3.1.1 |
//! | [`smb::Server`] | an SMB server with a share in memory |
//! | [`fresh`] | the clock and randomness |

mod fresh;
pub mod smb;

pub use fresh::{fresh, random};
