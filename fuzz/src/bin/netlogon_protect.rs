//! A fragment under a channel's key: opened, refused, spoiled.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::netlogon::netlogon_protect(data));
