//! SPNEGO (RFC 4178, MS-SPNG) around NTLM: tokens, initiator, acceptor, mechListMIC.
//!
//! As in [`ntlm`], every step is a function of its arguments: no I/O, no clock, no randomness.
//! `no_std` with `alloc`.
//!
//! ```
//! use ntlm::keys::{AccountSecret, Password};
//! use ntlm::text::CodePage;
//! use ntlm::{AccountName, Credential, FileTime, Fresh, Server, ServerConfig, ServerNames};
//! use ntlm_spnego::{AcceptedLogon, Acceptor, AcceptorConfig, AcceptorStep, MechListMic};
//! use ntlm_spnego::{InitiatedLogon, Initiator, InitiatorConfig, InitiatorStep};
//!
//! # fn fresh(seed: u8) -> Fresh { Fresh::from_random(FileTime::from_unix_seconds(1_700_000_000), [seed; 24]) }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::new(ServerConfig::new(ServerNames::new("SERVER", "SERVER")))?;
//! let acceptor = Acceptor::new(server, AcceptorConfig::default());
//! let secret = || AccountSecret::from_password(&Password::from("Wonder-Land1"), CodePage::Cp437);
//! let alice = Credential { name: AccountName::parse(r"EXAMPLE\alice"), secret: secret() };
//!
//! let (token, initiator) = Initiator::start(InitiatorConfig::default());
//! let AcceptorStep::Continue(token, acceptor) = acceptor.step(&token, fresh(1))? else { panic!() };
//! let InitiatorStep::Respond(responding) = initiator.step(&token)? else { panic!() };
//! let (token, initiator) = responding.respond(&alice, fresh(2))?.send()?;
//! let AcceptorStep::Judge(request, waiting) = acceptor.step(&token, fresh(3))? else { panic!() };
//! let outcome = request.verify(Some(&secret()))?;
//! let AcceptorStep::Done(accepted) = waiting.settle(outcome)? else { panic!() };
//! let InitiatorStep::Done(initiated) = initiator.step(&accepted.token)? else { panic!() };
//!
//! assert_eq!(initiated.mech_list_mic, MechListMic::Valid);
//! let InitiatedLogon::Account(mut client) = initiated.logon else { panic!() };
//! let AcceptedLogon::Account(mut server) = accepted.logon else { panic!() };
//! server.verify(b"hello", &client.sign(b"hello")?)?;
//! # Ok(())
//! # }
//! ```
//!
//! Where to look:
//!
//! | | |
//! |---|---|
//! | [`Initiator`], [`Acceptor`] | the two state machines |
//! | [`NegTokenInit`], [`NegTokenInit2`], [`NegTokenResp`] | bytes |
//! | [`mechanism`] | what can be chosen |
//! | [`MechListMic`] | what protects the choice |
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

mod acceptor;
mod error;
mod initiator;
mod mech_type_list;
pub mod mechanism;
mod mic;
mod neg_state;
mod raw;
#[cfg(test)]
mod test_vectors;
mod token;

pub use acceptor::{Accepted, AcceptedLogon, Acceptor, AcceptorConfig, AcceptorStep, Waiting};
pub use error::{DecodeError, DecodeErrorKind, PeerError};
pub use initiator::{
    Answer, Initiated, InitiatedLogon, Initiator, InitiatorConfig, InitiatorStep, Responding,
};
pub use mech_type_list::MechTypeList;
pub use mic::MechListMic;
pub use neg_state::NegState;
pub use token::{NegHints, NegTokenInit, NegTokenInit2, NegTokenResp, NegotiationToken};
