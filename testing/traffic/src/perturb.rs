//! The same traffic as a worse network, or a worse capture, would have shown it.

use crate::pcap::Packet;
use crate::random::Random;
use crate::segment::{MAX_PAYLOAD, Segment, flag, sequence};
use serde::Serialize;
use std::collections::HashMap;

/// What is done to a capture. Probabilities are from 0 to 1; with all of them 0 nothing is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Perturbation {
    /// That a segment is split.
    pub split: f64,
    /// Into how many parts at most.
    pub parts: usize,
    /// That a segment starts earlier or ends later than it did, or that bytes from several segments
    /// are sent again.
    pub overlap: f64,
    /// That a packet is cut into IP fragments.
    pub fragment: f64,
    /// That a frame comes twice.
    pub duplicate: f64,
    /// That a frame comes later.
    pub reorder: f64,
    /// How many frames later at most, for `reorder` and `duplicate`.
    pub distance: u64,
    /// Whether a frame may come later than an answer to it, as where several queues are captured.
    /// Else frames of one direction trade places among themselves, as a network has it.
    pub across: bool,
    /// That a frame is lost.
    pub drop: f64,
    /// How many frames in a row are lost at most.
    pub drop_run: u64,
}

impl Perturbation {
    /// Nothing is done.
    pub const NONE: Self = Self {
        split: 0.0,
        parts: 4,
        overlap: 0.0,
        fragment: 0.0,
        duplicate: 0.0,
        reorder: 0.0,
        distance: 5,
        across: false,
        drop: 0.0,
        drop_run: 1,
    };

    /// A bit of everything, but nothing is lost.
    pub const ROUGH: Self = Self {
        split: 0.5,
        overlap: 0.3,
        fragment: 0.2,
        duplicate: 0.2,
        reorder: 0.4,
        ..Self::NONE
    };
}

/// How often what was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Segments split.
    pub split: u64,
    /// Segments made longer, and bytes sent again.
    pub overlap: u64,
    /// Packets cut into fragments.
    pub fragment: u64,
    /// Frames that come twice.
    pub duplicate: u64,
    /// Frames that come later.
    pub reorder: u64,
    /// Frames lost.
    pub drop: u64,
}

/// Does it. Each packet keeps the time of the one that it was made of.
#[must_use]
pub fn perturb(packets: &[Packet], how: &Perturbation, seed: u64) -> (Vec<Packet>, Done) {
    let mut work =
        Work { how, random: Random::new(seed), done: Done::default(), identification: 0 };
    let items = packets.iter().map(|packet| match Segment::parse(&packet.bytes) {
        Some(segment) => (packet.nanos, Item::Segment(segment)),
        None => (packet.nanos, Item::Other(packet.clone())),
    });
    let split: Vec<_> = items.flat_map(|(nanos, item)| work.split(nanos, item)).collect();
    let overlapping = work.overlap(split);
    let frames: Vec<_> =
        overlapping.into_iter().flat_map(|(nanos, item)| work.fragment(nanos, item)).collect();
    let frames = work.reorder(frames);
    let frames = work.drop(frames);
    (frames, work.done)
}

/// A packet of the capture, taken apart if it can be.
enum Item {
    Segment(Segment),
    Other(Packet),
}

/// Source and destination.
type Ends = (Vec<u8>, Vec<u8>);

/// A frame, and whose it is where that is known.
struct Frame {
    ends: Option<Ends>,
    packet: Packet,
}

struct Work<'a> {
    how: &'a Perturbation,
    random: Random,
    done: Done,
    /// Of the last datagram that was cut into fragments.
    identification: u16,
}

/// Bytes of a stream that were sent so far, without a hole.
#[derive(Default)]
struct Sent {
    first_seq: u32,
    bytes: Vec<u8>,
}

impl Sent {
    /// Where the next byte goes.
    fn next_seq(&self) -> u32 {
        self.first_seq.wrapping_add(sequence(self.bytes.len()))
    }

    /// Adds what is new and adjoins; starts anew where nothing fits.
    fn add(&mut self, segment: &Segment) {
        let is_syn = segment.flags() & flag::SYN != 0;
        let seq = segment.seq().wrapping_add(is_syn.into());
        let known = usize::try_from(self.next_seq().wrapping_sub(seq)).unwrap_or(usize::MAX);
        match segment.payload.get(known..) {
            Some(new) if !is_syn => self.bytes.extend_from_slice(new),
            None if !is_syn && known <= self.bytes.len() => {}
            _ => *self = Self { first_seq: seq, bytes: segment.payload.clone() },
        }
    }
}

impl Work<'_> {
    fn split(&mut self, nanos: u64, item: Item) -> Vec<(u64, Item)> {
        let segment = match item {
            Item::Segment(segment)
                if segment.payload.len() > 1
                    && segment.flags() & flag::SYN == 0
                    && self.random.chance(self.how.split) =>
            {
                segment
            }
            item => return vec![(nanos, item)],
        };
        self.done.split += 1;
        let length = segment.payload.len();
        // What matters stands near the front of most segments.
        let near =
            self.random.pick(&[20, 300, usize::MAX]).map_or(length, |near| length.min(*near));
        let parts = self.random.place(self.how.parts.saturating_sub(1)) + 1;
        let mut cuts = vec![0, length];
        cuts.extend((0..parts).map(|_| 1 + self.random.place(near - 1)));
        cuts.sort_unstable();
        cuts.dedup();
        let pairs = cuts.iter().zip(cuts.iter().skip(1));
        pairs.map(|(&from, &to)| (nanos, Item::Segment(segment.part(from, to)))).collect()
    }

    /// Segments reach back into what was sent before and forward into what their sender says next,
    /// and bytes come again. Nothing is said earlier than what it may be an answer to.
    fn overlap(&mut self, items: Vec<(u64, Item)>) -> Vec<(u64, Item)> {
        let follows = burst(&items);
        let mut sent: HashMap<_, Sent> = HashMap::new();
        let mut result = Vec::with_capacity(items.len());
        for ((nanos, item), next) in items.into_iter().zip(follows) {
            let segment = match item {
                Item::Segment(segment) => segment,
                other => {
                    result.push((nanos, other));
                    continue;
                }
            };
            let sent = sent.entry(segment.ends()).or_default();
            sent.add(&segment);
            let can = !segment.payload.is_empty() && segment.flags() & (flag::SYN | flag::RST) == 0;
            let known_until = segment.seq().wrapping_add(sequence(segment.payload.len()));
            if !can || known_until != sent.next_seq() || !self.random.chance(self.how.overlap) {
                result.push((nanos, Item::Segment(segment)));
                continue;
            }
            self.done.overlap += 1;
            if self.random.chance(0.5) {
                result.push((nanos, Item::Segment(self.longer(segment, sent, &next))));
            } else {
                let again = self.again(&segment, sent);
                result.push((nanos, Item::Segment(segment)));
                result.push((nanos, Item::Segment(again)));
            }
        }
        result
    }

    /// The segment with bytes before it or behind it.
    fn longer(&mut self, mut segment: Segment, sent: &Sent, next: &[u8]) -> Segment {
        let length = segment.payload.len();
        let room = MAX_PAYLOAD.saturating_sub(length);
        let may_end_later = !next.is_empty() && segment.flags() & flag::FIN == 0;
        if may_end_later && self.random.chance(0.5) {
            let more = 1 + self.random.place(next.len());
            segment.payload.extend(next.iter().take(more.min(room)));
            return segment;
        }
        let before = sent.bytes.len().saturating_sub(length);
        let more = self.random.place(before.min(600) + 1).min(room);
        let payload = sent.bytes.get(before - more..).unwrap_or_default().to_vec();
        segment.set_seq(segment.seq().wrapping_sub(sequence(more)));
        segment.payload = payload;
        segment
    }

    /// Some of the bytes sent so far, wherever their segments began and ended.
    fn again(&mut self, segment: &Segment, sent: &Sent) -> Segment {
        let all = sent.bytes.len();
        let end = all - self.random.place(all.min(2000));
        let start = end - 1 - self.random.place(end.min(2000));
        let payload = sent.bytes.get(start..end).unwrap_or_default().to_vec();
        let mut again = segment.part(0, 0);
        again.payload = payload;
        again.set_flags(segment.flags() & !(flag::FIN | flag::PSH));
        again.set_seq(sent.first_seq.wrapping_add(sequence(start)));
        again
    }

    fn fragment(&mut self, nanos: u64, item: Item) -> Vec<Frame> {
        let segment = match item {
            Item::Segment(segment) => segment,
            Item::Other(packet) => return vec![Frame { ends: None, packet }],
        };
        let frames = if self.random.chance(self.how.fragment) {
            self.done.fragment += 1;
            self.identification = self.identification.wrapping_add(1);
            let length = segment.payload.len() + 20;
            let count = 1 + self.random.place(3);
            let cuts: Vec<usize> = (0..count).map(|_| self.random.place(length)).collect();
            segment.fragments(self.identification, &cuts)
        } else {
            vec![segment.frame()]
        };
        let ends = Some(segment.ends());
        let frame = |bytes| Frame { ends: ends.clone(), packet: Packet::whole(nanos, bytes) };
        frames.into_iter().map(frame).collect()
    }

    /// Also makes the duplicates, which come later like what is late.
    fn reorder(&mut self, frames: Vec<Frame>) -> Vec<Packet> {
        let last = if self.how.across { vec![u64::MAX; frames.len()] } else { last_place(&frames) };
        let mut keyed = Vec::with_capacity(frames.len());
        for ((place, last), Frame { packet, .. }) in (0_u64..).zip(last).zip(frames) {
            let late = |random: &mut Random| {
                (2 * place.saturating_add(random.below(self.how.distance)).min(last)) + 1
            };
            if self.random.chance(self.how.duplicate) {
                self.done.duplicate += 1;
                keyed.push((late(&mut self.random), packet.clone()));
            }
            let moves = self.random.chance(self.how.reorder);
            self.done.reorder += u64::from(moves);
            keyed.push((if moves { late(&mut self.random) } else { 2 * place }, packet));
        }
        keyed.sort_by_key(|(key, _)| *key);
        keyed.into_iter().map(|(_, packet)| packet).collect()
    }

    fn drop(&mut self, mut frames: Vec<Packet>) -> Vec<Packet> {
        let mut run = 0;
        frames.retain(|_| {
            if run == 0 && self.random.chance(self.how.drop) {
                run = 1 + self.random.below(self.how.drop_run);
            }
            let lost = run > 0;
            run = run.saturating_sub(1);
            self.done.drop += u64::from(lost);
            !lost
        });
        frames
    }
}

/// For each frame the last place that is before the next one from its peer.
fn last_place(frames: &[Frame]) -> Vec<u64> {
    let count = u64::try_from(frames.len()).unwrap_or(u64::MAX);
    let mut next: HashMap<&Ends, u64> = HashMap::new();
    let mut result = Vec::with_capacity(frames.len());
    for (place, frame) in (0..count).rev().zip(frames.iter().rev()) {
        let Some(ends) = &frame.ends else {
            result.push(u64::MAX);
            continue;
        };
        let swapped = (ends.1.clone(), ends.0.clone());
        result.push(next.get(&swapped).map_or(u64::MAX, |next| next.saturating_sub(1)));
        next.insert(ends, place);
    }
    result.reverse();
    result
}

/// For each item the bytes that its sender says next, before its peer says anything.
fn burst(items: &[(u64, Item)]) -> Vec<Vec<u8>> {
    let mut next: HashMap<_, (u32, &[u8])> = HashMap::new();
    let mut result = Vec::with_capacity(items.len());
    for (_, item) in items.iter().rev() {
        let Item::Segment(segment) = item else {
            result.push(Vec::new());
            continue;
        };
        let ends = segment.ends();
        next.remove(&(ends.1.clone(), ends.0.clone()));
        let end = segment.seq().wrapping_add(sequence(segment.payload.len()));
        let follows = next.get(&ends).filter(|(seq, _)| *seq == end).map(|(_, bytes)| *bytes);
        result.push(follows.unwrap_or_default().to_vec());
        if !segment.payload.is_empty() {
            next.insert(ends, (segment.seq(), &segment.payload));
        }
    }
    result.reverse();
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcap;
    use ntlm_capture::{Capture, Direction, EndReason, Event, Limits};
    use std::collections::BTreeMap;

    const FILE: &[u8] =
        include_bytes!("../../../testdata/captures/smbclient-smb3_11-sign-transfer.pcap");

    /// The bytes of each flow and direction.
    fn streams(packets: &[Packet]) -> BTreeMap<(String, String, Direction), Vec<u8>> {
        let file = pcap::write(packets);
        let mut capture = Capture::new(&file[..], Limits::default());
        let (mut flows, mut streams) = (BTreeMap::new(), BTreeMap::new());
        while let Some(event) = capture.next_event().unwrap() {
            match event {
                Event::FlowStarted(started) => {
                    flows.insert(started.flow, started.endpoints);
                }
                Event::Data(data) => {
                    let ends = flows[&data.flow];
                    let key = (ends.client.to_string(), ends.server.to_string(), data.direction);
                    let stream: &mut Vec<u8> = streams.entry(key).or_default();
                    assert_eq!(data.offset, u64::try_from(stream.len()).unwrap());
                    stream.extend_from_slice(data.bytes);
                }
                Event::FlowEnded(ended) => assert_eq!(ended.reason, EndReason::Closed),
                Event::Notice(_) => {}
                other => panic!("{other:?}"),
            }
        }
        streams
    }

    #[test]
    fn nothing_asked_nothing_done() {
        let packets = pcap::read(FILE).unwrap();
        let (same, done) = perturb(&packets, &Perturbation::NONE, 1);
        assert_eq!(done, Done::default());
        assert_eq!(streams(&same), streams(&packets));
        assert_eq!(perturb(&same, &Perturbation::NONE, 2).0, same);
    }

    #[test]
    fn streams_stay_the_same_whatever_is_done_to_segments() {
        let packets = pcap::read(FILE).unwrap();
        let expected = streams(&packets);
        let only = [
            Perturbation { split: 1.0, parts: 9, ..Perturbation::NONE },
            Perturbation { overlap: 1.0, ..Perturbation::NONE },
            Perturbation { split: 1.0, overlap: 1.0, ..Perturbation::NONE },
            Perturbation { fragment: 1.0, ..Perturbation::NONE },
            Perturbation { duplicate: 1.0, ..Perturbation::NONE },
            Perturbation { reorder: 1.0, ..Perturbation::NONE },
            Perturbation { reorder: 1.0, across: true, ..Perturbation::NONE },
            Perturbation::ROUGH,
        ];
        for how in only {
            for seed in 0..5 {
                let (worse, done) = perturb(&packets, &how, seed);
                assert_ne!(worse, packets);
                assert!(streams(&worse) == expected, "seed {seed}: {done:?} {how:?}");
            }
        }
    }

    #[test]
    fn a_seed_says_it_all() {
        let packets = pcap::read(FILE).unwrap();
        let how = Perturbation { drop: 0.1, drop_run: 3, ..Perturbation::ROUGH };
        let (one, done) = perturb(&packets, &how, 5);
        assert_eq!((one.clone(), done), perturb(&packets, &how, 5));
        assert_ne!(one, perturb(&packets, &how, 6).0);
        assert!([done.split, done.overlap, done.fragment].iter().all(|count| *count > 0));
        assert!([done.duplicate, done.reorder, done.drop].iter().all(|count| *count > 0));
    }

    #[test]
    fn every_time_is_that_of_a_packet() {
        let packets = pcap::read(FILE).unwrap();
        let (worse, _) = perturb(&packets, &Perturbation::ROUGH, 3);
        let times: Vec<u64> = packets.iter().map(|packet| packet.nanos).collect();
        assert!(worse.iter().all(|packet| times.contains(&packet.nanos)));
    }
}
