//! SMB 1, 2 and 3 sessions (MS-CIFS, MS-SMB, MS-SMB2): what NTLM's keys are spent on.
//!
//! No I/O, no clock, no randomness, `no_std` with `alloc`. Messages are read where they lie; packets
//! are signed, verified, encrypted and decrypted in place; nothing is allocated for a packet.
//!
//! From the key that NTLM leaves to the keys that sign and encrypt, under 3.1.1:
//!
//! ```
//! use ntlm::keys::{Direction, ExportedSessionKey};
//! use ntlm_smb::keys::{
//!     Establishment, PreauthIntegrityHash, SessionKeySource, SmbDerivation, SmbKeySchedule,
//! };
//! use ntlm_smb::smb2::{Command, Header, TransformHeader};
//! use ntlm_smb::{Cipher, Dialect, Nonces, PacketCipher, Signer, SigningAlgorithm};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let [request, response, setup] = [&b"1"[..], b"2", b"3"];
//! let preauth_integrity_hash =
//!     PreauthIntegrityHash::default().after(request).after(response).after(setup);
//! let keys = SmbKeySchedule::derive(SmbDerivation {
//!     dialect: Dialect::Smb311,
//!     signing_algorithm: SigningAlgorithm::AesGmac,
//!     cipher: Some(Cipher::Aes256Gcm),
//!     source: SessionKeySource::Account((&ExportedSessionKey::new([0x55; 16])).into()),
//!     preauth_integrity_hash: Some(&preauth_integrity_hash),
//!     establishment: Establishment::NewSession,
//! });
//! for step in keys.steps() {
//!     println!("{} = {} ({})", step.key, step.rule.doc().formula, step.rule.doc().section);
//! }
//!
//! let signer = Signer::new(keys.signing_algorithm(), keys.signing_key().ok_or("guest")?);
//! let mut message = Header { session_id: 9, ..Header::new(Command::ECHO, 4) }.encode().to_vec();
//! message.extend_from_slice(&[4, 0, 0, 0]);
//! signer.sign(&mut message)?;
//! assert!(signer.verify(&message).is_ok());
//!
//! let key = keys.cipher_key(Direction::ClientToServer).ok_or("not negotiated")?;
//! let (cipher, mut nonces) = (PacketCipher::new(key), Nonces::default());
//! let mut packet = [&[0; TransformHeader::LENGTH], message.as_slice()].concat();
//! cipher.encrypt(&mut packet, nonces.next().ok_or("used up")?, 9)?;
//! assert_eq!(cipher.decrypt(&mut packet)?.message(), message);
//! # Ok(())
//! # }
//! ```
//!
//! Where to look:
//!
//! | | |
//! |---|---|
//! | [`Frame`], [`ProtocolId`] | what carries messages, and which kind each is |
//! | [`smb1`] | messages of SMB1, its signatures and sequence numbers |
//! | [`smb2`] | messages of SMB 2 and 3 |
//! | [`client`] | the client's side of a session, step by step |
//! | [`server`] | the server's side of a connection and its sessions |
//! | [`mod@file`] | what both generations say of files and pipes |
//! | [`keys`] | every key, and the rule that chose it |
//! | [`Signer`], [`SignatureRule`] | signatures of SMB 2 and 3, and which key makes them |
//! | [`PacketCipher`], [`Nonces`] | encryption of SMB 3 |
//! | [`Dialect`], [`SigningAlgorithm`], [`Cipher`] | what is negotiated |
#![no_std]
extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod client;
mod crypto;
mod dialect;
mod encryption;
mod error;
pub mod file;
pub mod keys;
mod secret;
pub mod server;
mod signature_rule;
mod signing;
pub mod smb1;
pub mod smb2;
#[cfg(test)]
mod testing;
mod transport;
mod wire;

pub use dialect::{Cipher, Dialect, DialectRange, Protocol, SigningAlgorithm};
pub use encryption::{
    DecryptError, Decrypted, EncryptError, InnerDefect, Nonce, Nonces, PacketCipher,
};
pub use error::{DecodeError, DecodeErrorKind, TooLong};
pub use ntlm::NtStatus;
pub use signature_rule::{Identity, SessionPhase, SignatureRule, SignatureRuleDoc, Signed};
pub use signing::{NeverSigned, SignError, SignatureError, Signer, Verified};
pub use transport::{
    Frame, FrameType, ProtocolId, Transport, decode_prefix, message_prefix, session_request,
};
pub use wire::{Part, U16List};
