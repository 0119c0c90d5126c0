//! The rule: which account a client means.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use hex_literal::hex;
use ntlm::text::{CodePage, Utf16String};
use ntlm_accounts::{Accounts, Format, MatchKind};

fn user_file(text: &str) -> Accounts {
    let mut accounts = Accounts::new(CodePage::Cp437);
    accounts.add("users", text, Format::UserFile).unwrap();
    accounts
}

fn toml(text: &str) -> Accounts {
    let mut accounts = Accounts::new(CodePage::Cp437);
    accounts.add("accounts.toml", text, Format::Toml).unwrap();
    accounts
}

/// The line of what is found and why, or the error in words.
fn find(
    accounts: &Accounts,
    user: &str,
    domain: &str,
) -> Result<Option<(usize, MatchKind)>, String> {
    let found = accounts.find(&user.into(), &domain.into()).map_err(|error| error.to_string())?;
    Ok(found.map(|found| (found.account.origin.line, found.kind)))
}

const SAME: MatchKind = MatchKind::SameDomain;
const ANY: MatchKind = MatchKind::AnyDomain;
const OTHER: MatchKind = MatchKind::OtherDomain;

#[test]
fn same_domain_goes_before_no_domain_before_another() {
    let accounts = user_file(":alice:1\nEXAMPLE:alice:2\nOTHER:alice:3\nEXAMPLE:bob:4\n:carol:5");
    assert_eq!(find(&accounts, "alice", "EXAMPLE"), Ok(Some((2, SAME))));
    assert_eq!(find(&accounts, "ALICE", "other"), Ok(Some((3, SAME))));
    assert_eq!(find(&accounts, "Alice", "THIRD"), Ok(Some((1, ANY))));
    assert_eq!(find(&accounts, "alice", ""), Ok(Some((1, ANY))));
    assert_eq!(find(&accounts, "bob", "example"), Ok(Some((4, SAME))));
    assert_eq!(find(&accounts, "bob", "OTHER"), Ok(Some((4, OTHER))));
    assert_eq!(find(&accounts, "bob", ""), Ok(Some((4, OTHER))));
    assert_eq!(find(&accounts, "carol", "EXAMPLE"), Ok(Some((5, ANY))));
    assert_eq!(find(&accounts, "dora", "EXAMPLE"), Ok(None));
    assert_eq!(find(&accounts, "", ""), Ok(None));
}

#[test]
fn user_of_several_other_domains_is_nobody() {
    let accounts = user_file("A:alice:p\nB:alice:p");
    assert_eq!(find(&accounts, "alice", "C"), Ok(None));
    let accounts = user_file("A:alice:p\nA:alice:q");
    assert_eq!(find(&accounts, "alice", "C"), Ok(None));
}

#[test]
fn entries_that_fit_equally_are_an_error_that_names_both() {
    let mut accounts = user_file("A:alice:p\n:bob:p\nB:alice:p");
    accounts.add("more", "\na:ALICE:q\n:Bob:q", Format::UserFile).unwrap();
    let ambiguous = Err("users line 1 and more line 2 fit equally".to_owned());
    assert_eq!(find(&accounts, "alice", "A"), ambiguous);
    let ambiguous = Err("users line 2 and more line 3 fit equally".to_owned());
    assert_eq!(find(&accounts, "bob", "A"), ambiguous);
    assert_eq!(find(&accounts, "alice", "B"), Ok(Some((3, SAME))));
}

#[test]
fn ambiguity_without_domain_is_hidden_by_the_same_domain() {
    let accounts = user_file(":alice:p\n:alice:q\nA:alice:r");
    assert_eq!(find(&accounts, "alice", "A"), Ok(Some((3, SAME))));
    assert!(find(&accounts, "alice", "B").is_err());
}

#[test]
fn entries_alike_count_as_one() {
    let mut accounts = user_file("A:alice:p\n:bob:p");
    accounts.add("again", "a:Alice:p\n:BOB:p", Format::UserFile).unwrap();
    assert_eq!(find(&accounts, "alice", "A"), Ok(Some((1, SAME))));
    assert_eq!(find(&accounts, "alice", "B"), Ok(Some((1, OTHER))));
    assert_eq!(find(&accounts, "bob", "B"), Ok(Some((2, ANY))));
}

#[test]
fn entries_that_differ_in_lm_hash_or_disabled_are_not_alike() {
    let (x, nt_hash) = ("X".repeat(32), "8846f7eaee8fb117ad06bdd830b7586c");
    for (first, second) in [
        (format!("a:1:{x}:{nt_hash}:[U]:"), format!("a:1:{x}:{nt_hash}:[DU]:")),
        (format!("a:1:{x}:{nt_hash}:[U]:"), format!("a:1:{nt_hash}:{nt_hash}:[U]:")),
    ] {
        let mut accounts = Accounts::new(CodePage::Cp437);
        accounts.add("smbpasswd", &format!("{first}\n{second}"), Format::Smbpasswd).unwrap();
        assert!(find(&accounts, "a", "").is_err());
        let mut accounts = Accounts::new(CodePage::Cp437);
        accounts.add("smbpasswd", &format!("{first}\n{first}"), Format::Smbpasswd).unwrap();
        assert_eq!(find(&accounts, "a", ""), Ok(Some((1, ANY))));
    }
}

#[test]
fn case_is_that_of_windows() {
    let accounts = user_file("Überall:Jürgen \u{1f511}:1\n:straße:2\n:ж\u{10428}:3\n:σ:4");
    assert_eq!(find(&accounts, "JÜRGEN \u{1f511}", "ÜBERALL"), Ok(Some((1, SAME))));
    assert_eq!(find(&accounts, "STRAßE", ""), Ok(Some((2, ANY))));
    assert_eq!(find(&accounts, "STRASSE", ""), Ok(None));
    assert_eq!(find(&accounts, "Ж\u{10428}", ""), Ok(Some((3, ANY))));
    // Beyond the first plane Windows knows no case.
    assert_eq!(find(&accounts, "Ж\u{10400}", ""), Ok(None));
    assert_eq!(find(&accounts, "Σ", ""), Ok(Some((4, ANY))));
    assert_eq!(find(&accounts, "ς", ""), Ok(None));
}

#[test]
fn names_need_not_be_valid_unicode() {
    let accounts = user_file(":\u{fffd}:1");
    let unpaired = Utf16String::from_units([0xd800]);
    assert!(accounts.find(&unpaired, &unpaired).unwrap().is_none());
}

#[test]
fn user_principal_names_are_compared_whole() {
    let accounts =
        user_file("EXAMPLE.COM:alice:1\n:bob@example.com:2\nEXAMPLE:carol@example.com:3");
    assert_eq!(find(&accounts, "alice@example.com", ""), Ok(None));
    assert_eq!(find(&accounts, "BOB@example.com", ""), Ok(Some((2, ANY))));
    assert_eq!(find(&accounts, "bob", "example.com"), Ok(None));
    assert_eq!(find(&accounts, "carol@EXAMPLE.COM", ""), Ok(Some((3, OTHER))));
}

const SESSION_KEYS: &str = "
[[account]]
user = 'alice'
exported_session_key = '000102030405060708090a0b0c0d0e0f'
server_challenge = '0000000000000001'
[[account]]
user = 'alice'
exported_session_key = '101112131415161718191a1b1c1d1e1f'
server_challenge = '0000000000000002'
[[account]]
user = 'alice'
domain = 'EXAMPLE'
password = 'p'
[[account]]
user = 'bob'
exported_session_key = '202122232425262728292a2b2c2d2e2f'
server_challenge = '0000000000000003'
";

#[test]
fn session_keys_are_found_by_server_challenge_alone() {
    let accounts = toml(SESSION_KEYS);
    let line = |server_challenge| {
        let found = accounts.find_session_key(server_challenge).unwrap()?;
        Some((found.account.origin.line, found.exported_session_key.expose()[0]))
    };
    assert_eq!(line([0, 0, 0, 0, 0, 0, 0, 1]), Some((2, 0x00)));
    assert_eq!(line([0, 0, 0, 0, 0, 0, 0, 2]), Some((6, 0x10)));
    assert_eq!(line([0, 0, 0, 0, 0, 0, 0, 3]), Some((14, 0x20)));
    assert_eq!(line([0, 0, 0, 0, 0, 0, 0, 4]), None);
}

#[test]
fn session_keys_are_no_accounts_to_find() {
    let accounts = toml(SESSION_KEYS);
    assert_eq!(find(&accounts, "alice", "EXAMPLE"), Ok(Some((10, SAME))));
    assert_eq!(find(&accounts, "alice", "OTHER"), Ok(Some((10, OTHER))));
    assert_eq!(find(&accounts, "bob", "EXAMPLE"), Ok(None));
}

#[test]
fn different_keys_for_one_exchange_are_an_error() {
    let mut accounts = toml(SESSION_KEYS);
    accounts.add("again", SESSION_KEYS, Format::Toml).unwrap();
    let server_challenge = hex!("0000000000000002");
    assert!(accounts.find_session_key(server_challenge).unwrap().is_some());
    let other = SESSION_KEYS.replace("101112", "202122");
    accounts.add("other", &other, Format::Toml).unwrap();
    let error = accounts.find_session_key(server_challenge).unwrap_err();
    assert_eq!(error.to_string(), "accounts.toml line 6 and other line 6 fit equally");
    assert!(accounts.find_session_key(hex!("0000000000000001")).unwrap().is_some());
}

/// Keys of channels are found by the machine's account, and tell nothing of its password.
#[test]
fn the_key_of_a_channel_is_found_by_account_and_challenge() {
    let entry = |domain: &str, key: u8, challenge: &str| {
        let challenge = match challenge {
            "" => String::new(),
            challenge => format!("server_challenge = '{challenge}'\n"),
        };
        let key = format!("{key:02x}").repeat(16);
        format!(
            "[[account]]\nuser = 'MEMBER1$'\ndomain = '{domain}'\nnetlogon_session_key = '{key}'\n{challenge}"
        )
    };
    let text = [
        entry("CORP", 1, "0011223344556677"),
        entry("CORP", 2, ""),
        entry("", 3, ""),
        entry("OTHER", 4, "ffffffffffffffff"),
    ];
    let accounts = toml(&text.concat());
    let key = |user: &str, domain: &str, challenge| {
        let found = accounts.find_netlogon_session_key(&user.into(), &domain.into(), challenge);
        found.unwrap().map(|key| key.expose()[0])
    };
    let (one, other) = (hex!("0011223344556677"), hex!("7766554433221100"));
    assert_eq!(key("member1$", "corp", Some(one)), Some(1));
    assert_eq!(key("MEMBER1$", "CORP", Some(other)), Some(2));
    assert_eq!(key("MEMBER1$", "THIRD", Some(one)), Some(3));
    assert_eq!(key("MEMBER2$", "CORP", Some(one)), None);
    assert!(find(&accounts, "MEMBER1$", "CORP").unwrap().is_none());
    let accounts = toml(&[entry("CORP", 1, ""), entry("CORP", 2, "")].concat());
    let found = accounts.find_netlogon_session_key(&"MEMBER1$".into(), &"CORP".into(), None);
    assert_eq!(
        found.unwrap_err().to_string(),
        "accounts.toml line 1 and accounts.toml line 5 fit equally"
    );
}
