//! Tests through the public API, both ends in memory.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests; a panic is how a test fails"
)]

mod common;
mod handshake;
mod messages;
mod policy;
mod rules;
mod session;
mod vectors;
