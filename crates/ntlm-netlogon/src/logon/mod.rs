//! A logon passed on to a domain controller, and its verdict (MS-APDS 3.1.5.2, 3.2.5.2).
//!
//! What is asked comes from a [`LogonRequest`] and nowhere else, so the challenge is the right one
//! for NTLMv1 with extended session security too. What was accepted still has to pass all that the
//! server checks itself: [`LogonRequest::accept`].

mod status;

pub use status::{Failure, Refusal};

use crate::calls::{
    LogonLevel, NetworkInfo, ParameterControl, SamLogonMethod, SamLogonRequest, SamLogonResponse,
    UserFlags, Validation, ValidationLevel,
};
use crate::client::{Call, Channel};
use crate::error::TooLong;
use alloc::boxed::Box;
use core::fmt;
use ntlm::{LogonDenied, LogonOutcome, LogonRequest, Verdict};
use status::StatusMeaning;

/// Which method passes the logon on. A server that does not have it answers with
/// [`FaultStatus::OP_RANGE_ERROR`](crate::pdu::FaultStatus::OP_RANGE_ERROR).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogonMethod {
    /// NetrLogonSamLogonEx: any number of calls at a time on a channel.
    Ex,
    /// NetrLogonSamLogonWithFlags, with an authenticator: one such call at a time on a channel.
    WithFlags,
    /// NetrLogonSamLogon, the same in its first form.
    SamLogon,
}

impl LogonMethod {
    /// The next older one, for a server that does not have this one.
    #[must_use]
    pub const fn older(self) -> Option<Self> {
        match self {
            Self::Ex => Some(Self::WithFlags),
            Self::WithFlags => Some(Self::SamLogon),
            Self::SamLogon => None,
        }
    }

    /// The method's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ex => "NetrLogonSamLogonEx",
            Self::WithFlags => "NetrLogonSamLogonWithFlags",
            Self::SamLogon => "NetrLogonSamLogon",
        }
    }

    /// Whether its calls have an authenticator, so that there is one at a time on a channel.
    #[must_use]
    pub const fn has_authenticator(self) -> bool {
        !matches!(self, Self::Ex)
    }
}

/// A logon that was passed on, and awaits its verdict.
#[derive(Debug)]
pub struct PassedOn {
    request: LogonRequest,
    opnum: u16,
    validation_level: ValidationLevel,
}

impl PassedOn {
    /// Passes a logon on: the call to make over an association that the channel protects.
    /// `timestamp` is the time in seconds since 1970, for methods with an authenticator.
    ///
    /// # Errors
    ///
    /// There is nothing in it to be judged, or it does not fit.
    pub fn start(
        channel: &mut Channel,
        request: LogonRequest,
        method: LogonMethod,
        validation_level: ValidationLevel,
        timestamp: u32,
    ) -> Result<(Call, Self), PassOnError> {
        if request.is_anonymous() {
            return Err(PassOnError::Anonymous);
        }
        let mut sam_logon = SamLogonRequest {
            method: SamLogonMethod::Ex,
            logon_server: Some(channel.config.unc()),
            computer_name: Some(channel.config.computer()),
            logon_level: LogonLevel::choose(channel.negotiate_flags()),
            network_info: NetworkInfo {
                logon_domain_name: request.domain(),
                parameter_control: ParameterControl::ALLOW_SERVER_TRUST_ACCOUNT
                    | ParameterControl::ALLOW_WORKSTATION_TRUST_ACCOUNT,
                user_name: request.user(),
                workstation: request.workstation(),
                lm_challenge: request.challenge_for_domain_controller(),
                nt_challenge_response: request.nt_challenge_response(),
                lm_challenge_response: request.lm_challenge_response(),
            },
            validation_level,
            extra_flags: 0,
        };
        let mut stub = sam_logon.encode().map_err(PassOnError::TooLong)?;
        // Only now that it is known to fit: an authenticator that is not sent breaks the chain.
        sam_logon.method = match method {
            LogonMethod::Ex => SamLogonMethod::Ex,
            LogonMethod::WithFlags => SamLogonMethod::WithFlags(channel.authenticator(timestamp)),
            LogonMethod::SamLogon => SamLogonMethod::SamLogon(channel.authenticator(timestamp)),
        };
        if method.has_authenticator() {
            stub = sam_logon.encode().map_err(PassOnError::TooLong)?;
        }
        let opnum = sam_logon.method.opnum();
        Ok((Call { opnum, stub }, Self { request, opnum, validation_level }))
    }

    /// Takes the answer.
    #[must_use]
    pub fn receive(self, channel: &mut Channel, stub: &[u8]) -> Judged {
        let Self { request, opnum, validation_level } = self;
        let not_judged = |request, failure| Judged::NotJudged { request, failure };
        let response = match SamLogonResponse::decode(opnum, stub, &channel.keys) {
            Ok(response) => response,
            Err(error) => return not_judged(request, Failure::Decode(error)),
        };
        if opnum != SamLogonMethod::EX_OPNUM {
            let returned = response.return_authenticator;
            if !returned.is_some_and(|returned| channel.check(&returned)) {
                return not_judged(request, Failure::WrongAuthenticator);
            }
        }
        let authoritative = response.authoritative;
        match (StatusMeaning::of(response.status), response.validation) {
            (StatusMeaning::Accepted, Some(account)) if account.level == validation_level => {
                accept(request, account)
            }
            (StatusMeaning::Accepted, _) => not_judged(request, Failure::NoValidation),
            (StatusMeaning::Refused(refusal), _) => {
                Judged::Refused { request, refusal, authoritative }
            }
            (StatusMeaning::Failed(failure), _) => not_judged(request, failure),
        }
    }

    /// The logon again, where no answer came: to be passed on elsewhere, or refused.
    #[must_use]
    pub fn into_request(self) -> LogonRequest {
        self.request
    }
}

/// A guest, or whoever comes without a key, proved nothing.
fn accept(request: LogonRequest, account: Validation) -> Judged {
    let no_key = account.user_session_key.expose().iter().all(|byte| *byte == 0);
    if no_key || account.user_flags.contains(UserFlags::GUEST) {
        return Judged::Refused { request, refusal: Refusal::Guest, authoritative: true };
    }
    let has_lm_key = account.lm_key.expose().iter().any(|byte| *byte != 0);
    let verdict = Verdict {
        session_base_key: account.user_session_key.duplicate(),
        lmowf_prefix: has_lm_key.then(|| account.lm_key.duplicate()),
        used_lm_password: account.user_flags.contains(UserFlags::USED_LM_PASSWORD),
    };
    Judged::Accepted { outcome: Box::new(request.accept(verdict)), account: Box::new(account) }
}

/// What became of a logon that was passed on.
#[derive(Debug)]
pub enum Judged {
    /// The controller accepts the responses.
    Accepted {
        /// What the server's own checks make of it.
        outcome: Box<Result<LogonOutcome, LogonDenied>>,
        /// Who it is.
        account: Box<Validation>,
    },
    /// The controller refuses.
    Refused {
        /// The logon, for whoever may know the account better.
        request: LogonRequest,
        /// Why. Not for the client's eyes beyond what its protocol says.
        refusal: Refusal,
        /// Whether that is final; otherwise another authority may know the account.
        authoritative: bool,
    },
    /// There is no verdict. The logon may be passed on again.
    NotJudged {
        /// The logon.
        request: LogonRequest,
        /// Why there is none.
        failure: Failure,
    },
}

/// Why a logon cannot be passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PassOnError {
    /// It offers no proof.
    Anonymous,
    /// A name or response is too long.
    TooLong(TooLong),
}

impl fmt::Display for PassOnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous => f.write_str("an anonymous logon has nothing to be judged"),
            Self::TooLong(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for PassOnError {}
