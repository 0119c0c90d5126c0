//! The vocabulary in which every key is explained: names, rules, inputs, steps.

use super::{
    DomainControllerChallengeRule, EncryptedRandomSessionKeyRule, ExportedSessionKeyRule,
    KeyExchangeKeyRule, LmowfRule, MicRule, NtProofStrRule, Ntowfv2Rule, RandomSessionKeyRule,
    ResponseKeyLmRule, ResponseKeyNtRule, SealingKeyRule, SessionBaseKeyRule, SigningKeyRule,
};
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroize;

/// How a client proved itself. It is not negotiated: the server tells it by the lengths of the
/// responses (MS-NLMP 1.3.1, 3.2.5.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NtlmVersion {
    /// An LM response alone.
    Lm,
    /// An LMv2 response alone.
    Lmv2,
    /// NTLM v1, with or without an LM response beside it.
    Ntlmv1,
    /// NTLM v1 with extended session security: the "NTLM2 session response", which is not NTLMv2.
    Ntlmv1Ess,
    /// NTLM v2.
    Ntlmv2,
    /// No proof: user, domain and NT response are empty.
    Anonymous,
    /// An unknown account let in as guest: the proof was not checked.
    Guest,
}

impl NtlmVersion {
    /// All of them, weakest proof first.
    pub const ALL: [Self; 7] = [
        Self::Anonymous,
        Self::Guest,
        Self::Lm,
        Self::Ntlmv1,
        Self::Ntlmv1Ess,
        Self::Lmv2,
        Self::Ntlmv2,
    ];

    /// `NTLMv2`, `NTLMv1-ESS` and so on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lm => "LM",
            Self::Lmv2 => "LMv2",
            Self::Ntlmv1 => "NTLMv1",
            Self::Ntlmv1Ess => "NTLMv1-ESS",
            Self::Ntlmv2 => "NTLMv2",
            Self::Anonymous => "anonymous",
            Self::Guest => "guest",
        }
    }
}

impl fmt::Display for NtlmVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which way a protected message goes. "Client" keys protect what the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Protected by ClientSigningKey and ClientSealingKey.
    ClientToServer,
    /// Protected by ServerSigningKey and ServerSealingKey.
    ServerToClient,
}

impl Direction {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ClientToServer, Self::ServerToClient];
}

/// The keys, in the order in which they are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyName {
    /// LMOWFv1, the LM hash.
    Lmowf,
    /// NTOWFv1, the NT hash.
    NtowfV1,
    /// NTOWFv2, which is also LMOWFv2.
    NtowfV2,
    /// ResponseKeyNT.
    ResponseKeyNt,
    /// ResponseKeyLM.
    ResponseKeyLm,
    /// NTProofStr.
    NtProofStr,
    /// SessionBaseKey.
    SessionBaseKey,
    /// KeyExchangeKey.
    KeyExchangeKey,
    /// RandomSessionKey.
    RandomSessionKey,
    /// ExportedSessionKey.
    ExportedSessionKey,
    /// EncryptedRandomSessionKey.
    EncryptedRandomSessionKey,
    /// ClientSigningKey.
    ClientSigningKey,
    /// ServerSigningKey.
    ServerSigningKey,
    /// ClientSealingKey.
    ClientSealingKey,
    /// ServerSealingKey.
    ServerSealingKey,
    /// The MIC: no key, but computed with one.
    Mic,
    /// The challenge that a domain controller must be given: no key, but easily mistaken.
    ChallengeForDomainController,
}

impl KeyName {
    /// The keys that a [`KeySchedule`](super::KeySchedule) has a step for, in order.
    pub const STEPS: [Self; 15] = [
        Self::Lmowf,
        Self::NtowfV1,
        Self::NtowfV2,
        Self::ResponseKeyNt,
        Self::ResponseKeyLm,
        Self::NtProofStr,
        Self::SessionBaseKey,
        Self::KeyExchangeKey,
        Self::RandomSessionKey,
        Self::ExportedSessionKey,
        Self::EncryptedRandomSessionKey,
        Self::ClientSigningKey,
        Self::ServerSigningKey,
        Self::ClientSealingKey,
        Self::ServerSealingKey,
    ];

    /// The name as the specification spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lmowf => "LMOWFv1",
            Self::NtowfV1 => "NTOWFv1",
            Self::NtowfV2 => "NTOWFv2",
            Self::ResponseKeyNt => "ResponseKeyNT",
            Self::ResponseKeyLm => "ResponseKeyLM",
            Self::NtProofStr => "NTProofStr",
            Self::SessionBaseKey => "SessionBaseKey",
            Self::KeyExchangeKey => "KeyExchangeKey",
            Self::RandomSessionKey => "RandomSessionKey",
            Self::ExportedSessionKey => "ExportedSessionKey",
            Self::EncryptedRandomSessionKey => "EncryptedRandomSessionKey",
            Self::ClientSigningKey => "ClientSigningKey",
            Self::ServerSigningKey => "ServerSigningKey",
            Self::ClientSealingKey => "ClientSealingKey",
            Self::ServerSealingKey => "ServerSealingKey",
            Self::Mic => "MIC",
            Self::ChallengeForDomainController => "challenge for the domain controller",
        }
    }

    /// The name in JSON.
    #[must_use]
    pub const fn json_name(self) -> &'static str {
        match self {
            Self::Lmowf => "lmowf",
            Self::NtowfV1 => "ntowf_v1",
            Self::NtowfV2 => "ntowf_v2",
            Self::ResponseKeyNt => "response_key_nt",
            Self::ResponseKeyLm => "response_key_lm",
            Self::NtProofStr => "nt_proof_str",
            Self::SessionBaseKey => "session_base_key",
            Self::KeyExchangeKey => "key_exchange_key",
            Self::RandomSessionKey => "random_session_key",
            Self::ExportedSessionKey => "exported_session_key",
            Self::EncryptedRandomSessionKey => "encrypted_random_session_key",
            Self::ClientSigningKey => "client_signing_key",
            Self::ServerSigningKey => "server_signing_key",
            Self::ClientSealingKey => "client_sealing_key",
            Self::ServerSealingKey => "server_sealing_key",
            Self::Mic => "mic",
            Self::ChallengeForDomainController => "challenge_for_domain_controller",
        }
    }

    /// What other documents and programs call it.
    #[must_use]
    pub const fn other_names(self) -> &'static [&'static str] {
        match self {
            Self::Lmowf => &["LM hash", "LanMan hash"],
            Self::NtowfV1 => &["NT hash", "NTLM hash", "NT password hash", "unicodePwd"],
            Self::NtowfV2 => &["NTLMv2 hash", "LMOWFv2", "NTLMv2 one-way function"],
            Self::ResponseKeyNt => &["response key"],
            Self::ResponseKeyLm => &[],
            Self::NtProofStr => &["NTLMv2 HMAC", "NTv2 response (first 16 bytes)"],
            Self::SessionBaseKey => &[
                "user session key (Davenport, Netlogon)",
                "NTLM user session key",
                "LM user session key",
                "UserSessionKey (MS-APDS)",
            ],
            Self::KeyExchangeKey => &["master key before the exchange", "key exchange key"],
            Self::RandomSessionKey => &["secondary session key (Davenport)", "random session key"],
            Self::ExportedSessionKey => &[
                "session key",
                "master key",
                "SMB session key (Session.SessionKey)",
                "SECPKG_ATTR_SESSION_KEY",
            ],
            Self::EncryptedRandomSessionKey => {
                &["session key field", "encrypted session key", "Session Key (Wireshark)"]
            }
            Self::ClientSigningKey => &["client signing subkey"],
            Self::ServerSigningKey => &["server signing subkey"],
            Self::ClientSealingKey => &["client sealing subkey", "client RC4 key"],
            Self::ServerSealingKey => &["server sealing subkey", "server RC4 key"],
            Self::Mic => &["message integrity code", "NTLMSSP MIC"],
            Self::ChallengeForDomainController => {
                &["LmChallenge (Netlogon)", "effective challenge"]
            }
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What goes into a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key of an earlier step.
    Key(KeyName),
    /// Bytes of a message.
    Field(MessageField),
    /// The account's password, which is in no message.
    Password,
    /// Random bytes of the client.
    Nonce,
    /// A constant, as text.
    Constant(&'static str),
}

impl Input {
    /// What the formula calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Key(key) => key.name(),
            Self::Field(field) => field.name(),
            Self::Password => "Passwd",
            Self::Nonce => "NONCE(16)",
            Self::Constant(text) => text,
        }
    }
}

/// The bytes of messages that formulas use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageField {
    /// ServerChallenge of CHALLENGE.
    ServerChallenge,
    /// The first 8 bytes of LmChallengeResponse of AUTHENTICATE.
    LmChallengeResponse8,
    /// The bytes behind NTProofStr in NtChallengeResponse of AUTHENTICATE.
    Temp,
    /// ChallengeFromClient inside the LMv2 response.
    Lmv2Challenge,
    /// The first 16 bytes of the LMv2 response.
    Lmv2Response,
    /// UserName of AUTHENTICATE, upper-cased where the formula says so.
    UserName,
    /// DomainName of AUTHENTICATE, exactly as sent.
    DomainName,
    /// EncryptedRandomSessionKey of AUTHENTICATE.
    EncryptedRandomSessionKey,
}

impl MessageField {
    /// What the formulas call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ServerChallenge => "ServerChallenge",
            Self::LmChallengeResponse8 => "LmChallengeResponse[0..7]",
            Self::Temp => "temp",
            Self::Lmv2Challenge => "ChallengeFromClient",
            Self::Lmv2Response => "LMv2Response[0..15]",
            Self::UserName => "User",
            Self::DomainName => "UserDom",
            Self::EncryptedRandomSessionKey => "EncryptedRandomSessionKey",
        }
    }
}

/// One row of the reference table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleDoc {
    /// The rule, as in JSON.
    pub name: &'static str,
    /// When it applies: version, flags, what is at hand.
    pub condition: &'static str,
    /// What is computed; "none" where the rule leaves the key empty.
    pub formula: &'static str,
    /// What goes in.
    pub inputs: &'static [Input],
    /// Length of the key in bytes; 0 where there is none.
    pub length: usize,
    /// Where it is specified.
    pub section: &'static str,
    /// Which end computes it.
    pub computed_by: &'static str,
    /// Where documents disagree, or people go wrong.
    pub beware: Option<&'static str>,
}

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
