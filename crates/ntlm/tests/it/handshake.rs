//! Logons with both ends in memory: what is negotiated, what is refused, what agrees.

use crate::common::{
    AUTHENTICATE_FLAGS, CHALLENGE_FLAGS, Handshake, NEGOTIATE_FLAGS, NOW, Refused, credential,
    fresh, hex, lax_server_config, secret, server_config, signing_client, unhex, vector_file,
    without_flags,
};
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{
    Direction, KeyExchangeKeyRule, LmowfPrefix, Lmowfv1, NtlmVersion, Ntowfv1, RandomSessionKey,
    SessionBaseKey, lm_challenge_response_v1, mic, nt_challenge_response_v1,
};
use ntlm::message::{
    AuthenticateMessage, AvId, ChallengeMessage, Message, NegotiateMessage, Version,
};
use ntlm::policy::{
    ChannelBindingsPolicy, ClientPolicy, ClientSends, Relaxation, ServerPolicy, TargetNamePolicy,
};
use ntlm::text::CodePage;
use ntlm::wire::{DecodeErrorKind, Payload};
use ntlm::{
    AccountLogon, AccountName, ChannelBindings, ChannelBindingsResult, Check, Client, ClientConfig,
    ClientError, DatagramKeying, DenialReason, Established, FileTime, Fresh, LogonOutcome, Misuse,
    PeerError, Protection, Server, ServerConfig, SessionError, Verdict,
};
use std::collections::BTreeSet;

const ESS: NegotiateFlags = NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY;

fn lax_client(sends: ClientSends) -> ClientConfig {
    let policy = ClientPolicy {
        sends,
        require_extended_session_security: false,
        require_128_bit: false,
        ..ClientPolicy::default()
    };
    ClientConfig { policy, ..ClientConfig::default() }
}

fn assert_same_keys(client: &Established, server: &AccountLogon) {
    let (client, server) = (client.keys(), server.keys());
    let name = format!("{:?} {:?}", client.version(), client.negotiate_flags());
    assert_eq!(client.version(), server.version(), "{name}");
    assert_eq!(client.negotiate_flags(), server.negotiate_flags(), "{name}");
    let rules = (client.key_exchange_key_rule(), server.key_exchange_key_rule());
    assert_eq!(rules.0, rules.1, "{name}");
    let exported = |keys: &ntlm::keys::KeySchedule| *keys.exported_session_key().expose();
    assert_eq!(exported(client), exported(server), "{name}");
    for direction in Direction::ALL {
        let signing =
            |keys: &ntlm::keys::KeySchedule| keys.signing_key(direction).map(|key| *key.expose());
        assert_eq!(signing(client), signing(server), "{name}");
        let sealing =
            |keys: &ntlm::keys::KeySchedule| keys.sealing_key(direction).expose().to_vec();
        assert_eq!(sealing(client), sealing(server), "{name}");
    }
}

/// Signed and, where negotiated, sealed messages both ways, several in a row.
fn assert_messages_pass(client: Established, server: AccountLogon) {
    let flags = client.keys().negotiate_flags();
    let (mut client, mut server) = (client.into_session(), server.into_session());
    for turn in 0..3 {
        for to_server in [true, false, false] {
            let (from, to) =
                if to_server { (&mut client, &mut server) } else { (&mut server, &mut client) };
            let text = format!("message {turn} of {to_server}").into_bytes();
            let signature = from.sign(&text).unwrap();
            to.verify(&text, &signature).unwrap();
            let mut message = text.clone();
            if flags.contains(NegotiateFlags::NEGOTIATE_SEAL) {
                let signature = from.seal(&mut message).unwrap();
                assert_ne!(message, text);
                to.unseal(&mut message, &signature).unwrap();
                assert_eq!(message, text);
            } else {
                assert_eq!(from.seal(&mut message), Err(SessionError::NotNegotiated));
            }
        }
    }
}

/// What SPNEGO needs for its mechListMIC.
#[test]
fn signing_can_be_offered_without_insisting_on_it() {
    let config = ClientConfig { offer_signing: true, ..ClientConfig::default() };
    let (client, server) = Handshake::new(config.clone(), server_config()).account();
    assert!(client.has_mic() && server.mic() == Check::Valid);
    assert!(client.keys().negotiate_flags().contains(NegotiateFlags::NEGOTIATE_SIGN));
    let strip = without_flags(CHALLENGE_FLAGS, NegotiateFlags::NEGOTIATE_SIGN);
    let handshake =
        Handshake { on_challenge: &strip, ..Handshake::new(config, lax_server_config()) };
    let (client, _) = handshake.account();
    assert!(!client.has_mic());
    assert!(!client.keys().negotiate_flags().protects());
}

/// Every combination that policies, and a peer that lacks some flags, can bring about.
#[test]
fn every_reachable_combination_of_flags_agrees() {
    let all = [ClientSends::Ntlmv2, ClientSends::InsecureNtlmv1, ClientSends::InsecureLmAndNtlmv1];
    let lacking = [
        NegotiateFlags::NEGOTIATE_128,
        NegotiateFlags::NEGOTIATE_56,
        NegotiateFlags::NEGOTIATE_KEY_EXCH,
        NegotiateFlags::NEGOTIATE_SIGN,
    ];
    let (mut logons, mut seen, mut rules) = (0, BTreeSet::new(), Vec::new());
    for bits in 0..8 * 3 * 3 * 16 * 2_usize {
        let on = |bit: usize| bits & 1 << bit != 0;
        let rest = bits >> 3;
        let (sends, rest) = (all[rest % 3], rest / 3);
        let protection = [Protection::None, Protection::Sign, Protection::Seal][rest % 3];
        let (lacks, long_password) = (rest / 3 % 16, rest / 48 == 1);
        if protection != Protection::Seal && lacks & 8 != 0 {
            continue; // it insists on SIGN
        }
        let mut client = lax_client(sends);
        client.policy.offer_extended_session_security = on(0);
        client.policy.insecure_offer_lm_key = on(1);
        client.policy.insecure_request_non_nt_session_key = on(2);
        client.protection = protection;
        let removed = lacking.iter().enumerate().filter(|(bit, _)| lacks & 1 << bit != 0);
        let removed = removed.fold(NegotiateFlags::empty(), |all, (_, flag)| all | *flag);
        let peer_lacks = without_flags(NEGOTIATE_FLAGS, removed);
        let mut handshake = Handshake::new(client, lax_server_config());
        if long_password {
            let password = "more than fourteen letters";
            handshake.credential = credential(r"EXAMPLE\alice", password);
            handshake.account = Some(secret(password));
        }
        handshake.on_negotiate = &peer_lacks;
        if removed.contains(NegotiateFlags::NEGOTIATE_SIGN) {
            let error = PeerError::FlagsMissing(NegotiateFlags::NEGOTIATE_SIGN);
            assert_eq!(handshake.refused(), Refused::Challenge(error.into()));
            continue;
        }
        let (client, server) = handshake.account();
        logons += 1;
        seen.insert(client.keys().negotiate_flags().bits());
        let rule = client.keys().key_exchange_key_rule();
        if !rules.contains(&rule) {
            rules.push(rule);
        }
        assert_same_keys(&client, &server);
        assert_messages_pass(client, server);
    }
    println!("{logons} logons, {} sets of flags in force", seen.len());
    assert_eq!(logons, 8 * 3 * 3 * 8 * 2);
    assert!(seen.len() >= 80, "{}", seen.len());
    assert_eq!(rules.len(), KeyExchangeKeyRule::ALL.len() - 1, "all but anonymous: {rules:?}");
}

#[test]
fn every_reachable_combination_of_datagram_flags_agrees() {
    let mut logons = 0;
    for sends in
        [ClientSends::Ntlmv2, ClientSends::InsecureNtlmv1, ClientSends::InsecureLmAndNtlmv1]
    {
        for bits in 0..4 {
            for protection in [Protection::None, Protection::Sign, Protection::Seal] {
                for send_timestamp in [true, false] {
                    let mut config = lax_client(sends);
                    config.policy.offer_extended_session_security = bits & 1 != 0;
                    config.policy.insecure_request_non_nt_session_key = bits & 2 != 0;
                    config.protection = protection;
                    let client = Client::start_connectionless(config);
                    let config = ServerConfig { send_timestamp, ..lax_server_config() };
                    let server = Server::new(config).unwrap();
                    let (challenge, server) = server.challenge_connectionless(fresh(1));
                    let alice = credential(r"EXAMPLE\alice", "Wonder-Land1");
                    let (token, client) = client.respond(&challenge, &alice, fresh(2)).unwrap();
                    let logon = server.receive(&token, NOW).unwrap();
                    let logon = logon.verify(Some(&secret("Wonder-Land1"))).unwrap();
                    let server = logon.into_account().unwrap();
                    let v2 = sends == ClientSends::Ntlmv2;
                    let valid = if v2 && send_timestamp { Check::Valid } else { Check::Absent };
                    assert_eq!(server.mic(), valid);
                    assert_same_keys(&client, &server);
                    assert_datagrams_pass(client, server, protection);
                    logons += 1;
                }
            }
        }
    }
    assert_eq!(logons, 3 * 4 * 3 * 2);
}

fn assert_datagrams_pass(client: Established, server: AccountLogon, protection: Protection) {
    let ess = client.keys().negotiate_flags().contains(ESS);
    let client = client.into_datagram_session(DatagramKeying::PerMessage);
    let server = server.into_datagram_session(DatagramKeying::PerMessage);
    for (from, to) in [(&client, &server), (&server, &client)] {
        for number in [5, 3, 3, u32::MAX] {
            if protection == Protection::None {
                assert_eq!(from.sign(number, b"text"), Err(SessionError::NotNegotiated));
                continue;
            }
            let signature = from.sign(number, b"text").unwrap();
            to.verify(number, b"text", &signature).unwrap();
            assert!(to.verify(number ^ 1, b"text", &signature).is_err());
            assert_eq!(to.verify(number, b"test", &signature), Err(SessionError::MessageAltered));
            let mut message = *b"text";
            if protection == Protection::Seal && ess {
                let signature = from.seal(number, &mut message).unwrap();
                let mut altered = message;
                altered[0] ^= 1;
                assert!(to.unseal(number, &mut altered, &signature).is_err());
                assert_eq!(altered, [0; 4], "wiped");
                to.unseal(number, &mut message, &signature).unwrap();
                assert_eq!(&message, b"text");
            } else {
                // Without ESS datagrams are not confidential (MS-NLMP 3.4.3).
                assert_eq!(from.seal(number, &mut message), Err(SessionError::NotNegotiated));
            }
        }
    }
}

fn fixed(random_session_key: u8) -> Fresh {
    Fresh {
        now: FileTime::default(),
        nonce: [0xaa; 8],
        random_session_key: RandomSessionKey::new([random_session_key; 16]),
    }
}

fn published(id: &str, name: &str) -> Vec<u8> {
    let file = vector_file("nlmp.json");
    let vectors = file["vectors"].as_array().unwrap();
    let vector = vectors.iter().find(|vector| vector["id"] == id).unwrap();
    let value = [&vector["inputs"], &vector["expected"], &vector["steps"][0]]
        .into_iter()
        .find_map(|part| part[name].as_str());
    unhex(value.unwrap())
}

/// MS-NLMP 4.2.2: NTLMv1 with a key exchange. Flags, VERSION and the order of the payload differ
/// from the printed AUTHENTICATE, whose flags do not follow from its CHALLENGE.
#[test]
fn the_client_answers_the_example_of_ntlmv1() {
    let mut config = lax_client(ClientSends::InsecureLmAndNtlmv1);
    config.protection = Protection::Seal;
    config.workstation = "COMPUTER".into();
    let (_, client) = Client::start(config);
    let challenge = published("nlmp-4.2.2.3-challenge", "message");
    let (token, client) =
        client.respond(&challenge, &credential(r"Domain\User", "Password"), fixed(0x55)).unwrap();
    let ours = AuthenticateMessage::decode(&token).unwrap();
    let theirs = published("nlmp-4.2.2.3-authenticate", "message");
    let theirs = AuthenticateMessage::decode(&theirs).unwrap();
    assert_eq!(ours.lm_challenge_response, theirs.lm_challenge_response);
    assert_eq!(ours.nt_challenge_response, theirs.nt_challenge_response);
    assert_eq!(ours.encrypted_random_session_key, theirs.encrypted_random_session_key);
    assert_eq!(ours.user_name, theirs.user_name);
    assert_eq!(ours.domain_name, theirs.domain_name);
    assert_eq!(ours.workstation, theirs.workstation);
    assert_eq!(ours.negotiate_flags.unwrap().bits(), 0xe200_8231);
    assert_seals_as_published(client, "nlmp-4.2.2.4");
}

/// MS-NLMP 4.2.3: NTLMv1 with extended session security, without a key exchange.
#[test]
fn the_client_answers_the_example_of_ntlmv1_with_ess() {
    let mut config = lax_client(ClientSends::InsecureNtlmv1);
    config.protection = Protection::Seal;
    config.workstation = "COMPUTER".into();
    let (_, client) = Client::start(config);
    let challenge = published("nlmp-4.2.3.3-challenge", "message");
    let (token, client) =
        client.respond(&challenge, &credential(r"Domain\User", "Password"), fixed(0x55)).unwrap();
    let ours = AuthenticateMessage::decode(&token).unwrap();
    let theirs = published("nlmp-4.2.3.3-authenticate", "message");
    let theirs = AuthenticateMessage::decode(&theirs).unwrap();
    assert_eq!(ours.lm_challenge_response, theirs.lm_challenge_response);
    assert_eq!(ours.nt_challenge_response, theirs.nt_challenge_response);
    assert_eq!(ours.encrypted_random_session_key, theirs.encrypted_random_session_key);
    assert_seals_as_published(client, "nlmp-4.2.3.4");
}

/// MS-NLMP 4.2.4: NTLMv2. The client adds AV_PAIRs of its own, as Windows since Vista does, so
/// NTProofStr is not the printed one; LMv2, and what RandomSessionKey alone decides, is.
#[test]
fn the_client_answers_the_example_of_ntlmv2() {
    let config = ClientConfig {
        protection: Protection::Seal,
        workstation: "COMPUTER".into(),
        ..ClientConfig::default()
    };
    let (_, client) = Client::start(config);
    let challenge = published("nlmp-4.2.4.3-challenge", "message");
    let (token, client) =
        client.respond(&challenge, &credential(r"Domain\User", "Password"), fixed(0x55)).unwrap();
    let ours = AuthenticateMessage::decode(&token).unwrap();
    let theirs = published("nlmp-4.2.4.3-authenticate", "message");
    let theirs = AuthenticateMessage::decode(&theirs).unwrap();
    assert_eq!(ours.lm_challenge_response, theirs.lm_challenge_response);
    assert!(!ours.announces_mic());
    assert_seals_as_published(client, "nlmp-4.2.4.4");
}

fn assert_seals_as_published(client: Established, id: &str) {
    let mut message = published(id, "message");
    let signature = client.into_session().seal(&mut message).unwrap();
    assert_eq!(hex(&message), hex(&published(id, "sealed")));
    let mask = if id == "nlmp-4.2.2.4" { 8 } else { 4 }; // there RandomPad is printed encrypted
    assert_eq!(signature[mask..], published(id, "signature")[mask..]);
}

#[test]
fn anonymous_is_an_outcome_of_its_own_and_has_to_be_allowed() {
    let start = |allowed| {
        let mut config = lax_server_config();
        config.policy.insecure_allow_anonymous = allowed;
        let client = ClientConfig { protection: Protection::Seal, ..ClientConfig::default() };
        let (negotiate, client) = Client::start(client);
        let server = Server::new(config).unwrap();
        let (challenge, server) = server.challenge(&negotiate, fresh(1)).unwrap();
        let (token, client) = client.respond_anonymously(&challenge, fresh(2)).unwrap();
        let message = AuthenticateMessage::decode(&token).unwrap();
        assert!(message.negotiate_flags.unwrap().contains(NegotiateFlags::ANONYMOUS));
        assert!(message.user_name.is_empty() && message.nt_challenge_response.is_empty());
        assert_eq!(message.lm_challenge_response.bytes(), [0]);
        (server.receive(&token, NOW).unwrap(), client)
    };
    let (logon, client) = start(true);
    assert!(logon.is_anonymous());
    let outcome = logon.verify(None).unwrap();
    assert_eq!(outcome.relaxed(), [Relaxation::Anonymous]);
    let LogonOutcome::Anonymous(server) = outcome else { panic!("not anonymous") };
    let exported = |keys: &ntlm::keys::KeySchedule| *keys.exported_session_key().expose();
    assert_eq!(exported(server.keys()), exported(client.keys()));
    assert_eq!(server.keys().session_base_key().unwrap().expose(), &[0; 16]);
    for account in [None, Some(secret("Wonder-Land1"))] {
        let denied = start(false).0.verify(account.as_ref()).unwrap_err();
        assert_eq!(denied.reason_for_the_log(), DenialReason::Anonymous);
        assert_eq!(denied.to_string(), "logon denied");
    }
    // Nobody's verdict makes it an account.
    let verdict = Verdict {
        session_base_key: SessionBaseKey::new([0; 16]),
        lmowf_prefix: None,
        used_lm_password: false,
    };
    assert!(start(true).0.accept(verdict).is_err());
}

/// What a Windows client answers on the same machine: nothing. It proves nothing here.
#[test]
fn an_empty_authenticate_is_no_local_logon() {
    let (negotiate, _) = Client::start(ClientConfig::default());
    let (_, server) =
        Server::new(server_config()).unwrap().challenge(&negotiate, fresh(1)).unwrap();
    let token = published("dav-c12-type3", "message");
    let denied = server.receive(&token, NOW).map(|logon| logon.verify(None));
    match denied {
        Ok(Ok(outcome)) => panic!("{outcome:?}"),
        Ok(Err(denied)) => assert_eq!(denied.reason_for_the_log(), DenialReason::Anonymous),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_empty_user_with_a_response_is_not_anonymous() {
    let mut server = server_config();
    server.policy.insecure_allow_anonymous = true;
    let mut handshake = Handshake::new(ClientConfig::default(), server);
    handshake.credential = credential("", "Wonder-Land1");
    handshake.account = None;
    assert_eq!(handshake.refused(), Refused::Logon(DenialReason::WrongSecret));
}

#[test]
fn unknown_accounts_become_guest_where_that_is_allowed() {
    let logon = |password: &str, account, allowed| {
        let mut server = server_config();
        server.policy.insecure_allow_guest = allowed;
        let mut handshake = Handshake::new(ClientConfig::default(), server);
        handshake.credential = credential(r"EXAMPLE\alice", password);
        handshake.account = account;
        handshake.run().map(|(_, outcome)| outcome)
    };
    let outcome = logon("whatever", None, true).unwrap();
    assert_eq!(outcome.relaxed(), [Relaxation::Guest]);
    let LogonOutcome::Guest(guest) = &outcome else { panic!("{outcome:?}") };
    assert_eq!(
        (guest.user().to_string(), guest.domain().to_string()),
        ("alice".to_owned(), "EXAMPLE".to_owned())
    );
    assert!(outcome.into_account().is_none());
    let wrong = Refused::Logon(DenialReason::WrongSecret);
    assert_eq!(logon("whatever", None, false).map(drop), Err(wrong));
    // A known account with a wrong password does not.
    let wrong = Refused::Logon(DenialReason::WrongSecret);
    assert_eq!(logon("another", Some(secret("Wonder-Land1")), true).map(drop), Err(wrong));
}

#[test]
fn names_arrive_as_they_were_given() {
    for (name, user, domain) in [
        (r"EXAMPLE\alice", "alice", "EXAMPLE"),
        (r"example.com\alice", "alice", "example.com"),
        ("alice@EXAMPLE.COM", "alice@EXAMPLE.COM", ""),
        ("alice", "alice", ""),
        (r"BÜRO\Jürgen", "Jürgen", "BÜRO"),
        ("\u{1f511}\\straße\u{1f600}", "straße\u{1f600}", "\u{1f511}"),
    ] {
        for client in [ClientConfig::default(), signing_client()] {
            let mut handshake = Handshake::new(client, server_config());
            handshake.credential = credential(name, "Пароль-\u{1f511}");
            handshake.account = Some(secret("Пароль-\u{1f511}"));
            let (client, logon) = handshake.account();
            assert_eq!(logon.user().to_string(), user);
            assert_eq!(logon.domain().to_string(), domain);
            assert_eq!(logon.mic(), Check::Valid);
            assert!(logon.relaxed().is_empty() && client.relaxed().is_empty());
            assert_same_keys(&client, &logon);
        }
    }
}

/// The same account in two forms proves two different keys; one is never turned into the other.
#[test]
fn upn_and_down_level_names_are_different_proofs() {
    let respond = |name: AccountName| {
        let (_, client) = Client::start(ClientConfig::default());
        let challenge = published("blog-cbt-challenge", "message");
        let alice = ntlm::Credential { name, secret: secret("Wonder-Land1") };
        let (token, _) = client.respond(&challenge, &alice, fixed(1)).unwrap();
        let message = AuthenticateMessage::decode(&token).unwrap();
        (message.user_name.bytes().len(), message.nt_challenge_response.bytes()[..16].to_vec())
    };
    let upn = respond(AccountName::UserPrincipalName("alice@EXAMPLE".into()));
    let down_level = respond(AccountName::down_level("EXAMPLE", "alice"));
    let odd = respond(AccountName::down_level("", "alice@EXAMPLE"));
    assert_eq!((upn.0, down_level.0), (26, 10));
    assert_ne!(upn.1, down_level.1);
    assert_eq!(upn, odd);
}

#[test]
fn the_account_name_counts_without_regard_to_case_but_not_the_domain() {
    let with_name_changed = |place: AvIdOrField| {
        let change = move |bytes: Vec<u8>| {
            let mut message = bytes.clone();
            let (_, fields) = AuthenticateMessage::decode_with_fields(&bytes).unwrap();
            let span = fields
                .span(match place {
                    AvIdOrField::User => "UserName",
                    AvIdOrField::Domain => "DomainName",
                })
                .unwrap();
            message[span.offset] ^= 0x20;
            message
        };
        let mut server = server_config();
        server.send_timestamp = false; // no MIC, which would show it
        let mut handshake = Handshake::new(ClientConfig::default(), server);
        handshake.on_authenticate = &change;
        handshake.run().map(drop)
    };
    assert_eq!(with_name_changed(AvIdOrField::User), Ok(()));
    let wrong = Refused::Logon(DenialReason::WrongSecret);
    assert_eq!(with_name_changed(AvIdOrField::Domain), Err(wrong));
}

#[derive(Clone, Copy)]
enum AvIdOrField {
    User,
    Domain,
}

/// A client without Unicode: NEGOTIATE offers OEM only, and names travel in the code page.
#[test]
fn peers_without_unicode_speak_the_code_page() {
    let run = |name: &str, client_page, server_page| {
        let mut client = ClientConfig { code_page: client_page, ..ClientConfig::default() };
        client.workstation = "PC".into();
        let mut server = ServerConfig { code_page: server_page, ..server_config() };
        server.send_timestamp = false;
        server.names.nb_domain = "BÜRO".into();
        let only_oem = without_flags(NEGOTIATE_FLAGS, NegotiateFlags::NEGOTIATE_UNICODE);
        let look = |challenge: Vec<u8>| {
            let message = ChallengeMessage::decode(&challenge).unwrap();
            assert!(message.negotiate_flags.contains(NegotiateFlags::NEGOTIATE_OEM));
            assert!(!message.negotiate_flags.contains(NegotiateFlags::NEGOTIATE_UNICODE));
            assert_eq!(message.target_name.bytes(), b"B\x9aRO");
            // AV_PAIRs are UTF-16 whatever was negotiated.
            let list = message.target_info().unwrap();
            assert_eq!(list.text(AvId::NB_DOMAIN_NAME).unwrap().to_string(), "BÜRO");
            challenge
        };
        let mut handshake = Handshake::new(client, server);
        handshake.credential = credential(name, "Wonder-Land1");
        handshake.on_negotiate = &only_oem;
        handshake.on_challenge = &look;
        handshake.run().map(|(_, outcome)| {
            let logon = outcome.into_account().unwrap();
            (logon.domain().to_string(), logon.user().to_string())
        })
    };
    let (domain, user) = run(r"Büro\jürgen", CodePage::Cp437, CodePage::Cp437).unwrap();
    assert_eq!((domain.as_str(), user.as_str()), ("Büro", "jürgen"));
    // Both ends have to guess the same page: é is 0x82 in one and ‚ in the other.
    let wrong = Refused::Logon(DenialReason::WrongSecret);
    assert_eq!(run(r"D\é", CodePage::Windows1252, CodePage::Cp437), Err(wrong));
    let misuse = Refused::Challenge(ClientError::Misuse(Misuse::NameNotInCodePage));
    assert_eq!(run(r"D\Жанна", CodePage::Cp437, CodePage::Cp437), Err(misuse));
}

#[test]
fn no_charset_is_refused_by_both_ends() {
    let none = NegotiateFlags::NEGOTIATE_UNICODE | NegotiateFlags::NEGOTIATE_OEM;
    let mut handshake = Handshake::new(ClientConfig::default(), server_config());
    let strip = without_flags(NEGOTIATE_FLAGS, none);
    handshake.on_negotiate = &strip;
    assert!(matches!(handshake.refused(),
        Refused::Negotiate(PeerError::Decode(error)) if error.kind == DecodeErrorKind::NoCharset));
    let mut handshake = Handshake::new(ClientConfig::default(), server_config());
    let strip = without_flags(CHALLENGE_FLAGS, none);
    handshake.on_challenge = &strip;
    assert!(matches!(handshake.refused(), Refused::Challenge(ClientError::Peer(
        PeerError::Decode(error))) if error.kind == DecodeErrorKind::NoCharset));
}

#[test]
fn wrong_passwords_and_unknown_users_are_denied() {
    for client in [ClientConfig::default(), signing_client()] {
        for account in [None, Some(secret("another")), Some(secret(""))] {
            let mut handshake = Handshake::new(client.clone(), server_config());
            handshake.account = account;
            assert_eq!(handshake.refused(), Refused::Logon(DenialReason::WrongSecret));
        }
    }
    for sends in [ClientSends::InsecureNtlmv1, ClientSends::InsecureLmAndNtlmv1] {
        for ess in [true, false] {
            let mut client = lax_client(sends);
            client.policy.offer_extended_session_security = ess;
            let mut handshake = Handshake::new(client, lax_server_config());
            handshake.account = Some(secret("another"));
            assert_eq!(handshake.refused(), Refused::Logon(DenialReason::WrongSecret));
        }
    }
}

/// Whatever single bit of whatever message changes on the way, nobody is let in.
#[test]
fn no_bit_of_an_exchange_with_a_mic_can_be_changed() {
    let messages = std::cell::RefCell::new([Vec::new(), Vec::new(), Vec::new()]);
    let keep = |place: usize| {
        let messages = &messages;
        move |message: Vec<u8>| {
            messages.borrow_mut()[place] = message.clone();
            message
        }
    };
    let (negotiate, challenge, authenticate) = (keep(0), keep(1), keep(2));
    let mut handshake = Handshake::new(signing_client(), server_config());
    handshake.on_negotiate = &negotiate;
    handshake.on_challenge = &challenge;
    handshake.on_authenticate = &authenticate;
    assert_eq!(handshake.account().1.mic(), Check::Valid);
    let lengths = messages.borrow().each_ref().map(Vec::len);
    let mut flips = 0;
    for (place, length) in lengths.into_iter().enumerate() {
        for bit in 0..length * 8 {
            let flip = move |mut message: Vec<u8>| {
                message[bit / 8] ^= 1 << (bit % 8);
                message
            };
            let mut handshake = Handshake::new(signing_client(), server_config());
            match place {
                0 => handshake.on_negotiate = &flip,
                1 => handshake.on_challenge = &flip,
                _ => handshake.on_authenticate = &flip,
            }
            let outcome = handshake.run();
            assert!(outcome.is_err(), "message {}: bit {} of byte {}", place + 1, bit % 8, bit / 8);
            flips += 1;
        }
    }
    println!("{flips} flips, all refused");
    assert!(flips > 4000, "{flips}");
}

#[test]
fn a_changed_mic_is_denied() {
    let change = |mut message: Vec<u8>| {
        message[72] ^= 1;
        message
    };
    let mut handshake = Handshake::new(signing_client(), server_config());
    handshake.on_authenticate = &change;
    assert_eq!(handshake.refused(), Refused::Logon(DenialReason::Mic));
    let zero = |mut message: Vec<u8>| {
        message[72..88].fill(0);
        message
    };
    let mut handshake = Handshake::new(signing_client(), server_config());
    handshake.on_authenticate = &zero;
    assert_eq!(handshake.refused(), Refused::Logon(DenialReason::Mic));
}

/// Encodes again with another header; payload items find new places.
fn rewritten(bytes: &[u8], change: impl Fn(&mut AuthenticateMessage<'_>)) -> Vec<u8> {
    let old = AuthenticateMessage::decode(bytes).unwrap();
    let mut message = AuthenticateMessage {
        lm_challenge_response: Payload::new(old.lm_challenge_response.bytes()),
        nt_challenge_response: Payload::new(old.nt_challenge_response.bytes()),
        domain_name: Payload::new(old.domain_name.bytes()),
        user_name: Payload::new(old.user_name.bytes()),
        workstation: Payload::new(old.workstation.bytes()),
        encrypted_random_session_key: old
            .encrypted_random_session_key
            .map(|key| Payload::new(key.bytes())),
        ..old
    };
    change(&mut message);
    message.encode().unwrap()
}

/// CVE-2019-1040, "drop the MIC": without MIC and VERSION, and without the flags that need a key.
#[test]
fn the_mic_cannot_be_removed() {
    let protecting = NegotiateFlags::NEGOTIATE_SIGN
        | NegotiateFlags::NEGOTIATE_ALWAYS_SIGN
        | NegotiateFlags::NEGOTIATE_KEY_EXCH
        | NegotiateFlags::NEGOTIATE_VERSION;
    let drop_it = |bytes: Vec<u8>| {
        rewritten(&bytes, |message| {
            (message.mic, message.version) = (None, None);
            message.negotiate_flags = message.negotiate_flags.map(|flags| flags - protecting);
            message.encrypted_random_session_key = Some(Payload::default());
        })
    };
    let mut handshake = Handshake::new(signing_client(), server_config());
    handshake.on_authenticate = &drop_it;
    assert!(matches!(handshake.refused(), Refused::Authenticate(PeerError::Decode(error))
        if error.kind == DecodeErrorKind::NoRoomForMic));
    // And with the announcement of the MIC removed as well: it is part of what is proved.
    let unannounced = |bytes: Vec<u8>| {
        let bytes = drop_it(bytes);
        let mut changed = bytes.clone();
        let flags = [6, 0, 4, 0, 2, 0, 0, 0];
        let place = bytes.windows(8).position(|part| part == flags).unwrap();
        changed[place + 4] = 0;
        changed
    };
    let mut handshake = Handshake::new(signing_client(), server_config());
    handshake.on_authenticate = &unannounced;
    assert_eq!(handshake.refused(), Refused::Logon(DenialReason::WrongSecret));
}

#[test]
fn a_mic_may_be_required() {
    let mut server = server_config();
    server.policy.require_mic = true;
    let (_, logon) = Handshake::new(signing_client(), server.clone()).account();
    assert_eq!(logon.mic(), Check::Valid);
    server.send_timestamp = false;
    let handshake = Handshake::new(signing_client(), server);
    assert_eq!(handshake.refused(), Refused::Logon(DenialReason::MicMissing));
}

/// CVE-2019-1338: LMv2 covers no AV_PAIRs, so the LM field beside NTLMv2 is never fallen back to,
/// and LMv2 alone counts only where nothing of theirs is required.
#[test]
fn lmv2_is_no_way_round_the_av_pairs() {
    let run = |change: &dyn Fn(Vec<u8>) -> Vec<u8>, policy: ServerPolicy| {
        let mut server = ServerConfig { policy, ..server_config() };
        server.send_timestamp = false; // so that the client sends LMv2
        let mut handshake = Handshake::new(ClientConfig::default(), server);
        handshake.on_authenticate = change;
        handshake.run().map(|(_, outcome)| outcome.into_account().unwrap().keys().version())
    };
    let broken_nt = |mut bytes: Vec<u8>| {
        let (_, fields) = AuthenticateMessage::decode_with_fields(&bytes.clone()).unwrap();
        bytes[fields.span("NtChallengeResponse").unwrap().offset] ^= 1;
        bytes
    };
    let wrong = Refused::Logon(DenialReason::WrongSecret);
    assert_eq!(run(&broken_nt, ServerPolicy::default()), Err(wrong));
    let no_nt = |bytes: Vec<u8>| {
        rewritten(&bytes, |message| message.nt_challenge_response = Payload::default())
    };
    let lmv2 = || ServerPolicy { insecure_accept_lmv2_alone: true, ..ServerPolicy::default() };
    assert_eq!(run(&no_nt, lmv2()), Ok(NtlmVersion::Lmv2));
    let ours = vec!["cifs/server".into()];
    let requiring = [
        ServerPolicy::default(),
        ServerPolicy { require_mic: true, ..lmv2() },
        ServerPolicy { channel_bindings: ChannelBindingsPolicy::Require, ..lmv2() },
        ServerPolicy {
            target_name: TargetNamePolicy { accepted: Vec::new(), require: true },
            ..lmv2()
        },
        ServerPolicy { target_name: TargetNamePolicy { accepted: ours, require: false }, ..lmv2() },
        ServerPolicy { max_clock_skew_seconds: Some(60), ..lmv2() },
    ];
    for policy in requiring {
        let version = Refused::Logon(DenialReason::Version(NtlmVersion::Lmv2));
        assert_eq!(run(&no_nt, policy), Err(version));
    }
}

/// CVE-2016-2110 and its like: nobody on the way takes away what either end insists on.
#[test]
fn stripped_flags_are_noticed() {
    let insisted = [
        NegotiateFlags::NEGOTIATE_SIGN,
        NegotiateFlags::NEGOTIATE_SEAL,
        NegotiateFlags::NEGOTIATE_128,
        ESS,
    ];
    for flag in insisted {
        let config = ClientConfig { protection: Protection::Seal, ..signing_client() };
        let missing = PeerError::FlagsMissing(flag);
        let negotiate = without_flags(NEGOTIATE_FLAGS, flag);
        let mut handshake = Handshake::new(config.clone(), lax_server_config());
        handshake.on_negotiate = &negotiate;
        assert_eq!(handshake.refused(), Refused::Challenge(missing.clone().into()));
        let challenge = without_flags(CHALLENGE_FLAGS, flag);
        let mut handshake = Handshake::new(config, server_config());
        handshake.on_challenge = &challenge;
        assert_eq!(handshake.refused(), Refused::Challenge(missing.into()));
    }
    // AUTHENTICATE, without a MIC.
    let strict = |require_signing| {
        let mut server = server_config();
        server.send_timestamp = false;
        server.policy.require_signing = require_signing;
        server
    };
    for (flag, require_signing) in
        [(NegotiateFlags::NEGOTIATE_SIGN, true), (NegotiateFlags::NEGOTIATE_128, false)]
    {
        let strip = without_flags(AUTHENTICATE_FLAGS, flag);
        let mut handshake = Handshake::new(signing_client(), strict(require_signing));
        handshake.on_authenticate = &strip;
        let missing = Refused::Authenticate(PeerError::FlagsMissing(flag));
        assert_eq!(handshake.refused(), missing);
    }
    // And a server that requires signing refuses a client that does not offer it.
    let handshake = Handshake::new(ClientConfig::default(), strict(true));
    let missing = PeerError::FlagsMissing(NegotiateFlags::NEGOTIATE_SIGN);
    assert_eq!(handshake.refused(), Refused::Negotiate(missing));
}

/// Nothing that was not offered is taken, from either end.
#[test]
fn flags_cannot_be_added() {
    let offered = NegotiateFlags::NEGOTIATE_SEAL | NegotiateFlags::NEGOTIATE_LM_KEY;
    let add = |offset: usize, flags: NegotiateFlags| {
        move |mut message: Vec<u8>| {
            let place = message.get_mut(offset..offset + 4).unwrap();
            let old = u32::from_le_bytes(place.try_into().unwrap());
            place.copy_from_slice(&(old | flags.bits()).to_le_bytes());
            message
        }
    };
    let added = add(CHALLENGE_FLAGS, offered);
    let mut handshake = Handshake::new(signing_client(), lax_server_config());
    handshake.on_challenge = &added;
    let (client, _) = handshake.account();
    assert!(!client.keys().negotiate_flags().intersects(offered));
    let added = add(AUTHENTICATE_FLAGS, offered);
    let mut handshake = Handshake::new(signing_client(), lax_server_config());
    handshake.on_authenticate = &added;
    let (_, server) = handshake.account();
    assert!(!server.keys().negotiate_flags().intersects(offered));
    let added = add(AUTHENTICATE_FLAGS, NegotiateFlags::NEGOTIATE_DATAGRAM);
    let mut handshake = Handshake::new(signing_client(), lax_server_config());
    handshake.on_authenticate = &added;
    let error = PeerError::FlagsNotOffered(NegotiateFlags::NEGOTIATE_DATAGRAM);
    assert_eq!(handshake.refused(), Refused::Authenticate(error));
}

#[test]
fn an_authenticate_is_good_for_one_challenge_only() {
    let token = std::cell::RefCell::new(Vec::new());
    let keep = |message: Vec<u8>| {
        token.borrow_mut().clone_from(&message);
        message
    };
    let mut handshake = Handshake::new(signing_client(), server_config());
    handshake.on_authenticate = &keep;
    handshake.account();
    let (negotiate, _) = Client::start(signing_client());
    let server = Server::new(server_config()).unwrap();
    let (_, server) = server.challenge(&negotiate, fresh(9)).unwrap();
    let logon = server.receive(&token.borrow(), NOW).unwrap();
    let denied = logon.verify(Some(&secret("Wonder-Land1"))).unwrap_err();
    assert_eq!(denied.reason_for_the_log(), DenialReason::WrongSecret);
}

#[test]
fn messages_in_the_wrong_place_are_refused() {
    let (negotiate, client) = Client::start(ClientConfig::default());
    let server = Server::new(server_config()).unwrap();
    let (challenge, challenged) = server.clone().challenge(&negotiate, fresh(1)).unwrap();
    assert!(server.challenge(&challenge, fresh(1)).is_err());
    assert!(challenged.receive(&negotiate, NOW).is_err());
    let alice = credential("alice", "Wonder-Land1");
    assert!(client.respond(&negotiate, &alice, fresh(1)).is_err());
}

#[test]
fn channel_bindings_follow_the_policy() {
    use ChannelBindingsPolicy::{RefuseWrong, Require};
    use ChannelBindingsResult::{Match, Present, Zero};
    let ours = ChannelBindings::from_application_data(b"tls-server-end-point:ours");
    let other = ChannelBindings::from_application_data(b"tls-server-end-point:other");
    let denied = Err(Refused::Logon(DenialReason::ChannelBindings));
    for (server_has, client_has, policy, expected) in [
        (Some(ours), Some(ours), RefuseWrong, Ok(Match)),
        (Some(ours), Some(ours), Require, Ok(Match)),
        (Some(ours), Some(other), RefuseWrong, denied.clone()),
        (Some(ours), Some(other), Require, denied.clone()),
        (Some(ours), None, RefuseWrong, Ok(Zero)),
        (Some(ours), None, Require, denied.clone()),
        (None, Some(other), RefuseWrong, Ok(Present)),
        (None, Some(other), Require, Ok(Present)),
        (None, None, RefuseWrong, Ok(Zero)),
        (None, None, Require, denied),
    ] {
        let mut server = ServerConfig { channel_bindings: server_has, ..server_config() };
        server.policy.channel_bindings = policy;
        let client = ClientConfig { channel_bindings: client_has, ..signing_client() };
        let result = Handshake::new(client, server).run();
        let result = result.map(|(_, outcome)| outcome.into_account().unwrap().channel_bindings());
        assert_eq!(result, expected, "{server_has:?} {client_has:?} {policy:?}");
    }
    // NTLMv1 carries none, so a server that requires them refuses it.
    let mut server = lax_server_config();
    server.policy.channel_bindings = Require;
    let handshake = Handshake::new(lax_client(ClientSends::InsecureNtlmv1), server);
    let version = DenialReason::Version(NtlmVersion::Ntlmv1Ess);
    assert_eq!(handshake.refused(), Refused::Logon(version));
}

#[test]
fn target_names_follow_the_policy() {
    let run = |name: Option<&str>, untrusted, accepted: &[&str], require| {
        let mut server = server_config();
        let accepted = accepted.iter().map(|&name| name.into()).collect();
        server.policy.target_name = TargetNamePolicy { accepted, require };
        let client = ClientConfig {
            target_name: name.map(Into::into),
            target_name_is_untrusted: untrusted,
            ..signing_client()
        };
        Handshake::new(client, server).run().map(|(_, outcome)| {
            outcome.into_account().unwrap().target_name().map(ToString::to_string)
        })
    };
    let denied = Err(Refused::Logon(DenialReason::TargetName));
    let ours = ["cifs/server.example.com", "cifs/server"];
    let named = |name: &str| Ok(Some(name.to_owned()));
    assert_eq!(run(Some("cifs/server"), false, &ours, true), named("cifs/server"));
    assert_eq!(run(Some("CIFS/Server"), false, &ours, true), named("CIFS/Server"));
    assert_eq!(run(Some("cifs/other"), false, &[], true), named("cifs/other"));
    assert_eq!(run(Some("cifs/other"), false, &ours, false), denied);
    assert_eq!(run(None, false, &ours, false), Ok(None));
    assert_eq!(run(None, false, &ours, true), denied);
    assert_eq!(run(Some("cifs/server"), true, &ours, false), Ok(None));
    assert_eq!(run(Some("cifs/server"), true, &ours, true), denied);
}

#[test]
fn clocks_may_differ_as_much_as_allowed() {
    let run = |client_late: i64, allowed| {
        let mut server = server_config();
        server.send_timestamp = false; // the client then takes its own clock
        server.policy.max_clock_skew_seconds = allowed;
        let (negotiate, client) = Client::start(ClientConfig::default());
        let (challenge, server) =
            Server::new(server).unwrap().challenge(&negotiate, fresh(1)).unwrap();
        let seconds = 1_767_225_600_u64.checked_add_signed(client_late).unwrap();
        let theirs = Fresh::from_random(FileTime::from_unix_seconds(seconds), [2; 24]);
        let alice = credential("alice", "Wonder-Land1");
        let (token, _) = client.respond(&challenge, &alice, theirs).unwrap();
        let logon = server.receive(&token, NOW).unwrap();
        logon
            .verify(Some(&secret("Wonder-Land1")))
            .map(drop)
            .map_err(|denied| denied.reason_for_the_log())
    };
    assert_eq!(run(0, Some(0)), Ok(()));
    assert_eq!(run(300, Some(300)), Ok(()));
    assert_eq!(run(-300, Some(300)), Ok(()));
    assert_eq!(run(301, Some(300)), Err(DenialReason::ClockSkew));
    assert_eq!(run(-301, Some(300)), Err(DenialReason::ClockSkew));
    assert_eq!(run(400_000_000, None), Ok(()));
}

#[test]
fn a_challenge_is_good_for_half_an_hour() {
    let run = |seconds: i64| {
        let mut handshake = Handshake::new(signing_client(), server_config());
        let at = 1_767_225_600_u64.checked_add_signed(seconds).unwrap();
        handshake.received_at = FileTime::from_unix_seconds(at);
        handshake.run().map(drop)
    };
    assert_eq!(run(0), Ok(()));
    assert_eq!(run(1800), Ok(()));
    let expired = || Err(Refused::Authenticate(PeerError::ChallengeExpired));
    assert_eq!(run(1801), expired());
    assert_eq!(run(-1), expired(), "a clock that goes backwards");
}

#[test]
fn target_info_has_to_come_back_unchanged() {
    // One letter of MsvAvDnsComputerName changes on the way; there is no MIC to show it.
    let change = |bytes: Vec<u8>| {
        let mut changed = bytes.clone();
        let (message, fields) = ChallengeMessage::decode_with_fields(&bytes).unwrap();
        let list = message.target_info().unwrap();
        let name = AvId::DNS_COMPUTER_NAME;
        let pair = list.pairs().map(Result::unwrap).find(|pair| pair.id == name).unwrap();
        changed[fields.span("TargetInfo").unwrap().offset + pair.offset + 4] ^= 1;
        changed
    };
    let run = |require| {
        let mut server = server_config();
        server.send_timestamp = false;
        server.policy.require_target_info_echo = require;
        let mut handshake = Handshake::new(signing_client(), server);
        handshake.on_challenge = &change;
        handshake.run().map(|(_, outcome)| outcome.relaxed().to_vec())
    };
    assert_eq!(run(true), Err(Refused::Logon(DenialReason::TargetInfoNotEchoed)));
    assert_eq!(run(false), Ok(vec![Relaxation::TargetInfoNotEchoed]));
}

/// A server that puts MsvAvFlags into CHALLENGE gets them back merged, not twice (CVE-2019-1166).
#[test]
fn msv_av_flags_of_the_server_are_merged() {
    use ntlm::message::{AvFlags, TargetInfoBuilder};
    for (flags, expected) in [(0, 2), (1, 3), (0x8000_0000, 0x8000_0002)] {
        let (_, client) = Client::start(ClientConfig::default());
        let list = TargetInfoBuilder::new()
            .pair(AvId::FLAGS, &u32::to_le_bytes(flags))
            .pair(AvId::TIMESTAMP, &NOW.to_le_bytes())
            .pair(AvId(77), b"kept")
            .finish()
            .unwrap();
        let challenge = ChallengeMessage {
            target_name: Payload::default(),
            negotiate_flags: client.offered() | NegotiateFlags::NEGOTIATE_TARGET_INFO,
            server_challenge: [1; 8],
            reserved: Some([0; 8]),
            target_info: Some(Payload::new(&list)),
            version: None,
        };
        let alice = credential("alice", "Wonder-Land1");
        let (token, _) = client.respond(&challenge.encode().unwrap(), &alice, fresh(2)).unwrap();
        let message = AuthenticateMessage::decode(&token).unwrap();
        let ntlm::message::NtChallengeResponse::Ntlmv2(response) =
            message.nt_challenge_response().unwrap()
        else {
            panic!("not NTLMv2")
        };
        let list = response.target_info();
        assert_eq!(list.flags(), Some(AvFlags(expected)));
        let ids: Vec<u16> = list.pairs().map(|pair| pair.unwrap().id.0).collect();
        assert_eq!(ids, [6, 7, 77, 10, 9, 0]);
        assert!(message.defects().is_empty());
    }
}

/// curl sends 32 bytes; Windows 9x 16. Whatever came is what the MIC covers.
#[test]
fn short_negotiates_are_answered() {
    for length in [16, 32] {
        let (negotiate, client) = Client::start(signing_client());
        let short = &negotiate[..length];
        assert!(NegotiateMessage::decode(short).unwrap().version.is_none());
        let server = Server::new(server_config()).unwrap();
        let (challenge, server) = server.challenge(short, fresh(1)).unwrap();
        let alice = credential(r"EXAMPLE\alice", "Wonder-Land1");
        let (mut token, client) = client.respond(&challenge, &alice, fresh(2)).unwrap();
        let key = client.keys().exported_session_key();
        let range = AuthenticateMessage::MIC_RANGE;
        let mic = mic(key, Some(short), &challenge, &token, range.clone());
        token[range].copy_from_slice(&mic);
        let logon = server.receive(&token, NOW).unwrap();
        let logon = logon.verify(Some(&secret("Wonder-Land1"))).unwrap();
        assert_eq!(logon.into_account().unwrap().mic(), Check::Valid);
    }
}

/// Headers of 52, 64 and 72 bytes, as old clients send; none of them has a MIC.
#[test]
fn short_authenticates_are_accepted_where_no_mic_is_announced() {
    for (header, protection) in [
        (52, Protection::None),
        (64, Protection::None),
        (64, Protection::Seal),
        (72, Protection::Seal),
    ] {
        let shorten = |bytes: Vec<u8>| {
            let short = rewritten(&bytes, |message| {
                message.mic = None;
                if header < 72 {
                    message.version = None;
                }
                if header < 64 {
                    message.negotiate_flags = None;
                    message.encrypted_random_session_key = None;
                }
            });
            let (_, fields) = AuthenticateMessage::decode_with_fields(&short).unwrap();
            assert_eq!(fields.span("DomainName").unwrap().offset, header);
            short
        };
        let mut server = server_config();
        server.send_timestamp = false;
        let client = ClientConfig { protection, ..signing_client() };
        let mut handshake = Handshake::new(client.clone(), server);
        handshake.on_authenticate = &shorten;
        let (client_end, logon) = handshake.account();
        assert_eq!(logon.mic(), Check::Absent);
        if header > 52 {
            assert_same_keys(&client_end, &logon);
        }
        assert_messages_pass_or_dummy(client_end, logon, protection);
        // Where a MIC is announced, the same header is refused.
        let mut handshake = Handshake::new(client, server_config());
        handshake.on_authenticate = &shorten;
        assert!(matches!(handshake.refused(), Refused::Authenticate(PeerError::Decode(error))
            if error.kind == DecodeErrorKind::NoRoomForMic));
    }
}

fn assert_messages_pass_or_dummy(
    client: Established,
    server: AccountLogon,
    protection: Protection,
) {
    if protection == Protection::None {
        let (mut client, mut server) = (client.into_session(), server.into_session());
        let signature = client.sign(b"text").unwrap();
        assert_eq!(hex(&signature), "01000000000000000000000000000000");
        server.verify(b"text", &signature).unwrap();
    } else {
        assert_messages_pass(client, server);
    }
}

/// VERSION is left out of the flags where the client has none to give.
#[test]
fn version_follows_its_flag() {
    for version in [None, Some(Version::OURS)] {
        let client = ClientConfig { version, ..signing_client() };
        let look = |message: Vec<u8>| {
            let decoded = AuthenticateMessage::decode(&message).unwrap();
            let flag = decoded.negotiate_flags.unwrap().contains(NegotiateFlags::NEGOTIATE_VERSION);
            assert_eq!(flag, version.is_some());
            assert_eq!(decoded.version, Some(version.unwrap_or_default()));
            message
        };
        let mut handshake = Handshake::new(client, server_config());
        handshake.on_authenticate = &look;
        assert_eq!(handshake.account().1.mic(), Check::Valid);
    }
}

/// A domain controller that gets the challenge of the logon finds the response right, and the
/// server goes on with what it returns.
#[test]
fn a_domain_controllers_verdict_gives_the_same_session() {
    let alice = secret("Wonder-Land1");
    for sends in
        [ClientSends::Ntlmv2, ClientSends::InsecureNtlmv1, ClientSends::InsecureLmAndNtlmv1]
    {
        for (ess, lm_key) in [(true, false), (false, false), (false, true)] {
            let mut config = lax_client(sends);
            config.policy.offer_extended_session_security = ess;
            config.policy.insecure_offer_lm_key = lm_key;
            config.protection = Protection::Seal;
            let (negotiate, client) = Client::start(config);
            let server = Server::new(lax_server_config()).unwrap();
            let (challenge, server) = server.challenge(&negotiate, fresh(1)).unwrap();
            let account = credential(r"EXAMPLE\alice", "Wonder-Land1");
            let (token, client) = client.respond(&challenge, &account, fresh(2)).unwrap();
            let logon = server.receive(&token, NOW).unwrap();
            let challenge = logon.challenge_for_domain_controller();
            if sends != ClientSends::Ntlmv2 {
                // What the controller sees is plain NTLMv1.
                let expected = nt_challenge_response_v1(alice.nt_hash(), challenge);
                assert_eq!(logon.nt_challenge_response(), expected);
            }
            if sends == ClientSends::InsecureLmAndNtlmv1 && !ess {
                let expected = lm_challenge_response_v1(alice.lm_hash().unwrap(), challenge);
                assert_eq!(logon.lm_challenge_response(), expected);
            }
            let base_key = client.keys().session_base_key().unwrap().duplicate();
            let prefix =
                alice.lm_hash().unwrap().expose()[..8].try_into().ok().map(LmowfPrefix::new);
            let verdict = Verdict {
                session_base_key: base_key,
                lmowf_prefix: prefix,
                used_lm_password: false,
            };
            let server = logon.accept(verdict).unwrap().into_account().unwrap();
            assert_same_keys(&client, &server);
            assert_messages_pass(client, server);
        }
    }
}

/// A controller's yes with another key does not outweigh the MIC.
#[test]
fn a_verdict_does_not_replace_the_mic() {
    let (negotiate, client) = Client::start(signing_client());
    let server = Server::new(server_config()).unwrap();
    let (challenge, server) = server.challenge(&negotiate, fresh(1)).unwrap();
    let alice = credential(r"EXAMPLE\alice", "Wonder-Land1");
    let (token, _) = client.respond(&challenge, &alice, fresh(2)).unwrap();
    let logon = server.receive(&token, NOW).unwrap();
    let verdict = Verdict {
        session_base_key: SessionBaseKey::new([7; 16]),
        lmowf_prefix: None,
        used_lm_password: false,
    };
    let denied = logon.accept(verdict).unwrap_err();
    assert_eq!(denied.reason_for_the_log(), DenialReason::Mic);
}

/// A key exchange needs 16 bytes where it counts; elsewhere the field is ignored.
#[test]
fn the_session_key_field_has_16_bytes_where_it_counts() {
    for (protection, length, accepted) in [
        (Protection::Sign, 16, true),
        (Protection::Sign, 15, false),
        (Protection::Sign, 0, false),
        (Protection::None, 0, true),
        (Protection::None, 1, true),
    ] {
        let key = vec![7; length];
        let change = |bytes: Vec<u8>| {
            let old = AuthenticateMessage::decode(&bytes).unwrap();
            let mut message = old.clone();
            message.encrypted_random_session_key = Some(Payload::new(&key));
            message.encode().unwrap()
        };
        let mut server = server_config();
        server.send_timestamp = false;
        let client = ClientConfig { protection, ..signing_client() };
        let mut handshake = Handshake::new(client, server);
        handshake.on_authenticate = &change;
        let expected =
            if accepted { Ok(()) } else { Err(Refused::Logon(DenialReason::SessionKey)) };
        assert_eq!(handshake.run().map(drop), expected, "{protection:?} {length}");
    }
}

/// An account of which only hashes are stored.
#[test]
fn stored_hashes_do_as_well_as_a_password() {
    let alice = secret("Wonder-Land1");
    for lm_hash in [None, alice.lm_hash().map(Lmowfv1::duplicate)] {
        let mut handshake = Handshake::new(signing_client(), server_config());
        let nt_hash = Ntowfv1::new(*alice.nt_hash().expose());
        handshake.account = Some(ntlm::keys::AccountSecret::from_hashes(nt_hash, lm_hash));
        handshake.account();
    }
}

/// A server in no domain names itself; one in a domain, its domain (MS-NLMP 3.2.5.1.1).
#[test]
fn challenge_says_what_kind_of_server_it_is() {
    for is_domain_joined in [true, false] {
        let config = ServerConfig { is_domain_joined, ..server_config() };
        let (negotiate, _) = Client::start(ClientConfig::default());
        let server = Server::new(config).unwrap();
        let (challenge, _) = server.challenge(&negotiate, fresh(1)).unwrap();
        let message = ChallengeMessage::decode(&challenge).unwrap();
        let flags = message.negotiate_flags;
        assert_eq!(flags.contains(NegotiateFlags::TARGET_TYPE_DOMAIN), is_domain_joined);
        assert_eq!(flags.contains(NegotiateFlags::TARGET_TYPE_SERVER), !is_domain_joined);
        let name = if is_domain_joined { "EXAMPLE" } else { "SERVER" };
        let units: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(message.target_name.bytes(), units);
        let ids = message.target_info().unwrap().pairs().map(|pair| pair.unwrap().id.0);
        assert_eq!(ids.collect::<Vec<_>>(), [2, 1, 4, 3, 5, 7, 0]);
    }
}

/// A MIC that the AV_PAIRs announce is there, even where the server's own MsvAvFlags announced it.
#[test]
fn a_mic_announced_by_the_server_is_made() {
    let announce = |bytes: Vec<u8>| {
        let old = ChallengeMessage::decode(&bytes).unwrap();
        let list = old.target_info().unwrap().bytes();
        let end = list.len() - 4;
        let list = [&list[..end], &[6, 0, 4, 0, 2, 0, 0, 0], &list[end..]].concat();
        let message = ChallengeMessage {
            target_name: Payload::new(old.target_name.bytes()),
            target_info: Some(Payload::new(&list)),
            ..old
        };
        message.encode().unwrap()
    };
    let mut server = server_config();
    server.send_timestamp = false;
    let (negotiate, client) = Client::start(signing_client());
    let (challenge, _) = Server::new(server).unwrap().challenge(&negotiate, fresh(1)).unwrap();
    let challenge = announce(challenge);
    let alice = credential(r"EXAMPLE\alice", "Wonder-Land1");
    let (token, client) = client.respond(&challenge, &alice, fresh(2)).unwrap();
    let page = CodePage::Cp437;
    let exchange = ntlm::Exchange::decode(Some(&negotiate), &challenge, &token, page).unwrap();
    assert!(exchange.authenticate().announces_mic());
    assert_eq!(exchange.check_mic(client.keys().exported_session_key()), Check::Valid);
}

/// In the connectionless mode the client concludes the flags, but only from what was offered
/// (MS-NLMP 3.2.5.2.2).
#[test]
fn a_datagram_client_cannot_add_flags_either() {
    for (added, refused) in [
        (NegotiateFlags::empty(), false),
        (NegotiateFlags::NEGOTIATE_LM_KEY, true),
        (NegotiateFlags::REQUEST_NON_NT_SESSION_KEY, true),
    ] {
        let client = Client::start_connectionless(signing_client());
        let server = Server::new(lax_server_config()).unwrap();
        let (challenge, server) = server.challenge_connectionless(fresh(1));
        let alice = credential(r"EXAMPLE\alice", "Wonder-Land1");
        let (token, _) = client.respond(&challenge, &alice, fresh(2)).unwrap();
        let token = rewritten(&token, |message| {
            message.negotiate_flags = message.negotiate_flags.map(|flags| flags | added);
        });
        let error = PeerError::FlagsNotOffered(added);
        let expected = if refused { Err(error) } else { Ok(()) };
        assert_eq!(server.receive(&token, NOW).map(drop), expected);
    }
}

/// DATAGRAM and KEY_EXCH must be in every connectionless CHALLENGE (MS-NLMP 3.1.5.2.1).
#[test]
fn a_datagram_client_insists_on_datagrams() {
    for protection in [Protection::None, Protection::Sign, Protection::Seal] {
        for flag in [NegotiateFlags::NEGOTIATE_DATAGRAM, NegotiateFlags::NEGOTIATE_KEY_EXCH] {
            let config = ClientConfig { protection, ..signing_client() };
            let client = Client::start_connectionless(config);
            let server = Server::new(lax_server_config()).unwrap();
            let (challenge, _) = server.challenge_connectionless(fresh(1));
            let challenge = without_flags(CHALLENGE_FLAGS, flag)(challenge);
            let alice = credential(r"EXAMPLE\alice", "Wonder-Land1");
            let result = client.respond(&challenge, &alice, fresh(2)).map(drop);
            assert_eq!(result, Err(PeerError::FlagsMissing(flag).into()), "{protection:?}");
        }
    }
}
