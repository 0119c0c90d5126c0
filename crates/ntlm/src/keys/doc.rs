//! The vocabulary in which every rule is documented: versions, names of keys, inputs, rows.

use core::fmt;

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
    /// LmChallengeResponse and NtChallengeResponse: no keys, but the proof that they are known.
    Responses,
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
            Self::Responses => "LmChallengeResponse, NtChallengeResponse",
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
            Self::Responses => "responses",
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
            Self::Responses => {
                &["LM response", "NT response", "NTLM response", "NTLM2 session response"]
            }
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
