//! The pages of docs/ that are generated from code.

use std::path::PathBuf;

use crate::Outcome;
use crate::process::{LONG, cargo, output};
use crate::workspace::root;

/// Each page, and the arguments with which the program prints it.
const PAGES: &[(&str, &str)] =
    &[("docs/keys.md", "keys --table --markdown"), ("docs/findings.md", "explain --list-findings")];

/// Writes them, or with `--check` says which are not what the code says.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    match arguments {
        [] => write(),
        [option] if option == "--check" => check(),
        _ => Err("usage: cargo xtask docs [--check]".to_owned()),
    }
}

/// Fails when a generated page is stale; the mend is `cargo xtask docs`.
pub(crate) fn check() -> Outcome {
    for (page, arguments) in PAGES {
        let path = path(page);
        let found = std::fs::read_to_string(&path).map_err(|error| format!("{page}: {error}"))?;
        if found != print(arguments)? {
            return Err(format!("{page} is stale: run `cargo xtask docs` and commit it"));
        }
        println!("{page} is what the code says");
    }
    Ok(())
}

fn write() -> Outcome {
    for (page, arguments) in PAGES {
        let text = print(arguments)?;
        std::fs::write(path(page), text).map_err(|error| format!("{page}: {error}"))?;
        println!("wrote {page}");
    }
    Ok(())
}

fn path(page: &str) -> PathBuf {
    root().join(page)
}

fn print(arguments: &str) -> Result<String, String> {
    output(cargo("run --quiet --package ntlm-cli --").args(arguments.split(' ')), LONG)
}
