//! Through the public API: published vectors, and every recorded DCE/RPC association.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests; a panic is how a test fails"
)]

mod associations;
mod calls;
mod channels;
mod client;
mod common;
#[path = "../../../ntlm-net/tests/it/dc.rs"]
mod dc;
mod hostile;
mod impacket;
mod logged_on;
mod pdus;
mod protected;
mod samr;
mod vectors;
mod wire;

/// The controller takes what is weak too.
const CONTROLLER_KEYS: [&str; 2] = ["NTLM_AUTH=ntlmv1-permitted", "REJECT_MD5=no"];
