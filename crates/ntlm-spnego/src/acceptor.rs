//! The acceptor (RFC 4178 4, MS-SPNG 3.2).
//!
//! ```text
//! Acceptor::new <──NegTokenInit──
//!   NTLM is its first choice        ──accept-incomplete, CHALLENGE──>
//!   NTLM is another                 ──request-mic──> <──NEGOTIATE── ──CHALLENGE──>
//!   another that the caller speaks  Foreign
//!               <──AUTHENTICATE [mechListMIC]──   Judge: a LogonRequest, and Waiting
//! Waiting::settle                   the LogonOutcome, which only the judge can have made
//!   mechListMIC came and holds      ──accept-completed, mechListMIC──>                       Done
//!   it is due and did not come      ──accept-incomplete, mechListMIC──> <──mechListMIC──
//!                                   ──accept-completed, unless it said so──>                 Done
//!   none is due                     ──accept-completed──>                                    Done
//! ```
//!
//! Raw NTLM in place of the first token goes the same way without lists and signatures.

use crate::error::PeerError;
use crate::mech_type_list::MechTypeList;
use crate::mechanism::{NEGOEX, NTLM};
use crate::mic::{self, Due, MechListMic};
use crate::neg_state::NegState;
use crate::raw;
use crate::token::{NegHints, NegTokenInit, NegTokenInit2, NegTokenResp, frame};
use alloc::boxed::Box;
use alloc::vec::Vec;
use ntlm::der::ObjectIdentifier;
use ntlm::{
    AnonymousLogon, Challenged, Check, FileTime, Fresh, GuestLogon, LogonOutcome, LogonRequest,
    Server, Session,
};

/// What an acceptor is set up with, besides its [`Server`].
#[derive(Clone, Debug)]
pub struct AcceptorConfig {
    /// Mechanisms that the caller speaks. One of them is handed out where the initiator prefers it
    /// to NTLM.
    pub foreign: Vec<ObjectIdentifier<'static>>,
    /// Whether NTLM without SPNEGO around it is accepted, as Windows does. Nothing then protects the
    /// choice of the mechanism.
    pub accept_raw_ntlm: bool,
    /// Whether a mechListMIC is asked for and required though NTLM is the initiator's first choice.
    pub require_mech_list_mic: bool,
}

impl Default for AcceptorConfig {
    fn default() -> Self {
        Self { foreign: Vec::new(), accept_raw_ntlm: true, require_mech_list_mic: false }
    }
}

impl AcceptorConfig {
    /// The token of an acceptor that speaks first, as SMB servers do: what is spoken here, NTLM after
    /// the others but before NEGOEX, as Windows has it.
    #[must_use]
    pub fn hint(&self) -> Vec<u8> {
        let (after, before): (Vec<_>, Vec<_>) =
            self.foreign.iter().copied().partition(|mech| *mech == NEGOEX);
        let token = NegTokenInit2 {
            mech_types: Some(MechTypeList::new(&[before, Vec::from([NTLM]), after].concat())),
            req_flags: None,
            mech_token: None,
            neg_hints: Some(NegHints::IGNORE),
            mech_list_mic: None,
        };
        token.encode()
    }
}

/// An acceptor that waits for a token.
#[derive(Debug)]
pub struct Acceptor {
    state: State,
}

/// What comes of a token.
#[derive(Debug)]
pub enum AcceptorStep {
    /// The token goes to the initiator, and its answer to the acceptor.
    Continue(Vec<u8>, Acceptor),
    /// Whoever knows the account answers the request, and [`Waiting`] takes what comes of it.
    Judge(LogonRequest, Waiting),
    /// The negotiation is complete.
    Done(Accepted),
    /// The initiator prefers one that the caller speaks; from here on it is the caller's.
    Foreign {
        /// Which.
        mech: ObjectIdentifier<'static>,
        /// Its first token; empty where the initiator sent none, or sent another's.
        token: Vec<u8>,
    },
}

/// A complete negotiation.
#[derive(Debug)]
pub struct Accepted {
    /// Goes to the initiator. Empty after raw NTLM, and where the initiator has said that it is done.
    pub token: Vec<u8>,
    /// Who is there.
    pub logon: AcceptedLogon,
    /// What protected the choice of NTLM.
    pub mech_list_mic: MechListMic,
}

/// Who is there.
#[derive(Debug)]
pub enum AcceptedLogon {
    /// The account that proved itself. Where mechListMICs were exchanged, its sequence numbers have
    /// begun.
    Account(Box<Session>),
    /// A guest.
    Guest(GuestLogon),
    /// Nobody.
    Anonymous(AnonymousLogon),
}

#[derive(Debug)]
enum State {
    Start(Start),
    Selected(Selected),
    Challenged(SpnegoChallenged),
    RawChallenged(Challenged),
    MicAwaited(MicAwaited),
}

impl Acceptor {
    /// Waits for the initiator's first token.
    #[must_use]
    pub const fn new(server: Server, config: AcceptorConfig) -> Self {
        Self { state: State::Start(Start { server, config }) }
    }

    /// Takes the initiator's next token.
    ///
    /// # Errors
    ///
    /// The token is damaged, not allowed here, or there is no mechanism in common. The initiator may
    /// be told [`NegTokenResp::REJECT`].
    pub fn step(self, token: &[u8], fresh: Fresh) -> Result<AcceptorStep, PeerError> {
        match self.state {
            State::Start(state) => state.step(token, fresh),
            State::Selected(state) => state.step(token, fresh),
            State::Challenged(state) => state.step(token, fresh.now),
            State::RawChallenged(challenged) => {
                let request = challenged.receive(token, fresh.now)?;
                Ok(AcceptorStep::Judge(request, Waiting { path: Path::Raw }))
            }
            State::MicAwaited(state) => state.step(token),
        }
    }
}

fn go_on(token: Vec<u8>, state: State) -> AcceptorStep {
    AcceptorStep::Continue(token, Acceptor { state })
}

/// Nothing has been received yet.
#[derive(Debug)]
struct Start {
    server: Server,
    config: AcceptorConfig,
}

impl Start {
    fn step(self, token: &[u8], fresh: Fresh) -> Result<AcceptorStep, PeerError> {
        if raw::is_ntlm(token) {
            if !self.config.accept_raw_ntlm {
                return Err(PeerError::RawNtlm);
            }
            let (challenge, challenged) = self.server.challenge(token, fresh)?;
            return Ok(go_on(challenge, State::RawChallenged(challenged)));
        }
        if let Some(mech) = frame::foreign(token) {
            let mech = self.spoken(mech).ok_or(PeerError::NoCommonMechanism)?;
            return Ok(AcceptorStep::Foreign { mech, token: token.to_vec() });
        }
        let init = NegTokenInit::decode(token)?;
        if init.mech_list_mic.is_some() {
            // No NTLM message has been exchanged, so there is no key for it.
            return Err(PeerError::UnexpectedField("mechListMIC"));
        }
        let spoken = |mech| if mech == NTLM { Some(NTLM) } else { self.spoken(mech) };
        let mut offered = init.mech_types.iter().enumerate();
        let (place, mech) = offered
            .find_map(|(place, mech)| Some((place, spoken(mech)?)))
            .ok_or(PeerError::NoCommonMechanism)?;
        // The token is the first mechanism's: of any other choice it is dropped.
        let mech_token = init.mech_token.filter(|_| place == 0);
        if mech != NTLM {
            return Ok(AcceptorStep::Foreign {
                mech,
                token: mech_token.map(<[u8]>::to_vec).unwrap_or_default(),
            });
        }
        let due = if place > 0 || self.config.require_mech_list_mic {
            Due::Always
        } else {
            Due::WithMessageMic
        };
        let neg_state = match due {
            Due::Always => NegState::RequestMic,
            Due::WithMessageMic => NegState::AcceptIncomplete,
        };
        let reply = NegTokenResp {
            neg_state: Some(neg_state),
            supported_mech: Some(NTLM),
            ..NegTokenResp::default()
        };
        let selected = Selected {
            server: self.server,
            agreed: Agreed { list: init.mech_types.clone().into_owned(), due },
        };
        match mech_token {
            Some(negotiate) => selected.challenge(negotiate, reply, fresh),
            None => Ok(go_on(reply.encode(), State::Selected(selected))),
        }
    }

    fn spoken(&self, mech: ObjectIdentifier<'_>) -> Option<ObjectIdentifier<'static>> {
        self.config.foreign.iter().copied().find(|spoken| *spoken == mech)
    }
}

/// What the first token settled.
#[derive(Debug)]
struct Agreed {
    /// As the initiator sent it.
    list: MechTypeList<'static>,
    due: Due,
}

/// NTLM was chosen, and its first message is still to come.
#[derive(Debug)]
struct Selected {
    server: Server,
    agreed: Agreed,
}

impl Selected {
    fn step(self, token: &[u8], fresh: Fresh) -> Result<AcceptorStep, PeerError> {
        let resp = read(token)?;
        if resp.mech_list_mic.is_some() {
            return Err(PeerError::UnexpectedField("mechListMIC"));
        }
        let negotiate = resp.response_token.ok_or(PeerError::MissingField("responseToken"))?;
        let neg_state = Some(NegState::AcceptIncomplete);
        self.challenge(negotiate, NegTokenResp { neg_state, ..NegTokenResp::default() }, fresh)
    }

    fn challenge(
        self,
        negotiate: &[u8],
        reply: NegTokenResp<'_>,
        fresh: Fresh,
    ) -> Result<AcceptorStep, PeerError> {
        let (challenge, challenged) = self.server.challenge(negotiate, fresh)?;
        let token = NegTokenResp { response_token: Some(&challenge), ..reply }.encode();
        let agreed = self.agreed;
        Ok(go_on(token, State::Challenged(SpnegoChallenged { challenged, agreed })))
    }
}

/// CHALLENGE was sent.
#[derive(Debug)]
struct SpnegoChallenged {
    challenged: Challenged,
    agreed: Agreed,
}

impl SpnegoChallenged {
    fn step(self, token: &[u8], now: FileTime) -> Result<AcceptorStep, PeerError> {
        let resp = read(token)?;
        let authenticate = resp.response_token.ok_or(PeerError::MissingField("responseToken"))?;
        let request = self.challenged.receive(authenticate, now)?;
        let mech_list_mic = resp.mech_list_mic.map(<[u8]>::to_vec);
        let path = Path::Spnego { agreed: self.agreed, mech_list_mic };
        Ok(AcceptorStep::Judge(request, Waiting { path }))
    }
}

/// An acceptor that waits for its [`LogonRequest`] to be answered.
#[derive(Debug)]
pub struct Waiting {
    path: Path,
}

#[derive(Debug)]
enum Path {
    Raw,
    Spnego { agreed: Agreed, mech_list_mic: Option<Vec<u8>> },
}

impl Waiting {
    /// Goes on with what the request came to: [`LogonRequest::verify`] or [`LogonRequest::accept`].
    /// It is used up, so what is to be kept of it is to be looked at before.
    ///
    /// # Errors
    ///
    /// The mechListMIC does not hold, or is required and cannot be made.
    pub fn settle(self, outcome: LogonOutcome) -> Result<AcceptorStep, PeerError> {
        match self.path {
            Path::Raw => {
                let logon = match outcome {
                    LogonOutcome::Account(account) => {
                        AcceptedLogon::Account(Box::new(account.into_session()))
                    }
                    LogonOutcome::Guest(guest) => AcceptedLogon::Guest(guest),
                    LogonOutcome::Anonymous(anonymous) => AcceptedLogon::Anonymous(anonymous),
                };
                let mech_list_mic = MechListMic::NoList;
                Ok(AcceptorStep::Done(Accepted { token: Vec::new(), logon, mech_list_mic }))
            }
            Path::Spnego { agreed, mech_list_mic } => {
                agreed.settle(outcome, mech_list_mic.as_deref())
            }
        }
    }
}

impl Agreed {
    fn settle(
        self,
        outcome: LogonOutcome,
        mech_list_mic: Option<&[u8]>,
    ) -> Result<AcceptorStep, PeerError> {
        let account = match outcome {
            LogonOutcome::Account(account) => account,
            // There is no key that both ends have and nobody else. A guest does not know yet that it
            // is one, and may have sent a mechListMIC: it cannot be checked.
            LogonOutcome::Guest(guest) => {
                return Ok(done(AcceptedLogon::Guest(guest), None, MechListMic::Absent));
            }
            LogonOutcome::Anonymous(anonymous) => {
                return Ok(done(AcceptedLogon::Anonymous(anonymous), None, MechListMic::Absent));
            }
        };
        let has_mic = account.mic() == Check::Valid;
        let mut session = Box::new(account.into_session());
        let required = self.due.required(&session, has_mic)?;
        match mech_list_mic {
            Some(received) => {
                mic::check(&mut session, &self.list, received)?;
                let ours = mic::make(&mut session, &self.list)?;
                let proved = mic::proved(&session);
                Ok(done(AcceptedLogon::Account(session), Some(ours), proved))
            }
            None if required => {
                let ours = mic::make(&mut session, &self.list)?;
                let reply = NegTokenResp {
                    neg_state: Some(NegState::AcceptIncomplete),
                    mech_list_mic: Some(&ours),
                    ..NegTokenResp::default()
                };
                let awaited = MicAwaited { list: self.list, session };
                Ok(go_on(reply.encode(), State::MicAwaited(awaited)))
            }
            None => Ok(done(AcceptedLogon::Account(session), None, MechListMic::Absent)),
        }
    }
}

/// Everything is there but the initiator's mechListMIC, which is required.
#[derive(Debug)]
struct MicAwaited {
    list: MechTypeList<'static>,
    session: Box<Session>,
}

impl MicAwaited {
    fn step(mut self, token: &[u8]) -> Result<AcceptorStep, PeerError> {
        let resp = read(token)?;
        if resp.response_token.is_some() {
            return Err(PeerError::UnexpectedField("responseToken"));
        }
        let received = resp.mech_list_mic.ok_or(PeerError::MechListMicMissing)?;
        mic::check(&mut self.session, &self.list, received)?;
        let mech_list_mic = mic::proved(&self.session);
        let logon = AcceptedLogon::Account(self.session);
        // An initiator that calls it completed has done its last step: MIT takes no token after
        // that. Samba says nothing and waits for one.
        if resp.neg_state == Some(NegState::AcceptCompleted) {
            return Ok(AcceptorStep::Done(Accepted { token: Vec::new(), logon, mech_list_mic }));
        }
        Ok(done(logon, None, mech_list_mic))
    }
}

fn done(logon: AcceptedLogon, ours: Option<[u8; 16]>, mech_list_mic: MechListMic) -> AcceptorStep {
    let reply = NegTokenResp {
        neg_state: Some(NegState::AcceptCompleted),
        mech_list_mic: ours.as_ref().map(<[u8; 16]>::as_slice),
        ..NegTokenResp::default()
    };
    AcceptorStep::Done(Accepted { token: reply.encode(), logon, mech_list_mic })
}

/// An initiator's later token. Windows says accept-incomplete in it, others nothing.
fn read(token: &[u8]) -> Result<NegTokenResp<'_>, PeerError> {
    if raw::is_ntlm(token) {
        return Err(PeerError::RawNtlm);
    }
    let resp = NegTokenResp::decode(token)?;
    match resp.neg_state {
        Some(NegState::Reject) => return Err(PeerError::Rejected),
        Some(state @ NegState::RequestMic) => {
            return Err(PeerError::UnexpectedNegState(Some(state)));
        }
        None | Some(NegState::AcceptCompleted | NegState::AcceptIncomplete) => {}
    }
    if resp.supported_mech.is_some_and(|mech| mech != NTLM) {
        return Err(PeerError::MechanismChanged);
    }
    Ok(resp)
}
