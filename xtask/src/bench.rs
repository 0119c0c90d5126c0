//! `cargo xtask bench`: our speed beside other implementations.

use crate::Outcome;
use crate::process::{LONG, cargo, run as execute};
use crate::workspace::target_dir;

/// Builds bench/, runs the clock with the given options, and counts allocations.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    for (program, arguments) in [("speed", arguments), ("allocations", &[])] {
        let words = "run --release --quiet --manifest-path bench/Cargo.toml --bin";
        let mut command = cargo(words);
        command.args([program, "--"]).args(arguments);
        execute(command.env("CARGO_TARGET_DIR", target_dir().join("bench")), LONG)?;
        println!();
    }
    Ok(())
}
