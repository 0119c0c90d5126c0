//! What one connection has of a session: Session and Channel of MS-SMB2 3.3.1.8, 3.3.1.14.

use super::error::PeerError;
use crate::encryption::{Nonces, PacketCipher};
use crate::keys::CipherKey;
use crate::signature_rule::Identity;
use crate::signing::Signer;
use crate::smb2::TransformHeader;
use alloc::vec::Vec;

#[derive(Debug)]
pub(super) struct Channel {
    pub(super) identity: Identity,
    /// `None` for guest and anonymous.
    pub(super) signer: Option<Signer>,
    pub(super) ciphers: Option<Ciphers>,
    pub(super) signing_required: bool,
    /// Whether everything is encrypted.
    pub(super) encrypts: bool,
}

/// Both directions.
#[derive(Debug)]
pub(super) struct Ciphers {
    decrypt: PacketCipher,
    encrypt: PacketCipher,
    nonces: Nonces,
}

impl Ciphers {
    /// Each connection of a session has a number, so that no nonce comes twice.
    pub(super) fn new([to_server, to_client]: &[CipherKey; 2], channel: u8) -> Self {
        Self {
            decrypt: PacketCipher::new(to_server),
            encrypt: PacketCipher::new(to_client),
            nonces: Nonces::of_channel(channel),
        }
    }

    /// Decrypts in place. The packet is used up to its transform header.
    pub(super) fn decrypt(&self, packet: &mut [u8]) -> Result<(), PeerError> {
        let decrypted = self.decrypt.decrypt(packet).map_err(PeerError::Decrypt)?;
        decrypted.defect().map_or(Ok(()), |defect| Err(PeerError::Inner(defect)))
    }

    pub(super) fn encrypt(
        &mut self,
        session_id: u64,
        message: &[u8],
    ) -> Result<Vec<u8>, PeerError> {
        let nonce = self.nonces.next().ok_or(PeerError::Nonces)?;
        let mut packet = Vec::with_capacity(TransformHeader::LENGTH + message.len());
        packet.resize(TransformHeader::LENGTH, 0);
        packet.extend_from_slice(message);
        let encrypted = self.encrypt.encrypt(&mut packet, nonce, session_id);
        encrypted.map_err(|_| PeerError::Nonces)?;
        Ok(packet)
    }
}
