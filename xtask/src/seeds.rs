//! What the fuzz targets start from, taken out of testdata/.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::conversations::{Conversation, as_pieces, as_segments, conversations};
use crate::workspace::root;

/// Larger files make the fuzzer slow and find nothing that small ones do not.
const LONGEST: usize = 16 * 1024;

/// The seeds of a target: every hexadecimal string of the JSON files unless it wants others.
pub(crate) fn seeds_of(target: &str) -> BTreeSet<Vec<u8>> {
    match target {
        "negotiate" => messages(1),
        "challenge" | "client" => messages(2),
        "authenticate" => messages(3),
        "exchange" | "server" => exchanges(),
        "signature" => of_length(16),
        // Every byte is looked up many times over, so long texts are slow.
        "text" => hex_strings().into_iter().filter(|bytes| bytes.len() <= 64).collect(),
        "session_unseal" => of_length(16).into_iter().map(|it| under_usual_flags(&it)).collect(),
        "der" | "certificate" => {
            let strings = hex_strings().into_iter().filter(|bytes| bytes.starts_with(&[0x30]));
            strings.chain(contents(&["der"])).collect()
        }
        "smb1" => smb_messages(&[b"\xffSMB"]),
        "smb2" => smb_messages(&[b"\xfeSMB"]),
        "smb_client" => smb_conversations(true),
        "smb_server" => smb_conversations(false),
        "transform" => smb_messages(&[b"\xfdSMB", b"\xfeSMB"]),
        "carrier_smb1" => said_in(&["nt1"]),
        "carrier_smb2" => said_in(&["smb2", "smb3"]),
        "carrier_http" => said_in(&["http/"]),
        "carrier_rpc" => said_in(&["tcp-", "netlogon", "rpcclient-np"]),
        "carrier_ldap" => said_in(&["ldap", "ldbsearch"]),
        "carrier_mail" => mail(),
        "reassembly" => said(&[""]).iter().map(as_segments).collect(),
        "capture" | "explain" => contents(&["pcap", "pcapng"]),
        "accounts" => {
            let data = root().join("crates/ntlm-accounts/tests/data");
            let others = files(&data).into_iter().filter_map(|path| fs::read(path).ok());
            contents(&["toml"]).into_iter().chain(others).collect()
        }
        _ => hex_strings(),
    }
}

/// The conversations of captures whose path has one of these parts, short enough to be seeds.
fn said(parts: &[&str]) -> Vec<Conversation> {
    let folder = root().join("testdata/captures");
    let is_wanted = |path: &PathBuf| {
        let name = path.strip_prefix(&folder).unwrap_or(path).to_string_lossy().into_owned();
        name.ends_with(".pcap") && parts.iter().any(|part| name.contains(part))
    };
    let captures = files(&folder).into_iter().filter(is_wanted);
    let contents = captures.filter_map(|path| fs::read(path).ok());
    let length = |said: &Conversation| said.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    contents.flat_map(|pcap| conversations(&pcap)).filter(|said| length(said) <= LONGEST).collect()
}

fn said_in(parts: &[&str]) -> BTreeSet<Vec<u8>> {
    said(parts).iter().map(as_pieces).collect()
}

/// The tokens of the HTTP captures, as SMTP, IMAP and POP carry them. Of these there is no capture.
fn mail() -> BTreeSet<Vec<u8>> {
    let token = |text: &str, kind: char| {
        let at = text.find(&format!("TlRMTVNTUAA{kind}"))?;
        let token =
            text.get(at..)?.split(|c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c)));
        Some(token.take(1).collect::<String>())
    };
    let dialogues: [[&str; 6]; 3] = [
        ["220 mx ESMTP", "AUTH NTLM #", "334 #", "#", "235 2.7.0 welcome", "QUIT"],
        ["* OK IMAP4rev1", "a AUTHENTICATE NTLM #", "+ #", "#", "a OK welcome", "b LOGOUT"],
        ["+OK POP3", "AUTH NTLM #", "+ #", "#", "-ERR no", "QUIT"],
    ];
    let mut seeds = BTreeSet::new();
    for pcap in said(&["http/"]) {
        let text: Vec<u8> = pcap.into_iter().flat_map(|(_, bytes)| bytes).collect();
        let text = String::from_utf8_lossy(&text);
        let tokens = ['B', 'C', 'D'].map(|kind| token(&text, kind));
        let [Some(negotiate), Some(challenge), Some(authenticate)] = tokens else { continue };
        for dialogue in dialogues {
            let mut tokens = [&negotiate, &challenge, &authenticate].into_iter();
            let lines = dialogue.iter().map(|line| match line.strip_suffix('#') {
                Some(start) => format!("{start}{}\r\n", tokens.next().map_or("", |it| it)),
                None => format!("{line}\r\n"),
            });
            let sides = [false, true].into_iter().cycle();
            seeds.insert(as_pieces(&sides.zip(lines.map(String::into_bytes)).collect()));
        }
    }
    seeds
}

/// SMB messages of the captures, one of each command, direction and length, and those of the JSON
/// files. They are found by their first bytes behind the length that the transport puts before them.
fn smb_messages(protocols: &[&[u8]]) -> BTreeSet<Vec<u8>> {
    let is_one = |bytes: &&[u8]| protocols.iter().any(|protocol| bytes.starts_with(protocol));
    let mut found = BTreeMap::new();
    for capture in all_captures() {
        for at in 4..capture.len() {
            let message = || {
                let length = capture.get(at - 4..at)?.try_into().ok().map(u32::from_be_bytes)?;
                let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST)?;
                capture.get(at..at.checked_add(length)?).filter(is_one)
            };
            if let Some(message) = message() {
                // The commands of SMB 1 and of SMB 2, and the flags that say which way it goes.
                let kind = [4, 9, 12, 16].map(|at| message.get(at).copied());
                found.entry((kind, message.len())).or_insert_with(|| message.to_vec());
            }
        }
    }
    let stated = hex_strings().into_iter().filter(|bytes| is_one(&bytes.as_slice()));
    found.into_values().chain(stated).collect()
}

/// What the servers of the captures say, or the clients, in order, each message behind its length: once
/// for each way to set up the other end that may go with it.
fn smb_conversations(of_servers: bool) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    for capture in all_captures() {
        let mut said = Vec::new();
        for at in 4..capture.len() {
            let message = || {
                let length = capture.get(at - 4..at)?.try_into().ok().map(u32::from_be_bytes)?;
                let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST)?;
                let message = capture.get(at..at.checked_add(length)?)?;
                let is_response = match message.get(..4)? {
                    b"\xfeSMB" => message.get(16)? & 1 != 0,
                    b"\xffSMB" => message.get(9)? & 0x80 != 0,
                    magic => magic == b"\xfdSMB",
                };
                let is_encrypted = message.starts_with(b"\xfdSMB");
                (is_response == of_servers || is_encrypted).then_some(message)
            };
            if let Some(message) = message()
                && let Ok(length) = u16::try_from(message.len())
            {
                said.extend_from_slice(&length.to_le_bytes());
                said.extend_from_slice(message);
            }
        }
        if !said.is_empty() && said.len() <= LONGEST {
            for setup in [0, 1, 2, 2 | 64, 1 | 32] {
                found.insert([&[setup], said.as_slice()].concat());
            }
        }
    }
    found
}

fn all_captures() -> Vec<Vec<u8>> {
    let paths = files(&root().join("testdata/captures"));
    let captures = paths.iter().filter(|path| path.extension().is_some_and(|it| it == "pcap"));
    captures.filter_map(|path| fs::read(path).ok()).collect()
}

fn messages(message_type: u8) -> BTreeSet<Vec<u8>> {
    hex_strings().into_iter().filter(|bytes| is_message(bytes, message_type)).collect()
}

fn is_message(bytes: &[u8], message_type: u8) -> bool {
    bytes.strip_prefix(b"NTLMSSP\0").is_some_and(|rest| rest.starts_with(&[message_type, 0, 0, 0]))
}

/// Every AUTHENTICATE with the messages that stand before it in its file, as `split` of
/// fuzz/src/decoders.rs takes them apart.
fn exchanges() -> BTreeSet<Vec<u8>> {
    let mut exchanges = BTreeSet::new();
    for text in contents(&["json"]) {
        let (mut negotiate, mut challenge) = (Vec::new(), Vec::new());
        for string in strings_of(&text) {
            if is_message(&string, 1) {
                negotiate = string;
            } else if is_message(&string, 2) {
                challenge = string;
            } else if is_message(&string, 3) {
                let lengths = [negotiate.len(), challenge.len()];
                let lengths =
                    lengths.map(|length| u16::try_from(length).unwrap_or(0).to_le_bytes());
                exchanges
                    .insert([lengths.as_flattened(), &negotiate, &challenge, &string].concat());
            }
        }
    }
    exchanges
}

fn of_length(length: usize) -> BTreeSet<Vec<u8>> {
    hex_strings().into_iter().filter(|bytes| bytes.len() == length).collect()
}

/// A signature as the target `session_unseal` takes it: flags, length, signature, message.
fn under_usual_flags(signature: &[u8]) -> Vec<u8> {
    [0xe208_8235_u32.to_le_bytes().as_slice(), &[16], signature, b"a short message"].concat()
}

fn hex_strings() -> BTreeSet<Vec<u8>> {
    let strings = contents(&["json"]).into_iter().flat_map(|text| strings_of(&text));
    strings.filter(|bytes| bytes.len() >= 2 && bytes.len() <= LONGEST).collect()
}

/// The hexadecimal strings of a JSON file, in order.
fn strings_of(text: &[u8]) -> Vec<Vec<u8>> {
    String::from_utf8_lossy(text).split('"').filter_map(bytes_of_hex).collect()
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|value| u8::try_from(value).ok()))
        .collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Every file of testdata/ that ends so; pcap and TOML only where short enough to be a seed.
fn contents(extensions: &[&str]) -> BTreeSet<Vec<u8>> {
    let is_source = extensions == ["json"];
    files(&root().join("testdata"))
        .into_iter()
        .filter(|path| {
            path.extension().is_some_and(|found| extensions.iter().any(|wanted| found == *wanted))
        })
        .filter_map(|path| fs::read(path).ok())
        .filter(|bytes| is_source || bytes.len() <= LONGEST)
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = folder.read_dir() else { return Vec::new() };
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_and_other_text_is_not() {
        assert_eq!(bytes_of_hex("00ffA1"), Some(vec![0, 255, 0xa1]));
        assert_eq!(bytes_of_hex("00f"), None);
        assert_eq!(bytes_of_hex("alice"), None);
    }

    #[test]
    fn every_kind_of_seed_is_there() {
        for target in [
            "negotiate",
            "challenge",
            "authenticate",
            "exchange",
            "signature",
            "der",
            "capture",
            "accounts",
            "text",
            "smb1",
            "smb2",
            "smb_client",
            "smb_server",
            "transform",
        ] {
            assert!(!seeds_of(target).is_empty(), "{target}");
        }
    }

    #[test]
    fn seeds_of_smb_are_messages_of_captures() {
        for (target, at, commands) in [("smb1", 4, 8), ("smb2", 12, 13)] {
            let seeds = seeds_of(target);
            let kinds: BTreeSet<Option<&u8>> = seeds.iter().map(|seed| seed.get(at)).collect();
            println!("{target}: {} seeds, {} commands", seeds.len(), kinds.len());
            assert!(kinds.len() >= commands, "{target}: {kinds:?}");
        }
        let encrypted = seeds_of("transform");
        assert!(encrypted.iter().filter(|seed| seed.starts_with(b"\xfdSMB")).count() > 20);
    }
}
