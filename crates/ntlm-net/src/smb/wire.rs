//! Frames over TCP, within limits.

use super::error::Error;
use ntlm_smb::{Frame, FrameType, Transport, decode_prefix, message_prefix, session_request};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// What a connection may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long connecting may take.
    pub connect: Duration,
    /// How long the answer to one request may take, however many messages come before it.
    pub response: Duration,
    /// The longest message that is received, in bytes.
    pub message_len: usize,
    /// How many messages may come before the answer to a request.
    pub messages_before_answer: u32,
    /// How many bytes are kept of what was sent and received; what follows is not.
    pub record_len: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            response: Duration::from_secs(30),
            message_len: 256 << 10,
            messages_before_answer: 64,
            record_len: 64 << 20,
        }
    }
}

/// Keeps what is sent and received, for those who want to look at it. A copy is the same record.
#[derive(Clone, Debug, Default)]
pub struct Record(Arc<Mutex<Recorded>>);

/// What was sent and received on a connection: bytes of TCP, whole frames.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// The client's end and the server's; `None` while there is no connection.
    pub endpoints: Option<(SocketAddr, SocketAddr)>,
    /// Each frame in order.
    pub frames: Vec<RecordedFrame>,
    /// Whether something was left out because there was too much.
    pub is_cut: bool,
    len: usize,
}

/// A frame as it was sent or received.
#[derive(Clone, Debug)]
pub struct RecordedFrame {
    /// When.
    pub time: SystemTime,
    /// Whether the client sent it.
    pub from_client: bool,
    /// The bytes, with the prefix.
    pub bytes: Vec<u8>,
}

impl Record {
    /// What was kept so far.
    #[must_use]
    pub fn take(&self) -> Recorded {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        // Nothing that holds the lock can leave the record half-written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, from_client: bool, parts: &[&[u8]], limit: usize) {
        let mut recorded = self.lock();
        let bytes = parts.concat();
        let len = recorded.len.saturating_add(bytes.len());
        recorded.is_cut |= len > limit;
        if !recorded.is_cut {
            recorded.len = len;
            recorded.frames.push(RecordedFrame { time: SystemTime::now(), from_client, bytes });
        }
    }
}

/// A connection. Dropping it closes it.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    transport: Transport,
    limits: Limits,
    record: Option<Record>,
}

impl Wire {
    pub(super) async fn connect(
        address: SocketAddr,
        transport: Transport,
        limits: Limits,
        record: Option<Record>,
    ) -> Result<Self, Error> {
        let deadline = Instant::now() + limits.connect;
        let connecting = timeout_at(deadline, TcpStream::connect(address)).await;
        let stream = connecting
            .map_err(|_| Error::TimedOut("connect", limits.connect))?
            .map_err(|error| Error::Io("connect", error))?;
        // Each message is answered before the next: waiting to join them only delays.
        stream.set_nodelay(true).map_err(|error| Error::Io("connect", error))?;
        if let Some(record) = &record {
            let client = stream.local_addr().map_err(|error| Error::Io("connect", error))?;
            record.lock().endpoints = Some((client, address));
        }
        let mut wire = Self { stream, transport, limits, record };
        if transport == Transport::NetBios {
            wire.request_session(deadline).await?;
        }
        Ok(wire)
    }

    pub(super) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// When the answer to a request that is sent now must be there.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.limits.response
    }

    async fn request_session(&mut self, deadline: Instant) -> Result<(), Error> {
        let request = session_request("*SMBSERVER", "NTLM");
        self.write(&request, deadline).await?;
        let (frame_type, payload) = self.read_frame(deadline).await?;
        match frame_type {
            FrameType::PositiveSessionResponse => Ok(()),
            _ => Err(Error::NetBios(payload.first().copied())),
        }
    }

    /// Sends a message.
    pub(super) async fn send(&mut self, message: &[u8], deadline: Instant) -> Result<(), Error> {
        let prefix = message_prefix(self.transport, message.len())
            .map_err(|error| Error::Client(error.into()))?;
        let frame = [prefix.as_slice(), message].concat();
        self.write(&frame, deadline).await
    }

    /// The next message; what keeps a connection alive is none.
    pub(super) async fn receive(&mut self, deadline: Instant) -> Result<Vec<u8>, Error> {
        for _ in 0..self.limits.messages_before_answer {
            match self.read_frame(deadline).await? {
                (FrameType::SessionMessage, message) => return Ok(message),
                (FrameType::SessionKeepAlive, _) => {}
                _ => return Err(Error::NetBios(None)),
            }
        }
        Err(Error::TooManyMessages)
    }

    async fn write(&mut self, frame: &[u8], deadline: Instant) -> Result<(), Error> {
        let written = timeout_at(deadline, self.stream.write_all(frame)).await;
        written
            .map_err(|_| Error::TimedOut("send", self.limits.response))?
            .map_err(|error| Error::Io("send", error))?;
        self.keep(true, &[frame]);
        Ok(())
    }

    async fn read_frame(&mut self, deadline: Instant) -> Result<(FrameType, Vec<u8>), Error> {
        let limit = self.limits.response;
        let reading = timeout_at(deadline, self.read_whole_frame()).await;
        reading.map_err(|_| Error::TimedOut("receive", limit))?
    }

    async fn read_whole_frame(&mut self) -> Result<(FrameType, Vec<u8>), Error> {
        let mut prefix = [0; Frame::PREFIX];
        self.stream.read_exact(&mut prefix).await.map_err(read_error)?;
        let (frame_type, length) = decode_prefix(self.transport, prefix).map_err(Error::Frame)?;
        let limit = self.limits.message_len;
        if length > limit {
            return Err(Error::TooLong { length, limit });
        }
        let mut payload = vec![0; length];
        self.stream.read_exact(&mut payload).await.map_err(read_error)?;
        self.keep(false, &[&prefix, &payload]);
        Ok((frame_type, payload))
    }

    fn keep(&self, from_client: bool, parts: &[&[u8]]) {
        if let Some(record) = &self.record {
            record.keep(from_client, parts, self.limits.record_len);
        }
    }
}

fn read_error(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => Error::ClosedByServer,
        _ => Error::Io("receive", error),
    }
}
