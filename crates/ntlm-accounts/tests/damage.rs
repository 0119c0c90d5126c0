//! Damaged files: an error or accounts, never a panic, whatever format they are taken for.

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};

const TEXTS: [&str; 3] = [
    include_str!("data/accounts.toml"),
    include_str!("data/users"),
    include_str!("data/smbpasswd"),
];

fn read(text: &str) {
    let _ = Format::detect(text);
    for format in [Format::Toml, Format::UserFile, Format::Smbpasswd] {
        let mut accounts = Accounts::new(CodePage::Cp437);
        match accounts.add("file", text, format) {
            Ok(()) => accounts.iter().for_each(|account| {
                let domain = account.domain.clone().unwrap_or_default();
                let _ = accounts.find(&account.user, &domain);
                assert!(!account.user.is_empty());
                assert!((1..=text.lines().count()).contains(&account.origin.line));
            }),
            Err(error) => {
                assert!(error.to_string().starts_with("file line "), "{error}");
                assert!(accounts.is_empty());
            }
        }
    }
}

#[test]
fn every_prefix() {
    for text in TEXTS {
        (0..=text.len()).filter_map(|end| text.get(..end)).for_each(read);
    }
}

#[test]
fn every_byte_damaged() {
    for text in TEXTS {
        for place in 0..text.len() {
            for byte in *b"\0\n\r\"'#:=[\\]{\xff" {
                let mut bytes = text.as_bytes().to_vec();
                bytes[place] = byte;
                read(&String::from_utf8_lossy(&bytes));
            }
        }
    }
}

#[test]
fn every_byte_missing_or_doubled() {
    for text in TEXTS {
        for place in 0..text.len() {
            let mut bytes = text.as_bytes().to_vec();
            let byte = bytes.remove(place);
            read(&String::from_utf8_lossy(&bytes));
            bytes.splice(place..place, [byte, byte]);
            read(&String::from_utf8_lossy(&bytes));
        }
    }
}

#[test]
fn deep_nesting_ends_early() {
    for open in ["[", "{a=", "a.", "[[", "[{a="] {
        read(&format!("[[account]]\nuser = {}", open.repeat(100_000)));
        read(&open.repeat(100_000));
    }
}
