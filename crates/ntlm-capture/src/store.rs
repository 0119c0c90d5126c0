use std::collections::BTreeMap;

use crate::{bytes::wide, event::Origin};

/// Rough cost of keeping one piece, beside its bytes.
const OVERHEAD: usize = 128;

/// Rough cost of keeping any: the tree has room for eleven in its first node.
const NODE: usize = 768;

/// Pieces of a byte sequence that came before the ones they follow. They never overlap: the first copy stays.
#[derive(Debug, Default)]
pub(crate) struct Store {
    /// By where they start.
    pieces: BTreeMap<u64, Piece>,
    /// Of the pieces alone.
    cost: usize,
}

/// Where a piece comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct About {
    pub(crate) origin: Origin,
    /// What its sender had received when it sent it.
    pub(crate) ack: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) about: About,
    pub(crate) content: Content,
}

#[derive(Debug)]
pub(crate) enum Content {
    Bytes(Box<[u8]>),
    /// So many bytes that were not captured of a packet that was.
    Cut(u64),
}

impl Piece {
    pub(crate) fn len(&self) -> u64 {
        match &self.content {
            Content::Bytes(bytes) => wide(bytes.len()),
            Content::Cut(length) => *length,
        }
    }

    /// Takes off what is beyond `length` bytes.
    fn split_off(&mut self, length: u64) -> Option<Self> {
        let beyond = self.len().checked_sub(length).filter(|beyond| *beyond > 0)?;
        let about = self.about;
        let (content, rest) = match &self.content {
            Content::Bytes(bytes) => {
                let (first, rest) = bytes.split_at_checked(usize::try_from(length).ok()?)?;
                (Content::Bytes(first.into()), Content::Bytes(rest.into()))
            }
            Content::Cut(_) => (Content::Cut(length), Content::Cut(beyond)),
        };
        self.content = content;
        Some(Self { about, content: rest })
    }

    fn cost(&self) -> usize {
        match &self.content {
            Content::Bytes(bytes) => bytes.len() + OVERHEAD,
            Content::Cut(_) => OVERHEAD,
        }
    }
}

impl Store {
    /// Memory in use, in bytes.
    pub(crate) fn cost(&self) -> usize {
        if self.pieces.is_empty() { 0 } else { self.cost + NODE }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// The first piece and where it starts.
    pub(crate) fn first(&self) -> Option<(u64, &Piece)> {
        self.pieces.first_key_value().map(|(start, piece)| (*start, piece))
    }

    /// Where the last piece ends; 0 if there is none.
    pub(crate) fn end(&self) -> u64 {
        self.pieces.last_key_value().map_or(0, |(start, piece)| start + piece.len())
    }

    /// Takes the first piece out, or as many bytes of it as are wanted, at least one.
    pub(crate) fn pop_first(&mut self, wanted: u64) -> Option<(u64, Piece)> {
        let (start, mut piece) = self.pieces.pop_first()?;
        self.cost -= piece.cost();
        if let Some(rest) = piece.split_off(wanted.max(1)) {
            self.add(start + piece.len(), rest);
        }
        Some((start, piece))
    }

    /// Whether `length` bytes from 0 are all there.
    pub(crate) fn covers(&self, length: u64) -> bool {
        let mut end = 0;
        for (start, piece) in &self.pieces {
            if *start > end {
                return false;
            }
            end = start + piece.len();
        }
        end >= length
    }

    /// Adds what is not there yet of `bytes`, and of the `cut` bytes after them.
    ///
    /// Returns where the first byte lies that was there and differs.
    pub(crate) fn insert(
        &mut self,
        start: u64,
        bytes: &[u8],
        cut: u64,
        about: About,
    ) -> Option<u64> {
        let bytes_end = start + wide(bytes.len());
        let end = bytes_end + cut;
        let slice = |from: u64, to: u64| {
            let index = |at: u64| usize::try_from(at.min(bytes_end) - start).ok();
            bytes.get(index(from)?..index(to)?)
        };
        let mut conflict = None;
        let mut at = start;
        let mut free = Vec::new();
        let before = self.pieces.range(..start).next_back();
        let within = self.pieces.range(start..end);
        for (piece_start, piece) in before.into_iter().chain(within) {
            let piece_end = piece_start + piece.len();
            if piece_end <= at {
                continue;
            }
            if *piece_start > at {
                free.push(at..*piece_start);
            }
            let overlap = at.max(*piece_start)..end.min(piece_end);
            if let (None, Content::Bytes(kept)) = (conflict, &piece.content) {
                let kept_from = usize::try_from(overlap.start - piece_start).unwrap_or(usize::MAX);
                let again = slice(overlap.start, overlap.end).unwrap_or_default();
                let kept = kept.get(kept_from..).unwrap_or_default();
                let same = kept.iter().zip(again).take_while(|(kept, again)| kept == again).count();
                if same < again.len() {
                    conflict = Some(overlap.start + wide(same));
                }
            }
            at = piece_end.max(at);
        }
        if at < end {
            free.push(at..end);
        }
        for range in free {
            let bytes = slice(range.start, range.end).unwrap_or_default();
            if !bytes.is_empty() {
                self.add(range.start, Piece { about, content: Content::Bytes(bytes.into()) });
            }
            let cut_start = range.start.max(bytes_end);
            if cut_start < range.end {
                self.add(cut_start, Piece { about, content: Content::Cut(range.end - cut_start) });
            }
        }
        conflict
    }

    fn add(&mut self, start: u64, piece: Piece) {
        self.cost += piece.cost();
        self.pieces.insert(start, piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(frame: u64) -> About {
        About { origin: Origin { frame, file: 0, frame_in_file: frame, time: None }, ack: None }
    }

    fn pieces(store: &mut Store) -> Vec<(u64, u64, Vec<u8>)> {
        let mut pieces = Vec::new();
        while let Some((start, piece)) = store.pop_first(u64::MAX) {
            let bytes = match piece.content {
                Content::Bytes(bytes) => bytes.into_vec(),
                Content::Cut(length) => vec![b'?'; usize::try_from(length).unwrap()],
            };
            pieces.push((start, piece.about.origin.frame, bytes));
        }
        assert_eq!(store.cost(), 0);
        pieces
    }

    #[test]
    fn the_first_copy_stays() {
        let mut store = Store::default();
        assert_eq!(store.insert(4, b"EFGH", 0, about(1)), None);
        assert_eq!(store.insert(12, b"M", 0, about(2)), None);
        assert_eq!(store.insert(2, b"cdeFghijklmno", 0, about(3)), Some(4));
        assert_eq!(
            pieces(&mut store),
            [
                (2, 3, b"cd".to_vec()),
                (4, 1, b"EFGH".to_vec()),
                (8, 3, b"ijkl".to_vec()),
                (12, 2, b"M".to_vec()),
                (13, 3, b"no".to_vec())
            ]
        );
    }

    #[test]
    fn equal_copies_are_no_conflict() {
        let mut store = Store::default();
        assert_eq!(store.insert(0, b"abcdef", 0, about(1)), None);
        assert_eq!(store.insert(2, b"cd", 0, about(2)), None);
        assert_eq!(store.insert(2, b"cdefgh", 0, about(3)), None);
        assert_eq!(store.insert(2, b"cdefgX", 0, about(3)), Some(7));
        assert_eq!(pieces(&mut store), [(0, 1, b"abcdef".to_vec()), (6, 3, b"gh".to_vec())]);
    }

    #[test]
    fn what_was_cut_is_kept_apart() {
        let mut store = Store::default();
        store.insert(3, b"D", 0, about(1));
        assert_eq!(store.insert(0, b"ab", 4, about(2)), None);
        assert_eq!(
            pieces(&mut store),
            [
                (0, 2, b"ab".to_vec()),
                (2, 2, b"?".to_vec()),
                (3, 1, b"D".to_vec()),
                (4, 2, b"??".to_vec())
            ]
        );
    }

    #[test]
    fn pieces_are_taken_in_part() {
        let mut store = Store::default();
        store.insert(5, b"abc", 4, about(1));
        let mut taken = Vec::new();
        while let Some((start, piece)) = store.pop_first(2) {
            taken.push((start, piece.len(), matches!(piece.content, Content::Cut(_))));
        }
        assert_eq!(taken, [(5, 2, false), (7, 1, false), (8, 2, true), (10, 2, true)]);
        assert_eq!(store.cost(), 0);
    }

    #[test]
    fn coverage_is_from_zero() {
        let mut store = Store::default();
        store.insert(2, b"cd", 0, about(1));
        assert!(!store.covers(2));
        store.insert(0, b"ab", 0, about(1));
        assert!(store.covers(4) && !store.covers(5));
    }
}
