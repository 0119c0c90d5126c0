//! The list of mechanisms that an end offers (RFC 4178 4.1).

use crate::error::{DecodeError, DecodeErrorKind};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use ntlm::der::{Der, Element, ObjectIdentifier, encode, tag};

/// `MechTypeList`: mechanisms in order of preference, kept as the bytes that were sent, because the
/// mechListMIC covers these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MechTypeList<'a> {
    encoded: Cow<'a, [u8]>,
}

impl<'a> MechTypeList<'a> {
    /// The list of these.
    #[must_use]
    pub fn new(mechs: &[ObjectIdentifier<'_>]) -> Self {
        let mechs: Vec<_> = mechs.iter().map(|mech| encode(tag::OID, &[mech.0])).collect();
        let parts: Vec<&[u8]> = mechs.iter().map(Vec::as_slice).collect();
        Self { encoded: Cow::Owned(encode(tag::SEQUENCE, &parts)) }
    }

    /// A received list, which must not be empty.
    pub(crate) fn read(list: Element<'a>) -> Result<Self, DecodeError> {
        let error = |kind, offset| DecodeError { kind, field: FIELD, offset };
        let mut mechs = list.reader();
        if mechs.is_empty() {
            return Err(error(DecodeErrorKind::Empty, list.offset));
        }
        while !mechs.is_empty() {
            let mech = mechs.expect(tag::OID).map_err(|der| DecodeError::of(der, FIELD))?;
            if !ObjectIdentifier(mech.content).is_valid() {
                return Err(error(DecodeErrorKind::WrongValue, mech.offset));
            }
        }
        Ok(Self { encoded: Cow::Borrowed(list.whole) })
    }

    /// The mechanisms, the preferred one first.
    pub fn iter(&self) -> impl Iterator<Item = ObjectIdentifier<'_>> {
        // What was read or built is a SEQUENCE of OBJECT IDENTIFIERs: the errors never come.
        let mut mechs = Der::new(&self.encoded).inside(tag::SEQUENCE).ok();
        core::iter::from_fn(move || {
            let mech = mechs.as_mut()?.expect(tag::OID).ok()?;
            Some(ObjectIdentifier(mech.content))
        })
    }

    /// Whether this mechanism is among them.
    #[must_use]
    pub fn contains(&self, mech: ObjectIdentifier<'_>) -> bool {
        self.iter().any(|offered| offered == mech)
    }

    /// DER, with the tag of `SEQUENCE OF`: what the mechListMIC covers.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.encoded
    }

    /// The same list, with bytes of its own.
    #[must_use]
    pub fn into_owned(self) -> MechTypeList<'static> {
        MechTypeList { encoded: Cow::Owned(self.encoded.into_owned()) }
    }
}

const FIELD: &str = "mechTypes";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mechanism;

    #[test]
    fn a_list_holds_what_it_was_made_of() {
        let list = MechTypeList::new(&mechanism::WINDOWS);
        assert!(list.iter().eq(mechanism::WINDOWS));
        assert!(list.contains(mechanism::NEGOEX));
        assert!(!list.contains(mechanism::KERBEROS_USER_TO_USER));
    }
}
