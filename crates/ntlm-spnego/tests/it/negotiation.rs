//! Negotiations that end well, and what they come to.

use crate::common::{
    Negotiation, acceptor, alice, fresh, initiator_config, secret, server, server_config,
};
use ntlm::policy::{ClientPolicy, ClientSends, ServerPolicy};
use ntlm::{Client, ClientConfig, LogonOutcome, Protection, Server, ServerConfig, Session};
use ntlm_spnego::{
    Accepted, AcceptedLogon, Acceptor, AcceptorConfig, AcceptorStep, Initiated, InitiatedLogon,
    Initiator, InitiatorConfig, InitiatorStep, MechListMic, MechTypeList, NegState, NegTokenInit,
    NegTokenResp, PeerError, mechanism,
};

fn sessions(initiated: Initiated, accepted: Accepted) -> (Box<Session>, Box<Session>) {
    let InitiatedLogon::Account(client) = initiated.logon else { panic!() };
    let AcceptedLogon::Account(server) = accepted.logon else { panic!() };
    (client, server)
}

/// Several sealed messages both ways; the first has this number.
fn assert_messages_pass((mut client, mut server): (Box<Session>, Box<Session>), first: u8) {
    for number in first..first + 3 {
        for to_server in [true, false] {
            let (from, to) =
                if to_server { (&mut client, &mut server) } else { (&mut server, &mut client) };
            let mut message = *b"for your eyes only";
            let signature = from.seal(&mut message).unwrap();
            assert_eq!(signature[12..], [number, 0, 0, 0]);
            to.unseal(&mut message, &signature).unwrap();
            assert_eq!(&message, b"for your eyes only");
        }
    }
}

fn kerberos_first() -> InitiatorConfig {
    let preferred = vec![mechanism::MS_KERBEROS, mechanism::KERBEROS];
    InitiatorConfig { preferred, ..initiator_config() }
}

/// A server that sends no timestamp, so that there is no MIC.
fn server_without_mic() -> Server {
    Server::new(ServerConfig { send_timestamp: false, ..server_config() }).unwrap()
}

#[test]
fn ntlm_as_the_first_choice_takes_four_tokens_and_two_signatures() {
    let ended = Negotiation::new(initiator_config(), acceptor()).run().unwrap();
    assert_eq!(ended.tokens.len(), 4);
    let states: Vec<_> = ended.tokens[1..]
        .iter()
        .map(|token| {
            let resp = NegTokenResp::decode(token).unwrap();
            (resp.neg_state, resp.supported_mech.is_some(), resp.mech_list_mic.is_some())
        })
        .collect();
    let expected = [
        (Some(NegState::AcceptIncomplete), true, false),
        (None, false, true),
        (Some(NegState::AcceptCompleted), false, true),
    ];
    assert_eq!(states, expected);
    assert_eq!(ended.initiated.mech_list_mic, MechListMic::Valid);
    assert_eq!(ended.accepted.mech_list_mic, MechListMic::Valid);
    // The mechListMIC had number 0; RC4 began anew, or nothing could be unsealed.
    assert_messages_pass(sessions(ended.initiated, ended.accepted), 1);
}

#[test]
fn ntlm_as_another_choice_is_asked_for_a_signature() {
    let ended = Negotiation::new(kerberos_first(), acceptor()).run().unwrap();
    assert_eq!(ended.tokens.len(), 6);
    let request_mic = NegTokenResp::decode(&ended.tokens[1]).unwrap();
    assert_eq!(request_mic.neg_state, Some(NegState::RequestMic));
    assert_eq!((request_mic.response_token, request_mic.mech_list_mic), (None, None));
    assert_eq!(ended.accepted.mech_list_mic, MechListMic::Valid);
    assert_messages_pass(sessions(ended.initiated, ended.accepted), 1);
}

/// A token for another mechanism than the chosen one is dropped.
#[test]
fn the_first_token_of_another_mechanism_is_dropped() {
    let config = InitiatorConfig { preferred_token: Some(b"AP-REQ".to_vec()), ..kerberos_first() };
    let ended = Negotiation::new(config, acceptor()).run().unwrap();
    assert_eq!(NegTokenInit::decode(&ended.tokens[0]).unwrap().mech_token, Some(&b"AP-REQ"[..]));
    assert_eq!(ended.initiated.mech_list_mic, MechListMic::Valid);
}

#[test]
fn mechanisms_liked_less_change_nothing_but_the_list() {
    let others = vec![mechanism::KERBEROS, mechanism::NEGOEX];
    let config = InitiatorConfig { others, ..initiator_config() };
    let ended = Negotiation::new(config, acceptor()).run().unwrap();
    assert_eq!(ended.tokens.len(), 4);
    let list = NegTokenInit::decode(&ended.tokens[0]).unwrap().mech_types;
    assert!(list.iter().eq([mechanism::NTLM, mechanism::KERBEROS, mechanism::NEGOEX]));
    assert_messages_pass(sessions(ended.initiated, ended.accepted), 1);
}

#[test]
fn an_initiator_that_protects_nothing_signs_the_list_all_the_same() {
    for config in [
        InitiatorConfig::default(),
        InitiatorConfig { preferred: kerberos_first().preferred, ..InitiatorConfig::default() },
    ] {
        let ended = Negotiation::new(config, acceptor()).run().unwrap();
        assert_eq!(ended.accepted.mech_list_mic, MechListMic::Valid);
    }
}

#[test]
fn without_the_mic_of_ntlm_the_list_is_not_signed_and_numbers_begin_with_0() {
    let acceptor = Acceptor::new(server_without_mic(), AcceptorConfig::default());
    let ended = Negotiation::new(initiator_config(), acceptor).run().unwrap();
    assert_eq!(ended.initiated.mech_list_mic, MechListMic::Absent);
    assert_eq!(ended.accepted.mech_list_mic, MechListMic::Absent);
    assert_messages_pass(sessions(ended.initiated, ended.accepted), 0);
}

#[test]
fn an_acceptor_may_ask_for_the_signature() {
    let config = AcceptorConfig { require_mech_list_mic: true, ..AcceptorConfig::default() };
    for server in [server(), server_without_mic()] {
        let acceptor = Acceptor::new(server, config.clone());
        let ended = Negotiation::new(initiator_config(), acceptor).run().unwrap();
        let first = NegTokenResp::decode(&ended.tokens[1]).unwrap();
        assert_eq!(first.neg_state, Some(NegState::RequestMic));
        assert!(first.response_token.is_some(), "the CHALLENGE is there at once");
        assert_eq!(ended.tokens.len(), 4);
        assert_messages_pass(sessions(ended.initiated, ended.accepted), 1);
    }
}

/// Without extended session security both ends share one stream and one counter.
#[test]
fn signatures_without_extended_session_security_agree_too() {
    let policy = ServerPolicy {
        insecure_accept_ntlmv1: true,
        insecure_accept_lm: true,
        require_128_bit: false,
        require_extended_session_security: false,
        ..ServerPolicy::default()
    };
    let server = Server::new(ServerConfig { policy, ..server_config() }).unwrap();
    let policy = ClientPolicy {
        sends: ClientSends::InsecureLmAndNtlmv1,
        offer_extended_session_security: false,
        require_extended_session_security: false,
        require_128_bit: false,
        ..ClientPolicy::default()
    };
    let client = ClientConfig { policy, protection: Protection::Seal, ..ClientConfig::default() };
    let config = InitiatorConfig { client, ..kerberos_first() };
    let acceptor = Acceptor::new(server, AcceptorConfig::default());
    let ended = Negotiation::new(config, acceptor).run().unwrap();
    assert_eq!(ended.accepted.mech_list_mic, MechListMic::Valid);
    let (mut client, mut server) = sessions(ended.initiated, ended.accepted);
    for _ in 0..3 {
        let mut message = *b"to the server";
        let signature = client.seal(&mut message).unwrap();
        server.unseal(&mut message, &signature).unwrap();
        let mut message = *b"to the client";
        let signature = server.seal(&mut message).unwrap();
        client.unseal(&mut message, &signature).unwrap();
        assert_eq!(&message, b"to the client");
    }
}

/// The initiator's signature comes in a token of its own, after the acceptor's.
#[test]
fn a_late_signature_is_waited_for() {
    let (token, initiator) = Initiator::start(initiator_config());
    let AcceptorStep::Continue(token, acceptor) = acceptor().step(&token, fresh(1)).unwrap() else {
        panic!()
    };
    let InitiatorStep::Respond(responding) = initiator.step(&token).unwrap() else { panic!() };
    let (token, initiator) = responding.respond(&alice(), fresh(2)).unwrap().send().unwrap();
    let both = NegTokenResp::decode(&token).unwrap();
    let message = NegTokenResp { mech_list_mic: None, ..both }.encode();
    let signature = NegTokenResp { response_token: None, ..both }.encode();

    let AcceptorStep::Judge(request, waiting) = acceptor.step(&message, fresh(3)).unwrap() else {
        panic!()
    };
    let outcome = request.verify(Some(&secret("Wonder-Land1"))).unwrap();
    let AcceptorStep::Continue(theirs, acceptor) = waiting.settle(outcome).unwrap() else {
        panic!()
    };
    let resp = NegTokenResp::decode(&theirs).unwrap();
    assert_eq!(resp.neg_state, Some(NegState::AcceptIncomplete));
    assert!(resp.mech_list_mic.is_some() && resp.response_token.is_none());
    let AcceptorStep::Done(accepted) = acceptor.step(&signature, fresh(4)).unwrap() else {
        panic!()
    };
    let last = NegTokenResp::decode(&accepted.token).unwrap();
    assert_eq!((last.neg_state, last.mech_list_mic), (Some(NegState::AcceptCompleted), None));
    // To the initiator both come as one.
    let merged = NegTokenResp { mech_list_mic: resp.mech_list_mic, ..last }.encode();
    let InitiatorStep::Done(initiated) = initiator.step(&merged).unwrap() else { panic!() };
    assert_messages_pass(sessions(initiated, accepted), 1);
}

/// An acceptor that wants signatures though none are due: ours follows in a token of its own.
#[test]
fn an_initiator_signs_when_the_acceptor_does() {
    let list = MechTypeList::new(&[mechanism::NTLM]);
    let (token, initiator) = Initiator::start(initiator_config());
    let init = NegTokenInit::decode(&token).unwrap();
    let (challenge, challenged) =
        server_without_mic().challenge(init.mech_token.unwrap(), fresh(1)).unwrap();
    let reply = NegTokenResp {
        neg_state: Some(NegState::AcceptIncomplete),
        supported_mech: Some(mechanism::NTLM),
        response_token: Some(&challenge),
        mech_list_mic: None,
    };
    let InitiatorStep::Respond(responding) = initiator.step(&reply.encode()).unwrap() else {
        panic!()
    };
    let (token, initiator) = responding.respond(&alice(), fresh(2)).unwrap().send().unwrap();
    let resp = NegTokenResp::decode(&token).unwrap();
    assert_eq!(resp.mech_list_mic, None);
    let request = challenged.receive(resp.response_token.unwrap(), fresh(3).now).unwrap();
    let outcome = request.verify(Some(&secret("Wonder-Land1"))).unwrap();
    let mut session = outcome.into_account().unwrap().into_session();
    let rc4 = session.save_rc4();
    let theirs = session.sign(list.as_bytes()).unwrap();
    session.restore_rc4(rc4);
    let reply = NegTokenResp {
        neg_state: Some(NegState::AcceptIncomplete),
        mech_list_mic: Some(&theirs),
        ..NegTokenResp::default()
    };
    let InitiatorStep::Continue(token, initiator) = initiator.step(&reply.encode()).unwrap() else {
        panic!()
    };
    let ours = NegTokenResp::decode(&token).unwrap();
    assert_eq!((ours.neg_state, ours.response_token), (None, None));
    session.verify(list.as_bytes(), ours.mech_list_mic.unwrap()).unwrap();
    session.restore_rc4(rc4);
    let reply =
        NegTokenResp { neg_state: Some(NegState::AcceptCompleted), ..NegTokenResp::default() };
    let InitiatorStep::Done(initiated) = initiator.step(&reply.encode()).unwrap() else { panic!() };
    assert_eq!(initiated.mech_list_mic, MechListMic::Valid);
    let InitiatedLogon::Account(client) = initiated.logon else { panic!() };
    assert_messages_pass((client, Box::new(session)), 1);
}

#[test]
fn raw_ntlm_is_answered_in_kind() {
    let config = ClientConfig { protection: Protection::Seal, ..ClientConfig::default() };
    let (token, client) = Client::start(config);
    let AcceptorStep::Continue(token, acceptor) = acceptor().step(&token, fresh(1)).unwrap() else {
        panic!()
    };
    assert!(token.starts_with(b"NTLMSSP\0"));
    let (token, established) = client.respond(&token, &alice(), fresh(2)).unwrap();
    let AcceptorStep::Judge(request, waiting) = acceptor.step(&token, fresh(3)).unwrap() else {
        panic!()
    };
    let outcome = request.verify(Some(&secret("Wonder-Land1"))).unwrap();
    let AcceptorStep::Done(accepted) = waiting.settle(outcome).unwrap() else { panic!() };
    assert!(accepted.token.is_empty());
    assert_eq!(accepted.mech_list_mic, MechListMic::NoList);
    let AcceptedLogon::Account(server) = accepted.logon else { panic!() };
    assert_messages_pass((Box::new(established.into_session()), server), 0);
}

#[test]
fn raw_ntlm_may_be_refused() {
    let (token, _) = Client::start(ClientConfig::default());
    let config = AcceptorConfig { accept_raw_ntlm: false, ..AcceptorConfig::default() };
    let refused = Acceptor::new(server(), config).step(&token, fresh(1)).unwrap_err();
    assert_eq!(refused, PeerError::RawNtlm);
}

#[test]
fn a_guest_has_no_session_and_no_signature() {
    let policy = ServerPolicy { insecure_allow_guest: true, ..ServerPolicy::default() };
    let server = Server::new(ServerConfig { policy, ..server_config() }).unwrap();
    let acceptor = Acceptor::new(server, AcceptorConfig::default());
    let judge = |request: ntlm::LogonRequest| {
        request.verify(None).map_err(|denied| denied.reason_for_the_log())
    };
    let negotiation =
        Negotiation { judge: &judge, ..Negotiation::new(initiator_config(), acceptor) };
    // The initiator does not know that it is a guest: to it, the signature is missing.
    let stopped = negotiation.stopped();
    let missing = crate::common::Stopped::Initiator(PeerError::MechListMicMissing);
    assert_eq!(stopped, missing);
}

#[test]
fn an_anonymous_logon_has_no_signature() {
    let policy = ServerPolicy { insecure_allow_anonymous: true, ..ServerPolicy::default() };
    let server = Server::new(ServerConfig { policy, ..server_config() }).unwrap();
    let acceptor = Acceptor::new(server, AcceptorConfig::default());
    let (token, initiator) = Initiator::start(kerberos_first());
    let AcceptorStep::Continue(token, acceptor) = acceptor.step(&token, fresh(1)).unwrap() else {
        panic!()
    };
    let InitiatorStep::Continue(token, initiator) = initiator.step(&token).unwrap() else {
        panic!()
    };
    let AcceptorStep::Continue(token, acceptor) = acceptor.step(&token, fresh(1)).unwrap() else {
        panic!()
    };
    let InitiatorStep::Respond(responding) = initiator.step(&token).unwrap() else { panic!() };
    let answer = responding.respond_anonymously(fresh(2)).unwrap();
    assert!(answer.established().is_none());
    let (token, initiator) = answer.send().unwrap();
    assert_eq!(NegTokenResp::decode(&token).unwrap().mech_list_mic, None);
    let AcceptorStep::Judge(request, waiting) = acceptor.step(&token, fresh(3)).unwrap() else {
        panic!()
    };
    assert!(request.is_anonymous());
    let outcome = request.verify(None).unwrap();
    assert!(matches!(outcome, LogonOutcome::Anonymous(_)));
    let AcceptorStep::Done(accepted) = waiting.settle(outcome).unwrap() else { panic!() };
    assert!(matches!(accepted.logon, AcceptedLogon::Anonymous(_)));
    let InitiatorStep::Done(initiated) = initiator.step(&accepted.token).unwrap() else { panic!() };
    assert!(matches!(initiated.logon, InitiatedLogon::Anonymous(_)));
    assert_eq!(initiated.mech_list_mic, MechListMic::Absent);
}

#[test]
fn what_the_acceptor_speaks_and_the_initiator_prefers_is_handed_out() {
    let foreign = vec![mechanism::KERBEROS, mechanism::NEGOEX];
    let config = AcceptorConfig { foreign, ..AcceptorConfig::default() };
    let acceptor = || Acceptor::new(server(), config.clone());
    // MS-KRB5 is the first choice and not spoken, so the token is not KRB5's.
    let preferred_token = Some(b"AP-REQ".to_vec());
    let (token, _) = Initiator::start(InitiatorConfig { preferred_token, ..kerberos_first() });
    let AcceptorStep::Foreign { mech, token } = acceptor().step(&token, fresh(1)).unwrap() else {
        panic!()
    };
    assert_eq!((mech, token.as_slice()), (mechanism::KERBEROS, &[][..]));
    let preferred = vec![mechanism::KERBEROS];
    let preferred_token = Some(b"AP-REQ".to_vec());
    let config = InitiatorConfig { preferred, preferred_token, ..initiator_config() };
    let (token, _) = Initiator::start(config);
    let AcceptorStep::Foreign { mech, token } = acceptor().step(&token, fresh(1)).unwrap() else {
        panic!()
    };
    assert_eq!((mech, token.as_slice()), (mechanism::KERBEROS, &b"AP-REQ"[..]));
    // What the initiator likes less than NTLM is not.
    let config = InitiatorConfig { others: vec![mechanism::KERBEROS], ..initiator_config() };
    let (token, _) = Initiator::start(config);
    let step = acceptor().step(&token, fresh(1)).unwrap();
    assert!(matches!(step, AcceptorStep::Continue(..)));
    // Kerberos as it is, without SPNEGO.
    let raw = ntlm::der::encode(
        ntlm::der::tag::application(0),
        &[&ntlm::der::encode(ntlm::der::tag::OID, &[mechanism::KERBEROS.0]), b"\x01\0AP-REQ"],
    );
    let AcceptorStep::Foreign { mech, token } = acceptor().step(&raw, fresh(1)).unwrap() else {
        panic!()
    };
    assert_eq!((mech, token), (mechanism::KERBEROS, raw.clone()));
    let refused = crate::common::acceptor().step(&raw, fresh(1)).unwrap_err();
    assert_eq!(refused, PeerError::NoCommonMechanism);
}

#[test]
fn what_the_acceptor_chooses_of_the_offer_is_handed_out() {
    let (_, initiator) = Initiator::start(kerberos_first());
    let reply = NegTokenResp {
        neg_state: Some(NegState::AcceptIncomplete),
        supported_mech: Some(mechanism::MS_KERBEROS),
        response_token: Some(b"AP-REP"),
        mech_list_mic: None,
    };
    let InitiatorStep::Foreign { mech, token } = initiator.step(&reply.encode()).unwrap() else {
        panic!()
    };
    assert_eq!((mech, token.as_slice()), (mechanism::MS_KERBEROS, &b"AP-REP"[..]));
}

/// SMB and HTTP servers may say yes without a last token.
#[test]
fn the_protocol_around_may_have_the_last_word() {
    let until_sent = |server: Server| {
        let (token, initiator) = Initiator::start(initiator_config());
        let acceptor = Acceptor::new(server, AcceptorConfig::default());
        let AcceptorStep::Continue(token, _) = acceptor.step(&token, fresh(1)).unwrap() else {
            panic!()
        };
        let InitiatorStep::Respond(responding) = initiator.step(&token).unwrap() else { panic!() };
        responding.respond(&alice(), fresh(2)).unwrap().send().unwrap().1
    };
    let initiated = until_sent(server_without_mic()).finish_without_token().unwrap();
    assert_eq!(initiated.mech_list_mic, MechListMic::Absent);
    let refused = until_sent(server()).finish_without_token().unwrap_err();
    assert_eq!(refused, PeerError::MechListMicMissing);
    let (_, initiator) = Initiator::start(initiator_config());
    assert_eq!(initiator.finish_without_token().unwrap_err(), PeerError::EndedEarly);
}
