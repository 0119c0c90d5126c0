//! Which slot to give up first.

const NONE: u32 = u32::MAX;

/// Slots in order of their last use, a list for each rank. Small and apart from the slots, so that moving one
/// touches little memory.
#[derive(Debug, Default)]
pub(crate) struct Recency {
    links: Vec<Link>,
    ends: [Ends; Rank::COUNT],
}

/// What a slot holds; the first are given up first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// A flow that has ended, kept to know its stragglers.
    Ended,
    /// A flow that was reset; stragglers may still add to it.
    Reset,
    /// A flow that has not carried data.
    Silent,
    Carrying,
}

impl Rank {
    const COUNT: usize = 4;
    const ALL: [Self; Self::COUNT] = [Self::Ended, Self::Reset, Self::Silent, Self::Carrying];

    fn index(self) -> usize {
        match self {
            Self::Ended => 0,
            Self::Reset => 1,
            Self::Silent => 2,
            Self::Carrying => 3,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Link {
    rank: Rank,
    older: u32,
    newer: u32,
}

#[derive(Clone, Copy, Debug)]
struct Ends {
    oldest: u32,
    newest: u32,
}

impl Default for Ends {
    fn default() -> Self {
        Self { oldest: NONE, newest: NONE }
    }
}

impl Recency {
    /// Adds the next slot; they are numbered from 0.
    pub(crate) fn add(&mut self, rank: Rank) {
        let slot = u32::try_from(self.links.len()).unwrap_or(NONE);
        self.links.push(Link { rank, older: NONE, newer: NONE });
        self.append(slot, rank);
    }

    pub(crate) fn rank(&self, slot: u32) -> Option<Rank> {
        self.link(slot).map(|link| link.rank)
    }

    /// The oldest slot of a rank.
    pub(crate) fn oldest_of(&self, rank: Rank) -> Option<u32> {
        let oldest = self.ends.get(rank.index())?.oldest;
        (oldest != NONE).then_some(oldest)
    }

    /// The slot to give up first.
    pub(crate) fn oldest(&self) -> Option<u32> {
        Rank::ALL.into_iter().find_map(|rank| self.oldest_of(rank))
    }

    /// `slot` was used just now and holds what `rank` says.
    pub(crate) fn touch(&mut self, slot: u32, rank: Rank) {
        let Some(link) = self.link(slot) else { return };
        if link.rank == rank && link.newer == NONE {
            return;
        }
        match self.link_mut(link.older) {
            Some(older) => older.newer = link.newer,
            None => self.ends_mut(link.rank, |ends| ends.oldest = link.newer),
        }
        match self.link_mut(link.newer) {
            Some(newer) => newer.older = link.older,
            None => self.ends_mut(link.rank, |ends| ends.newest = link.older),
        }
        self.append(slot, rank);
    }

    fn append(&mut self, slot: u32, rank: Rank) {
        let newest = self.ends.get(rank.index()).map_or(NONE, |ends| ends.newest);
        match self.link_mut(newest) {
            Some(newest) => newest.newer = slot,
            None => self.ends_mut(rank, |ends| ends.oldest = slot),
        }
        self.ends_mut(rank, |ends| ends.newest = slot);
        if let Some(link) = self.link_mut(slot) {
            *link = Link { rank, older: newest, newer: NONE };
        }
    }

    fn link(&self, slot: u32) -> Option<Link> {
        self.links.get(crate::bytes::index(slot)).copied()
    }

    fn link_mut(&mut self, slot: u32) -> Option<&mut Link> {
        self.links.get_mut(crate::bytes::index(slot))
    }

    fn ends_mut(&mut self, rank: Rank, change: impl FnOnce(&mut Ends)) {
        if let Some(ends) = self.ends.get_mut(rank.index()) {
            change(ends);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_of_the_lowest_rank_goes_first() {
        let mut recency = Recency::default();
        assert_eq!(recency.oldest(), None);
        for _ in 0..4 {
            recency.add(Rank::Silent);
        }
        assert_eq!(recency.oldest(), Some(0));
        recency.touch(0, Rank::Silent);
        assert_eq!(recency.oldest(), Some(1));
        recency.touch(2, Rank::Carrying);
        recency.touch(1, Rank::Carrying);
        assert_eq!(recency.oldest(), Some(3));
        recency.touch(3, Rank::Carrying);
        recency.touch(0, Rank::Carrying);
        assert_eq!(recency.oldest(), Some(2));
        recency.touch(2, Rank::Carrying);
        assert_eq!(recency.oldest(), Some(1));
        recency.touch(0, Rank::Ended);
        assert_eq!((recency.oldest(), recency.oldest_of(Rank::Silent)), (Some(0), None));
        assert_eq!(recency.rank(0), Some(Rank::Ended));
    }
}
