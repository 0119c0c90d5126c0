//! What both forms of session security share: buffers, checksums, signatures (MS-NLMP 3.4.4).

use crate::crypto::{HmacMd5, Rc4, crc32, equal, first_8};
use crate::flags::NegotiateFlags;
use crate::keys::{
    Direction, ExportedSessionKey, SealingKey, SealingKeyRule, SigningKey, SigningKeyRule, sealkey,
    signkey,
};
use crate::message::{MessageSignature, MessageSignatureWithoutEss};
use core::fmt;

/// Which end of the connection a [`Session`](crate::Session) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that sent AUTHENTICATE.
    Client,
    /// The end that judged it.
    Server,
}

impl Role {
    pub(crate) const fn sends(self) -> Direction {
        match self {
            Self::Client => Direction::ClientToServer,
            Self::Server => Direction::ServerToClient,
        }
    }

    pub(crate) const fn receives(self) -> Direction {
        match self {
            Self::Client => Direction::ServerToClient,
            Self::Server => Direction::ClientToServer,
        }
    }
}

/// One part of a message with several (`GSS_WrapEx`, MS-NLMP 3.4.6).
#[derive(Debug)]
pub enum Buffer<'a> {
    /// Encrypted and signed.
    Sealed(&'a mut [u8]),
    /// Signed only, as DCE/RPC headers are.
    Signed(&'a [u8]),
    /// Neither; yet extended session security signs every buffer that is listed.
    Plain(&'a [u8]),
}

impl Buffer<'_> {
    /// What the checksum covers: everything with ESS, else what is marked to be signed.
    pub(crate) fn covered(&self, ess: bool) -> &[u8] {
        match self {
            Self::Sealed(bytes) => bytes,
            Self::Signed(bytes) => bytes,
            Self::Plain(bytes) if ess => bytes,
            Self::Plain(_) => &[],
        }
    }
}

/// Why a message cannot be protected, or is not what its signature says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionError {
    /// The signature does not hold. The session is unusable from now on.
    MessageAltered,
    /// The sequence number is not the next one. Nothing was consumed.
    OutOfSequence {
        /// The number that is due.
        expected: u32,
        /// The number that came.
        received: u32,
    },
    /// A signature of another length or version.
    InvalidToken,
    /// A session for a connection was asked of a connectionless logon, or the reverse.
    WrongMode,
    /// Signing or sealing was not negotiated.
    NotNegotiated,
    /// All 2^32 sequence numbers are used.
    SequenceExhausted,
    /// An earlier signature did not hold.
    Broken,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MessageAltered => f.write_str("signature does not hold"),
            Self::OutOfSequence { expected, received } => {
                write!(f, "sequence number {received} came where {expected} is due")
            }
            Self::InvalidToken => f.write_str("not a message signature"),
            Self::WrongMode => f.write_str("connection and datagrams are not protected alike"),
            Self::NotNegotiated => f.write_str("protection was not negotiated"),
            Self::SequenceExhausted => f.write_str("all sequence numbers are used"),
            Self::Broken => f.write_str("an earlier signature did not hold"),
        }
    }
}

impl core::error::Error for SessionError {}

/// A signature as it came: with ESS its number is in the clear.
pub(crate) struct Received {
    pub(crate) seq_num: Option<u32>,
    bytes: [u8; 16],
    ess: bool,
}

impl Received {
    pub(crate) fn decode(signature: &[u8], ess: bool) -> Result<Self, SessionError> {
        let invalid = |_| SessionError::InvalidToken;
        let (seq_num, bytes) = if ess {
            let signature = MessageSignature::decode(signature).map_err(invalid)?;
            (Some(signature.seq_num), signature.encode())
        } else {
            let signature = MessageSignatureWithoutEss::decode(signature).map_err(invalid)?;
            (None, MessageSignatureWithoutEss { random_pad: [0; 4], ..signature }.encode())
        };
        Ok(Self { seq_num, bytes, ess })
    }

    /// In place of bytes that are no signature: it matches none.
    pub(crate) const fn of_nothing() -> Self {
        Self { seq_num: None, bytes: [0xff; 16], ess: true }
    }

    pub(crate) fn matches(&self, expected: &[u8; 16]) -> bool {
        debug_assert!(self.ess || expected.get(4..8) == Some(&[0; 4]));
        equal(&self.bytes, expected)
    }
}

pub(crate) enum Checksum {
    Hmac([u8; 8]),
    Crc32(u32),
}

pub(crate) fn checksum(
    signing: Option<&HmacMd5>,
    seq_num: u32,
    buffers: &[Buffer<'_>],
) -> Checksum {
    match signing {
        Some(signing) => {
            let number = seq_num.to_le_bytes();
            let covered = buffers.iter().map(|buffer| buffer.covered(true));
            let hmac = signing.compute_iter(core::iter::once(number.as_slice()).chain(covered));
            Checksum::Hmac(first_8(&hmac))
        }
        None => Checksum::Crc32(crc32(buffers.iter().map(|buffer| buffer.covered(false)))),
    }
}

pub(crate) fn finish(checksum: Checksum, seq_num: u32, rc4: Option<&mut Rc4>) -> [u8; 16] {
    match checksum {
        Checksum::Hmac(mut checksum) => {
            if let Some(rc4) = rc4 {
                rc4.apply(&mut checksum);
            }
            MessageSignature { checksum, seq_num }.encode()
        }
        Checksum::Crc32(crc) => {
            let [c0, c1, c2, c3] = crc.to_le_bytes();
            let [s0, s1, s2, s3] = seq_num.to_le_bytes();
            let mut body = [0, 0, 0, 0, c0, c1, c2, c3, s0, s1, s2, s3];
            if let Some(rc4) = rc4 {
                rc4.apply(&mut body);
            }
            // The encrypted RandomPad is overwritten with zeros (MS-NLMP 3.4.4.1).
            let [_, _, _, _, c0, c1, c2, c3, s0, s1, s2, s3] = body;
            let (checksum, seq_num) = ([c0, c1, c2, c3], [s0, s1, s2, s3]);
            MessageSignatureWithoutEss { random_pad: [0; 4], checksum, seq_num }.encode()
        }
    }
}

pub(crate) fn derive(
    key: &ExportedSessionKey,
    flags: NegotiateFlags,
    direction: Direction,
) -> (Option<SigningKey>, SealingKey) {
    (
        signkey(SigningKeyRule::choose(flags), key, direction),
        sealkey(SealingKeyRule::choose(flags), key, direction),
    )
}
