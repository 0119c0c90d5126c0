//! The rows: each key of NTLM and of SMB, and each rule that may choose its formula.

/// A key, and a row for each of its rules.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) other_names: &'static [&'static str],
    pub(super) rows: Vec<Row>,
}

/// What a rule says of itself.
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) condition: &'static str,
    pub(super) formula: &'static str,
    pub(super) inputs: String,
    length: usize,
    pub(super) computed_by: &'static str,
    pub(super) section: &'static str,
    pub(super) beware: Option<&'static str>,
}

impl Row {
    /// The length of the key in bytes.
    pub(super) fn length(&self) -> String {
        match (self.formula, self.length) {
            ("none", _) => "-".to_owned(),
            (_, 0) => "varies".to_owned(),
            (_, length) => length.to_string(),
        }
    }
}

/// The keys of NTLM, in the order of derivation.
pub(super) fn ntlm_keys() -> Vec<Key> {
    use ntlm::keys::{Input, Rule};
    grouped(Rule::all().into_iter().map(|rule| {
        let (key, doc) = (rule.key(), rule.doc());
        let row = Row {
            name: doc.name,
            condition: doc.condition,
            formula: doc.formula,
            inputs: joined(doc.inputs.iter().map(|input: &Input| input.name())),
            length: doc.length,
            computed_by: doc.computed_by,
            section: doc.section,
            beware: doc.beware,
        };
        (key.name(), key.other_names(), row)
    }))
}

/// The keys of SMB, in the order of derivation.
pub(super) fn smb_keys() -> Vec<Key> {
    use ntlm_smb::keys::{Input, Rule};
    grouped(Rule::all().into_iter().map(|rule| {
        let (key, doc) = (rule.key(), rule.doc());
        let row = Row {
            name: doc.name,
            condition: doc.condition,
            formula: doc.formula,
            inputs: joined(doc.inputs.iter().map(|input: &Input| input.name())),
            length: doc.length,
            computed_by: doc.computed_by,
            section: doc.section,
            beware: doc.beware,
        };
        (key.name(), key.other_names(), row)
    }))
}

fn grouped(rows: impl Iterator<Item = (&'static str, &'static [&'static str], Row)>) -> Vec<Key> {
    let mut keys: Vec<Key> = Vec::new();
    for (name, other_names, row) in rows {
        match keys.last_mut() {
            Some(key) if key.name == name => key.rows.push(row),
            _ => keys.push(Key { name, other_names, rows: vec![row] }),
        }
    }
    keys
}

fn joined(names: impl Iterator<Item = &'static str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// A formula in a cell of a table.
pub(super) fn code(formula: &str) -> String {
    match formula {
        "none" => "none".to_owned(),
        formula => format!("`{}`", cell(formula)),
    }
}

/// Text in a cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// The cells of a line, each that is the same as the one to its left as a sign for that.
pub(super) fn line(cells: &[String]) -> String {
    let mut left = None;
    let cells: Vec<&str> = cells
        .iter()
        .map(|cell| {
            let same = left == Some(cell);
            left = Some(cell);
            if same { "″" } else { cell }
        })
        .collect();
    cells.join(" | ")
}
