//! A connection of SMB 2 or 3 after NEGOTIATE: what must hold in a request, and how its answer goes
//! (MS-SMB2 3.3.4.1, 3.3.5.2).

use super::channel::Channel;
use super::config::ServerConfig;
use super::error::PeerError;
use super::judging::Pending;
use super::negotiating::Negotiated;
use super::requests::{Reply, Request, Requests, SignedBy, error_response};
use super::sessions::Sessions;
use super::step::Step;
use super::window::Window;
use crate::dialect::Dialect;
use crate::encryption::InnerDefect;
use crate::keys::PreauthIntegrityHash;
use crate::signature_rule::Identity;
use crate::signing::Signer;
use crate::smb2::{
    BareMessage, Command, CtlCode, FileId, Header, HeaderFlags, HeaderId, IoctlRequest,
    IoctlResponse, TransformHeader, ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse,
};
use crate::transport::ProtocolId;
use crate::wire::Part;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ntlm::wire::Span;
use ntlm::{Fresh, NtStatus};

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
    /// Whether anybody was ever logged on.
    pub(super) had_session: bool,
    /// By AsyncId.
    delayed: BTreeMap<u64, Delayed>,
    last_async_id: u64,
}

/// A request that was answered with STATUS_PENDING (MS-SMB2 3.3.4.2).
#[derive(Debug)]
struct Delayed {
    response: Header,
    signed_by: Option<u64>,
    encrypted: Option<u64>,
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
        Self {
            config,
            negotiated,
            hash,
            window,
            channels: BTreeMap::new(),
            setups: BTreeMap::new(),
            had_session: false,
            delayed: BTreeMap::new(),
            last_async_id: 0,
        }
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
                match self.admit(sessions, &mut requests)? {
                    Some(admitted) => self.session_setup(sessions, &requests, admitted, fresh),
                    None => Ok(Step::Requests(requests)),
                }
            }
            _ => Ok(Step::Requests(requests)),
        }
    }

    /// The next message of a packet, if its number is good. CANCEL, which has none of its own, is
    /// carried out on the way.
    fn admit(
        &mut self,
        sessions: &Sessions,
        requests: &mut Requests,
    ) -> Result<Option<Admitted>, PeerError> {
        let (mut header, span) = loop {
            match requests.messages.next() {
                None => return Ok(None),
                Some((header, span)) if header.command == Command::CANCEL => {
                    self.cancel(sessions, requests, &header, span)?;
                }
                Some(message) => break message,
            }
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
        while let Some(admitted) = self.admit(sessions, requests)? {
            let Admitted { header, response, span, is_related } = admitted;
            let bytes = requests.bytes(span);
            let encrypted = requests.encrypted.is_some();
            let checked = self.check(sessions, &header, bytes, encrypted)?;
            let signed_by = self.signed_by(sessions, &header);
            let of_another = self.signer_of_another(sessions, &header, bytes);
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
            let signed_by = of_another.unwrap_or_else(|| signed_by.into());
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
            return if self.had_session { Ok(Ok(None)) } else { Err(PeerError::NobodyLoggedOn) };
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
            let holds = |signer: &Signer| signer.verify(bytes).is_ok();
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

    /// Signs that a session is not on this connection, for a client that has the keys it has on
    /// others.
    pub(super) fn signer_of_another(
        &self,
        sessions: &Sessions,
        header: &Header,
        bytes: &[u8],
    ) -> Option<SignedBy> {
        let session = sessions.get(header.session_id)?;
        let is_other = header.is_signed() && !self.channels.contains_key(&header.session_id);
        let key = session.signing_key.as_ref().filter(|_| is_other)?;
        let signer = Signer::new(session.signing_algorithm, key);
        signer.verify(bytes).is_ok().then(|| SignedBy::Session(Box::new(signer)))
    }

    /// Answers with STATUS_PENDING: nothing happens that the request could be answered with, until
    /// it is cancelled.
    pub(super) fn delay(
        &mut self,
        requests: &mut Requests,
        request: &Request,
    ) -> Result<(), PeerError> {
        if self.delayed.len() >= usize::from(self.config.max_credits) {
            let answer = request.refuse(NtStatus::INSUFFICIENT_RESOURCES)?;
            requests.answer(request, answer);
            return Ok(());
        }
        self.last_async_id += 1;
        let async_id = self.last_async_id;
        let response = Header {
            flags: request.response.flags | HeaderFlags::ASYNC_COMMAND,
            id: HeaderId::Async { async_id },
            ..request.response
        };
        let message = error_response(&response, NtStatus::PENDING)?;
        // Never signed: the real response has the same MessageId.
        requests.replies.push(Reply { message, signed_by: SignedBy::Nobody });
        // The credits went with the first.
        let response = Header { credits: 0, ..response };
        let (signed_by, encrypted) = (request.signed_by, requests.encrypted);
        self.delayed.insert(async_id, Delayed { response, signed_by, encrypted });
        Ok(())
    }

    /// CANCEL (MS-SMB2 3.3.5.16). It names the request by AsyncId or MessageId, and is protected as
    /// that was; one that is not is ignored, as CANCEL has no answer.
    fn cancel(
        &mut self,
        sessions: &Sessions,
        requests: &mut Requests,
        header: &Header,
        span: Span,
    ) -> Result<(), PeerError> {
        let is_meant = |(async_id, delayed): &(&u64, &Delayed)| match header.id {
            HeaderId::Async { async_id: meant } => **async_id == meant,
            HeaderId::Sync { .. } => delayed.response.message_id == header.message_id,
        };
        let Some((async_id, delayed)) = self.delayed.iter().find(is_meant) else { return Ok(()) };
        let async_id = *async_id;
        let encrypted = requests.encrypted.is_some();
        let checked = self.check(sessions, header, requests.bytes(span), encrypted)?;
        let session_id = delayed.response.session_id;
        if checked.is_err()
            || delayed.encrypted != requests.encrypted
            || header.session_id != session_id
        {
            return Ok(());
        }
        if let Some(Delayed { response, signed_by, .. }) = self.delayed.remove(&async_id) {
            let message = error_response(&response, NtStatus::CANCELLED)?;
            requests.replies.push(Reply { message, signed_by: signed_by.into() });
        }
        Ok(())
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
                match signed_by {
                    SignedBy::Nobody => {}
                    SignedBy::Channel(session_id) => self.sign(Some(session_id), &mut message)?,
                    SignedBy::Session(signer) => {
                        signer.sign(&mut message).map_err(|_| PeerError::Signature)?;
                    }
                }
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
