//! One client's connection: receives, lets the judge think, answers.

use super::State;
use super::frames::{Frames, Incoming};
use super::record::{Claimed, CloseReason, Event, LogonRecord, RefusedLogon};
use super::share::Related;
use crate::fresh::{fresh, random};
use crate::judge::{ByController, DenialCause, Denied, Judged};
use ntlm::LogonRequest;
use ntlm_smb::server::{Connection, Judging, PeerError, Step};
use ntlm_smb::{NtStatus, Transport, message_prefix};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::{Semaphore, watch};
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, timeout};

/// A connection. Dropping it ends its sessions.
pub(super) struct Served {
    id: u64,
    state: Arc<State>,
    client: SocketAddr,
    /// Taken when it is dropped.
    machine: Option<Connection>,
    judges: JoinSet<Answered>,
    /// Who waits for them, first come first.
    judged: Vec<(task::Id, Claimed)>,
    turns: Arc<Semaphore>,
    since: Instant,
    has_session: bool,
    stop: watch::Receiver<bool>,
    /// Set where it came to an end by itself.
    reason: Option<CloseReason>,
}

struct Answered {
    judging: Box<Judging>,
    judged: Judged,
}

/// What is known of a logon besides its result.
#[derive(Default)]
struct Said {
    claimed: Option<Claimed>,
    cause: Option<DenialCause>,
    by_controller: Option<Box<ByController>>,
}

impl Drop for Served {
    fn drop(&mut self) {
        let mut shared = self.state.lock();
        if let Some(machine) = self.machine.take() {
            machine.close(&mut shared.sessions);
        }
        shared.close_what_ended();
        shared.without_session.remove(&self.id);
        shared.with_session.remove(&self.id);
        drop(shared);
        let aborted = if *self.stop.borrow() {
            CloseReason::Shutdown
        } else {
            CloseReason::TooManyConnections
        };
        let reason = self.reason.take().unwrap_or(aborted);
        let (time, client) = (SystemTime::now(), self.client);
        for (_, claimed) in self.judged.drain(..) {
            (self.state.observer)(Event::Abandoned { time, client, claimed });
        }
        (self.state.observer)(Event::Closed { time, client, reason });
    }
}

impl Served {
    pub(super) fn new(
        id: u64,
        state: Arc<State>,
        client: SocketAddr,
        stop: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let machine = Connection::new(Arc::clone(&state.config), random()?);
        let turns = state.limits.judging.clamp(1, Semaphore::MAX_PERMITS);
        Ok(Self {
            id,
            state,
            client,
            machine: Some(machine),
            judges: JoinSet::new(),
            judged: Vec::new(),
            turns: Arc::new(Semaphore::new(turns)),
            since: Instant::now(),
            has_session: false,
            stop,
            reason: None,
        })
    }

    pub(super) async fn run(mut self, stream: TcpStream) {
        match self.serve(stream).await {
            Ok(never) => match never {},
            Err(reason) => self.reason = Some(reason),
        }
    }

    async fn serve(&mut self, stream: TcpStream) -> Result<std::convert::Infallible, CloseReason> {
        // Each message is answered before the next: waiting to join them only delays.
        stream.set_nodelay(true).map_err(|error| CloseReason::Io(error.kind()))?;
        let limits = self.state.limits;
        let (read, mut write) = stream.into_split();
        let mut frames = Frames::new(read, limits.message_len);
        let mut heard = Instant::now();
        loop {
            let begun = frames.begun().map(|begun| (begun + limits.message, CloseReason::TooSlow));
            // Whoever sends a byte now and then gains nothing by it.
            let whole = if self.has_session {
                (heard + limits.silence, CloseReason::Silence)
            } else {
                (self.since + limits.log_on, CloseReason::NobodyLoggedOn)
            };
            let (deadline, late) = match begun {
                Some(begun) if self.has_session || begun.0 < whole.0 => begun,
                _ => whole,
            };
            let step = tokio::select! {
                biased;
                _ = self.stop.changed() => return Err(CloseReason::Shutdown),
                Some(answered) = self.judges.join_next_with_id() => match answered {
                    Ok((id, answered)) => self.settle(id, answered)?,
                    Err(_) => return Err(CloseReason::JudgePanicked),
                },
                message = frames.next() => {
                    heard = Instant::now();
                    match message? {
                        Incoming::Message(message) => self.receive(message)?,
                        Incoming::Begun => None,
                        Incoming::SessionRequest => {
                            in_time(limits.message, write.write_all(&ACCEPTED)).await?;
                            None
                        }
                    }
                }
                () = tokio::time::sleep_until(deadline) => return Err(late),
            };
            if let Some(reply) = step {
                in_time(limits.message, send(&mut write, &reply)).await?;
            }
        }
    }

    /// Takes a message; what goes back.
    fn receive(&mut self, packet: Vec<u8>) -> Result<Option<Vec<u8>>, CloseReason> {
        let fresh = fresh().map_err(|error| CloseReason::Io(error.kind()))?;
        let now = fresh.now;
        let machine = self.machine.as_mut().ok_or(CloseReason::Shutdown)?;
        let mut shared = self.state.lock();
        let step =
            machine.receive(&mut shared.sessions, packet, fresh).map_err(CloseReason::Peer)?;
        let mut requests = match step {
            Step::Requests(requests) => requests,
            Step::Smb1Request(request) => {
                let answer = shared.share.carry_out_smb1(&request, now);
                let answer =
                    answer.map_err(|error| CloseReason::Peer(PeerError::TooLong(error)))?;
                let reply = machine.reply_smb1(&request, answer).map_err(CloseReason::Peer)?;
                return Ok(Some(reply));
            }
            step => {
                shared.close_what_ended();
                drop(shared);
                let reply = self.go_on(step, Said::default());
                self.note_session();
                return reply;
            }
        };
        let mut related = Related::default();
        while let Some(request) =
            machine.next(&mut shared.sessions, &mut requests).map_err(CloseReason::Peer)?
        {
            shared.close_what_ended();
            let message = requests.message(&request);
            let answer = shared.share.carry_out(&request, message, &mut related, now);
            let answer = answer.map_err(|error| CloseReason::Peer(PeerError::TooLong(error)))?;
            match answer {
                Some(answer) => requests.answer(&request, answer),
                None => machine.delay(&mut requests, &request).map_err(CloseReason::Peer)?,
            }
        }
        let reply = machine.reply(requests).map_err(CloseReason::Peer)?;
        shared.close_what_ended();
        drop(shared);
        self.note_session();
        Ok(reply)
    }

    fn settle(&mut self, id: task::Id, answered: Answered) -> Result<Option<Vec<u8>>, CloseReason> {
        let Answered { judging, judged } = answered;
        let place = self.judged.iter().position(|(other, _)| *other == id);
        let claimed = place.map(|place| self.judged.remove(place).1);
        let (judged, cause, by_controller) = match judged {
            Ok(granted) => (Ok(granted.outcome), None, granted.by_controller),
            Err(denied) => (Err(denied.status), Some(denied.cause), denied.by_controller),
        };
        let machine = self.machine.as_mut().ok_or(CloseReason::Shutdown)?;
        let step = machine.settle(&mut self.state.lock().sessions, *judging, judged);
        let said = Said { claimed, cause, by_controller };
        self.go_on(step.map_err(CloseReason::Peer)?, said)
    }

    fn go_on(&mut self, step: Step, said: Said) -> Result<Option<Vec<u8>>, CloseReason> {
        let Said { claimed, cause, by_controller } = said;
        let (reply, result) = match step {
            Step::Reply(reply) => return Ok(Some(reply)),
            Step::Nothing | Step::Requests(_) | Step::Smb1Request(_) => return Ok(None),
            Step::Judge(request, judging) => {
                self.judge(*request, judging);
                return Ok(None);
            }
            Step::LoggedOn(reply, logged_on) => (reply, Ok(*logged_on)),
            Step::Refused(reply, refusal) => {
                let (status, reason) = (refusal.status, refusal.reason);
                (reply, Err(RefusedLogon { status, reason, cause }))
            }
        };
        self.state.lock().close_what_ended();
        self.note_session();
        let negotiated = self.machine.as_ref().and_then(Connection::negotiated).cloned();
        let (time, client) = (SystemTime::now(), self.client);
        let record = LogonRecord { time, client, negotiated, claimed, by_controller, result };
        (self.state.observer)(Event::Logon(Box::new(record)));
        Ok(Some(reply))
    }

    /// Asks the judge, who may take his time.
    fn judge(&mut self, request: LogonRequest, judging: Box<Judging>) {
        let (judge, limit) = (self.state.judge.clone(), self.state.limits.judge);
        let claimed = Claimed {
            user: request.user(),
            domain: request.domain(),
            workstation: request.workstation(),
        };
        let turns = Arc::clone(&self.turns);
        let asking = self.judges.spawn(async move {
            let judged = timeout(limit, async {
                let _turn = turns.acquire().await;
                judge.judge(request).await
            });
            let late = Denied::new(NtStatus::NO_LOGON_SERVERS, DenialCause::TimedOut);
            Answered { judging, judged: judged.await.unwrap_or(Err(late)) }
        });
        self.judged.push((asking.id(), claimed));
    }

    /// Takes note of whether somebody is logged on: who is not goes first when there are too many.
    fn note_session(&mut self) {
        let mut shared = self.state.lock();
        let machine = self.machine.as_ref();
        let has_session = machine.is_some_and(|machine| machine.has_session(&shared.sessions));
        if has_session == self.has_session {
            return;
        }
        self.has_session = has_session;
        if has_session {
            let place = shared.without_session.remove(&self.id);
            shared.with_session.extend(place.map(|place| (self.id, place)));
        } else {
            let place = shared.with_session.remove(&self.id);
            shared.without_session.extend(place.map(|place| (self.id, place)));
            self.since = Instant::now();
        }
    }
}

/// A positive session response (RFC 1002 4.3.3): under whatever name the client called us.
const ACCEPTED: [u8; 4] = [0x82, 0, 0, 0];

async fn in_time(
    limit: Duration,
    sending: impl Future<Output = io::Result<()>>,
) -> Result<(), CloseReason> {
    let sent = timeout(limit, sending).await;
    sent.map_err(|_| CloseReason::TooSlow)?.map_err(|error| CloseReason::Io(error.kind()))
}

async fn send(stream: &mut OwnedWriteHalf, message: &[u8]) -> io::Result<()> {
    let prefix = message_prefix(Transport::DirectTcp, message.len()).map_err(io::Error::other)?;
    let frame = [prefix.as_slice(), message].concat();
    stream.write_all(&frame).await
}
