//! What clients may cost a server.

use std::time::Duration;

/// What clients may cost a server.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// How many connections there may be. One more makes the oldest go on which nobody is logged
    /// on; where there is none, it is closed at once.
    pub connections: usize,
    /// How long a connection may be without a session: before the logon, and after the logoff.
    pub log_on: Duration,
    /// How long a connection may be silent.
    pub silence: Duration,
    /// How long a message may take from its first byte to its last, and an answer until it is sent.
    pub message: Duration,
    /// How long the judge may take, and the wait for his turn.
    pub judge: Duration,
    /// How many logons of one connection are judged at a time; the others wait.
    pub judging: usize,
    /// How long connections may take to end once the server stops.
    pub shutdown: Duration,
    /// The longest message that is received, in bytes.
    pub message_len: usize,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            connections: 512,
            log_on: Duration::from_secs(20),
            silence: Duration::from_secs(15 * 60),
            message: Duration::from_secs(30),
            judge: Duration::from_secs(30),
            judging: 4,
            shutdown: Duration::from_secs(5),
            message_len: 128 << 10,
        }
    }
}
