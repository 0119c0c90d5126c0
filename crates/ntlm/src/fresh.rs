//! What comes from outside: the clock and randomness.

use crate::keys::RandomSessionKey;
use crate::time::FileTime;
use core::fmt;

/// The time and the random bytes of one step. Every value is good for one use.
pub struct Fresh {
    /// The clock.
    pub now: FileTime,
    /// ClientChallenge at the client, ServerChallenge at the server.
    pub nonce: [u8; 8],
    /// RandomSessionKey, where the client exchanges one; the server has no use for it.
    pub random_session_key: RandomSessionKey,
}

impl Fresh {
    /// Divides 24 bytes, which must come from the operating system's generator.
    #[must_use]
    pub const fn from_random(now: FileTime, random: [u8; 24]) -> Self {
        let [a, b, c, d, e, f, g, h, key @ ..] = random;
        let nonce = [a, b, c, d, e, f, g, h];
        Self { now, nonce, random_session_key: RandomSessionKey::new(key) }
    }
}

impl fmt::Debug for Fresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fresh").field("now", &self.now).finish_non_exhaustive()
    }
}
