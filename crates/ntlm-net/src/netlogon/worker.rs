//! Who passes logons on: one association each, over a channel that all share.

use super::connection::Bound;
use super::controllers::ControllerName;
use super::domain::{Verdict, Waiting};
use super::error::{ControllerError, NotJudged, Unusable};
use super::kept::{Kept, Way};
use super::options::DomainOptions;
use super::set_up::{associate, set_up};
use ntlm::LogonRequest;
use ntlm_netlogon::client::AssociationError;
use ntlm_netlogon::logon::{Failure, Judged, LogonMethod, PassedOn};
use ntlm_netlogon::pdu::FaultStatus;
use std::collections::HashMap;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use tokio::sync::{Mutex, mpsc};
use tokio::time::{Duration, Instant, sleep_until, timeout};

/// What the workers share.
pub(super) struct Shared {
    pub(super) options: DomainOptions,
    /// Held while a channel is being set up; the others wait for it.
    setting_up: Mutex<()>,
    state: Lock<State>,
}

#[derive(Default)]
struct State {
    current: Option<Arc<Kept>>,
    left_alone: HashMap<ControllerName, LeftAlone>,
    last_failure: Option<Unusable>,
}

/// A controller that failed.
struct LeftAlone {
    until: Instant,
    /// How long, the next time.
    next: Duration,
    error: ControllerError,
}

/// An association, and the channel that protects it.
struct Line {
    kept: Arc<Kept>,
    bound: Bound,
    used: Option<Instant>,
}

/// What became of one attempt.
enum Attempt {
    Judged(Result<Verdict, NotJudged>),
    /// To be made again, after a failure of the controller or not.
    Again(LogonRequest, Option<ControllerError>),
}

/// Takes logons until there are no more.
pub(super) async fn work(shared: Arc<Shared>, queue: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    let mut line = None;
    loop {
        let waiting = queue.lock().await.recv().await;
        let Some(Waiting { request, deadline, reply }) = waiting else { return };
        // Whoever waited too long has been told already.
        if !reply.is_closed() {
            let verdict = shared.judge(&mut line, request, deadline).await;
            let _: Result<_, _> = reply.send(verdict);
        }
    }
}

impl Shared {
    pub(super) fn new(options: DomainOptions) -> Self {
        Self { options, setting_up: Mutex::default(), state: Lock::default() }
    }

    fn current(&self) -> Option<Arc<Kept>> {
        self.with_state(|state| state.current.clone())
    }

    pub(super) fn last_failure(&self) -> Option<Unusable> {
        self.with_state(|state| state.last_failure.clone())
    }

    fn with_state<T>(&self, what: impl FnOnce(&mut State) -> T) -> T {
        what(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    async fn judge(
        &self,
        place: &mut Option<Line>,
        mut request: LogonRequest,
        deadline: Instant,
    ) -> Result<Verdict, NotJudged> {
        let mut tries = 0;
        let mut failed = None;
        loop {
            if Instant::now() >= deadline {
                return Err(failed.unwrap_or_else(|| NotJudged::TimedOut(self.last_failure())));
            }
            let line = match self.line(place).await {
                Ok(line) => line,
                Err(NoLine::Failed(why)) => {
                    failed = Some(why);
                    continue;
                }
                Err(NoLine::Until(until, _)) if until < deadline => {
                    sleep_until(until).await;
                    continue;
                }
                Err(NoLine::Until(_, why) | NoLine::Never(why)) => {
                    return Err(failed.unwrap_or(why));
                }
            };
            let kept = Arc::clone(&line.kept);
            match line.pass(request, self.options.limits.step).await {
                Attempt::Judged(verdict) => return verdict,
                Attempt::Again(again, failure) => {
                    request = again;
                    *place = None;
                    let Some(error) = failure else { continue };
                    self.failed(&kept, error.clone());
                    let controller = kept.controller.clone();
                    let why = NotJudged::NoController(Unusable { controller, error });
                    tries += 1;
                    if tries >= self.options.limits.tries {
                        return Err(why);
                    }
                    failed = Some(why);
                }
            }
        }
    }

    /// The association of a worker: the one it has, another over the channel that there is, or the
    /// first over a new one.
    async fn line<'a>(&self, place: &'a mut Option<Line>) -> Result<&'a mut Line, NoLine> {
        let limits = &self.options.limits;
        let keep = place.take().filter(|line| {
            let is_old = line.kept.age() > limits.rekey;
            let is_idle = line.used.is_some_and(|used| used.elapsed() > limits.idle);
            !line.kept.is_given_up() && !is_old && !is_idle
        });
        let line = match keep {
            Some(line) => line,
            None => self.new_line().await?,
        };
        Ok(place.insert(line))
    }

    async fn new_line(&self) -> Result<Line, NoLine> {
        let setting_up = self.setting_up.lock().await;
        let current = self.current().filter(|kept| kept.age() <= self.options.limits.rekey);
        let Some(kept) = current else {
            return self.first_line().await;
        };
        drop(setting_up);
        let security = kept.security().await;
        let associating = associate(&self.options, kept.address, security);
        let bound = match timeout(self.options.limits.step, associating).await {
            Ok(bound) => bound,
            Err(_) => Err(ControllerError::TimedOut("associate")),
        };
        match bound {
            Ok(bound) => Ok(Line { kept, bound, used: None }),
            Err(error) => {
                let controller = kept.controller.clone();
                // The controller may have forgotten the channel, so it gets another chance at once.
                self.give_up(&kept);
                Err(NoLine::Failed(NotJudged::NoController(Unusable { controller, error })))
            }
        }
    }

    /// Sets a channel up with the first controller that takes it.
    async fn first_line(&self) -> Result<Line, NoLine> {
        let step = self.options.limits.step;
        let found = timeout(step, self.options.controllers.find()).await;
        let found = found.unwrap_or(Err(ControllerError::TimedOut("find controllers")));
        let controllers = found.map_err(|error| NoLine::Never(NotJudged::NoneKnown(error)))?;
        let mut last = NotJudged::NoneKnown(ControllerError::NoAddress);
        let mut alone_until: Option<Instant> = None;
        let mut failed = None;
        for controller in controllers {
            if let Some((until, error)) = self.left_alone(&controller) {
                // One that refuses us will do so again; one that is away may come back.
                if !matches!(error, ControllerError::Channel(_)) {
                    alone_until = Some(alone_until.map_or(until, |other| other.min(until)));
                }
                let error = ControllerError::LeftAlone(Box::new(error));
                last = NotJudged::NoController(Unusable { controller, error });
                continue;
            }
            let result = timeout(step, set_up(&self.options, &controller)).await;
            match result.unwrap_or(Err(ControllerError::TimedOut("set up a channel"))) {
                Ok(set_up) => {
                    let (kept, bound) = Kept::new(controller.clone(), set_up);
                    let kept = Arc::new(kept);
                    self.with_state(|state| {
                        state.left_alone.remove(&controller);
                        if let Some(old) = state.current.replace(Arc::clone(&kept)) {
                            old.give_up();
                        }
                    });
                    return Ok(Line { kept, bound, used: None });
                }
                Err(error) => {
                    self.leave_alone(&controller, error.clone(), None);
                    failed = Some(NotJudged::NoController(Unusable { controller, error }));
                }
            }
        }
        Err(match (failed, alone_until) {
            (Some(why), _) => NoLine::Failed(why),
            (None, Some(until)) => NoLine::Until(until, last),
            (None, None) => NoLine::Never(last),
        })
    }

    fn left_alone(&self, controller: &ControllerName) -> Option<(Instant, ControllerError)> {
        self.with_state(|state| {
            let left_alone = state.left_alone.get(controller)?;
            let is_left_alone = left_alone.until > Instant::now();
            is_left_alone.then(|| (left_alone.until, left_alone.error.clone()))
        })
    }

    /// Leaves a controller alone, each time in a row for twice as long.
    fn leave_alone(
        &self,
        controller: &ControllerName,
        error: ControllerError,
        at_least: Option<Duration>,
    ) {
        let limits = &self.options.limits;
        self.with_state(|state| {
            let next = state.left_alone.get(controller).map_or(limits.back_off, |last| last.next);
            let how_long = next.max(at_least.unwrap_or_default());
            let left_alone = LeftAlone {
                until: Instant::now() + how_long,
                next: (next * 2).min(limits.back_off_most),
                error: error.clone(),
            };
            state.left_alone.insert(controller.clone(), left_alone);
            state.last_failure = Some(Unusable { controller: controller.clone(), error });
        });
    }

    /// Something is wrong with the channel, or with who is at its other end.
    fn failed(&self, kept: &Arc<Kept>, error: ControllerError) {
        if kept.is_given_up() {
            return;
        }
        let limits = &self.options.limits;
        let lost = matches!(error, ControllerError::Logon(Failure::ChannelLost));
        match (lost, limits.lost_too_soon.checked_sub(kept.age())) {
            (true, None) => {}
            (true, Some(left)) => self.leave_alone(&kept.controller, error, Some(left)),
            (false, _) => self.leave_alone(&kept.controller, error, None),
        }
        self.give_up(kept);
    }

    fn give_up(&self, kept: &Arc<Kept>) {
        kept.give_up();
        self.with_state(|state| {
            if state.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, kept)) {
                state.current = None;
            }
        });
    }
}

/// Why a worker has no association.
enum NoLine {
    /// What was tried just now failed.
    Failed(NotJudged),
    /// All controllers are left alone until then.
    Until(Instant, NotJudged),
    /// There is nothing to wait for.
    Never(NotJudged),
}

impl Line {
    /// Passes a logon on, once.
    async fn pass(&mut self, request: LogonRequest, limit: Duration) -> Attempt {
        let kept = &self.kept;
        let way @ Way { method, validation_level } = kept.way();
        let mut channel = kept.channel.lock().await;
        let started = PassedOn::start(&mut channel, request, method, validation_level);
        let (call, passed_on) = match started {
            Ok(started) => started,
            Err(error) => return Attempt::Judged(Err(NotJudged::NotPassedOn(error))),
        };
        // An authenticator's answer has to come before the next one is made.
        let held = (method != LogonMethod::Ex).then_some(channel);
        let is_fresh = self.used.replace(Instant::now()).is_none();
        let answer = match timeout(limit, self.bound.call(&call)).await {
            Ok(answer) => answer,
            Err(_) => Err(ControllerError::TimedOut("pass a logon on")),
        };
        let stub = match answer {
            Ok(stub) => stub,
            Err(error) => {
                let request = passed_on.into_request();
                let is_no_fault_of_its = match &error {
                    ControllerError::Association(error) => {
                        **error == AssociationError::Fault(FaultStatus::OP_RANGE_ERROR)
                            && kept.use_older_method(way)
                    }
                    // It gave up an association that lay idle, or that it knew before it started anew.
                    ControllerError::Io(..) | ControllerError::ClosedByController => !is_fresh,
                    _ => false,
                };
                return Attempt::Again(request, (!is_no_fault_of_its).then_some(error));
            }
        };
        let mut channel = match held {
            Some(channel) => channel,
            None => kept.channel.lock().await,
        };
        let judged = passed_on.receive(&mut channel, &stub);
        drop(channel);
        let via = kept.via(way);
        match judged {
            Judged::Accepted { outcome, account } => {
                Attempt::Judged(Ok(Verdict::Accepted { outcome, account, via }))
            }
            Judged::Refused { request, refusal, authoritative } => {
                Attempt::Judged(Ok(Verdict::Refused { request, refusal, authoritative, via }))
            }
            Judged::NotJudged { request, failure } => match failure {
                Failure::ValidationLevel if kept.ask_less(way) => Attempt::Again(request, None),
                Failure::Decode(_)
                | Failure::WrongAuthenticator
                | Failure::NoValidation
                | Failure::ChannelLost => {
                    Attempt::Again(request, Some(ControllerError::Logon(failure)))
                }
                failure => {
                    let controller = kept.controller.clone();
                    Attempt::Judged(Err(NotJudged::Undecided(controller, failure)))
                }
            },
        }
    }
}
