//! Tokens out of order, and what has no place where it stands.

use crate::common::{Negotiation, acceptor, alice, fresh, initiator_config, verify};
use ntlm::{Client, ClientConfig};
use ntlm_spnego::{
    Acceptor, AcceptorStep, DecodeErrorKind, Initiator, InitiatorConfig, InitiatorStep,
    MechListMic, MechTypeList, NegState, NegTokenInit, NegTokenResp, PeerError, mechanism,
};

fn kerberos_first() -> InitiatorConfig {
    InitiatorConfig { preferred: vec![mechanism::KERBEROS], ..initiator_config() }
}

const EMPTY: NegTokenResp<'static> = NegTokenResp {
    neg_state: None,
    supported_mech: None,
    response_token: None,
    mech_list_mic: None,
};

/// The acceptor before each token that it waits for, of a negotiation in which every kind comes:
/// NegTokenInit, NEGOTIATE, AUTHENTICATE, and a mechListMIC by itself. With the token that is due.
fn acceptors() -> Vec<(Acceptor, Vec<u8>)> {
    (0..4).map(acceptor_before).collect()
}

fn acceptor_before(steps: usize) -> (Acceptor, Vec<u8>) {
    let (mut token, mut initiator) = Initiator::start(kerberos_first());
    let mut acceptor = acceptor();
    for _ in 0..steps.min(2) {
        let AcceptorStep::Continue(reply, next) = acceptor.step(&token, fresh(1)).unwrap() else {
            panic!()
        };
        acceptor = next;
        (token, initiator) = match initiator.step(&reply).unwrap() {
            InitiatorStep::Continue(token, next) => (token, next),
            InitiatorStep::Respond(responding) => {
                responding.respond(&alice(), fresh(2)).unwrap().send().unwrap()
            }
            step => panic!("{step:?}"),
        };
    }
    if steps < 3 {
        return (acceptor, token);
    }
    let both = NegTokenResp::decode(&token).unwrap();
    let message = NegTokenResp { mech_list_mic: None, ..both }.encode();
    let signature = NegTokenResp { response_token: None, ..both }.encode();
    let AcceptorStep::Judge(request, waiting) = acceptor.step(&message, fresh(3)).unwrap() else {
        panic!()
    };
    let AcceptorStep::Continue(_, acceptor) = waiting.settle(verify(request).unwrap()).unwrap()
    else {
        panic!()
    };
    (acceptor, signature)
}

#[test]
fn the_acceptor_takes_each_token_in_its_turn_only() {
    let due: Vec<_> = acceptors().into_iter().map(|(_, token)| token).collect();
    for turn in 0..due.len() {
        for (number, token) in due.iter().enumerate() {
            let (acceptor, _) = acceptor_before(turn);
            let step = acceptor.step(token, fresh(4));
            assert_eq!(step.is_ok(), number == turn, "token {number} in turn {turn}");
        }
        // Nor a token of its own.
        for own in own_tokens() {
            assert!(acceptor_before(turn).0.step(&own, fresh(4)).is_err(), "turn {turn}");
        }
    }
}

/// What the acceptor sends in a negotiation with every kind of token.
fn own_tokens() -> Vec<Vec<u8>> {
    let ended = Negotiation::new(kerberos_first(), acceptor()).run().unwrap();
    ended.tokens.into_iter().skip(1).step_by(2).collect()
}

/// The initiator before each token that it waits for, with the token that is due.
fn initiator_before(steps: usize) -> (Initiator, Vec<u8>) {
    let (mut token, mut initiator) = Initiator::start(kerberos_first());
    let mut acceptor = acceptor();
    let mut step = 0;
    loop {
        let reply = match acceptor.step(&token, fresh(1)).unwrap() {
            AcceptorStep::Continue(reply, next) => {
                acceptor = next;
                reply
            }
            AcceptorStep::Judge(request, waiting) => {
                let settled = waiting.settle(verify(request).unwrap()).unwrap();
                let AcceptorStep::Done(accepted) = settled else { panic!() };
                acceptor = crate::common::acceptor();
                accepted.token
            }
            step => panic!("{step:?}"),
        };
        if step == steps {
            return (initiator, reply);
        }
        step += 1;
        (token, initiator) = match initiator.step(&reply).unwrap() {
            InitiatorStep::Continue(token, next) => (token, next),
            InitiatorStep::Respond(responding) => {
                responding.respond(&alice(), fresh(2)).unwrap().send().unwrap()
            }
            step => panic!("{step:?}"),
        };
    }
}

#[test]
fn the_initiator_takes_each_token_in_its_turn_only() {
    let due: Vec<_> = (0..3).map(|turn| initiator_before(turn).1).collect();
    for turn in 0..due.len() {
        for (number, token) in due.iter().enumerate() {
            let (initiator, _) = initiator_before(turn);
            let step = initiator.step(token);
            assert_eq!(step.is_ok(), number == turn, "token {number} in turn {turn}");
        }
        let (initiator, _) = initiator_before(turn);
        let own = Initiator::start(kerberos_first()).0;
        assert!(matches!(initiator.step(&own), Err(PeerError::Decode(_))), "turn {turn}");
    }
}

#[test]
fn reject_ends_it_in_every_turn() {
    let reject = NegTokenResp::REJECT.encode();
    for turn in 0..3 {
        let (initiator, _) = initiator_before(turn);
        assert_eq!(initiator.step(&reject).unwrap_err(), PeerError::Rejected);
    }
    for turn in 1..4 {
        let (acceptor, _) = acceptor_before(turn);
        assert_eq!(acceptor.step(&reject, fresh(4)).unwrap_err(), PeerError::Rejected);
    }
}

#[test]
fn raw_ntlm_in_the_middle_is_refused() {
    let (raw, _) = Client::start(ClientConfig::default());
    for turn in 0..3 {
        assert_eq!(initiator_before(turn).0.step(&raw).unwrap_err(), PeerError::RawNtlm);
    }
    for turn in 1..4 {
        let refused = acceptor_before(turn).0.step(&raw, fresh(4)).unwrap_err();
        assert_eq!(refused, PeerError::RawNtlm);
    }
}

#[test]
fn spnego_after_raw_ntlm_is_refused() {
    let (raw, _) = Client::start(ClientConfig::default());
    let AcceptorStep::Continue(_, acceptor) = acceptor().step(&raw, fresh(1)).unwrap() else {
        panic!()
    };
    let (token, _) = Initiator::start(initiator_config());
    assert!(matches!(acceptor.step(&token, fresh(2)), Err(PeerError::Ntlm(_))));
}

#[test]
fn a_negotiation_cannot_begin_with_a_later_token_or_without_a_list() {
    let token = NegTokenResp { response_token: Some(b"NTLMSSP\0"), ..EMPTY }.encode();
    assert!(matches!(acceptor().step(&token, fresh(1)), Err(PeerError::Decode(_))));
    let no_list = [0x60, 0x0c, 6, 6, 0x2b, 6, 1, 5, 5, 2, 0xa0, 2, 0x30, 0];
    let Err(PeerError::Decode(error)) = acceptor().step(&no_list, fresh(1)) else { panic!() };
    assert_eq!((error.kind, error.field), (DecodeErrorKind::Missing, "mechTypes"));
}

#[test]
fn a_list_without_ntlm_has_nothing_in_common() {
    let init = NegTokenInit {
        mech_types: MechTypeList::new(&[mechanism::KERBEROS, mechanism::NEGOEX]),
        req_flags: None,
        mech_token: None,
        mech_list_mic: None,
    };
    let refused = acceptor().step(&init.encode(), fresh(1)).unwrap_err();
    assert_eq!(refused, PeerError::NoCommonMechanism);
}

#[test]
fn a_signature_before_there_is_a_key_is_refused() {
    let (token, _) = Initiator::start(initiator_config());
    let init = NegTokenInit::decode(&token).unwrap();
    let signed = NegTokenInit { mech_list_mic: Some(&[1; 16]), ..init }.encode();
    let unexpected = PeerError::UnexpectedField("mechListMIC");
    assert_eq!(acceptor().step(&signed, fresh(1)).unwrap_err(), unexpected);
    let (acceptor, token) = acceptor_before(1);
    let resp = NegTokenResp::decode(&token).unwrap();
    let signed = NegTokenResp { mech_list_mic: Some(&[1; 16]), ..resp }.encode();
    assert_eq!(acceptor.step(&signed, fresh(1)).unwrap_err(), unexpected);
    let (initiator, token) = initiator_before(1);
    let resp = NegTokenResp::decode(&token).unwrap();
    let signed = NegTokenResp { mech_list_mic: Some(&[1; 16]), ..resp }.encode();
    assert_eq!(initiator.step(&signed).unwrap_err(), unexpected);
}

/// Windows 2000 sends a copy of the message where the signature belongs.
#[test]
fn a_copy_of_the_message_is_no_signature() {
    let (initiator, token) = initiator_before(1);
    let resp = NegTokenResp::decode(&token).unwrap();
    let copied = NegTokenResp { mech_list_mic: resp.response_token, ..resp }.encode();
    assert!(matches!(initiator.step(&copied), Ok(InitiatorStep::Respond(_))));
    let (initiator, token) = initiator_before(2);
    let resp = NegTokenResp::decode(&token).unwrap();
    let copied = NegTokenResp { response_token: resp.mech_list_mic, ..resp }.encode();
    assert_eq!(initiator.step(&copied).unwrap_err(), PeerError::MechListMicMissing);
}

/// What the initiator makes of a reply in this turn, changed by `change`.
fn refused(turn: usize, change: impl FnOnce(&mut NegTokenResp<'_>)) -> PeerError {
    let (initiator, token) = initiator_before(turn);
    let mut resp = NegTokenResp::decode(&token).unwrap();
    change(&mut resp);
    initiator.step(&resp.encode()).unwrap_err()
}

#[test]
fn the_initiator_insists_on_states_fields_and_the_mechanism() {
    use NegState::{AcceptCompleted, AcceptIncomplete, RequestMic};
    let state = |state| PeerError::UnexpectedNegState(state);
    for wrong in [None, Some(AcceptCompleted)] {
        assert_eq!(refused(0, |resp| resp.neg_state = wrong), state(wrong));
    }
    for wrong in [None, Some(AcceptCompleted), Some(RequestMic)] {
        assert_eq!(refused(1, |resp| resp.neg_state = wrong), state(wrong));
    }
    for wrong in [None, Some(AcceptIncomplete), Some(RequestMic)] {
        assert_eq!(refused(2, |resp| resp.neg_state = wrong), state(wrong));
    }
    let missing = PeerError::MissingField("supportedMech");
    assert_eq!(refused(0, |resp| resp.supported_mech = None), missing);
    let negoex = Some(mechanism::NEGOEX);
    let not_offered = PeerError::MechanismNotOffered;
    assert_eq!(refused(0, |resp| resp.supported_mech = negoex), not_offered);
    for turn in [1, 2] {
        let changed = PeerError::MechanismChanged;
        assert_eq!(refused(turn, |resp| resp.supported_mech = negoex), changed);
    }
    // The token of a mechanism that was not begun.
    let early = PeerError::UnexpectedField("responseToken");
    assert_eq!(refused(0, |resp| resp.response_token = Some(b"x")), early);
    let missing = PeerError::MissingField("responseToken");
    assert_eq!(refused(1, |resp| resp.response_token = None), missing);
    assert_eq!(refused(2, |resp| resp.response_token = Some(b"x")), early);
}

#[test]
fn repeating_the_mechanism_is_let_pass() {
    for turn in [1, 2] {
        let (initiator, token) = initiator_before(turn);
        let resp = NegTokenResp::decode(&token).unwrap();
        let repeated = NegTokenResp { supported_mech: Some(mechanism::NTLM), ..resp }.encode();
        assert!(initiator.step(&repeated).is_ok());
    }
}

#[test]
fn the_acceptor_insists_on_states_fields_and_the_mechanism() {
    for turn in 1..4 {
        let refused = |change: &dyn Fn(&mut NegTokenResp<'_>)| {
            let (acceptor, token) = acceptor_before(turn);
            let mut resp = NegTokenResp::decode(&token).unwrap();
            change(&mut resp);
            acceptor.step(&resp.encode(), fresh(4)).unwrap_err()
        };
        let request_mic = Some(NegState::RequestMic);
        let unexpected = PeerError::UnexpectedNegState(request_mic);
        assert_eq!(refused(&|resp| resp.neg_state = request_mic), unexpected);
        let kerberos = Some(mechanism::KERBEROS);
        let changed = PeerError::MechanismChanged;
        assert_eq!(refused(&|resp| resp.supported_mech = kerberos), changed);
        if turn < 3 {
            let missing = PeerError::MissingField("responseToken");
            assert_eq!(refused(&|resp| resp.response_token = None), missing);
        } else {
            let missing = PeerError::MechListMicMissing;
            assert_eq!(refused(&|resp| resp.mech_list_mic = None), missing);
            let unexpected = PeerError::UnexpectedField("responseToken");
            assert_eq!(refused(&|resp| resp.response_token = Some(b"x")), unexpected);
        }
    }
}

/// Windows says accept-incomplete with its AUTHENTICATE, Samba nothing.
#[test]
fn the_initiator_may_say_where_it_stands() {
    for turn in 1..4 {
        for state in [NegState::AcceptIncomplete, NegState::AcceptCompleted] {
            let (acceptor, token) = acceptor_before(turn);
            let resp = NegTokenResp::decode(&token).unwrap();
            let token = NegTokenResp { neg_state: Some(state), ..resp }.encode();
            assert!(acceptor.step(&token, fresh(4)).is_ok());
        }
    }
}

/// MIT sends the mechListMIC by itself with accept-completed, and is done then; Samba sends no state.
#[test]
fn an_initiator_that_is_done_is_told_nothing_more() {
    for (state, answered) in [
        (None, true),
        (Some(NegState::AcceptIncomplete), true),
        (Some(NegState::AcceptCompleted), false),
    ] {
        let (acceptor, token) = acceptor_before(3);
        let resp = NegTokenResp::decode(&token).unwrap();
        assert!(resp.response_token.is_none() && resp.mech_list_mic.is_some());
        let token = NegTokenResp { neg_state: state, ..resp }.encode();
        let AcceptorStep::Done(accepted) = acceptor.step(&token, fresh(4)).unwrap() else {
            panic!("{state:?}")
        };
        assert_eq!(accepted.mech_list_mic, MechListMic::Valid);
        assert_eq!(!accepted.token.is_empty(), answered, "{state:?}");
    }
}
