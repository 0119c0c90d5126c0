//! A domain that is asked: logons wait their turn for one of a few associations.

use super::error::NotJudged;
use super::kept::Via;
use super::options::DomainOptions;
use super::worker::{self, Shared};
use ntlm::{LogonDenied, LogonOutcome, LogonRequest};
use ntlm_netlogon::calls::Validation;
use ntlm_netlogon::logon::Refusal;
use std::fmt;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// The accounts of a domain, judged by its controllers.
///
/// ```text
///   judge ─► queue ─► worker ── association ─┐ sealed by
///                     worker ── association ─┴─ the channel ── controller
/// ```
///
/// Each association has one call at a time, for sequence numbers run in lock step (MS-NRPC
/// 3.3.4.2). Where anything fails the channel is set up anew, with the next controller if need be,
/// and the logon passed on again. Dropping it ends all associations.
pub struct Domain {
    queue: mpsc::Sender<Waiting>,
    shared: Arc<Shared>,
    _workers: JoinSet<()>,
}

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

/// A logon that waits its turn.
pub(super) struct Waiting {
    pub(super) request: LogonRequest,
    pub(super) deadline: Instant,
    pub(super) reply: oneshot::Sender<Result<Verdict, NotJudged>>,
}

impl Domain {
    /// Begins to wait for logons; controllers are asked when the first one comes. Called inside a
    /// runtime.
    #[must_use]
    pub fn start(options: DomainOptions) -> Self {
        let limits = options.limits;
        let (queue, waiting) = mpsc::channel(limits.waiting.max(1));
        let waiting = Arc::new(Mutex::new(waiting));
        let shared = Arc::new(Shared::new(options));
        let mut workers = JoinSet::new();
        for _ in 0..limits.connections.max(1) {
            workers.spawn(worker::work(Arc::clone(&shared), Arc::clone(&waiting)));
        }
        Self { queue, shared, _workers: workers }
    }

    /// Has a logon judged.
    ///
    /// # Errors
    ///
    /// There is no verdict: nothing is said of the account.
    pub async fn judge(&self, request: LogonRequest) -> Result<Verdict, NotJudged> {
        let deadline = Instant::now() + self.shared.options.limits.logon;
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { request, deadline, reply };
        self.queue.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotJudged::TooManyWaiting,
            mpsc::error::TrySendError::Closed(_) => NotJudged::Stopped,
        })?;
        match timeout_at(deadline, answer).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => Err(NotJudged::Stopped),
            Err(_) => Err(NotJudged::TimedOut(self.shared.last_failure())),
        }
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("options", &self.shared.options).finish_non_exhaustive()
    }
}
