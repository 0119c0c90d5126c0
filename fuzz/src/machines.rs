//! What holds of any peer: one function for each target, beside those of `decoders`.

use crate::decoders::{Target, secret, split};
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{
    Derivation, ExportedSessionKey, KeyExchange, KeySchedule, KeySource, LmowfPrefix, NtlmVersion,
    SessionBaseKey,
};
use ntlm::message::{AuthenticateMessage, Message};
use ntlm::policy::{ClientPolicy, LmCompatibilityLevel, ServerPolicy};
use ntlm::text::CodePage;
use ntlm::{
    AccountName, Buffer, ChannelBindings, Check, Client, ClientConfig, Credential, DatagramKeying,
    DatagramSession, Exchange, FileTime, Fresh, LogonOutcome, Protection, Role, Server,
    ServerConfig, ServerNames, Session, SessionError, Verdict,
};

/// The targets of this file.
pub const TARGETS: [Target; 3] =
    [("server", server), ("client", client), ("session_unseal", session_unseal)];

fn fresh() -> Fresh {
    Fresh::from_random(FileTime::from_unix_seconds(1_700_000_000), [0xaa; 24])
}

/// A server between a NEGOTIATE and an AUTHENTICATE: the first and third part of [`split`].
pub fn server(data: &[u8]) {
    let [negotiate, _, authenticate] = split(data);
    let permissive = ServerPolicy {
        insecure_accept_ntlmv1: true,
        insecure_accept_lm: true,
        insecure_grant_lm_keys: true,
        insecure_allow_anonymous: true,
        insecure_allow_guest: true,
        require_128_bit: false,
        require_target_info_echo: false,
        max_clock_skew_seconds: Some(u64::MAX),
        ..ServerPolicy::default()
    };
    for policy in [ServerPolicy::default(), permissive] {
        let names = ServerNames::new("SERVER", "SERVER");
        let bindings = ChannelBindings::from_application_data(b"tls-server-end-point:");
        let channel_bindings = Some(bindings);
        let config = ServerConfig { policy, channel_bindings, ..ServerConfig::new(names) };
        let server = Server::new(config).expect("a short name");
        judge(&server, Some(negotiate), authenticate);
        judge(&server, None, authenticate);
    }
}

fn judge(server: &Server, negotiate: Option<&[u8]>, authenticate: &[u8]) {
    let request = || {
        let (_, challenged) = match negotiate {
            Some(negotiate) => server.clone().challenge(negotiate, fresh()).ok()?,
            None => server.clone().challenge_connectionless(fresh()),
        };
        challenged.receive(authenticate, fresh().now).ok()
    };
    let Some(logon) = request() else { return };
    let _ = (logon.user(), logon.domain(), logon.workstation());
    let (lm, nt) = (logon.lm_challenge_response(), logon.nt_challenge_response());
    assert!(lm.len() <= authenticate.len() && nt.len() <= authenticate.len());
    let is_anonymous = logon.is_anonymous();
    let outcome = logon.verify(Some(&secret()));
    assert!(!matches!(outcome, Ok(LogonOutcome::Guest(_))), "the account is known");
    match outcome {
        Ok(LogonOutcome::Account(account)) => {
            assert!(account.mic() == Check::Valid || account.mic() == Check::Absent);
            protect(account.into_session());
        }
        Ok(LogonOutcome::Anonymous(_)) => assert!(is_anonymous),
        Ok(LogonOutcome::Guest(_)) | Err(_) => {}
    }
    if let Some(logon) = request() {
        assert!(!matches!(logon.verify(None), Ok(LogonOutcome::Account(_))), "nobody logged on");
    }
    if let Some(logon) = request() {
        let session_base_key = SessionBaseKey::new([7; 16]);
        let verdict = Verdict {
            session_base_key,
            lmowf_prefix: Some(LmowfPrefix::new([9; 8])),
            used_lm_password: false,
        };
        if let Ok(LogonOutcome::Account(account)) = logon.accept(verdict) {
            protect(account.into_session());
        }
    }
}

fn protect(mut session: Session) {
    let _ = session.sign(b"message");
    let _ = session.seal(&mut b"message".to_vec());
}

/// A client before a CHALLENGE: what it answers, a server that knows the secret can prove.
pub fn client(data: &[u8]) {
    let seal = ClientConfig { protection: Protection::Seal, ..ClientConfig::default() };
    let old = ClientConfig {
        policy: ClientPolicy {
            insecure_offer_lm_key: true,
            insecure_request_non_nt_session_key: true,
            require_128_bit: false,
            ..ClientPolicy::at_level(LmCompatibilityLevel::InsecureLevel1)
        },
        target_name: Some("cifs/server".into()),
        target_name_is_untrusted: true,
        protection: Protection::Sign,
        ..ClientConfig::default()
    };
    for config in [ClientConfig::default(), seal, old] {
        let (negotiate, client) = Client::start(config.clone());
        respond(client, Some(&negotiate), data);
        let (_, client) = Client::start(config.clone());
        let _ = client.respond_anonymously(data, fresh());
        respond(Client::start_connectionless(config), None, data);
    }
}

fn respond(client: Client, negotiate: Option<&[u8]>, challenge: &[u8]) {
    let name = AccountName::down_level("Domain", "User");
    let credential = Credential { name, secret: secret() };
    let Ok((authenticate, established)) = client.respond(challenge, &credential, fresh()) else {
        return;
    };
    let message = AuthenticateMessage::decode(&authenticate).expect("what we send decodes");
    assert!(message.defects().is_empty(), "{:?}", message.defects());
    let exchange = Exchange::decode(negotiate, challenge, &authenticate, CodePage::Cp437)
        .expect("what we answer decodes");
    let proof = exchange.prove(&secret()).expect("what we send proves");
    let source = KeySource::Proof(proof);
    let keys = exchange.keys(source).expect("a session key of 16 bytes");
    let exported_session_key = keys.exported_session_key();
    assert_eq!(exported_session_key.expose(), established.keys().exported_session_key().expose());
    assert_ne!(exchange.check_mic(exported_session_key), Check::Invalid);
}

/// A protected message of the peer: four bytes of flags, one that says how long the signature is,
/// the signature, the message.
pub fn session_unseal(data: &[u8]) {
    let Some((&[a, b, c, d, signature_len], rest)) = data.split_first_chunk::<5>() else { return };
    let flags = NegotiateFlags::from_bits_retain(u32::from_le_bytes([a, b, c, d]));
    let (signature, message) = rest.split_at(rest.len().min(usize::from(signature_len % 20)));

    let _ = session(flags, Role::Server).verify(message, signature);
    let mut text = message.to_vec();
    let mut server = session(flags, Role::Server);
    if let Err(SessionError::MessageAltered) = server.unseal(&mut text, signature) {
        // A dummy signature protects nothing, so nothing was wiped or broken.
        assert!(text.iter().all(|&byte| byte == 0));
        assert_eq!(server.verify(message, signature), Err(SessionError::Broken));
    }
    let mut text = message.to_vec();
    let _ = session(flags, Role::Client).unseal_buffers(&mut parts(&mut text), signature);

    round_trip(flags, message);
    let datagram = |role| DatagramSession::new(keys(flags), role, DatagramKeying::PerMessage);
    let _ = datagram(Role::Client).unseal(u32::from(a), &mut message.to_vec(), signature);
    let mut text = message.to_vec();
    if let Ok(signature) = datagram(Role::Client).seal(u32::MAX, &mut text) {
        assert_eq!(datagram(Role::Server).unseal(u32::MAX, &mut text, &signature), Ok(()));
        assert_eq!(text, message);
    }
}

/// What one end protects the other opens, also when RC4 was set back in between.
fn round_trip(flags: NegotiateFlags, message: &[u8]) {
    let (mut client, mut server) = (session(flags, Role::Client), session(flags, Role::Server));
    let (at_client, at_server) = (client.save_rc4(), server.save_rc4());
    if let Ok(signature) = client.sign(message) {
        assert_eq!(server.verify(message, &signature), Ok(()));
        client.restore_rc4(at_client);
        server.restore_rc4(at_server);
    }
    for _ in 0..2 {
        let mut text = message.to_vec();
        if let Ok(signature) = client.seal_buffers(&mut parts(&mut text)) {
            assert_eq!(server.unseal_buffers(&mut parts(&mut text), &signature), Ok(()));
            assert_eq!(text, message);
        }
    }
}

fn parts(message: &mut [u8]) -> [Buffer<'_>; 3] {
    let (header, rest) = message.split_at_mut(message.len() / 4);
    let (body, trailer) = rest.split_at_mut(rest.len() / 2);
    [Buffer::Signed(header), Buffer::Sealed(body), Buffer::Plain(trailer)]
}

fn session(flags: NegotiateFlags, role: Role) -> Session {
    Session::new(keys(flags), role)
}

fn keys(flags: NegotiateFlags) -> KeySchedule {
    KeySchedule::derive(Derivation {
        negotiate_flags: flags,
        server_challenge: [1; 8],
        lm_challenge_response: &[2; 24],
        source: KeySource::ExportedSessionKey {
            version: NtlmVersion::Ntlmv2,
            exported_session_key: ExportedSessionKey::new([0x55; 16]),
        },
        key_exchange: KeyExchange::received(flags, &[3; 16]).expect("16 bytes"),
    })
}
