//! Sequence numbers of one association: which is due, and which a loss left open (MS-NRPC 3.3.4.2.1).

use std::collections::VecDeque;
use std::ops::Range;

/// The numbers that both ends count together.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    due: u64,
    /// Numbers before that which were not seen. What is behind a loss may be told before what is not.
    open: VecDeque<Range<u64>>,
}

/// What a number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the one that is due, or one that was left open.
    Expected,
    /// Others before it were not seen.
    Ahead,
    /// It was taken before; the one that is due.
    Taken(u64),
}

/// More ranges than this, and the oldest become one.
const MOST_OPEN: usize = 64;

impl Numbers {
    /// A signature with this number holds.
    pub(super) fn take(&mut self, number: u64) -> Place {
        if number >= self.due {
            let before = self.due..number;
            self.due = number.saturating_add(1);
            return match self.leave_open(before) {
                true => Place::Ahead,
                false => Place::Expected,
            };
        }
        let Some(at) = self.open.iter().position(|range| range.contains(&number)) else {
            return Place::Taken(self.due);
        };
        if let Some(Range { start, end }) = self.open.remove(at) {
            self.leave_open(start..number);
            self.leave_open(number.saturating_add(1)..end);
        }
        Place::Expected
    }

    /// A signature does not hold, so whether its number was taken is not known.
    pub(super) fn skip(&mut self) {
        let number = self.due;
        self.due = number.saturating_add(1);
        self.leave_open(number..self.due);
    }

    fn leave_open(&mut self, numbers: Range<u64>) -> bool {
        if numbers.is_empty() {
            return false;
        }
        match self.open.back_mut() {
            Some(last) if last.end == numbers.start => last.end = numbers.end,
            _ => self.open.push_back(numbers),
        }
        if self.open.len() > MOST_OPEN
            && let (Some(one), Some(other)) = (self.open.pop_front(), self.open.pop_front())
        {
            self.open.push_front(one.start.min(other.start)..one.end.max(other.end));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_is_taken_once() {
        let mut numbers = Numbers::default();
        assert_eq!(
            [0, 1, 0, 1].map(|number| numbers.take(number)),
            [Place::Expected, Place::Expected, Place::Taken(2), Place::Taken(2)]
        );
    }

    #[test]
    fn what_a_loss_left_open_is_taken_once() {
        let mut numbers = Numbers::default();
        assert_eq!(numbers.take(5), Place::Ahead);
        assert_eq!(numbers.take(2), Place::Expected);
        assert_eq!(numbers.take(2), Place::Taken(6));
        assert_eq!([0, 1, 3, 4].map(|number| numbers.take(number)), [Place::Expected; 4]);
        assert_eq!([0, 1, 3, 4, 5].map(|number| numbers.take(number)), [Place::Taken(6); 5]);
    }

    #[test]
    fn a_number_whose_signature_does_not_hold_may_come_again() {
        let mut numbers = Numbers::default();
        numbers.skip();
        assert_eq!(
            [0, 1, 0].map(|number| numbers.take(number)),
            [Place::Expected, Place::Expected, Place::Taken(2)]
        );
    }

    #[test]
    fn many_losses_take_little_room_and_call_nothing_wrong() {
        let mut numbers = Numbers::default();
        for number in 0..1000 {
            assert_eq!(numbers.take(2 * number + 1), Place::Ahead);
            assert!(numbers.open.len() <= MOST_OPEN);
        }
        for number in 0..1000 {
            assert_eq!(numbers.take(2 * number), Place::Expected, "{number}");
        }
    }
}
