//! Messages of captures: what decodes encodes back.

use crate::common::captures;
use ntlm_smb::smb2::{
    BareMessage, CloseRequest, CloseResponse, Command, Compound, ContextData, ContextListBuilder,
    ContextType, CreateRequest, CreateResponse, CtlCode, ErrorResponse, FileId, FileInfoClass,
    Header, InfoType, IoctlRequest, IoctlResponse, NegotiateRequest, NegotiateResponse,
    QueryInfoRequest, QueryInfoResponse, ReadRequest, ReadResponse, SessionSetupRequest,
    SessionSetupResponse, SetInfoRequest, SetInfoResponse, TreeConnectRequest, TreeConnectResponse,
    ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse, WriteRequest, WriteResponse,
};
use ntlm_smb::{NtStatus, Part, ProtocolId, smb1};
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
                    // impacket, which also made netlogon-*, pads with 0xff.
                    let pads = name.starts_with("impacket") || name.starts_with("netlogon");
                    let differing =
                        again.iter().zip(message.bytes).enumerate().find(|(at, pair)| {
                            pair.0 != pair.1
                                && !(pads && *pair == (&0, &0xff))
                                && !says_nothing(kind, *at, message.bytes)
                        });
                    assert_eq!(differing, None, "{name} {kind}");
                    // A compound's padding is not part of a body.
                    let padding = message.bytes.len().checked_sub(length);
                    assert!(padding.is_some_and(|padding| padding < 8), "{name} {kind}");
                    *kinds.entry(kind).or_insert(0) += 1;
                }
            }
        }
    }
    println!("{kinds:?}");
    // All but SET_INFO, which no capture has.
    assert_eq!(kinds.len(), 20);
}

#[test]
fn what_decodes_of_smb1_encodes_back() {
    let mut kinds = BTreeMap::new();
    for (name, _, connections) in captures() {
        for message in connections.iter().flatten() {
            // Live ends of ours do not speak LANMAN.
            let lan_man = name.contains("lanman");
            if ProtocolId::of(&message.bytes) != Some(ProtocolId::Smb1) || lan_man {
                continue;
            }
            let header = smb1::Header::decode(&message.bytes).unwrap();
            if let Some((kind, again)) = smb1_again(&header, &message.bytes) {
                // Samba's client counts the terminator of a name, and ends it twice; impacket asks for
                // the response of 42 words.
                let ours = match kind {
                    "create request" => name.starts_with("impacket"),
                    "create response" => !name.starts_with("impacket"),
                    _ => true,
                };
                if ours {
                    assert_eq!(again, message.bytes, "{name} {kind}");
                }
                *kinds.entry(kind).or_insert(0) += 1;
            }
        }
    }
    println!("{kinds:?}");
    // All but TRANSACTION and ECHO, which no capture has.
    assert_eq!(kinds.len(), 15);
}

fn smb1_again(header: &smb1::Header, message: &[u8]) -> Option<(&'static str, Vec<u8>)> {
    use smb1::Command;
    let bare = header.is_response() && message.get(32) == Some(&0);
    let (kind, again) = match (header.command, header.is_response()) {
        _ if bare => ("bare response", smb1::BareMessage::decode(message).unwrap().encode(header)),
        (Command::TREE_DISCONNECT | Command::LOGOFF_ANDX, _) => {
            ("bare", smb1::BareMessage::decode(message).unwrap().encode(header))
        }
        (Command::NEGOTIATE, true) => match smb1::NegotiateResponse::decode(message).unwrap() {
            smb1::NegotiateResponse::NtLm(response) => {
                ("negotiate response", response.encode(header))
            }
            _ => return None,
        },
        (Command::SESSION_SETUP_ANDX, false) => {
            let request = smb1::SessionSetupRequest::decode(message).unwrap();
            let kind = match request.credentials {
                smb1::Credentials::LanMan { .. } => "session setup of LANMAN",
                smb1::Credentials::Responses { .. } => "session setup with responses",
                smb1::Credentials::ExtendedSecurity { .. } => "session setup with a token",
            };
            (kind, request.encode(header))
        }
        (Command::SESSION_SETUP_ANDX, true) => {
            let response = smb1::SessionSetupResponse::decode(message).unwrap();
            ("session setup response", response.encode(header))
        }
        (Command::TREE_CONNECT_ANDX, false) => {
            let request = smb1::TreeConnectRequest::decode(message).unwrap();
            ("tree connect request", request.encode(header))
        }
        (Command::TREE_CONNECT_ANDX, true) => {
            let response = smb1::TreeConnectResponse::decode(message).unwrap();
            ("tree connect response", response.encode(header))
        }
        (Command::NT_CREATE_ANDX, false) => {
            let request = smb1::NtCreateRequest::decode(message).unwrap();
            ("create request", request.encode(header))
        }
        (Command::NT_CREATE_ANDX, true) => {
            ("create response", smb1::NtCreateResponse::decode(message).unwrap().encode(header))
        }
        (Command::CLOSE, false) => {
            ("close request", smb1::CloseRequest::decode(message).unwrap().encode(header))
        }
        (Command::READ_ANDX, false) => {
            ("read request", smb1::ReadRequest::decode(message).unwrap().encode(header))
        }
        (Command::READ_ANDX, true) => {
            ("read response", smb1::ReadResponse::decode(message).unwrap().encode(header))
        }
        (Command::WRITE_ANDX, false) => {
            ("write request", smb1::WriteRequest::decode(message).unwrap().encode(header))
        }
        (Command::WRITE_ANDX, true) => {
            ("write response", smb1::WriteResponse::decode(message).unwrap().encode(header))
        }
        _ => return None,
    };
    Some((kind, again.unwrap()))
}

#[test]
fn what_a_transaction_carries_comes_out_again() {
    for (unicode, name) in [(false, &b"\\PIPE\\"[..]), (true, b"\\\0P\0I\0P\0E\0\\\0")] {
        let flags2 = if unicode { smb1::Flags2::UNICODE } else { smb1::Flags2::empty() };
        let header = smb1::Header { flags2, ..smb1::Header::new(smb1::Command::TRANSACTION, 7) };
        let request = smb1::TransactionRequest {
            max_parameter_count: 0,
            max_data_count: 1024,
            max_setup_count: 0,
            flags: 0,
            timeout: 0,
            setup: Part::new(&[0x26, 0, 0x34, 0x12]),
            name: Part::new(name),
            parameters: Part::new(&[]),
            data: Part::new(b"five.data"),
            unicode,
        };
        let message = request.encode(&header).unwrap();
        let decoded = smb1::TransactionRequest::decode(&message).unwrap();
        assert_eq!(decoded, request);
        assert!(decoded.data.span().offset.is_multiple_of(4));
        for end in 32..message.len() {
            assert!(smb1::TransactionRequest::decode(&message[..end]).is_err());
        }
        let mut in_two = message;
        in_two[35] += 1; // TotalDataCount
        let error = smb1::TransactionRequest::decode(&in_two).unwrap_err();
        assert_eq!(error.field, "TotalDataCount");

        let response = smb1::TransactionResponse {
            setup: Part::new(&[]),
            parameters: Part::new(b"p"),
            data: Part::new(b"answer"),
        };
        let message = response.encode(&header).unwrap();
        assert_eq!(smb1::TransactionResponse::decode(&message), Ok(response));
    }
    let header = smb1::Header::new(smb1::Command::ECHO, 8);
    let echo = smb1::Echo { number: 1, data: Part::new(b"hello") };
    assert_eq!(smb1::Echo::decode(&echo.encode(&header).unwrap()), Ok(echo));
}

/// Bytes that senders fill as they like: the one that stands for a buffer without content, and where
/// an output that is not there would begin.
fn says_nothing(kind: &str, at: usize, message: &[u8]) -> bool {
    match kind {
        "error" => at == 72,
        "read request" => at == 112,
        "ioctl request" => (100..104).contains(&at) && message[104..108] == [0; 4],
        _ => false,
    }
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
        (Command::LOGOFF | Command::TREE_DISCONNECT | Command::ECHO | Command::CANCEL, _) => {
            ("bare", BareMessage::decode(message).unwrap().encode(header).to_vec())
        }
        (Command::CREATE, false) => {
            let request = CreateRequest::decode(message).unwrap();
            ("create request", request.encode(header).unwrap())
        }
        (Command::CREATE, true) => {
            let response = CreateResponse::decode(message).unwrap();
            ("create response", response.encode(header).unwrap())
        }
        (Command::CLOSE, false) => {
            ("close request", CloseRequest::decode(message).unwrap().encode(header))
        }
        (Command::CLOSE, true) => {
            ("close response", CloseResponse::decode(message).unwrap().encode(header))
        }
        (Command::READ, false) => {
            ("read request", ReadRequest::decode(message).unwrap().encode(header))
        }
        (Command::READ, true) => {
            ("read response", ReadResponse::decode(message).unwrap().encode(header).unwrap())
        }
        (Command::WRITE, false) => {
            ("write request", WriteRequest::decode(message).unwrap().encode(header).unwrap())
        }
        (Command::WRITE, true) => {
            ("write response", WriteResponse::decode(message).unwrap().encode(header))
        }
        (Command::IOCTL, false) => {
            let request = IoctlRequest::decode(message).unwrap();
            if request.ctl_code == CtlCode::VALIDATE_NEGOTIATE_INFO {
                let input = request.input.bytes();
                let info = ValidateNegotiateInfoRequest::decode(input).unwrap();
                assert_eq!(info.encode().unwrap(), input);
            }
            ("ioctl request", request.encode(header).unwrap())
        }
        (Command::IOCTL, true) => {
            let response = IoctlResponse::decode(message).unwrap();
            if response.ctl_code == CtlCode::VALIDATE_NEGOTIATE_INFO {
                let output = response.output.bytes();
                let info = ValidateNegotiateInfoResponse::decode(output).unwrap();
                assert_eq!(info.encode(), output);
            }
            ("ioctl response", response.encode(header).unwrap())
        }
        (Command::QUERY_INFO, false) => {
            let request = QueryInfoRequest::decode(message).unwrap();
            ("query info request", request.encode(header).unwrap())
        }
        (Command::QUERY_INFO, true) => {
            let response = QueryInfoResponse::decode(message).unwrap();
            ("query info response", response.encode(header).unwrap())
        }
        (Command::SET_INFO, false) => {
            let request = SetInfoRequest::decode(message).unwrap();
            ("set info request", request.encode(header).unwrap())
        }
        (Command::SET_INFO, true) => {
            ("set info response", SetInfoResponse::decode(message).unwrap().encode(header))
        }
        _ => return None,
    })
}

#[test]
fn what_is_set_is_read_again() {
    let header = Header::new(Command::SET_INFO, 3);
    let request = SetInfoRequest {
        info_type: InfoType::FILE,
        file_info_class: FileInfoClass::DISPOSITION,
        additional_information: 0,
        file_id: FileId { persistent: 1, volatile: 2 },
        buffer: Part::new(&[1]),
    };
    let message = request.encode(&header).unwrap();
    assert_eq!(message.len(), 64 + 33);
    assert_eq!(SetInfoRequest::decode(&message), Ok(request));
    for end in 64..message.len() {
        let error = SetInfoRequest::decode(&message[..end]).unwrap_err();
        assert!(error.offset <= end, "{error}");
    }
    assert_eq!(SetInfoResponse::decode(&SetInfoResponse.encode(&header)), Ok(SetInfoResponse));
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
    let header = smb1::Header::new(smb1::Command::SESSION_SETUP_ANDX, 0);
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
