//! The messages of one exchange, and what they come to under a secret: the same for a server that
//! judges and for an observer who explains.

use crate::crypto::equal;
use crate::flags::NegotiateFlags;
use crate::keys::{
    AccountSecret, Derivation, ExportedSessionKey, InvalidSessionKey, KeyExchange, KeySchedule,
    KeySource, MicRule, NtlmVersion, Proof, ResponseKind, Responses, mic,
};
use crate::message::{
    AuthenticateMessage, ChallengeMessage, Message, NtChallengeResponse, TargetInfo,
};
use crate::text::{Charset, CodePage, Utf16String};
use crate::wire::{DecodeError, DecodeErrorKind};
use core::fmt;

/// CHALLENGE and AUTHENTICATE of one exchange, with NEGOTIATE where it was seen.
///
/// `Debug` leaves the messages out: whoever has them can guess at the password.
#[derive(Clone)]
pub struct Exchange<'a> {
    negotiate: Option<&'a [u8]>,
    challenge_bytes: &'a [u8],
    authenticate_bytes: &'a [u8],
    challenge: ChallengeMessage<'a>,
    authenticate: AuthenticateMessage<'a>,
    user: Utf16String,
    domain: Utf16String,
    workstation: Utf16String,
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("user", &self.user)
            .field("domain", &self.domain)
            .field("flags", &self.negotiate_flags())
            .finish_non_exhaustive()
    }
}

/// What a MIC or a response comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Check {
    /// It holds.
    Valid,
    /// It does not.
    Invalid,
    /// There is none.
    Absent,
    /// Something that is needed to check it is missing.
    Unchecked,
}

impl<'a> Exchange<'a> {
    /// Takes the messages exactly as they were sent; `code_page` is for peers without Unicode.
    ///
    /// # Errors
    ///
    /// CHALLENGE or AUTHENTICATE cannot be decoded, or a Unicode name has an odd length.
    pub fn decode(
        negotiate: Option<&'a [u8]>,
        challenge_bytes: &'a [u8],
        authenticate_bytes: &'a [u8],
        code_page: CodePage,
    ) -> Result<Self, DecodeError> {
        let challenge = ChallengeMessage::decode(challenge_bytes)?;
        let (authenticate, fields) = AuthenticateMessage::decode_with_fields(authenticate_bytes)?;
        let flags = authenticate.negotiate_flags.unwrap_or(challenge.negotiate_flags);
        let charset = if flags.contains(NegotiateFlags::NEGOTIATE_UNICODE) {
            Charset::Unicode
        } else {
            Charset::Oem(code_page)
        };
        let name = |field: &'static str, bytes| {
            charset.decode(bytes).map_err(|_| DecodeError {
                kind: DecodeErrorKind::OddLength,
                field,
                offset: fields.span(field).map_or(0, |span| span.offset),
            })
        };
        let user = name("UserName", authenticate.user_name.bytes())?;
        let domain = name("DomainName", authenticate.domain_name.bytes())?;
        let workstation = name("Workstation", authenticate.workstation.bytes())?;
        Ok(Self {
            negotiate,
            challenge_bytes,
            authenticate_bytes,
            challenge,
            authenticate,
            user,
            domain,
            workstation,
        })
    }

    /// CHALLENGE, decoded.
    #[must_use]
    pub const fn challenge(&self) -> &ChallengeMessage<'a> {
        &self.challenge
    }

    /// AUTHENTICATE, decoded.
    #[must_use]
    pub const fn authenticate(&self) -> &AuthenticateMessage<'a> {
        &self.authenticate
    }

    /// UserName.
    #[must_use]
    pub const fn user(&self) -> &Utf16String {
        &self.user
    }

    /// DomainName, exactly as sent.
    #[must_use]
    pub const fn domain(&self) -> &Utf16String {
        &self.domain
    }

    /// Workstation.
    #[must_use]
    pub const fn workstation(&self) -> &Utf16String {
        &self.workstation
    }

    /// Whether it is the connectionless mode: AUTHENTICATE says so.
    #[must_use]
    pub fn is_connectionless(&self) -> bool {
        self.authenticate
            .negotiate_flags
            .is_some_and(|flags| flags.contains(NegotiateFlags::NEGOTIATE_DATAGRAM))
    }

    /// The flags in force: what AUTHENTICATE keeps of CHALLENGE, so that it cannot add any;
    /// AUTHENTICATE's own for datagrams, where the client concludes; CHALLENGE's where
    /// AUTHENTICATE has none (Windows 9x).
    #[must_use]
    pub fn negotiate_flags(&self) -> NegotiateFlags {
        match self.authenticate.negotiate_flags {
            Some(flags) if self.is_connectionless() => flags,
            Some(flags) => {
                let anonymous = flags.intersection(NegotiateFlags::ANONYMOUS);
                self.challenge.negotiate_flags.intersection(flags).union(anonymous)
            }
            None => self.challenge.negotiate_flags,
        }
    }

    /// The responses, with what they were computed over.
    #[must_use]
    pub fn responses(&self) -> Responses<'_> {
        Responses {
            server_challenge: self.challenge.server_challenge,
            lm: self.authenticate.lm_challenge_response.bytes(),
            nt: self.authenticate.nt_challenge_response.bytes(),
            user: self.user.as_units(),
            domain: self.domain.as_units(),
            extended_session_security: self
                .negotiate_flags()
                .contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY),
        }
    }

    /// The version, as far as lengths show it; `None` where they fit none. An LM field alone counts
    /// as LMv2 until a secret shows it to be LM.
    #[must_use]
    pub fn apparent_version(&self) -> Option<NtlmVersion> {
        match self.responses().kind() {
            ResponseKind::Anonymous => Some(NtlmVersion::Anonymous),
            ResponseKind::Ntlmv2 => Some(NtlmVersion::Ntlmv2),
            ResponseKind::Ntlmv1Ess => Some(NtlmVersion::Ntlmv1Ess),
            ResponseKind::Ntlmv1 => Some(NtlmVersion::Ntlmv1),
            ResponseKind::LmField => Some(NtlmVersion::Lmv2),
            ResponseKind::Malformed => None,
        }
    }

    /// The AV_PAIRs that the client sent back inside an NTLMv2 response.
    #[must_use]
    pub fn client_target_info(&self) -> Option<TargetInfo<'a>> {
        match self.authenticate.nt_challenge_response() {
            Ok(NtChallengeResponse::Ntlmv2(response)) => Some(response.target_info()),
            _ => None,
        }
    }

    /// Whether every AV_PAIR of CHALLENGE came back unchanged; MsvAvFlags may have gained bits.
    #[must_use]
    pub fn target_info_is_echoed(&self) -> bool {
        use crate::message::AvId;
        let (Some(sent), Some(back)) = (self.challenge.target_info(), self.client_target_info())
        else {
            return self.challenge.target_info().is_none();
        };
        sent.pairs().map_while(Result::ok).all(|pair| match pair.id {
            AvId::EOL | AvId::FLAGS => true,
            id => back.get(id) == Some(pair.value),
        })
    }

    /// Which rule the MIC follows.
    #[must_use]
    pub fn mic_rule(&self) -> MicRule {
        MicRule::choose(self.authenticate.announces_mic(), self.is_connectionless())
    }

    /// The challenge that a domain controller must be given for these responses.
    #[must_use]
    pub fn challenge_for_domain_controller(&self) -> [u8; 8] {
        use crate::keys::{DomainControllerChallengeRule, challenge_for_domain_controller};
        let version = self.apparent_version().unwrap_or(NtlmVersion::Ntlmv1);
        challenge_for_domain_controller(
            DomainControllerChallengeRule::choose(version),
            self.challenge.server_challenge,
            self.responses().client_challenge(),
        )
    }

    /// Checks the responses under a secret.
    #[must_use]
    pub fn prove(&self, secret: &AccountSecret) -> Option<Proof> {
        self.responses().verify(secret)
    }

    /// Derives every key from what was proved or is known.
    ///
    /// # Errors
    ///
    /// A key is exchanged, but the field does not have 16 bytes.
    pub fn keys(&self, source: KeySource) -> Result<KeySchedule, InvalidSessionKey> {
        let key = self.authenticate.encrypted_random_session_key;
        let flags = self.negotiate_flags();
        Ok(KeySchedule::derive(Derivation {
            negotiate_flags: flags,
            server_challenge: self.challenge.server_challenge,
            lm_challenge_response: self.authenticate.lm_challenge_response.bytes(),
            source,
            key_exchange: KeyExchange::received(flags, key.map_or(&[], |key| key.bytes()))?,
        }))
    }

    /// Checks the MIC.
    #[must_use]
    pub fn check_mic(&self, exported_session_key: &ExportedSessionKey) -> Check {
        let negotiate = match (self.mic_rule(), self.negotiate) {
            (MicRule::NotAnnounced, _) => return Check::Absent,
            (MicRule::ThreeMessages, None) => return Check::Unchecked,
            (MicRule::ThreeMessages, Some(negotiate)) => Some(negotiate),
            (MicRule::Connectionless, _) => None,
        };
        let Some(received) = self.authenticate.mic else {
            return Check::Invalid;
        };
        let expected = mic(
            exported_session_key,
            negotiate,
            self.challenge_bytes,
            self.authenticate_bytes,
            AuthenticateMessage::MIC_RANGE,
        );
        if equal(&received, &expected) { Check::Valid } else { Check::Invalid }
    }
}
