//! Random connections, cut up, shuffled, repeated, overlapped, fragmented and dropped, against a reference that
//! knows all packets at once.

use std::{collections::BTreeMap, net::SocketAddr};

use ntlm_capture::{Capture, Direction, Event, FlowId, Limits, StreamOrigins};

use crate::wire::{self, ACK, FIN, Pcap, SYN, Segment};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_be_bytes()[0]).collect()
    }
}

/// What happens to packets between the wire and the file.
#[derive(Clone, Copy)]
struct Fate {
    repeat: usize,
    fragment: usize,
    drop: usize,
    /// By how many places at most a packet moves.
    displace: usize,
}

/// A connection and its packets in the order in which they were sent.
struct Connection {
    streams: [Vec<u8>; 2],
    isn: [u32; 2],
    segments: Vec<Segment>,
}

fn connection(random: &mut Random, number: u8) -> Connection {
    let v6 = random.chance(30);
    let ends: [SocketAddr; 2] = match v6 {
        true => [format!("[fd00::{number}]:50000"), "[fd00::ffff]:445".into()],
        false => [format!("10.0.0.{number}:50000"), "10.0.1.1:445".into()],
    }
    .map(|end| end.parse().unwrap());
    // Half of them close to where sequence numbers wrap.
    let isn = [0, 1].map(|_| {
        let isn = u32::try_from(random.next() >> 32).unwrap();
        if random.chance(50) { u32::MAX - isn % 4000 } else { isn }
    });
    let length = [0, 1].map(|_| random.below(6000));
    let streams = length.map(|length| random.bytes(length));
    let mut sent = [0, 0];
    let mut segments = Vec::new();
    let segment = |side: usize, from: usize, bytes: &[u8], received: usize, flags| Segment {
        from: ends[side],
        to: ends[1 - side],
        seq: isn[side].wrapping_add(1).wrapping_add(u32::try_from(from).unwrap()),
        ack: isn[1 - side].wrapping_add(1).wrapping_add(u32::try_from(received).unwrap()),
        flags,
        bytes: bytes.to_vec(),
    };
    segments.push(Segment { seq: isn[0], ack: 0, ..segment(0, 0, b"", 0, SYN) });
    segments.push(Segment { seq: isn[1], ..segment(1, 0, b"", 0, SYN | ACK) });
    while sent[0] < streams[0].len() || sent[1] < streams[1].len() {
        let side = random.below(2);
        let stream = &streams[side];
        // Now and then it starts within what was sent before.
        let from = if random.chance(15) {
            sent[side] - random.below(sent[side].min(700) + 1)
        } else {
            sent[side]
        };
        let to = stream.len().min(from + random.below(900));
        segments.push(segment(side, from, &stream[from..to], sent[1 - side], ACK));
        sent[side] = sent[side].max(to);
    }
    segments.push(segment(0, sent[0], b"", sent[1], ACK | FIN));
    segments.push(segment(1, sent[1], b"", sent[0] + 1, ACK | FIN));
    segments.push(segment(0, sent[0] + 1, b"", sent[1] + 1, ACK));
    Connection { streams, isn, segments }
}

/// Packets of one segment, and whether all of them were kept.
fn packets(
    random: &mut Random,
    fate: Fate,
    segment: &Segment,
    identification: u16,
) -> (Vec<Vec<u8>>, bool) {
    let tcp = segment.tcp();
    let mut packets = Vec::new();
    if random.chance(fate.fragment) {
        let size = (1 + random.below(40)) * 8;
        for (i, part) in tcp.chunks(size).enumerate() {
            let offset = u16::try_from(i * size).unwrap();
            let more = (i + 1) * size < tcp.len();
            let (from, to) = (segment.from.ip(), segment.to.ip());
            packets.push(wire::fragment(from, to, 6, identification, offset, more, part));
        }
    } else {
        packets.push(segment.ip());
    }
    let sent = packets.len();
    packets.retain(|_| !random.chance(fate.drop));
    let whole = packets.len() == sent;
    (packets, whole)
}

/// A file of connections side by side, and what of each stream is in it.
fn file(
    random: &mut Random,
    fate: Fate,
    connections: &[Connection],
) -> (Pcap, Vec<[Vec<bool>; 2]>) {
    let mut present: Vec<_> = connections
        .iter()
        .map(|connection| connection.streams.clone().map(|stream| vec![false; stream.len()]))
        .collect();
    let mut order = Vec::new();
    for (number, connection) in connections.iter().enumerate() {
        let mut place = random.below(50);
        let mut identification = 0;
        for (i, segment) in connection.segments.iter().enumerate() {
            let repeats = if random.chance(fate.repeat) { 2 } else { 1 };
            for _ in 0..repeats {
                identification += 1;
                // The handshake stays, so that it is known where the streams start.
                let calm = Fate { drop: 0, displace: 0, ..fate };
                let fate = if i < 2 { calm } else { fate };
                let (packets, whole) = packets(random, fate, segment, identification);
                if whole {
                    let side = usize::from(segment.from.port() == 445);
                    let from = segment.seq.wrapping_sub(connection.isn[side]).wrapping_sub(1);
                    if !segment.bytes.is_empty() {
                        let from = usize::try_from(from).unwrap();
                        present[number][side][from..from + segment.bytes.len()].fill(true);
                    }
                }
                for packet in packets {
                    place += 10;
                    order.push((place + random.below(fate.displace * 10 + 1), packet));
                }
            }
            if i == 1 {
                place += 10;
            }
        }
    }
    order.sort_by_key(|(place, _)| *place);
    let mut pcap = Pcap::new(101);
    order.iter().for_each(|(_, packet)| pcap.add(packet));
    (pcap, present)
}

/// What was delivered of one stream: `None` is a byte in a gap.
type Delivered = Vec<Option<u8>>;

fn deliver(file: &[u8], limits: Limits) -> Vec<[Delivered; 2]> {
    let mut flows: BTreeMap<FlowId, (SocketAddr, [(Delivered, StreamOrigins); 2])> =
        BTreeMap::new();
    let mut capture = Capture::new(file, limits);
    let side = |direction| usize::from(direction == Direction::ServerToClient);
    while let Some(event) = capture.next_event().unwrap() {
        match event {
            Event::FlowStarted(started) => {
                flows.insert(started.flow, (started.endpoints.client, Default::default()));
            }
            Event::Data(data) => {
                let (_, streams) = flows.get_mut(&data.flow).unwrap();
                let (delivered, origins) = &mut streams[side(data.direction)];
                assert_eq!(data.offset, u64::try_from(delivered.len()).unwrap());
                assert!(!data.bytes.is_empty());
                delivered.extend(data.bytes.iter().copied().map(Some));
                origins.add(data.offset, data.bytes.len(), data.origin);
                assert_eq!(origins.at(data.offset), Some(data.origin));
            }
            Event::Gap(gap) => {
                let (_, streams) = flows.get_mut(&gap.flow).unwrap();
                let (delivered, origins) = &mut streams[side(gap.direction)];
                assert_eq!(gap.offset, u64::try_from(delivered.len()).unwrap());
                assert!(gap.length > 0);
                delivered.extend((0..gap.length).map(|_| None));
                assert_eq!(origins.at(gap.offset), None);
            }
            Event::FlowEnded(_) | Event::Notice(_) => {}
            other => panic!("{other:?}"),
        }
    }
    let mut flows: Vec<_> = flows.into_values().collect();
    flows.sort_by_key(|(client, _)| *client);
    flows.into_iter().map(|(_, streams)| streams.map(|(delivered, _)| delivered)).collect()
}

fn run(seed: u64, fate: Fate, limits: &Limits) {
    let mut random = Random(seed);
    let patient = fate.drop == 0 || limits.patience == u32::MAX;
    let count = 1 + random.below(5);
    let mut connections: Vec<_> = (0..count)
        .map(|number| connection(&mut random, u8::try_from(number + 1).unwrap()))
        .collect();
    connections.sort_by_key(|connection| connection.segments[0].from);
    let (pcap, present) = file(&mut random, fate, &connections);
    let delivered = deliver(&pcap.bytes, limits.clone());
    assert_eq!(delivered.len(), connections.len(), "seed {seed}");
    for ((connection, present), delivered) in connections.iter().zip(&present).zip(&delivered) {
        for side in [0, 1] {
            let (stream, present, delivered) =
                (&connection.streams[side], &present[side], &delivered[side]);
            assert!(delivered.len() <= stream.len(), "seed {seed} side {side}");
            let reference: Delivered = stream
                .iter()
                .zip(present)
                .map(|(byte, present)| present.then_some(*byte))
                .collect();
            let (known, unknown) = reference.split_at(delivered.len());
            // A copy that comes once its bytes have been given up comes too late.
            let late = |known: &Option<u8>, delivered: &Option<u8>| {
                !patient && known.is_some() && delivered.is_none()
            };
            let right = |(known, delivered)| known == delivered || late(known, delivered);
            assert!(known.iter().zip(delivered).all(right), "seed {seed} side {side}");
            // Beyond what was delivered nothing is in the file.
            assert!(unknown.iter().all(Option::is_none), "seed {seed} side {side}");
            if fate.drop == 0 {
                assert_eq!(delivered.len(), stream.len());
            }
        }
    }
}

const SEEDS: u64 = 150;

#[test]
fn without_drops_every_byte_arrives() {
    let fate = Fate { repeat: 10, fragment: 20, drop: 0, displace: 8 };
    (0..SEEDS).for_each(|seed| run(seed, fate, &Limits::default()));
    let calm = Fate { repeat: 0, fragment: 0, drop: 0, displace: 0 };
    (0..SEEDS).for_each(|seed| run(seed, calm, &Limits::default()));
}

#[test]
fn without_drops_every_byte_arrives_however_late() {
    let fate = Fate { repeat: 10, fragment: 20, drop: 0, displace: 1000 };
    let mut limits = Limits::default();
    limits.patience = u32::MAX;
    (0..SEEDS).for_each(|seed| run(seed, fate, &limits));
}

#[test]
fn with_drops_every_byte_is_delivered_or_accounted_for() {
    let fate = Fate { repeat: 10, fragment: 10, drop: 10, displace: 0 };
    for seed in 0..SEEDS {
        for patience in [0, 1, 16, u32::MAX] {
            let mut limits = Limits::default();
            limits.patience = patience;
            run(seed, fate, &limits);
        }
    }
}

#[test]
fn drops_and_disorder_together() {
    let fate = Fate { repeat: 20, fragment: 10, drop: 5, displace: 30 };
    let mut limits = Limits::default();
    limits.patience = u32::MAX;
    (0..SEEDS).for_each(|seed| run(seed, fate, &limits));
}

#[test]
fn what_is_in_order_stays_in_order_across_streams_and_flows() {
    let calm = Fate { repeat: 10, fragment: 0, drop: 0, displace: 0 };
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let connections = [1, 2, 3].map(|number| connection(&mut random, number));
        let (pcap, _) = file(&mut random, calm, &connections);
        let mut capture = Capture::new(&pcap.bytes[..], Limits::default());
        let mut last = 0;
        while let Some(event) = capture.next_event().unwrap() {
            if let Event::Data(data) = event {
                assert!(data.origin.frame > last, "seed {seed} frame {last}");
                last = data.origin.frame;
            }
        }
    }
}

/// Flips bytes all over a file; nothing may panic or hang, whatever comes out.
#[test]
fn damage_does_no_harm() {
    let fate = Fate { repeat: 10, fragment: 30, drop: 5, displace: 10 };
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let connections = [connection(&mut random, 1), connection(&mut random, 2)];
        let (mut pcap, _) = file(&mut random, fate, &connections);
        for _ in 0..1 + random.below(200) {
            // Mostly in the packets, or there would be nothing behind the first flip.
            let at = random.below(pcap.bytes.len());
            pcap.bytes[at] ^= 1 << random.below(8);
        }
        let mut limits = Limits::default();
        limits.waiting_per_stream = 2000;
        limits.waiting = 3000;
        limits.flows = 3;
        let mut capture = Capture::new(&pcap.bytes[..], limits);
        let mut ends: BTreeMap<(FlowId, Direction), u64> = BTreeMap::new();
        loop {
            match capture.next_event() {
                Ok(Some(Event::Data(data))) => {
                    let end = ends.entry((data.flow, data.direction)).or_default();
                    assert_eq!(*end, data.offset);
                    *end += u64::try_from(data.bytes.len()).unwrap();
                }
                Ok(Some(Event::Gap(gap))) => {
                    let end = ends.entry((gap.flow, gap.direction)).or_default();
                    assert_eq!(*end, gap.offset);
                    *end += gap.length;
                }
                Ok(Some(_)) | Err(_) => {}
                Ok(None) => break,
            }
        }
    }
}
