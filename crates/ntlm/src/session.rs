//! Session security: sign, verify, seal, unseal (MS-NLMP 3.4).
//!
//! ```text
//!             with ESS                              without ESS
//!   client ── sign, seal key ──> server     client <── one sealing key ──> server
//!          <── sign, seal key ──                     one stream, one counter
//! ```
//!
//! Everything happens in place and nothing is allocated. Keys and RC4 schedules are made when
//! first used.

use crate::crypto::{HmacMd5, Rc4, crc32, equal, first_8, md5};
use crate::flags::NegotiateFlags;
use crate::keys::{Direction, ExportedSessionKey, KeySchedule, SealingKey, SigningKey};
use crate::message::{MessageSignature, MessageSignatureWithoutEss};
use core::fmt;
use zeroize::Zeroize;

/// Which end of the connection a [`Session`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The end that sent AUTHENTICATE.
    Client,
    /// The end that judged it.
    Server,
}

impl Role {
    const fn sends(self) -> Direction {
        match self {
            Self::Client => Direction::ClientToServer,
            Self::Server => Direction::ServerToClient,
        }
    }

    const fn receives(self) -> Direction {
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
    fn covered(&self, ess: bool) -> &[u8] {
        match self {
            Self::Sealed(bytes) => bytes,
            Self::Signed(bytes) => bytes,
            Self::Plain(bytes) if ess => bytes,
            Self::Plain(_) => &[],
        }
    }
}

/// Protects messages in order, as both ends of a connection do (MS-NLMP 3.4.2, 3.4.3).
///
/// Made from an established logon. After a signature that does not hold it refuses everything.
pub struct Session {
    keys: Keys,
    flags: NegotiateFlags,
    role: Role,
    sender: Option<Stream>,
    /// Without ESS `sender` serves both directions.
    receiver: Option<Stream>,
    sealing_unnegotiated: bool,
    broken: bool,
}

enum Keys {
    Exported(ExportedSessionKey),
    Directional { client: DirectionalKeys, server: DirectionalKeys },
}

/// The two keys of one direction, for a [`Session`] whose ExportedSessionKey is not known.
#[derive(Debug)]
pub struct DirectionalKeys {
    /// ClientSigningKey or ServerSigningKey; `None` without ESS.
    pub signing_key: Option<SigningKey>,
    /// ClientSealingKey or ServerSealingKey.
    pub sealing_key: SealingKey,
}

/// The running state of one direction.
struct Stream {
    signing: Option<HmacMd5>,
    rc4: Rc4,
    seq_num: Option<u32>,
}

/// Where both RC4 streams stand; see [`Session::save_rc4`].
#[derive(Clone, Copy, Debug)]
pub struct Rc4State {
    sender: u64,
    receiver: u64,
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
            Self::NotNegotiated => f.write_str("protection was not negotiated"),
            Self::SequenceExhausted => f.write_str("all sequence numbers are used"),
            Self::Broken => f.write_str("an earlier signature did not hold"),
        }
    }
}

impl core::error::Error for SessionError {}

impl Session {
    /// Consumes the schedule, which wipes every key before ExportedSessionKey.
    #[must_use]
    pub fn new(keys: KeySchedule, role: Role) -> Self {
        let flags = keys.negotiate_flags();
        Self::from_keys(Keys::Exported(keys.exported_session_key().duplicate()), flags, role)
    }

    /// From keys that come from elsewhere, such as a log.
    #[must_use]
    pub const fn from_directional_keys(
        client: DirectionalKeys,
        server: DirectionalKeys,
        flags: NegotiateFlags,
        role: Role,
    ) -> Self {
        Self::from_keys(Keys::Directional { client, server }, flags, role)
    }

    const fn from_keys(keys: Keys, flags: NegotiateFlags, role: Role) -> Self {
        let (sealing_unnegotiated, broken) = (false, false);
        Self { keys, flags, role, sender: None, receiver: None, sealing_unnegotiated, broken }
    }

    /// The key that applications ask for. `None` where the session was made without it.
    #[must_use]
    pub const fn exported_session_key(&self) -> Option<&ExportedSessionKey> {
        match &self.keys {
            Keys::Exported(key) => Some(key),
            Keys::Directional { .. } => None,
        }
    }

    /// The negotiated flags.
    #[must_use]
    pub const fn negotiate_flags(&self) -> NegotiateFlags {
        self.flags
    }

    /// Lets messages be sealed though SEAL was not negotiated, as LDAP servers do on SIGN alone.
    pub const fn allow_sealing_without_seal(&mut self) {
        self.sealing_unnegotiated = true;
    }

    /// Signs the next message (`GSS_GetMIC`, MS-NLMP 3.4.2).
    ///
    /// # Errors
    ///
    /// Nothing was negotiated, the numbers are used up, or the session is broken.
    pub fn sign(&mut self, message: &[u8]) -> Result<[u8; 16], SessionError> {
        self.seal_buffers(&mut [Buffer::Signed(message)])
    }

    /// Verifies the next message of the other end (`GSS_VerifyMIC`).
    ///
    /// # Errors
    ///
    /// The signature does not hold, or is not the one that is due.
    pub fn verify(&mut self, message: &[u8], signature: &[u8]) -> Result<(), SessionError> {
        self.unseal_buffers(&mut [Buffer::Signed(message)], signature)
    }

    /// Encrypts the next message in place and signs it (`GSS_Wrap`, MS-NLMP 3.4.3).
    ///
    /// # Errors
    ///
    /// SEAL was not negotiated, the numbers are used up, or the session is broken.
    pub fn seal(&mut self, message: &mut [u8]) -> Result<[u8; 16], SessionError> {
        self.seal_buffers(&mut [Buffer::Sealed(message)])
    }

    /// Decrypts the next message of the other end in place and verifies it (`GSS_Unwrap`).
    ///
    /// # Errors
    ///
    /// The signature does not hold, in which case `message` is wiped, or is not the one due.
    pub fn unseal(&mut self, message: &mut [u8], signature: &[u8]) -> Result<(), SessionError> {
        self.unseal_buffers(&mut [Buffer::Sealed(message)], signature)
    }

    /// Protects a message of several parts (`GSS_WrapEx`, MS-NLMP 3.4.6).
    ///
    /// # Errors
    ///
    /// As [`Session::seal`].
    pub fn seal_buffers(&mut self, buffers: &mut [Buffer<'_>]) -> Result<[u8; 16], SessionError> {
        if self.check_ready(buffers)? == Readiness::Dummy {
            return Ok(DUMMY_SIGNATURE);
        }
        let (ess, key_exch) = (self.ess(), self.key_exch());
        let stream = self.stream(self.role.sends());
        let seq_num = stream.seq_num.ok_or(SessionError::SequenceExhausted)?;
        let checksum = stream.checksum(seq_num, buffers);
        for buffer in buffers {
            if let Buffer::Sealed(bytes) = buffer {
                stream.rc4.apply(bytes);
            }
        }
        let signature = stream.finish(checksum, seq_num, ess && !key_exch);
        stream.seq_num = seq_num.checked_add(1);
        Ok(signature)
    }

    /// Opens a message of several parts (`GSS_UnwrapEx`, MS-NLMP 3.4.7).
    ///
    /// # Errors
    ///
    /// As [`Session::unseal`].
    pub fn unseal_buffers(
        &mut self,
        buffers: &mut [Buffer<'_>],
        signature: &[u8],
    ) -> Result<(), SessionError> {
        if self.check_ready(buffers)? == Readiness::Dummy {
            let dummy = equal(signature, &DUMMY_SIGNATURE);
            return if dummy { Ok(()) } else { Err(SessionError::MessageAltered) };
        }
        let (ess, key_exch) = (self.ess(), self.key_exch());
        let received = Received::decode(signature, ess)?;
        let stream = self.stream(self.role.receives());
        let seq_num = stream.seq_num.ok_or(SessionError::SequenceExhausted)?;
        if let Some(sent) = received.seq_num
            && sent != seq_num
        {
            return Err(SessionError::OutOfSequence { expected: seq_num, received: sent });
        }
        for buffer in buffers.iter_mut() {
            if let Buffer::Sealed(bytes) = buffer {
                stream.rc4.apply(bytes);
            }
        }
        let checksum = stream.checksum(seq_num, buffers);
        let expected = stream.finish(checksum, seq_num, ess && !key_exch);
        stream.seq_num = seq_num.checked_add(1);
        if received.matches(&expected) {
            return Ok(());
        }
        self.broken = true;
        for buffer in buffers {
            if let Buffer::Sealed(bytes) = buffer {
                bytes.zeroize();
            }
        }
        Err(SessionError::MessageAltered)
    }

    /// Where both RC4 streams stand. SPNEGO signs its mechListMIC with the ordinary signature and
    /// sequence number, but the streams are set back afterwards (MS-SPNG 3.2.5.1, 3.3.5.1).
    #[must_use]
    pub fn save_rc4(&self) -> Rc4State {
        let position =
            |stream: &Option<Stream>| stream.as_ref().map_or(0, |stream| stream.rc4.position());
        Rc4State { sender: position(&self.sender), receiver: position(&self.receiver) }
    }

    /// Sets both RC4 streams back; sequence numbers go on. Costs a run through the saved bytes.
    pub fn restore_rc4(&mut self, state: Rc4State) {
        if let Some(stream) = &mut self.sender {
            stream.rc4.rewind(state.sender);
        }
        if let Some(stream) = &mut self.receiver {
            stream.rc4.rewind(state.receiver);
        }
    }

    const fn ess(&self) -> bool {
        self.flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY)
    }

    const fn key_exch(&self) -> bool {
        self.flags.contains(NegotiateFlags::NEGOTIATE_KEY_EXCH)
    }

    fn check_ready(&self, buffers: &[Buffer<'_>]) -> Result<Readiness, SessionError> {
        if self.broken {
            return Err(SessionError::Broken);
        }
        let seals = buffers.iter().any(|buffer| matches!(buffer, Buffer::Sealed(_)));
        let may_seal =
            self.flags.contains(NegotiateFlags::NEGOTIATE_SEAL) || self.sealing_unnegotiated;
        match (seals, may_seal, self.flags.protects()) {
            (true, true, _) | (false, _, true) => Ok(Readiness::Real),
            (true, false, _) => Err(SessionError::NotNegotiated),
            (false, _, false) if self.flags.contains(NegotiateFlags::NEGOTIATE_ALWAYS_SIGN) => {
                Ok(Readiness::Dummy)
            }
            (false, _, false) => Err(SessionError::NotNegotiated),
        }
    }

    fn stream(&mut self, direction: Direction) -> &mut Stream {
        let (ess, flags) = (self.ess(), self.flags);
        let (slot, direction) = if ess && direction == self.role.receives() {
            (&mut self.receiver, direction)
        } else {
            (&mut self.sender, self.role.sends())
        };
        let keys = &self.keys;
        slot.get_or_insert_with(|| match (keys, direction) {
            (Keys::Exported(key), _) => {
                let (signing, sealing) = derive(key, flags, direction);
                Stream::new(signing.as_ref(), &sealing)
            }
            (Keys::Directional { client: keys, .. }, Direction::ClientToServer)
            | (Keys::Directional { server: keys, .. }, Direction::ServerToClient) => {
                Stream::new(keys.signing_key.as_ref(), &keys.sealing_key)
            }
        })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("role", &self.role)
            .field("flags", &self.flags)
            .finish_non_exhaustive()
    }
}

/// Without SIGN and SEAL but with ALWAYS_SIGN, this is every signature (MS-NLMP 3.4.4.3).
const DUMMY_SIGNATURE: [u8; 16] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[derive(PartialEq)]
enum Readiness {
    Real,
    Dummy,
}

/// A signature as it came: with ESS its number is in the clear.
struct Received {
    seq_num: Option<u32>,
    bytes: [u8; 16],
    ess: bool,
}

impl Received {
    fn decode(signature: &[u8], ess: bool) -> Result<Self, SessionError> {
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

    fn matches(&self, expected: &[u8; 16]) -> bool {
        debug_assert!(self.ess || expected.get(4..8) == Some(&[0; 4]));
        equal(&self.bytes, expected)
    }
}

enum Checksum {
    Hmac([u8; 8]),
    Crc32(u32),
}

impl Stream {
    fn new(signing_key: Option<&SigningKey>, sealing_key: &SealingKey) -> Self {
        Self {
            signing: signing_key.map(|key| HmacMd5::new(key.expose())),
            rc4: Rc4::new(sealing_key.expose()),
            seq_num: Some(0),
        }
    }

    /// Over the plain text, so before sealing and after unsealing.
    fn checksum(&self, seq_num: u32, buffers: &[Buffer<'_>]) -> Checksum {
        checksum(self.signing.as_ref(), seq_num, buffers)
    }

    fn finish(&mut self, checksum: Checksum, seq_num: u32, in_the_clear: bool) -> [u8; 16] {
        let rc4 = if in_the_clear { None } else { Some(&mut self.rc4) };
        finish(checksum, seq_num, rc4)
    }
}

fn checksum(signing: Option<&HmacMd5>, seq_num: u32, buffers: &[Buffer<'_>]) -> Checksum {
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

fn finish(checksum: Checksum, seq_num: u32, rc4: Option<&mut Rc4>) -> [u8; 16] {
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

fn derive(
    key: &ExportedSessionKey,
    flags: NegotiateFlags,
    direction: Direction,
) -> (Option<SigningKey>, SealingKey) {
    use crate::keys::{SealingKeyRule, SigningKeyRule, sealkey, signkey};
    (
        signkey(SigningKeyRule::choose(flags), key, direction),
        sealkey(SealingKeyRule::choose(flags), key, direction),
    )
}

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

#[cfg(test)]
mod tests {
    use super::*;

    fn session(flags: NegotiateFlags, role: Role) -> Session {
        let keys = || DirectionalKeys {
            signing_key: flags
                .contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY)
                .then(|| SigningKey::new([1; 16])),
            sealing_key: SealingKey::new([2; 16]),
        };
        let flags = flags | NegotiateFlags::NEGOTIATE_SIGN | NegotiateFlags::NEGOTIATE_SEAL;
        Session::from_directional_keys(keys(), keys(), flags, role)
    }

    /// The last number is used, and then none is left: a number is never used twice.
    #[test]
    fn sequence_numbers_do_not_wrap() {
        let ess = NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY;
        for flags in [NegotiateFlags::empty(), ess] {
            let mut client = session(flags, Role::Client);
            let mut server = session(flags, Role::Server);
            // The first message makes the streams.
            let signature = client.sign(b"text").unwrap();
            server.verify(b"text", &signature).unwrap();
            client.stream(Direction::ClientToServer).seq_num = Some(u32::MAX);
            server.stream(Direction::ClientToServer).seq_num = Some(u32::MAX);
            let mut message = *b"text";
            let signature = client.seal(&mut message).unwrap();
            server.unseal(&mut message, &signature).unwrap();
            assert_eq!(&message, b"text");
            let exhausted = SessionError::SequenceExhausted;
            assert_eq!(client.sign(b"text"), Err(exhausted));
            assert_eq!(client.seal(&mut message), Err(exhausted));
            assert_eq!(server.verify(b"text", &signature), Err(exhausted));
            assert_eq!(server.unseal(&mut message, &signature), Err(exhausted));
            assert_eq!(&message, b"text", "neither encrypted nor wiped");
        }
    }

    #[test]
    fn signing_uses_as_much_key_stream_as_specified() {
        let ess = NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY;
        let key_exch = NegotiateFlags::NEGOTIATE_KEY_EXCH;
        for (flags, used) in
            [(NegotiateFlags::empty(), 12), (key_exch, 12), (ess, 0), (ess | key_exch, 8)]
        {
            let mut client = session(flags, Role::Client);
            let mut server = session(flags, Role::Server);
            let signature = client.sign(b"text").unwrap();
            server.verify(b"text", &signature).unwrap();
            let direction = Direction::ClientToServer;
            assert_eq!(client.stream(direction).rc4.position(), used);
            assert_eq!(server.stream(direction).rc4.position(), used);
        }
    }

    /// Keys and RC4 schedules are made by the first message that needs them, not before.
    #[test]
    fn streams_are_made_when_first_used() {
        let flags = NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY;
        let mut client = session(flags, Role::Client);
        assert!(client.sender.is_none() && client.receiver.is_none());
        client.sign(b"text").unwrap();
        assert!(client.sender.is_some() && client.receiver.is_none());
    }
}
