//! NT responses and `NTLMv2_CLIENT_CHALLENGE`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::decoders::ntlmv2_response(data));
