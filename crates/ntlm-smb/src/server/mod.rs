//! The server's side: who may do what, and what goes back (MS-SMB2 3.3, MS-SMB 3.3).
//!
//! ```text
//! Connection::receive  <──NEGOTIATE──                    Reply
//!   <──SESSION_SETUP, token──                            Reply: a token; or
//!                                                        Judge: a LogonRequest, and Judging
//! Connection::settle   what the judge made of it         LoggedOn | Refused | Reply
//!   <──anything else──                                   Requests: checked, decrypted
//! Connection::next     the next that is for the caller   Request; Requests::answer
//! Connection::reply    all answers, signed or encrypted
//! ```
//!
//! While a judge thinks, the connection can receive. A [`PeerError`] ends the connection, without an
//! answer. Every step takes the [`Sessions`] of the server, for a session may have several
//! connections.

mod channel;
mod config;
mod connection;
mod error;
mod judging;
mod logon;
mod negotiating;
mod requests;
mod session_setup;
mod sessions;
mod smb1;
mod smb2;
mod step;
mod window;

pub use config::ServerConfig;
pub use connection::Connection;
pub use error::{PeerError, RefusalReason};
pub use judging::Judging;
pub use logon::{LoggedOn, Logon, Refusal, SetupKind};
pub use negotiating::Negotiated;
pub use requests::{Request, Requests};
pub use sessions::Sessions;
pub use step::{Smb1Request, Step};
