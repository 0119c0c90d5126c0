//! What is wrong with bytes, where.

use core::fmt;

/// These bytes are no such PDU or structure: what is wrong, with which field, at which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// The field as the specification spells it.
    pub field: &'static str,
    /// Where it stands, in bytes from the start of the PDU, stub or token.
    pub offset: usize,
}

impl DecodeError {
    pub(crate) const fn new(kind: DecodeErrorKind, field: &'static str, offset: usize) -> Self {
        Self { kind, field, offset }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at offset {}", self.kind, self.field, self.offset)
    }
}

impl core::error::Error for DecodeError {}

/// The ways in which bytes fail to be what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end before the field does.
    Truncated,
    /// A field that must hold one of a few values holds another.
    WrongValue,
    /// A length or count contradicts another one.
    Contradiction,
    /// More than this crate takes of one message.
    TooLong,
    /// Bytes are left over.
    TrailingBytes,
    /// Text without its terminator.
    Unterminated,
    /// A pointer is null whose target is needed.
    NullPointer,
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated",
            Self::WrongValue => "unexpected value",
            Self::Contradiction => "contradicts another length",
            Self::TooLong => "longer than is taken",
            Self::TrailingBytes => "bytes left over",
            Self::Unterminated => "text without an end",
            Self::NullPointer => "null pointer",
        })
    }
}

/// Something to be encoded has a part too long for its length field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong {
    /// The length field.
    pub field: &'static str,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "too long for its length field: {}", self.field)
    }
}

impl core::error::Error for TooLong {}
