//! Our client and server against other people's: testing/peers.

use std::path::PathBuf;

use crate::Outcome;
use crate::process::{LONG, cargo, output, program, run as execute};
use crate::workspace::{root, target_dir};

/// Where the peers are, as testing/peers/setup says.
pub(crate) struct Peers {
    pub(crate) python: PathBuf,
    names: String,
}

/// The levels that differ in what goes over the wire, and the default.
const LEVELS: &[Option<&str>] = &[None, Some("0"), Some("1"), Some("2")];

/// Installs the peers; quick when they are there.
pub(crate) fn install() -> Result<Peers, String> {
    let mut setup = program(root().join("testing/peers/setup"));
    let printed = output(setup.arg(target_dir().join("peers")), LONG)?;
    let value = |key: &str| {
        let found = printed.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        found.map(str::to_owned).ok_or(format!("testing/peers/setup printed no {key}"))
    };
    let peers = Peers { python: value("PYTHON")?.into(), names: value("PEERS")? };
    println!("peers: {}", peers.names);
    Ok(peers)
}

/// Every pair with us at one end, at every level that matters; a peer that is missing is a failure.
pub(crate) fn all_required() -> Outcome {
    run(&["--require-peers".to_owned()])
}

/// The same with more options for the matrix.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let peers = install()?;
    execute(&mut cargo("build --package ntlm-line-peer"), LONG)?;
    let ours = target_dir().join("debug/ntlm-line-peer");
    let asked_level = arguments.iter().any(|argument| argument == "--lm");
    for level in if asked_level { &[None] } else { LEVELS } {
        let mut matrix = program(&peers.python);
        matrix.arg("testing/peers/interop_matrix.py");
        matrix.args(["--only-with", "rust", "--peers", &peers.names]);
        matrix.arg("--extra").arg(format!("rust={}", ours.display()));
        if let Some(level) = level {
            matrix.args(["--lm", level]);
        }
        execute(matrix.args(arguments), LONG)?;
    }
    Ok(())
}
