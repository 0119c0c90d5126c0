//! ComputeResponse: what a client sends to prove that it knows the password
//! (MS-NLMP 3.3.1, 3.3.2).

use super::doc::{Input, KeyName, MessageField, NtlmVersion, RuleDoc};
use super::{Lmowfv1, Ntowfv1, ResponseKeyLm, ResponseKeyNt};
use crate::crypto::{desl, first_8, hmac_md5, md5};

/// The LM response: `DESL(ResponseKeyLM, ServerChallenge)`, 24 bytes (MS-NLMP 3.3.1).
#[must_use]
pub fn lm_challenge_response_v1(lm_hash: &Lmowfv1, server_challenge: [u8; 8]) -> [u8; 24] {
    desl(lm_hash.expose(), server_challenge)
}

/// The NTLM v1 response: `DESL(ResponseKeyNT, ServerChallenge)`, 24 bytes (MS-NLMP 3.3.1).
#[must_use]
pub fn nt_challenge_response_v1(nt_hash: &Ntowfv1, server_challenge: [u8; 8]) -> [u8; 24] {
    desl(nt_hash.expose(), server_challenge)
}

/// The NTLM v1 response with extended session security:
/// `DESL(ResponseKeyNT, MD5(ServerChallenge || ClientChallenge)[0..7])`, 24 bytes (MS-NLMP 3.3.1).
#[must_use]
pub fn nt_challenge_response_v1_ess(
    nt_hash: &Ntowfv1,
    server_challenge: [u8; 8],
    client_challenge: [u8; 8],
) -> [u8; 24] {
    let challenge = challenge_for_domain_controller(
        DomainControllerChallengeRule::BothChallenges,
        server_challenge,
        client_challenge,
    );
    desl(nt_hash.expose(), challenge)
}

/// NTProofStr: `HMAC_MD5(ResponseKeyNT, ServerChallenge || temp)`, 16 bytes (MS-NLMP 3.3.2).
///
/// `temp` is the encoded `NTLMv2_CLIENT_CHALLENGE`; to verify, the bytes exactly as received.
#[must_use]
pub fn nt_proof_str(
    response_key_nt: &ResponseKeyNt,
    server_challenge: [u8; 8],
    temp: &[u8],
) -> [u8; 16] {
    hmac_md5(response_key_nt.expose(), &[&server_challenge, temp])
}

/// The LMv2 response: `HMAC_MD5(ResponseKeyLM, ServerChallenge || ClientChallenge) ||
/// ClientChallenge`, 24 bytes (MS-NLMP 3.3.2).
///
/// MS-NLMP 2.2.2.4 puts ResponseKeyLM into the input as well; 3.3.2 and every vector do not.
#[must_use]
pub fn lm_challenge_response_v2(
    response_key_lm: &ResponseKeyLm,
    server_challenge: [u8; 8],
    client_challenge: [u8; 8],
) -> [u8; 24] {
    let proof = hmac_md5(response_key_lm.expose(), &[&server_challenge, &client_challenge]);
    let mut response = [0; 24];
    let parts = proof.iter().chain(&client_challenge);
    response.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
    response
}

/// The challenge that a domain controller must be given to judge a response (MS-APDS 3.1.5).
#[must_use]
pub fn challenge_for_domain_controller(
    rule: DomainControllerChallengeRule,
    server_challenge: [u8; 8],
    client_challenge: [u8; 8],
) -> [u8; 8] {
    match rule {
        DomainControllerChallengeRule::BothChallenges => {
            first_8(&md5(&[&server_challenge, &client_challenge]))
        }
        DomainControllerChallengeRule::ServerChallenge => server_challenge,
    }
}

/// Which challenge a domain controller must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DomainControllerChallengeRule {
    /// NTLMv1 with ESS: the one that DES was applied to.
    BothChallenges,
    /// Every other version: the one on the wire.
    ServerChallenge,
}

impl DomainControllerChallengeRule {
    /// Every rule.
    pub const ALL: [Self; 2] = [Self::BothChallenges, Self::ServerChallenge];

    /// The rule for a version.
    #[must_use]
    pub const fn choose(version: NtlmVersion) -> Self {
        match version {
            NtlmVersion::Ntlmv1Ess => Self::BothChallenges,
            _ => Self::ServerChallenge,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::BothChallenges => RuleDoc {
                name: "BothChallenges",
                condition: "NTLMv1 with ESS",
                formula: "MD5(ServerChallenge || LmChallengeResponse[0..7])[0..7]",
                inputs: &[
                    Input::Field(MessageField::ServerChallenge),
                    Input::Field(MessageField::LmChallengeResponse8),
                ],
                length: 8,
                section: "MS-APDS 3.1.5, MS-NLMP 3.3.1",
                computed_by: "server",
                beware: Some(
                    "Not the challenge that was sent to the client: with that one the domain \
                     controller answers STATUS_WRONG_PASSWORD. The key it returns is the plain \
                     NTLMv1 SessionBaseKey, which the server still puts through KXKEY.",
                ),
            },
            Self::ServerChallenge => RuleDoc {
                name: "ServerChallenge",
                condition: "every other version",
                formula: "ServerChallenge",
                inputs: &[Input::Field(MessageField::ServerChallenge)],
                length: 8,
                section: "MS-APDS 3.1.5",
                computed_by: "server",
                beware: None,
            },
        }
    }
}

/// What ResponseKeyNT is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResponseKeyNtRule {
    /// NTOWFv2, for NTLMv2 and LMv2.
    Ntowfv2,
    /// NTOWFv1, for NTLMv1 with and without ESS.
    Ntowfv1,
    /// LM alone, anonymous and guest have none.
    NotUsed,
}

impl ResponseKeyNtRule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::Ntowfv2, Self::Ntowfv1, Self::NotUsed];

    /// The rule for a version.
    #[must_use]
    pub const fn choose(version: NtlmVersion) -> Self {
        match version {
            NtlmVersion::Ntlmv2 | NtlmVersion::Lmv2 => Self::Ntowfv2,
            NtlmVersion::Ntlmv1 | NtlmVersion::Ntlmv1Ess => Self::Ntowfv1,
            NtlmVersion::Lm | NtlmVersion::Anonymous | NtlmVersion::Guest => Self::NotUsed,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::Ntowfv2 => RuleDoc {
                name: "Ntowfv2",
                condition: "NTLMv2 or LMv2",
                formula: "NTOWFv2",
                inputs: &[Input::Key(KeyName::NtowfV2)],
                length: 16,
                section: "MS-NLMP 3.3.2",
                computed_by: "client, server, domain controller",
                beware: None,
            },
            Self::Ntowfv1 => RuleDoc {
                name: "Ntowfv1",
                condition: "NTLMv1, with or without ESS",
                formula: "NTOWFv1",
                inputs: &[Input::Key(KeyName::NtowfV1)],
                length: 16,
                section: "MS-NLMP 3.3.1",
                computed_by: "client, server, domain controller",
                beware: None,
            },
            Self::NotUsed => RuleDoc {
                name: "NotUsed",
                condition: "LM alone, anonymous or guest",
                formula: "none",
                inputs: &[],
                length: 0,
                section: "MS-NLMP 3.3.1",
                computed_by: "nobody",
                beware: None,
            },
        }
    }
}

/// What ResponseKeyLM is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResponseKeyLmRule {
    /// LMOWFv2, which is NTOWFv2.
    Lmowfv2,
    /// LMOWFv1.
    Lmowfv1,
    /// NTLMv1 with ESS, anonymous, guest, or no LM hash.
    NotUsed,
}

impl ResponseKeyLmRule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::Lmowfv2, Self::Lmowfv1, Self::NotUsed];

    /// The rule for a version, and whether there is an LM hash.
    #[must_use]
    pub const fn choose(version: NtlmVersion, has_lm_hash: bool) -> Self {
        match version {
            NtlmVersion::Ntlmv2 | NtlmVersion::Lmv2 => Self::Lmowfv2,
            NtlmVersion::Lm | NtlmVersion::Ntlmv1 if has_lm_hash => Self::Lmowfv1,
            _ => Self::NotUsed,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::Lmowfv2 => RuleDoc {
                name: "Lmowfv2",
                condition: "NTLMv2 or LMv2",
                formula: "LMOWFv2 = NTOWFv2",
                inputs: &[Input::Key(KeyName::NtowfV2)],
                length: 16,
                section: "MS-NLMP 3.3.2",
                computed_by: "client, server, domain controller",
                beware: Some(
                    "MS-NLMP 2.2.2.4 puts it into the data of the LMv2 HMAC as well; 3.3.2, which \
                     is right, uses it as key only.",
                ),
            },
            Self::Lmowfv1 => RuleDoc {
                name: "Lmowfv1",
                condition: "LM, or NTLMv1 without ESS, and there is an LM hash",
                formula: "LMOWFv1",
                inputs: &[Input::Key(KeyName::Lmowf)],
                length: 16,
                section: "MS-NLMP 3.3.1",
                computed_by: "client, server, domain controller",
                beware: Some(
                    "With NoLMResponseNTLMv1, the default, the LM field repeats the NT response \
                     instead.",
                ),
            },
            Self::NotUsed => RuleDoc {
                name: "NotUsed",
                condition: "NTLMv1 with ESS, anonymous, guest, or no LM hash",
                formula: "none",
                inputs: &[],
                length: 0,
                section: "MS-NLMP 3.3.1",
                computed_by: "nobody",
                beware: Some("With ESS the LM field holds ClientChallenge and 16 zeros."),
            },
        }
    }
}

/// Whether there is an NTProofStr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NtProofStrRule {
    /// NTLMv2.
    Ntlmv2,
    /// Every other version.
    NotUsed,
}

impl NtProofStrRule {
    /// Every rule.
    pub const ALL: [Self; 2] = [Self::Ntlmv2, Self::NotUsed];

    /// The rule for a version.
    #[must_use]
    pub const fn choose(version: NtlmVersion) -> Self {
        match version {
            NtlmVersion::Ntlmv2 => Self::Ntlmv2,
            _ => Self::NotUsed,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::Ntlmv2 => RuleDoc {
                name: "Ntlmv2",
                condition: "NTLMv2",
                formula: "HMAC_MD5(ResponseKeyNT, ServerChallenge || temp)",
                inputs: &[
                    Input::Key(KeyName::ResponseKeyNt),
                    Input::Field(MessageField::ServerChallenge),
                    Input::Field(MessageField::Temp),
                ],
                length: 16,
                section: "MS-NLMP 3.3.2",
                computed_by: "client, server, domain controller",
                beware: Some(
                    "temp is what stands behind NTProofStr, exactly as received: the AV_PAIR list \
                     with MsvAvEOL, four zeros, and whatever else the client put there.",
                ),
            },
            Self::NotUsed => RuleDoc {
                name: "NotUsed",
                condition: "any other version",
                formula: "none",
                inputs: &[],
                length: 0,
                section: "MS-NLMP 3.3.1",
                computed_by: "nobody",
                beware: None,
            },
        }
    }
}
