use std::{error, fmt, io};

/// A capture file that cannot be read further, and where.
///
/// Everything before `offset` has been delivered.
#[derive(Debug)]
#[non_exhaustive]
pub struct CaptureError {
    /// Which file, counted from 0.
    pub file: u32,
    /// Where in it the damage starts, in bytes. Within the decompressed bytes if `decompressed`.
    pub offset: u64,
    /// Whether `offset` counts what came out of gzip, not what is in the file.
    pub decompressed: bool,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a capture file.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// The file could not be opened or read.
    Io(io::Error),
    /// Neither pcap nor pcapng.
    NotACapture,
    /// A version of the format that is not known.
    UnknownVersion {
        /// Major version as the header has it.
        major: u16,
        /// Minor version as the header has it.
        minor: u16,
    },
    /// The file ends within a structure.
    Truncated {
        /// The structure.
        part: Part,
        /// Bytes it should have.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A length beyond the limit, which no capture has.
    AbsurdLength {
        /// The structure.
        part: Part,
        /// The length it claims.
        length: u64,
        /// The longest that is accepted.
        limit: u64,
    },
    /// A length that contradicts what it is the length of.
    WrongLength {
        /// The structure.
        part: Part,
        /// The length it claims.
        length: u64,
    },
    /// The two copies of a pcapng block's length differ.
    LengthsDiffer {
        /// In front of the block.
        leading: u32,
        /// Behind it.
        trailing: u32,
    },
    /// A pcapng section without the byte-order magic.
    ByteOrderMagic,
    /// A packet of an interface that the section did not describe.
    UnknownInterface(u32),
    /// More interfaces than [`Limits::interfaces`](crate::Limits::interfaces).
    TooManyInterfaces,
    /// A compression method other than deflate.
    GzipMethod,
    /// The deflate stream is corrupt.
    GzipCorrupt,
    /// The checksum or the length of a gzip member does not match what came out of it.
    GzipChecksum,
    /// Something that is no gzip member follows one.
    GzipTrailing,
}

/// A structure of a capture file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// The header of a pcap file.
    FileHeader,
    /// The header of a pcap packet.
    PacketHeader,
    /// The bytes of a packet.
    PacketData,
    /// A pcapng block.
    Block,
    /// A gzip member.
    GzipMember,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { offset, decompressed, problem, .. } = self;
        if let (0, Problem::Io(error)) = (offset, problem) {
            return error.fmt(f);
        }
        let decompressed = if *decompressed { " after decompression" } else { "" };
        write!(f, "at byte {offset}{decompressed}: {problem}")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotACapture => f.write_str("neither pcap nor pcapng"),
            Self::UnknownVersion { major, minor } => write!(f, "unknown version {major}.{minor}"),
            Self::Truncated { part, expected, found } => {
                write!(f, "{part} is cut short: {found} of {expected} bytes")
            }
            Self::AbsurdLength { part, length, limit } => {
                write!(f, "{part} claims {length} bytes, more than {limit}")
            }
            Self::WrongLength { part, length } => write!(f, "{part} cannot be {length} bytes long"),
            Self::LengthsDiffer { leading, trailing } => {
                write!(f, "block length is {leading} in front and {trailing} behind")
            }
            Self::ByteOrderMagic => f.write_str("section header without byte-order magic"),
            Self::UnknownInterface(id) => write!(f, "packet of undescribed interface {id}"),
            Self::TooManyInterfaces => f.write_str("too many interfaces in one section"),
            Self::GzipMethod => f.write_str("gzip compression method is not deflate"),
            Self::GzipCorrupt => f.write_str("gzip data is corrupt"),
            Self::GzipChecksum => f.write_str("gzip checksum or length does not match"),
            Self::GzipTrailing => f.write_str("no gzip member after the previous one"),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FileHeader => "file header",
            Self::PacketHeader => "packet header",
            Self::PacketData => "packet",
            Self::Block => "block",
            Self::GzipMember => "gzip member",
        })
    }
}

impl error::Error for CaptureError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.problem {
            Problem::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
