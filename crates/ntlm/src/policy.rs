//! What is allowed: one value, with defaults that are safe today (MS-NLMP 3.1.1.1, 3.2.1.1).
//!
//! Whatever weakens has a name that says so, and what was relaxed is recorded in the result of
//! the logon.

use crate::flags::NegotiateFlags;
use crate::keys::{KeyExchangeKeyRule, KeySchedule, NtlmVersion, ResponseRule, SealingKeyRule};
use crate::text::Utf16String;
use alloc::vec::Vec;

/// LmCompatibilityLevel, the registry value of Windows: which versions a client sends and a server
/// accepts (MS-NLMP 5.1 and its note on LmCompatibilityLevel).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LmCompatibilityLevel {
    /// 0: the client sends LM and NTLMv1 and never asks for ESS; a server accepts everything.
    InsecureLevel0,
    /// 1: the client sends LM and NTLMv1, with ESS where the server has it; a server accepts
    /// everything.
    InsecureLevel1,
    /// 2: the client sends NTLMv1; a server accepts everything.
    InsecureLevel2,
    /// 3: the client sends NTLMv2; a server still accepts everything.
    Level3InsecureForServers,
    /// 4: the client sends NTLMv2; a server refuses LM only.
    Level4InsecureForServers,
    /// 5: the client sends NTLMv2; a server accepts nothing else.
    Level5,
}

impl LmCompatibilityLevel {
    /// All six.
    pub const ALL: [Self; 6] = [
        Self::InsecureLevel0,
        Self::InsecureLevel1,
        Self::InsecureLevel2,
        Self::Level3InsecureForServers,
        Self::Level4InsecureForServers,
        Self::Level5,
    ];

    /// By its number; `None` above 5.
    #[must_use]
    pub fn from_number(level: u8) -> Option<Self> {
        Self::ALL.get(usize::from(level)).copied()
    }
}

/// What both ends are allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// As a client.
    pub client: ClientPolicy,
    /// As a server.
    pub server: ServerPolicy,
}

impl Policy {
    /// The policy of Windows at that level; everything else as by default.
    #[must_use]
    pub fn at_level(level: LmCompatibilityLevel) -> Self {
        Self { client: ClientPolicy::at_level(level), server: ServerPolicy::at_level(level) }
    }
}

/// Which versions a client sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientSends {
    /// NTLMv2, with LMv2 where the server has no timestamp.
    #[default]
    Ntlmv2,
    /// NTLMv1, with ESS where it is negotiated.
    InsecureNtlmv1,
    /// NTLMv1, and LM beside it where ESS is not negotiated.
    InsecureLmAndNtlmv1,
}

/// What a client is allowed. The default is level 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientPolicy {
    /// Which versions it sends.
    pub sends: ClientSends,
    /// Whether it offers extended session security.
    pub offer_extended_session_security: bool,
    /// Whether it insists on extended session security when signing or sealing is asked for.
    pub require_extended_session_security: bool,
    /// Whether it insists on 128 bits when signing or sealing is asked for.
    pub require_128_bit: bool,
    /// Whether it offers `NEGOTIATE_LM_KEY`, which the server drops where ESS is agreed.
    pub insecure_offer_lm_key: bool,
    /// Whether it asks for `REQUEST_NON_NT_SESSION_KEY`.
    pub insecure_request_non_nt_session_key: bool,
    /// Whether NTLM is not used at all (ClientBlocked, STATUS_NOT_SUPPORTED)...
    pub block: bool,
    /// ...but for these target names (ClientBlockExceptions), compared without regard to case.
    pub block_exceptions: Vec<Utf16String>,
}

impl Default for ClientPolicy {
    fn default() -> Self {
        Self {
            sends: ClientSends::Ntlmv2,
            offer_extended_session_security: true,
            require_extended_session_security: true,
            require_128_bit: true,
            insecure_offer_lm_key: false,
            insecure_request_non_nt_session_key: false,
            block: false,
            block_exceptions: Vec::new(),
        }
    }
}

impl ClientPolicy {
    /// Whether NTLM is blocked towards that target name (MS-NLMP 3.1.1.1).
    #[must_use]
    pub fn blocks(&self, target_name: Option<&Utf16String>) -> bool {
        let is_exception = |name: &Utf16String| {
            self.block_exceptions.iter().any(|exception| exception.eq_ignore_case(name))
        };
        self.block && !target_name.is_some_and(is_exception)
    }

    /// What Windows sends at that level. Below level 3, ESS is not insisted on.
    #[must_use]
    pub fn at_level(level: LmCompatibilityLevel) -> Self {
        let sends = match level {
            LmCompatibilityLevel::InsecureLevel0 | LmCompatibilityLevel::InsecureLevel1 => {
                ClientSends::InsecureLmAndNtlmv1
            }
            LmCompatibilityLevel::InsecureLevel2 => ClientSends::InsecureNtlmv1,
            _ => ClientSends::Ntlmv2,
        };
        Self {
            sends,
            offer_extended_session_security: level != LmCompatibilityLevel::InsecureLevel0,
            require_extended_session_security: sends == ClientSends::Ntlmv2,
            ..Self::default()
        }
    }

    /// Which responses go with a CHALLENGE.
    #[must_use]
    pub const fn response_rule(&self, challenge: ChallengeTraits) -> ResponseRule {
        match self.sends {
            ClientSends::Ntlmv2 => match challenge {
                ChallengeTraits { connectionless: true, target_info: true, .. } => {
                    ResponseRule::Ntlmv2Alone
                }
                ChallengeTraits { timestamp: true, .. } => ResponseRule::Ntlmv2,
                _ => ResponseRule::Ntlmv2AndLmv2,
            },
            _ if challenge.extended_session_security => ResponseRule::Ntlmv1Ess,
            ClientSends::InsecureNtlmv1 => ResponseRule::Ntlmv1,
            ClientSends::InsecureLmAndNtlmv1 => ResponseRule::Ntlmv1AndLm,
        }
    }
}

/// What a client looks at in a CHALLENGE to choose its responses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChallengeTraits {
    /// ESS is negotiated.
    pub extended_session_security: bool,
    /// TargetInfo is there.
    pub target_info: bool,
    /// TargetInfo has MsvAvTimestamp.
    pub timestamp: bool,
    /// Datagram mode.
    pub connectionless: bool,
}

/// What a server does about channel bindings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChannelBindingsPolicy {
    /// A wrong value is refused; none, or zeros, are let through.
    #[default]
    RefuseWrong,
    /// Only the right value is let through (without bindings of our own: any but zeros).
    Require,
}

/// What a server does about the SPN that the client says it means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetNamePolicy {
    /// SPNs of this server, compared without regard to case. Empty: any is accepted.
    pub accepted: Vec<Utf16String>,
    /// Whether a client must send one.
    pub require: bool,
}

/// What a server is allowed. The default is level 5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPolicy {
    /// Whether NTLMv1 is accepted, with and without ESS.
    pub insecure_accept_ntlmv1: bool,
    /// Whether an LM response alone is accepted.
    pub insecure_accept_lm: bool,
    /// Whether an LMv2 response alone is accepted. It covers no AV_PAIRs: neither MIC nor channel
    /// bindings, target name or timestamp, so it counts only where none of them is checked.
    pub insecure_accept_lmv2_alone: bool,
    /// Whether LM_KEY and NON_NT_SESSION_KEY are granted to clients that ask.
    pub insecure_grant_lm_keys: bool,
    /// Whether anonymous logons are let in.
    pub insecure_allow_anonymous: bool,
    /// Whether unknown accounts are let in as guest.
    pub insecure_allow_guest: bool,
    /// Whether 128 bits are insisted on where SIGN or SEAL is negotiated.
    pub require_128_bit: bool,
    /// Whether extended session security is insisted on where SIGN or SEAL is negotiated.
    pub require_extended_session_security: bool,
    /// Whether NTLM is refused altogether (ServerBlock, STATUS_NOT_SUPPORTED).
    pub block: bool,
    /// Whether the client must negotiate SIGN.
    pub require_signing: bool,
    /// Whether a MIC must be there. One that is announced must be right in any case.
    pub require_mic: bool,
    /// Whether the client must send back the AV_PAIRs of our CHALLENGE unchanged.
    pub require_target_info_echo: bool,
    /// Channel bindings.
    pub channel_bindings: ChannelBindingsPolicy,
    /// Target names.
    pub target_name: TargetNamePolicy,
    /// How far an NTLMv2 timestamp may be from our clock, in seconds. `None`: not checked, as
    /// Windows since 2012.
    pub max_clock_skew_seconds: Option<u64>,
    /// How long a challenge is good for on our own clock, in seconds.
    pub challenge_lifetime_seconds: u64,
}

impl Default for ServerPolicy {
    fn default() -> Self {
        Self {
            insecure_accept_ntlmv1: false,
            insecure_accept_lm: false,
            insecure_accept_lmv2_alone: false,
            insecure_grant_lm_keys: false,
            insecure_allow_anonymous: false,
            insecure_allow_guest: false,
            require_128_bit: true,
            require_extended_session_security: true,
            block: false,
            require_signing: false,
            require_mic: false,
            require_target_info_echo: true,
            channel_bindings: ChannelBindingsPolicy::RefuseWrong,
            target_name: TargetNamePolicy::default(),
            max_clock_skew_seconds: None,
            challenge_lifetime_seconds: 30 * 60,
        }
    }
}

impl ServerPolicy {
    /// What Windows accepts at that level.
    #[must_use]
    pub fn at_level(level: LmCompatibilityLevel) -> Self {
        Self {
            insecure_accept_ntlmv1: level < LmCompatibilityLevel::Level5,
            insecure_accept_lm: level < LmCompatibilityLevel::Level4InsecureForServers,
            insecure_accept_lmv2_alone: true,
            require_extended_session_security: level == LmCompatibilityLevel::Level5,
            ..Self::default()
        }
    }

    /// What the client must have negotiated, given what it did.
    pub(crate) fn required_flags(&self, flags: NegotiateFlags) -> NegotiateFlags {
        let wanted = [
            (self.require_signing, NegotiateFlags::NEGOTIATE_SIGN),
            (self.require_128_bit && flags.protects(), NegotiateFlags::NEGOTIATE_128),
            (
                self.require_extended_session_security && flags.protects(),
                NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY,
            ),
        ];
        let wanted = wanted.into_iter().filter_map(|(wanted, flag)| wanted.then_some(flag));
        wanted.fold(NegotiateFlags::empty(), NegotiateFlags::union)
    }

    /// Whether a response of that version may count. Every version but NTLMv2 lacks the AV_PAIRs
    /// that MIC, channel bindings, target name and timestamp rest on, so it counts only where none
    /// of them is required; LMv2, which a man in the middle can make of NTLMv2, only where none of
    /// them is so much as checked. `has_bindings` says that the server has channel bindings.
    #[must_use]
    pub fn accepts(&self, version: NtlmVersion, has_bindings: bool) -> bool {
        let required = self.require_mic
            || self.target_name.require
            || self.channel_bindings == ChannelBindingsPolicy::Require;
        let checked = has_bindings
            || !self.target_name.accepted.is_empty()
            || self.max_clock_skew_seconds.is_some();
        match version {
            NtlmVersion::Ntlmv2 => true,
            NtlmVersion::Lmv2 => self.insecure_accept_lmv2_alone && !required && !checked,
            NtlmVersion::Ntlmv1 | NtlmVersion::Ntlmv1Ess => {
                self.insecure_accept_ntlmv1 && !required
            }
            NtlmVersion::Lm => self.insecure_accept_lm && !required,
            NtlmVersion::Anonymous => {
                self.insecure_allow_anonymous && !required && !self.require_signing
            }
            NtlmVersion::Guest => self.insecure_allow_guest && !required && !self.require_signing,
        }
    }
}

/// Something that the default policy would not have let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Relaxation {
    /// An NTLMv1 response was sent or accepted.
    Ntlmv1,
    /// An LM response was sent beside NTLMv1, or accepted alone.
    Lm,
    /// An LMv2 response alone was accepted.
    Lmv2Alone,
    /// An anonymous logon was let in.
    Anonymous,
    /// An unknown account was let in as guest.
    Guest,
    /// Keys of less than 128 bits protect messages.
    WeakKeys,
    /// Messages are protected without extended session security.
    NoExtendedSessionSecurity,
    /// The key comes from the LM hash (LM_KEY or NON_NT_SESSION_KEY).
    LmKeys,
    /// The client did not send back the AV_PAIRs of the CHALLENGE.
    TargetInfoNotEchoed,
    /// Responses came without NTLM messages, as in SMB1 without extended security: no MIC, no key
    /// exchange, no flags, no target name.
    BareResponses,
}

impl Relaxation {
    /// What the keys of a protected session lack.
    pub(crate) fn of_keys(keys: &KeySchedule) -> impl Iterator<Item = Self> {
        let flags = keys.negotiate_flags();
        let ess = flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
        let weak = SealingKeyRule::choose(flags).strength_bits() < 128;
        let from_lm_hash = matches!(
            keys.key_exchange_key_rule(),
            KeyExchangeKeyRule::LmKey | KeyExchangeKeyRule::NonNtSessionKey
        );
        [
            (weak && flags.protects(), Self::WeakKeys),
            (!ess && flags.protects(), Self::NoExtendedSessionSecurity),
            (from_lm_hash, Self::LmKeys),
        ]
        .into_iter()
        .filter_map(|(lacks, what)| lacks.then_some(what))
    }

    /// In words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Ntlmv1 => "NTLMv1 response",
            Self::Lm => "LM response",
            Self::Lmv2Alone => "LMv2 response alone",
            Self::Anonymous => "anonymous logon",
            Self::Guest => "unknown account as guest",
            Self::WeakKeys => "keys of less than 128 bits",
            Self::NoExtendedSessionSecurity => "no extended session security",
            Self::LmKeys => "session key from the LM hash",
            Self::TargetInfoNotEchoed => "TargetInfo not sent back",
            Self::BareResponses => "responses without NTLM messages",
        }
    }
}
