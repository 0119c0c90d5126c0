//! What is refused, and in which words.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, AccountsError, Format};

const HASH: &str = "8846f7eaee8fb117ad06bdd830b7586c";

fn error(text: &str, format: Format) -> String {
    let mut accounts = Accounts::new(CodePage::Cp437);
    let error = accounts.add("file", text, format).unwrap_err();
    assert!(accounts.is_empty(), "{text}");
    error.to_string()
}

#[test]
fn toml_errors_say_line_and_key() {
    const NO_SECRET: &str = "1: no password, password_utf16le, nt_hash, \
        exported_session_key or netlogon_session_key";
    for (body, expected) in [
        ("user = 'a'", NO_SECRET),
        ("password = 'p'", "1: user: missing"),
        ("user = ''\npassword = 'p'", "2: user: empty"),
        ("user = 'a'\nuser = 'b'", "3: user: given twice"),
        ("user = 'a'\npasword = 'p'", "3: pasword: unknown key"),
        ("user = 'a'\n\"pass\\nword\" = 'p'", "3: pass\\nword: unknown key"),
        ("user = 'a'\n\npassword.value = 'p'", "4: password: unknown key"),
        ("User = 'a'", "2: User: unknown key"),
        ("user = 7", "2: user: not a string"),
        ("user = 'a'\npassword = 20260101", "3: password: not a string"),
        ("user = 'a'\npassword = true", "3: password: not a string"),
        ("user = 'a'\npassword = ['p']", "3: password: not a string"),
        ("user = 'a'\npassword = { p = 'p' }", "3: password: not a string"),
        ("user = 'a'\npassword = 's3cret'\n\nnt_hash = 's3cret'", "5: nt_hash: a second secret"),
        ("user = 'a'\nnt_hash = 's3cret'\npassword = 's3cret'", "4: password: a second secret"),
        (
            "user = 'a'\npassword = 's3cret'\npassword_utf16le = ''",
            "4: password_utf16le: a second secret",
        ),
        (
            "user = 'a'\npassword = 's3cret'\nexported_session_key = ''",
            "4: exported_session_key: a second secret",
        ),
        ("user = 'a'\npassword = 's3cret'\nlm_hash = 's3cret'", "4: lm_hash: only with nt_hash"),
        ("user = 'a'\nlm_hash = 's3cret'", "3: lm_hash: only with nt_hash"),
        (
            "user = 'a'\npassword = 'p'\nserver_challenge = ''",
            "4: server_challenge: only with exported_session_key",
        ),
        (
            "user = 'a'\nexported_session_key = '00112233445566778899aabbccddeeff'",
            "1: server_challenge: missing",
        ),
        ("user = 'a'\nnetlogon_session_key = '0011'", "3: netlogon_session_key: not 32 hex digits"),
        (
            "user = 'a'\nserver_challenge = '0011223344556677'\nexported_session_key = '0011'",
            "4: exported_session_key: not 32 hex digits",
        ),
        (
            "user = 'a'\nserver_challenge = '00112233445566'\nexported_session_key = \
             '00112233445566778899aabbccddeeff'",
            "3: server_challenge: not 16 hex digits",
        ),
        ("user = 'a'\nnt_hash = ''", "3: nt_hash: not 32 hex digits"),
        (
            "user = 'a'\nnt_hash = 's3crets3crets3crets3crets3crets3'",
            "3: nt_hash: not 32 hex digits",
        ),
        (
            "user = 'a'\nnt_hash = '8846f7eaee8fb117ad06bdd830b7586c '",
            "3: nt_hash: not 32 hex digits",
        ),
        (
            "user = 'a'\nnt_hash = '8846f7eaee8fb117ad06bdd830b7586c'\nlm_hash = '00'",
            "4: lm_hash: not 32 hex digits",
        ),
        ("user = 'a'\npassword_utf16le = '61'", "3: password_utf16le: not UTF-16LE in hex"),
        ("user = 'a'\npassword_utf16le = '610'", "3: password_utf16le: not UTF-16LE in hex"),
        ("user = 'a'\npassword_utf16le = 's3cret'", "3: password_utf16le: not UTF-16LE in hex"),
        ("user = 'a'\npassword = 's3cret", "3: not TOML"),
        ("user = 'a'\npassword = \"s3cret\\q\"", "3: not TOML"),
        ("user = 'a'\npassword = \"\\ud800\"", "3: not TOML"),
        ("user = 'a'\npassword = s3cret", "3: password: not a string"),
        ("user = 'a'\npassword =", "3: password: not a string"),
        ("user = 'a'\n's3cret'", "3: not TOML"),
        ("user = 'a' password = 's3cret'", "2: not TOML"),
        ("user = 'a'\n[server]\nport = 1", "3: not in an [[account]]"),
        (
            "user = 'a'\npassword = 'p'\n[[account]]\nuser = 'b'",
            "4: no password, password_utf16le, nt_hash, exported_session_key or \
             netlogon_session_key",
        ),
    ] {
        let expected = format!("file line {expected}");
        for text in [format!("[[account]]\n{body}\n"), format!("\u{feff}[[account]]\n{body}\n")] {
            let shown = error(&text, Format::Toml);
            assert_eq!(shown, expected, "{text}");
            assert!(!shown.contains("s3cret"));
            assert_eq!(error(&text.replace('\n', "\r\n"), Format::Toml), expected, "{text}");
        }
    }
}

#[test]
fn toml_knows_only_account_tables() {
    for text in [
        "user = 'a'\npassword = 'p'",
        "[account]\nuser = 'a'\npassword = 'p'",
        "[[accounts]]\nuser = 'a'\npassword = 'p'",
        "[[account.more]]\nuser = 'a'",
        "account = [{ user = 'a', password = 'p' }]",
        "account.user = 'a'",
    ] {
        assert_eq!(error(text, Format::Toml), "file line 1: not in an [[account]]", "{text}");
    }
}

#[test]
fn user_file_errors_say_the_line() {
    for (text, expected) in [
        ("s3cret", "file line 1: not DOMAIN:user:password"),
        ("\n#\nalice:s3cret", "file line 3: not DOMAIN:user:password"),
        ("A:b:c\r\n::s3cret", "file line 2: user: empty"),
    ] {
        assert_eq!(error(text, Format::UserFile), expected);
    }
}

#[test]
fn smbpasswd_errors_say_line_and_field() {
    let x31 = "X".repeat(31);
    let x32 = "X".repeat(32);
    let no_password = format!("NO PASSWORD{}", "X".repeat(20));
    for (line, expected) in [
        ("s3cret".to_owned(), "not user:uid:LMHASH:NTHASH:[flags]"),
        (format!("a:1:{HASH}"), "not user:uid:LMHASH:NTHASH:[flags]"),
        (format!(":1:{HASH}:{HASH}:[U]:"), "user: empty"),
        (format!("CORP\\:1:{HASH}:{HASH}:[U]:"), "user: empty"),
        (format!("a::{HASH}:{HASH}:[U]:"), "uid: not a number"),
        (format!("a:-1:{HASH}:{HASH}:[U]:"), "uid: not a number"),
        (format!("a:1:s3cret:{HASH}:[U]:"), "lm_hash: not 32 hex digits"),
        (format!("a:1:{x31}:{HASH}:[U]:"), "lm_hash: not 32 hex digits"),
        (format!("a:1:{no_password}:{HASH}:[U]:"), "lm_hash: not 32 hex digits"),
        (format!("a:1:{x32}:{x31}*:[U]:"), "nt_hash: not 32 hex digits"),
        (format!("a:1:{x32}:s3crets3crets3crets3crets3crets3:[U]:"), "nt_hash: not 32 hex digits"),
        (format!("a:1:{x32}::[U]:"), "nt_hash: not 32 hex digits"),
        (format!("a:1:{x32}:{HASH}:s3cret:"), "flags: not account flags in brackets"),
        (format!("a:1:{x32}:{HASH}:[U:"), "flags: not account flags in brackets"),
        (format!("a:1:{x32}:{HASH}:[u]:"), "flags: not account flags in brackets"),
    ] {
        let shown = error(&format!("# comment\n{line}\n"), Format::Smbpasswd);
        assert_eq!(shown, format!("file line 2: {expected}"), "{line}");
    }
}

#[test]
fn texts_have_a_greatest_length() {
    let comment = format!("#{}", " ".repeat(Accounts::MAX_TEXT_LEN));
    for format in [Format::Toml, Format::UserFile, Format::Smbpasswd] {
        assert_eq!(error(&comment, format), "file: text too long");
        let mut accounts = Accounts::new(CodePage::Cp437);
        accounts.add("file", comment.strip_suffix(' ').unwrap(), format).unwrap();
    }
}

#[test]
fn accounts_are_limited_over_all_texts() {
    let line = format!("a:1:{HASH}:{HASH}\n");
    let half = line.repeat(Accounts::MAX_ACCOUNTS / 4);
    let mut accounts = Accounts::new(CodePage::Cp437);
    for label in ["1", "2", "3", "4"] {
        accounts.add(label, &half, Format::Smbpasswd).unwrap();
    }
    assert_eq!(accounts.len(), Accounts::MAX_ACCOUNTS);
    let error = accounts.add("5", &line, Format::Smbpasswd).unwrap_err();
    assert_eq!(error.to_string(), "5 line 1: too many accounts");
    assert_eq!(accounts.len(), Accounts::MAX_ACCOUNTS);
    accounts.add("6", "# none", Format::Smbpasswd).unwrap();
}

#[test]
fn refused_text_leaves_the_accounts_as_they_were() {
    let mut accounts = Accounts::new(CodePage::Cp437);
    accounts.add("1", "A:a:p", Format::UserFile).unwrap();
    let error = accounts.add("2", "A:a:q\nwrong", Format::UserFile).unwrap_err();
    assert!(matches!(error, AccountsError::Syntax { ref origin, format: Format::UserFile }
        if origin.line == 2 && &*origin.label == "2"));
    assert_eq!(accounts.len(), 1);
    assert!(accounts.find(&"a".into(), &"A".into()).unwrap().is_some());
}
