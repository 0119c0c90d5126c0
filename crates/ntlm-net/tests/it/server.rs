//! Our server: honest clients are served whatever others do.

use crate::common::{Fate, between, options};
use ntlm::keys::{AccountSecret, Password};
use ntlm::text::CodePage;
use ntlm::{AccountName, Credential, Server as Ntlm, ServerConfig as NtlmConfig, ServerNames};
use ntlm_accounts::{Accounts, Format};
use ntlm_net::smb::{
    Client, CloseReason, Error, Event, Options, Server, ServerLimits, ServerOptions, ShareLimits,
    Who,
};
use ntlm_net::{Answer, Judge};
use ntlm_smb::client::{ClientConfig, ClientError, NegotiateRandom, Negotiating};
use ntlm_smb::file::{AccessMask, CreateDisposition};
use ntlm_smb::server::{PeerError, ServerConfig};
use ntlm_smb::smb2::{
    BareMessage, Capabilities, Command, Header, SessionSetupFlags, SessionSetupRequest,
};
use ntlm_smb::{Dialect, DialectRange, NtStatus, Part, Protocol, SigningAlgorithm, smb1};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A server, why its connections ended, and who was not told a verdict then.
struct Running {
    address: SocketAddr,
    abandoned: Arc<Mutex<Vec<(SocketAddr, String)>>>,
    closed: Arc<Mutex<Vec<(SocketAddr, CloseReason)>>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    async fn start(limits: ServerLimits) -> Self {
        let mut accounts = Accounts::new(CodePage::Cp850);
        let text = "[[account]]\nuser = \"alice\"\npassword = \"Wonderland-42\"\n";
        accounts.add("accounts", text, Format::Toml).unwrap();
        Self::with_judge(limits, Judge::accounts(accounts)).await
    }

    async fn with_judge(limits: ServerLimits, judge: Judge) -> Self {
        let ntlm = Ntlm::new(NtlmConfig::new(ServerNames::new("SERVER", "SERVER"))).unwrap();
        let closed = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&closed);
        let abandoned = Arc::new(Mutex::new(Vec::new()));
        let left = Arc::clone(&abandoned);
        let server = Server::new(ServerOptions {
            server: ServerConfig {
                dialects: DialectRange {
                    oldest: Protocol::Smb1,
                    newest: Protocol::Smb2(Dialect::Smb311),
                },
                insecure_bare_session_setup: true,
                ..ServerConfig::new(ntlm)
            },
            judge,
            limits,
            share: "data".to_owned(),
            share_limits: ShareLimits::default(),
        });
        let server = server.unwrap().on_event(move |event| match event {
            Event::Closed { client, reason, .. } => seen.lock().unwrap().push((client, reason)),
            Event::Abandoned { client, claimed, .. } => {
                left.lock().unwrap().push((client, claimed.user.to_string()));
            }
            _ => {}
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.serve(listener, async {
            let _ = stopped.await;
        }));
        Self { address, abandoned, closed, stop, task }
    }

    /// Why the connection from there ended, once it has.
    async fn reason(&self, client: SocketAddr) -> CloseReason {
        let began = Instant::now();
        loop {
            let found =
                self.closed.lock().unwrap().iter().find(|(other, _)| *other == client).cloned();
            if let Some((_, reason)) = found {
                return reason;
            }
            assert!(began.elapsed() < Duration::from_secs(5), "the connection did not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The reason of the only connection.
    async fn only_reason(&self) -> CloseReason {
        let began = Instant::now();
        while self.closed.lock().unwrap().is_empty() {
            assert!(began.elapsed() < Duration::from_secs(5), "the connection did not end");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.closed.lock().unwrap()[0].1.clone()
    }

    async fn stop(self) {
        let began = Instant::now();
        let _ = self.stop.send(());
        self.task.await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?} to stop", began.elapsed());
    }
}

fn limits() -> ServerLimits {
    ServerLimits {
        log_on: Duration::from_millis(500),
        message: Duration::from_millis(300),
        ..ServerLimits::default()
    }
}

fn patient() -> Options {
    let mut options = options();
    options.limits.response = Duration::from_secs(5);
    options
}

fn only(dialect: Dialect) -> Options {
    let dialects = DialectRange::only(Protocol::Smb2(dialect));
    Options { client: ClientConfig { dialects, ..ClientConfig::default() }, ..patient() }
}

fn signing(algorithm: SigningAlgorithm) -> Options {
    let Options { client, .. } = only(Dialect::Smb311);
    Options { client: ClientConfig { signing_algorithms: vec![algorithm], ..client }, ..patient() }
}

fn alice() -> Credential {
    let secret = AccountSecret::from_password(&Password::from("Wonderland-42"), CodePage::Cp850);
    Credential { name: AccountName::parse("alice"), secret }
}

/// Logs on, writes, reads, logs off.
async fn be_served(address: SocketAddr, options: Options) {
    let mut client = Client::connect(address, options).await.unwrap();
    client.log_on(Who::Account(&alice())).await.unwrap();
    let share = client.tree_connect(r"\\127.0.0.1\data").await.unwrap();
    let access = AccessMask::GENERIC_READ | AccessMask::GENERIC_WRITE;
    let name = format!("file-{}", client_number());
    let file = client.open(share, &name, access, CreateDisposition::CREATE).await.unwrap();
    assert_eq!(client.write(file, 3, b"wonderland").await.unwrap(), 10);
    assert_eq!(client.read(file, 0, 100).await.unwrap(), b"\0\0\0wonderland");
    client.close(file).await.unwrap();
    client.log_off().await.unwrap();
}

fn client_number() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

const BARE: smb1::Flags2 = smb1::Flags2::UNICODE.union(smb1::Flags2::NT_STATUS);

/// A client that says what it likes.
struct Raw(TcpStream);

impl Raw {
    async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// Connected, with 3.1.1 negotiated.
    async fn negotiated(address: SocketAddr) -> Self {
        let mut raw = Self::connect(address).await;
        let random = NegotiateRandom { client_guid: [1; 16], salt: [2; 32] };
        let (message, _) = Negotiating::start(ClientConfig::default(), random).unwrap();
        raw.send(&message).await;
        assert!(raw.receive().await.is_some());
        raw
    }

    /// Connected, with SMB1 without extended security negotiated: a logon is one message.
    async fn negotiated_smb1(address: SocketAddr) -> Self {
        let mut raw = Self::connect(address).await;
        let header =
            smb1::Header { flags2: BARE, ..smb1::Header::new(smb1::Command::NEGOTIATE, 1) };
        let dialects = [smb1::NegotiateRequest::NT_LM_0_12];
        raw.send(&smb1::NegotiateRequest::encode(&header, &dialects).unwrap()).await;
        assert!(raw.receive().await.is_some());
        raw
    }

    fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    async fn send(&mut self, message: &[u8]) {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        let _ = self.0.write_all(&[&length[..], message].concat()).await;
    }

    /// The next message; `None` where the server has closed.
    async fn receive(&mut self) -> Option<Vec<u8>> {
        let mut prefix = [0; 4];
        self.0.read_exact(&mut prefix).await.ok()?;
        let mut message = vec![0; usize::try_from(u32::from_be_bytes(prefix)).unwrap()];
        self.0.read_exact(&mut message).await.ok()?;
        Some(message)
    }

    async fn ask(&mut self, message: &[u8]) -> Option<Header> {
        self.send(message).await;
        self.receive().await.map(|message| Header::decode(&message).unwrap())
    }
}

/// The first SESSION_SETUP of a session.
fn session_setup(message_id: u64, session_id: u64) -> Vec<u8> {
    let mut token = b"NTLMSSP\0\x01\0\0\0".to_vec();
    // What smbclient offers, and 128 bits.
    token.extend(0x6208_8297_u32.to_le_bytes());
    token.extend([0; 16]);
    let request = SessionSetupRequest {
        flags: SessionSetupFlags::empty(),
        security_mode: 1,
        capabilities: Capabilities::empty(),
        channel: 0,
        previous_session_id: 0,
        security_buffer: Part::new(&token),
    };
    let header = Header {
        session_id,
        credits: 64,
        credit_charge: 1,
        ..Header::new(Command::SESSION_SETUP, message_id)
    };
    request.encode(&header).unwrap()
}

fn bare(command: Command, message_id: u64, session_id: u64) -> Vec<u8> {
    BareMessage.encode(&Header { session_id, ..Header::new(command, message_id) }).to_vec()
}

#[tokio::test]
async fn every_dialect_is_served_signed_and_encrypted() {
    let server = Running::start(limits()).await;
    for dialect in Dialect::ALL {
        be_served(server.address, only(dialect)).await;
        let transport = ntlm_smb::Transport::NetBios;
        be_served(server.address, Options { transport, ..only(dialect) }).await;
        if dialect >= Dialect::Smb300 {
            let Options { client, .. } = only(dialect);
            let client = ClientConfig { require_encryption: true, ..client };
            be_served(server.address, Options { client, ..patient() }).await;
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_signature_is_denied_and_the_session_goes_on() {
    let server = Running::start(limits()).await;
    for dialect in Dialect::ALL {
        let mut changed = false;
        let address = between(server.address, move |frame| {
            let header = Header::decode(frame.message).unwrap();
            if frame.from_client && header.command == Command::ECHO && !changed {
                changed = true;
                frame.message[Header::SIGNATURE.offset] ^= 1;
            }
            Fate::Pass
        })
        .await;
        let mut client = Client::connect(address, only(dialect)).await.unwrap();
        client.log_on(Who::Account(&alice())).await.unwrap();
        let error = client.echo().await.unwrap_err();
        let denied = NtStatus::ACCESS_DENIED;
        assert!(
            matches!(error, Error::Client(ClientError::Refused { status, .. }) if status == denied),
            "{dialect}: {error}"
        );
        client.echo().await.unwrap();
    }
    server.stop().await;
}

#[tokio::test]
async fn message_ids_are_good_once_and_in_the_window() {
    let server = Running::start(limits()).await;
    for message_id in [0, 2, 1000, u64::MAX] {
        let mut raw = Raw::negotiated(server.address).await;
        assert!(raw.ask(&session_setup(message_id, 0)).await.is_none());
        let reason = server.reason(raw.address()).await;
        assert_eq!(reason, CloseReason::Peer(PeerError::MessageId(message_id)));
    }
    let mut raw = Raw::negotiated(server.address).await;
    assert!(raw.ask(&session_setup(1, 0)).await.is_some());
    assert!(raw.ask(&session_setup(1, 0)).await.is_none());
    be_served(server.address, patient()).await;
    server.stop().await;
}

/// Somebody takes encryption out of NEGOTIATE under 3.0.2: FSCTL_VALIDATE_NEGOTIATE_INFO tells.
#[tokio::test]
async fn a_changed_negotiate_ends_the_connection() {
    let server = Running::start(limits()).await;
    let address = between(server.address, |frame| {
        if frame.from_client && frame.number == 0 {
            frame.message[72] &= !0x40; // Capabilities
        }
        Fate::Pass
    })
    .await;
    let mut client = Client::connect(address, only(Dialect::Smb302)).await.unwrap();
    client.log_on(Who::Account(&alice())).await.unwrap();
    assert!(client.tree_connect(r"\\127.0.0.1\data").await.is_err());
    let reason = server.only_reason().await;
    assert_eq!(reason, CloseReason::Peer(PeerError::NegotiateInfo("Capabilities")));
    server.stop().await;
}

/// Under 3.1.1 the hash tells: what the client signs does not hold at the server.
#[tokio::test]
async fn a_changed_negotiate_of_3_1_1_leaves_no_common_key() {
    let server = Running::start(limits()).await;
    for changed in 0..2 {
        let address = between(server.address, move |frame| {
            // A byte of the salt, of the request or of the response: nothing that is looked at.
            if frame.number == 0 && frame.from_client == (changed == 0) {
                let last = frame.message.windows(3).position(|bytes| bytes == [1, 0, 32]).unwrap();
                frame.message[last + 10] ^= 1;
            }
            Fate::Pass
        })
        .await;
        let mut client = Client::connect(address, only(Dialect::Smb311)).await.unwrap();
        let error = client.log_on(Who::Account(&alice())).await.unwrap_err();
        assert!(matches!(error, Error::Client(ClientError::Peer(_))), "{error}");
    }
    be_served(server.address, patient()).await;
    server.stop().await;
}

#[tokio::test]
async fn the_session_of_another_is_nobody_elses() {
    let server = Running::start(limits()).await;
    let session_id = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&session_id);
    let address = between(server.address, move |frame| {
        *seen.lock().unwrap() = Header::decode(frame.message).unwrap().session_id;
        Fate::Pass
    })
    .await;
    let mut client = Client::connect(address, only(Dialect::Smb311)).await.unwrap();
    client.log_on(Who::Account(&alice())).await.unwrap();
    let session_id = *session_id.lock().unwrap();
    let mut raw = Raw::negotiated(server.address).await;
    let deleted = NtStatus::USER_SESSION_DELETED;
    for (message, status) in [
        (session_setup(1, session_id), deleted),
        (bare(Command::LOGOFF, 2, session_id), deleted),
        (bare(Command::TREE_DISCONNECT, 3, session_id), deleted),
    ] {
        // Credits for those that follow.
        let answer = raw.ask(&message).await.unwrap();
        assert_eq!(answer.status, status);
        assert!(!answer.is_signed());
    }
    // Nor does the server sign with its key for who only says that he signs: under AES-GMAC two such
    // answers with the same MessageId would give the key away.
    let claims = |mut message: Vec<u8>| {
        message[Header::FLAGS.offset] |= 8; // SMB2_FLAGS_SIGNED
        message
    };
    let binding = |mut message: Vec<u8>| {
        message[Header::LENGTH + 2] = 1; // SMB2_SESSION_FLAG_BINDING
        message
    };
    for options in [only(Dialect::Smb311), signing(SigningAlgorithm::AesCmac)] {
        let mut client = Client::connect(server.address, options).await.unwrap();
        client.log_on(Who::Account(&alice())).await.unwrap();
        for session_id in [session_id, session_id + 1, session_id + 2] {
            let mut raw = Raw::negotiated(server.address).await;
            for message in [
                claims(session_setup(1, session_id)),
                claims(binding(session_setup(2, session_id))),
                claims(bare(Command::LOGOFF, 3, session_id)),
            ] {
                let answer = raw.ask(&message).await.unwrap();
                assert_ne!(answer.status, NtStatus::SUCCESS);
                assert!(!answer.is_signed(), "{}", answer.status);
            }
        }
    }
    client.echo().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn an_echo_of_nobody_ends_the_connection() {
    let server = Running::start(limits()).await;
    let mut raw = Raw::negotiated(server.address).await;
    assert!(raw.ask(&bare(Command::ECHO, 1, 0)).await.is_none());
    let reason = server.reason(raw.address()).await;
    assert_eq!(reason, CloseReason::Peer(PeerError::NobodyLoggedOn));
    server.stop().await;
}

#[tokio::test]
async fn a_length_is_not_believed() {
    let server = Running::start(limits()).await;
    let mut raw = Raw::connect(server.address).await;
    raw.0.write_all(&[0, 0xff, 0xff, 0xff]).await.unwrap();
    assert!(raw.receive().await.is_none());
    let limit = limits().message_len;
    let reason = server.reason(raw.address()).await;
    assert_eq!(reason, CloseReason::TooLong { length: 0xff_ffff, limit });
    server.stop().await;
}

#[tokio::test]
async fn what_is_no_smb_is_not_listened_to() {
    let server = Running::start(limits()).await;
    for bytes in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0, 0, 0, 4, 1, 2, 3, 4], &[0x81, 0, 0, 0], &[0, 0, 0, 0]]
    {
        let mut raw = Raw::connect(server.address).await;
        raw.0.write_all(bytes).await.unwrap();
        assert!(raw.receive().await.is_none(), "{bytes:?}");
    }
    be_served(server.address, patient()).await;
    server.stop().await;
}

/// Silence, half a frame, a byte at a time, keep-alives: none lasts longer than the limit.
#[tokio::test]
async fn nobody_keeps_a_connection_without_logging_on() {
    let server = Running::start(limits()).await;
    let began = Instant::now();
    let mut silent = Raw::connect(server.address).await;
    let mut negotiated = Raw::negotiated(server.address).await;
    let mut half = Raw::connect(server.address).await;
    half.0.write_all(&[0, 0, 0, 200, 0xfe]).await.unwrap();
    let mut slow = Raw::connect(server.address).await;
    let slow_address = slow.address();
    let slow = tokio::spawn(async move {
        while slow.0.write_all(&[0x85, 0, 0, 0]).await.is_ok()
            && slow.0.write_all(&[0]).await.is_ok()
        {
            for byte in [0, 0, 200] {
                let _ = slow.0.write_all(&[byte]).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    for raw in [&mut silent, &mut negotiated, &mut half] {
        assert!(raw.receive().await.is_none());
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!(server.reason(silent.address()).await, CloseReason::NobodyLoggedOn);
    assert_eq!(server.reason(negotiated.address()).await, CloseReason::NobodyLoggedOn);
    assert_eq!(server.reason(half.address()).await, CloseReason::TooSlow);
    server.reason(slow_address).await;
    slow.abort();
    server.stop().await;
}

#[tokio::test]
async fn a_client_may_hang_up_at_any_step() {
    let server = Running::start(limits()).await;
    for dialect in [Dialect::Smb210, Dialect::Smb311] {
        for from_client in [true, false] {
            for last in 0..8 {
                let address = between(server.address, move |frame| {
                    let is_last = frame.from_client == from_client && frame.number == last;
                    if is_last { Fate::Close } else { Fate::Pass }
                })
                .await;
                let Ok(mut client) = Client::connect(address, only(dialect)).await else {
                    continue;
                };
                if client.log_on(Who::Account(&alice())).await.is_err() {
                    continue;
                }
                let Ok(share) = client.tree_connect(r"\\127.0.0.1\data").await else { continue };
                let access = AccessMask::GENERIC_WRITE;
                let _ = client.open(share, "left", access, CreateDisposition::OPEN_IF).await;
                let _ = client.echo().await;
            }
        }
    }
    be_served(server.address, patient()).await;
    server.stop().await;
}

/// The judge of one client takes long; others, and others on the same connection, do not wait.
#[tokio::test]
async fn nobody_waits_for_the_judge_of_another() {
    let secret = || AccountSecret::from_password(&Password::from("Wonderland-42"), CodePage::Cp850);
    let judge = Judge::new(move |request| {
        let is_slow = request.user().to_string() == "slow";
        async move {
            if is_slow {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            Answer::here(request.verify(Some(&secret())))
        }
    });
    let limits = ServerLimits { judge: Duration::from_millis(400), ..ServerLimits::default() };
    let server = Running::with_judge(limits, judge).await;
    let address = server.address;
    let slow = tokio::spawn(async move {
        let mut client = Client::connect(address, patient()).await.unwrap();
        let slow = Credential { name: AccountName::parse("slow"), ..alice() };
        client.log_on(Who::Account(&slow)).await.unwrap_err()
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    let began = Instant::now();
    be_served(server.address, patient()).await;
    assert!(began.elapsed() < Duration::from_millis(300), "{:?}", began.elapsed());
    let error = slow.await.unwrap();
    let late = NtStatus::NO_LOGON_SERVERS;
    assert!(
        matches!(error, Error::Client(ClientError::Refused { status, .. }) if status == late),
        "{error}"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_connection_has_so_many_sessions() {
    let server = Running::start(ServerLimits::default()).await;
    let mut raw = Raw::negotiated(server.address).await;
    let (mut begun, mut refused) = (0, 0);
    for message_id in 1..=10_000 {
        match raw.ask(&session_setup(message_id, 0)).await.unwrap().status {
            NtStatus::MORE_PROCESSING_REQUIRED => begun += 1,
            NtStatus::INSUFFICIENT_RESOURCES => refused += 1,
            status => panic!("{status}"),
        }
    }
    assert_eq!((begun, refused), (64, 9_936));
    be_served(server.address, patient()).await;
    server.stop().await;
}

/// 10,000 connections, each with half a logon; ten times a client is served between them.
#[tokio::test]
async fn ten_thousand_half_open_sessions_cost_little_and_keep_nobody_out() {
    const CONNECTIONS: usize = 64;
    let limits = ServerLimits { connections: CONNECTIONS, ..ServerLimits::default() };
    let server = Running::start(limits).await;
    be_served(server.address, patient()).await;
    let before = resident_bytes();
    let mut open = std::collections::VecDeque::new();
    for number in 0..10_000 {
        let mut raw = Raw::negotiated(server.address).await;
        let status = raw.ask(&session_setup(1, 0)).await.unwrap().status;
        assert_eq!(status, NtStatus::MORE_PROCESSING_REQUIRED);
        open.push_back(raw);
        // The server has let the older ones go: so may we, for our own descriptors.
        if open.len() > 2 * CONNECTIONS {
            let mut oldest = open.pop_front().unwrap();
            assert!(oldest.receive().await.is_none());
        }
        if number % 1000 == 999 {
            be_served(server.address, patient()).await;
        }
    }
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 32 << 20, "{} KiB more", grown >> 10);
    drop(open);
    be_served(server.address, patient()).await;
    server.stop().await;
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test]
async fn stopping_ends_every_connection() {
    let server = Running::start(ServerLimits::default()).await;
    let mut client = Client::connect(server.address, patient()).await.unwrap();
    client.log_on(Who::Account(&alice())).await.unwrap();
    let mut raw = Raw::negotiated(server.address).await;
    server.stop().await;
    assert!(raw.receive().await.is_none());
    assert!(client.echo().await.is_err());
}

fn smb1(insecure_bare_session_setup: bool) -> Options {
    let dialects = DialectRange::only(Protocol::Smb1);
    let client = ClientConfig {
        dialects,
        insecure_bare_session_setup,
        require_signing: true,
        ..ClientConfig::default()
    };
    Options { client, ..patient() }
}

#[tokio::test]
async fn smb1_is_served_signed_with_and_without_extended_security() {
    let server = Running::start(limits()).await;
    for bare in [false, true] {
        be_served(server.address, smb1(bare)).await;
        let mut client = Client::connect(server.address, smb1(bare)).await.unwrap();
        let secret = AccountSecret::from_password(&Password::from("wrong"), CodePage::Cp850);
        let wrong = Credential { secret, ..alice() };
        let error = client.log_on(Who::Account(&wrong)).await.unwrap_err();
        let failed = NtStatus::LOGON_FAILURE;
        assert!(
            matches!(error, Error::Client(ClientError::Refused { status, .. }) if status == failed),
            "{error}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_wrong_signature_of_smb1_ends_the_connection() {
    let server = Running::start(limits()).await;
    for bare in [false, true] {
        let address = between(server.address, |frame| {
            let header = smb1::Header::decode(frame.message).unwrap();
            if frame.from_client && header.command == smb1::Command::ECHO {
                frame.message[smb1::Header::SECURITY_SIGNATURE.offset] ^= 1;
            }
            Fate::Pass
        })
        .await;
        let mut client = Client::connect(address, smb1(bare)).await.unwrap();
        client.log_on(Who::Account(&alice())).await.unwrap();
        assert!(matches!(client.echo().await, Err(Error::ClosedByServer)));
    }
    let reason = server.only_reason().await;
    assert_eq!(reason, CloseReason::Peer(PeerError::Signature));
    server.stop().await;
}

/// Who was offered extended security gets in by nothing else.
#[tokio::test]
async fn a_bare_session_setup_is_refused_where_extended_security_was_offered() {
    let server = Running::start(limits()).await;
    let mut raw = Raw::connect(server.address).await;
    let flags2 = smb1::Flags2::UNICODE | smb1::Flags2::NT_STATUS | smb1::Flags2::EXTENDED_SECURITY;
    let header = smb1::Header { flags2, ..smb1::Header::new(smb1::Command::NEGOTIATE, 1) };
    let dialects = [smb1::NegotiateRequest::NT_LM_0_12];
    raw.send(&smb1::NegotiateRequest::encode(&header, &dialects).unwrap()).await;
    assert!(raw.receive().await.is_some());
    raw.send(&bare_session_setup(flags2, 2)).await;
    let answer = smb1::Header::decode(&raw.receive().await.unwrap()).unwrap();
    assert_eq!(answer.nt_status(), Some(NtStatus::INVALID_PARAMETER));
    server.stop().await;
}

/// A SESSION_SETUP_ANDX without extended security.
fn bare_session_setup(flags2: smb1::Flags2, mid: u16) -> Vec<u8> {
    let setup = smb1::SessionSetupRequest {
        max_buffer_size: 4356,
        max_mpx_count: 1,
        vc_number: 1,
        session_key: 0,
        capabilities: smb1::Capabilities::UNICODE | smb1::Capabilities::STATUS32,
        credentials: smb1::Credentials::Responses {
            oem_password: Part::new(&[1; 24]),
            unicode_password: Part::new(&[2; 24]),
            account_name: Part::new(b"a\0"),
            primary_domain: Part::default(),
        },
        native_os: Part::default(),
        native_lan_man: Part::default(),
        unicode: true,
    };
    let header =
        smb1::Header { flags2, ..smb1::Header::new(smb1::Command::SESSION_SETUP_ANDX, mid) };
    setup.encode(&header).unwrap()
}

/// Those that wait for the judge count.
#[tokio::test]
async fn a_connection_of_smb1_has_so_many_sessions() {
    let server = Running::with_judge(limits(), Judge::new(|_| std::future::pending())).await;
    let mut raw = Raw::negotiated_smb1(server.address).await;
    for mid in 2..=66 {
        raw.send(&bare_session_setup(BARE, mid)).await;
    }
    let answer = smb1::Header::decode(&raw.receive().await.unwrap()).unwrap();
    assert_eq!((answer.mid, answer.nt_status()), (66, Some(NtStatus::INSUFFICIENT_RESOURCES)));
    server.stop().await;
}

/// A client that logs on many times at once on one connection has few judged at a time, so another
/// is judged meanwhile; all get their answer.
#[tokio::test]
async fn a_connection_has_so_many_logons_judged_at_a_time() {
    let most = Arc::new(Mutex::new(0));
    let now = Arc::new(Mutex::new(0));
    let (gate, opened) = tokio::sync::watch::channel(false);
    let judge = {
        let (most, now) = (Arc::clone(&most), Arc::clone(&now));
        Judge::new(move |request| {
            let (most, now, mut opened) = (Arc::clone(&most), Arc::clone(&now), opened.clone());
            async move {
                if request.user().to_string() == "a" {
                    let count = *now.lock().unwrap() + 1;
                    *now.lock().unwrap() = count;
                    let before = *most.lock().unwrap();
                    *most.lock().unwrap() = count.max(before);
                    opened.wait_for(|opened| *opened).await.unwrap();
                    *now.lock().unwrap() -= 1;
                }
                let password = Password::from("Wonderland-42");
                let secret = AccountSecret::from_password(&password, CodePage::Cp850);
                Answer::here(request.verify(Some(&secret)))
            }
        })
    };
    let server = Running::with_judge(ServerLimits::default(), judge).await;
    let mut raw = Raw::negotiated_smb1(server.address).await;
    for mid in 2..32 {
        raw.send(&bare_session_setup(BARE, mid)).await;
    }
    let began = Instant::now();
    while *now.lock().unwrap() < 4 {
        assert!(began.elapsed() < Duration::from_secs(5), "{} are judged", now.lock().unwrap());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // A fifth would come now.
    be_served(server.address, patient()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(*now.lock().unwrap(), 4);
    let _ = gate.send(true);
    for _ in 2..32 {
        let answer = smb1::Header::decode(&raw.receive().await.unwrap()).unwrap();
        assert_eq!(answer.nt_status(), Some(NtStatus::LOGON_FAILURE));
    }
    assert_eq!(*most.lock().unwrap(), 4);
    server.stop().await;
}

/// The wait for the judge's turn counts too.
#[tokio::test]
async fn who_waits_for_a_turn_hears_in_time() {
    let limits = ServerLimits { judge: Duration::from_millis(300), judging: 1, ..limits() };
    let server = Running::with_judge(limits, Judge::new(|_| std::future::pending())).await;
    let mut raw = Raw::negotiated_smb1(server.address).await;
    let began = Instant::now();
    for mid in 2..6 {
        raw.send(&bare_session_setup(BARE, mid)).await;
    }
    for _ in 2..6 {
        let answer = smb1::Header::decode(&raw.receive().await.unwrap()).unwrap();
        assert_eq!(answer.nt_status(), Some(NtStatus::NO_LOGON_SERVERS));
    }
    assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
    server.stop().await;
}

/// A logon that is passed on and whose client is gone leaves a trace all the same.
#[tokio::test]
async fn a_logon_without_its_client_is_told_of() {
    let server =
        Running::with_judge(ServerLimits::default(), Judge::new(|_| std::future::pending())).await;
    let mut raw = Raw::negotiated_smb1(server.address).await;
    let client = raw.address();
    for mid in 2..8 {
        raw.send(&bare_session_setup(BARE, mid)).await;
    }
    drop(raw);
    let reason = server.reason(client).await;
    // Bytes that it has not read reset the connection.
    assert!(matches!(reason, CloseReason::Client | CloseReason::Io(_)), "{reason}");
    assert_eq!(*server.abandoned.lock().unwrap(), vec![(client, "a".to_owned()); 6]);
    server.stop().await;
}

#[tokio::test]
async fn a_judge_that_panics_is_named() {
    async fn panics() -> Answer {
        panic!("as a test wants it");
    }
    let judge = Judge::new(|_| panics());
    let server = Running::with_judge(limits(), judge).await;
    let mut raw = Raw::negotiated_smb1(server.address).await;
    raw.send(&bare_session_setup(BARE, 2)).await;
    assert!(raw.receive().await.is_none());
    assert_eq!(server.reason(raw.address()).await, CloseReason::JudgePanicked);
    assert_eq!(*server.abandoned.lock().unwrap(), [(raw.address(), "a".to_owned())]);
    server.stop().await;
}
