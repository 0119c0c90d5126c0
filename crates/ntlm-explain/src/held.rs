//! How many bytes are held at once, in a whole capture.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts them.
#[derive(Debug, Default)]
pub(crate) struct Held(Arc<AtomicUsize>);

/// What one holder has of them; given back on drop.
#[derive(Debug)]
pub(crate) struct Share {
    of: Arc<AtomicUsize>,
    size: usize,
}

impl Held {
    /// More than this are not held.
    const MOST: usize = 64 << 20;

    /// A share of nothing yet.
    pub(crate) fn share(&self) -> Share {
        Share { of: Arc::clone(&self.0), size: 0 }
    }
}

impl Share {
    /// Takes so many bytes more. Whether there is room.
    pub(crate) fn take(&mut self, size: usize) -> bool {
        let has_room = self.of.load(Ordering::Relaxed).saturating_add(size) <= Held::MOST;
        if has_room {
            self.of.fetch_add(size, Ordering::Relaxed);
            self.size += size;
        }
        has_room
    }

    /// How many it has.
    pub(crate) const fn size(&self) -> usize {
        self.size
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.of.fetch_sub(self.size, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_shares_together_have_a_limit_and_give_back() {
        let held = Held::default();
        let (mut one, mut other) = (held.share(), held.share());
        assert!(one.take(Held::MOST - 10));
        assert!(other.take(10));
        assert!(!other.take(1) && !one.take(1));
        assert_eq!(other.size(), 10);
        drop(one);
        assert!(other.take(Held::MOST - 10));
        assert!(!other.take(1));
    }
}
