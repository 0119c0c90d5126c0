//! UTF-16 and code pages.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::decoders::text(data));
