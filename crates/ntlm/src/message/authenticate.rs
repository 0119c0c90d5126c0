//! AUTHENTICATE_MESSAGE (MS-NLMP 2.2.1.3).

use super::{Message, NtChallengeResponse, Version};
use crate::flags::NegotiateFlags;
use crate::wire::{DecodeError, DecodeErrorKind, Payload, Reader, Writer};
use alloc::vec::Vec;

/// `AUTHENTICATE_MESSAGE`: who the client is, and the proof (MS-NLMP 2.2.1.3).
///
/// Headers of 52 (Windows 9x), 64, 72 and 88 bytes are seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticateMessage<'a> {
    /// An LM, LMv2 or client-challenge field of 24 bytes; 1 byte for anonymous; or empty.
    pub lm_challenge_response: Payload<'a>,
    /// 24 bytes for NTLMv1, 48 and more for NTLMv2, or empty.
    pub nt_challenge_response: Payload<'a>,
    /// In the negotiated character set. NTOWFv2 takes it exactly as it stands here.
    pub domain_name: Payload<'a>,
    /// In the negotiated character set.
    pub user_name: Payload<'a>,
    /// The client's own name, in the negotiated character set.
    pub workstation: Payload<'a>,
    /// 16 bytes with `NEGOTIATE_KEY_EXCH` and SIGN or SEAL. `None` in a header of 52 bytes.
    pub encrypted_random_session_key: Option<Payload<'a>>,
    /// What the client settled on. `None` in a header of 52 bytes.
    pub negotiate_flags: Option<NegotiateFlags>,
    /// `None` where the sender left it out.
    pub version: Option<Version>,
    /// The 16 bytes at offset 72, whether or not MsvAvFlags announces a MIC there.
    pub mic: Option<[u8; 16]>,
}

impl<'a> Message<'a> for AuthenticateMessage<'a> {
    const TYPE: u32 = 3;

    fn read(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let lm_challenge_response = r.payload("LmChallengeResponse")?;
        let nt_challenge_response = r.payload("NtChallengeResponse")?;
        let domain_name = r.payload("DomainName")?;
        let user_name = r.payload("UserName")?;
        let workstation = r.payload("Workstation")?;
        let key_field = "EncryptedRandomSessionKey";
        let key_descriptor = r.optional_descriptor(key_field)?;
        let negotiate_flags =
            r.optional_u32("NegotiateFlags").map(NegotiateFlags::from_bits_retain);
        let has_key =
            negotiate_flags.is_some_and(|flags| flags.contains(NegotiateFlags::NEGOTIATE_KEY_EXCH));
        let encrypted_random_session_key = match key_descriptor {
            Some((descriptor, at)) => Some(r.resolve(key_field, descriptor, at, has_key)?),
            None => None,
        };
        let version = r.optional_array("Version").map(Version::from_bytes);
        let mic = r.optional_array("MIC");
        Ok(Self {
            lm_challenge_response,
            nt_challenge_response,
            domain_name,
            user_name,
            workstation,
            encrypted_random_session_key,
            negotiate_flags,
            version,
            mic,
        })
    }

    fn write(&self, w: &mut Writer<'a>) {
        w.payload(3, self.lm_challenge_response);
        w.payload(4, self.nt_challenge_response);
        w.payload(0, self.domain_name);
        w.payload(1, self.user_name);
        w.payload(2, self.workstation);
        w.optional_payload(5, self.encrypted_random_session_key);
        w.optional_bytes(self.negotiate_flags.map(|flags| flags.bits().to_le_bytes()).as_ref());
        w.optional_bytes(self.version.map(Version::to_bytes).as_ref());
        w.optional_bytes(self.mic.as_ref());
    }
}

impl<'a> AuthenticateMessage<'a> {
    /// Where a MIC stands if there is one: whatever the flags say of VERSION (MS-NLMP 2.2.1.3).
    pub const MIC_RANGE: core::ops::Range<usize> = 72..88;

    /// The NT response by its length (MS-NLMP 3.2.5.1.2).
    ///
    /// # Errors
    ///
    /// A length that no response has, or a damaged NTLMv2 response.
    pub fn nt_challenge_response(&self) -> Result<NtChallengeResponse<'a>, DecodeError> {
        NtChallengeResponse::decode(self.nt_challenge_response.bytes())
            .map_err(|error| error.within(self.nt_offset()))
    }

    /// Whether MsvAvFlags inside the NTLMv2 response says that a MIC is present.
    #[must_use]
    pub fn announces_mic(&self) -> bool {
        match self.nt_challenge_response() {
            Ok(NtChallengeResponse::Ntlmv2(response)) => {
                response.target_info().flags().is_some_and(|flags| flags.mic_present())
            }
            _ => false,
        }
    }

    /// What a client may not send, though it can be shown. `charset` flags come from CHALLENGE
    /// where this message has none of its own.
    #[must_use]
    pub fn defects(&self) -> Vec<DecodeError> {
        let mut defects = Vec::new();
        if self.negotiate_flags.is_some_and(|flags| !flags.has_charset()) {
            let (kind, field) = (DecodeErrorKind::NoCharset, "NegotiateFlags");
            defects.push(DecodeError { kind, field, offset: 60 });
        }
        let flags = self.negotiate_flags.unwrap_or(NegotiateFlags::empty());
        if flags.contains(NegotiateFlags::NEGOTIATE_UNICODE) {
            let names = [
                ("DomainName", self.domain_name, 28),
                ("UserName", self.user_name, 36),
                ("Workstation", self.workstation, 44),
            ];
            let odd = names.iter().filter(|(_, name, _)| name.bytes().len() % 2 != 0);
            defects.extend(odd.map(|(field, _, offset)| DecodeError {
                kind: DecodeErrorKind::OddLength,
                field,
                offset: *offset,
            }));
        }
        match self.nt_challenge_response() {
            Err(error) => defects.push(error),
            Ok(NtChallengeResponse::Ntlmv2(response)) => {
                let base = self.nt_offset().saturating_add(44);
                defects.extend(response.target_info().defects().map(|defect| defect.within(base)));
            }
            Ok(_) => {}
        }
        if self.announces_mic() && self.mic.is_none() {
            let (kind, field) = (DecodeErrorKind::NoRoomForMic, "MIC");
            defects.push(DecodeError { kind, field, offset: Self::MIC_RANGE.start });
        }
        defects
    }

    fn nt_offset(&self) -> u32 {
        self.nt_challenge_response.descriptor().map_or(0, |received| received.buffer_offset)
    }
}
