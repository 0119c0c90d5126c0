//! Our SMB client against a real smbd, real clients and smbtorture against our server: the matrices of
//! testing/peers, and the tests that need a smbd.

use crate::process::{LONG, SHORT, cargo, program, run as execute};
use crate::workspace::{root, target_dir};
use crate::{Outcome, peers};
use std::fs;

const PAGE: &str = "docs/interop.md";

/// Every row, the page that shows them, and every test.
pub(crate) fn all() -> Outcome {
    run(&["--check".to_owned(), PAGE.to_owned()])
}

/// The same with other options for the matrices.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let python = peers::install()?.python;
    execute(program("smbd").arg("-V"), SHORT)?;
    execute(&mut cargo("build --package ntlm-cli"), LONG)?;
    let mut matrix = program(&python);
    matrix.arg(root().join("testing/peers/smb_matrix.py"));
    matrix.arg("--ntlm").arg(target_dir().join("debug/ntlm"));
    let reports = target_dir().join("smb-reports");
    // Of an earlier run with other rows.
    let _ = fs::remove_dir_all(&reports);
    fs::create_dir_all(&reports).map_err(|error| format!("{}: {error}", reports.display()))?;
    execute(matrix.arg("--reports").arg(&reports).args(arguments), LONG)?;
    let only_some = arguments.iter().any(|argument| argument == "--only" || argument == "--list");
    if only_some {
        return Ok(());
    }
    let mut schema = cargo("test --package ntlm-cli --test it -- --ignored logon::");
    execute(schema.env("NTLM_LOGON_REPORTS", &reports), LONG)?;
    let mut tests = cargo("test --package ntlm-net --test it -- --ignored --test-threads=1");
    execute(tests.env("PEERS_PYTHON", python), LONG)
}
