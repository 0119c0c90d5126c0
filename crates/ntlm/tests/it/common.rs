//! What the tests share: hex, the vector files, nonces that are not random.

use ntlm::{FileTime, Fresh};
use serde_json::Value;

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file of testdata/vectors, parsed.
pub(crate) fn vector_file(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/vectors/");
    let text = std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Every vector: the published ones and our own.
pub(crate) fn all_vectors() -> Vec<Value> {
    ["nlmp.json", "derived.json"]
        .iter()
        .flat_map(|name| vector_file(name)["vectors"].as_array().unwrap().clone())
        .collect()
}

/// 2026-01-01.
pub(crate) const NOW: FileTime = FileTime::from_unix_seconds(1_767_225_600);

pub(crate) fn fresh(seed: u8) -> Fresh {
    Fresh::from_random(NOW, [seed; 24])
}
