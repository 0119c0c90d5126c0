//! Every rule of every key as one value, and the rungs of the ladder.

use super::doc::{Direction, KeyName, RuleDoc};
use super::{
    DomainControllerChallengeRule, EncryptedRandomSessionKeyRule, ExportedSessionKeyRule,
    KeyExchangeKeyRule, LmowfRule, MicRule, NtProofStrRule, Ntowfv2Rule, RandomSessionKeyRule,
    ResponseKeyLmRule, ResponseKeyNtRule, ResponseRule, SealingKeyRule, SessionBaseKeyRule,
    SigningKeyRule,
};
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroize;

/// The rule that chose how a key is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// For LMOWFv1.
    Lmowf(LmowfRule),
    /// For NTOWFv1 there is one rule.
    NtowfV1,
    /// For NTOWFv2.
    NtowfV2(Ntowfv2Rule),
    /// For ResponseKeyNT.
    ResponseKeyNt(ResponseKeyNtRule),
    /// For ResponseKeyLM.
    ResponseKeyLm(ResponseKeyLmRule),
    /// For NTProofStr.
    NtProofStr(NtProofStrRule),
    /// For SessionBaseKey.
    SessionBaseKey(SessionBaseKeyRule),
    /// For KeyExchangeKey.
    KeyExchangeKey(KeyExchangeKeyRule),
    /// For RandomSessionKey.
    RandomSessionKey(RandomSessionKeyRule),
    /// For ExportedSessionKey.
    ExportedSessionKey(ExportedSessionKeyRule),
    /// For EncryptedRandomSessionKey.
    EncryptedRandomSessionKey(EncryptedRandomSessionKeyRule),
    /// For ClientSigningKey and ServerSigningKey.
    SigningKey(Direction, SigningKeyRule),
    /// For ClientSealingKey and ServerSealingKey.
    SealingKey(Direction, SealingKeyRule),
    /// For the two response fields.
    Responses(ResponseRule),
    /// For the MIC.
    Mic(MicRule),
    /// For the challenge that a domain controller is given.
    ChallengeForDomainController(DomainControllerChallengeRule),
}

impl Rule {
    /// Every rule of every key, in the order of derivation.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = Vec::with_capacity(64);
        all.extend(LmowfRule::ALL.map(Self::Lmowf));
        all.push(Self::NtowfV1);
        all.extend(Ntowfv2Rule::ALL.map(Self::NtowfV2));
        all.extend(ResponseKeyNtRule::ALL.map(Self::ResponseKeyNt));
        all.extend(ResponseKeyLmRule::ALL.map(Self::ResponseKeyLm));
        all.extend(NtProofStrRule::ALL.map(Self::NtProofStr));
        all.extend(SessionBaseKeyRule::ALL.map(Self::SessionBaseKey));
        all.extend(KeyExchangeKeyRule::ALL.map(Self::KeyExchangeKey));
        all.extend(RandomSessionKeyRule::ALL.map(Self::RandomSessionKey));
        all.extend(ExportedSessionKeyRule::ALL.map(Self::ExportedSessionKey));
        all.extend(EncryptedRandomSessionKeyRule::ALL.map(Self::EncryptedRandomSessionKey));
        for direction in Direction::ALL {
            all.extend(SigningKeyRule::ALL.map(|rule| Self::SigningKey(direction, rule)));
        }
        for direction in Direction::ALL {
            all.extend(SealingKeyRule::ALL.map(|rule| Self::SealingKey(direction, rule)));
        }
        all.extend(ResponseRule::ALL.map(Self::Responses));
        all.extend(MicRule::ALL.map(Self::Mic));
        all.extend(DomainControllerChallengeRule::ALL.map(Self::ChallengeForDomainController));
        all
    }

    /// The key that it computes.
    #[must_use]
    pub const fn key(self) -> KeyName {
        match self {
            Self::Lmowf(_) => KeyName::Lmowf,
            Self::NtowfV1 => KeyName::NtowfV1,
            Self::NtowfV2(_) => KeyName::NtowfV2,
            Self::ResponseKeyNt(_) => KeyName::ResponseKeyNt,
            Self::ResponseKeyLm(_) => KeyName::ResponseKeyLm,
            Self::NtProofStr(_) => KeyName::NtProofStr,
            Self::SessionBaseKey(_) => KeyName::SessionBaseKey,
            Self::KeyExchangeKey(_) => KeyName::KeyExchangeKey,
            Self::RandomSessionKey(_) => KeyName::RandomSessionKey,
            Self::ExportedSessionKey(_) => KeyName::ExportedSessionKey,
            Self::EncryptedRandomSessionKey(_) => KeyName::EncryptedRandomSessionKey,
            Self::SigningKey(Direction::ClientToServer, _) => KeyName::ClientSigningKey,
            Self::SigningKey(Direction::ServerToClient, _) => KeyName::ServerSigningKey,
            Self::SealingKey(Direction::ClientToServer, _) => KeyName::ClientSealingKey,
            Self::SealingKey(Direction::ServerToClient, _) => KeyName::ServerSealingKey,
            Self::Responses(_) => KeyName::Responses,
            Self::Mic(_) => KeyName::Mic,
            Self::ChallengeForDomainController(_) => KeyName::ChallengeForDomainController,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::Lmowf(rule) => rule.doc(),
            Self::NtowfV1 => super::owf::NTOWF_V1,
            Self::NtowfV2(rule) => rule.doc(),
            Self::ResponseKeyNt(rule) => rule.doc(),
            Self::ResponseKeyLm(rule) => rule.doc(),
            Self::NtProofStr(rule) => rule.doc(),
            Self::SessionBaseKey(rule) => rule.doc(),
            Self::KeyExchangeKey(rule) => rule.doc(),
            Self::RandomSessionKey(rule) => rule.doc(),
            Self::ExportedSessionKey(rule) => rule.doc(),
            Self::EncryptedRandomSessionKey(rule) => rule.doc(),
            Self::SigningKey(direction, rule) => rule.doc(direction),
            Self::SealingKey(direction, rule) => rule.doc(direction),
            Self::Responses(rule) => rule.doc(),
            Self::Mic(rule) => rule.doc(),
            Self::ChallengeForDomainController(rule) => rule.doc(),
        }
    }
}

/// One rung of the ladder: a key, the rule that chose its formula, its value.
#[derive(Debug)]
pub struct Step {
    /// Which key.
    pub key: KeyName,
    /// Which rule; [`Rule::doc`] has condition, formula, inputs and section.
    pub rule: Rule,
    /// What came out.
    pub value: StepValue,
}

/// What a step came to.
#[derive(Debug)]
pub enum StepValue {
    /// The key.
    Known(StepBytes),
    /// The rule leaves the key empty.
    Empty,
    /// There is such a key, but it cannot be known from what is at hand.
    Unknown(Unknown),
}

/// Why a key cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// A domain controller judged the logon and kept the account's secrets.
    JudgedByDomainController,
    /// Only the ExportedSessionKey is known.
    OnlyExportedSessionKey,
    /// Guest: the server did not check the response, so the account's secret played no part.
    NotChecked,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JudgedByDomainController => "known to the domain controller only",
            Self::OnlyExportedSessionKey => "only the ExportedSessionKey is known",
            Self::NotChecked => "the server checked no response",
        })
    }
}

/// The bytes of one key in a [`Step`], wiped on drop.
pub struct StepBytes {
    bytes: [u8; 16],
    length: usize,
}

impl StepBytes {
    pub(super) fn new(key: &[u8]) -> Self {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self { bytes, length: key.len().min(16) }
    }

    /// The key, 8 or 16 bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

impl Drop for StepBytes {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for StepBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StepBytes(..)")
    }
}
