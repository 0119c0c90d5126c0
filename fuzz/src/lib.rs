//! What the targets in `bin/` check; those of the crates `ntlm` and `ntlm-smb` are also
//! replayed by their tests.

pub mod carriers;
pub mod decoders;
pub mod machines;
pub mod smb;
pub mod traffic;
