//! NEGOTIATE: the dialect, and what goes with it (MS-SMB2 3.2.4.2.2, 3.2.5.2; MS-SMB 3.2.4.2.2).

use super::config::ClientConfig;
use super::connection::{Connection, Negotiated};
use super::error::{ClientError, PeerError, Unavailable};
use super::smb1::Smb1Connection;
use crate::dialect::{Cipher, Dialect, Protocol, SigningAlgorithm};
use crate::keys::PreauthIntegrityHash;
use crate::smb1;
use crate::smb2::{
    Capabilities, Command, ContextData, ContextListBuilder, ContextType, Header, NegotiateContexts,
    NegotiateRequest, NegotiateResponse, SHA_512, SecurityMode,
};
use crate::transport::ProtocolId;
use crate::wire::Part;
use alloc::boxed::Box;
use alloc::vec::Vec;
use ntlm::NtStatus;

/// The random bytes of NEGOTIATE, from the operating system's generator.
#[derive(Clone, Copy, Debug)]
pub struct NegotiateRandom {
    /// ClientGuid: which client this is. Connections that share a session have the same.
    pub client_guid: [u8; 16],
    /// Salt of the preauthentication hash.
    pub salt: [u8; 32],
}

/// A client that has sent NEGOTIATE.
#[derive(Debug)]
pub struct Negotiating {
    config: ClientConfig,
    random: NegotiateRandom,
    sent: Sent,
}

#[derive(Debug)]
enum Sent {
    /// SMB1 NEGOTIATE with these dialects, by DialectIndex.
    Smb1(Vec<&'static [u8]>),
    /// SMB2 NEGOTIATE.
    Smb2 { request: Vec<u8>, message_id: u64 },
}

/// What comes of a response.
#[derive(Debug)]
pub enum NegotiateStep {
    /// The message goes to the server, and its answer here.
    Again(Vec<u8>, Box<Negotiating>),
    /// It is SMB 2 or 3.
    Smb2(Box<Connection>),
    /// It is SMB1.
    Smb1(Box<Smb1Connection>),
}

impl Negotiating {
    /// Begins. The message goes to the server.
    ///
    /// # Errors
    ///
    /// There is nothing to offer.
    pub fn start(
        config: ClientConfig,
        random: NegotiateRandom,
    ) -> Result<(Vec<u8>, Self), ClientError> {
        let has_smb2 = config.dialects.dialects().next().is_some();
        let has_smb1 = config.dialects.contains(Protocol::Smb1);
        if config.signing_algorithms.is_empty() || !(has_smb1 || has_smb2) {
            return Err(Unavailable::Dialects.into());
        }
        if has_smb1 || config.multi_protocol {
            let dialects = smb1_dialects(&config);
            let message = smb1::NegotiateRequest::encode(&smb1_header(&config), &dialects)?;
            return Ok((message, Self { config, random, sent: Sent::Smb1(dialects) }));
        }
        Self::start_smb2(config, random, 0)
    }

    fn start_smb2(
        config: ClientConfig,
        random: NegotiateRandom,
        message_id: u64,
    ) -> Result<(Vec<u8>, Self), ClientError> {
        let request = smb2_request(&config, &random, message_id)?;
        let sent = Sent::Smb2 { request: request.clone(), message_id };
        Ok((request, Self { config, random, sent }))
    }

    /// Takes the server's answer.
    ///
    /// # Errors
    ///
    /// It is not allowed, or what is insisted on is not in it.
    pub fn receive(self, message: &[u8]) -> Result<NegotiateStep, ClientError> {
        match (ProtocolId::of(message), self.sent) {
            (Some(ProtocolId::Smb2), Sent::Smb2 { request, message_id }) => {
                let response = response(message, message_id)?;
                let hash = PreauthIntegrityHash::default().after(&request).after(message);
                let connection =
                    connection(self.config, &request, &response, hash, message_id + 1)?;
                Ok(NegotiateStep::Smb2(Box::new(connection)))
            }
            (Some(ProtocolId::Smb2), Sent::Smb1(offered)) => {
                let response = response(message, 0)?;
                let revision = response.dialect_revision;
                let wildcard = smb1::NegotiateRequest::SMB_2_WILDCARD;
                let not_offered = PeerError::DialectNotOffered(revision);
                if revision == Dialect::WILDCARD && offered.contains(&wildcard) {
                    let (message, again) = Self::start_smb2(self.config, self.random, 1)?;
                    return Ok(NegotiateStep::Again(message, Box::new(again)));
                }
                if revision != Dialect::Smb202.revision()
                    || !offered.contains(&smb1::NegotiateRequest::SMB_2_002)
                {
                    return Err(not_offered.into());
                }
                // MessageId 0 was the SMB1 NEGOTIATE, which is what is validated later: 2.0.2 alone,
                // and nothing that an SMB1 NEGOTIATE cannot say.
                let hash = PreauthIntegrityHash::default();
                let request = as_if_asked_for_2_0_2()?;
                let connection = connection(self.config, &request, &response, hash, 1)?;
                Ok(NegotiateStep::Smb2(Box::new(connection)))
            }
            (Some(ProtocolId::Smb1), Sent::Smb1(offered)) => {
                let connection = Smb1Connection::start(self.config, &offered, message)?;
                Ok(NegotiateStep::Smb1(Box::new(connection)))
            }
            _ => Err(PeerError::WrongProtocol.into()),
        }
    }
}

fn smb1_dialects(config: &ClientConfig) -> Vec<&'static [u8]> {
    let range = config.dialects;
    let newer = range.dialects().any(|dialect| dialect > Dialect::Smb202);
    [
        (range.contains(Protocol::Smb1), smb1::NegotiateRequest::NT_LM_0_12),
        (range.contains(Protocol::Smb2(Dialect::Smb202)), smb1::NegotiateRequest::SMB_2_002),
        (newer, smb1::NegotiateRequest::SMB_2_WILDCARD),
    ]
    .into_iter()
    .filter_map(|(offered, name)| offered.then_some(name))
    .collect()
}

fn smb1_header(config: &ClientConfig) -> smb1::Header {
    let mut flags2 = super::smb1::flags2();
    flags2.set(smb1::Flags2::EXTENDED_SECURITY, !config.insecure_bare_session_setup);
    smb1::Header { flags2, ..smb1::Header::new(smb1::Command::NEGOTIATE, 0) }
}

fn smb2_request(
    config: &ClientConfig,
    random: &NegotiateRandom,
    message_id: u64,
) -> Result<Vec<u8>, ClientError> {
    let dialects: Vec<Dialect> = config.dialects.dialects().collect();
    let revisions: Vec<u8> =
        dialects.iter().flat_map(|dialect| dialect.revision().to_le_bytes()).collect();
    let mut security_mode = SecurityMode::SIGNING_ENABLED;
    security_mode.set(SecurityMode::SIGNING_REQUIRED, config.require_signing);
    let speaks_smb3 = dialects.iter().any(|dialect| *dialect >= Dialect::Smb300);
    let mut capabilities = Capabilities::empty();
    capabilities.set(Capabilities::ENCRYPTION, speaks_smb3 && !config.ciphers.is_empty());
    capabilities.set(Capabilities::MULTI_CHANNEL, speaks_smb3);
    let list = if dialects.contains(&Dialect::Smb311) {
        contexts(config, random)?
    } else {
        ContextListBuilder::new()
    };
    let request = NegotiateRequest {
        security_mode,
        capabilities,
        // 2.0.2 has none, and must send zeros.
        client_guid: if dialects == [Dialect::Smb202] { [0; 16] } else { random.client_guid },
        client_start_time: 0,
        dialects: Part::new(&revisions),
        contexts: list.contexts(),
    };
    Ok(request.encode(&Header::new(Command::NEGOTIATE, message_id))?)
}

fn contexts(
    config: &ClientConfig,
    random: &NegotiateRandom,
) -> Result<ContextListBuilder, ClientError> {
    let signing: Vec<u16> =
        config.signing_algorithms.iter().map(|algorithm| algorithm.id()).collect();
    let ciphers: Vec<u16> = config.ciphers.iter().map(|cipher| cipher.id()).collect();
    let mut list = ContextListBuilder::new().preauth_integrity(&random.salt)?;
    if !ciphers.is_empty() {
        list = list.encryption(&ciphers)?;
    }
    list = list.signing(&signing)?;
    if !config.server_name.is_empty() {
        list = list.net_name(&config.server_name.to_le_bytes())?;
    }
    Ok(list)
}

fn as_if_asked_for_2_0_2() -> Result<Vec<u8>, ClientError> {
    let request = NegotiateRequest {
        security_mode: SecurityMode::SIGNING_ENABLED,
        capabilities: Capabilities::empty(),
        client_guid: [0; 16],
        client_start_time: 0,
        dialects: Part::new(&[0x02, 0x02]),
        contexts: NegotiateContexts::default(),
    };
    Ok(request.encode(&Header::new(Command::NEGOTIATE, 0))?)
}

/// The response, if it is one to this request and no refusal.
fn response(message: &[u8], message_id: u64) -> Result<NegotiateResponse<'_>, ClientError> {
    let header = Header::decode(message)?;
    let wrong = [
        (!header.is_response(), "direction"),
        (header.command != Command::NEGOTIATE, "Command"),
        (header.message_id != message_id, "MessageId"),
        (header.next_command != 0, "NextCommand"),
    ];
    if let Some((_, field)) = wrong.into_iter().find(|(wrong, _)| *wrong) {
        return Err(PeerError::NotTheResponse(field).into());
    }
    match header.status {
        NtStatus::SUCCESS => Ok(NegotiateResponse::decode(message)?),
        NtStatus::NOT_SUPPORTED => Err(PeerError::NoCommonDialect.into()),
        status => Err(ClientError::Refused { command: "NEGOTIATE", status }),
    }
}

fn connection(
    config: ClientConfig,
    request: &[u8],
    response: &NegotiateResponse<'_>,
    hash: PreauthIntegrityHash,
    next_message_id: u64,
) -> Result<Connection, ClientError> {
    let request = NegotiateRequest::decode(request)?;
    let not_offered = PeerError::DialectNotOffered(response.dialect_revision);
    let dialect =
        response.dialect().filter(|dialect| request.offers(*dialect)).ok_or(not_offered)?;
    if dialect == Dialect::Smb311 {
        check_contexts(&config, &response.contexts)?;
    }
    let signing_algorithm =
        response.signing_algorithm().ok_or(PeerError::Choice(ContextType::SIGNING))?;
    let cipher = response.cipher(request.capabilities).filter(|_| !config.ciphers.is_empty());
    if config.require_encryption && cipher.is_none() {
        return Err(Unavailable::Encryption.into());
    }
    let negotiated = Negotiated {
        dialect,
        signing_algorithm,
        cipher,
        security_mode: response.security_mode,
        capabilities: response.capabilities,
        server_guid: response.server_guid,
        max_transact_size: response.max_transact_size,
        max_read_size: response.max_read_size,
        max_write_size: response.max_write_size,
        client_capabilities: request.capabilities,
        client_security_mode: request.security_mode,
        client_guid: request.client_guid,
        client_dialects: request.dialects.bytes().to_vec(),
    };
    Ok(Connection::new(config, negotiated, hash, next_message_id))
}

/// One hash, and at most one cipher and one signing algorithm, of those that were offered
/// (MS-SMB2 3.2.5.2).
fn check_contexts(
    config: &ClientConfig,
    contexts: &NegotiateContexts<'_>,
) -> Result<(), ClientError> {
    let mut seen = Vec::new();
    for context in contexts.iter() {
        let context = context?;
        let context_type = context.context_type;
        if seen.contains(&context_type) {
            return Err(PeerError::Context(context_type).into());
        }
        seen.push(context_type);
        let is_choice = match context.decode()? {
            ContextData::PreauthIntegrity { hash_algorithms, .. } => {
                hash_algorithms.only() == Some(SHA_512)
            }
            ContextData::Encryption { ciphers } => ciphers.only().is_some_and(|id| {
                let chosen = Cipher::from_id(id);
                id == 0 && !config.ciphers.is_empty()
                    || chosen.is_some_and(|chosen| config.ciphers.contains(&chosen))
            }),
            ContextData::Signing { signing_algorithms } => {
                let chosen = signing_algorithms.only().and_then(SigningAlgorithm::from_id);
                chosen.is_some_and(|chosen| config.signing_algorithms.contains(&chosen))
            }
            // Not offered, so not to be answered.
            ContextData::Compression { .. }
            | ContextData::Transport { .. }
            | ContextData::RdmaTransform { .. } => false,
            _ => true,
        };
        if !is_choice {
            return Err(PeerError::Choice(context_type).into());
        }
    }
    if seen.contains(&ContextType::PREAUTH_INTEGRITY) {
        Ok(())
    } else {
        Err(PeerError::Context(ContextType::PREAUTH_INTEGRITY).into())
    }
}
