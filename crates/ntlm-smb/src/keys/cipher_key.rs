//! The keys that encrypt, one for each direction (MS-SMB2 3.1.4.2, 3.2.5.3).

use super::doc::{Input, KdfDoc, KeyName, RuleDoc};
use super::kdf::kdf;
use super::{PreauthIntegrityHash, SessionKey};
use crate::dialect::{Cipher, Dialect};
use core::fmt;
use ntlm::keys::Direction;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// The key of one direction with the cipher that it is for, 16 or 32 bytes.
pub struct CipherKey {
    cipher: Cipher,
    bytes: [u8; 32],
}

impl CipherKey {
    /// Takes the bytes of the key; `None` where the cipher needs another number of them.
    #[must_use]
    pub fn new(cipher: Cipher, key: &[u8]) -> Option<Self> {
        if key.len() != cipher.key_len() {
            return None;
        }
        let mut bytes = [0; 32];
        bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Some(Self { cipher, bytes })
    }

    /// The cipher that it is for.
    #[must_use]
    pub const fn cipher(&self) -> Cipher {
        self.cipher
    }

    /// The bytes of the key, for whoever must spend it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.get(..self.cipher.key_len()).unwrap_or(&self.bytes)
    }
}

impl Drop for CipherKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl ZeroizeOnDrop for CipherKey {}

impl fmt::Debug for CipherKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CipherKey(..)")
    }
}

/// Derives the key of one direction; `None` without one, and under 3.1.1 without the hash.
#[must_use]
pub fn cipher_key(
    rule: CipherKeyRule,
    cipher: Cipher,
    direction: Direction,
    session_key: &SessionKey,
    preauth_integrity_hash: Option<&PreauthIntegrityHash>,
) -> Option<CipherKey> {
    let out = kdf(session_key, rule.doc(direction).kdf?, preauth_integrity_hash)?;
    CipherKey::new(cipher, out.get(..cipher.key_len())?)
}

/// What the keys that encrypt are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CipherKeyRule {
    /// 3.0 and 3.0.2.
    Smb300,
    /// 3.1.1 with an AES-128 cipher.
    Smb311Aes128,
    /// 3.1.1 with an AES-256 cipher.
    Smb311Aes256,
    /// A bound connection: the session has its keys already.
    OfTheSession,
    /// Encryption was not negotiated, or is not known to the dialect.
    NotNegotiated,
    /// Guest and anonymous.
    NoKey,
}

impl CipherKeyRule {
    /// Every rule.
    pub const ALL: [Self; 6] = [
        Self::Smb300,
        Self::Smb311Aes128,
        Self::Smb311Aes256,
        Self::OfTheSession,
        Self::NotNegotiated,
        Self::NoKey,
    ];

    /// The rule for a new session with a session key.
    #[must_use]
    pub const fn choose(dialect: Dialect, cipher: Option<Cipher>) -> Self {
        match (dialect, cipher) {
            (Dialect::Smb202 | Dialect::Smb210, _) | (_, None) => Self::NotNegotiated,
            (Dialect::Smb300 | Dialect::Smb302, Some(_)) => Self::Smb300,
            (Dialect::Smb311, Some(Cipher::Aes128Ccm | Cipher::Aes128Gcm)) => Self::Smb311Aes128,
            (Dialect::Smb311, Some(Cipher::Aes256Ccm | Cipher::Aes256Gcm)) => Self::Smb311Aes256,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self, direction: Direction) -> RuleDoc {
        match self {
            Self::Smb300 => {
                let (formula, context) = match direction {
                    Direction::ClientToServer => {
                        ("KDF(SessionKey, \"SMB2AESCCM\\0\", \"ServerIn \\0\", 128)", "ServerIn \0")
                    }
                    Direction::ServerToClient => {
                        ("KDF(SessionKey, \"SMB2AESCCM\\0\", \"ServerOut\\0\", 128)", "ServerOut\0")
                    }
                };
                RuleDoc {
                    name: "Smb300",
                    condition: "3.0, 3.0.2, both ends with SMB2_GLOBAL_CAP_ENCRYPTION",
                    formula,
                    kdf: Some(KdfDoc {
                        label: "SMB2AESCCM\0",
                        context: Some(context),
                        length_bits: 128,
                    }),
                    inputs: &[Input::Key(KeyName::SessionKey)],
                    length: 16,
                    section: "MS-SMB2 3.1.4.2, 3.2.5.3.1",
                    computed_by: "client and server",
                    beware: Some("\"ServerIn \" has a space before its zero byte."),
                }
            }
            Self::Smb311Aes128 => match direction {
                Direction::ClientToServer => smb311(
                    "Smb311Aes128",
                    "3.1.1, AES-128-CCM or AES-128-GCM",
                    "KDF(SessionKey, \"SMBC2SCipherKey\\0\", PreauthIntegrityHashValue, 128)",
                    "SMBC2SCipherKey\0",
                    128,
                ),
                Direction::ServerToClient => smb311(
                    "Smb311Aes128",
                    "3.1.1, AES-128-CCM or AES-128-GCM",
                    "KDF(SessionKey, \"SMBS2CCipherKey\\0\", PreauthIntegrityHashValue, 128)",
                    "SMBS2CCipherKey\0",
                    128,
                ),
            },
            Self::Smb311Aes256 => match direction {
                Direction::ClientToServer => smb311(
                    "Smb311Aes256",
                    "3.1.1, AES-256-CCM or AES-256-GCM",
                    "KDF(SessionKey, \"SMBC2SCipherKey\\0\", PreauthIntegrityHashValue, 256)",
                    "SMBC2SCipherKey\0",
                    256,
                ),
                Direction::ServerToClient => smb311(
                    "Smb311Aes256",
                    "3.1.1, AES-256-CCM or AES-256-GCM",
                    "KDF(SessionKey, \"SMBS2CCipherKey\\0\", PreauthIntegrityHashValue, 256)",
                    "SMBS2CCipherKey\0",
                    256,
                ),
            },
            Self::OfTheSession => none(
                "OfTheSession",
                "a connection bound to a session",
                Some("Only Channel.SigningKey is new; what encrypts stays as the session has it."),
            ),
            Self::NotNegotiated => {
                none("NotNegotiated", "2.0.2, 2.1, or no cipher in common", None)
            }
            Self::NoKey => none("NoKey", "guest, anonymous", Some("Nothing is encrypted.")),
        }
    }
}

const fn smb311(
    name: &'static str,
    condition: &'static str,
    formula: &'static str,
    label: &'static str,
    length_bits: u32,
) -> RuleDoc {
    RuleDoc {
        name,
        condition,
        formula,
        kdf: Some(KdfDoc { label, context: None, length_bits }),
        inputs: &[Input::Key(KeyName::SessionKey), Input::Key(KeyName::PreauthIntegrityHashValue)],
        length: if length_bits == 256 { 32 } else { 16 },
        section: "MS-SMB2 3.1.4.2, 3.2.5.3.1",
        computed_by: "client and server",
        beware: if length_bits == 256 {
            Some(
                "L goes into the PRF, so a 128-bit key is not the first half. The KDF's key is \
                 FullSessionKey, which for NTLM is the same 16 bytes.",
            )
        } else {
            None
        },
    }
}

const fn none(
    name: &'static str,
    condition: &'static str,
    beware: Option<&'static str>,
) -> RuleDoc {
    RuleDoc {
        name,
        condition,
        formula: "none",
        kdf: None,
        inputs: &[],
        length: 0,
        section: "MS-SMB2 3.2.5.3.1",
        computed_by: "nobody",
        beware,
    }
}
