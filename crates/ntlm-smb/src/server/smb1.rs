//! A connection of SMB1 after NEGOTIATE: session setup with and without extended security, and
//! signing (MS-CIFS 3.3, MS-SMB 3.3).

use super::config::ServerConfig;
use super::error::{PeerError, RefusalReason};
use super::judging::{Judging, Smb1Judging, Smb1Turn, Smb1Waits, Waits};
use super::logon::{LoggedOn, Logon, Refusal, Refused, SetupKind, token_status};
use super::sessions::Sessions;
use super::step::{Smb1Request, Step, response};
use crate::keys::{Smb1KeySchedule, Smb1KeySource};
use crate::signature_rule::Identity;
use crate::smb1::{
    Action, BareMessage, Blocks, Capabilities, Command, Credentials, Echo, Flags2, Header,
    NegotiateNtLm, SecurityMode, SequenceNumbers, SequenceRule, ServerSecurity,
    SessionSetupRequest, SessionSetupResponse, Signer,
};
use crate::transport::ProtocolId;
use crate::wire::Part;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ntlm::keys::{ExportedSessionKey, NtlmVersion, Responses, SessionBaseKey};
use ntlm::policy::Relaxation;
use ntlm::text::Utf16String;
use ntlm::{Fresh, LogonOutcome, NtStatus};
use ntlm_spnego::{AcceptedLogon, Acceptor, AcceptorConfig, AcceptorStep, MechListMic};

#[derive(Debug)]
pub(super) struct Smb1 {
    config: Arc<ServerConfig>,
    /// Whether session setup carries GSS tokens.
    extended_security: bool,
    /// What responses without extended security answer, all of the connection.
    server_challenge: [u8; 8],
    /// By UID.
    sessions: BTreeMap<u16, Session>,
    /// By UID; those that are judged are not among them.
    setups: BTreeMap<u16, Acceptor>,
    /// How many are being judged.
    judged: usize,
    last_uid: u16,
    signing: Option<Signing>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    id: u64,
    identity: Identity,
}

#[derive(Debug)]
struct Signing {
    signer: Signer,
    numbers: SequenceNumbers,
}

/// Answers an SMB1 NEGOTIATE with NT LM 0.12 at `dialect_index`; `None` where the client has no
/// extended security and the server insists on it.
pub(super) fn negotiate(
    config: &Arc<ServerConfig>,
    header: &Header,
    dialect_index: u16,
    fresh: &Fresh,
) -> Result<Option<(Vec<u8>, Smb1)>, PeerError> {
    let extended_security = header.flags2.contains(Flags2::EXTENDED_SECURITY);
    if config.require_encryption || !extended_security && !config.insecure_bare_session_setup {
        return Ok(None);
    }
    let server_challenge = fresh.nonce;
    let hint = AcceptorConfig::default().hint();
    let mut security_mode = SecurityMode::USER_SECURITY
        | SecurityMode::ENCRYPT_PASSWORDS
        | SecurityMode::SECURITY_SIGNATURES_ENABLED;
    security_mode.set(SecurityMode::SECURITY_SIGNATURES_REQUIRED, config.require_signing);
    let mut capabilities = Capabilities::UNICODE
        | Capabilities::LARGE_FILES
        | Capabilities::NT_SMBS
        | Capabilities::STATUS32;
    capabilities.set(Capabilities::EXTENDED_SECURITY, extended_security);
    let security = if extended_security {
        let security_blob = Part::new(&hint);
        ServerSecurity::Extended { server_guid: config.server_guid, security_blob }
    } else {
        let (domain_name, server_name) = (Part::default(), Part::default());
        let challenge = Part::new(&server_challenge);
        ServerSecurity::Challenge { challenge, domain_name, server_name }
    };
    let answer = NegotiateNtLm {
        dialect_index,
        security_mode,
        max_mpx_count: 1,
        max_number_vcs: 1,
        max_buffer_size: 16_644,
        max_raw_size: 0,
        session_key: 0,
        capabilities,
        system_time: fresh.now,
        server_time_zone: 0,
        security,
    };
    let message = answer.encode(&response(header, NtStatus::SUCCESS))?;
    let smb1 = Smb1 {
        config: Arc::clone(config),
        extended_security,
        server_challenge,
        sessions: BTreeMap::new(),
        setups: BTreeMap::new(),
        judged: 0,
        last_uid: 0,
        signing: None,
    };
    Ok(Some((message, smb1)))
}

impl Smb1 {
    pub(super) fn has_session(&self) -> bool {
        !self.sessions.is_empty()
    }

    pub(super) fn close(self, sessions: &mut Sessions) {
        self.sessions.into_values().for_each(|session| sessions.end_smb1(session.id));
    }

    pub(super) fn receive(
        &mut self,
        sessions: &mut Sessions,
        packet: Vec<u8>,
        fresh: Fresh,
    ) -> Result<Step, PeerError> {
        if ProtocolId::of(&packet) != Some(ProtocolId::Smb1) {
            return Err(PeerError::WrongProtocol);
        }
        let header = Header::decode(&packet)?;
        if header.is_response() {
            return Err(PeerError::NotARequest);
        }
        let mut sequence_number = None;
        if let Some(signing) = &mut self.signing {
            let number = signing.numbers.number(&header).ok_or(PeerError::Signature)?;
            signing.signer.verify(&packet, number).map_err(|_| PeerError::Signature)?;
            sequence_number = Some(number.wrapping_add(1));
        }
        let turn = Smb1Turn { header, sequence_number };
        // Several commands in one message: no client of today does, and half of it would be worse.
        if Blocks::new(&packet)?.nth(1).is_some() {
            return self.refuse_request(&turn, NtStatus::NOT_SUPPORTED);
        }
        match header.command {
            Command::NEGOTIATE => Err(PeerError::NegotiatedBefore),
            // Nothing here takes long enough to be cancelled.
            Command::NT_CANCEL => Ok(Step::Nothing),
            Command::SESSION_SETUP_ANDX => self.session_setup(sessions, &packet, turn, fresh),
            Command::ECHO => {
                let Ok(echo) = Echo::decode(&packet) else {
                    return self.refuse_request(&turn, NtStatus::INVALID_PARAMETER);
                };
                if echo.number == 0 {
                    return Ok(Step::Nothing);
                }
                let answer = Echo { number: 1, data: echo.data };
                let answer = answer.encode(&response(&header, NtStatus::SUCCESS))?;
                self.sign(sequence_number, answer).map(Step::Reply)
            }
            _ => {
                let Some(session) = self.sessions.get(&header.uid).copied() else {
                    return self.refuse_request(&turn, NtStatus::SMB_BAD_UID);
                };
                if header.command == Command::LOGOFF_ANDX {
                    self.sessions.remove(&header.uid);
                    sessions.end_smb1(session.id);
                    let answer = BareMessage.encode(&response(&header, NtStatus::SUCCESS))?;
                    return self.sign(sequence_number, answer).map(Step::Reply);
                }
                let Session { id: session_id, identity } = session;
                let message = packet;
                let request =
                    Smb1Request { header, message, session_id, identity, sequence_number };
                Ok(Step::Smb1Request(Box::new(request)))
            }
        }
    }

    /// An answer as it goes to the client.
    pub(super) fn reply(
        &self,
        request: &Smb1Request,
        answer: Vec<u8>,
    ) -> Result<Vec<u8>, PeerError> {
        self.sign(request.sequence_number, answer)
    }

    fn refuse_request(&self, turn: &Smb1Turn, status: NtStatus) -> Result<Step, PeerError> {
        let answer = BareMessage.encode(&response(&turn.header, status))?;
        self.sign(turn.sequence_number, answer).map(Step::Reply)
    }

    fn sign(&self, number: Option<u32>, mut message: Vec<u8>) -> Result<Vec<u8>, PeerError> {
        if let (Some(signing), Some(number)) = (&self.signing, number) {
            signing.signer.sign(&mut message, number)?;
        }
        Ok(message)
    }

    fn session_setup(
        &mut self,
        sessions: &mut Sessions,
        message: &[u8],
        turn: Smb1Turn,
        fresh: Fresh,
    ) -> Result<Step, PeerError> {
        let invalid = NtStatus::INVALID_PARAMETER;
        let request = match SessionSetupRequest::decode(message) {
            Ok(request) => request,
            Err(error) => return self.refuse(turn, (invalid, RefusalReason::Decode(error))),
        };
        let uid = turn.header.uid;
        let known = self.setups.remove(&uid);
        let count = self.sessions.len() + self.setups.len() + self.judged;
        if known.is_none() && count >= self.config.max_sessions {
            let refused = (NtStatus::INSUFFICIENT_RESOURCES, RefusalReason::TooManySessions);
            return self.refuse(turn, refused);
        }
        match (request.credentials, self.extended_security) {
            (Credentials::ExtendedSecurity { security_blob }, true) => {
                let uid = if known.is_some() { uid } else { self.new_uid() };
                let new = || Acceptor::new(self.config.ntlm.clone(), AcceptorConfig::default());
                let acceptor = known.unwrap_or_else(new);
                let mut turn = turn;
                turn.header.uid = uid;
                match acceptor.step(security_blob.bytes(), fresh) {
                    Ok(AcceptorStep::Judge(logon, waiting)) => {
                        let judging = Smb1Judging {
                            session_id: sessions.new_id(),
                            turn,
                            waits: Smb1Waits::Extended(waiting),
                        };
                        let judging = Judging(Waits::Smb1(Box::new(judging)));
                        self.judged += 1;
                        Ok(Step::Judge(Box::new(logon), Box::new(judging)))
                    }
                    Ok(step) => self.go_on(turn, None, step),
                    Err(error) => {
                        self.refuse(turn, (token_status(&error), RefusalReason::Token(error)))
                    }
                }
            }
            (
                Credentials::Responses {
                    oem_password,
                    unicode_password,
                    account_name,
                    primary_domain,
                },
                false,
            ) if request.unicode => {
                let text = |part: Part<'_>| Utf16String::from_le_bytes(part.bytes());
                let (Ok(user), Ok(domain)) = (text(account_name), text(primary_domain)) else {
                    return self.refuse(turn, (invalid, RefusalReason::BareSessionSetup));
                };
                let responses = Responses {
                    server_challenge: self.server_challenge,
                    lm: oem_password.bytes(),
                    nt: unicode_password.bytes(),
                    user: user.as_units(),
                    domain: domain.as_units(),
                    extended_session_security: false,
                };
                let server = self.config.ntlm.clone();
                match server.receive_responses(&responses, fresh.now) {
                    Ok(logon) => {
                        let uid = self.new_uid();
                        let mut turn = turn;
                        turn.header.uid = uid;
                        let waits = Smb1Waits::Bare {
                            lm_response: oem_password.bytes().to_vec(),
                            nt_response: unicode_password.bytes().to_vec(),
                        };
                        let session_id = sessions.new_id();
                        let judging = Smb1Judging { session_id, turn, waits };
                        let judging = Judging(Waits::Smb1(Box::new(judging)));
                        self.judged += 1;
                        Ok(Step::Judge(Box::new(logon), Box::new(judging)))
                    }
                    Err(error) => {
                        let error = ntlm_spnego::PeerError::Ntlm(error);
                        self.refuse(turn, (token_status(&error), RefusalReason::Token(error)))
                    }
                }
            }
            // The form that was not negotiated, or no Unicode.
            _ => self.refuse(turn, (invalid, RefusalReason::BareSessionSetup)),
        }
    }

    fn new_uid(&mut self) -> u16 {
        loop {
            self.last_uid = self.last_uid.wrapping_add(1);
            let uid = self.last_uid;
            let is_used = self.sessions.contains_key(&uid) || self.setups.contains_key(&uid);
            if uid != 0 && uid != u16::MAX && !is_used {
                return uid;
            }
        }
    }

    pub(super) fn settle(
        &mut self,
        judging: Smb1Judging,
        judged: Result<LogonOutcome, NtStatus>,
    ) -> Result<Step, PeerError> {
        let Smb1Judging { session_id, turn, waits } = judging;
        self.judged = self.judged.saturating_sub(1);
        let outcome = match judged {
            Ok(outcome) => outcome,
            Err(status) => return self.refuse(turn, (status, RefusalReason::Judged)),
        };
        let mut logon = Logon::new(&outcome, self.config.keep_keys);
        match waits {
            Smb1Waits::Extended(waiting) => match waiting.settle(outcome) {
                Ok(step) => self.go_on(turn, Some((session_id, logon)), step),
                Err(error) => {
                    self.refuse(turn, (token_status(&error), RefusalReason::Token(error)))
                }
            },
            Smb1Waits::Bare { lm_response, nt_response } => {
                logon.relaxed.push(Relaxation::BareResponses);
                let key = match &outcome {
                    LogonOutcome::Account(account) => {
                        let key = account.keys().session_base_key();
                        key.map(|key| SessionBaseKey::new(*key.expose()))
                    }
                    _ => None,
                };
                let version = logon.version;
                let proved = Proved {
                    token: None,
                    mech_list_mic: MechListMic::NoList,
                    source: key.map_or(Source::None, |key| Source::Responses {
                        version,
                        key,
                        lm_response,
                        nt_response,
                    }),
                };
                self.logged_on(session_id, logon, turn, proved)
            }
        }
    }

    fn go_on(
        &mut self,
        turn: Smb1Turn,
        judged: Option<(u64, Logon)>,
        step: AcceptorStep,
    ) -> Result<Step, PeerError> {
        match (step, judged) {
            // Nobody is to be remembered yet.
            (AcceptorStep::Continue(token, acceptor), None) => {
                let status = NtStatus::MORE_PROCESSING_REQUIRED;
                let answer = encode(&turn, status, Action::empty(), Some(&token))?;
                self.setups.insert(turn.header.uid, acceptor);
                self.sign(turn.sequence_number, answer).map(Step::Reply)
            }
            (AcceptorStep::Done(accepted), Some((session_id, logon))) => {
                let source = match &accepted.logon {
                    AcceptedLogon::Account(session) => {
                        let key = session.exported_session_key();
                        key.map_or(Source::None, |key| Source::Exported(key.duplicate()))
                    }
                    AcceptedLogon::Guest(_) | AcceptedLogon::Anonymous(_) => Source::None,
                };
                let proved = Proved {
                    token: Some(accepted.token),
                    mech_list_mic: accepted.mech_list_mic,
                    source,
                };
                self.logged_on(session_id, logon, turn, proved)
            }
            // A mechListMIC that is due and did not come, which no client of SMB1 is known to do.
            _ => {
                let error = ntlm_spnego::PeerError::MechListMicMissing;
                self.refuse(turn, (NtStatus::LOGON_FAILURE, RefusalReason::Token(error)))
            }
        }
    }

    fn logged_on(
        &mut self,
        session_id: u64,
        logon: Logon,
        turn: Smb1Turn,
        proved: Proved,
    ) -> Result<Step, PeerError> {
        let Proved { token, mech_list_mic, source } = proved;
        let identity = logon.identity;
        let flags2 = turn.header.flags2;
        let required =
            self.config.require_signing || flags2.contains(Flags2::SECURITY_SIGNATURE_REQUIRED);
        if identity != Identity::Account && required {
            return self.refuse(turn, (NtStatus::ACCESS_DENIED, RefusalReason::NoKey));
        }
        let keys = source.keys();
        let mut action = Action::empty();
        action.set(Action::GUEST, identity == Identity::Guest);
        let mut answer = encode(&turn, NtStatus::SUCCESS, action, token.as_deref())?;
        // Once on a connection, by its first account (MS-SMB 3.3.5.3).
        let signs = required || flags2.contains(Flags2::SECURITY_SIGNATURE);
        match (&self.signing, keys.mac_key()) {
            (None, Some(mac_key)) if signs => {
                let signer = Signer::new(mac_key);
                signer.sign(&mut answer, SequenceRule::ACTIVATING_RESPONSE)?;
                self.signing = Some(Signing { signer, numbers: SequenceNumbers::activated() });
            }
            _ => answer = self.sign(turn.sequence_number, answer)?,
        }
        self.sessions.insert(turn.header.uid, Session { id: session_id, identity });
        let keep_keys = self.config.keep_keys;
        let steps = if keep_keys { keys.steps().collect() } else { Vec::new() };
        let signing_required = self.signing.is_some();
        let kind = SetupKind::New;
        let encrypts = false;
        let logged_on =
            LoggedOn { session_id, kind, logon, mech_list_mic, signing_required, encrypts, steps };
        Ok(Step::LoggedOn(answer, Box::new(logged_on)))
    }

    fn refuse(&self, turn: Smb1Turn, (status, reason): Refused) -> Result<Step, PeerError> {
        let answer = BareMessage.encode(&response(&turn.header, status))?;
        let answer = self.sign(turn.sequence_number, answer)?;
        Ok(Step::Refused(answer, Refusal { status, reason }))
    }
}

/// What a logon left.
struct Proved {
    /// `None` without extended security.
    token: Option<Vec<u8>>,
    mech_list_mic: MechListMic,
    source: Source,
}

enum Source {
    /// Guest and anonymous.
    None,
    Exported(ExportedSessionKey),
    Responses {
        version: NtlmVersion,
        key: SessionBaseKey,
        lm_response: Vec<u8>,
        nt_response: Vec<u8>,
    },
}

impl Source {
    fn keys(&self) -> Smb1KeySchedule {
        let source = match self {
            Self::None => Smb1KeySource::Anonymous,
            Self::Exported(key) => Smb1KeySource::ExtendedSecurity(key),
            Self::Responses { version, key, lm_response, nt_response } => {
                Smb1KeySource::Responses {
                    version: *version,
                    session_base_key: key,
                    lm_response,
                    nt_response,
                }
            }
        };
        Smb1KeySchedule::derive(&source, false)
    }
}

fn encode(
    turn: &Smb1Turn,
    status: NtStatus,
    action: Action,
    token: Option<&[u8]>,
) -> Result<Vec<u8>, PeerError> {
    let message = SessionSetupResponse {
        action,
        security_blob: token.map(Part::new),
        native_os: Part::default(),
        native_lan_man: Part::default(),
        primary_domain: Part::default(),
        unicode: true,
    };
    Ok(message.encode(&response(&turn.header, status))?)
}
