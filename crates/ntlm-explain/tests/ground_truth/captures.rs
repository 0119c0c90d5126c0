//! Every capture of `testdata/captures` against what was derived independently from its password,
//! which its sidecar records.

use crate::common::{Exchange, Tally, accounts, exchanges, our_version, sidecars, testdata};
use ntlm::flags::NegotiateFlags;
use ntlm::message::{AuthenticateMessage, Message};
use serde_json::{Value, json};

#[test]
fn captures_agree_with_their_sidecars() {
    let right = accounts("accounts.toml");
    let wrong = accounts("accounts-wrong-password.toml");
    let mut tally = Tally::default();
    let mut in_pipes = 0;
    let mut smb_captures = 0;
    for (path, sidecar) in sidecars(&testdata("captures")) {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let capture = path.with_extension("pcap");
        let is_wrong = sidecar["true_password"].is_string();
        let found = exchanges(&capture, if is_wrong { &wrong } else { &right });
        tally.captures += 1;
        let sessions = sidecar["checked"]["sessions"].as_array().cloned().unwrap_or_default();
        for session in &sessions {
            let challenge = &session["server_challenge"];
            let what = format!("{name} frame {}", session["frame"]);
            let mut fitting = found.iter().filter(|it| &it.json["server_challenge"] == challenge);
            let exchange = fitting.next().unwrap_or_else(|| panic!("{what}: not found"));
            // Without extended security, all logons of a connection answer one challenge.
            assert!(fitting.next().is_none(), "{what}: found twice");
            check_session(&what, session, exchange, &mut tally);
        }
        // What the sidecars do not count: logons inside pipes, and refused ones that were repeated.
        let others: Vec<_> = found
            .iter()
            .filter(|it| {
                sessions
                    .iter()
                    .all(|session| session["server_challenge"] != it.json["server_challenge"])
            })
            .collect();
        for other in &others {
            assert_eq!(other.json["carrier"], "rpc", "{name}");
            assert_eq!(other.json["response"], "valid", "{name}");
            assert_eq!(other.json["outcome"]["result"], "accepted", "{name}");
            in_pipes += 1;
        }
        if sidecar["checked"]["dialects"].is_array() {
            let good = |name: &str| sidecar["checked"][name].as_u64().unwrap_or(0);
            let good = [good("signatures_good"), good("transforms_good")];
            check_smb(&name, good, &found, &mut tally);
            smb_captures += 1;
        }
        if is_wrong {
            for exchange in exchanges(&capture, &right) {
                tally.same(&name, "response", &exchange.json["response"], &json!("invalid"));
            }
        }
        // Nothing is missing in these captures, so nothing may be said to be.
        for exchange in &found {
            let codes = exchange.json["findings"].as_array().unwrap().iter().map(|it| &it["code"]);
            let gaps = codes.filter(|code| **code == "capture-gap" || **code == "half-exchange");
            assert_eq!(gaps.count(), 0, "{name}: {}", exchange.json["findings"]);
        }
    }
    tally.settle("testdata/captures");
    assert!(tally.captures >= 120 && tally.exchanges >= 150 && tally.keys >= 550, "{tally:?}");
    assert_eq!(in_pipes, 3, "rpcclient-np-seal");
    assert_eq!(smb_captures, 96);
    assert!(tally.signatures >= 1667 && tally.transforms >= 404, "{tally:?}");
    assert!(tally.smb_keys >= 228, "{tally:?}");
}

pub(crate) fn check_session(what: &str, session: &Value, exchange: &Exchange, tally: &mut Tally) {
    let json = &exchange.json;
    tally.exchanges += 1;
    for name in ["user", "domain", "workstation"] {
        tally.same(what, name, &json["account"][name], &session[name]);
    }
    let version = session["variant"].as_str().map(our_version);
    tally.same(what, "version", &json["version"], &json!(version));
    // The last frame of the exchange: the server's answer, or AUTHENTICATE where none is awaited.
    let carrier = json["carrier"].as_str().unwrap();
    let frames = json["frames"].as_array().unwrap();
    let frame = match carrier {
        "rpc" => {
            exchange.explained.found.authenticate.as_ref().unwrap().origin.unwrap().frame.into()
        }
        _ => frames.last().unwrap().clone(),
    };
    tally.same(what, "frame", &frame, &session["frame"]);
    check_flags_and_lengths(what, session, exchange, tally);
    let response = match session["response_ok"].as_bool() {
        Some(true) => "valid",
        Some(false) => "invalid",
        None => "absent",
    };
    tally.same(what, "response", &json["response"], &json!(response));
    let mic = if session["mic_ok"] == true { "valid" } else { "absent" };
    tally.same(what, "mic", &json["mic"], &json!(mic));
    tally.same(what, "target name", &json["target_name"], &session["target_name"]);
    let bindings = match session["channel_bindings"].as_str() {
        None => "absent",
        Some(hex) if hex.bytes().all(|digit| digit == b'0') => "zero",
        Some(_) => "present",
    };
    tally.same(what, "channel bindings", &json["channel_bindings"], &json!(bindings));
    let flags = session["flags"]
        .as_str()
        .map_or(0, |flags| u32::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap());
    let protects =
        NegotiateFlags::from_bits_retain(flags).protects() || !session["mic_ok"].is_null();
    for (ours, theirs) in [
        ("ntowf_v2", "ntowfv2"),
        ("session_base_key", "session_base_key"),
        ("key_exchange_key", "key_exchange_key"),
        ("exported_session_key", "exported_session_key"),
    ] {
        // KEY_EXCH without SIGN and SEAL exchanges no key (MS-NLMP 3.1.5.1.2). Samba does it all the
        // same, which the sidecars follow; nothing that is sent depends on it.
        let theirs = match theirs {
            "exported_session_key" if !protects => "key_exchange_key",
            theirs => theirs,
        };
        if session[theirs].is_string() {
            tally.key(what, ours, json, &session[theirs]);
        }
    }
    if let Some(exchanged) = session["key_exchange"].as_bool() {
        let exchanged = exchanged && protects;
        let key = &json["keys"]["random_session_key"]["value"];
        tally.same(what, "key exchange", &json!(key.is_string()), &json!(exchanged));
    }
    check_smb_keys(what, session, json, tally);
    check_outcome(what, session, json, tally);
}

/// What SMB derives from the key, where the sidecar states it.
fn check_smb_keys(what: &str, session: &Value, json: &Value, tally: &mut Tally) {
    // The sidecars state keys for guest and anonymous too, which the specification does not have.
    let smb = &json["smb"];
    let has_key = json["version"] != "anonymous" && json["outcome"]["guest"] != true;
    if json["outcome"]["result"] != "accepted" || !smb.is_object() || !has_key {
        return;
    }
    for (ours, theirs) in [
        ("preauth_hash", "preauth_hash"),
        ("signing_key", "signing_key"),
        ("client_to_server_key", "encryption_key"),
        ("server_to_client_key", "decryption_key"),
        ("application_key", "application_key"),
        ("mac_key", "mac_key"),
    ] {
        if session[theirs].is_string() {
            tally.same(what, ours, &smb["keys"][ours]["value"], &session[theirs]);
            tally.smb_keys += 1;
        }
    }
    if session["cipher"].is_string() {
        tally.same(what, "cipher", &smb["cipher"], &session["cipher"]);
    }
    if let Some(algorithm) = session["signing_algorithm"].as_str() {
        let algorithm = json!(algorithm.replace("AES-128", "AES"));
        tally.same(what, "signing algorithm", &smb["signing_algorithm"], &algorithm);
    }
    if session["extended_security"].is_boolean() {
        let extended = &session["extended_security"];
        tally.same(what, "SMB's extended security", &smb["smb_extended_security"], extended);
    }
}

/// Every signature and every encrypted packet of a capture; `good` has signatures and transforms.
pub(crate) fn check_smb(what: &str, good: [u64; 2], found: &[Exchange], tally: &mut Tally) {
    let sum = |part: &str, field: &str| -> u64 {
        let smb = found.iter().map(|it| &it.json["smb"]);
        smb.map(|smb| smb[part][field].as_u64().unwrap_or(0)).sum()
    };
    let [signatures, transforms] = good;
    tally.same(what, "signatures", &json!(sum("signatures", "valid")), &json!(signatures));
    tally.same(what, "packets opened", &json!(sum("decrypted", "ok")), &json!(transforms));
    for (part, field) in [("signatures", "invalid"), ("decrypted", "failed")] {
        tally.same(what, field, &json!(sum(part, field)), &json!(0));
    }
    tally.signatures += signatures;
    tally.transforms += transforms;
}

fn check_flags_and_lengths(what: &str, session: &Value, exchange: &Exchange, tally: &mut Tally) {
    let found = &exchange.explained.found;
    let (lm, nt) = match (&found.authenticate, &found.bare) {
        (Some(seen), None) => {
            let message = AuthenticateMessage::decode(&seen.bytes).unwrap();
            let flags = message.negotiate_flags.map(|flags| format!("0x{:08x}", flags.bits()));
            tally.same(what, "flags", &json!(flags), &session["flags"]);
            (
                message.lm_challenge_response.bytes().len(),
                message.nt_challenge_response.bytes().len(),
            )
        }
        (None, Some(bare)) => {
            assert_eq!(session["extended_security"], false, "{what}");
            (bare.lm.bytes.len(), bare.nt.bytes.len())
        }
        _ => panic!("{what}: messages and bare responses"),
    };
    tally.same(what, "LM length", &json!(lm), &session["lm_response_len"]);
    tally.same(what, "NT length", &json!(nt), &session["nt_response_len"]);
    let (carrier, wrapping) = (exchange.json["carrier"].as_str(), format!("{:?}", found.wrapping));
    let spnego = session["spnego"].as_bool().unwrap_or(wrapping == "Spnego");
    assert_eq!(wrapping == "Spnego", spnego, "{what}: {wrapping} in {carrier:?}");
    if let Some(id) = session["session_id"].as_str() {
        let id = u64::from_str_radix(id, 16).unwrap();
        tally.same(what, "session id", &json!(found.session), &json!(id));
    }
}

fn check_outcome(what: &str, session: &Value, json: &Value, tally: &mut Tally) {
    let outcome = &json["outcome"];
    let status = match (session["status"].as_str(), session["ldap_result"].as_u64()) {
        (Some("0x00000000"), _) if outcome["status"] == "SUCCESS" => "SUCCESS",
        (Some("0x00000000"), _) => "STATUS_SUCCESS",
        (Some("0xc0000022"), _) => "STATUS_ACCESS_DENIED",
        (Some("0xc0000064"), _) => "STATUS_NO_SUCH_USER",
        (Some("0xc000006d"), _) => "STATUS_LOGON_FAILURE",
        (Some("0xc000006f"), _) => "STATUS_INVALID_LOGON_HOURS",
        (Some("0xc0000070"), _) => "STATUS_INVALID_WORKSTATION",
        (Some("0xc0000071"), _) => "STATUS_PASSWORD_EXPIRED",
        (Some("0xc0000072"), _) => "STATUS_ACCOUNT_DISABLED",
        (Some("0xc0000193"), _) => "STATUS_ACCOUNT_EXPIRED",
        (Some("0xc0000224"), _) => "STATUS_PASSWORD_MUST_CHANGE",
        (Some("0xc0000234"), _) => "STATUS_ACCOUNT_LOCKED_OUT",
        (None, Some(0)) => "success",
        (None, Some(8)) => "strongerAuthRequired",
        (None, None) => "",
        other => panic!("{what}: {other:?}"),
    };
    let got = outcome["status"].as_str().unwrap_or_default();
    assert!(got.starts_with(status), "{what}: {got} is not {status}");
    tally.facts += 1;
    let accepted = matches!(status, "SUCCESS" | "STATUS_SUCCESS" | "success" | "");
    let result = if accepted { "accepted" } else { "refused" };
    // The same fault answers a refused logon and a call that is not allowed: that is not known.
    if outcome["status"] != "nca_s_fault_access_denied" && outcome["status"] != "nca_s_fault_other"
    {
        tally.same(what, "outcome", &outcome["result"], &json!(result));
    } else {
        tally.same(what, "outcome", &outcome["result"], &json!("unknown"));
    }
    let guest = session["guest"] == true || session["session_flags"] == 1;
    tally.same(what, "guest", &json!(outcome["guest"] == true), &json!(guest));
}
