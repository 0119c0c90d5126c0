//! Tests through the public API, both ends in memory.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests; a panic is how a test fails"
)]

mod common;
mod hostile;
mod negotiation;
mod order;
mod tokens;
mod vectors;
