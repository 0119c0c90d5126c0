//! What is said over a connection, starting from SMB 1.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::carriers::carrier(data));
