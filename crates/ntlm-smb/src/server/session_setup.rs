//! SESSION_SETUP: a session made, authenticated again, or joined by another connection (MS-SMB2
//! 3.3.5.5).

use super::channel::{Channel, Ciphers};
use super::error::{PeerError, RefusalReason};
use super::judging::{Judging, Pending, Setup, Smb2Judging, Smb2Turn, Waits};
use super::logon::{LoggedOn, Logon, Refusal, Refused, SetupKind, token_status};
use super::requests::{Requests, error_response};
use super::sessions::{Sessions, SharedSession};
use super::smb2::{Admitted, Smb2};
use super::step::Step;
use crate::dialect::{Dialect, SigningAlgorithm};
use crate::keys::{CipherKey, Establishment, SessionKeySource, SmbDerivation, SmbKeySchedule};
use crate::signature_rule::Identity;
use crate::signing::Signer;
use crate::smb2::{
    Header, SecurityMode, SessionFlags, SessionSetupFlags, SessionSetupRequest,
    SessionSetupResponse,
};
use crate::wire::Part;
use alloc::boxed::Box;
use alloc::vec::Vec;
use ntlm::keys::Direction;
use ntlm::{Fresh, LogonOutcome, NtStatus};
use ntlm_spnego::{Accepted, AcceptedLogon, Acceptor, AcceptorConfig, AcceptorStep, MechListMic};

impl Smb2 {
    pub(super) fn session_setup(
        &mut self,
        sessions: &mut Sessions,
        requests: &Requests,
        admitted: Admitted,
        fresh: Fresh,
    ) -> Result<Step, PeerError> {
        let Admitted { header, response, span, .. } = admitted;
        let message = requests.bytes(span);
        let has_key_of_another = self.signer_of_another(sessions, &header, message).is_some();
        let encrypted = requests.encrypted;
        let mut turn = Smb2Turn { header, response, encrypted, has_key_of_another };
        let request = match SessionSetupRequest::decode(message) {
            Ok(request) => request,
            Err(error) => {
                let refused = (NtStatus::INVALID_PARAMETER, RefusalReason::Decode(error));
                return self.refuse(sessions, None, turn, refused);
            }
        };
        let mut setup = match self.begin(sessions, &turn, &request, message) {
            Ok(setup) => setup,
            Err(refused) => return self.refuse(sessions, None, turn, refused),
        };
        turn.response.session_id = setup.session_id;
        if setup.kind != SetupKind::Again {
            setup.hash = setup.hash.after(message);
        }
        let Some(acceptor) = setup.acceptor.take() else {
            let refused = (NtStatus::INVALID_PARAMETER, RefusalReason::OutOfOrder);
            return self.refuse(sessions, Some(&setup), turn, refused);
        };
        match acceptor.step(request.security_buffer.bytes(), fresh) {
            Ok(AcceptorStep::Judge(logon, waiting)) => {
                self.setups.insert(setup.session_id, Pending::Judged);
                let judging = Judging(Waits::Smb2(Box::new(Smb2Judging { setup, waiting, turn })));
                Ok(Step::Judge(Box::new(logon), Box::new(judging)))
            }
            Ok(step) => self.go_on(sessions, setup, turn, step),
            Err(error) => {
                let refused = (token_status(&error), RefusalReason::Token(error));
                self.refuse(sessions, Some(&setup), turn, refused)
            }
        }
    }

    pub(super) fn settle(
        &mut self,
        sessions: &mut Sessions,
        judging: Smb2Judging,
        judged: Result<LogonOutcome, NtStatus>,
    ) -> Result<Step, PeerError> {
        let Smb2Judging { mut setup, waiting, turn } = judging;
        self.setups.remove(&setup.session_id);
        let outcome = match judged {
            Ok(outcome) => outcome,
            Err(status) => {
                let refused = (status, RefusalReason::Judged);
                return self.refuse(sessions, Some(&setup), turn, refused);
            }
        };
        setup.logon = Some(Logon::new(&outcome, self.config.keep_keys));
        match waiting.settle(outcome) {
            Ok(step) => self.go_on(sessions, setup, turn, step),
            Err(error) => {
                let refused = (token_status(&error), RefusalReason::Token(error));
                self.refuse(sessions, Some(&setup), turn, refused)
            }
        }
    }

    /// The setup that a request begins or goes on with.
    fn begin(
        &mut self,
        sessions: &mut Sessions,
        turn: &Smb2Turn,
        request: &SessionSetupRequest<'_>,
        message: &[u8],
    ) -> Result<Box<Setup>, Refused> {
        let header = &turn.header;
        let session_id = header.session_id;
        let binds = request.flags.contains(SessionSetupFlags::BINDING);
        if binds {
            self.check_binding(sessions, turn)?;
        }
        match self.setups.remove(&session_id) {
            Some(Pending::Waiting(setup)) if binds == (setup.kind == SetupKind::Binding) => {
                if setup.kind == SetupKind::Again {
                    self.check_again(sessions, turn, message)?;
                } else if header.is_signed() && !binds {
                    return Err((NtStatus::ACCESS_DENIED, RefusalReason::Signature));
                }
                return Ok(setup);
            }
            Some(pending) => {
                if matches!(pending, Pending::Judged) {
                    self.setups.insert(session_id, pending);
                }
                return Err((NtStatus::REQUEST_NOT_ACCEPTED, RefusalReason::OutOfOrder));
            }
            None => {}
        }
        let is_again = !binds && self.channel(sessions, session_id).is_some();
        let kind = match (session_id, binds, is_again) {
            (_, true, _) => SetupKind::Binding,
            (_, _, true) => {
                self.check_again(sessions, turn, message)?;
                SetupKind::Again
            }
            (0, false, false) => SetupKind::New,
            _ => return Err((NtStatus::USER_SESSION_DELETED, RefusalReason::NoSession)),
        };
        self.channels.retain(|session_id, _| sessions.get(*session_id).is_some());
        if !is_again && self.channels.len() + self.setups.len() >= self.config.max_sessions {
            let status = NtStatus::INSUFFICIENT_RESOURCES;
            return Err((status, RefusalReason::TooManySessions));
        }
        let client_requires =
            u16::from(request.security_mode) & SecurityMode::SIGNING_REQUIRED.bits() != 0
                || self.negotiated.client_security_mode.contains(SecurityMode::SIGNING_REQUIRED);
        let acceptor = Acceptor::new(self.config.ntlm.clone(), AcceptorConfig::default());
        Ok(Box::new(Setup {
            session_id: if session_id == 0 { sessions.new_id() } else { session_id },
            kind,
            hash: self.hash,
            acceptor: Some(acceptor),
            logon: None,
            signing_required: client_requires || self.config.require_signing,
            previous_session_id: request.previous_session_id,
        }))
    }

    /// Whether the connection may join the session that a request names (MS-SMB2 3.3.5.5). The order
    /// is that of Windows, as smbtorture has it: first how the request is signed, which is as the
    /// session signs; ClientGuid does not count, for whoever has the session's key is its client.
    fn check_binding(&self, sessions: &Sessions, turn: &Smb2Turn) -> Result<(), Refused> {
        let refuse = |status, why| Err((status, RefusalReason::Binding(why)));
        let header = &turn.header;
        let negotiated = &self.negotiated;
        let session = sessions.get(header.session_id);
        if let Some(session) = session.filter(|_| header.is_signed()) {
            let gmac = SigningAlgorithm::AesGmac;
            match (session.signing_algorithm == gmac, negotiated.signing_algorithm == gmac) {
                (true, false) => {
                    let status = NtStatus::REQUEST_OUT_OF_SEQUENCE;
                    return refuse(status, "the session signs with AES-GMAC");
                }
                (false, true) => {
                    let status = NtStatus::NOT_SUPPORTED;
                    return refuse(status, "the session does not sign with AES-GMAC");
                }
                _ => {}
            }
        }
        if negotiated.dialect < Dialect::Smb300 || !self.config.multi_channel {
            return refuse(NtStatus::REQUEST_NOT_ACCEPTED, "no multichannel");
        }
        let no_session = (NtStatus::USER_SESSION_DELETED, RefusalReason::NoSession);
        let session = session.ok_or(no_session)?;
        if self.channels.contains_key(&header.session_id) {
            return refuse(NtStatus::REQUEST_NOT_ACCEPTED, "the connection has it already");
        }
        if session.dialect != negotiated.dialect {
            return refuse(NtStatus::INVALID_PARAMETER, "another dialect");
        }
        if session.cipher != negotiated.cipher {
            return refuse(NtStatus::INVALID_PARAMETER, "another cipher");
        }
        if session.signing_key.is_none() {
            return refuse(NtStatus::NOT_SUPPORTED, "guest or anonymous");
        }
        if !header.is_signed() {
            return refuse(NtStatus::INVALID_PARAMETER, "not signed");
        }
        if !turn.has_key_of_another {
            return Err((NtStatus::ACCESS_DENIED, RefusalReason::Signature));
        }
        Ok(())
    }

    /// Whoever authenticates again must have the keys of the session, where it has any.
    fn check_again(
        &self,
        sessions: &Sessions,
        turn: &Smb2Turn,
        message: &[u8],
    ) -> Result<(), Refused> {
        let channel = self.channel(sessions, turn.header.session_id);
        let signer = channel.and_then(|channel| channel.signer.as_ref());
        let Some(signer) = signer.filter(|_| turn.encrypted.is_none()) else { return Ok(()) };
        let required = channel.is_some_and(|channel| channel.signing_required);
        let holds =
            if turn.header.is_signed() || required { signer.verify(message).is_ok() } else { true };
        if holds { Ok(()) } else { Err((NtStatus::ACCESS_DENIED, RefusalReason::Signature)) }
    }

    fn go_on(
        &mut self,
        sessions: &mut Sessions,
        mut setup: Box<Setup>,
        turn: Smb2Turn,
        step: AcceptorStep,
    ) -> Result<Step, PeerError> {
        match step {
            AcceptorStep::Continue(token, acceptor) => {
                setup.acceptor = Some(acceptor);
                let status = NtStatus::MORE_PROCESSING_REQUIRED;
                let header = Header { status, ..turn.response };
                let reply = encode(&header, SessionFlags::empty(), &token)?;
                let reply = self.protect(sessions, setup.kind, &turn, reply)?;
                setup.hash = setup.hash.after_session_setup_response(status, &reply);
                self.setups.insert(setup.session_id, Pending::Waiting(setup));
                Ok(Step::Reply(reply))
            }
            AcceptorStep::Done(accepted) => match self.establish(sessions, &setup, accepted) {
                Ok((accepted, keys)) => self.logged_on(sessions, setup, &turn, accepted, keys),
                Err(refused) => self.refuse(sessions, Some(&setup), turn, refused),
            },
            // The judge was asked before, and there is one mechanism.
            AcceptorStep::Judge(..) | AcceptorStep::Foreign { .. } => {
                let refused = (NtStatus::NOT_SUPPORTED, RefusalReason::Mechanism);
                self.refuse(sessions, Some(&setup), turn, refused)
            }
        }
    }

    /// Makes the session, or joins it.
    fn establish(
        &mut self,
        sessions: &mut Sessions,
        setup: &Setup,
        accepted: Accepted,
    ) -> Result<(Proved, Option<SmbKeySchedule>), Refused> {
        let Accepted { token, logon: accepted, mech_list_mic } = accepted;
        let logon = setup.logon.as_ref();
        let logon = logon.ok_or((NtStatus::INVALID_PARAMETER, RefusalReason::OutOfOrder))?;
        let (identity, source) = match &accepted {
            AcceptedLogon::Account(session) => {
                let key = session.exported_session_key();
                let key = key.ok_or((NtStatus::LOGON_FAILURE, RefusalReason::NoKey))?;
                (Identity::Account, SessionKeySource::Account(key.into()))
            }
            AcceptedLogon::Guest(_) => (Identity::Guest, SessionKeySource::Guest),
            AcceptedLogon::Anonymous(_) => (Identity::Anonymous, SessionKeySource::Anonymous),
        };
        let config = &self.config;
        if identity != Identity::Account && (setup.signing_required || config.require_encryption) {
            return Err((NtStatus::ACCESS_DENIED, RefusalReason::NoKey));
        }
        if config.require_encryption && self.negotiated.cipher.is_none() {
            return Err((NtStatus::ACCESS_DENIED, RefusalReason::Encryption));
        }
        let proved = Proved { token, mech_list_mic };
        let no_session = (NtStatus::USER_SESSION_DELETED, RefusalReason::NoSession);
        let establishment = match setup.kind {
            SetupKind::Again => {
                // The keys stay, and are the proof that it is still the same client (MS-SMB2
                // 3.3.5.5.3).
                let session = sessions.get_mut(setup.session_id).ok_or(no_session)?;
                session.identity = identity;
                (session.user, session.domain) = (logon.user.clone(), logon.domain.clone());
                return Ok((proved, None));
            }
            SetupKind::New => Establishment::NewSession,
            SetupKind::Binding => Establishment::Binding,
        };
        let negotiated = &self.negotiated;
        let keys = SmbKeySchedule::derive(SmbDerivation {
            dialect: negotiated.dialect,
            signing_algorithm: negotiated.signing_algorithm,
            cipher: negotiated.cipher,
            source,
            preauth_integrity_hash: Some(&setup.hash),
            establishment,
        });
        let signer = keys.signing_key().map(|key| Signer::new(negotiated.signing_algorithm, key));
        let channel = if setup.kind == SetupKind::Binding {
            let session = sessions.get_mut(setup.session_id).ok_or(no_session)?;
            let is_same = identity == session.identity
                && session.user.eq_ignore_case(&logon.user)
                && session.domain.eq_ignore_case(&logon.domain);
            if !is_same {
                return Err((NtStatus::ACCESS_DENIED, RefusalReason::Binding("another account")));
            }
            let full = RefusalReason::Binding("it has 255 connections already");
            let number = session.last_channel.checked_add(1);
            session.last_channel = number.ok_or((NtStatus::INSUFFICIENT_RESOURCES, full))?;
            session.connections = session.connections.saturating_add(1);
            let ciphers = session.cipher_keys.as_ref();
            Channel {
                identity,
                signer,
                ciphers: ciphers.map(|keys| Ciphers::new(keys, session.last_channel)),
                signing_required: session.signing_required,
                encrypts: session.encrypts,
            }
        } else {
            let cipher_keys = copy_of_cipher_keys(&keys);
            let is_account = identity == Identity::Account;
            let session = SharedSession {
                identity,
                user: logon.user.clone(),
                domain: logon.domain.clone(),
                dialect: negotiated.dialect,
                signing_algorithm: negotiated.signing_algorithm,
                cipher: negotiated.cipher,
                signing_key: keys.signing_key().map(crate::keys::SigningKey::duplicate),
                signing_required: setup.signing_required && is_account,
                encrypts: config.require_encryption && is_account,
                connections: 1,
                last_channel: 0,
                cipher_keys,
            };
            let ciphers = session.cipher_keys.as_ref();
            let channel = Channel {
                identity,
                signer,
                ciphers: ciphers.map(|keys| Ciphers::new(keys, 0)),
                signing_required: session.signing_required,
                encrypts: session.encrypts,
            };
            // Whoever proves to be the same account may end it (MS-SMB2 3.3.5.5.3).
            let previous = setup.previous_session_id;
            let is_own = sessions.get(previous).is_some_and(|other| {
                is_account
                    && other.identity == Identity::Account
                    && other.user.eq_ignore_case(&session.user)
                    && other.domain.eq_ignore_case(&session.domain)
            });
            if is_own {
                sessions.end(previous);
            }
            sessions.insert(setup.session_id, session);
            channel
        };
        self.had_session = true;
        self.channels.insert(setup.session_id, channel);
        Ok((proved, Some(keys)))
    }

    fn logged_on(
        &mut self,
        sessions: &Sessions,
        setup: Box<Setup>,
        turn: &Smb2Turn,
        proved: Proved,
        keys: Option<SmbKeySchedule>,
    ) -> Result<Step, PeerError> {
        let Setup { session_id, kind, logon, .. } = *setup;
        let logon = logon.ok_or(PeerError::NotARequest)?;
        let channel = self.channel(sessions, session_id);
        let (signing_required, encrypts) =
            channel.map_or((false, false), |channel| (channel.signing_required, channel.encrypts));
        let mut flags = SessionFlags::empty();
        flags.set(SessionFlags::IS_GUEST, logon.identity == Identity::Guest);
        flags.set(SessionFlags::IS_NULL, logon.identity == Identity::Anonymous);
        flags.set(SessionFlags::ENCRYPT_DATA, encrypts);
        let reply = encode(&turn.response, flags, &proved.token)?;
        let reply = if kind == SetupKind::Again {
            self.protect(sessions, kind, turn, reply)?
        } else {
            // Signed in every dialect, whatever was negotiated, with the key just derived.
            let mut reply = reply;
            self.sign(Some(session_id), &mut reply)?;
            reply
        };
        let steps = match (&keys, self.config.keep_keys) {
            (Some(keys), true) => keys.steps().collect(),
            _ => Vec::new(),
        };
        let Proved { mech_list_mic, .. } = proved;
        let logged_on =
            LoggedOn { session_id, kind, logon, mech_list_mic, signing_required, encrypts, steps };
        Ok(Step::LoggedOn(reply, Box::new(logged_on)))
    }

    /// Refuses; a session that could not authenticate again ends.
    fn refuse(
        &mut self,
        sessions: &mut Sessions,
        setup: Option<&Setup>,
        turn: Smb2Turn,
        (status, reason): Refused,
    ) -> Result<Step, PeerError> {
        let reply = error_response(&turn.response, status)?;
        let kind = setup.map(|setup| setup.kind);
        // A binding that began is answered with the session's key, and so is one that does not, if
        // the request was signed with it.
        let kind = kind.unwrap_or(if self.channels.contains_key(&turn.header.session_id) {
            SetupKind::Again
        } else {
            SetupKind::Binding
        });
        let reply = self.protect(sessions, kind, &turn, reply)?;
        if setup.is_some_and(|setup| setup.kind == SetupKind::Again) {
            sessions.end(turn.header.session_id);
        }
        Ok(Step::Refused(reply, Refusal { status, reason }))
    }

    /// An answer before the last: of a new session as it is, of an old one with its keys.
    fn protect(
        &mut self,
        sessions: &Sessions,
        kind: SetupKind,
        turn: &Smb2Turn,
        mut reply: Vec<u8>,
    ) -> Result<Vec<u8>, PeerError> {
        match kind {
            SetupKind::New => Ok(reply),
            SetupKind::Again => {
                if turn.encrypted.is_none() {
                    let signed_by = self.signed_by(sessions, &turn.header);
                    self.sign(signed_by, &mut reply)?;
                }
                self.encrypt(turn.encrypted, reply)
            }
            SetupKind::Binding => {
                // As the session signs, whatever this connection negotiated; and only for who has
                // its key, or anybody could have signatures made.
                let session = sessions.get(turn.header.session_id);
                let session = session.filter(|_| turn.has_key_of_another);
                let key = session.and_then(|session| {
                    Some((session.signing_algorithm, session.signing_key.as_ref()?))
                });
                if let Some((algorithm, key)) = key {
                    let signer = Signer::new(algorithm, key);
                    signer.sign(&mut reply).map_err(|_| PeerError::Signature)?;
                }
                Ok(reply)
            }
        }
    }
}

/// What is left of the negotiation of NTLM once its key was taken.
struct Proved {
    token: Vec<u8>,
    mech_list_mic: MechListMic,
}

fn copy_of_cipher_keys(keys: &SmbKeySchedule) -> Option<[CipherKey; 2]> {
    let copy = |direction| {
        let key = keys.cipher_key(direction)?;
        CipherKey::new(key.cipher(), key.expose())
    };
    Some([copy(Direction::ClientToServer)?, copy(Direction::ServerToClient)?])
}

fn encode(header: &Header, flags: SessionFlags, token: &[u8]) -> Result<Vec<u8>, PeerError> {
    let response = SessionSetupResponse { session_flags: flags, security_buffer: Part::new(token) };
    Ok(response.encode(header)?)
}
