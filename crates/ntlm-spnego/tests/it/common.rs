//! What the tests share: the vectors, nonces that are not random, whole negotiations.

use ntlm::keys::{AccountSecret, Password};
use ntlm::text::CodePage;
use ntlm::{
    AccountName, ClientError, Credential, DenialReason, FileTime, Fresh, LogonOutcome,
    LogonRequest, Protection, Server, ServerConfig, ServerNames,
};
use ntlm_spnego::{
    Accepted, Acceptor, AcceptorConfig, AcceptorStep, Initiated, Initiator, InitiatorConfig,
    InitiatorStep, PeerError,
};
use serde_json::Value;

/// Every vector of testdata/vectors/spnego.json.
pub(crate) fn vectors() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/vectors/spnego.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

pub(crate) fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

/// 2026-01-01.
pub(crate) const NOW: FileTime = FileTime::from_unix_seconds(1_767_225_600);

pub(crate) fn fresh(seed: u8) -> Fresh {
    Fresh::from_random(NOW, [seed; 24])
}

pub(crate) fn secret(password: &str) -> AccountSecret {
    AccountSecret::from_password(&Password::from(password), CodePage::Cp437)
}

pub(crate) fn alice() -> Credential {
    Credential { name: AccountName::parse(r"EXAMPLE\alice"), secret: secret("Wonder-Land1") }
}

pub(crate) fn server_config() -> ServerConfig {
    ServerConfig::new(ServerNames::new("SERVER", "EXAMPLE"))
}

pub(crate) fn server() -> Server {
    Server::new(server_config()).unwrap()
}

/// An initiator that seals.
pub(crate) fn initiator_config() -> InitiatorConfig {
    let mut config = InitiatorConfig::default();
    config.client.protection = Protection::Seal;
    config
}

pub(crate) fn acceptor() -> Acceptor {
    Acceptor::new(server(), AcceptorConfig::default())
}

/// How somebody in between changes tokens: the first argument counts them from 0.
pub(crate) type Between<'b> = &'b dyn Fn(usize, Vec<u8>) -> Vec<u8>;

/// Who stopped, and why.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Stopped {
    Initiator(PeerError),
    Client(ClientError),
    Acceptor(PeerError),
    Denied(DenialReason),
}

/// A negotiation from beginning to end.
pub(crate) struct Negotiation<'n> {
    pub(crate) initiator: InitiatorConfig,
    pub(crate) acceptor: Acceptor,
    pub(crate) judge: &'n dyn Fn(LogonRequest) -> Result<LogonOutcome, DenialReason>,
    pub(crate) between: Between<'n>,
}

/// How it ended, and the tokens as they were received, the first from the initiator.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) initiated: Initiated,
    pub(crate) accepted: Accepted,
    pub(crate) tokens: Vec<Vec<u8>>,
}

/// Whether the account is Alice's, whose password is right.
pub(crate) fn verify(request: LogonRequest) -> Result<LogonOutcome, DenialReason> {
    let known = request.user() == "alice".into();
    let account = known.then(|| secret("Wonder-Land1"));
    request.verify(account.as_ref()).map_err(|denied| denied.reason_for_the_log())
}

impl Negotiation<'_> {
    pub(crate) fn new(initiator: InitiatorConfig, acceptor: Acceptor) -> Self {
        Self { initiator, acceptor, judge: &verify, between: &|_, token| token }
    }

    pub(crate) fn run(self) -> Result<Ended, Stopped> {
        let mut tokens = Vec::new();
        let (mut token, mut initiator) = Initiator::start(self.initiator);
        let mut acceptor = self.acceptor;
        let mut accepted = None;
        loop {
            token = (self.between)(tokens.len(), token);
            tokens.push(token.clone());
            let mut step = acceptor.step(&token, fresh(1)).map_err(Stopped::Acceptor)?;
            if let AcceptorStep::Judge(request, waiting) = step {
                let outcome = (self.judge)(request).map_err(Stopped::Denied)?;
                step = waiting.settle(outcome).map_err(Stopped::Acceptor)?;
            }
            token = match step {
                AcceptorStep::Continue(token, next) => {
                    acceptor = next;
                    token
                }
                AcceptorStep::Done(mut done) => {
                    acceptor = self::acceptor();
                    let token = std::mem::take(&mut done.token);
                    accepted = Some(done);
                    token
                }
                step => panic!("{step:?}"),
            };
            token = (self.between)(tokens.len(), token);
            tokens.push(token.clone());
            token = match initiator.step(&token).map_err(Stopped::Initiator)? {
                InitiatorStep::Continue(token, next) => {
                    initiator = next;
                    token
                }
                InitiatorStep::Respond(responding) => {
                    let answer = responding.respond(&alice(), fresh(2)).map_err(Stopped::Client)?;
                    let (token, next) = answer.send().map_err(Stopped::Initiator)?;
                    initiator = next;
                    token
                }
                InitiatorStep::Done(initiated) => {
                    let accepted = accepted.unwrap();
                    return Ok(Ended { initiated, accepted, tokens });
                }
                step => panic!("{step:?}"),
            };
        }
    }

    pub(crate) fn stopped(self) -> Stopped {
        self.run().map(drop).unwrap_err()
    }
}
