//! `ntlm-traffic`: captures made and perturbed by a seed.

mod args;

use args::{Args, Command, PerturbArgs};
use clap::Parser;
use ntlm_traffic::{container, pcap, perturb};
use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Perturb(args) => run_perturb(&args),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("ntlm-traffic: {error}");
            ExitCode::from(2)
        }
    }
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

fn run_perturb(args: &PerturbArgs) -> Outcome {
    let packets = pcap::read(&fs::read(&args.input)?)?;
    let (packets, done) = perturb(&packets, &args.perturbation(), args.seed);
    let mut file = match args.layout() {
        Some(layout) => container::pcapng(&packets, layout, args.seed),
        None => pcap::write(&packets),
    };
    if args.gzip {
        file = container::gzip(&file, 1)?;
    }
    fs::write(&args.output, file)?;
    println!("{}", serde_json::to_string(&done)?);
    Ok(ExitCode::SUCCESS)
}
