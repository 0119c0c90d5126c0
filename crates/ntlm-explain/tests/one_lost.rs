//! Every capture of `testdata/` without one frame of an exchange: what is missing is named for what it is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Limits, Origin};
use ntlm_explain::{CaptureReport, Explained, FindingCode, Known, read_capture};
use ntlm_traffic::Recorded;
use ntlm_traffic::pcap::{self, Packet};
use std::collections::BTreeMap;

fn explained(packets: &[Packet], accounts: &Accounts) -> (Vec<Explained>, CaptureReport) {
    let known = Known { accounts, code_page: CodePage::Cp850 };
    let file = pcap::write(packets);
    let mut found = Vec::new();
    let mut capture = Capture::new(&file[..], Limits::default());
    let report = read_capture(&mut capture, &[], known, &mut |one: Explained| found.push(one));
    found.sort_by_key(|one| (one.client.clone(), one.server.clone(), one.id));
    (found, report)
}

/// The frames of an exchange by what they complete.
fn frames(exchange: &Explained) -> Vec<(&'static str, u64)> {
    let found = &exchange.found;
    let frame = |origin: Option<Origin>| origin.map(|origin| origin.frame);
    let seen = |seen: &Option<ntlm_explain::Seen>| frame(seen.as_ref().and_then(|it| it.origin));
    let bare = found.bare.as_ref();
    let parts = [
        ("negotiate", seen(&found.negotiate)),
        ("challenge", seen(&found.challenge)),
        ("authenticate", seen(&found.authenticate)),
        ("bare challenge", frame(bare.and_then(|it| Some(it.server_challenge.as_ref()?.origin)))),
        ("answer", frame(found.answer.as_ref().map(|answer| answer.origin))),
    ];
    parts.into_iter().filter_map(|(what, frame)| Some((what, frame?))).collect()
}

/// The findings that name the loss of it, each of which will do.
fn names(what: &str) -> &'static [FindingCode] {
    match what {
        "negotiate" => &[FindingCode::NegotiateNotSeen],
        "challenge" | "authenticate" | "bare challenge" => &[FindingCode::HalfExchange],
        _ => &[FindingCode::AnswerNotSeen, FindingCode::CaptureGap],
    }
}

fn captures() -> Vec<(String, Vec<Packet>)> {
    let all = Recorded::all().unwrap();
    assert!(all.len() > 150);
    all.into_iter().map(|one| (one.name.clone(), one.packets().unwrap())).collect()
}

fn accounts() -> Accounts {
    let text = include_str!("../../../testdata/accounts.toml");
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add("accounts.toml", text, Format::Toml).unwrap();
    accounts
}

#[test]
fn the_loss_of_each_part_is_named() {
    let accounts = accounts();
    let mut count = BTreeMap::new();
    let mut unnamed = Vec::new();
    for (name, packets) in captures() {
        for (number, exchange) in explained(&packets, &accounts).0.iter().enumerate() {
            for (what, frame) in frames(exchange) {
                let mut worse = packets.clone();
                worse.remove(usize::try_from(frame).unwrap() - 1);
                let ends = (&exchange.client, &exchange.server);
                let (found, report) = explained(&worse, &accounts);
                let mut left = found.iter().filter(|one| (&one.client, &one.server) == ends);
                let says = |one: &Explained| {
                    one.findings.iter().any(|finding| names(what).contains(&finding.code))
                };
                // Where it was all of an exchange, another one or the capture has to say it.
                let was_all = exchange.found.messages().count() == 1;
                let others = found.iter().flat_map(|one| &one.findings).map(|it| it.code);
                let codes: Vec<_> =
                    others.chain(report.findings.iter().map(|it| it.code)).collect();
                let gaps = [FindingCode::CaptureGap, FindingCode::GapElsewhere];
                let is_said_elsewhere = was_all && gaps.iter().any(|gap| codes.contains(gap));
                if !left.any(says) && !is_said_elsewhere {
                    unnamed.push(format!("{name}, exchange {number}: {what} in frame {frame}"));
                }
                *count.entry(what).or_insert(0) += 1;
            }
        }
    }
    println!("{count:?}");
    assert!(count.values().all(|count| *count > 3) && count["negotiate"] > 150, "{count:?}");
    assert!(unnamed.is_empty(), "{} unnamed:\n{}", unnamed.len(), unnamed.join("\n"));
}

#[test]
fn without_syn_client_and_server_are_told_by_what_they_say() {
    const SYN: u8 = 2;
    let accounts = accounts();
    let mut count = 0;
    for (name, packets) in captures() {
        let (whole, _) = explained(&packets, &accounts);
        let mut worse = packets.clone();
        worse.retain(|packet| {
            ntlm_traffic::segment::Segment::parse(&packet.bytes)
                .is_none_or(|segment| segment.flags() & SYN == 0)
        });
        assert!(worse.len() < packets.len(), "{name}");
        let (found, _) = explained(&worse, &accounts);
        for (before, after) in whole.iter().zip(&found) {
            assert_eq!((&before.client, &before.server), (&after.client, &after.server), "{name}");
            assert_eq!(before.response, after.response, "{name}");
            assert_eq!(before.outcome, after.outcome, "{name}");
            count += 1;
        }
        assert_eq!(whole.len(), found.len(), "{name}");
    }
    assert!(count > 150);
}
