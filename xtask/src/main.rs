//! Developer commands: `cargo xtask help`.

mod bench;
mod ci;
mod conversations;
mod dc;
mod deps;
mod docs;
mod fuzz;
mod no_std;
mod peers;
mod process;
mod seeds;
mod smb;
mod tools;
mod workspace;

use std::process::ExitCode;

/// What a command returns: nothing, or a sentence saying what went wrong.
type Outcome = Result<(), String>;

const HELP: &str = "\
Developer commands of this workspace

  cargo xtask ci                    everything that CI does, in order, until something fails
  cargo xtask ci --only STEP        one step of it
  cargo xtask ci --list             the steps
  cargo xtask setup                 installs what the steps need (peers, cargo-deny)
  cargo xtask peers [OPTION..]      our client and server against other people's, see testing/peers
  cargo xtask smb [OPTION..]        our SMB client and server against others, see testing/peers
  cargo xtask dc [OPTION..]         a domain controller judges, our clients' logons and those of others
  cargo xtask fuzz [TARGET..]       fuzzes until it finds something or is stopped
      --seconds N                   .. or for so long, each target
      --smoke                       replays what is known, then 10 seconds each target
      --list                        the targets
  cargo xtask docs [--check]        writes the generated pages of docs/, or says which are stale
  cargo xtask bench [OPTION..]      runs bench/: our speed beside other implementations
  cargo xtask help                  this

Before a commit: cargo xtask ci. While working on one thing: cargo test -p CRATE.
To add a fuzz target see fuzz/README.md, a peer testing/peers/README.md, a capture
testdata/README.md.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", [].as_slice()),
    };
    let outcome = match command {
        "ci" => ci::run(rest),
        "setup" => tools::setup(),
        "peers" => peers::run(rest),
        "smb" => smb::run(rest),
        "dc" => dc::run(rest),
        "fuzz" => fuzz::run(rest),
        "docs" => docs::run(rest),
        "bench" => bench::run(rest),
        "help" | "--help" | "-h" => {
            println!("{HELP}");
            Ok(())
        }
        unknown => Err(format!("no command {unknown}; try: cargo xtask help")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
