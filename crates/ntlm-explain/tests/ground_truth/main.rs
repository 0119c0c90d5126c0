//! What real captures come to, against what others found in them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "helpers of tests; a panic is how a test fails"
)]

mod captures;
mod channel_bindings;
mod common;
mod http;
mod public;
mod tshark;
