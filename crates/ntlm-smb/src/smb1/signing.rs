//! Signatures of SMB1 (MS-CIFS 3.1.4.1, 3.1.5.1; MS-SMB 3.1.4.1).

use super::header::{Flags2, Header};
use crate::crypto::{Md5Prefix, equal};
use crate::error::DecodeError;
use crate::keys::MacKey;
use crate::signing::SignatureError;
use core::fmt;
use core::ops::RangeInclusive;

/// Signs and verifies the messages of one connection, in both directions.
///
/// `MD5(MAC key || message)[0..7]`, with the sequence number in the place of the signature. The
/// message is the whole chain of commands, without transport prefix.
pub struct Signer(Md5Prefix);

impl Signer {
    /// Takes the key, which a connection has only one of.
    #[must_use]
    pub fn new(mac_key: &MacKey) -> Self {
        Self(Md5Prefix::new(mac_key.expose()))
    }

    /// Sets SMB_FLAGS2_SMB_SECURITY_SIGNATURE and SecuritySignature.
    ///
    /// # Errors
    ///
    /// It is no SMB1 message.
    pub fn sign(&self, message: &mut [u8], sequence_number: u32) -> Result<(), DecodeError> {
        let header = Header::decode(message)?;
        let flags2 = (header.flags2 | Flags2::SECURITY_SIGNATURE).bits().to_le_bytes();
        let place =
            message.get_mut(Header::FLAGS2.offset..).and_then(|rest| rest.first_chunk_mut());
        place.into_iter().for_each(|place| *place = flags2);
        let signature = self.signature(message, sequence_number);
        let place = message
            .get_mut(Header::SECURITY_SIGNATURE.offset..)
            .and_then(|rest| rest.first_chunk_mut());
        place.into_iter().for_each(|place| *place = signature);
        Ok(())
    }

    /// Checks a signature. SMB1 does not say in the message whether it is signed:
    /// [`SequenceRule`](super::SequenceRule) does.
    ///
    /// # Errors
    ///
    /// It does not hold with this number.
    pub fn verify<'m>(
        &self,
        message: &'m [u8],
        sequence_number: u32,
    ) -> Result<Verified<'m>, SignatureError> {
        let header = Header::decode(message)?;
        if equal(&self.signature(message, sequence_number), &header.security_signature) {
            Ok(Verified { header, message, sequence_number })
        } else {
            Err(SignatureError::DoesNotHold)
        }
    }

    /// Looks for the number with which a signature holds, where messages before it are missing.
    ///
    /// # Errors
    ///
    /// It does not hold with any of these numbers.
    pub fn verify_any<'m>(
        &self,
        message: &'m [u8],
        mut sequence_numbers: RangeInclusive<u32>,
    ) -> Result<Verified<'m>, SignatureError> {
        Header::decode(message)?;
        sequence_numbers
            .find_map(|number| self.verify(message, number).ok())
            .ok_or(SignatureError::DoesNotHold)
    }

    /// The signature of a message, whatever stands in its SecuritySignature field.
    #[must_use]
    pub fn signature(&self, message: &[u8], sequence_number: u32) -> [u8; 8] {
        const AT: usize = Header::SECURITY_SIGNATURE.offset;
        let head = message.get(..AT).unwrap_or_default();
        let rest = message.get(AT + 8..).unwrap_or_default();
        let hash = self.0.compute(&[head, &sequence_number.to_le_bytes(), &[0; 4], rest]);
        let [a, b, c, d, e, f, g, h, ..] = hash;
        [a, b, c, d, e, f, g, h]
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}

/// A message whose signature holds. Only the check makes one.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'m> {
    header: Header,
    message: &'m [u8],
    sequence_number: u32,
}

impl<'m> Verified<'m> {
    /// Its header.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The message.
    #[must_use]
    pub const fn message(&self) -> &'m [u8] {
        self.message
    }

    /// The number with which it holds.
    #[must_use]
    pub const fn sequence_number(&self) -> u32 {
        self.sequence_number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smb1::{Command, Flags};

    #[test]
    fn every_bit_counts_and_the_number_too() {
        let header = Header {
            command: Command::ECHO,
            status: 0,
            flags: Flags::empty(),
            flags2: Flags2::empty(),
            pid_high: 0,
            security_signature: *b"BSRSPYL ",
            reserved: 0,
            tid: 1,
            pid_low: 2,
            uid: 3,
            mid: 4,
        };
        assert!(header.has_placeholder());
        let mut message = header.encode().to_vec();
        message.extend_from_slice(&[0, 0, 0]);
        let signer = Signer::new(&MacKey::new(&[7; 40]));
        signer.sign(&mut message, 6).unwrap();
        assert_eq!(signer.verify(&message, 6).unwrap().header().flags2, Flags2::SECURITY_SIGNATURE);
        assert!(signer.verify(&message, 7).is_err());
        assert_eq!(signer.verify_any(&message, 2..=9).unwrap().sequence_number(), 6);
        assert!(signer.verify_any(&message, 7..=9).is_err());
        for bit in 0..message.len() * 8 {
            message[bit / 8] ^= 1 << (bit % 8);
            assert!(signer.verify(&message, 6).is_err(), "bit {bit}");
            message[bit / 8] ^= 1 << (bit % 8);
        }
        assert!(Signer::new(&MacKey::new(&[8; 40])).verify(&message, 6).is_err());
        for end in 0..message.len() {
            assert!(signer.verify(&message[..end], 6).is_err());
        }
    }
}
