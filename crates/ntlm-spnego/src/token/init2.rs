//! `NegTokenInit2`: what an acceptor begins with, where it speaks first.

use super::fields::{Fields, FieldsWriter};
use super::frame::{self, NEG_TOKEN_INIT};
use crate::error::DecodeError;
use crate::mech_type_list::MechTypeList;
use alloc::vec::Vec;
use ntlm::der::{Element, encode, tag};

/// The acceptor's hint, as SMB servers send it in NEGOTIATE (MS-SPNG 2.2.1).
///
/// Nothing in it is protected, and no mechListMIC covers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegTokenInit2<'a> {
    /// What the acceptor speaks.
    pub mech_types: Option<MechTypeList<'a>>,
    /// Content of the `BIT STRING`. Neither sent nor heeded.
    pub req_flags: Option<&'a [u8]>,
    /// A token of the first mechanism: NEGOEX has such.
    pub mech_token: Option<&'a [u8]>,
    /// Not hints any more.
    pub neg_hints: Option<NegHints<'a>>,
    /// Not sent.
    pub mech_list_mic: Option<&'a [u8]>,
}

/// What a server once said of itself. Windows 2003 and older name the service principal in it, which
/// is never to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegHints<'a> {
    /// [`Self::IGNORE`], today.
    pub hint_name: Option<&'a [u8]>,
    /// Never sent.
    pub hint_address: Option<&'a [u8]>,
}

impl NegHints<'static> {
    /// What is sent so that nobody makes use of it.
    pub const IGNORE: Self =
        Self { hint_name: Some(b"not_defined_in_RFC4178@please_ignore"), hint_address: None };
}

impl<'a> NegTokenInit2<'a> {
    /// Reads the token, with or without the framing of RFC 2743.
    ///
    /// # Errors
    ///
    /// The field that is wrong, and where it stands.
    pub fn decode(token: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read(frame::open(token)?)
    }

    pub(super) fn read(chosen: Element<'a>) -> Result<Self, DecodeError> {
        let mut fields = Fields::open_choice(chosen, NEG_TOKEN_INIT, "NegTokenInit2")?;
        let mech_types = fields.optional(0, tag::SEQUENCE, "mechTypes")?;
        let token = Self {
            mech_types: mech_types.map(MechTypeList::read).transpose()?,
            req_flags: fields.bits(1, "reqFlags")?,
            mech_token: fields.octets(2, "mechToken")?,
            neg_hints: fields.whole(3, "negHints")?.map(NegHints::read).transpose()?,
            mech_list_mic: fields.octets(4, "mechListMIC")?,
        };
        fields.finish()?;
        Ok(token)
    }

    /// The token as it is sent: DER, with the framing.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = FieldsWriter::new();
        fields.explicit(0, self.mech_types.as_ref().map(MechTypeList::as_bytes));
        fields.optional(1, tag::BIT_STRING, self.req_flags);
        fields.optional(2, tag::OCTET_STRING, self.mech_token);
        fields.explicit(3, self.neg_hints.as_ref().map(NegHints::write).as_deref());
        fields.optional(4, tag::OCTET_STRING, self.mech_list_mic);
        frame::initial(&encode(NEG_TOKEN_INIT, &[&fields.finish()]))
    }
}

/// `GeneralString`.
const GENERAL_STRING: u8 = 0x1b;

impl<'a> NegHints<'a> {
    fn read(outer: Element<'a>) -> Result<Self, DecodeError> {
        let mut fields = Fields::open(outer, "negHints")?;
        let hint_name = fields.optional(0, GENERAL_STRING, "hintName")?;
        let hints = Self {
            hint_name: hint_name.map(|name| name.content),
            hint_address: fields.octets(1, "hintAddress")?,
        };
        fields.finish()?;
        Ok(hints)
    }

    fn write(&self) -> Vec<u8> {
        let mut fields = FieldsWriter::new();
        fields.optional(0, GENERAL_STRING, self.hint_name);
        fields.optional(1, tag::OCTET_STRING, self.hint_address);
        fields.finish()
    }
}
