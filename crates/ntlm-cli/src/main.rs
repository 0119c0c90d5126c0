//! The program `ntlm`: keys, decode, explain, logon, serve.

mod args;
mod decode;
mod decrypted;
mod explain;
mod failure;
mod host;
mod input;
mod keys;
mod logon;
mod manual;
mod report;
mod screen;
mod secrets;
mod select;
mod serve;

use args::{Args, Command};
use clap::Parser;
use failure::Failure;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    screen::colour(args.color);
    let result = match args.command {
        Command::Keys(args) => keys::run(&args),
        Command::Decode(args) => decode::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Logon(args) => logon::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { folder } => manual::man_pages(&folder),
    };
    match result {
        Ok(code) => code,
        Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            anstream::eprintln!("ntlm: {failure}");
            ExitCode::from(2)
        }
    }
}
