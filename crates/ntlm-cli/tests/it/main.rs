//! The built program, run as people run it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "helpers of tests; a panic is how a test fails"
)]

mod common;
#[expect(dead_code, reason = "shared; not every way to fail is of interest here")]
#[path = "../../../ntlm-net/tests/it/controller.rs"]
mod controller;
mod domain;
mod explain;
mod hostile;
mod keys_and_decode;
mod logon;
mod schema;
mod serve;
#[path = "../../../ntlm-net/tests/it/smbd.rs"]
mod smbd;
