//! Who passes logons on: one association each, over a channel that all share.

use super::channel::LogonForm;
use super::channels::{ChannelAssociation, Channels, NoAssociation};
use super::error::{ControllerError, NotJudged, Unusable};
use super::set_up::unix_time;
use super::verdict::Verdict;
use ntlm::LogonRequest;
use ntlm_netlogon::NtStatus;
use ntlm_netlogon::client::AssociationError;
use ntlm_netlogon::logon::{Failure, Judged, PassedOn};
use ntlm_netlogon::pdu::FaultStatus;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::time::{Duration, Instant, sleep_until, timeout};

/// A logon that waits its turn.
pub(super) struct Waiting {
    pub(super) request: LogonRequest,
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Result<Verdict, NotJudged>>,
}

/// What became of a logon that was sent once.
enum Sent {
    Judged(Result<Verdict, NotJudged>),
    /// Not at all, or in a form that the controller does not have.
    Again(LogonRequest),
    /// No answer, or none that holds.
    Unanswered(LogonRequest, ControllerError),
    /// No answer, but nobody's fault: the association had been closed while it lay idle.
    Closed(LogonRequest, ControllerError),
}

/// Takes logons until there are no more.
pub(super) async fn work(channels: Arc<Channels>, queue: Arc<Mutex<mpsc::Receiver<Waiting>>>) {
    let mut association = None;
    loop {
        let waiting = queue.lock().await.recv().await;
        let Some(Waiting { request, deadline, reply }) = waiting else { return };
        // Whoever waited too long has been told already.
        if !reply.is_closed() {
            let verdict = judge(&channels, &mut association, request, deadline).await;
            let _: Result<_, _> = reply.send(verdict);
        }
    }
}

async fn judge(
    channels: &Channels,
    own: &mut Option<ChannelAssociation>,
    mut request: LogonRequest,
    deadline: Instant,
) -> Result<Verdict, NotJudged> {
    let limits = channels.options.limits;
    let mut sends = 0;
    let mut failed = None;
    loop {
        if Instant::now() >= deadline {
            let late = || NotJudged::TimedOut(channels.last_failure());
            return Err(failed.unwrap_or_else(late));
        }
        let association = match own.take().filter(|own| channels.is_usable(own)) {
            Some(association) => Ok(association),
            None => channels.associate().await,
        };
        let association = match association {
            Ok(association) => own.insert(association),
            Err(NoAssociation::Failed(why)) => {
                failed = Some(why);
                continue;
            }
            Err(NoAssociation::Until(until, _)) if until < deadline => {
                sleep_until(until).await;
                continue;
            }
            Err(NoAssociation::Until(_, why) | NoAssociation::Never(why)) => {
                return Err(failed.unwrap_or(why));
            }
        };
        let channel = Arc::clone(&association.channel);
        let began = Instant::now();
        let (again, error) = match send(association, request, limits.step, deadline).await {
            Sent::Judged(judged) => {
                if judged.is_ok() {
                    channels.judged(&channel);
                }
                return judged;
            }
            Sent::Again(again) => {
                request = again;
                continue;
            }
            Sent::Closed(again, error) => (again, error),
            Sent::Unanswered(again, error) => {
                channels.failed(&channel, error.clone(), began, sends == 0);
                (again, error)
            }
        };
        *own = None;
        request = again;
        sends += 1;
        let controller = channel.controller.clone();
        let why = NotJudged::NoController(Unusable { controller, error });
        if sends >= limits.sends {
            return Err(why);
        }
        failed = Some(why);
    }
}

/// Passes a logon on, once.
async fn send(
    association: &mut ChannelAssociation,
    request: LogonRequest,
    limit: Duration,
    deadline: Instant,
) -> Sent {
    let shared = Arc::clone(&association.channel);
    let form @ LogonForm { method, validation_level } = shared.form();
    let mut channel = shared.channel.lock().await;
    // Others had their turn with it meanwhile.
    if shared.is_given_up() || Instant::now() >= deadline {
        return Sent::Again(request);
    }
    let started = PassedOn::start(&mut channel, request, method, validation_level, unix_time());
    let (call, passed_on) = match started {
        Ok(started) => started,
        Err(error) => return Sent::Judged(Err(NotJudged::NotPassedOn(error))),
    };
    // An authenticator's answer has to come before the next one is made.
    let held = method.has_authenticator().then_some(channel);
    let is_fresh = association.used.replace(Instant::now()).is_none();
    let answer = match timeout(limit, association.bound.call(&call)).await {
        Ok(answer) => answer,
        Err(_) => Err(ControllerError::TimedOut("pass a logon on")),
    };
    let stub = match answer {
        Ok(stub) => stub,
        Err(error) => {
            // Nobody knows which authenticator the controller expects now.
            if held.is_some() {
                shared.give_up();
            }
            drop(held);
            return unanswered(association, form, passed_on.into_request(), error, is_fresh);
        }
    };
    let mut channel = match held {
        Some(channel) => channel,
        None => shared.channel.lock().await,
    };
    let judged = passed_on.receive(&mut channel, &stub);
    if matches!(judged, Judged::NotJudged { failure: Failure::WrongAuthenticator, .. }) {
        shared.give_up();
    }
    drop(channel);
    let via = shared.via(form);
    match judged {
        Judged::Accepted { outcome, account } => {
            Sent::Judged(Ok(Verdict::Accepted { outcome, account, via }))
        }
        Judged::Refused { request, refusal, authoritative } => {
            Sent::Judged(Ok(Verdict::Refused { request, refusal, authoritative, via }))
        }
        Judged::NotJudged { request, failure } => match failure {
            Failure::ValidationLevel if shared.ask_less(form) => Sent::Again(request),
            Failure::WrongAuthenticator | Failure::ChannelLost => {
                Sent::Unanswered(request, ControllerError::Logon(failure))
            }
            Failure::Other(status) if is_about_controller(status) => {
                Sent::Unanswered(request, ControllerError::Logon(failure))
            }
            // The answer was sealed: the controller is there, and has nothing better to say of this
            // logon.
            failure => Sent::Judged(Err(NotJudged::Undecided(shared.controller.clone(), failure))),
        },
    }
}

fn unanswered(
    association: &ChannelAssociation,
    form: LogonForm,
    request: LogonRequest,
    error: ControllerError,
    is_fresh: bool,
) -> Sent {
    let shared = &association.channel;
    match &error {
        ControllerError::Association(why) => match **why {
            AssociationError::Fault(FaultStatus::OP_RANGE_ERROR)
                if shared.use_older_method(form) =>
            {
                Sent::Again(request)
            }
            AssociationError::Fault(FaultStatus::ACCESS_DENIED | FaultStatus::SEC_PKG_ERROR) => {
                Sent::Unanswered(request, error)
            }
            // Any other fault is about what was asked: it would come again.
            AssociationError::Fault(status) => {
                let controller = shared.controller.clone();
                Sent::Judged(Err(NotJudged::Fault(controller, status)))
            }
            _ => Sent::Unanswered(request, error),
        },
        ControllerError::Io(..) | ControllerError::ClosedByController if !is_fresh => {
            Sent::Closed(request, error)
        }
        _ => Sent::Unanswered(request, error),
    }
}

/// Whether the controller cannot judge anybody.
const fn is_about_controller(status: NtStatus) -> bool {
    matches!(
        status,
        NtStatus::NETLOGON_NOT_STARTED
            | NtStatus::INSUFFICIENT_RESOURCES
            | NtStatus::INVALID_SERVER_STATE
            | NtStatus::SERVER_DISABLED
    )
}
