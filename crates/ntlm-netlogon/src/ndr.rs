//! NDR, as far as these calls need it (C706 14): aligned little-endian scalars, pointers, strings.
//!
//! Strict: a conformance that contradicts its length, an offset in a string, or a null pointer where
//! something has to be are errors. Nothing is allocated for a count that is not backed by bytes.

use crate::error::{DecodeError, DecodeErrorKind, TooLong};
use crate::wire::{Reader, Writer, length};
use alloc::vec::Vec;
use ntlm::text::Utf16String;

/// The longest text or array that is taken, in elements.
pub(crate) const MAX_COUNT: u32 = 0x1_0000;

/// Reads a stub; offsets in errors are those in the stub.
pub(crate) struct NdrReader<'a>(Reader<'a>);

/// RPC_UNICODE_STRING or STRING without its buffer, which comes later (MS-DTYP 2.3.10).
#[derive(Clone, Copy)]
pub(crate) struct StringHeader {
    /// In bytes.
    length: u16,
    present: bool,
}

impl<'a> NdrReader<'a> {
    pub(crate) const fn new(stub: &'a [u8]) -> Self {
        Self(Reader::new(stub))
    }

    pub(crate) const fn error(&self, kind: DecodeErrorKind, field: &'static str) -> DecodeError {
        self.0.error(kind, field)
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.0.u8(field)
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.0.align(2, field)?;
        self.0.u16(field)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.0.align(4, field)?;
        self.0.u32(field)
    }

    /// Two ULONGs, so aligned to 4: OLD_LARGE_INTEGER (MS-SAMR 2.2.2.2).
    pub(crate) fn old_large_integer(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.0.align(4, field)?;
        self.0.array(field).map(u64::from_le_bytes)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        self.0.array(field)
    }

    /// Whether a unique pointer points at something, which comes later.
    pub(crate) fn pointer(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        self.u32(field).map(|referent| referent != 0)
    }

    /// A unique pointer that must not be null.
    pub(crate) fn pointer_to(&mut self, field: &'static str) -> Result<(), DecodeError> {
        match self.pointer(field)? {
            true => Ok(()),
            false => Err(self.error(DecodeErrorKind::NullPointer, field)),
        }
    }

    /// A count of elements that each have at least `size` bytes, which have to be there.
    pub(crate) fn count(&mut self, size: usize, field: &'static str) -> Result<u32, DecodeError> {
        let count = self.u32(field)?;
        self.backed(count, size, field)?;
        Ok(count)
    }

    fn backed(&self, count: u32, size: usize, field: &'static str) -> Result<usize, DecodeError> {
        if count > MAX_COUNT {
            return Err(self.error(DecodeErrorKind::TooLong, field));
        }
        let needed = usize::try_from(count).ok().and_then(|count| count.checked_mul(size));
        match needed {
            Some(needed) if needed <= self.0.remaining() => Ok(needed),
            _ => Err(self.error(DecodeErrorKind::Truncated, field)),
        }
    }

    /// MaximumCount, Offset and ActualCount; then that many elements.
    fn varying(
        &mut self,
        size: usize,
        field: &'static str,
    ) -> Result<(u32, &'a [u8]), DecodeError> {
        let maximum = self.u32(field)?;
        if self.u32(field)? != 0 {
            return Err(self.error(DecodeErrorKind::WrongValue, field));
        }
        let actual = self.u32(field)?;
        if actual > maximum {
            return Err(self.error(DecodeErrorKind::Contradiction, field));
        }
        let needed = self.backed(actual, size, field)?;
        Ok((actual, self.0.take(needed, field)?))
    }

    /// A conformant varying string of UTF-16 with its NUL, which is taken off (C706 14.3.4.2).
    pub(crate) fn string(&mut self, field: &'static str) -> Result<Utf16String, DecodeError> {
        let (_, bytes) = self.varying(2, field)?;
        let (units, _) = bytes.as_chunks::<2>();
        match units.split_last() {
            Some(([0, 0], text)) => Ok(utf16(text)),
            _ => Err(self.error(DecodeErrorKind::Unterminated, field)),
        }
    }

    /// The same behind a unique pointer.
    pub(crate) fn optional_string(
        &mut self,
        field: &'static str,
    ) -> Result<Option<Utf16String>, DecodeError> {
        if self.pointer(field)? { self.string(field).map(Some) } else { Ok(None) }
    }

    pub(crate) fn string_header(
        &mut self,
        field: &'static str,
    ) -> Result<StringHeader, DecodeError> {
        self.0.align(4, field)?;
        let length = self.0.u16(field)?;
        let maximum = self.0.u16(field)?;
        let present = self.pointer(field)?;
        if length > maximum || (!present && length > 0) {
            return Err(self.error(DecodeErrorKind::Contradiction, field));
        }
        Ok(StringHeader { length, present })
    }

    /// The buffer of RPC_UNICODE_STRING, counted in characters.
    pub(crate) fn unicode_string(
        &mut self,
        header: StringHeader,
        field: &'static str,
    ) -> Result<Utf16String, DecodeError> {
        Ok(utf16(self.buffer(header, 2, field)?.as_chunks::<2>().0))
    }

    /// The buffer of STRING, counted in bytes.
    pub(crate) fn octets(
        &mut self,
        header: StringHeader,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        self.buffer(header, 1, field)
    }

    fn buffer(
        &mut self,
        header: StringHeader,
        size: usize,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        if !header.present {
            return Ok(&[]);
        }
        let (_, bytes) = self.varying(size, field)?;
        match bytes.len() == usize::from(header.length) {
            true => Ok(bytes),
            false => Err(self.error(DecodeErrorKind::Contradiction, field)),
        }
    }

    /// Refuses what stands behind the last field.
    pub(crate) const fn end(&self) -> Result<(), DecodeError> {
        self.0.end("stub")
    }

    pub(crate) fn take(
        &mut self,
        length: usize,
        field: &'static str,
    ) -> Result<&'a [u8], DecodeError> {
        self.0.take(length, field)
    }
}

fn utf16(units: &[[u8; 2]]) -> Utf16String {
    Utf16String::from_units(units.iter().map(|unit| u16::from_le_bytes(*unit)).collect::<Vec<_>>())
}

/// Writes a stub.
#[derive(Default)]
pub(crate) struct NdrWriter {
    bytes: Writer,
    referents: u32,
}

impl NdrWriter {
    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes.align(2);
        self.bytes.u16(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes.align(4);
        self.bytes.u32(value);
    }

    pub(crate) fn array(&mut self, bytes: &[u8]) {
        self.bytes.bytes(bytes);
    }

    /// A unique pointer: each referent is another number.
    pub(crate) fn pointer(&mut self, present: bool) {
        if present {
            self.u32(0x0002_0000 | self.referents);
            self.referents = self.referents.wrapping_add(4) & 0xffff;
        } else {
            self.u32(0);
        }
    }

    fn varying(&mut self, count: usize, field: &'static str) -> Result<(), TooLong> {
        let count: u32 = length(count, field)?;
        if count > MAX_COUNT {
            return Err(TooLong { field });
        }
        self.u32(count);
        self.u32(0);
        self.u32(count);
        Ok(())
    }

    pub(crate) fn string(
        &mut self,
        text: &Utf16String,
        field: &'static str,
    ) -> Result<(), TooLong> {
        self.varying(text.as_units().len().saturating_add(1), field)?;
        text.as_units().iter().for_each(|unit| self.bytes.u16(*unit));
        self.bytes.u16(0);
        Ok(())
    }

    pub(crate) fn optional_string(
        &mut self,
        text: Option<&Utf16String>,
        field: &'static str,
    ) -> Result<(), TooLong> {
        self.pointer(text.is_some());
        text.map_or(Ok(()), |text| self.string(text, field))
    }

    /// RPC_UNICODE_STRING or STRING of that many bytes; its buffer comes later.
    pub(crate) fn string_header(
        &mut self,
        bytes: usize,
        field: &'static str,
    ) -> Result<(), TooLong> {
        let count: u16 = length(bytes, field)?;
        self.bytes.align(4);
        self.bytes.u16(count);
        self.bytes.u16(count);
        self.pointer(count > 0);
        Ok(())
    }

    pub(crate) fn unicode_string(
        &mut self,
        text: &Utf16String,
        field: &'static str,
    ) -> Result<(), TooLong> {
        if text.is_empty() {
            return Ok(());
        }
        self.varying(text.as_units().len(), field)?;
        text.as_units().iter().for_each(|unit| self.bytes.u16(*unit));
        Ok(())
    }

    pub(crate) fn octets(&mut self, octets: &[u8], field: &'static str) -> Result<(), TooLong> {
        if octets.is_empty() {
            return Ok(());
        }
        self.varying(octets.len(), field)?;
        self.array(octets);
        Ok(())
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stub: &[u8]) -> Result<Utf16String, DecodeErrorKind> {
        NdrReader::new(stub).string("text").map_err(|error| error.kind)
    }

    fn counts(maximum: u32, offset: u32, actual: u32, text: &[u8]) -> Vec<u8> {
        let counts = [maximum, offset, actual].map(u32::to_le_bytes);
        [counts.as_flattened(), text].concat()
    }

    #[test]
    fn strings_that_contradict_themselves_are_refused() {
        assert_eq!(read(&counts(2, 0, 2, b"a\0\0\0")).unwrap().as_units(), [97]);
        assert_eq!(read(&counts(9, 0, 2, b"a\0\0\0")).unwrap().as_units(), [97]);
        assert_eq!(read(&counts(1, 0, 2, b"a\0\0\0")), Err(DecodeErrorKind::Contradiction));
        assert_eq!(read(&counts(2, 1, 1, b"a\0\0\0")), Err(DecodeErrorKind::WrongValue));
        assert_eq!(read(&counts(2, 0, 2, b"a\0b\0")), Err(DecodeErrorKind::Unterminated));
        assert_eq!(read(&counts(0, 0, 0, b"")), Err(DecodeErrorKind::Unterminated));
        assert_eq!(read(&counts(3, 0, 3, b"a\0\0\0")), Err(DecodeErrorKind::Truncated));
        let huge = counts(u32::MAX, 0, u32::MAX, b"a\0\0\0");
        assert_eq!(read(&huge), Err(DecodeErrorKind::TooLong));
    }

    #[test]
    fn what_is_longer_than_is_taken_is_not_written() {
        let long = Utf16String::from_units(alloc::vec![97; 0x1_0000]);
        assert_eq!(NdrWriter::default().string(&long, "text"), Err(TooLong { field: "text" }));
    }
}
