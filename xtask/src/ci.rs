//! `cargo xtask ci`: the whole of what must hold, as a list of steps.

use std::time::{Duration, Instant};

use crate::process::{LONG, SHORT, cargo, run as execute};
use crate::{Outcome, dc, deps, docs, fuzz, no_std, peers, smb, tools};

struct Step {
    name: &'static str,
    says: &'static str,
    run: fn() -> Outcome,
}

/// In the order in which they run: cheap ones first, so that a slip shows early.
const STEPS: &[Step] = &[
    Step { name: "setup", says: "install what the steps need", run: tools::setup },
    Step { name: "fmt", says: "the code is formatted", run: fmt },
    Step { name: "clippy", says: "no lint complains", run: clippy },
    Step { name: "build", says: "everything builds", run: build },
    Step { name: "test", says: "unit, integration and documentation tests", run: test },
    Step { name: "doc", says: "the documentation builds without a warning", run: doc },
    Step { name: "deny", says: "bans, licences, sources of dependencies", run: deps::deny },
    Step { name: "deps", says: "ntlm has a small dependency tree", run: deps::count },
    Step { name: "no-std", says: "ntlm links into a program without std", run: no_std::link },
    Step { name: "docs", says: "the generated pages are up to date", run: docs::check },
    Step {
        name: "peers",
        says: "other people's clients and servers understand us",
        run: peers::all_required,
    },
    Step {
        name: "smb",
        says: "a real smbd takes our client's logons, our server those of others",
        run: smb::all,
    },
    Step { name: "dc", says: "a real domain controller judges logons for us", run: dc::all },
    Step { name: "fuzz", says: "each decoder survives replay and a short fuzz", run: fuzz::smoke },
];

/// Runs every step, or the one that is asked for.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        [] => all(),
        ["--only", name] => match STEPS.iter().find(|step| step.name == *name) {
            Some(step) => timed(step).map(drop),
            None => Err(format!("no step {name}; try: cargo xtask ci --list")),
        },
        ["--list"] => {
            for step in STEPS {
                println!("{:8} {}", step.name, step.says);
            }
            Ok(())
        }
        _ => Err("usage: cargo xtask ci [--only STEP | --list]".to_owned()),
    }
}

fn all() -> Outcome {
    let began = Instant::now();
    let mut times = Vec::new();
    for step in STEPS {
        times.push((step.name, timed(step)?));
    }
    println!("\n==== all steps passed");
    for (name, time) in times {
        println!("{name:8} {:7.1} s", time.as_secs_f64());
    }
    println!("{:8} {:7.1} s", "all", began.elapsed().as_secs_f64());
    Ok(())
}

fn timed(step: &Step) -> Result<Duration, String> {
    println!("\n==== {}: {}", step.name, step.says);
    let began = Instant::now();
    let outcome = (step.run)();
    let time = began.elapsed();
    let word = if outcome.is_ok() { "passed" } else { "FAILED" };
    println!("==== {} {word} after {:.1} s", step.name, time.as_secs_f64());
    outcome.map_err(|why| {
        format!("{}: {why}\nto run this step alone: cargo xtask ci --only {}", step.name, step.name)
    })?;
    Ok(time)
}

fn fmt() -> Outcome {
    execute(&mut cargo("fmt --all --check"), SHORT)?;
    for outside in ["fuzz", "testing/no-std-link", "bench", "bench/packets"] {
        let manifest = format!("{outside}/Cargo.toml");
        if crate::workspace::root().join(&manifest).exists() {
            execute(&mut cargo(&format!("fmt --manifest-path {manifest} --check")), SHORT)?;
        }
    }
    Ok(())
}

fn clippy() -> Outcome {
    execute(&mut cargo("clippy --workspace --all-targets --all-features -- -D warnings"), LONG)
}

fn build() -> Outcome {
    execute(&mut cargo("build --workspace --all-targets --all-features"), LONG)
}

/// What the tests need was installed by `setup`: a test that does without it has failed.
fn test() -> Outcome {
    execute(cargo("test --workspace --all-features").env("CI", "true"), LONG)
}

fn doc() -> Outcome {
    let mut command = cargo("doc --workspace --no-deps --all-features");
    execute(command.env("RUSTDOCFLAGS", "-D warnings"), LONG)
}
