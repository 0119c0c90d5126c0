//! What a logon that a domain controller judges costs us, without the controller; and beside it one
//! that is judged here.

use ntlm::keys::{AccountSecret, Direction, Ntowfv1, Password};
use ntlm::text::CodePage;
use ntlm::{
    AccountName, Client, ClientConfig, Credential, FileTime, Fresh, LogonRequest, Server,
    ServerConfig, ServerNames,
};
use ntlm_bench::clock::{figure, ratio, rounds, timed};
use ntlm_netlogon::calls::{SecureChannelType, ValidationLevel};
use ntlm_netlogon::client::{
    Answer, Association, Binding, Calling, Challenging, Channel, ChannelConfig, ChannelPolicy,
};
use ntlm_netlogon::flags::NegotiateFlags;
use ntlm_netlogon::keys::{Algorithms, SessionKey};
use ntlm_netlogon::logon::{Judged, LogonMethod, PassedOn};
use ntlm_netlogon::pdu::{
    AuthLevel, AuthType, AuthVerifier, Body, Pdu, PfcFlags, Response, SyntaxId,
};
use ntlm_netlogon::protect::{Coverage, NetlogonProtection};
use serde_json::Value;
use std::hint::black_box;
use std::time::Duration;

/// How often everything is measured, unless `--rounds` says otherwise.
const ROUNDS: usize = 51;
/// Logons in one measurement.
const LOGONS: u32 = 64;

fn main() {
    let rounds = rounds(ROUNDS);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../testdata/vectors/netlogon.json");
    let text = std::fs::read_to_string(file).expect("the vectors are there");
    let vectors: Value = serde_json::from_str(&text).expect("JSON");
    let mut passing = Passing::new(&vectors);
    let mut times: [Vec<Duration>; 3] = Default::default();
    for round in 0..=rounds {
        let took = passing.round();
        // The first round warms the caches.
        if round > 0 {
            times.iter_mut().zip(took).for_each(|(times, took)| times.push(took));
        }
    }
    let [send, receive, here] = times;
    let whole: Vec<_> = send.iter().zip(&receive).map(|(a, b)| *a + *b).collect();
    println!("A logon passed on to a domain controller, our own part; {rounds} rounds.\n");
    println!("| | one logon |\n|---|---|");
    println!("| asked: NDR, sealed with AES | {} |", figure(&send, LOGONS, None));
    println!("| answered: unsealed, read, MIC checked | {} |", figure(&receive, LOGONS, None));
    println!("| both | {} |", figure(&whole, LOGONS, None));
    println!("| judged here, with the account's hash | {} |", figure(&here, LOGONS, None));
    println!("\nboth, as a multiple of judging here: {:.2}", ratio(&here, &whole));
}

/// A member with its channel, and as much of a controller as it takes.
struct Passing {
    channel: Channel,
    association: Option<Association>,
    controller: NetlogonProtection,
    verdict: Vec<u8>,
    server: Server,
    credential: Credential,
    call_id: u32,
}

impl Passing {
    fn new(vectors: &Value) -> Self {
        let vector = |id: &str| {
            let vectors = vectors["vectors"].as_array().expect("a list");
            vectors.iter().find(|vector| vector["id"] == id).expect("a vector of this name")
        };
        let session = &vector("capture-nl-session")["input"];
        let config = ChannelConfig {
            server_name: "DC1".into(),
            domain_name: b"EXAMPLE".to_vec(),
            computer_name: b"MEMBER1".to_vec(),
            account_name: "MEMBER1$".into(),
            secure_channel_type: SecureChannelType::WORKSTATION,
            negotiate_flags: NegotiateFlags::OFFERED,
            policy: ChannelPolicy::default(),
        };
        let nt_hash = Ntowfv1::new(array(&session["machine_owf"]));
        let challenge = array(&session["client_challenge"]);
        let (_, challenging) = Challenging::start(config, nt_hash, challenge).expect("random");
        let answer = bytes(&session["req_challenge_response_stub"]);
        let (_, authenticating) = challenging.receive(&answer).expect("as recorded");
        let answer = bytes(&session["authenticate3_response_stub"]);
        let mut unchecked = authenticating.receive(&answer).expect("as recorded");
        let started = Binding::start(SyntaxId::NETLOGON, unchecked.security());
        let (_, binding) = started.expect("short names");
        let bind_ack = bytes(&vector("capture-nl-schannel-bind")["input"]["bind_ack"]);
        let association = binding.receive(&bind_ack).expect("as recorded");
        unchecked.capabilities(1_700_000_000).expect("short names");
        let answer = &vector("capture-nl-GetCapabilities")["expected"]["response_stub"];
        let channel = unchecked.receive(&bytes(answer)).expect("as recorded");
        let key = SessionKey::new(array(&vector("capture-nl-session")["expected"]["session_key"]));
        let (algorithms, level) = (Algorithms::AesSha2, AuthLevel::PKT_PRIVACY);
        let controller = NetlogonProtection::new(algorithms, &key, level, 1, Coverage::Whole);
        let secret =
            AccountSecret::from_password(&Password::from("Wonderland-42"), CodePage::Cp850);
        let names = ServerNames::new("MEMBER1", "EXAMPLE");
        Self {
            channel,
            association: Some(association),
            controller: controller.expect("a level"),
            verdict: bytes(&vector("capture-nl-SamLogonEx_v2")["expected"]["response_stub"]),
            server: Server::new(ServerConfig::new(names)).expect("short names"),
            credential: Credential { name: AccountName::down_level("EXAMPLE", "alice"), secret },
            call_id: 1,
        }
    }

    /// Asking, being answered, and judging the same here.
    fn round(&mut self) -> [Duration; 3] {
        let mut took = [Duration::ZERO; 3];
        for _ in 0..LOGONS {
            let (request, session_base_key) = self.logon();
            let association = self.association.take().expect("no call is under way");
            let mut sent = None;
            took[0] += timed(|| sent = Some(ask(&mut self.channel, association, request)));
            let (packet, calling, passed_on) = sent.expect("asked");
            let mut answer = self.answer(packet, &session_base_key);
            let mut judged = None;
            took[1] += timed(|| {
                let Ok(Answer::Whole(stub, association)) = calling.receive(&mut answer) else {
                    panic!("the answer holds");
                };
                judged = Some((passed_on.receive(&mut self.channel, &stub), association));
            });
            let (judged, association) = judged.expect("judged");
            assert!(matches!(judged, Judged::Accepted { outcome, .. } if outcome.is_ok()));
            self.association = Some(association);
            let (request, _) = self.logon();
            let secret = &self.credential.secret;
            took[2] += timed(|| drop(black_box(request.verify(Some(secret)).expect("right"))));
        }
        took
    }

    fn logon(&self) -> (LogonRequest, [u8; 16]) {
        let (negotiate, client) = Client::start(ClientConfig::default());
        let challenged = self.server.clone().challenge(&negotiate, fresh());
        let (challenge, server) = challenged.expect("a good NEGOTIATE");
        let responded = client.respond(&challenge, &self.credential, fresh());
        let (authenticate, client) = responded.expect("a good CHALLENGE");
        let key = client.keys().session_base_key().expect("of a password").expose();
        let request = server.receive(&authenticate, fresh().now).expect("a good AUTHENTICATE");
        (request, *key)
    }

    fn answer(&mut self, mut asked: Vec<u8>, session_base_key: &[u8; 16]) -> Vec<u8> {
        self.controller.open(Direction::ClientToServer, &mut asked).expect("sealed by us");
        self.call_id += 1;
        self.verdict[128..144].copy_from_slice(session_base_key);
        let stub = &self.verdict;
        let pad = vec![0; stub.len().next_multiple_of(16) - stub.len()];
        let verifier = AuthVerifier {
            auth_pad: &pad,
            auth_type: AuthType::NETLOGON,
            auth_level: AuthLevel::PKT_PRIVACY,
            auth_context_id: 1,
            auth_value: &[0; 56],
        };
        let response = Response { alloc_hint: 0, context_id: 0, cancel_count: 0, stub };
        let pdu = Pdu {
            rpc_vers_minor: 0,
            pfc_flags: PfcFlags::WHOLE,
            call_id: self.call_id,
            body: Body::Response(response),
            verifier: Some(verifier),
        };
        let mut fragment = pdu.encode().expect("short");
        let protected = self.controller.protect(Direction::ServerToClient, &mut fragment, [7; 8]);
        protected.expect("numbers are left");
        fragment
    }
}

fn ask(
    channel: &mut Channel,
    association: Association,
    request: LogonRequest,
) -> (Vec<u8>, Calling, PassedOn) {
    let (method, level) = (LogonMethod::Ex, ValidationLevel::SamInfo4);
    let (call, passed_on) = PassedOn::start(channel, request, method, level, 0).expect("it fits");
    let mut confounder = [0; 8];
    getrandom::fill(&mut confounder).expect("the system has a generator");
    let asked = association.call(call.opnum, &call.stub, [confounder]);
    let (packet, calling) = asked.expect("one fragment");
    (packet, calling, passed_on)
}

fn fresh() -> Fresh {
    let mut random = [0; 24];
    getrandom::fill(&mut random).expect("the system has a generator");
    Fresh::from_random(FileTime::from_unix_seconds(1_767_225_600), random)
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("hex");
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(byte).collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("as long as that")
}
