//! The clock and randomness of this machine.

use ntlm::{FileTime, Fresh};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// The time and random bytes for one step.
///
/// # Errors
///
/// The operating system gives no random bytes.
pub fn fresh() -> io::Result<Fresh> {
    Ok(Fresh::from_random(now(), random()?))
}

/// Random bytes of the operating system.
///
/// # Errors
///
/// There are none.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

fn now() -> FileTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    FileTime::from_unix_nanos(since.as_nanos())
}
