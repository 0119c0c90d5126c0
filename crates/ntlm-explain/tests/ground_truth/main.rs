//! What real captures come to, against what others found in them.

mod captures;
mod channel_bindings;
mod common;
mod http;
mod public;
mod tshark;
