//! What is wrong with bytes, where.

use core::fmt;

/// These bytes are no such message or structure: what is wrong, with which field, at which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// The field as the specification spells it.
    pub field: &'static str,
    /// Where it stands, in bytes from the start of the message or structure.
    pub offset: usize,
}

impl DecodeError {
    pub(crate) const fn new(kind: DecodeErrorKind, field: &'static str, offset: usize) -> Self {
        Self { kind, field, offset }
    }

    /// The same error seen from the bytes that hold this message, which begins at `base` there.
    #[must_use]
    pub const fn within(self, base: usize) -> Self {
        Self { offset: self.offset.saturating_add(base), ..self }
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
    /// The message begins with other bytes than its kind does.
    WrongProtocolId,
    /// StructureSize is that of another structure.
    WrongStructureSize,
    /// WordCount is that of another form of this command.
    WrongWordCount,
    /// The header names another command.
    WrongCommand,
    /// An offset and a length point outside the message.
    OutOfBounds,
    /// NextCommand, AndXOffset or the offset of a buffer points at what stands before it.
    NotForward,
    /// A field that must hold one fixed value holds another.
    WrongValue,
    /// Text without its terminator.
    Unterminated,
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated",
            Self::WrongProtocolId => "another protocol",
            Self::WrongStructureSize => "another structure size",
            Self::WrongWordCount => "another word count",
            Self::WrongCommand => "another command",
            Self::OutOfBounds => "out of bounds",
            Self::NotForward => "does not lead on",
            Self::WrongValue => "unexpected value",
            Self::Unterminated => "text without an end",
        })
    }
}

/// A message to be encoded has a part too long for its length field.
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
