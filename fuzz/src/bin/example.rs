//! The smallest target: shows that seeds, coverage and crashes work. Goes when the decoders have theirs.
#![no_main]

use ntlm as _;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(rest) = data.strip_prefix(b"NTLMSSP\0") {
        let message_type = rest.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
        std::hint::black_box(message_type);
    }
});
