//! NEGOTIATE_MESSAGE (MS-NLMP 2.2.1.1).

use super::{Message, Version};
use crate::flags::NegotiateFlags;
use crate::wire::{DecodeError, DecodeErrorKind, Payload, Reader, Writer};
use alloc::vec::Vec;

/// `NEGOTIATE_MESSAGE`: what the client offers (MS-NLMP 2.2.1.1).
///
/// 16 bytes from Windows 9x, 32 from Windows NT 4 and curl, 40 today.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NegotiateMessage<'a> {
    /// What the client offers.
    pub negotiate_flags: NegotiateFlags,
    /// OEM characters; counts only with `NEGOTIATE_OEM_DOMAIN_SUPPLIED`.
    pub domain_name: Option<Payload<'a>>,
    /// OEM characters; counts only with `NEGOTIATE_OEM_WORKSTATION_SUPPLIED`.
    pub workstation: Option<Payload<'a>>,
    /// `None` where the sender left it out.
    pub version: Option<Version>,
}

impl<'a> Message<'a> for NegotiateMessage<'a> {
    const TYPE: u32 = 1;

    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let negotiate_flags = NegotiateFlags::from_bits_retain(r.u32("NegotiateFlags")?);
        let has_domain = negotiate_flags.contains(NegotiateFlags::NEGOTIATE_OEM_DOMAIN_SUPPLIED);
        let has_workstation =
            negotiate_flags.contains(NegotiateFlags::NEGOTIATE_OEM_WORKSTATION_SUPPLIED);
        let domain_name = r.optional_payload("DomainName", has_domain)?;
        let workstation = r.optional_payload("Workstation", has_workstation)?;
        let version = r.optional_array("Version").map(Version::from_bytes);
        Ok(Self { negotiate_flags, domain_name, workstation, version })
    }

    fn write(&self, w: &mut Writer<'a>) {
        w.u32(self.negotiate_flags.bits());
        w.optional_payload(0, self.domain_name);
        w.optional_payload(1, self.workstation);
        w.optional_bytes(self.version.map(Version::to_bytes).as_ref());
    }
}

impl NegotiateMessage<'_> {
    /// What a client may not send, though it can be shown.
    #[must_use]
    pub fn defects(&self) -> Vec<DecodeError> {
        let mut defects = Vec::new();
        if !self.negotiate_flags.has_charset() {
            let (kind, field) = (DecodeErrorKind::NoCharset, "NegotiateFlags");
            defects.push(DecodeError { kind, field, offset: 12 });
        }
        defects
    }
}
