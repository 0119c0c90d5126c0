//! Captures for tests, made by a seed: the same seed gives the same bytes.
//!
//! [`perturb`] takes a capture and has its segments split, reordered, duplicated, overlapped,
//! fragmented and lost; [`container`] puts packets into other files. [`generate()`] makes a mixed
//! capture of any size, and [`check`] says whether every exchange of it was found. [`Recorded`] is what
//! was recorded from real software.
//!
//! ```
//! use ntlm_traffic::{Perturbation, pcap, perturb};
//!
//! # fn main() -> Result<(), ntlm_traffic::TrafficError> {
//! let file = include_bytes!("../../../testdata/captures/http/ntlm-get.pcap");
//! let (packets, done) = perturb(&pcap::read(file)?, &Perturbation::ROUGH, 7);
//! assert!(done.split > 0);
//! let worse = pcap::write(&packets);
//! # assert!(worse.len() > file.len());
//! # Ok(())
//! # }
//! ```

mod check;
pub mod container;
mod error;
pub mod generate;
pub mod pcap;
mod perturb;
pub mod random;
mod recorded;
pub mod segment;

pub use check::{Found, check};
pub use error::TrafficError;
pub use generate::generate;
pub use perturb::{Done, Perturbation, perturb};
pub use recorded::Recorded;
