//! What SMB's packets hold, frame by frame, as tshark has it when it is given the session key and
//! derives the rest by itself.

use crate::common::{accounts, sidecars, testdata};
use crate::public;
use ntlm::text::CodePage;
use ntlm_accounts::Accounts;
use ntlm_capture::{Capture, Limits, StreamWriter};
use ntlm_explain::smb::Signatures;
use ntlm_explain::{Explained, Known, Sink, SmbMessage, explain_capture};
use ntlm_smb::ProtocolId;
use ntlm_smb::smb2::Compound;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What went by in clear, and the exchanges.
struct Heard {
    explained: Vec<Explained>,
    /// By frame: what its signatures came to, and MessageId and command of its messages.
    frames: BTreeMap<u64, (Signatures, Vec<String>)>,
    /// The frames that complete encrypted packets.
    encrypted: Vec<u64>,
    clear: StreamWriter<Vec<u8>>,
}

impl Sink for Heard {
    fn exchange(&mut self, explained: Explained) {
        self.explained.push(explained);
    }

    fn wants_smb_messages(&self) -> bool {
        true
    }

    fn smb_message(&mut self, message: &SmbMessage<'_>) {
        if ProtocolId::of(message.bytes) != Some(ProtocolId::Smb2) {
            return;
        }
        if message.was_encrypted {
            self.encrypted.push(message.origin.frame);
        }
        let (signatures, messages) = self.frames.entry(message.origin.frame).or_default();
        signatures.valid += message.signatures.valid;
        signatures.invalid += message.signatures.invalid;
        messages.extend(Compound::new(message.bytes).map(|message| {
            let header = message.unwrap().header;
            format!("{}/{}", header.command.0, header.message_id)
        }));
        let length = u32::try_from(message.bytes.len()).unwrap().to_be_bytes();
        let packet = [&length, message.bytes].concat();
        let (flow, endpoints, direction) = (message.flow, message.endpoints, message.direction);
        self.clear.message(flow, endpoints, direction, message.origin.time, &packet, None).unwrap();
    }
}

fn hear(capture: &Path, accounts: &Accounts) -> Heard {
    let file = std::fs::read(capture).unwrap();
    let known = Known { accounts, code_page: CodePage::Cp850 };
    let clear = StreamWriter::new(Vec::new()).unwrap();
    let (explained, frames) = (Vec::new(), BTreeMap::new());
    let mut heard = Heard { explained, frames, encrypted: Vec::new(), clear };
    explain_capture(&mut Capture::new(&file[..], Limits::default()), known, &mut heard).unwrap();
    heard
}

#[test]
fn signatures_and_contents_are_those_that_tshark_finds() {
    if Command::new("tshark").arg("--version").output().is_err() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "tshark is not installed");
        println!("SKIPPED: tshark is not installed");
        return;
    }
    let mut captures: Vec<(PathBuf, Accounts)> = Vec::new();
    for (path, sidecar) in sidecars(&testdata("captures")) {
        let dialects = sidecar["checked"]["dialects"].as_array().cloned().unwrap_or_default();
        if dialects.iter().any(|dialect| !dialect.as_str().unwrap().starts_with("SMB1")) {
            captures.push((path.with_extension("pcap"), accounts("accounts.toml")));
        }
    }
    let own = captures.len();
    match public::folder() {
        Some(folder) => captures.extend(public::smb_with_secrets(&folder)),
        None => {
            println!("SKIPPED: NTLM_PUBLIC_CAPTURES does not name the folder of public captures")
        }
    }
    let total = std::sync::Mutex::new(Total::default());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for part in captures.chunks(captures.len().div_ceil(threads)) {
            let total = &total;
            scope.spawn(move || {
                part.iter().for_each(|(capture, accounts)| compare(capture, accounts, total));
            });
        }
    });
    let total = total.into_inner().unwrap();
    println!("{} captures, {own} of them ours: {total:?}", captures.len());
    assert!(own >= 77 && total.good >= 890 && total.opened >= 404, "{total:?}");
}

#[derive(Debug, Default)]
struct Total {
    frames: usize,
    /// Signatures that tshark finds good.
    good: u64,
    /// Signatures by AES-GMAC, which tshark 4.0 does not know and calls bad.
    gmac: u64,
    /// Signatures in compounds, of which tshark 4.0 calls some bad.
    in_compounds: u64,
    /// Encrypted packets.
    opened: usize,
    /// Lines in which tshark tells what packets in clear hold.
    lines: usize,
}

impl Total {
    fn add(&mut self, other: &Self) {
        self.frames += other.frames;
        self.good += other.good;
        self.gmac += other.gmac;
        self.in_compounds += other.in_compounds;
        self.opened += other.opened;
        self.lines += other.lines;
    }
}

fn compare(capture: &Path, accounts: &Accounts, all: &std::sync::Mutex<Total>) {
    let mut total = Total::default();
    let name = capture.file_name().unwrap().to_string_lossy().into_owned();
    let heard = hear(capture, accounts);
    let smb = |explained: &Explained| {
        let smb = explained.smb.as_ref()?;
        let line = smb.wireshark_key()?;
        // SessionId and SessionKey alone: the other keys it is to find itself.
        let (session, _) = line.rsplit_once(',').unwrap().0.rsplit_once(',').unwrap();
        Some(format!("uat:smb2_seskey_list:{session},\"\",\"\""))
    };
    let keys: Vec<String> = heard.explained.iter().filter_map(smb).collect();
    let is_gmac = heard.explained.iter().any(|explained| {
        explained.smb.as_ref().is_some_and(|smb| smb.signing_algorithm == Some("AES-GMAC"))
    });

    let fields = ["frame.number", "smb2.cmd", "smb2.msg_id", "smb2.good_signature"];
    let rows = tshark(capture, &keys, &[&fields[..], &["smb2.bad_signature"]].concat());
    for row in &rows {
        let [frame, commands, ids, good, bad] = row.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{name}: {row}")
        };
        let frame: u64 = frame.parse().unwrap();
        let count = |list: &str| -> u64 {
            list.split(',').filter(|item| !item.is_empty()).map(|_| 1).sum()
        };
        let theirs: Vec<String> = commands
            .split(',')
            .zip(ids.split(','))
            .map(|(command, id)| format!("{command}/{id}"))
            .collect();
        let Some((signatures, ours)) = heard.frames.get(&frame) else {
            // Encrypted for a session that there is not: nobody can open that.
            assert!(commands.is_empty(), "{name}: frame {frame} {row}");
            continue;
        };
        assert_eq!(*ours, theirs, "{name}: frame {frame}");
        assert_eq!(signatures.invalid, 0, "{name}: frame {frame}");
        if heard.encrypted.contains(&frame) {
            // Inside, signatures do not count: mostly zero, whatever the flag says, which tshark
            // calls bad.
            assert_eq!(signatures.valid, 0, "{name}: frame {frame}");
        } else if is_gmac {
            assert_eq!(count(good), 0, "{name}: tshark knows AES-GMAC by now");
            total.gmac += count(bad);
        } else if theirs.len() > 1 {
            // tshark 4.0 takes the length of some messages of a compound wrongly.
            assert!(count(good) <= signatures.valid, "{name}: frame {frame}");
            total.in_compounds += signatures.valid;
        } else {
            assert_eq!(count(bad), 0, "{name}: frame {frame}");
            // What tshark does not check, such as the last response of session setup, we do.
            assert!(count(good) <= signatures.valid, "{name}: frame {frame}");
            total.good += count(good);
        }
        total.frames += 1;
    }
    total.opened += heard.encrypted.len();
    if !heard.encrypted.is_empty() {
        let clear = heard.clear.finish().unwrap();
        let file = std::env::temp_dir().join(format!("ntlm-{}-{name}.pcapng", std::process::id()));
        std::fs::write(&file, clear).unwrap();
        let info = ["_ws.col.Info", "smb2.nt_status", "smb2.filename", "smb2.write_length"];
        let without_mark = |line: String| line.replace("Decrypted SMB3;", "");
        let theirs: Vec<_> = tshark(capture, &keys, &info).into_iter().map(without_mark).collect();
        let ours = tshark(&file, &[], &info);
        std::fs::remove_file(&file).unwrap();
        let theirs: Vec<_> =
            theirs.into_iter().filter(|line| !line.starts_with("Encrypted SMB3")).collect();
        assert_eq!(ours, theirs, "{name}");
        total.lines += ours.len();
    }
    all.lock().unwrap().add(&total);
}

/// One line for each frame with SMB 2.
fn tshark(capture: &Path, options: &[String], fields: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(capture).args(["-Y", "smb2", "-T", "fields"]);
    command.args(["-o", "smb2.verify_signatures:TRUE"]);
    options.iter().for_each(|option| _ = command.args(["-o", option]));
    fields.iter().for_each(|field| _ = command.args(["-e", field]));
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
