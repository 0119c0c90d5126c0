//! A stub, as each call of Netlogon and of the endpoint mapper has it.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::netlogon::netlogon_calls(data));
