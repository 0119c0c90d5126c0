//! An encrypted packet of SMB 3: opened, encrypted, opened again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::smb::transform(data));
