//! Captures of DCE/RPC and Netlogon with a byte changed, a frame missing, or another key: what is wrong
//! is named with its frame, and what is only missing is never called wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Limits};
use ntlm_explain::netlogon::ChannelExplained;
use ntlm_explain::smb::{Failure, Signatures};
use ntlm_explain::{Explained, Finding, Known, Sink, explain_capture};
use ntlm_traffic::Recorded;
use ntlm_traffic::pcap::{self, Packet};
use ntlm_traffic::segment::Segment;

fn accounts(text: &str) -> Accounts {
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add("accounts", text, Format::Toml).unwrap();
    accounts
}

fn known() -> Accounts {
    accounts(include_str!("../../../testdata/accounts.toml"))
}

/// Captures with DCE/RPC, by name.
fn captures(wanted: impl Fn(&str) -> bool) -> Vec<(String, Vec<Packet>)> {
    let is_rpc = |name: &str| {
        ["rpcclient-", "impacket-tcp-", "netlogon-"].iter().any(|start| name.starts_with(start))
    };
    let all = Recorded::all().unwrap().into_iter();
    let wanted = all.filter(|one| is_rpc(&one.name) && wanted(&one.name));
    wanted.map(|one| (one.name.clone(), one.packets().unwrap())).collect()
}

/// What all security contexts and channels of a capture come to.
#[derive(Debug, Default)]
struct Sum {
    valid: u64,
    invalid: u64,
    unchecked: u64,
    /// The frames of failures.
    failures: Vec<u64>,
    codes: Vec<&'static str>,
}

impl Sum {
    fn add(&mut self, signatures: Signatures, failures: &[Failure], findings: &[Finding]) {
        self.valid += signatures.valid;
        self.invalid += signatures.invalid;
        self.unchecked += signatures.unchecked;
        self.failures.extend(failures.iter().map(|failure| failure.frame));
        self.codes.extend(findings.iter().map(|finding| finding.code.code()));
    }
}

impl Sink for Sum {
    fn exchange(&mut self, explained: Explained) {
        if let Some(rpc) = &explained.rpc {
            self.add(rpc.signatures, &rpc.failures, &explained.findings);
        }
    }

    fn channel(&mut self, channel: ChannelExplained) {
        self.add(channel.signatures, &channel.failures, &channel.findings);
    }
}

fn explained(packets: &[Packet], accounts: &Accounts) -> Sum {
    let file = pcap::write(packets);
    let known = Known { accounts, code_page: CodePage::Cp850 };
    let mut sum = Sum::default();
    explain_capture(&mut Capture::new(&file[..], Limits::default()), known, &mut sum).unwrap();
    sum
}

/// Where in a packet the body of a protected call begins, and where its token does.
fn protected(packet: &Packet) -> Option<(usize, usize)> {
    const HEADER: usize = 24;
    let payload = Segment::parse(&packet.bytes)?.payload.len();
    let start = packet.bytes.len() - payload;
    let pdu = packet.bytes.get(start..)?;
    let [5, 0, 0 | 2 | 3, _, _, _, _, _, _, _, low, high, ..] = *pdu else { return None };
    let auth_length = usize::from(u16::from_le_bytes([low, high]));
    let token = pdu.len().checked_sub(auth_length)?;
    let auth_level = *pdu.get(token.checked_sub(7)?)?;
    (auth_length >= 16 && auth_level > 2).then_some((start + HEADER, start + token))
}

#[test]
fn a_changed_byte_is_found_in_its_frame_and_nowhere_else() {
    let accounts = known();
    let (mut count, mut captures_with) = (0, 0);
    for (name, packets) in captures(|name| !name.contains("-np-") && !name.ends_with("-np")) {
        let before = explained(&packets, &accounts);
        assert_eq!((before.invalid, before.unchecked), (0, 0), "{name}");
        // Some segments were sent twice; the first copy is taken.
        let bytes = |packet: &Packet| Segment::parse(&packet.bytes).map(|it| it.payload);
        let is_copy = |at: usize| {
            at.checked_sub(1).is_some_and(|before| bytes(&packets[before]) == bytes(&packets[at]))
        };
        let fragment = |at: usize| protected(&packets[at]).filter(|_| !is_copy(at));
        let fragments: Vec<_> = (0..packets.len()).map(fragment).collect();
        let number = fragments.iter().flatten().count();
        let which: Vec<usize> =
            (1..).zip(&fragments).filter(|it| it.1.is_some()).map(|it| it.0).collect();
        assert_eq!(u64::try_from(number).unwrap(), before.valid, "{name}: {which:?}");
        captures_with += u64::from(number > 0);
        for (frame, fragment) in (1..).zip(fragments) {
            let Some((body, token)) = fragment else { continue };
            // Of a token: a byte of its checksum, which is elsewhere with Netlogon.
            let checksum = if name.starts_with("netlogon-") { 17 } else { 9 };
            for at in [body, token + checksum] {
                // Some stubs are empty.
                if at == body && body + 8 >= token {
                    continue;
                }
                let mut changed = packets.clone();
                changed[usize::try_from(frame).unwrap() - 1].bytes[at] ^= 0x40;
                let after = explained(&changed, &accounts);
                let what = format!("{name}, frame {frame}, byte {at}: {after:?}");
                assert_eq!(after.failures, [frame], "{what}");
                assert_eq!(after.invalid, 1, "{what}");
                assert_eq!(after.valid, before.valid - 1, "{what}");
                assert_eq!(after.unchecked, 0, "{what}");
                assert!(after.codes.contains(&"rpc-signature-invalid"), "{what}");
                count += 1;
            }
        }
    }
    println!("{count} changed bytes in {captures_with} captures");
    assert!(count > 500 && captures_with > 20, "{count}, {captures_with}");
}

#[test]
fn what_is_missing_is_never_called_wrong() {
    let accounts = known();
    let (mut cases, mut checked, mut all, mut named) = (0, 0, 0, 0);
    for (name, packets) in captures(|_| true) {
        let before = explained(&packets, &accounts);
        for (missing, length) in (0..packets.len()).flat_map(|at| [(at, 1), (at, 3)]) {
            let mut rest = packets.clone();
            rest.drain(missing..packets.len().min(missing + length));
            let after = explained(&rest, &accounts);
            let what = format!("{name} without {length} frames from {}: {after:?}", missing + 1);
            assert_eq!((after.invalid, after.failures.len()), (0, 0), "{what}");
            cases += 1;
            checked += after.valid;
            all += before.valid;
            named += u64::from(after.codes.iter().any(|code| code.starts_with("rpc-gap")));
        }
    }
    println!("{cases} losses, {named} named; {checked} of {all} signatures are still checked");
    assert!(cases > 3000 && named > 500 && checked * 100 > all * 60, "{cases}, {checked} of {all}");
}

#[test]
fn netlogon_goes_on_behind_a_gap() {
    let accounts = known();
    for (name, packets) in captures(|name| name == "netlogon-aes-seal-tcp") {
        let before = explained(&packets, &accounts);
        let requests: Vec<usize> =
            (0..packets.len()).filter(|at| protected(&packets[*at]).is_some()).collect();
        let mut rest = packets.clone();
        rest.remove(requests[2]);
        let after = explained(&rest, &accounts);
        assert_eq!(after.valid, before.valid - 1, "{name}: {after:?}");
        assert_eq!((after.invalid, after.unchecked), (0, 0), "{name}: {after:?}");
        assert!(after.codes.contains(&"rpc-gap"), "{name}: {after:?}");
    }
}

#[test]
fn under_another_key_nothing_holds() {
    let key = "exported_session_key = \"00112233445566778899aabbccddeeff\"";
    let mut count = 0;
    for (name, packets) in
        captures(|name| ["rpcclient-tcp-seal-ntlm", "rpcclient-tcp-sign-ntlmv1"].contains(&name))
    {
        let mut text = String::new();
        let none = Accounts::new(CodePage::Cp850);
        let file = pcap::write(&packets);
        let known = Known { accounts: &none, code_page: CodePage::Cp850 };
        let mut capture = Capture::new(&file[..], Limits::default());
        explain_capture(&mut capture, known, &mut |explained: Explained| {
            let challenge = explained.server_challenge.unwrap();
            text += &format!(
                "[[account]]\nuser = \"nobody\"\nserver_challenge = \"{challenge}\"\n{key}\n"
            );
        })
        .unwrap();
        let sum = explained(&packets, &accounts(&text));
        assert_eq!((sum.valid, sum.invalid), (0, 16), "{name}: {sum:?}");
        count += 1;
    }
    assert_eq!(count, 2);
}
