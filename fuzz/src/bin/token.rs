//! A token as people paste it, from text or bytes to the page that shows it.
#![no_main]

use ntlm::text::CodePage;
use ntlm_explain::{Decoded, Token, render};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    for token in [Token::from_bytes(data), Token::from_text(&text)].into_iter().flatten() {
        if let Ok(decoded) = Decoded::new(&token.bytes, CodePage::Cp850) {
            let _ = render::message(&decoded, render::Layout::new(80));
            serde_json::to_string(&decoded).expect("it becomes JSON");
        }
    }
});
