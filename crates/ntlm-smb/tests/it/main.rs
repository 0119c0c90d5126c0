//! Vectors and captures, through the public API.

mod captures;
mod common;
mod messages;
mod vectors;
