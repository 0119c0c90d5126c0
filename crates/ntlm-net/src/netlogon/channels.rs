//! Who has a channel: workers get their associations here, and say here what fails.

use super::back_off::BackOff;
use super::channel::SharedChannel;
use super::connection::Bound;
use super::error::{ControllerError, NotJudged, Unusable};
use super::options::DomainOptions;
use super::set_up::{associate, set_up};
use ntlm_netlogon::NtStatus;
use ntlm_netlogon::client::{AssociationError, ChannelError};
use ntlm_netlogon::logon::Failure;
use ntlm_netlogon::pdu::FaultStatus;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// What the workers share.
pub(super) struct Channels {
    pub(super) options: DomainOptions,
    /// Held while a channel is being set up; the others wait for it.
    setting_up: Mutex<()>,
    state: Lock<State>,
}

struct State {
    current: Option<Arc<SharedChannel>>,
    back_off: BackOff,
    last_failure: Option<Unusable>,
}

/// An association that is protected by a channel.
pub(super) struct ChannelAssociation {
    pub(super) channel: Arc<SharedChannel>,
    pub(super) bound: Bound,
    /// When a logon was last sent over it.
    pub(super) used: Option<Instant>,
}

impl ChannelAssociation {
    fn new(channel: Arc<SharedChannel>, bound: Bound) -> Self {
        channel.join();
        Self { channel, bound, used: None }
    }
}

impl Drop for ChannelAssociation {
    fn drop(&mut self) {
        self.channel.leave();
    }
}

/// Why a worker has no association.
pub(super) enum NoAssociation {
    /// What was tried just now failed.
    Failed(NotJudged),
    /// All controllers are left alone until then.
    Until(Instant, NotJudged),
    /// There is nothing to wait for.
    Never(NotJudged),
}

impl Channels {
    pub(super) fn new(options: DomainOptions) -> Self {
        let back_off = BackOff::new(options.limits.back_off, options.limits.back_off_most);
        let state = State { current: None, back_off, last_failure: None };
        Self { options, setting_up: Mutex::default(), state: Lock::new(state) }
    }

    pub(super) fn last_failure(&self) -> Option<Unusable> {
        self.with_state(|state| state.last_failure.clone())
    }

    fn with_state<T>(&self, what: impl FnOnce(&mut State) -> T) -> T {
        what(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether an association may be used once more.
    pub(super) fn is_usable(&self, association: &ChannelAssociation) -> bool {
        let limits = &self.options.limits;
        let is_old = association.channel.age() > limits.rekey;
        let is_idle = association.used.is_some_and(|used| used.elapsed() > limits.idle);
        association.bound.is_open() && !association.channel.is_given_up() && !is_old && !is_idle
    }

    /// One more association over the channel that there is, or the first over a new one.
    pub(super) async fn associate(&self) -> Result<ChannelAssociation, NoAssociation> {
        let setting_up = self.setting_up.lock().await;
        let current = self.with_state(|state| state.current.clone());
        let is_good = |channel: &Arc<SharedChannel>| {
            !channel.is_given_up() && channel.age() <= self.options.limits.rekey
        };
        let Some(channel) = current.filter(is_good) else {
            return self.first_association().await;
        };
        drop(setting_up);
        let security = channel.security().await;
        let began = Instant::now();
        let controller = &channel.controller;
        let associating = associate(&self.options, controller, channel.address, security);
        let bound = match timeout(self.options.limits.step, associating).await {
            Ok(bound) => bound,
            Err(_) => Err(ControllerError::TimedOut("associate")),
        };
        match bound {
            Ok(bound) => Ok(ChannelAssociation::new(channel, bound)),
            Err(error) => {
                let unusable = Unusable { controller: controller.clone(), error };
                // It may take no more connections than it has, or know the channel no more.
                let at_fault = if is_about_channel(&unusable.error) {
                    self.give_up(&channel);
                    false
                } else {
                    channel.strike(self.options.limits.strikes) || !channel.has_associations()
                };
                if at_fault {
                    self.leave_alone(unusable.clone(), began);
                    self.give_up(&channel);
                }
                let pause = Instant::now() + self.options.limits.back_off;
                let why = NotJudged::NoController(unusable);
                Err(if channel.is_given_up() {
                    NoAssociation::Failed(why)
                } else {
                    NoAssociation::Until(pause, why)
                })
            }
        }
    }

    /// Sets a channel up with the first controller that takes it.
    async fn first_association(&self) -> Result<ChannelAssociation, NoAssociation> {
        let limits = &self.options.limits;
        let found = timeout(limits.step, self.options.controllers.find()).await;
        let found = found.unwrap_or(Err(ControllerError::TimedOut("find controllers")));
        let controllers = found.map_err(|error| {
            // DNS may be well again in a moment.
            NoAssociation::Until(Instant::now() + limits.back_off, NotJudged::NoneKnown(error))
        })?;
        let mut last = NotJudged::NoneKnown(ControllerError::NoAddress);
        let mut alone_until: Option<Instant> = None;
        let mut failed = None;
        let mut tried = 0;
        for controller in controllers {
            let left_alone = self.with_state(|state| {
                let left_alone = state.back_off.left_alone(&controller, Instant::now());
                left_alone.map(|(until, error)| (until, error.clone()))
            });
            if let Some((until, error)) = left_alone {
                // One that refuses us will do so again; one that is away may come back.
                if !refuses_us(&error) {
                    alone_until = Some(alone_until.map_or(until, |other| other.min(until)));
                }
                let error = ControllerError::LeftAlone(Box::new(error));
                last = NotJudged::NoController(Unusable { controller, error });
                continue;
            }
            if tried >= limits.controllers_at_once {
                break;
            }
            tried += 1;
            let began = Instant::now();
            match set_up(&self.options, &controller).await {
                Ok(set_up) => {
                    let (channel, bound) = SharedChannel::new(controller, set_up);
                    let channel = Arc::new(channel);
                    let old = self.with_state(|state| state.current.replace(Arc::clone(&channel)));
                    if let Some(old) = old {
                        old.give_up();
                    }
                    return Ok(ChannelAssociation::new(channel, bound));
                }
                Err(error) => {
                    let unusable = Unusable { controller, error };
                    self.leave_alone(unusable.clone(), began);
                    failed = Some(NotJudged::NoController(unusable));
                }
            }
        }
        Err(match (failed, alone_until) {
            (Some(why), _) => NoAssociation::Failed(why),
            (None, Some(until)) => NoAssociation::Until(until, last),
            (None, None) => NoAssociation::Never(last),
        })
    }

    /// A verdict came over a channel.
    pub(super) fn judged(&self, channel: &SharedChannel) {
        channel.judged();
        self.with_state(|state| {
            state.back_off.is_well(&channel.controller);
            state.last_failure = None;
        });
    }

    /// A logon that was sent at a time got no answer, or none that holds. One that was sent before
    /// says no more of the controller than it did then.
    pub(super) fn failed(
        &self,
        channel: &Arc<SharedChannel>,
        error: ControllerError,
        began: Instant,
        is_first: bool,
    ) {
        let limits = &self.options.limits;
        let at_fault = if is_about_channel(&error) {
            channel.age() < limits.lost_too_soon
        } else if channel.is_given_up() {
            false
        } else if is_first && channel.strike(limits.strikes) {
            true
        } else {
            return;
        };
        if at_fault {
            self.leave_alone(Unusable { controller: channel.controller.clone(), error }, began);
        }
        self.give_up(channel);
    }

    fn leave_alone(&self, unusable: Unusable, began: Instant) {
        let Unusable { controller, error } = unusable.clone();
        self.with_state(|state| {
            state.back_off.failed(&controller, error, began.elapsed(), Instant::now());
            state.last_failure = Some(unusable);
        });
    }

    pub(super) fn give_up(&self, channel: &Arc<SharedChannel>) {
        channel.give_up();
        self.with_state(|state| {
            if state.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, channel)) {
                state.current = None;
            }
        });
    }
}

/// Whether the controller does not know the channel, or its end of it is in disorder.
fn is_about_channel(error: &ControllerError) -> bool {
    match error {
        ControllerError::Logon(Failure::ChannelLost | Failure::WrongAuthenticator) => true,
        ControllerError::Association(error) => {
            matches!(
                **error,
                AssociationError::Fault(FaultStatus::ACCESS_DENIED | FaultStatus::SEC_PKG_ERROR)
            ) || matches!(**error, AssociationError::BindRefused(reason) if !is_busy(reason))
        }
        _ => false,
    }
}

/// temporary_congestion and local_limit_exceeded of bind_nak (C706 12.6.4.5).
const fn is_busy(reason: u16) -> bool {
    matches!(reason, 1 | 2)
}

/// Whether a controller would say the same of this machine again.
const fn refuses_us(error: &ControllerError) -> bool {
    matches!(
        error,
        ControllerError::Channel(
            ChannelError::Refused(
                NtStatus::ACCESS_DENIED
                    | NtStatus::NO_TRUST_SAM_ACCOUNT
                    | NtStatus::DOWNGRADE_DETECTED
            ) | ChannelError::ServerNotProved
                | ChannelError::NotNegotiated(_)
        )
    )
}
