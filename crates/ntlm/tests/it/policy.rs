//! LmCompatibilityLevel: which responses are sent, and which are accepted.

use crate::common::{
    Handshake, NEGOTIATE_FLAGS, NOW, credential, fresh, secret, server_config, without_flags,
};
use ntlm::flags::NegotiateFlags;
use ntlm::keys::NtlmVersion;
use ntlm::message::{AuthenticateMessage, Message};
use ntlm::policy::{ClientSends, LmCompatibilityLevel, Policy, ServerPolicy};
use ntlm::wire::Payload;
use ntlm::{Check, Client, ClientConfig, DenialReason, Protection, Server, ServerConfig};

/// What stands in the two response fields.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sends {
    LmAndNtlmv1,
    Ntlmv1Twice,
    Ntlmv1Ess,
    Ntlmv2,
}

use Sends::{LmAndNtlmv1, Ntlmv1Ess, Ntlmv1Twice, Ntlmv2};

/// Level; what a client sends to a server without ESS, and with it; whether a server accepts LM,
/// NTLMv1, NTLMv1 with ESS, LMv2, NTLMv2.
const TABLE: [(u8, Sends, Sends, [bool; 5]); 6] = [
    (0, LmAndNtlmv1, LmAndNtlmv1, [true, true, true, true, true]),
    (1, LmAndNtlmv1, Ntlmv1Ess, [true, true, true, true, true]),
    (2, Ntlmv1Twice, Ntlmv1Ess, [true, true, true, true, true]),
    (3, Ntlmv2, Ntlmv2, [true, true, true, true, true]),
    (4, Ntlmv2, Ntlmv2, [false, true, true, true, true]),
    (5, Ntlmv2, Ntlmv2, [false, false, false, true, true]),
];

#[test]
fn every_level_sends_what_the_table_says() {
    for (number, without_ess, with_ess, _) in TABLE {
        let level = LmCompatibilityLevel::from_number(number).unwrap();
        for (server_has_ess, expected) in [(false, without_ess), (true, with_ess)] {
            let policy = Policy::at_level(level).client;
            let client = ClientConfig { policy, ..ClientConfig::default() };
            let (negotiate, client) = Client::start(client);
            let hide = without_flags(
                NEGOTIATE_FLAGS,
                if server_has_ess {
                    NegotiateFlags::empty()
                } else {
                    NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY
                },
            );
            let server = Server::new(server_config()).unwrap();
            let (challenge, _) = server.challenge(&hide(negotiate), fresh(1)).unwrap();
            let alice = credential(r"EXAMPLE\alice", "Wonder-Land1");
            let (token, established) = client.respond(&challenge, &alice, fresh(2)).unwrap();
            let message = AuthenticateMessage::decode(&token).unwrap();
            let lm = message.lm_challenge_response.bytes();
            let nt = message.nt_challenge_response.bytes();
            let sent = match (nt.len(), lm) {
                (48.., [0, .., 0]) => Ntlmv2,
                (24, lm) if lm == nt => Ntlmv1Twice,
                (24, [2, 2, 2, 2, 2, 2, 2, 2, zeros @ ..]) if zeros == [0; 16] => Ntlmv1Ess,
                (24, lm) if lm.len() == 24 => LmAndNtlmv1,
                other => panic!("{other:?}"),
            };
            assert_eq!(sent, expected, "level {number}, server has ESS: {server_has_ess}");
            let version = match expected {
                LmAndNtlmv1 | Ntlmv1Twice => NtlmVersion::Ntlmv1,
                Ntlmv1Ess => NtlmVersion::Ntlmv1Ess,
                Ntlmv2 => NtlmVersion::Ntlmv2,
            };
            assert_eq!(established.keys().version(), version);
            assert_eq!(established.relaxed().is_empty(), expected == Ntlmv2);
        }
    }
}

#[test]
fn every_level_accepts_what_the_table_says() {
    let versions = [
        NtlmVersion::Lm,
        NtlmVersion::Ntlmv1,
        NtlmVersion::Ntlmv1Ess,
        NtlmVersion::Lmv2,
        NtlmVersion::Ntlmv2,
    ];
    for (number, _, _, accepts) in TABLE {
        let level = LmCompatibilityLevel::from_number(number).unwrap();
        for (version, accepted) in versions.into_iter().zip(accepts) {
            let policy = Policy::at_level(level).server;
            assert_eq!(policy.accepts(version, false), accepted);
            let judged = judge(version, policy);
            let expected = if accepted { Ok(version) } else { Err(DenialReason::Version(version)) };
            assert_eq!(judged, expected, "level {number}");
        }
    }
    assert_eq!(LmCompatibilityLevel::from_number(6), None);
}

/// A right response of that version, put before a server.
fn judge(version: NtlmVersion, policy: ServerPolicy) -> Result<NtlmVersion, DenialReason> {
    let sends = match version {
        NtlmVersion::Lmv2 | NtlmVersion::Ntlmv2 => ClientSends::Ntlmv2,
        _ => ClientSends::InsecureLmAndNtlmv1,
    };
    let mut client = ClientConfig::default();
    client.policy.sends = sends;
    client.policy.offer_extended_session_security = version == NtlmVersion::Ntlmv1Ess;
    let (negotiate, client) = Client::start(client);
    let config = ServerConfig { policy, send_timestamp: false, ..server_config() };
    let (challenge, server) = Server::new(config).unwrap().challenge(&negotiate, fresh(1)).unwrap();
    let alice = credential(r"EXAMPLE\alice", "Wonder-Land1");
    let (mut token, _) = client.respond(&challenge, &alice, fresh(2)).unwrap();
    if matches!(version, NtlmVersion::Lm | NtlmVersion::Lmv2) {
        let mut message = AuthenticateMessage::decode(&token).unwrap();
        message.nt_challenge_response = Payload::default();
        token = message.encode().unwrap();
    }
    let logon = server.receive(&token, NOW).unwrap();
    let outcome = logon.verify(Some(&secret("Wonder-Land1")));
    outcome
        .map(|outcome| {
            let account = outcome.into_account().unwrap();
            // Only what a default server would refuse is recorded as relaxed.
            let by_default = ServerPolicy::default().accepts(version, false);
            assert_eq!(account.relaxed().is_empty(), by_default, "{:?}", account.relaxed());
            account.keys().version()
        })
        .map_err(|denied| denied.reason_for_the_log())
}

/// Level 3 for clients; 5 for servers, but without LMv2 alone; 128 bits and ESS insisted on.
#[test]
fn the_defaults_are_the_strict_ones() {
    let default = Policy::default();
    let level_3 = LmCompatibilityLevel::from_number(3).unwrap();
    let level_5 = LmCompatibilityLevel::from_number(5).unwrap();
    assert_eq!(default.client, Policy::at_level(level_3).client);
    let level_5 =
        ServerPolicy { insecure_accept_lmv2_alone: false, ..Policy::at_level(level_5).server };
    assert_eq!(default.server, level_5);
    let (client, logon) = Handshake::new(
        ClientConfig { protection: Protection::Seal, ..ClientConfig::default() },
        server_config(),
    )
    .account();
    assert!(client.relaxed().is_empty() && logon.relaxed().is_empty());
    assert_eq!(logon.mic(), Check::Valid);
    let strong = NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY
        | NegotiateFlags::NEGOTIATE_128
        | NegotiateFlags::NEGOTIATE_KEY_EXCH;
    assert!(logon.keys().negotiate_flags().contains(strong));
}

/// MS-NLMP 3.1.5.1.2: with protection and NTLMv2, a CHALLENGE without NetBIOS names is refused.
#[test]
fn ntlmv2_with_protection_needs_the_names_of_the_server() {
    use ntlm::message::{AvId, ChallengeMessage, TargetInfoBuilder};
    use ntlm::{ClientError, PeerError};
    let run = |ids: &[AvId], protection| {
        let (_, client) = Client::start(ClientConfig { protection, ..ClientConfig::default() });
        let list =
            ids.iter().fold(TargetInfoBuilder::new(), |list, id| list.text(*id, &"N".into()));
        let list = list.finish().unwrap();
        let challenge = ChallengeMessage {
            target_name: Payload::default(),
            negotiate_flags: client.offered() | NegotiateFlags::NEGOTIATE_TARGET_INFO,
            server_challenge: [1; 8],
            reserved: Some([0; 8]),
            target_info: Some(Payload::new(&list)),
            version: None,
        };
        let alice = credential("alice", "Wonder-Land1");
        client.respond(&challenge.encode().unwrap(), &alice, fresh(2)).map(drop)
    };
    let missing = Err(ClientError::Peer(PeerError::NoServerNames));
    let both = [AvId::NB_COMPUTER_NAME, AvId::NB_DOMAIN_NAME];
    assert_eq!(run(&both, Protection::Sign), Ok(()));
    assert_eq!(run(&both[..1], Protection::Sign), missing);
    assert_eq!(run(&both[1..], Protection::Seal), missing);
    assert_eq!(run(&[], Protection::None), Ok(()));
}
