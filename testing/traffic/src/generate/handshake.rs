//! The three messages of an exchange, as our client and server make them.

use crate::error::TrafficError;
use crate::random::mix;
use ntlm::keys::{AccountSecret, ExportedSessionKey, Password};
use ntlm::text::CodePage;
use ntlm::{AccountName, Client, ClientConfig, Credential, FileTime, Fresh, Protection};
use ntlm::{Server, ServerConfig, ServerNames};

/// The password of every account.
pub const PASSWORD: &str = "Wonder-Land1";

/// Three messages.
pub(super) struct Handshake {
    pub(super) negotiate: Vec<u8>,
    pub(super) challenge: Vec<u8>,
    pub(super) authenticate: Vec<u8>,
    /// What SMB signs with under the dialect that is generated.
    pub(super) exported_session_key: ExportedSessionKey,
}

/// The account that logs on in an exchange; its domain is `EXAMPLE`.
#[must_use]
pub fn user(exchange: u64) -> String {
    format!("user{exchange:07}")
}

/// The ServerChallenge of an exchange. No two of a capture are the same.
#[must_use]
pub fn server_challenge(seed: u64, exchange: u64) -> [u8; 8] {
    mix(mix(seed).wrapping_add(exchange)).to_be_bytes()
}

pub(super) fn handshake(
    seed: u64,
    exchange: u64,
    unix_seconds: u64,
) -> Result<Handshake, TrafficError> {
    let fresh = |nonce: [u8; 8]| {
        let mut random = [0; 24];
        for place in random.chunks_exact_mut(8) {
            place.copy_from_slice(&nonce);
        }
        Fresh::from_random(FileTime::from_unix_seconds(unix_seconds), random)
    };
    let failed = TrafficError::Handshake;
    let config = ServerConfig::new(ServerNames::new("SERVER", "EXAMPLE"));
    let server = Server::new(config).map_err(|_| failed("server"))?;
    let protection = if exchange.is_multiple_of(2) { Protection::Seal } else { Protection::Sign };
    let config =
        ClientConfig { protection, workstation: "WORKSTATION".into(), ..ClientConfig::default() };
    let (negotiate, client) = Client::start(config);
    let fresh_server = fresh(server_challenge(seed, exchange));
    let (challenge, _) =
        server.challenge(&negotiate, fresh_server).map_err(|_| failed("challenge"))?;
    let secret = AccountSecret::from_password(&Password::from(PASSWORD), CodePage::Cp437);
    let name = AccountName::parse(&format!(r"EXAMPLE\{}", user(exchange)));
    let fresh_client = fresh(server_challenge(!seed, exchange));
    let (authenticate, established) = client
        .respond(&challenge, &Credential { name, secret }, fresh_client)
        .map_err(|_| failed("authenticate"))?;
    let exported_session_key = established.keys().exported_session_key().duplicate();
    Ok(Handshake { negotiate, challenge, authenticate, exported_session_key })
}

/// A token of SPNEGO around a message (RFC 4178 4.2): the first of the client.
pub(super) fn neg_token_init(message: &[u8]) -> Vec<u8> {
    let types = der(0xa0, &der(0x30, NTLMSSP_OID));
    let token = der(0xa2, &der(0x04, message));
    let init = der(0xa0, &der(0x30, &[types, token].concat()));
    der(0x60, &[SPNEGO_OID, &init].concat())
}

/// Any later one; without a message the last of the server.
pub(super) fn neg_token_resp(state: NegState, message: &[u8]) -> Vec<u8> {
    let state: &[u8] = match state {
        NegState::AcceptCompleted => &[0xa0, 3, 0x0a, 1, 0],
        NegState::AcceptIncomplete => &[0xa0, 3, 0x0a, 1, 1],
        NegState::None => &[],
    };
    let token = if message.is_empty() { Vec::new() } else { der(0xa2, &der(0x04, message)) };
    der(0xa1, &der(0x30, &[state, &token].concat()))
}

/// What a NegTokenResp says of the negotiation.
#[derive(Clone, Copy)]
pub(super) enum NegState {
    AcceptCompleted,
    AcceptIncomplete,
    None,
}

const SPNEGO_OID: &[u8] = &[6, 6, 0x2b, 6, 1, 5, 5, 2];
const NTLMSSP_OID: &[u8] = &[6, 10, 0x2b, 6, 1, 4, 1, 0x82, 0x37, 2, 2, 10];

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match (u8::try_from(content.len()), u16::try_from(content.len()).unwrap_or(u16::MAX)) {
        (Ok(short @ 0..0x80), _) => out.push(short),
        (Ok(byte), _) => out.extend([0x81, byte]),
        (Err(_), long) => {
            out.push(0x82);
            out.extend(long.to_be_bytes());
        }
    }
    out.extend_from_slice(content);
    out
}
