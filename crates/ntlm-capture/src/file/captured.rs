//! What the formats share.

use std::{io::Read, ops::Range};

use crate::{
    buffer::Buffer,
    bytes::wide,
    error::{Part, Problem},
    event::Timestamp,
    limits::Limits,
    link::LinkType,
};

/// What the formats make of a packet: all but its number.
pub(super) struct Captured {
    pub(super) time: Option<Timestamp>,
    pub(super) link_type: LinkType,
    pub(super) interface: u32,
    pub(super) first: bool,
    pub(super) original_len: u32,
    pub(super) bytes: Range<usize>,
}

/// Makes sure that `length` bytes of `part` are there.
pub(super) fn require<R: Read>(
    buffer: &mut Buffer<R>,
    part: Part,
    length: usize,
) -> Result<(), Problem> {
    let found = buffer.fill(length)?;
    if found < length {
        return Err(Problem::Truncated { part, expected: wide(length), found: wide(found) });
    }
    Ok(())
}

/// Refuses a length beyond what any capture has, before anything is read by it.
pub(super) fn check_length(part: Part, length: usize, limits: &Limits) -> Result<(), Problem> {
    if length > limits.packet {
        return Err(Problem::AbsurdLength {
            part,
            length: wide(length),
            limit: wide(limits.packet),
        });
    }
    Ok(())
}
