//! A fragment taken apart, for whoever signs and seals it.

use super::{ProtectError, SecurityContext};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::pdu::{AuthLevel, AuthType, Header, Layout, PacketType, PfcFlags};

/// The parts of a fragment, in order.
pub(super) struct Parts<'a> {
    pub(super) header: &'a [u8],
    /// Stub and padding.
    pub(super) body: &'a mut [u8],
    pub(super) sec_trailer: &'a [u8],
    pub(super) auth_value: &'a mut [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn split(
        fragment: &'a mut [u8],
        context: SecurityContext,
    ) -> Result<Self, ProtectError> {
        let header = Header::decode(fragment)?;
        let layout = Layout::of(&header).ok_or(ProtectError::NoVerifier)?;
        if fragment.len() != layout.auth_value.end {
            return Err(DecodeError::new(DecodeErrorKind::Contradiction, "frag_length", 8).into());
        }
        let body_at = body_offset(&header).ok_or(ProtectError::NotACall)?;
        let error = DecodeError::new(DecodeErrorKind::Contradiction, "auth_length", 10);
        let length = layout.sec_trailer.start.checked_sub(body_at).ok_or(error)?;
        let (header, rest) = fragment.split_at_mut_checked(body_at).ok_or(error)?;
        let (body, rest) = rest.split_at_mut_checked(length).ok_or(error)?;
        let (sec_trailer, auth_value) =
            rest.split_at_mut_checked(layout.sec_trailer.len()).ok_or(error)?;
        let [auth_type, auth_level, auth_pad_length, _, id @ ..] = &*sec_trailer else {
            return Err(error.into());
        };
        if usize::from(*auth_pad_length) > body.len() {
            let at = layout.sec_trailer.start + 2;
            let kind = DecodeErrorKind::Contradiction;
            return Err(DecodeError::new(kind, "auth_pad_length", at).into());
        }
        let field = if AuthType(*auth_type) != context.auth_type {
            Some("auth_type")
        } else if AuthLevel(*auth_level) != context.auth_level {
            Some("auth_level")
        } else if *id != context.auth_context_id.to_le_bytes() {
            Some("auth_context_id")
        } else {
            None
        };
        match field {
            Some(field) => Err(ProtectError::OtherContext(field)),
            None => Ok(Self { header, body, sec_trailer, auth_value }),
        }
    }
}

/// Where the body of a call begins: behind the fields that are never sealed.
fn body_offset(header: &Header) -> Option<usize> {
    match header.ptype {
        PacketType::REQUEST if header.pfc_flags.contains(PfcFlags::OBJECT_UUID) => Some(40),
        PacketType::REQUEST | PacketType::RESPONSE | PacketType::FAULT => Some(24),
        _ => None,
    }
}
