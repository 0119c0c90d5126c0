//! The server's machine against damaged packets: it answers or ends the connection, and never more.

use ntlm::keys::{AccountSecret, Password};
use ntlm::policy::ServerPolicy;
use ntlm::text::CodePage;
use ntlm::{
    AccountName, Credential, FileTime, Fresh, Server, ServerConfig as NtlmConfig, ServerNames,
};
use ntlm_smb::client::{
    self, ClientConfig, NegotiateRandom, NegotiateStep, Negotiating, Purpose, Session,
    SessionSetup, SetupStep,
};
use ntlm_smb::server::{Connection, ServerConfig, Sessions, Step};
use ntlm_smb::smb2::{BareMessage, Command, Header};
use ntlm_smb::{Dialect, DialectRange, Identity, NtStatus, Protocol};
use std::sync::Arc;

const NOW: FileTime = FileTime::from_unix_seconds(1_767_225_600);

fn fresh() -> Fresh {
    Fresh::from_random(NOW, [7; 24])
}

fn secret() -> AccountSecret {
    AccountSecret::from_password(&Password::from("Wonderland-42"), CodePage::Cp850)
}

/// A server with one connection.
struct Served {
    sessions: Sessions,
    connection: Connection,
}

impl Served {
    fn new(config: &Arc<ServerConfig>) -> Self {
        let connection = Connection::new(Arc::clone(config), [3; 32]);
        Self { sessions: Sessions::new(1), connection }
    }

    /// What goes back; `None` where the connection ends.
    fn receive(&mut self, packet: &[u8]) -> Option<Vec<u8>> {
        let step = self.connection.receive(&mut self.sessions, packet.to_vec(), fresh()).ok()?;
        self.go_on(step)
    }

    fn go_on(&mut self, step: Step) -> Option<Vec<u8>> {
        match step {
            Step::Reply(reply) | Step::LoggedOn(reply, _) | Step::Refused(reply, _) => Some(reply),
            Step::Nothing => Some(Vec::new()),
            Step::Judge(request, judging) => {
                let judged = request.verify(Some(&secret())).map_err(|_| NtStatus::LOGON_FAILURE);
                let step = self.connection.settle(&mut self.sessions, *judging, judged).ok()?;
                self.go_on(step)
            }
            Step::Requests(mut requests) => {
                while let Some(request) =
                    self.connection.next(&mut self.sessions, &mut requests).ok()?
                {
                    let answer = request.refuse(NtStatus::NOT_SUPPORTED).ok()?;
                    requests.answer(&request, answer);
                }
                self.connection.reply(requests).ok()?.or_else(|| Some(Vec::new()))
            }
            Step::Smb1Request(request) => {
                let answer = request.refuse(NtStatus::NOT_SUPPORTED).ok()?;
                self.connection.reply_smb1(&request, answer).ok()
            }
        }
    }
}

/// The client's packets of a logon and an ECHO, as it sends them to such a server.
fn packets(config: &Arc<ServerConfig>, dialect: Dialect) -> Vec<Vec<u8>> {
    let mut served = Served::new(config);
    let mut sent = Vec::new();
    let dialects = DialectRange::only(Protocol::Smb2(dialect));
    let client = ClientConfig { dialects, ..ClientConfig::default() };
    let random = NegotiateRandom { client_guid: [1; 16], salt: [2; 32] };
    let (message, negotiating) = Negotiating::start(client, random).unwrap();
    let mut exchange = |packet: Vec<u8>| {
        let answer = served.receive(&packet).unwrap();
        sent.push(packet);
        answer
    };
    let NegotiateStep::Smb2(mut connection) = negotiating.receive(&exchange(message)).unwrap()
    else {
        panic!("another generation");
    };
    let (request, setup) = SessionSetup::start(&mut connection, Purpose::New).unwrap();
    let mut answer = exchange(request.packet);
    let SetupStep::Respond(responding) = setup.receive(&mut connection, &mut answer).unwrap()
    else {
        panic!("no CHALLENGE");
    };
    let alice = Credential { name: AccountName::parse("alice"), secret: secret() };
    let (request, setup) =
        responding.respond(&alice, fresh()).unwrap().send(&mut connection).unwrap();
    let mut answer = exchange(request.packet);
    let SetupStep::Done(mut session) = setup.receive(&mut connection, &mut answer).unwrap() else {
        panic!("not done");
    };
    let request = connection
        .request(&mut session, None, Command::ECHO, |header| {
            Ok(BareMessage.encode(header).to_vec())
        })
        .unwrap();
    let mut answer = exchange(request.packet);
    connection.receive(&request.pending, &session, &mut answer).unwrap();
    sent
}

#[test]
fn damaged_packets_are_answered_or_end_the_connection() {
    let ntlm = Server::new(NtlmConfig::new(ServerNames::new("SERVER", "SERVER"))).unwrap();
    let config = Arc::new(ServerConfig { require_signing: true, ..ServerConfig::new(ntlm) });
    for dialect in [Dialect::Smb202, Dialect::Smb302, Dialect::Smb311] {
        let packets = packets(&config, dialect);
        for (step, packet) in packets.iter().enumerate() {
            for at in 0..packet.len() {
                let mut changed = packet.clone();
                changed[at] ^= 0xff;
                for damaged in [&packet[..at], &changed] {
                    let mut served = Served::new(&config);
                    for good in &packets[..step] {
                        assert!(served.receive(good).is_some(), "{dialect}, packet {step}");
                    }
                    let answer = served.receive(damaged);
                    // Past the logon nothing that was changed is carried out.
                    if let (3, Some(answer)) = (step, answer) {
                        let status = Header::decode(&answer).unwrap().status;
                        assert_ne!(status, NtStatus::SUCCESS, "{dialect}, byte {at}");
                    }
                }
            }
        }
    }
}

/// A logon as whoever, with `purpose`.
fn log_on(
    served: &mut Served,
    connection: &mut client::Connection,
    purpose: Purpose,
    account: Option<&Credential>,
) -> Box<Session> {
    let (request, setup) = SessionSetup::start(connection, purpose).unwrap();
    let mut answer = served.receive(&request.packet).unwrap();
    let SetupStep::Respond(responding) = setup.receive(connection, &mut answer).unwrap() else {
        panic!("no CHALLENGE");
    };
    let answer = match account {
        Some(account) => responding.respond(account, fresh()),
        None => responding.respond_anonymously(fresh()),
    };
    let (request, setup) = answer.unwrap().send(connection).unwrap();
    let mut answer = served.receive(&request.packet).unwrap();
    let SetupStep::Done(session) = setup.receive(connection, &mut answer).unwrap() else {
        panic!("not done");
    };
    session
}

/// The keys stay (MS-SMB2 3.2.5.3.2), and so do the signatures.
#[test]
fn who_authenticates_again_as_nobody_still_wants_signatures() {
    let policy = ServerPolicy { insecure_allow_anonymous: true, ..ServerPolicy::default() };
    let ntlm = NtlmConfig { policy, ..NtlmConfig::new(ServerNames::new("SERVER", "SERVER")) };
    let config = Arc::new(ServerConfig::new(Server::new(ntlm).unwrap()));
    let mut served = Served::new(&config);
    let random = NegotiateRandom { client_guid: [1; 16], salt: [2; 32] };
    let (message, negotiating) = Negotiating::start(ClientConfig::default(), random).unwrap();
    let answer = served.receive(&message).unwrap();
    let NegotiateStep::Smb2(mut connection) = negotiating.receive(&answer).unwrap() else {
        panic!("another generation");
    };
    let alice = Credential { name: AccountName::parse("alice"), secret: secret() };
    let session = log_on(&mut served, &mut connection, Purpose::New, Some(&alice));
    let mut session = log_on(&mut served, &mut connection, Purpose::Again(session), None);
    assert_eq!(session.logon().identity, Identity::Anonymous);
    for is_stripped in [false, true] {
        let encode = |header: &Header| Ok(BareMessage.encode(header).to_vec());
        let request = connection.request(&mut session, None, Command::ECHO, encode).unwrap();
        let mut answer = served.receive(&request.packet).unwrap();
        if is_stripped {
            answer[Header::FLAGS.offset] &= !8; // SMB2_FLAGS_SIGNED
        }
        let received = connection.receive(&request.pending, &session, &mut answer);
        assert_eq!(received.is_err(), is_stripped);
    }
}
