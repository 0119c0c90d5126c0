//! Captures of a secure channel that were changed on purpose: fragments without their verifier, sent
//! again, many times, or lost. What a channel tells of its logons is what was proved, and no more.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Limits};
use ntlm_explain::netlogon::ChannelExplained;
use ntlm_explain::rpc::RpcExplained;
use ntlm_explain::{Explained, Known, Sink, explain_capture};
use ntlm_traffic::pcap::{self, Packet};
use ntlm_traffic::segment::{Segment, flag};
use std::collections::BTreeMap;
use std::path::Path;

fn accounts(text: &str) -> Accounts {
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add("accounts", text, Format::Toml).unwrap();
    accounts
}

fn known() -> Accounts {
    accounts(include_str!("../../../testdata/accounts.toml"))
}

fn capture(name: &str) -> Vec<Packet> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures");
    pcap::read(&std::fs::read(folder.join(format!("{name}.pcap"))).unwrap()).unwrap()
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
