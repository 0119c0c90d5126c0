//! `cargo xtask bench`: our speed beside other implementations.

use crate::Outcome;
use crate::process::{LONG, cargo, run as execute};
use crate::workspace::target_dir;

/// Builds bench/, runs its clocks with the given options, and counts allocations.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    for (package, program, arguments) in [
        ("bench", "speed", arguments),
        ("bench", "allocations", &[]),
        ("bench", "logons", arguments),
        ("bench/packets", "ntlm-bench-packets", arguments),
    ] {
        let mut command = cargo("run --release --quiet --manifest-path");
        command.arg(format!("{package}/Cargo.toml")).args(["--bin", program, "--"]).args(arguments);
        execute(command.env("CARGO_TARGET_DIR", target_dir().join("bench")), LONG)?;
        println!();
    }
    Ok(())
}
