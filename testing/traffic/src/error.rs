//! What can go wrong.

use std::fmt;

/// Why there is no capture.
#[derive(Debug)]
#[non_exhaustive]
pub enum TrafficError {
    /// The input is no classic pcap file.
    NotPcap,
    /// Its frames are not Ethernet's, but of this link type.
    LinkType(u32),
    /// It ends within this frame.
    CutShort(usize),
    /// A handshake for the generated traffic failed.
    Handshake(&'static str),
    /// Reading or writing failed.
    Io(std::io::Error),
}

impl fmt::Display for TrafficError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPcap => f.write_str("not a classic pcap file"),
            Self::LinkType(kind) => write!(f, "link type {kind} is not Ethernet"),
            Self::CutShort(frame) => write!(f, "the file ends within frame {frame}"),
            Self::Handshake(step) => write!(f, "handshake failed: {step}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TrafficError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<std::io::Error> for TrafficError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}
