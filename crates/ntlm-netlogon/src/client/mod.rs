//! The client's side: an association, and the secure channel over it (MS-NRPC 3.4).
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

mod association;
mod channel;

pub use association::{Answer, Association, AssociationError, Binding, Calling, Security};
pub use channel::{
    Authenticating, Call, Challenging, Channel, ChannelConfig, ChannelError, ChannelPolicy,
    Unchecked,
};
