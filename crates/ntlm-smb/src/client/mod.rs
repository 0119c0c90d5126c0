//! The client's side: what to send next, and what must hold in what comes back (MS-SMB2 3.2,
//! MS-SMB 3.2).
//!
//! ```text
//! Negotiating::start      ──NEGOTIATE──>
//!   <──SMB 2, which?──    ──NEGOTIATE──>                     Again
//!   <──a dialect──                                           Connection | Smb1Connection
//! SessionSetup::start     ──SESSION_SETUP, token──>
//!   <──token──            Respond: somebody proves who he is ──SESSION_SETUP, token──>
//!   <──signed success──                                      Session: the server knew the key
//! Connection::request     ──signed or encrypted──> <──the same── Connection::receive
//! ```
//!
//! What is not signed where it must be, what is not answered as it was asked, and what the server
//! could not have been offered is a [`PeerError`], and the end of the connection.

mod config;
mod connection;
mod error;
mod negotiating;
mod request;
mod session;
mod session_setup;
mod smb1;
mod smb1_session_setup;

pub use config::ClientConfig;
pub use connection::{Connection, Negotiated, Received, Tree};
pub use error::{ClientError, PeerError, Unavailable};
pub use negotiating::{NegotiateRandom, NegotiateStep, Negotiating};
pub use request::{Pending, Protection, Request};
pub use session::{Logon, Session, SessionToBind};
pub use session_setup::{Answer, Purpose, Responding, SessionSetup, SetupStep};
pub use smb1::{Smb1Connection, Smb1Negotiated, Smb1Pending, Smb1Received, Smb1Request};
pub use smb1_session_setup::{Smb1Answer, Smb1Responding, Smb1SessionSetup, Smb1SetupStep};
