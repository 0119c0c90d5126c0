//! `ntlm logon` as people run it, without a server, before one that is none, and before a smbd. All it
//! says of real servers is asserted by `testing/peers/smb_matrix.py`, whose reports the last test reads.

use crate::common::{Folder, ntlm, ran, root, run};
use crate::smbd::Smbd;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpListener;

fn schema() -> jsonschema::Validator {
    let text = std::fs::read_to_string(root().join("docs/ntlm-logon-1.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    jsonschema::draft202012::meta::validate(&schema).expect("the schema is one");
    jsonschema::validator_for(&schema).unwrap()
}

fn fits(schema: &jsonschema::Validator, text: &str) -> Value {
    let json: Value = serde_json::from_str(text).expect("one JSON document");
    let errors: Vec<String> = schema
        .iter_errors(&json)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:#?}\n{text}");
    json
}

/// A server that reads something, says this, and hangs up.
fn saying(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(bytes);
    });
    port
}

#[test]
fn usage_and_nobody_there_are_exit_code_2() {
    for (arguments, says) in [
        (&["logon", "alice@server"][..], "smb://[DOMAIN;]user@host[:port]/share"),
        (&["logon", "smb://alice:secret@server/x"], "a password does not belong"),
        (&["logon", "smb://127.0.0.1:1/x"], "127.0.0.1:1: connect"),
        (&["logon", "smb://alice@127.0.0.1:1/x"], "no password for alice"),
        (&["logon", "--dialect", "4", "smb://x/y"], "no dialect 4"),
        (&["logon", "--dialect", "3.0-2.1", "smb://x/y"], "the older dialect comes first"),
        (&["logon", "smb://x/y", "--insecure-level", "3"], "--insecure-level"),
        (&["logon", "smb://x/y", "--timeout", "0"], "--timeout"),
        (
            &["logon", "smb://x/y", "--machine", r"CORP\MEMBER1$"],
            "--machine has no place with smb://",
        ),
        (&["logon", "smb://x/y", "--user", "alice"], "--user has no place"),
        (&["logon", "smb://x/y", "--workstation", "WS1"], "--workstation has no place"),
        (&["logon", "smb://x/y", "--pipe"], "--pipe has no place"),
        (&["logon", "smb://x/y", "--insecure-rc4"], "--insecure-rc4 has no place"),
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
        assert!(ran.out.is_empty());
    }
}

#[test]
fn a_server_that_is_none_is_exit_code_1_with_advice() {
    let schema = schema();
    for (bytes, error, advice) in [
        (&b""[..], "server closed the connection", "--multi-protocol"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "this is no SMB", "Something else listens"),
        (&[0, 0xff, 0xff, 0xff], "message of 16777215 bytes", ""),
    ] {
        let url = format!("smb://127.0.0.1:{}/x", saying(bytes));
        let ran = run(&["logon", &url]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        let text = ran.out.replace("\n  ", " ");
        assert!(text.contains("not logged on"), "{text}");
        assert!(text.contains(error) && text.contains(advice), "{text}");

        let url = format!("smb://127.0.0.1:{}/x", saying(bytes));
        let ran = run(&["logon", &url, "--json"]);
        assert_eq!(ran.code, 1, "{}", ran.err);
        let json = fits(&schema, &ran.out);
        assert_eq!((&json["result"], &json["account"]), (&"refused".into(), &Value::Null));
        assert_eq!(json["failure"]["step"], "negotiate");
        assert!(json["failure"]["error"].as_str().unwrap().contains(error), "{json}");
    }
}

#[test]
fn silence_ends_by_the_limit() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("smb://127.0.0.1:{}/x", listener.local_addr().unwrap().port());
    let began = std::time::Instant::now();
    let ran = run(&["logon", &url, "--timeout", "1"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("no answer within 1 s"), "{}", ran.out);
    assert!(began.elapsed().as_secs() < 10);
}

#[test]
fn what_went_over_the_wire_is_written() {
    let folder = Folder::new("logon");
    let file = folder.path("logon.pcapng");
    let url = format!("smb://alice@127.0.0.1:{}/x", saying(b"\0\0\0\x04abcd"));
    let mut command = ntlm(&["logon", &url, "--write-capture", &file]);
    let ran = ran(command.env("NTLM_PASSWORD", "x").output().unwrap());
    assert_eq!(ran.code, 1, "{}", ran.err);
    let capture = std::fs::read(&file).unwrap();
    let holds = |bytes: &[u8]| capture.windows(bytes.len()).any(|window| window == bytes);
    assert!(holds(b"\xfeSMB") && holds(b"\0\0\0\x04abcd"));
    assert_eq!(folder.names(), ["logon.pcapng"], "and nothing half-written");
    assert_eq!(run(&["explain", &file]).code, 0, "a capture without a logon");
}

#[test]
fn what_is_no_report_does_not_fit() {
    let schema = schema();
    assert!(!schema.is_valid(&serde_json::json!({ "schema": "ntlm-logon/2" })));
    assert!(!schema.is_valid(&serde_json::json!({ "schema": "ntlm-logon/1" })));
}

/// Those of the matrix where `cargo xtask smb` names their folder, else of a few logons to a smbd.
#[test]
fn every_report_of_a_real_logon_fits_the_schema() {
    let schema = schema();
    if let Ok(folder) = std::env::var("NTLM_LOGON_REPORTS") {
        let reports = std::fs::read_dir(folder).unwrap();
        let reports = reports.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
        let count = reports.inspect(|report| _ = fits(&schema, report)).count();
        println!("{count} reports");
        assert!(count >= 90);
        return;
    }
    let Some(smbd) = Smbd::start() else { return };
    let port = smbd.address.port();
    for (user, share, arguments, password, accepted) in [
        ("alice@", "data", &[][..], "Wonderland-42", true),
        ("alice@", "data", &["--show-keys", "--encrypt"], "Wonderland-42", true),
        ("alice@", "data", &["--dialect", "1", "--show-keys"], "Wonderland-42", true),
        ("alice@", "data", &["--dialect", "2.1", "--sign"], "Wonderland-42", true),
        ("alice@", "secret", &["--dialect", "3.0"], "Wonderland-42", true),
        ("alice@", "data", &[], "another", false),
        ("daisy@", "data", &[], "Disabled-1", false),
    ] {
        let url = format!("smb://{user}127.0.0.1:{port}/{share}");
        let mut command = ntlm(&["logon", &url, "--json"]);
        let ran = ran(command.args(arguments).env("NTLM_PASSWORD", password).output().unwrap());
        let report = fits(&schema, &ran.out);
        assert_eq!(ran.code, i32::from(!accepted), "{user} {arguments:?}: {report:#}");
    }
}
