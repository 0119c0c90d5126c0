//! Interfaces and transfer syntaxes by UUID and version (C706 12.6.3.1).

use crate::error::DecodeError;
use crate::wire::{Reader, Writer};
use core::fmt;

/// A UUID as it stands on the wire: its first three fields are little-endian.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Uuid(pub [u8; 16]);

impl Uuid {
    /// From its fields in the order in which they are spelled.
    #[must_use]
    pub const fn from_fields(first: u32, second: u16, third: u16, rest: [u8; 8]) -> Self {
        let ([a, b, c, d], [e, f], [g, h]) =
            (first.to_le_bytes(), second.to_le_bytes(), third.to_le_bytes());
        let [i, j, k, l, m, n, o, p] = rest;
        Self([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f1, g, h, rest @ ..] = self.0;
        let first = u32::from_le_bytes([a, b, c, d]);
        let (second, third) = (u16::from_le_bytes([e, f1]), u16::from_le_bytes([g, h]));
        write!(f, "{first:08x}-{second:04x}-{third:04x}-")?;
        for (index, byte) in rest.iter().enumerate() {
            if index == 2 {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// p_syntax_id_t: an interface or a transfer syntax, and its version (C706 12.6.3.1), 20 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SyntaxId {
    /// Which one.
    pub uuid: Uuid,
    /// The major version.
    pub major: u16,
    /// The minor version.
    pub minor: u16,
}

impl SyntaxId {
    /// NDR, the only transfer syntax that this crate writes (C706 14).
    pub const NDR: Self = Self {
        uuid: Uuid::from_fields(
            0x8a88_5d04,
            0x1ceb,
            0x11c9,
            [0x9f, 0xe8, 8, 0, 0x2b, 0x10, 0x48, 0x60],
        ),
        major: 2,
        minor: 0,
    };
    /// The Netlogon interface (MS-NRPC 2.1).
    pub const NETLOGON: Self = Self {
        uuid: Uuid::from_fields(
            0x1234_5678,
            0x1234,
            0xabcd,
            [0xef, 0, 1, 0x23, 0x45, 0x67, 0xcf, 0xfb],
        ),
        major: 1,
        minor: 0,
    };
    /// The endpoint mapper (C706 appendix O).
    pub const ENDPOINT_MAPPER: Self = Self {
        uuid: Uuid::from_fields(
            0xe1af_8308,
            0x5d1f,
            0x11c9,
            [0x91, 0xa4, 8, 0, 0x2b, 0x14, 0xa0, 0xfa],
        ),
        major: 3,
        minor: 0,
    };

    pub(crate) fn read(r: &mut Reader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let uuid = Uuid(r.array(field)?);
        let major = r.u16(field)?;
        let minor = r.u16(field)?;
        Ok(Self { uuid, major, minor })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.bytes(&self.uuid.0);
        w.u16(self.major);
        w.u16(self.minor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn uuids_are_spelled_as_the_specifications_do() {
        assert_eq!(SyntaxId::NETLOGON.uuid.to_string(), "12345678-1234-abcd-ef00-01234567cffb");
        assert_eq!(SyntaxId::NDR.uuid.to_string(), "8a885d04-1ceb-11c9-9fe8-08002b104860");
        let mapper = SyntaxId::ENDPOINT_MAPPER.uuid.to_string();
        assert_eq!(mapper, "e1af8308-5d1f-11c9-91a4-08002b14a0fa");
    }
}
