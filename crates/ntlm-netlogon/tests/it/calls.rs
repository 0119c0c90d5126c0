//! The stubs of the recorded calls.

use crate::common::{array, bytes, hex, number, vector, vectors};
use ntlm::text::Utf16String;
use ntlm_netlogon::calls::{
    Authenticate3Request, Authenticate3Response, CapabilitiesRequest, CapabilitiesResponse,
    ChallengeRequest, ChallengeResponse, LogonLevel, MapRequest, MapResponse, SamLogonMethod,
    SamLogonRequest, SamLogonResponse, SecureChannelType, UserFlags, ValidationLevel,
};
use ntlm_netlogon::keys::{Algorithms, ChannelKeys, SessionKey};
use ntlm_netlogon::pdu::{Body, Pdu, SyntaxId};
use ntlm_netlogon::{DecodeErrorKind, NtStatus};
use serde_json::Value;

fn text(text: &str) -> Utf16String {
    Utf16String::from(text)
}

/// Two stubs that differ only in the numbers of their pointers, which anybody may choose.
fn assert_same_stub(ours: &[u8], theirs: &[u8]) {
    assert_eq!(ours.len(), theirs.len());
    let words = |stub: &[u8]| -> Vec<[u8; 4]> {
        let words = stub.as_chunks::<4>().0.iter();
        words.map(|word| if word[2..] == [2, 0] { [0, 0, 2, 0] } else { *word }).collect()
    };
    assert_eq!(words(ours), words(theirs));
}

#[test]
fn the_endpoint_mapper_says_the_port() {
    let vector = vector("capture-nl-ept-map");
    let (asked, answered) =
        (bytes(&vector["input"]["request_pdu"]), bytes(&vector["input"]["response_pdu"]));
    let Body::Request(request) = Pdu::decode(&asked).unwrap().body else { panic!("no request") };
    assert_eq!(request.opnum, MapRequest::OPNUM);
    let ours = MapRequest { interface: SyntaxId::NETLOGON, max_towers: 4 }.encode().unwrap();
    // The recorded one points at an object of zeros, where ours has a null pointer.
    assert_eq!(hex(&ours[8..]), hex(&request.stub[24..]));
    let Body::Response(response) = Pdu::decode(&answered).unwrap().body else { panic!("a fault") };
    let map = MapResponse::decode(response.stub).unwrap();
    assert_eq!((map.ports, map.status), (vec![49160], 0));
    for length in 0..response.stub.len() {
        assert!(MapResponse::decode(&response.stub[..length]).is_err());
    }
    let mut lie = response.stub.to_vec();
    lie[20] = 200;
    assert_eq!(MapResponse::decode(&lie).unwrap_err().kind, DecodeErrorKind::Contradiction);
}

#[test]
fn the_channel_is_set_up_as_recorded() {
    let vector = vector("capture-nl-session");
    let (input, expected) = (&vector["input"], &vector["expected"]);
    let stub = bytes(&input["req_challenge_stub"]);
    let request = ChallengeRequest {
        primary_name: Some(text("\\\\DC1")),
        computer_name: text("MEMBER1"),
        client_challenge: array(&input["client_challenge"]),
    };
    assert_eq!(ChallengeRequest::decode(&stub).unwrap(), request);
    assert_eq!(hex(&request.encode().unwrap()), hex(&stub));
    let response = ChallengeResponse::decode(&bytes(&input["req_challenge_response_stub"]));
    let response = response.unwrap();
    assert_eq!(hex(&response.server_challenge), input["server_challenge"]);
    assert_eq!(response.status, NtStatus::SUCCESS);

    let stub = bytes(&input["authenticate3_stub"]);
    let request = Authenticate3Request::decode(&stub).unwrap();
    assert_eq!(request.account_name, text("MEMBER1$"));
    assert_eq!(request.secure_channel_type, SecureChannelType::WORKSTATION);
    assert_eq!(request.computer_name, text("MEMBER1"));
    assert_eq!(hex(&request.client_credential), expected["client_credential"]);
    assert_eq!(hex(&request.encode().unwrap()), hex(&stub));
    let response = Authenticate3Response::decode(&bytes(&input["authenticate3_response_stub"]));
    let response = response.unwrap();
    assert_eq!(hex(&response.server_credential), expected["server_credential"]);
    assert_eq!(u64::from(response.negotiate_flags.bits()), number(&expected["negotiated_flags"]));
    assert_eq!(u64::from(response.account_rid), expected["account_rid"].as_u64().unwrap());
    assert_eq!(response.status, NtStatus::SUCCESS);
}

fn keys(vector: &Value) -> ChannelKeys {
    ChannelKeys {
        algorithms: Algorithms::AesSha2,
        session_key: SessionKey::new(array(&vector["input"]["session_key"])),
    }
}

#[test]
fn capabilities_are_asked_and_told() {
    let vector = vector("capture-nl-GetCapabilities");
    let stub = bytes(&vector["input"]["request_stub"]);
    let request = CapabilitiesRequest::decode(&stub).unwrap();
    assert_eq!(request.server_name, text("\\\\DC1"));
    assert_eq!(request.computer_name, Some(text("MEMBER1")));
    assert_same_stub(&request.encode().unwrap(), &stub);
    let response = CapabilitiesResponse::decode(&bytes(&vector["expected"]["response_stub"]));
    let response = response.unwrap();
    assert_eq!(response.server_capabilities.bits(), 0x612f_ffff);
    assert_eq!(response.status, NtStatus::SUCCESS);
}

/// The recorded calls of either method, with the number of the method.
fn logons() -> Vec<(u16, Value)> {
    let calls = vectors().into_iter().filter_map(|vector| {
        let id = vector["id"].as_str().unwrap();
        if !id.starts_with("capture-nl-SamLogon") {
            return None;
        }
        let method = if id.contains("WithFlags") {
            SamLogonMethod::WITH_FLAGS_OPNUM
        } else {
            SamLogonMethod::EX_OPNUM
        };
        Some((method, vector))
    });
    let calls: Vec<_> = calls.collect();
    assert_eq!(calls.len(), 6);
    calls
}

#[test]
fn logons_are_asked_as_recorded() {
    let mut stated = 0;
    for (opnum, vector) in logons() {
        let stub = bytes(&vector["input"]["request_stub"]);
        let request = SamLogonRequest::decode(opnum, &stub).unwrap();
        assert_eq!(request.logon_server, Some(text("\\\\DC1")));
        assert_eq!(request.logon_level, LogonLevel::NetworkTransitive);
        let (info, logon) = (&request.network_info, &vector["input"]["logon"]);
        if logon["challenge_sent_to_dc"].is_string() {
            assert_eq!(hex(&info.lm_challenge), logon["challenge_sent_to_dc"]);
        }
        // The refused ones state nothing but the status.
        if logon.is_object() {
            assert_eq!(info.user_name, text(logon["user"].as_str().unwrap()));
            assert_eq!(info.logon_domain_name, text(logon["domain"].as_str().unwrap()));
            assert_eq!(hex(&info.nt_challenge_response), logon["nt_response"]);
            stated += 1;
        }
        assert_eq!(request.method.opnum(), opnum);
        assert_same_stub(&request.encode().unwrap(), &stub);
        for length in 0..stub.len() {
            assert!(SamLogonRequest::decode(opnum, &stub[..length]).is_err());
        }
    }
    assert_eq!(stated, 4);
}

#[test]
fn verdicts_are_read_as_recorded() {
    for (opnum, vector) in logons() {
        let id = vector["id"].as_str().unwrap();
        let stub = bytes(&vector["expected"]["response_stub"]);
        let keys = keys(&vector);
        let response = SamLogonResponse::decode(opnum, &stub, &keys).unwrap();
        assert_eq!(u64::from(response.status.0), number(&vector["expected"]["nt_status"]), "{id}");
        assert!(response.authoritative);
        assert_eq!(response.return_authenticator.is_some(), opnum == 45);
        for length in 0..stub.len() {
            let read = SamLogonResponse::decode(opnum, &stub[..length], &keys);
            assert!(read.is_err(), "{id}: {length} bytes");
        }
        let Some(validation) = response.validation else {
            assert_ne!(response.status, NtStatus::SUCCESS, "{id}");
            continue;
        };
        let logon = &vector["input"]["logon"];
        let key = hex(validation.user_session_key.expose());
        assert_eq!(key, logon["user_session_key"], "{id}");
        assert_eq!(validation.effective_name, text("alice"));
        assert_eq!(validation.full_name, text("Alice Example"));
        assert_eq!(validation.logon_server, text("DC1"));
        assert_eq!(validation.logon_domain_name, text("EXAMPLE"));
        assert_eq!((validation.user_id, validation.primary_group_id), (1102, 513));
        let groups: Vec<u32> = validation.groups.iter().map(|group| group.relative_id).collect();
        assert_eq!(groups, [513, 1103]);
        let sid = validation.logon_domain_id.unwrap().to_string();
        assert_eq!(sid, "S-1-5-21-1869209472-4291720033-4180027007", "{id}");
        assert!(!validation.user_flags.contains(UserFlags::GUEST));
        match validation.level {
            ValidationLevel::SamInfo4 => {
                assert_eq!(validation.upn, Some(text("alice@example.test")));
                assert_eq!(validation.dns_logon_domain_name, Some(text("example.test")));
            }
            ValidationLevel::SamInfo2 => assert_eq!(validation.upn, None),
            ValidationLevel::SamInfo => panic!("{id}"),
        }
    }
}

#[test]
fn no_changed_byte_breaks_a_reader() {
    for (opnum, vector) in logons() {
        let keys = keys(&vector);
        let (asked, answered) =
            (bytes(&vector["input"]["request_stub"]), bytes(&vector["expected"]["response_stub"]));
        for value in [0, 1, 0x7f, 0xff] {
            for index in 0..asked.len() {
                let mut changed = asked.clone();
                changed[index] = value;
                if let Ok(request) = SamLogonRequest::decode(opnum, &changed) {
                    let again = SamLogonRequest::decode(opnum, &request.encode().unwrap());
                    assert_eq!(again.unwrap(), request);
                }
            }
            for index in 0..answered.len() {
                let mut changed = answered.clone();
                changed[index] = value;
                let _ = SamLogonResponse::decode(opnum, &changed, &keys);
            }
        }
    }
}

/// Counts that are not backed by bytes, or contradict each other, are refused before anything is
/// made of them.
#[test]
fn counts_that_lie_are_refused() {
    let (opnum, vector) = logons().remove(0);
    let (keys, stub) = (keys(&vector), bytes(&vector["expected"]["response_stub"]));
    let spoiled = |offset: usize, value: u32| {
        let mut stub = stub.clone();
        stub[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
        let error = SamLogonResponse::decode(opnum, &stub, &keys).unwrap_err();
        (error.kind, error.field)
    };
    // Offsets as in the table of the fixed part: GroupCount, the count before GroupIds, SidCount.
    assert_eq!(spoiled(116, 3), (DecodeErrorKind::Contradiction, "GroupIds"));
    assert_eq!(spoiled(420, 3), (DecodeErrorKind::Contradiction, "GroupIds"));
    assert_eq!(spoiled(420, u32::MAX), (DecodeErrorKind::TooLong, "GroupIds"));
    assert_eq!(spoiled(420, 0xffff), (DecodeErrorKind::Truncated, "GroupIds"));
    assert_eq!(spoiled(204, 1), (DecodeErrorKind::Contradiction, "ExtraSids"));
    assert_eq!(spoiled(488, 16), (DecodeErrorKind::TooLong, "LogonDomainId"));
    assert_eq!(spoiled(488, 5), (DecodeErrorKind::Contradiction, "LogonDomainId"));
    assert_eq!(spoiled(0, 5), (DecodeErrorKind::WrongValue, "ValidationLevel"));
}
