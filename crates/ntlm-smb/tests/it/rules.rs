//! Every rule of the reference table has evidence: a vector or a capture chose it, and what it gave
//! is what the vector or the capture's ground truth states.

use crate::evidence::{Evidence, Row, key_row, sequence_row, signature_row};
use crate::{captures, vectors};
use ntlm_smb::SignatureRule;
use ntlm_smb::keys::{KeyName, Rule};
use ntlm_smb::smb1::SequenceRule;

/// Rules that nothing at hand has chosen, and why.
const WITHOUT_EVIDENCE: [(Row, &str); 4] = [
    (("ApplicationKey", "SessionKey"), "before 3.0 no vector and no sidecar states it"),
    (("signature", "Unsolicited"), "no capture has an oplock or lease break"),
    (("sequence number", "NtCancel"), "no SMB 1 capture cancels anything"),
    (("sequence number", "OplockBreak"), "no SMB 1 capture has one"),
];

#[test]
fn every_rule_is_chosen_by_a_vector_or_a_capture() {
    let mut evidence = Evidence::default();
    vectors::run_all(&mut evidence);
    captures::walk_all(&mut evidence);
    let keys = Rule::all().into_iter().map(key_row);
    let signatures = SignatureRule::ALL.into_iter().map(signature_row);
    let numbers = SequenceRule::ALL.into_iter().map(sequence_row);
    let rows: Vec<Row> = keys.chain(signatures).chain(numbers).collect();
    let mut without = Vec::new();
    for &row in &rows {
        let found = evidence.of(row);
        println!("{row:?}: {} {:?}", found.len(), &found[..found.len().min(3)]);
        if found.is_empty() {
            without.push(row);
        }
    }
    for row in evidence.rows() {
        assert!(rows.contains(&row), "{row:?} has no row");
    }
    assert_eq!(without, WITHOUT_EVIDENCE.map(|(row, _)| row));
}

#[test]
fn every_rule_is_documented() {
    let all = Rule::all();
    for (place, rule) in all.iter().enumerate() {
        let doc = rule.doc();
        let texts = [doc.name, doc.condition, doc.formula, doc.section, doc.computed_by];
        check_texts(&texts, doc.beware);
        assert_eq!(doc.formula == "none", doc.inputs.is_empty(), "{rule:?}");
        assert!(doc.formula != "none" || doc.length == 0, "{rule:?}");
        if let Some(kdf) = doc.kdf {
            let label = kdf.label.replace('\0', "\\0");
            assert!(doc.formula.contains(&format!("\"{label}\"")), "{rule:?}");
            let context = kdf.context.map(|text| format!("\"{}\"", text.replace('\0', "\\0")));
            let context = context.unwrap_or_else(|| "PreauthIntegrityHashValue".to_owned());
            assert!(doc.formula.contains(&context), "{rule:?}");
            assert!(doc.formula.ends_with(&format!("{})", kdf.length_bits)), "{rule:?}");
        }
        let same = |other: &&Rule| key_row(**other) == key_row(*rule);
        assert_eq!(all.iter().filter(same).count(), 1, "{rule:?}");
        assert!(!all[..place].contains(rule), "{rule:?} twice");
    }
    for key in KeyName::ALL {
        assert!(all.iter().any(|rule| rule.key() == key), "{key} has no rule");
    }
    for doc in SignatureRule::ALL.map(SignatureRule::doc) {
        check_texts(&[doc.name, doc.condition, doc.section], doc.beware);
    }
    for doc in SequenceRule::ALL.map(SequenceRule::doc) {
        check_texts(&[doc.name, doc.condition, doc.formula, doc.section], doc.beware);
    }
}

fn check_texts(texts: &[&str], beware: Option<&str>) {
    for text in texts.iter().chain(&beware) {
        assert!(!text.is_empty() && text.trim() == *text && !text.contains("  "), "{text:?}");
    }
    assert!(beware.is_none_or(|beware| beware.ends_with('.')), "{texts:?}");
}
