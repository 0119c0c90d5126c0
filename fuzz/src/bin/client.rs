//! A client that any server speaks to.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::machines::client(data));
