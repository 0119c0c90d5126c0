//! Every element of a DER document.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::decoders::der(data));
