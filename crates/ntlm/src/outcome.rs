//! How a logon ends.

use crate::anonymous::AnonymousLogon;
use crate::channel_bindings::ChannelBindingsResult;
use crate::datagram::{DatagramKeying, DatagramSession};
use crate::exchange::Check;
use crate::keys::{KeySchedule, NtlmVersion};
use crate::policy::Relaxation;
use crate::protect::Role;
use crate::session::Session;
use crate::text::Utf16String;
use alloc::vec::Vec;
use core::fmt;

/// How a logon ended well.
#[derive(Debug)]
pub enum LogonOutcome {
    /// The account proved itself.
    Account(AccountLogon),
    /// The account is unknown, and the policy lets such in as guest. Nothing was proved.
    Guest(GuestLogon),
    /// No proof was offered, and the policy lets such in.
    Anonymous(AnonymousLogon),
}

impl LogonOutcome {
    /// The account, unless it is guest or anonymous.
    #[must_use]
    pub fn into_account(self) -> Option<AccountLogon> {
        match self {
            Self::Account(logon) => Some(logon),
            Self::Guest(_) | Self::Anonymous(_) => None,
        }
    }

    /// What the default policy would not have let through.
    #[must_use]
    pub fn relaxed(&self) -> &[Relaxation] {
        match self {
            Self::Account(logon) => &logon.relaxed,
            Self::Guest(_) => &[Relaxation::Guest],
            Self::Anonymous(_) => &[Relaxation::Anonymous],
        }
    }
}

/// An account that proved itself, and what was found on the way.
#[derive(Debug)]
pub struct AccountLogon {
    pub(crate) user: Utf16String,
    pub(crate) domain: Utf16String,
    pub(crate) workstation: Utf16String,
    pub(crate) target_name: Option<Utf16String>,
    pub(crate) mic: Check,
    pub(crate) channel_bindings: ChannelBindingsResult,
    pub(crate) keys: KeySchedule,
    pub(crate) relaxed: Vec<Relaxation>,
}

impl AccountLogon {
    /// UserName, as sent.
    #[must_use]
    pub const fn user(&self) -> &Utf16String {
        &self.user
    }

    /// DomainName, as sent.
    #[must_use]
    pub const fn domain(&self) -> &Utf16String {
        &self.domain
    }

    /// Workstation: only NTLMv2 with a MIC protects it.
    #[must_use]
    pub const fn workstation(&self) -> &Utf16String {
        &self.workstation
    }

    /// The SPN that the client meant, where it vouches for it.
    #[must_use]
    pub const fn target_name(&self) -> Option<&Utf16String> {
        self.target_name.as_ref()
    }

    /// [`Check::Valid`] or [`Check::Absent`].
    #[must_use]
    pub const fn mic(&self) -> Check {
        self.mic
    }

    /// What the client's channel bindings came to.
    #[must_use]
    pub const fn channel_bindings(&self) -> ChannelBindingsResult {
        self.channel_bindings
    }

    /// Every key, with the rule that chose it.
    #[must_use]
    pub const fn keys(&self) -> &KeySchedule {
        &self.keys
    }

    /// What the default policy would not have let through.
    #[must_use]
    pub fn relaxed(&self) -> &[Relaxation] {
        &self.relaxed
    }

    /// Session security for a connection; wipes every key before ExportedSessionKey.
    #[must_use]
    pub fn into_session(self) -> Session {
        Session::new(self.keys, Role::Server)
    }

    /// Session security for datagrams.
    #[must_use]
    pub fn into_datagram_session(self, keying: DatagramKeying) -> DatagramSession {
        DatagramSession::new(self.keys, Role::Server, keying)
    }
}

/// An unknown account let in as guest. There are no keys: the client derived others.
#[derive(Debug)]
pub struct GuestLogon {
    pub(crate) user: Utf16String,
    pub(crate) domain: Utf16String,
}

impl GuestLogon {
    /// UserName, as claimed.
    #[must_use]
    pub const fn user(&self) -> &Utf16String {
        &self.user
    }

    /// DomainName, as claimed.
    #[must_use]
    pub const fn domain(&self) -> &Utf16String {
        &self.domain
    }
}

/// The logon is denied (SEC_E_LOGON_DENIED). The client is told nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogonDenied {
    reason: DenialReason,
}

impl LogonDenied {
    /// For the server's own log, never for the client.
    #[must_use]
    pub const fn reason_for_the_log(&self) -> DenialReason {
        self.reason
    }
}

impl fmt::Display for LogonDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("logon denied")
    }
}

impl core::error::Error for LogonDenied {}

impl From<DenialReason> for LogonDenied {
    fn from(reason: DenialReason) -> Self {
        Self { reason }
    }
}

/// Why a logon was denied. An unknown account and a wrong password are one reason here too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenialReason {
    /// No such account, or another password.
    WrongSecret,
    /// The messages do not decode.
    Malformed,
    /// The policy does not accept this version.
    Version(NtlmVersion),
    /// Anonymous, which the policy does not allow.
    Anonymous,
    /// The keys have fewer than 128 secret bits.
    WeakKeys,
    /// EncryptedRandomSessionKey is not 16 bytes long.
    SessionKey,
    /// The announced MIC does not hold.
    Mic,
    /// The policy requires a MIC, and none is announced.
    MicMissing,
    /// The channel bindings are another channel's, or required and missing.
    ChannelBindings,
    /// The target name is not one of ours, or required and missing.
    TargetName,
    /// The client's timestamp is too far from our clock.
    ClockSkew,
    /// The client did not send back the AV_PAIRs of our CHALLENGE.
    TargetInfoNotEchoed,
}

impl fmt::Display for DenialReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongSecret => f.write_str("no such account or wrong password"),
            Self::Malformed => f.write_str("malformed messages"),
            Self::Version(version) => write!(f, "{version} is not accepted"),
            Self::Anonymous => f.write_str("anonymous logons are not allowed"),
            Self::WeakKeys => f.write_str("keys have fewer than 128 secret bits"),
            Self::SessionKey => f.write_str("EncryptedRandomSessionKey is not 16 bytes"),
            Self::Mic => f.write_str("MIC does not hold"),
            Self::MicMissing => f.write_str("MIC is missing"),
            Self::ChannelBindings => f.write_str("channel bindings do not match"),
            Self::TargetName => f.write_str("target name is not this server"),
            Self::ClockSkew => f.write_str("timestamp is too far from the clock"),
            Self::TargetInfoNotEchoed => f.write_str("TargetInfo was not sent back"),
        }
    }
}
