//! NTLMSSP_MESSAGE_SIGNATURE in its two forms (MS-NLMP 2.2.2.9).

use crate::wire::{DecodeError, DecodeErrorKind, array_at};

/// `NTLMSSP_MESSAGE_SIGNATURE` with extended session security (MS-NLMP 2.2.2.9.2), 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSignature {
    /// 8 bytes of HMAC-MD5, encrypted where `NEGOTIATE_KEY_EXCH` was negotiated.
    pub checksum: [u8; 8],
    /// In the clear.
    pub seq_num: u32,
}

impl MessageSignature {
    /// # Errors
    ///
    /// Not 16 bytes, or a Version other than 1.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        check(bytes)?;
        let seq_num = array_at(bytes, 12).map(u32::from_le_bytes).ok_or(WRONG_LENGTH)?;
        Ok(Self { checksum: array_at(bytes, 4).ok_or(WRONG_LENGTH)?, seq_num })
    }

    /// The 16 bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> [u8; 16] {
        let [a, b, c, d, e, f, g, h] = self.checksum;
        let [s0, s1, s2, s3] = self.seq_num.to_le_bytes();
        [1, 0, 0, 0, a, b, c, d, e, f, g, h, s0, s1, s2, s3]
    }
}

/// `NTLMSSP_MESSAGE_SIGNATURE` without extended session security (MS-NLMP 2.2.2.9.1), 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageSignatureWithoutEss {
    /// Anything; receivers ignore it. Windows sends a counter, this library zeros.
    pub random_pad: [u8; 4],
    /// CRC-32 of the message, encrypted.
    pub checksum: [u8; 4],
    /// Encrypted.
    pub seq_num: [u8; 4],
}

impl MessageSignatureWithoutEss {
    /// # Errors
    ///
    /// Not 16 bytes, or a Version other than 1.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        check(bytes)?;
        Ok(Self {
            random_pad: array_at(bytes, 4).ok_or(WRONG_LENGTH)?,
            checksum: array_at(bytes, 8).ok_or(WRONG_LENGTH)?,
            seq_num: array_at(bytes, 12).ok_or(WRONG_LENGTH)?,
        })
    }

    /// The 16 bytes on the wire.
    #[must_use]
    pub const fn encode(&self) -> [u8; 16] {
        let [r0, r1, r2, r3] = self.random_pad;
        let [c0, c1, c2, c3] = self.checksum;
        let [s0, s1, s2, s3] = self.seq_num;
        [1, 0, 0, 0, r0, r1, r2, r3, c0, c1, c2, c3, s0, s1, s2, s3]
    }
}

const WRONG_LENGTH: DecodeError =
    DecodeError { kind: DecodeErrorKind::WrongLength, field: "MessageSignature", offset: 0 };

fn check(bytes: &[u8]) -> Result<(), DecodeError> {
    if bytes.len() != 16 {
        return Err(WRONG_LENGTH);
    }
    if array_at(bytes, 0) != Some([1, 0, 0, 0]) {
        let (kind, field) = (DecodeErrorKind::WrongValue, "Version");
        return Err(DecodeError { kind, field, offset: 0 });
    }
    Ok(())
}
