//! What the tests over real captures share.

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Limits};
use ntlm_explain::{Explained, Known, explain_capture};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of `testdata`.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(name)
}

/// The accounts of a file of `testdata`.
pub(crate) fn accounts(name: &str) -> Accounts {
    let text = fs::read_to_string(testdata(name)).unwrap();
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add(name, &text, Format::Toml).unwrap();
    accounts
}

/// An exchange, as a value and as its JSON.
pub(crate) struct Exchange {
    pub(crate) explained: Explained,
    pub(crate) json: Value,
}

/// Everything that is found in a capture, explained.
pub(crate) fn exchanges(capture: &Path, accounts: &Accounts) -> Vec<Exchange> {
    let bytes = fs::read(capture).unwrap();
    let known = Known { accounts, code_page: CodePage::Cp850 };
    let mut all = Vec::new();
    // A damaged capture gives what comes before the damage.
    let mut capture = Capture::new(&bytes[..], Limits::default());
    let _ = explain_capture(&mut capture, known, &mut |explained: Explained| {
        let json = serde_json::to_value(&explained).unwrap();
        all.push(Exchange { explained, json });
    });
    all
}

/// Every `.json` of a folder with its content, in order of name.
pub(crate) fn sidecars(folder: &Path) -> Vec<(PathBuf, Value)> {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: PathBuf| {
        let json = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        (path, json)
    };
    paths.into_iter().map(read).collect()
}

/// Counts what is compared, so that a test cannot pass by walking nothing.
#[derive(Default, Debug)]
pub(crate) struct Tally {
    pub(crate) captures: usize,
    pub(crate) exchanges: usize,
    pub(crate) keys: usize,
    pub(crate) facts: usize,
    /// Keys of SMB, signatures that hold, encrypted packets that open.
    pub(crate) smb_keys: usize,
    pub(crate) signatures: u64,
    pub(crate) transforms: u64,
    /// What does not agree.
    pub(crate) wrong: Vec<String>,
}

impl Tally {
    /// Compares two values of an exchange.
    pub(crate) fn same(&mut self, what: &str, name: &str, got: &Value, expected: &Value) {
        self.facts += 1;
        if got != expected {
            self.wrong.push(format!("{what}: {name} is {got}, not {expected}"));
        }
    }

    /// Says the figures, and fails if anything did not agree.
    pub(crate) fn settle(&self, of: &str) {
        let Self { captures, exchanges, keys, facts, smb_keys, signatures, transforms, wrong } =
            self;
        println!("{of}: {captures} captures, {exchanges} exchanges, {keys} keys, {facts} facts");
        println!(
            "{of}: {smb_keys} keys of SMB, {signatures} signatures, {transforms} packets opened"
        );
        assert!(wrong.is_empty(), "{} of {facts} disagree:\n{}", wrong.len(), wrong.join("\n"));
    }

    /// Compares a key.
    pub(crate) fn key(&mut self, what: &str, name: &str, json: &Value, expected: &Value) {
        self.keys += 1;
        self.same(what, name, &json["keys"][name]["value"], expected);
    }
}

/// `NTLMv1+ESS` and `NTLM2SR` are other words for what we call `NTLMv1-ESS`.
pub(crate) fn our_version(variant: &str) -> &str {
    match variant {
        "NTLMv1+ESS" | "NTLM2SR" => "NTLMv1-ESS",
        other => other,
    }
}
