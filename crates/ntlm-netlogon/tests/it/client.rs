//! The client against a recorded domain controller: what it sends is what was sent, what it takes
//! is what was answered, and anything else is refused.

use crate::common::{array, bytes, hex, vector};
use ntlm::flags::NegotiateFlags as NtlmFlags;
use ntlm::keys::{Direction, Ntowfv1};
use ntlm::message::{AuthenticateMessage, Message, NegotiateMessage};
use ntlm::text::Utf16String;
use ntlm::wire::Payload;
use ntlm::{FileTime, Fresh, LogonOutcome, LogonRequest, Server, ServerConfig, ServerNames};
use ntlm_netlogon::NtStatus;
use ntlm_netlogon::calls::{SamLogonMethod, SamLogonRequest, SecureChannelType, ValidationLevel};
use ntlm_netlogon::client::{
    Answer, Association, AssociationError, Authenticating, Binding, Challenging, Channel,
    ChannelConfig, ChannelError, ChannelPolicy, Unchecked,
};
use ntlm_netlogon::flags::NegotiateFlags;
use ntlm_netlogon::keys::{Algorithms, SessionKey};
use ntlm_netlogon::logon::{Failure, Judged, LogonMethod, PassOnError, PassedOn, Refusal};
use ntlm_netlogon::pdu::{
    Assembly, AssemblyError, AuthLevel, AuthType, AuthVerifier, Body, Pdu, PfcFlags, Response,
    SyntaxId, split,
};
use ntlm_netlogon::protect::{Coverage, NetlogonProtection};
use serde_json::Value;

/// When the recorded authenticators were made.
const TIMESTAMP: u32 = 1_700_000_007;

fn config() -> ChannelConfig {
    ChannelConfig {
        server_name: Utf16String::from("DC1"),
        domain_name: b"EXAMPLE".to_vec(),
        computer_name: b"MEMBER1".to_vec(),
        account_name: Utf16String::from("MEMBER1$"),
        secure_channel_type: SecureChannelType::WORKSTATION,
        negotiate_flags: NegotiateFlags::OFFERED,
        policy: ChannelPolicy::default(),
    }
}

fn session() -> Value {
    vector("capture-nl-session")["input"].clone()
}

fn authenticating() -> Authenticating {
    let session = session();
    let nt_hash = Ntowfv1::new(array(&session["machine_owf"]));
    let challenge = array(&session["client_challenge"]);
    let (call, challenging) = Challenging::start(config(), nt_hash, challenge).unwrap();
    assert_eq!((call.opnum, hex(&call.stub)), (4, text(&session["req_challenge_stub"])));
    let answer = bytes(&session["req_challenge_response_stub"]);
    let (call, authenticating) = challenging.receive(&answer).unwrap();
    assert_eq!((call.opnum, hex(&call.stub)), (26, text(&session["authenticate3_stub"])));
    authenticating
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn unchecked() -> Unchecked {
    authenticating().receive(&bytes(&session()["authenticate3_response_stub"])).unwrap()
}

fn channel() -> Channel {
    let vector = vector("capture-nl-GetCapabilities");
    let mut unchecked = unchecked();
    let call = unchecked.capabilities(1_700_000_000).unwrap();
    // All but the number of the pointer before ComputerName is as recorded.
    let recorded = bytes(&vector["input"]["request_stub"]);
    assert_eq!((call.opnum, &call.stub[28..]), (21, &recorded[28..]));
    unchecked.receive(&bytes(&vector["expected"]["response_stub"])).unwrap()
}

fn association(unchecked: &Unchecked) -> Association {
    let vector = vector("capture-nl-schannel-bind");
    let (bind, binding) = Binding::start(SyntaxId::NETLOGON, unchecked.security()).unwrap();
    assert_eq!(hex(&bind), vector["input"]["bind"]);
    binding.receive(&bytes(&vector["input"]["bind_ack"])).unwrap()
}

#[test]
fn the_recorded_calls_go_through_an_association() {
    let mut association = association(&unchecked());
    let mut calls = 0;
    for id in [
        "capture-nl-GetCapabilities",
        "capture-nl-SamLogonEx_v2",
        "capture-nl-SamLogonEx_v2_level3",
        "capture-nl-SamLogonEx_v1ess",
        "capture-nl-SamLogonEx_badpw",
        "capture-nl-SamLogonEx_nouser",
        "capture-nl-SamLogonWithFlags_v2",
    ] {
        let vector = vector(id);
        let (input, expected) = (&vector["input"], &vector["expected"]);
        let recorded = bytes(&expected["request_pdu"]);
        let opnum = u16::from_le_bytes([recorded[22], recorded[23]]);
        let stub = bytes(&input["request_stub"]);
        let confounder = [array(&input["confounder"])];
        let (sent, calling) = association.call(opnum, &stub, confounder).unwrap();
        assert_eq!(hex(&sent), hex(&recorded), "{id}");
        let mut response = bytes(&input["response_pdu"]);
        let Answer::Whole(stub, next) = calling.receive(&mut response).unwrap() else {
            panic!("{id}: one fragment")
        };
        assert_eq!(hex(&stub), expected["response_stub"], "{id}");
        association = next;
        calls += 1;
    }
    assert_eq!(calls, 7);
}

#[test]
fn an_answer_that_does_not_hold_ends_the_association() {
    let vector = vector("capture-nl-GetCapabilities");
    let response = bytes(&vector["input"]["response_pdu"]);
    let calling = || {
        let stub = bytes(&vector["input"]["request_stub"]);
        association(&unchecked()).call(21, &stub, [[7; 8]]).unwrap().1
    };
    for index in 0..response.len() {
        // Everything is signed, but for the reserved end of the signature.
        let reserved = response.len() - 24..response.len();
        let mut changed = response.clone();
        changed[index] ^= 1;
        let taken = calling().receive(&mut changed).is_ok();
        assert_eq!(taken, reserved.contains(&index), "byte {index}");
    }
    let other = vector_pdu("capture-nl-SamLogonEx_v2");
    assert!(calling().receive(&mut other.clone()).is_err(), "the answer to another call");
    // Without verifier, a response is none, and a fault is a fault.
    let mut bare = response[..24].to_vec();
    bare[8..12].copy_from_slice(&[24, 0, 0, 0]);
    assert!(matches!(calling().receive(&mut bare), Err(AssociationError::Protect(_))));
    let mut fault = [&response[..24], &[5, 0, 0, 0, 0, 0, 0, 0]].concat();
    fault[2] = 3;
    fault[8..12].copy_from_slice(&[32, 0, 0, 0]);
    let error = calling().receive(&mut fault).unwrap_err();
    assert_eq!(error.to_string(), "call failed: access denied");
    let none: [[u8; 8]; 0] = [];
    let error = association(&unchecked()).call(21, &[], none).unwrap_err();
    assert_eq!(error, AssociationError::NoConfounder);
}

/// A long stub goes out in fragments, each protected by itself; a long answer is put together, and
/// one whose fragments come in another order is refused.
#[test]
fn long_stubs_go_in_fragments() {
    let key = || SessionKey::new(array(&vector("capture-nl-session")["expected"]["session_key"]));
    let server = || {
        let level = AuthLevel::PKT_PRIVACY;
        let coverage = Coverage::Whole;
        NetlogonProtection::new(Algorithms::AesSha2, &key(), level, 1, coverage).unwrap()
    };
    let stub: Vec<u8> = (0..20_001_u32).map(|index| index.to_le_bytes()[0]).collect();
    let exchange = |order: [usize; 3]| -> Result<Vec<u8>, AssociationError> {
        let mut server = server();
        let confounders = (0..).map(|number| [number; 8]);
        let (sent, calling) = association(&unchecked()).call(39, &stub, confounders).unwrap();
        let mut assembly = Assembly::new(2, 30_000);
        let (mut rest, mut fragments) = (sent.as_slice(), 0);
        while let Some((fragment, behind)) = split(rest).unwrap() {
            assert!(fragment.len() <= 5840);
            let mut fragment = fragment.to_vec();
            server.open(Direction::ClientToServer, &mut fragment).unwrap();
            let pdu = Pdu::decode(&fragment).unwrap();
            let Body::Request(request) = pdu.body else { panic!("no request") };
            assembly.add(pdu.call_id, pdu.pfc_flags, request.stub).unwrap();
            (rest, fragments) = (behind, fragments + 1);
        }
        assert_eq!(fragments, 4);
        assert_eq!(assembly.finish().unwrap(), stub);
        let mut calling = calling;
        for part in order {
            let mut pfc_flags = PfcFlags::empty();
            pfc_flags.set(PfcFlags::FIRST_FRAG, part == 0);
            pfc_flags.set(PfcFlags::LAST_FRAG, part == 2);
            let (stub, token) = ([u8::try_from(part).unwrap(); 16], [0; 56]);
            let response = Response { alloc_hint: 0, context_id: 0, cancel_count: 0, stub: &stub };
            let verifier = AuthVerifier {
                auth_pad: &[],
                auth_type: AuthType::NETLOGON,
                auth_level: AuthLevel::PKT_PRIVACY,
                auth_context_id: 1,
                auth_value: &token,
            };
            let pdu = Pdu {
                rpc_vers_minor: 0,
                pfc_flags,
                call_id: 2,
                body: Body::Response(response),
                verifier: Some(verifier),
            };
            let mut fragment = pdu.encode().unwrap();
            server.protect(Direction::ServerToClient, &mut fragment, [3; 8]).unwrap();
            match calling.receive(&mut fragment)? {
                Answer::More(next) => calling = next,
                Answer::Whole(stub, _) => return Ok(stub),
            }
        }
        panic!("no end")
    };
    let whole = exchange([0, 1, 2]).unwrap();
    assert_eq!(whole, [[0; 16], [1; 16], [2; 16]].as_flattened());
    let out_of_order = AssociationError::Assembly(AssemblyError::OutOfOrder);
    assert_eq!(exchange([1, 0, 2]).unwrap_err(), out_of_order);
    assert_eq!(exchange([0, 0, 2]).unwrap_err(), out_of_order);
}

fn vector_pdu(id: &str) -> Vec<u8> {
    bytes(&vector(id)["input"]["response_pdu"])
}

#[test]
fn a_server_that_does_not_sign_headers_is_refused() {
    let mut ack = bytes(&vector("capture-nl-schannel-bind")["input"]["bind_ack"]);
    ack[3] &= !4;
    let (_, binding) = Binding::start(SyntaxId::NETLOGON, unchecked().security()).unwrap();
    assert_eq!(binding.receive(&ack).unwrap_err(), AssociationError::HeadersUnsigned);
    let plain = bytes(&session()["bind_ack"]);
    let (_, binding) = Binding::start(SyntaxId::NETLOGON, unchecked().security()).unwrap();
    assert_eq!(binding.receive(&plain).unwrap_err(), AssociationError::Unexpected("auth_verifier"));
}

#[test]
fn a_server_that_does_not_prove_itself_is_refused() {
    let answer = bytes(&session()["authenticate3_response_stub"]);
    let spoiled = |index: usize, bit: u8| {
        let mut answer = answer.clone();
        answer[index] ^= bit;
        authenticating().receive(&answer).unwrap_err()
    };
    for index in 0..8 {
        assert_eq!(spoiled(index, 1), ChannelError::ServerNotProved);
    }
    assert_eq!(spoiled(11, 1), ChannelError::NotNegotiated("AES"), "AES taken away");
    assert_eq!(spoiled(11, 0x40), ChannelError::NotNegotiated("secure RPC"));
    assert!(matches!(spoiled(11, 0x80), ChannelError::NotOffered(_)));
    assert_eq!(spoiled(16, 0x22), ChannelError::Refused(NtStatus(0x22)));
    for length in 0..answer.len() {
        assert!(authenticating().receive(&answer[..length]).is_err());
    }
}

#[test]
fn flags_changed_on_their_way_are_found() {
    // CROSS_FOREST_TRUSTS, taken away where nothing is signed.
    let mut answer = bytes(&session()["authenticate3_response_stub"]);
    answer[10] ^= 8;
    let mut unchecked = authenticating().receive(&answer).unwrap();
    unchecked.capabilities(1_700_000_000).unwrap();
    let told = bytes(&vector("capture-nl-GetCapabilities")["expected"]["response_stub"]);
    let error = unchecked.receive(&told).unwrap_err();
    assert_eq!(error, ChannelError::Downgraded(NegotiateFlags::OFFERED));
    let mut wrong = told.clone();
    wrong[0] ^= 1;
    let mut unchecked = self::unchecked();
    unchecked.capabilities(1_700_000_000).unwrap();
    assert_eq!(unchecked.receive(&wrong).unwrap_err(), ChannelError::WrongAuthenticator);
}

#[test]
fn weak_challenges_and_weak_algorithms_are_refused() {
    let nt_hash = || Ntowfv1::new([1; 16]);
    let start = |challenge| Challenging::start(config(), nt_hash(), challenge);
    let error = start([0; 8]).unwrap_err();
    assert_eq!(error, ChannelError::WeakChallenge("ClientChallenge"));
    let (_, challenging) = start([1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    let error = challenging.receive(&[0; 12]).unwrap_err();
    assert_eq!(error, ChannelError::WeakChallenge("ServerChallenge"));

    let answer = bytes(&session()["req_challenge_response_stub"]);
    let with = |flags, allow_insecure_rc4| {
        let policy = ChannelPolicy { allow_insecure_rc4, ..ChannelPolicy::default() };
        let config = ChannelConfig { negotiate_flags: flags, policy, ..config() };
        let (_, challenging) =
            Challenging::start(config, nt_hash(), [1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
        challenging.receive(&answer).map(|_| ())
    };
    let rc4 = NegotiateFlags::OFFERED - NegotiateFlags::AES_SHA2;
    let des = rc4 - NegotiateFlags::STRONG_KEYS;
    assert_eq!(with(NegotiateFlags::OFFERED, false), Ok(()));
    assert_eq!(with(rc4, false), Err(ChannelError::NotNegotiated("AES")));
    assert_eq!(with(rc4, true), Ok(()));
    assert_eq!(with(des, true), Err(ChannelError::NotNegotiated("strong keys")));
}

/// A logon with recorded responses, which our server is asked to judge.
fn logon_request(server_challenge: [u8; 8], recorded: &SamLogonRequest, ess: bool) -> LogonRequest {
    let info = &recorded.network_info;
    let mut config = ServerConfig::new(ServerNames::new("MEMBER1", "EXAMPLE"));
    config.policy.insecure_accept_ntlmv1 = true;
    config.policy.max_clock_skew_seconds = None;
    // The recorded response echoes the TargetInfo of another server.
    config.policy.require_target_info_echo = false;
    let server = Server::new(config).unwrap();
    let mut flags = NtlmFlags::NEGOTIATE_UNICODE | NtlmFlags::NEGOTIATE_NTLM;
    flags.set(NtlmFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY, ess);
    let negotiate = NegotiateMessage {
        negotiate_flags: flags,
        domain_name: None,
        workstation: None,
        version: None,
    };
    let mut random = [0; 24];
    random[..8].copy_from_slice(&server_challenge);
    let now = FileTime::from_unix_seconds(1_700_000_000);
    let fresh = Fresh::from_random(now, random);
    let (_, challenged) = server.challenge(&negotiate.encode().unwrap(), fresh).unwrap();
    let [domain, user, workstation] =
        [&info.logon_domain_name, &info.user_name, &info.workstation].map(Utf16String::to_le_bytes);
    let authenticate = AuthenticateMessage {
        lm_challenge_response: Payload::new(&info.lm_challenge_response),
        nt_challenge_response: Payload::new(&info.nt_challenge_response),
        domain_name: Payload::new(&domain),
        user_name: Payload::new(&user),
        workstation: Payload::new(&workstation),
        encrypted_random_session_key: Some(Payload::new(&[])),
        negotiate_flags: Some(flags),
        version: None,
        mic: None,
    };
    challenged.receive(&authenticate.encode().unwrap(), now).unwrap()
}

fn recorded(id: &str, opnum: u16) -> (SamLogonRequest, Vec<u8>) {
    let vector = vector(id);
    let stub = bytes(&vector["input"]["request_stub"]);
    let answer = bytes(&vector["expected"]["response_stub"]);
    (SamLogonRequest::decode(opnum, &stub).unwrap(), answer)
}

/// With NTLMv1 and extended session security, the challenge that is passed on is not the one that
/// our server sent; and the verdict becomes a logon.
#[test]
fn a_logon_is_passed_on_and_its_verdict_taken() {
    let mut run = 0;
    for (id, opnum) in [
        ("capture-nl-SamLogonEx_v2", 39),
        ("capture-nl-SamLogonEx_v2_level3", 39),
        ("capture-nl-SamLogonEx_v1ess", 39),
        ("capture-nl-SamLogonWithFlags_v2", 45),
    ] {
        let (recorded, answer) = recorded(id, opnum);
        let ess = id.ends_with("v1ess");
        let sent = array(
            &vector(id)["input"]["logon"][match ess {
                true => "server_challenge_sent_to_client",
                false => "challenge_sent_to_dc",
            }],
        );
        let request = logon_request(sent, &recorded, ess);
        let method = match opnum {
            39 => LogonMethod::Ex,
            _ => LogonMethod::WithFlags,
        };
        let mut channel = channel();
        let level = recorded.validation_level;
        let (call, passed_on) =
            PassedOn::start(&mut channel, request, method, level, TIMESTAMP).unwrap();
        assert_eq!(call.opnum, opnum);
        assert_eq!(SamLogonRequest::decode(opnum, &call.stub).unwrap(), recorded, "{id}");
        assert_eq!(recorded.network_info.lm_challenge != sent, ess, "{id}");
        let Judged::Accepted { outcome, account } = passed_on.receive(&mut channel, &answer) else {
            panic!("{id}: not accepted")
        };
        let Ok(LogonOutcome::Account(logon)) = *outcome else { panic!("{id}: {outcome:?}") };
        assert_eq!(logon.user().to_string(), "alice");
        let key = hex(account.user_session_key.expose());
        assert_eq!(key, vector(id)["input"]["logon"]["user_session_key"], "{id}");
        run += 1;
    }
    assert_eq!(run, 4);
    assert_eq!(ValidationLevel::choose(NegotiateFlags::OFFERED), ValidationLevel::SamInfo4);
}

/// NetrLogonSamLogon is NetrLogonSamLogonWithFlags without ExtraFlags, in both directions.
#[test]
fn the_oldest_method_has_no_extra_flags() {
    let (mut recorded, mut answer) = recorded("capture-nl-SamLogonWithFlags_v2", 45);
    let request = logon_request(recorded.network_info.lm_challenge, &recorded, false);
    let method = LogonMethod::Ex.older().unwrap().older().unwrap();
    assert_eq!((method, method.older()), (LogonMethod::SamLogon, None));
    let mut channel = channel();
    let level = recorded.validation_level;
    let (call, passed_on) =
        PassedOn::start(&mut channel, request, method, level, TIMESTAMP).unwrap();
    assert_eq!(call.opnum, 2);
    let SamLogonMethod::WithFlags(authenticator) = recorded.method else { panic!("with flags") };
    let with_flags = recorded.encode().unwrap();
    // Two bytes of padding go with them.
    assert_eq!(call.stub, with_flags[..with_flags.len() - 6]);
    recorded.method = SamLogonMethod::SamLogon(authenticator);
    assert_eq!(SamLogonRequest::decode(2, &call.stub).unwrap(), recorded);

    let at = answer.len() - 8;
    answer.drain(at..at + 4);
    let judged = passed_on.receive(&mut channel, &answer);
    assert!(matches!(judged, Judged::Accepted { .. }), "{judged:?}");
    let levels = [ValidationLevel::SamInfo4, ValidationLevel::SamInfo2, ValidationLevel::SamInfo];
    assert_eq!(levels.map(ValidationLevel::value), [6, 3, 2]);
    assert_eq!(levels.map(ValidationLevel::older), [Some(levels[1]), Some(levels[2]), None]);
}

#[test]
fn refusals_and_failures_are_told_apart() {
    let (recorded, answer) = recorded("capture-nl-SamLogonEx_badpw", 39);
    let judged = |answer: &[u8]| {
        let mut channel = channel();
        let request = logon_request([1; 8], &recorded, false);
        let level = ValidationLevel::SamInfo4;
        let start = PassedOn::start(&mut channel, request, LogonMethod::Ex, level, TIMESTAMP);
        start.unwrap().1.receive(&mut channel, answer)
    };
    let with = |status: NtStatus| {
        let mut answer = answer.clone();
        answer[16..].copy_from_slice(&status.0.to_le_bytes());
        judged(&answer)
    };
    let refusal = |judged| match judged {
        Judged::Refused { refusal, authoritative: true, .. } => refusal,
        other => panic!("{other:?}"),
    };
    assert_eq!(refusal(judged(&answer)), Refusal::WrongPassword);
    assert_eq!(refusal(with(NtStatus::NO_SUCH_USER)), Refusal::NoSuchUser);
    assert_eq!(refusal(with(NtStatus::ACCOUNT_LOCKED_OUT)), Refusal::AccountLockedOut);
    assert_eq!(refusal(with(NtStatus::NTLM_BLOCKED)), Refusal::NtlmBlocked);
    let mut elsewhere = answer.clone();
    elsewhere[8] = 0; // Authoritative
    let Judged::Refused { request, authoritative: false, .. } = judged(&elsewhere) else {
        panic!("not final")
    };
    assert_eq!(request.user(), recorded.network_info.user_name, "for another to judge");
    for status in [
        NtStatus::WRONG_PASSWORD,
        NtStatus::NOLOGON_SERVER_TRUST_ACCOUNT,
        NtStatus::NOLOGON_WORKSTATION_TRUST_ACCOUNT,
        NtStatus::AUTHENTICATION_FIREWALL_FAILED,
    ] {
        assert_eq!(refusal(with(status)).status(), status);
    }
    assert_eq!(Refusal::AccountLockedOut.to_string(), "account locked out");
    let failure = |judged| match judged {
        Judged::NotJudged { failure, .. } => failure,
        other => panic!("{other:?}"),
    };
    assert_eq!(failure(with(NtStatus::NO_LOGON_SERVERS)), Failure::NoLogonServers);
    assert_eq!(failure(with(NtStatus::ACCESS_DENIED)), Failure::ChannelLost);
    assert_eq!(failure(with(NtStatus::SUCCESS)), Failure::NoValidation, "no yes without a key");
    let other = NtStatus(0xc000_9999);
    assert_eq!(failure(with(other)), Failure::Other(other));
    assert!(matches!(failure(judged(&answer[..19])), Failure::Decode(_)));
}

/// Nor a success that says less than was asked for, or comes without the authenticator that is due.
#[test]
fn success_that_is_not_as_asked_is_no_verdict() {
    let judged = |id, opnum, method, level, change: &dyn Fn(&mut Vec<u8>)| {
        let (recorded, mut answer) = recorded(id, opnum);
        change(&mut answer);
        let mut channel = channel();
        let request = logon_request(recorded.network_info.lm_challenge, &recorded, false);
        let start = PassedOn::start(&mut channel, request, method, level, TIMESTAMP).unwrap();
        match start.1.receive(&mut channel, &answer) {
            Judged::NotJudged { failure, .. } => Some(failure),
            _ => None,
        }
    };
    let with_flags = |change: &dyn Fn(&mut Vec<u8>)| {
        let method = LogonMethod::WithFlags;
        let level = recorded("capture-nl-SamLogonWithFlags_v2", 45).0.validation_level;
        judged("capture-nl-SamLogonWithFlags_v2", 45, method, level, change)
    };
    assert_eq!(with_flags(&|_| ()), None);
    assert_eq!(with_flags(&|answer| answer[4] ^= 1), Some(Failure::WrongAuthenticator));
    let without = |answer: &mut Vec<u8>| {
        answer[..4].fill(0);
        answer.drain(4..16);
    };
    assert_eq!(with_flags(&without), Some(Failure::WrongAuthenticator));
    let id = "capture-nl-SamLogonEx_v2_level3";
    let other = judged(id, 39, LogonMethod::Ex, ValidationLevel::SamInfo4, &|_| ());
    assert_eq!(other, Some(Failure::NoValidation));
}

/// A success without a key, as a guest's, is no logon.
#[test]
fn success_without_a_key_is_refused() {
    let (recorded, answer) = recorded("capture-nl-SamLogonEx_v2", 39);
    let judged = |spoil: &dyn Fn(&mut Vec<u8>)| {
        let mut answer = answer.clone();
        spoil(&mut answer);
        let mut channel = channel();
        let request = logon_request(recorded.network_info.lm_challenge, &recorded, false);
        let level = ValidationLevel::SamInfo4;
        let start = PassedOn::start(&mut channel, request, LogonMethod::Ex, level, TIMESTAMP);
        start.unwrap().1.receive(&mut channel, &answer)
    };
    let no_key = judged(&|answer| answer[128..144].fill(0));
    assert!(matches!(no_key, Judged::Refused { refusal: Refusal::Guest, .. }));
    let guest = judged(&|answer| answer[124] |= 1);
    assert!(matches!(guest, Judged::Refused { refusal: Refusal::Guest, .. }));
}

/// Neither the responses that are passed on nor the key that comes back.
#[test]
fn nothing_of_a_logon_is_printed() {
    let id = "capture-nl-SamLogonEx_v2";
    let (recorded, stub) = recorded(id, 39);
    let request = logon_request(recorded.network_info.lm_challenge, &recorded, false);
    let level = recorded.validation_level;
    let start =
        PassedOn::start(&mut channel(), request, LogonMethod::Ex, level, TIMESTAMP).unwrap();
    assert_eq!(format!("{:?}", start.0), "Call { opnum: 39, .. }");

    let mut assembly = Assembly::new(7, stub.len());
    assembly.add(7, PfcFlags::WHOLE, &stub).unwrap();
    let expected = format!("Assembly {{ call_id: 7, stub_len: {}, .. }}", stub.len());
    assert_eq!(format!("{assembly:?}"), expected);
    let whole = Answer::Whole(stub, association(&unchecked()));
    assert!(format!("{whole:?}").starts_with("Whole(Association {"), "{whole:?}");
}

#[test]
fn an_anonymous_logon_is_not_passed_on() {
    let (mut recorded, _) = recorded("capture-nl-SamLogonEx_v2", 39);
    recorded.network_info.user_name = Utf16String::default();
    recorded.network_info.nt_challenge_response.clear();
    recorded.network_info.lm_challenge_response = vec![0];
    let request = logon_request([1; 8], &recorded, false);
    let level = ValidationLevel::SamInfo4;
    let start = PassedOn::start(&mut channel(), request, LogonMethod::Ex, level, TIMESTAMP);
    assert_eq!(start.unwrap_err(), PassOnError::Anonymous);
}
