//! What the tests share: hex, the vector files, nonces that are not random, whole logons.

use ntlm::flags::NegotiateFlags;
use ntlm::keys::{AccountSecret, Password};
use ntlm::policy::ServerPolicy;
use ntlm::text::CodePage;
use ntlm::{
    AccountLogon, AccountName, Client, ClientConfig, ClientError, Credential, DenialReason,
    Established, FileTime, Fresh, LogonOutcome, PeerError, Protection, Server, ServerConfig,
    ServerNames,
};
use serde_json::Value;

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file of testdata/vectors, parsed.
pub(crate) fn vector_file(name: &str) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/vectors/");
    let text = std::fs::read_to_string(format!("{folder}{name}")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Every vector: the published ones and our own.
pub(crate) fn all_vectors() -> Vec<Value> {
    ["nlmp.json", "derived.json"]
        .iter()
        .flat_map(|name| vector_file(name)["vectors"].as_array().unwrap().clone())
        .collect()
}

/// 2026-01-01.
pub(crate) const NOW: FileTime = FileTime::from_unix_seconds(1_767_225_600);

pub(crate) fn fresh(seed: u8) -> Fresh {
    Fresh::from_random(NOW, [seed; 24])
}

pub(crate) fn secret(password: &str) -> AccountSecret {
    AccountSecret::from_password(&Password::from(password), CodePage::Cp437)
}

pub(crate) fn credential(name: &str, password: &str) -> Credential {
    Credential { name: AccountName::parse(name), secret: secret(password) }
}

pub(crate) fn server_names() -> ServerNames {
    ServerNames {
        nb_computer: "SERVER".into(),
        nb_domain: "EXAMPLE".into(),
        dns_computer: "server.example.com".into(),
        dns_domain: "example.com".into(),
        dns_tree: "example.com".into(),
    }
}

pub(crate) fn server_config() -> ServerConfig {
    ServerConfig { is_domain_joined: true, ..ServerConfig::new(server_names()) }
}

/// A server that takes whatever is asked for, and sends no timestamp, so that there is no MIC.
pub(crate) fn lax_server_config() -> ServerConfig {
    let policy = ServerPolicy {
        insecure_accept_ntlmv1: true,
        insecure_accept_lm: true,
        insecure_grant_lm_keys: true,
        insecure_accept_lmv2_alone: true,
        require_128_bit: false,
        require_extended_session_security: false,
        ..ServerPolicy::default()
    };
    ServerConfig { policy, send_timestamp: false, ..server_config() }
}

pub(crate) fn signing_client() -> ClientConfig {
    ClientConfig {
        protection: Protection::Sign,
        workstation: "CLIENT".into(),
        target_name: Some("cifs/server.example.com".into()),
        ..ClientConfig::default()
    }
}

/// A logon from beginning to end, with somebody in between who may change each message.
pub(crate) struct Handshake<'h> {
    pub(crate) client: ClientConfig,
    pub(crate) server: ServerConfig,
    pub(crate) credential: Credential,
    pub(crate) account: Option<AccountSecret>,
    pub(crate) on_negotiate: &'h dyn Fn(Vec<u8>) -> Vec<u8>,
    pub(crate) on_challenge: &'h dyn Fn(Vec<u8>) -> Vec<u8>,
    pub(crate) on_authenticate: &'h dyn Fn(Vec<u8>) -> Vec<u8>,
    pub(crate) received_at: FileTime,
}

/// Who stopped a logon.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refused {
    Negotiate(PeerError),
    Challenge(ClientError),
    Authenticate(PeerError),
    Logon(DenialReason),
}

impl Handshake<'_> {
    /// Alice, whose password is right, unchanged messages.
    pub(crate) fn new(client: ClientConfig, server: ServerConfig) -> Self {
        Self {
            client,
            server,
            credential: credential(r"EXAMPLE\alice", "Wonder-Land1"),
            account: Some(secret("Wonder-Land1")),
            on_negotiate: &|message| message,
            on_challenge: &|message| message,
            on_authenticate: &|message| message,
            received_at: NOW,
        }
    }

    pub(crate) fn run(self) -> Result<(Established, LogonOutcome), Refused> {
        let (negotiate, client) = Client::start(self.client);
        let negotiate = (self.on_negotiate)(negotiate);
        let server = Server::new(self.server).unwrap();
        let (challenge, server) =
            server.challenge(&negotiate, fresh(1)).map_err(Refused::Negotiate)?;
        let challenge = (self.on_challenge)(challenge);
        let (authenticate, established) =
            client.respond(&challenge, &self.credential, fresh(2)).map_err(Refused::Challenge)?;
        let authenticate = (self.on_authenticate)(authenticate);
        let logon =
            server.receive(&authenticate, self.received_at).map_err(Refused::Authenticate)?;
        let outcome = logon
            .verify(self.account.as_ref())
            .map_err(|denied| Refused::Logon(denied.reason_for_the_log()))?;
        Ok((established, outcome))
    }

    /// The account, of a logon that has to end with one.
    pub(crate) fn account(self) -> (Established, AccountLogon) {
        let (established, outcome) = self.run().unwrap();
        (established, outcome.into_account().unwrap())
    }

    pub(crate) fn refused(self) -> Refused {
        self.run().map(drop).unwrap_err()
    }
}

/// Changes NegotiateFlags at `offset` of a message.
pub(crate) fn without_flags(offset: usize, flags: NegotiateFlags) -> impl Fn(Vec<u8>) -> Vec<u8> {
    move |mut message| {
        let place = message.get_mut(offset..offset + 4).unwrap();
        let old = u32::from_le_bytes(place.try_into().unwrap());
        place.copy_from_slice(&(old & !flags.bits()).to_le_bytes());
        message
    }
}

/// Where NegotiateFlags stand in each message.
pub(crate) const NEGOTIATE_FLAGS: usize = 12;
pub(crate) const CHALLENGE_FLAGS: usize = 20;
pub(crate) const AUTHENTICATE_FLAGS: usize = 60;
