//! The beginning of a flow. Until it is known where both streams begin, what comes is kept: frames recorded
//! late may turn out to be the first.

use crate::{
    event::{FlowStarted, Origin},
    tcp::{REORDERED_START, Segment, distance},
};

/// Rough cost of keeping one segment, beside its bytes.
const OVERHEAD: usize = 128;

/// What came of a flow that is not known to have begun.
#[derive(Debug)]
pub(crate) struct Opening {
    /// Not told yet where the ends are guessed: a SYN may still show them.
    pub(crate) started: Option<Box<FlowStarted>>,
    /// Packets until there has been time enough.
    pub(crate) patience: u32,
    pub(crate) kept: Vec<Kept>,
    cost: usize,
}

/// A segment that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) from_low: bool,
    pub(crate) origin: Origin,
    header: Segment<'static>,
    bytes: Box<[u8]>,
}

impl Kept {
    pub(crate) fn segment(&self) -> Segment<'_> {
        Segment { bytes: &self.bytes, ..self.header }
    }
}

impl Opening {
    /// Where the flow has been told, `started` is `None`.
    pub(crate) fn new(started: Option<FlowStarted>, patience: u32) -> Self {
        let patience = patience.saturating_add(1);
        Self { started: started.map(Box::new), patience, kept: Vec::new(), cost: 0 }
    }

    /// Memory in use for segments, in bytes.
    pub(crate) fn cost(&self) -> usize {
        self.cost
    }

    pub(crate) fn keep(&mut self, from_low: bool, segment: &Segment<'_>, origin: Origin) {
        let header = Segment { bytes: &[], ..*segment };
        self.cost += segment.bytes.len() + OVERHEAD;
        self.kept.push(Kept { from_low, origin, header, bytes: segment.bytes.into() });
    }

    /// Whether a SYN cannot be the beginning of what was kept.
    pub(crate) fn contradicts(&self, from_low: bool, syn: &Segment<'_>) -> bool {
        let start = syn.first_seq();
        let is_before = |seq| (0..i64::from(REORDERED_START)).contains(&distance(start, seq));
        self.kept.iter().any(|kept| {
            let segment = kept.segment();
            let seq =
                if kept.from_low == from_low { Some(segment.first_seq()) } else { segment.ack };
            !segment.rst && !seq.is_none_or(is_before)
        })
    }

    /// The first sequence number of a side that is known of: that of its first segment, or of others that come
    /// right before; or what the other side has acknowledged before that. `hint` was acknowledged before all.
    pub(crate) fn first_seq(&self, from_low: bool, hint: Option<u32>) -> Option<u32> {
        let carries = |kept: &&Kept| {
            kept.from_low == from_low && kept.segment().len() > 0 && !kept.segment().rst
        };
        let mut seq = self.kept.iter().find(carries)?.segment().first_seq();
        let adjoins = |seq: u32| {
            self.kept.iter().filter(carries).map(Kept::segment).find_map(|segment| {
                let before = u64::try_from(distance(segment.first_seq(), seq)).unwrap_or(0);
                (before > 0 && segment.len() >= before).then(|| segment.first_seq())
            })
        };
        // Each step goes further back by a segment.
        for _ in &self.kept {
            match adjoins(seq) {
                Some(earlier) => seq = earlier,
                None => break,
            }
        }
        let before_data = self.kept.iter().take_while(|kept| !carries(kept));
        let acks = before_data.filter(|kept| kept.from_low != from_low);
        let acks = acks.filter_map(|kept| kept.segment().ack).chain(hint);
        let back = |ack: u32| u64::from(seq.wrapping_sub(ack));
        let acks = acks.filter(|ack| back(*ack) < u64::from(REORDERED_START));
        Some(acks.max_by_key(|ack| back(*ack)).unwrap_or(seq))
    }
}
