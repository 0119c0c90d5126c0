//! The key schedule of SMB 2 and 3: from ExportedSessionKey to the keys that sign and encrypt.

use super::rule::{Rule, Step, StepValue, Unknown};
use super::{
    ApplicationKey, ApplicationKeyRule, CipherKey, CipherKeyRule, KeyName, PreauthIntegrityHash,
    PreauthRule, SessionKey, SessionKeyRule, SigningKey, SigningKeyRule, application_key,
    cipher_key, signing_key,
};
use crate::dialect::{Cipher, Dialect, SigningAlgorithm};
use ntlm::keys::Direction;

/// Every key of one SMB 2 or 3 session, with the rule that chose each: the core's
/// [`KeySchedule`](ntlm::keys::KeySchedule) goes on here.
///
/// Client, server and observer obtain it from one function, and every face prints its
/// [`steps`](Self::steps). Authenticating again on the same session derives nothing: its keys stay.
#[derive(Debug)]
pub struct SmbKeySchedule {
    dialect: Dialect,
    signing_algorithm: SigningAlgorithm,
    cipher: Option<Cipher>,
    session_key: Option<SessionKey>,
    preauth_integrity_hash: Option<PreauthIntegrityHash>,
    rules: Rules,
    signing_key: Option<SigningKey>,
    client_to_server_key: Option<CipherKey>,
    server_to_client_key: Option<CipherKey>,
    application_key: Option<ApplicationKey>,
}

/// What a schedule is derived from.
#[derive(Debug)]
pub struct SmbDerivation<'a> {
    /// The dialect that was negotiated.
    pub dialect: Dialect,
    /// How messages are signed.
    pub signing_algorithm: SigningAlgorithm,
    /// How messages can be encrypted, if they can.
    pub cipher: Option<Cipher>,
    /// What authentication left.
    pub source: SessionKeySource,
    /// The hash of the packets before authentication; it counts under 3.1.1 only, and is `None`
    /// there where a packet is missing.
    pub preauth_integrity_hash: Option<&'a PreauthIntegrityHash>,
    /// Whether this connection made the session or joined it.
    pub establishment: Establishment,
}

/// What authentication left.
#[derive(Debug)]
pub enum SessionKeySource {
    /// An account's session key.
    Account(SessionKey),
    /// Nothing: the server let an unknown account in as guest.
    Guest,
    /// Nothing: anonymous.
    Anonymous,
}

/// Whether a connection made the session or joined it (MS-SMB2 3.2.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Establishment {
    /// A session of its own.
    NewSession,
    /// SMB2_SESSION_FLAG_BINDING: one more connection for a session that there is already. It
    /// derives Channel.SigningKey, from its own authentication and its own hash, and nothing else.
    Binding,
}

#[derive(Clone, Copy, Debug)]
struct Rules {
    session_key: SessionKeyRule,
    establishment: Establishment,
    signing_key: SigningKeyRule,
    cipher_key: CipherKeyRule,
    application_key: ApplicationKeyRule,
}

impl Rules {
    const fn choose(
        dialect: Dialect,
        cipher: Option<Cipher>,
        source: &SessionKeySource,
        establishment: Establishment,
    ) -> Self {
        if !matches!(source, SessionKeySource::Account(_)) {
            return Self {
                session_key: SessionKeyRule::NoKey,
                establishment,
                signing_key: SigningKeyRule::NoKey,
                cipher_key: CipherKeyRule::NoKey,
                application_key: ApplicationKeyRule::NoKey,
            };
        }
        let (cipher_key, application_key) = match establishment {
            Establishment::NewSession => {
                (CipherKeyRule::choose(dialect, cipher), ApplicationKeyRule::choose(dialect))
            }
            Establishment::Binding => {
                (CipherKeyRule::OfTheSession, ApplicationKeyRule::OfTheSession)
            }
        };
        Self {
            session_key: SessionKeyRule::ExportedSessionKey,
            establishment,
            signing_key: SigningKeyRule::choose(dialect),
            cipher_key,
            application_key,
        }
    }
}

impl SmbKeySchedule {
    /// Derives every key in order.
    #[must_use]
    pub fn derive(derivation: SmbDerivation<'_>) -> Self {
        let SmbDerivation {
            dialect,
            signing_algorithm,
            cipher,
            source,
            preauth_integrity_hash: hash,
            establishment,
        } = derivation;
        let rules = Rules::choose(dialect, cipher, &source, establishment);
        let session_key = match source {
            SessionKeySource::Account(session_key) => Some(session_key),
            SessionKeySource::Guest | SessionKeySource::Anonymous => None,
        };
        let key = session_key.as_ref();
        let cipher_key = |direction| {
            key.zip(cipher).and_then(|(key, cipher)| {
                cipher_key(rules.cipher_key, cipher, direction, key, hash)
            })
        };
        Self {
            dialect,
            signing_algorithm,
            cipher,
            preauth_integrity_hash: hash.copied(),
            rules,
            signing_key: key.and_then(|key| signing_key(rules.signing_key, key, hash)),
            client_to_server_key: cipher_key(Direction::ClientToServer),
            server_to_client_key: cipher_key(Direction::ServerToClient),
            application_key: key.and_then(|key| application_key(rules.application_key, key, hash)),
            session_key,
        }
    }

    /// The dialect.
    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// How messages are signed.
    #[must_use]
    pub const fn signing_algorithm(&self) -> SigningAlgorithm {
        self.signing_algorithm
    }

    /// How messages can be encrypted.
    #[must_use]
    pub const fn cipher(&self) -> Option<Cipher> {
        self.cipher
    }

    /// SessionKey; `None` for guest and anonymous.
    #[must_use]
    pub const fn session_key(&self) -> Option<&SessionKey> {
        self.session_key.as_ref()
    }

    /// Session.SigningKey, or of a bound connection Channel.SigningKey.
    #[must_use]
    pub const fn signing_key(&self) -> Option<&SigningKey> {
        self.signing_key.as_ref()
    }

    /// The key that encrypts one direction.
    #[must_use]
    pub const fn cipher_key(&self, direction: Direction) -> Option<&CipherKey> {
        match direction {
            Direction::ClientToServer => self.client_to_server_key.as_ref(),
            Direction::ServerToClient => self.server_to_client_key.as_ref(),
        }
    }

    /// ApplicationKey.
    #[must_use]
    pub const fn application_key(&self) -> Option<&ApplicationKey> {
        self.application_key.as_ref()
    }

    /// The ladder, in the order of derivation.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        KeyName::ALL.into_iter().filter_map(|key| self.step(key))
    }

    /// The step of one key; `None` for those that such a session does not have.
    #[must_use]
    pub fn step(&self, key: KeyName) -> Option<Step> {
        let rules = self.rules;
        let binding = rules.establishment == Establishment::Binding;
        let (rule, value) = match key {
            KeyName::SessionKey => (
                Rule::SessionKey(rules.session_key),
                self.session_key.as_ref().map(|key| StepValue::known(key.expose())),
            ),
            KeyName::PreauthIntegrityHashValue => (
                Rule::PreauthIntegrityHash(PreauthRule::choose(self.dialect)),
                self.preauth_integrity_hash
                    .filter(|_| self.needs_hash())
                    .map(|hash| StepValue::known(hash.as_bytes())),
            ),
            KeyName::SigningKey if !binding => (
                Rule::SigningKey(rules.signing_key),
                self.signing_key.as_ref().map(|key| StepValue::known(key.expose())),
            ),
            KeyName::ChannelSigningKey if binding => (
                Rule::ChannelSigningKey(rules.signing_key),
                self.signing_key.as_ref().map(|key| StepValue::known(key.expose())),
            ),
            KeyName::ClientToServerKey => self.cipher_step(Direction::ClientToServer),
            KeyName::ServerToClientKey => self.cipher_step(Direction::ServerToClient),
            KeyName::ApplicationKey => (
                Rule::ApplicationKey(rules.application_key),
                self.application_key.as_ref().map(|key| StepValue::known(key.expose())),
            ),
            KeyName::MacKey | KeyName::SigningKey | KeyName::ChannelSigningKey => return None,
        };
        Some(Step::new(rule, value.unwrap_or_else(|| self.missing(rule))))
    }

    fn cipher_step(&self, direction: Direction) -> (Rule, Option<StepValue>) {
        let key = self.cipher_key(direction);
        let value = key.map(|key| StepValue::known(key.expose()));
        (Rule::CipherKey(direction, self.rules.cipher_key), value)
    }

    /// A key that is not there: its rule has none, or the hash is missing.
    fn missing(&self, rule: Rule) -> StepValue {
        if rule.doc().length > 0 && self.needs_hash() && self.preauth_integrity_hash.is_none() {
            StepValue::Unknown(Unknown::PreauthIntegrityHash)
        } else {
            StepValue::Empty
        }
    }

    fn needs_hash(&self) -> bool {
        PreauthRule::choose(self.dialect) == PreauthRule::Smb311
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn derivation(dialect: Dialect, source: SessionKeySource) -> SmbDerivation<'static> {
        SmbDerivation {
            dialect,
            signing_algorithm: SigningAlgorithm::AesCmac,
            cipher: Some(Cipher::Aes256Gcm),
            source,
            preauth_integrity_hash: None,
            establishment: Establishment::NewSession,
        }
    }

    fn account() -> SessionKeySource {
        SessionKeySource::Account(SessionKey::new([7; 16]))
    }

    #[test]
    fn guests_and_the_anonymous_have_no_key() {
        for dialect in Dialect::ALL {
            for source in [SessionKeySource::Guest, SessionKeySource::Anonymous] {
                let derivation = SmbDerivation {
                    preauth_integrity_hash: Some(&PreauthIntegrityHash::new([1; 64])),
                    ..derivation(dialect, source)
                };
                let keys = SmbKeySchedule::derive(derivation);
                assert!(keys.session_key().is_none() && keys.signing_key().is_none());
                assert!(Direction::ALL.iter().all(|way| keys.cipher_key(*way).is_none()));
                let mut others =
                    keys.steps().filter(|step| step.key != KeyName::PreauthIntegrityHashValue);
                assert!(others.all(|step| matches!(step.value, StepValue::Empty)));
            }
        }
    }

    #[test]
    fn without_the_hash_smb_311_knows_no_key() {
        let keys = SmbKeySchedule::derive(derivation(Dialect::Smb311, account()));
        let values: Vec<bool> = keys
            .steps()
            .map(|step| matches!(step.value, StepValue::Unknown(Unknown::PreauthIntegrityHash)))
            .collect();
        assert_eq!(values, [false, true, true, true, true, true]);
        assert!(keys.signing_key().is_none());
    }

    #[test]
    fn a_bound_connection_derives_a_signing_key_only() {
        let hash = PreauthIntegrityHash::new([3; 64]);
        let derive = |establishment| {
            SmbKeySchedule::derive(SmbDerivation {
                preauth_integrity_hash: Some(&hash),
                establishment,
                ..derivation(Dialect::Smb311, account())
            })
        };
        let (new, bound) = (derive(Establishment::NewSession), derive(Establishment::Binding));
        assert_eq!(new.signing_key().unwrap().expose(), bound.signing_key().unwrap().expose());
        assert!(new.cipher_key(Direction::ClientToServer).is_some());
        assert!(bound.cipher_key(Direction::ClientToServer).is_none());
        assert!(bound.application_key().is_none());
        assert!(bound.step(KeyName::SigningKey).is_none());
        let step = bound.step(KeyName::ChannelSigningKey).unwrap();
        assert!(matches!(step.value, StepValue::Known(_)));
        assert!(new.step(KeyName::ChannelSigningKey).is_none());
    }

    #[test]
    fn every_step_has_the_length_that_its_rule_says() {
        let hash = PreauthIntegrityHash::new([3; 64]);
        for (dialect, cipher) in
            Dialect::ALL.into_iter().flat_map(|dialect| Cipher::ALL.map(|cipher| (dialect, cipher)))
        {
            let keys = SmbKeySchedule::derive(SmbDerivation {
                preauth_integrity_hash: Some(&hash),
                cipher: (dialect >= Dialect::Smb311)
                    .then_some(cipher)
                    .or_else(|| (dialect >= Dialect::Smb300).then_some(Cipher::Aes128Ccm)),
                ..derivation(dialect, account())
            });
            for step in keys.steps() {
                let length = match &step.value {
                    StepValue::Known(bytes) => bytes.expose().len(),
                    _ => 0,
                };
                assert_eq!(length, step.rule.doc().length, "{dialect} {}", step.key);
            }
        }
    }
}
