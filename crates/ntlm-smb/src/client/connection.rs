//! A connection of SMB 2 or 3: numbers, credits, and what must hold in a response (MS-SMB2 3.2.4.1,
//! 3.2.5.1).

use super::config::ClientConfig;
use super::error::{ClientError, PeerError};
use super::request::{Pending, Protection, Request};
use super::session::Session;
use crate::dialect::{Cipher, Dialect, Protocol, SigningAlgorithm};
use crate::error::TooLong;
use crate::keys::PreauthIntegrityHash;
use crate::smb2::{
    Capabilities, Command, CtlCode, ErrorResponse, FileId, Header, HeaderId, IoctlRequest,
    IoctlResponse, SecurityMode, TreeConnectResponse, ValidateNegotiateInfoRequest,
    ValidateNegotiateInfoResponse,
};
use crate::transport::ProtocolId;
use crate::wire::Part;
use alloc::vec::Vec;
use ntlm::NtStatus;

/// What NEGOTIATE settled, and both ends said in it.
#[derive(Clone, Debug)]
pub struct Negotiated {
    /// The dialect.
    pub dialect: Dialect,
    /// How messages are signed.
    pub signing_algorithm: SigningAlgorithm,
    /// How they can be encrypted, if they can.
    pub cipher: Option<Cipher>,
    /// SecurityMode of the server.
    pub security_mode: SecurityMode,
    /// Capabilities of the server.
    pub capabilities: Capabilities,
    /// ServerGuid.
    pub server_guid: [u8; 16],
    /// MaxTransactSize, in bytes.
    pub max_transact_size: u32,
    /// MaxReadSize, in bytes.
    pub max_read_size: u32,
    /// MaxWriteSize, in bytes.
    pub max_write_size: u32,
    pub(super) client_capabilities: Capabilities,
    pub(super) client_security_mode: SecurityMode,
    pub(super) client_guid: [u8; 16],
    pub(super) client_dialects: Vec<u8>,
}

/// A connection of SMB 2 or 3 after NEGOTIATE. One request is under way at a time.
#[derive(Debug)]
pub struct Connection {
    pub(super) config: ClientConfig,
    pub(super) negotiated: Negotiated,
    pub(super) hash: PreauthIntegrityHash,
    next_message_id: u64,
    credits: u32,
}

/// What came.
#[derive(Debug)]
pub enum Received<'p> {
    /// The response; its status may be a refusal.
    Response {
        /// Its header.
        header: Header,
        /// The message from its header on.
        message: &'p [u8],
    },
    /// The answer takes longer, or the server said something unasked: the response is still to come.
    NotYet,
}

impl<'p> Received<'p> {
    /// The message where it succeeded, and was not merely cut short; `None` while it is still to
    /// come.
    ///
    /// # Errors
    ///
    /// The server refuses.
    pub fn succeeded(self) -> Result<Option<&'p [u8]>, ClientError> {
        match self {
            Self::NotYet => Ok(None),
            Self::Response { header, message } if header.status == NtStatus::SUCCESS => {
                Ok(Some(message))
            }
            Self::Response { header, .. } => Err(refused(&header)),
        }
    }
}

/// A share that is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// TreeId.
    pub id: u32,
    /// ShareType: 1 disk, 2 pipe, 3 printer.
    pub share_type: u8,
    /// Whether everything on it is encrypted.
    pub encrypts: bool,
}

impl Connection {
    pub(super) const fn new(
        config: ClientConfig,
        negotiated: Negotiated,
        hash: PreauthIntegrityHash,
        next_message_id: u64,
    ) -> Self {
        Self { config, negotiated, hash, next_message_id, credits: 1 }
    }

    /// What was negotiated.
    #[must_use]
    pub const fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Makes a request on a session, signed or encrypted as it has to be.
    ///
    /// # Errors
    ///
    /// There are no credits, or a part is too long.
    pub fn request(
        &mut self,
        session: &mut Session,
        tree: Option<&Tree>,
        command: Command,
        encode: impl FnOnce(&Header) -> Result<Vec<u8>, TooLong>,
    ) -> Result<Request, ClientError> {
        let mut header = self.next_header(command)?;
        header.session_id = session.id();
        let tree_id = tree.map_or(0, |tree| tree.id);
        header.id = HeaderId::Sync { reserved: 0, tree_id };
        let message = encode(&header)?;
        let encrypts = tree.is_some_and(|tree| tree.encrypts);
        let (packet, protection) = session.protect(message, encrypts)?;
        Ok(Request {
            packet,
            pending: Pending { command, message_id: header.message_id, protection },
        })
    }

    pub(super) const fn next_message_id(&self) -> u64 {
        self.next_message_id
    }

    /// A header for the next request.
    pub(super) fn next_header(&mut self, command: Command) -> Result<Header, ClientError> {
        self.credits = self.credits.checked_sub(1).ok_or(PeerError::NoCredits)?;
        let message_id = self.next_message_id;
        self.next_message_id = message_id.checked_add(1).ok_or(PeerError::NoCredits)?;
        let credit_charge = u16::from(self.negotiated.dialect > Dialect::Smb202);
        Ok(Header { credit_charge, ..Header::new(command, message_id) })
    }

    /// Takes what came while a request is under way: opens it, and sees that it holds.
    ///
    /// # Errors
    ///
    /// It is not signed or encrypted as it must be, or is no response to the request.
    pub fn receive<'p>(
        &mut self,
        pending: &Pending,
        session: &Session,
        packet: &'p mut [u8],
    ) -> Result<Received<'p>, ClientError> {
        let (message, encrypted) = match ProtocolId::of(packet) {
            Some(ProtocolId::Transform) => (session.decrypt(packet)?, true),
            Some(ProtocolId::Smb2) => (packet, false),
            _ => return Err(PeerError::WrongProtocol.into()),
        };
        let message: &'p [u8] = message;
        let header = Header::decode(message)?;
        if header.message_id == Header::UNSOLICITED {
            return Ok(Received::NotYet);
        }
        self.check_header(pending, &header)?;
        if pending.protection == Protection::Encrypted && !encrypted {
            return Err(PeerError::NotEncrypted.into());
        }
        if header.is_interim() {
            return Ok(Received::NotYet);
        }
        if header.session_id != session.id() {
            return Err(PeerError::NotTheResponse("SessionId").into());
        }
        if !encrypted {
            session.check_signature(pending, &header, message)?;
        }
        Ok(Received::Response { header, message })
    }

    /// Sees that a response is to this request, and counts its credits.
    pub(super) fn check_header(
        &mut self,
        pending: &Pending,
        header: &Header,
    ) -> Result<(), ClientError> {
        let wrong = [
            (!header.is_response(), "direction"),
            (header.command != pending.command, "Command"),
            (header.message_id != pending.message_id, "MessageId"),
            // A server may put responses together, but there is one request at a time.
            (header.next_command != 0, "NextCommand"),
        ];
        if let Some((_, field)) = wrong.into_iter().find(|(wrong, _)| *wrong) {
            return Err(PeerError::NotTheResponse(field).into());
        }
        self.credits = self.credits.saturating_add(u32::from(header.credits)).min(8192);
        Ok(())
    }

    /// A share, from the response to TREE_CONNECT.
    ///
    /// # Errors
    ///
    /// It is no such message, or demands what cannot be.
    pub fn tree(&self, session: &Session, message: &[u8]) -> Result<Tree, ClientError> {
        let response = TreeConnectResponse::decode(message)?;
        let HeaderId::Sync { tree_id, .. } = Header::decode(message)?.id else {
            return Err(PeerError::InvalidId.into());
        };
        let encrypts = response.encrypts();
        if encrypts && !session.can_encrypt() {
            return Err(PeerError::EncryptionWithoutKeys.into());
        }
        Ok(Tree { id: tree_id, share_type: response.share_type, encrypts })
    }

    /// Whether FSCTL_VALIDATE_NEGOTIATE_INFO is to be sent on the first tree: below 3.1.1, by who
    /// speaks 3.x, where there is a key to vouch for the answer (MS-SMB2 3.2.5.5).
    #[must_use]
    pub fn validates_negotiate_info(&self, session: &Session) -> bool {
        let speaks_smb3 = self.config.dialects.newest >= Protocol::Smb2(Dialect::Smb300);
        self.negotiated.dialect < Dialect::Smb311 && speaks_smb3 && session.has_keys()
    }

    /// Makes FSCTL_VALIDATE_NEGOTIATE_INFO.
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    pub fn validate_negotiate_info(
        &mut self,
        session: &mut Session,
        tree: &Tree,
    ) -> Result<Request, ClientError> {
        let info = ValidateNegotiateInfoRequest {
            capabilities: self.negotiated.client_capabilities,
            guid: self.negotiated.client_guid,
            security_mode: self.negotiated.client_security_mode,
            dialects: Part::new(&self.negotiated.client_dialects),
        };
        let input = info.encode()?;
        self.request(session, Some(tree), Command::IOCTL, |header| {
            let request = IoctlRequest {
                ctl_code: CtlCode::VALIDATE_NEGOTIATE_INFO,
                file_id: FileId::NONE,
                max_input_response: 0,
                max_output_response: ValidateNegotiateInfoResponse::LENGTH,
                flags: IoctlRequest::IS_FSCTL,
                input: Part::new(&input),
                output: Part::default(),
            };
            request.encode(header)
        })
    }

    /// Takes the answer: `true` where the server confirms what it saw and said, `false` where it is
    /// too old to, which it says in a signed message.
    ///
    /// # Errors
    ///
    /// Somebody changed NEGOTIATE on the way.
    pub fn check_negotiate_info(
        &self,
        header: &Header,
        message: &[u8],
    ) -> Result<bool, ClientError> {
        match header.status {
            NtStatus::SUCCESS => {}
            NtStatus::ACCESS_DENIED => return Err(refused(header)),
            _ => return Ok(false),
        }
        let response = IoctlResponse::decode(message)?;
        let info = ValidateNegotiateInfoResponse::decode(response.output.bytes())?;
        let ours = &self.negotiated;
        let wrong = [
            (info.capabilities != ours.capabilities, "Capabilities"),
            (info.guid != ours.server_guid, "ServerGuid"),
            (info.security_mode != ours.security_mode, "SecurityMode"),
            (info.dialect != ours.dialect.revision(), "Dialect"),
        ];
        match wrong.into_iter().find(|(wrong, _)| *wrong) {
            Some((_, field)) => Err(PeerError::NegotiateInfo(field).into()),
            None => Ok(true),
        }
    }
}

/// The refusal that a header states.
pub(super) fn refused(header: &Header) -> ClientError {
    ClientError::Refused {
        command: header.command.name().unwrap_or("request"),
        status: header.status,
    }
}

/// The refusal in an ERROR response, which has to be one.
pub(super) fn refusal(header: &Header, message: &[u8]) -> ClientError {
    ErrorResponse::decode(message).map_or_else(ClientError::from, |_| refused(header))
}
