//! Little-endian fields in wire order.

use crate::error::{DecodeError, DecodeErrorKind, TooLong};
use alloc::vec::Vec;

/// Reads fields in wire order; every error names field and offset.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.position)
    }

    /// An error about the field that stands here.
    pub(crate) const fn error(&self, kind: DecodeErrorKind, field: &'static str) -> DecodeError {
        DecodeError::new(kind, field, self.position)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let array = rest.first_chunk::<N>().copied();
        let array = array.ok_or(self.error(DecodeErrorKind::Truncated, field))?;
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

    /// The next `length` bytes.
    pub(crate) fn take(
        &mut self,
        length: usize,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let bytes = rest.get(..length).ok_or(self.error(DecodeErrorKind::Truncated, field))?;
        self.position += length;
        Ok(bytes)
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        self.position = self.bytes.len();
        rest
    }

    /// Skips to a multiple of `alignment`, whatever stands there.
    pub(crate) fn align(
        &mut self,
        alignment: usize,
        field: &'static str,
    ) -> Result<(), DecodeError> {
        let length = self.position.next_multiple_of(alignment).saturating_sub(self.position);
        self.take(length, field).map(|_| ())
    }

    /// Refuses what stands behind the last field.
    pub(crate) const fn end(&self, field: &'static str) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            _ => Err(self.error(DecodeErrorKind::TrailingBytes, field)),
        }
    }
}

/// Writes fields in wire order.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
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

    pub(crate) fn zeros(&mut self, count: usize) {
        self.0.resize(self.0.len() + count, 0);
    }

    /// Zeros up to a multiple of `alignment`.
    pub(crate) fn align(&mut self, alignment: usize) {
        self.0.resize(self.0.len().next_multiple_of(alignment), 0);
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// A length or count of something to be encoded.
pub(crate) fn length<T: TryFrom<usize>>(length: usize, field: &'static str) -> Result<T, TooLong> {
    T::try_from(length).map_err(|_| TooLong { field })
}
