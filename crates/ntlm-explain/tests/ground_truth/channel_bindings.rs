//! Tokens of an HTTPS server that demands channel bindings: `testdata/captures/http/cbt-*.json`.

use crate::common::{Tally, accounts, sidecars, testdata};
use ntlm::text::CodePage;
use ntlm::{ChannelBindings, ChannelBindingsResult};
use ntlm_explain::carrier::Wrapping;
use ntlm_explain::{FoundExchange, Known, Seen, Token, explain};
use serde_json::json;

#[test]
fn channel_bindings_agree_with_the_certificate() {
    let accounts = accounts("accounts.toml");
    let known = Known { accounts: &accounts, code_page: CodePage::Cp850 };
    let mut tally = Tally::default();
    for (path, sidecar) in sidecars(&testdata("captures/http")) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("cbt-") {
            continue;
        }
        let mut found = FoundExchange::empty(None, Wrapping::Raw, None);
        for message in sidecar["messages"].as_array().unwrap() {
            let token = Token::from_text(message["token_hex"].as_str().unwrap()).unwrap();
            let seen = Some(Seen { bytes: token.bytes, origin: None });
            match (message["direction"].as_str(), &found.negotiate) {
                (Some("c2s"), None) => found.negotiate = seen,
                (Some("c2s"), Some(_)) => found.authenticate = seen,
                _ => found.challenge = seen,
            }
        }
        let sent = {
            let seen = found.authenticate.as_ref().unwrap();
            let challenge = &found.challenge.as_ref().unwrap().bytes;
            let exchange = ntlm::Exchange::decode(None, challenge, &seen.bytes, CodePage::Cp850);
            exchange.unwrap().client_target_info().unwrap().channel_bindings()
        };
        let explained = explain(1, found, known);
        let json = serde_json::to_value(&explained).unwrap();
        tally.captures += 1;
        tally.exchanges += 1;
        tally.same(&name, "user", &json["account"]["user"], &sidecar["account"]);
        tally.same(&name, "domain", &json["account"]["domain"], &sidecar["domain"]);
        tally.same(&name, "response", &json["response"], &json!("valid"));
        tally.same(&name, "mic", &json["mic"], &json!("valid"));
        let hex = sent.map(|bytes| ntlm_explain::hex(&bytes));
        tally.same(&name, "bindings", &json!(hex), &sidecar["av_channel_bindings"]);
        if sidecar["exported_session_key"].is_string() {
            tally.key(&name, "exported_session_key", &json, &sidecar["exported_session_key"]);
        }

        let word = if sent.is_some() { "present" } else { "absent" };
        tally.same(&name, "bindings in words", &json["channel_bindings"], &json!(word));
        let data = bytes(sidecar["application_data_hex"].as_str().unwrap());
        let certificate = bytes(sidecar["certificate_der_hex"].as_str().unwrap());
        let expected = ChannelBindings::from_application_data(&data);
        let of_certificate = ChannelBindings::from_certificate(&certificate).unwrap();
        assert_eq!(expected.to_bytes(), of_certificate.to_bytes(), "{name}");
        let result = ChannelBindings::compare(Some(expected), sent);
        let other = ChannelBindings::from_application_data(b"tls-server-end-point:another");
        let result_of_other = ChannelBindings::compare(Some(other), sent);
        let (match_, mismatch) = match sidecar["expected"].as_str() {
            Some("accept") => (ChannelBindingsResult::Match, ChannelBindingsResult::Mismatch),
            _ => (ChannelBindingsResult::Absent, ChannelBindingsResult::Absent),
        };
        assert_eq!((result, result_of_other), (match_, mismatch), "{name}");
    }
    tally.settle("channel bindings");
    assert_eq!(tally.exchanges, 16);
    assert!(tally.keys >= 8);
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}
