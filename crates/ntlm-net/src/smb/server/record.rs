//! What a server says of its clients: one record a logon.

use crate::judge::{ByController, DenialCause};
use ntlm::text::Utf16String;
use ntlm_smb::server::{LoggedOn, Negotiated, PeerError, RefusalReason};
use ntlm_smb::{DecodeError, NtStatus};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::SystemTime;

/// What happened on a connection.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Somebody logged on, or was refused.
    Logon(Box<LogonRecord>),
    /// The connection ended before there was a verdict: nobody was told one.
    Abandoned {
        /// When.
        time: SystemTime,
        /// From where.
        client: SocketAddr,
        /// Who the client says it is.
        claimed: Claimed,
    },
    /// A connection ended.
    Closed {
        /// When.
        time: SystemTime,
        /// Whose.
        client: SocketAddr,
        /// Why.
        reason: CloseReason,
    },
}

/// A logon, for an audit.
#[derive(Debug)]
pub struct LogonRecord {
    /// When.
    pub time: SystemTime,
    /// From where.
    pub client: SocketAddr,
    /// What NEGOTIATE settled; `None` for SMB1.
    pub negotiated: Option<Negotiated>,
    /// Who the client says it is; `None` where it did not come to that.
    pub claimed: Option<Claimed>,
    /// Which domain controller judged, where it was one, whatever came of it here.
    pub by_controller: Option<Box<ByController>>,
    /// How it ended.
    pub result: Result<LoggedOn, RefusedLogon>,
}

/// Who a client says it is. Nothing of it is proved.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// UserName.
    pub user: Utf16String,
    /// DomainName.
    pub domain: Utf16String,
    /// Workstation.
    pub workstation: Utf16String,
}

/// A logon that was refused.
#[derive(Clone, Debug)]
pub struct RefusedLogon {
    /// What the client was told.
    pub status: NtStatus,
    /// Why.
    pub reason: RefusalReason,
    /// What the judge said, where it was the judge.
    pub cause: Option<DenialCause>,
}

impl fmt::Display for RefusedLogon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => cause.fmt(f),
            None => self.reason.fmt(f),
        }
    }
}

/// Why a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// The client closed it.
    Client,
    /// The client did what it may not.
    Peer(PeerError),
    /// What came is no frame.
    Frame(DecodeError),
    /// A frame of the NetBIOS session service that a server on this port does not take.
    NotSmb,
    /// A message longer than is allowed.
    TooLong {
        /// How long it says it is, in bytes.
        length: usize,
        /// The limit, in bytes.
        limit: usize,
    },
    /// Nobody logged on in time.
    NobodyLoggedOn,
    /// Silence for too long.
    Silence,
    /// A message, or the sending of an answer, took too long.
    TooSlow,
    /// There were too many connections, and nobody was logged on on this one.
    TooManyConnections,
    /// The judge panicked.
    JudgePanicked,
    /// The server stops.
    Shutdown,
    /// An error of the operating system.
    Io(io::ErrorKind),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("closed by the client"),
            Self::Peer(error) => error.fmt(f),
            Self::Frame(error) => write!(f, "this is no SMB: {error}"),
            Self::NotSmb => f.write_str("a frame of the NetBIOS session service"),
            Self::TooLong { length, limit } => {
                write!(f, "message of {length} bytes, {limit} are allowed")
            }
            Self::NobodyLoggedOn => f.write_str("nobody logged on in time"),
            Self::Silence => f.write_str("silence for too long"),
            Self::TooSlow => f.write_str("a message took too long"),
            Self::TooManyConnections => f.write_str("too many connections"),
            Self::JudgePanicked => f.write_str("the judge panicked"),
            Self::Shutdown => f.write_str("the server stops"),
            Self::Io(kind) => kind.fmt(f),
        }
    }
}
