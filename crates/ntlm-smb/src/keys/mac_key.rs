//! The key of SMB1 signatures (MS-CIFS 3.1.4.1, MS-SMB 3.1.4.1).

use super::SessionKey;
use super::doc::{Input, KeyName, PacketField, RuleDoc};
use alloc::vec::Vec;
use core::fmt;
use zeroize::Zeroizing;

/// The key of SMB1 signatures: SessionKey, with the response behind it where extended security was
/// not used. 16 bytes or more.
pub struct MacKey(Zeroizing<Vec<u8>>);

impl MacKey {
    /// Takes the bytes of the key.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes of the key, for whoever must spend it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// A second copy, which has to be asked for.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self::new(&self.0)
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

/// Puts the key of SMB1 signatures together; `None` without a session key.
///
/// The responses are OEMPassword and UnicodePassword exactly as sent.
#[must_use]
pub fn mac_key(
    rule: MacKeyRule,
    session_key: &SessionKey,
    lm_response: &[u8],
    nt_response: &[u8],
) -> Option<MacKey> {
    let response = match rule {
        MacKeyRule::ExtendedSecurity => &[],
        MacKeyRule::NtResponse => nt_response,
        MacKeyRule::LmResponse => lm_response,
        MacKeyRule::NoKey => return None,
    };
    // Room for the whole: a vector that grows would leave a copy of the key behind.
    let mut key = Vec::with_capacity(SessionKey::LENGTH + response.len());
    key.extend_from_slice(session_key.expose());
    key.extend_from_slice(response);
    Some(MacKey(Zeroizing::new(key)))
}

/// What the key of SMB1 signatures is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MacKeyRule {
    /// Extended security.
    ExtendedSecurity,
    /// None, and there is an NT response.
    NtResponse,
    /// None, and there is an LM response only.
    LmResponse,
    /// Guest and anonymous.
    NoKey,
}

impl MacKeyRule {
    /// Every rule.
    pub const ALL: [Self; 4] =
        [Self::ExtendedSecurity, Self::NtResponse, Self::LmResponse, Self::NoKey];

    /// The rule without extended security, by UnicodePassword.
    #[must_use]
    pub const fn choose_without_extended_security(nt_response: &[u8]) -> Self {
        if nt_response.is_empty() { Self::LmResponse } else { Self::NtResponse }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        const BASE: RuleDoc = RuleDoc {
            name: "",
            condition: "",
            formula: "",
            kdf: None,
            inputs: &[],
            length: 0,
            section: "MS-CIFS 3.1.4.1; MS-SMB 3.1.4.1",
            computed_by: "client and server",
            beware: Some(
                "Once a connection, by the first session that is neither guest nor anonymous; \
                 later sessions, of other users too, are signed with the same key.",
            ),
        };
        match self {
            Self::ExtendedSecurity => RuleDoc {
                name: "ExtendedSecurity",
                condition: "SMB 1 with CAP_EXTENDED_SECURITY",
                formula: "SessionKey",
                inputs: &[Input::Key(KeyName::SessionKey)],
                length: 16,
                ..BASE
            },
            Self::NtResponse => RuleDoc {
                name: "NtResponse",
                condition: "SMB 1 without CAP_EXTENDED_SECURITY, UnicodePassword present",
                formula: "SessionKey || UnicodePassword",
                inputs: &[
                    Input::Key(KeyName::SessionKey),
                    Input::Field(PacketField::UnicodePassword),
                ],
                beware: Some(
                    "The whole response as sent: 24 bytes of NTLMv1, all of NTLMv2. Nothing is \
                     cut or padded.",
                ),
                ..BASE
            },
            Self::LmResponse => RuleDoc {
                name: "LmResponse",
                condition: "SMB 1 without CAP_EXTENDED_SECURITY, OEMPassword only",
                formula: "SessionKey || OEMPassword",
                inputs: &[Input::Key(KeyName::SessionKey), Input::Field(PacketField::OemPassword)],
                length: 40,
                ..BASE
            },
            Self::NoKey => RuleDoc {
                name: "NoKey",
                condition: "SMB 1, guest or anonymous",
                formula: "none",
                computed_by: "nobody",
                beware: Some("Such a session does not begin signing; the next one may."),
                ..BASE
            },
        }
    }
}
