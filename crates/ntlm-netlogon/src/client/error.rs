//! Why there is no association, or none any more.

use crate::error::{DecodeError, TooLong};
use crate::pdu::{AssemblyError, FaultStatus};
use crate::protect::ProtectError;
use core::fmt;
use ntlm::ClientError;
use ntlm_spnego::PeerError;

/// Why an association is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssociationError {
    /// What came is no PDU.
    Decode(DecodeError),
    /// Something is too long to be sent.
    TooLong(TooLong),
    /// A PDU that has no place here, or with another value in this field.
    Unexpected(&'static str),
    /// bind_nak, with provider_reject_reason.
    BindRefused(u16),
    /// The interface or NDR was refused, with the reason.
    ContextRefused(u16),
    /// The server does not sign headers.
    HeadersUnsigned,
    /// The call failed.
    Fault(FaultStatus),
    /// The answer's fragments do not fit together.
    Assembly(AssemblyError),
    /// A fragment cannot be protected, or its verifier does not hold.
    Protect(ProtectError),
    /// The server takes only fragments too short for a call.
    FragmentsTooShort,
    /// A sealed fragment had no confounder.
    NoConfounder,
    /// All call_ids are used.
    CallsExhausted,
}

impl fmt::Display for AssociationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::TooLong(error) => error.fmt(f),
            Self::Unexpected(field) => write!(f, "not the answer that is awaited: {field}"),
            Self::BindRefused(reason) => write!(f, "bind refused, reason {reason}"),
            Self::ContextRefused(reason) => write!(f, "interface refused, reason {reason}"),
            Self::HeadersUnsigned => f.write_str("server does not sign headers"),
            Self::Fault(status) => write!(f, "call failed: {status}"),
            Self::Assembly(error) => error.fmt(f),
            Self::Protect(error) => error.fmt(f),
            Self::FragmentsTooShort => f.write_str("server takes only fragments too short"),
            Self::NoConfounder => f.write_str("no confounder for a sealed fragment"),
            Self::CallsExhausted => f.write_str("all call_ids are used"),
        }
    }
}

impl core::error::Error for AssociationError {}

impl From<DecodeError> for AssociationError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<TooLong> for AssociationError {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}

impl From<AssemblyError> for AssociationError {
    fn from(error: AssemblyError) -> Self {
        Self::Assembly(error)
    }
}

impl From<ProtectError> for AssociationError {
    fn from(error: ProtectError) -> Self {
        Self::Protect(error)
    }
}

/// Why nobody is logged on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BindError {
    /// The association itself.
    Association(AssociationError),
    /// NTLM.
    Ntlm(ClientError),
    /// SPNEGO.
    Spnego(PeerError),
    /// Nobody has no keys, so calls cannot be protected.
    Anonymous,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Association(error) => error.fmt(f),
            Self::Ntlm(error) => error.fmt(f),
            Self::Spnego(error) => error.fmt(f),
            Self::Anonymous => f.write_str("an anonymous logon has no keys to protect calls with"),
        }
    }
}

impl core::error::Error for BindError {}

impl<E: Into<AssociationError>> From<E> for BindError {
    fn from(error: E) -> Self {
        Self::Association(error.into())
    }
}

impl From<ClientError> for BindError {
    fn from(error: ClientError) -> Self {
        Self::Ntlm(error)
    }
}

impl From<PeerError> for BindError {
    fn from(error: PeerError) -> Self {
        Self::Spnego(error)
    }
}
