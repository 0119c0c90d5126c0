//! Why an operation fails.

use ntlm_smb::DecodeError;
use ntlm_smb::client::{ClientError, PeerError};
use std::fmt;
use std::io;
use std::time::Duration;

/// Why an operation fails. After all but a refusal the connection is closed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// An error of the operating system, and what it was about.
    Io(&'static str, io::Error),
    /// The server did not answer in time.
    TimedOut(&'static str, Duration),
    /// The server closed the connection.
    ClosedByServer,
    /// The connection was closed before: by an earlier error, or an operation that was dropped.
    Closed,
    /// A message is longer than is allowed.
    TooLong {
        /// How long it says it is, in bytes.
        length: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// What came is no frame.
    Frame(DecodeError),
    /// The NetBIOS session was refused: the code, where one was given (RFC 1002 4.3.4).
    NetBios(Option<u8>),
    /// The server keeps saying things without answering.
    TooManyMessages,
    /// The server refuses, or did what it may not, or lacks what is insisted on.
    Client(ClientError),
    /// Nobody is logged on yet.
    NotLoggedOn,
}

impl Error {
    /// Whether the server refused and the connection goes on.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Client(ClientError::Refused { .. }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, error) => write!(f, "{what}: {error}"),
            Self::TimedOut(what, limit) => {
                write!(f, "{what}: no answer within {} s", limit.as_secs_f32())
            }
            Self::ClosedByServer => f.write_str("server closed the connection"),
            Self::Closed => f.write_str("connection is closed"),
            Self::TooLong { length, limit } => {
                write!(f, "message of {length} bytes, {limit} are allowed")
            }
            Self::Frame(error) => write!(f, "this is no SMB: {error}"),
            Self::NetBios(Some(code)) => write!(f, "NetBIOS session refused: {code:#04x}"),
            Self::NetBios(None) => f.write_str("NetBIOS session refused"),
            Self::TooManyMessages => f.write_str("server sends messages without answering"),
            Self::Client(error) => error.fmt(f),
            Self::NotLoggedOn => f.write_str("nobody is logged on"),
        }
    }
}

impl std::error::Error for Error {}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<PeerError> for Error {
    fn from(error: PeerError) -> Self {
        Self::Client(error.into())
    }
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Client(error.into())
    }
}
