//! An SMB client before a server that may be anybody.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::smb::smb_client(data));
