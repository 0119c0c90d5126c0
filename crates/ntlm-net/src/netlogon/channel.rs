//! A channel that associations share, and what was learnt of the controller at its other end.

use super::connection::Bound;
use super::name::ControllerName;
use super::set_up::SetUp;
use super::verdict::Via;
use ntlm_netlogon::calls::ValidationLevel;
use ntlm_netlogon::client::{Channel, Security};
use ntlm_netlogon::logon::LogonMethod;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex as Lock, PoisonError};
use tokio::sync::Mutex;
use tokio::time::{Duration, Instant};

/// A channel, its controller, and how that is asked.
#[derive(Debug)]
pub(super) struct SharedChannel {
    pub(super) controller: ControllerName,
    pub(super) address: SocketAddr,
    /// Held for a whole call where the call has an authenticator.
    pub(super) channel: Mutex<Channel>,
    form: Lock<LogonForm>,
    via: Via,
    born: Instant,
    given_up: AtomicBool,
    /// Logons that failed since the last verdict.
    strikes: AtomicU32,
    associations: AtomicU32,
}

/// By which method logons are passed on, and how much is asked of the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LogonForm {
    pub(super) method: LogonMethod,
    pub(super) validation_level: ValidationLevel,
}

impl SharedChannel {
    pub(super) fn new(controller: ControllerName, set_up: SetUp) -> (Self, Bound) {
        let SetUp { channel, bound, address } = set_up;
        let negotiate_flags = channel.negotiate_flags();
        let form = LogonForm {
            method: LogonMethod::Ex,
            validation_level: ValidationLevel::choose(negotiate_flags),
        };
        let via = Via {
            controller: controller.clone(),
            address,
            algorithms: channel.keys().algorithms,
            negotiate_flags,
            account_rid: channel.account_rid(),
            method: form.method,
            validation_level: form.validation_level,
        };
        let shared = Self {
            controller,
            address,
            channel: Mutex::new(channel),
            form: Lock::new(form),
            via,
            born: Instant::now(),
            given_up: AtomicBool::new(false),
            strikes: AtomicU32::new(0),
            associations: AtomicU32::new(0),
        };
        (shared, bound)
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

    /// The controller judged: whatever failed before was not its fault.
    pub(super) fn judged(&self) {
        self.strikes.store(0, Ordering::Relaxed);
    }

    /// A logon failed, perhaps by itself. Whether so many did in a row that the controller is at
    /// fault.
    pub(super) fn strike(&self, strikes: u32) -> bool {
        self.strikes.fetch_add(1, Ordering::Relaxed).saturating_add(1) >= strikes
    }

    pub(super) fn join(&self) {
        self.associations.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn leave(&self) {
        self.associations.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn has_associations(&self) -> bool {
        self.associations.load(Ordering::Relaxed) > 0
    }

    pub(super) fn form(&self) -> LogonForm {
        *self.form.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The controller does not have the method: whether there is an older one.
    pub(super) fn use_older_method(&self, than: LogonForm) -> bool {
        self.change(than.method.older().map(|method| LogonForm { method, ..than }))
    }

    /// The controller does not have the validation level: whether there is a lower one.
    pub(super) fn ask_less(&self, than: LogonForm) -> bool {
        let lower = than.validation_level.older();
        self.change(lower.map(|validation_level| LogonForm { validation_level, ..than }))
    }

    fn change(&self, form: Option<LogonForm>) -> bool {
        let mut kept = self.form.lock().unwrap_or_else(PoisonError::into_inner);
        form.inspect(|form| *kept = *form).is_some()
    }

    pub(super) fn via(&self, form: LogonForm) -> Via {
        let LogonForm { method, validation_level } = form;
        Via { method, validation_level, ..self.via.clone() }
    }
}
