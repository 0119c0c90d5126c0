//! Why the program stops with exit code 2.

use std::fmt;
use std::io;

/// A message for people: what is wrong, and what to do next.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Whoever read our output has gone, which is their right.
    ClosedPipe,
    /// Everything else.
    Message(String),
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::Message(message.into())
    }

    /// An error of the operating system, with what it was about.
    pub(crate) fn io(what: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Message(format!("{what}: {error}")),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ClosedPipe => f.write_str("output was closed"),
            Self::Message(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Failure {}
