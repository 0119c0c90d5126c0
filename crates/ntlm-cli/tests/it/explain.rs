//! `ntlm explain` as people run it: exit codes, forms, filters, and input that means harm.

use crate::common::{Folder, accounts, capture, ntlm, ran, run, run_with_input, testdata};
use serde_json::Value;
use std::io::Read;
use std::process::Stdio;

const V2: &str = "smbclient-smb3_11-sign-ntlmv2";
const V1: &str = "smbclient-smb2_10-sign-ntlmv1";
const WRONG: &str = "smbclient-smb2_10-wrongpassword";
const FOUR: &str = "rpcclient-np-seal";

fn explain(captures: &[&str], more: &[&str]) -> crate::common::Ran {
    let accounts = accounts();
    let captures: Vec<String> = captures.iter().map(|name| capture(name)).collect();
    let mut arguments = vec!["explain", "--secrets", &accounts];
    arguments.extend(captures.iter().map(String::as_str));
    arguments.extend(more);
    run(&arguments)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn ids(ran: &crate::common::Ran) -> Vec<u64> {
    let json = json(&ran.out);
    let exchanges = json["captures"][0]["exchanges"].as_array().unwrap().clone();
    exchanges.iter().map(|exchange| exchange["id"].as_u64().unwrap()).collect()
}

#[test]
fn a_valid_response_exits_with_0() {
    let ran = explain(&[V2], &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("1 exchange: 1 valid"), "{}", ran.out);
    assert!(ran.out.contains("587673e75d47efb28f56708839315480"), "the SessionBaseKey");
}

#[test]
fn a_wrong_secret_exits_with_1() {
    let ran = explain(&[WRONG], &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("[invalid-response]"), "{}", ran.out);
}

#[test]
fn nothing_to_check_exits_with_0_and_strictly_with_1() {
    let file = capture(V2);
    assert_eq!(run(&["explain", &file]).code, 0);
    let strict = run(&["explain", "--strict", &file]);
    assert_eq!(strict.code, 1);
    assert!(strict.out.contains("[unknown-account]"));
    assert_eq!(explain(&[V2], &["--strict"]).code, 0);
}

#[test]
fn usage_exits_with_2() {
    assert_eq!(run(&["explain"]).code, 2);
    assert_eq!(run(&["explain", "--format", "pdf", "x"]).code, 2);
    assert_eq!(run(&["nonsense"]).code, 2);
    assert_eq!(explain(&[V2], &["--json", "--brief"]).code, 2);
}

#[test]
fn what_comes_before_the_damage_is_shown() {
    let folder = Folder::new("damaged");
    let whole = std::fs::read(capture(V2)).unwrap();
    let file = folder.write("damaged.pcap", &whole[..whole.len() - 7]);
    let accounts = accounts();
    for format in ["text", "html", "json"] {
        let ran = run(&["explain", &file, "--secrets", &accounts, "--format", format]);
        assert_eq!(ran.code, 2, "{format}");
        assert!(ran.out.contains("alice"), "{format}: {}", ran.out);
        assert!(ran.err.contains("damaged.pcap"), "{}", ran.err);
        if format == "json" {
            assert_eq!(ids(&ran), [1]);
        }
    }
}

#[test]
fn damage_and_gaps_have_a_place_in_every_form() {
    let folder = Folder::new("about");
    let whole = std::fs::read(capture(V2)).unwrap();
    let file = folder.write("damaged.pcap", &whole[..whole.len() - 7]);
    let accounts = accounts();
    for more in [&["--brief"][..], &["--only-findings"], &[], &["--format", "html"]] {
        let ran = run(&[&["explain", &file, "--secrets", &accounts], more].concat());
        assert!(ran.out.contains("damaged-file"), "{more:?}: {}", ran.out);
        assert!(ran.out.contains("packet is cut short"), "{more:?}: {}", ran.out);
    }
    let ran = run(&["explain", &file, "--json"]);
    let finding = json(&ran.out)["captures"][0]["findings"][0].clone();
    assert_eq!((&finding["code"], &finding["severity"]), (&"damaged-file".into(), &"error".into()));
    assert!(finding["at"]["offset"].as_u64().unwrap() > 1000);
    // Nothing is left of the exchange, so only the capture can tell.
    let file = folder.write("beginning.pcap", &whole[..600]);
    let ran = run(&["explain", &file]);
    assert!(ran.out.contains("no NTLM exchange"), "{}", ran.out);
    assert!(ran.out.contains("[incomplete-connections]"), "{}", ran.out);
}

#[test]
fn several_files_are_read_as_one() {
    let folder = Folder::new("merge");
    let whole = std::fs::read(capture(V2)).unwrap();
    // Frames 1 to 9, and the others: CHALLENGE is the last of the first file.
    let mut at = 24;
    for _ in 0..9 {
        let length = whole.get(at + 8..at + 12).unwrap().try_into().unwrap();
        at += 16 + usize::try_from(u32::from_le_bytes(length)).unwrap();
    }
    let first = folder.write("one.pcap0", &whole[..at]);
    let second = folder.write("one.pcap1", [&whole[..24], &whole[at..]].concat());
    let accounts = accounts();
    let merged = run(&["explain", &second, &first, "--merge", "--secrets", &accounts, "--json"]);
    assert_eq!(merged.code, 0, "{}", merged.err);
    let merged = json(&merged.out);
    let errors: Vec<_> = crate::schema::schema()
        .iter_errors(&merged)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?}");
    let capture = &merged["captures"][0];
    assert_eq!(capture["files"], serde_json::json!([second, first]));
    let mut exchange = capture["exchanges"][0].clone();
    let files = exchange.as_object_mut().unwrap().remove("files").unwrap();
    let expected = serde_json::json!([
        {"file": first, "frames": [8, 9]}, {"file": second, "frames": [1, 2]}
    ]);
    assert_eq!(files, expected);
    let alone = json(&explain(&[V2], &["--json"]).out);
    assert_eq!(exchange, alone["captures"][0]["exchanges"][0]);
    for format in ["text", "html"] {
        let ran = run(&["explain", &first, &second, "--merge", "--format", format]);
        assert!(ran.out.contains("one.pcap0 + one.pcap1 as one"), "{format}: {}", ran.out);
        assert!(ran.out.contains("one.pcap0 8, 9; "), "{format}: {}", ran.out);
    }
    // Separately there is half an exchange in each.
    let apart = json(&run(&["explain", &first, &second, "--json"]).out);
    assert_eq!(apart["captures"].as_array().unwrap().len(), 2);
    // A file that is missing is named, and the others are read.
    let ran = run(&["explain", &first, "/nowhere.pcap", &second, "--merge", "--brief"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.starts_with("ntlm: /nowhere.pcap: No such file"), "{}", ran.err);
    assert!(ran.out.contains("/nowhere.pcap cannot be read further"), "{}", ran.out);
    assert!(ran.out.contains("1 exchange"), "{}", ran.out);
}

#[test]
fn a_file_that_is_missing_does_not_stop_the_others() {
    let ran = run(&["explain", "/nowhere/at/all.pcap", &capture(V2), "--json"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("/nowhere/at/all.pcap"), "{}", ran.err);
    assert_eq!(ids(&ran), [1]);
}

#[test]
fn a_file_that_is_no_capture_is_said_to_be_none() {
    let folder = Folder::new("nocapture");
    for bytes in [b"".as_slice(), b"hello, this is text and no capture at all\n", &[0xff; 100]] {
        let file = folder.write("file", bytes);
        let ran = run(&["explain", &file]);
        assert_eq!(ran.code, 2, "{bytes:?}");
        assert!(ran.err.starts_with("ntlm: "), "{}", ran.err);
    }
}

#[test]
fn standard_input_is_read() {
    let bytes = std::fs::read(capture(V2)).unwrap();
    let ran = run_with_input(&["explain", "-", "--secrets", &accounts(), "--json"], &bytes);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let json = json(&ran.out);
    assert_eq!(json["captures"][0]["file"], "-");
    assert_eq!(json["captures"][0]["exchanges"][0]["response"], "valid");
}

#[test]
fn a_closed_pipe_is_no_error() {
    let file = capture(FOUR);
    let mut arguments = vec!["explain", "--json"];
    arguments.extend(std::iter::repeat_n(file.as_str(), 20));
    let mut command = ntlm(&arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut first = [0; 10];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let ran = ran(child.wait_with_output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "");
}

#[test]
fn secrets_that_cannot_be_read_are_named_with_their_line() {
    let folder = Folder::new("secrets");
    let toml = "[[account]]\nuser = \"alice\"\npassword = \"x\"\n\n[[account]]\nuser = 7\n";
    let file = folder.write("accounts.toml", toml);
    let ran = run(&["explain", &capture(V2), "--secrets", &file]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("accounts.toml"), "{}", ran.err);
    assert!(ran.err.contains('6'), "{}", ran.err);
    let ran = run(&["explain", &capture(V2), "--secrets", &folder.path("none.toml")]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("none.toml"), "{}", ran.err);
}

#[test]
fn redacted_means_no_key_in_any_form() {
    let plain = json(&explain(&[V2, V1], &["--json"]).out);
    let mut values = Vec::new();
    for capture in plain["captures"].as_array().unwrap() {
        let keys = capture["exchanges"][0]["keys"].as_object().unwrap();
        values.extend(keys.values().filter_map(|key| key["value"].as_str().map(str::to_owned)));
    }
    assert!(values.len() > 20);
    for format in ["text", "json", "html"] {
        let redacted = explain(&[V2, V1], &["--redact-keys", "--format", format]);
        assert!(redacted.out.contains("****"), "{format}");
        for value in &values {
            assert!(!redacted.out.contains(value), "{format} shows {value}");
        }
    }
    let picture = explain(&[V2], &["--redact-keys", "--format", "svg"]);
    assert!(values.iter().all(|value| !picture.out.contains(value)));
}

#[test]
fn filters_choose_exchanges_and_keep_their_numbers() {
    assert_eq!(ids(&explain(&[FOUR], &["--json"])), [1, 2, 3, 4]);
    assert_eq!(ids(&explain(&[FOUR], &["--json", "--exchange", "3"])), [3]);
    assert_eq!(ids(&explain(&[FOUR], &["--json", "-n", "4", "-n", "2"])), [2, 4]);
    for (option, fits, does_not) in [
        ("--account", "ALICE", "bob"),
        ("--account", "corp\\alice", "other\\alice"),
        ("--host", "127.0.0.88", "127.0.0.8"),
        ("--host", "127.0.0.88:445", "127.0.0.88:446"),
        ("--host", "ws1", "ws2"),
        ("--with-version", "ntlmv2", "ntlmv1"),
        ("--verdict", "valid", "invalid"),
    ] {
        assert_eq!(
            ids(&explain(&[FOUR], &["--json", option, fits])),
            [1, 2, 3, 4],
            "{option} {fits}"
        );
        let none = explain(&[FOUR], &["--json", option, does_not]);
        assert_eq!(ids(&none), [0; 0], "{option} {does_not}");
    }
}

#[test]
fn only_what_is_shown_counts_for_the_exit_code() {
    assert_eq!(explain(&[WRONG, V2], &[]).code, 1);
    assert_eq!(explain(&[WRONG, V2], &["--verdict", "valid"]).code, 0);
    let none = explain(&[WRONG], &["--account", "bob"]);
    assert_eq!(none.code, 0);
    assert!(none.out.contains("filtered out"), "{}", none.out);
}

#[test]
fn brief_is_an_overview_and_findings_are_findings() {
    let brief = explain(&[FOUR], &["--brief"]);
    assert!(brief.out.contains("4 exchanges: 4 valid"), "{}", brief.out);
    assert!(!brief.out.contains("SessionBaseKey"));
    let findings = explain(&[V1], &["--only-findings"]);
    assert!(findings.out.contains("[weak-version]"), "{}", findings.out);
    assert!(!findings.out.contains("SessionBaseKey"));
}

#[test]
fn lines_fit_the_terminal() {
    let captures = [V2, V1, WRONG, FOUR, "smbclient-smb2_10-anonymous"];
    let accounts = accounts();
    for columns in [60_usize, 80, 100, 160] {
        for name in captures {
            let file = capture(name);
            let mut command = ntlm(&["explain", "--secrets", &accounts, &file]);
            let ran = ran(command.env("COLUMNS", columns.to_string()).output().unwrap());
            // The first line names the file, whose name is as long as it is.
            for line in ran.out.lines().skip_while(|line| !line.is_empty()) {
                assert!(line.chars().count() <= columns, "{columns}: {line}");
                assert_eq!(line, line.trim_end(), "{name} at {columns}");
            }
        }
    }
}

#[test]
fn colour_is_there_when_asked_for() {
    assert!(!explain(&[V2], &[]).out.contains('\x1b'));
    assert!(explain(&[V2], &["--color", "always"]).out.contains("\x1b["));
    let never = explain(&[V2], &["--color", "never"]);
    assert!(!never.out.contains('\x1b'));
}

#[test]
fn a_file_is_written_whole_or_not_at_all() {
    let folder = Folder::new("output");
    let file = folder.path("report.html");
    let ran = explain(&[V2], &["--format", "html", "--output", &file]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert!(std::fs::read_to_string(&file).unwrap().ends_with("</html>\n"));
    // No exchange to draw: what stood there stays.
    let picture = folder.write("ladder.svg", "old");
    let ran = explain(&[FOUR], &["--format", "svg", "--output", &picture]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--exchange"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(&picture).unwrap(), "old");
    let mut names = folder.names();
    names.sort();
    assert_eq!(names, ["ladder.svg", "report.html"]);
    let nowhere = explain(&[V2], &["--output", "/nowhere/at/all/report.txt"]);
    assert_eq!(nowhere.code, 2);
}

#[test]
fn html_needs_nothing_else() {
    let html = explain(&[V2, WRONG], &["--format", "html"]).out;
    assert!(html.starts_with("<!doctype html>"));
    for outside in ["<script", "src=", "href=\"http", "url(", "@import", "<link"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("id=\"c2e1\"") && html.contains("href=\"#c2e1\""));
    assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
    assert_eq!(html.matches("<article").count(), 2);
}

#[test]
fn a_picture_shows_one_exchange() {
    let svg = explain(&[FOUR], &["--format", "svg", "--exchange", "2"]);
    assert_eq!(svg.code, 0, "{}", svg.err);
    assert!(svg.out.starts_with("<svg") && svg.out.ends_with("</svg>\n"));
    assert!(svg.out.contains("ExportedSessionKey"));
    let none = explain(&[FOUR], &["--format", "svg", "--exchange", "9"]);
    assert_eq!((none.code, none.out.as_str()), (2, ""));
}

/// The texts of a class in a picture, with where they begin.
fn texts<'a>(svg: &'a str, class: &'a str) -> impl Iterator<Item = &'a str> {
    let start = format!("<text class=\"{class}\"");
    svg.match_indices(&start)
        .map(|(at, _)| svg.get(at..).unwrap().split_once('>').unwrap().1.split('<').next().unwrap())
        .collect::<Vec<_>>()
        .into_iter()
}

#[test]
fn every_exchange_can_be_drawn_and_fits_its_boxes() {
    let accounts = accounts();
    for file in crate::schema::captures() {
        for secrets in [&["--secrets", &accounts][..], &[]] {
            let mut arguments = vec!["explain", &file, "--exchange", "1", "--format", "svg"];
            arguments.extend(secrets);
            let svg = run(&arguments);
            if svg.err.contains("no exchange to draw") {
                continue;
            }
            assert!(svg.out.ends_with("</svg>\n"), "{file}: {}", svg.err);
            let length = |text: &str| text.replace("&quot;", "'").chars().count();
            assert!(texts(&svg.out, "mono formula").all(|text| length(text) <= 76), "{file}");
            assert!(texts(&svg.out, "mono value").all(|text| length(text) <= 32), "{file}");
            assert!(texts(&svg.out, "rule").all(|text| length(text) <= 140), "{file}");
            assert!(texts(&svg.out, "rule dim").all(|text| length(text) <= 88), "{file}");
            assert!(texts(&svg.out, "tagplace").all(|text| length(text) <= 32), "{file}");
            arguments.splice(4.., ["--format", "html"]);
            arguments.extend(secrets);
            assert!(run(&arguments).out.ends_with("</html>\n"), "{file}");
        }
    }
}

#[test]
fn hostile_names_are_shown_and_not_obeyed() {
    let folder = Folder::new("hostile");
    let user = "eve\x1b[2J\x07\r\n\u{202e}<script>alert(1)</script>&\"'\u{9b}31m";
    let file =
        folder.write("hostile.pcap", crate::hostile::capture(user, "WS\x1b]0;x\x07<b>", "D\n<i>"));
    for more in [&[][..], &["--brief"], &["--only-findings"]] {
        let mut arguments = vec!["explain", &file];
        arguments.extend(more);
        let ran = run(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("\\u{1b}[2J"), "{}", ran.out);
        let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!ran.out.contains(harmful), "{}", ran.out);
        assert!(ran.out.lines().all(|line| !line.starts_with("<script")));
    }
    for format in ["html", "svg"] {
        let ran = run(&["explain", &file, "--format", format]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(
            !ran.out.contains("<script") && !ran.out.contains("<b>W") && !ran.out.contains("<i>")
        );
        assert!(ran.out.contains("&lt;script&gt;"), "{format}");
        assert!(!ran.out.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'));
    }
    let ran = run(&["explain", &file, "--json"]);
    let exchange = &json(&ran.out)["captures"][0]["exchanges"][0];
    assert_eq!(exchange["account"]["user"], user);
    let hostile_account = run(&["explain", &file, "--account", user, "--json"]);
    assert_eq!(ids(&hostile_account), [1]);
}

#[test]
fn more_exchanges_than_can_be_kept_are_shown_as_they_come() {
    let folder = Folder::new("crowd");
    let file = folder.write("crowd.pcap", crate::hostile::crowd(10_050));
    let ran = run(&["explain", &file, "--brief"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("More follow than can be kept"));
    let last = ran.out.lines().filter(|line| line.starts_with("10050  ")).count();
    assert_eq!(last, 1);
    let one = run(&["explain", &file, "--exchange", "10050"]);
    assert!(one.out.contains("1 exchange: 1 unchecked"), "{}", one.out);
    let page = run(&["explain", &file, "--brief", "--format", "html"]);
    assert!(page.out.contains("50 more exchanges are left out"));
}

#[test]
fn a_clear_capture_needs_no_key_and_says_what_could_not_be_opened() {
    let folder = Folder::new("clear");
    let encrypted = capture("smbclient-smb3_11-encrypt-aes256gcm");
    let holds = |file: &str, text: &str| {
        let bytes = std::fs::read(file).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    let (clear, closed) = (folder.path("clear.pcapng"), folder.path("closed.pcapng"));
    let accounts = accounts();
    let ran = run(&["explain", &encrypted, "--secrets", &accounts, "--write-decrypted", &clear]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(holds(&clear, "was encrypted") && !holds(&clear, "could not be opened"));
    let ran = run(&["explain", &encrypted, "--write-decrypted", &closed]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(holds(&closed, "could not be opened") && !holds(&closed, "was encrypted"));
    // What was written is read again, and holds the same logon.
    let again = run(&["explain", &clear, "--secrets", &accounts]);
    assert!(again.out.contains("1 exchange: 1 valid"), "{}", again.out);
}

#[test]
fn findings_are_listed_with_what_to_do() {
    let ran = run(&["explain", "--list-findings"]);
    assert_eq!(ran.code, 0);
    let page = std::fs::read_to_string(crate::common::root().join("docs/findings.md")).unwrap();
    assert_eq!(ran.out, page, "cargo xtask docs");
}

#[test]
fn every_prefix_of_a_capture_is_survived() {
    let folder = Folder::new("prefixes");
    let whole = std::fs::read(testdata("captures/http/ntlm-get.pcap")).unwrap();
    let step = whole.len() / 40;
    for length in (0..whole.len()).step_by(step.max(1)) {
        let file = folder.write("prefix.pcap", &whole[..length]);
        let ran = run(&["explain", &file, "--json"]);
        assert!([0, 2].contains(&ran.code), "{length}: {}", ran.code);
        json(&ran.out);
    }
}

const CHANNEL: &str = "netlogon-aes-seal-tcp";
/// Of that channel.
const CHANNEL_KEY: &str = "3e6f92294f990921639557042a635f7e";

#[test]
fn a_secure_channel_is_shown_with_the_logons_in_it() {
    let ran = explain(&[CHANNEL], &["--strict"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for part in [
        "no NTLM exchange, 1 secure channel",
        "CORP\\MEMBER1$",
        CHANNEL_KEY,
        "HMAC_SHA256(M4SS, ClientChallenge || ServerChallenge)[0..15]",
        "CORP\\bob from MEMBER1, network NTLMv1-ESS",
        "2f40bc6c65b5c040468bc2b1311e8489",
        "too many wrong passwords",
    ] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    let page = explain(&[CHANNEL], &["--format", "html"]).out;
    for part in ["1 secure channel", CHANNEL_KEY, "CORP\\locky", "NetrLogonSamLogonEx level 2"] {
        assert!(page.contains(part), "{part}");
    }
    let brief = explain(&[CHANNEL], &["--brief"]).out;
    assert!(brief.contains("10 valid") && !brief.contains(CHANNEL_KEY), "{brief}");
    // winbindd passes passwords through, too.
    let winbindd = explain(&["netlogon-winbindd-seal"], &[]).out;
    assert!(winbindd.contains("CORP\\carla from \\\\MEMBER1, interactive"), "{winbindd}");
}

#[test]
fn without_the_machines_secret_a_channel_says_which_would_help() {
    let file = capture(CHANNEL);
    let ran = run(&["explain", &file]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("10 unchecked") && ran.out.contains("[netlogon-key-unknown]"));
    assert!(ran.out.contains("CORP\\MEMBER1$ would open the channel"), "{}", ran.out);
    assert_eq!(run(&["explain", &file, "--strict"]).code, 1);
    let folder = Folder::new("channel-key");
    let entry =
        format!("[[account]]\nuser = \"MEMBER1$\"\nnetlogon_session_key = \"{CHANNEL_KEY}\"\n");
    let secrets = folder.write("key.toml", entry);
    let ran = run(&["explain", &file, "--secrets", &secrets]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("10 valid"), "{}", ran.out);
}

#[test]
fn keys_of_a_channel_are_redacted_in_every_form() {
    for form in ["text", "html", "json"] {
        let plain = explain(&[CHANNEL], &["--format", form]).out;
        let redacted = explain(&[CHANNEL], &["--format", form, "--redact-keys"]).out;
        for key in [
            CHANNEL_KEY,
            "26d4051a668a468255e1bea1c9ea422b",
            "2f40bc6c65b5c040468bc2b1311e8489",
            "2f40bc6c65b5c040",
        ] {
            assert!(plain.contains(key), "{form}: {key}");
            assert!(!redacted.contains(key), "{form}: {key}");
        }
    }
}

#[test]
fn filters_choose_channels_too() {
    let count = |more: &[&str]| {
        let ran = explain(&[CHANNEL, "rpcclient-tcp-seal-ntlm"], &[&["--json"], more].concat());
        let captures = json(&ran.out)["captures"].as_array().unwrap().clone();
        let of = |part: &str| -> usize {
            captures.iter().map(|capture| capture[part].as_array().unwrap().len()).sum()
        };
        (of("channels"), of("exchanges"))
    };
    assert_eq!(count(&[]), (1, 3));
    assert_eq!(count(&["--account", "member1$"]), (1, 0));
    assert_eq!(count(&["--account", "CORP\\carla"]), (1, 0));
    assert_eq!(count(&["--account", "alice"]), (1, 3));
    assert_eq!(count(&["--exchange", "1"]), (0, 1));
    assert_eq!(count(&["--with-version", "ntlmv1"]), (1, 0));
    assert_eq!(count(&["--with-version", "lm"]), (0, 0));
    assert_eq!(count(&["--host", "127.0.0.88"]), (1, 3));
    assert_eq!(count(&["--verdict", "invalid"]), (0, 0));
    assert_eq!(count(&["--verdict", "valid"]), (1, 3));
}

#[test]
fn a_signature_of_rpc_that_does_not_hold_exits_with_1() {
    let ran = explain(&["rpcclient-tcp-seal-ntlm"], &["--exchange", "3"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.contains("14 valid, 14 unsealed"), "{}", ran.out);
    let mut file = std::fs::read(capture("rpcclient-tcp-seal-ntlm")).unwrap();
    // The first byte of the body of the last request.
    let header = [5, 0, 0, 3, 0x10, 0, 0, 0];
    let last = file.windows(8).rposition(|bytes| bytes == header).unwrap();
    file[last + 24] ^= 1;
    let folder = Folder::new("rpc-damage");
    let changed = folder.write("changed.pcap", file);
    let accounts = accounts();
    let ran = run(&["explain", &changed, "--secrets", &accounts, "--json"]);
    assert_eq!(ran.code, 1);
    let rpc = &json(&ran.out)["captures"][0]["exchanges"][2]["rpc"];
    assert_eq!(
        (&rpc["signatures"]["valid"], &rpc["signatures"]["invalid"]),
        (&13.into(), &1.into())
    );
    let message = rpc["failures"][0]["message"].as_str().unwrap();
    assert!(
        message.ends_with("does not hold under ClientSigningKey and ClientSealingKey"),
        "{rpc}"
    );
    let ran = run(&["explain", &changed, "--secrets", &accounts]);
    assert!(ran.out.contains("[rpc-signature-invalid]"), "{}", ran.out);
}
