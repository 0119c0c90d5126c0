//! Every format, whole.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use hex_literal::hex;
use ntlm::keys::{AccountSecret, Password, ntowf_v1};
use ntlm::text::CodePage;
use ntlm_accounts::{Account, Accounts, Format, Secret};

const TOML: &str = include_str!("data/accounts.toml");
const USERS: &str = include_str!("data/users");
const SMBPASSWD: &str = include_str!("data/smbpasswd");

const NT_HASH: [u8; 16] = hex!("8846f7eaee8fb117ad06bdd830b7586c");
const LM_HASH: [u8; 16] = hex!("e52cac67419a9a224a3b108f3fa6cb6d");

fn read(text: &str, format: Format) -> Accounts {
    let mut accounts = Accounts::new(CodePage::Cp437);
    accounts.add("file", text, format).unwrap();
    accounts
}

fn names(accounts: &Accounts) -> Vec<(usize, Option<String>, String)> {
    let name = |account: &Account| {
        let domain = account.domain.as_ref().map(ToString::to_string);
        (account.origin.line, domain, account.user.to_string())
    };
    accounts.iter().map(name).collect()
}

fn secret(account: &Account) -> &AccountSecret {
    match &account.secret {
        Secret::Account(secret) => secret,
        other => panic!("{other:?}"),
    }
}

fn hashes(account: &Account) -> ([u8; 16], Option<[u8; 16]>) {
    let secret = secret(account);
    (*secret.nt_hash().expose(), secret.lm_hash().map(|hash| *hash.expose()))
}

fn nt_hash_of(password: &Password) -> [u8; 16] {
    *ntowf_v1(password).expose()
}

#[test]
fn toml_is_read() {
    assert_eq!(Format::detect(TOML), Some(Format::Toml));
    let accounts = read(TOML, Format::Toml);
    let example = || Some("EXAMPLE".to_owned());
    assert_eq!(
        names(&accounts),
        [
            (3, example(), "alice".to_owned()),
            (8, None, "bob".to_owned()),
            (13, Some("Überall".to_owned()), "Jürgen \u{1f511}".to_owned()),
            (20, None, "gmsa$".to_owned()),
            (25, example(), "alice".to_owned()),
            (31, None, "dora@example.com".to_owned()),
        ]
    );
    let all: Vec<_> = accounts.iter().collect();
    assert_eq!(hashes(all[0]), (NT_HASH, Some(LM_HASH)));
    assert_eq!(hashes(all[1]), (NT_HASH, Some(LM_HASH)));
    let password = Password::from("Schlüssel\t\u{263a} und mehr");
    assert_eq!(hashes(all[2]), (nt_hash_of(&password), None));
    let password = Password::from_units(&[0xd800, 0x41, 0xdc00]);
    assert_eq!(hashes(all[3]), (nt_hash_of(&password), None));
    let Secret::ExportedSessionKey { exported_session_key, server_challenge } = &all[4].secret
    else {
        panic!("{:?}", all[4]);
    };
    assert_eq!(exported_session_key.expose(), &hex!("000102030405060708090a0b0c0d0e0f"));
    assert_eq!(server_challenge, &hex!("0123456789abcdef"));
    assert_eq!(hashes(all[5]).0, nt_hash_of(&Password::from("")));
    assert!(accounts.iter().all(|account| !account.disabled));
}

#[test]
fn user_file_is_read() {
    assert_eq!(Format::detect(USERS), Some(Format::UserFile));
    let accounts = read(USERS, Format::UserFile);
    let example = || Some("EXAMPLE".to_owned());
    assert_eq!(
        names(&accounts),
        [
            (2, example(), "alice".to_owned()),
            (3, None, "bob".to_owned()),
            (5, Some("Überall".to_owned()), "Jürgen \u{1f511}".to_owned()),
            (6, example(), "empty".to_owned()),
            (7, example(), "dora@example.com".to_owned()),
        ]
    );
    let passwords = ["password", "with:colons: and spaces ", "# no comment", "", "password"];
    for (account, password) in accounts.iter().zip(passwords) {
        assert_eq!(hashes(account).0, nt_hash_of(&Password::from(password)));
        assert!(!account.disabled);
    }
}

#[test]
fn smbpasswd_is_read() {
    assert_eq!(Format::detect(SMBPASSWD), Some(Format::Smbpasswd));
    let accounts = read(SMBPASSWD, Format::Smbpasswd);
    assert_eq!(
        names(&accounts),
        [
            (2, None, "alice".to_owned()),
            (3, Some("EXAMPLE".to_owned()), "bob".to_owned()),
            (5, None, "ws1$".to_owned()),
            (8, None, "dora".to_owned()),
        ]
    );
    let lm_hashes = [Some(LM_HASH), None, None, None];
    for (account, lm_hash) in accounts.iter().zip(lm_hashes) {
        assert_eq!(hashes(account), (NT_HASH, lm_hash));
    }
    let disabled: Vec<_> = accounts.iter().map(|account| account.disabled).collect();
    assert_eq!(disabled, [false, true, false, false]);
    let without_secret: Vec<_> = accounts.without_secret().iter().map(|o| o.line).collect();
    assert_eq!(without_secret, [6, 7]);
}

#[test]
fn byte_order_mark_and_cr_lf_change_nothing() {
    for (text, format) in
        [(TOML, Format::Toml), (USERS, Format::UserFile), (SMBPASSWD, Format::Smbpasswd)]
    {
        let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
        assert_eq!(Format::detect(&windows), Some(format));
        let (plain, windows) = (read(text, format), read(&windows, format));
        assert_eq!(names(&plain), names(&windows));
        for (plain, windows) in plain.iter().zip(windows.iter()) {
            if let Secret::Account(_) = plain.secret {
                assert_eq!(hashes(plain), hashes(windows), "{}", plain.origin);
            }
        }
    }
}

#[test]
fn lm_hash_is_that_of_the_code_page() {
    let text = ":a:é";
    let lm_hash = |code_page| {
        let mut accounts = Accounts::new(code_page);
        accounts.add("users", text, Format::UserFile).unwrap();
        hashes(accounts.iter().next().unwrap()).1
    };
    assert_ne!(lm_hash(CodePage::Cp437), lm_hash(CodePage::Windows1252));
    assert_eq!(lm_hash(CodePage::Ascii), None);
}

#[test]
fn empty_texts_hold_no_accounts() {
    for format in [Format::Toml, Format::UserFile, Format::Smbpasswd] {
        for text in ["", "\u{feff}", "\n\r\n", "# comment", "#\n\n# comment\r\n   \n"] {
            assert!(read(text, format).is_empty(), "{format:?} {text:?}");
        }
    }
}

#[test]
fn secrets_are_in_no_debug_output() {
    let accounts = read(TOML, Format::Toml);
    let debug = format!("{accounts:?}").to_lowercase();
    for secret in ["8846", "136, 70", "e52cac", "229, 44", "00010203", "0, 1, 2", "schl"] {
        assert!(!debug.contains(secret), "{secret}");
    }
}
