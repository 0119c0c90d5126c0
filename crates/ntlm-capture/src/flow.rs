//! Flows: whose segment it is, both streams side by side, and which flow to forget.

use std::{
    collections::{HashMap, VecDeque},
    net::{IpAddr, SocketAddr},
};

use foldhash::fast::RandomState;

use crate::{
    bytes::index,
    event::{
        Direction, EndReason, Endpoints, Event, FlowEnded, FlowId, FlowStarted, GapCause, Origin,
    },
    limits::Limits,
    opening::Opening,
    queue::{Pending, Queue, Whole},
    recency::{Rank, Recency},
    tcp::{Out, Segment, Stream, Waiting},
};

/// How many packets of the capture a flow that was reset is still open to stragglers.
const RESET_LINGER: u64 = 4096;

/// All TCP flows that are being followed.
#[derive(Default)]
pub(crate) struct Flows {
    /// Random keys, so that no capture can be made whose flows all collide; the order is never used.
    slots_by_key: HashMap<Key, u32, RandomState>,
    slots: Vec<Flow>,
    recency: Recency,
    serial: u64,
    packets: u64,
    /// Cost of all waiting bytes.
    waiting: usize,
    /// Flows that have waiting bytes, and some that had.
    waiting_flows: VecDeque<u32>,
}

/// Both ends, the lower one first.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    low: u128,
    high: u128,
    low_port: u16,
    high_port: u16,
    v6: bool,
}

struct Flow {
    key: Key,
    id: FlowId,
    /// Until the flow has begun.
    opening: Option<Opening>,
    client_is_low: bool,
    client: Stream,
    server: Stream,
    /// When it was reset, in packets of the capture.
    reset_at: u64,
    /// Whether `waiting_flows` has this slot.
    listed: bool,
}

/// What the current packet is.
#[derive(Clone, Copy)]
pub(crate) struct Now<'a> {
    pub(crate) origin: Origin,
    pub(crate) whole: Whole<'a>,
}

impl Flows {
    pub(crate) fn segment(
        &mut self,
        addresses: (IpAddr, IpAddr),
        segment: &Segment<'_>,
        now: Now<'_>,
        limits: &Limits,
        queue: &mut Queue,
    ) {
        self.packets += 1;
        self.end_reset(now, limits, queue);
        let (source, destination) = addresses;
        let source = SocketAddr::new(source, segment.source_port);
        let destination = SocketAddr::new(destination, segment.destination_port);
        let (key, from_low) = Key::new(source, destination);

        let known = self.slots_by_key.get(&key).copied();
        let slot = match known {
            Some(slot) if !self.is_other(slot, from_low, segment) => slot,
            _ if known.is_none() && !segment.begins_a_flow() => return,
            known => {
                let endpoints = endpoints(source, destination, segment);
                self.start(known, key, endpoints, now, limits, queue)
            }
        };
        let rank = self.recency.rank(slot);
        if rank == Some(Rank::Ended) {
            return;
        }
        let Some(flow) = self.slots.get_mut(index(slot)) else { return };

        let cost = flow.cost();
        let news = flow.segment(from_low, segment, now, limits, queue);
        self.waiting = self.waiting - cost + flow.cost();
        if flow.cost() > 0 && !flow.listed {
            flow.listed = true;
            self.waiting_flows.push_back(slot);
        }

        let rank = if flow.client.is_complete() && flow.server.is_complete() {
            self.finish(slot, EndReason::Closed, now, limits, queue);
            return;
        } else if segment.rst {
            flow.reset_at = self.packets;
            Rank::Reset
        } else if news {
            Rank::Carrying
        } else {
            rank.unwrap_or(Rank::Silent)
        };
        if !(rank == Rank::Reset && self.recency.rank(slot) == Some(Rank::Reset)) {
            self.recency.touch(slot, rank);
        }
        self.make_room(now, limits, queue);
    }

    /// Ends one flow that is still followed, as the capture ends; false if there is none.
    pub(crate) fn end_one(&mut self, now: Now<'_>, limits: &Limits, queue: &mut Queue) -> bool {
        for (rank, reason) in [
            (Rank::Reset, EndReason::Reset),
            (Rank::Carrying, EndReason::CaptureEnded),
            (Rank::Silent, EndReason::CaptureEnded),
        ] {
            if let Some(slot) = self.recency.oldest_of(rank) {
                self.finish(slot, reason, now, limits, queue);
                return true;
            }
        }
        false
    }

    /// Whether a segment between the same ends is of a later connection.
    fn is_other(&self, slot: u32, from_low: bool, segment: &Segment<'_>) -> bool {
        segment.syn
            && self.slots.get(index(slot)).is_some_and(|flow| {
                flow.of(flow.direction(from_low)).is_other_start(segment)
                    || flow.opening.as_ref().is_some_and(|it| it.contradicts(from_low, segment))
            })
    }

    /// Starts a flow in `slot`, which it takes from an earlier one with the same key, or in a free one.
    fn start(
        &mut self,
        slot: Option<u32>,
        key: Key,
        endpoints: Endpoints,
        now: Now<'_>,
        limits: &Limits,
        queue: &mut Queue,
    ) -> u32 {
        let reason = if slot.is_some() { EndReason::Reused } else { EndReason::Evicted };
        let full = self.slots.len() >= limits.flows.max(1);
        let slot = slot.or_else(|| if full { self.recency.oldest() } else { None });
        if let Some(slot) = slot {
            let reason = match self.recency.rank(slot) {
                Some(Rank::Reset) => EndReason::Reset,
                _ => reason,
            };
            self.finish(slot, reason, now, limits, queue);
            if let Some(flow) = self.slots.get(index(slot)) {
                self.slots_by_key.remove(&flow.key);
            }
        }
        let number = slot.unwrap_or_else(|| u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
        self.serial += 1;
        let id = FlowId { serial: self.serial, slot: number };
        let started = FlowStarted { flow: id, endpoints, origin: now.origin };
        let untold = endpoints.guessed.then_some(started);
        if untold.is_none() {
            queue.push_back(Pending::Event(Event::FlowStarted(started)));
        }
        let flow = Flow {
            key,
            id,
            opening: Some(Opening::new(untold, limits.patience)),
            client_is_low: Key::new(endpoints.client, endpoints.server).1,
            client: Stream::default(),
            server: Stream::default(),
            reset_at: 0,
            listed: false,
        };
        match self.slots.get_mut(index(number)) {
            Some(slot) => {
                *slot = Flow { listed: slot.listed, ..flow };
                self.recency.touch(number, Rank::Silent);
            }
            None => {
                self.slots.push(flow);
                self.recency.add(Rank::Silent);
            }
        }
        self.slots_by_key.insert(key, number);
        number
    }

    /// Tells what is left of a flow and that it has ended, unless that was told.
    fn finish(
        &mut self,
        slot: u32,
        reason: EndReason,
        now: Now<'_>,
        limits: &Limits,
        queue: &mut Queue,
    ) {
        if self.recency.rank(slot) == Some(Rank::Ended) {
            return;
        }
        if let Some(flow) = self.slots.get_mut(index(slot)) {
            let cost = flow.cost();
            flow.finish(now, limits, queue);
            self.waiting = self.waiting - cost + flow.cost();
            let ended = FlowEnded { flow: flow.id, reason };
            queue.push_back(Pending::Event(Event::FlowEnded(ended)));
        }
        self.recency.touch(slot, Rank::Ended);
    }

    /// Ends the flow whose reset is longest past, if that is long enough.
    fn end_reset(&mut self, now: Now<'_>, limits: &Limits, queue: &mut Queue) {
        let Some(slot) = self.recency.oldest_of(Rank::Reset) else { return };
        let reset_at = self.slots.get(index(slot)).map_or(0, |flow| flow.reset_at);
        if self.packets - reset_at > RESET_LINGER {
            self.finish(slot, EndReason::Reset, now, limits, queue);
        }
    }

    /// Gives up holes, those that have been waited for longest first, until all that waits is within the limit.
    fn make_room(&mut self, now: Now<'_>, limits: &Limits, queue: &mut Queue) {
        while self.waiting > limits.waiting {
            let Some(slot) = self.waiting_flows.pop_front() else { return };
            let Some(flow) = self.slots.get_mut(index(slot)) else { continue };
            flow.listed = false;
            let cost = flow.cost();
            flow.settle(limits, queue);
            flow.deliver_all(GapCause::Bound, now, queue);
            self.waiting = self.waiting - cost + flow.cost();
        }
    }
}

impl Flow {
    fn direction(&self, from_low: bool) -> Direction {
        if from_low == self.client_is_low {
            Direction::ClientToServer
        } else {
            Direction::ServerToClient
        }
    }

    fn cost(&self) -> usize {
        let opening = self.opening.as_ref().map_or(0, Opening::cost);
        self.client.cost() + self.server.cost() + opening
    }

    /// The stream of that direction and where its events go.
    fn stream<'a, 'p>(
        &'a mut self,
        direction: Direction,
        now: Now<'p>,
        queue: &'a mut Queue,
    ) -> (&'a mut Stream, Out<'a, 'p>) {
        let Now { origin, whole } = now;
        let out = Out { queue, flow: self.id, direction, origin, whole };
        (self.stream_mut(direction), out)
    }

    fn stream_mut(&mut self, direction: Direction) -> &mut Stream {
        match direction {
            Direction::ClientToServer => &mut self.client,
            Direction::ServerToClient => &mut self.server,
        }
    }

    fn of(&self, direction: Direction) -> &Stream {
        match direction {
            Direction::ClientToServer => &self.client,
            Direction::ServerToClient => &self.server,
        }
    }

    /// Returns whether the segment brought new bytes.
    fn segment(
        &mut self,
        from_low: bool,
        segment: &Segment<'_>,
        now: Now<'_>,
        limits: &Limits,
        queue: &mut Queue,
    ) -> bool {
        let Some(opening) = &mut self.opening else {
            return self.take(from_low, segment, now, limits, queue);
        };
        opening.patience = opening.patience.saturating_sub(1);
        if segment.syn {
            if let Some(started) = &mut opening.started {
                show_ends(started, &mut self.client_is_low, from_low == segment.ack.is_none());
            }
            let direction = self.direction(from_low);
            self.stream_mut(direction).open(segment);
            if let Some(ack) = segment.ack {
                self.stream_mut(direction.opposite()).acknowledge(ack);
            }
        }
        let Some(opening) = &mut self.opening else { return false };
        if !segment.syn || segment.len() > 0 || segment.fin {
            opening.keep(from_low, segment, now.origin);
        }
        let has_waited = opening.patience == 0 || opening.cost() > limits.waiting_per_stream;
        if has_waited || (self.client.is_open() && self.server.is_open()) {
            self.settle(limits, queue);
        }
        segment.len() > 0
    }

    /// The flow begins, with what is known of its beginning.
    fn settle(&mut self, limits: &Limits, queue: &mut Queue) {
        let Some(opening) = self.opening.take() else { return };
        if let Some(started) = &opening.started {
            queue.push_back(Pending::Event(Event::FlowStarted(**started)));
        }
        for direction in DIRECTIONS {
            let is_low = (direction == Direction::ClientToServer) == self.client_is_low;
            let stream = self.stream_mut(direction);
            if let Some(seq) = opening.first_seq(is_low, stream.hint()) {
                stream.begin_midway(seq);
            }
        }
        for kept in &opening.kept {
            let now = Now { origin: kept.origin, whole: Whole::Passing };
            self.take(kept.from_low, &kept.segment(), now, limits, queue);
        }
    }

    /// Takes a segment of a flow that has begun.
    fn take(
        &mut self,
        from_low: bool,
        segment: &Segment<'_>,
        now: Now<'_>,
        limits: &Limits,
        queue: &mut Queue,
    ) -> bool {
        let direction = self.direction(from_low);
        self.client.tick();
        self.server.tick();
        if segment.syn {
            self.stream_mut(direction).open(segment);
        }
        if let Some(ack) = segment.ack {
            self.stream_mut(direction.opposite()).acknowledge(ack);
        }
        let mut news = false;
        if !segment.rst && (segment.len() > 0 || segment.fin) {
            let may_follow = self.of(direction.opposite()).has_told(segment.ack);
            let (stream, mut out) = self.stream(direction, now, queue);
            news = stream.receive(segment, may_follow, &mut out);
        }
        self.client.give_up_if_due(limits.patience);
        self.server.give_up_if_due(limits.patience);
        self.deliver(GapCause::Acknowledged, now, queue);
        self.bound(direction, limits, now, queue);
        news
    }

    /// Tells what adjoins: each piece after what its sender had received when it sent it, and as captured where
    /// that leaves a choice. So answers follow their questions however they were recorded.
    fn deliver(&mut self, cause: GapCause, now: Now<'_>, queue: &mut Queue) {
        while !(self.client.is_idle() && self.server.is_idle()) {
            let skipped = DIRECTIONS.into_iter().any(|direction| {
                let (stream, mut out) = self.stream(direction, now, queue);
                stream.skip_given_up(cause, &mut out)
            });
            if skipped {
                continue;
            }
            let [client, server] =
                DIRECTIONS.map(|direction| self.waiting(direction).filter(|first| first.is_next));
            let (direction, until) = match (client, server) {
                (Some(client), Some(server)) if client.must_wait && server.must_wait => {
                    resent(client, server)
                }
                (Some(client), Some(server)) => (earlier(client, server), None),
                (Some(client), None) if !client.must_wait => (Direction::ClientToServer, None),
                (None, Some(server)) if !server.must_wait => (Direction::ServerToClient, None),
                _ => return,
            };
            let (stream, mut out) = self.stream(direction, now, queue);
            stream.deliver_one(until, &mut out);
        }
    }

    fn waiting(&self, direction: Direction) -> Option<First> {
        let Waiting { origin, ack, is_next } = self.of(direction).waiting()?;
        let must_wait = !self.of(direction.opposite()).has_told(ack);
        Some(First { must_wait, origin, ack, is_next })
    }

    /// Tells all that waits, whatever is missing before it.
    fn deliver_all(&mut self, cause: GapCause, now: Now<'_>, queue: &mut Queue) {
        self.client.give_up_acknowledged();
        self.server.give_up_acknowledged();
        loop {
            self.deliver(cause, now, queue);
            let direction = match DIRECTIONS.map(|direction| self.waiting(direction)) {
                [Some(client), Some(server)] => earlier(client, server),
                [Some(_), None] => Direction::ClientToServer,
                [None, Some(_)] => Direction::ServerToClient,
                [None, None] => return,
            };
            let (stream, mut out) = self.stream(direction, now, queue);
            stream.skip_hole(cause, &mut out);
            stream.deliver_one(None, &mut out);
        }
    }

    /// Gives up holes of a stream until what waits in it is within the limit.
    fn bound(&mut self, direction: Direction, limits: &Limits, now: Now<'_>, queue: &mut Queue) {
        if self.of(direction).cost() <= limits.waiting_per_stream {
            return;
        }
        self.client.give_up_acknowledged();
        self.server.give_up_acknowledged();
        self.deliver(GapCause::Acknowledged, now, queue);
        while self.of(direction).cost() > limits.waiting_per_stream {
            let (stream, mut out) = self.stream(direction, now, queue);
            stream.skip_hole(GapCause::Bound, &mut out);
            stream.deliver_one(None, &mut out);
            self.deliver(GapCause::Acknowledged, now, queue);
        }
    }

    fn finish(&mut self, now: Now<'_>, limits: &Limits, queue: &mut Queue) {
        self.settle(limits, queue);
        self.deliver_all(GapCause::FlowEnd, now, queue);
        for direction in DIRECTIONS {
            let (stream, mut out) = self.stream(direction, now, queue);
            stream.skip_to_end(GapCause::FlowEnd, &mut out);
        }
    }
}

/// A SYN shows which end is the client.
fn show_ends(started: &mut FlowStarted, client_is_low: &mut bool, is_low: bool) {
    let endpoints = &mut started.endpoints;
    endpoints.guessed = false;
    if *client_is_low != is_low {
        *client_is_low = is_low;
        std::mem::swap(&mut endpoints.client, &mut endpoints.server);
    }
}

const DIRECTIONS: [Direction; 2] = [Direction::ClientToServer, Direction::ServerToClient];

/// The first waiting piece of a stream.
#[derive(Clone, Copy)]
struct First {
    /// Whether something that its sender had received is still to be told.
    must_wait: bool,
    origin: Origin,
    ack: Option<u32>,
    /// Whether it adjoins what was told.
    is_next: bool,
}

/// Where each of two pieces waits for the other, the later one was sent again, and of its bytes come first those
/// that the other's sender had received.
fn resent(client: First, server: First) -> (Direction, Option<u32>) {
    if server.origin < client.origin {
        (Direction::ClientToServer, server.ack)
    } else {
        (Direction::ServerToClient, client.ack)
    }
}

/// Which of two pieces comes first: what need not wait, then what was captured first.
fn earlier(client: First, server: First) -> Direction {
    let key = |first: First| (first.must_wait, first.origin);
    if key(server) < key(client) { Direction::ServerToClient } else { Direction::ClientToServer }
}

impl Key {
    /// And whether the source is the lower end.
    fn new(source: SocketAddr, destination: SocketAddr) -> (Self, bool) {
        let bits = |address: SocketAddr| match address.ip() {
            IpAddr::V4(v4) => u128::from(v4.to_bits()),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        let (from, to) = ((bits(source), source.port()), (bits(destination), destination.port()));
        let from_low = from <= to;
        let (low, high) = if from_low { (from, to) } else { (to, from) };
        let key = Self {
            low: low.0,
            high: high.0,
            low_port: low.1,
            high_port: high.1,
            v6: source.is_ipv6(),
        };
        (key, from_low)
    }
}

/// Who is the client: the sender of the SYN, else who has the higher port.
fn endpoints(source: SocketAddr, destination: SocketAddr, segment: &Segment<'_>) -> Endpoints {
    let from_client = match (segment.syn, segment.ack) {
        (true, None) => true,
        (true, Some(_)) => false,
        (false, _) => source.port() >= destination.port(),
    };
    let (client, server) = if from_client { (source, destination) } else { (destination, source) };
    Endpoints { client, server, guessed: !segment.syn }
}
