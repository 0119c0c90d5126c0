//! What holds of any input to `ntlm-smb`: one function for each target.
//!
//! `crates/ntlm-smb/tests/it/hostile.rs` runs the same functions over captured messages, cut off and
//! changed, and over `testdata/regress/`.

use ntlm::keys::{AccountSecret, Ntowfv1};
use ntlm::wire::Span;
use ntlm::{AccountName, Credential, FileTime, Fresh};
use ntlm::{Server as NtlmServer, ServerConfig as NtlmServerConfig, ServerNames};
use ntlm_smb::client::{
    ClientConfig, Connection, NegotiateRandom, NegotiateStep, Negotiating, Purpose, Received,
    SessionSetup, SetupStep, Smb1Connection, Smb1SessionSetup, Smb1SetupStep,
};
use ntlm_smb::keys::{CipherKey, MacKey, SigningKey};
use ntlm_smb::server::{self, ServerConfig, Sessions, Step};
use ntlm_smb::smb2::{
    BareMessage, CloseRequest, CloseResponse, Command, Compound, CompressionHeader, CreateRequest,
    CreateResponse, ErrorResponse, Header, IoctlRequest, IoctlResponse, NegotiateContexts,
    NegotiateRequest, NegotiateResponse, QueryInfoRequest, QueryInfoResponse, ReadRequest,
    ReadResponse, SessionSetupRequest, SessionSetupResponse, SetInfoRequest, SetInfoResponse,
    TransformHeader, TreeConnectRequest, TreeConnectResponse, ValidateNegotiateInfoRequest,
    ValidateNegotiateInfoResponse, WriteRequest, WriteResponse,
};
use ntlm_smb::{
    Cipher, DecryptError, Dialect, DialectRange, Frame, Identity, InnerDefect, Nonces, NtStatus,
    PacketCipher, Part, Protocol, ProtocolId, SessionPhase, SignError, SignatureRule, Signer,
    SigningAlgorithm, Transport, smb1,
};
use std::sync::Arc;

/// A target's name and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// The targets of this file.
pub const TARGETS: [Target; 5] = [
    ("smb1", smb1),
    ("smb2", smb2),
    ("transform", transform),
    ("smb_client", smb_client),
    ("smb_server", smb_server),
];

/// What decodes encodes to what decodes to the same, unless it is too long to be encoded.
macro_rules! again {
    ($header:expr, $message:expr, $($kind:ty),+) => {$(
        if let Ok(decoded) = <$kind>::decode($message)
            && let Ok(encoded) = decoded.encode($header)
        {
            assert_eq!(<$kind>::decode(&encoded).expect("what was written is read"), decoded);
        }
    )+};
}

/// The same of what is never too long.
macro_rules! always_again {
    ($header:expr, $message:expr, $($kind:ty),+) => {$(
        if let Ok(decoded) = <$kind>::decode($message) {
            let encoded = decoded.encode($header);
            assert_eq!(<$kind>::decode(&encoded).expect("what was written is read"), decoded);
        }
    )+};
}

/// A stream of SMB 1 messages: read, signed, verified, refused once changed.
pub fn smb1(data: &[u8]) {
    frames(data);
    read_smb1(data);
    let signer = smb1::Signer::new(&MacKey::new(&[7; 40]));
    let mut numbers = smb1::SequenceNumbers::activated();
    let mut message = data.to_vec();
    let Ok(header) = smb1::Header::decode(data) else {
        signer.sign(&mut message, 0).expect_err("no header");
        signer.verify(data, 0).expect_err("no header");
        return;
    };
    let number = numbers.number(&header).unwrap_or(u32::MAX);
    numbers.resume(&header, number);
    signer.sign(&mut message, number).expect("there is a header");
    let verified = signer.verify(&message, number).expect("it was signed just now");
    assert_eq!(verified.message(), message);
    let window = number.saturating_sub(3)..=number.saturating_add(3);
    let found = signer.verify_any(&message, window).expect("its number is among them");
    assert_eq!(found.sequence_number(), number);
    signer.verify(&message, number ^ 1).expect_err("another number");
    flip_a_bit(&mut message);
    signer.verify(&message, number).expect_err("it was changed");
}

/// Everything that reads SMB 1.
pub fn read_smb1(data: &[u8]) {
    if let Ok(header) = smb1::Header::decode(data) {
        assert_eq!(header.encode(), data[..smb1::Header::LENGTH]);
        let _ = (header.nt_status(), header.has_placeholder(), header.command.name());
        let _ = smb1::SequenceRule::choose(&header).doc();
        again!(
            &header,
            data,
            smb1::SessionSetupRequest,
            smb1::SessionSetupResponse,
            smb1::TreeConnectRequest,
            smb1::TreeConnectResponse,
            smb1::NtCreateRequest,
            smb1::NtCreateResponse,
            smb1::CloseRequest,
            smb1::ReadRequest,
            smb1::ReadResponse,
            smb1::WriteRequest,
            smb1::WriteResponse,
            smb1::TransactionRequest,
            smb1::TransactionResponse,
            smb1::BareMessage,
            smb1::Echo
        );
    }
    if let Ok(blocks) = smb1::Blocks::new(data) {
        let mut end = 0;
        let mut failed = false;
        for block in blocks {
            assert!(!failed, "nothing comes after an error");
            let Ok(block) = block.inspect_err(described) else {
                failed = true;
                continue;
            };
            part(data, &block.words);
            part(data, &block.bytes);
            assert!(block.words.span().offset > end, "a chain leads on");
            end = block.words.span().offset;
        }
    }
    if let Ok(request) = smb1::NegotiateRequest::decode(data) {
        let header = smb1::Header::decode(data).expect("it was read");
        let dialects: Vec<&[u8]> = request.dialects().collect();
        assert_eq!(request.dialect(0), dialects.first().copied());
        let again =
            smb1::NegotiateRequest::encode(&header, &dialects).expect("no longer than it was");
        let again = smb1::NegotiateRequest::decode(&again).expect("what was written is read");
        assert!(again.dialects().eq(dialects));
    }
    if let Ok(response) = smb1::NegotiateResponse::decode(data) {
        let _ = (response.dialect_index(), response.server_challenge());
        match response {
            smb1::NegotiateResponse::LanMan(response) => {
                [response.challenge, response.primary_domain].iter().for_each(|it| part(data, it));
            }
            smb1::NegotiateResponse::NtLm(response) => match response.security {
                smb1::ServerSecurity::Extended { security_blob, .. } => part(data, &security_blob),
                smb1::ServerSecurity::Challenge { challenge, domain_name, server_name } => {
                    [challenge, domain_name, server_name].iter().for_each(|it| part(data, it));
                }
            },
            _ => (),
        }
    }
    if let Ok(request) = smb1::SessionSetupRequest::decode(data) {
        match request.credentials {
            smb1::Credentials::LanMan { password, account_name, primary_domain } => {
                [password, account_name, primary_domain].iter().for_each(|it| part(data, it));
            }
            smb1::Credentials::Responses {
                oem_password,
                unicode_password,
                account_name,
                primary_domain,
            } => {
                let parts = [oem_password, unicode_password, account_name, primary_domain];
                parts.iter().for_each(|it| part(data, it));
            }
            smb1::Credentials::ExtendedSecurity { security_blob } => part(data, &security_blob),
        }
        [request.native_os, request.native_lan_man].iter().for_each(|it| part(data, it));
    }
    if let Ok(response) = smb1::SessionSetupResponse::decode(data) {
        response.security_blob.iter().for_each(|it| part(data, it));
        let texts = [response.native_os, response.native_lan_man, response.primary_domain];
        texts.iter().for_each(|it| part(data, it));
    }
}

/// A packet of SMB 2 and 3: read, signed, verified, refused once changed.
pub fn smb2(data: &[u8]) {
    frames(data);
    read_smb2(data);
    for algorithm in SigningAlgorithm::ALL {
        let signer = Signer::new(algorithm, &SigningKey::new([7; 16]));
        let mut packet = data.to_vec();
        match signer.sign_packet(&mut packet) {
            Ok(()) => {
                for message in Compound::new(&packet) {
                    let message = message.expect("it was read to be signed");
                    assert_eq!(
                        signer.verify(message.bytes).expect("signed").message(),
                        message.bytes
                    );
                    let mut changed = message.bytes.to_vec();
                    flip_a_bit(&mut changed);
                    signer.verify(&changed).expect_err("it was changed");
                }
            }
            Err(SignError::Decode(_)) => {
                assert!(Compound::new(data).any(|message| message.is_err()));
            }
            Err(SignError::NeverSigned(_)) => (),
            Err(error) => panic!("no such error: {error}"),
        }
    }
}

/// Everything that reads SMB 2 and 3.
pub fn read_smb2(data: &[u8]) {
    let _ = ProtocolId::of(data);
    let (mut end, mut failed) = (0, false);
    for message in Compound::new(data) {
        assert!(!failed, "nothing comes after an error");
        let Ok(message) = message.inspect_err(described) else {
            failed = true;
            continue;
        };
        assert_eq!(message.span.offset, end, "each begins where the one before ends");
        assert!(message.span.length >= Header::LENGTH);
        end += message.span.length;
        assert_eq!(data[message.span.offset..end], *message.bytes);
        assert_eq!(message.header.encode(), message.bytes[..Header::LENGTH]);
        rules(&message.header);
        read_message(&message.header, message.bytes);
    }
    assert!(failed || end == data.len(), "the last one reaches to the end");
    if let Ok(header) = CompressionHeader::decode(data) {
        assert!(data.len() >= CompressionHeader::LENGTH, "{header:?}");
    }
}

fn rules(header: &Header) {
    for phase in [SessionPhase::BeingMade, SessionPhase::BeingBound, SessionPhase::Established] {
        for identity in [Identity::Account, Identity::Guest, Identity::Anonymous] {
            let rule = SignatureRule::choose(header, false, phase, identity);
            assert_ne!(rule, SignatureRule::Encrypted);
            let signs = rule.doc().key.is_some();
            assert!(!signs || identity == Identity::Account, "nobody else has a key");
        }
    }
}

fn read_message(header: &Header, message: &[u8]) {
    if let Ok(request) = NegotiateRequest::decode(message) {
        part(message, &request.contexts.list);
        contexts(&request.contexts, message);
        let offered = Dialect::ALL.iter().filter(|dialect| request.offers(**dialect)).count();
        assert!(offered <= request.dialect_revisions().iter().count());
    }
    if let Ok(response) = NegotiateResponse::decode(message) {
        part(message, &response.security_buffer);
        contexts(&response.contexts, message);
        let dialect = response.dialect();
        assert!(response.signing_algorithm().is_none() || dialect.is_some());
        let _ = response.cipher(response.capabilities);
    }
    if let Ok(request) = SessionSetupRequest::decode(message) {
        part(message, &request.security_buffer);
    }
    if let Ok(response) = SessionSetupResponse::decode(message) {
        part(message, &response.security_buffer);
    }
    if let Ok(request) = TreeConnectRequest::decode(message) {
        part(message, &request.path);
    }
    again!(
        header,
        message,
        NegotiateRequest,
        NegotiateResponse,
        SessionSetupRequest,
        SessionSetupResponse,
        TreeConnectRequest,
        ErrorResponse,
        CreateRequest,
        CreateResponse,
        ReadResponse,
        WriteRequest,
        QueryInfoRequest,
        QueryInfoResponse,
        SetInfoRequest,
        IoctlRequest,
        IoctlResponse
    );
    always_again!(
        header,
        message,
        TreeConnectResponse,
        CloseRequest,
        CloseResponse,
        ReadRequest,
        WriteResponse,
        SetInfoResponse,
        BareMessage
    );
    validate_negotiate_info(message);
    validate_negotiate_info(message.get(Header::LENGTH..).unwrap_or_default());
}

fn validate_negotiate_info(data: &[u8]) {
    if let Ok(request) = ValidateNegotiateInfoRequest::decode(data)
        && let Ok(encoded) = request.encode()
    {
        assert_eq!(ValidateNegotiateInfoRequest::decode(&encoded).expect("written"), request);
    }
    if let Ok(response) = ValidateNegotiateInfoResponse::decode(data) {
        let encoded = response.encode();
        assert_eq!(ValidateNegotiateInfoResponse::decode(&encoded).expect("written"), response);
    }
}

fn contexts(contexts: &NegotiateContexts<'_>, message: &[u8]) {
    let mut end = 0;
    let mut count = 0_u16;
    for context in contexts.iter().map_while(Result::ok) {
        part(message, &context.data);
        assert!(context.data.span().offset >= end, "each stands behind the one before");
        end = context.data.span().offset + context.data.span().length;
        count += 1;
        assert!(context.decode() == context.decode());
        assert!(contexts.find(context.context_type).is_some());
        let _ = contexts.chosen(context.context_type);
    }
    assert!(count <= contexts.count);
}

/// A packet of SMB 3: opened under a known key, which nobody can have made it with; and as a
/// message, encrypted, opened again, refused once changed.
pub fn transform(data: &[u8]) {
    if let Ok(header) = TransformHeader::decode(data) {
        assert_eq!(header.encode(), data[..TransformHeader::LENGTH]);
    }
    for kind in Cipher::ALL {
        let key = CipherKey::new(kind, &[7; 32][..kind.key_len()]).expect("as long as it must be");
        let cipher = PacketCipher::new(&key);
        refused(&cipher, data);
        round_trip(&cipher, data);
    }
}

fn refused(cipher: &PacketCipher, data: &[u8]) {
    let mut packet = data.to_vec();
    match cipher.decrypt(&mut packet) {
        Ok(_) => panic!("{cipher:?} opened what it did not encrypt"),
        Err(DecryptError::DoesNotHold) => {
            let [was, is] = [data, packet.as_slice()].map(|it| &it[TransformHeader::LENGTH..]);
            assert!(is == was || is.iter().all(|byte| *byte == 0), "nothing of it is shown");
        }
        Err(_) => assert_eq!(packet, data, "what is no packet is left alone"),
    }
}

fn round_trip(cipher: &PacketCipher, message: &[u8]) {
    let nonce = || Nonces::default().next().expect("the first one");
    let session_id = message.first_chunk().map_or(3, |bytes| u64::from_le_bytes(*bytes));
    let mut packet = [&[0; TransformHeader::LENGTH], message].concat();
    if message.is_empty() {
        cipher.encrypt(&mut packet, nonce(), session_id).expect_err("there is no message");
        return;
    }
    cipher.encrypt(&mut packet, nonce(), session_id).expect("there is a message");
    let header = TransformHeader::decode(&packet).expect("it was written just now");
    assert_eq!(header.session_id, session_id);

    let mut opened = packet.clone();
    let decrypted = cipher.decrypt(&mut opened).expect("it was encrypted just now");
    assert_eq!(decrypted.message(), message);
    match (ProtocolId::of(message), decrypted.defect()) {
        (Some(ProtocolId::Transform), defect) => {
            assert_eq!(defect, Some(InnerDefect::EncryptedTwice));
        }
        (Some(ProtocolId::Compression), defect) => assert_eq!(defect, None),
        (Some(ProtocolId::Smb2), None) => {
            let inner = Header::decode(message).expect("it has no defect");
            assert_eq!(inner.session_id, session_id);
        }
        (Some(ProtocolId::Smb2), Some(defect)) => assert_ne!(defect, InnerDefect::NotSmb2),
        (Some(ProtocolId::Smb1) | None, defect) => assert_eq!(defect, Some(InnerDefect::NotSmb2)),
    }
    assert_eq!(decrypted.into_message(), message);

    let mut longer = [packet.as_slice(), &[0]].concat();
    assert_eq!(cipher.decrypt(&mut longer).unwrap_err(), DecryptError::WrongSize);
    let (_, shorter) =
        packet.clone().split_last().map(|(last, rest)| (*last, rest.to_vec())).expect("not empty");
    cipher.decrypt(&mut shorter.clone()).expect_err("the last byte is missing");
    flip_a_bit(&mut packet);
    cipher.decrypt(&mut packet).expect_err("it was changed");
}

/// A stream of frames, to the first that is none.
fn frames(data: &[u8]) {
    for transport in [Transport::DirectTcp, Transport::NetBios] {
        let mut rest = data;
        while let Ok(Some((frame, behind))) = Frame::split(transport, rest) {
            assert_eq!(Frame::PREFIX + frame.payload.len() + behind.len(), rest.len());
            rest = behind;
        }
    }
}

/// A client before a server that may be anybody: the first byte says what the client is set up with,
/// then come the server's messages, each behind two bytes of length. Nobody who lacks the secret gets
/// a session of SMB 2 or 3 for an account out of it.
pub fn smb_client(data: &[u8]) {
    let Some((&setup, rest)) = data.split_first() else { return };
    let messages = behind_lengths(rest);
    let mut messages = messages.into_iter();
    let random = NegotiateRandom { client_guid: [1; 16], salt: [2; 32] };
    let (_, mut negotiating) =
        Negotiating::start(client_config(setup), random).expect("there is something to offer");
    loop {
        let Some(message) = messages.next() else { return };
        match negotiating.receive(&message) {
            Ok(NegotiateStep::Again(_, again)) => negotiating = *again,
            Ok(NegotiateStep::Smb1(connection)) => return smb1_session(*connection, messages),
            Ok(NegotiateStep::Smb2(connection)) => return smb2_session(*connection, messages),
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    }
}

/// Messages, each behind two bytes of length.
fn behind_lengths(mut rest: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let Some((&[low, high], behind)) = rest.split_first_chunk() {
        let length = usize::from(u16::from_le_bytes([low, high])).min(behind.len());
        let (message, behind) = behind.split_at(length);
        messages.push(message.to_vec());
        rest = behind;
    }
    messages
}

/// A server before a client that may be anybody: the first byte says what the server is set up with,
/// then come the client's messages, each behind two bytes of length. Nobody who lacks the secret is
/// logged on as an account.
pub fn smb_server(data: &[u8]) {
    let Some((&setup, rest)) = data.split_first() else { return };
    let ntlm = NtlmServer::new(NtlmServerConfig::new(ServerNames::new("SERVER", "DOMAIN")));
    let newest = Protocol::Smb2(Dialect::Smb311);
    let oldest = if setup & 1 != 0 { Protocol::Smb1 } else { Protocol::Smb2(Dialect::Smb202) };
    let config = ServerConfig {
        dialects: DialectRange { oldest, newest },
        require_signing: setup & 2 != 0,
        require_encryption: setup & 4 != 0,
        insecure_bare_session_setup: setup & 8 != 0,
        keep_keys: true,
        ..ServerConfig::new(ntlm.expect("the names are short"))
    };
    let mut sessions = Sessions::new(1);
    let mut connection = server::Connection::new(Arc::new(config), [2; 32]);
    for message in behind_lengths(rest) {
        match connection.receive(&mut sessions, message, fresh()) {
            Ok(step) => {
                if !served(&mut connection, &mut sessions, step) {
                    break;
                }
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                break;
            }
        }
    }
    connection.close(&mut sessions);
}

/// Takes a step to its end; false if the connection must end.
fn served(connection: &mut server::Connection, sessions: &mut Sessions, step: Step) -> bool {
    match step {
        Step::Judge(logon, judging) => {
            let secret = AccountSecret::from_hashes(Ntowfv1::new([0x33; 16]), None);
            let judged = logon.verify(Some(&secret)).map_err(|_| NtStatus::LOGON_FAILURE);
            let settled = connection.settle(sessions, *judging, judged);
            settled.is_ok_and(|step| served(connection, sessions, step))
        }
        Step::LoggedOn(_, logged_on) => {
            let identity = logged_on.logon.identity;
            assert_ne!(identity, Identity::Account, "nobody proved to have the key");
            true
        }
        Step::Requests(mut requests) => {
            while let Ok(Some(request)) = connection.next(sessions, &mut requests) {
                let refusal = request.refuse(NtStatus::NOT_SUPPORTED).expect("it is short");
                requests.answer(&request, refusal);
            }
            connection.reply(requests).is_ok()
        }
        Step::Smb1Request(request) => {
            let refusal = request.refuse(NtStatus::NOT_SUPPORTED).expect("it is short");
            connection.reply_smb1(&request, refusal).is_ok()
        }
        Step::Reply(_) | Step::Refused(..) | Step::Nothing => true,
    }
}

fn client_config(setup: u8) -> ClientConfig {
    let newest = Protocol::Smb2(Dialect::Smb311);
    let oldest = match setup % 4 {
        0 => newest,
        1 => Protocol::Smb2(Dialect::Smb202),
        _ => Protocol::Smb1,
    };
    ClientConfig {
        dialects: DialectRange { oldest, newest },
        multi_protocol: setup & 4 != 0,
        require_signing: setup & 8 != 0,
        require_encryption: setup & 16 != 0,
        insecure_allow_guest: setup & 32 != 0,
        insecure_bare_session_setup: setup & 64 != 0,
        keep_keys: true,
        ..ClientConfig::default()
    }
}

fn credential() -> Credential {
    let secret = AccountSecret::from_hashes(Ntowfv1::new([0x33; 16]), None);
    Credential { name: AccountName::down_level("Domain", "User"), secret }
}

fn fresh() -> Fresh {
    Fresh::from_random(FileTime::from_unix_seconds(1_700_000_000), [0xaa; 24])
}

fn smb2_session(mut connection: Connection, mut messages: impl Iterator<Item = Vec<u8>>) {
    let Ok((mut request, mut setup)) = SessionSetup::start(&mut connection, Purpose::New) else {
        return;
    };
    let mut session = loop {
        let Some(mut message) = messages.next() else { return };
        answer(&mut message, request.pending.message_id);
        match setup.receive(&mut connection, &mut message) {
            Ok(SetupStep::NotYet(same)) => setup = same,
            Ok(SetupStep::Continue(next, same)) => (request, setup) = (next, same),
            Ok(SetupStep::Respond(responding)) => {
                let sent = responding
                    .respond(&credential(), fresh())
                    .and_then(|answer| answer.send(&mut connection));
                match sent {
                    Ok(sent) => (request, setup) = sent,
                    Err(_) => return,
                }
            }
            Ok(SetupStep::Done(session)) => break session,
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    };
    assert_ne!(session.logon().identity, Identity::Account, "nobody proved to have the key");
    for mut message in messages {
        let encode = |header: &Header| Ok(BareMessage.encode(header).to_vec());
        let Ok(request) = connection.request(&mut session, None, Command::ECHO, encode) else {
            return;
        };
        answer(&mut message, request.pending.message_id);
        let _ = connection
            .receive(&request.pending, &session, &mut message)
            .and_then(Received::succeeded)
            .and_then(|message| connection.tree(&session, message.unwrap_or_default()));
    }
}

/// Makes a message the answer to a request, which the input could hardly guess.
fn answer(message: &mut [u8], message_id: u64) {
    if let Some(place) = message.get_mut(24..32) {
        place.copy_from_slice(&message_id.to_le_bytes());
    }
}

fn smb1_session(mut connection: Smb1Connection, messages: impl Iterator<Item = Vec<u8>>) {
    let Ok(mut step) = Smb1SessionSetup::start(&mut connection) else { return };
    let mut mid = 0_u16;
    for mut message in messages {
        let setup = match step {
            Smb1SetupStep::Done => break,
            Smb1SetupStep::NotYet(setup) => setup,
            Smb1SetupStep::Continue(_, setup) => {
                mid += 1;
                setup
            }
            Smb1SetupStep::Respond(responding) => {
                let sent = responding
                    .respond(&connection, &credential(), fresh())
                    .and_then(|answer| answer.send(&mut connection));
                let Ok((_, setup)) = sent else { return };
                mid += 1;
                setup
            }
        };
        if let Some(place) = message.get_mut(30..32) {
            place.copy_from_slice(&mid.to_le_bytes());
        }
        match setup.receive(&mut connection, &message) {
            Ok(next) => step = next,
            Err(error) => return assert!(!error.to_string().is_empty()),
        }
    }
    assert!(!connection.is_signed(), "nobody proved to have the key");
}

/// A part stands where it says.
fn part(message: &[u8], part: &Part<'_>) {
    let Span { offset, length } = part.span();
    assert_eq!(length, part.bytes().len());
    // An empty one may stand nowhere.
    if length > 0 {
        assert_eq!(message[offset..offset + length], *part.bytes());
    }
}

fn described(error: &ntlm_smb::DecodeError) {
    assert!(!error.field.is_empty());
    assert!(error.to_string().contains(error.field));
}

/// Which one, the input says by its last bytes.
fn flip_a_bit(bytes: &mut [u8]) {
    let chosen = bytes.iter().rev().take(4).fold(0, |sum, byte| sum << 8 | usize::from(*byte));
    let length = bytes.len();
    if let Some(byte) = bytes.get_mut((chosen / 8) % length.max(1)) {
        *byte ^= 1 << (chosen % 8);
    }
}
