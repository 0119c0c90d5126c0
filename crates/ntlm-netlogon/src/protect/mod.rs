//! Fragments signed and sealed, in place (MS-RPCE 3.3.1.5.2, MS-NRPC 3.3.4.2).
//!
//! ```text
//!   header 24 | object 16 | stub, auth_pad | sec_trailer 8 | auth_value
//!   ────────── signed ──────────────────────────────────── |
//!                         └── sealed ─────┘                └─ the signature
//! ```
//!
//! A fragment is complete, padding and sec_trailer and all, before it is protected; what it needs
//! is then written over auth_value. Nothing is allocated.

mod netlogon;
mod ntlmssp;
mod parts;

pub use netlogon::{NetlogonError, NetlogonProtection};
pub use ntlmssp::NtlmProtection;

use crate::error::DecodeError;
use crate::pdu::{AuthLevel, AuthType, AuthVerifier};
use core::fmt;
use ntlm::SessionError;

/// Which security context of an association: what each of its verifiers has to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecurityContext {
    /// The security provider.
    pub auth_type: AuthType,
    /// What it protects.
    pub auth_level: AuthLevel,
    /// The number that the client gave it.
    pub auth_context_id: u32,
}

impl SecurityContext {
    /// A verifier of it.
    pub(crate) const fn verifier<'a>(
        self,
        auth_pad: &'a [u8],
        auth_value: &'a [u8],
    ) -> AuthVerifier<'a> {
        let Self { auth_type, auth_level, auth_context_id } = self;
        AuthVerifier { auth_pad, auth_type, auth_level, auth_context_id, auth_value }
    }
}

/// What a level does to a fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Nothing: NONE and CONNECT.
    Nothing,
    /// Signed: CALL, PKT and PKT_INTEGRITY, which NTLM and Netlogon do not tell apart.
    Signed,
    /// Signed, and its body sealed: PKT_PRIVACY.
    Sealed,
}

impl Service {
    /// `None` for a level that does not exist.
    #[must_use]
    pub const fn of(level: AuthLevel) -> Option<Self> {
        match level {
            AuthLevel::NONE | AuthLevel::CONNECT => Some(Self::Nothing),
            AuthLevel::CALL | AuthLevel::PKT | AuthLevel::PKT_INTEGRITY => Some(Self::Signed),
            AuthLevel::PKT_PRIVACY => Some(Self::Sealed),
            _ => None,
        }
    }
}

/// Which bytes of a fragment its signature covers, besides the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Header and sec_trailer too.
    Whole,
    /// Nothing else.
    Body,
}

impl Coverage {
    /// With Netlogon it is negotiated: PFC_SUPPORT_HEADER_SIGN in bind and in its answer. NTLM with
    /// extended session security covers everything in any case, and without it nothing but the body.
    #[must_use]
    pub const fn choose(header_signing: bool) -> Self {
        if header_signing { Self::Whole } else { Self::Body }
    }
}

/// Why a fragment cannot be protected, or is not what its verifier says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtectError {
    /// It is no fragment, or one that contradicts itself.
    Decode(DecodeError),
    /// Neither request, response nor fault: nothing else is protected.
    NotACall,
    /// It has no verifier, or one whose auth_value is of another length.
    NoVerifier,
    /// The verifier is one of another security context: the field that tells.
    OtherContext(&'static str),
    /// The level does not exist.
    UnknownLevel(AuthLevel),
    /// NTLM's signature.
    Ntlm(SessionError),
    /// Netlogon's signature.
    Netlogon(NetlogonError),
}

impl fmt::Display for ProtectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::NotACall => f.write_str("neither request, response nor fault"),
            Self::NoVerifier => f.write_str("no auth verifier of the length that is due"),
            Self::OtherContext(field) => write!(f, "verifier of another security context: {field}"),
            Self::UnknownLevel(level) => write!(f, "auth_level {} does not exist", level.0),
            Self::Ntlm(error) => error.fmt(f),
            Self::Netlogon(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ProtectError {}

impl From<DecodeError> for ProtectError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}
