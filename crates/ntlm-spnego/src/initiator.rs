//! The initiator (RFC 4178 4, MS-SPNG 3.3).
//!
//! ```text
//! Initiator::start  ──NegTokenInit, NEGOTIATE if NTLM is the first choice──>
//!   <──NTLM, CHALLENGE──                                Respond
//!   <──NTLM, which was not the first choice──           ──NEGOTIATE──> <──CHALLENGE──  Respond
//!   <──another that the caller speaks──                 Foreign
//! Responding::respond                                   Answer: keys, and what is to be sent
//!   send            ──AUTHENTICATE, mechListMIC where due──>
//!   <──accept-completed, mechListMIC──                  Done
//!   <──accept-incomplete, mechListMIC──                 where none was due: ──mechListMIC──>
//!   <──accept-completed──                               Done
//! ```

use crate::error::PeerError;
use crate::mech_type_list::MechTypeList;
use crate::mechanism::NTLM;
use crate::mic::{self, Due, MechListMic};
use crate::neg_state::NegState;
use crate::raw;
use crate::token::{NegTokenInit, NegTokenResp};
use alloc::boxed::Box;
use alloc::vec::Vec;
use ntlm::der::ObjectIdentifier;
use ntlm::{
    AnonymousLogon, Client, ClientConfig, ClientError, Credential, Established, Fresh, Session,
};

/// What an initiator is set up with. By itself it offers NTLM alone.
#[derive(Clone, Debug, Default)]
pub struct InitiatorConfig {
    /// NTLM's own part. Signing is offered in any case, for the mechListMIC.
    pub client: ClientConfig,
    /// Mechanisms that the caller speaks and prefers to NTLM. Where NTLM is chosen all the same, a
    /// mechListMIC is required, so that nobody in between can have chosen it.
    pub preferred: Vec<ObjectIdentifier<'static>>,
    /// A first token of the first of those.
    pub preferred_token: Option<Vec<u8>>,
    /// Mechanisms that the caller speaks but likes less than NTLM.
    pub others: Vec<ObjectIdentifier<'static>>,
    /// Whether an acceptor that owes a mechListMIC may keep it, where NTLM was the first choice: some
    /// do.
    pub insecure_accept_missing_mic: bool,
}

/// An initiator that waits for a token.
#[derive(Debug)]
pub struct Initiator {
    state: State,
}

/// What comes of a token.
#[derive(Debug)]
pub enum InitiatorStep {
    /// The token goes to the acceptor, and its answer to the initiator.
    Continue(Vec<u8>, Initiator),
    /// The CHALLENGE is there: now somebody has to prove who he is.
    Respond(Responding),
    /// The negotiation is complete.
    Done(Initiated),
    /// The acceptor chose one that the caller speaks; from here on it is the caller's.
    Foreign {
        /// Which.
        mech: ObjectIdentifier<'static>,
        /// The acceptor's token for it; may be empty.
        token: Vec<u8>,
    },
}

/// A complete negotiation.
#[derive(Debug)]
pub struct Initiated {
    /// As whom.
    pub logon: InitiatedLogon,
    /// What protected the choice of NTLM.
    pub mech_list_mic: MechListMic,
}

/// As whom one is there.
#[derive(Debug)]
pub enum InitiatedLogon {
    /// The account. Where mechListMICs were exchanged, its sequence numbers have begun.
    Account(Box<Session>),
    /// Nobody.
    Anonymous(AnonymousLogon),
}

#[derive(Debug)]
enum State {
    Offered(Offered),
    Selected(Selected),
    MicSent(MicSent),
    MicNotSent(MicNotSent),
    Confirming(Box<Session>),
    Anonymous(AnonymousLogon),
}

impl Initiator {
    /// Begins. The token goes to the acceptor.
    #[must_use]
    pub fn start(config: InitiatorConfig) -> (Vec<u8>, Self) {
        let InitiatorConfig { client, preferred, preferred_token, others, .. } = config;
        let client = ClientConfig { offer_signing: true, ..client };
        let mech_types = MechTypeList::new(&[&preferred, &[NTLM][..], &others].concat());
        let (mech_token, ntlm) = if preferred.is_empty() {
            let (negotiate, client) = Client::start(client);
            (Some(negotiate), Ntlm::Started(client))
        } else {
            (preferred_token, Ntlm::NotStarted(client))
        };
        let token = NegTokenInit {
            mech_types: mech_types.clone(),
            req_flags: None,
            mech_token: mech_token.as_deref(),
            mech_list_mic: None,
        };
        let token = token.encode();
        let state = State::Offered(Offered {
            ntlm,
            list: mech_types,
            foreign: [preferred, others].concat(),
            may_lack_mic: config.insecure_accept_missing_mic,
        });
        (token, Self { state })
    }

    /// Takes the acceptor's next token.
    ///
    /// # Errors
    ///
    /// The token is damaged, or not allowed here.
    pub fn step(self, token: &[u8]) -> Result<InitiatorStep, PeerError> {
        if raw::is_ntlm(token) {
            return Err(PeerError::RawNtlm);
        }
        let resp = NegTokenResp::decode(token)?;
        if resp.neg_state == Some(NegState::Reject) {
            return Err(PeerError::Rejected);
        }
        match self.state {
            State::Offered(state) => state.step(resp),
            State::Selected(state) => state.step(resp),
            State::MicSent(state) => {
                let received = completed(&resp)?;
                state.finish(received).map(InitiatorStep::Done)
            }
            State::MicNotSent(state) => state.step(resp),
            State::Confirming(session) => match completed(&resp)? {
                None => Ok(InitiatorStep::Done(checked(session))),
                Some(_) => Err(PeerError::UnexpectedField("mechListMIC")),
            },
            State::Anonymous(logon) => match completed(&resp)? {
                None => Ok(InitiatorStep::Done(anonymous(logon))),
                Some(_) => Err(PeerError::UnexpectedField("mechListMIC")),
            },
        }
    }

    /// The protocol around us says accepted, and there is no last token.
    ///
    /// # Errors
    ///
    /// [`PeerError::EndedEarly`], or [`PeerError::MechListMicMissing`].
    pub fn finish_without_token(self) -> Result<Initiated, PeerError> {
        match self.state {
            State::Offered(_) | State::Selected(_) => Err(PeerError::EndedEarly),
            State::MicSent(state) => state.finish(None),
            State::MicNotSent(state) => Ok(account(state.session, MechListMic::Absent)),
            State::Confirming(session) => Ok(checked(session)),
            State::Anonymous(logon) => Ok(anonymous(logon)),
        }
    }
}

fn account(session: Box<Session>, mech_list_mic: MechListMic) -> Initiated {
    Initiated { logon: InitiatedLogon::Account(session), mech_list_mic }
}

/// After a mechListMIC that holds.
fn checked(session: Box<Session>) -> Initiated {
    let mech_list_mic = mic::proved(&session);
    account(session, mech_list_mic)
}

const fn anonymous(logon: AnonymousLogon) -> Initiated {
    let mech_list_mic = MechListMic::Absent;
    Initiated { logon: InitiatedLogon::Anonymous(logon), mech_list_mic }
}

/// The mechListMIC of a token that has to say accept-completed and carry no message.
fn completed<'a>(resp: &NegTokenResp<'a>) -> Result<Option<&'a [u8]>, PeerError> {
    match resp.neg_state {
        Some(NegState::AcceptCompleted) => last(resp),
        other => Err(PeerError::UnexpectedNegState(other)),
    }
}

/// The mechListMIC of a token that carries no message of NTLM, which has no more of them.
fn last<'a>(resp: &NegTokenResp<'a>) -> Result<Option<&'a [u8]>, PeerError> {
    same_mech(resp)?;
    match (resp.response_token, resp.mech_list_mic) {
        (None | Some([]), received) => Ok(received),
        // Windows 2000 sends what should be here in both fields.
        (Some(token), Some(copy)) if token == copy => Ok(None),
        (Some(_), _) => Err(PeerError::UnexpectedField("responseToken")),
    }
}

/// The CHALLENGE of a token that must carry one.
fn challenge<'a>(resp: &NegTokenResp<'a>) -> Result<&'a [u8], PeerError> {
    let token = resp.response_token.ok_or(PeerError::MissingField("responseToken"))?;
    match resp.mech_list_mic {
        // Windows 2000 puts a copy of the message there.
        Some(copy) if copy != token => Err(PeerError::UnexpectedField("mechListMIC")),
        _ => Ok(token),
    }
}

/// Some repeat the choice, but nobody may make another.
fn same_mech(resp: &NegTokenResp<'_>) -> Result<(), PeerError> {
    if resp.supported_mech.is_some_and(|mech| mech != NTLM) {
        return Err(PeerError::MechanismChanged);
    }
    Ok(())
}

/// NegTokenInit was sent.
#[derive(Debug)]
struct Offered {
    ntlm: Ntlm,
    list: MechTypeList<'static>,
    foreign: Vec<ObjectIdentifier<'static>>,
    may_lack_mic: bool,
}

#[derive(Debug)]
enum Ntlm {
    /// It is the first choice, and NEGOTIATE was sent.
    Started(Client),
    NotStarted(ClientConfig),
}

impl Offered {
    fn step(self, resp: NegTokenResp<'_>) -> Result<InitiatorStep, PeerError> {
        let asks_for_mic = match resp.neg_state {
            Some(NegState::RequestMic) => true,
            Some(NegState::AcceptIncomplete) => false,
            other => return Err(PeerError::UnexpectedNegState(other)),
        };
        let mech = resp.supported_mech.ok_or(PeerError::MissingField("supportedMech"))?;
        if mech != NTLM {
            let mut foreign = self.foreign.into_iter();
            let mech = foreign.find(|ours| *ours == mech).ok_or(PeerError::MechanismNotOffered)?;
            let token = resp.response_token.map(<[u8]>::to_vec).unwrap_or_default();
            return Ok(InitiatorStep::Foreign { mech, token });
        }
        match self.ntlm {
            Ntlm::Started(client) => {
                let due = if asks_for_mic { Due::Always } else { Due::WithMessageMic };
                let must_come = asks_for_mic || !self.may_lack_mic;
                let agreed = Agreed { list: self.list, due, must_come };
                let challenge = challenge(&resp)?.to_vec();
                Ok(InitiatorStep::Respond(Responding { client, challenge, agreed }))
            }
            Ntlm::NotStarted(config) => {
                if resp.response_token.is_some_and(|token| !token.is_empty()) {
                    return Err(PeerError::UnexpectedField("responseToken"));
                }
                let (negotiate, client) = Client::start(config);
                let token =
                    NegTokenResp { response_token: Some(&negotiate), ..NegTokenResp::default() };
                let agreed = Agreed { list: self.list, due: Due::Always, must_come: true };
                let state = State::Selected(Selected { client, agreed });
                Ok(InitiatorStep::Continue(token.encode(), Initiator { state }))
            }
        }
    }
}

/// What the acceptor's first reply settled.
#[derive(Debug)]
struct Agreed {
    list: MechTypeList<'static>,
    due: Due,
    /// Whether what is due has to come from the acceptor too.
    must_come: bool,
}

/// NTLM was chosen, though it was not the first choice, and NEGOTIATE was sent.
#[derive(Debug)]
struct Selected {
    client: Client,
    agreed: Agreed,
}

impl Selected {
    fn step(self, resp: NegTokenResp<'_>) -> Result<InitiatorStep, PeerError> {
        same_mech(&resp)?;
        if resp.neg_state != Some(NegState::AcceptIncomplete) {
            return Err(PeerError::UnexpectedNegState(resp.neg_state));
        }
        let Self { client, agreed } = self;
        let challenge = challenge(&resp)?.to_vec();
        Ok(InitiatorStep::Respond(Responding { client, challenge, agreed }))
    }
}

/// An initiator that has the CHALLENGE and waits for somebody to prove who he is.
#[derive(Debug)]
pub struct Responding {
    client: Client,
    challenge: Vec<u8>,
    agreed: Agreed,
}

impl Responding {
    /// Answers with a proof.
    ///
    /// # Errors
    ///
    /// As [`Client::respond`].
    pub fn respond(self, credential: &Credential, fresh: Fresh) -> Result<Answer, ClientError> {
        let (token, established) = self.client.respond(&self.challenge, credential, fresh)?;
        Ok(Answer { token, proof: Proof::Account(established), agreed: self.agreed })
    }

    /// Answers without one.
    ///
    /// # Errors
    ///
    /// As [`Client::respond_anonymously`].
    pub fn respond_anonymously(self, fresh: Fresh) -> Result<Answer, ClientError> {
        let (token, logon) = self.client.respond_anonymously(&self.challenge, fresh)?;
        Ok(Answer { token, proof: Proof::Anonymous(logon), agreed: self.agreed })
    }
}

/// An answer that is ready to be sent.
#[derive(Debug)]
pub struct Answer {
    /// AUTHENTICATE.
    token: Vec<u8>,
    proof: Proof,
    agreed: Agreed,
}

#[derive(Debug)]
enum Proof {
    Account(Established),
    Anonymous(AnonymousLogon),
}

impl Answer {
    /// The keys, and what the default policy would not have done; `None` where nothing was proved.
    #[must_use]
    pub const fn established(&self) -> Option<&Established> {
        match &self.proof {
            Proof::Account(established) => Some(established),
            Proof::Anonymous(_) => None,
        }
    }

    /// The token goes to the acceptor. Wipes every key before ExportedSessionKey.
    ///
    /// # Errors
    ///
    /// [`PeerError::NoIntegrity`]: a mechListMIC is due, and the server did not grant signing.
    pub fn send(self) -> Result<(Vec<u8>, Initiator), PeerError> {
        let Self { token, proof, agreed } = self;
        let resp = NegTokenResp { response_token: Some(&token), ..NegTokenResp::default() };
        let established = match proof {
            Proof::Account(established) => established,
            Proof::Anonymous(logon) => {
                return Ok((resp.encode(), Initiator { state: State::Anonymous(logon) }));
            }
        };
        let has_mic = established.has_mic();
        let mut session = Box::new(established.into_session());
        let Agreed { list, due, must_come } = agreed;
        if !due.required(&session, has_mic)? {
            let state = State::MicNotSent(MicNotSent { session, list });
            return Ok((resp.encode(), Initiator { state }));
        }
        let ours = mic::make(&mut session, &list)?;
        let resp = NegTokenResp { mech_list_mic: Some(&ours), ..resp };
        let state = State::MicSent(MicSent { session, list, must_come });
        Ok((resp.encode(), Initiator { state }))
    }
}

/// AUTHENTICATE was sent, and our mechListMIC.
#[derive(Debug)]
struct MicSent {
    session: Box<Session>,
    list: MechTypeList<'static>,
    must_come: bool,
}

impl MicSent {
    fn finish(mut self, received: Option<&[u8]>) -> Result<Initiated, PeerError> {
        match received {
            Some(received) => {
                mic::check(&mut self.session, &self.list, received)?;
                Ok(checked(self.session))
            }
            None if self.must_come => Err(PeerError::MechListMicMissing),
            None => Ok(account(self.session, MechListMic::Absent)),
        }
    }
}

/// AUTHENTICATE was sent; no mechListMIC is due, but the acceptor may want one.
#[derive(Debug)]
struct MicNotSent {
    session: Box<Session>,
    list: MechTypeList<'static>,
}

impl MicNotSent {
    fn step(mut self, resp: NegTokenResp<'_>) -> Result<InitiatorStep, PeerError> {
        let received = last(&resp)?;
        if let Some(received) = received {
            mic::check(&mut self.session, &self.list, received)?;
        }
        match (resp.neg_state, received) {
            (Some(NegState::AcceptCompleted), Some(_)) => {
                Ok(InitiatorStep::Done(checked(self.session)))
            }
            (Some(NegState::AcceptCompleted), None) => {
                Ok(InitiatorStep::Done(account(self.session, MechListMic::Absent)))
            }
            (Some(NegState::AcceptIncomplete), Some(_)) => {
                let ours = mic::make(&mut self.session, &self.list)?;
                let token = NegTokenResp { mech_list_mic: Some(&ours), ..NegTokenResp::default() };
                let state = State::Confirming(self.session);
                Ok(InitiatorStep::Continue(token.encode(), Initiator { state }))
            }
            (other, _) => Err(PeerError::UnexpectedNegState(other)),
        }
    }
}
