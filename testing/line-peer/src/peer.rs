//! The two machines behind one face.

use crate::args::{Args, Protocol, Role};
use crate::hex::decode_hex;
use ntlm::keys::{AccountSecret, Ntowfv1, Password};
use ntlm::policy::{ChannelBindingsPolicy, ClientPolicy, LmCompatibilityLevel, ServerPolicy};
use ntlm::text::CodePage;
use ntlm::{
    AccountName, Challenged, ChannelBindings, Client, ClientConfig, Credential, FileTime, Fresh,
    LogonOutcome, LogonRequest, Protection, Server, ServerConfig, ServerNames, Session,
};
use ntlm_accounts::{Accounts, Format};
use ntlm_spnego::{
    AcceptedLogon, Acceptor, AcceptorConfig, AcceptorStep, InitiatedLogon, Initiator,
    InitiatorConfig, InitiatorStep, MechListMic, mechanism,
};
use serde_json::{Value, json};
use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

const CODE_PAGE: CodePage = CodePage::Cp850;

/// An answer that is a refusal.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
}

impl Refused {
    pub(crate) fn new(kind: &'static str, text: impl Display) -> Self {
        Self { kind, text: text.to_string() }
    }
}

/// One end of one logon.
pub(crate) struct Peer {
    state: State,
    accounts: Accounts,
    role: Role,
    /// `DOMAIN\user` of whoever logged on.
    client: Option<String>,
}

enum State {
    ClientStart(Box<ClientConfig>, Box<Credential>),
    ClientWaits(Box<Client>, Box<Credential>),
    ServerStart(Server),
    ServerWaits(Challenged),
    InitiatorStart(Box<InitiatorConfig>, Box<Credential>),
    InitiatorWaits(Box<Initiator>, Box<Credential>),
    AcceptorWaits(Box<Acceptor>),
    Done(Box<Session>, Option<MechListMic>),
    Failed,
}

impl Peer {
    pub(crate) fn new(args: &Args) -> Result<Self, Box<dyn std::error::Error>> {
        let accounts = match &args.users {
            Some(path) => read_users(&std::fs::read_to_string(path)?)?,
            None => Accounts::new(CODE_PAGE),
        };
        let bindings = match &args.cb {
            Some(hex) => {
                let data = decode_hex(hex).ok_or("--cb: not hex")?;
                Some(ChannelBindings::from_application_data(&data))
            }
            None => None,
        };
        let level = match args.lm {
            Some(number) => Some(LmCompatibilityLevel::from_number(number).ok_or("--lm: 0..5")?),
            None => None,
        };
        let state = match args.role {
            Role::Client => {
                let config = ClientConfig {
                    policy: level.map_or_else(ClientPolicy::default, ClientPolicy::at_level),
                    protection: protection(&args.flags),
                    workstation: args.computer.as_str().into(),
                    target_name: args
                        .spn
                        .then(|| format!("{}/{}", args.service, args.host).as_str().into()),
                    channel_bindings: bindings,
                    code_page: CODE_PAGE,
                    ..ClientConfig::default()
                };
                let credential = Box::new(credential(args)?);
                match args.protocol {
                    Protocol::Ntlm => State::ClientStart(Box::new(config), credential),
                    Protocol::Negotiate => {
                        let config = initiator_config(config, args.prefer_kerberos);
                        State::InitiatorStart(Box::new(config), credential)
                    }
                }
            }
            Role::Server => {
                let mut policy = level.map_or_else(ServerPolicy::default, ServerPolicy::at_level);
                if args.require_cb {
                    policy.channel_bindings = ChannelBindingsPolicy::Require;
                }
                let names = ServerNames::new(&args.computer, &args.nbdomain);
                let config = ServerConfig {
                    policy,
                    channel_bindings: bindings,
                    code_page: CODE_PAGE,
                    ..ServerConfig::new(names)
                };
                let server = Server::new(config)?;
                match args.protocol {
                    Protocol::Ntlm => State::ServerStart(server),
                    Protocol::Negotiate => {
                        let require_mech_list_mic = args.request_mic;
                        let config =
                            AcceptorConfig { require_mech_list_mic, ..AcceptorConfig::default() };
                        State::AcceptorWaits(Box::new(Acceptor::new(server, config)))
                    }
                }
            }
        };
        Ok(Self { state, accounts, role: args.role, client: None })
    }

    /// Takes the other end's token and gives ours; whether that was the last one.
    pub(crate) fn step(&mut self, token: &[u8]) -> Result<(Vec<u8>, bool), Refused> {
        let (state, token) = match std::mem::replace(&mut self.state, State::Failed) {
            State::ClientStart(config, credential) => {
                let (token, client) = Client::start(*config);
                (State::ClientWaits(Box::new(client), credential), token)
            }
            State::ClientWaits(client, credential) => {
                let (token, established) = client
                    .respond(token, &credential, fresh()?)
                    .map_err(|error| Refused::new("ClientError", error))?;
                (State::Done(Box::new(established.into_session()), None), token)
            }
            State::ServerStart(server) => {
                let (token, challenged) = server
                    .challenge(token, fresh()?)
                    .map_err(|error| Refused::new("PeerError", error))?;
                (State::ServerWaits(challenged), token)
            }
            State::ServerWaits(challenged) => {
                let request = challenged.receive(token, now()?);
                let request = request.map_err(|error| Refused::new("PeerError", error))?;
                let account = self.judge(request)?.into_account();
                let account = account.ok_or_else(no_account)?;
                (State::Done(Box::new(account.into_session()), None), Vec::new())
            }
            State::InitiatorStart(config, credential) => {
                let (token, initiator) = Initiator::start(*config);
                (State::InitiatorWaits(Box::new(initiator), credential), token)
            }
            State::InitiatorWaits(initiator, credential) => {
                initiator_step(*initiator, token, credential)?
            }
            State::AcceptorWaits(acceptor) => {
                let step = acceptor.step(token, fresh()?).map_err(negotiation_error)?;
                let step = match step {
                    AcceptorStep::Judge(request, waiting) => {
                        let outcome = self.judge(request)?;
                        waiting.settle(outcome).map_err(negotiation_error)?
                    }
                    step => step,
                };
                acceptor_state(step)?
            }
            State::Done(..) => return Err(Refused::new("Misuse", "already complete")),
            State::Failed => return Err(Refused::new("Misuse", "failed before")),
        };
        self.state = state;
        Ok((token, matches!(self.state, State::Done(..))))
    }

    fn judge(&mut self, request: LogonRequest) -> Result<LogonOutcome, Refused> {
        let (user, domain) = (request.user(), request.domain());
        let found = self.accounts.find(&user, &domain);
        let found = found.map_err(|why| Refused::new("Ambiguous", why))?;
        let outcome = request
            .verify(found.map(|found| found.secret))
            .map_err(|denied| Refused::new("LogonDenied", denied.reason_for_the_log()))?;
        self.client = Some(format!("{domain}\\{user}"));
        Ok(outcome)
    }

    pub(crate) fn wrap(&mut self, mut data: Vec<u8>, conf: bool) -> Result<Vec<u8>, Refused> {
        let session = self.session()?;
        // As the other peers do it, and LDAP: what is wrapped is sealed, on SIGN alone too.
        session.allow_sealing_without_seal();
        let signature = if conf { session.seal(&mut data) } else { session.sign(&data) };
        let mut sealed = signature.map_err(session_error)?.to_vec();
        sealed.append(&mut data);
        Ok(sealed)
    }

    pub(crate) fn unwrap(&mut self, sealed: &[u8]) -> Result<Vec<u8>, Refused> {
        let (signature, data) =
            sealed.split_at_checked(16).ok_or_else(|| Refused::new("protocol", "too short"))?;
        let mut data = data.to_vec();
        let session = self.session()?;
        session.allow_sealing_without_seal();
        session.unseal(&mut data, signature).map_err(session_error)?;
        Ok(data)
    }

    pub(crate) fn sign(&mut self, data: &[u8]) -> Result<Vec<u8>, Refused> {
        self.session()?.sign(data).map(|signature| signature.to_vec()).map_err(session_error)
    }

    pub(crate) fn verify(&mut self, data: &[u8], signature: &[u8]) -> Result<(), Refused> {
        self.session()?.verify(data, signature).map_err(session_error)
    }

    pub(crate) fn info(&self) -> Value {
        let (session, mech_list_mic) = match &self.state {
            State::Done(session, mech_list_mic) => (Some(session), *mech_list_mic),
            _ => (None, None),
        };
        let key = session.and_then(|session| session.exported_session_key());
        json!({
            "peer": "rust",
            "role": if self.role == Role::Client { "client" } else { "server" },
            "complete": session.is_some(),
            "session_key": key.map(|key| {
                key.expose().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
            }),
            "neg_flags": session.map(|session| session.negotiate_flags().bits()),
            "client": self.client,
            "mech_list_mic": mech_list_mic.map(|mic| match mic {
                MechListMic::Valid => "valid",
                MechListMic::Absent => "absent",
                MechListMic::NoList => "no list",
            }),
        })
    }

    fn session(&mut self) -> Result<&mut Session, Refused> {
        match &mut self.state {
            State::Done(session, _) => Ok(session),
            _ => Err(Refused::new("Misuse", "not complete")),
        }
    }
}

fn initiator_config(client: ClientConfig, prefer_kerberos: bool) -> InitiatorConfig {
    let kerberos = [mechanism::MS_KERBEROS, mechanism::KERBEROS];
    let preferred = if prefer_kerberos { kerberos.to_vec() } else { Vec::new() };
    InitiatorConfig { client, preferred, ..InitiatorConfig::default() }
}

fn initiator_step(
    initiator: Initiator,
    token: &[u8],
    credential: Box<Credential>,
) -> Result<(State, Vec<u8>), Refused> {
    let (token, initiator) = match initiator.step(token).map_err(negotiation_error)? {
        InitiatorStep::Continue(token, initiator) => (token, initiator),
        InitiatorStep::Respond(responding) => {
            let answer = responding.respond(&credential, fresh()?);
            let answer = answer.map_err(|error| Refused::new("ClientError", error))?;
            answer.send().map_err(negotiation_error)?
        }
        InitiatorStep::Done(initiated) => {
            return match initiated.logon {
                InitiatedLogon::Account(session) => {
                    Ok((State::Done(session, Some(initiated.mech_list_mic)), Vec::new()))
                }
                InitiatedLogon::Anonymous(_) => Err(no_account()),
            };
        }
        InitiatorStep::Foreign { mech, .. } => return Err(Refused::new("Foreign", mech)),
    };
    Ok((State::InitiatorWaits(Box::new(initiator), credential), token))
}

fn acceptor_state(step: AcceptorStep) -> Result<(State, Vec<u8>), Refused> {
    match step {
        AcceptorStep::Continue(token, acceptor) => {
            Ok((State::AcceptorWaits(Box::new(acceptor)), token))
        }
        AcceptorStep::Done(accepted) => match accepted.logon {
            AcceptedLogon::Account(session) => {
                Ok((State::Done(session, Some(accepted.mech_list_mic)), accepted.token))
            }
            AcceptedLogon::Guest(_) | AcceptedLogon::Anonymous(_) => Err(no_account()),
        },
        AcceptorStep::Foreign { mech, .. } => Err(Refused::new("Foreign", mech)),
        AcceptorStep::Judge(..) => Err(Refused::new("Misuse", "asked twice")),
    }
}

fn negotiation_error(error: ntlm_spnego::PeerError) -> Refused {
    Refused::new("NegotiationError", error)
}

fn no_account() -> Refused {
    Refused::new("LogonDenied", "no account")
}

fn session_error(error: ntlm::SessionError) -> Refused {
    Refused::new("SessionError", error)
}

/// The file of the matrix has lines of both formats.
fn read_users(text: &str) -> Result<Accounts, Box<dyn std::error::Error>> {
    let mut accounts = Accounts::new(CODE_PAGE);
    for (number, line) in text.lines().enumerate() {
        if let Some(format) = Format::detect(line) {
            accounts.add(&format!("users line {}", number + 1), line, format)?;
        }
    }
    Ok(accounts)
}

fn credential(args: &Args) -> Result<Credential, Box<dyn std::error::Error>> {
    let name = if args.domain.is_empty() {
        AccountName::parse(&args.user)
    } else {
        AccountName::down_level(&args.domain, &args.user)
    };
    let secret = match (&args.nthash, &args.password) {
        (Some(hash), _) => {
            let hash = decode_hex(hash).and_then(|hash| hash.try_into().ok());
            AccountSecret::from_hashes(Ntowfv1::new(hash.ok_or("--nthash: 16 bytes of hex")?), None)
        }
        (None, Some(password)) => {
            AccountSecret::from_password(&Password::from(password.as_str()), CODE_PAGE)
        }
        (None, None) => return Err("--password or --nthash is needed".into()),
    };
    Ok(Credential { name, secret })
}

fn protection(flags: &str) -> Protection {
    let has = |wanted: &[&str]| flags.split(',').any(|flag| wanted.contains(&flag));
    if has(&["seal"]) {
        Protection::Seal
    } else if has(&["sign", "replay", "sequence"]) {
        Protection::Sign
    } else {
        Protection::None
    }
}

fn fresh() -> Result<Fresh, Refused> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|error| Refused::new("Random", error))?;
    Ok(Fresh::from_random(now()?, random))
}

fn now() -> Result<FileTime, Refused> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.map_err(|error| Refused::new("Clock", error))?;
    Ok(FileTime::from_unix_nanos(since.as_nanos()))
}
