//! Little-endian fields in wire order, and parts that know where they stand.

use crate::error::{DecodeError, DecodeErrorKind, TooLong};
use alloc::vec::Vec;
use ntlm::wire::Span;

/// Bytes of variable length and where they stand, counted from the header of their message.
///
/// Two are equal when their bytes are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Part<'a> {
    /// Bytes to be sent; encoding finds their place.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub(crate) const fn at(bytes: &'a [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }

    /// `length` bytes of it.
    pub(crate) fn slice(
        &self,
        start: usize,
        length: usize,
        field: &'static str,
    ) -> Result<Self, DecodeError> {
        let offset = self.offset.saturating_add(start);
        let bytes = self.bytes.get(start..).and_then(|rest| rest.get(..length));
        let error = DecodeError::new(DecodeErrorKind::Truncated, field, offset);
        Ok(Self::at(bytes.ok_or(error)?, offset))
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Where they stood in the message that was decoded.
    #[must_use]
    pub const fn span(&self) -> Span {
        Span { offset: self.offset, length: self.bytes.len() }
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl PartialEq for Part<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Part<'_> {}

impl<'a> From<&'a [u8]> for Part<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::new(bytes)
    }
}

/// Reads fields in wire order; every error names field and offset.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8], position: usize) -> Self {
        Self { bytes, position }
    }

    pub(crate) const fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let array = array_at(self.bytes, self.position).ok_or(DecodeError::new(
            DecodeErrorKind::Truncated,
            field,
            self.position,
        ))?;
        self.position += N;
        Ok(array)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_le_bytes)
    }

    /// StructureSize, which every SMB2 structure begins with.
    pub(crate) fn structure_size(&mut self, size: u16) -> Result<(), DecodeError> {
        let offset = self.position;
        if self.u16("StructureSize")? == size {
            Ok(())
        } else {
            Err(DecodeError::new(DecodeErrorKind::WrongStructureSize, "StructureSize", offset))
        }
    }

    /// The next `length` bytes.
    pub(crate) fn take(
        &mut self,
        length: usize,
        field: &'static str,
    ) -> Result<Part<'a>, DecodeError> {
        let offset = self.position;
        let bytes = self.bytes.get(offset..).and_then(|rest| rest.get(..length));
        let bytes = bytes.ok_or(DecodeError::new(DecodeErrorKind::Truncated, field, offset))?;
        self.position += length;
        Ok(Part::at(bytes, offset))
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> Part<'a> {
        let offset = self.position.min(self.bytes.len());
        self.position = self.bytes.len();
        Part::at(self.bytes.get(offset..).unwrap_or_default(), offset)
    }

    /// The part that an offset and a length point to, behind what was read. An empty one may point
    /// anywhere.
    pub(crate) fn part(
        &self,
        offset: usize,
        length: usize,
        field: &'static str,
        descriptor: usize,
    ) -> Result<Part<'a>, DecodeError> {
        if length == 0 {
            return Ok(Part::default());
        }
        let rest = self.behind(offset, field, descriptor)?;
        let error = DecodeError::new(DecodeErrorKind::OutOfBounds, field, descriptor);
        Ok(Part::at(rest.bytes.get(..length).ok_or(error)?, offset))
    }

    /// Everything from an offset on, which is behind what was read.
    pub(crate) fn behind(
        &self,
        offset: usize,
        field: &'static str,
        descriptor: usize,
    ) -> Result<Part<'a>, DecodeError> {
        let error = |kind| DecodeError::new(kind, field, descriptor);
        if offset < self.position {
            return Err(error(DecodeErrorKind::NotForward));
        }
        let bytes = self.bytes.get(offset..).ok_or(error(DecodeErrorKind::OutOfBounds))?;
        Ok(Part::at(bytes, offset))
    }
}

/// `N` bytes of `bytes` from `offset`.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk::<N>().copied()
}

/// The parts one after the other, which have `N` bytes together.
pub(crate) fn concat<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    let mut rest = bytes.as_mut_slice();
    for part in parts {
        let Some((place, behind)) = rest.split_at_mut_checked(part.len()) else { break };
        place.copy_from_slice(part);
        rest = behind;
    }
    bytes
}

/// A length field of a message to be encoded.
pub(crate) fn length<T: TryFrom<usize>>(length: usize, field: &'static str) -> Result<T, TooLong> {
    T::try_from(length).map_err(|_| TooLong { field })
}

/// An offset as a number of bytes here.
pub(crate) fn offset(value: u32) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Writes fields in wire order.
#[derive(Debug)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// What stands before the fields: a header.
    pub(crate) fn new(head: &[u8]) -> Self {
        Self(head.to_vec())
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.bytes(&value.to_le_bytes());
    }

    pub(crate) fn zeros(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, 0);
    }

    /// Zeros up to a multiple of `alignment`.
    pub(crate) fn pad(&mut self, alignment: usize) {
        pad(&mut self.0, alignment);
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Zeros up to a multiple of `alignment`.
pub(crate) fn pad(message: &mut Vec<u8>, alignment: usize) {
    message.resize(message.len().next_multiple_of(alignment), 0);
}

/// The numbers of a list of 16-bit numbers. A last odd byte does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct U16List<'a>(&'a [u8]);

impl<'a> U16List<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The numbers in order.
    pub fn iter(self) -> impl Iterator<Item = u16> + Clone + 'a {
        self.0.as_chunks().0.iter().map(|pair| u16::from_le_bytes(*pair))
    }

    /// How many.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.len() / 2
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Whether one of them is `number`.
    #[must_use]
    pub fn contains(self, number: u16) -> bool {
        self.iter().any(|other| other == number)
    }

    /// The number, if there is just one.
    #[must_use]
    pub fn only(self) -> Option<u16> {
        match self.0 {
            [low, high] => Some(u16::from_le_bytes([*low, *high])),
            _ => None,
        }
    }
}
