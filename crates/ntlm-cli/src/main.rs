//! The program `ntlm`.
fn main() {}
