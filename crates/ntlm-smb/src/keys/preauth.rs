//! The hash of everything before authentication (MS-SMB2 3.2.5.3.1, 3.3.5.4, 3.3.5.5).

use super::doc::{Input, PacketField, RuleDoc};
use crate::crypto::sha512;
use crate::dialect::Dialect;
use core::fmt;
use ntlm::NtStatus;

/// `PreauthIntegrityHashValue`, 64 bytes: SHA-512 chained over the packets of NEGOTIATE, and then
/// of one session's SESSION_SETUP.
///
/// Each step gives a new value, so that every session can begin from the connection's:
///
/// ```
/// use ntlm_smb::keys::PreauthIntegrityHash;
/// use ntlm_smb::NtStatus;
/// # let [negotiate_request, negotiate_response] = [&b"1"[..], b"2"];
/// # let [request_1, response_1, request_2] = [&b"3"[..], b"4", b"5"];
///
/// let connection = PreauthIntegrityHash::default()
///     .after(negotiate_request)
///     .after(negotiate_response);
/// let session = connection
///     .after(request_1)
///     .after_session_setup_response(NtStatus::MORE_PROCESSING_REQUIRED, response_1)
///     .after(request_2);
/// # assert_ne!(connection, session);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PreauthIntegrityHash([u8; 64]);

impl PreauthIntegrityHash {
    /// A value computed elsewhere.
    #[must_use]
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The value after one more packet: `SHA-512(value || packet)`.
    ///
    /// The packet is whole, from its header, exactly as sent, without transport prefix. Of an
    /// SMB1 negotiate before it nothing counts.
    #[must_use]
    pub fn after(&self, packet: &[u8]) -> Self {
        Self(sha512(&[&self.0, packet]))
    }

    /// The value after a SESSION_SETUP response, of which only those count that ask for more: keys
    /// are derived before the last one, and a refused session has none.
    #[must_use]
    pub fn after_session_setup_response(&self, status: NtStatus, packet: &[u8]) -> Self {
        if status == NtStatus::MORE_PROCESSING_REQUIRED { self.after(packet) } else { *self }
    }

    /// The 64 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl Default for PreauthIntegrityHash {
    /// 64 zeros, before the first packet.
    fn default() -> Self {
        Self([0; 64])
    }
}

impl fmt::Debug for PreauthIntegrityHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PreauthIntegrityHash(")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

/// Whether packets before authentication are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PreauthRule {
    /// 3.1.1.
    Smb311,
    /// Before 3.1.1.
    NotUsed,
}

impl PreauthRule {
    /// Every rule.
    pub const ALL: [Self; 2] = [Self::Smb311, Self::NotUsed];

    /// The rule for a dialect.
    #[must_use]
    pub const fn choose(dialect: Dialect) -> Self {
        match dialect {
            Dialect::Smb311 => Self::Smb311,
            _ => Self::NotUsed,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::Smb311 => RuleDoc {
                name: "Smb311",
                condition: "3.1.1",
                formula: "SHA-512(PreauthIntegrityHashValue || Message) for each packet, from 64 \
                          zeros",
                kdf: None,
                inputs: &[Input::Field(PacketField::PacketsBeforeAuthentication)],
                length: 64,
                section: "MS-SMB2 3.2.5.2, 3.2.5.3, 3.3.5.4, 3.3.5.5",
                computed_by: "client and server",
                beware: Some(
                    "NEGOTIATE request and response make the connection's value; every session \
                     goes on from there with its own SESSION_SETUP packets. The last, successful \
                     response is not hashed. Signatures and padding count as sent, the four bytes \
                     of the transport do not. Authenticating again changes nothing.",
                ),
            },
            Self::NotUsed => RuleDoc {
                name: "NotUsed",
                condition: "2.0.2 to 3.0.2",
                formula: "none",
                kdf: None,
                inputs: &[],
                length: 0,
                section: "MS-SMB2 3.2.5.2",
                computed_by: "nobody",
                beware: Some(
                    "FSCTL_VALIDATE_NEGOTIATE_INFO is what tells a downgrade here, afterwards.",
                ),
            },
        }
    }
}
