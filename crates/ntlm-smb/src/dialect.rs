//! Dialects of SMB 2 and 3 and the algorithms that they use or negotiate.

use core::fmt;

/// A dialect of SMB 2 or 3 (MS-SMB2 1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// SMB 2.0.2.
    Smb202,
    /// SMB 2.1.
    Smb210,
    /// SMB 3.0.
    Smb300,
    /// SMB 3.0.2.
    Smb302,
    /// SMB 3.1.1.
    Smb311,
}

impl Dialect {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] =
        [Self::Smb202, Self::Smb210, Self::Smb300, Self::Smb302, Self::Smb311];

    /// 0x02ff: "some SMB 2", in a response to an SMB1 negotiate only; a second negotiate follows.
    pub const WILDCARD: u16 = 0x02ff;

    /// Its DialectRevision.
    #[must_use]
    pub const fn revision(self) -> u16 {
        match self {
            Self::Smb202 => 0x0202,
            Self::Smb210 => 0x0210,
            Self::Smb300 => 0x0300,
            Self::Smb302 => 0x0302,
            Self::Smb311 => 0x0311,
        }
    }

    /// The dialect of a DialectRevision; `None` for the wildcard and for what is not known.
    #[must_use]
    pub fn from_revision(revision: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.revision() == revision)
    }

    /// `2.0.2` to `3.1.1`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smb202 => "2.0.2",
            Self::Smb210 => "2.1",
            Self::Smb300 => "3.0",
            Self::Smb302 => "3.0.2",
            Self::Smb311 => "3.1.1",
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

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

/// The oldest and the newest that an end offers, and all between.
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

/// How SMB 2 and 3 messages are signed (MS-SMB2 3.1.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SigningAlgorithm {
    /// HMAC-SHA256, the first 16 bytes.
    HmacSha256,
    /// AES-128-CMAC.
    AesCmac,
    /// AES-128-GMAC.
    AesGmac,
}

impl SigningAlgorithm {
    /// All of them, by their ids.
    pub const ALL: [Self; 3] = [Self::HmacSha256, Self::AesCmac, Self::AesGmac];

    /// The algorithm of a connection: the dialect's, or under 3.1.1 the one that the response's
    /// SIGNING context chose, and AES-CMAC where it has none (MS-SMB2 3.1.4.1, 3.2.5.2).
    ///
    /// `None` where the id chosen is not known.
    #[must_use]
    pub fn choose(dialect: Dialect, chosen: Option<u16>) -> Option<Self> {
        match (dialect, chosen) {
            (Dialect::Smb202 | Dialect::Smb210, _) => Some(Self::HmacSha256),
            (Dialect::Smb300 | Dialect::Smb302, _) | (Dialect::Smb311, None) => Some(Self::AesCmac),
            (Dialect::Smb311, Some(id)) => Self::from_id(id),
        }
    }

    /// Its id in a SIGNING context (MS-SMB2 2.2.3.1.7).
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::HmacSha256 => 0,
            Self::AesCmac => 1,
            Self::AesGmac => 2,
        }
    }

    /// The algorithm of an id.
    #[must_use]
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.id() == id)
    }

    /// `HMAC-SHA256`, `AES-CMAC`, `AES-GMAC`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "HMAC-SHA256",
            Self::AesCmac => "AES-CMAC",
            Self::AesGmac => "AES-GMAC",
        }
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How SMB 3 messages are encrypted (MS-SMB2 3.1.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cipher {
    /// AES-128-CCM, the only one of 3.0 and 3.0.2.
    Aes128Ccm,
    /// AES-128-GCM.
    Aes128Gcm,
    /// AES-256-CCM.
    Aes256Ccm,
    /// AES-256-GCM.
    Aes256Gcm,
}

impl Cipher {
    /// All of them, by their ids.
    pub const ALL: [Self; 4] = [Self::Aes128Ccm, Self::Aes128Gcm, Self::Aes256Ccm, Self::Aes256Gcm];

    /// The cipher of a connection: AES-128-CCM under 3.0 and 3.0.2 if both ends have
    /// SMB2_GLOBAL_CAP_ENCRYPTION; under 3.1.1 what the response's ENCRYPTION context chose.
    ///
    /// `None` where nothing can be encrypted.
    #[must_use]
    pub fn choose(dialect: Dialect, both_capable: bool, chosen: Option<u16>) -> Option<Self> {
        match dialect {
            Dialect::Smb202 | Dialect::Smb210 => None,
            Dialect::Smb300 | Dialect::Smb302 => both_capable.then_some(Self::Aes128Ccm),
            Dialect::Smb311 => chosen.and_then(Self::from_id),
        }
    }

    /// Its id in an ENCRYPTION context (MS-SMB2 2.2.3.1.2).
    #[must_use]
    pub const fn id(self) -> u16 {
        match self {
            Self::Aes128Ccm => 1,
            Self::Aes128Gcm => 2,
            Self::Aes256Ccm => 3,
            Self::Aes256Gcm => 4,
        }
    }

    /// The cipher of an id; 0 says that there is none in common.
    #[must_use]
    pub fn from_id(id: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|cipher| cipher.id() == id)
    }

    /// Length of its key in bytes: 16 or 32.
    #[must_use]
    pub const fn key_len(self) -> usize {
        match self {
            Self::Aes128Ccm | Self::Aes128Gcm => 16,
            Self::Aes256Ccm | Self::Aes256Gcm => 32,
        }
    }

    /// How many bytes of the Nonce field it uses: 11 (CCM) or 12 (GCM).
    #[must_use]
    pub const fn nonce_len(self) -> usize {
        match self {
            Self::Aes128Ccm | Self::Aes256Ccm => 11,
            Self::Aes128Gcm | Self::Aes256Gcm => 12,
        }
    }

    /// `AES-128-CCM` and so on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128Ccm => "AES-128-CCM",
            Self::Aes128Gcm => "AES-128-GCM",
            Self::Aes256Ccm => "AES-256-CCM",
            Self::Aes256Gcm => "AES-256-GCM",
        }
    }
}

impl fmt::Display for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
