//! Every rule of every key has evidence: a vector that chose it.

use crate::common::all_vectors;
use crate::vectors;
use ntlm::keys::Rule;

const PRIMITIVES: [&str; 5] = ["md4", "hmac_md5", "rc4", "crc32_le", "des7"];

#[test]
fn every_rule_is_chosen_by_a_vector() {
    let runs: Vec<vectors::Run> = all_vectors()
        .iter()
        .filter(|vector| !PRIMITIVES.contains(&vector["op"].as_str().unwrap()))
        .map(vectors::run)
        .collect();
    let mut without = Vec::new();
    for rule in Rule::all() {
        let evidence: Vec<&str> = runs
            .iter()
            .filter(|run| run.rules.contains(&rule))
            .map(|run| run.id.as_str())
            .collect();
        println!("{:?}: {} vectors, {:?}", rule, evidence.len(), evidence.first());
        if evidence.is_empty() {
            without.push(rule);
        }
    }
    assert!(without.is_empty(), "no vector chose {without:?}");
}
