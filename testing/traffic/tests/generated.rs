//! A small generated capture, explained: every message is found once, whatever happened to it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Limits};
use ntlm_explain::{Explained, Known, Verdict, explain_capture};
use ntlm_traffic::generate::{Generate, PASSWORD, Summary, user};
use ntlm_traffic::{Perturbation, check, generate, pcap, perturb};
use serde_json::json;
use std::collections::BTreeMap;

#[test]
fn every_message_is_found_once() {
    let (summary, file) = generated(Generate { size: 20_000_000, ..faulty(1) });
    assert!(summary.split_in_signature > 0 && summary.swapped > 0 && summary.sent_twice > 0);
    let explained = explained(&file, &summary);
    assert_eq!(problems(&summary, &explained), [""; 0]);
    assert!(explained.iter().all(|exchange| exchange.response == Verdict::Valid));
    assert!(explained.iter().all(|exchange| exchange.mic == Verdict::Valid));
}

#[test]
fn every_message_is_found_once_where_the_network_is_rough() {
    let mut all = Vec::new();
    for seed in 2..5 {
        let (summary, file) = generated(Generate { size: 2_000_000, ..faulty(seed) });
        let (worse, _) = perturb(&pcap::read(&file).unwrap(), &Perturbation::ROUGH, seed);
        all.extend(problems(&summary, &explained(&pcap::write(&worse), &summary)));
    }
    assert_eq!(all, [""; 0]);
}

#[test]
fn decoys_are_no_messages() {
    let (summary, file) = generated(Generate { size: 5_000_000, decoys: 100, ..faulty(7) });
    assert!(summary.decoys > 50);
    let explained = explained(&file, &summary);
    assert_eq!(problems(&summary, &explained), [""; 0]);
    let mut findings: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in explained.iter().flat_map(|exchange| &exchange.findings) {
        *findings.entry(finding.code.code()).or_default() += 1;
    }
    let about_bytes = ["capture-gap", "damaged-message", "unreadable-message", "half-exchange"];
    assert!(about_bytes.iter().all(|code| !findings.contains_key(code)), "{findings:?}");
}

fn faulty(seed: u64) -> Generate {
    Generate { seed, faults: 20, ..Generate::default() }
}

fn generated(what: Generate) -> (Summary, Vec<u8>) {
    let mut file = Vec::new();
    let summary = generate(&mut file, &what).unwrap();
    (summary, file)
}

fn explained(file: &[u8], summary: &Summary) -> Vec<Explained> {
    let lines: Vec<String> = (0..summary.exchanges)
        .map(|exchange| format!("EXAMPLE:{}:{PASSWORD}", user(exchange)))
        .collect();
    let mut accounts = Accounts::new(CodePage::Cp437);
    accounts.add("generated", &lines.join("\n"), Format::UserFile).unwrap();
    let known = Known { accounts: &accounts, code_page: CodePage::Cp437 };
    let mut found = Vec::new();
    let mut capture = Capture::new(file, Limits::default());
    explain_capture(&mut capture, known, &mut |explained: Explained| found.push(explained))
        .unwrap();
    for smb in found.iter().filter_map(|explained| explained.smb.as_ref()) {
        // Of what is generated, the last response of session setup is signed.
        assert_eq!((smb.signatures.valid, smb.signatures.invalid), (1, 0));
    }
    found
}

fn problems(summary: &Summary, explained: &[Explained]) -> Vec<String> {
    let json = json!({ "captures": [{ "exchanges": explained }] });
    check(summary, &serde_json::from_value(json).unwrap())
}
