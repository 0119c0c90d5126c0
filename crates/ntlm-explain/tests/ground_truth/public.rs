//! Captures that the project did not make, Windows among them. They stay outside of the repository:
//! `NTLM_PUBLIC_CAPTURES` names their folder, which has an `index.json`.

use crate::captures::{check_session, check_smb};
use crate::common::{Exchange, Tally, exchanges, our_version};
use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::PathBuf;

/// The folder, if there is one.
pub(crate) fn folder() -> Option<PathBuf> {
    env::var_os("NTLM_PUBLIC_CAPTURES").map(PathBuf::from)
}

/// What the index says of each capture.
pub(crate) fn index(folder: &std::path::Path) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("index.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap().as_array().unwrap().clone()
}

#[test]
fn public_captures_agree_with_their_index() {
    let Some(folder) = folder() else {
        println!("SKIPPED: NTLM_PUBLIC_CAPTURES does not name the folder of public captures");
        return;
    };
    let mut tally = Tally::default();
    for entry in index(&folder) {
        let name = entry["file"].as_str().unwrap();
        let found = exchanges(&folder.join(name), &secrets(&entry));
        tally.captures += 1;
        check_names(name, &entry, &found, &mut tally);
        let sessions = entry["checked"]["sessions"].as_array().cloned().unwrap_or_default();
        for session in &sessions {
            let what = format!("{name} frame {}", session["frame"]);
            let fits = |it: &&Exchange| it.json["server_challenge"] == session["server_challenge"];
            match found.iter().find(fits) {
                Some(exchange) => check_session(&what, session, exchange, &mut tally),
                None => tally.wrong.push(format!("{what}: not found")),
            }
        }
        let good = |name: &str| {
            let zero_key = &entry["checked_with_zero_key_sessions"][name];
            entry["checked"][name].as_u64().or(zero_key.as_u64()).unwrap_or(0)
        };
        let good = match entry["decrypted_frames"].as_u64() {
            // Of the one with a session key, the index has what tshark opens; five are signed.
            Some(opened) => [5, opened],
            None => [good("signatures_good"), good("transforms_good")],
        };
        check_smb(name, good, &found, &mut tally);
        if entry["known_passwords"].is_object() {
            tally.same(name, "count", &json!(found.len()), &json!(sessions.len()));
        }
    }
    tally.settle("public captures");
    assert!(tally.captures >= 57 && tally.exchanges >= 32 && tally.keys >= 100, "{tally:?}");
    assert!(tally.signatures >= 100 && tally.transforms >= 1000, "{tally:?}");
}

/// The captures with SMB 2 or 3 whose secrets are known.
pub(crate) fn smb_with_secrets(folder: &std::path::Path) -> Vec<(PathBuf, Accounts)> {
    let is_one = |entry: &Value| {
        entry["known_passwords"].is_object() || entry["known_session_keys"].is_array()
    };
    let all = index(folder).into_iter().filter(is_one);
    let all = all.map(|entry| (folder.join(entry["file"].as_str().unwrap()), secrets(&entry)));
    let all: Vec<_> = all.collect();
    assert!(all.len() >= 25);
    all
}

/// Accounts and versions, as far as the index has them.
fn check_names(name: &str, entry: &Value, found: &[Exchange], tally: &mut Tally) {
    let whole = || found.iter().filter(|it| it.json["server_challenge"].is_string() && proved(it));
    if entry["ntlmssp_frames"] != 0 {
        let accounts: BTreeSet<String> = found
            .iter()
            .filter(|it| proved(it))
            .map(|it| {
                let part = |name: &str| match it.json["account"][name].as_str().unwrap() {
                    "" => "NULL".to_owned(),
                    text => text.to_owned(),
                };
                format!("{}\\{}", part("domain"), part("user"))
            })
            .collect();
        tally.same(name, "accounts", &json!(accounts), &entry["accounts"]);
    }
    // The password of that one is in clear, not an LM response.
    let is_clear = name == "zeek/smb__smb1_transaction_request.pcap";
    if !is_clear && entry["variants"].as_array().is_some_and(|versions| !versions.is_empty()) {
        let versions: BTreeSet<_> =
            whole().map(|it| it.json["version"].as_str().unwrap()).collect();
        let expected = entry["variants"].as_array().unwrap().iter();
        let expected: BTreeSet<_> = expected.map(|it| our_version(it.as_str().unwrap())).collect();
        // Without the secret, LM and LMv2 look the same.
        let versions: BTreeSet<_> =
            versions.into_iter().map(|it| if it == "LMv2" { "LM" } else { it }).collect();
        tally.same(name, "versions", &json!(versions), &json!(expected));
    }
    let refused = entry["session_setup_statuses"]
        .as_array()
        .is_some_and(|all| all.iter().any(|status| status != "0x00000000"));
    if entry["session_setup_statuses"].is_array() {
        let any = found.iter().any(|it| it.json["outcome"]["result"] == "refused");
        tally.same(name, "a refusal", &json!(any), &json!(refused));
    }
}

fn proved(exchange: &Exchange) -> bool {
    let found = &exchange.explained.found;
    found.authenticate.is_some() || found.bare.is_some()
}

/// What is known of a capture, as a secrets file.
fn secrets(entry: &Value) -> Accounts {
    let mut text = String::new();
    for (user, password) in entry["known_passwords"].as_object().into_iter().flatten() {
        text += &format!("[[account]]\nuser = {user:?}\npassword = {password}\n");
    }
    if entry["file"] == "zeek/smb__smb3.pcap" {
        let key = &entry["known_session_keys"][0]["session_key"];
        text += "[[account]]\nuser = \"administrator\"\nserver_challenge = \"01151813d2898ccd\"\n";
        text += &format!("exported_session_key = {key}\n");
    }
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add("known", &text, Format::Toml).unwrap();
    accounts
}
