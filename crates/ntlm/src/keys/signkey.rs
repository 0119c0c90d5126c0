//! SIGNKEY (MS-NLMP 3.4.5.2).

use super::ExportedSessionKey;
use super::doc::{Direction, Input, KeyName, RuleDoc};
use crate::crypto::md5;
use crate::flags::NegotiateFlags;
use crate::secret::secret_key;

secret_key! {
    /// `ClientSigningKey` or `ServerSigningKey` (MS-NLMP 3.4.5.2), 16 bytes.
    SigningKey, 16
}

/// Derives `SIGNKEY`: `MD5(ExportedSessionKey || constant)`, 16 bytes; `None` without ESS
/// (MS-NLMP 3.4.5.2). Always the full key, however weak the sealing keys are.
#[must_use]
pub fn signkey(
    rule: SigningKeyRule,
    exported_session_key: &ExportedSessionKey,
    direction: Direction,
) -> Option<SigningKey> {
    match rule {
        SigningKeyRule::ExtendedSessionSecurity => {
            let constant: &[u8] = match direction {
                Direction::ClientToServer => CLIENT_SIGN,
                Direction::ServerToClient => SERVER_SIGN,
            };
            Some(SigningKey::new(md5(&[exported_session_key.expose(), constant])))
        }
        SigningKeyRule::NoExtendedSessionSecurity => None,
    }
}

// The terminating zero is part of the constant.
const CLIENT_SIGN: &[u8] = b"session key to client-to-server signing key magic constant\0";
const SERVER_SIGN: &[u8] = b"session key to server-to-client signing key magic constant\0";

/// Whether there is a signing key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningKeyRule {
    /// With ESS.
    ExtendedSessionSecurity,
    /// Without: the sealing key encrypts a CRC.
    NoExtendedSessionSecurity,
}

impl SigningKeyRule {
    /// Every rule.
    pub const ALL: [Self; 2] = [Self::ExtendedSessionSecurity, Self::NoExtendedSessionSecurity];

    /// The rule for the negotiated flags.
    #[must_use]
    pub const fn choose(flags: NegotiateFlags) -> Self {
        if flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY) {
            Self::ExtendedSessionSecurity
        } else {
            Self::NoExtendedSessionSecurity
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self, direction: Direction) -> RuleDoc {
        const BEWARE: Option<&str> = Some(
            "\"Client\" keys protect what the client sends: to verify, take the other end's. The \
             constant ends with a zero byte. 56 and 40 bits do not shorten this key.",
        );
        match (self, direction) {
            (Self::ExtendedSessionSecurity, Direction::ClientToServer) => RuleDoc {
                name: "ExtendedSessionSecurity",
                condition: "EXTENDED_SESSIONSECURITY",
                formula: "MD5(ExportedSessionKey || \"session key to client-to-server signing key \
                          magic constant\\0\")",
                inputs: &[
                    Input::Key(KeyName::ExportedSessionKey),
                    Input::Constant("client-to-server signing constant"),
                ],
                length: 16,
                section: "MS-NLMP 3.4.5.2",
                computed_by: "client and server",
                beware: BEWARE,
            },
            (Self::ExtendedSessionSecurity, Direction::ServerToClient) => RuleDoc {
                name: "ExtendedSessionSecurity",
                condition: "EXTENDED_SESSIONSECURITY",
                formula: "MD5(ExportedSessionKey || \"session key to server-to-client signing key \
                          magic constant\\0\")",
                inputs: &[
                    Input::Key(KeyName::ExportedSessionKey),
                    Input::Constant("server-to-client signing constant"),
                ],
                length: 16,
                section: "MS-NLMP 3.4.5.2",
                computed_by: "client and server",
                beware: BEWARE,
            },
            (Self::NoExtendedSessionSecurity, _) => RuleDoc {
                name: "NoExtendedSessionSecurity",
                condition: "no EXTENDED_SESSIONSECURITY",
                formula: "none",
                inputs: &[],
                length: 0,
                section: "MS-NLMP 3.4.5.2",
                computed_by: "nobody",
                beware: Some(
                    "Without ESS there is no signing key: a CRC is encrypted with the one sealing \
                     key, whose stream and counter both directions share.",
                ),
            },
        }
    }
}
