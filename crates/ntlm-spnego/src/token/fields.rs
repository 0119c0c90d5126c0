//! The fields of a token: a `SEQUENCE` of optional elements, each inside its own context tag.

use super::frame;
use crate::error::{DecodeError, DecodeErrorKind};
use alloc::vec::Vec;
use ntlm::der::{Der, DerErrorKind, Element, encode, tag};

/// Reads fields in the order of their numbers.
pub(crate) struct Fields<'a> {
    rest: Der<'a>,
    /// Below this, every number has had its turn.
    next: u8,
    structure: &'static str,
}

impl<'a> Fields<'a> {
    /// The fields inside a `SEQUENCE` that is all of `outer`.
    pub(crate) fn open(outer: Element<'a>, structure: &'static str) -> Result<Self, DecodeError> {
        let mut reader = outer.reader();
        let rest = reader.inside(tag::SEQUENCE).and_then(|rest| reader.finish().map(|()| rest));
        let rest = rest.map_err(|der| DecodeError::of(der, structure))?;
        Ok(Self { rest, next: 0, structure })
    }

    /// The fields of a token, which must be the one of this choice.
    pub(crate) fn open_choice(
        chosen: Element<'a>,
        choice: u8,
        structure: &'static str,
    ) -> Result<Self, DecodeError> {
        if chosen.tag == choice {
            return Self::open(chosen, structure);
        }
        let kind = DerErrorKind::UnexpectedTag { expected: choice, found: chosen.tag };
        let kind = DecodeErrorKind::Der(kind);
        Err(DecodeError { kind, field: frame::CHOICE, offset: chosen.offset })
    }

    /// Field `number`: its context tag, and what is inside.
    pub(crate) fn whole(
        &mut self,
        number: u8,
        field: &'static str,
    ) -> Result<Option<Element<'a>>, DecodeError> {
        self.next = number.saturating_add(1);
        let explicit = self.rest.optional(tag::context(number));
        explicit.map_err(|der| DecodeError::of(der, field))
    }

    /// The element in field `number`, which must have this tag.
    pub(crate) fn optional(
        &mut self,
        number: u8,
        tag: u8,
        field: &'static str,
    ) -> Result<Option<Element<'a>>, DecodeError> {
        let Some(explicit) = self.whole(number, field)? else { return Ok(None) };
        let mut inside = explicit.reader();
        let element = inside.expect(tag).and_then(|element| inside.finish().map(|()| element));
        element.map(Some).map_err(|der| DecodeError::of(der, field))
    }

    /// The octets of field `number`.
    pub(crate) fn octets(
        &mut self,
        number: u8,
        field: &'static str,
    ) -> Result<Option<&'a [u8]>, DecodeError> {
        let element = self.optional(number, tag::OCTET_STRING, field)?;
        Ok(element.map(|element| element.content))
    }

    /// The content of the `BIT STRING` of field `number`.
    pub(crate) fn bits(
        &mut self,
        number: u8,
        field: &'static str,
    ) -> Result<Option<&'a [u8]>, DecodeError> {
        let element = self.optional(number, tag::BIT_STRING, field)?;
        Ok(element.map(|element| element.content))
    }

    /// Goes over fields of later versions. One that is out of order or comes twice is refused.
    pub(crate) fn finish(mut self) -> Result<(), DecodeError> {
        while !self.rest.is_empty() {
            let element = self.rest.element();
            let element = element.map_err(|der| DecodeError::of(der, self.structure))?;
            // Behind the last number nothing may follow.
            let expected = tag::context(0).saturating_add(self.next);
            if !(expected..END).contains(&element.tag) {
                let kind = DerErrorKind::UnexpectedTag { expected, found: element.tag };
                let kind = DecodeErrorKind::Der(kind);
                return Err(DecodeError { kind, field: self.structure, offset: element.offset });
            }
            self.next = (element.tag - tag::context(0)).saturating_add(1);
        }
        Ok(())
    }
}

/// After the highest context tag of one byte.
const END: u8 = tag::context(30) + 1;

/// Writes fields in the order in which they are given.
pub(crate) struct FieldsWriter {
    content: Vec<u8>,
}

impl FieldsWriter {
    pub(crate) const fn new() -> Self {
        Self { content: Vec::new() }
    }

    /// Field `number`, around an element.
    pub(crate) fn explicit(&mut self, number: u8, element: Option<&[u8]>) {
        if let Some(element) = element {
            self.content.extend(encode(tag::context(number), &[element]));
        }
    }

    /// Field `number`, around an element of this tag and content.
    pub(crate) fn optional(&mut self, number: u8, tag: u8, content: Option<&[u8]>) {
        self.explicit(number, content.map(|content| encode(tag, &[content])).as_deref());
    }

    /// The `SEQUENCE` of them.
    pub(crate) fn finish(self) -> Vec<u8> {
        encode(tag::SEQUENCE, &[&self.content])
    }
}
