//! The proof that `ntlm` needs no std: a program without it, linked and run.

use crate::Outcome;
use crate::process::{LONG, cargo, run};
use crate::workspace::target_dir;

/// Fails where std came in: then there are two panic handlers.
pub(crate) fn link() -> Outcome {
    for profile in ["dev", "release"] {
        let words = "run --quiet --manifest-path testing/no-std-link/Cargo.toml --profile";
        let mut command = cargo(words);
        command.arg(profile).env("CARGO_TARGET_DIR", target_dir().join("no-std-link"));
        run(&mut command, LONG)?;
    }
    Ok(())
}
