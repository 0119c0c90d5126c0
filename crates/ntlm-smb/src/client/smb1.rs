//! A connection and a session of SMB1 (MS-CIFS 3.2, MS-SMB 3.2).

use super::config::ClientConfig;
use super::error::{ClientError, PeerError, Unavailable};
use super::session::Logon;
use crate::error::TooLong;
use crate::keys::{Smb1KeySchedule, Smb1KeySource};
use crate::signature_rule::Identity;
use crate::smb1::{
    Action, BareMessage, Capabilities, Command, Credentials, Flags, Flags2, Header,
    NegotiateRequest, NegotiateResponse, SecurityMode, SequenceNumbers, SequenceRule,
    ServerSecurity, SessionSetupRequest, SessionSetupResponse, Signer,
};
use crate::status::NtStatus;
use crate::transport::ProtocolId;
use crate::wire::Part;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{
    ComputedResponses, Derivation, ExportedSessionKey, KeyExchange, KeySchedule, KeySource,
    NtlmVersion, ResponseInputs, ResponseRule,
};
use ntlm::message::{AvId, Ntlmv2ClientChallenge, TargetInfo, TargetInfoBuilder};
use ntlm::policy::{ChallengeTraits, ClientSends, Relaxation};
use ntlm::text::Utf16String;
use ntlm::{Credential, Fresh};
use ntlm_spnego::{Initiator, InitiatorConfig, InitiatorStep, MechListMic};

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
    server_challenge: [u8; 8],
    domain_name: Utf16String,
}

/// A connection of SMB1 after NEGOTIATE. One request is under way at a time.
#[derive(Debug)]
pub struct Smb1Connection {
    config: ClientConfig,
    negotiated: Smb1Negotiated,
    mid: u16,
    uid: u16,
    signing: Option<Signing>,
    session: Option<Smb1Session>,
}

#[derive(Debug)]
struct Signing {
    signer: Signer,
    numbers: SequenceNumbers,
}

#[derive(Debug)]
struct Smb1Session {
    logon: Logon,
    keys: Smb1KeySchedule,
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
    fn signs(&self) -> bool {
        let mode = self.negotiated.security_mode;
        let required = mode.contains(SecurityMode::SECURITY_SIGNATURES_REQUIRED);
        let enabled = mode.contains(SecurityMode::SECURITY_SIGNATURES_ENABLED);
        required || enabled && (self.config.require_signing || self.negotiated.extended_security)
    }

    fn setup_request(&mut self, credentials: Credentials<'_>) -> Result<Smb1Request, ClientError> {
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
fn response(pending: &Smb1Pending, message: &[u8]) -> Result<Option<Header>, ClientError> {
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

fn refused(header: &Header) -> ClientError {
    ClientError::Refused {
        command: header.command.name().unwrap_or("request"),
        status: NtStatus(header.status),
    }
}

/// A SESSION_SETUP_ANDX that waits for a response.
#[derive(Debug)]
pub struct Smb1SessionSetup {
    pending: Smb1Pending,
    /// `None` without extended security.
    initiator: Option<Initiator>,
    proved: Option<Proved>,
}

#[derive(Debug)]
struct Proved {
    logon: Logon,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Exported(ExportedSessionKey),
    Bare(Box<Bare>),
    Nobody,
}

/// The responses of a logon without extended security, and the keys that they lead to.
struct Bare {
    rule: ResponseRule,
    lm_response: Vec<u8>,
    nt_response: Vec<u8>,
    keys: KeySchedule,
}

/// Without the responses: whoever has them can guess at the password.
impl fmt::Debug for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bare").field("rule", &self.rule).finish_non_exhaustive()
    }
}

/// What comes next.
#[derive(Debug)]
pub enum Smb1SetupStep {
    /// The response is still to come.
    NotYet(Smb1SessionSetup),
    /// Now somebody has to prove who he is.
    Respond(Box<Smb1Responding>),
    /// The request goes to the server.
    Continue(Smb1Request, Smb1SessionSetup),
    /// The session stands; the connection has it.
    Done,
}

impl Smb1SessionSetup {
    /// Begins.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn start(connection: &mut Smb1Connection) -> Result<Smb1SetupStep, ClientError> {
        if !connection.negotiated.extended_security {
            return Ok(Smb1SetupStep::Respond(Box::new(Smb1Responding { extended: None })));
        }
        let client = connection.config.ntlm.clone();
        let config = InitiatorConfig { client, ..InitiatorConfig::default() };
        let (token, initiator) = Initiator::start(config);
        Self::send(connection, &token, initiator, None)
    }

    fn send(
        connection: &mut Smb1Connection,
        token: &[u8],
        initiator: Initiator,
        proved: Option<Proved>,
    ) -> Result<Smb1SetupStep, ClientError> {
        let security_blob = Part::new(token);
        let request = connection.setup_request(Credentials::ExtendedSecurity { security_blob })?;
        let setup = Self { pending: request.pending, initiator: Some(initiator), proved };
        Ok(Smb1SetupStep::Continue(request, setup))
    }

    /// Takes a response.
    ///
    /// # Errors
    ///
    /// The server refuses, or did what it may not.
    pub fn receive(
        self,
        connection: &mut Smb1Connection,
        message: &[u8],
    ) -> Result<Smb1SetupStep, ClientError> {
        let Some(header) = response(&self.pending, message)? else {
            return Ok(Smb1SetupStep::NotYet(self));
        };
        let more = NtStatus::MORE_PROCESSING_REQUIRED;
        if header.status != 0 && (NtStatus(header.status) != more || self.initiator.is_none()) {
            BareMessage::decode(message)?;
            return Err(refused(&header));
        }
        let setup = SessionSetupResponse::decode(message)?;
        if header.uid == 0 || (connection.uid != 0 && connection.uid != header.uid) {
            return Err(PeerError::InvalidId.into());
        }
        connection.uid = header.uid;
        let token = setup.security_blob.unwrap_or_default();
        if header.status == 0 {
            self.done(connection, &setup, token.bytes(), message)?;
            return Ok(Smb1SetupStep::Done);
        }
        let initiator = self.initiator.ok_or(PeerError::EndedEarly)?;
        match initiator.step(token.bytes())? {
            InitiatorStep::Respond(responding) => {
                let responding = Smb1Responding { extended: Some(responding) };
                Ok(Smb1SetupStep::Respond(Box::new(responding)))
            }
            InitiatorStep::Continue(token, initiator) => {
                Self::send(connection, &token, initiator, self.proved)
            }
            InitiatorStep::Done(_) | InitiatorStep::Foreign { .. } => {
                Err(PeerError::EndedEarly.into())
            }
        }
    }

    fn done(
        self,
        connection: &mut Smb1Connection,
        setup: &SessionSetupResponse<'_>,
        token: &[u8],
        message: &[u8],
    ) -> Result<(), ClientError> {
        let Proved { mut logon, source } = self.proved.ok_or(PeerError::EndedEarly)?;
        let config = &connection.config;
        if setup.action.contains(Action::GUEST) && logon.identity == Identity::Account {
            if !config.insecure_allow_guest || config.require_signing {
                return Err(PeerError::NotTheAccount.into());
            }
            logon.identity = Identity::Guest;
            logon.relaxed.push(Relaxation::Guest);
        }
        if logon.identity != Identity::Account && config.require_signing {
            return Err(Unavailable::Signing.into());
        }
        if let Some(initiator) = self.initiator
            && logon.identity != Identity::Guest
        {
            let initiated = if token.is_empty() {
                initiator.finish_without_token()?
            } else {
                match initiator.step(token)? {
                    InitiatorStep::Done(initiated) => initiated,
                    _ => return Err(PeerError::EndedEarly.into()),
                }
            };
            logon.mech_list_mic = initiated.mech_list_mic;
        }
        let keys = match (&source, logon.identity) {
            (_, Identity::Guest) => Smb1KeySchedule::derive(&Smb1KeySource::Guest, false),
            (Source::Nobody, _) | (_, Identity::Anonymous) => {
                Smb1KeySchedule::derive(&Smb1KeySource::Anonymous, false)
            }
            (Source::Exported(key), _) => {
                Smb1KeySchedule::derive(&Smb1KeySource::ExtendedSecurity(key), false)
            }
            (Source::Bare(bare), _) => {
                let session_base_key = bare.keys.session_base_key();
                let session_base_key = session_base_key.ok_or(PeerError::EndedEarly)?;
                let source = Smb1KeySource::Responses {
                    version: bare.keys.version(),
                    session_base_key,
                    lm_response: &bare.lm_response,
                    nt_response: &bare.nt_response,
                };
                Smb1KeySchedule::derive(&source, false)
            }
        };
        if let Some(mac_key) = keys.mac_key()
            && connection.signs()
        {
            let signer = Signer::new(mac_key);
            let number = SequenceRule::ACTIVATING_RESPONSE;
            signer.verify(message, number).map_err(PeerError::Signature)?;
            connection.signing = Some(Signing { signer, numbers: SequenceNumbers::activated() });
        }
        connection.session = Some(Smb1Session { logon, keys });
        Ok(())
    }
}

/// A session setup that waits for somebody to prove who he is.
#[derive(Debug)]
pub struct Smb1Responding {
    /// With the CHALLENGE of NTLM, or with the server's nonce of NEGOTIATE.
    extended: Option<ntlm_spnego::Responding>,
}

/// An answer that is ready to be sent.
#[derive(Debug)]
pub struct Smb1Answer(AnswerForm);

#[derive(Debug)]
enum AnswerForm {
    Extended(ntlm_spnego::Answer),
    Bare { user: Utf16String, domain: Utf16String, proof: Option<Box<Bare>> },
}

impl Smb1Responding {
    /// Answers with a proof.
    ///
    /// # Errors
    ///
    /// The CHALLENGE is not to be answered.
    pub fn respond(
        self,
        connection: &Smb1Connection,
        credential: &Credential,
        fresh: Fresh,
    ) -> Result<Smb1Answer, ClientError> {
        Ok(Smb1Answer(match self.extended {
            Some(responding) => AnswerForm::Extended(responding.respond(credential, fresh)?),
            None => {
                let (user, domain) = credential.name.fields();
                let proof = Some(Box::new(bare(connection, credential, fresh)?));
                AnswerForm::Bare { user, domain, proof }
            }
        }))
    }

    /// Answers without one.
    ///
    /// # Errors
    ///
    /// The CHALLENGE is not to be answered.
    pub fn respond_anonymously(self, fresh: Fresh) -> Result<Smb1Answer, ClientError> {
        Ok(Smb1Answer(match self.extended {
            Some(responding) => AnswerForm::Extended(responding.respond_anonymously(fresh)?),
            None => {
                let (user, domain) = Default::default();
                AnswerForm::Bare { user, domain, proof: None }
            }
        }))
    }
}

impl Smb1Answer {
    /// The request goes to the server.
    ///
    /// # Errors
    ///
    /// The CHALLENGE did not grant what SPNEGO needs, or a part is too long.
    pub fn send(
        self,
        connection: &mut Smb1Connection,
    ) -> Result<(Smb1Request, Smb1SessionSetup), ClientError> {
        let keep_keys = connection.config.keep_keys;
        match self.0 {
            AnswerForm::Extended(answer) => {
                let proved = match answer.established() {
                    Some(established) => Proved {
                        logon: Logon {
                            has_mic: established.has_mic(),
                            ..logon_of(established.keys(), established.relaxed(), keep_keys)
                        },
                        source: Source::Exported(
                            established.keys().exported_session_key().duplicate(),
                        ),
                    },
                    None => Proved { logon: nobody(), source: Source::Nobody },
                };
                let (token, initiator) = answer.send()?;
                let credentials =
                    Credentials::ExtendedSecurity { security_blob: Part::new(&token) };
                let request = connection.setup_request(credentials)?;
                let (initiator, proved) = (Some(initiator), Some(proved));
                let setup = Smb1SessionSetup { pending: request.pending, initiator, proved };
                Ok((request, setup))
            }
            AnswerForm::Bare { user, domain, proof } => {
                let (user, domain) = (user.to_le_bytes(), domain.to_le_bytes());
                let (lm, nt): (&[u8], &[u8]) = proof
                    .as_ref()
                    .map_or((&[], &[]), |bare| (&bare.lm_response, &bare.nt_response));
                let request = connection.setup_request(Credentials::Responses {
                    oem_password: Part::new(lm),
                    unicode_password: Part::new(nt),
                    account_name: Part::new(&user),
                    primary_domain: Part::new(&domain),
                })?;
                let proved = match proof {
                    Some(bare) => {
                        let relaxed: &[Relaxation] = match bare.rule {
                            ResponseRule::Ntlmv1 | ResponseRule::Ntlmv1Ess => &[Relaxation::Ntlmv1],
                            ResponseRule::Ntlmv1AndLm => &[Relaxation::Ntlmv1, Relaxation::Lm],
                            _ => &[],
                        };
                        let logon = logon_of(&bare.keys, relaxed, keep_keys);
                        Proved { logon, source: Source::Bare(bare) }
                    }
                    None => Proved { logon: nobody(), source: Source::Nobody },
                };
                let proved = Some(proved);
                let setup = Smb1SessionSetup { pending: request.pending, initiator: None, proved };
                Ok((request, setup))
            }
        }
    }
}

fn logon_of(keys: &KeySchedule, relaxed: &[Relaxation], keep_keys: bool) -> Logon {
    Logon {
        identity: Identity::Account,
        version: keys.version(),
        relaxed: relaxed.to_vec(),
        has_mic: false,
        mech_list_mic: MechListMic::Absent,
        steps: if keep_keys { keys.steps().collect() } else { Vec::new() },
    }
}

fn nobody() -> Logon {
    Logon {
        identity: Identity::Anonymous,
        version: NtlmVersion::Anonymous,
        relaxed: alloc::vec![Relaxation::Anonymous],
        has_mic: false,
        mech_list_mic: MechListMic::Absent,
        steps: Vec::new(),
    }
}

/// Responses to the nonce of NEGOTIATE, by the policy's rule for a CHALLENGE that grants nothing.
fn bare(
    connection: &Smb1Connection,
    credential: &Credential,
    fresh: Fresh,
) -> Result<Bare, ClientError> {
    let policy = &connection.config.ntlm.policy;
    if policy.blocks(connection.config.ntlm.target_name.as_ref()) {
        return Err(ClientError::Ntlm(ntlm::Misuse::Blocked.into()));
    }
    let rule = policy.response_rule(ChallengeTraits::default());
    let (user, domain) = credential.name.fields();
    let temp = if policy.sends == ClientSends::Ntlmv2 {
        // There is no TargetInfo to send back: the name of NEGOTIATE stands in.
        let list = TargetInfoBuilder::new()
            .text(AvId::NB_DOMAIN_NAME, &connection.negotiated.domain_name)
            .finish()
            .map_err(|_| TooLong { field: "AvPairs" })?;
        Ntlmv2ClientChallenge::encode(fresh.now, fresh.nonce, TargetInfo::new(&list))
    } else {
        Vec::new()
    };
    let server_challenge = connection.negotiated.server_challenge;
    let ComputedResponses { lm: lm_response, nt: nt_response, proof } = rule.compute(
        &credential.secret,
        &ResponseInputs {
            server_challenge,
            client_challenge: fresh.nonce,
            user: user.as_units(),
            domain: domain.as_units(),
            temp: &temp,
        },
    );
    // No NTLM messages, so no flags: nothing is exchanged, and SessionBaseKey is the key.
    let negotiate_flags = NegotiateFlags::empty();
    let keys = KeySchedule::derive(Derivation {
        negotiate_flags,
        server_challenge,
        lm_challenge_response: &lm_response,
        source: KeySource::Proof(proof),
        key_exchange: KeyExchange::drawn(negotiate_flags, fresh.random_session_key),
    });
    Ok(Bare { rule, lm_response, nt_response, keys })
}
