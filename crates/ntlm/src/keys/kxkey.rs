//! KXKEY: from SessionBaseKey to KeyExchangeKey (MS-NLMP 3.4.5.1).

use super::doc::{Input, KeyName, MessageField, NtlmVersion, RuleDoc};
use super::{Lmowfv1, SessionBaseKey};
use crate::crypto::{des, hmac_md5};
use crate::flags::NegotiateFlags;
use crate::secret::secret_key;

secret_key! {
    /// `KeyExchangeKey` (MS-NLMP 3.4.5.1), 16 bytes: protects ExportedSessionKey on its way, or
    /// is it.
    KeyExchangeKey, 16
}

/// What KXKEY may need besides SessionBaseKey.
#[derive(Clone, Copy, Debug)]
pub struct KxkeyInputs<'a> {
    /// ServerChallenge of CHALLENGE.
    pub server_challenge: [u8; 8],
    /// The first 8 bytes of LmChallengeResponse as sent; shorter fields are padded with zeros.
    pub lm_challenge_response: [u8; 8],
    /// LMOWFv1, of which the first 8 bytes count.
    pub lm_hash: Option<&'a Lmowfv1>,
}

/// Derives `KeyExchangeKey`, 16 bytes (MS-NLMP 3.4.5.1).
///
/// The rule comes from [`KeyExchangeKeyRule::choose`]; where it needs an LM hash that is not
/// there, the result is that of [`KeyExchangeKeyRule::NoLmHash`].
#[must_use]
pub fn kxkey(
    rule: KeyExchangeKeyRule,
    session_base_key: &SessionBaseKey,
    inputs: &KxkeyInputs<'_>,
) -> KeyExchangeKey {
    let unchanged = || KeyExchangeKey::new(*session_base_key.expose());
    match (rule, inputs.lm_hash) {
        (KeyExchangeKeyRule::ExtendedSessionSecurity, _) => KeyExchangeKey::new(hmac_md5(
            session_base_key.expose(),
            &[&inputs.server_challenge, &inputs.lm_challenge_response],
        )),
        (KeyExchangeKeyRule::LmKey, Some(lm_hash)) => {
            let [a, b, c, d, e, f, g, h, ..] = *lm_hash.expose();
            let halves = [
                des([a, b, c, d, e, f, g], inputs.lm_challenge_response),
                des([h, 0xbd, 0xbd, 0xbd, 0xbd, 0xbd, 0xbd], inputs.lm_challenge_response),
            ];
            let mut key = [0; 16];
            key.iter_mut().zip(halves.as_flattened()).for_each(|(to, from)| *to = *from);
            KeyExchangeKey::new(key)
        }
        (KeyExchangeKeyRule::NonNtSessionKey, Some(lm_hash)) => {
            let [a, b, c, d, e, f, g, h, ..] = *lm_hash.expose();
            KeyExchangeKey::new([a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0])
        }
        (KeyExchangeKeyRule::Anonymous, _) => KeyExchangeKey::new([0; 16]),
        _ => unchanged(),
    }
}

/// Which row of KXKEY applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyExchangeKeyRule {
    /// NTLMv2, and LMv2 alone: SessionBaseKey.
    Ntlmv2,
    /// NTLMv1 with ESS: both challenges are mixed in.
    ExtendedSessionSecurity,
    /// NTLMv1 with LM_KEY: DES under the LM hash.
    LmKey,
    /// NTLMv1 with REQUEST_NON_NT_SESSION_KEY: half the LM hash.
    NonNtSessionKey,
    /// NTLMv1, none of these: SessionBaseKey.
    Ntlmv1,
    /// Anonymous and guest: zeros.
    Anonymous,
    /// LM_KEY or NON_NT asked for, but there is no LM hash: SessionBaseKey.
    NoLmHash,
}

impl KeyExchangeKeyRule {
    /// Every rule.
    pub const ALL: [Self; 7] = [
        Self::Ntlmv2,
        Self::ExtendedSessionSecurity,
        Self::LmKey,
        Self::NonNtSessionKey,
        Self::Ntlmv1,
        Self::Anonymous,
        Self::NoLmHash,
    ];

    /// The rule for a version, the negotiated flags, and whether there is an LM hash.
    #[must_use]
    pub const fn choose(version: NtlmVersion, flags: NegotiateFlags, has_lm_hash: bool) -> Self {
        let ess = flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
        let lm_key = !ess && flags.contains(NegotiateFlags::NEGOTIATE_LM_KEY);
        let non_nt = !ess && flags.contains(NegotiateFlags::REQUEST_NON_NT_SESSION_KEY);
        match version {
            NtlmVersion::Anonymous | NtlmVersion::Guest => Self::Anonymous,
            NtlmVersion::Ntlmv2 | NtlmVersion::Lmv2 => Self::Ntlmv2,
            NtlmVersion::Ntlmv1Ess => Self::ExtendedSessionSecurity,
            NtlmVersion::Lm | NtlmVersion::Ntlmv1 if lm_key || non_nt => {
                match (has_lm_hash, lm_key) {
                    (false, _) => Self::NoLmHash,
                    (true, true) => Self::LmKey,
                    (true, false) => Self::NonNtSessionKey,
                }
            }
            NtlmVersion::Lm | NtlmVersion::Ntlmv1 => Self::Ntlmv1,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        const SESSION_BASE_KEY: &[Input] = &[Input::Key(KeyName::SessionBaseKey)];
        const SECTION: &str = "MS-NLMP 3.4.5.1";
        const BY: &str = "client and server";
        match self {
            Self::Ntlmv2 => RuleDoc {
                name: "Ntlmv2",
                condition: "NTLMv2 or LMv2, whatever the flags",
                formula: "SessionBaseKey",
                inputs: SESSION_BASE_KEY,
                length: 16,
                section: SECTION,
                computed_by: BY,
                beware: Some("With NTLMv2, neither ESS nor LM_KEY changes this key."),
            },
            Self::ExtendedSessionSecurity => RuleDoc {
                name: "ExtendedSessionSecurity",
                condition: "NTLMv1 with EXTENDED_SESSIONSECURITY",
                formula: "HMAC_MD5(SessionBaseKey, ServerChallenge || LmChallengeResponse[0..7])",
                inputs: &[
                    Input::Key(KeyName::SessionBaseKey),
                    Input::Field(MessageField::ServerChallenge),
                    Input::Field(MessageField::LmChallengeResponse8),
                ],
                length: 16,
                section: SECTION,
                computed_by: BY,
                beware: Some(
                    "ESS is not NTLMv2, and neither has to do with SMB's 'extended security'. The \
                     LM field holds ClientChallenge here.",
                ),
            },
            Self::LmKey => RuleDoc {
                name: "LmKey",
                condition: "NTLMv1 without ESS, LM_KEY, and there is an LM hash",
                formula: "DES(LMOWFv1[0..6], LmChallengeResponse[0..7]) || \
                          DES(LMOWFv1[7] || BD BD BD BD BD BD, LmChallengeResponse[0..7])",
                inputs: &[
                    Input::Key(KeyName::Lmowf),
                    Input::Field(MessageField::LmChallengeResponse8),
                ],
                length: 16,
                section: SECTION,
                computed_by: BY,
                beware: Some(
                    "DES under LMOWFv1, not under SessionBaseKey as a well-known article has it. \
                     The LM field counts as sent, even where it repeats the NT response.",
                ),
            },
            Self::NonNtSessionKey => RuleDoc {
                name: "NonNtSessionKey",
                condition: "NTLMv1 without ESS and LM_KEY, REQUEST_NON_NT_SESSION_KEY, and there \
                            is an LM hash",
                formula: "LMOWFv1[0..7] || Z(8)",
                inputs: &[Input::Key(KeyName::Lmowf)],
                length: 16,
                section: SECTION,
                computed_by: BY,
                beware: Some("LM_KEY is looked at first."),
            },
            Self::Ntlmv1 => RuleDoc {
                name: "Ntlmv1",
                condition: "NTLMv1 without ESS, LM_KEY and REQUEST_NON_NT_SESSION_KEY; or LM alone \
                            without the latter two, which do not count beside ESS",
                formula: "SessionBaseKey",
                inputs: SESSION_BASE_KEY,
                length: 16,
                section: SECTION,
                computed_by: BY,
                beware: None,
            },
            Self::Anonymous => RuleDoc {
                name: "Anonymous",
                condition: "anonymous or guest, whatever the flags",
                formula: "Z(16)",
                inputs: &[],
                length: 16,
                section: "MS-NLMP 3.2.5.1.2",
                computed_by: BY,
                beware: Some("Even with ESS: there is no HMAC over the challenges."),
            },
            Self::NoLmHash => RuleDoc {
                name: "NoLmHash",
                condition: "NTLMv1 without ESS, LM_KEY or REQUEST_NON_NT_SESSION_KEY, but no LM \
                            hash",
                formula: "SessionBaseKey",
                inputs: SESSION_BASE_KEY,
                length: 16,
                section: SECTION,
                computed_by: BY,
                beware: Some(
                    "The specification does not say what happens. As Samba does, LM_KEY then \
                     counts as not negotiated, in SEALKEY too; a client must not offer it.",
                ),
            },
        }
    }
}
