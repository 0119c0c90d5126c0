//! NEGOTIATE of SMB 2 and 3: the dialect, and what goes with it (MS-SMB2 3.3.5.3, 3.3.5.4).

use super::config::ServerConfig;
use super::error::PeerError;
use crate::dialect::Protocol;
use crate::dialect::{Cipher, Dialect, SigningAlgorithm};
use crate::smb2::{
    Capabilities, ContextData, ContextListBuilder, ContextType, ErrorResponse, Header,
    NegotiateContexts, NegotiateRequest, NegotiateResponse, SHA_512, SecurityMode,
};
use crate::wire::Part;
use alloc::vec::Vec;
use ntlm::{FileTime, NtStatus};
use ntlm_spnego::AcceptorConfig;

/// What NEGOTIATE settled, and both ends said in it.
#[derive(Clone, Debug)]
pub struct Negotiated {
    /// The dialect.
    pub dialect: Dialect,
    /// How messages are signed.
    pub signing_algorithm: SigningAlgorithm,
    /// How they can be encrypted, if they can.
    pub cipher: Option<Cipher>,
    /// SecurityMode of the client.
    pub client_security_mode: SecurityMode,
    /// Capabilities of the client.
    pub client_capabilities: Capabilities,
    /// ClientGuid.
    pub client_guid: [u8; 16],
    pub(super) client_dialects: Vec<u8>,
    pub(super) server_security_mode: SecurityMode,
    pub(super) server_capabilities: Capabilities,
}

/// A response, and what was settled if it is the last of NEGOTIATE.
pub(super) type Answered = (Vec<u8>, Option<Negotiated>);

/// What a client offered under 3.1.1.
#[derive(Default)]
struct Offered {
    signing_algorithm: Option<u16>,
    cipher: Option<u16>,
}

/// Answers NEGOTIATE: the response, and what was settled if it is no refusal.
pub(super) fn negotiate(
    config: &ServerConfig,
    salt: &[u8; 32],
    now: FileTime,
    message: &[u8],
    response: Header,
) -> Result<Answered, PeerError> {
    let refuse = |status| -> Result<_, PeerError> {
        let error = ErrorResponse { error_context_count: 0, error_data: Part::default() };
        Ok((error.encode(&Header { status, ..response })?, None))
    };
    let Ok(request) = NegotiateRequest::decode(message) else {
        return refuse(NtStatus::INVALID_PARAMETER);
    };
    if request.dialects.is_empty() {
        return refuse(NtStatus::INVALID_PARAMETER);
    }
    let Some(dialect) =
        config.dialects.dialects().filter(|dialect| request.offers(*dialect)).last()
    else {
        return refuse(NtStatus::NOT_SUPPORTED);
    };
    let (offered, list) = if dialect == Dialect::Smb311 {
        match choose(config, &request.contexts) {
            Ok(offered) => {
                let list = answer(&offered, salt)?;
                (offered, list)
            }
            Err(status) => return refuse(status),
        }
    } else {
        (Offered::default(), ContextListBuilder::new())
    };
    let client_encrypts = request.capabilities.contains(Capabilities::ENCRYPTION);
    let server_encrypts = config.ciphers.contains(&Cipher::Aes128Ccm);
    let cipher = Cipher::choose(dialect, client_encrypts && server_encrypts, offered.cipher);
    let algorithm = SigningAlgorithm::choose(dialect, offered.signing_algorithm);
    let Some(signing_algorithm) = algorithm else { return refuse(NtStatus::INVALID_PARAMETER) };
    let is_smb3 = dialect >= Dialect::Smb300;
    let mut capabilities = Capabilities::empty();
    // Under 3.1.1 the context says it.
    let says_encryption = is_smb3 && dialect < Dialect::Smb311 && cipher.is_some();
    capabilities.set(Capabilities::ENCRYPTION, says_encryption);
    let joins = request.capabilities.contains(Capabilities::MULTI_CHANNEL);
    capabilities.set(Capabilities::MULTI_CHANNEL, is_smb3 && joins && config.multi_channel);
    let negotiated = Negotiated {
        dialect,
        signing_algorithm,
        cipher,
        client_security_mode: request.security_mode,
        client_capabilities: request.capabilities,
        client_guid: request.client_guid,
        client_dialects: request.dialects.bytes().to_vec(),
        server_security_mode: security_mode(config),
        server_capabilities: capabilities,
    };
    let message = encode(config, now, &response, dialect.revision(), capabilities, &list)?;
    Ok((message, Some(negotiated)))
}

/// Answers an SMB1 NEGOTIATE that offers SMB 2: 2.0.2, or the wildcard after which the client begins
/// again (MS-SMB2 3.3.5.3).
pub(super) fn multi_protocol(
    config: &ServerConfig,
    now: FileTime,
    response: Header,
    offers_wildcard: bool,
    offers_2_0_2: bool,
) -> Result<Option<Answered>, PeerError> {
    let list = ContextListBuilder::new();
    let encode = |revision| encode(config, now, &response, revision, Capabilities::empty(), &list);
    let newer = config.dialects.dialects().any(|dialect| dialect > Dialect::Smb202);
    if offers_wildcard && newer {
        return Ok(Some((encode(Dialect::WILDCARD)?, None)));
    }
    if !offers_2_0_2 || !config.dialects.contains(Protocol::Smb2(Dialect::Smb202)) {
        return Ok(None);
    }
    let negotiated = Negotiated {
        dialect: Dialect::Smb202,
        signing_algorithm: SigningAlgorithm::HmacSha256,
        cipher: None,
        // What an SMB1 NEGOTIATE cannot say, and what is validated later all the same.
        client_security_mode: SecurityMode::SIGNING_ENABLED,
        client_capabilities: Capabilities::empty(),
        client_guid: [0; 16],
        client_dialects: Dialect::Smb202.revision().to_le_bytes().to_vec(),
        server_security_mode: security_mode(config),
        server_capabilities: Capabilities::empty(),
    };
    Ok(Some((encode(Dialect::Smb202.revision())?, Some(negotiated))))
}

fn security_mode(config: &ServerConfig) -> SecurityMode {
    let mut mode = SecurityMode::SIGNING_ENABLED;
    mode.set(SecurityMode::SIGNING_REQUIRED, config.require_signing);
    mode
}

fn encode(
    config: &ServerConfig,
    now: FileTime,
    response: &Header,
    dialect_revision: u16,
    capabilities: Capabilities,
    list: &ContextListBuilder,
) -> Result<Vec<u8>, PeerError> {
    let hint = AcceptorConfig::default().hint();
    let message = NegotiateResponse {
        security_mode: security_mode(config),
        dialect_revision,
        reserved: 0,
        server_guid: config.server_guid,
        capabilities,
        max_transact_size: config.max_io_size,
        max_read_size: config.max_io_size,
        max_write_size: config.max_io_size,
        system_time: now,
        server_start_time: config.start_time,
        reserved2: 0,
        security_buffer: Part::new(&hint),
        contexts: list.contexts(),
    };
    Ok(message.encode(response)?)
}

/// Exactly one context of the hash, at most one of each other, and no empty lists (MS-SMB2 3.3.5.4).
fn choose(config: &ServerConfig, contexts: &NegotiateContexts<'_>) -> Result<Offered, NtStatus> {
    let mut seen = Vec::new();
    let mut offered = Offered::default();
    for context in contexts.iter() {
        let context = context.map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let data = context.decode().map_err(|_| NtStatus::INVALID_PARAMETER)?;
        let is_known = !matches!(data, ContextData::Unknown);
        if is_known && seen.contains(&context.context_type) {
            return Err(NtStatus::INVALID_PARAMETER);
        }
        match data {
            ContextData::PreauthIntegrity { hash_algorithms, .. } => {
                if hash_algorithms.is_empty() {
                    return Err(NtStatus::INVALID_PARAMETER);
                }
                if !hash_algorithms.contains(SHA_512) {
                    return Err(NtStatus::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP);
                }
            }
            ContextData::Encryption { ciphers } => {
                if ciphers.is_empty() {
                    return Err(NtStatus::INVALID_PARAMETER);
                }
                let common = config.ciphers.iter().map(|cipher| cipher.id());
                // 0: there is none in common.
                offered.cipher = common.into_iter().find(|id| ciphers.contains(*id)).or(Some(0));
            }
            ContextData::Signing { signing_algorithms } => {
                if signing_algorithms.is_empty() {
                    return Err(NtStatus::INVALID_PARAMETER);
                }
                let mut common = config.signing_algorithms.iter().map(|algorithm| algorithm.id());
                let common = common.find(|id| signing_algorithms.contains(*id));
                offered.signing_algorithm = common.or(Some(SigningAlgorithm::AesCmac.id()));
            }
            _ => {}
        }
        if is_known {
            seen.push(context.context_type);
        }
    }
    if seen.contains(&ContextType::PREAUTH_INTEGRITY) {
        Ok(offered)
    } else {
        Err(NtStatus::INVALID_PARAMETER)
    }
}

/// One hash, and where they were offered one cipher and one signing algorithm.
fn answer(offered: &Offered, salt: &[u8; 32]) -> Result<ContextListBuilder, PeerError> {
    let mut list = ContextListBuilder::new().preauth_integrity(salt)?;
    if let Some(id) = offered.cipher {
        list = list.encryption(&[id])?;
    }
    if let Some(id) = offered.signing_algorithm {
        list = list.signing(&[id])?;
    }
    Ok(list)
}
