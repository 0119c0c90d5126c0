//! What the targets in `bin/` check; those of the crates `ntlm`, `ntlm-smb` and
//! `ntlm-netlogon` are also replayed by their tests.

pub mod carriers;
pub mod decoders;
pub mod machines;
pub mod netlogon;
pub mod smb;
pub mod traffic;
