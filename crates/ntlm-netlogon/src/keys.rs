//! The session key of a secure channel, and what is computed with it (MS-NRPC 3.1.4.3 to 3.1.4.5).

use crate::crypto::{AesCfb8, HmacSha256, des, equal, hmac_md5, md5, rc4};
use crate::flags::NegotiateFlags;
use crate::secret::secret_key;
use ntlm::keys::Ntowfv1;

secret_key! {
    /// SessionKey of a secure channel (MS-NRPC 3.1.4.3), 16 bytes. No relation to NTLM's keys.
    SessionKey, 16
}

/// What a channel computes with: one choice for session key, credentials, seal and signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithms {
    /// AES-128 in 8-bit CFB mode and HMAC-SHA256.
    AesSha2,
    /// RC4, HMAC-MD5, and DES in the credentials: what servers before 2008 R2 have, and patched
    /// ones refuse (CVE-2022-38023).
    InsecureRc4Md5,
}

impl Algorithms {
    /// `None` where DES keys would be left, which nobody should use (MS-NRPC 3.1.4.3.3).
    #[must_use]
    pub const fn choose(flags: NegotiateFlags) -> Option<Self> {
        if flags.contains(NegotiateFlags::AES_SHA2) {
            Some(Self::AesSha2)
        } else if flags.contains(NegotiateFlags::STRONG_KEYS) {
            Some(Self::InsecureRc4Md5)
        } else {
            None
        }
    }

    /// ComputeSessionKey from the machine account's NT hash (M4SS) and both challenges.
    #[must_use]
    pub fn session_key(
        self,
        nt_hash: &Ntowfv1,
        client_challenge: [u8; 8],
        server_challenge: [u8; 8],
    ) -> SessionKey {
        let key = nt_hash.expose();
        match self {
            Self::AesSha2 => {
                let whole = HmacSha256::new(key).compute(&[&client_challenge, &server_challenge]);
                let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = whole;
                SessionKey::new([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
            }
            Self::InsecureRc4Md5 => {
                let digest = md5(&[&[0; 4], &client_challenge, &server_challenge]);
                SessionKey::new(hmac_md5(key, &digest))
            }
        }
    }

    /// ComputeNetlogonCredential (MS-NRPC 3.1.4.4).
    #[must_use]
    pub fn credential(self, session_key: &SessionKey, input: [u8; 8]) -> [u8; 8] {
        match self {
            Self::AesSha2 => {
                let mut output = input;
                AesCfb8::new(session_key.expose()).encrypt([0; 16], &mut [&mut output]);
                output
            }
            Self::InsecureRc4Md5 => {
                let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, ..] = *session_key.expose();
                des([h, i, j, k, l, m, n], des([a, b, c, d, e, f, g], input))
            }
        }
    }

    /// Decrypts a key field of validation levels 2 and 3, in place (MS-NRPC 2.2.1.4.12). A field of
    /// zeros is no key, and stays.
    pub fn decrypt_field(self, session_key: &SessionKey, field: &mut [u8]) {
        if field.iter().all(|byte| *byte == 0) {
            return;
        }
        match self {
            Self::AesSha2 => AesCfb8::new(session_key.expose()).decrypt([0; 16], &mut [field]),
            Self::InsecureRc4Md5 => rc4(session_key.expose(), field),
        }
    }
}

/// The session key of a channel, and what it is used with.
#[derive(Debug)]
pub struct ChannelKeys {
    /// What was negotiated.
    pub algorithms: Algorithms,
    /// SessionKey.
    pub session_key: SessionKey,
}

impl ChannelKeys {
    /// ComputeNetlogonCredential (MS-NRPC 3.1.4.4).
    #[must_use]
    pub fn credential(&self, input: [u8; 8]) -> [u8; 8] {
        self.algorithms.credential(&self.session_key, input)
    }

    /// See [`Algorithms::decrypt_field`].
    pub fn decrypt_field(&self, field: &mut [u8]) {
        self.algorithms.decrypt_field(&self.session_key, field);
    }
}

/// NETLOGON_AUTHENTICATOR (MS-NRPC 2.2.1.1.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authenticator {
    /// Credential, 8 bytes.
    pub credential: [u8; 8],
    /// Timestamp: seconds since 1970, of which only the server takes note.
    pub timestamp: u32,
}

/// The credentials of one end, call by call (MS-NRPC 3.1.4.5).
///
/// Both ends start from ClientCredential, which is what 3.5.4.4.2 says of the server.
pub struct CredentialChain {
    algorithms: Algorithms,
    session_key: SessionKey,
    stored_credential: [u8; 8],
}

impl CredentialChain {
    /// Starts from ClientCredential, as it was sent to authenticate.
    #[must_use]
    pub const fn new(
        algorithms: Algorithms,
        session_key: SessionKey,
        client_credential: [u8; 8],
    ) -> Self {
        Self { algorithms, session_key, stored_credential: client_credential }
    }

    /// The authenticator of the next call. It has to be answered before another is made.
    pub fn next(&mut self, timestamp: u32) -> Authenticator {
        self.advance(timestamp);
        Authenticator { credential: self.current(), timestamp }
    }

    /// Whether the answer's authenticator is right. Where it is not, the channel is of no use.
    #[must_use]
    pub fn check(&mut self, returned: &Authenticator) -> bool {
        self.advance(1);
        equal(&self.current(), &returned.credential)
    }

    fn current(&self) -> [u8; 8] {
        self.algorithms.credential(&self.session_key, self.stored_credential)
    }

    /// Only the low half is added to, and nothing is carried into the other.
    fn advance(&mut self, by: u32) {
        let [a, b, c, d, rest @ ..] = self.stored_credential;
        let [e, f, g, h] = rest;
        let [a, b, c, d] = u32::from_le_bytes([a, b, c, d]).wrapping_add(by).to_le_bytes();
        self.stored_credential = [a, b, c, d, e, f, g, h];
    }
}

impl core::fmt::Debug for CredentialChain {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("CredentialChain").finish_non_exhaustive()
    }
}
