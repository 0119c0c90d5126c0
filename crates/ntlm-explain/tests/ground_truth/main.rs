//! What real captures come to, against what others found in them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod captures;
mod channel_bindings;
mod common;
mod http;
mod public;
mod rpc;
mod smb;
mod tshark;
