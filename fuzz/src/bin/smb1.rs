//! A message of SMB 1: read, signed, verified.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::smb::smb1(data));
