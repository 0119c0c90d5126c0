//! A connection and a session of SMB1 (MS-CIFS 3.2, MS-SMB 3.2).

use super::config::ClientConfig;
use super::error::{ClientError, PeerError, Unavailable};
use super::session::Logon;
use crate::error::TooLong;
use crate::keys::Smb1KeySchedule;
use crate::smb1::{
    Capabilities, Command, Credentials, Flags, Flags2, Header, NegotiateRequest, NegotiateResponse,
    SecurityMode, SequenceNumbers, SequenceRule, ServerSecurity, SessionSetupRequest, Signer,
};
use crate::transport::ProtocolId;
use crate::wire::Part;
use alloc::vec::Vec;
use ntlm::NtStatus;
use ntlm::text::Utf16String;

/// What NEGOTIATE settled.
#[derive(Clone, Debug)]
pub struct Smb1Negotiated {
    /// SecurityMode of the server.
    pub security_mode: SecurityMode,
    /// Capabilities of the server.
    pub capabilities: Capabilities,
    /// MaxBufferSize of the server, in bytes.
    pub max_buffer_size: u32,
    /// Whether session setup carries GSS tokens.
    pub extended_security: bool,
    session_key: u32,
    pub(super) server_challenge: [u8; 8],
    pub(super) domain_name: Utf16String,
}

/// A connection of SMB1 after NEGOTIATE. One request is under way at a time.
#[derive(Debug)]
pub struct Smb1Connection {
    pub(super) config: ClientConfig,
    pub(super) negotiated: Smb1Negotiated,
    mid: u16,
    pub(super) uid: u16,
    pub(super) signing: Option<Signing>,
    pub(super) session: Option<Smb1Session>,
}

#[derive(Debug)]
pub(super) struct Signing {
    pub(super) signer: Signer,
    pub(super) numbers: SequenceNumbers,
}

#[derive(Debug)]
pub(super) struct Smb1Session {
    pub(super) logon: Logon,
    pub(super) keys: Smb1KeySchedule,
}

/// A request and how to know its response.
#[derive(Debug)]
pub struct Smb1Request {
    /// Goes to the server, without transport prefix.
    pub packet: Vec<u8>,
    /// For [`Smb1Connection::receive`].
    pub pending: Smb1Pending,
}

/// A request that waits for its response.
#[derive(Clone, Copy, Debug)]
pub struct Smb1Pending {
    /// What was asked.
    pub command: Command,
    mid: u16,
    /// The number that signs the response.
    sequence_number: Option<u32>,
}

/// What came.
#[derive(Debug)]
pub enum Smb1Received<'p> {
    /// The response; its status may be a refusal.
    Response {
        /// Its header.
        header: Header,
        /// The message from its header on.
        message: &'p [u8],
    },
    /// The server said something unasked: the response is still to come.
    NotYet,
}

impl<'p> Smb1Received<'p> {
    /// The message where it succeeded; `None` while it is still to come.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub fn succeeded(self) -> Result<Option<&'p [u8]>, ClientError> {
        match self {
            Self::NotYet => Ok(None),
            Self::Response { header, message } if header.status == 0 => Ok(Some(message)),
            Self::Response { header, .. } => Err(refused(&header)),
        }
    }
}

/// What is true of the text and the status of every message of ours.
pub(super) const fn flags2() -> Flags2 {
    Flags2::UNICODE.union(Flags2::NT_STATUS).union(Flags2::LONG_NAMES)
}

impl Smb1Connection {
    /// MaxBufferSize of ours, in bytes.
    const MAX_BUFFER_SIZE: u16 = u16::MAX;

    /// Takes the response to a NEGOTIATE with these dialects.
    pub(super) fn start(
        config: ClientConfig,
        offered: &[&[u8]],
        message: &[u8],
    ) -> Result<Self, ClientError> {
        let header = Header::decode(message)?;
        if !header.is_response() || header.command != Command::NEGOTIATE {
            return Err(PeerError::NotTheResponse("Command").into());
        }
        if header.status != 0 {
            return Err(refused(&header));
        }
        let response = NegotiateResponse::decode(message)?;
        let index = response.dialect_index();
        if index == u16::MAX {
            return Err(PeerError::NoCommonDialect.into());
        }
        let name = offered.get(usize::from(index)).copied();
        let (Some(NegotiateRequest::NT_LM_0_12), NegotiateResponse::NtLm(response)) =
            (name, response)
        else {
            return Err(PeerError::DialectNotOffered(index).into());
        };
        let needed = Capabilities::UNICODE | Capabilities::STATUS32 | Capabilities::NT_SMBS;
        let challenges = SecurityMode::USER_SECURITY | SecurityMode::ENCRYPT_PASSWORDS;
        if !response.capabilities.contains(needed) || !response.security_mode.contains(challenges) {
            return Err(Unavailable::Unicode.into());
        }
        if config.require_encryption {
            return Err(Unavailable::Encryption.into());
        }
        let (extended_security, server_challenge, domain_name) = match response.security {
            ServerSecurity::Extended { .. } if config.insecure_bare_session_setup => {
                return Err(Unavailable::BareSessionSetup.into());
            }
            ServerSecurity::Extended { .. } => (true, [0; 8], Utf16String::default()),
            ServerSecurity::Challenge { challenge, domain_name, .. } => {
                if !config.insecure_bare_session_setup {
                    return Err(Unavailable::ExtendedSecurity.into());
                }
                let nonce = challenge.bytes().try_into();
                let nonce = nonce.map_err(|_| Unavailable::BareSessionSetup)?;
                (false, nonce, Utf16String::from_le_bytes(domain_name.bytes()).unwrap_or_default())
            }
        };
        let signs =
            SecurityMode::SECURITY_SIGNATURES_ENABLED | SecurityMode::SECURITY_SIGNATURES_REQUIRED;
        if config.require_signing && !response.security_mode.intersects(signs) {
            return Err(Unavailable::Signing.into());
        }
        let negotiated = Smb1Negotiated {
            security_mode: response.security_mode,
            capabilities: response.capabilities,
            max_buffer_size: response.max_buffer_size,
            extended_security,
            session_key: response.session_key,
            server_challenge,
            domain_name,
        };
        Ok(Self { config, negotiated, mid: 0, uid: 0, signing: None, session: None })
    }

    /// What was negotiated.
    #[must_use]
    pub const fn negotiated(&self) -> &Smb1Negotiated {
        &self.negotiated
    }

    /// How the logon went, and its keys; `None` before.
    #[must_use]
    pub fn session(&self) -> Option<(&Logon, &Smb1KeySchedule)> {
        self.session.as_ref().map(|session| (&session.logon, &session.keys))
    }

    /// Takes [`Logon::steps`]: keys are given away once.
    #[must_use]
    pub fn take_ntlm_steps(&mut self) -> Vec<ntlm::keys::Step> {
        let session = self.session.as_mut();
        session.map(|session| core::mem::take(&mut session.logon.steps)).unwrap_or_default()
    }

    /// Whether messages are signed.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        self.signing.is_some()
    }

    /// Makes a request, signed once signing is active.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn request(
        &mut self,
        tid: u16,
        command: Command,
        encode: impl FnOnce(&Header) -> Result<Vec<u8>, TooLong>,
    ) -> Result<Smb1Request, ClientError> {
        let header = self.next_header(command, tid);
        let mut packet = encode(&header)?;
        let mut sequence_number = None;
        if let Some(signing) = &mut self.signing {
            let number = signing.numbers.number(&header).ok_or(Unavailable::Signing)?;
            signing.signer.sign(&mut packet, number)?;
            sequence_number = Some(number.wrapping_add(1));
        }
        let pending = Smb1Pending { command, mid: header.mid, sequence_number };
        Ok(Smb1Request { packet, pending })
    }

    fn next_header(&mut self, command: Command, tid: u16) -> Header {
        // All ones are the server's own.
        self.mid = self.mid.wrapping_add(1) % u16::MAX;
        let mut flags2 = flags2();
        flags2.set(Flags2::EXTENDED_SECURITY, self.negotiated.extended_security);
        let flags = Flags::CASE_INSENSITIVE | Flags::CANONICALIZED_PATHS;
        Header { flags, flags2, tid, uid: self.uid, pid_low: 1, ..Header::new(command, self.mid) }
    }

    /// Takes what came while a request is under way, and sees that it holds.
    ///
    /// # Errors
    ///
    /// It is not signed as it must be, or is no response to the request.
    pub fn receive<'p>(
        &mut self,
        pending: &Smb1Pending,
        message: &'p [u8],
    ) -> Result<Smb1Received<'p>, ClientError> {
        let Some(header) = response(pending, message)? else { return Ok(Smb1Received::NotYet) };
        if let (Some(signing), Some(number)) = (&self.signing, pending.sequence_number) {
            signing.signer.verify(message, number).map_err(PeerError::Signature)?;
        }
        Ok(Smb1Received::Response { header, message })
    }

    /// Whether signing is to be active: the client's policy and the server's state (MS-SMB
    /// 3.2.4.2.4). Without extended security it is declined where nobody insists: Samba offers it
    /// there and then does not do it.
    pub(super) fn signs(&self) -> bool {
        let mode = self.negotiated.security_mode;
        let required = mode.contains(SecurityMode::SECURITY_SIGNATURES_REQUIRED);
        let enabled = mode.contains(SecurityMode::SECURITY_SIGNATURES_ENABLED);
        required || enabled && (self.config.require_signing || self.negotiated.extended_security)
    }

    pub(super) fn setup_request(
        &mut self,
        credentials: Credentials<'_>,
    ) -> Result<Smb1Request, ClientError> {
        let mut header = self.next_header(Command::SESSION_SETUP_ANDX, u16::MAX);
        if self.signs() {
            header.flags2.insert(Flags2::SECURITY_SIGNATURE);
            header.security_signature = *b"BSRSPYL\0";
        }
        if self.config.require_signing {
            header.flags2.insert(Flags2::SECURITY_SIGNATURE_REQUIRED);
        }
        let mut capabilities = Capabilities::UNICODE
            | Capabilities::STATUS32
            | Capabilities::NT_SMBS
            | Capabilities::LARGE_FILES;
        let extended = self.negotiated.extended_security;
        capabilities.set(Capabilities::EXTENDED_SECURITY, extended);
        let request = SessionSetupRequest {
            max_buffer_size: Self::MAX_BUFFER_SIZE,
            max_mpx_count: 1,
            vc_number: 1,
            session_key: self.negotiated.session_key,
            capabilities,
            credentials,
            native_os: Part::default(),
            native_lan_man: Part::default(),
            unicode: true,
        };
        let packet = request.encode(&header)?;
        let pending =
            Smb1Pending { command: header.command, mid: header.mid, sequence_number: None };
        Ok(Smb1Request { packet, pending })
    }
}

/// The header, if it is a response to the request; `None` for an oplock break, which nobody asked
/// for.
pub(super) fn response(
    pending: &Smb1Pending,
    message: &[u8],
) -> Result<Option<Header>, ClientError> {
    if ProtocolId::of(message) != Some(ProtocolId::Smb1) {
        return Err(PeerError::WrongProtocol.into());
    }
    let header = Header::decode(message)?;
    if SequenceRule::choose(&header) == SequenceRule::OplockBreak {
        return Ok(None);
    }
    let wrong = [
        (!header.is_response(), "direction"),
        (header.command != pending.command, "Command"),
        (header.mid != pending.mid, "MID"),
    ];
    match wrong.into_iter().find(|(wrong, _)| *wrong) {
        Some((_, field)) => Err(PeerError::NotTheResponse(field).into()),
        None => Ok(Some(header)),
    }
}

pub(super) fn refused(header: &Header) -> ClientError {
    ClientError::Refused {
        command: header.command.name().unwrap_or("request"),
        status: NtStatus(header.status),
    }
}
