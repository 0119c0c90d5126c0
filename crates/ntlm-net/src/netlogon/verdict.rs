//! What a controller said.

use super::name::ControllerName;
use ntlm::{LogonDenied, LogonOutcome, LogonRequest};
use ntlm_netlogon::calls::{Validation, ValidationLevel};
use ntlm_netlogon::flags::NegotiateFlags;
use ntlm_netlogon::keys::Algorithms;
use ntlm_netlogon::logon::{LogonMethod, Refusal};
use std::net::SocketAddr;

/// A controller's verdict.
#[derive(Debug)]
pub enum Verdict {
    /// The responses are right.
    Accepted {
        /// What our own checks make of it: MIC, channel bindings, policy.
        outcome: Box<Result<LogonOutcome, LogonDenied>>,
        /// Who it is.
        account: Box<Validation>,
        /// Who says so.
        via: Via,
    },
    /// The controller refuses.
    Refused {
        /// The logon, for whoever may know the account better.
        request: LogonRequest,
        /// Why.
        refusal: Refusal,
        /// Whether that is final for the account.
        authoritative: bool,
        /// Who says so.
        via: Via,
    },
}

/// Who gave a verdict, and over what.
#[derive(Clone, Debug)]
pub struct Via {
    /// The controller.
    pub controller: ControllerName,
    /// Where it is.
    pub address: SocketAddr,
    /// What protects the channel.
    pub algorithms: Algorithms,
    /// What both ends of it can do.
    pub negotiate_flags: NegotiateFlags,
    /// RelativeId of the machine account.
    pub account_rid: u32,
    /// By which method the logon was passed on.
    pub method: LogonMethod,
    /// How much was asked of the account.
    pub validation_level: ValidationLevel,
}
