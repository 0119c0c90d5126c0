//! Encryption of SMB 3 (MS-SMB2 3.1.4.3, 2.2.41), in place.

use crate::dialect::Cipher;
use crate::error::DecodeError;
use crate::keys::CipherKey;
use crate::smb2::{Header, TransformHeader};
use crate::transport::ProtocolId;
use aes::{Aes128, Aes256};
use aes_gcm::aead::consts::{U11, U16};
use aes_gcm::aead::{AeadInOut, Key, KeyInit, Nonce as AeadNonce, Tag};
use aes_gcm::{Aes128Gcm, Aes256Gcm};
use ccm::Ccm;
use core::fmt;

/// Encrypts or decrypts what goes one way in a session.
///
/// ```
/// use ntlm_smb::keys::CipherKey;
/// use ntlm_smb::smb2::{Command, Header, TransformHeader};
/// use ntlm_smb::{Cipher, Nonces, PacketCipher};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = CipherKey::new(Cipher::Aes128Gcm, &[7; 16]).ok_or("16 bytes")?;
/// let cipher = PacketCipher::new(&key);
/// let mut nonces = Nonces::default();
///
/// let header = Header { session_id: 3, ..Header::new(Command::ECHO, 5) };
/// let mut packet = vec![0; TransformHeader::LENGTH]; // room for the transform header
/// packet.extend_from_slice(&header.encode());
/// cipher.encrypt(&mut packet, nonces.next().ok_or("used up")?, 3)?;
///
/// let decrypted = cipher.decrypt(&mut packet)?;
/// assert_eq!(decrypted.message(), header.encode());
/// assert_eq!(decrypted.defect(), None);
/// # Ok(())
/// # }
/// ```
pub struct PacketCipher(Keyed);

type Aes128Ccm = Ccm<Aes128, U16, U11>;
type Aes256Ccm = Ccm<Aes256, U16, U11>;

enum Keyed {
    Aes128Ccm(Aes128Ccm),
    Aes128Gcm(Aes128Gcm),
    Aes256Ccm(Aes256Ccm),
    Aes256Gcm(Aes256Gcm),
}

impl PacketCipher {
    /// Takes the key of one direction.
    #[must_use]
    pub fn new(key: &CipherKey) -> Self {
        Self(match key.cipher() {
            Cipher::Aes128Ccm => Keyed::Aes128Ccm(keyed(key)),
            Cipher::Aes128Gcm => Keyed::Aes128Gcm(keyed(key)),
            Cipher::Aes256Ccm => Keyed::Aes256Ccm(keyed(key)),
            Cipher::Aes256Gcm => Keyed::Aes256Gcm(keyed(key)),
        })
    }

    /// The cipher.
    #[must_use]
    pub const fn cipher(&self) -> Cipher {
        match self.0 {
            Keyed::Aes128Ccm(_) => Cipher::Aes128Ccm,
            Keyed::Aes128Gcm(_) => Cipher::Aes128Gcm,
            Keyed::Aes256Ccm(_) => Cipher::Aes256Ccm,
            Keyed::Aes256Gcm(_) => Cipher::Aes256Gcm,
        }
    }

    /// Encrypts `packet`: room for the transform header, then the message or compound.
    ///
    /// # Errors
    ///
    /// There is no message, or it is longer than 4 GiB. Nothing is encrypted then.
    pub fn encrypt(
        &self,
        packet: &mut [u8],
        nonce: Nonce,
        session_id: u64,
    ) -> Result<(), EncryptError> {
        let (place, message) = packet.split_first_chunk_mut().ok_or(EncryptError::NoMessage)?;
        if message.is_empty() {
            return Err(EncryptError::NoMessage);
        }
        let mut header = TransformHeader {
            signature: [0; 16],
            nonce: nonce.field(self.cipher()),
            original_message_size: u32::try_from(message.len())
                .map_err(|_| EncryptError::TooLong)?,
            reserved: 0,
            flags: TransformHeader::ENCRYPTED,
            session_id,
        };
        header.signature = match &self.0 {
            Keyed::Aes128Ccm(cipher) => encrypt(cipher, &header, message),
            Keyed::Aes128Gcm(cipher) => encrypt(cipher, &header, message),
            Keyed::Aes256Ccm(cipher) => encrypt(cipher, &header, message),
            Keyed::Aes256Gcm(cipher) => encrypt(cipher, &header, message),
        }
        .ok_or(EncryptError::TooLong)?;
        *place = header.encode();
        Ok(())
    }

    /// Decrypts `packet`: a transform header, then what it covers.
    ///
    /// Where the tag does not hold, what was behind the header is lost under CCM, which has to
    /// decrypt before it can check: it is zeros then. Keep a copy if another key may be the right one.
    ///
    /// # Errors
    ///
    /// It is no encrypted packet, or not one of this key.
    pub fn decrypt<'p>(&self, packet: &'p mut [u8]) -> Result<Decrypted<'p>, DecryptError> {
        let header = TransformHeader::decode(packet)?;
        if header.flags != TransformHeader::ENCRYPTED {
            return Err(DecryptError::NotEncrypted { flags: header.flags });
        }
        let message = packet.get_mut(TransformHeader::LENGTH..).unwrap_or_default();
        if message.is_empty() || u32::try_from(message.len()) != Ok(header.original_message_size) {
            return Err(DecryptError::WrongSize);
        }
        let holds = match &self.0 {
            Keyed::Aes128Ccm(cipher) => decrypt(cipher, &header, message),
            Keyed::Aes128Gcm(cipher) => decrypt(cipher, &header, message),
            Keyed::Aes256Ccm(cipher) => decrypt(cipher, &header, message),
            Keyed::Aes256Gcm(cipher) => decrypt(cipher, &header, message),
        };
        if holds { Ok(Decrypted { header, message }) } else { Err(DecryptError::DoesNotHold) }
    }
}

impl fmt::Debug for PacketCipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PacketCipher({}, ..)", self.cipher())
    }
}

/// The cipher under its key. The two have the same length: [`CipherKey::new`] sees to it.
fn keyed<C: KeyInit>(key: &CipherKey) -> C {
    let mut array = Key::<C>::default();
    array.iter_mut().zip(key.expose()).for_each(|(to, from)| *to = *from);
    let cipher = C::new(&array);
    zeroize::Zeroize::zeroize(array.as_mut_slice());
    cipher
}

fn encrypt<C: AeadInOut>(
    cipher: &C,
    header: &TransformHeader,
    message: &mut [u8],
) -> Option<[u8; 16]> {
    let nonce = nonce::<C>(header);
    let tag =
        cipher.encrypt_inout_detached(&nonce, &header.authenticated(), message.into()).ok()?;
    tag.as_slice().try_into().ok()
}

fn decrypt<C: AeadInOut>(cipher: &C, header: &TransformHeader, message: &mut [u8]) -> bool {
    let nonce = nonce::<C>(header);
    let mut tag = Tag::<C>::default();
    tag.iter_mut().zip(header.signature).for_each(|(to, from)| *to = from);
    cipher.decrypt_inout_detached(&nonce, &header.authenticated(), message.into(), &tag).is_ok()
}

/// As many bytes of Nonce as the cipher takes.
fn nonce<C: AeadInOut>(header: &TransformHeader) -> AeadNonce<C> {
    let mut nonce = AeadNonce::<C>::default();
    nonce.iter_mut().zip(header.nonce).for_each(|(to, from)| *to = from);
    nonce
}

/// A nonce, which encrypts one packet and is gone.
#[derive(Debug)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// A nonce from elsewhere. It must never have been used under this key: one that is used twice
    /// gives away what it covered, and under GCM lets anyone forge.
    #[must_use]
    pub const fn never_used_before(bytes: [u8; 12]) -> Self {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = bytes;
        Self([a, b, c, d, e, f, g, h, i, j, k, l, 0, 0, 0, 0])
    }

    /// The Nonce field: what the cipher takes, then zeros.
    fn field(mut self, cipher: Cipher) -> [u8; 16] {
        self.0.iter_mut().skip(cipher.nonce_len()).for_each(|byte| *byte = 0);
        self.0
    }
}

/// The nonces of one direction of a session: a counter, so that none comes twice.
///
/// All connections of a session share its keys. Either they share this, or each has one of its own
/// number.
#[derive(Debug, Default)]
pub struct Nonces {
    used: u64,
    channel: u8,
}

impl Nonces {
    /// The nonces of one connection among those of a session. Two connections of a session must
    /// not have the same number; that of the default is 0.
    #[must_use]
    pub const fn of_channel(channel: u8) -> Self {
        Self { used: 0, channel }
    }

    /// The next one; `None` when all 2^64 - 1 are used.
    #[expect(clippy::should_implement_trait, reason = "an iterator can be cloned and collected")]
    pub fn next(&mut self) -> Option<Nonce> {
        self.used = self.used.checked_add(1)?;
        let [a, b, c, d, e, f, g, h] = self.used.to_le_bytes();
        Some(Nonce::never_used_before([a, b, c, d, e, f, g, h, self.channel, 0, 0, 0]))
    }
}

/// A packet that was decrypted and whose tag holds. Only the check makes one.
#[derive(Debug)]
pub struct Decrypted<'p> {
    header: TransformHeader,
    message: &'p mut [u8],
}

impl<'p> Decrypted<'p> {
    /// The transform header.
    #[must_use]
    pub const fn header(&self) -> &TransformHeader {
        &self.header
    }

    /// The message or compound.
    #[must_use]
    pub const fn message(&self) -> &[u8] {
        self.message
    }

    /// The message or compound.
    #[must_use]
    pub const fn into_message(self) -> &'p mut [u8] {
        self.message
    }

    /// What is wrong with the message although its tag holds. A receiver disconnects then
    /// (MS-SMB2 3.2.5.1.1, 3.3.5.2.1.1).
    #[must_use]
    pub fn defect(&self) -> Option<InnerDefect> {
        match ProtocolId::of(self.message) {
            Some(ProtocolId::Compression) => None,
            Some(ProtocolId::Smb2) => match Header::decode(self.message) {
                Ok(inner) if inner.session_id == self.header.session_id => None,
                Ok(inner) => Some(InnerDefect::OtherSession { session_id: inner.session_id }),
                Err(error) => Some(InnerDefect::Decode(error)),
            },
            Some(ProtocolId::Transform) => Some(InnerDefect::EncryptedTwice),
            Some(ProtocolId::Smb1) | None => Some(InnerDefect::NotSmb2),
        }
    }
}

/// What is wrong inside an encrypted packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InnerDefect {
    /// There is another encrypted packet in it.
    EncryptedTwice,
    /// It is no SMB2 message.
    NotSmb2,
    /// It is a damaged SMB2 message.
    Decode(DecodeError),
    /// It names another session than the transform header.
    OtherSession {
        /// SessionId of the message.
        session_id: u64,
    },
}

impl fmt::Display for InnerDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EncryptedTwice => f.write_str("encrypted packet inside an encrypted packet"),
            Self::NotSmb2 => f.write_str("no SMB2 message inside an encrypted packet"),
            Self::Decode(error) => error.fmt(f),
            Self::OtherSession { session_id } => {
                write!(f, "message of session {session_id:#018x} inside another session's packet")
            }
        }
    }
}

/// Why a packet is not encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncryptError {
    /// There is nothing behind the room for the transform header.
    NoMessage,
    /// The message is longer than 4 GiB, or than the cipher allows.
    TooLong,
}

impl fmt::Display for EncryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoMessage => "no message behind the room for the transform header",
            Self::TooLong => "message too long to be encrypted",
        })
    }
}

impl core::error::Error for EncryptError {}

/// Why a packet is not decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecryptError {
    /// It is no encrypted packet.
    Decode(DecodeError),
    /// Flags is not 1.
    NotEncrypted {
        /// What it is.
        flags: u16,
    },
    /// OriginalMessageSize is not what there is.
    WrongSize,
    /// The tag does not hold: another key, or the packet was changed.
    DoesNotHold,
}

impl fmt::Display for DecryptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::NotEncrypted { flags } => write!(f, "unknown transform flags {flags:#06x}"),
            Self::WrongSize => f.write_str("OriginalMessageSize is not the size of the message"),
            Self::DoesNotHold => f.write_str("tag does not hold"),
        }
    }
}

impl core::error::Error for DecryptError {}

impl From<DecodeError> for DecryptError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smb2::Command;
    use std::vec::Vec;

    fn cipher(cipher: Cipher, byte: u8) -> PacketCipher {
        let key = [byte; 32];
        PacketCipher::new(&CipherKey::new(cipher, &key[..cipher.key_len()]).unwrap())
    }

    fn plain(message: &[u8]) -> Vec<u8> {
        [&[0; TransformHeader::LENGTH], message].concat()
    }

    #[test]
    fn every_bit_counts() {
        let message = Header { session_id: 3, ..Header::new(Command::ECHO, 1) }.encode();
        for kind in Cipher::ALL {
            let (right, wrong) = (cipher(kind, 1), cipher(kind, 2));
            let mut packet = plain(&message);
            right.encrypt(&mut packet, Nonces::default().next().unwrap(), 3).unwrap();
            for bit in 0..packet.len() * 8 {
                let mut changed = packet.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                assert!(right.decrypt(&mut changed).is_err(), "{kind}, bit {bit}");
            }
            for end in 0..packet.len() {
                assert!(right.decrypt(&mut packet.clone()[..end]).is_err());
            }
            let error = wrong.decrypt(&mut packet.clone()).unwrap_err();
            assert_eq!(error, DecryptError::DoesNotHold);
            let decrypted = right.decrypt(&mut packet).unwrap();
            assert_eq!((decrypted.message(), decrypted.defect()), (message.as_slice(), None));
        }
    }

    #[test]
    fn a_good_tag_does_not_excuse_what_it_covers() {
        let other = Header { session_id: 4, ..Header::new(Command::ECHO, 1) }.encode();
        let nested = TransformHeader {
            signature: [0; 16],
            nonce: [0; 16],
            original_message_size: 0,
            reserved: 0,
            flags: 1,
            session_id: 3,
        };
        let cipher = cipher(Cipher::Aes128Ccm, 1);
        for (message, defect) in [
            (other.as_slice(), InnerDefect::OtherSession { session_id: 4 }),
            (&nested.encode(), InnerDefect::EncryptedTwice),
            (b"\xffSMB....", InnerDefect::NotSmb2),
            (&[0], InnerDefect::NotSmb2),
        ] {
            let mut packet = plain(message);
            cipher.encrypt(&mut packet, Nonces::default().next().unwrap(), 3).unwrap();
            assert_eq!(cipher.decrypt(&mut packet).unwrap().defect(), Some(defect));
        }
        assert_eq!(
            cipher.encrypt(&mut plain(&[]), Nonces::default().next().unwrap(), 3),
            Err(EncryptError::NoMessage)
        );
    }

    #[test]
    fn nonces_never_come_twice() {
        let mut nonces = Nonces::default();
        let (first, second) = (nonces.next().unwrap(), nonces.next().unwrap());
        assert_ne!(first.field(Cipher::Aes128Ccm), second.field(Cipher::Aes128Ccm));
        let mut last = Nonces { used: u64::MAX - 1, channel: 0 };
        assert!(last.next().is_some());
        assert!(last.next().is_none());
        let field = Nonce::never_used_before([9; 12]).field(Cipher::Aes256Ccm);
        assert_eq!(field[11..], [0; 5]);
    }
}
