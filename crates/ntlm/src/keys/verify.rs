//! Whether the responses hold under an account's secret (MS-NLMP 3.2.5.1.2).

use super::doc::NtlmVersion;
use super::{
    AccountSecret, Lmowfv1, Ntowfv2Rule, ResponseKeyNt, lm_challenge_response_v1,
    lm_challenge_response_v2, lmowf_v2, nt_challenge_response_v1, nt_challenge_response_v1_ess,
    nt_proof_str, ntowf_v2,
};
use crate::crypto::equal;
use crate::wire::array_at;
use core::fmt;

/// The responses of an AUTHENTICATE_MESSAGE, with what they were computed over.
///
/// `Debug` leaves the responses out: whoever has them can guess at the password.
#[derive(Clone, Copy)]
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

impl fmt::Debug for Responses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses").field("kind", &self.kind()).finish_non_exhaustive()
    }
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

/// A response that holds, with the secret under which it does: made by [`Responses::verify`], or by
/// the client that computed it.
#[derive(Debug)]
pub struct Proof {
    pub(super) secret: AccountSecret,
    pub(super) proved: Proved,
}

/// What each version brings along for the keys that follow.
#[derive(Debug)]
pub(super) enum Proved {
    Ntlmv2 { response_key_nt: ResponseKeyNt, nt_proof_str: [u8; 16], rule: Ntowfv2Rule },
    Lmv2 { response_key_nt: ResponseKeyNt, response: [u8; 16], rule: Ntowfv2Rule },
    Ntlmv1Ess,
    Ntlmv1,
    Lm,
}

impl Proof {
    pub(super) fn new(secret: &AccountSecret, proved: Proved) -> Self {
        Self { secret: secret.duplicate(), proved }
    }

    /// The version that the response turned out to be.
    #[must_use]
    pub const fn version(&self) -> NtlmVersion {
        match &self.proved {
            Proved::Ntlmv2 { .. } => NtlmVersion::Ntlmv2,
            Proved::Lmv2 { .. } => NtlmVersion::Lmv2,
            Proved::Ntlmv1Ess => NtlmVersion::Ntlmv1Ess,
            Proved::Ntlmv1 => NtlmVersion::Ntlmv1,
            Proved::Lm => NtlmVersion::Lm,
        }
    }

    /// Which domain went into NTOWFv2.
    #[must_use]
    pub const fn ntowf_v2_rule(&self) -> Ntowfv2Rule {
        match &self.proved {
            Proved::Ntlmv2 { rule, .. } | Proved::Lmv2 { rule, .. } => *rule,
            Proved::Ntlmv1Ess | Proved::Ntlmv1 | Proved::Lm => Ntowfv2Rule::NotUsed,
        }
    }

    /// NTOWFv2, where the version uses it.
    pub(super) const fn response_key_nt(&self) -> Option<&ResponseKeyNt> {
        match &self.proved {
            Proved::Ntlmv2 { response_key_nt, .. } | Proved::Lmv2 { response_key_nt, .. } => {
                Some(response_key_nt)
            }
            Proved::Ntlmv1Ess | Proved::Ntlmv1 | Proved::Lm => None,
        }
    }

    /// NTProofStr, for NTLMv2.
    pub(super) const fn nt_proof_str(&self) -> Option<&[u8; 16]> {
        match &self.proved {
            Proved::Ntlmv2 { nt_proof_str, .. } => Some(nt_proof_str),
            _ => None,
        }
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
            ResponseKind::Ntlmv2 => self.verify_ntlmv2(secret),
            ResponseKind::Ntlmv1Ess => {
                let expected = nt_challenge_response_v1_ess(
                    nt_hash,
                    self.server_challenge,
                    self.client_challenge(),
                );
                equal(&expected, self.nt).then(|| Proof::new(secret, Proved::Ntlmv1Ess))
            }
            ResponseKind::Ntlmv1 => {
                let expected = nt_challenge_response_v1(nt_hash, self.server_challenge);
                equal(&expected, self.nt).then(|| Proof::new(secret, Proved::Ntlmv1))
            }
            ResponseKind::LmField => {
                let lmv2 = self.verify_lmv2(secret);
                let lm = self.verify_lm(secret);
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
            ResponseKind::Ntlmv2 => Some(self.verify_lmv2(secret).is_some()),
            ResponseKind::Ntlmv1 => Some(self.lm == self.nt || self.verify_lm(secret).is_some()),
            _ => None,
        }
    }

    fn verify_lm(&self, secret: &AccountSecret) -> Option<Proof> {
        // An account without an LM hash costs what one with it costs.
        let lm_hash = secret.lm_hash().map_or(Lmowfv1::new([0; 16]), Lmowfv1::duplicate);
        let expected = lm_challenge_response_v1(&lm_hash, self.server_challenge);
        let holds = equal(&expected, self.lm) && secret.lm_hash().is_some();
        holds.then(|| Proof::new(secret, Proved::Lm))
    }

    fn verify_ntlmv2(&self, secret: &AccountSecret) -> Option<Proof> {
        let (nt_proof_str, temp) = self.nt.split_first_chunk::<16>()?;
        let nt_proof_str = *nt_proof_str;
        let (response_key_nt, rule) = self.verify_with_either_domain(secret, |key| {
            equal(&self::nt_proof_str(key, self.server_challenge, temp), &nt_proof_str)
        })?;
        Some(Proof::new(secret, Proved::Ntlmv2 { response_key_nt, nt_proof_str, rule }))
    }

    fn verify_lmv2(&self, secret: &AccountSecret) -> Option<Proof> {
        let client_challenge = array_at(self.lm, 16)?;
        let response = array_at(self.lm, 0)?;
        let (response_key_nt, rule) = self.verify_with_either_domain(secret, |key| {
            let key = lmowf_v2(key);
            equal(&lm_challenge_response_v2(&key, self.server_challenge, client_challenge), self.lm)
        })?;
        Some(Proof::new(secret, Proved::Lmv2 { response_key_nt, response, rule }))
    }

    /// With the domain as sent, then with none (MS-NLMP 3.2.5.1.2).
    fn verify_with_either_domain(
        &self,
        secret: &AccountSecret,
        holds: impl Fn(&ResponseKeyNt) -> bool,
    ) -> Option<(ResponseKeyNt, Ntowfv2Rule)> {
        let candidates =
            [(self.domain, Ntowfv2Rule::DomainAsSent), (&[], Ntowfv2Rule::EmptyDomain)];
        candidates.into_iter().find_map(|(domain, rule)| {
            let key = ntowf_v2(secret.nt_hash(), self.user, domain);
            holds(&key).then_some((key, rule))
        })
    }
}
