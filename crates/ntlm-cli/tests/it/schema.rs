//! The JSON of `explain` against its published schema.

use crate::common::{accounts, root, run, testdata};
use serde_json::Value;

pub(crate) fn schema() -> jsonschema::Validator {
    let text = std::fs::read_to_string(root().join("docs/ntlm-explain-1.schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    jsonschema::draft202012::meta::validate(&schema).expect("the schema is one");
    jsonschema::validator_for(&schema).unwrap()
}

/// Every capture there is.
pub(crate) fn captures() -> Vec<String> {
    let mut captures = Vec::new();
    for folder in ["captures", "captures/http"] {
        let entries = std::fs::read_dir(testdata(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let pcaps = paths.filter(|path| path.extension().is_some_and(|end| end == "pcap"));
        captures.extend(pcaps.map(|path| path.display().to_string()));
    }
    captures.sort();
    captures
}

fn check(extra: &[&str]) -> usize {
    let (schema, captures, accounts) = (schema(), captures(), accounts());
    assert!(captures.len() > 100);
    let mut count = 0;
    for some in captures.chunks(32) {
        let mut arguments = vec!["explain", "--json"];
        arguments.extend(extra.iter().map(|extra| match *extra {
            "ACCOUNTS" => accounts.as_str(),
            extra => extra,
        }));
        arguments.extend(some.iter().map(String::as_str));
        let ran = run(&arguments);
        let json: Value = serde_json::from_str(&ran.out).expect("one JSON document");
        let errors: Vec<String> = schema
            .iter_errors(&json)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{errors:#?}");
        let captures = json["captures"].as_array().unwrap();
        count +=
            captures.iter().map(|one| one["exchanges"].as_array().unwrap().len()).sum::<usize>();
    }
    count
}

#[test]
fn every_capture_with_its_accounts_fits_the_schema() {
    assert!(check(&["--secrets", "ACCOUNTS"]) > 100);
}

#[test]
fn every_capture_without_secrets_and_redacted_fits_the_schema() {
    check(&[]);
    check(&["--secrets", "ACCOUNTS", "--redact-keys"]);
}

#[test]
fn what_is_no_report_does_not_fit() {
    let schema = schema();
    assert!(!schema.is_valid(&serde_json::json!({"schema": "ntlm-explain/2", "captures": []})));
    let capture = serde_json::json!({"file": "a", "exchanges": [{"id": 1}], "channels": []});
    let report = serde_json::json!({"schema": "ntlm-explain/1", "captures": [capture]});
    assert!(!schema.is_valid(&report));
}
