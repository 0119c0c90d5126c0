//! Messages of captures: what decodes encodes back.

use crate::common::captures;
use ntlm_smb::smb2::{
    Command, Compound, ContextData, ContextListBuilder, ContextType, ErrorResponse, Header,
    NegotiateRequest, NegotiateResponse, SessionSetupRequest, SessionSetupResponse,
    TreeConnectRequest, TreeConnectResponse,
};
use ntlm_smb::{NtStatus, ProtocolId, smb1};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn what_decodes_encodes_back() {
    let mut kinds = BTreeMap::new();
    for (name, _, connections) in captures() {
        for message in connections.iter().flatten() {
            if ProtocolId::of(&message.bytes) != Some(ProtocolId::Smb2) {
                continue;
            }
            for message in Compound::new(&message.bytes) {
                let message = message.unwrap();
                if let Some((kind, again)) = encode_again(&message.header, message.bytes) {
                    let length = again.len();
                    // impacket, which also made netlogon-*, pads with 0xff; Samba leaves anything
                    // in the byte that stands for no ErrorData.
                    let pads = name.starts_with("impacket") || name.starts_with("netlogon");
                    let same = again.iter().zip(message.bytes).enumerate().all(|(at, pair)| {
                        pair.0 == pair.1
                            || (pads && pair == (&0, &0xff))
                            || (kind == "error" && at == 72)
                    });
                    assert!(same, "{name} {kind}");
                    // A compound's padding is not part of a body.
                    assert!(message.bytes.len() - length < 8, "{name} {kind}");
                    *kinds.entry(kind).or_insert(0) += 1;
                }
            }
        }
    }
    println!("{kinds:?}");
    assert_eq!(kinds.len(), 7);
}

fn encode_again(header: &Header, message: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    let failed = ![NtStatus::SUCCESS, NtStatus::MORE_PROCESSING_REQUIRED].contains(&header.status);
    Some(match (header.command, header.is_response()) {
        (_, true) if failed => {
            let response = ErrorResponse::decode(message).ok()?;
            ("error", response.encode(header).unwrap())
        }
        (Command::NEGOTIATE, false) => {
            let request = NegotiateRequest::decode(message).unwrap();
            ("negotiate request", request.encode(header).unwrap())
        }
        (Command::NEGOTIATE, true) => {
            let response = NegotiateResponse::decode(message).unwrap();
            ("negotiate response", response.encode(header).unwrap())
        }
        (Command::SESSION_SETUP, false) => {
            let request = SessionSetupRequest::decode(message).unwrap();
            ("session setup request", request.encode(header).unwrap())
        }
        (Command::SESSION_SETUP, true) => {
            let response = SessionSetupResponse::decode(message).unwrap();
            ("session setup response", response.encode(header).unwrap())
        }
        (Command::TREE_CONNECT, false) => {
            let request = TreeConnectRequest::decode(message).unwrap();
            ("tree connect request", request.encode(header).unwrap())
        }
        (Command::TREE_CONNECT, true) => {
            ("tree connect response", TreeConnectResponse::decode(message).unwrap().encode(header))
        }
        _ => return None,
    })
}

#[test]
fn contexts_are_read_and_made() {
    let mut types = BTreeSet::new();
    for (_, _, connections) in captures() {
        for message in connections.iter().flatten() {
            let Ok(request) = NegotiateRequest::decode(&message.bytes) else { continue };
            for context in request.contexts.iter() {
                let context = context.unwrap();
                let data = context.decode().unwrap();
                assert_eq!(data == ContextData::Unknown, context.context_type.name().is_none());
                let span = context.data.span();
                let bytes = &message.bytes[span.offset..span.offset + span.length];
                assert_eq!(bytes, context.data.bytes());
                types.insert(context.context_type.0);
            }
        }
    }
    for seen in [ContextType::PREAUTH_INTEGRITY, ContextType::ENCRYPTION, ContextType::SIGNING] {
        assert!(types.contains(&seen.0), "{seen}");
    }
    let list = ContextListBuilder::new()
        .preauth_integrity(&[9; 5])
        .and_then(|list| list.encryption(&[2, 1]))
        .and_then(|list| list.signing(&[2]))
        .unwrap();
    let contexts = list.contexts();
    assert_eq!(contexts.iter().count(), 3);
    assert_eq!(contexts.chosen(ContextType::SIGNING), Some(2));
    assert_eq!(contexts.chosen(ContextType::PREAUTH_INTEGRITY), Some(1));
    assert_eq!(contexts.chosen(ContextType::ENCRYPTION), None, "two is no choice");
    assert_eq!(contexts.chosen(ContextType::NETNAME), None);
}

#[test]
fn andx_chains_lead_on_or_end() {
    let header = smb1::Header {
        command: smb1::Command::SESSION_SETUP_ANDX,
        status: 0,
        flags: smb1::Flags::empty(),
        flags2: smb1::Flags2::empty(),
        pid_high: 0,
        security_signature: [0; 8],
        reserved: 0,
        tid: 0,
        pid_low: 0,
        uid: 0,
        mid: 0,
    };
    let message = |offset: u8| {
        let first = smb1::Block::encode(&[0x75, 0, offset, 0], &[]).unwrap();
        let second = smb1::Block::encode(&[0xff, 0, 0, 0], &[7]).unwrap();
        [header.encode().as_slice(), &first, &second].concat()
    };
    let chain = message(39);
    let commands: Vec<smb1::Command> =
        smb1::Blocks::new(&chain).unwrap().map(|block| block.unwrap().command).collect();
    assert_eq!(commands, [smb1::Command::SESSION_SETUP_ANDX, smb1::Command::TREE_CONNECT_ANDX]);
    for offset in [0, 32, 33, 36] {
        let loops = message(offset);
        let last = smb1::Blocks::new(&loops).unwrap().last().unwrap().unwrap_err();
        assert_eq!((last.field, last.offset), ("AndXOffset", 35));
        assert_eq!(last.to_string(), "does not lead on: AndXOffset at offset 35");
    }
    let beyond = message(200);
    assert!(smb1::Blocks::new(&beyond).unwrap().last().unwrap().is_err());
}
