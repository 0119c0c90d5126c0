//! Three messages together: proof, keys, MIC.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::decoders::exchange(data));
