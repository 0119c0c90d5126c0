//! What the status of an answer comes to (MS-ERREF 2.3, MS-APDS 3.1.5.2).

use crate::error::DecodeError;
use core::fmt;
use ntlm::NtStatus;

/// Each refusal with the status that says so.
macro_rules! refusals {
    ($($(#[$meta:meta])* $name:ident = $status:ident, $text:literal;)*) => {
        /// Why a domain controller refuses.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Refusal {
            $($(#[$meta])* $name,)*
            /// The guest account would stand in, or there is no key: the controller said
            /// STATUS_SUCCESS, which proves nothing.
            Guest,
        }

        impl Refusal {
            pub(super) const fn of(status: NtStatus) -> Option<Self> {
                match status {
                    $(NtStatus::$status => Some(Self::$name),)*
                    _ => None,
                }
            }

            /// The controller's own status; of a guest STATUS_LOGON_FAILURE. For the log: a client
            /// learns no more than its protocol says.
            #[must_use]
            pub const fn status(self) -> NtStatus {
                match self {
                    $(Self::$name => NtStatus::$status,)*
                    Self::Guest => NtStatus::LOGON_FAILURE,
                }
            }
        }

        impl fmt::Display for Refusal {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$name => $text,)*
                    Self::Guest => "guest, or no key",
                })
            }
        }
    };
}

refusals! {
    /// STATUS_WRONG_PASSWORD.
    WrongPassword = WRONG_PASSWORD, "wrong password";
    /// STATUS_NO_SUCH_USER.
    NoSuchUser = NO_SUCH_USER, "no such user";
    /// STATUS_LOGON_FAILURE: it does not say which.
    LogonFailure = LOGON_FAILURE, "no such user or wrong password";
    /// STATUS_ACCOUNT_DISABLED.
    AccountDisabled = ACCOUNT_DISABLED, "account disabled";
    /// STATUS_ACCOUNT_LOCKED_OUT.
    AccountLockedOut = ACCOUNT_LOCKED_OUT, "account locked out";
    /// STATUS_ACCOUNT_EXPIRED.
    AccountExpired = ACCOUNT_EXPIRED, "account expired";
    /// STATUS_PASSWORD_EXPIRED: the password was right.
    PasswordExpired = PASSWORD_EXPIRED, "password expired";
    /// STATUS_PASSWORD_MUST_CHANGE: the password was right.
    PasswordMustChange = PASSWORD_MUST_CHANGE, "password must be changed";
    /// STATUS_ACCOUNT_RESTRICTION, as of protected users.
    AccountRestriction = ACCOUNT_RESTRICTION, "account restricted";
    /// STATUS_INVALID_LOGON_HOURS.
    InvalidLogonHours = INVALID_LOGON_HOURS, "not at this hour";
    /// STATUS_INVALID_WORKSTATION.
    InvalidWorkstation = INVALID_WORKSTATION, "not from this workstation";
    /// STATUS_LOGON_TYPE_NOT_GRANTED.
    LogonTypeNotGranted = LOGON_TYPE_NOT_GRANTED, "logon type not granted";
    /// STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT: the account of a domain.
    InterdomainTrustAccount = NOLOGON_INTERDOMAIN_TRUST_ACCOUNT, "account of a trusted domain";
    /// STATUS_NOLOGON_SERVER_TRUST_ACCOUNT: the account of a domain controller.
    ServerTrustAccount = NOLOGON_SERVER_TRUST_ACCOUNT, "account of a domain controller";
    /// STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT: the account of a member.
    WorkstationTrustAccount = NOLOGON_WORKSTATION_TRUST_ACCOUNT, "account of a member";
    /// STATUS_SMARTCARD_LOGON_REQUIRED.
    SmartcardLogonRequired = SMARTCARD_LOGON_REQUIRED, "smart card required";
    /// STATUS_AUTHENTICATION_FIREWALL_FAILED.
    AuthenticationFirewall = AUTHENTICATION_FIREWALL_FAILED, "not allowed on this server";
    /// STATUS_NTLM_BLOCKED.
    NtlmBlocked = NTLM_BLOCKED, "NTLM blocked";
}

/// Why there is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// The answer is none.
    Decode(DecodeError),
    /// The answer's authenticator is wrong: the channel is of no use any more.
    WrongAuthenticator,
    /// Success, but nothing at the level that was asked for.
    NoValidation,
    /// STATUS_NO_LOGON_SERVERS: the account's domain cannot be reached.
    NoLogonServers,
    /// STATUS_TIME_DIFFERENCE_AT_DC: the clocks differ too much.
    TimeSkew,
    /// STATUS_INVALID_INFO_CLASS: the controller does not know the validation level.
    ValidationLevel,
    /// STATUS_ACCESS_DENIED: the channel has to be set up again.
    ChannelLost,
    /// The trust between client and domain, or between domains, is broken.
    Trust(NtStatus),
    /// Anything else.
    Other(NtStatus),
}

impl Failure {
    /// The controller's status, where that is what failed.
    #[must_use]
    pub const fn status(self) -> Option<NtStatus> {
        Some(match self {
            Self::Decode(_) | Self::WrongAuthenticator | Self::NoValidation => return None,
            Self::NoLogonServers => NtStatus::NO_LOGON_SERVERS,
            Self::TimeSkew => NtStatus::TIME_DIFFERENCE_AT_DC,
            Self::ValidationLevel => NtStatus::INVALID_INFO_CLASS,
            Self::ChannelLost => NtStatus::ACCESS_DENIED,
            Self::Trust(status) | Self::Other(status) => status,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::WrongAuthenticator => f.write_str("server's authenticator is wrong"),
            Self::NoValidation => f.write_str("accepted, but nothing is said of the account"),
            Self::NoLogonServers => f.write_str("no domain controller of the account's domain"),
            Self::TimeSkew => f.write_str("the clocks differ too much"),
            Self::ValidationLevel => f.write_str("validation level not known"),
            Self::ChannelLost => f.write_str("server does not know the channel any more"),
            Self::Trust(status) => write!(f, "trust is broken: {status}"),
            Self::Other(status) => write!(f, "no verdict: {status}"),
        }
    }
}

/// What a status comes to.
pub(super) enum StatusMeaning {
    Accepted,
    Refused(Refusal),
    Failed(Failure),
}

impl StatusMeaning {
    pub(super) const fn of(status: NtStatus) -> Self {
        match (status, Refusal::of(status)) {
            (NtStatus::SUCCESS, _) => Self::Accepted,
            (_, Some(refusal)) => Self::Refused(refusal),
            (status, None) => Self::Failed(failure(status)),
        }
    }
}

const fn failure(status: NtStatus) -> Failure {
    match status {
        NtStatus::NO_LOGON_SERVERS => Failure::NoLogonServers,
        NtStatus::TIME_DIFFERENCE_AT_DC => Failure::TimeSkew,
        NtStatus::INVALID_INFO_CLASS => Failure::ValidationLevel,
        NtStatus::ACCESS_DENIED => Failure::ChannelLost,
        NtStatus::NO_TRUST_LSA_SECRET
        | NtStatus::NO_TRUST_SAM_ACCOUNT
        | NtStatus::TRUSTED_DOMAIN_FAILURE
        | NtStatus::TRUSTED_RELATIONSHIP_FAILURE => Failure::Trust(status),
        status => Failure::Other(status),
    }
}
