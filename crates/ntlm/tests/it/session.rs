//! Protected messages in order, out of order, altered.

use crate::common::{Handshake, lax_server_config, signing_client};
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{
    Derivation, ExportedSessionKey, KeyExchange, KeySchedule, KeySource, NtlmVersion,
};
use ntlm::{
    Buffer, ClientConfig, DatagramKeying, DatagramSession, Protection, Role, Session, SessionError,
};

/// Both ends of a session, with ESS or without, with a key exchange or without.
fn sessions(ess: bool, key_exch: bool, protection: Protection) -> (Session, Session) {
    let mut client = ClientConfig { protection, ..signing_client() };
    client.policy.offer_extended_session_security = ess;
    client.policy.require_extended_session_security = false;
    let drop_kex = crate::common::without_flags(
        crate::common::NEGOTIATE_FLAGS,
        if key_exch { NegotiateFlags::empty() } else { NegotiateFlags::NEGOTIATE_KEY_EXCH },
    );
    let mut handshake = Handshake::new(client, lax_server_config());
    handshake.on_negotiate = &drop_kex;
    let (client, server) = handshake.account();
    (client.into_session(), server.into_session())
}

const KINDS: [(bool, bool); 4] = [(true, true), (true, false), (false, true), (false, false)];

#[test]
fn a_replayed_or_skipped_message_is_refused() {
    for (ess, key_exch) in KINDS {
        let (mut client, mut server) = sessions(ess, key_exch, Protection::Seal);
        let signatures: Vec<_> = (0..3).map(|_| client.sign(b"text").unwrap()).collect();
        server.verify(b"text", &signatures[0]).unwrap();
        let replayed = server.verify(b"text", &signatures[0]).unwrap_err();
        if !ess {
            // The number is encrypted: it cannot be told from an altered message.
            assert_eq!(replayed, SessionError::MessageAltered);
            assert_eq!(server.verify(b"text", &signatures[1]), Err(SessionError::Broken));
            continue;
        }
        assert_eq!(replayed, SessionError::OutOfSequence { expected: 1, received: 0 });
        let skipped = server.verify(b"text", &signatures[2]).unwrap_err();
        assert_eq!(skipped, SessionError::OutOfSequence { expected: 1, received: 2 });
        // Nothing was consumed, so what is due still comes through.
        server.verify(b"text", &signatures[1]).unwrap();
        server.verify(b"text", &signatures[2]).unwrap();
    }
}

#[test]
fn an_altered_message_breaks_the_session_and_is_wiped() {
    for (ess, key_exch) in KINDS {
        // One byte of the message, or of any part of the signature that counts.
        let counting = (0..16).filter(|place| ess || !(4..8).contains(place));
        for place in counting.map(Some).chain([None]) {
            let (mut client, mut server) = sessions(ess, key_exch, Protection::Seal);
            let mut message = *b"for your eyes only";
            let mut signature = client.seal(&mut message).unwrap();
            match place {
                Some(place) => signature[place] ^= 0x10,
                None => message[3] ^= 0x10,
            }
            let sealed = message;
            let error = server.unseal(&mut message, &signature).unwrap_err();
            match (place, ess) {
                (Some(0..4), _) => assert_eq!(error, SessionError::InvalidToken),
                (Some(12..16), true) => {
                    assert!(matches!(error, SessionError::OutOfSequence { expected: 0, .. }));
                }
                _ => {
                    assert_eq!(error, SessionError::MessageAltered);
                    assert_eq!(message, [0; 18], "wiped");
                    assert_eq!(server.sign(b"text"), Err(SessionError::Broken));
                    assert_eq!(server.seal(&mut message), Err(SessionError::Broken));
                    assert_eq!(server.verify(b"text", &signature), Err(SessionError::Broken));
                    continue;
                }
            }
            // Refused before anything was done: the right signature still holds.
            assert_eq!(message, sealed);
            signature[place.unwrap()] ^= 0x10;
            server.unseal(&mut message, &signature).unwrap();
            assert_eq!(&message, b"for your eyes only");
        }
    }
}

/// Receivers ignore RandomPad: Windows sends a counter there (MS-NLMP 3.4.4.1).
#[test]
fn random_pad_is_ignored_without_ess() {
    let (mut client, mut server) = sessions(false, true, Protection::Sign);
    let mut signature = client.sign(b"text").unwrap();
    assert_eq!(signature[4..8], [0; 4]);
    signature[4..8].copy_from_slice(b"\x90\x01\x07\x00");
    server.verify(b"text", &signature).unwrap();
}

#[test]
fn signatures_of_another_length_are_no_signatures() {
    for (ess, key_exch) in KINDS {
        let (mut client, mut server) = sessions(ess, key_exch, Protection::Sign);
        let signature = client.sign(b"text").unwrap();
        for length in 0..16 {
            let error = server.verify(b"text", &signature[..length]);
            assert_eq!(error, Err(SessionError::InvalidToken));
        }
        let long = [signature.as_slice(), &[0]].concat();
        assert_eq!(server.verify(b"text", &long), Err(SessionError::InvalidToken));
        server.verify(b"text", &signature).unwrap();
    }
}

/// DCE style: header and trailer signed only. With ESS every listed buffer is signed, without it
/// those that are marked (MS-NLMP 3.4.6).
#[test]
fn several_buffers_some_signed_only() {
    use Buffer::{Plain, Sealed, Signed};
    for (ess, key_exch) in KINDS {
        for altered in [None, Some(0), Some(1), Some(2), Some(3)] {
            let (mut client, mut server) = sessions(ess, key_exch, Protection::Seal);
            let (mut header, mut body) = (*b"header", *b"the body");
            let (mut plain, mut rest) = (*b"plain", *b"more");
            let signature = client
                .seal_buffers(&mut [
                    Signed(&header),
                    Sealed(&mut body),
                    Plain(&plain),
                    Sealed(&mut rest),
                ])
                .unwrap();
            assert_ne!(&body, b"the body");
            assert_ne!(&rest, b"more");
            match altered {
                Some(0) => header[0] ^= 1,
                Some(1) => body[0] ^= 1,
                Some(2) => plain[0] ^= 1,
                Some(_) => rest[3] ^= 1,
                None => {}
            }
            let result = server.unseal_buffers(
                &mut [Signed(&header), Sealed(&mut body), Plain(&plain), Sealed(&mut rest)],
                &signature,
            );
            if altered.is_none() || (altered == Some(2) && !ess) {
                assert_eq!(result, Ok(()), "{altered:?}, ESS {ess}");
                assert_eq!((&body, &rest), (b"the body", b"more"));
            } else {
                assert_eq!(result, Err(SessionError::MessageAltered), "{altered:?}, ESS {ess}");
                assert_eq!((&body, &rest), (&[0; 8], &[0; 4]), "wiped");
            }
        }
    }
}

/// How a message is cut into buffers does not show, and an empty one still takes a number.
#[test]
fn buffers_are_one_message() {
    for (ess, key_exch) in KINDS {
        let (mut client, mut server) = sessions(ess, key_exch, Protection::Seal);
        let signature = client.seal(&mut []).unwrap();
        server.unseal(&mut [], &signature).unwrap();
        let (mut first, mut second) = (*b"abc", *b"defgh");
        let parts = &mut [Buffer::Sealed(&mut first), Buffer::Sealed(&mut second)];
        let signature = client.seal_buffers(parts).unwrap();
        let mut whole = [first.as_slice(), &second].concat();
        server.unseal(&mut whole, &signature).unwrap();
        assert_eq!(whole, b"abcdefgh");
    }
}

/// Without ESS both directions share one stream and one counter; with it each has its own.
#[test]
fn directions_are_apart_with_ess_only() {
    let (mut client, mut server) = sessions(true, true, Protection::Sign);
    let (to_server, to_client) = (client.sign(b"text").unwrap(), server.sign(b"text").unwrap());
    assert_ne!(to_server, to_client);
    client.verify(b"text", &to_client).unwrap();
    server.verify(b"text", &to_server).unwrap();
    // A message is not taken for one of the other direction.
    let reflected = client.sign(b"text").unwrap();
    assert_eq!(client.verify(b"text", &reflected), Err(SessionError::MessageAltered));

    let (mut client, mut server) = sessions(false, true, Protection::Sign);
    let (to_server, to_client) = (client.sign(b"text").unwrap(), server.sign(b"text").unwrap());
    assert_eq!(to_server, to_client, "the same key, the same number");
    assert_eq!(client.verify(b"text", &to_client), Err(SessionError::MessageAltered));
}

/// Neither SIGN nor SEAL, but ALWAYS_SIGN: one constant, which uses up nothing (MS-NLMP 3.4.4.3).
#[test]
fn the_dummy_signature_is_one_constant() {
    const DUMMY: [u8; 16] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for ess in [true, false] {
        let (mut client, mut server) = sessions(ess, true, Protection::None);
        for _ in 0..2 {
            assert_eq!(client.sign(b"text"), Ok(DUMMY));
            server.verify(b"another", &DUMMY).unwrap();
        }
        let mut other = DUMMY;
        other[15] = 1;
        assert_eq!(server.verify(b"text", &other), Err(SessionError::MessageAltered));
        assert_eq!(server.verify(b"text", &[]), Err(SessionError::MessageAltered));
        let mut message = *b"text";
        assert_eq!(client.seal(&mut message), Err(SessionError::NotNegotiated));
        assert_eq!(&message, b"text");
        // Sealing on request begins with number 0: the dummies did not count.
        client.allow_sealing_without_seal();
        server.allow_sealing_without_seal();
        let signature = client.seal(&mut message).unwrap();
        assert_ne!(&message, b"text");
        server.unseal(&mut message, &signature).unwrap();
        assert_eq!(&message, b"text");
    }
}

#[test]
fn sealing_needs_seal_or_leave() {
    let (mut client, mut server) = sessions(true, true, Protection::Sign);
    let mut message = *b"text";
    assert_eq!(client.seal(&mut message), Err(SessionError::NotNegotiated));
    assert_eq!(&message, b"text");
    client.allow_sealing_without_seal();
    let signature = client.seal(&mut message).unwrap();
    assert_eq!(server.unseal(&mut message, &signature), Err(SessionError::NotNegotiated));
    server.allow_sealing_without_seal();
    server.unseal(&mut message, &signature).unwrap();
    assert_eq!(&message, b"text");
}

/// mechListMIC of SPNEGO: number 0 is used up, the key stream is not (MS-SPNG 3.2.5.1).
#[test]
fn rc4_is_saved_and_restored_around_a_mech_list_mic() {
    for (ess, key_exch) in KINDS {
        let (mut client, mut server) = sessions(ess, key_exch, Protection::Seal);
        let (mut plain_client, _) = sessions(ess, key_exch, Protection::Seal);
        let saved = (client.save_rc4(), server.save_rc4());
        let to_server = client.sign(b"mechanisms").unwrap();
        server.verify(b"mechanisms", &to_server).unwrap();
        if ess {
            let to_client = server.sign(b"mechanisms").unwrap();
            client.verify(b"mechanisms", &to_client).unwrap();
        }
        client.restore_rc4(saved.0);
        server.restore_rc4(saved.1);
        // The first message is encrypted with the beginning of the stream, under number 1.
        let (mut message, mut first) = (*b"text", *b"text");
        let signature = client.seal(&mut message).unwrap();
        plain_client.seal(&mut first).unwrap();
        assert_eq!(message, first, "ESS {ess}");
        if ess {
            assert_eq!(signature[12..], [1, 0, 0, 0]);
        }
        server.unseal(&mut message, &signature).unwrap();
        assert_eq!(&message, b"text");
        // And in the middle of a session.
        let saved = (client.save_rc4(), server.save_rc4());
        let signature = client.sign(b"again").unwrap();
        server.verify(b"again", &signature).unwrap();
        client.restore_rc4(saved.0);
        server.restore_rc4(saved.1);
        let signature = client.seal(&mut message).unwrap();
        server.unseal(&mut message, &signature).unwrap();
    }
}

#[test]
fn long_messages_pass() {
    for (ess, key_exch) in KINDS {
        let (mut client, mut server) = sessions(ess, key_exch, Protection::Seal);
        let text: Vec<u8> = (0..=u8::MAX).cycle().take(100_001).collect();
        let mut message = text.clone();
        let signature = client.seal(&mut message).unwrap();
        server.unseal(&mut message, &signature).unwrap();
        assert!(message == text);
    }
}

#[test]
fn nothing_of_a_session_is_printed() {
    let (mut client, _) = sessions(true, true, Protection::Seal);
    client.sign(b"text").unwrap();
    let key = client.exported_session_key().unwrap();
    assert_eq!(format!("{key:?}"), "ExportedSessionKey(..)");
    let shown = format!("{client:?}");
    assert!(shown.starts_with("Session { role: Client, flags: NegotiateFlags("), "{shown}");
    assert!(shown.ends_with(", .. }"), "{shown}");
}

/// The quirk of Windows 2000 and XP: the number counts for nothing and every message has the same
/// key stream.
#[test]
fn the_insecure_reset_of_datagrams_uses_one_key_stream() {
    let flags = NegotiateFlags::NEGOTIATE_DATAGRAM
        | NegotiateFlags::NEGOTIATE_SIGN
        | NegotiateFlags::NEGOTIATE_SEAL;
    let keys = || {
        KeySchedule::derive(Derivation {
            negotiate_flags: flags,
            server_challenge: [1; 8],
            lm_challenge_response: &[],
            source: KeySource::ExportedSessionKey {
                version: NtlmVersion::Ntlmv2,
                exported_session_key: ExportedSessionKey::new([7; 16]),
            },
            key_exchange: KeyExchange::received(flags, &[]).unwrap(),
        })
    };
    let pair = |keying| {
        (
            DatagramSession::new(keys(), Role::Client, keying),
            DatagramSession::new(keys(), Role::Server, keying),
        )
    };
    let (client_end, server_end) = pair(DatagramKeying::InsecureReset);
    let (mut first, mut second) = (*b"text", *b"text");
    let signatures = [client_end.seal(1, &mut first), client_end.seal(2, &mut second)];
    assert_eq!(first, second);
    assert_eq!(signatures[0], signatures[1]);
    server_end.unseal(9, &mut first, &signatures[0].unwrap()).unwrap();
    assert_eq!(&first, b"text");
    let (client_end, _) = pair(DatagramKeying::PerMessage);
    assert_eq!(client_end.seal(1, &mut first), Err(SessionError::NotNegotiated));
    assert_ne!(client_end.sign(1, b"text"), client_end.sign(2, b"text"));
}
