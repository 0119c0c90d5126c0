//! A stream of DCE/RPC fragments: read, written, read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::netlogon::rpc_pdu(data));
