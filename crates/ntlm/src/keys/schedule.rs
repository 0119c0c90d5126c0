//! The key schedule: every key of one exchange, from whatever is at hand.

use super::doc::{Direction, KeyName, NtlmVersion};
use super::rule::{Rule, Step, StepBytes, StepValue, Unknown};
use super::verify::Proved;
use super::{
    EncryptedRandomSessionKeyRule, ExportedSessionKey, ExportedSessionKeyRule, KeyExchangeKey,
    KeyExchangeKeyRule, KxkeyInputs, LmowfPrefix, LmowfRule, Lmowfv1, NtProofStrRule, Ntowfv2Rule,
    Proof, RandomSessionKey, RandomSessionKeyRule, ResponseKeyLmRule, ResponseKeyNtRule,
    SealingKey, SealingKeyRule, SessionBaseKey, SessionBaseKeyRule, SigningKey, SigningKeyRule,
    encrypted_random_session_key, exported_session_key, kxkey, random_session_key, sealkey,
    session_base_key_lm, session_base_key_v1, session_base_key_v2, signkey,
};
use crate::flags::NegotiateFlags;
use core::fmt;

/// Every key of one exchange, with the rule that chose each.
///
/// Client, server and observer obtain it from one function, [`KeySchedule::derive`], and every face
/// prints its [`steps`](KeySchedule::steps). Signing and sealing keys are derived when asked for.
#[derive(Debug)]
pub struct KeySchedule {
    version: NtlmVersion,
    flags: NegotiateFlags,
    source: Source,
    session_base_key: Option<SessionBaseKey>,
    key_exchange_key_rule: KeyExchangeKeyRule,
    key_exchange_key: Option<KeyExchangeKey>,
    random_session_key_rule: RandomSessionKeyRule,
    random_session_key: Option<RandomSessionKey>,
    encrypted_random_session_key: Option<[u8; 16]>,
    exported_session_key: ExportedSessionKey,
}

/// What a schedule is derived from.
#[derive(Debug)]
pub struct Derivation<'a> {
    /// The negotiated flags: CHALLENGE and AUTHENTICATE together, or AUTHENTICATE's for datagrams.
    pub negotiate_flags: NegotiateFlags,
    /// ServerChallenge of CHALLENGE.
    pub server_challenge: [u8; 8],
    /// LmChallengeResponse as sent; its first 8 bytes count.
    pub lm_challenge_response: &'a [u8],
    /// Where SessionBaseKey comes from.
    pub source: KeySource,
    /// Where RandomSessionKey comes from.
    pub key_exchange: KeyExchange,
}

/// Where SessionBaseKey comes from.
#[derive(Debug)]
pub enum KeySource {
    /// The account's secret, under which the response was computed or proved.
    Proof(Proof),
    /// A domain controller's verdict.
    DomainController {
        /// The version that was judged.
        version: NtlmVersion,
        /// What the controller returned.
        session_base_key: SessionBaseKey,
        /// The first 8 bytes of LMOWFv1, which the controller returns for NTLMv1.
        lmowf_prefix: Option<LmowfPrefix>,
    },
    /// Nothing: anonymous.
    Anonymous,
    /// Nothing: the server let an unknown account in as guest.
    Guest,
    /// The ExportedSessionKey itself, from a log; nothing before it can be known.
    ExportedSessionKey {
        /// The version, as far as the messages show it.
        version: NtlmVersion,
        /// The key.
        exported_session_key: ExportedSessionKey,
    },
}

/// Where RandomSessionKey comes from, if there is one.
#[derive(Debug)]
pub struct KeyExchange(Exchanged);

#[derive(Debug)]
enum Exchanged {
    Nothing,
    Drawn(RandomSessionKey),
    Received([u8; 16]),
}

impl KeyExchange {
    /// At the client: the key it drew, where the flags have one exchanged.
    #[must_use]
    pub fn drawn(flags: NegotiateFlags, random_session_key: RandomSessionKey) -> Self {
        match ExportedSessionKeyRule::choose(flags) {
            ExportedSessionKeyRule::RandomSessionKey => Self(Exchanged::Drawn(random_session_key)),
            ExportedSessionKeyRule::KeyExchangeKey => Self(Exchanged::Nothing),
        }
    }

    /// At the server: EncryptedRandomSessionKey as received, where the flags have one exchanged;
    /// otherwise the field is ignored.
    ///
    /// # Errors
    ///
    /// [`InvalidSessionKey`] where a key is exchanged and the field does not have 16 bytes.
    pub fn received(flags: NegotiateFlags, field: &[u8]) -> Result<Self, InvalidSessionKey> {
        match (ExportedSessionKeyRule::choose(flags), field.try_into()) {
            (ExportedSessionKeyRule::KeyExchangeKey, _) => Ok(Self(Exchanged::Nothing)),
            (ExportedSessionKeyRule::RandomSessionKey, Ok(key)) => {
                Ok(Self(Exchanged::Received(key)))
            }
            (ExportedSessionKeyRule::RandomSessionKey, Err(_)) => {
                Err(InvalidSessionKey { length: field.len() })
            }
        }
    }
}

/// A key is exchanged, but EncryptedRandomSessionKey does not have 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSessionKey {
    /// Its length in bytes.
    pub length: usize,
}

impl fmt::Display for InvalidSessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptedRandomSessionKey has {} bytes, not 16", self.length)
    }
}

impl core::error::Error for InvalidSessionKey {}

/// What is kept for the steps before SessionBaseKey.
#[derive(Debug)]
enum Source {
    Proof(Proof),
    DomainController,
    Anonymous,
    Guest,
    ExportedSessionKey,
}

impl KeySchedule {
    /// Derives every key in order.
    #[must_use]
    pub fn derive(derivation: Derivation<'_>) -> Self {
        let Derivation {
            negotiate_flags,
            server_challenge,
            lm_challenge_response,
            source,
            key_exchange: KeyExchange(exchanged),
        } = derivation;
        let Origin { version, source, session_base_key, lm_hash } = match Origin::new(source) {
            Ok(origin) => origin,
            Err((version, key)) => {
                return Self::from_exported_session_key(version, negotiate_flags, key, exchanged);
            }
        };
        let key_exchange_key_rule =
            KeyExchangeKeyRule::choose(version, negotiate_flags, lm_hash.is_some());
        let inputs = KxkeyInputs {
            server_challenge,
            lm_challenge_response: first_8_padded(lm_challenge_response),
            lm_hash: lm_hash.as_ref(),
        };
        let key_exchange_key = kxkey(key_exchange_key_rule, &session_base_key, &inputs);
        let (random_session_key_rule, random_session_key, encrypted_random_session_key) =
            match exchanged {
                Exchanged::Nothing => (RandomSessionKeyRule::NoKeyExchange, None, None),
                Exchanged::Drawn(drawn) => {
                    let encrypted = encrypted_random_session_key(&key_exchange_key, &drawn);
                    (RandomSessionKeyRule::DrawnByClient, Some(drawn), Some(encrypted))
                }
                Exchanged::Received(encrypted) => {
                    let random = random_session_key(&key_exchange_key, encrypted);
                    (RandomSessionKeyRule::Decrypted, Some(random), Some(encrypted))
                }
            };
        let exported_session_key =
            exported_session_key(&key_exchange_key, random_session_key.as_ref());
        Self {
            version,
            flags: effective_flags(negotiate_flags, key_exchange_key_rule),
            source,
            session_base_key: Some(session_base_key),
            key_exchange_key_rule,
            key_exchange_key: Some(key_exchange_key),
            random_session_key_rule,
            random_session_key,
            encrypted_random_session_key,
            exported_session_key,
        }
    }

    fn from_exported_session_key(
        version: NtlmVersion,
        negotiate_flags: NegotiateFlags,
        exported_session_key: ExportedSessionKey,
        exchanged: Exchanged,
    ) -> Self {
        // Whether there was an LM hash, nobody knows; LM_KEY was hardly negotiated without.
        let key_exchange_key_rule = KeyExchangeKeyRule::choose(version, negotiate_flags, true);
        let key = || *exported_session_key.expose();
        let (random_session_key_rule, random_session_key, key_exchange_key, encrypted) =
            match exchanged {
                Exchanged::Nothing => {
                    let key_exchange_key = KeyExchangeKey::new(key());
                    (RandomSessionKeyRule::NoKeyExchange, None, Some(key_exchange_key), None)
                }
                Exchanged::Drawn(_) => {
                    let random = RandomSessionKey::new(key());
                    (RandomSessionKeyRule::DrawnByClient, Some(random), None, None)
                }
                Exchanged::Received(encrypted) => {
                    let random = RandomSessionKey::new(key());
                    (RandomSessionKeyRule::Decrypted, Some(random), None, Some(encrypted))
                }
            };
        Self {
            version,
            flags: effective_flags(negotiate_flags, key_exchange_key_rule),
            source: Source::ExportedSessionKey,
            session_base_key: None,
            key_exchange_key_rule,
            key_exchange_key,
            random_session_key_rule,
            random_session_key,
            encrypted_random_session_key: encrypted,
            exported_session_key,
        }
    }

    /// How the client proved itself.
    #[must_use]
    pub const fn version(&self) -> NtlmVersion {
        self.version
    }

    /// The flags that the keys follow: as negotiated, without LM_KEY where it cannot count.
    #[must_use]
    pub const fn negotiate_flags(&self) -> NegotiateFlags {
        self.flags
    }

    /// How many bits of the keys that protect messages are secret: 128, 56 or 40.
    #[must_use]
    pub const fn strength_bits(&self) -> u8 {
        SealingKeyRule::choose(self.flags).strength_bits()
    }

    /// SessionBaseKey, where it is known.
    #[must_use]
    pub const fn session_base_key(&self) -> Option<&SessionBaseKey> {
        self.session_base_key.as_ref()
    }

    /// Which row of KXKEY applied.
    #[must_use]
    pub const fn key_exchange_key_rule(&self) -> KeyExchangeKeyRule {
        self.key_exchange_key_rule
    }

    /// KeyExchangeKey, where it is known.
    #[must_use]
    pub const fn key_exchange_key(&self) -> Option<&KeyExchangeKey> {
        self.key_exchange_key.as_ref()
    }

    /// ExportedSessionKey, which is always known.
    #[must_use]
    pub const fn exported_session_key(&self) -> &ExportedSessionKey {
        &self.exported_session_key
    }

    /// EncryptedRandomSessionKey, where a key is exchanged.
    #[must_use]
    pub const fn encrypted_random_session_key(&self) -> Option<[u8; 16]> {
        self.encrypted_random_session_key
    }

    /// ClientSigningKey or ServerSigningKey; `None` without ESS.
    #[must_use]
    pub fn signing_key(&self, direction: Direction) -> Option<SigningKey> {
        let rule = SigningKeyRule::choose(self.flags);
        signkey(rule, &self.exported_session_key, direction)
    }

    /// ClientSealingKey or ServerSealingKey; the same key without ESS.
    #[must_use]
    pub fn sealing_key(&self, direction: Direction) -> SealingKey {
        let rule = SealingKeyRule::choose(self.flags);
        sealkey(rule, &self.exported_session_key, direction)
    }

    /// The ladder: one step for each name in [`KeyName::STEPS`], in that order.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        KeyName::STEPS.into_iter().filter_map(|key| self.step(key))
    }

    /// The step of one key; `None` for names that have none.
    #[must_use]
    pub fn step(&self, key: KeyName) -> Option<Step> {
        let (rule, value) = match key {
            KeyName::Lmowf
            | KeyName::NtowfV1
            | KeyName::NtowfV2
            | KeyName::ResponseKeyNt
            | KeyName::ResponseKeyLm
            | KeyName::NtProofStr => self.step_before_session_base_key(key)?,
            KeyName::SessionBaseKey => (
                Rule::SessionBaseKey(SessionBaseKeyRule::choose(self.version)),
                self.session_base_key.as_ref().map_or_else(only_exported, |k| known(k.expose())),
            ),
            KeyName::KeyExchangeKey => (
                Rule::KeyExchangeKey(self.key_exchange_key_rule),
                self.key_exchange_key.as_ref().map_or_else(only_exported, |k| known(k.expose())),
            ),
            KeyName::RandomSessionKey => (
                Rule::RandomSessionKey(self.random_session_key_rule),
                self.random_session_key
                    .as_ref()
                    .map_or(StepValue::Empty, |key| known(key.expose())),
            ),
            KeyName::ExportedSessionKey => (
                Rule::ExportedSessionKey(match self.random_session_key {
                    Some(_) => ExportedSessionKeyRule::RandomSessionKey,
                    None => ExportedSessionKeyRule::KeyExchangeKey,
                }),
                known(self.exported_session_key.expose()),
            ),
            KeyName::EncryptedRandomSessionKey => (
                Rule::EncryptedRandomSessionKey(match self.random_session_key {
                    Some(_) => EncryptedRandomSessionKeyRule::KeyExchange,
                    None => EncryptedRandomSessionKeyRule::NoKeyExchange,
                }),
                match (self.encrypted_random_session_key, &self.random_session_key) {
                    (Some(field), _) => known(&field),
                    (None, Some(_)) => only_exported(),
                    (None, None) => StepValue::Empty,
                },
            ),
            KeyName::ClientSigningKey => self.signing_step(Direction::ClientToServer),
            KeyName::ServerSigningKey => self.signing_step(Direction::ServerToClient),
            KeyName::ClientSealingKey => self.sealing_step(Direction::ClientToServer),
            KeyName::ServerSealingKey => self.sealing_step(Direction::ServerToClient),
            KeyName::Responses | KeyName::Mic | KeyName::ChallengeForDomainController => {
                return None;
            }
        };
        Some(Step { key, rule, value })
    }

    fn signing_step(&self, direction: Direction) -> (Rule, StepValue) {
        let rule = SigningKeyRule::choose(self.flags);
        let key = self.signing_key(direction);
        let value = key.map_or(StepValue::Empty, |key| known(key.expose()));
        (Rule::SigningKey(direction, rule), value)
    }

    fn sealing_step(&self, direction: Direction) -> (Rule, StepValue) {
        let rule = SealingKeyRule::choose(self.flags);
        let value = known(self.sealing_key(direction).expose());
        (Rule::SealingKey(direction, rule), value)
    }

    fn step_before_session_base_key(&self, key: KeyName) -> Option<(Rule, StepValue)> {
        let secret = match &self.source {
            Source::Proof(proof) => Ok((proof.secret.lm_hash(), proof.secret.nt_hash(), proof)),
            Source::DomainController => Err(Unknown::JudgedByDomainController),
            Source::ExportedSessionKey => Err(Unknown::OnlyExportedSessionKey),
            Source::Anonymous | Source::Guest => Err(Unknown::NotChecked),
        };
        let has_lm_hash = secret.is_ok_and(|(lm_hash, _, _)| lm_hash.is_some());
        let nt_rule = ResponseKeyNtRule::choose(self.version);
        let lm_rule = ResponseKeyLmRule::choose(self.version, has_lm_hash || secret.is_err());
        let uses_v2 = nt_rule == ResponseKeyNtRule::Ntowfv2;
        let ntowf_v2 = |proof: &Proof| {
            proof.response_key_nt().map_or(StepValue::Empty, |key| known(key.expose()))
        };
        Some(match key {
            KeyName::Lmowf => match secret {
                Ok((Some(lm_hash), _, _)) => {
                    (Rule::Lmowf(LmowfRule::Lmowfv1), known(lm_hash.expose()))
                }
                Ok((None, _, _)) => (Rule::Lmowf(LmowfRule::Unavailable), StepValue::Empty),
                Err(why) => (Rule::Lmowf(LmowfRule::Lmowfv1), StepValue::Unknown(why)),
            },
            KeyName::NtowfV1 => match secret {
                Ok((_, nt_hash, _)) => (Rule::NtowfV1, known(nt_hash.expose())),
                Err(why) => (Rule::NtowfV1, StepValue::Unknown(why)),
            },
            KeyName::NtowfV2 => match secret {
                Ok((_, _, proof)) => (Rule::NtowfV2(proof.ntowf_v2_rule()), ntowf_v2(proof)),
                Err(why) if uses_v2 => {
                    (Rule::NtowfV2(Ntowfv2Rule::DomainAsSent), StepValue::Unknown(why))
                }
                Err(_) => (Rule::NtowfV2(Ntowfv2Rule::NotUsed), StepValue::Empty),
            },
            KeyName::ResponseKeyNt => {
                let value = match (nt_rule, secret) {
                    (ResponseKeyNtRule::NotUsed, _) => StepValue::Empty,
                    (_, Err(why)) => StepValue::Unknown(why),
                    (ResponseKeyNtRule::Ntowfv2, Ok((_, _, proof))) => ntowf_v2(proof),
                    (ResponseKeyNtRule::Ntowfv1, Ok((_, nt_hash, _))) => known(nt_hash.expose()),
                };
                (Rule::ResponseKeyNt(nt_rule), value)
            }
            KeyName::ResponseKeyLm => {
                let value = match (lm_rule, secret) {
                    (ResponseKeyLmRule::NotUsed, _) => StepValue::Empty,
                    (_, Err(why)) => StepValue::Unknown(why),
                    (ResponseKeyLmRule::Lmowfv2, Ok((_, _, proof))) => ntowf_v2(proof),
                    (ResponseKeyLmRule::Lmowfv1, Ok((lm_hash, _, _))) => {
                        lm_hash.map_or(StepValue::Empty, |lm_hash| known(lm_hash.expose()))
                    }
                };
                (Rule::ResponseKeyLm(lm_rule), value)
            }
            KeyName::NtProofStr => {
                let rule = NtProofStrRule::choose(self.version);
                let value = match (rule, secret) {
                    (NtProofStrRule::NotUsed, _) => StepValue::Empty,
                    (NtProofStrRule::Ntlmv2, Err(why)) => StepValue::Unknown(why),
                    (NtProofStrRule::Ntlmv2, Ok((_, _, proof))) => {
                        proof.nt_proof_str().map_or(StepValue::Empty, |bytes| known(bytes))
                    }
                };
                (Rule::NtProofStr(rule), value)
            }
            _ => return None,
        })
    }
}

struct Origin {
    version: NtlmVersion,
    source: Source,
    session_base_key: SessionBaseKey,
    lm_hash: Option<Lmowfv1>,
}

impl Origin {
    /// The error is no failure: only ExportedSessionKey is known, and there is nothing to derive.
    fn new(source: KeySource) -> Result<Self, (NtlmVersion, ExportedSessionKey)> {
        Ok(match source {
            KeySource::Proof(proof) => {
                let version = proof.version();
                let session_base_key = session_base_key(&proof);
                let lm_hash = proof.secret.lm_hash().map(Lmowfv1::duplicate);
                Self { version, source: Source::Proof(proof), session_base_key, lm_hash }
            }
            KeySource::DomainController { version, session_base_key, lmowf_prefix } => {
                let source = Source::DomainController;
                let lm_hash = lmowf_prefix.map(|prefix| prefix.padded());
                Self { version, source, session_base_key, lm_hash }
            }
            KeySource::Anonymous => Self::without_key(NtlmVersion::Anonymous, Source::Anonymous),
            KeySource::Guest => Self::without_key(NtlmVersion::Guest, Source::Guest),
            KeySource::ExportedSessionKey { version, exported_session_key } => {
                return Err((version, exported_session_key));
            }
        })
    }

    const fn without_key(version: NtlmVersion, source: Source) -> Self {
        Self { version, source, session_base_key: SessionBaseKey::new([0; 16]), lm_hash: None }
    }
}

fn session_base_key(proof: &Proof) -> SessionBaseKey {
    match (&proof.proved, proof.secret.lm_hash()) {
        (Proved::Ntlmv2 { response_key_nt, nt_proof_str: bytes, .. }, _)
        | (Proved::Lmv2 { response_key_nt, response: bytes, .. }, _) => {
            session_base_key_v2(response_key_nt, bytes)
        }
        (Proved::Lm, Some(lm_hash)) => session_base_key_lm(lm_hash),
        // LM is proved under an LM hash only, so this is NTLMv1.
        (Proved::Ntlmv1Ess | Proved::Ntlmv1 | Proved::Lm, _) => {
            session_base_key_v1(proof.secret.nt_hash())
        }
    }
}

/// LM_KEY counts only where KXKEY followed it: not beside ESS (MS-NLMP 2.2.2.5), not with NTLMv2,
/// not without an LM hash.
fn effective_flags(flags: NegotiateFlags, rule: KeyExchangeKeyRule) -> NegotiateFlags {
    match rule {
        KeyExchangeKeyRule::LmKey => flags,
        _ => flags.difference(NegotiateFlags::NEGOTIATE_LM_KEY),
    }
}

fn first_8_padded(field: &[u8]) -> [u8; 8] {
    let mut first = [0; 8];
    first.iter_mut().zip(field).for_each(|(to, from)| *to = *from);
    first
}

fn known(key: &[u8]) -> StepValue {
    StepValue::Known(StepBytes::new(key))
}

const fn only_exported() -> StepValue {
    StepValue::Unknown(Unknown::OnlyExportedSessionKey)
}
