//! The client's side: an association, and the secure channel over it (MS-NRPC 3.4).
//!
//! [`Binding`] is for nobody, or under a secure channel; [`NtlmBinding`] logs somebody on with NTLM:
//!
//! ```text
//! NtlmBinding::start     ──bind, NEGOTIATE──>
//!   <──bind_ack, CHALLENGE──                    NtlmResponding
//! NtlmResponding::respond
//!   NTLM as it is        ──auth3, AUTHENTICATE──>          Association; nothing is answered
//!   SPNEGO               ──alter_context, AUTHENTICATE──>  NtlmAltering
//!   <──alter_context_resp, accept-completed──              Association
//! ```
//!
//! auth3 has no answer: that the server refuses the logon shows in the first call, as a fault.
//!
//! A secure channel takes two associations:
//!
//! ```text
//!   an association without protection        one with the channel's
//!   Challenging ── NetrServerReqChallenge
//!        │
//!   Authenticating ── NetrServerAuthenticate3
//!        │  the server proved itself
//!   Unchecked ─────────────────────────────── NetrLogonGetCapabilities
//!        │                                    nothing was taken out of the flags
//!   Channel ───────────────────────────────── logons
//! ```
//!
//! Each step consumes its state: after an error there is nothing to go on with.
//!
//! No verification trailer (MS-RPCE 2.2.2.13) is sent: it repeats headers for servers whose signatures
//! do not cover them, and here they do, but for NTLM without extended session security, which a policy
//! has to allow.

mod association;
mod bind;
mod channel;
mod error;
mod ntlm;

pub use association::{Answer, Association, Calling};
pub use bind::{Binding, Security};
pub use channel::{
    Authenticating, Call, Challenging, Channel, ChannelConfig, ChannelError, ChannelPolicy,
    Unchecked,
};
pub use error::{AssociationError, BindError};
pub use ntlm::{
    Altered, NtlmAltering, NtlmBinding, NtlmBindingConfig, NtlmPackage, NtlmResponding, Responded,
};
