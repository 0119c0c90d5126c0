//! `ntlm-traffic`: captures made and perturbed by a seed.

mod args;

use args::{Args, CheckArgs, Command, GenerateArgs, PerturbArgs};
use clap::Parser;
use ntlm_traffic::generate::Generate;
use ntlm_traffic::{Found, check, container, generate, pcap, perturb};
use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::process::ExitCode;

fn main() -> ExitCode {
    let outcome = match Args::parse().command {
        Command::Perturb(args) => run_perturb(&args),
        Command::Generate(args) => run_generate(&args),
        Command::Check(args) => run_check(&args),
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

fn run_generate(args: &GenerateArgs) -> Outcome {
    let GenerateArgs { size, seed, raw_decoys: decoys, faults, .. } = *args;
    let out = BufWriter::with_capacity(1 << 20, File::create(&args.output)?);
    let summary = generate(out, &Generate { size, seed, decoys, faults })?;
    println!("{}", serde_json::to_string(&summary)?);
    Ok(ExitCode::SUCCESS)
}

fn run_check(args: &CheckArgs) -> Outcome {
    let summary = serde_json::from_str(&fs::read_to_string(&args.summary)?)?;
    let found: Found = serde_json::from_reader(BufReader::new(File::open(&args.explained)?))?;
    let wrong = check(&summary, &found);
    for line in &wrong {
        println!("{line}");
    }
    if !wrong.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    println!("every message was found once: {}", summary.messages);
    Ok(ExitCode::SUCCESS)
}
