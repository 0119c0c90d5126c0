//! Signatures of SMB 2 and 3 (MS-SMB2 3.1.4.1, 3.1.5.1).

use crate::crypto::{AesCmac, AesGmac, HmacSha256, equal, first_16};
use crate::dialect::SigningAlgorithm;
use crate::error::DecodeError;
use crate::keys::SigningKey;
use crate::smb2::{Command, Header, HeaderFlags, for_each_message};
use core::fmt;

/// Signs and verifies the messages of one session on one connection, in both directions: both ends
/// sign with the same key.
///
/// ```
/// use ntlm_smb::keys::SigningKey;
/// use ntlm_smb::smb2::{Command, Header};
/// use ntlm_smb::{Signer, SigningAlgorithm};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let signer = Signer::new(SigningAlgorithm::AesGmac, &SigningKey::new([7; 16]));
/// let mut message = Header::new(Command::ECHO, 5).encode().to_vec();
/// message.extend_from_slice(&[4, 0, 0, 0]);
/// signer.sign(&mut message)?;
/// assert_eq!(signer.verify(&message)?.header().message_id, 5);
/// # Ok(())
/// # }
/// ```
pub struct Signer(Keyed);

#[derive(Clone)]
enum Keyed {
    HmacSha256(HmacSha256),
    AesCmac(AesCmac),
    AesGmac(AesGmac),
}

impl Signer {
    /// Takes the key: SigningKey of the session, or Channel.SigningKey of a bound connection.
    #[must_use]
    pub fn new(algorithm: SigningAlgorithm, signing_key: &SigningKey) -> Self {
        let key = signing_key.expose();
        Self(match algorithm {
            SigningAlgorithm::HmacSha256 => Keyed::HmacSha256(HmacSha256::new(key)),
            SigningAlgorithm::AesCmac => Keyed::AesCmac(AesCmac::new(key)),
            SigningAlgorithm::AesGmac => Keyed::AesGmac(AesGmac::new(key)),
        })
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> SigningAlgorithm {
        match self.0 {
            Keyed::HmacSha256(_) => SigningAlgorithm::HmacSha256,
            Keyed::AesCmac(_) => SigningAlgorithm::AesCmac,
            Keyed::AesGmac(_) => SigningAlgorithm::AesGmac,
        }
    }

    /// Sets SMB2_FLAGS_SIGNED and Signature of one message, which reaches from its header to its
    /// end, in a compound with the padding up to the next.
    ///
    /// # Errors
    ///
    /// It is no SMB2 message, or one that is never signed.
    pub fn sign(&self, message: &mut [u8]) -> Result<(), SignError> {
        let mut header = Header::decode(message)?;
        never_signed(&header).map_or(Ok(()), |why| Err(SignError::NeverSigned(why)))?;
        header.flags.insert(HeaderFlags::SIGNED);
        let place = message.get_mut(Header::FLAGS.offset..).and_then(|rest| rest.first_chunk_mut());
        place.into_iter().for_each(|flags| *flags = header.flags.bits().to_le_bytes());
        let signature = self.compute(&header, message);
        let place = message.get_mut(Header::SIGNATURE.offset..Header::LENGTH);
        place.into_iter().flatten().zip(signature).for_each(|(to, from)| *to = from);
        Ok(())
    }

    /// Signs every message of a packet.
    ///
    /// # Errors
    ///
    /// As [`sign`](Self::sign).
    pub fn sign_packet(&self, packet: &mut [u8]) -> Result<(), SignError> {
        for_each_message(packet, |_, message| self.sign(message))
    }

    /// Checks the signature of one message, which reaches from its header to its end, in a compound
    /// with the padding up to the next.
    ///
    /// # Errors
    ///
    /// The signature does not hold, or there is none.
    pub fn verify<'m>(&self, message: &'m [u8]) -> Result<Verified<'m>, SignatureError> {
        let header = Header::decode(message)?;
        if !header.is_signed() {
            return Err(SignatureError::NotSigned);
        }
        if equal(&self.compute(&header, message), &header.signature) {
            Ok(Verified { header, message })
        } else {
            Err(SignatureError::DoesNotHold)
        }
    }

    /// The signature of a message, whatever stands in its Signature field.
    fn compute(&self, header: &Header, message: &[u8]) -> [u8; 16] {
        let (head, rest) = message.split_at_checked(Header::LENGTH).unwrap_or_default();
        let head = head.get(..Header::SIGNATURE.offset).unwrap_or_default();
        let parts = [head, &[0; 16], rest];
        match &self.0 {
            Keyed::HmacSha256(mac) => first_16(mac.compute(&parts)),
            Keyed::AesCmac(mac) => mac.compute(&parts),
            Keyed::AesGmac(mac) => mac.compute(gmac_nonce(header), &parts),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({}, ..)", self.algorithm())
    }
}

/// MessageId, a bit for what the server sends, a bit for CANCEL, which has the MessageId of the
/// request that it cancels (MS-SMB2 3.1.4.1).
fn gmac_nonce(header: &Header) -> [u8; 12] {
    let [a, b, c, d, e, f, g, h] = header.message_id.to_le_bytes();
    let server = u8::from(header.is_response());
    let cancel = if header.command == Command::CANCEL { 2 } else { 0 };
    [a, b, c, d, e, f, g, h, server | cancel, 0, 0, 0]
}

/// A message whose signature holds. Only the check makes one.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'m> {
    header: Header,
    message: &'m [u8],
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
}

/// Why a message is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignError {
    /// It is no SMB2 message.
    Decode(DecodeError),
    /// Its kind is never signed, and under AES-GMAC a signature would use a nonce twice.
    NeverSigned(NeverSigned),
}

/// Which messages are never signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeverSigned {
    /// NEGOTIATE, and anything else of MessageId 0.
    FirstMessage,
    /// STATUS_PENDING: the real response has the same MessageId.
    Interim,
    /// What the server sends unasked, always with the same MessageId.
    Unsolicited,
}

/// Why the header says that this message cannot be signed.
fn never_signed(header: &Header) -> Option<NeverSigned> {
    if header.message_id == Header::UNSOLICITED {
        Some(NeverSigned::Unsolicited)
    } else if header.is_interim() {
        Some(NeverSigned::Interim)
    } else if header.message_id == 0 || header.command == Command::NEGOTIATE {
        Some(NeverSigned::FirstMessage)
    } else {
        None
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::NeverSigned(NeverSigned::FirstMessage) => {
                f.write_str("NEGOTIATE and MessageId 0 are never signed")
            }
            Self::NeverSigned(NeverSigned::Interim) => {
                f.write_str("an interim response is never signed")
            }
            Self::NeverSigned(NeverSigned::Unsolicited) => {
                f.write_str("an unsolicited message is never signed")
            }
        }
    }
}

impl core::error::Error for SignError {}

impl From<DecodeError> for SignError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

/// Why a signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// It is no SMB2 message.
    Decode(DecodeError),
    /// The message does not say that it is signed.
    NotSigned,
    /// The signature does not hold: another key, or the message was changed.
    DoesNotHold,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::NotSigned => f.write_str("message is not signed"),
            Self::DoesNotHold => f.write_str("signature does not hold"),
        }
    }
}

impl core::error::Error for SignatureError {}

impl From<DecodeError> for SignatureError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smb2::HeaderId;
    use hex_literal::hex;
    use ntlm::NtStatus;
    use std::vec::Vec;

    fn signer(algorithm: SigningAlgorithm) -> Signer {
        Signer::new(algorithm, &SigningKey::new([9; 16]))
    }

    #[test]
    fn the_nonce_of_gmac_names_sender_and_cancel() {
        let header =
            |command, flags| Header { flags, ..Header::new(command, 0x0807_0605_0403_0201) };
        let response = HeaderFlags::SERVER_TO_REDIR;
        let nonce = |command, flags| gmac_nonce(&header(command, flags));
        assert_eq!(nonce(Command::ECHO, HeaderFlags::empty()), hex!("0102030405060708 00000000"));
        assert_eq!(nonce(Command::ECHO, response), hex!("0102030405060708 01000000"));
        let cancel = nonce(Command::CANCEL, HeaderFlags::ASYNC_COMMAND);
        assert_eq!(cancel, hex!("0102030405060708 02000000"));
    }

    #[test]
    fn some_messages_are_never_signed() {
        let interim = Header {
            flags: HeaderFlags::SERVER_TO_REDIR | HeaderFlags::ASYNC_COMMAND,
            status: NtStatus::PENDING,
            id: HeaderId::Async { async_id: 3 },
            ..Header::new(Command::READ, 4)
        };
        for (header, why) in [
            (interim, NeverSigned::Interim),
            (Header::new(Command::OPLOCK_BREAK, u64::MAX), NeverSigned::Unsolicited),
            (Header::new(Command::NEGOTIATE, 1), NeverSigned::FirstMessage),
            (Header::new(Command::ECHO, 0), NeverSigned::FirstMessage),
        ] {
            for algorithm in SigningAlgorithm::ALL {
                let mut message = header.encode();
                let result = signer(algorithm).sign(&mut message);
                assert_eq!(result, Err(SignError::NeverSigned(why)));
                assert_eq!(message, header.encode());
            }
        }
    }

    #[test]
    fn every_bit_counts() {
        for algorithm in SigningAlgorithm::ALL {
            let signer = signer(algorithm);
            let mut message = Header::new(Command::ECHO, 7).encode().to_vec();
            message.extend_from_slice(&[4, 0, 0, 0]);
            signer.sign(&mut message).unwrap();
            signer.verify(&message).unwrap();
            for bit in 0..message.len() * 8 {
                message[bit / 8] ^= 1 << (bit % 8);
                assert!(signer.verify(&message).is_err(), "{algorithm}, bit {bit}");
                message[bit / 8] ^= 1 << (bit % 8);
            }
            let other = Signer::new(algorithm, &SigningKey::new([8; 16]));
            assert_eq!(other.verify(&message).unwrap_err(), SignatureError::DoesNotHold);
            for end in 0..message.len() {
                assert!(signer.verify(&message[..end]).is_err());
            }
        }
    }

    #[test]
    fn a_compound_is_signed_message_by_message() {
        let first = Header { next_command: 72, ..Header::new(Command::ECHO, 7) };
        let second = Header::new(Command::ECHO, 8);
        let mut packet: Vec<u8> = first.encode().to_vec();
        packet.extend_from_slice(&[4, 0, 0, 0, 0, 0, 0, 0]);
        packet.extend_from_slice(&second.encode());
        packet.extend_from_slice(&[4, 0, 0, 0]);
        let signer = signer(SigningAlgorithm::AesGmac);
        signer.sign_packet(&mut packet).unwrap();
        signer.verify(&packet[..72]).unwrap();
        signer.verify(&packet[72..]).unwrap();
        assert_eq!(signer.verify(&packet[..68]).unwrap_err(), SignatureError::DoesNotHold);
    }
}
