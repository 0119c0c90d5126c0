//! Against a real smbd: what happens after a logon, and what happens with somebody between who changes
//! messages, holds them back, or hangs up.

use crate::common::{Fate, between, error_of, impatient, options};
use crate::explained::explained;
use crate::smbd::Smbd;
use ntlm::keys::{AccountSecret, Password};
use ntlm::text::CodePage;
use ntlm::{AccountName, Credential};
use ntlm_explain::Explained;
use ntlm_explain::smb::Purpose;
use ntlm_net::smb::{Client, Error, Negotiated, Options, Record, Who};
use ntlm_smb::client::{ClientConfig, ClientError, PeerError, Unavailable};
use ntlm_smb::file::{AccessMask, CreateDisposition};
use ntlm_smb::smb2::{Header, SessionFlags};
use ntlm_smb::{Dialect, DialectRange, NtStatus, Protocol, SignatureError, SigningAlgorithm};
use std::net::SocketAddr;
use std::time::Duration;

fn alice() -> Credential {
    let secret = AccountSecret::from_password(&Password::from("Wonderland-42"), CodePage::Cp850);
    Credential { name: AccountName::parse("alice"), secret }
}

/// With another password.
fn not_alice() -> Credential {
    let secret = AccountSecret::from_password(&Password::from("another"), CodePage::Cp850);
    Credential { name: AccountName::parse("alice"), secret }
}

fn only(protocol: Protocol) -> Options {
    let client = ClientConfig { dialects: DialectRange::only(protocol), ..ClientConfig::default() };
    Options { client, ..options() }
}

fn encrypting(options: Options) -> Options {
    Options { client: ClientConfig { require_encryption: true, ..options.client }, ..options }
}

const PROTOCOLS: [Protocol; 6] = [
    Protocol::Smb1,
    Protocol::Smb2(Dialect::Smb202),
    Protocol::Smb2(Dialect::Smb210),
    Protocol::Smb2(Dialect::Smb300),
    Protocol::Smb2(Dialect::Smb302),
    Protocol::Smb2(Dialect::Smb311),
];
const NEWEST: Protocol = Protocol::Smb2(Dialect::Smb311);

async fn logged_on(address: SocketAddr, options: Options) -> Result<Client, Error> {
    let mut client = Client::connect(address, options).await?;
    client.log_on(Who::Account(&alice())).await?;
    Ok(client)
}

/// Logs on, uses a share, asks for an echo.
async fn whole(address: SocketAddr, options: Options) -> Result<Client, Error> {
    let mut client = logged_on(address, options).await?;
    client.tree_connect(r"\\127.0.0.1\data").await?;
    client.echo().await?;
    Ok(client)
}

#[tokio::test]
async fn files_are_written_and_read() {
    let Some(smbd) = Smbd::start() else { return };
    let read_write = AccessMask::GENERIC_READ | AccessMask::GENERIC_WRITE;
    for (protocol, encrypted) in
        PROTOCOLS.map(|protocol| (protocol, false)).into_iter().chain([(NEWEST, true)])
    {
        let options = if encrypted { encrypting(only(protocol)) } else { only(protocol) };
        let mut client = logged_on(smbd.address, options).await.unwrap();
        let tree = client.tree_connect(r"\\127.0.0.1\data").await.unwrap();
        let name = format!("Datei-Ω-{protocol}.bin").replace(['(', ')'], "");
        let create = CreateDisposition::OVERWRITE_IF;
        let file = client.open(tree, &name, read_write, create).await.unwrap();
        let data: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let mut written = 0;
        while written < data.len() {
            let offset = u64::try_from(written).unwrap();
            written += client.write(file, offset, &data[written..]).await.unwrap();
        }
        let mut again = Vec::new();
        loop {
            let offset = u64::try_from(again.len()).unwrap();
            let part = client.read(file, offset, 60_000).await.unwrap();
            if part.is_empty() {
                break;
            }
            again.extend(part);
        }
        assert!(again == data, "{protocol}");
        client.close(file).await.unwrap();
        let missing = CreateDisposition::OPEN;
        let error = client.open(tree, "missing", read_write, missing).await.unwrap_err();
        let status = NtStatus::OBJECT_NAME_NOT_FOUND;
        assert!(
            matches!(error, Error::Client(ClientError::Refused { status: s, .. }) if s == status),
            "{protocol}: {error}"
        );
        client.echo().await.expect("a refusal ends nothing");
        client.tree_disconnect(tree).await.unwrap();
        client.log_off().await.unwrap();
        assert_eq!(std::fs::read(smbd.folder.join("share").join(name)).unwrap(), data);
    }
}

/// DCE/RPC bind to the server service, and its acknowledgement (C706 12.6.4).
#[tokio::test]
async fn a_pipe_answers() {
    const BIND: [u8; 72] = [
        5, 0, 11, 3, 0x10, 0, 0, 0, 72, 0, 0, 0, 1, 0, 0, 0, 0xb8, 0x10, 0xb8, 0x10, 0, 0, 0, 0, 1,
        0, 0, 0, 0, 0, 1, 0, 0xc8, 0x4f, 0x32, 0x4b, 0x70, 0x16, 0xd3, 0x01, 0x12, 0x78, 0x5a,
        0x47, 0xbf, 0x6e, 0xe1, 0x88, 3, 0, 0, 0, 4, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11,
        0x9f, 0xe8, 8, 0, 0x2b, 0x10, 0x48, 0x60, 2, 0, 0, 0,
    ];
    const BIND_ACK: u8 = 12;
    let Some(smbd) = Smbd::start() else { return };
    for protocol in PROTOCOLS {
        let mut client = logged_on(smbd.address, only(protocol)).await.unwrap();
        let tree = client.tree_connect(r"\\127.0.0.1\IPC$").await.unwrap();
        let access = AccessMask::READ_DATA | AccessMask::WRITE_DATA;
        let pipe = client.open(tree, "srvsvc", access, CreateDisposition::OPEN).await.unwrap();
        let answer = client.transceive(pipe, &BIND, 4096).await.unwrap();
        assert_eq!(answer.get(2), Some(&BIND_ACK), "{protocol}: {answer:02x?}");
        client.close(pipe).await.unwrap();
    }
}

#[tokio::test]
async fn authenticating_again_keeps_the_keys() {
    let Some(smbd) = Smbd::start() else { return };
    for protocol in PROTOCOLS.into_iter().skip(1) {
        let record = Record::default();
        let recorded = Options { record: Some(record.clone()), ..only(protocol) };
        let mut client = whole(smbd.address, recorded).await.unwrap();
        let keys = |client: &Client| -> Vec<String> {
            let values = client.smb_steps().into_iter();
            values
                .map(|step| match step.value {
                    ntlm_smb::keys::StepValue::Known(bytes) => format!("{:02x?}", bytes.expose()),
                    _ => String::new(),
                })
                .collect()
        };
        let before = keys(&client);
        client.log_on(Who::Account(&alice())).await.unwrap();
        assert_eq!(keys(&client), before, "{protocol}");
        client.echo().await.unwrap();
        let error = client.log_on(Who::Account(&not_alice())).await.unwrap_err();
        assert!(error.is_refusal(), "{protocol}: {error}");
        let error = client.echo().await.unwrap_err();
        assert!(matches!(error, Error::NotLoggedOn), "{protocol}: {error}");
        drop(client);
        let seen = explained(&[record]);
        let purposes: Vec<_> = seen.iter().map(|one| one.smb.as_ref().unwrap().purpose).collect();
        // The last one is refused, and no session is made or kept by it.
        assert_eq!(purposes, [Purpose::Session, Purpose::Reauthentication, Purpose::Session]);
        assert_eq!(seen[2].outcome.result, "refused");
        let signatures = seen[0].smb.as_ref().unwrap().signatures;
        assert!(signatures.valid >= 4 && signatures.invalid + signatures.unchecked == 0);
        // The same with everything encrypted, the second SESSION_SETUP too.
        if protocol >= Protocol::Smb2(Dialect::Smb300) {
            let mut client = whole(smbd.address, encrypting(only(protocol))).await.unwrap();
            client.log_on(Who::Account(&alice())).await.unwrap();
            client.echo().await.unwrap();
        }
    }
}

/// The logons that were accepted did this, and all that followed is checked and holds.
fn all_hold(seen: &[Explained], purposes: &[Purpose]) {
    let accepted = seen.iter().filter(|one| one.outcome.result == "accepted");
    let smb: Vec<_> = accepted.map(|one| one.smb.as_ref().unwrap()).collect();
    assert_eq!(smb.iter().map(|smb| smb.purpose).collect::<Vec<_>>(), purposes);
    for smb in smb {
        let (signatures, packets) = (smb.signatures, smb.decrypted);
        assert!(signatures.valid + packets.ok >= 3, "{signatures:?} {packets:?}");
        assert_eq!(signatures.invalid + signatures.unchecked, 0, "{signatures:?}");
        assert_eq!(packets.failed + packets.unopened, 0, "{packets:?}");
    }
}

#[tokio::test]
async fn another_connection_joins_the_session() {
    let Some(smbd) = Smbd::start() else { return };
    let (cmac, gmac) = (SigningAlgorithm::AesCmac, SigningAlgorithm::AesGmac);
    for (dialect, algorithm) in [
        (Dialect::Smb300, cmac),
        (Dialect::Smb302, cmac),
        (Dialect::Smb311, cmac),
        (Dialect::Smb311, gmac),
    ] {
        for encrypted in [false, true] {
            let records: [Record; 4] = Default::default();
            let options = |client_guid, number: usize| {
                let options = only(Protocol::Smb2(dialect));
                let client = ClientConfig { signing_algorithms: vec![algorithm], ..options.client };
                let record = Some(records[number].clone());
                let options = Options { client, client_guid, record, ..options };
                if encrypted { encrypting(options) } else { options }
            };
            let mut first = whole(smbd.address, options(None, 0)).await.unwrap();
            let guid = Some(first.client_guid());
            let beside = |number| Client::connect(smbd.address, options(guid, number));
            let [second, third, fourth] = [beside(1).await, beside(2).await, beside(3).await];
            let mut second = second.unwrap();
            second.bind(first.session_to_bind().unwrap(), &alice()).await.unwrap();
            second.echo().await.unwrap();
            first.echo().await.unwrap();
            let tree = second.tree_connect(r"\\127.0.0.1\data").await.unwrap();
            second.tree_disconnect(tree).await.unwrap();

            let mut third = third.unwrap();
            let bound = third.bind(first.session_to_bind().unwrap(), &alice()).await;
            if algorithm == gmac {
                // It would sign with the nonces of the second.
                let error = bound.unwrap_err();
                let expected = ClientError::Unavailable(Unavailable::Nonces);
                assert!(matches!(&error, Error::Client(found) if *found == expected), "{error}");
                drop((first, second, third));
                all_hold(&explained(&records), &[Purpose::Session, Purpose::Binding]);
                continue;
            }
            bound.unwrap();
            third.echo().await.unwrap();
            let session = first.session_to_bind().unwrap();
            let error = fourth.unwrap().bind(session, &not_alice()).await.unwrap_err();
            assert!(error.is_refusal(), "{error}");
            first.echo().await.expect("the session is as it was");
            drop((first, second, third));
            let (session, binding) = (Purpose::Session, Purpose::Binding);
            all_hold(&explained(&records), &[session, binding, binding]);
        }
    }
    // What the session does not have.
    let mut first = whole(smbd.address, only(NEWEST)).await.unwrap();
    let older = only(Protocol::Smb2(Dialect::Smb302));
    let newer = only(NEWEST);
    let other = ClientConfig { signing_algorithms: vec![cmac], ..newer.client.clone() };
    for options in [older, Options { client: other, ..newer }] {
        let mut second = Client::connect(smbd.address, options).await.unwrap();
        let error = second.bind(first.session_to_bind().unwrap(), &alice()).await.unwrap_err();
        let expected = ClientError::Unavailable(Unavailable::Binding);
        assert!(matches!(&error, Error::Client(found) if *found == expected), "{error}");
    }
}

/// Which response of the server is which, in a logon: NEGOTIATE, two of SESSION_SETUP, TREE_CONNECT,
/// and under 3.0.2 IOCTL before ECHO.
const LAST_SETUP: usize = 2;
const TREE_CONNECT: usize = 3;

#[tokio::test]
async fn what_was_changed_on_the_way_is_found() {
    let Some(smbd) = Smbd::start() else { return };
    for dialect in Dialect::ALL {
        let options = || only(Protocol::Smb2(dialect));
        let change = |number: usize, change: fn(&mut Vec<u8>)| {
            between(smbd.address, move |frame| {
                if !frame.from_client && frame.number == number {
                    change(frame.message);
                }
                Fate::Pass
            })
        };
        // A bit of the signature.
        for number in [LAST_SETUP, TREE_CONNECT] {
            let address = change(number, |message| message[Header::SIGNATURE.offset] ^= 1).await;
            let error = error_of(whole(address, options())).await;
            assert!(is_signature(&error), "{dialect}: {error}");
        }
        // A bit of the content.
        let address = change(TREE_CONNECT, |message| *message.last_mut().unwrap() ^= 1).await;
        let error = error_of(whole(address, options())).await;
        assert!(is_signature(&error), "{dialect}: {error}");
        // The signature stripped.
        for number in [LAST_SETUP, TREE_CONNECT] {
            let address = change(number, |message| message[Header::FLAGS.offset] &= !8).await;
            let error = error_of(whole(address, options())).await;
            let is_it =
                matches!(error, Error::Client(ClientError::Peer(PeerError::NotSigned { .. })));
            assert!(is_it, "{dialect}: {error}");
        }
        // The account made a guest, so that nothing need be signed.
        let address = change(LAST_SETUP, |message| {
            message[Header::FLAGS.offset] &= !8;
            message[66] |= SessionFlags::IS_GUEST.bits().to_le_bytes()[0];
        })
        .await;
        let error = error_of(whole(address, options())).await;
        let is_it = matches!(error, Error::Client(ClientError::Peer(PeerError::NotTheAccount)));
        assert!(is_it, "{dialect}: {error}");
        // A refusal that nobody vouches for.
        let address = change(TREE_CONNECT, |message| {
            message[Header::FLAGS.offset] &= !8;
            message[8..12].copy_from_slice(&NtStatus::ACCESS_DENIED.0.to_le_bytes());
        })
        .await;
        let error = error_of(whole(address, options())).await;
        assert!(!error.is_refusal(), "{dialect}: {error}");
    }
}

fn is_signature(error: &Error) -> bool {
    let expected = PeerError::Signature(SignatureError::DoesNotHold);
    matches!(error, Error::Client(ClientError::Peer(found)) if *found == expected)
}

#[tokio::test]
async fn an_encrypted_message_that_was_changed_does_not_open() {
    let Some(smbd) = Smbd::start() else { return };
    for dialect in [Dialect::Smb300, Dialect::Smb311] {
        let address = between(smbd.address, |frame| {
            if !frame.from_client && frame.number == TREE_CONNECT {
                assert_eq!(frame.message[..4], *b"\xfdSMB");
                *frame.message.last_mut().unwrap() ^= 1;
            }
            Fate::Pass
        })
        .await;
        let options = encrypting(only(Protocol::Smb2(dialect)));
        let error = error_of(whole(address, options)).await;
        let is_it = matches!(error, Error::Client(ClientError::Peer(PeerError::Decrypt(_))));
        assert!(is_it, "{dialect}: {error}");
    }
}

/// Somebody between wants an older dialect, or a weaker cipher, than both ends would choose.
#[tokio::test]
async fn a_downgrade_is_found() {
    let Some(smbd) = Smbd::start() else { return };
    // 3.1.1 taken out of the request: the server chooses 3.0.2, and FSCTL_VALIDATE_NEGOTIATE_INFO
    // tells, whereupon the server hangs up (MS-SMB2 3.3.5.15.12).
    let address = between(smbd.address, |frame| {
        if frame.from_client && frame.number == 0 {
            let at = frame.message.windows(2).rposition(|pair| pair == [0x11, 0x03]).unwrap();
            frame.message[at..at + 2].copy_from_slice(&[0x02, 0x03]);
        }
        Fate::Pass
    })
    .await;
    let error = error_of(whole(address, options())).await;
    assert!(matches!(error, Error::ClosedByServer), "{error}");

    // Something in the response of 3.0.2 that decides nothing: the server's own word differs.
    for (at, field) in [(66, "SecurityMode"), (72, "ServerGuid"), (88, "Capabilities")] {
        let address = between(smbd.address, move |frame| {
            if !frame.from_client && frame.number == 0 {
                frame.message[at] ^= 2;
            }
            Fate::Pass
        })
        .await;
        let error = error_of(whole(address, only(Protocol::Smb2(Dialect::Smb302)))).await;
        let expected = PeerError::NegotiateInfo(field);
        let is_it = matches!(&error, Error::Client(ClientError::Peer(found)) if *found == expected);
        assert!(is_it, "{field}: {error}");
    }

    // Any byte of a NEGOTIATE of 3.1.1: the keys of both ends are no longer the same.
    for from_client in [true, false] {
        let address = between(smbd.address, move |frame| {
            if frame.from_client == from_client && frame.number == 0 {
                // ClientGuid or ServerGuid, which decides nothing.
                let at = if from_client { 80 } else { 75 };
                frame.message[at] ^= 1;
            }
            Fate::Pass
        })
        .await;
        let error = error_of(whole(address, only(NEWEST))).await;
        assert!(is_signature(&error), "{error}");
    }
}

#[tokio::test]
async fn smb1_signatures_are_checked_too() {
    let Some(smbd) = Smbd::start() else { return };
    for number in [LAST_SETUP, TREE_CONNECT] {
        let address = between(smbd.address, move |frame| {
            if !frame.from_client && frame.number == number {
                frame.message[14] ^= 1;
            }
            Fate::Pass
        })
        .await;
        // smbd offers SMB1 signing only where it is told to; here the client sees it offered.
        let error = match whole(address, only(Protocol::Smb1)).await {
            Ok(client) => {
                let Negotiated::Smb1(smb1) = client.negotiated() else { panic!("SMB1") };
                panic!("not checked: {:?}", smb1.security_mode);
            }
            Err(error) => error,
        };
        assert!(is_signature(&error), "{error}");
    }
}

/// Whenever the server hangs up or falls silent, the client says so, in time, and is done.
#[tokio::test]
async fn a_server_that_goes_away_holds_nobody() {
    let Some(smbd) = Smbd::start() else { return };
    for protocol in [Protocol::Smb1, Protocol::Smb2(Dialect::Smb302), NEWEST] {
        for number in 0..5 {
            for hangs_up in [true, false] {
                let address = between(smbd.address, move |frame| {
                    match (!frame.from_client && frame.number == number, hangs_up) {
                        (false, _) => Fate::Pass,
                        (true, true) => Fate::Close,
                        (true, false) => Fate::Silence,
                    }
                })
                .await;
                let options = if hangs_up { only(protocol) } else { impatient(only(protocol)) };
                let error = error_of(whole(address, options)).await;
                match hangs_up {
                    true => assert!(matches!(error, Error::ClosedByServer), "{error}"),
                    false => assert!(matches!(error, Error::TimedOut("receive", _)), "{error}"),
                }
            }
        }
    }
}

#[tokio::test]
async fn an_operation_that_is_dropped_closes_the_connection() {
    let Some(smbd) = Smbd::start() else { return };
    let address = between(smbd.address, |frame| {
        if !frame.from_client && frame.number > TREE_CONNECT { Fate::Silence } else { Fate::Pass }
    })
    .await;
    let mut client = logged_on(address, only(NEWEST)).await.unwrap();
    client.tree_connect(r"\\127.0.0.1\data").await.unwrap();
    let dropped = tokio::time::timeout(Duration::from_millis(50), client.echo()).await;
    assert!(dropped.is_err());
    let error = client.echo().await.unwrap_err();
    assert!(matches!(error, Error::Closed), "{error}");
}
