//! Whether the responses hold under an account's secret (MS-NLMP 3.2.5.1.2).

use super::rule::NtlmVersion;
use super::{
    AccountSecret, Ntowfv2Rule, ResponseKeyNt, lm_challenge_response_v1, lm_challenge_response_v2,
    lmowf_v2, nt_challenge_response_v1, nt_challenge_response_v1_ess, nt_proof_str, ntowf_v2,
};
use crate::crypto::equal;
use crate::wire::array_at;

/// The responses of an AUTHENTICATE_MESSAGE, with what they were computed over.
#[derive(Clone, Copy, Debug)]
pub struct Responses<'a> {
    /// ServerChallenge of CHALLENGE.
    pub server_challenge: [u8; 8],
    /// LmChallengeResponse.
    pub lm: &'a [u8],
    /// NtChallengeResponse.
    pub nt: &'a [u8],
    /// UserName in UTF-16 code units.
    pub user: &'a [u16],
    /// DomainName in UTF-16 code units, as sent.
    pub domain: &'a [u16],
    /// Whether extended session security was negotiated.
    pub extended_session_security: bool,
}

/// What kind of proof there is to check, told by lengths alone (MS-NLMP 3.2.5.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResponseKind {
    /// User, NT response and LM response are empty (one zero byte in the LM field counts as empty).
    Anonymous,
    /// An NT response of more than 24 bytes.
    Ntlmv2,
    /// 24 bytes, and ESS: the LM field holds the client challenge.
    Ntlmv1Ess,
    /// 24 bytes, no ESS.
    Ntlmv1,
    /// No NT response: the LM field is LMv2 or LM.
    LmField,
    /// Lengths that belong together in no version.
    Malformed,
}

/// What a valid response proves.
#[derive(Debug)]
pub struct Proof {
    /// The version that the response turned out to be.
    pub version: NtlmVersion,
    /// Which domain went into NTOWFv2.
    pub ntowf_v2_rule: Ntowfv2Rule,
    /// NTOWFv2, where the version uses it.
    pub response_key_nt: Option<ResponseKeyNt>,
    /// NTProofStr, or the first 16 bytes of LMv2.
    pub proof: Option<[u8; 16]>,
}

impl Proof {
    const fn v1(version: NtlmVersion) -> Self {
        let ntowf_v2_rule = Ntowfv2Rule::NotUsed;
        Self { version, ntowf_v2_rule, response_key_nt: None, proof: None }
    }
}

impl Responses<'_> {
    /// Which kind of proof the lengths make it.
    #[must_use]
    pub fn kind(&self) -> ResponseKind {
        match (self.nt.len(), self.lm.len()) {
            (0, 0) if self.user.is_empty() => ResponseKind::Anonymous,
            (0, 1) if self.user.is_empty() && self.lm == [0] => ResponseKind::Anonymous,
            (0, 24) => ResponseKind::LmField,
            (24, 24) if self.extended_session_security => ResponseKind::Ntlmv1Ess,
            (24, _) if !self.extended_session_security => ResponseKind::Ntlmv1,
            (48.., _) => ResponseKind::Ntlmv2,
            _ => ResponseKind::Malformed,
        }
    }

    /// The 8 bytes of the LM field that KXKEY and the ESS response use; zeros where it is shorter.
    #[must_use]
    pub fn client_challenge(&self) -> [u8; 8] {
        array_at(self.lm, 0).unwrap_or_default()
    }

    /// Checks the responses. An NT response, where there is one, decides alone: the LM field
    /// beside it is never fallen back to.
    #[must_use]
    pub fn verify(&self, secret: &AccountSecret) -> Option<Proof> {
        let nt_hash = secret.nt_hash();
        match self.kind() {
            ResponseKind::Ntlmv2 => self.verify_v2(secret, NtlmVersion::Ntlmv2),
            ResponseKind::Ntlmv1Ess => {
                let client_challenge = self.client_challenge();
                let expected = nt_challenge_response_v1_ess(
                    nt_hash,
                    self.server_challenge,
                    client_challenge,
                );
                equal(&expected, self.nt).then_some(Proof::v1(NtlmVersion::Ntlmv1Ess))
            }
            ResponseKind::Ntlmv1 => {
                let expected = nt_challenge_response_v1(nt_hash, self.server_challenge);
                equal(&expected, self.nt).then_some(Proof::v1(NtlmVersion::Ntlmv1))
            }
            ResponseKind::LmField => {
                let lmv2 = self.verify_v2(secret, NtlmVersion::Lmv2);
                let lm = self.lm_matches(secret).then_some(Proof::v1(NtlmVersion::Lm));
                lmv2.or(lm)
            }
            ResponseKind::Anonymous | ResponseKind::Malformed => None,
        }
    }

    /// Whether the LM field holds what the version puts there, for display: LM, LMv2, or a copy of
    /// the NT response. `None` where there is nothing to check.
    #[must_use]
    pub fn lm_field_holds(&self, secret: &AccountSecret) -> Option<bool> {
        if self.lm.len() != 24 || self.lm.iter().all(|byte| *byte == 0) {
            return None;
        }
        match self.kind() {
            ResponseKind::Ntlmv2 => Some(self.verify_v2(secret, NtlmVersion::Lmv2).is_some()),
            ResponseKind::Ntlmv1 => Some(self.lm == self.nt || self.lm_matches(secret)),
            _ => None,
        }
    }

    fn lm_matches(&self, secret: &AccountSecret) -> bool {
        secret.lm_hash().is_some_and(|lm_hash| {
            equal(&lm_challenge_response_v1(lm_hash, self.server_challenge), self.lm)
        })
    }

    /// With the domain as sent, then with none (MS-NLMP 3.2.5.1.2).
    fn verify_v2(&self, secret: &AccountSecret, version: NtlmVersion) -> Option<Proof> {
        let as_sent = self.verify_v2_with(secret, version, self.domain);
        let rule = |rule| move |(key, proof)| Proof {
            version,
            ntowf_v2_rule: rule,
            response_key_nt: Some(key),
            proof: Some(proof),
        };
        as_sent.map(rule(Ntowfv2Rule::DomainAsSent)).or_else(|| {
            self.verify_v2_with(secret, version, &[]).map(rule(Ntowfv2Rule::EmptyDomain))
        })
    }

    fn verify_v2_with(
        &self,
        secret: &AccountSecret,
        version: NtlmVersion,
        domain: &[u16],
    ) -> Option<(ResponseKeyNt, [u8; 16])> {
        let key = ntowf_v2(secret.nt_hash(), self.user, domain);
        let (expected, received) = if version == NtlmVersion::Ntlmv2 {
            let (proof, temp) = self.nt.split_first_chunk::<16>()?;
            (nt_proof_str(&key, self.server_challenge, temp), *proof)
        } else {
            let client_challenge = array_at(self.lm, 16)?;
            let response =
                lm_challenge_response_v2(&lmowf_v2(&key), self.server_challenge, client_challenge);
            (array_at(&response, 0)?, array_at(self.lm, 0)?)
        };
        equal(&expected, &received).then_some((key, received))
    }
}
