//! Every capture walked as an observer does: every verifier holds, every sealed stub opens.

use crate::common::{Association, Recording, array, hex, number, recordings, use_up_one_number};
use ntlm::flags::NegotiateFlags as NtlmFlags;
use ntlm::keys::{
    AccountSecret, Direction, ExportedSessionKey, KeySource, Password, SealingKeyRule,
    SigningKeyRule, ntowf_v1, sealkey, signkey,
};
use ntlm::text::CodePage;
use ntlm::{DirectionalKeys, Exchange, Role, Session};
use ntlm_netlogon::calls::{SamLogonRequest, SamLogonResponse};
use ntlm_netlogon::flags::NegotiateFlags;
use ntlm_netlogon::keys::{Algorithms, ChannelKeys, SessionKey};
use ntlm_netlogon::pdu::{AuthLevel, AuthType, Body, Pdu, PfcFlags};
use ntlm_netlogon::protect::{
    Coverage, NetlogonProtection, NtlmProtection, ProtectError, SecurityContext,
};
use std::collections::BTreeMap;

/// Whoever looks on, with the key.
enum Observer {
    Nothing,
    /// Without extended session security both directions have one stream, so one session.
    Ntlm {
        from_client: Box<NtlmProtection>,
        from_server: Option<Box<NtlmProtection>>,
    },
    Netlogon(NetlogonProtection),
}

impl Observer {
    fn open(&mut self, from_client: bool, fragment: &mut [u8]) -> Result<(), ProtectError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Ntlm { from_server: Some(protection), .. } if !from_client => {
                protection.open(fragment)
            }
            Self::Ntlm { from_client, .. } => from_client.open(fragment),
            Self::Netlogon(protection) if from_client => {
                protection.open(Direction::ClientToServer, fragment)
            }
            Self::Netlogon(protection) => protection.open(Direction::ServerToClient, fragment),
        }
    }
}

/// The three NTLM messages of an association, wherever they stand in its tokens.
fn ntlm_messages(association: &Association) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    for fragment in association {
        let pdu = Pdu::decode(&fragment.bytes).unwrap();
        let token = pdu.verifier.map(|verifier| verifier.auth_value).unwrap_or_default();
        if let Some(start) = token.windows(8).position(|window| window == b"NTLMSSP\0") {
            messages.push(token[start..].to_vec());
        }
    }
    messages
}

/// Flags and ExportedSessionKey: stated by the sidecar, or derived where it only states those of
/// the SMB session around the pipe.
fn ntlm_keys(recording: &Recording, association: &Association) -> (NtlmFlags, ExportedSessionKey) {
    let messages = ntlm_messages(association);
    let [negotiate, challenge, authenticate] = messages.as_slice() else { panic!("no logon") };
    let sidecar = &recording.sidecar;
    let mut sessions = sidecar["checked"]["sessions"].as_array().unwrap().iter();
    let stated =
        sessions.find(|stated| array::<8>(&stated["server_challenge"]) == challenge[24..32]);
    if let Some(stated) = stated {
        let flags = u32::try_from(number(&stated["flags"])).unwrap();
        let exported = ExportedSessionKey::new(array(&stated["exported_session_key"]));
        return (NtlmFlags::from_bits_retain(flags), exported);
    }
    assert_eq!(sidecar["kind"], "dcerpc-np", "{}", recording.name);
    let exchange =
        Exchange::decode(Some(negotiate), challenge, authenticate, CodePage::Cp437).unwrap();
    let password = Password::from(sidecar["password"].as_str().unwrap());
    let secret = AccountSecret::from_password(&password, CodePage::Cp437);
    let proof = exchange.prove(&secret).unwrap();
    let keys = exchange.keys(KeySource::Proof(proof)).unwrap();
    (exchange.negotiate_flags(), keys.exported_session_key().duplicate())
}

fn ntlm_observer(
    recording: &Recording,
    association: &Association,
    context: SecurityContext,
) -> Observer {
    let (flags, exported) = ntlm_keys(recording, association);
    let keys = |direction| DirectionalKeys {
        signing_key: signkey(SigningKeyRule::choose(flags), &exported, direction),
        sealing_key: sealkey(SealingKeyRule::choose(flags), &exported, direction),
    };
    let session = |role| {
        let [client, server] = Direction::ALL.map(keys);
        Session::from_directional_keys(client, server, flags, role)
    };
    let ess = flags.contains(NtlmFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
    let (mut server, mut client) = (session(Role::Server), session(Role::Client));
    if context.auth_type == AuthType::GSS_NEGOTIATE && flags.protects() {
        use_up_one_number(&mut client, &mut server);
    }
    Observer::Ntlm {
        from_client: Box::new(NtlmProtection::new(server, context).unwrap()),
        from_server: ess.then(|| Box::new(NtlmProtection::new(client, context).unwrap())),
    }
}

/// What the last NetrServerReqChallenge and NetrServerAuthenticate3 before that lead to.
fn netlogon_key(recording: &Recording, before: usize) -> (Algorithms, SessionKey) {
    let (mut challenges, mut negotiated) = (None, None);
    let mut associations: Vec<_> = recording.associations().collect();
    associations.sort_by_key(|association| association[0].at);
    for association in associations {
        let mut asked = BTreeMap::new();
        for fragment in association.iter().filter(|fragment| fragment.at < before) {
            let pdu = Pdu::decode(&fragment.bytes).unwrap();
            match pdu.body {
                Body::Request(request) if pdu.verifier.is_none() => {
                    asked.insert(pdu.call_id, (request.opnum, request.stub.to_vec()));
                }
                Body::Response(response) if pdu.verifier.is_none() => {
                    match asked.get(&pdu.call_id) {
                        // NetrServerReqChallenge.
                        Some((4, stub)) => {
                            let client = *stub.last_chunk::<8>().unwrap();
                            challenges = Some((client, *response.stub.first_chunk::<8>().unwrap()));
                        }
                        // NetrServerAuthenticate3.
                        Some((26, _)) => {
                            let flags = response.stub[8..12].try_into().unwrap();
                            negotiated = Some(u32::from_le_bytes(flags));
                        }
                        _ => (),
                    }
                }
                _ => (),
            }
        }
    }
    let flags = NegotiateFlags::from_bits_retain(negotiated.unwrap());
    let algorithms = Algorithms::choose(flags).unwrap();
    let password = recording.sidecar["password"].as_str().unwrap();
    let (client, server) = challenges.unwrap();
    let key = algorithms.session_key(&ntowf_v1(&Password::from(password)), client, server);
    if let Some(stated) = recording.sidecar["client"]["netlogon_session_key"].as_str() {
        assert_eq!(hex(key.expose()), stated, "{}", recording.name);
    }
    (algorithms, key)
}

#[derive(Default)]
struct Counts {
    packet: u64,
    integrity: u64,
    privacy: u64,
    netlogon: u64,
    wrong_refused: u64,
}

fn walk(recording: &Recording, association: &Association, counts: &mut Counts) {
    let name = &recording.name;
    let mut observer = Observer::Nothing;
    let mut context = None;
    let mut header_signing = false;
    for fragment in association {
        let mut bytes = fragment.bytes.clone();
        let pdu = Pdu::decode(&bytes).unwrap();
        match pdu.body {
            Body::Bind(_) => {
                context = pdu.verifier.map(|verifier| SecurityContext {
                    auth_type: verifier.auth_type,
                    auth_level: verifier.auth_level,
                    auth_context_id: verifier.auth_context_id,
                });
            }
            Body::BindAck(_) => {
                header_signing = pdu.pfc_flags.contains(PfcFlags::SUPPORT_HEADER_SIGN);
                observer = match context {
                    None => Observer::Nothing,
                    Some(context) if context.auth_type == AuthType::NETLOGON => {
                        let (algorithms, key) = netlogon_key(recording, association[0].at);
                        let (level, id) = (context.auth_level, context.auth_context_id);
                        let coverage = Coverage::choose(header_signing);
                        let protection =
                            NetlogonProtection::new(algorithms, &key, level, id, coverage);
                        Observer::Netlogon(protection.unwrap())
                    }
                    Some(context) => ntlm_observer(recording, association, context),
                };
            }
            Body::Request(_) | Body::Response(_) | Body::Fault(_) => {
                let Some(context) = context else {
                    assert!(pdu.verifier.is_none(), "{name}");
                    continue;
                };
                if context.auth_level <= AuthLevel::CONNECT || pdu.verifier.is_none() {
                    assert!(
                        context.auth_level <= AuthLevel::CONNECT
                            || matches!(pdu.body, Body::Fault(_)),
                        "{name}: a call without verifier"
                    );
                    continue;
                }
                let opened = observer.open(fragment.from_client, &mut bytes);
                opened.unwrap_or_else(|error| panic!("{name}: {error}, signing {header_signing}"));
                let counter = match (context.auth_type, context.auth_level) {
                    (AuthType::NETLOGON, _) => &mut counts.netlogon,
                    (_, AuthLevel::PKT) => &mut counts.packet,
                    (_, AuthLevel::PKT_INTEGRITY) => &mut counts.integrity,
                    _ => &mut counts.privacy,
                };
                *counter += 1;
                let sealed = context.auth_level == AuthLevel::PKT_PRIVACY;
                let stub = 24..bytes.len() - token_and_trailer(&bytes);
                assert_eq!(
                    sealed && !stub.is_empty(),
                    bytes[24..] != fragment.bytes[24..],
                    "{name}"
                );
            }
            _ => (),
        }
    }
    // Once more, with the client's first protected fragment changed: nothing of its is taken after it.
    if let Some(first) = first_protected(association) {
        let mut changed = association[first].bytes.clone();
        let mut observer = again(recording, association);
        changed[24] ^= 1;
        assert!(observer.open(association[first].from_client, &mut changed).is_err(), "{name}");
        if context.is_some_and(|context| context.auth_level == AuthLevel::PKT_PRIVACY) {
            let body = 24..changed.len() - token_and_trailer(&changed);
            assert!(changed[body].iter().all(|byte| *byte == 0), "{name}: nothing of it is shown");
        }
        for fragment in association[first..].iter().filter(|fragment| fragment.from_client) {
            assert!(observer.open(true, &mut fragment.bytes.clone()).is_err(), "{name}");
        }
        counts.wrong_refused += 1;
    }
}

fn token_and_trailer(fragment: &[u8]) -> usize {
    8 + usize::from(u16::from_le_bytes([fragment[10], fragment[11]]))
}

fn first_protected(association: &Association) -> Option<usize> {
    association.iter().position(|fragment| {
        let pdu = Pdu::decode(&fragment.bytes).unwrap();
        let level = pdu.verifier.map(|verifier| verifier.auth_level);
        matches!(pdu.body, Body::Request(_)) && level > Some(AuthLevel::CONNECT)
    })
}

/// The observer as it stands before the first call.
fn again(recording: &Recording, association: &Association) -> Observer {
    let bind = Pdu::decode(&association[0].bytes).unwrap();
    let verifier = bind.verifier.unwrap();
    let context = SecurityContext {
        auth_type: verifier.auth_type,
        auth_level: verifier.auth_level,
        auth_context_id: verifier.auth_context_id,
    };
    let ack = Pdu::decode(&association[1].bytes).unwrap();
    if context.auth_type == AuthType::NETLOGON {
        let (algorithms, key) = netlogon_key(recording, association[0].at);
        let signing = ack.pfc_flags.contains(PfcFlags::SUPPORT_HEADER_SIGN);
        let (level, id) = (context.auth_level, context.auth_context_id);
        let coverage = Coverage::choose(signing);
        let protection = NetlogonProtection::new(algorithms, &key, level, id, coverage);
        return Observer::Netlogon(protection.unwrap());
    }
    ntlm_observer(recording, association, context)
}

#[test]
fn every_verifier_holds_and_every_sealed_stub_opens() {
    let mut all = Counts::default();
    for recording in recordings() {
        let mut counts = Counts::default();
        for association in recording.associations() {
            walk(&recording, association, &mut counts);
        }
        let checked = &recording.sidecar["checked"];
        let stated = |field: &str| checked[field].as_u64().unwrap_or(0);
        if recording.sidecar["kind"] == "dcerpc-tcp" {
            assert_eq!(counts.packet, stated("rpc_packet_good"), "{}", recording.name);
            assert_eq!(counts.integrity, stated("rpc_integrity_good"), "{}", recording.name);
            assert_eq!(counts.privacy, stated("rpc_privacy_good"), "{}", recording.name);
        }
        if let Some(calls) = recording.sidecar["client"]["calls"].as_array() {
            let each = u64::try_from(calls.len() * 2).unwrap();
            assert_eq!(counts.netlogon, each, "{}: a request and an answer", recording.name);
        }
        all.packet += counts.packet;
        all.integrity += counts.integrity;
        all.privacy += counts.privacy;
        all.netlogon += counts.netlogon;
        all.wrong_refused += counts.wrong_refused;
    }
    let protected = (all.packet, all.integrity, all.privacy, all.netlogon);
    assert_eq!(protected, (32, 96, 138, 72));
    assert_eq!(all.wrong_refused, 53, "one for each association that protects");
}

/// Inside of what was unsealed: every logon that a sidecar states, with its verdict and key.
#[test]
fn the_logons_passed_through_are_those_of_the_sidecars() {
    let mut logons = 0;
    for recording in recordings() {
        let Some(calls) = recording.sidecar["client"]["calls"].as_array() else { continue };
        let mut stated = calls.iter();
        for association in recording.associations() {
            if first_protected(association).is_none() {
                continue;
            }
            let mut observer = again(&recording, association);
            let (algorithms, session_key) = netlogon_key(&recording, association[0].at);
            let keys = ChannelKeys { algorithms, session_key };
            let mut call = None;
            for fragment in &association[2..] {
                let mut bytes = fragment.bytes.clone();
                observer.open(fragment.from_client, &mut bytes).unwrap();
                match Pdu::decode(&bytes).unwrap().body {
                    Body::Request(request) => {
                        let logon = SamLogonRequest::decode(request.opnum, request.stub).unwrap();
                        let stated = stated.next().unwrap();
                        let info = &logon.network_info;
                        assert_eq!(hex(&info.lm_challenge), stated["challenge_sent"]);
                        assert_eq!(hex(&info.nt_challenge_response), stated["nt_response"]);
                        assert_eq!(info.user_name.to_string(), stated["account"]);
                        call = Some((request.opnum, stated));
                    }
                    Body::Response(response) => {
                        let (opnum, stated) = call.take().unwrap();
                        let answer = SamLogonResponse::decode(opnum, response.stub, &keys).unwrap();
                        assert_eq!(answer.status.to_string(), stated["status"]);
                        let key = answer.validation.map(|it| hex(it.user_session_key.expose()));
                        assert_eq!(key.as_deref(), stated["user_session_key"].as_str());
                        logons += 1;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(stated.next(), None, "{}", recording.name);
    }
    assert_eq!(logons, 25);
}
