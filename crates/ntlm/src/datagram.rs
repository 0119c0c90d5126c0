//! Session security for datagrams: every message for itself (MS-NLMP 3.4).

use crate::crypto::{HmacMd5, Rc4, md5};
use crate::flags::NegotiateFlags;
use crate::keys::{KeySchedule, SealingKey};
use crate::protect::{Buffer, Received, Role, SessionError, checksum, derive, finish};
use core::fmt;
use zeroize::Zeroize;

/// How RC4 is keyed for datagrams.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DatagramKeying {
    /// `MD5(SealingKey || SeqNum)` for every message (MS-NLMP 3.4).
    #[default]
    PerMessage,
    /// What Windows 2000 and XP were recorded to do without ESS: the same key stream for every
    /// message, and again for every signature; the number stays 0. It hides nothing.
    InsecureReset,
}

/// Protects datagrams: the application gives each its sequence number, in any order
/// (MS-NLMP 3.4). Replays are the application's to notice.
///
/// No peer that speaks this mode was at hand, and one published trace; see `docs/interop.md`.
pub struct DatagramSession {
    sender: DatagramKeys,
    receiver: DatagramKeys,
    flags: NegotiateFlags,
    keying: DatagramKeying,
}

struct DatagramKeys {
    signing: Option<HmacMd5>,
    sealing: SealingKey,
}

impl DatagramSession {
    /// Consumes the schedule, which wipes every key before ExportedSessionKey.
    #[must_use]
    pub fn new(keys: KeySchedule, role: Role, keying: DatagramKeying) -> Self {
        let flags = keys.negotiate_flags();
        let half = |direction| {
            let (signing, sealing) = derive(keys.exported_session_key(), flags, direction);
            DatagramKeys { signing: signing.map(|key| HmacMd5::new(key.expose())), sealing }
        };
        let (sender, receiver) = (half(role.sends()), half(role.receives()));
        Self { sender, receiver, flags, keying }
    }

    /// Signs the message of that number.
    ///
    /// # Errors
    ///
    /// SIGN was not negotiated.
    pub fn sign(&self, seq_num: u32, message: &[u8]) -> Result<[u8; 16], SessionError> {
        self.seal_buffers(seq_num, &mut [Buffer::Signed(message)])
    }

    /// Verifies the message of that number.
    ///
    /// # Errors
    ///
    /// The signature does not hold, or has another number.
    pub fn verify(
        &self,
        seq_num: u32,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SessionError> {
        self.unseal_buffers(seq_num, &mut [Buffer::Signed(message)], signature)
    }

    /// Encrypts the message of that number in place and signs it.
    ///
    /// # Errors
    ///
    /// SEAL was not negotiated, or ESS was not, without which datagrams are not confidential
    /// (MS-NLMP 3.4.3), unless [`DatagramKeying::InsecureReset`] was asked for.
    pub fn seal(&self, seq_num: u32, message: &mut [u8]) -> Result<[u8; 16], SessionError> {
        self.seal_buffers(seq_num, &mut [Buffer::Sealed(message)])
    }

    /// Decrypts the message of that number in place and verifies it.
    ///
    /// # Errors
    ///
    /// The signature does not hold, in which case `message` is wiped, or has another number.
    pub fn unseal(
        &self,
        seq_num: u32,
        message: &mut [u8],
        signature: &[u8],
    ) -> Result<(), SessionError> {
        self.unseal_buffers(seq_num, &mut [Buffer::Sealed(message)], signature)
    }

    fn seal_buffers(
        &self,
        seq_num: u32,
        buffers: &mut [Buffer<'_>],
    ) -> Result<[u8; 16], SessionError> {
        self.check_ready(buffers)?;
        let seq_num = self.effective(seq_num);
        let checksum = checksum(self.sender.signing.as_ref(), seq_num, buffers);
        let mut rc4 = self.apply(&self.sender, seq_num, buffers);
        Ok(finish(checksum, seq_num, Some(&mut rc4).filter(|_| self.encrypts_checksum())))
    }

    fn unseal_buffers(
        &self,
        seq_num: u32,
        buffers: &mut [Buffer<'_>],
        signature: &[u8],
    ) -> Result<(), SessionError> {
        self.check_ready(buffers)?;
        let seq_num = self.effective(seq_num);
        let received = Received::decode(signature, self.ess())?;
        if let Some(sent) = received.seq_num
            && sent != seq_num
        {
            return Err(SessionError::OutOfSequence { expected: seq_num, received: sent });
        }
        let mut rc4 = self.apply(&self.receiver, seq_num, buffers);
        let checksum = checksum(self.receiver.signing.as_ref(), seq_num, buffers);
        let rc4 = Some(&mut rc4).filter(|_| self.encrypts_checksum());
        if received.matches(&finish(checksum, seq_num, rc4)) {
            return Ok(());
        }
        for buffer in buffers {
            if let Buffer::Sealed(bytes) = buffer {
                bytes.zeroize();
            }
        }
        Err(SessionError::MessageAltered)
    }

    /// Runs RC4 over what is sealed and hands back the stream for the checksum.
    fn apply(&self, keys: &DatagramKeys, seq_num: u32, buffers: &mut [Buffer<'_>]) -> Rc4 {
        let fresh = || match self.keying {
            DatagramKeying::PerMessage => {
                let mut key = md5(&[keys.sealing.expose(), &seq_num.to_le_bytes()]);
                let rc4 = Rc4::new(&key);
                key.zeroize();
                rc4
            }
            DatagramKeying::InsecureReset => Rc4::new(keys.sealing.expose()),
        };
        let mut rc4 = fresh();
        for buffer in buffers {
            if let Buffer::Sealed(bytes) = buffer {
                rc4.apply(bytes);
            }
        }
        match self.keying {
            DatagramKeying::PerMessage => rc4,
            DatagramKeying::InsecureReset => fresh(),
        }
    }

    const fn effective(&self, seq_num: u32) -> u32 {
        match self.keying {
            DatagramKeying::PerMessage => seq_num,
            DatagramKeying::InsecureReset => 0,
        }
    }

    const fn ess(&self) -> bool {
        self.flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY)
    }

    const fn encrypts_checksum(&self) -> bool {
        !self.ess() || self.flags.contains(NegotiateFlags::NEGOTIATE_KEY_EXCH)
    }

    fn check_ready(&self, buffers: &[Buffer<'_>]) -> Result<(), SessionError> {
        if !self.flags.contains(NegotiateFlags::NEGOTIATE_DATAGRAM) {
            return Err(SessionError::WrongMode);
        }
        let seals = buffers.iter().any(|buffer| matches!(buffer, Buffer::Sealed(_)));
        let may_seal = self.flags.contains(NegotiateFlags::NEGOTIATE_SEAL)
            && (self.ess() || self.keying == DatagramKeying::InsecureReset);
        let allowed = if seals { may_seal } else { self.flags.protects() };
        if allowed { Ok(()) } else { Err(SessionError::NotNegotiated) }
    }
}

impl fmt::Debug for DatagramSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatagramSession").field("flags", &self.flags).finish_non_exhaustive()
    }
}
