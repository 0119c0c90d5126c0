//! Frames from a client, in a way that can be left off and taken up again.

use super::record::CloseReason;
use ntlm_smb::{Frame, FrameType, Transport, decode_prefix};
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::Instant;

/// Reads frames. What has come of one is kept if the reading is dropped.
#[derive(Debug)]
pub(super) struct Frames {
    stream: OwnedReadHalf,
    buffer: Vec<u8>,
    message_len: usize,
    /// When the first byte of the frame came.
    begun: Option<Instant>,
    /// Whether a frame has come.
    spoken: bool,
}

/// What has come.
#[derive(Debug)]
pub(super) enum Incoming {
    /// The first byte of a frame.
    Begun,
    /// What clients of the NetBIOS session service say first (RFC 1002 4.3.2).
    SessionRequest,
    /// A message, whole.
    Message(Vec<u8>),
}

impl Frames {
    pub(super) const fn new(stream: OwnedReadHalf, message_len: usize) -> Self {
        Self { stream, buffer: Vec::new(), message_len, begun: None, spoken: false }
    }

    /// When the first byte of the frame under way came.
    pub(super) const fn begun(&self) -> Option<Instant> {
        self.begun
    }

    /// The next message, or that it has begun, so that its time can be counted; what keeps a
    /// connection alive is none. May be dropped at any time.
    pub(super) async fn next(&mut self) -> Result<Incoming, CloseReason> {
        loop {
            let wanted = match self.buffer.first_chunk() {
                None => Frame::PREFIX,
                Some(prefix) => {
                    let decoded = decode_prefix(Transport::DirectTcp, *prefix);
                    let (frame_type, length) = decoded.map_err(CloseReason::Frame)?;
                    if length > self.message_len {
                        return Err(CloseReason::TooLong { length, limit: self.message_len });
                    }
                    let wanted = Frame::PREFIX + length;
                    if self.buffer.len() == wanted {
                        let frame = std::mem::take(&mut self.buffer);
                        self.begun = None;
                        let is_first = !std::mem::replace(&mut self.spoken, true);
                        match frame_type {
                            FrameType::SessionMessage => {
                                let message = frame.get(Frame::PREFIX..).unwrap_or_default();
                                return Ok(Incoming::Message(message.to_vec()));
                            }
                            FrameType::SessionKeepAlive => continue,
                            FrameType::SessionRequest if is_first => {
                                return Ok(Incoming::SessionRequest);
                            }
                            _ => return Err(CloseReason::NotSmb),
                        }
                    }
                    wanted
                }
            };
            let missing = wanted.saturating_sub(self.buffer.len());
            let missing = u64::try_from(missing).unwrap_or(u64::MAX);
            let mut rest = (&mut self.stream).take(missing);
            let read = rest.read_buf(&mut self.buffer).await;
            match read {
                Ok(0) => return Err(CloseReason::Client),
                Ok(_) if self.begun.is_none() => {
                    self.begun = Some(Instant::now());
                    return Ok(Incoming::Begun);
                }
                Ok(_) => {}
                Err(error) => return Err(CloseReason::Io(error.kind())),
            }
        }
    }
}
