//! What a server may answer, at each step of the client.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::netlogon::netlogon_client(data));
