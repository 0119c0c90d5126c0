use std::{io, io::Read, iter, ops::Range};

use crate::{
    bytes::{index, wide},
    error::CaptureError,
    event::{Data, Datagram, Event, Notice, NoticeKind, Origin, Secrets, UnknownLinkType},
    file::{Packet, Record},
    flow::{Flows, Now},
    fragments::Fragments,
    ip::{self, Payload},
    limits::Limits,
    link::{self, Network},
    names::NameResolution,
    queue::{Bytes, Pending, Queue, Whole},
    sources::Sources,
    tcp::Segment,
    udp,
};

/// Reads capture files, as one if there are several, and tells what flowed.
///
/// ```
/// # fn scan(_: ntlm_capture::FlowId, _: &[u8]) {}
/// use ntlm_capture::{Capture, Event, Limits};
///
/// # fn read(file: impl std::io::Read) -> Result<(), ntlm_capture::CaptureError> {
/// let mut capture = Capture::new(file, Limits::default());
/// while let Some(event) = capture.next_event()? {
///     match event {
///         Event::Data(data) => scan(data.flow, data.bytes),
///         Event::Gap(gap) => println!("{} bytes are missing at {}", gap.length, gap.offset),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Capture<F: Iterator, R> {
    sources: Sources<F, R>,
    decoder: Decoder,
    queue: Queue,
    /// Where the current packet lies in the file's buffer.
    packet: Range<usize>,
    /// Of the event told last.
    kept: Box<[u8]>,
    totals: Totals,
}

/// What a capture has been found to hold so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Packets, of all files.
    pub packets: u64,
    /// Those among them which carry neither TCP nor UDP, or of which that cannot be told.
    pub other_packets: u64,
    /// Packet bytes as captured.
    pub bytes: u64,
}

/// All between packets and events, apart from the files so that these can be borrowed meanwhile.
struct Decoder {
    limits: Limits,
    fragments: Fragments,
    flows: Flows,
    /// Put together from fragments last.
    datagram: Vec<u8>,
    last: Origin,
}

impl<R: Read> Capture<iter::Once<io::Result<R>>, R> {
    /// Reads one file; `limits` bound the memory it takes.
    #[must_use]
    pub fn new(file: R, limits: Limits) -> Self {
        Self::of_files(iter::once(Ok(file)), limits)
    }
}

impl<F: Iterator<Item = io::Result<R>>, R: Read> Capture<F, R> {
    /// Reads several files as one capture: a flow may start in one and go on in another.
    ///
    /// Packets come in order of time, those of the same time in order of the files; within a file they keep their
    /// order, and one without a time follows the one before it. All files are open at once. One whose turn has not
    /// come takes 16 KiB, or 128 KiB with gzip; one that is being read takes 256 KiB more.
    #[must_use]
    pub fn of_files(files: impl IntoIterator<IntoIter = F>, limits: Limits) -> Self {
        Self {
            sources: Sources::new(files.into_iter()),
            decoder: Decoder {
                limits,
                fragments: Fragments::default(),
                flows: Flows::default(),
                datagram: Vec::new(),
                last: Origin { frame: 0, file: 0, frame_in_file: 0, time: None },
            },
            queue: Queue::new(),
            packet: 0..0,
            kept: Box::default(),
            totals: Totals::default(),
        }
    }

    /// The next event; `None` once everything has been told.
    ///
    /// # Errors
    ///
    /// A file that cannot be read further, after everything before has been told. That ends this file only: ask
    /// on for the next one, and for what was still waiting when the last one ended.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, CaptureError> {
        while self.queue.is_empty() {
            if !self.advance()? {
                return Ok(None);
            }
        }
        let Some(pending) = self.queue.pop_front() else { return Ok(None) };
        let number = self.sources.current();
        let in_file = |range| self.sources.bytes(range);
        let packet = in_file(self.packet.clone());
        let datagrams = &self.decoder.datagram;
        let kept = &mut self.kept;
        let resolve = |bytes| match bytes {
            Bytes::Packet(range) => packet.get(range).unwrap_or_default(),
            Bytes::Datagram(range) => datagrams.get(range).unwrap_or_default(),
            Bytes::Kept(bytes) => {
                *kept = bytes;
                kept
            }
        };
        Ok(Some(match pending {
            Pending::Event(event) => event,
            Pending::Data { flow, direction, offset, origin, bytes } => {
                let bytes = resolve(bytes);
                Event::Data(Data { flow, direction, offset, bytes, origin })
            }
            Pending::Datagram { datagram, bytes } => {
                let bytes = resolve(bytes);
                Event::Datagram(Datagram { bytes, ..datagram })
            }
            Pending::Secrets { kind, bytes } => {
                Event::Secrets(Secrets { file: number, kind, bytes: in_file(bytes) })
            }
            Pending::Names { order, records } => {
                Event::Names(NameResolution { file: number, order, records: in_file(records) })
            }
        }))
    }

    /// What was found so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// Takes one step, which may bring events; false if there is nothing more to do.
    fn advance(&mut self) -> Result<bool, CaptureError> {
        match self.sources.next(&self.decoder.limits)? {
            Some(Record::Packet(packet)) => {
                self.totals.packets += 1;
                self.totals.bytes += wide(packet.bytes.len());
                self.packet = packet.bytes.clone();
                let bytes = self.sources.bytes(packet.bytes.clone());
                if !self.decoder.packet(&packet, bytes, &mut self.queue) {
                    self.totals.other_packets += 1;
                }
            }
            Some(Record::Secrets { kind, bytes }) => {
                self.queue.push_back(Pending::Secrets { kind, bytes });
            }
            Some(Record::Names { order, records }) => {
                self.queue.push_back(Pending::Names { order, records });
            }
            None => return Ok(self.decoder.end_one(&mut self.queue)),
        }
        Ok(true)
    }
}

impl Decoder {
    /// Whether the packet carries TCP or UDP, or a fragment of something.
    fn packet(&mut self, packet: &Packet, bytes: &[u8], queue: &mut Queue) -> bool {
        let Packet { origin, link_type, interface, first, original_len, .. } = *packet;
        self.last = origin;
        let network = match link::network(link_type, bytes) {
            Network::Ip(network) => network,
            Network::Other => return false,
            Network::UnknownLinkType => {
                if first {
                    let unknown = UnknownLinkType { link_type, interface, origin };
                    queue.push_back(Pending::Event(Event::UnknownLinkType(unknown)));
                }
                return false;
            }
            Network::Cut => {
                notice(queue, NoticeKind::LinkHeader, origin);
                return false;
            }
        };
        let wire_len = index(original_len).saturating_sub(bytes.len() - network.len());
        let Some(packet) = ip::parse(network, wire_len) else {
            notice(queue, NoticeKind::IpHeader, origin);
            return false;
        };
        let Some(fragment) = packet.fragment else {
            let now = Now { origin, whole: Whole::Packet(bytes) };
            return transport(&packet, packet.payload, now, &mut self.flows, &self.limits, queue);
        };
        let tell = |notice| queue.push_back(Pending::Event(Event::Notice(notice)));
        let Self { fragments, limits, datagram, .. } = self;
        let Some(protocol) = fragments.add(&packet, fragment, origin, limits, datagram, tell)
        else {
            return true;
        };
        let payload = Payload { protocol, bytes: &self.datagram, missing: 0 };
        let Some((payload, None)) = ip::extensions(payload) else {
            notice(queue, NoticeKind::IpHeader, origin);
            return false;
        };
        let now = Now { origin, whole: Whole::Datagram(&self.datagram) };
        transport(&packet, payload, now, &mut self.flows, &self.limits, queue)
    }

    /// Tells what is left of one flow or datagram, now that no packet follows; false if there is none.
    fn end_one(&mut self, queue: &mut Queue) -> bool {
        let tell = |notice| queue.push_back(Pending::Event(Event::Notice(notice)));
        let now = Now { origin: self.last, whole: Whole::Passing };
        self.fragments.give_up_oldest(tell) || self.flows.end_one(now, &self.limits, queue)
    }
}

/// Whether the payload is TCP or UDP.
fn transport(
    packet: &ip::Packet<'_>,
    payload: Payload<'_>,
    now: Now<'_>,
    flows: &mut Flows,
    limits: &Limits,
    queue: &mut Queue,
) -> bool {
    let addresses = (packet.source, packet.destination);
    match payload.protocol {
        ip::TCP => match Segment::parse(payload) {
            Some(segment) => flows.segment(addresses, &segment, now, limits, queue),
            None => notice(queue, NoticeKind::TransportHeader, now.origin),
        },
        ip::UDP => match udp::parse(addresses, payload, now.origin) {
            Some(datagram) => {
                let bytes = now.whole.refer(datagram.bytes);
                let datagram = Datagram { bytes: &[], ..datagram };
                queue.push_back(Pending::Datagram { datagram, bytes });
            }
            None => notice(queue, NoticeKind::TransportHeader, now.origin),
        },
        _ => return false,
    }
    true
}

fn notice(queue: &mut Queue, kind: NoticeKind, origin: Origin) {
    queue.push_back(Pending::Event(Event::Notice(Notice { kind, origin })));
}
