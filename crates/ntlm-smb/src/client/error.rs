//! Why a client stops: the server refuses, the server may not do what it did, or what is insisted on
//! is not to be had.

use crate::encryption::{DecryptError, InnerDefect};
use crate::error::{DecodeError, TooLong};
use crate::signing::SignatureError;
use crate::smb2::ContextType;
use core::fmt;
use ntlm::NtStatus;

/// Why a client does not go on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientError {
    /// The server refused a request.
    Refused {
        /// The command, as the specification names it.
        command: &'static str,
        /// Why.
        status: NtStatus,
    },
    /// The server did what no server may. The connection must end.
    Peer(PeerError),
    /// What the client insists on is not to be had here.
    Unavailable(Unavailable),
    /// The CHALLENGE is not answered, or cannot be.
    Ntlm(ntlm::ClientError),
    /// A part of a request is too long.
    TooLong(TooLong),
}

/// What no server may do, and nobody between.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerError {
    /// It cannot be decoded.
    Decode(DecodeError),
    /// It is no SMB message, or of a generation that was not negotiated.
    WrongProtocol,
    /// It is no response to the request: what differs.
    NotTheResponse(&'static str),
    /// A token of SPNEGO, or the NTLM in it, is refused.
    Spnego(ntlm_spnego::PeerError),
    /// The server chose a dialect that was not offered.
    DialectNotOffered(u16),
    /// The server offers no dialect at all.
    NoCommonDialect,
    /// A negotiate context that must be there once is not, or is there twice.
    Context(ContextType),
    /// A negotiate context chooses what was not offered, or not one.
    Choice(ContextType),
    /// The response to a signed request, or a successful logon of an account, is not signed.
    NotSigned {
        /// The command, as the specification names it.
        command: &'static str,
        /// The status that nobody vouches for.
        status: NtStatus,
    },
    /// A signature does not hold.
    Signature(SignatureError),
    /// The response to an encrypted request is not encrypted.
    NotEncrypted,
    /// An encrypted packet cannot be decrypted.
    Decrypt(DecryptError),
    /// What was encrypted is no message of this session.
    Inner(InnerDefect),
    /// A SessionId, UID or TreeId that cannot be one.
    InvalidId,
    /// The server made the client a guest, or nobody, who had proved an account.
    NotTheAccount,
    /// The server says accepted before NTLM has proved anything.
    EndedEarly,
    /// The server demands encryption for which there are no keys.
    EncryptionWithoutKeys,
    /// FSCTL_VALIDATE_NEGOTIATE_INFO: the server saw or said something else in NEGOTIATE.
    NegotiateInfo(&'static str),
    /// The server grants no credits to go on with.
    NoCredits,
    /// The server says more than was asked for.
    TooMuchData,
}

/// What is insisted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unavailable {
    /// Encryption: the dialect has none, the server does not offer it, or there is no key.
    Encryption,
    /// Signatures: the server disables them, or there is no key.
    Signing,
    /// SMB1 with extended security.
    ExtendedSecurity,
    /// SMB1 without extended security, which this server does not do.
    BareSessionSetup,
    /// Unicode, or NTSTATUS, which SMB1 servers need for us.
    Unicode,
    /// Binding needs SMB 3, an account, and the dialect and signing algorithm of the session.
    Binding,
    /// This generation of SMB does not do it.
    Operation(&'static str),
    /// The range of dialects is empty, or no signing algorithm is offered.
    Dialects,
    /// All nonces of a session are used, or this one is.
    Nonces,
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { command, status } => write!(f, "server refuses {command}: {status}"),
            Self::Peer(error) => error.fmt(f),
            Self::Unavailable(what) => what.fmt(f),
            Self::Ntlm(error) => error.fmt(f),
            Self::TooLong(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::WrongProtocol => f.write_str("another protocol than was negotiated"),
            Self::NotTheResponse(field) => {
                write!(f, "not the response to the request: another {field}")
            }
            Self::Spnego(error) => error.fmt(f),
            Self::DialectNotOffered(revision) => {
                write!(f, "server chose a dialect that was not offered: {revision:#06x}")
            }
            Self::NoCommonDialect => f.write_str("server has no dialect in common"),
            Self::Context(context) => write!(f, "server sends not just one {context}"),
            Self::Choice(context) => write!(f, "server chose what was not offered: {context}"),
            Self::NotSigned { command, status } => {
                write!(f, "response to {command} is not signed (it says {status})")
            }
            Self::Signature(error) => error.fmt(f),
            Self::NotEncrypted => f.write_str("response to an encrypted request is not encrypted"),
            Self::Decrypt(error) => error.fmt(f),
            Self::Inner(defect) => defect.fmt(f),
            Self::InvalidId => f.write_str("server gave an id that cannot be one"),
            Self::NotTheAccount => f.write_str("server let the account in as guest or as nobody"),
            Self::EndedEarly => f.write_str("accepted before NTLM is complete"),
            Self::EncryptionWithoutKeys => {
                f.write_str("server demands encryption, but there are no keys for it")
            }
            Self::NegotiateInfo(field) => {
                write!(f, "negotiation was tampered with: the server's {field} is another")
            }
            Self::NoCredits => f.write_str("server grants no credits"),
            Self::TooMuchData => f.write_str("server sends more than was asked for"),
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encryption => f.write_str("encryption is not available"),
            Self::Signing => f.write_str("signing is not available"),
            Self::ExtendedSecurity => {
                f.write_str("server does SMB1 without extended security only")
            }
            Self::BareSessionSetup => f.write_str("server does SMB1 with extended security only"),
            Self::Unicode => f.write_str("server lacks Unicode or NTSTATUS"),
            Self::Binding => f.write_str("this connection cannot be bound to that session"),
            Self::Operation(what) => write!(f, "{what} is not done here"),
            Self::Dialects => f.write_str("nothing to offer: no dialect, or no signing algorithm"),
            Self::Nonces => f.write_str("a nonce of this session would be used twice"),
        }
    }
}

impl core::error::Error for ClientError {}
impl core::error::Error for PeerError {}
impl core::error::Error for Unavailable {}

impl From<PeerError> for ClientError {
    fn from(error: PeerError) -> Self {
        Self::Peer(error)
    }
}

impl From<DecodeError> for ClientError {
    fn from(error: DecodeError) -> Self {
        Self::Peer(PeerError::Decode(error))
    }
}

impl From<ntlm_spnego::PeerError> for ClientError {
    fn from(error: ntlm_spnego::PeerError) -> Self {
        Self::Peer(PeerError::Spnego(error))
    }
}

impl From<Unavailable> for ClientError {
    fn from(what: Unavailable) -> Self {
        Self::Unavailable(what)
    }
}

impl From<ntlm::ClientError> for ClientError {
    fn from(error: ntlm::ClientError) -> Self {
        Self::Ntlm(error)
    }
}

impl From<TooLong> for ClientError {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}
