//! The captures that were recorded: `testdata/captures`, and its folder `http`.

use crate::error::TrafficError;
use crate::pcap::{self, Packet};
use std::path::{Path, PathBuf};

/// A recorded capture.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Below `testdata/captures`, without the ending: `http/ntlm-get`.
    pub name: String,
    /// The file.
    pub file: Vec<u8>,
}

impl Recorded {
    /// The one of this name.
    ///
    /// # Errors
    ///
    /// There is none that can be read.
    pub fn named(name: &str) -> Result<Self, TrafficError> {
        let path = folder().join(format!("{name}.pcap"));
        let file = std::fs::read(path).map_err(TrafficError::Io)?;
        Ok(Self { name: name.to_owned(), file })
    }

    /// All of them, in order.
    ///
    /// # Errors
    ///
    /// They cannot be read.
    pub fn all() -> Result<Vec<Self>, TrafficError> {
        let mut paths: Vec<PathBuf> = Vec::new();
        for folder in [folder(), folder().join("http")] {
            for entry in std::fs::read_dir(folder).map_err(TrafficError::Io)? {
                paths.push(entry.map_err(TrafficError::Io)?.path());
            }
        }
        paths.sort();
        let captures = paths.iter().filter(|path| path.extension().is_some_and(|is| is == "pcap"));
        let name = |path: &PathBuf| {
            let below = path.strip_prefix(folder()).unwrap_or(path);
            below.with_extension("").display().to_string()
        };
        captures.map(|path| Self::named(&name(path))).collect()
    }

    /// Its packets.
    ///
    /// # Errors
    ///
    /// It is no classic pcap file of Ethernet.
    pub fn packets(&self) -> Result<Vec<Packet>, TrafficError> {
        pcap::read(&self.file)
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/captures")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_found_in_order_and_by_name() {
        let all = Recorded::all().unwrap();
        assert!(all.len() > 150, "{}", all.len());
        assert!(all.is_sorted_by(|one, other| one.name != other.name));
        let get = Recorded::named("http/ntlm-get").unwrap();
        assert!(all.iter().any(|one| one.name == get.name && one.file == get.file));
        assert!(!get.packets().unwrap().is_empty());
        assert!(Recorded::named("none").is_err());
    }
}
