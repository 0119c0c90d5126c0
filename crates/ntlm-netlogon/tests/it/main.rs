//! Through the public API: published vectors, and every recorded DCE/RPC association.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests; a panic is how a test fails"
)]

mod calls;
mod client;
mod common;
mod hostile;
mod pdus;
mod protected;
mod vectors;
