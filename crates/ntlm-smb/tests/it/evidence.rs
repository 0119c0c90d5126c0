//! Which rules were chosen where every comparison held.

use ntlm_smb::SignatureRule;
use ntlm_smb::keys::{Rule, Step, StepValue};
use ntlm_smb::smb1::SequenceRule;
use std::collections::{BTreeMap, BTreeSet};

/// A row of the reference table: what it is about, and the name of the rule.
pub(crate) type Row = (&'static str, &'static str);

/// The rows, and for each the vectors and captures that show it.
#[derive(Debug, Default)]
pub(crate) struct Evidence(BTreeMap<Row, BTreeSet<String>>);

/// The row of a key's rule.
pub(crate) fn key_row(rule: Rule) -> Row {
    (rule.key().name(), rule.doc().name)
}

/// The row of a rule that says which key signs.
pub(crate) fn signature_row(rule: SignatureRule) -> Row {
    ("signature", rule.doc().name)
}

/// The row of a rule that gives an SMB1 message its number.
pub(crate) fn sequence_row(rule: SequenceRule) -> Row {
    ("sequence number", rule.doc().name)
}

impl Evidence {
    /// `id` chose the rule of this row.
    pub(crate) fn add(&mut self, row: Row, id: &str) {
        self.0.entry(row).or_default().insert(id.to_owned());
    }

    /// `id` states what a step came to, or its rule leaves the key empty, and so it is.
    pub(crate) fn step(&mut self, step: &Step, id: &str) {
        let empty = matches!(step.value, StepValue::Empty);
        assert_eq!(empty, step.rule.doc().formula == "none", "{id}: {:?}", step.rule);
        self.add(key_row(step.rule), id);
    }

    /// The same for every step without a key.
    pub(crate) fn empty_steps(&mut self, steps: impl Iterator<Item = Step>, id: &str) {
        for step in steps.filter(|step| matches!(step.value, StepValue::Empty)) {
            self.step(&step, id);
        }
    }

    /// Every row that something chose.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        self.0.keys().copied()
    }

    /// What shows a row.
    pub(crate) fn of(&self, row: Row) -> Vec<&str> {
        self.0.get(&row).into_iter().flatten().map(String::as_str).collect()
    }
}
