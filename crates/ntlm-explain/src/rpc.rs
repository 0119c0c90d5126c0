//! What DCE/RPC makes of a logon: every signature checked with NTLM's own keys, every sealed body
//! opened.
//!
//! The carrier hands over fragments, `Connection` follows the associations of one flow, over TCP or in
//! its pipes. A security context of NTLM is a `Session`, which begins with the first token of a logon
//! and ends as an [`RpcExplained`]; one of Netlogon is a channel of [`netlogon`](crate::netlogon).

mod connection;
mod session;

pub(crate) use connection::{Connection, Shared};

use crate::tally::{Failure, Signatures, Unchecked};
use ntlm_netlogon::pdu::{AuthLevel, AuthType};
use serde::Serialize;

/// What DCE/RPC made of one logon. It serializes to `rpc` in the JSON contract.
#[derive(Debug, Serialize)]
pub struct RpcExplained {
    /// `ntlmssp` or `spnego`.
    pub auth_type: &'static str,
    /// `connect`, `packet`, `integrity` or `privacy`.
    pub level: &'static str,
    /// What the signatures came to.
    pub signatures: Signatures,
    /// How many fragments were sealed and open.
    pub unsealed: u64,
    /// What does not hold, the first few.
    pub failures: Vec<Failure>,
    /// Why signatures were left unchecked.
    #[serde(skip)]
    pub(crate) unchecked: Vec<(Unchecked, u64)>,
    /// The first frame before which fragments may be missing.
    #[serde(skip)]
    pub(crate) gap: Option<u64>,
    /// The capture ends before the association does.
    #[serde(skip)]
    pub(crate) is_cut_off: bool,
}

impl RpcExplained {
    /// Whether a signature does not hold.
    #[must_use]
    pub const fn has_invalid(&self) -> bool {
        self.signatures.invalid > 0
    }

    /// Whether a signature was left unchecked.
    #[must_use]
    pub const fn has_unchecked(&self) -> bool {
        self.signatures.unchecked > 0
    }
}

/// An exchange whose security context is over.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The number of the exchange.
    pub(crate) ticket: u64,
    /// What came of it.
    pub(crate) rpc: RpcExplained,
}

/// The level in words.
pub(crate) const fn level_text(level: AuthLevel) -> &'static str {
    match level {
        AuthLevel::NONE | AuthLevel::CONNECT => "connect",
        AuthLevel::CALL | AuthLevel::PKT => "packet",
        AuthLevel::PKT_INTEGRITY => "integrity",
        _ => "privacy",
    }
}

const fn auth_type_text(auth_type: AuthType) -> &'static str {
    match auth_type {
        AuthType::GSS_NEGOTIATE => "spnego",
        _ => "ntlmssp",
    }
}
