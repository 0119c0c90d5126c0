//! Running other programs, none of them for ever.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::workspace::root;

/// A limit for builds and whole test suites.
pub(crate) const LONG: Duration = Duration::from_secs(30 * 60);

/// A limit for what should take seconds.
pub(crate) const SHORT: Duration = Duration::from_secs(5 * 60);

/// The cargo that runs us, at the root of the repository, with words split at spaces.
pub(crate) fn cargo(words: &str) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = program(cargo);
    command.args(words.split_whitespace());
    command
}

/// A program that starts at the root of the repository and reads no input.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(root()).stdin(Stdio::null());
    command
}

/// Runs to the end with our output, or says how it failed.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Outcome {
    println!("$ {}", shown(command));
    let child = command.spawn().map_err(|error| format!("{}: {error}", shown(command)))?;
    judge(wait(child, limit)?, command)
}

/// Runs to the end and returns what it wrote on standard output.
pub(crate) fn output(command: &mut Command, limit: Duration) -> Result<String, String> {
    let child = command.stdout(Stdio::piped()).spawn();
    let mut child = child.map_err(|error| format!("{}: {error}", shown(command)))?;
    let pipe = child.stdout.take();
    let reader = thread::spawn(move || pipe.map(std::io::read_to_string));
    let status = wait(child, limit)?;
    let read = reader.join().map_err(|_| "reader thread panicked".to_owned())?;
    judge(status, command)?;
    match read {
        Some(Ok(text)) => Ok(text),
        Some(Err(error)) => Err(format!("{}: {error}", shown(command))),
        None => Ok(String::new()),
    }
}

/// Runs to the end with all output in a file; the status is the caller's to judge.
pub(crate) fn logged(
    command: &mut Command,
    log: &Path,
    limit: Duration,
) -> Result<ExitStatus, String> {
    let describe = |error: std::io::Error| format!("{}: {error}", log.display());
    let file = fs::File::create(log).map_err(describe)?;
    let copy = file.try_clone().map_err(describe)?;
    let child = command.stdout(file).stderr(copy).spawn();
    wait(child.map_err(|error| format!("{}: {error}", shown(command)))?, limit)
}

fn judge(status: ExitStatus, command: &Command) -> Outcome {
    if status.success() { Ok(()) } else { Err(format!("{}: {status}", shown(command))) }
}

fn wait(mut child: Child, limit: Duration) -> Result<ExitStatus, String> {
    let began = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if began.elapsed() > limit => {
                end(&mut child);
                return Err(format!("not done after {} s, ended", limit.as_secs()));
            }
            Ok(None) => thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(format!("wait: {error}")),
        }
    }
}

/// Ends a child of ours and all that it started, and nothing else.
fn end(child: &mut Child) {
    let mut family = vec![child.id()];
    let mut next = 0;
    while let Some(parent) = family.get(next).copied() {
        family.extend(children(parent));
        next += 1;
    }
    let pids = family.iter().map(u32::to_string);
    // Without a `kill` program the child alone is ended.
    let _ = Command::new("kill").arg("-KILL").args(pids).stderr(Stdio::null()).status();
    let _ = child.kill();
    let _ = child.wait();
}

fn children(parent: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<String> =
        lists.flat_map(|list| list.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    pids.iter().filter_map(|pid| pid.trim().parse().ok()).collect()
}

fn shown(command: &Command) -> String {
    let name = Path::new(command.get_program());
    let name = name.file_name().unwrap_or(command.get_program());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_returned() {
        let text = output(program("sh").args(["-c", "echo 'a b'"]), SHORT).unwrap();
        assert_eq!(text, "a b\n");
    }

    #[test]
    fn failure_names_the_command() {
        let why = run(program("sh").args(["-c", "exit 3"]), SHORT).unwrap_err();
        assert!(why.contains("sh -c exit 3"), "{why}");
    }

    #[test]
    fn what_hangs_is_ended_with_its_children() {
        let note = std::env::temp_dir().join(format!("xtask-test-{}", std::process::id()));
        let mut command = program("sh");
        command.args(["-c", "sleep 60 & echo $! > \"$0\"; wait"]).arg(&note);
        let why = run(&mut command, Duration::from_millis(500)).unwrap_err();
        assert!(why.contains("not done after"), "{why}");
        let grandchild = fs::read_to_string(&note).unwrap();
        fs::remove_file(&note).unwrap();
        thread::sleep(Duration::from_millis(100));
        // Gone, or ended and not yet collected by whoever inherited it: then it has no arguments.
        let arguments =
            fs::read(format!("/proc/{}/cmdline", grandchild.trim())).unwrap_or_default();
        assert!(arguments.is_empty());
    }
}
