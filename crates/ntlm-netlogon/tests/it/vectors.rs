//! The vectors of netlogon.json, published and recorded.

use crate::common::{array, bytes, hex, number, vector, vectors};
use ntlm::flags::NegotiateFlags as NtlmFlags;
use ntlm::keys::{Direction, Ntowfv1, Password, SealingKey, SigningKey, ntowf_v1};
use ntlm::{DirectionalKeys, Role, Session};
use ntlm_netlogon::flags::NegotiateFlags;
use ntlm_netlogon::keys::{Algorithms, Authenticator, CredentialChain, SessionKey};
use ntlm_netlogon::pdu::{AuthLevel, AuthType, AuthVerifier, Body, Pdu, PfcFlags, Request};
use ntlm_netlogon::protect::{
    Coverage, NetlogonProtection, NtlmProtection, ProtectError, SecurityContext,
};
use serde_json::Value;

fn in_category(category: &str) -> Vec<Value> {
    let found: Vec<Value> =
        vectors().into_iter().filter(|vector| vector["category"] == category).collect();
    assert!(!found.is_empty(), "{category}");
    found
}

/// A new category is a new test.
#[test]
fn every_category_has_its_test() {
    let mut categories: Vec<String> =
        vectors().iter().map(|vector| vector["category"].as_str().unwrap().to_owned()).collect();
    categories.sort();
    categories.dedup();
    let tested = [
        "dcerpc-auth",
        "epmapper",
        "md4",
        "netlogon-authenticator",
        "netlogon-call",
        "netlogon-schannel-bind",
        "netlogon-seal",
        "netlogon-session-aes",
        "netlogon-session-key",
        "netlogon-session-legacy",
    ];
    assert_eq!(categories, tested);
    assert!(vectors().iter().all(|vector| vector["verified"] == true));
}

#[test]
fn the_published_session_key() {
    let vector = vector("nrpc-4.2-session-key");
    let (input, expected) = (&vector["input"], &vector["expected"]);
    let password = Password::from_utf16le(&bytes(&input["shared_secret_utf16"])).unwrap();
    let nt_hash = ntowf_v1(&password);
    assert_eq!(hex(nt_hash.expose()), expected["owf"]);
    let key = |algorithms: Algorithms| {
        let (client, server) = (&input["client_challenge"], &input["server_challenge"]);
        hex(algorithms.session_key(&nt_hash, array(client), array(server)).expose())
    };
    assert_eq!(key(Algorithms::InsecureRc4Md5), expected["strong_key_session_key"]);
    assert_eq!(key(Algorithms::AesSha2), expected["aes_session_key"]);
}

/// MD4 of UTF-16 text is NTOWFv1; bytes that are ASCII text are UTF-16 units too.
#[test]
fn md4_as_the_machine_password_needs_it() {
    for vector in in_category("md4") {
        let password = Password::from_utf16le(&bytes(&vector["input"]["data"])).unwrap();
        assert_eq!(hex(ntowf_v1(&password).expose()), vector["expected"]["md4"]);
    }
}

#[test]
fn session_keys_and_credentials_of_recorded_channels() {
    let mut refused = 0;
    for category in ["netlogon-session-aes", "netlogon-session-legacy"] {
        for vector in in_category(category) {
            let (input, expected) = (&vector["input"], &vector["expected"]);
            let flags = u32::try_from(number(&expected["negotiated_flags"])).unwrap();
            let flags = NegotiateFlags::from_bits_retain(flags);
            let Some(algorithms) = Algorithms::choose(flags) else {
                assert_eq!(vector["id"], "capture-nl-des-nohs");
                refused += 1;
                continue;
            };
            let nt_hash = Ntowfv1::new(array(&input["machine_owf"]));
            let (client, server) = (&input["client_challenge"], &input["server_challenge"]);
            let (client, server) = (array(client), array(server));
            let session_key = algorithms.session_key(&nt_hash, client, server);
            assert_eq!(hex(session_key.expose()), expected["session_key"], "{}", vector["id"]);
            let credential = |challenge| hex(&algorithms.credential(&session_key, challenge));
            assert_eq!(credential(client), expected["client_credential"], "{}", vector["id"]);
            assert_eq!(credential(server), expected["server_credential"], "{}", vector["id"]);
        }
    }
    assert_eq!(refused, 1, "DES is refused");
}

#[test]
fn authenticators_follow_one_another() {
    let (first, second) =
        (vector("capture-nl-authenticator-1"), vector("capture-nl-authenticator-2"));
    let session_key = SessionKey::new(array(&first["input"]["session_key"]));
    let mut chain =
        CredentialChain::new(Algorithms::AesSha2, session_key, array(&first["input"]["seed"]));
    for vector in [first, second] {
        let timestamp = u32::try_from(vector["input"]["timestamp"].as_u64().unwrap()).unwrap();
        let authenticator = chain.next(timestamp);
        assert_eq!(authenticator.timestamp, timestamp);
        assert_eq!(hex(&authenticator.credential), vector["expected"]["authenticator"]);
        let credential = array(&vector["expected"]["return_authenticator"]);
        assert!(chain.check(&Authenticator { credential, timestamp: 0 }));
        assert!(!chain.check(&Authenticator { credential, timestamp: 0 }), "replayed");
        chain = CredentialChain::new(
            Algorithms::AesSha2,
            SessionKey::new(array(&vector["input"]["session_key"])),
            array(match vector["expected"]["next_seed"].is_string() {
                true => &vector["expected"]["next_seed"],
                false => break,
            }),
        );
    }
}

/// The published messages are padded already, and stand behind a request's header.
#[test]
fn the_published_seals() {
    for vector in in_category("netlogon-seal") {
        let (input, expected) = (&vector["input"], &vector["expected"]);
        let session_key = SessionKey::new(array(&input["session_key"]));
        let signed_headers = input["pdu_header"].is_string();
        let (header, sec_trailer) = match signed_headers {
            true => (bytes(&input["pdu_header"]), bytes(&input["sec_trailer"])),
            false => {
                let message = bytes(&input["message"]);
                let frag_length = u16::try_from(24 + message.len() + 8 + 56).unwrap();
                let mut header = vec![5, 0, 0, 3, 0x10, 0, 0, 0];
                header.extend(frag_length.to_le_bytes());
                header.extend([56, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
                (header, vec![0x44, 6, 0, 0, 3, 0, 0, 0])
            }
        };
        let mut fragment =
            [header, bytes(&input["message"]), sec_trailer.clone(), vec![0; 56]].concat();
        // The published header belongs to a stub with a verification trailer and says so.
        let stated = u16::from_le_bytes([fragment[8], fragment[9]]);
        assert_eq!(usize::from(stated), fragment.len(), "{}", vector["id"]);
        let id = u32::from_le_bytes(sec_trailer[4..].try_into().unwrap());
        let mut protection = NetlogonProtection::new(
            Algorithms::AesSha2,
            &session_key,
            AuthLevel::PKT_PRIVACY,
            id,
            Coverage::choose(signed_headers),
        )
        .unwrap();
        let confounder = array(&input["confounder"]);
        protection.protect(Direction::ClientToServer, &mut fragment, confounder).unwrap();
        let end = fragment.len() - 64;
        assert_eq!(hex(&fragment[24..end]), expected["encrypted_message"], "{}", vector["id"]);
        let auth_value = &fragment[end + 8..];
        assert_eq!(hex(&auth_value[..32]), expected["signature"], "{}", vector["id"]);
        assert_eq!(auth_value[32..], [0; 24]);
    }
}

fn channel(algorithms: Algorithms, input: &Value, session_key: &Value) -> NetlogonProtection {
    let coverage = Coverage::choose(input["header_signing"] == true);
    let key = SessionKey::new(array(session_key));
    NetlogonProtection::new(algorithms, &key, AuthLevel::PKT_PRIVACY, 1, coverage).unwrap()
}

/// The request of a vector, written by us, and not yet protected.
fn request(
    stub: &[u8],
    call_id: u32,
    opnum: u16,
    context: SecurityContext,
    token: usize,
) -> Vec<u8> {
    let auth_pad = vec![0; stub.len().next_multiple_of(16) - stub.len()];
    let auth_value = vec![0; token];
    let request = Request {
        alloc_hint: u32::try_from(stub.len()).unwrap(),
        context_id: 0,
        opnum,
        object: None,
        stub,
    };
    let verifier = AuthVerifier {
        auth_pad: &auth_pad,
        auth_type: context.auth_type,
        auth_level: context.auth_level,
        auth_context_id: context.auth_context_id,
        auth_value: &auth_value,
    };
    let pdu = Pdu {
        rpc_vers_minor: 0,
        pfc_flags: PfcFlags::WHOLE,
        call_id,
        body: Body::Request(request),
        verifier: Some(verifier),
    };
    pdu.encode().unwrap()
}

/// Wrong in any part of it that is signed, a fragment is refused, and its body wiped.
fn spoiled_is_refused(
    fragment: &[u8],
    header_signed: bool,
    mut open: impl FnMut(&mut [u8]) -> Result<(), ProtectError>,
) {
    let end = fragment.len();
    let auth_length = usize::from(u16::from_le_bytes([fragment[10], fragment[11]]));
    let token = end - auth_length;
    let mut places = vec![24, token - 9, token, token + 9, token + 16, token + 17];
    if header_signed {
        places.extend([12, 22]);
    }
    for place in places.into_iter().filter(|place| *place < end) {
        let mut spoiled = fragment.to_vec();
        spoiled[place] ^= 0x20;
        assert!(open(&mut spoiled).is_err(), "byte {place} changed");
    }
}

#[test]
fn calls_over_recorded_channels() {
    for vector in in_category("netlogon-call") {
        let (input, expected) = (&vector["input"], &vector["expected"]);
        let id = vector["id"].as_str().unwrap();
        let context = SecurityContext {
            auth_type: AuthType::NETLOGON,
            auth_level: AuthLevel::PKT_PRIVACY,
            auth_context_id: 1,
        };
        let recorded = bytes(&expected["request_pdu"]);
        let Body::Request(stated) = Pdu::decode(&recorded).unwrap().body else { panic!("{id}") };
        let call_id = Pdu::decode(&recorded).unwrap().call_id;
        let stub = bytes(&input["request_stub"]);
        let at = |number: u64| {
            let mut protection = channel(Algorithms::AesSha2, input, &input["session_key"]);
            // The number is not to be set from outside: earlier messages use it up.
            for _ in 0..number {
                let mut earlier = request(&[], 1, 0, context, 56);
                protection.protect(Direction::ClientToServer, &mut earlier, [0; 8]).unwrap();
            }
            protection
        };
        let mut fragment = request(&stub, call_id, stated.opnum, context, 56);
        let mut protection = at(input["client_sequence_number"].as_u64().unwrap());
        let confounder = array(&input["confounder"]);
        protection.protect(Direction::ClientToServer, &mut fragment, confounder).unwrap();
        assert_eq!(hex(&fragment), hex(&recorded), "{id}");
        let response = bytes(&input["response_pdu"]);
        let mut opened = response.clone();
        protection.open(Direction::ServerToClient, &mut opened).unwrap();
        let Body::Response(answer) = Pdu::decode(&opened).unwrap().body else { panic!("{id}") };
        assert_eq!(hex(answer.stub), expected["response_stub"], "{id}");
        assert!(protection.open(Direction::ServerToClient, &mut response.clone()).is_err());
        assert!(protection.open(Direction::ServerToClient, &mut opened).is_err(), "broken");
        let number = input["server_sequence_number"].as_u64().unwrap();
        spoiled_is_refused(&response, true, |fragment| {
            at(number).open(Direction::ServerToClient, fragment)
        });
        let reflected = at(number).open(Direction::ClientToServer, &mut response.clone());
        assert!(reflected.is_err(), "the other direction");
    }
}

#[test]
fn calls_over_legacy_channels() {
    for vector in in_category("netlogon-session-legacy") {
        let (input, expected) = (&vector["input"], &vector["expected"]);
        let context = SecurityContext {
            auth_type: AuthType::NETLOGON,
            auth_level: AuthLevel::PKT_PRIVACY,
            auth_context_id: 1,
        };
        let channel = || channel(Algorithms::InsecureRc4Md5, input, &expected["session_key"]);
        let stub = bytes(&input["request_stub"]);
        let mut fragment = request(&stub, 2, 21, context, 32);
        let mut protection = channel();
        let confounder = array(&input["confounder"]);
        protection.protect(Direction::ClientToServer, &mut fragment, confounder).unwrap();
        assert_eq!(hex(&fragment), expected["request_pdu"], "{}", vector["id"]);
        let response = bytes(&input["response_pdu"]);
        let mut opened = response.clone();
        protection.open(Direction::ServerToClient, &mut opened).unwrap();
        let Body::Response(answer) = Pdu::decode(&opened).unwrap().body else { panic!("fault") };
        assert_eq!(hex(answer.stub), expected["response_stub"], "{}", vector["id"]);
        let header_signed = input["header_signing"] == true;
        spoiled_is_refused(&response, header_signed, |fragment| {
            let mut protection = channel();
            protection.protect(
                Direction::ClientToServer,
                &mut request(&[], 1, 0, context, 32),
                [0; 8],
            )?;
            protection.open(Direction::ServerToClient, fragment)
        });
    }
}

#[test]
fn rpc_under_ntlm_sessions() {
    for vector in in_category("dcerpc-auth") {
        let (input, expected) = (&vector["input"], &vector["expected"]);
        let id = vector["id"].as_str().unwrap();
        let level = |name: &str| u8::try_from(input[name].as_u64().unwrap()).unwrap();
        let bind = bytes(&input["bind"]);
        let stated = Pdu::decode(&bind).unwrap().verifier.unwrap();
        let context = SecurityContext {
            auth_type: AuthType(level("auth_type")),
            auth_level: AuthLevel(level("auth_level")),
            auth_context_id: stated.auth_context_id,
        };
        assert_eq!((stated.auth_type, stated.auth_level), (context.auth_type, context.auth_level));
        let spnego = context.auth_type == AuthType::GSS_NEGOTIATE;
        let keys = |side: &str| DirectionalKeys {
            signing_key: Some(SigningKey::new(array(&input[format!("{side}_signing_key")]))),
            sealing_key: SealingKey::new(array(&input[format!("{side}_sealing_key")])),
        };
        let flags = NtlmFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY
            | NtlmFlags::NEGOTIATE_KEY_EXCH
            | NtlmFlags::NEGOTIATE_SIGN
            | NtlmFlags::NEGOTIATE_SEAL
            | NtlmFlags::NEGOTIATE_128;
        let session =
            |role| Session::from_directional_keys(keys("client"), keys("server"), flags, role);
        let protection = || {
            let (mut client, mut server) = (session(Role::Client), session(Role::Server));
            if spnego {
                crate::common::use_up_one_number(&mut client, &mut server);
            }
            NtlmProtection::new(client, context).unwrap()
        };
        let mut client = protection();
        let requests = input["requests"].as_array().unwrap().iter();
        let mut first_response = None;
        for (asked, answer) in requests.zip(expected["requests"].as_array().unwrap()) {
            let recorded = bytes(&answer["request_pdu"]);
            let pdu = Pdu::decode(&recorded).unwrap();
            let Body::Request(stated) = pdu.body else { panic!("{id}") };
            let stub = bytes(&asked["stub"]);
            let mut fragment = request(&stub, pdu.call_id, stated.opnum, context, 16);
            client.protect(&mut fragment).unwrap();
            assert_eq!(hex(&fragment), hex(&recorded), "{id}");
            let response = bytes(&asked["response_pdu"]);
            let mut opened = response.clone();
            client.open(&mut opened).unwrap();
            let Body::Response(response_body) = Pdu::decode(&opened).unwrap().body else {
                panic!("{id}")
            };
            assert_eq!(hex(response_body.stub), answer["response_stub"], "{id}");
            first_response.get_or_insert(response);
        }
        let response = first_response.unwrap();
        spoiled_is_refused(&response, true, |fragment| protection().open(fragment));
        assert!(client.open(&mut response.clone()).is_err(), "replayed");
    }
}
