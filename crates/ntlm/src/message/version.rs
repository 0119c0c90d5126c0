//! VERSION (MS-NLMP 2.2.2.10).

use core::fmt;

/// `VERSION`: which product sent the message, for display, never for decisions (MS-NLMP 2.2.2.10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// Major version of the operating system.
    pub product_major: u8,
    /// Minor version of the operating system.
    pub product_minor: u8,
    /// Build number.
    pub product_build: u16,
    /// Zero, and ignored.
    pub reserved: [u8; 3],
    /// 0x0F, `NTLMSSP_REVISION_W2K3`.
    pub ntlm_revision_current: u8,
}

impl Version {
    /// `NTLMSSP_REVISION_W2K3`, the only revision in use.
    pub const REVISION_W2K3: u8 = 0x0f;

    /// What this library says of itself: the version number of Windows 7, with which every peer
    /// is known to work, and build 0.
    pub const OURS: Self = Self {
        product_major: 6,
        product_minor: 1,
        product_build: 0,
        reserved: [0; 3],
        ntlm_revision_current: Self::REVISION_W2K3,
    };

    /// From the 8 bytes on the wire.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        let [product_major, product_minor, b0, b1, r0, r1, r2, ntlm_revision_current] = bytes;
        Self {
            product_major,
            product_minor,
            product_build: u16::from_le_bytes([b0, b1]),
            reserved: [r0, r1, r2],
            ntlm_revision_current,
        }
    }

    /// The 8 bytes on the wire.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        let [b0, b1] = self.product_build.to_le_bytes();
        let [r0, r1, r2] = self.reserved;
        [self.product_major, self.product_minor, b0, b1, r0, r1, r2, self.ntlm_revision_current]
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{} build {}, NTLM revision {}",
            self.product_major, self.product_minor, self.product_build, self.ntlm_revision_current
        )
    }
}
