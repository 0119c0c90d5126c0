//! Reads one flow: tells its protocol by the first bytes, and follows both directions.

use super::classify::classify;
use super::protocol::Protocol;
use super::stream::{Context, Stream};
use super::{Listener, Report, RpcFragment, SmbPacket};
use ntlm_capture::{Data, Direction, Gap};

/// The carrier of one flow, whatever it is.
#[derive(Debug)]
pub struct FlowReader {
    protocol: Option<Box<dyn Protocol>>,
    to_server: Stream,
    to_client: Stream,
    /// Whether the protocol has its client where the flow has its server: the beginning was not
    /// captured, and the ends were guessed. Reports have the directions of the flow.
    flipped: bool,
    conversations: u64,
}

/// With fewer bytes than this, the first ones are not judged: as many as the header of DCE/RPC has.
const ENOUGH: usize = 16;

impl Default for FlowReader {
    fn default() -> Self {
        Self {
            protocol: None,
            to_server: Stream::new(Direction::ClientToServer),
            to_client: Stream::new(Direction::ServerToClient),
            flipped: false,
            conversations: 0,
        }
    }
}

impl FlowReader {
    /// Takes the next bytes of a direction.
    pub fn data(&mut self, data: &Data<'_>, listener: &mut dyn Listener) {
        if self.protocol.as_ref().is_some_and(|protocol| protocol.is_over()) {
            self.protocol = None;
            self.to_server.forget_step();
            self.to_client.forget_step();
        }
        if self.protocol.is_none() && !self.judge(data) {
            return;
        }
        self.with(data.direction, listener, |stream, context| stream.data(data, context));
    }

    /// Bytes are missing: what was begun cannot be finished.
    pub fn gap(&mut self, gap: &Gap, listener: &mut dyn Listener) {
        self.with(gap.direction, listener, |stream, context| stream.gap(gap, context));
    }

    /// The flow is over.
    pub fn end(&mut self, listener: &mut dyn Listener) {
        for direction in [Direction::ClientToServer, Direction::ServerToClient] {
            self.with(direction, listener, Stream::end);
        }
    }

    /// How many bytes are held because the message that they are of is not all there.
    pub(crate) fn held(&self) -> usize {
        self.to_server.held().len() + self.to_client.held().len()
    }

    /// Whether what flows is encrypted, so that no token could be seen in it.
    pub(crate) fn hides_tokens(&self) -> bool {
        self.protocol.as_ref().is_some_and(|protocol| protocol.hides_tokens())
    }

    /// Tells the protocol if it can be told. False if the bytes are held until it can.
    fn judge(&mut self, data: &Data<'_>) -> bool {
        let stream = self.stream(data.direction);
        let head: Vec<u8>;
        let bytes = if stream.held().is_empty() {
            data.bytes
        } else {
            head = [stream.held(), data.bytes].concat();
            &head
        };
        let is_first = data.offset == 0 || !stream.held().is_empty();
        let is_line = || bytes.is_ascii() && bytes.contains(&b'\n');
        if is_first && bytes.len() < ENOUGH && !is_line() {
            stream.hold(data);
            return false;
        }
        let direction = if self.flipped { data.direction.opposite() } else { data.direction };
        self.protocol = classify(direction, bytes);
        if self.protocol.is_none() {
            self.protocol = classify(direction.opposite(), bytes);
            if self.protocol.is_some() {
                self.flipped = !self.flipped;
                self.to_server.flip();
                self.to_client.flip();
            }
        }
        true
    }

    /// By the direction in the flow.
    fn stream(&mut self, direction: Direction) -> &mut Stream {
        match direction {
            Direction::ClientToServer => &mut self.to_server,
            Direction::ServerToClient => &mut self.to_client,
        }
    }

    fn with(
        &mut self,
        direction: Direction,
        listener: &mut dyn Listener,
        act: impl FnOnce(&mut Stream, &mut Context<'_>),
    ) {
        let stream = match direction {
            Direction::ClientToServer => &mut self.to_server,
            Direction::ServerToClient => &mut self.to_client,
        };
        let (protocol, conversations) = (self.protocol.as_deref_mut(), &mut self.conversations);
        if self.flipped {
            let listener = &mut Flipped(listener);
            act(stream, &mut Context { protocol, conversations, listener });
        } else {
            act(stream, &mut Context { protocol, conversations, listener });
        }
    }
}

/// Hears everything with the two ends in each other's place.
struct Flipped<'a>(&'a mut dyn Listener);

impl Listener for Flipped<'_> {
    fn report(&mut self, report: Report) {
        self.0.report(report.flipped());
    }

    fn wants_whole_packets(&self) -> bool {
        self.0.wants_whole_packets()
    }

    fn may_wait(&self) -> bool {
        self.0.may_wait()
    }

    fn packet(&mut self, packet: &SmbPacket<'_>) -> Option<Vec<u8>> {
        let direction = packet.direction.opposite();
        self.0.packet(&SmbPacket { direction, ..*packet })
    }

    fn fragment(&mut self, fragment: &RpcFragment<'_>) {
        let direction = fragment.direction.opposite();
        self.0.fragment(&RpcFragment { direction, ..*fragment });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntlm_capture::{Capture, Endpoints, Event, FlowId, Limits, StreamWriter};

    /// What comes of packets: how much there is of each.
    struct Packets {
        may_wait: bool,
        lengths: Vec<usize>,
    }

    impl Listener for Packets {
        fn report(&mut self, _: Report) {}

        fn wants_whole_packets(&self) -> bool {
            true
        }

        fn may_wait(&self) -> bool {
            self.may_wait
        }

        fn packet(&mut self, packet: &SmbPacket<'_>) -> Option<Vec<u8>> {
            self.lengths.push(packet.bytes.len());
            None
        }
    }

    #[test]
    fn a_long_packet_is_waited_for_only_if_it_may_be() {
        let packet = |(command, length): (u8, usize)| {
            let prefix = u32::try_from(length).unwrap().to_be_bytes();
            let header = [b"\xfeSMB\x40\0", &[0; 6][..], &[command], &[0; 51]].concat();
            [&prefix[..], &header, &vec![0; length - header.len()]].concat()
        };
        let endpoints = Endpoints {
            client: "127.0.0.1:40000".parse().unwrap(),
            server: "127.0.0.1:445".parse().unwrap(),
            guessed: false,
        };
        let mut writer = StreamWriter::new(Vec::new()).unwrap();
        const SESSION_SETUP: u8 = 1;
        for message in [(8, 100), (8, 2_000_000), (SESSION_SETUP, 100_000), (8, 200)] {
            let (flow, there) = (FlowId::default(), Direction::ClientToServer);
            writer.message(flow, endpoints, there, None, &packet(message), None).unwrap();
        }
        let file = writer.finish().unwrap();
        for (may_wait, lengths) in
            [(true, &[100, 2_000_000, 100_000, 200][..]), (false, &[100, 112, 200])]
        {
            let mut packets = Packets { may_wait, lengths: Vec::new() };
            let (mut reader, mut most) = (FlowReader::default(), 0);
            let mut capture = Capture::new(&file[..], Limits::default());
            while let Some(event) = capture.next_event().unwrap() {
                if let Event::Data(data) = event {
                    reader.data(&data, &mut packets);
                    most = most.max(reader.held());
                }
            }
            assert_eq!(packets.lengths, lengths);
            assert_eq!(most > 0, may_wait);
            assert_eq!(reader.held(), 0);
            let capacity = reader.to_server.held_capacity();
            assert!(capacity <= 400_000, "{capacity} bytes stay behind a long packet");
        }
    }
}
