//! A channel that is kept, and what was learnt of the controller at its other end.

use super::connection::Bound;
use super::controllers::ControllerName;
use super::set_up::{SetUp, unix_time};
use ntlm_netlogon::calls::ValidationLevel;
use ntlm_netlogon::client::{Channel, Security};
use ntlm_netlogon::flags::NegotiateFlags;
use ntlm_netlogon::keys::Algorithms;
use ntlm_netlogon::logon::LogonMethod;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex as Lock, PoisonError};
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

/// A channel, which several associations share.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) controller: ControllerName,
    pub(super) address: SocketAddr,
    /// Held for a whole call where the call has an authenticator.
    pub(super) channel: Mutex<Channel>,
    facts: Facts,
    way: Lock<Way>,
    born: Instant,
    given_up: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Facts {
    algorithms: Algorithms,
    negotiate_flags: NegotiateFlags,
    account_rid: u32,
}

/// By which method logons are passed on, and how much is asked of the account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) method: LogonMethod,
    pub(super) validation_level: ValidationLevel,
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
    /// The method that the logon was passed on by.
    pub method: &'static str,
    /// How much was asked of the account.
    pub validation_level: ValidationLevel,
}

impl Kept {
    pub(super) fn new(controller: ControllerName, set_up: SetUp) -> (Self, Bound) {
        let SetUp { channel, bound, address } = set_up;
        let negotiate_flags = channel.negotiate_flags();
        let facts = Facts {
            algorithms: channel.keys().algorithms,
            negotiate_flags,
            account_rid: channel.account_rid(),
        };
        let way = Way {
            method: LogonMethod::Ex,
            validation_level: ValidationLevel::choose(negotiate_flags),
        };
        let kept = Self {
            controller,
            address,
            channel: Mutex::new(channel),
            facts,
            way: Lock::new(way),
            born: Instant::now(),
            given_up: AtomicBool::new(false),
        };
        (kept, bound)
    }

    pub(super) async fn security(&self) -> Security {
        self.channel.lock().await.security()
    }

    pub(super) fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// Whoever still has an association leaves it before the next logon.
    pub(super) fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.load(Ordering::Relaxed)
    }

    pub(super) fn way(&self) -> Way {
        let way = *self.way.lock().unwrap_or_else(PoisonError::into_inner);
        let timestamp = unix_time();
        let method = match way.method {
            LogonMethod::Ex => LogonMethod::Ex,
            LogonMethod::WithFlags { .. } => LogonMethod::WithFlags { timestamp },
            LogonMethod::SamLogon { .. } => LogonMethod::SamLogon { timestamp },
        };
        Way { method, ..way }
    }

    /// The controller does not have the method: whether there is an older one.
    pub(super) fn use_older_method(&self, than: Way) -> bool {
        let method = than.method.older(unix_time());
        self.change(method.map(|method| Way { method, ..than }))
    }

    /// The controller does not have the validation level: whether there is a lower one.
    pub(super) fn ask_less(&self, than: Way) -> bool {
        let lower = match than.validation_level {
            ValidationLevel::SamInfo4 => Some(ValidationLevel::SamInfo2),
            ValidationLevel::SamInfo2 => Some(ValidationLevel::SamInfo),
            ValidationLevel::SamInfo => None,
        };
        self.change(lower.map(|validation_level| Way { validation_level, ..than }))
    }

    fn change(&self, way: Option<Way>) -> bool {
        let mut kept = self.way.lock().unwrap_or_else(PoisonError::into_inner);
        way.inspect(|way| *kept = *way).is_some()
    }

    pub(super) fn via(&self, way: Way) -> Via {
        let Facts { algorithms, negotiate_flags, account_rid } = self.facts;
        Via {
            controller: self.controller.clone(),
            address: self.address,
            algorithms,
            negotiate_flags,
            account_rid,
            method: match way.method {
                LogonMethod::Ex => "NetrLogonSamLogonEx",
                LogonMethod::WithFlags { .. } => "NetrLogonSamLogonWithFlags",
                LogonMethod::SamLogon { .. } => "NetrLogonSamLogon",
            },
            validation_level: way.validation_level,
        }
    }
}
