use std::{collections::VecDeque, ops::Range};

use crate::{
    bytes::Order,
    event::{Datagram, Direction, Event, FlowId, Origin},
};

/// Events that are ready but not yet told.
pub(crate) type Queue = VecDeque<Pending>;

/// An event whose bytes, if it has any, lie elsewhere.
pub(crate) enum Pending {
    /// One without bytes.
    Event(Event<'static>),
    Data {
        flow: FlowId,
        direction: Direction,
        offset: u64,
        origin: Origin,
        bytes: Bytes,
    },
    /// Its own bytes are empty.
    Datagram {
        datagram: Datagram<'static>,
        bytes: Bytes,
    },
    Secrets {
        kind: u32,
        bytes: Range<usize>,
    },
    Names {
        order: Order,
        records: Range<usize>,
    },
}

/// Where bytes lie.
pub(crate) enum Bytes {
    /// In the current packet.
    Packet(Range<usize>),
    /// In the datagram that was just put together from fragments.
    Datagram(Range<usize>),
    Kept(Box<[u8]>),
}

/// What holds the payload at hand.
#[derive(Clone, Copy)]
pub(crate) enum Whole<'a> {
    Packet(&'a [u8]),
    Datagram(&'a [u8]),
    /// Something that goes away before the event is told.
    Passing,
}

impl Whole<'_> {
    /// Refers to `part` of it.
    pub(crate) fn refer(self, part: &[u8]) -> Bytes {
        match self {
            Self::Packet(whole) => Bytes::Packet(crate::bytes::range_within(whole, part)),
            Self::Datagram(whole) => Bytes::Datagram(crate::bytes::range_within(whole, part)),
            Self::Passing => Bytes::Kept(part.into()),
        }
    }
}
