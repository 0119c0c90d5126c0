//! A packet of SMB 2 and 3: compounds, negotiate contexts, signatures.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::smb::smb2(data));
