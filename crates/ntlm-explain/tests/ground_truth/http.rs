//! Every capture of `testdata/captures/http` against its sidecar.

use crate::common::{Exchange, Tally, accounts, exchanges, our_version, sidecars, testdata};
use serde_json::{Value, json};

#[test]
fn http_captures_agree_with_their_sidecars() {
    let right = accounts("accounts.toml");
    let wrong = accounts("accounts-wrong-password.toml");
    let mut tally = Tally::default();
    for (path, sidecar) in sidecars(&testdata("captures/http")) {
        let capture = path.with_extension("pcap");
        if !capture.exists() {
            continue;
        }
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let is_wrong = sidecar["password_of_the_account"].is_string();
        let found = exchanges(&capture, if is_wrong { &wrong } else { &right });
        tally.captures += 1;
        let authentications = sidecar["authentications"].as_array().unwrap();
        for authentication in authentications {
            let what = format!("{name} frame {}", authentication["frame"]);
            let fits =
                |it: &&Exchange| it.json["server_challenge"] == authentication["server_challenge"];
            let exchange = found.iter().find(fits).unwrap_or_else(|| panic!("{what}: not found"));
            if name == "squid-unicode-name" {
                // The UTF-8 bytes of the name were sent as OEM: this is nobody's name.
                let user = exchange.explained.found.authenticate.as_ref().unwrap();
                assert!(user.bytes.windows(7).any(|bytes| bytes == "jürgen".as_bytes()));
                tally.same(&name, "response", &exchange.json["response"], &json!("unchecked"));
                continue;
            }
            check_authentication(&what, authentication, exchange, &mut tally);
            tally.same(&what, "carrier", &exchange.json["carrier"], &json!("http"));
        }
        check_tokens(&name, &sidecar, &found, &mut tally);
        check_outcome(&name, &sidecar, &found, &mut tally);
        if is_wrong {
            for exchange in exchanges(&capture, &right) {
                tally.same(&name, "response", &exchange.json["response"], &json!("invalid"));
            }
        }
    }
    tally.settle("testdata/captures/http");
    assert!(tally.captures >= 26 && tally.exchanges >= 24 && tally.keys >= 69, "{tally:?}");
}

fn check_authentication(what: &str, expected: &Value, exchange: &Exchange, tally: &mut Tally) {
    let json = &exchange.json;
    tally.exchanges += 1;
    for (ours, theirs) in
        [("user", "user_sent"), ("domain", "domain_sent"), ("workstation", "workstation_sent")]
    {
        tally.same(what, ours, &json["account"][ours], &expected[theirs]);
    }
    let version = expected["variant"].as_str().map(our_version);
    tally.same(what, "version", &json["version"], &json!(version));
    let valid = expected["response_matches_password"].as_bool().unwrap();
    let response = if valid { "valid" } else { "invalid" };
    tally.same(what, "response", &json["response"], &json!(response));
    let mic = match expected["mic_valid"].as_bool() {
        Some(true) => "valid",
        Some(false) => "invalid",
        None => "absent",
    };
    tally.same(what, "mic", &json["mic"], &json!(mic));
    tally.same(what, "target name", &json["target_name"], &expected["av_target_name"]);
    let bindings = match expected["av_channel_bindings"].as_str() {
        None => "absent",
        Some(hex) if hex.bytes().all(|digit| digit == b'0') => "zero",
        Some(_) => "present",
    };
    tally.same(what, "channel bindings", &json["channel_bindings"], &json!(bindings));
    for name in ["session_base_key", "key_exchange_key", "exported_session_key"] {
        if expected[name].is_string() {
            tally.key(what, name, json, &expected[name]);
        }
    }
}

/// Every NTLM token of the sidecar was found, and no other.
fn check_tokens(name: &str, sidecar: &Value, found: &[Exchange], tally: &mut Tally) {
    let mut got: Vec<u64> = found
        .iter()
        .flat_map(|it| it.explained.found.origins().map(|origin| origin.frame))
        .collect();
    got.sort_unstable();
    let ntlm = "4e544c4d53535000";
    let messages = sidecar["messages"].as_array().unwrap().iter();
    let with_token =
        messages.filter(|it| it["token_hex"].as_str().is_some_and(|hex| hex.contains(ntlm)));
    let expected: Vec<u64> = with_token.map(|it| it["frame"].as_u64().unwrap()).collect();
    tally.same(name, "number of tokens", &json!(got.len()), &json!(expected.len()));
    // The sidecar has the frame in which the body ends, where a body follows.
    for (got, expected) in got.iter().zip(&expected) {
        tally.same(
            name,
            "frame in order",
            &json!((expected - 2..=*expected).contains(got)),
            &json!(true),
        );
    }
}

/// The last logon ends as the client saw it end.
fn check_outcome(name: &str, sidecar: &Value, found: &[Exchange], tally: &mut Tally) {
    let Some(last) = found.last() else { return };
    let result = match sidecar["result"].as_str() {
        Some("accept") => "accepted",
        Some("refuse") => "refused",
        other => panic!("{name}: {other:?}"),
    };
    tally.same(name, "outcome", &last.json["outcome"]["result"], &json!(result));
    let status = sidecar["http_status"].as_array().unwrap().last().unwrap().to_string();
    tally.same(name, "status", &last.json["outcome"]["status"], &json!(status));
}
