//! Messages, accounts, flags and AV_PAIRs as tshark reads them.

use crate::common::{Tally, exchanges, sidecars, testdata};
use crate::public;
use ntlm::message::{AuthenticateMessage, ChallengeMessage, Message, MessageType, TargetInfo};
use ntlm::message::{NegotiateMessage, NtChallengeResponse};
use ntlm::text::CodePage;
use ntlm_accounts::Accounts;
use ntlm_explain::Explained;
use std::collections::BTreeSet;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Fields, in the order in which they are printed.
const FIELDS: [&str; 9] = [
    "frame.number",
    "ntlmssp.messagetype",
    "ntlmssp.auth.username",
    "ntlmssp.auth.domain",
    "ntlmssp.auth.hostname",
    "ntlmssp.negotiateflags",
    "ntlmssp.ntlmserverchallenge",
    "ntlmssp.challenge.target_info.item.type",
    "ntlmssp.ntlmv2_response.item.type",
];

#[test]
fn messages_are_read_as_tshark_reads_them() {
    if Command::new("tshark").arg("--version").output().is_err() {
        assert_ne!(env::var("CI").as_deref(), Ok("true"), "tshark is not installed");
        println!("SKIPPED: tshark is not installed");
        return;
    }
    let mut captures: Vec<PathBuf> = Vec::new();
    for folder in ["captures", "captures/http"] {
        let paths = sidecars(&testdata(folder)).into_iter();
        let paths = paths.map(|(path, _)| path.with_extension("pcap")).filter(|path| path.exists());
        // Their secrets are known, and other tests compare far more; a few show that tshark agrees.
        captures.extend(paths.step_by(8));
    }
    let own = captures.len();
    match public::folder() {
        Some(folder) => {
            let unknown = public::index(&folder).into_iter();
            let unknown = unknown.filter(|entry| !entry["known_passwords"].is_object());
            captures.extend(unknown.map(|entry| folder.join(entry["file"].as_str().unwrap())));
            assert!(captures.len() >= own + 28);
        }
        None => {
            println!("SKIPPED: NTLM_PUBLIC_CAPTURES does not name the folder of public captures")
        }
    }
    let mut tally = Tally::default();
    for capture in &captures {
        tally.captures += 1;
        compare(capture, &mut tally);
    }
    tally.settle("tshark");
    assert!(tally.exchanges >= 20 && tally.facts >= 60, "{tally:?}");
}

/// One line for each message: frame, then what is in it.
fn compare(capture: &Path, tally: &mut Tally) {
    let name = capture.file_name().unwrap().to_string_lossy().into_owned();
    let theirs = tshark(capture);
    let none = Accounts::new(CodePage::Cp850);
    let mut ours = Vec::new();
    for exchange in exchanges(capture, &none) {
        tally.exchanges += 1;
        ours.extend(lines(&exchange.explained));
    }
    // In HTTP, tshark has the frame in which the body ends.
    let theirs: Vec<String> = theirs
        .into_iter()
        .map(|line| {
            let (frame, rest) = line.split_once(' ').unwrap();
            let unreadable = format!("{frame} {} unreadable", &rest[..1]);
            if ours.contains(&unreadable) {
                return unreadable;
            }
            let http = format!("http {rest}");
            if ours.contains(&http) { http } else { line }
        })
        .collect();
    let ours_set: BTreeSet<_> = ours.iter().cloned().collect();
    let theirs_set: BTreeSet<_> = theirs.iter().cloned().collect();
    for line in theirs_set.difference(&ours_set) {
        tally.wrong.push(format!("{name}: only tshark has {line}"));
    }
    // tshark does not look into every pipe and every SASL mechanism, but sees the bytes.
    let with_signature = frames_with_signature(capture);
    for line in ours_set.difference(&theirs_set) {
        let frame = line.split(' ').next().unwrap();
        if !with_signature.contains(frame) {
            tally.wrong.push(format!("{name}: only we have {line}"));
        }
    }
    // The same logon may be repeated on several connections; over HTTP that shows no frame.
    let http = |lines: &[String]| lines.iter().filter(|line| line.starts_with("http ")).count();
    assert_eq!(http(&ours), http(&theirs), "{name}: a message was found twice, or not");
    let framed = |lines: &[String]| lines.len() - http(lines);
    let framed_set = ours_set.iter().filter(|line| !line.starts_with("http ")).count();
    assert_eq!(framed(&ours), framed_set, "{name}: a message was found twice");
    tally.facts += theirs.len();
}

fn frames_with_signature(capture: &Path) -> BTreeSet<String> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-Y", "frame contains \"NTLMSSP\""]);
    let output = command.args(["-T", "fields", "-e", "frame.number"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn tshark(capture: &Path) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-Y", "ntlmssp.messagetype", "-T", "fields"]);
    command.args(["-o", "tcp.reassemble_out_of_order:TRUE", "-E", "separator=/t"]);
    for field in FIELDS {
        command.args(["-e", field]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut all = Vec::new();
    for line in text.lines() {
        let columns: Vec<_> = line.split('\t').collect();
        let [frame, kinds, user, domain, host, flags, challenge, offered, sent] = columns[..]
        else {
            panic!("{line}");
        };
        let kinds: Vec<_> = kinds.split(',').collect();
        let null = |text: &str| if text == "NULL" { String::new() } else { text.to_owned() };
        let flags: Vec<_> = flags.split(',').collect();
        for (at, kind) in kinds.iter().enumerate() {
            let kind = kind.trim_start_matches("0x").trim_start_matches('0');
            let flags = flags.get(at).copied().unwrap_or_default();
            let rest = match kind {
                "1" => String::new(),
                "2" => format!("{challenge} {offered}"),
                "3" => format!("{} {} {} {sent}", null(user), null(domain), null(host)),
                // tshark takes a message of another type for one of NTLM.
                _ => continue,
            };
            all.push(format!("{frame} {kind} {flags} {rest}"));
        }
    }
    all
}

fn lines(explained: &Explained) -> Vec<String> {
    let mut all = Vec::new();
    let readable = |kind, bytes: &[u8]| match kind {
        MessageType::Negotiate => NegotiateMessage::decode(bytes).is_ok(),
        MessageType::Challenge => ChallengeMessage::decode(bytes).is_ok(),
        MessageType::Authenticate => AuthenticateMessage::decode(bytes).is_ok(),
    };
    for (kind, seen) in explained.found.messages() {
        if !readable(kind, &seen.bytes) {
            // Even then it is told which message stands in which frame.
            let number = match kind {
                MessageType::Negotiate => 1,
                MessageType::Challenge => 2,
                MessageType::Authenticate => 3,
            };
            all.push(format!("{} {number} unreadable", seen.origin.unwrap().frame));
            continue;
        }
        let frame = match explained.carrier {
            "http" => "http".to_owned(),
            _ => seen.origin.unwrap().frame.to_string(),
        };
        let line = match kind {
            MessageType::Negotiate => {
                let message = NegotiateMessage::decode(&seen.bytes).unwrap();
                format!("{frame} 1 0x{:08x} ", message.negotiate_flags.bits())
            }
            MessageType::Challenge => {
                let message = ChallengeMessage::decode(&seen.bytes).unwrap();
                let challenge = ntlm_explain::hex(&message.server_challenge);
                let pairs = message.target_info().map(ids).unwrap_or_default();
                format!("{frame} 2 0x{:08x} {challenge} {pairs}", message.negotiate_flags.bits())
            }
            MessageType::Authenticate => {
                let message = AuthenticateMessage::decode(&seen.bytes).unwrap();
                let flags = message.negotiate_flags.map_or(0, |flags| flags.bits());
                let account = &explained.account;
                let pairs = match message.nt_challenge_response() {
                    Ok(NtChallengeResponse::Ntlmv2(response)) => ids(response.target_info()),
                    _ => String::new(),
                };
                let names = [&account.user, &account.domain, &account.workstation];
                let names = names.map(String::as_str).join(" ");
                format!("{frame} 3 0x{flags:08x} {names} {pairs}")
            }
        };
        all.push(line);
    }
    all
}

/// The kinds of a list of AV_PAIRs.
fn ids(list: TargetInfo<'_>) -> String {
    let ids = list.pairs().map_while(Result::ok).map(|pair| format!("0x{:04x}", pair.id.0));
    ids.collect::<Vec<_>>().join(",")
}
