//! The dependencies: how many `ntlm` has, and whether all may be there.

use std::collections::BTreeSet;

use crate::Outcome;
use crate::process::{SHORT, cargo, output, run};

/// The most crates that `ntlm` may depend on, directly or not.
const MOST: usize = 25;

/// Bans, licences and sources, by deny.toml.
pub(crate) fn deny() -> Outcome {
    run(&mut cargo("deny --workspace --all-features check bans licenses sources"), SHORT)
}

/// Counts the crates that come with `ntlm` under all its features.
pub(crate) fn count() -> Outcome {
    let tree = output(
        &mut cargo("tree --package ntlm --edges normal --all-features --prefix none"),
        SHORT,
    )?;
    // A line reads `name v1.2.3 (*)`; the first one is the crate itself.
    let names: BTreeSet<String> = tree
        .lines()
        .skip(1)
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        .filter(|name| !name.is_empty())
        .collect();
    println!("ntlm depends on {} crates, {MOST} are allowed", names.len());
    if names.len() > MOST {
        let list: Vec<&str> = names.iter().map(String::as_str).collect();
        return Err(format!("too many: {}", list.join(", ")));
    }
    Ok(())
}
