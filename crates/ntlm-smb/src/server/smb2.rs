//! A connection of SMB 2 or 3 after NEGOTIATE: what must hold in a request, and how its answer goes
//! (MS-SMB2 3.3.4.1, 3.3.5.2).

use super::channel::Channel;
use super::config::ServerConfig;
use super::connection::Step;
use super::error::PeerError;
use super::negotiating::Negotiated;
use super::requests::{Reply, Request, Requests, error_response};
use super::session_setup::Pending;
use super::sessions::Sessions;
use super::window::Window;
use crate::dialect::Dialect;
use crate::encryption::InnerDefect;
use crate::keys::PreauthIntegrityHash;
use crate::signature_rule::Identity;
use crate::smb2::{
    BareMessage, Command, CtlCode, FileId, Header, HeaderFlags, IoctlRequest, IoctlResponse,
    TransformHeader, ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse,
};
use crate::status::NtStatus;
use crate::transport::ProtocolId;
use crate::wire::Part;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ntlm::Fresh;
use ntlm::wire::Span;

#[derive(Debug)]
pub(super) struct Smb2 {
    pub(super) config: Arc<ServerConfig>,
    pub(super) negotiated: Negotiated,
    /// The connection's value, from which every session's goes on.
    pub(super) hash: PreauthIntegrityHash,
    window: Window,
    /// May still have sessions that ended on another connection.
    pub(super) channels: BTreeMap<u64, Channel>,
    pub(super) setups: BTreeMap<u64, Pending>,
}

/// A request whose number is good, before its session is looked at.
#[derive(Clone, Copy)]
pub(super) struct Admitted {
    pub(super) header: Header,
    pub(super) response: Header,
    pub(super) span: Span,
    is_related: bool,
}

impl Smb2 {
    pub(super) fn new(
        config: Arc<ServerConfig>,
        negotiated: Negotiated,
        hash: PreauthIntegrityHash,
        window: Window,
    ) -> Self {
        let (channels, setups) = (BTreeMap::new(), BTreeMap::new());
        Self { config, negotiated, hash, window, channels, setups }
    }

    /// What this connection has of a session that still stands.
    pub(super) fn channel(&self, sessions: &Sessions, session_id: u64) -> Option<&Channel> {
        self.channels.get(&session_id).filter(|_| sessions.get(session_id).is_some())
    }

    pub(super) fn has_session(&self, sessions: &Sessions) -> bool {
        self.channels.keys().any(|session_id| sessions.get(*session_id).is_some())
    }

    pub(super) fn close(self, sessions: &mut Sessions) {
        self.channels.into_keys().for_each(|session_id| sessions.leave(session_id));
    }

    pub(super) fn receive(
        &mut self,
        sessions: &mut Sessions,
        mut packet: Vec<u8>,
        fresh: Fresh,
    ) -> Result<Step, PeerError> {
        let (start, encrypted) = match ProtocolId::of(&packet) {
            Some(ProtocolId::Transform) => {
                let session_id = TransformHeader::decode(&packet)?.session_id;
                let channel = self.channel(sessions, session_id);
                let ciphers = channel.and_then(|channel| channel.ciphers.as_ref());
                ciphers.ok_or(PeerError::EncryptionWithoutKeys)?.decrypt(&mut packet)?;
                (TransformHeader::LENGTH, Some(session_id))
            }
            Some(ProtocolId::Smb2) => (0, None),
            _ => return Err(PeerError::WrongProtocol),
        };
        let mut requests = Requests::new(packet, start, encrypted)?;
        match requests.messages.as_slice() {
            [(header, _)] if header.command == Command::SESSION_SETUP => {
                match self.admit(&mut requests)? {
                    Some(admitted) => self.session_setup(sessions, &requests, admitted, fresh),
                    None => Ok(Step::Requests(requests)),
                }
            }
            _ => Ok(Step::Requests(requests)),
        }
    }

    /// The next message of a packet, if its number is good. CANCEL has none of its own, and nothing
    /// here takes long enough to be cancelled.
    fn admit(&mut self, requests: &mut Requests) -> Result<Option<Admitted>, PeerError> {
        let Some((mut header, span)) =
            requests.messages.find(|(header, _)| header.command != Command::CANCEL)
        else {
            return Ok(None);
        };
        if header.is_response() {
            return Err(PeerError::NotARequest);
        }
        let charge =
            if self.negotiated.dialect > Dialect::Smb202 { header.credit_charge } else { 1 };
        if !self.window.take(header.message_id, charge) {
            return Err(PeerError::MessageId(header.message_id));
        }
        if header.command == Command::NEGOTIATE {
            return Err(PeerError::NegotiatedBefore);
        }
        let is_related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS);
        if let (true, Some(previous)) = (is_related, &requests.previous) {
            (header.session_id, header.id) = (previous.session_id, previous.id);
        }
        if let Some(session_id) = requests.encrypted
            && session_id != header.session_id
        {
            let session_id = header.session_id;
            return Err(PeerError::Inner(InnerDefect::OtherSession { session_id }));
        }
        requests.previous = Some(header);
        let mut flags = HeaderFlags::SERVER_TO_REDIR;
        flags.set(HeaderFlags::RELATED_OPERATIONS, is_related);
        let response = Header {
            credit_charge: header.credit_charge,
            credits: self.window.grant(header.credits),
            flags,
            id: header.id,
            session_id: header.session_id,
            ..Header::new(header.command, header.message_id)
        };
        Ok(Some(Admitted { header, response, span, is_related }))
    }

    pub(super) fn next(
        &mut self,
        sessions: &mut Sessions,
        requests: &mut Requests,
    ) -> Result<Option<Request>, PeerError> {
        while let Some(admitted) = self.admit(requests)? {
            let Admitted { header, response, span, is_related } = admitted;
            let bytes = requests.bytes(span);
            let encrypted = requests.encrypted.is_some();
            let checked = self.check(sessions, &header, bytes, encrypted)?;
            let signed_by = self.signed_by(sessions, &header);
            let answer = match checked {
                Err(status) => error_response(&response, status)?,
                Ok(None) => BareMessage.encode(&response).to_vec(),
                Ok(Some(identity)) => match self.answer(sessions, &header, &response, bytes)? {
                    Some(answer) => answer,
                    None => {
                        let request =
                            Request { header, identity, is_related, response, span, signed_by };
                        return Ok(Some(request));
                    }
                },
            };
            requests.replies.push(Reply { message: answer, signed_by });
        }
        Ok(None)
    }

    /// Whose request it is, if it may be carried out; else what the client is told. `None` for an
    /// ECHO of nobody.
    fn check(
        &self,
        sessions: &Sessions,
        header: &Header,
        bytes: &[u8],
        encrypted: bool,
    ) -> Result<Result<Option<Identity>, NtStatus>, PeerError> {
        if header.command == Command::ECHO && header.session_id == 0 {
            let somebody = self.has_session(sessions);
            return if somebody { Ok(Ok(None)) } else { Err(PeerError::NobodyLoggedOn) };
        }
        let Some(channel) = self.channel(sessions, header.session_id) else {
            return Ok(Err(NtStatus::USER_SESSION_DELETED));
        };
        let identity = sessions.get(header.session_id).map(|session| session.identity);
        if encrypted {
            return Ok(Ok(identity));
        }
        if channel.encrypts {
            return Ok(Err(NtStatus::ACCESS_DENIED));
        }
        let is_signed = header.is_signed();
        if is_signed {
            let holds = |signer: &crate::signing::Signer| signer.verify(bytes).is_ok();
            if !channel.signer.as_ref().is_some_and(holds) {
                return Ok(Err(NtStatus::ACCESS_DENIED));
            }
        } else if channel.signing_required {
            return Ok(Err(NtStatus::ACCESS_DENIED));
        } else if header.command == Command::TREE_CONNECT
            && self.negotiated.dialect == Dialect::Smb311
            && channel.identity == Identity::Account
        {
            return Err(PeerError::UnprotectedTreeConnect);
        }
        Ok(Ok(identity))
    }

    /// The session that signs the answer: that of a request that says it is signed, and of all where
    /// it is required (MS-SMB2 3.3.4.1.1).
    pub(super) fn signed_by(&self, sessions: &Sessions, header: &Header) -> Option<u64> {
        let channel = self.channel(sessions, header.session_id)?;
        let signs = header.is_signed() || channel.signing_required;
        (signs && channel.signer.is_some()).then_some(header.session_id)
    }

    /// Answers what is not for the caller.
    fn answer(
        &self,
        sessions: &mut Sessions,
        header: &Header,
        response: &Header,
        bytes: &[u8],
    ) -> Result<Option<Vec<u8>>, PeerError> {
        match header.command {
            Command::LOGOFF | Command::ECHO => {
                if BareMessage::decode(bytes).is_err() {
                    return Ok(Some(error_response(response, NtStatus::INVALID_PARAMETER)?));
                }
                if header.command == Command::LOGOFF {
                    sessions.end(header.session_id);
                }
                Ok(Some(BareMessage.encode(response).to_vec()))
            }
            // It stands in a compound.
            Command::SESSION_SETUP => {
                Ok(Some(error_response(response, NtStatus::INVALID_PARAMETER)?))
            }
            Command::IOCTL => match IoctlRequest::decode(bytes) {
                Ok(request) if request.ctl_code == CtlCode::VALIDATE_NEGOTIATE_INFO => {
                    self.validate_negotiate_info(&request, response).map(Some)
                }
                _ => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// FSCTL_VALIDATE_NEGOTIATE_INFO (MS-SMB2 3.3.5.15.12).
    fn validate_negotiate_info(
        &self,
        request: &IoctlRequest<'_>,
        response: &Header,
    ) -> Result<Vec<u8>, PeerError> {
        let negotiated = &self.negotiated;
        if negotiated.dialect == Dialect::Smb311 {
            return Err(PeerError::NegotiateInfo("dialect"));
        }
        let info = ValidateNegotiateInfoRequest::decode(request.input.bytes());
        let Ok(info) = info else {
            return Ok(error_response(response, NtStatus::INVALID_PARAMETER)?);
        };
        if request.max_output_response < ValidateNegotiateInfoResponse::LENGTH {
            return Ok(error_response(response, NtStatus::INVALID_PARAMETER)?);
        }
        let differs = [
            (info.capabilities != negotiated.client_capabilities, "Capabilities"),
            (info.guid != negotiated.client_guid, "Guid"),
            (info.security_mode != negotiated.client_security_mode, "SecurityMode"),
            (info.dialects.bytes() != negotiated.client_dialects, "Dialects"),
        ];
        if let Some((_, field)) = differs.into_iter().find(|(differs, _)| *differs) {
            return Err(PeerError::NegotiateInfo(field));
        }
        let output = ValidateNegotiateInfoResponse {
            capabilities: negotiated.server_capabilities,
            guid: self.config.server_guid,
            security_mode: negotiated.server_security_mode,
            dialect: negotiated.dialect.revision(),
        };
        let output = output.encode();
        let answer = IoctlResponse {
            ctl_code: CtlCode::VALIDATE_NEGOTIATE_INFO,
            file_id: FileId::NONE,
            flags: 0,
            input: Part::default(),
            output: Part::new(&output),
        };
        Ok(answer.encode(response)?)
    }

    pub(super) fn reply(&mut self, requests: Requests) -> Result<Option<Vec<u8>>, PeerError> {
        let Requests { encrypted, replies, .. } = requests;
        let mut packet = Vec::new();
        let count = replies.len();
        for (place, Reply { mut message, signed_by }) in replies.into_iter().enumerate() {
            if place + 1 < count {
                message.resize(message.len().next_multiple_of(8), 0);
                set_next_command(&mut message);
            }
            if encrypted.is_none() {
                self.sign(signed_by, &mut message)?;
            }
            packet.append(&mut message);
        }
        if packet.is_empty() {
            return Ok(None);
        }
        self.encrypt(encrypted, packet).map(Some)
    }

    /// Signs a message as a session does, if it has a key.
    pub(super) fn sign(
        &self,
        session_id: Option<u64>,
        message: &mut [u8],
    ) -> Result<(), PeerError> {
        let channel = session_id.and_then(|session_id| self.channels.get(&session_id));
        match channel.and_then(|channel| channel.signer.as_ref()) {
            Some(signer) => signer.sign(message).map_err(|_| PeerError::Signature),
            None => Ok(()),
        }
    }

    pub(super) fn encrypt(
        &mut self,
        session_id: Option<u64>,
        packet: Vec<u8>,
    ) -> Result<Vec<u8>, PeerError> {
        let Some(session_id) = session_id else { return Ok(packet) };
        let channel = self.channels.get_mut(&session_id);
        let ciphers = channel.and_then(|channel| channel.ciphers.as_mut());
        ciphers.ok_or(PeerError::EncryptionWithoutKeys)?.encrypt(session_id, &packet)
    }
}

/// NextCommand: the next message begins where this one ends.
fn set_next_command(message: &mut [u8]) {
    let length = u32::try_from(message.len()).unwrap_or_default();
    let place = message.get_mut(20..).and_then(|rest| rest.first_chunk_mut());
    place.into_iter().for_each(|place| *place = length.to_le_bytes());
}
