//! The command line.

use clap::{Parser, Subcommand};
use ntlm_traffic::Perturbation;
use ntlm_traffic::container::Layout;
use ntlm_traffic::generate::Generate;
use std::path::PathBuf;

/// Captures made and perturbed by a seed.
#[derive(Debug, Parser)]
#[command(name = "ntlm-traffic")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a capture as a worse network would have shown it, and print what was done
    Perturb(PerturbArgs),
    /// Write a mixed capture, and print a summary of what it holds
    Generate(GenerateArgs),
    /// Say whether every message of a generated capture was found once
    Check(CheckArgs),
}

#[derive(Debug, Parser)]
pub(crate) struct GenerateArgs {
    /// What to write: a classic pcap file
    pub(crate) output: PathBuf,
    /// About how many bytes
    #[arg(long, default_value_t = Generate::default().size)]
    pub(crate) size: u64,
    /// The same seed gives the same file
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// How often NTLMSSP shall stand in bulk data, where it is no message
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) raw_decoys: u64,
    /// How many times more messages shall be split or sent twice
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) faults: u64,
}

#[derive(Debug, Parser)]
pub(crate) struct CheckArgs {
    /// What `generate` printed
    pub(crate) summary: PathBuf,
    /// What `ntlm explain --json` printed
    pub(crate) explained: PathBuf,
}

/// Probabilities are from 0 to 1. With none given, nothing is done to the segments.
#[derive(Debug, Parser)]
pub(crate) struct PerturbArgs {
    /// A classic pcap file of Ethernet frames
    pub(crate) input: PathBuf,
    /// What to write
    pub(crate) output: PathBuf,
    /// The same seed does the same
    #[arg(long)]
    pub(crate) seed: u64,
    /// A bit of everything but loss; the options below change it
    #[arg(long)]
    rough: bool,
    /// That a segment is split
    #[arg(long, value_name = "P")]
    split: Option<f64>,
    /// Into how many parts at most
    #[arg(long, value_name = "N")]
    parts: Option<usize>,
    /// That a segment is made longer, or bytes are sent again
    #[arg(long, value_name = "P")]
    overlap: Option<f64>,
    /// That a packet is cut into IP fragments
    #[arg(long, value_name = "P")]
    fragment: Option<f64>,
    /// That a frame comes twice
    #[arg(long, value_name = "P")]
    duplicate: Option<f64>,
    /// That a frame comes later
    #[arg(long, value_name = "P")]
    reorder: Option<f64>,
    /// How many frames later at most
    #[arg(long, value_name = "N")]
    distance: Option<u64>,
    /// Frames may also come later than the answers to them, as where several queues are captured
    #[arg(long)]
    across: bool,
    /// That a frame is lost
    #[arg(long, value_name = "P")]
    drop: Option<f64>,
    /// How many frames in a row are lost at most
    #[arg(long, value_name = "N")]
    drop_run: Option<u64>,
    /// Write pcapng with so many sections
    #[arg(long, value_name = "SECTIONS")]
    pcapng: Option<usize>,
    /// With so many interfaces a section
    #[arg(long, value_name = "N", default_value_t = 2)]
    interfaces: u32,
    /// Compress what is written
    #[arg(long)]
    pub(crate) gzip: bool,
}

impl PerturbArgs {
    pub(crate) fn perturbation(&self) -> Perturbation {
        let base = if self.rough { Perturbation::ROUGH } else { Perturbation::NONE };
        Perturbation {
            split: self.split.unwrap_or(base.split),
            parts: self.parts.unwrap_or(base.parts),
            overlap: self.overlap.unwrap_or(base.overlap),
            fragment: self.fragment.unwrap_or(base.fragment),
            duplicate: self.duplicate.unwrap_or(base.duplicate),
            reorder: self.reorder.unwrap_or(base.reorder),
            distance: self.distance.unwrap_or(base.distance),
            across: self.across || base.across,
            drop: self.drop.unwrap_or(base.drop),
            drop_run: self.drop_run.unwrap_or(base.drop_run),
        }
    }

    pub(crate) fn layout(&self) -> Option<Layout> {
        self.pcapng.map(|sections| Layout { sections, interfaces: self.interfaces })
    }
}
