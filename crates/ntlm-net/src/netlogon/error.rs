//! Why there is no verdict.

use super::name::ControllerName;
use crate::smb;
use ntlm_netlogon::client::{AssociationError, ChannelError};
use ntlm_netlogon::logon::{Failure, PassOnError};
use ntlm_netlogon::pdu::FaultStatus;
use ntlm_netlogon::{DecodeError, NtStatus};
use std::fmt;
use std::io;
use std::sync::Arc;

/// Why a logon was not judged. It says nothing of the account.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum NotJudged {
    /// Too many logons wait already.
    TooManyWaiting,
    /// There was no answer in time, or not even a turn; and what came in the way, if anything.
    TimedOut(Option<Unusable>),
    /// The logon cannot be passed on.
    NotPassedOn(PassOnError),
    /// No controller can be used: the last that was tried.
    NoController(Unusable),
    /// Not one is known: none was given, or DNS names none.
    NoneKnown(ControllerError),
    /// A controller answered, without a verdict.
    Undecided(ControllerName, Failure),
    /// A controller could not carry the call out: something in the logon is beyond it.
    Fault(ControllerName, FaultStatus),
    /// The domain is not asked any more.
    Stopped,
}

/// A controller that cannot be used, and why.
#[derive(Clone, Debug)]
pub struct Unusable {
    /// Which one.
    pub controller: ControllerName,
    /// Why.
    pub error: ControllerError,
}

/// Why a controller cannot be used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ControllerError {
    /// An error of the operating system, and what it was about.
    Io(&'static str, io::ErrorKind),
    /// No answer in time, and to what.
    TimedOut(&'static str),
    /// It closed the connection.
    ClosedByController,
    /// What came is no PDU.
    Decode(DecodeError),
    /// It refuses the association, or a call; or what came is no answer to it.
    Association(Arc<AssociationError>),
    /// It refuses the secure channel, or does not prove itself.
    Channel(ChannelError),
    /// Its endpoint mapper knows no port of Netlogon: the status.
    NotMapped(u32),
    /// SMB, where the pipe is inside it.
    Smb(Arc<smb::Error>),
    /// A name without an address.
    NoAddress,
    /// DNS, in words.
    Dns(Arc<str>),
    /// What it answered to a logon is no answer.
    Logon(Failure),
    /// It failed lately, and is left alone for a while.
    LeftAlone(Box<Self>),
}

impl ControllerError {
    /// The controller's status, where it is one that stands in the way.
    #[must_use]
    pub fn status(&self) -> Option<NtStatus> {
        match self {
            Self::Channel(ChannelError::Refused(status)) => Some(*status),
            Self::Logon(failure) => failure.status(),
            Self::LeftAlone(error) => error.status(),
            _ => None,
        }
    }

    pub(super) fn io(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Io(what, error.kind())
    }
}

impl NotJudged {
    /// The controller's status, where it is one that stands in the way.
    #[must_use]
    pub fn status(&self) -> Option<NtStatus> {
        match self {
            Self::Undecided(_, failure) => failure.status(),
            Self::NoController(unusable) | Self::TimedOut(Some(unusable)) => {
                unusable.error.status()
            }
            _ => None,
        }
    }
}

impl fmt::Display for NotJudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyWaiting => f.write_str("too many logons wait"),
            Self::TimedOut(None) => f.write_str("no domain controller answered in time"),
            Self::TimedOut(Some(unusable)) => write!(f, "not in time; {unusable}"),
            Self::NotPassedOn(error) => error.fmt(f),
            Self::NoController(unusable) => unusable.fmt(f),
            Self::NoneKnown(error) => write!(f, "no domain controller is known: {error}"),
            Self::Undecided(controller, failure) => write!(f, "{controller}: {failure}"),
            Self::Fault(controller, status) => write!(f, "{controller}: call failed: {status}"),
            Self::Stopped => f.write_str("the domain is not asked any more"),
        }
    }
}

impl std::error::Error for NotJudged {}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.controller, self.error)
    }
}

impl fmt::Display for ControllerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, kind) => write!(f, "{what}: {kind}"),
            Self::TimedOut(what) => write!(f, "{what}: no answer in time"),
            Self::ClosedByController => f.write_str("domain controller closed the connection"),
            Self::Decode(error) => error.fmt(f),
            Self::Association(error) => error.fmt(f),
            Self::Channel(error) => error.fmt(f),
            Self::NotMapped(status) => {
                write!(f, "endpoint mapper knows no TCP port of Netlogon: 0x{status:08x}")
            }
            Self::Smb(error) => write!(f, "SMB: {error}"),
            Self::NoAddress => f.write_str("name without an address"),
            Self::Dns(error) => write!(f, "DNS: {error}"),
            Self::Logon(failure) => failure.fmt(f),
            Self::LeftAlone(error) => write!(f, "left alone for a while after: {error}"),
        }
    }
}

impl std::error::Error for ControllerError {}

impl From<AssociationError> for ControllerError {
    fn from(error: AssociationError) -> Self {
        Self::Association(Arc::new(error))
    }
}

impl From<DecodeError> for ControllerError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<ChannelError> for ControllerError {
    fn from(error: ChannelError) -> Self {
        Self::Channel(error)
    }
}

impl From<smb::Error> for ControllerError {
    fn from(error: smb::Error) -> Self {
        Self::Smb(Arc::new(error))
    }
}
