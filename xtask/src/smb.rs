//! Our SMB client against a real smbd, real clients and smbtorture against our server: the matrices of
//! testing/peers, and the schema that their reports fit.

use crate::process::{LONG, SHORT, cargo, program, run as execute};
use crate::workspace::{root, target_dir};
use crate::{Outcome, peers};
use std::fs;

const PAGE: &str = "docs/interop.md";

/// Every row, and the page that shows them.
pub(crate) fn all() -> Outcome {
    run(&["--check".to_owned(), PAGE.to_owned()])
}

/// The same with other options for the matrices.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let python = peers::install()?.python;
    execute(program("smbd").arg("-V"), SHORT)?;
    execute(&mut cargo("build --package ntlm-cli"), LONG)?;
    let script = |name: &str| {
        let mut script = program(&python);
        script.arg(root().join("testing/peers").join(name));
        script.arg("--ntlm").arg(target_dir().join("debug/ntlm")).args(arguments);
        script
    };
    let reports = target_dir().join("smb-reports");
    // Of an earlier run with other rows.
    let _ = fs::remove_dir_all(&reports);
    fs::create_dir_all(&reports).map_err(|error| format!("{}: {error}", reports.display()))?;
    execute(script("smb_matrix.py").arg("--reports").arg(&reports), LONG)?;
    if arguments.iter().any(|argument| argument == "--list") {
        return Ok(());
    }
    execute(&mut script("smb_server_matrix.py"), LONG)?;
    execute(&mut script("torture.py"), LONG)?;
    if arguments.iter().any(|argument| argument == "--only") {
        return Ok(());
    }
    let mut schema = cargo("test --package ntlm-cli --test it -- logon::every_report");
    execute(schema.env("NTLM_LOGON_REPORTS", &reports), LONG)
}
