//! One account, and where it was written.

use ntlm::keys::{AccountSecret, ExportedSessionKey};
use ntlm::text::Utf16String;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// One account of a file.
#[derive(Debug)]
#[non_exhaustive]
pub struct Account {
    /// UserName, never empty.
    pub user: Utf16String,
    /// Its domain. `None`, which an empty domain is too, fits every domain.
    pub domain: Option<Utf16String>,
    /// What is known of its secret.
    pub secret: Secret,
    /// Whether the file says that nobody may log on with it (the flag `D` of smbpasswd).
    pub disabled: bool,
    /// Where it was written.
    pub origin: Origin,
}

/// What is known of an account, or of one exchange of it.
#[derive(Debug)]
pub enum Secret {
    /// Its hashes, with which every exchange can be checked.
    Account(AccountSecret),
    /// The key of a single exchange.
    ExportedSessionKey {
        /// ExportedSessionKey, with which its signatures can be checked.
        exported_session_key: ExportedSessionKey,
        /// The ServerChallenge that tells the exchange from others.
        server_challenge: [u8; 8],
    },
    /// The key of a secure channel that it has, being the account of a machine.
    NetlogonSessionKey {
        /// SessionKey of the channel (MS-NRPC 3.1.4.3).
        netlogon_session_key: NetlogonSessionKey,
        /// The ServerChallenge that tells the channel from others of this account; `None` fits all.
        server_challenge: Option<[u8; 8]>,
    },
}

/// SessionKey of a Netlogon secure channel, 16 bytes. Wiped on drop, and silent in `Debug`.
pub struct NetlogonSessionKey(Zeroizing<[u8; 16]>);

impl NetlogonSessionKey {
    pub(crate) const fn new(bytes: Zeroizing<[u8; 16]>) -> Self {
        Self(bytes)
    }

    /// The bytes, for whoever must spend them.
    #[must_use]
    pub fn expose(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for NetlogonSessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetlogonSessionKey(..)")
    }
}

/// A line of a text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// What the caller named the text, commonly its path.
    pub label: Arc<str>,
    /// The line, counted from 1.
    pub line: usize,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} line {}", self.label, self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hex_literal::hex;
    use ntlm::keys::Ntowfv1;

    #[test]
    fn secrets_are_silent_in_debug() {
        let nt_hash = hex!("8846f7eaee8fb117ad06bdd830b7586c");
        let hashes = AccountSecret::from_hashes(Ntowfv1::new(nt_hash), None);
        assert_eq!(
            format!("{:?}", Secret::Account(hashes)),
            "Account(AccountSecret { nt_hash: Ntowfv1(..), lm_hash: None })"
        );
        let key = Secret::ExportedSessionKey {
            exported_session_key: ExportedSessionKey::new(nt_hash),
            server_challenge: [1; 8],
        };
        assert!(format!("{key:?}").contains("exported_session_key: ExportedSessionKey(..)"));
        let netlogon_session_key = NetlogonSessionKey::new(Zeroizing::new(nt_hash));
        let key = Secret::NetlogonSessionKey { netlogon_session_key, server_challenge: None };
        assert!(format!("{key:?}").contains("netlogon_session_key: NetlogonSessionKey(..)"));
    }
}
