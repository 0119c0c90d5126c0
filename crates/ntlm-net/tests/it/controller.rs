//! A domain controller that does as a test tells it: right, or wrong in one of many ways.

use ntlm::flags::NegotiateFlags as NtlmFlags;
use ntlm::keys::{
    AccountSecret, Derivation, Direction, KeyExchange, KeySchedule, KeySource, Password, Responses,
};
use ntlm::text::CodePage;
use ntlm_netlogon::calls::{
    Authenticate3Request, CapabilitiesRequest, ChallengeRequest, SamLogonMethod, SamLogonRequest,
};
use ntlm_netlogon::keys::{Algorithms, Authenticator, ChannelKeys, SessionKey};
use ntlm_netlogon::pdu::{
    AuthLevel, AuthType, AuthVerifier, BindAck, Body, ContextResult, Fault as FaultBody,
    FaultStatus, Pdu, PfcFlags, Request, Response, SyntaxId, split,
};
use ntlm_netlogon::protect::{Coverage, NetlogonProtection};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub(crate) const MACHINE_PASSWORD: &str = "Machine-Secret-7";
pub(crate) const PASSWORD: &str = "Wonderland-42";

/// What is wrong with an answer to a logon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The connection is closed before the answer.
    Closed,
    /// There is none.
    Silence,
    /// A bit of its signature is another.
    Signature,
    /// A bit of what is sealed is another.
    Body,
    /// No verifier at all.
    Bare,
    /// A sequence number too far.
    Sequence,
    /// The answer before, once more.
    Replayed,
    /// The answer to another call.
    CallId,
    /// No PDU.
    Garbage,
    /// Its last fragment first.
    Order,
    /// A count in it that its bytes do not hold.
    HugeCount,
    /// Its conformance contradicts its length.
    Conformance,
    /// It ends early.
    Short,
    /// Success, and nothing of the account.
    Empty,
    /// STATUS_ACCESS_DENIED: the channel is lost.
    AccessDenied,
    /// A fault: access denied.
    Fault,
    /// A fault: the controller does not understand what it was sent.
    BadStub,
    /// The authenticator that it returns is another.
    Authenticator,
    /// The authenticator of the answer before.
    ReplayedAuthenticator,
}

impl Wrong {
    /// No answer, or none that holds: the logon may be sent again.
    pub(crate) const UNANSWERED: [Self; 12] = [
        Self::Closed,
        Self::Silence,
        Self::Signature,
        Self::Body,
        Self::Bare,
        Self::Sequence,
        Self::Replayed,
        Self::CallId,
        Self::Garbage,
        Self::Order,
        Self::AccessDenied,
        Self::Fault,
    ];

    /// An answer that holds and says nothing that can be used.
    pub(crate) const USELESS: [Self; 5] =
        [Self::HugeCount, Self::Conformance, Self::Short, Self::Empty, Self::BadStub];
}

/// Says what is wrong with the answer to the logon of this number, counted from 0.
pub(crate) type Plan = Box<dyn Fn(usize) -> Option<Wrong> + Send + Sync>;

/// A controller that runs until it is dropped.
pub(crate) struct Controller {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    _task: JoinSet<()>,
}

struct State {
    plan: Plan,
    has_ex: bool,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    challenges: Option<([u8; 8], [u8; 8])>,
    keys: Option<([u8; 16], [u8; 8])>,
    returned: [u8; 8],
    logons: usize,
    channels: usize,
    wrong_authenticators: usize,
    /// Who was judged, each time.
    judged: Vec<String>,
}

impl Controller {
    pub(crate) async fn start(plan: Plan) -> Self {
        Self::with_methods(plan, true).await
    }

    /// One without NetrLogonSamLogonEx, if need be.
    pub(crate) async fn with_methods(plan: Plan, has_ex: bool) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), plan, has_ex)
    }

    pub(crate) fn on(listener: TcpListener, plan: Plan, has_ex: bool) -> Self {
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State { plan, has_ex, kept: Mutex::default() });
        let serving = Arc::clone(&state);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.spawn(Served::run(Arc::clone(&serving), stream));
            }
        });
        Self { address, state, _task: task }
    }

    /// How many channels were set up.
    pub(crate) fn channels(&self) -> usize {
        self.state.kept.lock().unwrap().channels
    }

    /// How often the client's authenticator was not the one that was due.
    pub(crate) fn wrong_authenticators(&self) -> usize {
        self.state.kept.lock().unwrap().wrong_authenticators
    }

    /// Who was judged, each time.
    pub(crate) fn judged(&self) -> Vec<String> {
        self.state.kept.lock().unwrap().judged.clone()
    }
}

struct Served {
    state: Arc<State>,
    protection: Option<NetlogonProtection>,
    answered: Vec<u8>,
}

impl Served {
    async fn run(state: Arc<State>, mut stream: TcpStream) {
        let mut served = Self { state, protection: None, answered: Vec::new() };
        let mut received = Vec::new();
        loop {
            while let Some((fragment, rest)) = split(&received).unwrap() {
                let (mut fragment, rest) = (fragment.to_vec(), rest.to_vec());
                received = rest;
                let Some(answer) = served.answer(&mut fragment) else { return };
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
            match stream.read_buf(&mut received).await {
                Ok(length) if length > 0 => {}
                _ => return,
            }
        }
    }

    /// `None` closes the connection.
    fn answer(&mut self, fragment: &mut [u8]) -> Option<Vec<u8>> {
        if let Some(protection) = &mut self.protection {
            protection.open(Direction::ClientToServer, fragment).unwrap();
        }
        let pdu = Pdu::decode(fragment).unwrap();
        match pdu.body {
            Body::Bind(_) => Some(self.bind_ack(pdu.call_id, pdu.verifier.is_some())),
            Body::Request(request) => self.call(pdu.call_id, &request),
            other => panic!("not expected: {other:?}"),
        }
    }

    fn bind_ack(&mut self, call_id: u32, is_protected: bool) -> Vec<u8> {
        let token = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        if is_protected {
            let (key, _) = self.state.kept.lock().unwrap().keys.unwrap();
            self.protection = Some(protection(key));
        }
        let results = vec![ContextResult {
            result: ContextResult::ACCEPTANCE,
            reason: 0,
            transfer_syntax: SyntaxId::NDR,
        }];
        let body = Body::BindAck(BindAck {
            max_xmit_frag: 5840,
            max_recv_frag: 5840,
            assoc_group_id: 1,
            sec_addr: b"49153\0",
            results,
        });
        let pfc_flags = PfcFlags::WHOLE | PfcFlags::SUPPORT_HEADER_SIGN;
        let verifier = is_protected.then(|| verifier(&token));
        Pdu { rpc_vers_minor: 0, pfc_flags, call_id, body, verifier }.encode().unwrap()
    }

    fn call(&mut self, call_id: u32, request: &Request<'_>) -> Option<Vec<u8>> {
        let stub = match request.opnum {
            ChallengeRequest::OPNUM => self.challenge(request.stub),
            Authenticate3Request::OPNUM => self.authenticate(request.stub),
            CapabilitiesRequest::OPNUM => self.capabilities(request.stub),
            SamLogonMethod::EX_OPNUM if !self.state.has_ex => {
                return Some(self.fault(call_id, FaultStatus::OP_RANGE_ERROR));
            }
            opnum => return self.logon(call_id, opnum, request.stub),
        };
        Some(self.response(call_id, PfcFlags::WHOLE, &stub))
    }

    fn challenge(&self, stub: &[u8]) -> Vec<u8> {
        let request = ChallengeRequest::decode(stub).unwrap();
        let server_challenge: [u8; 8] = ntlm_net::random().unwrap();
        self.state.kept.lock().unwrap().challenges =
            Some((request.client_challenge, server_challenge));
        [server_challenge.as_slice(), &[0; 4]].concat()
    }

    fn authenticate(&self, stub: &[u8]) -> Vec<u8> {
        let request = Authenticate3Request::decode(stub).unwrap();
        let mut kept = self.state.kept.lock().unwrap();
        let (client, server) = kept.challenges.take().unwrap();
        let password = Password::from(MACHINE_PASSWORD);
        let secret = AccountSecret::from_password(&password, CodePage::Cp850);
        let algorithms = Algorithms::AesSha2;
        let session_key = algorithms.session_key(secret.nt_hash(), client, server);
        let credential = algorithms.credential(&session_key, client);
        if credential != request.client_credential {
            return [[0; 8].as_slice(), &[0; 8], &0xc000_0022_u32.to_le_bytes()].concat();
        }
        kept.keys = Some((*session_key.expose(), credential));
        kept.channels += 1;
        let server = algorithms.credential(&session_key, server);
        let flags = request.negotiate_flags.bits().to_le_bytes();
        [server.as_slice(), &flags, &1116_u32.to_le_bytes(), &[0; 4]].concat()
    }

    fn capabilities(&self, stub: &[u8]) -> Vec<u8> {
        let request = CapabilitiesRequest::decode(stub).unwrap();
        let returned = self.next_authenticator(&request.authenticator).unwrap();
        let flags = 0x612f_ffff_u32.to_le_bytes();
        [&returned[..], &1_u32.to_le_bytes(), &flags, &[0; 4]].concat()
    }

    /// Checks one and goes a step on (MS-NRPC 3.1.4.5); `None` if it is not the one that is due.
    fn next_authenticator(&self, received: &Authenticator) -> Option<[u8; 12]> {
        let mut kept = self.state.kept.lock().unwrap();
        let (key, mut stored) = kept.keys.unwrap();
        let keys =
            ChannelKeys { algorithms: Algorithms::AesSha2, session_key: SessionKey::new(key) };
        let add = |stored: &mut [u8; 8], number: u32| {
            let low = u32::from_le_bytes(stored[..4].try_into().unwrap()).wrapping_add(number);
            stored[..4].copy_from_slice(&low.to_le_bytes());
        };
        add(&mut stored, received.timestamp);
        if keys.credential(stored) != received.credential {
            kept.wrong_authenticators += 1;
            return None;
        }
        add(&mut stored, 1);
        kept.keys = Some((key, stored));
        kept.returned = keys.credential(stored);
        let mut returned = [0; 12];
        returned[..8].copy_from_slice(&kept.returned);
        Some(returned)
    }

    fn logon(&mut self, call_id: u32, opnum: u16, stub: &[u8]) -> Option<Vec<u8>> {
        let request = SamLogonRequest::decode(opnum, stub).unwrap();
        let before = self.state.kept.lock().unwrap().returned;
        let mut returned = match &request.method {
            SamLogonMethod::Ex => Vec::new(),
            SamLogonMethod::WithFlags(authenticator) | SamLogonMethod::SamLogon(authenticator) => {
                let Some(returned) = self.next_authenticator(authenticator) else {
                    return Some(self.fault(call_id, FaultStatus::ACCESS_DENIED));
                };
                [1_u32.to_le_bytes().as_slice(), &returned].concat()
            }
        };
        let number = {
            let mut kept = self.state.kept.lock().unwrap();
            kept.judged.push(request.network_info.user_name.to_string());
            kept.logons += 1;
            kept.logons - 1
        };
        let mut verdict = verdict(&request);
        let wrong = (self.state.plan)(number);
        match wrong {
            Some(Wrong::Closed) => return None,
            Some(Wrong::Silence) => return Some(Vec::new()),
            Some(Wrong::Garbage) => return Some(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
            Some(Wrong::Fault) => return Some(self.fault(call_id, FaultStatus::ACCESS_DENIED)),
            Some(Wrong::BadStub) => return Some(self.fault(call_id, FaultStatus::BAD_STUB_DATA)),
            // GroupCount, where the account is told of.
            Some(Wrong::HugeCount) if verdict.len() > 100 => verdict[116..120].fill(0xff),
            // The conformance of EffectiveName.
            Some(Wrong::Conformance) if verdict.len() > 100 => verdict[308] = 1,
            Some(Wrong::HugeCount | Wrong::Conformance | Wrong::Short) => {
                verdict.truncate(verdict.len() / 2);
            }
            Some(Wrong::Empty) => verdict = status(0),
            Some(Wrong::AccessDenied) => verdict = status(0xc000_0022),
            Some(Wrong::Authenticator) => returned[5] ^= 1,
            Some(Wrong::ReplayedAuthenticator) => returned[4..12].copy_from_slice(&before),
            _ => {}
        }
        let stub = [returned, verdict].concat();
        let last = self.answered.clone();
        Some(match wrong {
            Some(Wrong::Replayed) if !last.is_empty() => last,
            Some(Wrong::Replayed | Wrong::CallId) => {
                self.response(call_id - 1, PfcFlags::WHOLE, &stub)
            }
            Some(Wrong::Bare) => bare(call_id, &stub),
            Some(Wrong::Sequence) => {
                let _ = self.response(call_id, PfcFlags::WHOLE, &stub);
                self.response(call_id, PfcFlags::WHOLE, &stub)
            }
            Some(Wrong::Order) => {
                let (first, last) = stub.split_at(8);
                let last = self.response(call_id, PfcFlags::LAST_FRAG, last);
                let first = self.response(call_id, PfcFlags::FIRST_FRAG, first);
                [last, first].concat()
            }
            Some(Wrong::Signature) => {
                let mut answer = self.response(call_id, PfcFlags::WHOLE, &stub);
                let at = answer.len() - 40;
                answer[at] ^= 1;
                answer
            }
            Some(Wrong::Body) => {
                let mut answer = self.response(call_id, PfcFlags::WHOLE, &stub);
                answer[30] ^= 1;
                answer
            }
            _ => self.response(call_id, PfcFlags::WHOLE, &stub),
        })
    }

    fn response(&mut self, call_id: u32, pfc_flags: PfcFlags, stub: &[u8]) -> Vec<u8> {
        let Some(protection) = &mut self.protection else { return bare(call_id, stub) };
        let response = Response { alloc_hint: 0, context_id: 0, cancel_count: 0, stub };
        let pad = vec![0; stub.len().next_multiple_of(16) - stub.len()];
        let token = [0; 56];
        let verifier = AuthVerifier { auth_pad: &pad, ..verifier(&token) };
        let body = Body::Response(response);
        let pdu = Pdu { rpc_vers_minor: 0, pfc_flags, call_id, body, verifier: Some(verifier) };
        let mut fragment = pdu.encode().unwrap();
        let confounder = ntlm_net::random().unwrap();
        protection.protect(Direction::ServerToClient, &mut fragment, confounder).unwrap();
        self.answered.clone_from(&fragment);
        fragment
    }

    fn fault(&self, call_id: u32, status: FaultStatus) -> Vec<u8> {
        let body = Body::Fault(FaultBody {
            alloc_hint: 0,
            context_id: 0,
            cancel_count: 0,
            flags: 0,
            status,
            stub: &[],
        });
        let pfc_flags = PfcFlags::WHOLE;
        Pdu { rpc_vers_minor: 0, pfc_flags, call_id, body, verifier: None }.encode().unwrap()
    }
}

fn bare(call_id: u32, stub: &[u8]) -> Vec<u8> {
    let body = Body::Response(Response { alloc_hint: 0, context_id: 0, cancel_count: 0, stub });
    let pfc_flags = PfcFlags::WHOLE;
    Pdu { rpc_vers_minor: 0, pfc_flags, call_id, body, verifier: None }.encode().unwrap()
}

fn protection(key: [u8; 16]) -> NetlogonProtection {
    let (key, level) = (SessionKey::new(key), AuthLevel::PKT_PRIVACY);
    NetlogonProtection::new(Algorithms::AesSha2, &key, level, 1, Coverage::Whole).unwrap()
}

const fn verifier(auth_value: &[u8]) -> AuthVerifier<'_> {
    AuthVerifier {
        auth_pad: &[],
        auth_type: AuthType::NETLOGON,
        auth_level: AuthLevel::PKT_PRIVACY,
        auth_context_id: 1,
        auth_value,
    }
}

/// What a controller says at validation level 6.
fn verdict(request: &SamLogonRequest) -> Vec<u8> {
    let info = &request.network_info;
    let secret = AccountSecret::from_password(&Password::from(PASSWORD), CodePage::Cp850);
    let responses = Responses {
        server_challenge: info.lm_challenge,
        lm: &info.lm_challenge_response,
        nt: &info.nt_challenge_response,
        user: info.user_name.as_units(),
        domain: info.logon_domain_name.as_units(),
        extended_session_security: false,
    };
    if info.user_name.to_string().starts_with("nobody") {
        return status(0xc000_0064);
    }
    let Some(proof) = responses.verify(&secret) else { return status(0xc000_006a) };
    let keys = KeySchedule::derive(Derivation {
        negotiate_flags: NtlmFlags::empty(),
        server_challenge: info.lm_challenge,
        lm_challenge_response: &info.lm_challenge_response,
        source: KeySource::Proof(proof),
        key_exchange: KeyExchange::received(NtlmFlags::empty(), &[]).unwrap(),
    });
    // As a Windows controller said it of somebody, with the key of this logon.
    let mut stub = recorded();
    stub[128..144].copy_from_slice(keys.session_base_key().unwrap().expose());
    stub[164..172].fill(0);
    stub
}

fn status(status: u32) -> Vec<u8> {
    [&6_u32.to_le_bytes()[..], &[0; 4], &[1, 0, 0, 0], &[0; 4], &status.to_le_bytes()].concat()
}

fn recorded() -> Vec<u8> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/vectors/netlogon.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    let vector = vectors.iter().find(|vector| vector["id"] == "capture-nl-SamLogonEx_v2").unwrap();
    let text = vector["expected"]["response_stub"].as_str().unwrap();
    let byte = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(byte).collect()
}
