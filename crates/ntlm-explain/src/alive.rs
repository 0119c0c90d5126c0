//! How many sessions with keys there are at once, in a whole capture.

use std::sync::Arc;

/// Counts them: as many more references as there are sessions with keys.
#[derive(Debug, Default)]
pub(crate) struct Alive(Arc<()>);

impl Alive {
    /// More than this with keys, and keys are not derived for another until one is over.
    const MOST: usize = 4096;

    /// What a session with keys holds on to; `None` if there are too many.
    pub(crate) fn token(&self) -> Option<Arc<()>> {
        (Arc::strong_count(&self.0) <= Self::MOST).then(|| Arc::clone(&self.0))
    }
}

/// Why there are no keys where there is no token.
pub(crate) const TOO_MANY: &str = "there are too many sessions at once";
