//! Captures of a secure channel that were changed on purpose: fragments without their verifier, sent
//! again, many times, or lost. What a channel tells of its logons is what was proved, and no more.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Limits};
use ntlm_explain::netlogon::ChannelExplained;
use ntlm_explain::rpc::RpcExplained;
use ntlm_explain::{Explained, Known, Sink, Verdict, explain_capture, netlogon};
use ntlm_traffic::Recorded;
use ntlm_traffic::pcap::{self, Packet};
use ntlm_traffic::segment::{Segment, flag};
use std::collections::BTreeMap;

fn accounts(text: &str) -> Accounts {
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add("accounts", text, Format::Toml).unwrap();
    accounts
}

fn known() -> Accounts {
    accounts(include_str!("../../../testdata/accounts.toml"))
}

fn capture(name: &str) -> Vec<Packet> {
    Recorded::named(name).unwrap().packets().unwrap()
}

#[derive(Debug, Default)]
struct Told {
    exchanges: Vec<Explained>,
    channels: Vec<ChannelExplained>,
}

impl Sink for Told {
    fn exchange(&mut self, explained: Explained) {
        self.exchanges.push(explained);
    }

    fn channel(&mut self, channel: ChannelExplained) {
        self.channels.push(channel);
    }
}

fn told(packets: &[Packet], accounts: &Accounts) -> Told {
    let file = pcap::write(packets);
    let known = Known { accounts, code_page: CodePage::Cp850 };
    let mut told = Told::default();
    explain_capture(&mut Capture::new(&file[..], Limits::default()), known, &mut told).unwrap();
    told
}

/// The only channel of a capture.
fn channel(packets: &[Packet], accounts: &Accounts) -> ChannelExplained {
    let mut channels = told(packets, accounts).channels;
    assert_eq!(channels.len(), 1, "{channels:?}");
    channels.remove(0)
}

/// What DCE/RPC PDU a packet carries, if it is a request or a response with a verifier.
fn protected(packet: &Packet) -> Option<Vec<u8>> {
    let pdu = Segment::parse(&packet.bytes)?.payload;
    let [5, 0, 0 | 2, _, _, _, _, _, _, _, low, high, ..] = *pdu else { return None };
    (u16::from_le_bytes([low, high]) >= 16).then_some(pdu)
}

/// Where requests and responses with a verifier are.
fn calls(packets: &[Packet]) -> Vec<usize> {
    (0..packets.len()).filter(|at| protected(&packets[*at]).is_some()).collect()
}

fn with_payload(packet: &Packet, payload: Vec<u8>) -> Packet {
    let mut segment = Segment::parse(&packet.bytes).unwrap();
    segment.payload = payload;
    Packet::whole(packet.nanos, segment.frame())
}

/// The packet with the fragment in it stripped of its verifier.
fn stripped(packet: &Packet) -> Packet {
    let mut pdu = protected(packet).unwrap();
    let auth_length = usize::from(u16::from_le_bytes([pdu[10], pdu[11]]));
    let sec_trailer = pdu.len() - auth_length - 8;
    pdu.truncate(sec_trailer - usize::from(pdu[sec_trailer + 2]));
    let length = u16::try_from(pdu.len()).unwrap();
    pdu[8..10].copy_from_slice(&length.to_le_bytes());
    pdu[10..12].fill(0);
    with_payload(packet, pdu)
}

/// Packets with the sequence numbers that they would have had in this order.
fn renumbered(packets: &[Packet]) -> Vec<Packet> {
    let mut next: BTreeMap<_, u32> = BTreeMap::new();
    let packets = packets.iter().map(|packet| {
        let mut segment = Segment::parse(&packet.bytes).unwrap();
        let (from, to) = segment.ends();
        let seq = *next.entry((from.clone(), to.clone())).or_insert(segment.seq());
        let marks = [flag::SYN, flag::FIN].iter().filter(|mark| segment.flags() & **mark != 0);
        let length = u32::try_from(segment.payload.len() + marks.count()).unwrap();
        next.insert((from.clone(), to.clone()), seq.wrapping_add(length));
        segment.set_seq(seq);
        if let Some(ack) = next.get(&(to, from)) {
            segment.set_ack(*ack);
        }
        Packet::whole(packet.nanos, segment.frame())
    });
    packets.collect()
}

#[test]
fn packets_in_their_own_order_come_to_the_same() {
    let accounts = known();
    for name in ["netlogon-aes-seal-tcp", "netlogon-aes-sign-tcp"] {
        let packets = capture(name);
        let (before, after) =
            (channel(&packets, &accounts), channel(&renumbered(&packets), &accounts));
        assert_eq!(after.signatures, before.signatures);
        assert_eq!((before.signatures.invalid, before.logons.len()), (0, 5), "{before:?}");
    }
}

#[test]
fn a_fragment_without_verifier_is_wrong_and_not_read() {
    let accounts = known();
    for name in ["netlogon-aes-seal-tcp", "netlogon-aes-sign-tcp"] {
        let packets = capture(name);
        let before = channel(&packets, &accounts);
        for at in calls(&packets) {
            let mut changed = packets.clone();
            changed[at] = stripped(&packets[at]);
            let after = channel(&renumbered(&changed), &accounts);
            let what = format!("{name}, frame {}: {after:?}", at + 1);
            assert_eq!(after.signatures.invalid, 1, "{what}");
            assert_eq!(after.signatures.valid, before.signatures.valid - 1, "{what}");
            assert_eq!(after.failures[0].frame, u64::try_from(at + 1).unwrap(), "{what}");
            assert!(after.failures[0].message.ends_with("has no verifier"), "{what}");
            let unanswered = after.logons.iter().filter(|logon| logon.status.is_none()).count();
            assert!(after.logons.len() == 4 || unanswered == 1, "{what}");
        }
    }
}

#[test]
fn a_fragment_of_ntlm_without_verifier_is_wrong() {
    let accounts = known();
    let mut count = 0;
    for name in ["rpcclient-tcp-seal-ntlm", "rpcclient-tcp-sign-ntlm"] {
        let packets = capture(name);
        let rpc = |packets: &[Packet]| {
            let exchanges = told(packets, &accounts).exchanges;
            exchanges.into_iter().filter_map(|exchange| exchange.rpc).collect::<Vec<_>>()
        };
        let valid =
            |rpc: &[Box<RpcExplained>]| rpc.iter().map(|rpc| rpc.signatures.valid).sum::<u64>();
        let before = rpc(&packets);
        for at in calls(&packets) {
            let mut changed = packets.clone();
            changed[at] = stripped(&packets[at]);
            let after = rpc(&renumbered(&changed));
            let what = format!("{name}, frame {}: {after:?}", at + 1);
            let failures: Vec<_> = after.iter().flat_map(|rpc| &rpc.failures).collect();
            assert_eq!(failures.len(), 1, "{what}");
            assert_eq!(failures[0].frame, u64::try_from(at + 1).unwrap(), "{what}");
            assert!(failures[0].message.ends_with("has no verifier"), "{what}");
            assert!(valid(&after) < valid(&before), "{what}");
            count += 1;
        }
    }
    assert!(count > 10, "{count}");
}

/// As clients send them that have one call_id for all calls; without header signing it is not signed.
fn with_one_call_id(packets: &[Packet]) -> Vec<Packet> {
    let mut changed = packets.to_vec();
    for at in calls(packets) {
        let mut pdu = protected(&packets[at]).unwrap();
        pdu[12..16].copy_from_slice(&[1, 0, 0, 0]);
        changed[at] = with_payload(&packets[at], pdu);
    }
    changed
}

#[test]
fn behind_a_loss_a_verdict_goes_to_nobody_else() {
    let accounts = known();
    let packets = with_one_call_id(&capture("netlogon-aes-seal-tcp"));
    let verdicts = |channel: &ChannelExplained| -> Vec<(String, Option<String>)> {
        let verdict = |logon: &netlogon::LogonExplained| {
            (logon.challenge.clone().unwrap_or_default(), logon.status.clone())
        };
        channel.logons.iter().map(verdict).collect()
    };
    let before = channel(&packets, &accounts);
    let right = verdicts(&before);
    assert_eq!(right.len(), 5, "{before:?}");
    let calls = calls(&packets);
    // An answer and the request behind it. With `is_cut`, the numbers of Netlogon alone tell.
    for (lost, is_cut) in (1..calls.len() - 2).step_by(2).flat_map(|at| [(at, false), (at, true)]) {
        let mut rest = packets.clone();
        rest.remove(calls[lost + 1]);
        rest.remove(calls[lost]);
        if is_cut {
            rest = renumbered(&rest);
        }
        let after = channel(&rest, &accounts);
        let what = format!("{lost}, {is_cut}: {after:?}");
        assert_eq!(after.signatures.valid, before.signatures.valid - 2, "{what}");
        let mut expected = right.clone();
        expected.remove(lost.div_ceil(2));
        expected[lost / 2].1 = None;
        assert_eq!(verdicts(&after), expected, "{what}");
    }
}

#[test]
fn a_fragment_that_comes_again_is_wrong_behind_a_loss_too() {
    let accounts = known();
    let packets = capture("netlogon-aes-seal-tcp");
    let calls = calls(&packets);
    for lost in [&[][..], &[2, 3]] {
        for again in [4, 6, 8] {
            let mut changed = packets.clone();
            let at = calls[9];
            changed.insert(at + 1, packets[calls[again]].clone());
            for &at in lost.iter().rev() {
                changed.remove(calls[at]);
            }
            let after = channel(&renumbered(&changed), &accounts);
            let what = format!("{lost:?}, {again}: {after:?}");
            assert_eq!(after.signatures.invalid, 1, "{what}");
            let frame = u64::try_from(at + 2 - lost.len()).unwrap();
            assert_eq!(after.failures[0].frame, frame, "{what}");
            assert!(after.failures[0].message.contains("sequence number"), "{what}");
        }
    }
}

/// The packets of the connection that is protected, with one of its calls so many times more.
fn repeated(packets: &[Packet], count: usize, change: impl Fn(&mut Vec<u8>)) -> Vec<Packet> {
    let calls = calls(packets);
    let ends = Segment::parse(&packets[calls[0]].bytes).unwrap().ends();
    let is_own = |packet: &&Packet| {
        let own = Segment::parse(&packet.bytes).unwrap().ends();
        own == ends || (own.1, own.0) == ends
    };
    let mut before: Vec<Packet> = packets[..calls[0]].iter().filter(is_own).cloned().collect();
    let mut pdu = protected(&packets[calls[0]]).unwrap();
    change(&mut pdu);
    let again = with_payload(&packets[calls[0]], pdu);
    before.extend(std::iter::repeat_n(again, count));
    before.extend(packets[calls[0]..].iter().filter(is_own).cloned());
    renumbered(&before)
}

const OTHER_KEY: &str = "netlogon_session_key = \"00112233445566778899aabbccddeeff\"";

#[test]
fn under_the_key_of_another_channel_nothing_is_wrong_however_much_there_is() {
    let packets = repeated(&capture("netlogon-aes-sign-tcp"), 200, |_| {});
    let text = format!("[[account]]\nuser = \"MEMBER1$\"\n{OTHER_KEY}\n");
    let after = channel(&packets, &accounts(&text));
    let signatures = after.signatures;
    assert_eq!(
        (signatures.valid, signatures.invalid, signatures.unchecked),
        (0, 0, 210),
        "{after:?}"
    );
    assert!(has(&after, "netlogon-other-key"), "{after:?}");
}

#[test]
fn what_did_not_hold_before_the_first_that_does_is_wrong_however_much_there_is() {
    let truth = include_str!("../../../testdata/captures/netlogon-aes-sign-tcp.json");
    let key = truth.split("\"netlogon_session_key\": \"").nth(1).unwrap().get(..32).unwrap();
    let packets = repeated(&capture("netlogon-aes-sign-tcp"), 200, |pdu| pdu[24] ^= 1);
    let text = format!("[[account]]\nuser = \"MEMBER1$\"\nnetlogon_session_key = \"{key}\"\n");
    let after = channel(&packets, &accounts(&text));
    let signatures = after.signatures;
    assert_eq!(
        (signatures.valid, signatures.invalid, signatures.unchecked),
        (10, 200, 0),
        "{after:?}"
    );
}

fn has(channel: &ChannelExplained, code: &str) -> bool {
    channel.findings.iter().any(|finding| finding.code.code() == code)
}

#[test]
fn setups_that_cross_each_other_are_told_apart() {
    let accounts = known();
    let packets = capture("netlogon-aes-seal-tcp");
    let before = channel(&packets, &accounts);
    // Another connection whose NetrServerReqChallenge is answered between the two calls of the first.
    let first = Segment::parse(&packets[7].bytes).unwrap().ends();
    let port = [first.0[4], first.0[5]];
    let mut other: Vec<Packet> = Vec::new();
    for packet in &packets[..9] {
        let mut bytes = packet.bytes.clone();
        for at in [34, 36] {
            if bytes[at..at + 2] == port {
                bytes[at..at + 2].copy_from_slice(&[4, 87]);
            }
        }
        other.push(Packet::whole(packets[8].nanos, Segment::parse(&bytes).unwrap().frame()));
    }
    let answer = other.last_mut().unwrap();
    let mut pdu = Segment::parse(&answer.bytes).unwrap().payload;
    pdu[24] ^= 0x55;
    *answer = with_payload(answer, pdu);
    let mut changed = packets.clone();
    changed.splice(9..9, other);
    let after = channel(&changed, &accounts);
    assert_eq!(after.signatures, before.signatures, "{after:?}");
    assert_eq!(after.server_challenge, before.server_challenge);
    assert!(!after.has_invalid(), "{after:?}");
}

#[test]
fn a_given_key_under_which_the_credentials_do_not_hold_is_that_of_another_channel() {
    let packets = capture("netlogon-aes-seal-tcp");
    let of_other = format!("[[account]]\nuser = \"MEMBER1$\"\n{OTHER_KEY}\n");
    let alone = channel(&packets, &accounts(&of_other));
    assert!(!alone.has_invalid() && alone.has_unchecked(), "{alone:?}");
    assert!(has(&alone, "netlogon-other-key"), "{alone:?}");
    assert_eq!(alone.keys.value("session_key"), None);

    let secret = |password| {
        format!("{of_other}[[account]]\nuser = \"MEMBER1$\"\npassword = \"{password}\"\n")
    };
    let right = channel(&packets, &accounts(&secret("Machine-Secret-7-Loopback")));
    assert_eq!(right.signatures.valid, 10, "{right:?}");
    assert!(!has(&right, "netlogon-other-key"), "{right:?}");

    let wrong = channel(&packets, &accounts(&secret("old")));
    assert!(has(&wrong, "netlogon-credential-invalid"), "{wrong:?}");
    assert_eq!(wrong.keys.value("session_key"), None);
}

#[test]
fn what_is_sealed_without_a_key_is_not_said_to_be_nothing() {
    use ntlm_explain::render;
    let none = Accounts::new(CodePage::Cp850);
    for (name, expected, logons) in [
        ("netlogon-aes-seal-tcp", "not readable without the key", 0),
        ("netlogon-aes-sign-tcp", "alice", 5),
    ] {
        let channel = channel(&capture(name), &none);
        assert_eq!(channel.logons.len(), logons);
        let layout = render::Layout::new(100);
        for text in [render::channel(&channel, layout), render::html_channel(&channel)] {
            let shown = text.split("Logons").nth(1).unwrap();
            assert!(shown.contains(expected), "{text}");
        }
        let finding = channel.findings.iter().find(|it| it.code.code() == "netlogon-key-unknown");
        let says = finding.unwrap().message.contains("not readable without the key");
        assert_eq!(says, logons == 0, "{finding:?}");
    }
}

/// A channel that is signed, explained without its key so that changed stubs are read all the same.
fn with_stubs(text: &str, change: impl Fn(&mut Vec<u8>)) -> ChannelExplained {
    let text = text.replace("MEMBER1$", "OTHER$");
    let mut packets = capture("netlogon-aes-sign-tcp");
    for at in calls(&packets) {
        let mut pdu = protected(&packets[at]).unwrap();
        if pdu[2] == 0 {
            change(&mut pdu);
            packets[at] = with_payload(&packets[at], pdu);
        }
    }
    channel(&packets, &accounts(&text))
}

const RIGHT: &str = include_str!("../../../testdata/accounts.toml");

/// Where ParameterControl stands in a request: Reserved and two names before LmChallenge.
fn parameter_control(pdu: &[u8], challenges: &[String]) -> usize {
    let is_one = |eight: &[u8]| challenges.contains(&ntlm_explain::hex(eight));
    pdu.windows(8).position(is_one).unwrap() - 28
}

#[test]
fn what_is_no_response_is_not_called_a_wrong_one() {
    let verdicts = |channel: &ChannelExplained| -> Vec<Verdict> {
        channel.logons.iter().map(|logon| logon.response).collect()
    };
    let right = with_stubs(RIGHT, |_| {});
    assert!(verdicts(&right).contains(&Verdict::Valid), "{right:?}");
    let challenges: Vec<String> =
        right.logons.iter().filter_map(|logon| logon.challenge.clone()).collect();
    for bit in [0x4000_u32, 0x0010_0000, 0x8000_0000] {
        let channel = with_stubs(RIGHT, |pdu| {
            let at = parameter_control(pdu, &challenges);
            pdu[at..at + 4].copy_from_slice(&bit.to_le_bytes());
        });
        let unchecked = verdicts(&channel);
        assert!(unchecked.iter().all(|verdict| *verdict == Verdict::Unchecked), "{channel:?}");
    }
}

#[test]
fn many_wrong_responses_are_one_finding() {
    let channel = with_stubs(&RIGHT.replace("password = \"", "password = \"not "), |_| {});
    let wrong = channel.logons.iter().filter(|logon| logon.response == Verdict::Invalid).count();
    assert!(wrong > 1, "{channel:?}");
    let findings: Vec<_> =
        channel.findings.iter().filter(|it| it.code.code() == "invalid-response").collect();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].message.ends_with(&format!(", nor are {} more", wrong - 1)));
}
