//! Every PDU of the captures and of the vectors reads, and writes to the same bytes.

use crate::common::{recordings, unhex, vectors};
use ntlm_netlogon::DecodeErrorKind;
use ntlm_netlogon::pdu::{
    AuthLevel, AuthType, Bind, Body, Fault, FaultStatus, Header, Pdu, PfcFlags, split,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Whatever in the vector file looks like a PDU.
fn pdus(value: &Value, found: &mut Vec<Vec<u8>>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|value| pdus(value, found)),
        Value::Array(values) => values.iter().for_each(|value| pdus(value, found)),
        Value::String(text) if text.starts_with("0500") && text.get(8..16) == Some("10000000") => {
            let bytes = unhex(text);
            if bytes.len() > 24 {
                found.push(bytes);
            }
        }
        _ => (),
    }
}

fn fragments() -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    vectors().iter().for_each(|vector| pdus(vector, &mut found));
    assert!(found.len() > 60, "{}", found.len());
    for recording in recordings() {
        for fragment in recording.associations().flatten() {
            found.push(fragment.bytes.clone());
        }
    }
    found
}

#[test]
fn every_pdu_writes_to_the_bytes_it_was_read_from() {
    let mut kinds: BTreeMap<u8, usize> = BTreeMap::new();
    for fragment in fragments() {
        let pdu = Pdu::decode(&fragment).unwrap_or_else(|error| panic!("{error}: {fragment:02x?}"));
        assert_eq!(pdu.encode().unwrap(), fragment);
        *kinds.entry(pdu.body.ptype().0).or_default() += 1;
    }
    println!("{kinds:?}");
    let seen: Vec<u8> = kinds.keys().copied().collect();
    assert_eq!(seen, [0, 2, 3, 11, 12, 14, 15, 16]);
}

/// No capture has a bind_nak, a co_cancel or an orphaned.
#[test]
fn what_was_never_recorded_reads_as_it_was_written() {
    let pdu = |body| Pdu {
        rpc_vers_minor: 0,
        pfc_flags: PfcFlags::WHOLE,
        call_id: 3,
        body,
        verifier: None,
    };
    let nak = ntlm_netlogon::pdu::BindNak { reason: 4, versions: vec![[5, 0]], rest: &[0; 3] };
    for body in [Body::BindNak(nak), Body::CoCancel, Body::Orphaned] {
        let encoded = pdu(body.clone()).encode().unwrap();
        assert_eq!(Pdu::decode(&encoded).unwrap(), pdu(body));
    }
    let bind_nak = unhex("05000d031000000015000000010000000400010500");
    let Body::BindNak(nak) = Pdu::decode(&bind_nak).unwrap().body else { panic!("no bind_nak") };
    assert_eq!((nak.reason, nak.versions.as_slice()), (4, &[[5, 0]][..]));
}

fn asks(body: &Body<'_>) -> bool {
    matches!(body, Body::Bind(_) | Body::AlterContext(_) | Body::Auth3(_) | Body::Request(_))
}

/// As the sidecars spell it.
fn named(auth_type: AuthType, auth_level: AuthLevel) -> String {
    let auth_type = match auth_type {
        AuthType::WINNT => "ntlm",
        AuthType::GSS_NEGOTIATE => "spnego",
        AuthType::NETLOGON => "netlogon",
        AuthType(other) => panic!("{other}"),
    };
    let auth_level = match auth_level {
        AuthLevel::CONNECT => "connect",
        AuthLevel::PKT => "packet",
        AuthLevel::PKT_INTEGRITY => "integrity",
        AuthLevel::PKT_PRIVACY => "privacy",
        AuthLevel(other) => panic!("{other}"),
    };
    format!("{auth_type} {auth_level}")
}

#[test]
fn every_recorded_association_is_found() {
    let (mut tcp, mut pipes) = (0, 0);
    for recording in recordings() {
        let mut levels = Vec::new();
        for fragment in recording.associations().flatten() {
            let pdu = Pdu::decode(&fragment.bytes).unwrap();
            assert_eq!(fragment.from_client, asks(&pdu.body), "{}", recording.name);
            if let (Body::Bind(_), Some(verifier)) = (&pdu.body, pdu.verifier) {
                levels.push(named(verifier.auth_type, verifier.auth_level));
            }
        }
        levels.sort();
        levels.dedup();
        if let Some(stated) = recording.sidecar["checked"]["rpc_auth"].as_array() {
            assert_eq!(*stated, levels, "{}", recording.name);
        }
        tcp += recording.over_tcp.len();
        pipes += recording.in_pipes.len();
    }
    println!("{tcp} over TCP, {pipes} in pipes");
    assert!(tcp > 60 && pipes > 4, "{tcp} {pipes}");
}

#[test]
fn no_prefix_and_no_changed_byte_breaks_the_decoder() {
    let mut samples: BTreeMap<(u8, usize), Vec<u8>> = BTreeMap::new();
    for fragment in fragments() {
        samples.entry((fragment[2], fragment.len())).or_insert(fragment);
    }
    for sample in samples.values() {
        for length in 0..sample.len() {
            assert!(Pdu::decode(&sample[..length]).is_err());
            let found = split(&sample[..length]);
            assert!(found.is_err() || found == Ok(None));
        }
        let mut changed = sample.clone();
        for index in 0..changed.len().min(200) {
            for bit in [1, 0x80] {
                changed[index] ^= bit;
                if let Ok(pdu) = Pdu::decode(&changed)
                    && let Ok(encoded) = pdu.encode()
                {
                    // The flag of a request's object follows from the object.
                    assert_eq!(Pdu::decode(&encoded).unwrap().body, pdu.body);
                }
                changed[index] ^= bit;
            }
        }
    }
}

#[test]
fn lengths_that_contradict_each_other_are_named() {
    let fault = Fault {
        alloc_hint: 0,
        context_id: 0,
        cancel_count: 0,
        flags: 0,
        status: FaultStatus::ACCESS_DENIED,
        stub: &[],
    };
    let pdu = Pdu {
        rpc_vers_minor: 0,
        pfc_flags: PfcFlags::WHOLE,
        call_id: 3,
        body: Body::Fault(fault),
        verifier: None,
    };
    let good = pdu.encode().unwrap();
    let spoiled = |offset: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[offset] = value;
        let error = Pdu::decode(&bytes).unwrap_err();
        (error.kind, error.field, error.offset)
    };
    assert_eq!(spoiled(0, 4), (DecodeErrorKind::WrongValue, "rpc_vers", 0));
    assert_eq!(spoiled(2, 99), (DecodeErrorKind::WrongValue, "PTYPE", 2));
    assert_eq!(spoiled(4, 0), (DecodeErrorKind::WrongValue, "packed_drep", 4));
    assert_eq!(spoiled(8, 15), (DecodeErrorKind::Contradiction, "frag_length", 8));
    assert_eq!(spoiled(8, 31), (DecodeErrorKind::TrailingBytes, "frag_length", 31));
    assert_eq!(spoiled(8, 33), (DecodeErrorKind::Truncated, "frag_length", 8));
    assert_eq!(spoiled(10, 9), (DecodeErrorKind::Contradiction, "auth_length", 10));
    let text = Pdu::decode(&good[..20]).unwrap_err().to_string();
    assert_eq!(text, "truncated: frag_length at offset 8");
    assert_eq!(Header::LENGTH, 16);
}

#[test]
fn more_than_a_length_field_holds_is_not_written() {
    let contexts = vec![
        ntlm_netlogon::pdu::PresentationContext {
            context_id: 0,
            abstract_syntax: ntlm_netlogon::pdu::SyntaxId::NETLOGON,
            transfer_syntaxes: Vec::new(),
        };
        256
    ];
    let bind = Bind { max_xmit_frag: 0, max_recv_frag: 0, assoc_group_id: 0, contexts };
    let pdu = Pdu {
        rpc_vers_minor: 0,
        pfc_flags: PfcFlags::WHOLE,
        call_id: 1,
        body: Body::Bind(bind),
        verifier: None,
    };
    assert_eq!(pdu.encode().unwrap_err().field, "n_context_elem");
}
