//! SigningKey and Channel.SigningKey (MS-SMB2 3.1.4.2, 3.2.5.3).

use super::doc::{Input, KdfDoc, KeyName, RuleDoc};
use super::kdf::kdf;
use super::{PreauthIntegrityHash, SessionKey};
use crate::crypto::first_16;
use crate::dialect::Dialect;
use crate::secret::secret_key;

secret_key! {
    /// `Session.SigningKey` or `Channel.SigningKey`, 16 bytes: both ends sign with the same one.
    SigningKey
}

/// Derives `SigningKey`; `None` without a key, and under 3.1.1 without the hash.
#[must_use]
pub fn signing_key(
    rule: SigningKeyRule,
    session_key: &SessionKey,
    preauth_integrity_hash: Option<&PreauthIntegrityHash>,
) -> Option<SigningKey> {
    match rule {
        SigningKeyRule::SessionKey => Some(SigningKey::new(*session_key.expose())),
        SigningKeyRule::Smb300 | SigningKeyRule::Smb311 => {
            let out = kdf(session_key, rule.doc().kdf?, preauth_integrity_hash)?;
            Some(SigningKey::new(first_16(*out)))
        }
        SigningKeyRule::NoKey => None,
    }
}

/// What SigningKey is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningKeyRule {
    /// 2.0.2 and 2.1.
    SessionKey,
    /// 3.0 and 3.0.2.
    Smb300,
    /// 3.1.1.
    Smb311,
    /// Guest and anonymous.
    NoKey,
}

impl SigningKeyRule {
    /// Every rule.
    pub const ALL: [Self; 4] = [Self::SessionKey, Self::Smb300, Self::Smb311, Self::NoKey];

    /// Those of a bound connection: before 3.0 there is no binding, and guest and anonymous sessions
    /// cannot be bound.
    pub const OF_CHANNELS: [Self; 2] = [Self::Smb300, Self::Smb311];

    /// The rule for a dialect, where there is a session key.
    #[must_use]
    pub const fn choose(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Smb202 | Dialect::Smb210 => Self::SessionKey,
            Dialect::Smb300 | Dialect::Smb302 => Self::Smb300,
            Dialect::Smb311 => Self::Smb311,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::SessionKey => RuleDoc {
                name: "SessionKey",
                condition: "2.0.2, 2.1",
                formula: "SessionKey",
                kdf: None,
                inputs: &[Input::Key(KeyName::SessionKey)],
                length: 16,
                section: "MS-SMB2 3.2.5.3.1, 3.3.5.5.3",
                computed_by: "client and server",
                beware: None,
            },
            Self::Smb300 => RuleDoc {
                name: "Smb300",
                condition: "3.0, 3.0.2",
                formula: "KDF(SessionKey, \"SMB2AESCMAC\\0\", \"SmbSign\\0\", 128)",
                kdf: Some(KdfDoc {
                    label: "SMB2AESCMAC\0",
                    context: Some("SmbSign\0"),
                    length_bits: 128,
                }),
                inputs: &[Input::Key(KeyName::SessionKey)],
                length: 16,
                section: "MS-SMB2 3.1.4.2, 3.2.5.3.1",
                computed_by: "client and server",
                beware: Some("Label and Context end with a zero byte of their own."),
            },
            Self::Smb311 => RuleDoc {
                name: "Smb311",
                condition: "3.1.1",
                formula: "KDF(SessionKey, \"SMBSigningKey\\0\", PreauthIntegrityHashValue, 128)",
                kdf: Some(KdfDoc { label: "SMBSigningKey\0", context: None, length_bits: 128 }),
                inputs: &[
                    Input::Key(KeyName::SessionKey),
                    Input::Key(KeyName::PreauthIntegrityHashValue),
                ],
                length: 16,
                section: "MS-SMB2 3.1.4.2, 3.2.5.3.1",
                computed_by: "client and server",
                beware: Some("L is 128 under AES-256 ciphers too."),
            },
            Self::NoKey => RuleDoc {
                name: "NoKey",
                condition: "guest, anonymous",
                formula: "none",
                kdf: None,
                inputs: &[],
                length: 0,
                section: "MS-SMB2 3.2.5.3.1",
                computed_by: "nobody",
                beware: Some(
                    "Nothing is signed, whatever was asked for. A client that insists on signing \
                     must refuse such a session, or whoever stands between can strip it.",
                ),
            },
        }
    }

    /// What the table says of it for Channel.SigningKey of a bound connection.
    #[must_use]
    pub const fn doc_of_channel(self) -> RuleDoc {
        let condition = match self {
            Self::Smb300 => "3.0, 3.0.2, a connection bound to a session",
            Self::Smb311 => "3.1.1, a connection bound to a session",
            Self::SessionKey | Self::NoKey => return self.doc(),
        };
        RuleDoc {
            condition,
            section: "MS-SMB2 3.1.4.2, 3.2.5.3.3",
            beware: Some(
                "SessionKey, and under 3.1.1 the hash, of the authentication that bound this \
                 connection, not of the session's first one.",
            ),
            ..self.doc()
        }
    }
}
