//! RandomSessionKey, ExportedSessionKey and EncryptedRandomSessionKey
//! (MS-NLMP 3.1.5.1.2, 3.2.5.1.2).

use super::KeyExchangeKey;
use super::doc::{Input, KeyName, MessageField, RuleDoc};
use crate::crypto::rc4k;
use crate::flags::NegotiateFlags;
use crate::secret::secret_key;

secret_key! {
    /// `RandomSessionKey`, 16 bytes: chosen by the client where a key is exchanged.
    RandomSessionKey, 16
}

secret_key! {
    /// `ExportedSessionKey`, 16 bytes: what applications such as SMB ask for, and what every
    /// signing and sealing key is made of.
    ExportedSessionKey, 16
}

/// `RC4K(KeyExchangeKey, RandomSessionKey)`, 16 bytes: what the client sends (MS-NLMP 3.1.5.1.2).
#[must_use]
pub fn encrypted_random_session_key(
    key_exchange_key: &KeyExchangeKey,
    random_session_key: &RandomSessionKey,
) -> [u8; 16] {
    rc4k(key_exchange_key.expose(), *random_session_key.expose())
}

/// `RC4K(KeyExchangeKey, EncryptedRandomSessionKey)`: what the server reads (MS-NLMP 3.2.5.1.2).
#[must_use]
pub fn random_session_key(
    key_exchange_key: &KeyExchangeKey,
    encrypted_random_session_key: [u8; 16],
) -> RandomSessionKey {
    RandomSessionKey::new(rc4k(key_exchange_key.expose(), encrypted_random_session_key))
}

/// `ExportedSessionKey`: RandomSessionKey where one was exchanged, else KeyExchangeKey.
#[must_use]
pub fn exported_session_key(
    key_exchange_key: &KeyExchangeKey,
    random_session_key: Option<&RandomSessionKey>,
) -> ExportedSessionKey {
    let key = random_session_key.map_or(key_exchange_key.expose(), RandomSessionKey::expose);
    ExportedSessionKey::new(*key)
}

/// What ExportedSessionKey is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExportedSessionKeyRule {
    /// KEY_EXCH with SIGN or SEAL: the key that the client chose.
    RandomSessionKey,
    /// Otherwise.
    KeyExchangeKey,
}

impl ExportedSessionKeyRule {
    /// Every rule.
    pub const ALL: [Self; 2] = [Self::RandomSessionKey, Self::KeyExchangeKey];

    /// The rule for the negotiated flags.
    #[must_use]
    pub const fn choose(flags: NegotiateFlags) -> Self {
        if flags.contains(NegotiateFlags::NEGOTIATE_KEY_EXCH) && flags.protects() {
            Self::RandomSessionKey
        } else {
            Self::KeyExchangeKey
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::RandomSessionKey => RuleDoc {
                name: "RandomSessionKey",
                condition: "KEY_EXCH and (SIGN or SEAL)",
                formula: "RandomSessionKey",
                inputs: &[Input::Key(KeyName::RandomSessionKey)],
                length: 16,
                section: "MS-NLMP 3.1.5.1.2, 3.2.5.1.2",
                computed_by: "client and server",
                beware: Some("KEY_EXCH counts only with SIGN or SEAL."),
            },
            Self::KeyExchangeKey => RuleDoc {
                name: "KeyExchangeKey",
                condition: "no KEY_EXCH, or neither SIGN nor SEAL",
                formula: "KeyExchangeKey",
                inputs: &[Input::Key(KeyName::KeyExchangeKey)],
                length: 16,
                section: "MS-NLMP 3.1.5.1.2, 3.2.5.1.2",
                computed_by: "client and server",
                beware: Some(
                    "With KEY_EXCH but neither SIGN nor SEAL, some implementations exchange a key \
                     all the same. Avoid the case: our server then drops KEY_EXCH, our client \
                     does not offer it.",
                ),
            },
        }
    }
}

/// Where RandomSessionKey comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RandomSessionKeyRule {
    /// The client draws it.
    DrawnByClient,
    /// Server and observer decrypt it.
    Decrypted,
    /// None is exchanged.
    NoKeyExchange,
}

impl RandomSessionKeyRule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::DrawnByClient, Self::Decrypted, Self::NoKeyExchange];

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::DrawnByClient => RuleDoc {
                name: "DrawnByClient",
                condition: "KEY_EXCH and (SIGN or SEAL), at the client",
                formula: "NONCE(16)",
                inputs: &[Input::Nonce],
                length: 16,
                section: "MS-NLMP 3.1.5.1.2",
                computed_by: "client",
                beware: None,
            },
            Self::Decrypted => RuleDoc {
                name: "Decrypted",
                condition: "KEY_EXCH and (SIGN or SEAL), at the server or an observer",
                formula: "RC4K(KeyExchangeKey, EncryptedRandomSessionKey)",
                inputs: &[
                    Input::Key(KeyName::KeyExchangeKey),
                    Input::Field(MessageField::EncryptedRandomSessionKey),
                ],
                length: 16,
                section: "MS-NLMP 3.2.5.1.2",
                computed_by: "server",
                beware: Some(
                    "Any 16 bytes decrypt to something: only a MIC or a signature shows that the \
                     key is right.",
                ),
            },
            Self::NoKeyExchange => RuleDoc {
                name: "NoKeyExchange",
                condition: "no KEY_EXCH, or neither SIGN nor SEAL",
                formula: "none",
                inputs: &[],
                length: 0,
                section: "MS-NLMP 3.1.5.1.2",
                computed_by: "nobody",
                beware: Some(
                    "MS-NLMP 4.2.3.4 calls the input of SIGNKEY RandomSessionKey where there is \
                     none; its value is derived from KeyExchangeKey.",
                ),
            },
        }
    }
}

/// Whether EncryptedRandomSessionKey is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EncryptedRandomSessionKeyRule {
    /// It is.
    KeyExchange,
    /// The field stays empty.
    NoKeyExchange,
}

impl EncryptedRandomSessionKeyRule {
    /// Every rule.
    pub const ALL: [Self; 2] = [Self::KeyExchange, Self::NoKeyExchange];

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::KeyExchange => RuleDoc {
                name: "KeyExchange",
                condition: "KEY_EXCH and (SIGN or SEAL)",
                formula: "RC4K(KeyExchangeKey, RandomSessionKey)",
                inputs: &[
                    Input::Key(KeyName::KeyExchangeKey),
                    Input::Key(KeyName::RandomSessionKey),
                ],
                length: 16,
                section: "MS-NLMP 3.1.5.1.2",
                computed_by: "client",
                beware: None,
            },
            Self::NoKeyExchange => RuleDoc {
                name: "NoKeyExchange",
                condition: "no KEY_EXCH, or neither SIGN nor SEAL",
                formula: "none",
                inputs: &[],
                length: 0,
                section: "MS-NLMP 3.1.5.1.2",
                computed_by: "nobody",
                beware: Some("Some clients then send a single byte, or 16; it is ignored."),
            },
        }
    }
}
