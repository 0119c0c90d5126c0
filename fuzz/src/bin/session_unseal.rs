//! Protected messages under any flags.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::machines::session_unseal(data));
