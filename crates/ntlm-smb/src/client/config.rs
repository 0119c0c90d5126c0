//! What a client offers, and what it insists on.

use crate::dialect::{Cipher, Dialect, SigningAlgorithm};
use alloc::vec::Vec;
use core::fmt;
use ntlm::ClientConfig as NtlmConfig;
use ntlm::text::Utf16String;

/// SMB1 or a dialect of SMB 2 and 3, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// NT LM 0.12.
    Smb1,
    /// SMB 2 or 3.
    Smb2(Dialect),
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smb1 => f.write_str("1 (NT LM 0.12)"),
            Self::Smb2(dialect) => dialect.fmt(f),
        }
    }
}

/// The oldest and the newest that a client offers, and all between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DialectRange {
    /// The oldest.
    pub oldest: Protocol,
    /// The newest.
    pub newest: Protocol,
}

impl DialectRange {
    /// Just one.
    #[must_use]
    pub const fn only(protocol: Protocol) -> Self {
        Self { oldest: protocol, newest: protocol }
    }

    /// Whether one is in it.
    #[must_use]
    pub fn contains(&self, protocol: Protocol) -> bool {
        (self.oldest..=self.newest).contains(&protocol)
    }

    /// The dialects of SMB 2 and 3 in it, oldest first.
    pub fn dialects(self) -> impl Iterator<Item = Dialect> {
        Dialect::ALL.into_iter().filter(move |dialect| self.contains(Protocol::Smb2(*dialect)))
    }
}

impl Default for DialectRange {
    /// 2.0.2 to 3.1.1.
    fn default() -> Self {
        Self { oldest: Protocol::Smb2(Dialect::Smb202), newest: Protocol::Smb2(Dialect::Smb311) }
    }
}

/// What a client is set up with.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// What it offers.
    pub dialects: DialectRange,
    /// Whether it begins with an SMB1 NEGOTIATE although it offers no SMB1.
    pub multi_protocol: bool,
    /// How it would sign under 3.1.1, best first; at least one.
    pub signing_algorithms: Vec<SigningAlgorithm>,
    /// How it would encrypt, best first; none where it would not. 3.0 and 3.0.2 have AES-128-CCM
    /// only.
    pub ciphers: Vec<Cipher>,
    /// Whether it insists on signatures, and so on an account. Where there is a key it signs anyhow.
    pub require_signing: bool,
    /// Whether it insists on encryption.
    pub require_encryption: bool,
    /// The server's name as the user gave it.
    pub server_name: Utf16String,
    /// NTLM's own part.
    pub ntlm: NtlmConfig,
    /// Whether the logon of an account may end as guest: whoever stands between can say so to strip
    /// signing.
    pub insecure_allow_guest: bool,
    /// Whether SMB1 does without extended security: responses without NTLM messages, so without
    /// MIC, key exchange and target name.
    pub insecure_bare_session_setup: bool,
    /// Whether a session remembers every key of NTLM, for those who want to see them.
    pub keep_keys: bool,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            dialects: DialectRange::default(),
            multi_protocol: false,
            signing_algorithms: alloc::vec![
                SigningAlgorithm::AesGmac,
                SigningAlgorithm::AesCmac,
                SigningAlgorithm::HmacSha256,
            ],
            ciphers: alloc::vec![
                Cipher::Aes256Gcm,
                Cipher::Aes128Gcm,
                Cipher::Aes256Ccm,
                Cipher::Aes128Ccm,
            ],
            require_signing: false,
            require_encryption: false,
            server_name: Utf16String::default(),
            ntlm: NtlmConfig::default(),
            insecure_allow_guest: false,
            insecure_bare_session_setup: false,
            keep_keys: false,
        }
    }
}
