//! What the targets in `bin/` check; those of the crate `ntlm` are also replayed by its tests.

pub mod decoders;
pub mod machines;
