//! A connection, from its first message on.

use super::config::ServerConfig;
use super::error::PeerError;
use super::judging::{Judging, Waits};
use super::negotiating::{Negotiated, multi_protocol, negotiate};
use super::requests::{Request, Requests};
use super::sessions::Sessions;
use super::smb1::Smb1;
use super::smb2::Smb2;
use super::step::{Smb1Request, Step};
use super::window::Window;
use crate::dialect::Protocol;
use crate::keys::PreauthIntegrityHash;
use crate::smb1;
use crate::smb2::{Command, Header, HeaderFlags};
use crate::transport::ProtocolId;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use ntlm::{Fresh, LogonOutcome, NtStatus};

/// A client's connection.
#[derive(Debug)]
pub struct Connection {
    config: Arc<ServerConfig>,
    salt: [u8; 32],
    phase: Phase,
}

#[derive(Debug)]
enum Phase {
    Negotiating { window: Window },
    Smb1(Box<Smb1>),
    Smb2(Box<Smb2>),
}

impl Connection {
    /// A connection that was just made. The salt is that of the preauthentication hash, from the
    /// operating system's generator.
    #[must_use]
    pub fn new(config: Arc<ServerConfig>, salt: [u8; 32]) -> Self {
        let window = Window::starting_at(0, config.max_credits);
        Self { config, salt, phase: Phase::Negotiating { window } }
    }

    /// What was negotiated; `None` before, and of SMB1.
    #[must_use]
    pub fn negotiated(&self) -> Option<&Negotiated> {
        match &self.phase {
            Phase::Negotiating { .. } | Phase::Smb1(_) => None,
            Phase::Smb2(smb2) => Some(&smb2.negotiated),
        }
    }

    /// Whether somebody is logged on.
    #[must_use]
    pub fn has_session(&self, sessions: &Sessions) -> bool {
        match &self.phase {
            Phase::Negotiating { .. } => false,
            Phase::Smb1(smb1) => smb1.has_session(),
            Phase::Smb2(smb2) => smb2.has_session(sessions),
        }
    }

    /// Takes a packet, without transport prefix.
    ///
    /// # Errors
    ///
    /// The connection must end.
    pub fn receive(
        &mut self,
        sessions: &mut Sessions,
        packet: Vec<u8>,
        fresh: Fresh,
    ) -> Result<Step, PeerError> {
        match (&mut self.phase, ProtocolId::of(&packet)) {
            (Phase::Smb1(smb1), _) => smb1.receive(sessions, packet, fresh),
            (Phase::Smb2(smb2), _) => smb2.receive(sessions, packet, fresh),
            (Phase::Negotiating { .. }, Some(ProtocolId::Smb2)) => self.negotiate(&packet, &fresh),
            (Phase::Negotiating { .. }, Some(ProtocolId::Smb1)) => {
                self.negotiate_smb1(&packet, &fresh)
            }
            _ => Err(PeerError::WrongProtocol),
        }
    }

    /// Takes the judge's word: the outcome, or the status that the client is told.
    ///
    /// # Errors
    ///
    /// The connection must end.
    pub fn settle(
        &mut self,
        sessions: &mut Sessions,
        judging: Judging,
        judged: Result<LogonOutcome, NtStatus>,
    ) -> Result<Step, PeerError> {
        match (&mut self.phase, judging.0) {
            (Phase::Smb1(smb1), Waits::Smb1(judging)) => smb1.settle(*judging, judged),
            (Phase::Smb2(smb2), Waits::Smb2(judging)) => smb2.settle(sessions, *judging, judged),
            // Of another connection.
            _ => Err(PeerError::WrongProtocol),
        }
    }

    /// The next request that is for the caller; the others are answered. `None` after the last.
    ///
    /// # Errors
    ///
    /// The connection must end.
    pub fn next(
        &mut self,
        sessions: &mut Sessions,
        requests: &mut Requests,
    ) -> Result<Option<Request>, PeerError> {
        match &mut self.phase {
            Phase::Negotiating { .. } | Phase::Smb1(_) => Err(PeerError::WrongProtocol),
            Phase::Smb2(smb2) => smb2.next(sessions, requests),
        }
    }

    /// Answers a request with STATUS_PENDING. It waits until the client cancels it.
    ///
    /// # Errors
    ///
    /// The connection must end.
    pub fn delay(&mut self, requests: &mut Requests, request: &Request) -> Result<(), PeerError> {
        match &mut self.phase {
            Phase::Negotiating { .. } | Phase::Smb1(_) => Err(PeerError::WrongProtocol),
            Phase::Smb2(smb2) => smb2.delay(requests, request),
        }
    }

    /// All answers as one packet, signed and encrypted as they have to be; `None` without any.
    ///
    /// # Errors
    ///
    /// The connection must end.
    pub fn reply(&mut self, requests: Requests) -> Result<Option<Vec<u8>>, PeerError> {
        match &mut self.phase {
            Phase::Negotiating { .. } | Phase::Smb1(_) => Err(PeerError::WrongProtocol),
            Phase::Smb2(smb2) => smb2.reply(requests),
        }
    }

    /// An answer to a request of SMB1, signed if it has to be.
    ///
    /// # Errors
    ///
    /// The connection must end.
    pub fn reply_smb1(&self, request: &Smb1Request, answer: Vec<u8>) -> Result<Vec<u8>, PeerError> {
        match &self.phase {
            Phase::Smb1(smb1) => smb1.reply(request, answer),
            Phase::Negotiating { .. } | Phase::Smb2(_) => Err(PeerError::WrongProtocol),
        }
    }

    /// The connection is gone: its sessions end, unless others have them too.
    pub fn close(self, sessions: &mut Sessions) {
        match self.phase {
            Phase::Negotiating { .. } => {}
            Phase::Smb1(smb1) => smb1.close(sessions),
            Phase::Smb2(smb2) => smb2.close(sessions),
        }
    }

    fn negotiate(&mut self, packet: &[u8], fresh: &Fresh) -> Result<Step, PeerError> {
        let Phase::Negotiating { window } = &mut self.phase else {
            return Err(PeerError::NegotiatedBefore);
        };
        let header = Header::decode(packet)?;
        if header.is_response() {
            return Err(PeerError::NotARequest);
        }
        if header.command != Command::NEGOTIATE || header.next_command != 0 {
            return Err(PeerError::NotNegotiated);
        }
        if !window.take(header.message_id, 1) {
            return Err(PeerError::MessageId(header.message_id));
        }
        let response = Header {
            credits: window.grant(header.credits),
            flags: HeaderFlags::SERVER_TO_REDIR,
            ..Header::new(Command::NEGOTIATE, header.message_id)
        };
        let (reply, negotiated) = negotiate(&self.config, &self.salt, fresh.now, packet, response)?;
        if let Some(negotiated) = negotiated {
            let hash = PreauthIntegrityHash::default().after(packet).after(&reply);
            self.begin_smb2(negotiated, hash);
        }
        Ok(Step::Reply(reply))
    }

    /// The numbers go on from those of NEGOTIATE.
    fn begin_smb2(&mut self, negotiated: Negotiated, hash: PreauthIntegrityHash) {
        if let Phase::Negotiating { window } = &mut self.phase {
            let window = core::mem::replace(window, Window::starting_at(0, 1));
            let smb2 = Smb2::new(Arc::clone(&self.config), negotiated, hash, window);
            self.phase = Phase::Smb2(Box::new(smb2));
        }
    }

    fn negotiate_smb1(&mut self, packet: &[u8], fresh: &Fresh) -> Result<Step, PeerError> {
        let Phase::Negotiating { window } = &mut self.phase else {
            return Err(PeerError::NegotiatedBefore);
        };
        let header = smb1::Header::decode(packet)?;
        if header.is_response() {
            return Err(PeerError::NotARequest);
        }
        let request = smb1::NegotiateRequest::decode(packet)?;
        let offers = |name| request.dialects().any(|dialect| dialect == name);
        let (wildcard, smb202) = (
            offers(smb1::NegotiateRequest::SMB_2_WILDCARD),
            offers(smb1::NegotiateRequest::SMB_2_002),
        );
        // It counts as MessageId 0 of what follows.
        if (wildcard || smb202) && window.take(0, 1) {
            let response = Header {
                credits: window.grant(1),
                flags: HeaderFlags::SERVER_TO_REDIR,
                ..Header::new(Command::NEGOTIATE, 0)
            };
            let answer = multi_protocol(&self.config, fresh.now, response, wildcard, smb202)?;
            if let Some((reply, negotiated)) = answer {
                if let Some(negotiated) = negotiated {
                    self.begin_smb2(negotiated, PreauthIntegrityHash::default());
                }
                return Ok(Step::Reply(reply));
            }
        }
        let nt_lm = request
            .dialects()
            .position(|dialect| dialect == smb1::NegotiateRequest::NT_LM_0_12)
            .filter(|_| self.config.dialects.contains(Protocol::Smb1));
        if let Some(Ok(index)) = nt_lm.map(u16::try_from)
            && let Some((reply, smb1)) =
                super::smb1::negotiate(&self.config, &header, index, fresh)?
        {
            self.phase = Phase::Smb1(Box::new(smb1));
            return Ok(Step::Reply(reply));
        }
        let response = smb1::Header {
            flags: smb1::Flags::REPLY,
            flags2: header.flags2,
            pid_high: header.pid_high,
            pid_low: header.pid_low,
            ..smb1::Header::new(smb1::Command::NEGOTIATE, header.mid)
        };
        // None of the dialects.
        Ok(Step::Reply(smb1::NegotiateResponse::encode_core(&response, u16::MAX)?))
    }
}
