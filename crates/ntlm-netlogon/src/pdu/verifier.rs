//! The auth verifier at the end of a fragment (C706 13.2.6.1, MS-RPCE 2.2.2.11).

use super::header::{Header, SEC_TRAILER_LENGTH};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{Reader, Writer};
use core::ops::Range;

/// sec_trailer and the token behind it, with the padding before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthVerifier<'a> {
    /// What stands between the body and sec_trailer; auth_pad_length is its length.
    pub auth_pad: &'a [u8],
    /// Whose token it is.
    pub auth_type: AuthType,
    /// What it protects.
    pub auth_level: AuthLevel,
    /// Tells apart the security contexts of one association.
    pub auth_context_id: u32,
    /// auth_value: a token of the logon, or a signature.
    pub auth_value: &'a [u8],
}

impl<'a> AuthVerifier<'a> {
    /// Splits the end off a fragment: the verifier, and what stands before its padding.
    pub(crate) fn split(
        header: &Header,
        fragment: &'a [u8],
    ) -> Result<(&'a [u8], Option<Self>), DecodeError> {
        let Some(layout) = Layout::of(header) else { return Ok((fragment, None)) };
        let (before, trailer) = fragment
            .split_at_checked(layout.sec_trailer.start)
            .ok_or(DecodeError::new(DecodeErrorKind::Truncated, "sec_trailer", fragment.len()))?;
        let mut r = Reader::new(trailer);
        let auth_type = AuthType(r.u8("auth_type")?);
        let auth_level = AuthLevel(r.u8("auth_level")?);
        let auth_pad_length = usize::from(r.u8("auth_pad_length")?);
        r.u8("auth_reserved")?;
        let auth_context_id = r.u32("auth_context_id")?;
        let auth_value = r.rest();
        let pad_at = before.len().checked_sub(auth_pad_length).filter(|at| *at >= Header::LENGTH);
        let (body, auth_pad) = pad_at.and_then(|at| before.split_at_checked(at)).ok_or(
            DecodeError::new(DecodeErrorKind::Contradiction, "auth_pad_length", before.len() + 2),
        )?;
        let verifier = Self { auth_pad, auth_type, auth_level, auth_context_id, auth_value };
        Ok((body, Some(verifier)))
    }

    /// `auth_pad_length` has been checked to fit.
    pub(crate) fn write(&self, auth_pad_length: u8, w: &mut Writer) {
        w.bytes(self.auth_pad);
        w.u8(self.auth_type.0);
        w.u8(self.auth_level.0);
        w.u8(auth_pad_length);
        w.u8(0); // auth_reserved
        w.u32(self.auth_context_id);
        w.bytes(self.auth_value);
    }
}

/// Where the parts of a fragment with a verifier stand, in bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// sec_trailer.
    pub sec_trailer: Range<usize>,
    /// auth_value.
    pub auth_value: Range<usize>,
}

impl Layout {
    /// `None` without verifier.
    #[must_use]
    pub fn of(header: &Header) -> Option<Self> {
        let end = usize::from(header.frag_length);
        let start = match header.verifier_length() {
            0 => return None,
            length => end.checked_sub(length)?,
        };
        let middle = start + SEC_TRAILER_LENGTH;
        Some(Self { sec_trailer: start..middle, auth_value: middle..end })
    }
}

/// auth_type: the security provider (MS-RPCE 2.2.1.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AuthType(pub u8);

impl AuthType {
    /// RPC_C_AUTHN_GSS_NEGOTIATE: SPNEGO.
    pub const GSS_NEGOTIATE: Self = Self(9);
    /// RPC_C_AUTHN_WINNT: NTLM as it is.
    pub const WINNT: Self = Self(10);
    /// RPC_C_AUTHN_NETLOGON.
    pub const NETLOGON: Self = Self(68);
}

/// auth_level: what is protected (MS-RPCE 2.2.1.1.8). A higher one protects more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuthLevel(pub u8);

impl AuthLevel {
    /// RPC_C_AUTHN_LEVEL_NONE.
    pub const NONE: Self = Self(1);
    /// RPC_C_AUTHN_LEVEL_CONNECT: the logon only.
    pub const CONNECT: Self = Self(2);
    /// RPC_C_AUTHN_LEVEL_CALL, which everybody takes as PKT.
    pub const CALL: Self = Self(3);
    /// RPC_C_AUTHN_LEVEL_PKT. With NTLM the same as PKT_INTEGRITY.
    pub const PKT: Self = Self(4);
    /// RPC_C_AUTHN_LEVEL_PKT_INTEGRITY: every fragment is signed.
    pub const PKT_INTEGRITY: Self = Self(5);
    /// RPC_C_AUTHN_LEVEL_PKT_PRIVACY: and its body encrypted.
    pub const PKT_PRIVACY: Self = Self(6);
}
