//! The header that every PDU begins with (C706 12.6.3.1).

use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::{Reader, Writer};
use bitflags::bitflags;

/// The common header, 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The minor version of the protocol: 0 or 1. The major one is 5.
    pub rpc_vers_minor: u8,
    /// What follows.
    pub ptype: PacketType,
    /// Unknown bits are kept.
    pub pfc_flags: PfcFlags,
    /// Length of the whole fragment in bytes, verifier included.
    pub frag_length: u16,
    /// Length of the token at the end in bytes; 0 without verifier.
    pub auth_length: u16,
    /// Which call of the association it belongs to.
    pub call_id: u32,
}

impl Header {
    /// Its length in bytes.
    pub const LENGTH: usize = 16;

    /// Reads it from the start of a fragment.
    ///
    /// # Errors
    ///
    /// Another protocol or version, a byte order that is not little-endian, an unknown PTYPE, or
    /// lengths that contradict each other.
    pub fn decode(fragment: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(fragment);
        expect(&mut r, "rpc_vers", |version| version == 5)?;
        let rpc_vers_minor = expect(&mut r, "rpc_vers_minor", |minor| minor <= 1)?;
        let ptype = PacketType(expect(&mut r, "PTYPE", |ptype| PacketType(ptype).is_known())?);
        let pfc_flags = PfcFlags::from_bits_retain(r.u8("pfc_flags")?);
        if r.array("packed_drep")? != PACKED_DREP {
            return Err(DecodeError::new(DecodeErrorKind::WrongValue, "packed_drep", 4));
        }
        let frag_length = r.u16("frag_length")?;
        let auth_length = r.u16("auth_length")?;
        let call_id = r.u32("call_id")?;
        let header = Self { rpc_vers_minor, ptype, pfc_flags, frag_length, auth_length, call_id };
        match header.verifier_length() {
            length if Self::LENGTH + length <= usize::from(frag_length) => Ok(header),
            0 => Err(DecodeError::new(DecodeErrorKind::Contradiction, "frag_length", 8)),
            _ => Err(DecodeError::new(DecodeErrorKind::Contradiction, "auth_length", 10)),
        }
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u8(5);
        w.u8(self.rpc_vers_minor);
        w.u8(self.ptype.0);
        w.u8(self.pfc_flags.bits());
        w.bytes(&PACKED_DREP);
        w.u16(self.frag_length);
        w.u16(self.auth_length);
        w.u32(self.call_id);
    }

    /// Length in bytes of sec_trailer and token; 0 without verifier.
    #[must_use]
    pub fn verifier_length(&self) -> usize {
        match self.auth_length {
            0 => 0,
            length => SEC_TRAILER_LENGTH + usize::from(length),
        }
    }
}

fn expect(
    r: &mut Reader<'_>,
    field: &'static str,
    holds: impl FnOnce(u8) -> bool,
) -> Result<u8, DecodeError> {
    let error = r.error(DecodeErrorKind::WrongValue, field);
    let value = r.u8(field)?;
    if holds(value) { Ok(value) } else { Err(error) }
}

/// Little-endian integers, ASCII, IEEE floats.
const PACKED_DREP: [u8; 4] = [0x10, 0, 0, 0];

/// Length of sec_trailer in bytes (MS-RPCE 2.2.2.11).
pub(crate) const SEC_TRAILER_LENGTH: usize = 8;

/// PTYPE (C706 12.6.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PacketType(pub u8);

impl PacketType {
    /// A call.
    pub const REQUEST: Self = Self(0);
    /// Its answer.
    pub const RESPONSE: Self = Self(2);
    /// Its failure.
    pub const FAULT: Self = Self(3);
    /// Opens an association.
    pub const BIND: Self = Self(11);
    /// Takes it.
    pub const BIND_ACK: Self = Self(12);
    /// Refuses it.
    pub const BIND_NAK: Self = Self(13);
    /// Adds a context, or carries the next token.
    pub const ALTER_CONTEXT: Self = Self(14);
    /// Its answer.
    pub const ALTER_CONTEXT_RESP: Self = Self(15);
    /// The last token where their number is odd (MS-RPCE 2.2.2.5).
    pub const AUTH3: Self = Self(16);
    /// Asks that a call be cancelled.
    pub const CO_CANCEL: Self = Self(18);
    /// Gives a call up.
    pub const ORPHANED: Self = Self(19);

    const fn is_known(self) -> bool {
        matches!(self.0, 0 | 2 | 3 | 11..=16 | 18 | 19)
    }
}

bitflags! {
    /// pfc_flags (C706 12.6.3.1, MS-RPCE 2.2.2.3).
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct PfcFlags: u8 {
        /// PFC_FIRST_FRAG.
        const FIRST_FRAG = 0x01;
        /// PFC_LAST_FRAG.
        const LAST_FRAG = 0x02;
        /// PFC_SUPPORT_HEADER_SIGN, in bind, alter_context and their answers. Elsewhere it is
        /// PFC_PENDING_CANCEL.
        const SUPPORT_HEADER_SIGN = 0x04;
        /// PFC_CONC_MPX: several calls at a time.
        const CONC_MPX = 0x10;
        /// PFC_DID_NOT_EXECUTE.
        const DID_NOT_EXECUTE = 0x20;
        /// PFC_OBJECT_UUID: the request names an object.
        const OBJECT_UUID = 0x80;
    }
}

impl PfcFlags {
    /// Of a PDU that is one fragment.
    pub const WHOLE: Self = Self::FIRST_FRAG.union(Self::LAST_FRAG);
}
