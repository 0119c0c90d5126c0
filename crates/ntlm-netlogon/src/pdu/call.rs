//! request, response, fault, auth3 (C706 12.6.4, MS-RPCE 2.2.2.5).

use super::header::PfcFlags;
use super::syntax::Uuid;
use crate::error::DecodeError;
use crate::wire::{Reader, Writer};

/// The body of a request: one fragment of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// How many bytes of stub are still to come; a hint.
    pub alloc_hint: u32,
    /// p_cont_id: which presentation context.
    pub context_id: u16,
    /// Which method.
    pub opnum: u16,
    /// The object, where PFC_OBJECT_UUID says that there is one.
    pub object: Option<Uuid>,
    /// Stub data without padding; sealed until it is unsealed.
    pub stub: &'a [u8],
}

impl<'a> Request<'a> {
    pub(crate) fn read(r: &mut Reader<'a>, flags: PfcFlags) -> Result<Self, DecodeError> {
        let alloc_hint = r.u32("alloc_hint")?;
        let context_id = r.u16("p_cont_id")?;
        let opnum = r.u16("opnum")?;
        let object = match flags.contains(PfcFlags::OBJECT_UUID) {
            true => Some(Uuid(r.array("object")?)),
            false => None,
        };
        Ok(Self { alloc_hint, context_id, opnum, object, stub: r.rest() })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u32(self.alloc_hint);
        w.u16(self.context_id);
        w.u16(self.opnum);
        if let Some(object) = self.object {
            w.bytes(&object.0);
        }
        w.bytes(self.stub);
    }
}

/// The body of a response: one fragment of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// How many bytes of stub are still to come; a hint.
    pub alloc_hint: u32,
    /// p_cont_id: which presentation context.
    pub context_id: u16,
    /// How many cancels the server has got.
    pub cancel_count: u8,
    /// Stub data without padding; sealed until it is unsealed.
    pub stub: &'a [u8],
}

impl<'a> Response<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let alloc_hint = r.u32("alloc_hint")?;
        let context_id = r.u16("p_cont_id")?;
        let cancel_count = r.u8("cancel_count")?;
        r.u8("reserved")?;
        Ok(Self { alloc_hint, context_id, cancel_count, stub: r.rest() })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u32(self.alloc_hint);
        w.u16(self.context_id);
        w.u8(self.cancel_count);
        w.u8(0);
        w.bytes(self.stub);
    }
}

/// The body of a fault: the call failed before its method could say how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault<'a> {
    /// A hint of no use.
    pub alloc_hint: u32,
    /// p_cont_id: which presentation context.
    pub context_id: u16,
    /// How many cancels the server has got.
    pub cancel_count: u8,
    /// 1 if more is said in `stub` (MS-RPCE 2.2.2.7).
    pub flags: u8,
    /// Why.
    pub status: FaultStatus,
    /// What follows, and is hardly ever there.
    pub stub: &'a [u8],
}

impl<'a> Fault<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let alloc_hint = r.u32("alloc_hint")?;
        let context_id = r.u16("p_cont_id")?;
        let cancel_count = r.u8("cancel_count")?;
        let flags = r.u8("reserved")?;
        let status = FaultStatus(r.u32("status")?);
        r.u32("reserved2")?;
        Ok(Self { alloc_hint, context_id, cancel_count, flags, status, stub: r.rest() })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u32(self.alloc_hint);
        w.u16(self.context_id);
        w.u8(self.cancel_count);
        w.u8(self.flags);
        w.u32(self.status.0);
        w.u32(0);
        w.bytes(self.stub);
    }
}

/// Why a call failed (C706 appendix N, MS-RPCE 2.2.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FaultStatus(pub u32);

impl FaultStatus {
    /// ERROR_ACCESS_DENIED.
    pub const ACCESS_DENIED: Self = Self(5);
    /// RPC_X_BAD_STUB_DATA.
    pub const BAD_STUB_DATA: Self = Self(0x6f7);
    /// RPC_S_SEC_PKG_ERROR.
    pub const SEC_PKG_ERROR: Self = Self(0x721);
    /// nca_s_op_rng_error: no such method.
    pub const OP_RANGE_ERROR: Self = Self(0x1c01_0002);
    /// nca_s_unk_if: no such interface.
    pub const UNKNOWN_INTERFACE: Self = Self(0x1c01_0003);
}

impl core::fmt::Display for FaultStatus {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match *self {
            Self::ACCESS_DENIED => "access denied",
            Self::BAD_STUB_DATA => "bad stub data",
            Self::SEC_PKG_ERROR => "security package error",
            Self::OP_RANGE_ERROR => "no such method",
            Self::UNKNOWN_INTERFACE => "no such interface",
            Self(status) => return write!(f, "0x{status:08x}"),
        })
    }
}

/// The body of auth3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auth3 {
    /// Four bytes that nobody reads.
    pub pad: [u8; 4],
}

impl Auth3 {
    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { pad: r.array("pad")? })
    }
}
