use std::{collections::VecDeque, ops::Range};

use crate::event::Origin;

/// Which frames carried which bytes of one stream, for as much of it as is of interest.
///
/// Feed it each [`Data`](crate::Data) of the stream, and forget what has been dealt with: it grows by one entry a
/// chunk.
///
/// ```
/// # let frame = |frame| ntlm_capture::Origin { frame, file: 0, frame_in_file: frame, time: None };
/// let mut origins = ntlm_capture::StreamOrigins::default();
/// origins.add(0, 100, frame(4));
/// origins.add(100, 60, frame(6));
/// // A message of the bytes 80 to 119 is complete with frame 6, and came in two.
/// assert_eq!(origins.at(119), Some(frame(6)));
/// assert_eq!(origins.within(80..120).count(), 2);
/// origins.forget_before(120);
/// assert_eq!(origins.at(99), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct StreamOrigins {
    chunks: VecDeque<(Range<u64>, Origin)>,
}

impl StreamOrigins {
    /// `len` bytes from `offset` on came in `origin`. Chunks have to be added in order, as they are told.
    pub fn add(&mut self, offset: u64, len: usize, origin: Origin) {
        let end = offset.saturating_add(crate::bytes::wide(len));
        self.chunks.push_back((offset..end, origin));
    }

    /// The frame that carried the byte at `offset`; `None` if it is missing, forgotten or yet to come.
    #[must_use]
    pub fn at(&self, offset: u64) -> Option<Origin> {
        let index = self.chunks.partition_point(|(chunk, _)| chunk.end <= offset);
        self.chunks
            .get(index)
            .filter(|(chunk, _)| chunk.contains(&offset))
            .map(|(_, origin)| *origin)
    }

    /// The frames that carried some of `range`, in the order of its bytes.
    pub fn within(&self, range: Range<u64>) -> impl Iterator<Item = Origin> + '_ {
        let first = self.chunks.partition_point(|(chunk, _)| chunk.end <= range.start);
        self.chunks
            .iter()
            .skip(first)
            .take_while(move |(chunk, _)| chunk.start < range.end)
            .map(|(_, origin)| *origin)
    }

    /// Forgets all that lies before `offset`.
    pub fn forget_before(&mut self, offset: u64) {
        while self.chunks.front().is_some_and(|(chunk, _)| chunk.end <= offset) {
            self.chunks.pop_front();
        }
    }
}
