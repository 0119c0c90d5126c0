//! Why a state machine stops: it is the peer's doing, or the caller's.

use crate::flags::NegotiateFlags;
use crate::wire::DecodeError;
use core::fmt;

/// Why a client does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// It is the server's doing.
    Peer(PeerError),
    /// It is the caller's doing.
    Misuse(Misuse),
}

/// Well-formed or not, a message of the peer that is not allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerError {
    /// It cannot be decoded, or holds what no peer may send.
    Decode(DecodeError),
    /// Flags that are insisted on were not granted or not offered (SEC_E_UNSUPPORTED_FUNCTION).
    FlagsMissing(NegotiateFlags),
    /// Flags were set that the other end had not offered.
    FlagsNotOffered(NegotiateFlags),
    /// The server's NetBIOS names are missing, which protection with NTLMv2 needs
    /// (STATUS_LOGON_FAILURE, MS-NLMP 3.1.5.1.2).
    NoServerNames,
    /// The keys that would protect messages have fewer than 128 secret bits
    /// (SEC_E_UNSUPPORTED_FUNCTION).
    WeakKeys,
    /// The server's TargetInfo leaves no room for the AV_PAIRs of the client.
    TargetInfoTooLong,
    /// The server does not take NTLM (STATUS_NOT_SUPPORTED).
    Blocked,
    /// The challenge is too old (SEC_E_CONTEXT_EXPIRED).
    ChallengeExpired,
}

/// The caller asked for what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misuse {
    /// The server has no Unicode, and a name has characters outside the code page.
    NameNotInCodePage,
    /// A name or response does not fit into 65535 bytes.
    NameTooLong,
    /// A server without NetBIOS names, which clients refuse.
    NameMissing,
    /// The policy blocks NTLM towards this target (STATUS_NOT_SUPPORTED).
    Blocked,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(error) => error.fmt(f),
            Self::Misuse(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::FlagsMissing(flags) => {
                f.write_str("peer does not agree to")?;
                flags.info().try_for_each(|info| write!(f, " {}", info.name))
            }
            Self::FlagsNotOffered(flags) => {
                f.write_str("peer sets what was not offered:")?;
                flags.info().try_for_each(|info| write!(f, " {}", info.name))
            }
            Self::NoServerNames => f.write_str("TargetInfo lacks the server's NetBIOS names"),
            Self::WeakKeys => f.write_str("keys would have fewer than 128 secret bits"),
            Self::TargetInfoTooLong => f.write_str("TargetInfo leaves no room for AV_PAIRs"),
            Self::Blocked => f.write_str("NTLM is blocked by policy"),
            Self::ChallengeExpired => f.write_str("challenge is too old"),
        }
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NameNotInCodePage => "name has characters outside the OEM code page",
            Self::NameTooLong => "name longer than 65535 bytes",
            Self::NameMissing => "server without a NetBIOS name",
            Self::Blocked => "NTLM is blocked towards this target by policy",
        })
    }
}

impl core::error::Error for ClientError {}
impl core::error::Error for PeerError {}
impl core::error::Error for Misuse {}

impl From<PeerError> for ClientError {
    fn from(error: PeerError) -> Self {
        Self::Peer(error)
    }
}

impl From<Misuse> for ClientError {
    fn from(error: Misuse) -> Self {
        Self::Misuse(error)
    }
}

impl From<DecodeError> for PeerError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}
