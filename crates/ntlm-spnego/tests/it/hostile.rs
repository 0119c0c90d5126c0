//! Somebody in between: what he changes is refused.

use crate::common::{
    Ended, Negotiation, Stopped, acceptor, alice, fresh, initiator_config, server, server_config,
};
use ntlm::der::ObjectIdentifier;
use ntlm::flags::NegotiateFlags;
use ntlm::message::{Message, NegotiateMessage};
use ntlm::{Client, ClientConfig, DenialReason, Server, ServerConfig, SessionError};
use ntlm_spnego::{
    AcceptedLogon, Acceptor, AcceptorConfig, AcceptorStep, InitiatedLogon, Initiator,
    InitiatorConfig, InitiatorStep, MechListMic, MechTypeList, NegState, NegTokenInit,
    NegTokenResp, PeerError, mechanism,
};

fn kerberos_first() -> InitiatorConfig {
    InitiatorConfig { preferred: vec![mechanism::KERBEROS], ..initiator_config() }
}

fn with_list(token: &[u8], mechs: &[ObjectIdentifier<'_>]) -> Vec<u8> {
    let init = NegTokenInit::decode(token).unwrap();
    NegTokenInit { mech_types: MechTypeList::new(mechs), ..init }.encode()
}

fn changed(token: &[u8], change: impl FnOnce(&mut NegTokenResp<'_>)) -> Vec<u8> {
    let mut resp = NegTokenResp::decode(token).unwrap();
    change(&mut resp);
    resp.encode()
}

fn flipped(token: &[u8]) -> Vec<u8> {
    let resp = NegTokenResp::decode(token).unwrap();
    let mut mic = resp.mech_list_mic.unwrap().to_vec();
    mic[4] ^= 1;
    NegTokenResp { mech_list_mic: Some(&mic), ..resp }.encode()
}

fn altered() -> PeerError {
    PeerError::MechListMic(SessionError::MessageAltered)
}

/// The attack that SPNEGO exists to notice: what the initiator prefers is taken from its list.
#[test]
fn a_tampered_list_is_refused_by_the_acceptor() {
    let lists: [&[ObjectIdentifier<'_>]; 4] = [
        &[mechanism::NTLM],
        &[mechanism::NTLM, mechanism::KERBEROS],
        &[mechanism::MS_KERBEROS, mechanism::NTLM],
        &[mechanism::KERBEROS, mechanism::NTLM, mechanism::NEGOEX],
    ];
    for list in lists {
        let between = |number: usize, token: Vec<u8>| {
            if number == 0 { with_list(&token, list) } else { token }
        };
        let negotiation =
            Negotiation { between: &between, ..Negotiation::new(kerberos_first(), acceptor()) };
        assert_eq!(negotiation.stopped(), Stopped::Acceptor(altered()), "{list:?}");
    }
}

#[test]
fn a_list_that_grew_is_refused_though_ntlm_stays_the_first_choice() {
    let between = |number: usize, token: Vec<u8>| {
        let list = [mechanism::NTLM, mechanism::KERBEROS];
        if number == 0 { with_list(&token, &list) } else { token }
    };
    let negotiation =
        Negotiation { between: &between, ..Negotiation::new(initiator_config(), acceptor()) };
    assert_eq!(negotiation.stopped(), Stopped::Acceptor(altered()));
}

/// The acceptor answers for a list that the initiator did not send.
#[test]
fn a_tampered_list_is_refused_by_the_initiator() {
    let list = MechTypeList::new(&[mechanism::NTLM, mechanism::NEGOEX]);
    let (token, initiator) = Initiator::start(initiator_config());
    let init = NegTokenInit::decode(&token).unwrap();
    let (challenge, challenged) = server().challenge(init.mech_token.unwrap(), fresh(1)).unwrap();
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
    let authenticate = NegTokenResp::decode(&token).unwrap().response_token.unwrap();
    let request = challenged.receive(authenticate, fresh(3).now).unwrap();
    let outcome = crate::common::verify(request).unwrap();
    let mut session = outcome.into_account().unwrap().into_session();
    let mic = session.sign(list.as_bytes()).unwrap();
    let last = NegTokenResp {
        neg_state: Some(NegState::AcceptCompleted),
        mech_list_mic: Some(&mic),
        ..NegTokenResp::default()
    };
    assert_eq!(initiator.step(&last.encode()).unwrap_err(), altered());
}

#[test]
fn a_flipped_signature_is_refused() {
    for config in [initiator_config, kerberos_first] {
        for (from_the_end, stopped) in
            [(2, Stopped::Acceptor(altered())), (1, Stopped::Initiator(altered()))]
        {
            let count = Negotiation::new(config(), acceptor()).run().unwrap().tokens.len();
            let between = |number: usize, token: Vec<u8>| {
                if number == count - from_the_end { flipped(&token) } else { token }
            };
            let negotiation =
                Negotiation { between: &between, ..Negotiation::new(config(), acceptor()) };
            assert_eq!(negotiation.stopped(), stopped);
        }
    }
}

/// The other end's own signature, sent back to it.
#[test]
fn a_reflected_signature_is_refused() {
    let (token, initiator) = Initiator::start(initiator_config());
    let AcceptorStep::Continue(token, _) = acceptor().step(&token, fresh(1)).unwrap() else {
        panic!()
    };
    let InitiatorStep::Respond(responding) = initiator.step(&token).unwrap() else { panic!() };
    let (token, initiator) = responding.respond(&alice(), fresh(2)).unwrap().send().unwrap();
    let reflected = changed(&token, |resp| {
        resp.neg_state = Some(NegState::AcceptCompleted);
        resp.response_token = None;
    });
    assert_eq!(initiator.step(&reflected).unwrap_err(), altered());
}

#[test]
fn a_missing_signature_of_the_acceptor_is_refused_unless_relaxed() {
    let between = |number: usize, token: Vec<u8>| {
        if number.is_multiple_of(2) {
            token
        } else {
            changed(&token, |resp| resp.mech_list_mic = None)
        }
    };
    let run =
        |config| Negotiation { between: &between, ..Negotiation::new(config, acceptor()) }.run();
    let missing = Stopped::Initiator(PeerError::MechListMicMissing);
    assert_eq!(run(initiator_config()).map(drop), Err(missing.clone()));
    let relaxed = |config| InitiatorConfig { insecure_accept_missing_mic: true, ..config };
    let ended = run(relaxed(initiator_config())).unwrap();
    assert_eq!(ended.initiated.mech_list_mic, MechListMic::Absent);
    // Not where NTLM was not the first choice: there it is all that there is.
    assert_eq!(run(relaxed(kerberos_first())).map(drop), Err(missing));
}

#[test]
fn a_missing_signature_of_the_initiator_is_waited_for_and_nothing_else_will_do() {
    for config in [initiator_config, kerberos_first] {
        let count = Negotiation::new(config(), acceptor()).run().unwrap().tokens.len();
        let between = |number: usize, token: Vec<u8>| {
            let sent = number == count - 2;
            if sent { changed(&token, |resp| resp.mech_list_mic = None) } else { token }
        };
        let negotiation =
            Negotiation { between: &between, ..Negotiation::new(config(), acceptor()) };
        // What the initiator gets is accept-incomplete, when it has nothing more to say.
        let unexpected = PeerError::UnexpectedNegState(Some(NegState::AcceptIncomplete));
        assert_eq!(negotiation.stopped(), Stopped::Initiator(unexpected));
    }
}

/// Removing SIGN from the messages, so that no list can be signed.
#[test]
fn stripped_flags_do_not_do_away_with_the_signature() {
    let strip = |token: Vec<u8>, place: usize| {
        let find = token.windows(8).position(|window| window == b"NTLMSSP\0");
        let mut token = token;
        if let Some(start) = find {
            let place = &mut token[start + place..start + place + 4];
            let flags = u32::from_le_bytes(place.try_into().unwrap());
            let sign = NegotiateFlags::NEGOTIATE_SIGN | NegotiateFlags::NEGOTIATE_SEAL;
            place.copy_from_slice(&(flags & !sign.bits()).to_le_bytes());
        }
        token
    };
    let plain = InitiatorConfig { preferred: vec![mechanism::KERBEROS], ..Default::default() };
    let between = |number: usize, token: Vec<u8>| match number {
        2 => strip(token, 12),
        3 => strip(token, 20),
        _ => token,
    };
    let negotiation = Negotiation { between: &between, ..Negotiation::new(plain, acceptor()) };
    assert_eq!(negotiation.stopped(), Stopped::Initiator(PeerError::NoIntegrity));
    // With NTLM as the first choice it is the MIC of AUTHENTICATE that tells.
    let between = |number: usize, token: Vec<u8>| match number {
        0 => strip(token, 12),
        1 => strip(token, 20),
        _ => token,
    };
    let plain = InitiatorConfig::default();
    let negotiation = Negotiation { between: &between, ..Negotiation::new(plain, acceptor()) };
    assert_eq!(negotiation.stopped(), Stopped::Denied(DenialReason::Mic));
}

/// A client that cannot sign, though NTLM was not its first choice: nothing protects the choice.
#[test]
fn an_initiator_that_cannot_sign_is_refused_where_it_has_to() {
    let list = [mechanism::KERBEROS, mechanism::NTLM];
    let init = NegTokenInit {
        mech_types: MechTypeList::new(&list),
        req_flags: None,
        mech_token: None,
        mech_list_mic: None,
    };
    let AcceptorStep::Continue(_, acceptor) = acceptor().step(&init.encode(), fresh(1)).unwrap()
    else {
        panic!()
    };
    let (negotiate, client) = Client::start(ClientConfig::default());
    let wrap = |message: &[u8]| {
        NegTokenResp { response_token: Some(message), ..NegTokenResp::default() }.encode()
    };
    let AcceptorStep::Continue(token, acceptor) =
        acceptor.step(&wrap(&negotiate), fresh(1)).unwrap()
    else {
        panic!()
    };
    let challenge = NegTokenResp::decode(&token).unwrap().response_token.unwrap();
    let (authenticate, _) = client.respond(challenge, &alice(), fresh(2)).unwrap();
    let AcceptorStep::Judge(request, waiting) =
        acceptor.step(&wrap(&authenticate), fresh(3)).unwrap()
    else {
        panic!()
    };
    let outcome = crate::common::verify(request).unwrap();
    assert_eq!(waiting.settle(outcome).unwrap_err(), PeerError::NoIntegrity);
}

const DUMMY: [u8; 16] = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// pyspnego signs its list with the signature that is always the same. It proves nothing, and does
/// not count.
#[test]
fn a_signature_without_a_key_does_not_count() {
    let settle = |mic: [u8; 16]| {
        let (negotiate, client) = Client::start(ClientConfig::default());
        let init = NegTokenInit {
            mech_types: MechTypeList::new(&[mechanism::NTLM]),
            req_flags: None,
            mech_token: Some(&negotiate),
            mech_list_mic: None,
        };
        let step = acceptor().step(&init.encode(), fresh(1)).unwrap();
        let AcceptorStep::Continue(token, acceptor) = step else { panic!() };
        let challenge = NegTokenResp::decode(&token).unwrap().response_token.unwrap();
        let (authenticate, _) = client.respond(challenge, &alice(), fresh(2)).unwrap();
        let token = NegTokenResp {
            response_token: Some(&authenticate),
            mech_list_mic: Some(&mic),
            ..NegTokenResp::default()
        };
        let step = acceptor.step(&token.encode(), fresh(3)).unwrap();
        let AcceptorStep::Judge(request, waiting) = step else { panic!() };
        waiting.settle(crate::common::verify(request).unwrap())
    };
    let AcceptorStep::Done(accepted) = settle(DUMMY).unwrap() else { panic!() };
    assert_eq!(accepted.mech_list_mic, MechListMic::Absent);
    assert_eq!(settle([2; 16]).unwrap_err(), altered());
}

/// Nor where an acceptor sends it, with which it is done or wants another.
#[test]
fn nor_does_it_count_for_the_initiator() {
    let says = |neg_state, mic: Option<&[u8]>| {
        let neg_state = Some(neg_state);
        NegTokenResp { neg_state, mech_list_mic: mic, ..NegTokenResp::default() }.encode()
    };
    for neg_state in [NegState::AcceptCompleted, NegState::AcceptIncomplete] {
        let (token, initiator) = Initiator::start(InitiatorConfig::default());
        let init = NegTokenInit::decode(&token).unwrap();
        let mut negotiate = NegotiateMessage::decode(init.mech_token.unwrap()).unwrap();
        negotiate.negotiate_flags.remove(NegotiateFlags::NEGOTIATE_SIGN);
        let negotiate = negotiate.encode().unwrap();
        let token = NegTokenInit { mech_token: Some(&negotiate), ..init }.encode();
        let step = acceptor().step(&token, fresh(1)).unwrap();
        let AcceptorStep::Continue(token, _) = step else { panic!() };
        let InitiatorStep::Respond(responding) = initiator.step(&token).unwrap() else { panic!() };
        let answer = responding.respond(&alice(), fresh(2)).unwrap();
        let (_, initiator) = answer.send().unwrap();
        let step = initiator.step(&says(neg_state, Some(&DUMMY))).unwrap();
        let initiated = match step {
            InitiatorStep::Done(initiated) => initiated,
            InitiatorStep::Continue(_, initiator) => {
                let step = initiator.step(&says(NegState::AcceptCompleted, None)).unwrap();
                let InitiatorStep::Done(initiated) = step else { panic!() };
                initiated
            }
            step => panic!("{step:?}"),
        };
        assert_eq!(initiated.mech_list_mic, MechListMic::Absent, "{neg_state}");
    }
}

#[test]
fn wrong_password_and_unknown_user_are_denied() {
    let judge = |request: ntlm::LogonRequest| {
        request.verify(None).map_err(|denied| denied.reason_for_the_log())
    };
    let negotiation =
        Negotiation { judge: &judge, ..Negotiation::new(initiator_config(), acceptor()) };
    assert_eq!(negotiation.stopped(), Stopped::Denied(DenialReason::WrongSecret));
}

/// Every prefix and corruption of every token of a negotiation: no panic, no signature left out, and
/// where both ends finish all the same, they have the same key.
#[test]
fn no_corruption_makes_the_ends_disagree() {
    let without_mic = || {
        let config = ServerConfig { send_timestamp: false, ..server_config() };
        Acceptor::new(Server::new(config).unwrap(), AcceptorConfig::default())
    };
    let requiring = || {
        let config = AcceptorConfig { require_mech_list_mic: true, ..Default::default() };
        Acceptor::new(server(), config)
    };
    type Ends = (fn() -> InitiatorConfig, fn() -> Acceptor);
    let runs: [Ends; 4] = [
        (initiator_config, acceptor),
        (kerberos_first, acceptor),
        (initiator_config, requiring),
        (initiator_config, without_mic),
    ];
    for (config, acceptor) in runs {
        let ended = Negotiation::new(config(), acceptor()).run().unwrap();
        let (tokens, clean) = (ended.tokens, ended.initiated.mech_list_mic);
        for (number, token) in tokens.iter().enumerate() {
            for position in 0..token.len() {
                let corrupt = |at: usize, mut token: Vec<u8>| {
                    if let Some(byte) = token.get_mut(position).filter(|_| at == number) {
                        *byte ^= 0x41;
                    }
                    token
                };
                let negotiation = Negotiation::new(config(), acceptor());
                match (Negotiation { between: &corrupt, ..negotiation }).run() {
                    Ok(ended) if clean == MechListMic::Valid => assert_agreement(ended),
                    _ => {}
                }
                let cut = |at: usize, mut token: Vec<u8>| {
                    token.truncate(if at == number { position } else { token.len() });
                    token
                };
                let negotiation = Negotiation::new(config(), acceptor());
                assert!(Negotiation { between: &cut, ..negotiation }.run().is_err());
            }
        }
    }
}

fn assert_agreement(ended: Ended) {
    assert_eq!(ended.initiated.mech_list_mic, MechListMic::Valid);
    assert_eq!(ended.accepted.mech_list_mic, MechListMic::Valid);
    let InitiatedLogon::Account(client) = ended.initiated.logon else { panic!() };
    let AcceptedLogon::Account(server) = ended.accepted.logon else { panic!() };
    let key = |session: &ntlm::Session| *session.exported_session_key().unwrap().expose();
    assert_eq!(key(&client), key(&server));
}
