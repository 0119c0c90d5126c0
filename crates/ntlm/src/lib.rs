//! NTLM (MS-NLMP) whole: messages, keys, client, server, session security.
//!
//! No I/O, no clock, no randomness: every step is a function of its arguments, so the example of
//! the specification is an ordinary test. `no_std` with `alloc`.
//!
//! ```
//! use ntlm::keys::{AccountSecret, Password};
//! use ntlm::text::CodePage;
//! use ntlm::{AccountName, Client, ClientConfig, Credential, FileTime, Fresh, Protection};
//! use ntlm::{Server, ServerConfig, ServerNames};
//!
//! # fn fresh(seed: u8) -> Fresh { Fresh::from_random(FileTime::from_unix_seconds(1_700_000_000), [seed; 24]) }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::new(ServerConfig::new(ServerNames::new("SERVER", "SERVER")))?;
//! let secret = || AccountSecret::from_password(&Password::from("Wonder-Land1"), CodePage::Cp437);
//!
//! let config = ClientConfig { protection: Protection::Seal, ..ClientConfig::default() };
//! let (negotiate, client) = Client::start(config);
//! let (challenge, server) = server.challenge(&negotiate, fresh(1))?;
//! let alice = Credential { name: AccountName::parse(r"EXAMPLE\alice"), secret: secret() };
//! let (authenticate, established) = client.respond(&challenge, &alice, fresh(2))?;
//! let logon = server.receive(&authenticate, fresh(3).now)?;
//!
//! assert_eq!(logon.user().to_string(), "alice");
//! let account = logon.verify(Some(&secret()))?.into_account().ok_or("guest")?;
//!
//! let (mut client, mut server) = (established.into_session(), account.into_session());
//! let mut message = *b"for your eyes only";
//! let signature = client.seal(&mut message)?;
//! assert_ne!(&message, b"for your eyes only");
//! server.unseal(&mut message, &signature)?;
//! assert_eq!(&message, b"for your eyes only");
//! # Ok(())
//! # }
//! ```
//!
//! Where to look:
//!
//! | | |
//! |---|---|
//! | [`Client`], [`Server`] | the two state machines |
//! | [`Exchange`] | the messages of one exchange, for whoever looks on |
//! | [`Session`], [`DatagramSession`] | sign and seal |
//! | [`policy`] | what is allowed |
//! | [`message`], [`flags`] | bytes |
//! | [`keys`] | every key, and the rule that chose it |
//! | [`text`], [`der`], [`wire`] | what they are made of |
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod anonymous;
mod certificate;
mod channel_bindings;
mod client;
mod crypto;
mod datagram;
pub mod der;
mod error;
mod exchange;
pub mod flags;
mod fresh;
pub mod keys;
mod logon;
pub mod message;
mod name;
mod outcome;
pub mod policy;
mod protect;
mod secret;
mod server;
mod server_config;
mod session;
mod status;
pub mod text;
mod time;
pub mod wire;

pub use anonymous::AnonymousLogon;
pub use certificate::{CertificateError, CertificateHash, tls_server_end_point};
pub use channel_bindings::{ChannelBindings, ChannelBindingsResult};
pub use client::{Client, ClientConfig, Credential, Established, Protection};
pub use datagram::{DatagramKeying, DatagramSession};
pub use error::{ClientError, Misuse, PeerError};
pub use exchange::{Check, Exchange};
pub use fresh::Fresh;
pub use logon::{LogonRequest, Verdict};
pub use name::AccountName;
pub use outcome::{AccountLogon, DenialReason, GuestLogon, LogonDenied, LogonOutcome};
pub use protect::{Buffer, Role, SessionError};
pub use server::{Challenged, Server};
pub use server_config::{ServerConfig, ServerNames};
pub use session::{DirectionalKeys, Rc4State, Session};
pub use status::NtStatus;
pub use time::FileTime;
