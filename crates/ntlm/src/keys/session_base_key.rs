//! SessionBaseKey: what both ends share once the response holds (MS-NLMP 3.3.1, 3.3.2).

use super::doc::{Input, KeyName, MessageField, NtlmVersion, RuleDoc};
use super::{Lmowfv1, Ntowfv1, ResponseKeyNt};
use crate::crypto::{hmac_md5, md4};
use crate::secret::secret_key;

secret_key! {
    /// `SessionBaseKey` (MS-NLMP 3.3.1, 3.3.2), 16 bytes: what a domain controller returns.
    SessionBaseKey, 16
}

/// Derives the NTLM v2 `SessionBaseKey`: `HMAC_MD5(ResponseKeyNT, NTProofStr)`, 16 bytes.
///
/// Under NTLM v2 it is also the `KeyExchangeKey`: KXKEY hands it through (3.4.5.1). For LMv2 alone,
/// the first 16 bytes of the LMv2 response stand for NTProofStr.
/// Specified in MS-NLMP 3.3.2, checked against the published value of 4.2.4.1.2.
#[must_use]
pub fn session_base_key_v2(
    response_key_nt: &ResponseKeyNt,
    nt_proof_str: &[u8; 16],
) -> SessionBaseKey {
    SessionBaseKey::new(hmac_md5(response_key_nt.expose(), &[nt_proof_str]))
}

/// Derives the NTLM v1 `SessionBaseKey`: `MD4(NTOWFv1)`, 16 bytes (MS-NLMP 3.3.1).
#[must_use]
pub fn session_base_key_v1(nt_hash: &Ntowfv1) -> SessionBaseKey {
    SessionBaseKey::new(md4([nt_hash.expose().as_slice()]))
}

/// Derives the `SessionBaseKey` of an LM response alone: `LMOWFv1[0..7] || Z(8)`, 16 bytes.
///
/// MS-NLMP does not give it; Windows 2000 does so (Davenport, "LM user session key").
#[must_use]
pub fn session_base_key_lm(lm_hash: &Lmowfv1) -> SessionBaseKey {
    let [a, b, c, d, e, f, g, h, ..] = *lm_hash.expose();
    SessionBaseKey::new([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0])
}

/// Which formula gives SessionBaseKey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionBaseKeyRule {
    /// NTLMv2.
    Ntlmv2,
    /// NTLMv1, with or without ESS.
    Ntlmv1,
    /// LM alone.
    Lm,
    /// LMv2 alone.
    Lmv2,
    /// Anonymous.
    Anonymous,
    /// Guest.
    Guest,
}

impl SessionBaseKeyRule {
    /// Every rule.
    pub const ALL: [Self; 6] =
        [Self::Ntlmv2, Self::Ntlmv1, Self::Lm, Self::Lmv2, Self::Anonymous, Self::Guest];

    /// The rule for a version.
    #[must_use]
    pub const fn choose(version: NtlmVersion) -> Self {
        match version {
            NtlmVersion::Ntlmv2 => Self::Ntlmv2,
            NtlmVersion::Ntlmv1 | NtlmVersion::Ntlmv1Ess => Self::Ntlmv1,
            NtlmVersion::Lm => Self::Lm,
            NtlmVersion::Lmv2 => Self::Lmv2,
            NtlmVersion::Anonymous => Self::Anonymous,
            NtlmVersion::Guest => Self::Guest,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::Ntlmv2 => RuleDoc {
                name: "Ntlmv2",
                condition: "NTLMv2",
                formula: "HMAC_MD5(ResponseKeyNT, NTProofStr)",
                inputs: &[Input::Key(KeyName::ResponseKeyNt), Input::Key(KeyName::NtProofStr)],
                length: 16,
                section: "MS-NLMP 3.3.2",
                computed_by: "client, and server or domain controller",
                beware: None,
            },
            Self::Ntlmv1 => RuleDoc {
                name: "Ntlmv1",
                condition: "NTLMv1, with or without ESS",
                formula: "MD4(NTOWFv1)",
                inputs: &[Input::Key(KeyName::NtowfV1)],
                length: 16,
                section: "MS-NLMP 3.3.1",
                computed_by: "client, and server or domain controller",
                beware: Some(
                    "The specification writes MD4(NTOWF); NTOWF is NTOWFv1 there. The key is the \
                     same in every session until the password changes.",
                ),
            },
            Self::Lm => RuleDoc {
                name: "Lm",
                condition: "an LM response and nothing else",
                formula: "LMOWFv1[0..7] || Z(8)",
                inputs: &[Input::Key(KeyName::Lmowf)],
                length: 16,
                section: "Davenport, LM user session key",
                computed_by: "client, and server or domain controller",
                beware: Some("Not in MS-NLMP; this is what Windows 2000 does."),
            },
            Self::Lmv2 => RuleDoc {
                name: "Lmv2",
                condition: "an LMv2 response and nothing else",
                formula: "HMAC_MD5(ResponseKeyNT, LMv2Response[0..15])",
                inputs: &[
                    Input::Key(KeyName::ResponseKeyNt),
                    Input::Field(MessageField::Lmv2Response),
                ],
                length: 16,
                section: "MS-NLMP 3.3.2",
                computed_by: "client, and server or domain controller",
                beware: Some(
                    "LMv2 covers neither AV_PAIRs nor timestamp, hence no MIC and no channel \
                     bindings.",
                ),
            },
            Self::Anonymous => RuleDoc {
                name: "Anonymous",
                condition: "anonymous",
                formula: "Z(16)",
                inputs: &[],
                length: 16,
                section: "MS-NLMP 3.2.5.1.2",
                computed_by: "client and server",
                beware: Some(
                    "Everyone knows this key, and every key that follows from it protects nothing.",
                ),
            },
            Self::Guest => RuleDoc {
                name: "Guest",
                condition: "guest",
                formula: "Z(16)",
                inputs: &[],
                length: 16,
                section: "MS-NLMP 3.2.5.1.2",
                computed_by: "server",
                beware: Some(
                    "The client cannot know that it became a guest and derives other keys; there \
                     is no session security.",
                ),
            },
        }
    }
}
