//! SMB captures with a byte changed, a frame missing, or another key: what is wrong is named with its
//! frame, and what is only missing is never called wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Limits};
use ntlm_explain::{Explained, Known, Sink, SmbMessage, explain_capture};
use ntlm_traffic::{Recorded, pcap};
use std::collections::BTreeMap;

fn accounts(text: &str) -> Accounts {
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add("accounts", text, Format::Toml).unwrap();
    accounts
}

fn known() -> Accounts {
    accounts(include_str!("../../../testdata/accounts.toml"))
}

/// Captures with SMB, by name.
fn captures(wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<pcap::Packet>)> {
    let wanted = Recorded::all().unwrap().into_iter().filter(|one| wanted(&one.name));
    wanted.map(|one| (one.name.clone(), one.packets().unwrap())).collect()
}

/// What all sessions of a capture come to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    valid: u64,
    invalid: u64,
    unchecked: u64,
    opened: u64,
    failed: u64,
    /// The frames of failures.
    failures: Vec<u64>,
    codes: Vec<&'static str>,
}

/// Adds up, and remembers in which frames messages were that count.
#[derive(Default)]
struct Adder {
    sum: Sum,
    /// By frame: how many signatures it has, and whether it is encrypted.
    frames: BTreeMap<u64, (u64, bool)>,
}

impl Sink for Adder {
    fn exchange(&mut self, explained: Explained) {
        self.sum.codes.extend(explained.findings.iter().map(|finding| finding.code.code()));
        let Some(smb) = explained.smb else { return };
        self.sum.valid += smb.signatures.valid;
        self.sum.invalid += smb.signatures.invalid;
        self.sum.unchecked += smb.signatures.unchecked;
        self.sum.opened += smb.decrypted.ok;
        self.sum.failed += smb.decrypted.failed;
        self.sum.failures.extend(smb.failures.iter().map(|failure| failure.frame));
    }

    fn wants_smb_messages(&self) -> bool {
        true
    }

    fn smb_message(&mut self, message: &SmbMessage<'_>) {
        let entry = self.frames.entry(message.origin.frame).or_default();
        entry.0 += message.signatures.valid;
        entry.1 |= message.was_encrypted;
    }
}

fn explained(packets: &[pcap::Packet], accounts: &Accounts) -> Adder {
    let file = pcap::write(packets);
    let known = Known { accounts, code_page: CodePage::Cp850 };
    let mut adder = Adder::default();
    explain_capture(&mut Capture::new(&file[..], Limits::default()), known, &mut adder).unwrap();
    adder
}

#[test]
fn a_changed_byte_is_found_in_its_frame_and_nowhere_else() {
    let accounts = known();
    let wanted = [
        "smbclient-nt1-sign-ntlmv2",
        "smbclient-nt1-noextsec-signrequired-ntlmv2",
        "smbclient-smb2_10-sign-ntlmv2",
        "smbclient-smb3_00-sign-ntlmv2",
        "smbclient-smb3_11-sign-aes-128-gmac",
        "smbclient-smb3_11-sign-hmac-sha256",
        "smbclient-smb3_11-encrypt-aes128ccm",
        "smbclient-smb3_11-encrypt-aes256gcm",
        "smbprotocol-smb_3_1_1-compound",
    ];
    let captures = captures(|name| wanted.contains(&name));
    assert!(captures.len() >= 7, "{}", captures.len());
    let mut count = 0;
    for (name, packets) in captures {
        let before = explained(&packets, &accounts);
        assert_eq!((before.sum.invalid, before.sum.failed), (0, 0), "{name}");
        for (frame, (signatures, encrypted)) in before.frames {
            if signatures == 0 && !encrypted {
                continue;
            }
            let mut changed = packets.clone();
            let at = usize::try_from(frame).unwrap() - 1;
            // The last byte is one of the body, which no one reads to tell messages apart.
            *changed[at].bytes.last_mut().unwrap() ^= 1;
            let after = explained(&changed, &accounts);
            let what = format!("{name}, frame {frame}: {:?}", after.sum);
            assert_eq!(after.sum.failures, [frame], "{what}");
            if encrypted {
                assert_eq!((after.sum.invalid, after.sum.failed), (0, 1), "{what}");
                assert!(after.sum.codes.contains(&"smb-decryption-failed"), "{what}");
            } else {
                assert_eq!((after.sum.invalid, after.sum.failed), (1, 0), "{what}");
                assert_eq!(after.sum.valid, before.sum.valid - 1, "{what}");
                assert!(after.sum.codes.contains(&"smb-signature-invalid"), "{what}");
            }
            count += 1;
        }
    }
    println!("{count} changed frames");
    assert!(count > 150, "{count}");
}

#[test]
fn what_is_missing_is_never_called_wrong() {
    let accounts = known();
    let captures = captures(|name| {
        let is_smb = ["smbclient-", "smbprotocol-", "impacket-smb", "impacket-nt1"];
        is_smb.iter().any(|start| name.starts_with(start)) && !name.contains("transfer")
    });
    let (mut cases, mut checked, mut all) = (0, 0, 0);
    for (name, packets) in captures {
        let before = explained(&packets, &accounts).sum;
        for missing in 0..packets.len() {
            let mut rest = packets.clone();
            rest.remove(missing);
            let after = explained(&rest, &accounts).sum;
            let what = format!("{name} without frame {}: {after:?}", missing + 1);
            assert_eq!((after.invalid, after.failed), (0, 0), "{what}");
            cases += 1;
            checked += after.valid + after.opened;
            all += before.valid + before.opened;
        }
    }
    println!(
        "{cases} frames left out; {checked} of {all} signatures and packets are still checked"
    );
    // One frame is gone each time, and where it is one of the handshake the keys are gone with it.
    assert!(cases > 2500 && checked * 100 > all * 75, "{cases}, {checked} of {all}");
}

#[test]
fn smb1_goes_on_behind_a_gap() {
    let accounts = known();
    let captures = captures(|name| name == "smbclient-nt1-sign-transfer");
    let (name, packets) = captures.first().unwrap();
    let before = explained(packets, &accounts).sum;
    let mut least = before.valid;
    // Behind the handshake: requests, responses, several at once.
    for (missing, length) in (40..packets.len() - 20).step_by(7).zip([1, 2, 3, 8].iter().cycle()) {
        let mut rest = packets.clone();
        rest.drain(missing..missing + length);
        let after = explained(&rest, &accounts).sum;
        let what = format!("{name} without {length} frames from {}: {after:?}", missing + 1);
        assert_eq!((after.invalid, after.failed), (0, 0), "{what}");
        least = least.min(after.valid);
    }
    println!("{} signatures, at least {least} are checked behind a gap", before.valid);
    assert!(least * 10 >= before.valid * 8, "{least} of {}", before.valid);
}

#[test]
fn under_another_key_nothing_holds() {
    let text = |challenge: &str| {
        format!(
            "[[account]]\nuser = \"nobody\"\nserver_challenge = \"{challenge}\"\n\
             exported_session_key = \"00112233445566778899aabbccddeeff\"\n"
        )
    };
    let mut count = 0;
    for (name, packets) in captures(|name| {
        ["smbclient-smb3_11-sign-ntlmv2", "smbclient-smb3_11-encrypt-aes256gcm"].contains(&name)
            || name == "smbclient-nt1-sign-ntlmv2"
    }) {
        let mut challenge = String::new();
        let none = Accounts::new(CodePage::Cp850);
        let known = Known { accounts: &none, code_page: CodePage::Cp850 };
        let file = pcap::write(&packets);
        explain_capture(
            &mut Capture::new(&file[..], Limits::default()),
            known,
            &mut |explained: Explained| challenge = explained.server_challenge.unwrap(),
        )
        .unwrap();
        let sum = explained(&packets, &accounts(&text(&challenge))).sum;
        assert_eq!((sum.valid, sum.opened), (0, 0), "{name}: {sum:?}");
        assert!(sum.invalid + sum.failed >= 20, "{name}: {sum:?}");
        count += 1;
    }
    assert_eq!(count, 3);
}
