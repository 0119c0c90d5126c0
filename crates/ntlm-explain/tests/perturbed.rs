//! Every capture of `testdata/`, as a worse network or a worse capture would have shown it.
//!
//! Without loss, each exchange is explained as before. With loss it is, or something names what is
//! missing: a finding of the exchange, or, where nothing is left of it, of another one in its
//! connection or of the capture.
//!
//! A few seeds run here; with `NTLM_PERTURBED_SEEDS=50` so many. A failure names capture, seed and
//! options, of which `cargo run -p ntlm-traffic -- perturb` makes the file.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Event, Limits};
use ntlm_explain::{Explained, FindingCode, Known, explain_capture, read_capture};
use ntlm_traffic::container::{self, Layout};
use ntlm_traffic::{Perturbation, Recorded, pcap, perturb};
use serde_json::Value;
use std::collections::BTreeSet;

/// A kind of change, and how often it happens.
type Kind = (&'static str, Perturbation);

const LOSSLESS: [Kind; 9] = [
    ("split", Perturbation { split: 0.9, parts: 6, ..Perturbation::NONE }),
    ("overlap", Perturbation { split: 0.5, overlap: 0.9, ..Perturbation::NONE }),
    ("fragment", Perturbation { fragment: 0.9, ..Perturbation::NONE }),
    ("duplicate", Perturbation { duplicate: 0.7, ..Perturbation::NONE }),
    ("reorder", Perturbation { split: 0.7, reorder: 0.5, ..Perturbation::NONE }),
    ("across", Perturbation { reorder: 0.5, distance: 2, across: true, ..Perturbation::NONE }),
    // Here a request, its answer and the next request may be recorded as 3, 1, 2.
    ("far across", Perturbation { reorder: 0.5, distance: 3, across: true, ..Perturbation::NONE }),
    // As late as `Limits::patience` allows for: half as many places.
    ("farthest", Perturbation { reorder: 0.9, distance: 17, across: true, ..Perturbation::NONE }),
    ("rough", Perturbation::ROUGH),
];

const LOSSY: [Kind; 3] = [
    ("drop", Perturbation { drop: 0.1, ..Perturbation::NONE }),
    ("drop runs", Perturbation { drop: 0.08, drop_run: 8, ..Perturbation::NONE }),
    ("drop, rough", Perturbation { drop: 0.05, drop_run: 3, ..Perturbation::ROUGH }),
];

#[test]
fn without_loss_every_exchange_is_explained_as_before() {
    let mut failures = Vec::new();
    let count = each(&LOSSLESS, |case| failures.extend(changed(case)));
    assert!(count > 2000, "{count}");
    assert!(failures.is_empty(), "{} of {count} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_container_is_explained_the_same() {
    each(&[("rough", Perturbation::ROUGH)], |case| {
        let layout = Layout { sections: 3, interfaces: 4 };
        let pcapng = container::pcapng(&case.worse, layout, case.seed);
        let expected = exchanges(&pcap::write(&case.worse), case.accounts);
        for file in [container::gzip(&pcapng, 2).unwrap(), pcapng] {
            assert!(exchanges(&file, case.accounts) == expected, "{}", case.name());
        }
    });
}

/// What became of the exchanges of captures that lost frames.
#[derive(Debug, Default)]
struct Fates {
    /// Explained as before.
    equal: usize,
    /// Otherwise, and a finding names what is missing.
    named: usize,
    /// Gone, and a finding of the capture says that connections are not whole, or one of another
    /// exchange what its connection lacks.
    gone_named: usize,
    /// Gone with all frames of its flow, so that nothing can name it.
    gone_with_flow: usize,
    /// What must not be.
    unnamed: Vec<String>,
}

#[test]
fn with_loss_every_exchange_is_the_same_or_what_is_missing_is_named() {
    let mut all = Vec::new();
    for kind in LOSSY {
        let mut fates = Fates::default();
        let count = each(&[kind], |case| look_at_losses(case, &mut fates));
        println!("{}: {count} captures, {fates:?}", kind.0);
        let Fates { equal, named, gone_named, gone_with_flow, unnamed } = fates;
        assert!(equal > 0 && named > 0);
        // An exchange goes with its flow only where runs of frames are lost in small captures.
        assert!(gone_with_flow * 100 <= equal + named + gone_named, "{gone_with_flow}");
        all.extend(unnamed);
    }
    assert!(all.is_empty(), "{} unnamed:\n{}", all.len(), all.join("\n"));
}

fn look_at_losses(case: &Case<'_>, fates: &mut Fates) {
    let file = pcap::write(&case.worse);
    let mut found = exchanges(&file, case.accounts);
    let all = found.clone();
    let mut changed = case.expected.to_vec();
    changed.retain(|exchange| match found.iter().position(|other| other == exchange) {
        Some(at) => {
            found.remove(at);
            fates.equal += 1;
            false
        }
        None => true,
    });
    let (flows, is_named) = (flows(&file), capture_names_a_gap(&file));
    for exchange in changed {
        let is_counterpart = |other: &&Value| ends(other) == ends(&exchange);
        let has_challenge = |other: &&Value| {
            is_counterpart(other) && other["server_challenge"] == exchange["server_challenge"]
        };
        let best = found.iter().find(has_challenge).or(found.iter().find(is_counterpart));
        let Some(other) = best.cloned() else {
            if !flows.contains(&ends(&exchange)) {
                fates.gone_with_flow += 1;
            } else if is_named
                || all.iter().any(|other| is_counterpart(&other) && names_a_gap(other))
            {
                fates.gone_named += 1;
            } else {
                fates.unnamed.push(format!("{}: gone, {exchange}", case.name()));
            }
            continue;
        };
        found.retain(|one| *one != other);
        if names_a_gap(&other) {
            fates.named += 1;
        } else {
            fates.unnamed.push(format!("{}: {}", case.name(), difference(&exchange, &other)));
        }
    }
    // Parts of one exchange that were not brought together.
    for other in found.iter().filter(|other| !names_a_gap(other)) {
        fates.unnamed.push(format!("{}: nothing like it was there, {other}", case.name()));
    }
}

/// Whether a finding says that something was not captured.
fn names_a_gap(exchange: &Value) -> bool {
    let codes = [
        "capture-gap",
        "half-exchange",
        "negotiate-not-seen",
        "answer-not-seen",
        "smb-gap",
        "smb-not-ended",
        "rpc-gap",
        "rpc-not-ended",
    ];
    let names = |finding: &Value| codes.iter().any(|code| finding["code"] == *code);
    exchange["findings"].as_array().unwrap().iter().any(names)
}

/// Both ends in an order of their own: without SYN, client and server are guessed.
fn ends(exchange: &Value) -> [String; 2] {
    let mut ends = ["client", "server"].map(|end| exchange[end].as_str().unwrap().to_owned());
    ends.sort();
    ends
}

/// The flows of a capture by their ends.
fn flows(file: &[u8]) -> BTreeSet<[String; 2]> {
    let mut flows = BTreeSet::new();
    let mut capture = Capture::new(file, Limits::default());
    while let Some(event) = capture.next_event().unwrap() {
        if let Event::FlowStarted(started) = event {
            let ends = started.endpoints;
            let mut ends = [ends.client, ends.server].map(|end| end.to_string());
            ends.sort();
            flows.insert(ends);
        }
    }
    flows
}

/// Whether a finding of the capture says that connections are not whole.
fn capture_names_a_gap(file: &[u8]) -> bool {
    let accounts = Accounts::new(CodePage::Cp850);
    let known = Known { accounts: &accounts, code_page: CodePage::Cp850 };
    let mut capture = Capture::new(file, Limits::default());
    let report = read_capture(&mut capture, &[], known, &mut drop::<Explained>);
    let codes = [FindingCode::GapElsewhere, FindingCode::IncompleteConnections];
    report.findings.iter().any(|finding| codes.contains(&finding.code))
}

/// How the exchanges of a case differ from what they were, if they do.
fn changed(case: &Case<'_>) -> Option<String> {
    let found = exchanges(&pcap::write(&case.worse), case.accounts);
    let gone: Vec<&Value> = case.expected.iter().filter(|one| !found.contains(one)).collect();
    let new: Vec<&Value> = found.iter().filter(|one| !case.expected.contains(one)).collect();
    let name = case.name();
    match (&gone[..], &new[..]) {
        ([], []) if found.len() == case.expected.len() => None,
        ([before], [after]) => Some(format!("{name}: {}", difference(before, after))),
        _ => {
            let (before, after) = (case.expected.len(), found.len());
            Some(format!("{name}: {before} exchanges became {after}, {} differ", gone.len()))
        }
    }
}

fn difference(before: &Value, after: &Value) -> String {
    let short = |value: &Value| value.to_string().chars().take(200).collect::<String>();
    let fields = before.as_object().unwrap().iter();
    let changed = fields.filter(|(name, value)| **value != after[name.as_str()]);
    let words = changed.map(|(name, value)| {
        format!("{name} {} became {}", short(value), short(&after[name.as_str()]))
    });
    words.collect::<Vec<_>>().join("; ")
}

/// A capture, and what was made of it.
struct Case<'a> {
    capture: &'a str,
    kind: &'static str,
    seed: u64,
    accounts: &'a Accounts,
    expected: &'a [Value],
    worse: Vec<pcap::Packet>,
}

impl Case<'_> {
    fn name(&self) -> String {
        format!("{}, {}, seed {}", self.capture, self.kind, self.seed)
    }
}

/// Runs all captures through all kinds of change with all seeds. Returns how many cases there were.
fn each(kinds: &[Kind], mut look: impl FnMut(&Case<'_>)) -> usize {
    let seeds = std::env::var("NTLM_PERTURBED_SEEDS").ok().and_then(|text| text.parse().ok());
    let text = include_str!("../../../testdata/accounts.toml");
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add("accounts.toml", text, Format::Toml).unwrap();
    let mut count = 0;
    let captures = Recorded::all().unwrap();
    assert!(captures.len() > 150);
    for (number, Recorded { name: capture, file }) in (0_u64..).zip(captures) {
        let packets = pcap::read(&file).unwrap();
        let expected = exchanges(&file, &accounts);
        for (kind, how) in kinds {
            for seed in (0..seeds.unwrap_or(2)).map(|seed| 1000 * number + seed) {
                let (worse, _) = perturb(&packets, how, seed);
                let (accounts, expected) = (&accounts, &expected[..]);
                look(&Case { capture: &capture, kind, seed, accounts, expected, worse });
                count += 1;
            }
        }
    }
    count
}

/// The JSON of each exchange but for what a change of frames may change, in an order of their own.
fn exchanges(file: &[u8], accounts: &Accounts) -> Vec<Value> {
    let known = Known { accounts, code_page: CodePage::Cp850 };
    let mut found = Vec::new();
    let mut capture = Capture::new(file, Limits::default());
    explain_capture(&mut capture, known, &mut |explained: Explained| {
        let mut value = serde_json::to_value(explained).unwrap();
        forget_frames(&mut value);
        found.push(value);
    })
    .unwrap();
    found.sort_by_cached_key(Value::to_string);
    found
}

fn forget_frames(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !matches!(name.as_str(), "id" | "time" | "frame" | "frames"));
            fields.values_mut().for_each(forget_frames);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_frames),
        _ => {}
    }
}
