//! `AV_PAIR` lists: every pair and accessor, and rebuilt.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ntlm_fuzz::decoders::target_info(data));
