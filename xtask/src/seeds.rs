//! What the fuzz targets start from, taken out of testdata/.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::workspace::root;

/// Larger files make the fuzzer slow and find nothing that small ones do not.
const LONGEST: usize = 16 * 1024;

/// The seeds of a target: every hexadecimal string of the JSON files unless it wants others.
pub(crate) fn seeds_of(target: &str) -> BTreeSet<Vec<u8>> {
    match target {
        "negotiate" => messages(1),
        "challenge" => messages(2),
        "authenticate" => messages(3),
        "der" | "certificate" => {
            hex_strings().into_iter().filter(|bytes| bytes.starts_with(&[0x30])).collect()
        }
        "capture" | "explain" => contents(&["pcap", "pcapng"]),
        "accounts" => contents(&["toml"]),
        _ => hex_strings(),
    }
}

fn messages(message_type: u8) -> BTreeSet<Vec<u8>> {
    let start = [b"NTLMSSP\0".as_slice(), &[message_type, 0, 0, 0]].concat();
    hex_strings().into_iter().filter(|bytes| bytes.starts_with(&start)).collect()
}

fn hex_strings() -> BTreeSet<Vec<u8>> {
    let texts = contents(&["json"]).into_iter();
    let strings = texts.flat_map(|text| {
        let text = String::from_utf8_lossy(&text).into_owned();
        text.split('"').filter_map(bytes_of_hex).collect::<Vec<_>>()
    });
    strings.filter(|bytes| bytes.len() >= 2 && bytes.len() <= LONGEST).collect()
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Every file of testdata/ that ends so; pcap and TOML only where short enough to be a seed.
fn contents(extensions: &[&str]) -> BTreeSet<Vec<u8>> {
    let is_source = extensions == ["json"];
    files(&root().join("testdata"))
        .into_iter()
        .filter(|path| {
            path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
        })
        .filter_map(|path| fs::read(path).ok())
        .filter(|bytes| is_source || bytes.len() <= LONGEST)
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_and_other_text_is_not() {
        assert_eq!(bytes_of_hex("00ffA1"), Some(vec![0, 255, 0xa1]));
        assert_eq!(bytes_of_hex("00f"), None);
        assert_eq!(bytes_of_hex("alice"), None);
    }

    #[test]
    fn every_kind_of_seed_is_there() {
        for target in ["negotiate", "challenge", "authenticate", "der", "capture", "accounts"] {
            assert!(!seeds_of(target).is_empty(), "{target}");
        }
    }
}
