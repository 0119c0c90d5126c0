//! A domain that is asked: logons wait their turn for one of a few associations.

use super::channels::Channels;
use super::error::NotJudged;
use super::options::DomainOptions;
use super::verdict::Verdict;
use super::worker::{Waiting, work};
use ntlm::LogonRequest;
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
    channels: Arc<Channels>,
    _workers: JoinSet<()>,
}

impl Domain {
    /// Begins to wait for logons; controllers are asked when the first one comes.
    ///
    /// # Panics
    ///
    /// There is no runtime around it.
    #[must_use]
    pub fn start(options: DomainOptions) -> Self {
        let limits = options.limits;
        let (queue, waiting) = mpsc::channel(limits.waiting.max(1));
        let waiting = Arc::new(Mutex::new(waiting));
        let channels = Arc::new(Channels::new(options));
        let mut workers = JoinSet::new();
        for _ in 0..limits.connections.max(1) {
            workers.spawn(work(Arc::clone(&channels), Arc::clone(&waiting)));
        }
        Self { queue, channels, _workers: workers }
    }

    /// Has a logon judged.
    ///
    /// # Errors
    ///
    /// There is no verdict: nothing is said of the account.
    pub async fn judge(&self, request: LogonRequest) -> Result<Verdict, NotJudged> {
        let deadline = Instant::now() + self.channels.options.limits.logon;
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { request, deadline, reply };
        self.queue.try_send(waiting).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NotJudged::TooManyWaiting,
            mpsc::error::TrySendError::Closed(_) => NotJudged::Stopped,
        })?;
        match timeout_at(deadline, answer).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => Err(NotJudged::Stopped),
            Err(_) => Err(NotJudged::TimedOut(self.channels.last_failure())),
        }
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Domain").field("options", &self.channels.options).finish_non_exhaustive()
    }
}
