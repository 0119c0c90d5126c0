//! Where the library allocates, counted by a global allocator: nowhere once a session stands.
#![expect(clippy::unwrap_used, reason = "helpers of tests; a panic is how a test fails")]

use allocation_counter::measure;
use ntlm::keys::{AccountSecret, Password};
use ntlm::message::{
    AuthenticateMessage, ChallengeMessage, Message, MessageType, NegotiateMessage,
};
use ntlm::policy::{ClientPolicy, ServerPolicy};
use ntlm::text::CodePage;
use ntlm::{
    AccountName, Buffer, Client, ClientConfig, Credential, DatagramKeying, FileTime, Fresh,
    Protection, Server, ServerConfig, ServerNames, Session,
};

const NOW: FileTime = FileTime::from_unix_seconds(1_767_225_600);

fn fresh(seed: u8) -> Fresh {
    Fresh::from_random(NOW, [seed; 24])
}

fn secret() -> AccountSecret {
    AccountSecret::from_password(&Password::from("Wonder-Land1"), CodePage::Cp437)
}

fn server() -> Server {
    let names = ServerNames {
        nb_computer: "SERVER".into(),
        nb_domain: "EXAMPLE".into(),
        dns_computer: "server.example.com".into(),
        dns_domain: "example.com".into(),
        ..ServerNames::default()
    };
    Server::new(ServerConfig {
        is_domain_joined: true,
        policy: ServerPolicy {
            require_128_bit: false,
            require_extended_session_security: false,
            ..ServerPolicy::default()
        },
        ..ServerConfig::new(names)
    })
    .unwrap()
}

fn config(ess: bool) -> ClientConfig {
    let policy = ClientPolicy {
        offer_extended_session_security: ess,
        require_extended_session_security: ess,
        ..ClientPolicy::default()
    };
    let (workstation, target_name) = ("CLIENT".into(), Some("cifs/server.example.com".into()));
    let protection = Protection::Seal;
    ClientConfig { policy, protection, workstation, target_name, ..ClientConfig::default() }
}

fn credential() -> Credential {
    Credential { name: AccountName::parse(r"EXAMPLE\alice"), secret: secret() }
}

fn sessions(ess: bool) -> (Session, Session) {
    let (negotiate, client) = Client::start(config(ess));
    let (challenge, server) = server().challenge(&negotiate, fresh(1)).unwrap();
    let (authenticate, client) = client.respond(&challenge, &credential(), fresh(2)).unwrap();
    let logon = server.receive(&authenticate, NOW).unwrap().verify(Some(&secret())).unwrap();
    (client.into_session(), logon.into_account().unwrap().into_session())
}

fn allocations(work: impl FnOnce()) -> u64 {
    measure(work).count_total
}

#[test]
fn the_allocator_counts() {
    assert_eq!(allocations(|| drop(vec![0_u8; 100])), 1);
    assert_eq!(allocations(|| ()), 0);
}

/// The first message makes keys and RC4 schedules; it does not allocate either.
#[test]
fn sessions_do_not_allocate() {
    for ess in [true, false] {
        let (mut client, mut server) = sessions(ess);
        let mut message = vec![0x5a; 70_000];
        for turn in 0..3 {
            let mut signature = [0; 16];
            let counted = [
                ("sign", allocations(|| signature = client.sign(&message).unwrap())),
                ("verify", allocations(|| server.verify(&message, &signature).unwrap())),
                ("seal", allocations(|| signature = client.seal(&mut message).unwrap())),
                ("unseal", allocations(|| server.unseal(&mut message, &signature).unwrap())),
                ("seal back", allocations(|| signature = server.seal(&mut message).unwrap())),
                ("unseal back", allocations(|| client.unseal(&mut message, &signature).unwrap())),
                (
                    "several buffers",
                    allocations(|| {
                        let (body, header) = message.split_at_mut(50_000);
                        let mut buffers = [Buffer::Signed(header), Buffer::Sealed(body)];
                        let signature = server.seal_buffers(&mut buffers).unwrap();
                        client.unseal_buffers(&mut buffers, &signature).unwrap();
                    }),
                ),
                (
                    "save and restore",
                    allocations(|| {
                        let saved = client.save_rc4();
                        client.restore_rc4(saved);
                    }),
                ),
            ];
            for (what, count) in counted {
                assert_eq!(count, 0, "{what}, turn {turn}, ESS {ess}");
            }
            assert!(message.iter().all(|byte| *byte == 0x5a));
        }
    }
}

#[test]
fn datagrams_do_not_allocate() {
    let client = Client::start_connectionless(config(true));
    let (challenge, server) = server().challenge_connectionless(fresh(1));
    let (authenticate, client) = client.respond(&challenge, &credential(), fresh(2)).unwrap();
    let logon = server.receive(&authenticate, NOW).unwrap().verify(Some(&secret())).unwrap();
    let client = client.into_datagram_session(DatagramKeying::PerMessage);
    let account = logon.into_account().unwrap();
    let server = account.into_datagram_session(DatagramKeying::PerMessage);
    let mut message = vec![0x5a; 1400];
    let count = allocations(|| {
        let signature = client.seal(7, &mut message).unwrap();
        server.unseal(7, &mut message, &signature).unwrap();
        let signature = server.sign(3, &message).unwrap();
        client.verify(3, &message, &signature).unwrap();
    });
    assert_eq!(count, 0);
    assert!(message.iter().all(|byte| *byte == 0x5a));
}

#[test]
fn decoding_does_not_allocate() {
    let (negotiate, client) = Client::start(config(true));
    let (challenge, _) = server().challenge(&negotiate, fresh(1)).unwrap();
    let (authenticate, _) = client.respond(&challenge, &credential(), fresh(2)).unwrap();
    let count = allocations(|| {
        NegotiateMessage::decode(&negotiate).unwrap();
        let (_, fields) = NegotiateMessage::decode_with_fields(&negotiate).unwrap();
        assert!(fields.iter().count() > 3);
        let message = ChallengeMessage::decode(&challenge).unwrap();
        assert_eq!(message.target_info().unwrap().pairs().count(), 6);
        assert_eq!(message.target_info().unwrap().defects().count(), 0);
        ChallengeMessage::decode_with_fields(&challenge).unwrap();
        let message = AuthenticateMessage::decode(&authenticate).unwrap();
        message.nt_challenge_response().unwrap();
        assert!(message.announces_mic());
        AuthenticateMessage::decode_with_fields(&authenticate).unwrap();
        MessageType::of(&authenticate).unwrap();
        for message in [&negotiate, &challenge, &authenticate] {
            for end in 0..message.len() {
                let part = message.get(..end).unwrap();
                let _ = NegotiateMessage::decode(part);
                let _ = ChallengeMessage::decode(part);
                let _ = AuthenticateMessage::decode(part);
            }
        }
    });
    assert_eq!(count, 0);
}

/// How many allocations each step of a handshake takes, 50 in all. A step that takes more fails here.
#[test]
fn handshake_allocations_are_counted() {
    const MOST: [(&str, u64); 6] = [
        ("Client::start", 3),
        ("Server::challenge", 15),
        ("Client::respond", 21),
        ("Challenged::receive", 4),
        ("LogonRequest::verify", 7),
        ("into_session, both ends", 0),
    ];
    let (config, credential, account, server) = (config(true), credential(), secret(), server());
    let mut counted = Vec::new();
    let (mut negotiate, mut challenge, mut authenticate) = (None, None, None);
    counted.push(allocations(|| negotiate = Some(Client::start(config))));
    let (negotiate, client) = negotiate.unwrap();
    counted.push(allocations(|| challenge = Some(server.challenge(&negotiate, fresh(1)))));
    let (challenge, server) = challenge.unwrap().unwrap();
    counted.push(allocations(|| {
        authenticate = Some(client.respond(&challenge, &credential, fresh(2)));
    }));
    let (authenticate, client) = authenticate.unwrap().unwrap();
    let mut request = None;
    counted.push(allocations(|| request = Some(server.receive(&authenticate, NOW).unwrap())));
    let mut logon = None;
    counted.push(allocations(|| logon = request.take().unwrap().verify(Some(&account)).ok()));
    let logon = logon.unwrap().into_account().unwrap();
    counted.push(allocations(|| {
        drop(client.into_session());
        drop(logon.into_session());
    }));
    for ((step, most), count) in MOST.into_iter().zip(counted) {
        println!("{step}: {count} allocations");
        assert!(count <= most, "{step} takes {count} allocations, not {most}");
    }
}
