//! An SMB server before a client that may be anybody.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::smb::smb_server(data));
