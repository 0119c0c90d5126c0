//! A real domain controller judges: the matrix of testing/peers.

use crate::process::{LONG, cargo, program, run as execute};
use crate::workspace::{root, target_dir};
use crate::{Outcome, peers};
use std::path::Path;

const PAGE: &str = "docs/interop.md";

/// Every row, and the page that shows them.
pub(crate) fn all() -> Outcome {
    run(&["--check".to_owned(), PAGE.to_owned()])
}

/// The same with other options for the matrix.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let python = peers::install()?.python;
    if !Path::new("/usr/share/samba/setup/ad-schema").exists() {
        return Err("Samba's domain controller is not installed".to_owned());
    }
    execute(&mut cargo("build --package ntlm-cli"), LONG)?;
    let mut matrix = program(&python);
    matrix.arg(root().join("testing/peers/dc_matrix.py"));
    matrix.arg("--ntlm").arg(target_dir().join("debug/ntlm"));
    matrix.arg("--folder").arg(target_dir().join("dc"));
    execute(matrix.args(arguments), LONG)
}
