//! `ntlm keys` and `ntlm decode` as people run them, and every example that help gives.

use crate::common::{Folder, accounts, capture, ntlm, ran, run, run_with_input};
use serde_json::Value;
use std::process::Command;

const NEGOTIATE: &str = "TlRMTVNTUAABAAAAl4II4gAAAAAAAAAAAAAAAAAAAAAGAbEdAAAADw==";

/// The messages of MS-NLMP 4.2.4.3, and the values of that section.
const TARGET_INFO: &str =
    "02000c0044006f006d00610069006e0001000c0053006500720076006500720000000000";

fn published(version: &str, more: &[&str]) -> Value {
    let mut arguments = vec![
        "keys",
        "--json",
        "--user",
        "Domain\\User",
        "--version",
        version,
        "--server-challenge",
        "0123456789abcdef",
        "--client-challenge",
        "aaaaaaaaaaaaaaaa",
        "--random-session-key",
        "55555555555555555555555555555555",
    ];
    arguments.extend(more);
    let ran = ran(ntlm(&arguments).env("NTLM_PASSWORD", "Password").output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

fn key<'a>(json: &'a Value, name: &str) -> Option<&'a str> {
    json["keys"][name]["value"].as_str()
}

#[test]
fn typed_values_give_the_published_keys_of_ntlmv2() {
    let json = published("ntlmv2", &["--flags", "e28a8233", "--target-info", TARGET_INFO]);
    assert_eq!(key(&json, "ntowf_v1"), Some("a4f49c406510bdcab6824ee7c30fd852"));
    assert_eq!(key(&json, "ntowf_v2"), Some("0c868a403bfd7a93a3001ef22ef02e3f"));
    assert_eq!(key(&json, "session_base_key"), Some("8de40ccadbc14a82f15cb0ad0de95ca3"));
    assert_eq!(key(&json, "nt_proof_str"), Some("68cd0ab851e51c96aabc927bebef6a1c"));
    let encrypted = key(&json, "encrypted_random_session_key");
    assert_eq!(encrypted, Some("c5dad2544fc9799094ce1ce90bc9d03e"));
    assert_eq!(key(&json, "client_signing_key"), Some("4788dc861b4782f35d43fd98fe1a2d39"));
    assert_eq!(key(&json, "client_sealing_key"), Some("59f600973cc4960a25480a7c196e4c58"));
    let lm = json["computed"]["lm_challenge_response"].as_str();
    assert_eq!(lm, Some("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa"));
}

#[test]
fn typed_values_give_the_published_keys_of_ntlmv1() {
    let json = published("ntlmv1", &["--flags", "e2028233"]);
    assert_eq!(key(&json, "session_base_key"), Some("d87262b0cde4b1cb7499becccdf10784"));
    let nt = json["computed"]["nt_challenge_response"].as_str();
    assert_eq!(nt, Some("67c43011f30298a2ad35ece64f16331c44bdbed927841f94"));
    assert_eq!(key(&json, "client_signing_key"), None);
}

#[test]
fn redacted_typed_values_show_no_key() {
    let json = published("ntlmv2", &["--flags", "e28a8233", "--redact-keys"]);
    assert_eq!(json["computed"], Value::Null);
    let value = key(&json, "session_base_key").unwrap();
    assert!(value.chars().all(|c| c == '*'), "{value}");
}

#[test]
fn a_password_is_never_guessed() {
    let arguments = [
        "keys",
        "--user",
        "u",
        "--version",
        "ntlmv1",
        "--flags",
        "e2028233",
        "--server-challenge",
        "0123456789abcdef",
        "--client-challenge",
        "aaaaaaaaaaaaaaaa",
    ];
    let ran = run(&arguments);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("NTLM_PASSWORD") || ran.err.contains("random-session-key"),
        "{}",
        ran.err
    );
}

#[test]
fn wrong_values_name_their_option() {
    for (option, value) in [
        ("--flags", "xyz"),
        ("--server-challenge", "0123"),
        ("--exported-session-key", "55"),
        ("--target-info", "0"),
    ] {
        let mut arguments = vec!["keys", "--version", "ntlmv2"];
        if option != "--flags" {
            arguments.extend(["--flags", "e2888233"]);
        }
        arguments.extend([option, value]);
        let ran = run(&arguments);
        assert_eq!(ran.code, 2, "{option}");
        assert!(!ran.err.is_empty());
    }
}

#[test]
fn a_message_is_decoded_in_every_form_people_have() {
    let bytes = base64(NEGOTIATE);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let spaced: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    let folder = Folder::new("decode");
    let raw = folder.write("raw.bin", &bytes);
    let text = folder.write("text.b64", format!("{NEGOTIATE}\n"));
    let header = format!("Authorization: NTLM {NEGOTIATE}");
    let spnego = spnego(&bytes);
    for form in
        [NEGOTIATE, &hex, &spaced.join(" "), &spaced.join(":"), &header, &raw, &text, &spnego]
    {
        let ran = run(&["decode", form, "--json"]);
        assert_eq!(ran.code, 0, "{form}: {}", ran.err);
        let json: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(json["message"], "NEGOTIATE_MESSAGE", "{form}");
        assert_eq!(json["length"], 40, "{form}");
    }
    let lines = format!("{NEGOTIATE}\n\n{header}\n");
    let ran = run_with_input(&["decode", "-", "--json"], lines.as_bytes());
    assert_eq!((ran.code, ran.out.lines().count()), (0, 2));
}

#[test]
fn what_is_no_message_exits_with_2() {
    for token in ["zz", "00", "", "TlRM", "4e544c4d53535000", "/nowhere"] {
        let ran = run(&["decode", token]);
        assert_eq!(ran.code, 2, "{token:?}");
        assert!(ran.err.starts_with("ntlm: "), "{}", ran.err);
    }
    let ran = run(&["decode", "zz", NEGOTIATE]);
    assert_eq!(ran.code, 2);
    assert!(ran.out.contains("NEGOTIATE_MESSAGE"), "the other one is shown all the same");
}

#[test]
fn every_prefix_of_a_message_is_survived() {
    let bytes = base64(NEGOTIATE);
    for length in 0..bytes.len() {
        let hex: String = bytes[..length].iter().map(|byte| format!("{byte:02x}")).collect();
        assert!([0, 2].contains(&run(&["decode", &hex]).code), "{length}");
    }
}

#[test]
fn the_reference_table_is_the_published_page() {
    let ran = run(&["keys", "--table", "--markdown"]);
    let page = std::fs::read_to_string(crate::common::root().join("docs/keys.md")).unwrap();
    assert_eq!(ran.out, page, "cargo xtask docs");
    assert_eq!(run(&["keys", "--table"]).code, 0);
}

/// Runs what the help of each command shows, in a folder that has the files it names.
#[test]
fn every_example_in_help_runs() {
    let folder = Folder::new("examples");
    for name in ["capture.pcap", "capture.pcapng", "big.pcap.gz"] {
        std::fs::copy(capture("smbclient-smb3_11-sign-ntlmv2"), folder.path(name)).unwrap();
    }
    std::fs::copy(accounts(), folder.path("accounts.toml")).unwrap();
    let messages = crate::common::testdata("captures/http/ntlm-get.pcap");
    let [negotiate, challenge, authenticate] = tokens(&std::fs::read(messages).unwrap());
    folder.write("negotiate.b64", &negotiate);
    folder.write("challenge.b64", &challenge);
    folder.write("authenticate.b64", &authenticate);
    folder.write("tokens.txt", format!("{negotiate}\n{challenge}\n"));
    let mut count = 0;
    for command in
        [&["--help"][..], &["keys", "--help"], &["decode", "--help"], &["explain", "--help"]]
    {
        let help = run(command).out;
        let continued: Vec<&str> = help.split("\\\n").map(|part| part.trim_start()).collect();
        let help = continued.join(" ");
        for line in help.lines().map(str::trim) {
            let line = line.split("   ").next().unwrap_or_default();
            if !line.starts_with("ntlm ") && !line.starts_with("NTLM_PASSWORD=") {
                continue;
            }
            let is_synopsis = line.contains('<') && line.contains('>') || line.contains('[');
            // Those of `logon` need a server, and `serve` is one until it is stopped: the matrices of
            // SMB run the like of them.
            let needs_server =
                ["ntlm logon", "logon.pcapng", "ntlm serve"].iter().any(|what| line.contains(what));
            if is_synopsis || needs_server || line.ends_with(':') {
                continue;
            }
            run_in_shell(line, &folder);
            count += 1;
        }
    }
    assert!(count >= 14, "only {count} examples were found");
}

/// The commands of README, as they stand there.
#[test]
fn every_example_in_the_readme_runs() {
    let readme = std::fs::read_to_string(crate::common::root().join("README.md")).unwrap();
    let blocks = readme.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut count = 0;
    for block in blocks {
        let block = block.replace("\\\n", " ").replace("cargo run --release --", "ntlm");
        for line in block.lines().filter(|line| line.contains("ntlm ")) {
            shell(line, &crate::common::root());
            count += 1;
        }
    }
    assert!(count >= 3, "only {count} examples were found");
}

/// What README shows is what the program prints.
#[test]
fn the_readme_shows_what_is_printed() {
    let readme = std::fs::read_to_string(crate::common::root().join("README.md")).unwrap();
    let shown = readme.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let file = "testdata/captures/smbclient-smb3_11-sign-ntlmv2.pcap";
    let mut command = ntlm(&["explain", file, "--secrets", "testdata/accounts.toml"]);
    let printed = ran(command.env("COLUMNS", "92").output().unwrap()).out;
    let mut rest = printed.lines();
    for line in shown.lines().filter(|line| !line.starts_with('[')) {
        assert!(rest.any(|printed| printed == line), "not printed, or not here: {line}");
    }
}

/// What README says of the two things called extended, in three recordings.
#[test]
fn the_two_things_called_extended_are_as_the_readme_says() {
    let readme = std::fs::read_to_string(crate::common::root().join("README.md")).unwrap();
    let (_, section) = readme.split_once("## Two things called extended").unwrap();
    let shown = section.split("```text\n").nth(1).unwrap().split("```").next().unwrap();
    let mut files = Vec::new();
    for line in shown.lines() {
        let (name, lines) = line.split_once(' ').unwrap();
        let file = capture(name);
        let ran = run(&["explain", &file, "--secrets", &accounts()]);
        let (of_ntlm, of_smb) = lines.trim().split_at(lines.trim().find("SMB ").unwrap());
        for line in [of_ntlm.trim(), of_smb.trim()] {
            assert!(
                ran.out.lines().any(|printed| printed.trim().starts_with(line)),
                "{name}: {line}"
            );
        }
        files.push(std::fs::read(file).unwrap());
    }
    let [with_both, without_ess, without_both] = &files[..] else { panic!("three recordings") };
    let challenge = |file: &[u8]| bytes_behind(file, b"NTLMSSP\0\x02", 20);
    // A successful response to NEGOTIATE.
    let negotiate = |file: &[u8]| bytes_behind(file, b"\xffSMB\x72\0\0\0\0\x88", 52);
    for (bytes, word) in [
        (challenge(with_both), "with"),
        (challenge(without_ess), "without"),
        (negotiate(without_ess), "with"),
        (negotiate(without_both), "without"),
    ] {
        assert!(section.contains(&format!("`{bytes}` {word}")), "{bytes} {word}");
    }
}

/// Four bytes at an offset from where `start` is first found, in hex.
fn bytes_behind(file: &[u8], start: &[u8], offset: usize) -> String {
    let at = file.windows(start.len()).position(|window| window == start).unwrap() + offset;
    let hex: Vec<String> = file[at..at + 4].iter().map(|byte| format!("{byte:02x}")).collect();
    hex.join(" ")
}

fn run_in_shell(line: &str, folder: &Folder) {
    shell(line, std::path::Path::new(&folder.path("")));
}

fn shell(line: &str, folder: &std::path::Path) {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_ntlm"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let mut command = Command::new("sh");
    command.args(["-c", line]).env("PATH", path).current_dir(folder);
    let output = command.output().unwrap();
    let code = output.status.code();
    assert!(code == Some(0), "{line}: {code:?} {}", String::from_utf8_lossy(&output.stderr));
}

/// The three tokens of an HTTP capture, in base64.
fn tokens(capture: &[u8]) -> [String; 3] {
    let text = String::from_utf8_lossy(capture);
    let token = |start: &str| {
        let at = text.find(start).unwrap();
        let end = |c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c));
        text.get(at..).unwrap().split(end).next().unwrap().to_owned()
    };
    [token("TlRMTVNTUAAB"), token("TlRMTVNTUAAC"), token("TlRMTVNTUAAD")]
}

fn spnego(message: &[u8]) -> String {
    let mut inner = vec![4, u8::try_from(message.len()).unwrap()];
    inner.extend(message);
    let wrap = |tag: u8, inner: &[u8]| {
        let mut outer = vec![tag, u8::try_from(inner.len()).unwrap()];
        outer.extend(inner);
        outer
    };
    let token = wrap(0xa0, &wrap(0x30, &wrap(0xa2, &inner)));
    token.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn base64(text: &str) -> Vec<u8> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => c - b'A',
        b'a'..=b'z' => c - b'a' + 26,
        b'0'..=b'9' => c - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u8> = text.bytes().filter(|c| *c != b'=').map(digit).collect();
    let mut bytes = Vec::new();
    for part in digits.chunks(4) {
        let bits = part.iter().fold(0_u32, |bits, digit| bits << 6 | u32::from(*digit));
        let bits = bits << (6 * (4 - part.len()));
        bytes.extend(&bits.to_be_bytes()[1..part.len()]);
    }
    bytes
}
