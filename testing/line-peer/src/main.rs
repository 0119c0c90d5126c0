//! Our client and server behind the line protocol of `testing/peers/lineproto.py`.
//!
//! One request a line on standard input, one reply a line on standard output. Passwords stand on
//! the command line, as in the other peers: this program is for tests.

mod args;
mod hex;
mod line;
mod peer;

use args::Args;
use clap::Parser;
use std::io::{BufRead, Write};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ntlm-line-peer: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let mut peer = peer::Peer::new(args)?;
    let mut out = std::io::stdout().lock();
    for request in std::io::stdin().lock().lines() {
        let request = request?;
        let words: Vec<&str> = request.split_whitespace().collect();
        match words.as_slice() {
            [] => continue,
            ["quit", ..] => break,
            words => writeln!(out, "{}", line::answer(&mut peer, words, args.hex))?,
        }
        out.flush()?;
    }
    Ok(())
}
