//! Associations with a real domain controller: each way to log on, at each level, proved by calls
//! whose answers are known.

use crate::dc::Controller;
use crate::samr::{SAMR, look_up};
use crate::wire::{Service, Wire, config, credential};
use ntlm::policy::{ClientPolicy, ClientSends};
use ntlm_netlogon::calls::{MapRequest, MapResponse};
use ntlm_netlogon::client::{Association, AssociationError, BindError, NtlmPackage, Security};
use ntlm_netlogon::pdu::{AuthLevel, FaultStatus, SyntaxId};

const PACKAGES: [NtlmPackage; 2] = [NtlmPackage::Ntlmssp, NtlmPackage::Spnego];
const PROTECTED: [AuthLevel; 3] =
    [AuthLevel::PKT, AuthLevel::PKT_INTEGRITY, AuthLevel::PKT_PRIVACY];

/// What a client sends, with and without extended session security.
fn policies() -> [ClientPolicy; 4] {
    let policy = |sends, ess| ClientPolicy {
        sends,
        offer_extended_session_security: ess,
        require_extended_session_security: ess,
        ..ClientPolicy::default()
    };
    [
        policy(ClientSends::Ntlmv2, true),
        policy(ClientSends::Ntlmv2, false),
        policy(ClientSends::InsecureNtlmv1, true),
        policy(ClientSends::InsecureNtlmv1, false),
    ]
}

/// Not NTLMv2 without extended session security in SPNEGO: both directions share one RC4 stream, and
/// Samba's acceptor does not set it back before its own mechListMIC (MS-SPNG 3.3.5.1). NTLMv1 has no
/// mechListMIC.
fn packages(policy: &ClientPolicy) -> &'static [NtlmPackage] {
    let shared = !policy.offer_extended_session_security && policy.sends == ClientSends::Ntlmv2;
    if shared { &PACKAGES[..1] } else { &PACKAGES }
}

#[test]
fn every_logon_protects_at_every_level() {
    let Some(controller) = Controller::get() else { return };
    let alice = credential("alice", controller.password("alice"));
    let mut run = 0;
    let mut known = None;
    for policy in policies() {
        for package in packages(&policy).iter().copied() {
            for level in PROTECTED {
                let case = format!("{package:?} {level:?} {policy:?}");
                let mut wire = Wire::connect(controller, Service::Samr);
                let config = config(package, level, policy.clone());
                let association = wire.log_on(SAMR, config, Some(&alice)).expect(&case);
                let names = ["alice", "bob", "Administrator"];
                let (sid, rids) = look_up(&mut wire, association, &names).expect(&case);
                assert_eq!(sid, controller.fact("DOMAIN_SID"), "{case}");
                assert_eq!(rids[2], 500, "{case}");
                assert_eq!(*known.get_or_insert(rids.clone()), rids, "{case}");
                run += 1;
            }
        }
    }
    assert_eq!(run, 21);
}

/// As many names as a call may have: neither they nor their numbers fit into one fragment.
#[test]
fn long_calls_and_answers_go_in_fragments() {
    let Some(controller) = Controller::get() else { return };
    let alice = credential("alice", controller.password("alice"));
    let names: Vec<&str> = ["alice", "bob", "daisy", "Administrator"].repeat(250);
    for policy in policies() {
        for package in packages(&policy).iter().copied() {
            for level in [AuthLevel::PKT_INTEGRITY, AuthLevel::PKT_PRIVACY] {
                let mut wire = Wire::connect(controller, Service::Samr);
                let config = config(package, level, policy.clone());
                let association = wire.log_on(SAMR, config, Some(&alice)).unwrap();
                let (_, rids) = look_up(&mut wire, association, &names).unwrap();
                assert!(wire.fragments > 1, "{} fragments", wire.fragments);
                assert_eq!(rids.len(), 1000);
                assert!(rids.chunks(4).all(|four| four == &rids[..4] && four[3] == 500));
            }
        }
    }
}

#[test]
fn a_wrong_password_is_refused() {
    let Some(controller) = Controller::get() else { return };
    let alice = credential("alice", "not hers");
    let mut wire = Wire::connect(controller, Service::Samr);
    let spnego = config(NtlmPackage::Spnego, AuthLevel::PKT_PRIVACY, ClientPolicy::default());
    let error = wire.log_on(SAMR, spnego, Some(&alice)).unwrap_err();
    let failed = AssociationError::Fault(FaultStatus::SEC_PKG_ERROR);
    assert_eq!(error, BindError::Association(failed));
    // auth3 has no answer, so that the first call has it.
    let mut wire = Wire::connect(controller, Service::Samr);
    let raw = config(NtlmPackage::Ntlmssp, AuthLevel::PKT_PRIVACY, ClientPolicy::default());
    let association = wire.log_on(SAMR, raw, Some(&alice)).unwrap();
    let failed = AssociationError::Fault(FaultStatus(0x1c01_000b)); // nca_s_proto_error
    assert_eq!(look_up(&mut wire, association, &["alice"]).unwrap_err(), failed);
}

/// The port of Netlogon, from whoever says where everything is.
fn map(wire: &mut Wire, association: Association) -> Result<Vec<u16>, AssociationError> {
    let request = MapRequest { interface: SyntaxId::NETLOGON, max_towers: 8 };
    let stub = request.encode().unwrap();
    let (answer, _) = wire.call(association, MapRequest::OPNUM, &stub)?;
    Ok(MapResponse::decode(&answer).unwrap().ports)
}

/// The endpoint mapper takes every level, CONNECT and nobody too.
#[test]
fn the_endpoint_mapper_answers_everybody() {
    let Some(controller) = Controller::get() else { return };
    let port: u16 = controller.fact("NETLOGON_TCP_PORT").parse().unwrap();
    let mut wire = Wire::connect(controller, Service::EndpointMapper);
    let association = wire.bind(SyntaxId::ENDPOINT_MAPPER, Security::None).unwrap();
    assert_eq!(map(&mut wire, association), Ok(vec![port]));
    let alice = credential("alice", controller.password("alice"));
    let mapped = |package, level, credential| {
        let mut wire = Wire::connect(controller, Service::EndpointMapper);
        let config = config(package, level, ClientPolicy::default());
        let association = wire.log_on(SyntaxId::ENDPOINT_MAPPER, config, credential).unwrap();
        map(&mut wire, association)
    };
    for package in PACKAGES {
        assert_eq!(mapped(package, AuthLevel::PKT_PRIVACY, Some(&alice)), Ok(vec![port]));
    }
    for package in PACKAGES {
        assert_eq!(mapped(package, AuthLevel::CONNECT, None), Ok(vec![port]), "nobody");
    }
    let ntlmssp = mapped(NtlmPackage::Ntlmssp, AuthLevel::CONNECT, Some(&alice));
    assert_eq!(ntlmssp, Ok(vec![port]));
    // The logon is taken and the call made, but Samba fails to answer where signing was negotiated, as
    // SPNEGO does for its mechListMIC.
    let spnego = mapped(NtlmPackage::Spnego, AuthLevel::CONNECT, Some(&alice));
    assert_eq!(spnego, Err(AssociationError::Fault(FaultStatus(1))));
}

/// SAMR does not take what is not protected.
#[test]
fn what_is_not_protected_is_refused() {
    let Some(controller) = Controller::get() else { return };
    let alice = credential("alice", controller.password("alice"));
    let mut wire = Wire::connect(controller, Service::Samr);
    let config = config(NtlmPackage::Ntlmssp, AuthLevel::CONNECT, ClientPolicy::default());
    let association = wire.log_on(SAMR, config, Some(&alice)).unwrap();
    let error = look_up(&mut wire, association, &["alice"]).unwrap_err();
    assert_eq!(error, AssociationError::Fault(FaultStatus::ACCESS_DENIED));
}

#[test]
fn nobody_has_no_keys() {
    let Some(controller) = Controller::get() else { return };
    for package in PACKAGES {
        for level in PROTECTED {
            let mut wire = Wire::connect(controller, Service::EndpointMapper);
            let config = config(package, level, ClientPolicy::default());
            let error = wire.log_on(SyntaxId::ENDPOINT_MAPPER, config, None).unwrap_err();
            assert_eq!(error, BindError::Anonymous, "{package:?} {level:?}");
        }
    }
}
