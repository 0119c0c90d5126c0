//! The hash of a certificate for channel bindings.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::decoders::certificate(data));
