//! Time as NTLM writes it.

/// `FILETIME`: units of 100 ns since 1601-01-01 UTC (MS-DTYP 2.3.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileTime(pub u64);

impl FileTime {
    const UNIX_EPOCH: u64 = 11_644_473_600;
    const PER_SECOND: u64 = 10_000_000;

    /// From seconds since 1970-01-01 UTC. Times outside the range of the type saturate.
    #[must_use]
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_add(Self::UNIX_EPOCH).saturating_mul(Self::PER_SECOND))
    }

    /// From nanoseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn from_unix_nanos(nanos: u128) -> Self {
        let ticks = nanos / 100 + u128::from(Self::UNIX_EPOCH) * u128::from(Self::PER_SECOND);
        Self(u64::try_from(ticks).unwrap_or(u64::MAX))
    }

    /// Seconds since 1970-01-01 UTC; `None` for earlier times.
    #[must_use]
    pub fn unix_seconds(self) -> Option<u64> {
        (self.0 / Self::PER_SECOND).checked_sub(Self::UNIX_EPOCH)
    }

    /// How far two times are apart, in seconds.
    #[must_use]
    pub const fn seconds_apart(self, other: Self) -> u64 {
        self.0.abs_diff(other.0) / Self::PER_SECOND
    }

    /// From the 8 bytes on the wire.
    #[must_use]
    pub const fn from_le_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    /// The 8 bytes on the wire.
    #[must_use]
    pub const fn to_le_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}
