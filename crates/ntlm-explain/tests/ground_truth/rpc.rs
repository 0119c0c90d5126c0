//! DCE/RPC and Netlogon in every capture, against its sidecar.

use crate::common::{accounts, sidecars, testdata};
use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Limits};
use ntlm_explain::netlogon::ChannelExplained;
use ntlm_explain::{Explained, Known, Sink, explain_capture};
use serde_json::{Value, json};
use std::path::Path;

/// What is found in one capture, as JSON.
#[derive(Default)]
struct Found {
    exchanges: Vec<Value>,
    channels: Vec<Value>,
}

impl Sink for Found {
    fn exchange(&mut self, explained: Explained) {
        self.exchanges.push(serde_json::to_value(explained).unwrap());
    }

    fn channel(&mut self, channel: ChannelExplained) {
        self.channels.push(serde_json::to_value(channel).unwrap());
    }
}

fn find(capture: &Path, accounts: &Accounts) -> Found {
    let bytes = std::fs::read(capture).unwrap();
    let known = Known { accounts, code_page: CodePage::Cp850 };
    let mut found = Found::default();
    explain_capture(&mut Capture::new(&bytes[..], Limits::default()), known, &mut found).unwrap();
    found
}

/// The RPC and Netlogon captures with their sidecars.
fn captures() -> Vec<(std::path::PathBuf, Value)> {
    let all = sidecars(&testdata("captures")).into_iter();
    let is_one = |sidecar: &Value| {
        let kind = sidecar["kind"].as_str().unwrap_or_default();
        kind.starts_with("dcerpc") || kind.starts_with("netlogon")
    };
    let captures = all.filter(|(_, sidecar)| is_one(sidecar));
    captures.map(|(path, sidecar)| (path.with_extension("pcap"), sidecar)).collect()
}

fn sum(parts: &[Value], field: &str) -> u64 {
    let field = |part: &Value| part.pointer(field).and_then(Value::as_u64).unwrap_or(0);
    parts.iter().map(field).sum()
}

#[test]
fn every_signature_of_dce_rpc_holds_and_every_sealed_stub_opens() {
    let accounts = accounts("accounts.toml");
    let (mut packet, mut integrity, mut privacy, mut contexts) = (0, 0, 0, 0);
    for (path, sidecar) in captures() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let rpcs: Vec<Value> = find(&path, &accounts)
            .exchanges
            .iter()
            .filter(|exchange| exchange["carrier"] == "rpc")
            .map(|exchange| exchange["rpc"].clone())
            .collect();
        contexts += rpcs.len();
        let of = |level: &str| -> Vec<Value> {
            rpcs.iter().filter(|rpc| rpc["level"] == level).cloned().collect()
        };
        for rpc in &rpcs {
            assert_eq!(rpc["signatures"]["invalid"], 0, "{name}: {rpc}");
            assert_eq!(rpc["signatures"]["unchecked"], 0, "{name}: {rpc}");
            assert_eq!(rpc["failures"], json!([]), "{name}");
            let opened =
                if rpc["level"] == "privacy" { &rpc["signatures"]["valid"] } else { &json!(0) };
            assert_eq!(rpc["unsealed"], *opened, "{name}: {rpc}");
            let is_connect = rpc["level"] == "connect";
            assert_eq!(rpc["signatures"]["unsigned"] != 0, is_connect, "{name}: {rpc}");
        }
        if let Some(stated) = sidecar["checked"]["rpc_auth"].as_array()
            && sidecar["kind"] == "dcerpc-tcp"
        {
            let words = rpcs.iter().map(|rpc| {
                let (kind, level) =
                    (rpc["auth_type"].as_str().unwrap(), rpc["level"].as_str().unwrap());
                format!("{} {level}", kind.trim_end_matches("ssp"))
            });
            assert!(
                !rpcs.is_empty() && words.clone().all(|word| stated.contains(&json!(word))),
                "{name}"
            );
            for (level, field) in [
                ("packet", "rpc_packet_good"),
                ("integrity", "rpc_integrity_good"),
                ("privacy", "rpc_privacy_good"),
            ] {
                let good = sidecar["checked"][field].as_u64().unwrap_or(0);
                assert_eq!(sum(&of(level), "/signatures/valid"), good, "{name}: {level}");
            }
        }
        packet += sum(&of("packet"), "/signatures/valid");
        integrity += sum(&of("integrity"), "/signatures/valid");
        privacy += sum(&of("privacy"), "/unsealed");
    }
    println!("{contexts} contexts: {packet} packet, {integrity} integrity, {privacy} unsealed");
    // As ntlm-netlogon counts them in the same captures, with keys from the sidecars.
    assert_eq!((packet, integrity, privacy), (32, 96, 138));
}

#[test]
fn every_channel_opens_and_its_logons_are_those_of_the_sidecar() {
    let accounts = accounts("accounts.toml");
    let (mut signatures, mut logons, mut channels) = (0, 0, 0);
    for (path, sidecar) in captures() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let found = find(&path, &accounts);
        for channel in &found.channels {
            channels += 1;
            assert_eq!(channel["machine"], "MEMBER1", "{name}");
            assert_eq!(channel["account"], "MEMBER1$", "{name}");
            assert_eq!(channel["client_credential"], "valid", "{name}");
            assert_eq!(channel["server_credential"], "valid", "{name}");
            assert_eq!(channel["signatures"]["invalid"], 0, "{name}");
            assert_eq!(channel["signatures"]["unchecked"], 0, "{name}");
        }
        signatures += sum(&found.channels, "/signatures/valid");
        let seen: Vec<&Value> = found
            .channels
            .iter()
            .flat_map(|channel| channel["logons"].as_array().unwrap())
            .collect();
        if let Some(calls) = sidecar["client"]["calls"].as_array() {
            let [channel] = found.channels.as_slice() else { panic!("{name}: one channel") };
            let stated = &sidecar["client"]["netlogon_session_key"];
            assert_eq!(&channel["keys"]["session_key"]["value"], stated, "{name}");
            let aes = sidecar["client"]["aes"] == true;
            assert_eq!(channel["algorithms"], if aes { "AES-SHA2" } else { "RC4-MD5" }, "{name}");
            assert_eq!(channel["negotiate_flags"], sidecar["client"]["negotiate_flags"], "{name}");
            let level = sidecar["client"]["level"].as_str().unwrap().trim_start_matches("pkt_");
            assert_eq!(channel["level"], level, "{name}");
            assert_eq!(seen.len(), calls.len(), "{name}");
            for (logon, call) in seen.iter().zip(calls) {
                let what = format!("{name}: {logon}");
                let version = call["variant"].as_str().unwrap().replace("+ESS", "-ESS");
                assert_eq!(logon["account"]["user"], call["account"], "{what}");
                assert_eq!(logon["challenge"], call["challenge_sent"], "{what}");
                assert_eq!(logon["version"], json!(version), "{what}");
                assert_eq!(logon["status"], call["status"], "{what}");
                assert_eq!(logon["user_session_key"], call["user_session_key"], "{what}");
                assert_eq!(logon["validation_level"], call["validation_level"], "{what}");
                assert_eq!(logon["response"], "valid", "{what}");
                let accepted = call["status"] == "STATUS_SUCCESS";
                assert_eq!(logon["validated"]["user"].is_string(), accepted, "{what}");
                assert_eq!(logon["exchange"], Value::Null, "{what}");
            }
            logons += seen.len();
        }
        // winbindd passes each logon through twice: its password, then challenge and responses.
        if let Some(stated) = sidecar["client"]["logons"].as_array() {
            assert_eq!(seen.len(), 2 * stated.len(), "{name}");
            for (both, stated) in seen.chunks(2).zip(stated) {
                assert_eq!(
                    (&both[0]["kind"], &both[1]["kind"]),
                    (&json!("interactive"), &json!("network"))
                );
                for logon in both {
                    assert_eq!(logon["account"]["user"], stated["account"], "{name}: {logon}");
                    assert_eq!(logon["account"]["domain"], "CORP", "{name}: {logon}");
                }
                assert_eq!(both[1]["version"], stated["response"], "{name}");
                assert_eq!(both[1]["response"], "valid", "{name}");
                assert_eq!(both[0]["status"], both[1]["status"], "{name}");
            }
            logons += seen.len();
        }
    }
    println!("{channels} channels, {signatures} signatures, {logons} logons passed through");
    assert_eq!((channels, signatures, logons), (7, 72, 33));
}

#[test]
fn the_key_of_a_channel_opens_it_without_its_setup() {
    let mut count = 0;
    for (path, sidecar) in captures() {
        let Some(key) = sidecar["client"]["netlogon_session_key"].as_str() else { continue };
        // Its pipe lies in encrypted SMB, which this key does not open.
        if path.to_str().unwrap().contains("-np") {
            continue;
        }
        let text = format!("[[account]]\nuser = \"member1$\"\nnetlogon_session_key = \"{key}\"\n");
        let mut accounts = Accounts::new(CodePage::Cp850);
        accounts.add("key", &text, Format::Toml).unwrap();
        let whole = find(&path, &accounts);
        assert_eq!(whole.channels[0]["signatures"]["valid"], 10);
        assert_eq!(whole.channels[0]["client_credential"], "valid");
        // The setup is in frames before the channel's bind.
        let mut packets = ntlm_traffic::pcap::read(&std::fs::read(&path).unwrap()).unwrap();
        let bind = whole.channels[0]["frames"][4].as_u64().unwrap();
        packets.drain(..usize::try_from(bind).unwrap() - 1);
        let late = std::env::temp_dir().join(format!("ntlm-late-{}.pcap", std::process::id()));
        std::fs::write(&late, ntlm_traffic::pcap::write(&packets)).unwrap();
        let found = find(&late, &accounts);
        std::fs::remove_file(&late).unwrap();
        let channel = &found.channels[0];
        assert_eq!(channel["signatures"]["valid"], 10, "{channel}");
        // Without SYN the ends are guessed by their ports.
        assert_eq!(channel["client"], whole.channels[0]["client"]);
        assert_eq!(channel["client_credential"], "unchecked");
        assert_eq!(channel["logons"].as_array().unwrap().len(), 5);
        let codes: Vec<&Value> =
            channel["findings"].as_array().unwrap().iter().map(|it| &it["code"]).collect();
        assert!(codes.contains(&&json!("netlogon-setup-not-seen")), "{codes:?}");
        count += 1;
    }
    assert_eq!(count, 4);
}

#[test]
fn without_a_secret_or_with_a_wrong_one_a_channel_is_shown_and_not_judged() {
    let wrong = "[[account]]\nuser = \"MEMBER1$\"\npassword = \"of last month\"\n";
    for (text, code, credential) in [
        ("", "netlogon-key-unknown", "unchecked"),
        (wrong, "netlogon-credential-invalid", "invalid"),
    ] {
        let mut accounts = Accounts::new(CodePage::Cp850);
        accounts.add("key", text, Format::Toml).unwrap();
        let found = find(&testdata("captures/netlogon-aes-seal-tcp.pcap"), &accounts);
        let channel = &found.channels[0];
        assert_eq!(channel["signatures"]["unchecked"], 10, "{channel}");
        assert_eq!(channel["signatures"]["invalid"], 0, "{channel}");
        assert_eq!(channel["client_credential"], credential, "{channel}");
        assert_eq!(channel["logons"], json!([]));
        let findings = channel["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding["code"] == code);
        let finding = finding.unwrap_or_else(|| panic!("{findings:?}"));
        if text.is_empty() {
            assert!(
                finding["message"].as_str().unwrap().contains("of CORP\\MEMBER1$"),
                "{finding}"
            );
        }
    }
    // What is signed only can be read, but its keys cannot.
    let accounts = Accounts::new(CodePage::Cp850);
    let found = find(&testdata("captures/netlogon-aes-sign-tcp.pcap"), &accounts);
    let logons = found.channels[0]["logons"].as_array().unwrap();
    assert_eq!(logons.len(), 5);
    assert_eq!(
        (&logons[0]["status"], &logons[0]["user_session_key"]),
        (&json!("STATUS_SUCCESS"), &Value::Null)
    );
}
