//! What a server may answer to a client that logs on, whoever it is.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::netlogon::rpc_client(data));
