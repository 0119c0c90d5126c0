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

use crate::crypto::{HmacMd5, Rc4, equal};
use crate::flags::NegotiateFlags;
use crate::keys::{Direction, ExportedSessionKey, KeySchedule, SealingKey, SigningKey};
use crate::protect::{Buffer, Checksum, Received, Role, SessionError, checksum, derive, finish};
use core::fmt;
use zeroize::Zeroize;

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
        let direction = self.role.receives();
        if self.check_ready(buffers)? == Readiness::Dummy {
            return check_dummy(signature);
        }
        let received = Received::decode(signature, self.ess())?;
        let seq_num = self.stream(direction).seq_num.ok_or(SessionError::SequenceExhausted)?;
        check_order(&received, seq_num)?;
        let opened = self.open(direction, seq_num, buffers, &received);
        self.broken = opened.is_err();
        opened
    }

    /// Opens the next message of either direction, for one who looks on at both ends' traffic and has
    /// missed none of it. Whatever it comes to, key streams and sequence numbers go on, so each
    /// message is judged by itself.
    ///
    /// # Errors
    ///
    /// As [`Session::unseal`]; a sealed part is wiped then. It never breaks the session.
    pub fn observe_buffers(
        &mut self,
        direction: Direction,
        buffers: &mut [Buffer<'_>],
        signature: &[u8; 16],
    ) -> Result<(), SessionError> {
        if self.check_ready(buffers)? == Readiness::Dummy {
            return check_dummy(signature);
        }
        let received = Received::decode(signature, self.ess());
        let seq_num = self.stream(direction).seq_num.ok_or(SessionError::SequenceExhausted)?;
        // What is no signature matches none.
        let unlike = Received::of_nothing();
        let opened = self.open(direction, seq_num, buffers, received.as_ref().unwrap_or(&unlike));
        check_order(&received?, seq_num)?;
        opened
    }

    /// Passes over a sequence number, for one who looks on: SPNEGO's mechListMIC went by, which takes
    /// a number of its direction and no key stream (MS-SPNG 3.2.5.1, 3.3.5.1).
    pub fn skip_number(&mut self, direction: Direction) {
        let stream = self.stream(direction);
        stream.seq_num = stream.seq_num.and_then(|seq_num| seq_num.checked_add(1));
    }

    fn open(
        &mut self,
        direction: Direction,
        seq_num: u32,
        buffers: &mut [Buffer<'_>],
        received: &Received,
    ) -> Result<(), SessionError> {
        let (ess, key_exch) = (self.ess(), self.key_exch());
        let stream = self.stream(direction);
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
        if self.flags.contains(NegotiateFlags::NEGOTIATE_DATAGRAM) {
            return Err(SessionError::WrongMode);
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

fn check_dummy(signature: &[u8]) -> Result<(), SessionError> {
    let dummy = equal(signature, &DUMMY_SIGNATURE);
    if dummy { Ok(()) } else { Err(SessionError::MessageAltered) }
}

/// Where the number stands in the clear, it has to be the one that is due.
fn check_order(received: &Received, expected: u32) -> Result<(), SessionError> {
    match received.seq_num {
        Some(received) if received != expected => {
            Err(SessionError::OutOfSequence { expected, received })
        }
        _ => Ok(()),
    }
}

#[derive(PartialEq)]
enum Readiness {
    Real,
    Dummy,
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

    /// One who looks on sees both directions with one session, and a message that does not hold spoils
    /// no other.
    #[test]
    fn an_observer_judges_each_message_by_itself() {
        let ess = NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY;
        let key_exch = NegotiateFlags::NEGOTIATE_KEY_EXCH;
        for flags in [NegotiateFlags::empty(), key_exch, ess, ess | key_exch] {
            let (mut client, mut server) =
                (session(flags, Role::Client), session(flags, Role::Server));
            let mut observer = session(flags, Role::Server);
            for direction in Direction::ALL {
                // mechListMIC, which the ends make and set back.
                let (at_client, at_server) = (client.save_rc4(), server.save_rc4());
                let (from, to) = match direction {
                    Direction::ClientToServer => (&mut client, &mut server),
                    Direction::ServerToClient => (&mut server, &mut client),
                };
                let signature = from.sign(b"mechTypes").unwrap();
                to.verify(b"mechTypes", &signature).unwrap();
                client.restore_rc4(at_client);
                server.restore_rc4(at_server);
                observer.skip_number(direction);
            }
            for (number, damage) in
                [None, Some(0), Some(5), None, Some(15), None].iter().enumerate()
            {
                for direction in Direction::ALL {
                    let (from, to) = match direction {
                        Direction::ClientToServer => (&mut client, &mut server),
                        Direction::ServerToClient => (&mut server, &mut client),
                    };
                    let mut text = *b"some text";
                    let mut signature = from.seal(&mut text).unwrap();
                    let mut copy = text;
                    to.unseal(&mut copy, &signature).unwrap();
                    if let Some(at) = damage {
                        signature[*at] ^= 1;
                    }
                    let mut buffers = [Buffer::Sealed(&mut text)];
                    let opened = observer.observe_buffers(direction, &mut buffers, &signature);
                    // Without ESS a signature has four bytes of random padding.
                    let holds = damage.is_none() || (*damage == Some(5) && !flags.contains(ess));
                    assert_eq!(opened.is_ok(), holds, "{flags:?}, message {number}");
                    assert_eq!(text, if holds { *b"some text" } else { [0; 9] });
                }
            }
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
