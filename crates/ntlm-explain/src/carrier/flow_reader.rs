//! Reads one flow: tells its protocol by the first bytes, and follows both directions.

use super::Report;
use super::classify::classify;
use super::protocol::Protocol;
use super::stream::{Context, Stream};
use ntlm_capture::{Data, Direction, Gap};

/// The carrier of one flow, whatever it is.
#[derive(Debug)]
pub struct FlowReader {
    protocol: Option<Box<dyn Protocol>>,
    to_server: Stream,
    to_client: Stream,
    conversations: u64,
}

/// With fewer bytes than this, the first ones are not judged.
const ENOUGH: usize = 16;

impl Default for FlowReader {
    fn default() -> Self {
        Self {
            protocol: None,
            to_server: Stream::new(Direction::ClientToServer),
            to_client: Stream::new(Direction::ServerToClient),
            conversations: 0,
        }
    }
}

impl FlowReader {
    /// Takes the next bytes of a direction.
    pub fn data(&mut self, data: &Data<'_>, report: &mut dyn FnMut(Report)) {
        let over = self.protocol.as_ref().is_some_and(|protocol| protocol.is_over());
        if over {
            self.protocol = None;
            self.to_server.forget_step();
            self.to_client.forget_step();
        }
        if self.protocol.is_none() && !self.judge(data) {
            return;
        }
        let (stream, mut context) = self.parts(data.direction, report);
        stream.data(data, &mut context);
    }

    /// Bytes are missing: what was begun cannot be finished.
    pub fn gap(&mut self, gap: &Gap, report: &mut dyn FnMut(Report)) {
        let (stream, mut context) = self.parts(gap.direction, report);
        stream.gap(gap, &mut context);
    }

    /// The flow is over.
    pub fn end(&mut self, report: &mut dyn FnMut(Report)) {
        for direction in [Direction::ClientToServer, Direction::ServerToClient] {
            let (stream, mut context) = self.parts(direction, report);
            stream.end(&mut context);
        }
    }

    /// Tells the protocol if it can be told. False if the bytes are held until it can.
    fn judge(&mut self, data: &Data<'_>) -> bool {
        let (stream, _) = self.streams(data.direction);
        let head: Vec<u8>;
        let bytes = if stream.held().is_empty() {
            data.bytes
        } else {
            head = [stream.held(), data.bytes].concat();
            &head
        };
        let is_first = data.offset == 0 || !stream.held().is_empty();
        if is_first && bytes.len() < ENOUGH && !bytes.contains(&b'\n') {
            stream.hold(data);
            return false;
        }
        self.protocol = classify(data.direction, bytes);
        true
    }

    fn streams(&mut self, direction: Direction) -> (&mut Stream, Option<&mut Box<dyn Protocol>>) {
        let stream = match direction {
            Direction::ClientToServer => &mut self.to_server,
            Direction::ServerToClient => &mut self.to_client,
        };
        (stream, self.protocol.as_mut())
    }

    fn parts<'a>(
        &'a mut self,
        direction: Direction,
        report: &'a mut dyn FnMut(Report),
    ) -> (&'a mut Stream, Context<'a>) {
        let stream = match direction {
            Direction::ClientToServer => &mut self.to_server,
            Direction::ServerToClient => &mut self.to_client,
        };
        let protocol = self.protocol.as_deref_mut();
        (stream, Context { protocol, conversations: &mut self.conversations, report })
    }
}
