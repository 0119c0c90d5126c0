//! SessionKey: where NTLM's keys end and SMB's begin (MS-SMB2 3.2.5.3, MS-SMB 3.2.5.3).

use super::doc::{Input, RuleDoc};
use crate::secret::secret_key;
use ntlm::keys::{ExportedSessionKey, KeyName, SessionBaseKey};

secret_key! {
    /// `SessionKey`, 16 bytes: what authentication leaves to SMB.
    ///
    /// Of a mechanism with longer keys (Kerberos) SMB takes the first 16 bytes, and the whole,
    /// FullSessionKey, for AES-256 keys. NTLM's has 16.
    SessionKey
}

impl From<&ExportedSessionKey> for SessionKey {
    fn from(key: &ExportedSessionKey) -> Self {
        Self::new(*key.expose())
    }
}

impl From<&SessionBaseKey> for SessionKey {
    fn from(key: &SessionBaseKey) -> Self {
        Self::new(*key.expose())
    }
}

/// What SessionKey is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionKeyRule {
    /// SMB 2 and 3, and SMB 1 with extended security: NTLM messages were exchanged.
    ExportedSessionKey,
    /// SMB 1 without extended security: an NT response went alone.
    SessionBaseKey,
    /// SMB 1 without extended security, or LAN Manager: an LM response went alone.
    LmSessionBaseKey,
    /// Guest and anonymous.
    NoKey,
}

impl SessionKeyRule {
    /// Every rule.
    pub const ALL: [Self; 4] =
        [Self::ExportedSessionKey, Self::SessionBaseKey, Self::LmSessionBaseKey, Self::NoKey];

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::ExportedSessionKey => RuleDoc {
                name: "ExportedSessionKey",
                condition: "SMB 2 and 3; SMB 1 with CAP_EXTENDED_SECURITY",
                formula: "ExportedSessionKey",
                kdf: None,
                inputs: &[Input::NtlmKey(KeyName::ExportedSessionKey)],
                length: 16,
                section: "MS-SMB2 3.2.5.3.1, 3.3.5.5.3; MS-SMB 3.2.5.3",
                computed_by: "client and server",
                beware: Some(
                    "Neither SessionBaseKey nor KeyExchangeKey, and not the key as it was sent: \
                     ExportedSessionKey, which a key exchange makes another one.",
                ),
            },
            Self::SessionBaseKey => RuleDoc {
                name: "SessionBaseKey",
                condition: "SMB 1 without CAP_EXTENDED_SECURITY, NTLMv1 or NTLMv2",
                formula: "SessionBaseKey",
                kdf: None,
                inputs: &[Input::NtlmKey(KeyName::SessionBaseKey)],
                length: 16,
                section: "MS-CIFS 3.2.5.3",
                computed_by: "client and server",
                beware: Some(
                    "No NTLM messages, so no flags, no key exchange and no MIC: the response \
                     stands in the packet by itself.",
                ),
            },
            Self::LmSessionBaseKey => RuleDoc {
                name: "LmSessionBaseKey",
                condition: "SMB 1 or LAN Manager, LM response alone",
                formula: "SessionBaseKey = LMOWFv1[0..7] || 00 * 8",
                kdf: None,
                inputs: &[Input::NtlmKey(KeyName::SessionBaseKey)],
                length: 16,
                section: "MS-CIFS 3.2.5.3; MS-NLMP 3.3.1",
                computed_by: "client and server",
                beware: Some("It depends on the password only: every session has the same key."),
            },
            Self::NoKey => RuleDoc {
                name: "NoKey",
                condition: "guest, anonymous",
                formula: "none",
                kdf: None,
                inputs: &[],
                length: 0,
                section: "MS-SMB2 3.2.5.3.1, 3.3.5.5.3",
                computed_by: "nobody",
                beware: Some(
                    "A guest's client has a key, but the server does not know it. Nothing can be \
                     signed or encrypted.",
                ),
            },
        }
    }
}
