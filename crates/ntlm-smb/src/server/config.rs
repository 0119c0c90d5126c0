//! What a server accepts, and what it insists on.

use crate::dialect::DialectRange;
use crate::dialect::{Cipher, SigningAlgorithm};
use alloc::vec::Vec;
use ntlm::{FileTime, Server as NtlmServer};

/// What a server is set up with. All its connections share it.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What it speaks.
    pub dialects: DialectRange,
    /// How it would sign under 3.1.1, best first; AES-CMAC where nothing is in common.
    pub signing_algorithms: Vec<SigningAlgorithm>,
    /// How it would encrypt, best first; none where it would not. 3.0 and 3.0.2 have AES-128-CCM
    /// only.
    pub ciphers: Vec<Cipher>,
    /// Whether accounts must sign. A request that is signed is answered so in any case.
    pub require_signing: bool,
    /// Whether everything is to be encrypted: a client that cannot is refused.
    pub require_encryption: bool,
    /// Whether SMB1 does without extended security: responses without NTLM messages, so without
    /// MIC, key exchange and target name.
    pub insecure_bare_session_setup: bool,
    /// Whether other connections may join a session (multichannel).
    pub multi_channel: bool,
    /// ServerGuid: which server this is.
    pub server_guid: [u8; 16],
    /// ServerStartTime.
    pub start_time: FileTime,
    /// NTLM's own part.
    pub ntlm: NtlmServer,
    /// How much one request may read, write or transact, in bytes.
    pub max_io_size: u32,
    /// How many requests of one connection may be under way (CommandSequenceWindow).
    pub max_credits: u16,
    /// How many sessions one connection may have, with those that are being set up.
    pub max_sessions: usize,
    /// Whether a logon's record has every key, for those who want to see them.
    pub keep_keys: bool,
}

impl ServerConfig {
    /// 2.0.2 to 3.1.1, signed and encrypted where the client wants it.
    #[must_use]
    pub fn new(ntlm: NtlmServer) -> Self {
        Self {
            dialects: DialectRange::default(),
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
            insecure_bare_session_setup: false,
            multi_channel: true,
            server_guid: [0; 16],
            start_time: FileTime(0),
            ntlm,
            max_io_size: 64 << 10,
            max_credits: 512,
            max_sessions: 64,
            keep_keys: false,
        }
    }
}
