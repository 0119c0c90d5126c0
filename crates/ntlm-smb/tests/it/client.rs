//! What a client does not take from a server in NEGOTIATE. The rest of it is held against a real
//! server, by `cargo xtask smb`.

use ntlm::FileTime;
use ntlm_smb::client::{
    ClientConfig, ClientError, Connection, NegotiateRandom, NegotiateStep, Negotiating, PeerError,
    Unavailable,
};
use ntlm_smb::smb2::{
    Capabilities, Command, ContextListBuilder, ContextType, ErrorResponse, Header, HeaderFlags,
    NegotiateRequest, NegotiateResponse, SecurityMode,
};
use ntlm_smb::{Cipher, Dialect, DialectRange, NtStatus, Part, Protocol, SigningAlgorithm, smb1};

fn start(config: ClientConfig) -> (Vec<u8>, Negotiating) {
    let random = NegotiateRandom { client_guid: [1; 16], salt: [2; 32] };
    Negotiating::start(config, random).unwrap()
}

fn header(message_id: u64) -> Header {
    Header { flags: HeaderFlags::SERVER_TO_REDIR, ..Header::new(Command::NEGOTIATE, message_id) }
}

fn response(dialect_revision: u16, list: &ContextListBuilder) -> NegotiateResponse<'_> {
    NegotiateResponse {
        security_mode: SecurityMode::SIGNING_ENABLED,
        dialect_revision,
        reserved: 0,
        server_guid: [3; 16],
        capabilities: Capabilities::ENCRYPTION,
        max_transact_size: 1 << 20,
        max_read_size: 1 << 20,
        max_write_size: 1 << 20,
        system_time: FileTime::default(),
        server_start_time: FileTime::default(),
        reserved2: 0,
        security_buffer: Part::default(),
        contexts: list.contexts(),
    }
}

fn contexts() -> ContextListBuilder {
    ContextListBuilder::new().preauth_integrity(&[4; 32]).unwrap()
}

/// What comes of a response.
fn negotiate(
    config: ClientConfig,
    dialect_revision: u16,
    list: &ContextListBuilder,
) -> Result<Connection, ClientError> {
    let message = response(dialect_revision, list).encode(&header(0)).unwrap();
    match start(config).1.receive(&message)? {
        NegotiateStep::Smb2(connection) => Ok(*connection),
        step => panic!("{step:?}"),
    }
}

fn smb_311(list: &ContextListBuilder) -> Result<Connection, ClientError> {
    negotiate(ClientConfig::default(), 0x0311, list)
}

fn peer(error: PeerError) -> ClientError {
    ClientError::Peer(error)
}

#[test]
fn what_is_offered_is_what_the_range_says() {
    let range = |oldest, newest| DialectRange {
        oldest: Protocol::Smb2(oldest),
        newest: Protocol::Smb2(newest),
    };
    for (dialects, revisions) in [
        (DialectRange::default(), vec![0x0202, 0x0210, 0x0300, 0x0302, 0x0311]),
        (range(Dialect::Smb210, Dialect::Smb302), vec![0x0210, 0x0300, 0x0302]),
        (DialectRange::only(Protocol::Smb2(Dialect::Smb202)), vec![0x0202]),
    ] {
        let (message, _) = start(ClientConfig { dialects, ..ClientConfig::default() });
        let request = NegotiateRequest::decode(&message).unwrap();
        assert_eq!(request.dialect_revisions().iter().collect::<Vec<_>>(), revisions);
        let speaks_smb3 = revisions.iter().any(|revision| *revision >= 0x0300);
        assert_eq!(request.capabilities.contains(Capabilities::ENCRYPTION), speaks_smb3);
        assert_eq!(request.contexts.count > 0, revisions.contains(&0x0311));
    }
    let nothing = DialectRange {
        oldest: Protocol::Smb2(Dialect::Smb311),
        newest: Protocol::Smb2(Dialect::Smb202),
    };
    let config = ClientConfig { dialects: nothing, ..ClientConfig::default() };
    let random = NegotiateRandom { client_guid: [0; 16], salt: [0; 32] };
    let error = Negotiating::start(config, random).unwrap_err();
    assert_eq!(error, ClientError::Unavailable(Unavailable::Dialects));
}

#[test]
fn what_the_server_chose_is_in_force() {
    let list = contexts().encryption(&[4]).and_then(|list| list.signing(&[1])).unwrap();
    let connection = smb_311(&list).unwrap();
    let negotiated = connection.negotiated();
    assert_eq!(negotiated.dialect, Dialect::Smb311);
    assert_eq!(negotiated.cipher, Some(Cipher::Aes256Gcm));
    assert_eq!(negotiated.signing_algorithm, SigningAlgorithm::AesCmac);
    // No cipher in common, no word of signing, and something new that is none of ours.
    let list = contexts().encryption(&[0]).unwrap().push(ContextType(0x100), &[1]).unwrap();
    let connection = smb_311(&list).unwrap();
    assert_eq!(connection.negotiated().cipher, None);
    assert_eq!(connection.negotiated().signing_algorithm, SigningAlgorithm::AesCmac);
}

/// MS-SMB2 3.2.5.2.
#[test]
fn contexts_choose_one_of_what_was_offered() {
    let new = ContextListBuilder::new;
    let (preauth, encryption, signing) =
        (ContextType::PREAUTH_INTEGRITY, ContextType::ENCRYPTION, ContextType::SIGNING);
    let other_hash = |list: ContextListBuilder| list.push(preauth, &[1, 0, 0, 0, 2, 0]).unwrap();
    let two_hashes =
        |list: ContextListBuilder| list.push(preauth, &[2, 0, 0, 0, 1, 0, 1, 0]).unwrap();
    for (list, expected) in [
        (new(), PeerError::Context(preauth)),
        (new().encryption(&[1]).unwrap(), PeerError::Context(preauth)),
        (contexts().preauth_integrity(&[]).unwrap(), PeerError::Context(preauth)),
        (other_hash(new()), PeerError::Choice(preauth)),
        (two_hashes(new()), PeerError::Choice(preauth)),
        (contexts().encryption(&[9]).unwrap(), PeerError::Choice(encryption)),
        (contexts().encryption(&[1, 2]).unwrap(), PeerError::Choice(encryption)),
        (contexts().encryption(&[]).unwrap(), PeerError::Choice(encryption)),
        (
            contexts().encryption(&[1]).unwrap().encryption(&[1]).unwrap(),
            PeerError::Context(encryption),
        ),
        (contexts().signing(&[3]).unwrap(), PeerError::Choice(signing)),
        (contexts().signing(&[1, 2]).unwrap(), PeerError::Choice(signing)),
        (contexts().no_compression().unwrap(), PeerError::Choice(ContextType::COMPRESSION)),
    ] {
        assert_eq!(smb_311(&list).unwrap_err(), peer(expected));
    }
    // What this client does not offer, though it is known.
    let list = contexts().signing(&[2]).unwrap().encryption(&[2]).unwrap();
    let config = ClientConfig {
        signing_algorithms: vec![SigningAlgorithm::AesCmac],
        ..ClientConfig::default()
    };
    assert_eq!(negotiate(config, 0x0311, &list).unwrap_err(), peer(PeerError::Choice(signing)));
    let config = ClientConfig { ciphers: vec![Cipher::Aes128Ccm], ..ClientConfig::default() };
    assert_eq!(negotiate(config, 0x0311, &list).unwrap_err(), peer(PeerError::Choice(encryption)));
    let config = ClientConfig { ciphers: Vec::new(), ..ClientConfig::default() };
    assert_eq!(negotiate(config, 0x0311, &list).unwrap_err(), peer(PeerError::Choice(encryption)));
}

#[test]
fn a_dialect_is_one_that_was_offered() {
    let new = ContextListBuilder::new();
    for revision in [Dialect::WILDCARD, 0, 0x0303, 0xffff] {
        let error = negotiate(ClientConfig::default(), revision, &new).unwrap_err();
        assert_eq!(error, peer(PeerError::DialectNotOffered(revision)));
    }
    let dialects = DialectRange::only(Protocol::Smb2(Dialect::Smb311));
    for dialect in Dialect::ALL.into_iter().filter(|dialect| *dialect < Dialect::Smb311) {
        let config = ClientConfig { dialects, ..ClientConfig::default() };
        let error = negotiate(config, dialect.revision(), &new).unwrap_err();
        assert_eq!(error, peer(PeerError::DialectNotOffered(dialect.revision())));
        negotiate(ClientConfig::default(), dialect.revision(), &new).unwrap();
    }
}

#[test]
fn encryption_that_is_insisted_on_is_there_or_nothing_is() {
    let new = ContextListBuilder::new();
    let config = || ClientConfig { require_encryption: true, ..ClientConfig::default() };
    let unavailable = ClientError::Unavailable(Unavailable::Encryption);
    assert_eq!(negotiate(config(), 0x0210, &new).unwrap_err(), unavailable);
    let none = contexts().encryption(&[0]).unwrap();
    assert_eq!(negotiate(config(), 0x0311, &none).unwrap_err(), unavailable);
    assert_eq!(negotiate(config(), 0x0311, &contexts()).unwrap_err(), unavailable);
    negotiate(config(), 0x0300, &new).unwrap();
}

#[test]
fn another_message_is_not_the_response() {
    let new = ContextListBuilder::new();
    let good = response(0x0210, &new);
    let request = Header { flags: HeaderFlags::empty(), ..header(0) };
    let other = Header { command: Command::ECHO, ..header(0) };
    let compound = Header { next_command: 8, ..header(0) };
    for (header, field) in [
        (request, "direction"),
        (other, "Command"),
        (header(1), "MessageId"),
        (compound, "NextCommand"),
    ] {
        let message = good.encode(&header).unwrap();
        let error = start(ClientConfig::default()).1.receive(&message).unwrap_err();
        assert_eq!(error, peer(PeerError::NotTheResponse(field)));
    }
    let refused = Header { status: NtStatus::NOT_SUPPORTED, ..header(0) };
    let refusal = ErrorResponse { error_context_count: 0, error_data: Part::default() };
    let message = refusal.encode(&refused).unwrap();
    let error = start(ClientConfig::default()).1.receive(&message).unwrap_err();
    assert_eq!(error, peer(PeerError::NoCommonDialect));
    let smb1 = smb1::Header::new(smb1::Command::NEGOTIATE, 0).encode();
    for message in [&smb1[..], b"", b"\xfeSM", &[0; 64]] {
        let error = start(ClientConfig::default()).1.receive(message).unwrap_err();
        assert_eq!(error, peer(PeerError::WrongProtocol));
    }
}

#[test]
fn an_smb1_negotiate_leads_to_smb2() {
    let new = ContextListBuilder::new();
    let multi =
        |dialects| ClientConfig { dialects, multi_protocol: true, ..ClientConfig::default() };
    let (message, negotiating) = start(multi(DialectRange::default()));
    let request = smb1::NegotiateRequest::decode(&message).unwrap();
    let offered: Vec<&[u8]> = request.dialects().collect();
    assert_eq!(offered, [&b"SMB 2.002"[..], b"SMB 2.???"]);
    let wildcard = response(Dialect::WILDCARD, &new).encode(&header(0)).unwrap();
    let NegotiateStep::Again(message, again) = negotiating.receive(&wildcard).unwrap() else {
        panic!("a second NEGOTIATE")
    };
    assert_eq!(Header::decode(&message).unwrap().message_id, 1);
    // Not a second time.
    let error = again.receive(&response(Dialect::WILDCARD, &new).encode(&header(1)).unwrap());
    assert_eq!(error.unwrap_err(), peer(PeerError::DialectNotOffered(Dialect::WILDCARD)));
    // A dialect that an SMB1 NEGOTIATE cannot settle.
    let (_, negotiating) = start(multi(DialectRange::default()));
    let message = response(0x0210, &new).encode(&header(0)).unwrap();
    let error = negotiating.receive(&message).unwrap_err();
    assert_eq!(error, peer(PeerError::DialectNotOffered(0x0210)));
    // 2.0.2 where it was not offered, and the wildcard where nothing newer was.
    let newer = DialectRange::only(Protocol::Smb2(Dialect::Smb311));
    let older = DialectRange::only(Protocol::Smb2(Dialect::Smb202));
    for (dialects, revision) in [(newer, 0x0202), (older, Dialect::WILDCARD)] {
        let message = response(revision, &new).encode(&header(0)).unwrap();
        let error = start(multi(dialects)).1.receive(&message).unwrap_err();
        assert_eq!(error, peer(PeerError::DialectNotOffered(revision)));
    }
}

/// A server of NT LM 0.12.
fn nt_lm(security: smb1::ServerSecurity<'_>) -> smb1::NegotiateNtLm<'_> {
    let mut capabilities =
        smb1::Capabilities::UNICODE | smb1::Capabilities::STATUS32 | smb1::Capabilities::NT_SMBS;
    let extended = matches!(security, smb1::ServerSecurity::Extended { .. });
    capabilities.set(smb1::Capabilities::EXTENDED_SECURITY, extended);
    smb1::NegotiateNtLm {
        dialect_index: 0,
        security_mode: smb1::SecurityMode::USER_SECURITY
            | smb1::SecurityMode::ENCRYPT_PASSWORDS
            | smb1::SecurityMode::SECURITY_SIGNATURES_ENABLED,
        max_mpx_count: 50,
        max_number_vcs: 1,
        max_buffer_size: 16_644,
        max_raw_size: 65_536,
        session_key: 7,
        capabilities,
        system_time: FileTime::default(),
        server_time_zone: 0,
        security,
    }
}

#[test]
fn smb1_without_extended_security_needs_to_be_told() {
    let extended = nt_lm(smb1::ServerSecurity::Extended {
        server_guid: [3; 16],
        security_blob: Part::default(),
    });
    let challenge = nt_lm(smb1::ServerSecurity::Challenge {
        challenge: Part::new(&[8; 8]),
        domain_name: Part::default(),
        server_name: Part::default(),
    });
    let header = smb1::Header {
        flags: smb1::Flags::REPLY,
        flags2: smb1::Flags2::UNICODE | smb1::Flags2::NT_STATUS,
        ..smb1::Header::new(smb1::Command::NEGOTIATE, 0)
    };
    let config = |insecure_bare_session_setup| ClientConfig {
        dialects: DialectRange::only(Protocol::Smb1),
        insecure_bare_session_setup,
        ..ClientConfig::default()
    };
    let receive = |config, response: &smb1::NegotiateNtLm<'_>| {
        start(config).1.receive(&response.encode(&header).unwrap()).map(|step| match step {
            NegotiateStep::Smb1(connection) => connection.negotiated().extended_security,
            step => panic!("{step:?}"),
        })
    };
    assert_eq!(receive(config(false), &extended), Ok(true));
    assert_eq!(receive(config(true), &challenge), Ok(false));
    for (bare, response, what) in [
        (false, &challenge, Unavailable::ExtendedSecurity),
        (true, &extended, Unavailable::BareSessionSetup),
    ] {
        let error = receive(config(bare), response).unwrap_err();
        assert_eq!(error, ClientError::Unavailable(what));
    }
    // The flag asks for it.
    for bare in [false, true] {
        let (message, _) = start(config(bare));
        let flags2 = smb1::Header::decode(&message).unwrap().flags2;
        assert_eq!(flags2.contains(smb1::Flags2::EXTENDED_SECURITY), !bare);
    }
    // A password in the clear is never sent.
    let mut clear = challenge;
    clear.security_mode.remove(smb1::SecurityMode::ENCRYPT_PASSWORDS);
    assert!(receive(config(true), &clear).is_err());
    let demand = |signing, encryption| ClientConfig {
        require_signing: signing,
        require_encryption: encryption,
        ..config(false)
    };
    let mut unsigned = extended;
    unsigned.security_mode.remove(smb1::SecurityMode::SECURITY_SIGNATURES_ENABLED);
    let error = receive(demand(true, false), &unsigned).unwrap_err();
    assert_eq!(error, ClientError::Unavailable(Unavailable::Signing));
    let error = receive(demand(false, true), &extended).unwrap_err();
    assert_eq!(error, ClientError::Unavailable(Unavailable::Encryption));
}
