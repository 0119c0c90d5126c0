//! Every message of the vectors: decoded, encoded again, cut, and corrupted.

use crate::common::{all_vectors, unhex};
use ntlm::Exchange;
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{AccountSecret, ExportedSessionKey, KeySource, NtlmVersion, Password};
use ntlm::message::{
    AuthenticateMessage, AvId, ChallengeMessage, Message, MessageType, NegotiateMessage,
    NtChallengeResponse, TargetInfoBuilder, Version,
};
use ntlm::text::CodePage;
use ntlm::wire::{DecodeError, DecodeErrorKind, FieldKind, Fields, Payload};
use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;

/// Every message in the vector files, well formed or not.
fn fixtures() -> BTreeSet<Vec<u8>> {
    let mut messages = BTreeSet::new();
    for vector in all_vectors() {
        let inputs = vector["inputs"].as_object().unwrap();
        for name in ["message", "negotiate", "challenge", "authenticate"] {
            if let Some(text) = inputs.get(name).and_then(|value| value.as_str()) {
                messages.insert(unhex(text));
            }
        }
    }
    messages
}

/// Decodes as what it says it is, encodes again and hands back both with the fields.
fn round_trip(bytes: &[u8]) -> Result<(Vec<u8>, Fields), DecodeError> {
    Ok(match MessageType::of(bytes)? {
        MessageType::Negotiate => {
            let (message, fields) = NegotiateMessage::decode_with_fields(bytes)?;
            black_box(message.defects());
            (message.encode().unwrap(), fields)
        }
        MessageType::Challenge => {
            let (message, fields) = ChallengeMessage::decode_with_fields(bytes)?;
            black_box(message.defects());
            (message.encode().unwrap(), fields)
        }
        MessageType::Authenticate => {
            let (message, fields) = AuthenticateMessage::decode_with_fields(bytes)?;
            black_box(message.defects());
            (message.encode().unwrap(), fields)
        }
    })
}

/// Bytes that some field holds come back; bytes of no field may be zeros or missing at the end.
///
/// An item inside the header, which no sender puts there, is given a place of its own instead.
fn assert_same_where_covered(bytes: &[u8], encoded: &[u8], fields: &Fields) {
    let header_end = fields
        .iter()
        .filter(|field| field.kind != FieldKind::Payload)
        .map(|field| field.span.offset + field.span.length)
        .max()
        .unwrap_or(0);
    let mut payload = fields.iter().filter(|field| field.kind == FieldKind::Payload);
    if payload.any(|field| field.span.offset < header_end) {
        return;
    }
    assert!(encoded.len() <= bytes.len());
    for field in fields.iter() {
        let range = field.span.offset..field.span.offset + field.span.length;
        assert_eq!(bytes[range.clone()], encoded[range], "{}", field.name);
    }
}

#[test]
fn what_decodes_encodes_to_the_same_bytes() {
    let (mut decoded, mut exact) = (0, 0);
    for bytes in fixtures() {
        let Ok((encoded, fields)) = round_trip(&bytes) else { continue };
        assert_same_where_covered(&bytes, &encoded, &fields);
        decoded += 1;
        exact += usize::from(encoded == bytes);
    }
    println!("{decoded} messages decode, {exact} of them encode to the same bytes");
    assert!(decoded >= 104 && exact >= 102, "{decoded} {exact}");
}

#[test]
fn fields_say_where_everything_stands() {
    let mut kinds = BTreeMap::new();
    for bytes in fixtures() {
        let Ok((_, fields)) = round_trip(&bytes) else { continue };
        let mut header = 0;
        for field in fields.iter() {
            match field.kind {
                FieldKind::Fixed | FieldKind::Descriptor => {
                    assert_eq!(field.span.offset, header, "{}", field.name);
                    header += field.span.length;
                }
                FieldKind::Payload => {
                    let end = field.span.offset + field.span.length;
                    assert!(field.span.length > 0 && end <= bytes.len(), "{}", field.name);
                }
            }
            *kinds.entry((field.name, field.kind == FieldKind::Descriptor)).or_insert(0) += 1;
        }
        assert_eq!(fields.span("Signature").unwrap().length, 8);
        assert_eq!(fields.span("MessageType").unwrap().offset, 8);
        if let Ok(message) = AuthenticateMessage::decode(&bytes) {
            let part = |name| match fields.span(name) {
                Some(span) => &bytes[span.offset..span.offset + span.length],
                None => &[],
            };
            assert_eq!(part("LmChallengeResponse"), message.lm_challenge_response.bytes());
            assert_eq!(part("NtChallengeResponse"), message.nt_challenge_response.bytes());
            assert_eq!(part("DomainName"), message.domain_name.bytes());
            assert_eq!(part("UserName"), message.user_name.bytes());
            assert_eq!(part("Workstation"), message.workstation.bytes());
            let key = message.encrypted_random_session_key;
            assert_eq!(part("EncryptedRandomSessionKey"), key.map_or(&[][..], |key| key.bytes()));
            let flags = message.negotiate_flags.map(|flags| flags.bits().to_le_bytes());
            assert_eq!(part("NegotiateFlags"), flags.as_ref().map_or(&[][..], |bits| bits));
            assert_eq!(part("MIC"), message.mic.as_ref().map_or(&[][..], |mic| mic));
        }
        if let Ok(message) = ChallengeMessage::decode(&bytes) {
            let place = fields.span("ServerChallenge").unwrap().offset;
            assert_eq!(bytes[place..place + 8], message.server_challenge);
        }
    }
    // Nothing above went unlooked at for want of fixtures.
    for name in ["LmChallengeResponse", "TargetInfo", "TargetName", "Workstation", "DomainName"] {
        assert!(kinds[&(name, true)] > 10 && kinds[&(name, false)] > 10, "{name}");
    }
    assert!(kinds[&("MIC", false)] > 5 && kinds[&("Version", false)] > 10);
}

/// Everything that reads a message, on bytes that may be anything. What decodes must encode back.
fn exercise(bytes: &[u8], peers: &Peers) {
    if let Ok((encoded, fields)) = round_trip(bytes) {
        assert_same_where_covered(bytes, &encoded, &fields);
    }
    let errors = [
        NegotiateMessage::decode(bytes).err(),
        ChallengeMessage::decode(bytes).err(),
        AuthenticateMessage::decode(bytes).err(),
    ];
    for error in errors.into_iter().flatten() {
        assert!(!error.field.is_empty() && error.offset <= bytes.len(), "{error}");
    }
    if let Ok(message) = AuthenticateMessage::decode(bytes) {
        black_box(message.announces_mic());
        if let Ok(NtChallengeResponse::Ntlmv2(response)) = message.nt_challenge_response() {
            response.target_info().defects().for_each(drop);
            black_box(response.target_info().without_trailing_bytes());
        }
        observe(&peers.negotiate, &peers.challenge, bytes, &peers.secret);
    }
    if ChallengeMessage::decode(bytes).is_ok() {
        observe(&peers.negotiate, bytes, &peers.authenticate, &peers.secret);
    }
}

/// The other messages of one exchange, and its secret.
struct Peers {
    negotiate: Vec<u8>,
    challenge: Vec<u8>,
    authenticate: Vec<u8>,
    secret: AccountSecret,
}

impl Peers {
    fn new() -> Self {
        let vectors = all_vectors();
        let vector = vectors.iter().find(|vector| vector["id"] == "x-v2-kex-128-mic-cbt").unwrap();
        let input = |name: &str| vector["inputs"][name].as_str().unwrap();
        let password = Password::from(input("password"));
        Self {
            negotiate: unhex(input("negotiate")),
            challenge: unhex(input("challenge")),
            authenticate: unhex(input("authenticate")),
            secret: AccountSecret::from_password(&password, CodePage::Cp437),
        }
    }
}

fn observe(negotiate: &[u8], challenge: &[u8], authenticate: &[u8], secret: &AccountSecret) {
    let exchange = Exchange::decode(Some(negotiate), challenge, authenticate, CodePage::Cp437);
    let Ok(exchange) = exchange else { return };
    black_box(exchange.challenge_for_domain_controller());
    black_box(exchange.target_info_is_echoed());
    let source = match exchange.prove(secret) {
        Some(proof) => KeySource::Proof(proof),
        None => KeySource::ExportedSessionKey {
            version: exchange.apparent_version().unwrap_or(NtlmVersion::Ntlmv1),
            exported_session_key: ExportedSessionKey::new([7; 16]),
        },
    };
    if let Ok(keys) = exchange.keys(source) {
        black_box(exchange.check_mic(keys.exported_session_key()));
    }
}

#[test]
fn no_prefix_panics() {
    let peers = Peers::new();
    let mut whole = 0;
    for bytes in fixtures() {
        for end in 0..=bytes.len() {
            exercise(&bytes[..end], &peers);
        }
        whole += 1;
    }
    assert!(whole > 80, "{whole}");
}

/// Every value of every byte in the shortest messages, every bit in the others.
#[test]
fn no_corrupt_byte_panics() {
    let peers = Peers::new();
    for mut bytes in fixtures() {
        let values: fn(u8) -> Vec<u8> = if bytes.len() <= 32 {
            |_| (0..=u8::MAX).collect()
        } else {
            |byte| (0..8).map(|bit| byte ^ 1 << bit).collect()
        };
        for place in 0..bytes.len() {
            let right = bytes[place];
            for value in values(right) {
                bytes[place] = value;
                exercise(&bytes, &peers);
            }
            bytes[place] = right;
        }
    }
}

#[test]
fn errors_name_the_field_and_its_offset() {
    let error = |bytes: &[u8]| round_trip(bytes).map(drop).unwrap_err();
    let peers = Peers::new();
    let is = |kind, field, offset| DecodeError { kind, field, offset };
    assert_eq!(error(b"NTLMSSP"), is(DecodeErrorKind::Truncated, "Signature", 0));
    assert_eq!(error(b"NTLMSSX\0\x01\0\0\0"), is(DecodeErrorKind::WrongSignature, "Signature", 0));
    let wrong_type = is(DecodeErrorKind::WrongMessageType, "MessageType", 8);
    assert_eq!(error(b"NTLMSSP\0\x04\0\0\0"), wrong_type);
    let error = |place: usize, value: &[u8]| {
        let mut bytes = peers.authenticate.clone();
        bytes[place..place + value.len()].copy_from_slice(value);
        AuthenticateMessage::decode(&bytes).unwrap_err()
    };
    let fields = [
        ("LmChallengeResponse", 12),
        ("NtChallengeResponse", 20),
        ("DomainName", 28),
        ("UserName", 36),
        ("Workstation", 44),
        ("EncryptedRandomSessionKey", 52),
    ];
    for (field, offset) in fields {
        let out_of_bounds = is(DecodeErrorKind::PayloadOutOfBounds, field, offset);
        assert_eq!(error(offset, &[0xff, 0xff]), out_of_bounds);
        assert_eq!(error(offset + 4, &[0xff; 4]), out_of_bounds, "offset + length wraps");
    }
    let truncated = AuthenticateMessage::decode(&peers.authenticate[..40]).unwrap_err();
    assert_eq!(truncated.to_string(), "payload out of bounds: LmChallengeResponse at offset 12");
    let truncated = ChallengeMessage::decode(&peers.challenge[..30]).unwrap_err();
    assert_eq!(truncated.field, "TargetName");
    let short = [&peers.challenge[..12], &[0; 8], &peers.challenge[20..30]].concat();
    let truncated = ChallengeMessage::decode(&short).unwrap_err();
    assert_eq!(truncated, is(DecodeErrorKind::Truncated, "ServerChallenge", 24));
}

/// Defects inside a payload are given with their place in the message.
#[test]
fn defects_are_placed_in_the_message() {
    let vectors = all_vectors();
    let defects = |id: &str| {
        let vector = vectors.iter().find(|vector| vector["id"] == id).unwrap();
        let bytes = unhex(vector["inputs"]["message"].as_str().unwrap());
        let defects = match MessageType::of(&bytes).unwrap() {
            MessageType::Challenge => ChallengeMessage::decode(&bytes).unwrap().defects(),
            _ => AuthenticateMessage::decode(&bytes).unwrap().defects(),
        };
        (bytes, defects)
    };
    let (bytes, found) = defects("reject-type3-cb-15");
    assert_eq!(
        (found[0].kind, found[0].field),
        (DecodeErrorKind::WrongLength, "MsvAvChannelBindings")
    );
    assert_eq!(bytes[found[0].offset..found[0].offset + 4], [10, 0, 15, 0]);
    let (bytes, found) = defects("reject-type2-ts-short");
    assert_eq!((found[0].kind, found[0].field), (DecodeErrorKind::WrongLength, "MsvAvTimestamp"));
    assert_eq!(bytes[found[0].offset..found[0].offset + 2], [7, 0]);
    let (bytes, found) = defects("reject-type2-av-noeol");
    assert_eq!((found[0].kind, found[0].field), (DecodeErrorKind::MissingEol, "MsvAvEOL"));
    assert!(found[0].offset <= bytes.len());
    let (_, found) = defects("reject-type3-mic-noroom");
    assert_eq!(found.last().map(|defect| defect.kind), Some(DecodeErrorKind::NoRoomForMic));
}

/// Each id of 1 to 10 once; others as often as they come.
#[test]
fn an_av_id_twice_is_a_defect() {
    for id in 1..=12_u16 {
        let value: &[u8] = match id {
            6 => &[0; 4],
            7 => &[0; 8],
            8 => &[0; 48],
            10 => &[0; 16],
            _ => &[],
        };
        let list = TargetInfoBuilder::new().pair(AvId(id), value).pair(AvId(id), value);
        let list = list.finish().unwrap();
        let defects: Vec<_> = ntlm::message::TargetInfo::new(&list).defects().collect();
        assert_eq!(defects.len(), usize::from(id <= 10), "{id}");
        for defect in defects {
            assert_eq!((defect.kind, defect.offset), (DecodeErrorKind::Duplicate, 4 + value.len()));
        }
    }
}

/// A new message stands in the order of Windows: names, LM, NT, session key.
#[test]
fn a_new_message_has_the_order_of_windows_and_round_trips() {
    let authenticate = AuthenticateMessage {
        lm_challenge_response: Payload::new(&[1; 24]),
        nt_challenge_response: Payload::new(&[2; 24]),
        domain_name: Payload::new(b"D\0"),
        user_name: Payload::new(b"u\0"),
        workstation: Payload::new(b"W\0"),
        encrypted_random_session_key: Some(Payload::new(&[3; 16])),
        negotiate_flags: Some(
            NegotiateFlags::NEGOTIATE_UNICODE | NegotiateFlags::NEGOTIATE_KEY_EXCH,
        ),
        version: Some(Version::OURS),
        mic: Some([4; 16]),
    };
    let bytes = authenticate.encode().unwrap();
    let (decoded, fields) = AuthenticateMessage::decode_with_fields(&bytes).unwrap();
    assert_eq!(decoded, authenticate);
    assert_eq!(decoded.encode().unwrap(), bytes);
    let order = [
        ("DomainName", 88),
        ("UserName", 90),
        ("Workstation", 92),
        ("LmChallengeResponse", 94),
        ("NtChallengeResponse", 118),
        ("EncryptedRandomSessionKey", 142),
    ];
    for (name, offset) in order {
        assert_eq!(fields.span(name).map(|span| span.offset), Some(offset), "{name}");
    }
    assert_eq!(bytes.len(), 158);
    assert_eq!(bytes[72..88], [4; 16]);

    let list = TargetInfoBuilder::new().text(AvId::NB_DOMAIN_NAME, &"D".into()).finish().unwrap();
    let challenge = ChallengeMessage {
        target_name: Payload::new(b"S\0"),
        negotiate_flags: NegotiateFlags::from_bits_retain(0xffff_ffff),
        server_challenge: [5; 8],
        reserved: Some([6; 8]),
        target_info: Some(Payload::new(&list)),
        version: Some(Version::OURS),
    };
    let bytes = challenge.encode().unwrap();
    let (decoded, fields) = ChallengeMessage::decode_with_fields(&bytes).unwrap();
    assert_eq!(decoded, challenge);
    assert_eq!(decoded.encode().unwrap(), bytes);
    assert_eq!(fields.span("TargetName").map(|span| span.offset), Some(56));
    assert_eq!(fields.span("TargetInfo").map(|span| span.offset), Some(58));

    for version in [None, Some(Version::OURS)] {
        let negotiate = NegotiateMessage {
            negotiate_flags: NegotiateFlags::from_bits_retain(0x1234_5678),
            domain_name: Some(Payload::default()),
            workstation: Some(Payload::default()),
            version,
        };
        let bytes = negotiate.encode().unwrap();
        assert_eq!(bytes.len(), if version.is_some() { 40 } else { 32 });
        assert_eq!(NegotiateMessage::decode(&bytes).unwrap(), negotiate);
    }
}

#[test]
fn an_item_too_long_for_its_length_is_refused() {
    let long = vec![0; 65_536];
    let mut message = NegotiateMessage {
        negotiate_flags: NegotiateFlags::empty(),
        domain_name: Some(Payload::new(&long)),
        workstation: None,
        version: None,
    };
    assert!(message.encode().is_err());
    message.domain_name = Some(Payload::new(&long[1..]));
    assert!(message.encode().is_ok());
    assert!(TargetInfoBuilder::new().pair(AvId(99), &long).finish().is_err());
    // The value, 4 bytes before it and the 4 of MsvAvEOL.
    assert!(TargetInfoBuilder::new().pair(AvId(99), &long[8..]).finish().is_err());
    assert!(TargetInfoBuilder::new().pair(AvId(99), &long[9..]).finish().is_ok());
}

/// Header lengths seen in the wild: what is not there is `None`, never guessed.
#[test]
fn headers_of_every_length_decode() {
    let peers = Peers::new();
    let lengths = |bytes: &[u8]| {
        (8..=bytes.len())
            .filter(|end| NegotiateMessage::decode(&bytes[..*end]).is_ok())
            .collect::<Vec<_>>()
    };
    assert_eq!(lengths(&peers.negotiate)[0], 16);
    let message = NegotiateMessage::decode(&peers.negotiate[..16]).unwrap();
    assert!(message.domain_name.is_none() && message.version.is_none());
    let message = NegotiateMessage::decode(&peers.negotiate[..32]).unwrap();
    assert!(message.workstation.is_some() && message.version.is_none());
    assert!(NegotiateMessage::decode(&peers.negotiate).unwrap().version.is_some());

    for (header, with) in [
        (52, [false; 4]),
        (64, [true, true, false, false]),
        (72, [true, true, true, false]),
        (88, [true; 4]),
    ] {
        let mut bytes = vec![0; header];
        bytes[..8].copy_from_slice(b"NTLMSSP\0");
        bytes[8] = 3;
        // The user's name begins where the header ends.
        bytes[36..44].copy_from_slice(&[2, 0, 2, 0, u8::try_from(header).unwrap(), 0, 0, 0]);
        bytes.extend(b"u\0");
        let message = AuthenticateMessage::decode(&bytes).unwrap();
        let found = [
            message.encrypted_random_session_key.is_some(),
            message.negotiate_flags.is_some(),
            message.version.is_some(),
            message.mic.is_some(),
        ];
        assert_eq!(found, with, "{header}");
        assert_eq!(message.user_name.bytes(), b"u\0");
        assert_eq!(message.encode().unwrap(), bytes, "{header}");
    }
}

/// An item whose flag is clear is ignored, wherever it points (MS-NLMP 2.2.1). Not so TargetName:
/// the specification's own examples carry one without REQUEST_TARGET, and the vector
/// reject-type2-tn-oob wants it checked.
#[test]
fn items_whose_flag_is_clear_may_point_anywhere() {
    let peers = Peers::new();
    let with = |bytes: &[u8], place: usize, flags_at: usize, flag: NegotiateFlags, set: bool| {
        let mut bytes = bytes.to_vec();
        bytes[place..place + 8].copy_from_slice(&[5, 0, 5, 0, 0xff, 0xff, 0xff, 0xff]);
        let old = u32::from_le_bytes(bytes[flags_at..flags_at + 4].try_into().unwrap());
        let flags = NegotiateFlags::from_bits_retain(old);
        let flags = if set { flags | flag } else { flags - flag };
        bytes[flags_at..flags_at + 4].copy_from_slice(&flags.bits().to_le_bytes());
        bytes
    };
    let decodes = |bytes: &[u8]| match MessageType::of(bytes).unwrap() {
        MessageType::Negotiate => NegotiateMessage::decode(bytes).map(|m| m.defects()),
        MessageType::Challenge => ChallengeMessage::decode(bytes).map(|m| m.defects()),
        MessageType::Authenticate => AuthenticateMessage::decode(bytes).map(|m| m.defects()),
    };
    let items = [
        (&peers.negotiate, 16, 12, NegotiateFlags::NEGOTIATE_OEM_DOMAIN_SUPPLIED),
        (&peers.negotiate, 24, 12, NegotiateFlags::NEGOTIATE_OEM_WORKSTATION_SUPPLIED),
        (&peers.challenge, 40, 20, NegotiateFlags::NEGOTIATE_TARGET_INFO),
        (&peers.authenticate, 52, 60, NegotiateFlags::NEGOTIATE_KEY_EXCH),
    ];
    for (bytes, place, flags_at, flag) in items {
        let error = decodes(&with(bytes, place, flags_at, flag, true)).unwrap_err();
        assert_eq!((error.kind, error.offset), (DecodeErrorKind::PayloadOutOfBounds, place));
        let ignored = with(bytes, place, flags_at, flag, false);
        assert_eq!(decodes(&ignored), Ok(Vec::new()), "{flag:?}");
        let (encoded, fields) = round_trip(&ignored).unwrap();
        assert_same_where_covered(&ignored, &encoded, &fields);
    }
}
