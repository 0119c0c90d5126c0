//! A session of SMB 2 or 3: its keys, and what they protect.

use super::error::{ClientError, PeerError, Unavailable};
use super::request::{Pending, Protection};
use crate::dialect::{Dialect, SigningAlgorithm};
use crate::encryption::{Nonces, PacketCipher};
use crate::keys::{CipherKey, SigningKey, SmbKeySchedule};
use crate::signature_rule::{Identity, SessionPhase, SignatureRule, Signed};
use crate::signing::Signer;
use crate::smb2::{Header, TransformHeader};
use alloc::vec::Vec;
use ntlm::keys::{Direction, NtlmVersion, Step};
use ntlm::policy::Relaxation;
use ntlm_spnego::MechListMic;

/// How the logon went, in NTLM's words.
#[derive(Debug)]
pub struct Logon {
    /// As whom.
    pub identity: Identity,
    /// How it was proved.
    pub version: NtlmVersion,
    /// What the default policy would not have done.
    pub relaxed: Vec<Relaxation>,
    /// Whether AUTHENTICATE carried a MIC.
    pub has_mic: bool,
    /// What protected the choice of NTLM.
    pub mech_list_mic: MechListMic,
    /// Every key of NTLM, where [`keep_keys`](super::ClientConfig::keep_keys) says so; else none.
    pub steps: Vec<Step>,
}

/// A session on one connection.
#[derive(Debug)]
pub struct Session {
    pub(super) id: u64,
    pub(super) logon: Logon,
    pub(super) keys: SmbKeySchedule,
    pub(super) signer: Option<Signer>,
    pub(super) ciphers: Option<Ciphers>,
    /// Whether everything is encrypted.
    pub(super) encrypts: bool,
    pub(super) channels: u8,
}

/// Both directions.
#[derive(Debug)]
pub(super) struct Ciphers {
    keys: [CipherKey; 2],
    encrypt: PacketCipher,
    decrypt: PacketCipher,
    nonces: Nonces,
}

impl Ciphers {
    pub(super) fn new(to_server: &CipherKey, to_client: &CipherKey, channel: u8) -> Option<Self> {
        let copy = |key: &CipherKey| CipherKey::new(key.cipher(), key.expose());
        Some(Self {
            keys: [copy(to_server)?, copy(to_client)?],
            encrypt: PacketCipher::new(to_server),
            decrypt: PacketCipher::new(to_client),
            nonces: Nonces::of_channel(channel),
        })
    }

    pub(super) fn of_schedule(keys: &SmbKeySchedule) -> Option<Self> {
        let to_server = keys.cipher_key(Direction::ClientToServer)?;
        let to_client = keys.cipher_key(Direction::ServerToClient)?;
        Self::new(to_server, to_client, 0)
    }
}

/// What another connection needs to join a session.
#[derive(Debug)]
pub struct SessionToBind {
    pub(super) id: u64,
    pub(super) dialect: Dialect,
    pub(super) signing_algorithm: SigningAlgorithm,
    pub(super) signing_key: SigningKey,
    pub(super) ciphers: Option<Ciphers>,
    pub(super) encrypts: bool,
    /// 1 for the first connection that joins, and so on.
    pub(super) channel: u8,
}

impl Session {
    /// SessionId.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// How the logon went.
    #[must_use]
    pub const fn logon(&self) -> &Logon {
        &self.logon
    }

    /// Takes [`Logon::steps`]: keys are given away once.
    #[must_use]
    pub fn take_ntlm_steps(&mut self) -> Vec<Step> {
        core::mem::take(&mut self.logon.steps)
    }

    /// Every key, with the rule that chose it.
    #[must_use]
    pub const fn keys(&self) -> &SmbKeySchedule {
        &self.keys
    }

    /// Whether everything is encrypted.
    #[must_use]
    pub const fn encrypts(&self) -> bool {
        self.encrypts
    }

    /// Whether messages can be protected at all.
    #[must_use]
    pub const fn has_keys(&self) -> bool {
        self.signer.is_some()
    }

    /// Whether messages can be encrypted.
    #[must_use]
    pub const fn can_encrypt(&self) -> bool {
        self.ciphers.is_some()
    }

    /// What a further connection of the same client needs to join this session (MS-SMB2
    /// 3.2.4.2.3.3). Each has nonces of its own. Under AES-GMAC only the first can join; who
    /// wants more of them offers another algorithm from the start.
    ///
    /// # Errors
    ///
    /// The dialect is older than 3.0, the session has no keys, or has 255 connections already.
    pub fn to_bind(&mut self) -> Result<SessionToBind, ClientError> {
        let signing_key = self.keys.signing_key().ok_or(Unavailable::Binding)?;
        if self.keys.dialect() < Dialect::Smb300 {
            return Err(Unavailable::Binding.into());
        }
        self.channels = self.channels.checked_add(1).ok_or(Unavailable::Nonces)?;
        let ciphers = self.ciphers.as_ref().and_then(|ciphers| {
            let [to_server, to_client] = &ciphers.keys;
            Ciphers::new(to_server, to_client, self.channels)
        });
        Ok(SessionToBind {
            id: self.id,
            dialect: self.keys.dialect(),
            signing_algorithm: self.keys.signing_algorithm(),
            signing_key: signing_key.duplicate(),
            ciphers,
            encrypts: self.encrypts,
            channel: self.channels,
        })
    }

    /// Signs or encrypts a message.
    pub(super) fn protect(
        &mut self,
        mut message: Vec<u8>,
        tree_encrypts: bool,
    ) -> Result<(Vec<u8>, Protection), ClientError> {
        if self.encrypts || tree_encrypts {
            let ciphers = self.ciphers.as_mut().ok_or(Unavailable::Encryption)?;
            let nonce = ciphers.nonces.next().ok_or(Unavailable::Nonces)?;
            let mut packet = Vec::with_capacity(TransformHeader::LENGTH + message.len());
            packet.resize(TransformHeader::LENGTH, 0);
            packet.append(&mut message);
            ciphers
                .encrypt
                .encrypt(&mut packet, nonce, self.id)
                .map_err(|_| Unavailable::Encryption)?;
            return Ok((packet, Protection::Encrypted));
        }
        match &self.signer {
            Some(signer) => {
                signer.sign(&mut message).map_err(|_| Unavailable::Signing)?;
                Ok((message, Protection::Signed))
            }
            None => Ok((message, Protection::None)),
        }
    }

    /// Decrypts a packet in place.
    pub(super) fn decrypt<'p>(&self, packet: &'p mut [u8]) -> Result<&'p mut [u8], ClientError> {
        let ciphers = self.ciphers.as_ref().ok_or(PeerError::EncryptionWithoutKeys)?;
        let transform = TransformHeader::decode(packet)?;
        if transform.session_id != self.id {
            return Err(PeerError::NotTheResponse("SessionId").into());
        }
        let decrypted = ciphers.decrypt.decrypt(packet).map_err(PeerError::Decrypt)?;
        match decrypted.defect() {
            Some(defect) => Err(PeerError::Inner(defect).into()),
            None => Ok(decrypted.into_message()),
        }
    }

    /// Sees that an unencrypted response is signed, where it must be.
    pub(super) fn check_signature(
        &self,
        pending: &Pending,
        header: &Header,
        message: &[u8],
    ) -> Result<(), ClientError> {
        let Some(signer) = &self.signer else { return Ok(()) };
        // Who has keys got them as an account, and keeps them whoever he authenticates as again
        // (MS-SMB2 3.2.5.3.2).
        let identity = Identity::Account;
        let rule = SignatureRule::choose(header, false, SessionPhase::Established, identity);
        match rule.doc().signed {
            Signed::Never => Ok(()),
            Signed::IfRequired if !header.is_signed() && pending.protection == Protection::None => {
                Ok(())
            }
            Signed::IfRequired | Signed::Always => check(signer, header, message),
        }
    }
}

/// Sees that a response is signed, and rightly.
pub(super) fn check(signer: &Signer, header: &Header, message: &[u8]) -> Result<(), ClientError> {
    if !header.is_signed() {
        let command = header.command.name().unwrap_or("request");
        return Err(PeerError::NotSigned { command, status: header.status }.into());
    }
    signer.verify(message).map_err(PeerError::Signature)?;
    Ok(())
}
