//! `cargo xtask bench`: our speed beside other implementations.

use crate::Outcome;
use crate::process::{LONG, cargo, run as execute};
use crate::workspace::{root, target_dir};

/// Builds and runs bench/ with the given options.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    if !root().join("bench/Cargo.toml").exists() {
        return Err("there is no bench/ yet".to_owned());
    }
    let mut command = cargo("run --release --manifest-path bench/Cargo.toml --");
    command.args(arguments).env("CARGO_TARGET_DIR", target_dir().join("bench"));
    execute(&mut command, LONG)
}
