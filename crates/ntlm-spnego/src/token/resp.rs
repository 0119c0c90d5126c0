//! `NegTokenResp`: every token after the first.

use super::fields::{Fields, FieldsWriter};
use super::frame::{self, NEG_TOKEN_RESP};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::neg_state::NegState;
use alloc::vec::Vec;
use ntlm::der::{Element, ObjectIdentifier, encode, tag};

/// Every token after the first, of either end (RFC 4178 4.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NegTokenResp<'a> {
    /// Where the negotiation stands. The acceptor says it always, the initiator need not.
    pub neg_state: Option<NegState>,
    /// What the acceptor chose; in its first reply, though some repeat it.
    pub supported_mech: Option<ObjectIdentifier<'a>>,
    /// A token of the mechanism.
    pub response_token: Option<&'a [u8]>,
    /// The mechanism's signature over the initiator's mechTypes.
    pub mech_list_mic: Option<&'a [u8]>,
}

impl NegTokenResp<'static> {
    /// What tells the other end that there is nothing more to come.
    pub const REJECT: Self = Self {
        neg_state: Some(NegState::Reject),
        supported_mech: None,
        response_token: None,
        mech_list_mic: None,
    };
}

impl<'a> NegTokenResp<'a> {
    /// Reads the token. The framing of RFC 2743, which has no place here, is passed over: some send
    /// it.
    ///
    /// # Errors
    ///
    /// The field that is wrong, and where it stands.
    pub fn decode(token: &'a [u8]) -> Result<Self, DecodeError> {
        Self::read(frame::open(token)?)
    }

    pub(super) fn read(chosen: Element<'a>) -> Result<Self, DecodeError> {
        let mut fields = Fields::open_choice(chosen, NEG_TOKEN_RESP, "NegTokenResp")?;
        let neg_state = fields.optional(0, tag::ENUMERATED, "negState")?;
        let supported_mech = fields.optional(1, tag::OID, "supportedMech")?;
        let token = Self {
            neg_state: neg_state.map(read_state).transpose()?,
            supported_mech: supported_mech.map(read_mech).transpose()?,
            response_token: fields.octets(2, "responseToken")?,
            mech_list_mic: fields.octets(3, "mechListMIC")?,
        };
        fields.finish()?;
        Ok(token)
    }

    /// The token as it is sent: DER, without framing.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = FieldsWriter::new();
        let neg_state = self.neg_state.map(|state| [state.number()]);
        fields.optional(0, tag::ENUMERATED, neg_state.as_ref().map(<[u8; 1]>::as_slice));
        fields.optional(1, tag::OID, self.supported_mech.map(|mech| mech.0));
        fields.optional(2, tag::OCTET_STRING, self.response_token);
        fields.optional(3, tag::OCTET_STRING, self.mech_list_mic);
        encode(NEG_TOKEN_RESP, &[&fields.finish()])
    }
}

fn read_state(element: Element<'_>) -> Result<NegState, DecodeError> {
    let state = match element.content {
        [number] => NegState::from_number(*number),
        _ => None,
    };
    state.ok_or(DecodeError {
        kind: DecodeErrorKind::WrongValue,
        field: "negState",
        offset: element.offset,
    })
}

fn read_mech(element: Element<'_>) -> Result<ObjectIdentifier<'_>, DecodeError> {
    let mech = ObjectIdentifier(element.content);
    let error = DecodeError {
        kind: DecodeErrorKind::WrongValue,
        field: "supportedMech",
        offset: element.offset,
    };
    if mech.is_valid() { Ok(mech) } else { Err(error) }
}
