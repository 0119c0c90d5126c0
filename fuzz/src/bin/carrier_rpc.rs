//! What is said over a connection, starting from DCE/RPC.
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::carriers::carrier(data));
