//! What unit tests share: the vector file.

use serde_json::Value;
use std::vec::Vec;

pub(crate) fn vectors(category: &str) -> Vec<Value> {
    let json = include_str!("../../../testdata/vectors/smb.json");
    let file: Value = serde_json::from_str(json).unwrap();
    let vectors = file["vectors"].as_array().unwrap().iter();
    vectors.filter(|vector| vector["category"] == category).cloned().collect()
}

pub(crate) fn unhex(text: &Value) -> Vec<u8> {
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    let text = text.as_str().unwrap().as_bytes();
    text.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
