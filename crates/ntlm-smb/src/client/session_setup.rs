//! SESSION_SETUP: a session made, authenticated again, or joined by another connection (MS-SMB2
//! 3.2.4.2.3, 3.2.5.3).

use super::connection::{Connection, refusal};
use super::error::{ClientError, PeerError, Unavailable};
use super::request::{Pending, Protection, Request};
use super::session::{Ciphers, Logon, Session, SessionToBind, check};
use crate::dialect::SigningAlgorithm;
use crate::keys::{
    Establishment, PreauthIntegrityHash, SessionKeySource, SmbDerivation, SmbKeySchedule,
};
use crate::signature_rule::Identity;
use crate::signing::Signer;
use crate::smb2::{
    Capabilities, Command, Header, SessionFlags, SessionSetupFlags, SessionSetupRequest,
    SessionSetupResponse,
};
use crate::transport::ProtocolId;
use crate::wire::Part;
use alloc::boxed::Box;
use alloc::vec::Vec;
use ntlm::keys::{ExportedSessionKey, NtlmVersion, Step};
use ntlm::policy::Relaxation;
use ntlm::{Credential, Fresh, NtStatus};
use ntlm_spnego::{Initiator, InitiatorConfig, InitiatorStep, MechListMic};

/// What a SESSION_SETUP is for.
#[derive(Debug)]
pub enum Purpose {
    /// A session of its own.
    New,
    /// The session authenticates again; its keys stay.
    Again(Box<Session>),
    /// This connection joins a session of another.
    Bind(Box<SessionToBind>),
}

/// A SESSION_SETUP that waits for a response.
#[derive(Debug)]
pub struct SessionSetup {
    state: State,
    initiator: Initiator,
    pending: Pending,
    proved: Option<Proved>,
}

#[derive(Debug)]
struct State {
    purpose: Purpose,
    session_id: u64,
    hash: PreauthIntegrityHash,
    master: Option<Signer>,
}

/// What was sent as proof.
#[derive(Debug)]
struct Proved {
    /// `None` for nobody.
    key: Option<ExportedSessionKey>,
    version: NtlmVersion,
    relaxed: Vec<Relaxation>,
    has_mic: bool,
    steps: Vec<Step>,
}

/// What comes of a response.
#[derive(Debug)]
pub enum SetupStep {
    /// The response is still to come.
    NotYet(SessionSetup),
    /// Now somebody has to prove who he is.
    Respond(Box<Responding>),
    /// The request goes to the server.
    Continue(Request, SessionSetup),
    /// The session stands.
    Done(Box<Session>),
}

impl SessionSetup {
    /// Begins.
    ///
    /// # Errors
    ///
    /// The connection cannot be bound to that session: it has another dialect or signing
    /// algorithm; or it signs by AES-GMAC, and another was bound before or it began with an SMB1
    /// NEGOTIATE.
    pub fn start(
        connection: &mut Connection,
        purpose: Purpose,
    ) -> Result<(Request, Self), ClientError> {
        let mut master = None;
        let session_id = match &purpose {
            Purpose::New => 0,
            Purpose::Again(session) => session.id,
            Purpose::Bind(session) => {
                let algorithm = connection.negotiated.signing_algorithm;
                if session.dialect != connection.negotiated.dialect
                    || session.signing_algorithm != algorithm
                {
                    return Err(Unavailable::Binding.into());
                }
                // A MessageId is the nonce of AES-GMAC, and every connection counts from the same:
                // two that sign their SESSION_SETUP with the session's key would give it away.
                let nonce_is_used = session.channel > 1 || connection.next_message_id() > 1;
                if algorithm == SigningAlgorithm::AesGmac && nonce_is_used {
                    return Err(Unavailable::Nonces.into());
                }
                master = Some(Signer::new(algorithm, &session.signing_key));
                session.id
            }
        };
        let config = InitiatorConfig {
            client: connection.config.ntlm.clone(),
            ..InitiatorConfig::default()
        };
        let (token, initiator) = Initiator::start(config);
        let mut state = State { purpose, session_id, hash: connection.hash, master };
        let request = state.request(connection, &token)?;
        let pending = request.pending;
        Ok((request, Self { state, initiator, pending, proved: None }))
    }

    /// Takes a response.
    ///
    /// # Errors
    ///
    /// The server refuses, or did what it may not.
    pub fn receive(
        self,
        connection: &mut Connection,
        packet: &mut [u8],
    ) -> Result<SetupStep, ClientError> {
        let Self { mut state, initiator, pending, proved } = self;
        let mut encrypted = false;
        let message: &[u8] = match (ProtocolId::of(packet), &state.purpose) {
            (Some(ProtocolId::Smb2), _) => packet,
            (Some(ProtocolId::Transform), Purpose::Again(session)) => {
                encrypted = true;
                session.decrypt(packet)?
            }
            _ => return Err(PeerError::WrongProtocol.into()),
        };
        let header = Header::decode(message)?;
        if header.message_id == Header::UNSOLICITED {
            return Ok(SetupStep::NotYet(Self { state, initiator, pending, proved }));
        }
        connection.check_header(&pending, &header)?;
        if header.is_interim() {
            return Ok(SetupStep::NotYet(Self { state, initiator, pending, proved }));
        }
        if pending.protection == Protection::Encrypted && !encrypted {
            return Err(PeerError::NotEncrypted.into());
        }
        if let (Purpose::Again(session), false) = (&state.purpose, encrypted) {
            session.check_signature(&pending, &header, message)?;
        }
        match header.status {
            NtStatus::MORE_PROCESSING_REQUIRED => {
                if let Some(master) = &state.master {
                    check(master, &header, message)?;
                }
                state.settle_id(header.session_id)?;
                let response = SessionSetupResponse::decode(message)?;
                let step = initiator.step(response.security_buffer.bytes())?;
                state.hash = state.hash.after_session_setup_response(header.status, message);
                match step {
                    InitiatorStep::Respond(responding) => {
                        Ok(SetupStep::Respond(Box::new(Responding { state, responding })))
                    }
                    InitiatorStep::Continue(token, initiator) => {
                        let request = state.request(connection, &token)?;
                        let pending = request.pending;
                        let setup = Self { state, initiator, pending, proved };
                        Ok(SetupStep::Continue(request, setup))
                    }
                    InitiatorStep::Done(_) | InitiatorStep::Foreign { .. } => {
                        Err(PeerError::EndedEarly.into())
                    }
                }
            }
            NtStatus::SUCCESS => {
                let proved = proved.ok_or(PeerError::EndedEarly)?;
                state.settle_id(header.session_id)?;
                let response = SessionSetupResponse::decode(message)?;
                let done = Done { connection, header: &header, message, response: &response };
                let session = done.session(state, initiator, proved)?;
                Ok(SetupStep::Done(Box::new(session)))
            }
            _ => Err(refusal(&header, message)),
        }
    }
}

impl State {
    /// A SESSION_SETUP request, which the hash then covers as it was sent.
    fn request(
        &mut self,
        connection: &mut Connection,
        token: &[u8],
    ) -> Result<Request, ClientError> {
        let [security_mode, _] = connection.negotiated.client_security_mode.bits().to_le_bytes();
        let flags = match &self.purpose {
            Purpose::Bind(_) => SessionSetupFlags::BINDING,
            Purpose::New | Purpose::Again(_) => SessionSetupFlags::empty(),
        };
        let encode = |header: &Header| {
            let request = SessionSetupRequest {
                flags,
                security_mode,
                capabilities: Capabilities::empty(),
                channel: 0,
                previous_session_id: 0,
                security_buffer: Part::new(token),
            };
            request.encode(header)
        };
        if let Purpose::Again(session) = &mut self.purpose {
            return connection.request(session, None, Command::SESSION_SETUP, encode);
        }
        let mut header = connection.next_header(Command::SESSION_SETUP)?;
        header.session_id = self.session_id;
        // More than one, so that the server need not think of it later.
        header.credits = 32;
        let mut packet = encode(&header)?;
        let mut protection = Protection::None;
        if let Some(master) = &self.master {
            master.sign(&mut packet).map_err(|_| Unavailable::Signing)?;
            protection = Protection::Signed;
        }
        self.hash = self.hash.after(&packet);
        let pending =
            Pending { command: header.command, message_id: header.message_id, protection };
        Ok(Request { packet, pending })
    }

    /// The server names the session in its first response, and then no other.
    fn settle_id(&mut self, session_id: u64) -> Result<(), ClientError> {
        if session_id == 0 || session_id == u64::MAX {
            return Err(PeerError::InvalidId.into());
        }
        if self.session_id != 0 && self.session_id != session_id {
            return Err(PeerError::NotTheResponse("SessionId").into());
        }
        self.session_id = session_id;
        Ok(())
    }
}

/// A SESSION_SETUP that has the CHALLENGE and waits for somebody to prove who he is.
#[derive(Debug)]
pub struct Responding {
    state: State,
    responding: ntlm_spnego::Responding,
}

impl Responding {
    /// Answers with a proof.
    ///
    /// # Errors
    ///
    /// The CHALLENGE is not to be answered.
    pub fn respond(self, credential: &Credential, fresh: Fresh) -> Result<Answer, ClientError> {
        let answer = self.responding.respond(credential, fresh)?;
        Ok(Answer { state: self.state, answer })
    }

    /// Answers without one.
    ///
    /// # Errors
    ///
    /// The CHALLENGE is not to be answered.
    pub fn respond_anonymously(self, fresh: Fresh) -> Result<Answer, ClientError> {
        let answer = self.responding.respond_anonymously(fresh)?;
        Ok(Answer { state: self.state, answer })
    }
}

/// An answer that is ready to be sent.
#[derive(Debug)]
pub struct Answer {
    state: State,
    answer: ntlm_spnego::Answer,
}

impl Answer {
    /// The request goes to the server.
    ///
    /// # Errors
    ///
    /// The CHALLENGE did not grant what SPNEGO needs, or there are no credits.
    pub fn send(self, connection: &mut Connection) -> Result<(Request, SessionSetup), ClientError> {
        let Self { mut state, answer } = self;
        let proved = match answer.established() {
            Some(established) => {
                let keys = established.keys();
                let steps =
                    if connection.config.keep_keys { keys.steps().collect() } else { Vec::new() };
                Proved {
                    key: Some(keys.exported_session_key().duplicate()),
                    version: keys.version(),
                    relaxed: established.relaxed().to_vec(),
                    has_mic: established.has_mic(),
                    steps,
                }
            }
            None => Proved {
                key: None,
                version: NtlmVersion::Anonymous,
                relaxed: alloc::vec![Relaxation::Anonymous],
                has_mic: false,
                steps: Vec::new(),
            },
        };
        let (token, initiator) = answer.send()?;
        let request = state.request(connection, &token)?;
        let pending = request.pending;
        Ok((request, SessionSetup { state, initiator, pending, proved: Some(proved) }))
    }
}

/// The successful response, and what it leads to.
struct Done<'a> {
    connection: &'a Connection,
    header: &'a Header,
    message: &'a [u8],
    response: &'a SessionSetupResponse<'a>,
}

impl Done<'_> {
    fn session(
        &self,
        state: State,
        initiator: Initiator,
        proved: Proved,
    ) -> Result<Session, ClientError> {
        let config = &self.connection.config;
        let identity = self.identity(&proved)?;
        if identity != Identity::Account {
            if config.require_signing {
                return Err(Unavailable::Signing.into());
            }
            if config.require_encryption {
                return Err(Unavailable::Encryption.into());
            }
        }
        let token = self.response.security_buffer.bytes();
        let mech_list_mic = match identity {
            // Its key is not the server's: a mechListMIC cannot hold, nor protect anything.
            Identity::Guest => MechListMic::Absent,
            Identity::Account | Identity::Anonymous if token.is_empty() => {
                initiator.finish_without_token()?.mech_list_mic
            }
            Identity::Account | Identity::Anonymous => match initiator.step(token)? {
                InitiatorStep::Done(initiated) => initiated.mech_list_mic,
                _ => return Err(PeerError::EndedEarly.into()),
            },
        };
        let Proved { key, version, mut relaxed, has_mic, steps } = proved;
        if identity == Identity::Guest {
            relaxed.push(Relaxation::Guest);
        }
        let logon = Logon { identity, version, relaxed, has_mic, mech_list_mic, steps };
        if let Purpose::Again(mut session) = state.purpose {
            // The keys stay (MS-SMB2 3.2.5.3.2); the signature was checked with them.
            session.logon = logon;
            return Ok(*session);
        }
        let source = match (identity, &key) {
            (Identity::Account, Some(key)) => SessionKeySource::Account(key.into()),
            (Identity::Guest, _) => SessionKeySource::Guest,
            _ => SessionKeySource::Anonymous,
        };
        let negotiated = &self.connection.negotiated;
        let establishment = match state.purpose {
            Purpose::Bind(_) => Establishment::Binding,
            Purpose::New | Purpose::Again(_) => Establishment::NewSession,
        };
        let keys = SmbKeySchedule::derive(SmbDerivation {
            dialect: negotiated.dialect,
            signing_algorithm: negotiated.signing_algorithm,
            cipher: negotiated.cipher,
            source,
            preauth_integrity_hash: Some(&state.hash),
            establishment,
        });
        let signer = keys.signing_key().map(|key| Signer::new(negotiated.signing_algorithm, key));
        if let Some(signer) = &signer {
            // Signed in every dialect, whatever was negotiated; under 3.1.1 it is what makes the
            // hash count.
            check(signer, self.header, self.message)?;
        }
        let (ciphers, encrypts) = match state.purpose {
            Purpose::Bind(session) => (session.ciphers, session.encrypts),
            Purpose::New | Purpose::Again(_) => {
                let demanded = self.response.session_flags.contains(SessionFlags::ENCRYPT_DATA);
                (Ciphers::of_schedule(&keys), demanded || config.require_encryption)
            }
        };
        if encrypts && ciphers.is_none() {
            return Err(PeerError::EncryptionWithoutKeys.into());
        }
        let id = state.session_id;
        Ok(Session { id, logon, keys, signer, ciphers, encrypts, channels: 0 })
    }

    /// As whom. Nobody is made somebody else than he proved unless the client was told to allow it.
    fn identity(&self, proved: &Proved) -> Result<Identity, ClientError> {
        let config = &self.connection.config;
        let flags = self.response.session_flags;
        let is_guest = flags.contains(SessionFlags::IS_GUEST);
        match (&proved.key, is_guest, flags.contains(SessionFlags::IS_NULL)) {
            (None, _, _) => Ok(Identity::Anonymous),
            (Some(_), false, false) => Ok(Identity::Account),
            (Some(_), true, false) if config.insecure_allow_guest && !config.require_signing => {
                Ok(Identity::Guest)
            }
            (Some(_), _, _) => Err(PeerError::NotTheAccount.into()),
        }
    }
}
