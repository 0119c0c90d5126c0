//! `cargo xtask fuzz`: libFuzzer on stable Rust. See fuzz/README.md.

use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::process::{LONG, SHORT, cargo, logged, output, program, run as execute};
use crate::seeds::seeds_of;
use crate::workspace::{root, stems, target_dir};

/// What `cargo fuzz` passes on nightly, without the sanitizers: they need a std built for them,
/// and code without `unsafe` has little for them to find.
const FLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Ccodegen-units=1 --cfg fuzzing";

/// How long each target runs in CI.
const SMOKE_SECONDS: u64 = 10;

/// The slowest that one input may be.
const INPUT_SECONDS: u64 = 10;

/// Kibibytes of address space: an allocation by a claimed length must not fit.
const ADDRESS_SPACE: &str = "2097152";

/// How many targets run at a time.
const AT_A_TIME: usize = 2;

/// Runs the targets that are asked for, or all.
pub(crate) fn run(arguments: &[String]) -> Outcome {
    let mut seconds = None;
    let mut asked = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--smoke" => seconds = Some(SMOKE_SECONDS),
            "--seconds" => {
                let number = words.next().and_then(|number| number.parse().ok());
                seconds = Some(number.ok_or("--seconds wants a number")?);
            }
            "--list" => {
                targets().iter().for_each(|target| println!("{target}"));
                return Ok(());
            }
            option if option.starts_with('-') => return Err(format!("no option {option}")),
            target => asked.push(target.to_owned()),
        }
    }
    fuzz(&asked, seconds)
}

/// What CI does: every target, replay and ten seconds.
pub(crate) fn smoke() -> Outcome {
    fuzz(&[], Some(SMOKE_SECONDS))
}

fn targets() -> Vec<String> {
    stems(&root().join("fuzz/src/bin"), "rs")
}

fn fuzz(asked: &[String], seconds: Option<u64>) -> Outcome {
    let known = targets();
    if let Some(unknown) = asked.iter().find(|target| !known.contains(target)) {
        return Err(format!("no target {unknown}; there are {}", known.join(", ")));
    }
    let chosen = if asked.is_empty() { known } else { asked.to_vec() };
    if seconds.is_none() && chosen.len() != 1 {
        return Err("without --smoke or --seconds name one target".to_owned());
    }
    let programs = build(&chosen)?;
    let waiting = Mutex::new(VecDeque::from(chosen));
    let failures = Mutex::new(Vec::new());
    // A function, so that the lock is let go before the target runs.
    let next = || locked(&waiting).pop_front();
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(target) = next() {
                    match one(&programs, &target, seconds) {
                        Ok(line) => println!("{target:20} {line}"),
                        Err(why) => {
                            println!("{target:20} FAILED: {why}");
                            locked(&failures).push(target);
                        }
                    }
                }
            });
        }
    });
    let failures = locked(&failures);
    if failures.is_empty() { Ok(()) } else { Err(format!("failed: {}", failures.join(", "))) }
}

/// Builds the targets; returns the folder of their programs.
fn build(chosen: &[String]) -> Result<PathBuf, String> {
    // Named, so that the flags are for the targets and not for build scripts.
    let version = output(program("rustc").arg("-vV"), SHORT)?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc -vV names no host")?;
    let folder = folder();
    let mut command = cargo("build --release --manifest-path fuzz/Cargo.toml --target");
    command.arg(host).args(chosen.iter().flat_map(|target| ["--bin", target]));
    command.env("CARGO_TARGET_DIR", &folder).env("RUSTFLAGS", FLAGS);
    command.env_remove("CARGO_ENCODED_RUSTFLAGS");
    execute(&mut command, LONG)?;
    Ok(folder.join(host).join("release"))
}

/// Replays what is known of one target, then fuzzes it.
fn one(programs: &Path, target: &str, seconds: Option<u64>) -> Result<String, String> {
    let describe = |error: std::io::Error| format!("{target}: {error}");
    let corpus = root().join("fuzz/corpus").join(target);
    let regress = root().join("testdata/regress").join(target);
    let seeds = folder().join("seeds").join(target);
    // Of a target that once had others, those are still there.
    let _ = fs::remove_dir_all(&seeds);
    for folder in [&corpus, &regress, &seeds] {
        fs::create_dir_all(folder).map_err(describe)?;
    }
    for (number, seed) in seeds_of(target).into_iter().enumerate() {
        fs::write(seeds.join(format!("{number:04}")), seed).map_err(describe)?;
    }
    let outcome = replay_and_search(programs, target, seconds, [&corpus, &seeds, &regress]);
    // Git keeps no empty folder; neither do we, so that one means something.
    let _ = fs::remove_dir(&regress);
    outcome
}

fn replay_and_search(
    programs: &Path,
    target: &str,
    seconds: Option<u64>,
    folders: [&PathBuf; 3],
) -> Result<String, String> {
    let [_, _, regress] = folders;
    let command = || {
        let mut command = limited(&programs.join(target));
        command.arg(format!("-artifact_prefix={}/", regress.display()));
        command.arg(format!("-timeout={INPUT_SECONDS}"));
        command.args(["-rss_limit_mb=1024", "-print_final_stats=1"]);
        command
    };
    let log = folder().join(format!("{target}.log"));
    let replay = logged(command().arg("-runs=0").args(folders), &log, SHORT)?;
    if !replay.success() {
        return Err(format!("a known input, {}", crash(&log)));
    }
    let replayed = statistic(&log);
    let began = Instant::now();
    let limit = match seconds {
        Some(seconds) => Duration::from_secs(seconds) + SHORT,
        None => Duration::MAX,
    };
    let mut search = command();
    if let Some(seconds) = seconds {
        search.arg(format!("-max_total_time={seconds}"));
    }
    let search = logged(search.args(folders), &log, limit)?;
    if !search.success() {
        return Err(crash(&log));
    }
    let time = began.elapsed().as_secs_f64();
    Ok(format!("{replayed} replayed, {} executions in {time:.0} s", statistic(&log)))
}

fn limited(target: &Path) -> Command {
    let mut command = program("sh");
    command.args(["-c", &format!("ulimit -v {ADDRESS_SPACE}; exec \"$0\" \"$@\"")]).arg(target);
    command
}

/// Executions, from libFuzzer's closing lines.
fn statistic(log: &Path) -> u64 {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let number = text.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// What libFuzzer says of the input that ended the run.
fn crash(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let wanted = ["panicked at", "ERROR: libFuzzer", "memory allocation", "Test unit written to"];
    let lines: Vec<&str> =
        text.lines().filter(|line| wanted.iter().any(|part| line.contains(part))).collect();
    format!("{}\n  whole log: {}", lines.join("\n  "), log.display())
}

fn folder() -> PathBuf {
    target_dir().join("fuzz")
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
