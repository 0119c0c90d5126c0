//! Why a connection ends, and why a logon is refused.

use crate::encryption::{DecryptError, InnerDefect};
use crate::error::{DecodeError, TooLong};
use core::fmt;

/// What a client did for which the connection ends without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerError {
    /// It is no SMB message, or a damaged one.
    Decode(DecodeError),
    /// A message of another protocol than was negotiated, or of none.
    WrongProtocol,
    /// A response, to a server.
    NotARequest,
    /// MessageId was not granted, or was used (MS-SMB2 3.3.5.2.3).
    MessageId(u64),
    /// NEGOTIATE, which was done (MS-SMB2 3.3.5.4).
    NegotiatedBefore,
    /// The first message is no NEGOTIATE.
    NotNegotiated,
    /// ECHO where nobody is logged on (MS-SMB2 3.3.5.17).
    NobodyLoggedOn,
    /// An encrypted packet of a session that this connection does not have, or that has no keys.
    EncryptionWithoutKeys,
    /// A packet does not decrypt.
    Decrypt(DecryptError),
    /// What was encrypted is not what may be (MS-SMB2 3.3.5.2.1.1).
    Inner(InnerDefect),
    /// TREE_CONNECT under 3.1.1, neither signed nor encrypted (MS-SMB2 3.3.5.7).
    UnprotectedTreeConnect,
    /// FSCTL_VALIDATE_NEGOTIATE_INFO differs from NEGOTIATE, or is asked under 3.1.1: somebody
    /// stands between (MS-SMB2 3.3.5.15.12).
    NegotiateInfo(&'static str),
    /// An SMB1 signature does not hold.
    Signature,
    /// All nonces of a session are used up.
    Nonces,
    /// Our answer does not fit: our own fault.
    TooLong(TooLong),
}

impl fmt::Display for PeerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::WrongProtocol => f.write_str("message of another protocol"),
            Self::NotARequest => f.write_str("response instead of a request"),
            Self::MessageId(id) => write!(f, "MessageId {id} was not granted, or was used"),
            Self::NegotiatedBefore => f.write_str("NEGOTIATE a second time"),
            Self::NotNegotiated => f.write_str("no NEGOTIATE at first"),
            Self::NobodyLoggedOn => f.write_str("ECHO before anybody logged on"),
            Self::EncryptionWithoutKeys => f.write_str("encrypted packet of an unknown session"),
            Self::Decrypt(error) => error.fmt(f),
            Self::Inner(defect) => defect.fmt(f),
            Self::UnprotectedTreeConnect => {
                f.write_str("TREE_CONNECT under 3.1.1 neither signed nor encrypted")
            }
            Self::NegotiateInfo(field) => {
                write!(f, "FSCTL_VALIDATE_NEGOTIATE_INFO: another {field} than in NEGOTIATE")
            }
            Self::Signature => f.write_str("signature does not hold"),
            Self::Nonces => f.write_str("all nonces of the session are used up"),
            Self::TooLong(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PeerError {}

impl From<DecodeError> for PeerError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<TooLong> for PeerError {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}

/// Why a session setup was refused, for the server's own log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalReason {
    /// The request cannot be decoded.
    Decode(DecodeError),
    /// The token is refused.
    Token(ntlm_spnego::PeerError),
    /// There is no such session, or it ended.
    NoSession,
    /// A token of another mechanism.
    Mechanism,
    /// As many sessions as a connection may have.
    TooManySessions,
    /// The client cannot encrypt, and must.
    Encryption,
    /// The policy wants signatures, and there is no key for them.
    NoKey,
    /// The connection cannot join that session.
    Binding(&'static str),
    /// Signature missing or wrong.
    Signature,
    /// Another session setup of that session is under way, or it stands in a compound.
    OutOfOrder,
    /// SMB1: no extended security, though it was negotiated.
    BareSessionSetup,
    /// Whoever judged says no.
    Judged,
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::Token(error) => error.fmt(f),
            Self::NoSession => f.write_str("no such session"),
            Self::Mechanism => f.write_str("another mechanism than NTLM"),
            Self::TooManySessions => f.write_str("too many sessions on the connection"),
            Self::Encryption => f.write_str("encryption is required, and was not negotiated"),
            Self::NoKey => f.write_str("signing or encryption is required, and there is no key"),
            Self::Binding(why) => write!(f, "cannot join the session: {why}"),
            Self::Signature => f.write_str("signature missing or wrong"),
            Self::OutOfOrder => f.write_str("session setup out of order"),
            Self::BareSessionSetup => f.write_str("session setup without extended security"),
            Self::Judged => f.write_str("refused by whoever judged"),
        }
    }
}
