//! The one DER reader of the project: certificates, SPNEGO and LDAP all read with it (X.690). And
//! [`encode`], the one writer.
//!
//! It is strict: lengths are definite and minimal, tags are a single byte. It knows elements, not
//! types: what an element's content means is its caller's business. It neither recurses nor
//! allocates, so no input costs more than its own length.
//!
//! ```
//! use ntlm::der::{Der, tag};
//!
//! let mut document = Der::new(&[0x30, 0x03, 0x02, 0x01, 0x2a]);
//! let mut sequence = document.inside(tag::SEQUENCE)?;
//! assert_eq!(sequence.expect(tag::INTEGER)?.content, [42]);
//! sequence.finish()?;
//! document.finish()?;
//! # Ok::<(), ntlm::der::DerError>(())
//! ```

mod encode;

pub use encode::encode;

use core::fmt;

/// A cursor over DER: what is left to read, and where that lies in the whole document.
///
/// A call that fails leaves the cursor where it was.
#[derive(Clone, Debug)]
pub struct Der<'a> {
    rest: &'a [u8],
    offset: usize,
}

/// One element, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// The identifier octet: class, constructed or not, number. See [`tag`].
    pub tag: u8,
    /// What stands after tag and length.
    pub content: &'a [u8],
    /// All of it, with tag and length.
    pub whole: &'a [u8],
    /// Where the tag lies in the document.
    pub offset: usize,
    /// Where the content lies in the document.
    pub content_offset: usize,
}

impl<'a> Der<'a> {
    /// Starts at the first byte of a document.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::at(bytes, 0)
    }

    /// Starts at a part of a document, which begins at `base_offset` of the whole.
    #[must_use]
    pub fn at(bytes: &'a [u8], base_offset: usize) -> Self {
        Self { rest: bytes, offset: base_offset }
    }

    /// Whether all has been read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Where in the document the next byte lies.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// The tag of the next element, if there is one.
    #[must_use]
    pub fn peek_tag(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Reads the next element, whatever its tag.
    ///
    /// # Errors
    ///
    /// What is wrong with its tag or length, or that the bytes end before it does.
    pub fn element(&mut self) -> Result<Element<'a>, DerError> {
        let (&tag, after_tag) =
            self.rest.split_first().ok_or(self.error(DerErrorKind::Truncated))?;
        if tag & NUMBER_MASK == NUMBER_MASK {
            return Err(self.error(DerErrorKind::HighTagNumber));
        }
        let (length, after_length) = read_length(after_tag).map_err(|kind| self.error(kind))?;
        let header_length = self.rest.len() - after_length.len();
        let (whole, rest) = header_length
            .checked_add(length)
            .and_then(|whole_length| self.rest.split_at_checked(whole_length))
            .ok_or(self.error(DerErrorKind::Truncated))?;
        let content = whole.get(header_length..).unwrap_or_default();

        let element = Element {
            tag,
            content,
            whole,
            offset: self.offset,
            content_offset: self.offset.saturating_add(header_length),
        };
        *self = Self::at(rest, self.offset.saturating_add(whole.len()));
        Ok(element)
    }

    /// Reads the next element, which must have this tag.
    ///
    /// # Errors
    ///
    /// As [`element`](Self::element), and [`DerErrorKind::UnexpectedTag`].
    pub fn expect(&mut self, tag: u8) -> Result<Element<'a>, DerError> {
        match self.peek_tag() {
            Some(found) if found != tag => {
                Err(self.error(DerErrorKind::UnexpectedTag { expected: tag, found }))
            }
            _ => self.element(),
        }
    }

    /// Reads the next element if it has this tag. `None` if it has another, or there is none.
    ///
    /// # Errors
    ///
    /// As [`element`](Self::element).
    pub fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, DerError> {
        match self.peek_tag() {
            Some(found) if found == tag => self.element().map(Some),
            _ => Ok(None),
        }
    }

    /// Reads the next element, which must have this tag, and starts at its content.
    ///
    /// # Errors
    ///
    /// As [`expect`](Self::expect).
    pub fn inside(&mut self, tag: u8) -> Result<Self, DerError> {
        self.expect(tag).map(|element| element.reader())
    }

    /// Makes sure that all has been read.
    ///
    /// # Errors
    ///
    /// [`DerErrorKind::TrailingData`] if something is left.
    pub fn finish(&self) -> Result<(), DerError> {
        if self.is_empty() { Ok(()) } else { Err(self.error(DerErrorKind::TrailingData)) }
    }

    fn error(&self, kind: DerErrorKind) -> DerError {
        DerError { kind, offset: self.offset }
    }
}

impl<'a> Element<'a> {
    /// Starts at the content, for an element made of elements.
    #[must_use]
    pub fn reader(&self) -> Der<'a> {
        Der::at(self.content, self.content_offset)
    }
}

/// Reads the length octets (X.690 8.1.3, 10.1) and returns what comes after them.
fn read_length(bytes: &[u8]) -> Result<(usize, &[u8]), DerErrorKind> {
    let (&first, rest) = bytes.split_first().ok_or(DerErrorKind::Truncated)?;
    let digit_count = match first {
        0..=0x7f => return Ok((usize::from(first), rest)),
        0x80 => return Err(DerErrorKind::IndefiniteLength),
        0x81..=0x84 => usize::from(first & 0x7f),
        _ => return Err(DerErrorKind::LengthTooLarge),
    };
    let (digits, rest) = rest.split_at_checked(digit_count).ok_or(DerErrorKind::Truncated)?;
    let length = digits.iter().fold(0_u32, |length, &digit| length << 8 | u32::from(digit));
    if length < 0x80 || digits.first() == Some(&0) {
        return Err(DerErrorKind::NonMinimalLength);
    }
    Ok((usize::try_from(length).map_err(|_| DerErrorKind::LengthTooLarge)?, rest))
}

/// The bits of a tag that hold its number; all set, they say that more bytes follow.
const NUMBER_MASK: u8 = 0x1f;

/// Tags: one byte each, class and form included.
pub mod tag {
    /// `BOOLEAN`.
    pub const BOOLEAN: u8 = 0x01;
    /// `INTEGER`.
    pub const INTEGER: u8 = 0x02;
    /// `BIT STRING`.
    pub const BIT_STRING: u8 = 0x03;
    /// `OCTET STRING`.
    pub const OCTET_STRING: u8 = 0x04;
    /// `NULL`.
    pub const NULL: u8 = 0x05;
    /// `OBJECT IDENTIFIER`.
    pub const OID: u8 = 0x06;
    /// `ENUMERATED`.
    pub const ENUMERATED: u8 = 0x0a;
    /// `SEQUENCE` and `SEQUENCE OF`.
    pub const SEQUENCE: u8 = 0x30;
    /// `SET` and `SET OF`.
    pub const SET: u8 = 0x31;

    /// `[n]` around another element, or in place of a constructed one's tag.
    ///
    /// # Panics
    ///
    /// From `n` 31 on, which takes more than one byte.
    #[must_use]
    pub const fn context(n: u8) -> u8 {
        context_primitive(n) | CONSTRUCTED
    }

    /// `[n]` in place of a primitive element's tag.
    ///
    /// # Panics
    ///
    /// From `n` 31 on, which takes more than one byte.
    #[must_use]
    pub const fn context_primitive(n: u8) -> u8 {
        assert!(n < super::NUMBER_MASK, "a tag number above 30 takes more than one byte");
        0x80 | n
    }

    /// `[APPLICATION n]`, constructed.
    ///
    /// # Panics
    ///
    /// From `n` 31 on, which takes more than one byte.
    #[must_use]
    pub const fn application(n: u8) -> u8 {
        application_primitive(n) | CONSTRUCTED
    }

    /// `[APPLICATION n]`, primitive.
    ///
    /// # Panics
    ///
    /// From `n` 31 on, which takes more than one byte.
    #[must_use]
    pub const fn application_primitive(n: u8) -> u8 {
        assert!(n < super::NUMBER_MASK, "a tag number above 30 takes more than one byte");
        0x40 | n
    }

    const CONSTRUCTED: u8 = 0x20;
}

/// These bytes are not DER, or not the elements that were expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DerError {
    /// What is wrong.
    pub kind: DerErrorKind,
    /// Where in the document: at the tag of the element that is wrong, or at the first byte too many.
    pub offset: usize,
}

/// What is wrong with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DerErrorKind {
    /// The bytes end before the element does, or before it begins.
    Truncated,
    /// The length is left open, which only BER allows.
    IndefiniteLength,
    /// The length could have been written in fewer bytes.
    NonMinimalLength,
    /// The tag goes on in further bytes.
    HighTagNumber,
    /// The length does not fit four bytes.
    LengthTooLarge,
    /// Another element stands here.
    UnexpectedTag {
        /// The tag that should stand here.
        expected: u8,
        /// The tag that does.
        found: u8,
    },
    /// Something follows where nothing should.
    TrailingData,
}

impl fmt::Display for DerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)
    }
}

impl core::error::Error for DerError {}

impl fmt::Display for DerErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("truncated element"),
            Self::IndefiniteLength => f.write_str("indefinite length"),
            Self::NonMinimalLength => f.write_str("length not in its shortest form"),
            Self::HighTagNumber => f.write_str("tag of more than one byte"),
            Self::LengthTooLarge => f.write_str("length of more than four bytes"),
            Self::UnexpectedTag { expected, found } => {
                write!(f, "tag {found:#04x} instead of {expected:#04x}")
            }
            Self::TrailingData => f.write_str("trailing data"),
        }
    }
}

/// The content of an `OBJECT IDENTIFIER`, to be shown in the usual dotted form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectIdentifier<'a>(pub &'a [u8]);

/// Dotted, `1.2.840.113549`; `?` stands for a number that is cut off, padded or of more than 64 bits,
/// so no two different contents without `?` show alike.
impl fmt::Display for ObjectIdentifier<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers = self.0.split_inclusive(|octet| octet & 0x80 == 0);
        for (i, octets) in numbers.enumerate() {
            match (i, base_128(octets)) {
                // The first two numbers share octets: 40 times the one plus the other.
                (0, Some(both @ 0..80)) => write!(f, "{}.{}", both / 40, both % 40)?,
                (0, Some(both)) => write!(f, "2.{}", both - 80)?,
                (0, None) => f.write_str("?")?,
                (_, Some(number)) => write!(f, ".{number}")?,
                (_, None) => f.write_str(".?")?,
            }
        }
        Ok(())
    }
}

impl ObjectIdentifier<'_> {
    /// Whether this is one: at least one number, none cut off or padded (X.690 8.19.2).
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let mut numbers = self.0.split_inclusive(|octet| octet & 0x80 == 0).peekable();
        numbers.peek().is_some() && numbers.all(is_whole_number)
    }
}

/// Neither cut off nor padded; of any length.
fn is_whole_number(octets: &[u8]) -> bool {
    octets.last().is_some_and(|last| last & 0x80 == 0) && octets.first() != Some(&0x80)
}

/// One number of an object identifier (X.690 8.19.2): seven bits an octet, the last without the high
/// bit, the first not zero but for that bit.
fn base_128(octets: &[u8]) -> Option<u64> {
    if !is_whole_number(octets) {
        return None;
    }
    octets.iter().try_fold(0_u64, |number, octet| {
        number.checked_mul(0x80).map(|number| number | u64::from(octet & 0x7f))
    })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use hex_literal::hex;
    use std::string::ToString;
    use std::vec;

    /// A SPNEGO `NegTokenInit` that offers NTLM and carries the first bytes of a token.
    const NEG_TOKEN_INIT: &[u8] = &hex!(
        "6022 06062b0601050502 a018 3016"
        "a00e 300c 060a2b06010401823702020a"
        "a204 0402 4e54"
    );

    #[test]
    fn elements_come_with_their_place_in_the_document() {
        let mut document = Der::new(NEG_TOKEN_INIT);
        assert_eq!(document.peek_tag(), Some(tag::application(0)));
        let mut token = document.inside(tag::application(0)).unwrap();
        assert_eq!(
            ObjectIdentifier(token.expect(tag::OID).unwrap().content).to_string(),
            "1.3.6.1.5.5.2"
        );
        let mut init = token.inside(tag::context(0)).unwrap().inside(tag::SEQUENCE).unwrap();
        let mech_types = init.expect(tag::context(0)).unwrap();
        assert_eq!((mech_types.offset, mech_types.content_offset), (14, 16));
        assert_eq!(mech_types.whole, &NEG_TOKEN_INIT[14..30]);
        assert_eq!(mech_types.content, &NEG_TOKEN_INIT[16..30]);
        assert_eq!(init.optional(tag::context(1)), Ok(None));
        let mech_token = init.optional(tag::context(2)).unwrap().unwrap();
        let mech_token = mech_token.reader().expect(tag::OCTET_STRING).unwrap();
        assert_eq!((mech_token.content, mech_token.content_offset), (&b"NT"[..], 34));
        assert_eq!(init.optional(tag::context(3)), Ok(None));
        assert_eq!(init.offset(), NEG_TOKEN_INIT.len());
        for reader in [init, token, document] {
            reader.finish().unwrap();
        }
    }

    #[test]
    fn offsets_start_where_they_are_told_to() {
        let mut part = Der::at(&hex!("0500 30"), 100);
        assert_eq!(part.expect(tag::NULL).unwrap().content_offset, 102);
        assert_eq!(part.element(), Err(DerError { kind: DerErrorKind::Truncated, offset: 102 }));
        let mut part = Der::at(&hex!("0500"), usize::MAX);
        assert_eq!(part.element().unwrap().content_offset, usize::MAX);
    }

    #[test]
    fn lengths_are_definite_and_minimal() {
        let kind = |bytes: &[u8]| Der::new(bytes).element().unwrap_err().kind;
        assert_eq!(kind(&hex!("3080 0000")), DerErrorKind::IndefiniteLength);
        assert_eq!(kind(&hex!("308101 00")), DerErrorKind::NonMinimalLength);
        assert_eq!(kind(&hex!("30820080 00")), DerErrorKind::NonMinimalLength);
        assert_eq!(kind(&hex!("3084000000ff 00")), DerErrorKind::NonMinimalLength);
        assert_eq!(kind(&hex!("3085 0000000001")), DerErrorKind::LengthTooLarge);
        assert_eq!(kind(&hex!("30ff")), DerErrorKind::LengthTooLarge);
        assert_eq!(kind(&hex!("3084ffffffff 00")), DerErrorKind::Truncated);
        assert_eq!(kind(&hex!("308201")), DerErrorKind::Truncated);
        assert_eq!(kind(&hex!("30")), DerErrorKind::Truncated);
        assert_eq!(kind(&hex!("1f8100 00")), DerErrorKind::HighTagNumber);
    }

    #[test]
    fn each_length_is_read_in_its_shortest_form() {
        for (length, header) in [
            (0, vec![0x04, 0x00]),
            (0x7f, vec![0x04, 0x7f]),
            (0x80, vec![0x04, 0x81, 0x80]),
            (0x100, vec![0x04, 0x82, 0x01, 0x00]),
            (0x1_0000, vec![0x04, 0x83, 0x01, 0x00, 0x00]),
            (0x100_0000, vec![0x04, 0x84, 0x01, 0x00, 0x00, 0x00]),
        ] {
            let document = [header.clone(), vec![0x55; length]].concat();
            let element = Der::new(&document).expect(tag::OCTET_STRING).unwrap();
            assert_eq!(element.content.len(), length);
            assert_eq!(element.content_offset, header.len());
            assert_eq!(element.whole, document);
        }
    }

    #[test]
    fn a_failed_call_moves_nothing() {
        let mut document = Der::new(&hex!("0500 3003"));
        let unexpected = DerErrorKind::UnexpectedTag { expected: tag::INTEGER, found: tag::NULL };
        assert_eq!(document.expect(tag::INTEGER).unwrap_err().kind, unexpected);
        assert_eq!(document.finish().unwrap_err().kind, DerErrorKind::TrailingData);
        document.expect(tag::NULL).unwrap();
        for _ in 0..2 {
            let error = document.expect(tag::SEQUENCE).unwrap_err();
            assert_eq!(error, DerError { kind: DerErrorKind::Truncated, offset: 2 });
        }
    }

    #[test]
    fn errors_say_what_and_where() {
        let error = Der::at(&hex!("0500"), 7).expect(tag::SEQUENCE).unwrap_err();
        assert_eq!(error.to_string(), "tag 0x05 instead of 0x30 at byte 7");
        assert_eq!(Der::new(&[]).element().unwrap_err().to_string(), "truncated element at byte 0");
    }

    #[test]
    fn every_prefix_is_truncated() {
        for length in 0..NEG_TOKEN_INIT.len() {
            let error = Der::new(&NEG_TOKEN_INIT[..length]).element().unwrap_err();
            assert_eq!(error, DerError { kind: DerErrorKind::Truncated, offset: 0 });
        }
    }

    #[test]
    fn no_corruption_makes_an_element_leave_its_parent() {
        for position in 0..NEG_TOKEN_INIT.len() {
            for value in 0..=0xff {
                let mut corrupt = NEG_TOKEN_INIT.to_vec();
                corrupt[position] = value;
                read_everything(&corrupt);
            }
        }
    }

    /// Reads each element's content as elements in turn, wherever that works.
    fn read_everything(bytes: &[u8]) {
        let mut readers = vec![Der::new(bytes)];
        while let Some(mut reader) = readers.pop() {
            while let Ok(element) = reader.element() {
                let end = element.content_offset + element.content.len();
                assert_eq!(element.whole, &bytes[element.offset..end]);
                assert_eq!(element.content, &bytes[element.content_offset..end]);
                readers.push(element.reader());
            }
        }
    }

    #[test]
    fn object_identifiers_are_shown_dotted() {
        let dotted = |content: &[u8]| ObjectIdentifier(content).to_string();
        assert_eq!(dotted(&hex!("2b06010401823702020a")), "1.3.6.1.4.1.311.2.2.10");
        assert_eq!(dotted(&hex!("2a864886f70d010105")), "1.2.840.113549.1.1.5");
        assert_eq!(dotted(&hex!("608648016503040201")), "2.16.840.1.101.3.4.2.1");
        assert_eq!(dotted(&hex!("883703")), "2.999.3");
        assert_eq!(dotted(&hex!("0927")), "0.9.39");
        assert_eq!(dotted(&hex!("2b81ffffffffffffffff7f")), "1.3.18446744073709551615");
        assert_eq!(dotted(&hex!("2b82808080808080808000")), "1.3.?");
        assert_eq!(dotted(&hex!("2b8006")), "1.3.?");
        assert_eq!(dotted(&hex!("2b0686")), "1.3.6.?");
        assert_eq!(dotted(&hex!("86")), "?");
        assert_eq!(dotted(&[]), "");
    }

    #[test]
    fn object_identifiers_have_whole_numbers_of_any_length() {
        let valid = |content: &[u8]| ObjectIdentifier(content).is_valid();
        assert!(valid(&hex!("2b06010401823702020a")));
        assert!(valid(&hex!("2bffffffffffffffffffffff7f")));
        assert!(!valid(&[]) && !valid(&hex!("86")) && !valid(&hex!("2b8006")));
    }

    #[test]
    fn tags_are_those_of_the_standard() {
        let tags = [tag::context(0), tag::context(3), tag::context_primitive(7)];
        assert_eq!(tags, [0xa0, 0xa3, 0x87]);
        assert_eq!([tag::application(1), tag::application_primitive(2)], [0x61, 0x42]);
    }
}
