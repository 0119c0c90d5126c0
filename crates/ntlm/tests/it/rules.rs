//! Every rule of every key has evidence: a vector that chose it and holds the value that it gave.

use crate::common::all_vectors;
use crate::vectors;
use ntlm::keys::{KeyName, Rule};

/// Rules for which no published vector is known: those of our own stand for them. `derive.py`
/// computes them apart from this library, but nobody outside has confirmed them. What recorded
/// traffic shows of them besides is said here.
const OWN_VECTORS_ONLY: [(&str, &str, &str); 7] = [
    (
        "LMOWFv1",
        "Unavailable",
        "captures smbclient-*-ntlmv2-long: a password of more than 14 characters",
    ),
    ("NTOWFv2", "EmptyDomain", "Windows XP with a local account; no capture of it at hand"),
    ("SessionBaseKey", "Lmv2", "no capture known"),
    ("SessionBaseKey", "Guest", "captures smbclient-*-guest show the logon, but no use of the key"),
    ("KeyExchangeKey", "NoLmHash", "no capture known"),
    (
        "LmChallengeResponse, NtChallengeResponse",
        "Ntlmv2Alone",
        "no capture known; no peer speaks datagrams",
    ),
    ("MIC", "Connectionless", "no capture known; no peer speaks it"),
];

#[test]
fn every_rule_is_chosen_by_a_vector() {
    let runs: Vec<vectors::Run> = all_vectors()
        .iter()
        .filter(|vector| !vectors::PRIMITIVES.contains(&vector["op"].as_str().unwrap()))
        .map(vectors::run)
        .collect();
    let mut without = Vec::new();
    let mut own_only = Vec::new();
    for rule in Rule::all() {
        let evidence = runs.iter().filter(|run| run.rules.contains(&rule));
        let evidence: Vec<&str> = evidence.map(|run| run.id.as_str()).collect();
        println!("{} {}: {}", rule.key(), rule.doc().name, evidence.join(" "));
        if evidence.is_empty() {
            without.push(rule);
        } else if evidence.iter().all(|id| id.starts_with("own-")) {
            own_only.push((rule.key().name(), rule.doc().name));
        }
    }
    assert!(without.is_empty(), "no vector chose {without:?}");
    assert_eq!(own_only, OWN_VECTORS_ONLY.map(|(key, rule, _)| (key, rule)));
}

#[test]
fn every_rule_is_documented() {
    let all = Rule::all();
    for (place, rule) in all.iter().enumerate() {
        let doc = rule.doc();
        for text in [doc.name, doc.condition, doc.formula, doc.section, doc.computed_by] {
            assert!(!text.is_empty() && text.trim() == text, "{rule:?}");
            assert!(!text.contains("  "), "{rule:?}: {text}");
        }
        assert!(doc.beware.is_none_or(|beware| beware.ends_with('.')), "{rule:?}");
        assert_eq!(doc.length == 0, doc.formula == "none", "{rule:?}");
        for input in doc.inputs {
            assert!(!input.name().is_empty(), "{rule:?}");
        }
        assert!(!all[..place].contains(rule), "{rule:?} twice");
        let same_name = |other: &&Rule| other.key() == rule.key() && other.doc().name == doc.name;
        assert_eq!(all.iter().filter(same_name).count(), 1, "{rule:?}");
    }
    for key in KeyName::STEPS {
        assert!(all.iter().any(|rule| rule.key() == key), "{key} has no rule");
    }
}
