//! The built program, run as people run it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests; a panic is how a test fails"
)]

mod common;
mod explain;
mod hostile;
mod keys_and_decode;
mod logon;
mod schema;
mod serve;
#[path = "../../../ntlm-net/tests/it/smbd.rs"]
mod smbd;
