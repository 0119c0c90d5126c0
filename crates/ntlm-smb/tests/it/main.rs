//! Vectors and captures, through the public API.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests; a panic is how a test fails"
)]

mod captures;
mod client;
mod common;
mod evidence;
mod hostile;
mod messages;
mod rules;
mod server;
mod vectors;
