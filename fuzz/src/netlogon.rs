//! What holds of any input to `ntlm-netlogon`: one function for each target.
//!
//! `crates/ntlm-netlogon/tests/it/hostile.rs` runs the same functions over captured fragments and
//! recorded stubs, cut off and changed, and over `testdata/regress/`.

use ntlm::keys::{AccountSecret, Direction, Ntowfv1};
use ntlm::text::Utf16String;
use ntlm::{
    AccountName, ClientConfig, Credential, FileTime, Fresh, Server, ServerConfig, ServerNames,
};
use ntlm_netlogon::calls::{
    Authenticate3Request, Authenticate3Response, CapabilitiesRequest, CapabilitiesResponse,
    ChallengeRequest, ChallengeResponse, LogonInformation, MapResponse, ObservedLogon,
    SamLogonMethod, SamLogonRequest, SamLogonResponse, SecureChannelType,
};
use ntlm_netlogon::client::{
    Altered, Association, AssociationError, Binding, Challenging, ChannelConfig, ChannelPolicy,
    NtlmBinding, NtlmBindingConfig, NtlmPackage, NtlmResponding, Responded, Security,
};
use ntlm_netlogon::flags::NegotiateFlags;
use ntlm_netlogon::keys::{Algorithms, ChannelKeys, SessionKey};
use ntlm_netlogon::pdu::{
    self, AuthLevel, AuthType, AuthVerifier, BindAck, Body, ContextResult, Pdu, PfcFlags, Request,
    SyntaxId,
};
use ntlm_netlogon::protect::{Coverage, NetlogonProtection};
use ntlm_spnego::{Acceptor, AcceptorConfig, AcceptorStep};

/// A target's name and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// The targets of this file.
pub const TARGETS: [Target; 5] = [
    ("rpc_pdu", rpc_pdu),
    ("netlogon_calls", netlogon_calls),
    ("netlogon_protect", netlogon_protect),
    ("netlogon_client", netlogon_client),
    ("rpc_client", rpc_client),
];

/// A stream of fragments: what decodes encodes to what decodes to the same.
pub fn rpc_pdu(data: &[u8]) {
    let mut rest = data;
    while let Ok(Some((fragment, behind))) = pdu::split(rest) {
        assert!(behind.len() < rest.len(), "a fragment has bytes");
        if let Ok(decoded) = Pdu::decode(fragment)
            && let Ok(encoded) = decoded.encode()
        {
            assert_eq!(Pdu::decode(&encoded).expect("what was written is read"), decoded);
        }
        rest = behind;
    }
}

/// What decodes encodes to what decodes to the same.
macro_rules! again {
    ($stub:expr, $($kind:ty),+) => {$(
        if let Ok(decoded) = <$kind>::decode($stub)
            && let Ok(encoded) = decoded.encode()
        {
            assert_eq!(<$kind>::decode(&encoded).expect("what was written is read"), decoded);
        }
    )+};
}

/// A stub, as each call has it.
pub fn netlogon_calls(stub: &[u8]) {
    again!(stub, ChallengeRequest, Authenticate3Request, CapabilitiesRequest);
    let _ = ChallengeResponse::decode(stub);
    let _ = Authenticate3Response::decode(stub);
    let _ = CapabilitiesResponse::decode(stub);
    let _ = MapResponse::decode(stub);
    for opnum in [
        SamLogonMethod::EX_OPNUM,
        SamLogonMethod::WITH_FLAGS_OPNUM,
        SamLogonMethod::SAM_LOGON_OPNUM,
    ] {
        let observed = ObservedLogon::decode(opnum, stub);
        if let Ok(decoded) = SamLogonRequest::decode(opnum, stub)
            && let Ok(encoded) = decoded.encode()
        {
            let again = SamLogonRequest::decode(opnum, &encoded);
            assert_eq!(again.expect("what was written is read"), decoded);
            let observed = observed.expect("what a server reads, an observer does");
            let info = LogonInformation::Network(decoded.network_info);
            assert_eq!(observed.logon_information, info);
        }
        for algorithms in [Algorithms::AesSha2, Algorithms::InsecureRc4Md5] {
            let keys = ChannelKeys { algorithms, session_key: SessionKey::new([7; 16]) };
            let _ = SamLogonResponse::decode(opnum, stub, &keys);
        }
    }
}

fn protections() -> impl Iterator<Item = (usize, [NetlogonProtection; 2])> {
    let levels = [AuthLevel::PKT_INTEGRITY, AuthLevel::PKT_PRIVACY];
    levels.into_iter().flat_map(|level| {
        [Algorithms::AesSha2, Algorithms::InsecureRc4Md5].map(|algorithms| {
            let end = || {
                let key = SessionKey::new([7; 16]);
                NetlogonProtection::new(algorithms, &key, level, 1, Coverage::Whole)
                    .expect("a level that protects")
            };
            (usize::from(level.0), [end(), end()])
        })
    })
}

/// Any bytes are refused; any stub that is protected is opened, and refused once changed.
pub fn netlogon_protect(data: &[u8]) {
    for (level, [mut client, mut server]) in protections() {
        assert!(client.observe(Direction::ServerToClient, &mut data.to_vec()).is_err());
        assert!(client.open(Direction::ServerToClient, &mut data.to_vec()).is_err());
        let (Some(stub), Ok(auth_level)) = (data.get(..data.len().min(5000)), u8::try_from(level))
        else {
            continue;
        };
        let (padding, token) = ([0; 16], vec![0; server.auth_length()]);
        let pad = stub.len().next_multiple_of(16).saturating_sub(stub.len());
        let request = Request { alloc_hint: 0, context_id: 0, opnum: 0, object: None, stub };
        let pdu = Pdu {
            rpc_vers_minor: 0,
            pfc_flags: PfcFlags::WHOLE,
            call_id: 1,
            body: Body::Request(request),
            verifier: Some(AuthVerifier {
                auth_pad: padding.get(..pad).unwrap_or_default(),
                auth_type: AuthType::NETLOGON,
                auth_level: AuthLevel(auth_level),
                auth_context_id: 1,
                auth_value: &token,
            }),
        };
        let mut fragment = pdu.encode().expect("5000 bytes fit");
        let plain = fragment.clone();
        let direction = Direction::ClientToServer;
        server.protect(direction, &mut fragment, [9; 8]).expect("there is a place for it");
        let (_, [mut client, mut other]) = protections()
            .find(|(other, [end, _])| *other == level && end.auth_length() == server.auth_length())
            .expect("the same once more");
        let mut changed = fragment.clone();
        let place = usize::from(data.first().copied().unwrap_or_default()) % (24 + stub.len());
        // Byte 3 has flags of which one moves the body, and all are signed.
        if let Some(byte) = changed.get_mut(place) {
            *byte ^= 0x40;
        }
        assert!(
            other.observe(direction, &mut changed.clone()).is_err(),
            "byte {place} was changed"
        );
        assert!(other.open(direction, &mut changed).is_err(), "byte {place} was changed");
        assert_eq!(client.observe(direction, &mut fragment.clone()), Ok(0));
        client.open(direction, &mut fragment).expect("what was protected opens");
        let body = 24..24 + stub.len() + pad;
        assert_eq!(fragment.get(body.clone()), plain.get(body));
    }
}

/// bind_ack, or the answer to alter_context, with this token.
fn accepting(auth_type: AuthType, token: &[u8], alter: bool) -> Vec<u8> {
    let result = ContextResult {
        result: ContextResult::ACCEPTANCE,
        reason: 0,
        transfer_syntax: SyntaxId::NDR,
    };
    let ack = BindAck {
        max_xmit_frag: 5840,
        max_recv_frag: 5840,
        assoc_group_id: 1,
        sec_addr: b"135\0",
        results: vec![result],
    };
    let pdu = Pdu {
        rpc_vers_minor: 0,
        pfc_flags: PfcFlags::WHOLE | PfcFlags::SUPPORT_HEADER_SIGN,
        call_id: 1,
        body: if alter { Body::AlterContextResp(ack) } else { Body::BindAck(ack) },
        verifier: Some(AuthVerifier {
            auth_pad: &[],
            auth_type,
            auth_level: AuthLevel::PKT_PRIVACY,
            auth_context_id: 1,
            auth_value: token.get(..token.len().min(60_000)).unwrap_or_default(),
        }),
    };
    pdu.encode().expect("it fits")
}

fn bound() -> (Binding, Vec<u8>) {
    let security = Security::Netlogon {
        keys: ChannelKeys {
            algorithms: Algorithms::AesSha2,
            session_key: SessionKey::new([7; 16]),
        },
        domain: b"EXAMPLE".to_vec(),
        computer: b"MEMBER1".to_vec(),
        allow_unsigned_headers: false,
    };
    let (_, binding) = Binding::start(SyntaxId::NETLOGON, security).expect("short names");
    let ack = accepting(AuthType::NETLOGON, &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], false);
    (binding, ack)
}

/// What a server may answer at any step. Without the key nobody answers a protected call, and
/// nobody proves that he is the server.
pub fn netlogon_client(data: &[u8]) {
    let (binding, ack) = bound();
    let _ = binding.receive(data);
    let (binding, _) = bound();
    let association = binding.receive(&ack).expect("an answer as it should be");
    let (_, calling) = association.call(21, b"stub", [[9; 8]]).expect("it fits");
    match calling.receive(&mut data.to_vec()) {
        Ok(_) => panic!("an answer without the key"),
        Err(AssociationError::HeadersUnsigned | AssociationError::BindRefused(_)) => {
            panic!("not the answer to a call")
        }
        Err(_) => (),
    }
    let config = ChannelConfig {
        server_name: Utf16String::from("DC1"),
        domain_name: b"EXAMPLE".to_vec(),
        computer_name: b"MEMBER1".to_vec(),
        account_name: Utf16String::from("MEMBER1$"),
        secure_channel_type: SecureChannelType::WORKSTATION,
        negotiate_flags: NegotiateFlags::OFFERED,
        policy: ChannelPolicy::default(),
    };
    let challenge = [1, 2, 3, 4, 5, 6, 7, 8];
    let start = || Challenging::start(config.clone(), Ntowfv1::new([5; 16]), challenge);
    let (_, challenging) = start().expect("a challenge that will do");
    let _ = challenging.receive(data);
    let (_, challenging) = start().expect("a challenge that will do");
    let answer = [8, 7, 6, 5, 4, 3, 2, 1, 0, 0, 0, 0];
    let (_, authenticating) = challenging.receive(&answer).expect("a challenge that will do");
    assert!(authenticating.receive(data).is_err(), "a server without the key");
}

fn fresh() -> Fresh {
    Fresh::from_random(FileTime::from_unix_seconds(1_700_000_000), [7; 24])
}

/// A client that logs on, and the CHALLENGE that a server has for it.
fn logging_on(package: NtlmPackage) -> (NtlmBinding, AuthType, Vec<u8>) {
    let config = NtlmBindingConfig {
        package,
        auth_level: AuthLevel::PKT_PRIVACY,
        client: ClientConfig::default(),
    };
    let (bind, binding) = NtlmBinding::start(SyntaxId::NETLOGON, config).expect("a level");
    let verifier = Pdu::decode(&bind).expect("what was written is read").verifier;
    let AuthVerifier { auth_type, auth_value, .. } = verifier.expect("a token");
    let config = ServerConfig::new(ServerNames::new("SERVER", "EXAMPLE"));
    let server = Server::new(config).expect("names");
    let challenge = match package {
        NtlmPackage::Ntlmssp => server.challenge(auth_value, fresh()).expect("a token").0,
        NtlmPackage::Spnego => {
            let acceptor = Acceptor::new(server, AcceptorConfig::default());
            match acceptor.step(auth_value, fresh()) {
                Ok(AcceptorStep::Continue(token, _)) => token,
                step => panic!("no challenge: {step:?}"),
            }
        }
    };
    (binding, auth_type, challenge)
}

/// A server that does not know the password answers nothing that would be taken.
fn nobody_answers(association: Association, data: &[u8]) {
    let (_, calling) = association.call(4, b"stub", []).expect("it fits");
    assert!(calling.receive(&mut data.to_vec()).is_err(), "an answer without the key");
}

fn respond(responding: NtlmResponding, data: &[u8], challenge_is_whole: bool) {
    let name = AccountName::parse(r"EXAMPLE\alice");
    let secret = AccountSecret::from_hashes(Ntowfv1::new([5; 16]), None);
    match responding.respond(&Credential { name, secret }, fresh()) {
        Ok(Responded::Auth3(_, association)) => nobody_answers(association, data),
        Ok(Responded::AlterContext(_, altering)) => match altering.receive(data) {
            // Without MsvAvTimestamp there is no MIC, and so no mechListMIC either.
            Ok(Altered::Bound(association)) if !challenge_is_whole => {
                nobody_answers(association, data);
            }
            Ok(_) => panic!("a server without the key"),
            Err(_) => (),
        },
        Err(_) => assert!(!challenge_is_whole, "a challenge as it should be"),
    }
}

/// What a server may answer to a client that logs on: a fragment, or the token in one.
pub fn rpc_client(data: &[u8]) {
    for package in [NtlmPackage::Ntlmssp, NtlmPackage::Spnego] {
        let (binding, auth_type, challenge) = logging_on(package);
        let altered = accepting(auth_type, data, true);
        let whole = binding.receive(&accepting(auth_type, &challenge, false));
        respond(whole.expect("an answer as it should be"), data, true);
        let whole = logging_on(package).0.receive(&accepting(auth_type, &challenge, false));
        respond(whole.expect("an answer as it should be"), &altered, true);
        for hostile in [data, &accepting(auth_type, data, false)] {
            if let Ok(responding) = logging_on(package).0.receive(hostile) {
                respond(responding, &altered, false);
            }
        }
    }
}
