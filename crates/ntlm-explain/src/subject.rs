//! What is judged: three messages, or the fields of SMB 1 without extended security. Both have a
//! challenge, responses and names, and the same rules hold for them.

use crate::carrier::BareExchange;
use ntlm::Exchange;
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{
    AccountSecret, Derivation, InvalidSessionKey, KeyExchange, KeySchedule, KeySource, NtlmVersion,
    Proof, ResponseKind, Responses,
};
use ntlm::message::{NtChallengeResponse, TargetInfo};
use ntlm::text::{Charset, CodePage, Utf16String};

/// What is judged.
pub(crate) enum Subject<'a> {
    /// CHALLENGE and AUTHENTICATE.
    Messages(&'a Exchange<'a>),
    /// Fields of SMB 1.
    Bare(Bare<'a>),
}

/// The fields of SMB 1, read.
pub(crate) struct Bare<'a> {
    server_challenge: [u8; 8],
    lm: &'a [u8],
    nt: &'a [u8],
    user: Utf16String,
    domain: Utf16String,
}

impl<'a> Bare<'a> {
    /// Reads the names; `None` if the challenge was not seen or a name has an odd length.
    pub(crate) fn new(bare: &'a BareExchange, code_page: CodePage) -> Option<Self> {
        let (user, domain) = names(bare, code_page)?;
        let server_challenge = bare.server_challenge.as_ref()?.bytes.as_slice().try_into().ok()?;
        Some(Self { server_challenge, lm: &bare.lm.bytes, nt: &bare.nt.bytes, user, domain })
    }
}

/// User and domain.
pub(crate) fn names(
    bare: &BareExchange,
    code_page: CodePage,
) -> Option<(Utf16String, Utf16String)> {
    let charset = if bare.unicode { Charset::Unicode } else { Charset::Oem(code_page) };
    let user = charset.decode(&bare.user.bytes).ok()?;
    let domain = charset.decode(&bare.domain.bytes).ok()?;
    Some((user, domain))
}

impl Subject<'_> {
    pub(crate) fn user(&self) -> &Utf16String {
        match self {
            Self::Messages(exchange) => exchange.user(),
            Self::Bare(bare) => &bare.user,
        }
    }

    pub(crate) fn domain(&self) -> &Utf16String {
        match self {
            Self::Messages(exchange) => exchange.domain(),
            Self::Bare(bare) => &bare.domain,
        }
    }

    pub(crate) fn responses(&self) -> Responses<'_> {
        match self {
            Self::Messages(exchange) => exchange.responses(),
            Self::Bare(bare) => Responses {
                server_challenge: bare.server_challenge,
                lm: bare.lm,
                nt: bare.nt,
                user: bare.user.as_units(),
                domain: bare.domain.as_units(),
                extended_session_security: false,
            },
        }
    }

    /// Whether the server knows the client as itself.
    pub(crate) fn is_local_call(&self) -> bool {
        match self {
            Self::Messages(exchange) => {
                exchange.challenge().negotiate_flags.contains(NegotiateFlags::LOCAL_CALL)
            }
            Self::Bare(_) => false,
        }
    }

    /// The version as far as lengths show it.
    pub(crate) fn apparent_version(&self) -> Option<NtlmVersion> {
        match self {
            Self::Messages(exchange) => exchange.apparent_version(),
            Self::Bare(_) => match self.responses().kind() {
                ResponseKind::Anonymous => Some(NtlmVersion::Anonymous),
                ResponseKind::Ntlmv2 => Some(NtlmVersion::Ntlmv2),
                ResponseKind::Ntlmv1Ess => Some(NtlmVersion::Ntlmv1Ess),
                ResponseKind::Ntlmv1 => Some(NtlmVersion::Ntlmv1),
                ResponseKind::LmField => Some(NtlmVersion::Lmv2),
                ResponseKind::Malformed => None,
            },
        }
    }

    /// The AV_PAIRs of an NTLMv2 response.
    pub(crate) fn client_target_info(&self) -> Option<TargetInfo<'_>> {
        match self {
            Self::Messages(exchange) => exchange.client_target_info(),
            Self::Bare(bare) => match NtChallengeResponse::decode(bare.nt) {
                Ok(NtChallengeResponse::Ntlmv2(response)) => Some(response.target_info()),
                _ => None,
            },
        }
    }

    /// Checks the responses.
    pub(crate) fn prove(&self, secret: &AccountSecret) -> Option<Proof> {
        self.responses().verify(secret)
    }

    /// Derives every key. Without messages nothing is negotiated and no key is exchanged.
    pub(crate) fn keys(&self, source: KeySource) -> Result<KeySchedule, InvalidSessionKey> {
        match self {
            Self::Messages(exchange) => exchange.keys(source),
            Self::Bare(bare) => {
                let flags = NegotiateFlags::empty();
                Ok(KeySchedule::derive(Derivation {
                    negotiate_flags: flags,
                    server_challenge: bare.server_challenge,
                    lm_challenge_response: bare.lm,
                    source,
                    key_exchange: KeyExchange::received(flags, &[])?,
                }))
            }
        }
    }
}
