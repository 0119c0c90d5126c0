//! What is waited for under a number: few entries, the oldest dropped.

/// A small map that does not grow without bound.
#[derive(Debug)]
pub(super) struct Numbered<K, V>(Vec<(K, V)>);

/// More than this at once, and the oldest is forgotten.
const MOST: usize = 256;

impl<K, V> Default for Numbered<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, V> Numbered<K, V> {
    /// Remembers a value; what was there under this number is forgotten.
    pub(super) fn insert(&mut self, number: K, value: V) {
        self.take(&number);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push((number, value));
    }

    /// Hands out the value and forgets it.
    pub(super) fn take(&mut self, number: &K) -> Option<V> {
        let at = self.0.iter().position(|(other, _)| other == number)?;
        Some(self.0.remove(at).1)
    }

    /// The value, which stays.
    pub(super) fn get_mut(&mut self, number: &K) -> Option<&mut V> {
        self.0.iter_mut().find(|(other, _)| other == number).map(|(_, value)| value)
    }

    /// The youngest.
    pub(super) fn last_mut(&mut self) -> Option<&mut V> {
        self.0.last_mut().map(|(_, value)| value)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_is_forgotten() {
        let mut numbered = Numbered::default();
        (0..=MOST).for_each(|number| numbered.insert(number, ()));
        assert_eq!(numbered.take(&0), None);
        assert_eq!(numbered.take(&1), Some(()));
        assert_eq!(numbered.take(&1), None);
    }
}
