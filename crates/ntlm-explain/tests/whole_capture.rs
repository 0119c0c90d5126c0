//! What is said of a capture as a whole.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ntlm::text::CodePage;
use ntlm_accounts::Accounts;
use ntlm_capture::{Capture, Limits};
use ntlm_explain::{CaptureReport, Explained, FindingCode, FoundExchange, Known, read_capture};
use ntlm_traffic::Recorded;
use ntlm_traffic::pcap::{self, Packet};
use std::io::{self, Read};

const FILE: &str = "smbclient-smb3_11-sign-ntlmv2";

fn file() -> Vec<u8> {
    Recorded::named(FILE).unwrap().file
}

fn report(file: impl Read) -> (CaptureReport, Vec<FoundExchange>) {
    let mut found = Vec::new();
    let mut capture = Capture::new(file, Limits::default());
    let accounts = Accounts::new(CodePage::Cp850);
    let known = Known { accounts: &accounts, code_page: CodePage::Cp850 };
    let report =
        read_capture(&mut capture, &[], known, &mut |one: Explained| found.push(one.found));
    (report, found)
}

/// Code, count and frame of each finding.
fn told(report: &CaptureReport) -> Vec<(FindingCode, u64, Option<u64>)> {
    let findings = report.findings.iter();
    findings.map(|finding| (finding.code, finding.count, finding.at.frame)).collect()
}

#[test]
fn nothing_is_said_of_a_capture_that_lacks_nothing() {
    let (report, found) = report(&file()[..]);
    assert_eq!((told(&report), found.len()), (vec![], 1));
}

#[test]
fn a_gap_behind_the_exchange_belongs_to_the_capture() {
    let mut packets = pcap::read(&file()).unwrap();
    // One packet of an answer to a later request.
    let later = |packet: &&Packet| packet.bytes.len() > 300;
    let lost = packets.iter().skip(12).position(|packet| later(&packet)).unwrap() + 12;
    packets.remove(lost);
    let (report, found) = report(&pcap::write(&packets)[..]);
    assert!(found[0].losses.is_empty());
    assert_eq!(told(&report)[0].0, FindingCode::GapElsewhere);
    assert_eq!(report.findings[0].count, 1);
    assert!(report.findings[0].message.contains(" → 127.0.0.45:445 in frame "));
}

#[test]
fn a_gap_in_an_exchange_is_said_there_alone() {
    let mut packets = pcap::read(&file()).unwrap();
    // CHALLENGE.
    packets.remove(8);
    let (report, found) = report(&pcap::write(&packets)[..]);
    assert_eq!(found[0].losses.len(), 1);
    assert_eq!(told(&report), []);
}

#[test]
fn damage_is_said_with_its_place() {
    let mut whole = file();
    whole.truncate(whole.len() - 7);
    let (report, found) = report(&whole[..]);
    assert_eq!(found.len(), 1);
    let damage = &report.findings[0];
    assert_eq!(
        (damage.code, damage.at.offset),
        (FindingCode::DamagedFile, Some(report.damage[0].offset))
    );
    assert!(report.damage[0].offset > 1000 && damage.message.contains("packet is cut short"));
}

#[test]
fn a_connection_of_which_nothing_is_left_but_its_beginning_is_named() {
    let packets = pcap::read(&file()).unwrap();
    let (beginning, _) = report(&pcap::write(&packets[..4])[..]);
    assert_eq!(told(&beginning), [(FindingCode::IncompleteConnections, 1, Some(1))]);
    assert!(beginning.findings[0].message.contains("1 open at its end"));
    let (end, _) = report(&pcap::write(&packets[packets.len() - 6..])[..]);
    assert!(end.findings[0].message.contains("1 begun before the capture"));
}

#[test]
fn packets_of_an_unknown_link_are_named() {
    let mut file = file();
    file[20] = 147;
    let (report, found) = report(&file[..]);
    assert_eq!((told(&report), found.len()), (vec![(FindingCode::UnknownLinkType, 1, Some(1))], 0));
}

/// A pcap file of SYNs, each of another connection.
struct Flood {
    sent: u32,
    total: u32,
    ready: Vec<u8>,
}

impl Flood {
    fn new(total: u32) -> Self {
        let header = [0xa1b2_c3d4, 0x0002_0004, 0, 0, 65_535, 101_u32].map(u32::to_be_bytes);
        Self { sent: 0, total, ready: header.concat() }
    }

    fn packet(&mut self) {
        let [a, b, c, d] = self.sent.to_be_bytes();
        let ip = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, a, b, c, 10, 99, 0, 1];
        let tcp = [0xc0, d, 1, 0xbd, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0];
        let header = [self.sent, 0, 40, 40].map(u32::to_be_bytes);
        self.ready.extend(header.concat());
        self.ready.extend(ip.into_iter().chain(tcp));
        self.sent += 1;
    }
}

impl Read for Flood {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.ready.len() < buffer.len() && self.sent < self.total {
            self.packet();
        }
        let count = (&self.ready[..]).read(buffer)?;
        self.ready.drain(..count);
        Ok(count)
    }
}

#[test]
fn of_too_many_half_open_connections_the_oldest_are_dropped_and_that_is_said() {
    let total = 200_000;
    let (report, found) = report(Flood::new(total));
    let kept = u64::try_from(Limits::default().flows).unwrap();
    assert_eq!(
        told(&report),
        [
            (FindingCode::ConnectionsDropped, u64::from(total) - kept, Some(1)),
            (FindingCode::IncompleteConnections, kept, Some(u64::from(total) - kept + 1))
        ]
    );
    assert!(found.is_empty());
}
