//! What a client sends, by the rule that its policy and the server's CHALLENGE choose
//! (MS-NLMP 3.3.1, 3.3.2).

use super::doc::{Input, KeyName, MessageField, NtlmVersion, RuleDoc};
use super::verify::{Proved, Responses};
use super::{
    AccountSecret, Ntowfv2Rule, Proof, lm_challenge_response_v1, lm_challenge_response_v2,
    lmowf_v2, nt_challenge_response_v1, nt_challenge_response_v1_ess, nt_proof_str, ntowf_v2,
};
use alloc::vec::Vec;
use core::fmt;

/// Which responses a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResponseRule {
    /// NTLMv2, and 24 zeros in the LM field: the CHALLENGE had a timestamp.
    Ntlmv2,
    /// NTLMv2 and LMv2: the CHALLENGE had no timestamp.
    Ntlmv2AndLmv2,
    /// NTLMv2 and an empty LM field: datagram, and the CHALLENGE had TargetInfo.
    Ntlmv2Alone,
    /// NTLMv1 with extended session security.
    Ntlmv1Ess,
    /// NTLMv1 in both fields (NoLMResponseNTLMv1), also where there is no LM hash.
    Ntlmv1,
    /// NTLMv1 and LM.
    Ntlmv1AndLm,
}

/// What the responses are computed over.
#[derive(Clone, Copy, Debug)]
pub struct ResponseInputs<'a> {
    /// ServerChallenge of CHALLENGE.
    pub server_challenge: [u8; 8],
    /// The client's nonce.
    pub client_challenge: [u8; 8],
    /// UserName in UTF-16 code units.
    pub user: &'a [u16],
    /// DomainName in UTF-16 code units, as it will be sent.
    pub domain: &'a [u16],
    /// The encoded `NTLMv2_CLIENT_CHALLENGE`; only NTLMv2 uses it.
    pub temp: &'a [u8],
}

/// The two response fields, and what the keys will need.
///
/// `Debug` leaves the fields out: whoever has them can guess at the password.
pub struct ComputedResponses {
    /// LmChallengeResponse.
    pub lm: Vec<u8>,
    /// NtChallengeResponse.
    pub nt: Vec<u8>,
    /// What they prove.
    pub proof: Proof,
}

impl fmt::Debug for ComputedResponses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ComputedResponses").field("proof", &self.proof).finish_non_exhaustive()
    }
}

impl ResponseRule {
    /// Every rule.
    pub const ALL: [Self; 6] = [
        Self::Ntlmv2,
        Self::Ntlmv2AndLmv2,
        Self::Ntlmv2Alone,
        Self::Ntlmv1Ess,
        Self::Ntlmv1,
        Self::Ntlmv1AndLm,
    ];

    /// The rule that a client followed, by what the LM field holds. `None` for LM or LMv2 alone,
    /// which no rule sends.
    #[must_use]
    pub fn followed_by(responses: &Responses<'_>, proof: &Proof) -> Option<Self> {
        let lm_is_zero = responses.lm.iter().all(|byte| *byte == 0);
        match proof.version() {
            NtlmVersion::Ntlmv2 if responses.lm.is_empty() => Some(Self::Ntlmv2Alone),
            NtlmVersion::Ntlmv2 if lm_is_zero => Some(Self::Ntlmv2),
            NtlmVersion::Ntlmv2 => Some(Self::Ntlmv2AndLmv2),
            NtlmVersion::Ntlmv1Ess => Some(Self::Ntlmv1Ess),
            NtlmVersion::Ntlmv1 if responses.lm == responses.nt => Some(Self::Ntlmv1),
            NtlmVersion::Ntlmv1 => Some(Self::Ntlmv1AndLm),
            _ => None,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        const V2: &[Input] = &[
            Input::Key(KeyName::ResponseKeyNt),
            Input::Field(MessageField::ServerChallenge),
            Input::Field(MessageField::Temp),
        ];
        const V1: &[Input] =
            &[Input::Key(KeyName::ResponseKeyNt), Input::Field(MessageField::ServerChallenge)];
        let (name, condition, formula, inputs, beware) = match self {
            Self::Ntlmv2 => (
                "Ntlmv2",
                "NTLMv2, and CHALLENGE has MsvAvTimestamp",
                "NT = NTProofStr || temp; LM = Z(24)",
                V2,
                "temp ends with four zeros behind MsvAvEOL; some servers insist on them.",
            ),
            Self::Ntlmv2AndLmv2 => (
                "Ntlmv2AndLmv2",
                "NTLMv2, and CHALLENGE has no MsvAvTimestamp",
                "NT = NTProofStr || temp; LM = HMAC_MD5(ResponseKeyLM, ServerChallenge || \
                 ClientChallenge) || ClientChallenge",
                V2,
                "Both use the same ClientChallenge. A server that finds an NT response must not \
                 look at the LM field.",
            ),
            Self::Ntlmv2Alone => (
                "Ntlmv2Alone",
                "NTLMv2, DATAGRAM, and CHALLENGE has TargetInfo",
                "NT = NTProofStr || temp; LM is empty",
                V2,
                "Empty, not 24 zeros as for connections.",
            ),
            Self::Ntlmv1Ess => (
                "Ntlmv1Ess",
                "NTLMv1 with ESS",
                "NT = DESL(ResponseKeyNT, MD5(ServerChallenge || ClientChallenge)[0..7]); LM = \
                 ClientChallenge || Z(16)",
                V1,
                "The \"NTLM2 session response\". It is not NTLMv2, and the LM field is no LM \
                 response.",
            ),
            Self::Ntlmv1 => (
                "Ntlmv1",
                "NTLMv1 without ESS, NoLMResponseNTLMv1 (the default) or no LM hash",
                "NT = DESL(ResponseKeyNT, ServerChallenge); LM = the same",
                V1,
                "KXKEY with LM_KEY takes the LM field as sent, so then the NT response.",
            ),
            Self::Ntlmv1AndLm => (
                "Ntlmv1AndLm",
                "NTLMv1 without ESS, LmCompatibilityLevel 0 or 1, and there is an LM hash",
                "NT = DESL(ResponseKeyNT, ServerChallenge); LM = DESL(ResponseKeyLM, \
                 ServerChallenge)",
                V1,
                "The LM response gives the password away within hours, whatever stands beside it.",
            ),
        };
        RuleDoc {
            name,
            condition,
            formula,
            inputs,
            length: 24,
            section: match self {
                Self::Ntlmv2 | Self::Ntlmv2AndLmv2 => "MS-NLMP 3.3.2, 3.1.5.1.2",
                Self::Ntlmv2Alone => "MS-NLMP 3.3.2, 3.1.5.2.1",
                Self::Ntlmv1Ess | Self::Ntlmv1 | Self::Ntlmv1AndLm => "MS-NLMP 3.3.1",
            },
            computed_by: "client",
            beware: Some(beware),
        }
    }

    /// Computes both fields. Where LM is asked for and there is no LM hash, the NT response stands
    /// in its place.
    #[must_use]
    pub fn compute(self, secret: &AccountSecret, inputs: &ResponseInputs<'_>) -> ComputedResponses {
        let ResponseInputs { server_challenge, client_challenge, user, domain, temp } = *inputs;
        let nt_hash = secret.nt_hash();
        match self {
            Self::Ntlmv2 | Self::Ntlmv2AndLmv2 | Self::Ntlmv2Alone => {
                let response_key_nt = ntowf_v2(nt_hash, user, domain);
                let nt_proof_str = nt_proof_str(&response_key_nt, server_challenge, temp);
                let mut nt = Vec::with_capacity(16 + temp.len());
                nt.extend_from_slice(&nt_proof_str);
                nt.extend_from_slice(temp);
                let lm = match self {
                    Self::Ntlmv2AndLmv2 => {
                        let key = lmowf_v2(&response_key_nt);
                        lm_challenge_response_v2(&key, server_challenge, client_challenge).to_vec()
                    }
                    Self::Ntlmv2Alone => Vec::new(),
                    _ => [0; 24].to_vec(),
                };
                let rule = Ntowfv2Rule::DomainAsSent;
                let proved = Proved::Ntlmv2 { response_key_nt, nt_proof_str, rule };
                let proof = Proof::new(secret, proved);
                ComputedResponses { lm, nt, proof }
            }
            Self::Ntlmv1Ess => {
                let nt = nt_challenge_response_v1_ess(nt_hash, server_challenge, client_challenge);
                let mut lm = client_challenge.to_vec();
                lm.resize(24, 0);
                ComputedResponses {
                    lm,
                    nt: nt.to_vec(),
                    proof: Proof::new(secret, Proved::Ntlmv1Ess),
                }
            }
            Self::Ntlmv1 | Self::Ntlmv1AndLm => {
                let nt = nt_challenge_response_v1(nt_hash, server_challenge);
                let lm_hash = secret.lm_hash().filter(|_| self == Self::Ntlmv1AndLm);
                let lm = lm_hash.map_or(nt, |key| lm_challenge_response_v1(key, server_challenge));
                let (lm, nt) = (lm.to_vec(), nt.to_vec());
                ComputedResponses { lm, nt, proof: Proof::new(secret, Proved::Ntlmv1) }
            }
        }
    }
}
