//! `NegTokenInit`: what an initiator begins with.

use super::fields::{Fields, FieldsWriter};
use super::frame::{self, NEG_TOKEN_INIT};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::mech_type_list::MechTypeList;
use alloc::vec::Vec;
use ntlm::der::{Element, encode, tag};

/// The initiator's first token (RFC 4178 4.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegTokenInit<'a> {
    /// What it offers, the preferred one first.
    pub mech_types: MechTypeList<'a>,
    /// Content of the `BIT STRING`. Nothing protects it: neither sent nor heeded.
    pub req_flags: Option<&'a [u8]>,
    /// The first token of the preferred mechanism, which is thereby hoped to be chosen.
    pub mech_token: Option<&'a [u8]>,
    /// Only for mechanisms that are complete after one token.
    pub mech_list_mic: Option<&'a [u8]>,
}

impl<'a> NegTokenInit<'a> {
    /// Reads the token, with or without the framing of RFC 2743.
    ///
    /// # Errors
    ///
    /// The field that is wrong, and where it stands.
    pub fn decode(token: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read(frame::open(token)?)
    }

    pub(super) fn read(chosen: Element<'a>) -> Result<Self, DecodeError> {
        let mut fields = Fields::open_choice(chosen, NEG_TOKEN_INIT, "NegTokenInit")?;
        let mech_types = fields.optional(0, tag::SEQUENCE, "mechTypes")?;
        let mech_types = mech_types.ok_or(DecodeError {
            kind: DecodeErrorKind::Missing,
            field: "mechTypes",
            offset: chosen.content_offset,
        })?;
        let token = Self {
            mech_types: MechTypeList::read(mech_types)?,
            req_flags: fields.bits(1, "reqFlags")?,
            mech_token: fields.octets(2, "mechToken")?,
            mech_list_mic: fields.octets(3, "mechListMIC")?,
        };
        fields.finish()?;
        Ok(token)
    }

    /// The token as it is sent: DER, with the framing.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = FieldsWriter::new();
        fields.explicit(0, Some(self.mech_types.as_bytes()));
        fields.optional(1, tag::BIT_STRING, self.req_flags);
        fields.optional(2, tag::OCTET_STRING, self.mech_token);
        fields.optional(3, tag::OCTET_STRING, self.mech_list_mic);
        frame::initial(&encode(NEG_TOKEN_INIT, &[&fields.finish()]))
    }
}
