//! Fragments: found in a stream, cut from a stub, put together again (C706 12.6.2.3).

use super::header::{Header, PfcFlags};
use crate::error::DecodeError;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;
use zeroize::Zeroizing;

/// The first fragment of `stream` and what follows it; `None` where the stream ends inside it.
///
/// # Errors
///
/// No PDU begins here: the stream is something else, or bytes of it are missing.
pub fn split(stream: &[u8]) -> Result<Option<Split<'_>>, DecodeError> {
    if stream.len() < Header::LENGTH {
        return Ok(None);
    }
    let header = Header::decode(stream)?;
    Ok(stream.split_at_checked(usize::from(header.frag_length)))
}

/// A fragment and what follows it.
pub type Split<'a> = (&'a [u8], &'a [u8]);

/// How a stub is cut: which bytes of it go into each fragment, and with which flags.
#[derive(Clone, Debug)]
pub struct Fragments {
    length: usize,
    position: usize,
    step: usize,
    done: bool,
}

impl Fragments {
    /// Cuts `length` bytes of stub into fragments of at most `max_xmit_frag` bytes, of which
    /// `overhead` are header, verifier and token. `None` where nothing would be left for the stub.
    ///
    /// Every fragment but the last has a multiple of 16 bytes, so that only the last is padded.
    #[must_use]
    pub fn new(length: usize, max_xmit_frag: u16, overhead: usize) -> Option<Self> {
        let step = usize::from(max_xmit_frag).checked_sub(overhead)? / 16 * 16;
        (step > 0).then_some(Self { length, position: 0, step, done: false })
    }
}

impl Iterator for Fragments {
    type Item = (Range<usize>, PfcFlags);

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let start = self.position;
        let end = start.saturating_add(self.step).min(self.length);
        self.position = end;
        self.done = end == self.length;
        let mut flags = PfcFlags::empty();
        flags.set(PfcFlags::FIRST_FRAG, start == 0);
        flags.set(PfcFlags::LAST_FRAG, self.done);
        Some((start..end, flags))
    }
}

/// Puts together the stub of one call from its fragments, which come in order.
///
/// A verdict has keys in it: `Debug` leaves the stub out, and what is dropped is wiped.
pub struct Assembly {
    call_id: u32,
    limit: usize,
    stub: Zeroizing<Vec<u8>>,
    begun: bool,
    ended: bool,
}

impl Assembly {
    /// Waits for the first fragment of this call. `limit` is the longest stub it takes, in bytes.
    #[must_use]
    pub fn new(call_id: u32, limit: usize) -> Self {
        Self { call_id, limit, stub: Zeroizing::default(), begun: false, ended: false }
    }

    /// Adds a fragment; whether it was the last.
    ///
    /// # Errors
    ///
    /// It belongs to another call, came out of order, or makes the stub too long.
    pub fn add(
        &mut self,
        call_id: u32,
        flags: PfcFlags,
        stub: &[u8],
    ) -> Result<bool, AssemblyError> {
        if call_id != self.call_id {
            return Err(AssemblyError::OtherCall { expected: self.call_id, received: call_id });
        }
        if self.ended || flags.contains(PfcFlags::FIRST_FRAG) == self.begun {
            return Err(AssemblyError::OutOfOrder);
        }
        if stub.len() > self.limit.saturating_sub(self.stub.len()) {
            return Err(AssemblyError::TooLong { limit: self.limit });
        }
        self.begun = true;
        self.ended = flags.contains(PfcFlags::LAST_FRAG);
        self.append(stub);
        Ok(self.ended)
    }

    /// Grows by moving to a new place, so that the old one is wiped.
    fn append(&mut self, stub: &[u8]) {
        let length = self.stub.len().saturating_add(stub.len());
        if length > self.stub.capacity() {
            let capacity = length.max(self.stub.capacity().saturating_mul(2));
            let mut larger = Zeroizing::new(Vec::with_capacity(capacity));
            larger.extend_from_slice(&self.stub);
            self.stub = larger;
        }
        self.stub.extend_from_slice(stub);
    }

    /// The stub, once the last fragment is there.
    #[must_use]
    pub fn finish(mut self) -> Option<Vec<u8>> {
        self.ended.then(|| core::mem::take(&mut *self.stub))
    }
}

impl fmt::Debug for Assembly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assembly")
            .field("call_id", &self.call_id)
            .field("stub_len", &self.stub.len())
            .finish_non_exhaustive()
    }
}

/// Why a fragment does not go on from the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssemblyError {
    /// It answers another call.
    OtherCall {
        /// call_id that is awaited.
        expected: u32,
        /// call_id that came.
        received: u32,
    },
    /// A first fragment after the first, another one before it, or one after the last.
    OutOfOrder,
    /// The stub is longer than is taken.
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
}

impl fmt::Display for AssemblyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherCall { expected, received } => {
                write!(f, "call_id {received} came where {expected} is awaited")
            }
            Self::OutOfOrder => f.write_str("fragments out of order"),
            Self::TooLong { limit } => write!(f, "stub of more than {limit} bytes"),
        }
    }
}

impl core::error::Error for AssemblyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn a_stub_is_cut_into_multiples_of_16() {
        let cut: Vec<_> = Fragments::new(100, 88, 40).unwrap().collect();
        let (first, last) = (PfcFlags::FIRST_FRAG, PfcFlags::LAST_FRAG);
        assert_eq!(cut, vec![(0..48, first), (48..96, PfcFlags::empty()), (96..100, last)]);
        let empty: Vec<_> = Fragments::new(0, 88, 40).unwrap().collect();
        assert_eq!(empty, vec![(0..0, PfcFlags::WHOLE)]);
        assert!(Fragments::new(100, 55, 40).is_none(), "no room for 16 bytes");
        assert!(Fragments::new(100, 10, 40).is_none());
    }

    #[test]
    fn fragments_come_in_order_and_within_the_limit() {
        let (first, last, none) = (PfcFlags::FIRST_FRAG, PfcFlags::LAST_FRAG, PfcFlags::empty());
        let mut assembly = Assembly::new(7, 6);
        assert_eq!(assembly.add(7, none, b"ab"), Err(AssemblyError::OutOfOrder));
        assert_eq!(assembly.add(7, first, b"ab"), Ok(false));
        assert_eq!(assembly.add(7, first, b"cd"), Err(AssemblyError::OutOfOrder));
        let other = AssemblyError::OtherCall { expected: 7, received: 8 };
        assert_eq!(assembly.add(8, none, b"cd"), Err(other));
        assert_eq!(assembly.add(7, none, b"cdefg"), Err(AssemblyError::TooLong { limit: 6 }));
        assert_eq!(assembly.add(7, last, b"cdef"), Ok(true));
        assert_eq!(assembly.add(7, last, b""), Err(AssemblyError::OutOfOrder));
        assert_eq!(assembly.finish().unwrap(), b"abcdef");
        assert!(Assembly::new(7, 6).finish().is_none());
    }
}
