//! What the steps need beside cargo, installed where it is missing.

use std::time::Duration;

use crate::Outcome;
use crate::process::{LONG, SHORT, cargo, output, program, run};
use crate::{peers, workspace};

/// A fixed version, so that a new release cannot break a build of ours.
const CARGO_DENY: &str = "0.20.2";

/// Installs everything; quick when all is there.
pub(crate) fn setup() -> Outcome {
    // libFuzzer is C++; tests compare what we read with what tshark reads.
    package("g++", "c++")?;
    package("tshark", "tshark")?;
    peers::install().map(drop)?;
    cargo_deny()
}

/// Installs a Debian package unless its program is there.
fn package(name: &str, command: &str) -> Outcome {
    if output(program(command).arg("--version"), SHORT).is_ok() {
        return Ok(());
    }
    let limit = Duration::from_secs(600);
    let mut install = program("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends", name]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    if run(&mut install, limit).is_err() {
        run(program("apt-get").args(["update", "-qq"]), limit)?;
        run(&mut install, limit)?;
    }
    Ok(())
}

/// Built without optimisation: it runs for a second, and compiles in half the time.
fn cargo_deny() -> Outcome {
    let found = output(&mut cargo("deny --version"), SHORT);
    if found.is_ok_and(|version| version.split_whitespace().nth(1) == Some(CARGO_DENY)) {
        println!("cargo-deny {CARGO_DENY} is there");
        return Ok(());
    }
    let mut install = cargo("install --locked --debug --no-default-features --force");
    install.arg(format!("cargo-deny@{CARGO_DENY}"));
    install.env("CARGO_TARGET_DIR", workspace::target_dir().join("tools"));
    run(install.env("CARGO_PROFILE_DEV_DEBUG", "0"), LONG)
}
