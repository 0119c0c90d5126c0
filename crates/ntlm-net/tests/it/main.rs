//! The client against servers that mean harm, and against a real one; the server against clients.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "helpers of tests; a panic is how a test fails"
)]

mod common;
mod controller;
mod dc;
mod domain;
mod domain_live;
mod explained;
mod hostile;
mod judges;
mod samba;
mod server;
mod smbd;

/// The controller is as the script makes it.
const CONTROLLER_KEYS: [&str; 0] = [];
