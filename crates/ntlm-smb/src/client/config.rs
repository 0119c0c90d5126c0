//! What a client offers, and what it insists on.

use crate::dialect::{Cipher, DialectRange, SigningAlgorithm};
use alloc::vec::Vec;
use ntlm::ClientConfig as NtlmConfig;
use ntlm::text::Utf16String;

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
