//! The server: listens, and serves each client.

mod connection;
mod frames;
mod limits;
mod record;
mod share;

use crate::fresh::random;
use crate::judge::Judge;
use connection::Served;
pub use limits::ServerLimits;
use ntlm_smb::server::{ServerConfig, Sessions};
pub use record::{Claimed, CloseReason, Event, LogonRecord, RefusedLogon};
use share::Share;
pub use share::ShareLimits;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Duration, sleep, timeout};

/// What a server is set up with.
#[derive(Debug)]
pub struct ServerOptions {
    /// What is spoken and insisted on.
    pub server: ServerConfig,
    /// Who answers logons.
    pub judge: Judge,
    /// What clients may cost.
    pub limits: ServerLimits,
    /// The name of the share, besides IPC$.
    pub share: String,
    /// What the share holds.
    pub share_limits: ShareLimits,
}

/// An SMB server with IPC$ and one flat share in memory.
///
/// ```no_run
/// use ntlm::{Server as Ntlm, ServerConfig as NtlmConfig, ServerNames};
/// use ntlm_accounts::{Accounts, Format};
/// use ntlm_net::Judge;
/// use ntlm_net::smb::{Server, ServerLimits, ServerOptions, ShareLimits};
/// use ntlm_smb::server::ServerConfig;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let mut accounts = Accounts::new(ntlm::text::CodePage::Cp850);
/// accounts.add("accounts", "[[account]]\nuser = \"alice\"\npassword = \"secret\"", Format::Toml)?;
/// let ntlm = Ntlm::new(NtlmConfig::new(ServerNames::new("SERVER", "SERVER")))?;
/// let server = Server::new(ServerOptions {
///     server: ServerConfig::new(ntlm),
///     judge: Judge::accounts(accounts),
///     limits: ServerLimits::default(),
///     share: "data".to_owned(),
///     share_limits: ShareLimits::default(),
/// })?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:4450").await?;
/// server.on_event(|event| println!("{event:?}")).serve(listener, std::future::pending()).await;
/// # Ok(())
/// # }
/// ```
pub struct Server {
    state: State,
}

/// What all connections share.
struct State {
    config: Arc<ServerConfig>,
    judge: Judge,
    limits: ServerLimits,
    observer: Box<dyn Fn(Event) + Send + Sync>,
    shared: Mutex<Shared>,
}

struct Shared {
    sessions: Sessions,
    share: Share,
    /// The connections on which nobody is logged on, oldest first.
    without_session: BTreeMap<u64, AbortHandle>,
    with_session: BTreeMap<u64, AbortHandle>,
}

impl State {
    /// Held for one step at a time, never while anything is awaited.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Whether there is room for one more connection; the oldest on which nobody is logged on goes if
    /// need be.
    fn make_room(&mut self, limit: usize) -> bool {
        if self.without_session.len() + self.with_session.len() < limit {
            return true;
        }
        let oldest = self.without_session.pop_first();
        oldest.map(|(_, oldest)| oldest.abort()).is_some()
    }

    /// Closes what ended sessions had open.
    fn close_what_ended(&mut self) {
        self.sessions.take_ended().into_iter().for_each(|session_id| self.share.end(session_id));
    }
}

impl Server {
    /// A server that does not listen yet.
    ///
    /// # Errors
    ///
    /// The operating system gives no random bytes.
    pub fn new(options: ServerOptions) -> io::Result<Self> {
        let ServerOptions { server, judge, limits, share, share_limits } = options;
        let shared = Shared {
            sessions: Sessions::new(u32::from_le_bytes(random()?)),
            share: Share::new(&share, share_limits, server.max_io_size),
            without_session: BTreeMap::new(),
            with_session: BTreeMap::new(),
        };
        let state = State {
            config: Arc::new(server),
            judge,
            limits,
            observer: Box::new(|_| {}),
            shared: Mutex::new(shared),
        };
        Ok(Self { state })
    }

    /// Tells of every logon and every connection's end, as it happens and before the client learns
    /// of it. It must not block.
    #[must_use]
    pub fn on_event(mut self, observer: impl Fn(Event) + Send + Sync + 'static) -> Self {
        self.state.observer = Box::new(observer);
        self
    }

    /// Serves until `stop` is ready, then ends all connections.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()>) {
        let state = Arc::new(self.state);
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let mut last_id = 0_u64;
        tokio::pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                Some(_) = connections.join_next() => continue,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, client)) = accepted else {
                // No descriptors are left, say. Some will be free again.
                sleep(Duration::from_millis(50)).await;
                continue;
            };
            if !state.lock().make_room(state.limits.connections) {
                continue;
            }
            last_id += 1;
            let served = Served::new(last_id, Arc::clone(&state), client, stopped.clone());
            let Ok(served) = served else { continue };
            // Under the lock, so that it cannot log on or end before it stands in the list.
            let mut shared = state.lock();
            let handle = connections.spawn(served.run(stream));
            shared.without_session.insert(last_id, handle);
        }
        drop(listener);
        // Whoever is gone already need not be told.
        let _: Result<_, _> = stopping.send(true);
        let ended = async { while connections.join_next().await.is_some() {} };
        let _: Result<_, _> = timeout(state.limits.shutdown, ended).await;
        connections.shutdown().await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("config", &self.state.config).finish_non_exhaustive()
    }
}
