//! Every capture of `testdata/`, as a worse network or a worse capture would have shown it.
//!
//! Without loss, each exchange is explained as before. With loss it is, or something says what is
//! missing: the exchange itself, or what is left of its flow.
//!
//! A few seeds run here; `NTLM_PERTURBED_SEEDS=100` runs so many. A failure names capture, seed and
//! options: `cargo run -p ntlm-traffic -- perturb` makes that file.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Event, Limits};
use ntlm_explain::{Known, explain, find_exchanges};
use ntlm_traffic::{Perturbation, container, pcap, perturb};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Codes that name what the capture does not have.
const NAMES_A_GAP: [&str; 3] = ["capture-gap", "half-exchange", "negotiate-not-seen"];

/// A kind of change, and how often it happens.
type Kind = (&'static str, Perturbation);

const KINDS: [Kind; 9] = [
    ("split", Perturbation { split: 0.9, parts: 6, ..Perturbation::NONE }),
    ("overlap", Perturbation { split: 0.5, overlap: 0.9, ..Perturbation::NONE }),
    ("fragment", Perturbation { fragment: 0.9, ..Perturbation::NONE }),
    ("duplicate", Perturbation { duplicate: 0.7, ..Perturbation::NONE }),
    ("reorder", Perturbation { split: 0.7, reorder: 0.5, ..Perturbation::NONE }),
    ("rough", Perturbation::ROUGH),
    ("rough3", Perturbation{across: true, distance: 3, ..Perturbation::ROUGH}),
    ("across2", Perturbation{across: true, reorder: 0.5, distance: 2, ..Perturbation::NONE}),
    ("across3", Perturbation{across: true, reorder: 0.5, distance: 3, ..Perturbation::NONE}),
];

const LOSSY: [Kind; 3] = [
    ("drop", Perturbation { drop: 0.1, ..Perturbation::NONE }),
    ("drop in runs", Perturbation { drop: 0.08, drop_run: 8, ..Perturbation::NONE }),
    ("drop, rough", Perturbation { drop: 0.05, drop_run: 3, ..Perturbation::ROUGH }),
];

#[test]
fn without_loss_every_exchange_is_explained_as_before() {
    let accounts = accounts();
    let mut failures = Vec::new();
    for (number, (name, file)) in (0_u64..).zip(captures()) {
        let packets = pcap::read(&file).unwrap();
        let expected = exchanges(&file, &accounts);
        for (kind, how) in KINDS {
            for seed in seeds().map(|seed| 1000 * number + seed) {
                let (worse, done) = perturb(&packets, &how, seed);
                if exchanges(&pcap::write(&worse), &accounts) != expected {
                    failures.push(format!("{name}, {kind}, seed {seed}: {done:?}"));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

fn seeds() -> std::ops::Range<u64> {
    let count = std::env::var("NTLM_PERTURBED_SEEDS").ok().and_then(|text| text.parse().ok());
    0..count.unwrap_or(2)
}

/// Every capture with its name, in order.
fn captures() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures");
    let mut files: Vec<PathBuf> = [folder.clone(), folder.join("http")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .collect();
    files.sort();
    assert!(files.len() > 150);
    let name = |path: &Path| path.strip_prefix(&folder).unwrap().display().to_string();
    files.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

fn accounts() -> Accounts {
    let text = include_str!("../../../testdata/accounts.toml");
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add("accounts.toml", text, Format::Toml).unwrap();
    accounts
}

/// The JSON of each exchange but for what a change of frames may change, in an order of their own.
fn exchanges(file: &[u8], accounts: &Accounts) -> Vec<Value> {
    let known = Known { accounts, code_page: CodePage::Cp850 };
    let mut found = Vec::new();
    let mut capture = Capture::new(file, Limits::default());
    find_exchanges(&mut capture, |exchange| found.push(exchange)).unwrap();
    let explained = found.into_iter().map(|exchange| {
        let mut value = serde_json::to_value(explain(0, exchange, known)).unwrap();
        forget_frames(&mut value);
        value
    });
    let mut explained: Vec<Value> = explained.collect();
    explained.sort_by_cached_key(Value::to_string);
    explained
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
