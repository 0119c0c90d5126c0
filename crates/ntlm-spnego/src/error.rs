//! Why bytes are no token, and why a negotiation stops.

use crate::neg_state::NegState;
use core::fmt;
use ntlm::SessionError;
use ntlm::der::{DerError, DerErrorKind};

/// These bytes are no such token: what is wrong, with which field, at which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// The field as RFC 4178 and MS-SPNG spell it.
    pub field: &'static str,
    /// Where it stands, in bytes from the start of the token.
    pub offset: usize,
}

impl DecodeError {
    pub(crate) const fn of(error: DerError, field: &'static str) -> Self {
        Self { kind: DecodeErrorKind::Der(error.kind), field, offset: error.offset }
    }
}

/// The ways in which bytes fail to be what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// Not DER, or another element than the one that must stand here.
    Der(DerErrorKind),
    /// A field that must be there is not.
    Missing,
    /// A list without entries.
    Empty,
    /// A value that this field cannot have.
    WrongValue,
    /// The token is longer than any that is accepted.
    TooLong,
}

/// What the peer sent that is not allowed, or why it does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerError {
    /// It cannot be decoded.
    Decode(DecodeError),
    /// A message of NTLM inside the token is refused.
    Ntlm(ntlm::PeerError),
    /// The acceptor says `reject`.
    Rejected,
    /// The initiator offers nothing that is spoken here.
    NoCommonMechanism,
    /// The acceptor chose what was not offered.
    MechanismNotOffered,
    /// The mechanism was chosen before, and now it is another.
    MechanismChanged,
    /// A negState that is out of order here; `None` where one must be.
    UnexpectedNegState(Option<NegState>),
    /// A field that has no place at this point.
    UnexpectedField(&'static str),
    /// A field without which it does not go on.
    MissingField(&'static str),
    /// The mechListMIC does not hold: somebody changed the list, or it is another's.
    MechListMic(SessionError),
    /// The mechListMIC is required and did not come.
    MechListMicMissing,
    /// The protocol around us says accepted before NTLM has proved anything.
    EndedEarly,
    /// A mechListMIC is required, and NTLM was negotiated without signing.
    NoIntegrity,
    /// An NTLM message without SPNEGO around it, where that is not accepted.
    RawNtlm,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at offset {}", self.kind, self.field, self.offset)
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Der(kind) => kind.fmt(f),
            Self::Missing => f.write_str("missing"),
            Self::Empty => f.write_str("empty"),
            Self::WrongValue => f.write_str("another value than it can have"),
            Self::TooLong => f.write_str("too long"),
        }
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Ntlm(error) => error.fmt(f),
            Self::Rejected => f.write_str("peer rejects the negotiation"),
            Self::NoCommonMechanism => f.write_str("no mechanism in common"),
            Self::MechanismNotOffered => f.write_str("peer chose a mechanism that was not offered"),
            Self::MechanismChanged => f.write_str("peer changed the mechanism"),
            Self::UnexpectedNegState(Some(state)) => write!(f, "negState out of order: {state}"),
            Self::UnexpectedNegState(None) => f.write_str("negState is missing"),
            Self::UnexpectedField(field) => write!(f, "field out of place: {field}"),
            Self::MissingField(field) => write!(f, "missing: {field}"),
            Self::MechListMic(error) => write!(f, "mechListMIC: {error}"),
            Self::MechListMicMissing => f.write_str("mechListMIC is required and missing"),
            Self::EndedEarly => f.write_str("accepted before NTLM is complete"),
            Self::NoIntegrity => {
                f.write_str("mechListMIC is required, but signing was not negotiated")
            }
            Self::RawNtlm => f.write_str("NTLM message without SPNEGO around it"),
        }
    }
}

impl core::error::Error for DecodeError {}
impl core::error::Error for PeerError {}

impl From<DecodeError> for PeerError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<ntlm::PeerError> for PeerError {
    fn from(error: ntlm::PeerError) -> Self {
        Self::Ntlm(error)
    }
}
