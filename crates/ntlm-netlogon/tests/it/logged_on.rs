//! Associations with a logon against a server in memory, which may be at fault.

use crate::wire::{config, credential, fresh, now};
use ntlm::keys::{AccountSecret, Password};
use ntlm::policy::ClientPolicy;
use ntlm::text::CodePage;
use ntlm::{Challenged, LogonRequest, Server, ServerConfig, ServerNames, Session, SessionError};
use ntlm_netlogon::client::{
    Altered, Answer, Association, AssociationError, BindError, NtlmBinding, NtlmPackage,
    NtlmResponding, Responded,
};
use ntlm_netlogon::pdu::{
    AuthLevel, AuthType, AuthVerifier, BindAck, BindNak, Body, ContextResult, Fault, FaultStatus,
    Pdu, PfcFlags, Response, SyntaxId, split,
};
use ntlm_netlogon::protect::{NtlmProtection, ProtectError, SecurityContext};
use ntlm_spnego::{AcceptedLogon, Acceptor, AcceptorConfig, AcceptorStep, MechListMic, PeerError};

const PACKAGES: [NtlmPackage; 2] = [NtlmPackage::Ntlmssp, NtlmPackage::Spnego];
const PASSWORD: &str = "Wonder-Land1";

fn context(package: NtlmPackage, auth_level: AuthLevel) -> SecurityContext {
    let auth_type = match package {
        NtlmPackage::Ntlmssp => AuthType::WINNT,
        NtlmPackage::Spnego => AuthType::GSS_NEGOTIATE,
    };
    SecurityContext { auth_type, auth_level, auth_context_id: 1 }
}

fn verifier(context: SecurityContext, auth_value: &[u8]) -> AuthVerifier<'_> {
    let SecurityContext { auth_type, auth_level, auth_context_id } = context;
    AuthVerifier { auth_pad: &[], auth_type, auth_level, auth_context_id, auth_value }
}

fn ack() -> BindAck<'static> {
    let result = ContextResult {
        result: ContextResult::ACCEPTANCE,
        reason: 0,
        transfer_syntax: SyntaxId::NDR,
    };
    BindAck {
        max_xmit_frag: 4280,
        max_recv_frag: 4280,
        assoc_group_id: 7,
        sec_addr: b"",
        results: vec![result],
    }
}

fn pdu<'a>(call_id: u32, body: Body<'a>, verifier: Option<AuthVerifier<'a>>) -> Vec<u8> {
    let pfc_flags = PfcFlags::WHOLE;
    Pdu { rpc_vers_minor: 0, pfc_flags, call_id, body, verifier }.encode().unwrap()
}

enum Waiting {
    Ntlmssp(Challenged),
    Spnego(Acceptor),
}

fn server() -> Server {
    Server::new(ServerConfig::new(ServerNames::new("SERVER", "CORP"))).unwrap()
}

/// The token of a fragment, which has to be of this context.
fn token(fragment: &[u8], context: SecurityContext) -> Vec<u8> {
    let pdu = Pdu::decode(fragment).unwrap();
    assert_eq!(pdu.call_id, 1);
    let received = pdu.verifier.unwrap();
    assert_eq!(received, verifier(context, received.auth_value));
    received.auth_value.to_vec()
}

/// The first two legs: the CHALLENGE that the server sends, and what waits for the answer.
fn challenge(context: SecurityContext, bind: &[u8]) -> (Vec<u8>, Waiting) {
    let token = token(bind, context);
    if context.auth_type == AuthType::WINNT {
        let (challenge, challenged) = server().challenge(&token, fresh()).unwrap();
        return (challenge, Waiting::Ntlmssp(challenged));
    }
    let acceptor = Acceptor::new(server(), AcceptorConfig::default());
    let AcceptorStep::Continue(token, acceptor) = acceptor.step(&token, fresh()).unwrap() else {
        panic!("a challenge")
    };
    (token, Waiting::Spnego(acceptor))
}

fn start(
    package: NtlmPackage,
    level: AuthLevel,
    policy: ClientPolicy,
) -> (NtlmBinding, Vec<u8>, Waiting) {
    let (bind, binding) =
        NtlmBinding::start(SyntaxId::NETLOGON, config(package, level, policy)).unwrap();
    let flags = Pdu::decode(&bind).unwrap().pfc_flags;
    let signs = level >= AuthLevel::PKT_INTEGRITY;
    assert_eq!(flags.contains(PfcFlags::SUPPORT_HEADER_SIGN), signs);
    let (challenge, waiting) = challenge(context(package, level), &bind);
    (binding, challenge, waiting)
}

fn bind_ack(context: SecurityContext, challenge: &[u8]) -> Vec<u8> {
    pdu(1, Body::BindAck(ack()), Some(verifier(context, challenge)))
}

fn verified(request: LogonRequest) -> ntlm::LogonOutcome {
    let secret = AccountSecret::from_password(&Password::from(PASSWORD), CodePage::Cp437);
    request.verify(Some(&secret)).unwrap()
}

/// alter_context_resp as it should be, and the server's session.
fn complete(acceptor: Acceptor, token: &[u8]) -> (Vec<u8>, Session) {
    let AcceptorStep::Judge(request, waiting) = acceptor.step(token, fresh()).unwrap() else {
        panic!("a logon")
    };
    let AcceptorStep::Done(accepted) = waiting.settle(verified(request)).unwrap() else {
        panic!("complete")
    };
    assert_eq!(accepted.mech_list_mic, MechListMic::Valid);
    let AcceptedLogon::Account(session) = accepted.logon else { panic!("an account") };
    (accepted.token, *session)
}

/// Both ends, bound.
fn bound(
    package: NtlmPackage,
    level: AuthLevel,
    policy: ClientPolicy,
) -> (Association, NtlmProtection) {
    let context = context(package, level);
    let (binding, challenge, waiting) = start(package, level, policy);
    let responding = binding.receive(&bind_ack(context, &challenge)).unwrap();
    let responded = responding.respond(&credential("alice", PASSWORD), fresh()).unwrap();
    let (association, session) = match (responded, waiting) {
        (Responded::Auth3(auth3, association), Waiting::Ntlmssp(challenged)) => {
            assert!(matches!(Pdu::decode(&auth3).unwrap().body, Body::Auth3(_)));
            let request = challenged.receive(&token(&auth3, context), now()).unwrap();
            (association, verified(request).into_account().unwrap().into_session())
        }
        (Responded::AlterContext(alter, altering), Waiting::Spnego(acceptor)) => {
            let Body::AlterContext(offer) = Pdu::decode(&alter).unwrap().body else {
                panic!("alter_context")
            };
            assert_eq!(offer.contexts[0].abstract_syntax, SyntaxId::NETLOGON);
            let (reply, session) = complete(acceptor, &token(&alter, context));
            let reply = pdu(1, Body::AlterContextResp(ack()), Some(verifier(context, &reply)));
            let Altered::Bound(association) = altering.receive(&reply).unwrap() else {
                panic!("bound")
            };
            (association, session)
        }
        _ => panic!("the other package"),
    };
    (association, NtlmProtection::new(session, context).unwrap())
}

/// An answer of the server that repeats the stub, as it leaves.
fn answer(server: &mut NtlmProtection, fragments: &[u8]) -> Vec<u8> {
    let context = server.context();
    let (mut rest, mut stub, mut call_id) = (fragments, Vec::new(), 0);
    while let Some((fragment, behind)) = split(rest).unwrap() {
        let mut fragment = fragment.to_vec();
        assert!(fragment.len() <= 4280);
        server.open(&mut fragment).unwrap();
        let pdu = Pdu::decode(&fragment).unwrap();
        let Body::Request(request) = pdu.body else { panic!("a request") };
        stub.extend_from_slice(request.stub);
        (rest, call_id) = (behind, pdu.call_id);
    }
    let response = Response { alloc_hint: 0, context_id: 0, cancel_count: 0, stub: &stub };
    let protected = context.auth_level > AuthLevel::CONNECT;
    let mut fragment =
        pdu(call_id, Body::Response(response), protected.then(|| verifier(context, &[0; 16])));
    server.protect(&mut fragment).unwrap();
    fragment
}

#[test]
fn both_ends_agree_at_every_level() {
    let stub: Vec<u8> = (0..10_000_u32).map(|index| index.to_le_bytes()[0]).collect();
    let levels =
        [AuthLevel::CONNECT, AuthLevel::PKT, AuthLevel::PKT_INTEGRITY, AuthLevel::PKT_PRIVACY];
    for package in PACKAGES {
        for level in levels {
            let (mut association, mut server) = bound(package, level, ClientPolicy::default());
            for stub in [&stub[..], &stub[..16], &[], &stub[..5]] {
                let (sent, calling) = association.call(3, stub, []).unwrap();
                let sealed = level == AuthLevel::PKT_PRIVACY && !stub.is_empty();
                let shown = stub.len() > 8 && sent.windows(8).any(|part| part == &stub[..8]);
                assert!(!(sealed && shown), "{package:?} {level:?}");
                let mut reply = answer(&mut server, &sent);
                let Answer::Whole(echo, next) = calling.receive(&mut reply).unwrap() else {
                    panic!("one fragment")
                };
                assert_eq!(echo, stub, "{package:?} {level:?}");
                association = next;
            }
        }
    }
}

/// Every byte of an answer counts at every level that protects, and none is taken twice.
#[test]
fn a_changed_answer_ends_the_association() {
    for package in PACKAGES {
        for level in [AuthLevel::PKT, AuthLevel::PKT_INTEGRITY, AuthLevel::PKT_PRIVACY] {
            let exchange = || {
                let (association, mut server) = bound(package, level, ClientPolicy::default());
                let (sent, calling) = association.call(3, b"stub", []).unwrap();
                (calling, answer(&mut server, &sent))
            };
            let length = exchange().1.len();
            for index in 0..length {
                let (calling, mut reply) = exchange();
                reply[index] ^= 1;
                assert!(calling.receive(&mut reply).is_err(), "{package:?} {level:?}: {index}");
            }
            let (calling, reply) = exchange();
            // No verifier: a response is none, and a fault is a fault.
            let response =
                Response { alloc_hint: 0, context_id: 0, cancel_count: 0, stub: b"stub" };
            let mut bare = pdu(2, Body::Response(response), None);
            let error = calling.receive(&mut bare).unwrap_err();
            assert_eq!(error, AssociationError::Protect(ProtectError::NoVerifier));
            let (calling, _) = exchange();
            let error = calling.receive(&mut reply.clone()).unwrap_err();
            let altered = ProtectError::Ntlm(SessionError::MessageAltered);
            assert_eq!(error, AssociationError::Protect(altered), "of another association");

            let (calling, mut reply) = exchange();
            let again = reply.clone();
            let Answer::Whole(_, association) = calling.receive(&mut reply).unwrap() else {
                panic!("one fragment")
            };
            let (_, calling) = association.call(3, b"stub", []).unwrap();
            let error = calling.receive(&mut again.clone()).unwrap_err();
            let AssociationError::Protect(ProtectError::Ntlm(SessionError::OutOfSequence {
                expected,
                received,
            })) = error
            else {
                panic!("{error:?}")
            };
            assert_eq!(expected, received + 1);
        }
    }
}

#[test]
fn a_server_that_does_not_answer_bind_is_refused() {
    for package in PACKAGES {
        let level = AuthLevel::PKT_PRIVACY;
        let ours = context(package, level);
        let refused = |fragment: &dyn Fn(&[u8]) -> Vec<u8>| {
            let (binding, challenge, _) = start(package, level, ClientPolicy::default());
            match binding.receive(&fragment(&challenge)).unwrap_err() {
                BindError::Association(error) => error,
                error => panic!("{error:?}"),
            }
        };
        let nak = BindNak { reason: 8, versions: Vec::new(), rest: &[] };
        let error = refused(&|_| pdu(1, Body::BindNak(nak.clone()), None));
        assert_eq!(error, AssociationError::BindRefused(8));
        let unexpected = AssociationError::Unexpected;
        let error = refused(&|_| pdu(1, Body::BindAck(ack()), None));
        assert_eq!(error, unexpected("auth_verifier"), "nobody was asked");
        for other in [
            SecurityContext { auth_level: AuthLevel::CONNECT, ..ours },
            SecurityContext { auth_type: AuthType::NETLOGON, ..ours },
            SecurityContext { auth_context_id: 2, ..ours },
        ] {
            let error = refused(&|challenge| bind_ack(other, challenge));
            assert_eq!(error, unexpected("auth_verifier"), "{other:?}");
        }
        let error =
            refused(&|challenge| pdu(2, Body::BindAck(ack()), Some(verifier(ours, challenge))));
        assert_eq!(error, unexpected("call_id"));
        let error = refused(&|challenge| {
            pdu(1, Body::AlterContextResp(ack()), Some(verifier(ours, challenge)))
        });
        assert_eq!(error, unexpected("PTYPE"));
    }
}

#[test]
fn a_challenge_that_takes_sealing_away_is_refused() {
    let (package, level) = (NtlmPackage::Ntlmssp, AuthLevel::PKT_PRIVACY);
    let (binding, mut challenge, _) = start(package, level, ClientPolicy::default());
    challenge[20] &= !0x20; // NTLMSSP_NEGOTIATE_SEAL
    let responding = binding.receive(&bind_ack(context(package, level), &challenge)).unwrap();
    let error = responding.respond(&credential("alice", PASSWORD), fresh()).unwrap_err();
    assert!(matches!(error, BindError::Ntlm(_)), "{error:?}");
    assert_eq!(error.to_string(), "peer does not agree to NTLMSSP_NEGOTIATE_SEAL");
}

/// What SPNEGO ends with has to hold too, and somebody has to have said it.
#[test]
fn alter_context_has_to_be_answered_as_it_should() {
    let (package, level) = (NtlmPackage::Spnego, AuthLevel::PKT_PRIVACY);
    let ours = context(package, level);
    let altered = |reply: &dyn Fn(&[u8]) -> Vec<u8>| {
        let (binding, challenge, waiting) = start(package, level, ClientPolicy::default());
        let responding: NtlmResponding = binding.receive(&bind_ack(ours, &challenge)).unwrap();
        let responded = responding.respond(&credential("alice", PASSWORD), fresh()).unwrap();
        let (Responded::AlterContext(alter, altering), Waiting::Spnego(acceptor)) =
            (responded, waiting)
        else {
            panic!("alter_context")
        };
        let (token, _) = complete(acceptor, &token(&alter, ours));
        altering.receive(&reply(&token)).map(|_| ())
    };
    let resp = |token: &[u8]| pdu(1, Body::AlterContextResp(ack()), Some(verifier(ours, token)));
    assert_eq!(altered(&resp), Ok(()));
    let changed = altered(&|token| {
        let mut token = token.to_vec();
        *token.last_mut().unwrap() ^= 1;
        resp(&token)
    });
    assert!(matches!(changed, Err(BindError::Spnego(PeerError::MechListMic(_)))), "{changed:?}");
    let missing = altered(&|_| pdu(1, Body::AlterContextResp(ack()), None));
    assert_eq!(missing, Err(BindError::Spnego(PeerError::MechListMicMissing)));
    let fault = Fault {
        alloc_hint: 0,
        context_id: 0,
        cancel_count: 0,
        flags: 0,
        status: FaultStatus::ACCESS_DENIED,
        stub: &[],
    };
    let denied = altered(&|_| pdu(1, Body::Fault(fault), None));
    let error = AssociationError::Fault(FaultStatus::ACCESS_DENIED);
    assert_eq!(denied, Err(BindError::Association(error)));
    let other = altered(&|token| pdu(1, Body::BindAck(ack()), Some(verifier(ours, token))));
    let error = AssociationError::Unexpected("PTYPE");
    assert_eq!(other, Err(BindError::Association(error)));
}

#[test]
fn nobody_logs_on_at_a_level_that_is_none() {
    for level in [0, 1, 3, 7].map(AuthLevel) {
        let config = config(NtlmPackage::Spnego, level, ClientPolicy::default());
        let error = NtlmBinding::start(SyntaxId::NETLOGON, config).unwrap_err();
        assert_eq!(error, AssociationError::Protect(ProtectError::UnknownLevel(level)));
    }
}

/// As nobody: at level CONNECT, and at no other.
#[test]
fn nobody_is_bound_at_connect_only() {
    let level = AuthLevel::PKT;
    let (binding, challenge, _) = start(NtlmPackage::Ntlmssp, level, ClientPolicy::default());
    let ack = bind_ack(context(NtlmPackage::Ntlmssp, level), &challenge);
    let error = binding.receive(&ack).unwrap().respond_anonymously(fresh()).unwrap_err();
    assert_eq!(error, BindError::Anonymous);
    let level = AuthLevel::CONNECT;
    let (binding, challenge, _) = start(NtlmPackage::Ntlmssp, level, ClientPolicy::default());
    let ack = bind_ack(context(NtlmPackage::Ntlmssp, level), &challenge);
    let responded = binding.receive(&ack).unwrap().respond_anonymously(fresh()).unwrap();
    let Responded::Auth3(_, association) = responded else { panic!("auth3") };
    let (sent, _) = association.call(3, b"stub", []).unwrap();
    assert_eq!(Pdu::decode(&sent).unwrap().verifier, None);
}
