//! Through the public API: published vectors, and every recorded DCE/RPC association.

mod common;
mod pdus;
