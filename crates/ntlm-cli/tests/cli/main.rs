//! The program as people run it.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests may fail as tests do"
)]

mod common;
mod explain;
mod hostile;
mod keys_and_decode;
mod schema;
