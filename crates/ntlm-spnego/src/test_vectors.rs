//! The vectors that the tests read.

use serde_json::Value;
use std::vec::Vec;

/// Those of testdata/vectors/spnego.json that were verified, which is all of them.
pub(crate) fn all() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/vectors/spnego.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = file["vectors"].as_array().unwrap().clone();
    assert!(vectors.iter().all(|vector| vector["verified"] == true));
    vectors
}

/// The bytes of a hexadecimal string; none where there is no string.
pub(crate) fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_default();
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
