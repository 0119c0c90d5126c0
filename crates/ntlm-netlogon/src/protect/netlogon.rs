//! Fragments under a secure channel's session key (MS-NRPC 3.3.4.2).

use super::parts::Parts;
use super::{Coverage, ProtectError, SecurityContext, Service};
use crate::crypto::{AesCfb8, HmacSha256, equal, hmac_md5, md5, rc4};
use crate::keys::{Algorithms, SessionKey};
use crate::pdu::{AuthLevel, AuthType};
use alloc::boxed::Box;
use core::fmt;
use ntlm::keys::Direction;
use zeroize::Zeroize;

/// Signs and seals as auth_type 68 does.
///
/// One sequence number serves both directions in lock step, so there is one call at a time on an
/// association. After a signature that does not hold it refuses everything.
pub struct NetlogonProtection {
    keys: Keys,
    context: SecurityContext,
    sealed: bool,
    coverage: Coverage,
    /// ClientSequenceNumber and ServerSequenceNumber, which are always equal.
    sequence_number: Option<u64>,
    broken: bool,
}

enum Keys {
    Aes(Box<AesKeys>),
    Rc4 { session_key: SessionKey, sealing: SessionKey },
}

struct AesKeys {
    signing: HmacSha256,
    sequence: AesCfb8,
    sealing: AesCfb8,
}

impl NetlogonProtection {
    /// For an association that was just bound.
    ///
    /// # Errors
    ///
    /// A level at which nothing is protected.
    pub fn new(
        algorithms: Algorithms,
        session_key: &SessionKey,
        auth_level: AuthLevel,
        auth_context_id: u32,
        coverage: Coverage,
    ) -> Result<Self, ProtectError> {
        let sealed = match Service::of(auth_level) {
            Some(Service::Sealed) => true,
            Some(Service::Signed) => false,
            Some(Service::Nothing) | None => return Err(ProtectError::UnknownLevel(auth_level)),
        };
        let sealing = SessionKey::new(session_key.expose().map(|byte| byte ^ 0xf0));
        let keys = match algorithms {
            Algorithms::AesSha2 => Keys::Aes(Box::new(AesKeys {
                signing: HmacSha256::new(session_key.expose()),
                sequence: AesCfb8::new(session_key.expose()),
                sealing: AesCfb8::new(sealing.expose()),
            })),
            Algorithms::InsecureRc4Md5 => {
                Keys::Rc4 { session_key: session_key.duplicate(), sealing }
            }
        };
        let context =
            SecurityContext { auth_type: AuthType::NETLOGON, auth_level, auth_context_id };
        Ok(Self { keys, context, sealed, coverage, sequence_number: Some(0), broken: false })
    }

    /// Length of auth_value in bytes, as it is sent: that of NL_AUTH_SHA2_SIGNATURE or
    /// NL_AUTH_SIGNATURE (MS-NRPC 2.2.1.3.2, 2.2.1.3.3).
    #[must_use]
    pub const fn auth_length(&self) -> usize {
        match self.keys {
            Keys::Aes(_) => 56,
            Keys::Rc4 { .. } => 32,
        }
    }

    /// Which security context it is for.
    #[must_use]
    pub const fn context(&self) -> SecurityContext {
        self.context
    }

    /// Protects a fragment that goes in this direction. `confounder` is random, and used only where
    /// the body is sealed.
    ///
    /// # Errors
    ///
    /// The fragment has no place for a signature, or no sequence number is left.
    pub fn protect(
        &mut self,
        direction: Direction,
        fragment: &mut [u8],
        confounder: [u8; 8],
    ) -> Result<(), ProtectError> {
        let seq = self.begin(direction)?;
        let parts = Parts::split(fragment, self.context)?;
        if parts.auth_value.len() != self.auth_length() {
            return Err(ProtectError::NoVerifier);
        }
        let mut confounder = if self.sealed { confounder } else { [0; 8] };
        let checksum = self.checksum(&confounder, &parts);
        if self.sealed {
            self.keys.seal(seq, &mut confounder, parts.body);
        }
        let mut sequence_number = seq;
        self.keys.encrypt_sequence_number(checksum, &mut sequence_number);
        let fields = [self.algorithm_fields(), sequence_number, checksum, confounder];
        parts.auth_value.fill(0);
        let places = parts.auth_value.iter_mut().zip(fields.as_flattened());
        places.for_each(|(to, from)| *to = *from);
        self.advance();
        Ok(())
    }

    /// Verifies and unseals a fragment that came in this direction.
    ///
    /// # Errors
    ///
    /// It does not hold, in which case a sealed body is wiped.
    pub fn open(&mut self, direction: Direction, fragment: &mut [u8]) -> Result<(), ProtectError> {
        let seq = self.begin(direction)?;
        let parts = Parts::split(fragment, self.context)?;
        let opened = self.open_parts(seq, parts);
        match opened {
            Ok(()) => self.advance(),
            Err(_) => self.broken = true,
        }
        opened.map_err(ProtectError::Netlogon)
    }

    /// Verifies and unseals a fragment of this direction, for one who looks on and may have missed
    /// others: its own sequence number is taken, and returned, for the number needs no order to be
    /// read. Nothing is broken by what does not hold.
    ///
    /// # Errors
    ///
    /// It does not hold, in which case a sealed body is wiped.
    pub fn observe(&self, direction: Direction, fragment: &mut [u8]) -> Result<u64, ProtectError> {
        let parts = Parts::split(fragment, self.context)?;
        let (checksum, mut seq) = match *parts.auth_value.as_chunks::<8>().0 {
            [_, seq, checksum, ..] => (checksum, seq),
            _ => return Err(ProtectError::Netlogon(NetlogonError::Truncated)),
        };
        self.keys.decrypt_sequence_number(checksum, &mut seq);
        let [e, f, g, h, a, b, c, d] = seq;
        let number = u64::from_be_bytes([a & 0x7f, b, c, d, e, f, g, h]);
        let own = copy_seq_number(number, direction);
        self.open_parts(own, parts).map(|()| number).map_err(ProtectError::Netlogon)
    }

    fn open_parts(&self, seq: [u8; 8], parts: Parts<'_>) -> Result<(), NetlogonError> {
        let (chunks, _) = parts.auth_value.as_chunks::<8>();
        // A signature alone may leave out the confounder; what follows it is reserved.
        let (fields, sequence_number, checksum, confounder) = match *chunks {
            [fields, seq, checksum, confounder, ..] => (fields, seq, checksum, confounder),
            [fields, seq, checksum] if !self.sealed => (fields, seq, checksum, [0; 8]),
            _ => return Err(NetlogonError::Truncated),
        };
        if fields != self.algorithm_fields() {
            return Err(NetlogonError::OtherAlgorithms);
        }
        let mut received = sequence_number;
        self.keys.decrypt_sequence_number(checksum, &mut received);
        if !equal(&received, &seq) {
            return Err(NetlogonError::OutOfSequence);
        }
        let mut confounder = confounder;
        if self.sealed {
            self.keys.unseal(seq, &mut confounder, parts.body);
        }
        if equal(&self.checksum(&confounder, &parts), &checksum) {
            return Ok(());
        }
        if self.sealed {
            parts.body.zeroize();
        }
        Err(NetlogonError::DoesNotHold)
    }

    fn begin(&self, direction: Direction) -> Result<[u8; 8], ProtectError> {
        if self.broken {
            return Err(ProtectError::Netlogon(NetlogonError::Broken));
        }
        let exhausted = ProtectError::Netlogon(NetlogonError::SequenceExhausted);
        Ok(copy_seq_number(self.sequence_number.ok_or(exhausted)?, direction))
    }

    fn advance(&mut self) {
        self.sequence_number = self.sequence_number.and_then(|number| number.checked_add(1));
    }

    /// SignatureAlgorithm, SealAlgorithm, Pad and Flags.
    const fn algorithm_fields(&self) -> [u8; 8] {
        match (&self.keys, self.sealed) {
            (Keys::Aes(_), true) => [0x13, 0, 0x1a, 0, 0xff, 0xff, 0, 0],
            (Keys::Aes(_), false) => [0x13, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
            (Keys::Rc4 { .. }, true) => [0x77, 0, 0x7a, 0, 0xff, 0xff, 0, 0],
            (Keys::Rc4 { .. }, false) => [0x77, 0, 0xff, 0xff, 0xff, 0xff, 0, 0],
        }
    }

    /// Over plain text. The confounder counts only where the body is sealed.
    fn checksum(&self, confounder: &[u8; 8], parts: &Parts<'_>) -> [u8; 8] {
        let fields = self.algorithm_fields();
        let confounder: &[u8] = if self.sealed { confounder } else { &[] };
        let (header, sec_trailer) = match self.coverage {
            Coverage::Whole => (parts.header, parts.sec_trailer),
            Coverage::Body => (&[][..], &[][..]),
        };
        self.keys.checksum([&fields, confounder, header, parts.body, sec_trailer])
    }
}

impl Keys {
    fn checksum(&self, data: [&[u8]; 5]) -> [u8; 8] {
        match self {
            Self::Aes(keys) => {
                let [a, b, c, d, e, f, g, h, ..] = keys.signing.compute(&data);
                [a, b, c, d, e, f, g, h]
            }
            Self::Rc4 { session_key, .. } => {
                let [fields, confounder, header, body, sec_trailer] = data;
                let digest = md5(&[&[0; 4], fields, confounder, header, body, sec_trailer]);
                let [a, b, c, d, e, f, g, h, ..] = hmac_md5(session_key.expose(), &digest);
                [a, b, c, d, e, f, g, h]
            }
        }
    }

    fn seal(&self, seq: [u8; 8], confounder: &mut [u8; 8], body: &mut [u8]) {
        match self {
            Self::Aes(keys) => keys.sealing.encrypt(twice(seq), &mut [confounder, body]),
            Self::Rc4 { sealing, .. } => apply_rc4(sealing, seq, &mut [confounder, body]),
        }
    }

    fn unseal(&self, seq: [u8; 8], confounder: &mut [u8; 8], body: &mut [u8]) {
        match self {
            Self::Aes(keys) => keys.sealing.decrypt(twice(seq), &mut [confounder, body]),
            Self::Rc4 { sealing, .. } => apply_rc4(sealing, seq, &mut [confounder, body]),
        }
    }

    fn encrypt_sequence_number(&self, checksum: [u8; 8], number: &mut [u8; 8]) {
        match self {
            Self::Aes(keys) => keys.sequence.encrypt(twice(checksum), &mut [number]),
            Self::Rc4 { session_key, .. } => apply_rc4(session_key, checksum, &mut [number]),
        }
    }

    fn decrypt_sequence_number(&self, checksum: [u8; 8], number: &mut [u8; 8]) {
        match self {
            Self::Aes(keys) => keys.sequence.decrypt(twice(checksum), &mut [number]),
            Self::Rc4 { session_key, .. } => apply_rc4(session_key, checksum, &mut [number]),
        }
    }
}

/// CopySeqNumber: the low half first, each big-endian, and a bit that tells the client's.
const fn copy_seq_number(number: u64, direction: Direction) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    let bit = match direction {
        Direction::ClientToServer => 0x80,
        Direction::ServerToClient => 0,
    };
    [e, f, g, h, a | bit, b, c, d]
}

/// Each part under a stream of its own with the same key, as MS-NRPC 3.3.4.2.1 has it.
fn apply_rc4(key: &SessionKey, salt: [u8; 8], parts: &mut [&mut [u8]]) {
    let mut inner = hmac_md5(key.expose(), &[0; 4]);
    let mut stream_key = hmac_md5(&inner, &salt);
    parts.iter_mut().for_each(|part| rc4(&stream_key, part));
    inner.zeroize();
    stream_key.zeroize();
}

const fn twice(half: [u8; 8]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h] = half;
    [a, b, c, d, e, f, g, h, a, b, c, d, e, f, g, h]
}

impl fmt::Debug for NetlogonProtection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetlogonProtection")
            .field("context", &self.context)
            .field("coverage", &self.coverage)
            .finish_non_exhaustive()
    }
}

/// Why a secure channel's signature is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NetlogonError {
    /// auth_value is too short for a signature.
    Truncated,
    /// SignatureAlgorithm, SealAlgorithm, Pad or Flags are not those of this channel.
    OtherAlgorithms,
    /// The sequence number is not the next one; also where the checksum it is encrypted with was
    /// changed.
    OutOfSequence,
    /// The checksum does not hold.
    DoesNotHold,
    /// No sequence number is left.
    SequenceExhausted,
    /// An earlier signature did not hold.
    Broken,
}

impl fmt::Display for NetlogonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "too short for a signature",
            Self::OtherAlgorithms => "signed with other algorithms",
            Self::OutOfSequence => "sequence number is not the next one",
            Self::DoesNotHold => "signature does not hold",
            Self::SequenceExhausted => "all sequence numbers are used",
            Self::Broken => "an earlier signature did not hold",
        })
    }
}

impl core::error::Error for NetlogonError {}
