//! The numbers that a client may use: CommandSequenceWindow (MS-SMB2 3.3.1.1, 3.3.5.2.3).

use alloc::collections::BTreeSet;
use core::ops::Range;

/// Numbers that were granted, and which of them were used. Each is good for one request.
#[derive(Debug)]
pub(super) struct Window {
    granted: Range<u64>,
    /// Those used out of order: the lowest of the window is never among them.
    used: BTreeSet<u64>,
    most: u64,
}

impl Window {
    /// Grants one number, as every connection begins, and never more than `most` at a time.
    pub(super) fn starting_at(first: u64, most: u16) -> Self {
        let end = first.saturating_add(1);
        Self { granted: first..end, used: BTreeSet::new(), most: u64::from(most.max(1)) }
    }

    /// Uses `charge` numbers from `message_id` on; whether all were granted and unused.
    pub(super) fn take(&mut self, message_id: u64, charge: u16) -> bool {
        let end = message_id.saturating_add(u64::from(charge.max(1)));
        let is_granted = message_id >= self.granted.start && end <= self.granted.end;
        if !is_granted || self.used.range(message_id..end).next().is_some() {
            return false;
        }
        if message_id == self.granted.start {
            self.granted.start = end;
            while self.used.remove(&self.granted.start) {
                self.granted.start += 1;
            }
        } else {
            self.used.extend(message_id..end);
        }
        true
    }

    /// Grants what is asked for, at least one, as far as the window has room. How many it were.
    pub(super) fn grant(&mut self, asked: u16) -> u16 {
        let room = self.most.saturating_sub(self.granted.end.saturating_sub(self.granted.start));
        let credits = u64::from(asked.max(1)).min(room).min(u64::MAX - self.granted.end);
        self.granted.end = self.granted.end.saturating_add(credits);
        u16::try_from(credits).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_good_once_and_only_where_granted() {
        let mut window = Window::starting_at(0, 8);
        assert!(!window.take(1, 1));
        assert!(window.take(0, 0));
        assert!(!window.take(0, 1));
        assert_eq!(window.grant(4), 4);
        assert!(window.take(3, 1), "out of order");
        assert!(!window.take(3, 1));
        assert!(!window.take(2, 2), "a charge that runs into a used one");
        assert!(!window.take(4, 2), "a charge that runs out of the window");
        assert!(window.take(1, 2));
        assert!(window.take(4, 1));
        assert!(window.used.is_empty());
    }

    #[test]
    fn a_window_has_a_most() {
        let mut window = Window::starting_at(1, 3);
        assert_eq!((window.grant(u16::MAX), window.grant(5)), (2, 0));
        assert!(window.take(3, 1));
        assert_eq!(window.grant(1), 0, "the lowest is still to come");
        assert!(window.take(1, 1));
        assert_eq!(window.grant(0), 1);
        assert!(window.used.len() <= 3);
        assert!(!window.take(u64::MAX, u16::MAX));
    }
}
