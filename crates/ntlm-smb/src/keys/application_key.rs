//! ApplicationKey: what named pipes get to see (MS-SMB2 3.1.4.2, MS-SMB 3.2.5.4).

use super::doc::{Input, KdfDoc, KeyName, RuleDoc};
use super::kdf::kdf;
use super::{PreauthIntegrityHash, SessionKey};
use crate::crypto::{first_16, hmac_md5};
use crate::dialect::Dialect;
use crate::secret::secret_key;

secret_key! {
    /// `Session.ApplicationKey`, 16 bytes: what SAMR, LSA and others encrypt passwords with.
    ApplicationKey
}

/// Derives `ApplicationKey`; `None` without a key, and under 3.1.1 without the hash.
#[must_use]
pub fn application_key(
    rule: ApplicationKeyRule,
    session_key: &SessionKey,
    preauth_integrity_hash: Option<&PreauthIntegrityHash>,
) -> Option<ApplicationKey> {
    match rule {
        ApplicationKeyRule::SessionKey => Some(ApplicationKey::new(*session_key.expose())),
        ApplicationKeyRule::ExtendedSignatures => {
            Some(ApplicationKey::new(hmac_md5(session_key.expose(), &SS_KEY_HASH)))
        }
        ApplicationKeyRule::Smb300 | ApplicationKeyRule::Smb311 => {
            let out = kdf(session_key, rule.doc().kdf?, preauth_integrity_hash)?;
            Some(ApplicationKey::new(first_16(*out)))
        }
        ApplicationKeyRule::OfTheSession | ApplicationKeyRule::NoKey => None,
    }
}

/// What ApplicationKey is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ApplicationKeyRule {
    /// SMB 1, 2.0.2 and 2.1.
    SessionKey,
    /// SMB 1 after both ends agreed to protect the key.
    ExtendedSignatures,
    /// 3.0 and 3.0.2.
    Smb300,
    /// 3.1.1.
    Smb311,
    /// A bound connection: the session has its key already.
    OfTheSession,
    /// Guest and anonymous.
    NoKey,
}

impl ApplicationKeyRule {
    /// Every rule.
    pub const ALL: [Self; 6] = [
        Self::SessionKey,
        Self::ExtendedSignatures,
        Self::Smb300,
        Self::Smb311,
        Self::OfTheSession,
        Self::NoKey,
    ];

    /// The rule for a new session with a session key.
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
        const KDF: RuleDoc = RuleDoc {
            name: "",
            condition: "",
            formula: "",
            kdf: None,
            inputs: &[Input::Key(KeyName::SessionKey)],
            length: 16,
            section: "MS-SMB2 3.1.4.2, 3.2.5.3.1",
            computed_by: "client and server",
            beware: None,
        };
        const NONE: RuleDoc =
            RuleDoc { formula: "none", inputs: &[], length: 0, computed_by: "nobody", ..KDF };
        match self {
            Self::SessionKey => RuleDoc {
                name: "SessionKey",
                condition: "SMB 1, 2.0.2, 2.1",
                formula: "SessionKey",
                section: "MS-SMB2 3.2.5.3.1; MS-SMB 3.2.5.3",
                ..KDF
            },
            Self::ExtendedSignatures => RuleDoc {
                name: "ExtendedSignatures",
                condition: "SMB 1, TREE_CONNECT_ANDX_EXTENDED_SIGNATURES asked for and granted",
                formula: "HMAC_MD5(SessionKey, SSKeyHash)",
                inputs: &[Input::Key(KeyName::SessionKey), Input::Constant("SSKeyHash")],
                section: "MS-SMB 2.2.2.5, 3.2.5.4, 3.3.5.4",
                beware: Some("It protects the key from applications; signing goes on unchanged."),
                ..KDF
            },
            Self::Smb300 => RuleDoc {
                name: "Smb300",
                condition: "3.0, 3.0.2",
                formula: "KDF(SessionKey, \"SMB2APP\\0\", \"SmbRpc\\0\", 128)",
                kdf: Some(KdfDoc {
                    label: "SMB2APP\0",
                    context: Some("SmbRpc\0"),
                    length_bits: 128,
                }),
                ..KDF
            },
            Self::Smb311 => RuleDoc {
                name: "Smb311",
                condition: "3.1.1",
                formula: "KDF(SessionKey, \"SMBAppKey\\0\", PreauthIntegrityHashValue, 128)",
                kdf: Some(KdfDoc { label: "SMBAppKey\0", context: None, length_bits: 128 }),
                inputs: &[
                    Input::Key(KeyName::SessionKey),
                    Input::Key(KeyName::PreauthIntegrityHashValue),
                ],
                beware: Some("L is 128 under AES-256 ciphers too."),
                ..KDF
            },
            Self::OfTheSession => RuleDoc {
                name: "OfTheSession",
                condition: "a connection bound to a session",
                ..NONE
            },
            Self::NoKey => RuleDoc { name: "NoKey", condition: "guest, anonymous", ..NONE },
        }
    }
}

/// SSKeyHash, 256 bytes (MS-SMB 2.2.2.5): a text, and random bytes behind it.
const SS_KEY_HASH: [u8; 256] = [
    0x53, 0x65, 0x63, 0x75, 0x72, 0x69, 0x74, 0x79, 0x20, 0x53, 0x69, 0x67, 0x6e, 0x61, 0x74, 0x75,
    0x72, 0x65, 0x20, 0x4b, 0x65, 0x79, 0x20, 0x55, 0x70, 0x67, 0x72, 0x61, 0x64, 0x65, 0x79, 0x07,
    0x6e, 0x28, 0x2e, 0x69, 0x88, 0x10, 0xb3, 0xdb, 0x01, 0x55, 0x72, 0xfb, 0x74, 0x14, 0xfb, 0xc4,
    0xc5, 0xaf, 0x3b, 0x41, 0x65, 0x32, 0x17, 0xba, 0xa3, 0x29, 0x08, 0xc1, 0xde, 0x16, 0x61, 0x7e,
    0x66, 0x98, 0xa4, 0x0b, 0xfe, 0x06, 0x83, 0x53, 0x4d, 0x05, 0xdf, 0x6d, 0xa7, 0x51, 0x10, 0x73,
    0xc5, 0x50, 0xdc, 0x5e, 0xf8, 0x21, 0x46, 0xaa, 0x96, 0x14, 0x33, 0xd7, 0x52, 0xeb, 0xaf, 0x1f,
    0xbf, 0x36, 0x6c, 0xfc, 0xb7, 0x1d, 0x21, 0x19, 0x81, 0xd0, 0x6b, 0xfa, 0x77, 0xad, 0xbe, 0x18,
    0x78, 0xcf, 0x10, 0xbd, 0xd8, 0x78, 0xf7, 0xd3, 0xc6, 0xdf, 0x43, 0x32, 0x19, 0xd3, 0x9b, 0xa8,
    0x4d, 0x9e, 0xaa, 0x41, 0xaf, 0xcb, 0xc6, 0xb9, 0x34, 0xe7, 0x48, 0x25, 0xd4, 0x88, 0xc4, 0x51,
    0x60, 0x38, 0xd9, 0x62, 0xe8, 0x8d, 0x5b, 0x83, 0x92, 0x7f, 0xb5, 0x0e, 0x1c, 0x2d, 0x06, 0x91,
    0xc3, 0x75, 0xb3, 0xcc, 0xf8, 0xf7, 0x92, 0x91, 0x0b, 0x3d, 0xa1, 0x10, 0x5b, 0xd5, 0x0f, 0xa8,
    0x3f, 0x5d, 0x13, 0x83, 0x0a, 0x6b, 0x72, 0x93, 0x14, 0x59, 0xd5, 0xab, 0xde, 0x26, 0x15, 0x6d,
    0x60, 0x67, 0x71, 0x06, 0x6e, 0x3d, 0x0d, 0xa7, 0xcb, 0x70, 0xe9, 0x08, 0x5c, 0x99, 0xfa, 0x0a,
    0x5f, 0x3d, 0x44, 0xa3, 0x8b, 0xc0, 0x8d, 0xda, 0xe2, 0x68, 0xd0, 0x0d, 0xcd, 0x7f, 0x3d, 0xf8,
    0x73, 0x7e, 0x35, 0x7f, 0x07, 0x02, 0x0a, 0xb5, 0xe9, 0xb7, 0x87, 0xfb, 0xa1, 0xbf, 0xcb, 0x32,
    0x31, 0x66, 0x09, 0x48, 0x88, 0xcc, 0x18, 0xa3, 0xb2, 0x1f, 0x1f, 0x1b, 0x90, 0x4e, 0xd7, 0xe1,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{unhex, vectors};

    #[test]
    fn the_protected_key_of_smb1_is_the_expected_one() {
        let [vector] = &vectors("smb1-sskeyhash")[..] else { panic!("one vector") };
        assert_eq!(SS_KEY_HASH.as_slice(), unhex(&vector["input"]["sskeyhash"]));
        let key = SessionKey::new(unhex(&vector["input"]["session_key"]).try_into().unwrap());
        let key = application_key(ApplicationKeyRule::ExtendedSignatures, &key, None).unwrap();
        assert_eq!(key.expose(), &*unhex(&vector["expected"]["protected_session_key"]));
    }
}
