//! CHALLENGE_MESSAGE (MS-NLMP 2.2.1.2).

use super::{Message, TargetInfo, Version};
use crate::flags::NegotiateFlags;
use crate::wire::{DecodeError, DecodeErrorKind, Payload, Reader, Writer};
use alloc::vec::Vec;

/// `CHALLENGE_MESSAGE`: the server's nonce, and what it says of itself (MS-NLMP 2.2.1.2).
///
/// Headers of 32, 40, 48 and 56 bytes are seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeMessage<'a> {
    /// The server's realm, in the negotiated character set. May be empty.
    pub target_name: Payload<'a>,
    /// Unknown bits are kept, so what was decoded encodes to the same bytes.
    pub negotiate_flags: NegotiateFlags,
    /// The nonce that both responses are computed over.
    pub server_challenge: [u8; 8],
    /// Zero, or the context handle of a local call.
    pub reserved: Option<[u8; 8]>,
    /// Encoded `AV_PAIR` list; counts only with `NEGOTIATE_TARGET_INFO`.
    pub target_info: Option<Payload<'a>>,
    /// For display, never for decisions. `None` where the sender left it out.
    pub version: Option<Version>,
}

impl<'a> Message<'a> for ChallengeMessage<'a> {
    const TYPE: u32 = 2;

    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let target_name = r.payload("TargetName")?;
        let negotiate_flags = NegotiateFlags::from_bits_retain(r.u32("NegotiateFlags")?);
        let server_challenge = r.array("ServerChallenge")?;
        let reserved = r.optional_array("Reserved");
        let has_target_info = negotiate_flags.contains(NegotiateFlags::NEGOTIATE_TARGET_INFO);
        let target_info = r.optional_payload("TargetInfo", has_target_info)?;
        let version = r.optional_array("Version").map(Version::from_bytes);
        Ok(Self { target_name, negotiate_flags, server_challenge, reserved, target_info, version })
    }

    fn write(&self, w: &mut Writer<'a>) {
        w.payload(0, self.target_name);
        w.u32(self.negotiate_flags.bits());
        w.bytes(&self.server_challenge);
        w.optional_bytes(self.reserved.as_ref());
        w.optional_payload(1, self.target_info);
        w.optional_bytes(self.version.map(Version::to_bytes).as_ref());
    }
}

impl<'a> ChallengeMessage<'a> {
    /// The `AV_PAIR` list, where the flag says there is one and it is not empty.
    #[must_use]
    pub fn target_info(&self) -> Option<TargetInfo<'a>> {
        let in_force = self.negotiate_flags.contains(NegotiateFlags::NEGOTIATE_TARGET_INFO);
        let list = self.target_info.filter(|list| in_force && !list.is_empty())?;
        Some(TargetInfo::new(list.bytes()))
    }

    /// What a server may not send, though it can be shown.
    #[must_use]
    pub fn defects(&self) -> Vec<DecodeError> {
        let mut defects = Vec::new();
        let unicode = self.negotiate_flags.contains(NegotiateFlags::NEGOTIATE_UNICODE);
        if !self.negotiate_flags.has_charset() {
            let (kind, field) = (DecodeErrorKind::NoCharset, "NegotiateFlags");
            defects.push(DecodeError { kind, field, offset: 20 });
        }
        if unicode && !self.target_name.bytes().len().is_multiple_of(2) {
            let (kind, field) = (DecodeErrorKind::OddLength, "TargetName");
            defects.push(DecodeError { kind, field, offset: 12 });
        }
        if let Some(target_info) = self.target_info() {
            let base = self.target_info.and_then(|list| list.descriptor());
            let base = base.map_or(0, |received| received.buffer_offset);
            defects.extend(target_info.defects().map(|defect| defect.within(base)));
        }
        defects
    }
}
