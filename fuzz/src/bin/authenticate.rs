//! AUTHENTICATE_MESSAGE: decoded, encoded, decoded again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::decoders::authenticate(data));
