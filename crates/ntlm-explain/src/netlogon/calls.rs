//! Calls of Netlogon's interface on one association: what is asked, and what is answered
//! (MS-NRPC 3.5.4).

use ntlm::keys::Direction;
use ntlm_netlogon::calls::{
    Authenticate3Request, Authenticate3Response, ChallengeRequest, ChallengeResponse, ObservedLogon,
};
use ntlm_netlogon::pdu::{Assembly, Bind, Body, Pdu, PfcFlags, SyntaxId};
use zeroize::Zeroizing;

/// What is under way on one association.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// Presentation contexts of the interface.
    contexts: Vec<u16>,
    /// Stubs that are not whole yet, from the client and from the server.
    partial: [Option<Partial>; 2],
    /// What was asked and not answered yet, by call_id.
    asked: Vec<(u32, Question)>,
    /// What will not be answered any more, or not so that it can be told.
    given_up: Vec<Question>,
}

#[derive(Debug)]
struct Partial {
    call_id: u32,
    opnum: u16,
    stub: Assembly,
}

/// What was asked.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) opnum: u16,
    pub(crate) frame: u64,
    pub(crate) asks: Asks,
}

/// The calls that are read.
#[derive(Clone, Debug)]
pub(crate) enum Asks {
    /// NetrServerReqChallenge.
    Challenge(ChallengeRequest),
    /// NetrServerAuthenticate3.
    Authenticate(Authenticate3Request),
    /// One of the calls that log somebody on; why it cannot be read.
    Logon(Result<Box<ObservedLogon>, String>),
}

/// A call with its answer.
#[derive(Debug)]
pub(crate) enum Heard {
    /// NetrServerReqChallenge.
    Challenge { request: ChallengeRequest, response: ChallengeResponse, frames: [u64; 2] },
    /// NetrServerAuthenticate3.
    Authenticate {
        request: Authenticate3Request,
        response: Authenticate3Response,
        frames: [u64; 2],
    },
    /// A logon; what it came to is in the stub.
    Logon { question: Question, stub: Zeroizing<Vec<u8>>, frame: u64 },
    /// A call that was not carried out.
    Fault { question: Question, status: String, frame: u64 },
}

impl Heard {
    /// Whether it is of a logon, not of a channel's setup.
    pub(crate) const fn is_logon(&self) -> bool {
        match self {
            Self::Logon { .. } => true,
            Self::Fault { question, .. } => matches!(question.asks, Asks::Logon(_)),
            Self::Challenge { .. } | Self::Authenticate { .. } => false,
        }
    }
}

/// The longest stub that is put together, in bytes.
const MAX_STUB: usize = 0x1_0000;
/// More calls than this do not wait for their answers.
const MOST_ASKED: usize = 8;
/// More presentation contexts than this are not remembered.
const MOST_CONTEXTS: usize = 16;

impl Calls {
    /// The client says what it wants to speak.
    pub(crate) fn bind(&mut self, bind: &Bind) {
        let own = bind.contexts.iter().filter(|context| {
            context.abstract_syntax.uuid == SyntaxId::NETLOGON.uuid
                && context.transfer_syntaxes.contains(&SyntaxId::NDR)
        });
        for context in own {
            if !self.contexts.contains(&context.context_id) && self.contexts.len() < MOST_CONTEXTS {
                self.contexts.push(context.context_id);
            }
        }
    }

    /// Whether the interface is spoken at all.
    pub(crate) const fn is_spoken(&self) -> bool {
        !self.contexts.is_empty()
    }

    /// Fragments of this direction may be missing.
    pub(crate) fn gap(&mut self, direction: Direction) {
        *self.partial(direction) = None;
        self.give_up();
    }

    /// Fragments are missing. Some clients have one call_id for all calls, so what is answered next may
    /// be a call that was lost.
    pub(crate) fn give_up(&mut self) {
        self.given_up.extend(self.asked.drain(..).map(|(_, question)| question));
    }

    /// The logons that were given up since this was last asked.
    pub(crate) fn take_given_up(&mut self) -> impl Iterator<Item = Question> + use<> {
        let given_up = std::mem::take(&mut self.given_up).into_iter();
        given_up.filter(|question| matches!(question.asks, Asks::Logon(_)))
    }

    /// A fragment that holds, or came in the clear. Returns a call that is answered with it.
    pub(crate) fn fragment(&mut self, pdu: &Pdu<'_>, frame: u64) -> Option<Heard> {
        let (call_id, flags) = (pdu.call_id, pdu.pfc_flags);
        match &pdu.body {
            Body::Request(request) if self.contexts.contains(&request.context_id) => {
                let parts = (call_id, request.opnum, request.stub);
                let (_, stub) = self.assemble(Direction::ClientToServer, parts, flags)?;
                self.ask(call_id, request.opnum, &stub, frame);
                None
            }
            Body::Response(response) if self.contexts.contains(&response.context_id) => {
                let parts = (call_id, 0, response.stub);
                let (_, stub) = self.assemble(Direction::ServerToClient, parts, flags)?;
                let question = self.question(call_id)?;
                answer(question, stub, frame)
            }
            Body::Fault(fault) => {
                let question = self.question(call_id)?;
                Some(Heard::Fault { question, status: fault.status.to_string(), frame })
            }
            _ => None,
        }
    }

    /// The logons that were never answered.
    pub(crate) fn unanswered(&mut self) -> impl Iterator<Item = Question> + use<> {
        self.give_up();
        self.take_given_up()
    }

    const fn partial(&mut self, direction: Direction) -> &mut Option<Partial> {
        let [from_client, from_server] = &mut self.partial;
        match direction {
            Direction::ClientToServer => from_client,
            Direction::ServerToClient => from_server,
        }
    }

    /// The stub once it is whole.
    fn assemble(
        &mut self,
        direction: Direction,
        (call_id, opnum, stub): (u32, u16, &[u8]),
        flags: PfcFlags,
    ) -> Option<(u16, Zeroizing<Vec<u8>>)> {
        let place = self.partial(direction);
        if flags.contains(PfcFlags::WHOLE) {
            *place = None;
            return Some((opnum, Zeroizing::new(stub.to_vec())));
        }
        if flags.contains(PfcFlags::FIRST_FRAG) {
            *place = Some(Partial { call_id, opnum, stub: Assembly::new(call_id, MAX_STUB) });
        }
        let partial = place.as_mut().filter(|partial| partial.call_id == call_id)?;
        match partial.stub.add(call_id, flags, stub) {
            Ok(false) => None,
            Ok(true) => {
                let Partial { opnum, stub, .. } = place.take()?;
                Some((opnum, Zeroizing::new(stub.finish()?)))
            }
            Err(_) => {
                *place = None;
                None
            }
        }
    }

    fn ask(&mut self, call_id: u32, opnum: u16, stub: &[u8], frame: u64) {
        let asks = match opnum {
            ChallengeRequest::OPNUM => ChallengeRequest::decode(stub).ok().map(Asks::Challenge),
            Authenticate3Request::OPNUM => {
                Authenticate3Request::decode(stub).ok().map(Asks::Authenticate)
            }
            _ if ObservedLogon::is_opnum(opnum) => {
                let logon = ObservedLogon::decode(opnum, stub);
                Some(Asks::Logon(logon.map(Box::new).map_err(|error| error.to_string())))
            }
            _ => None,
        };
        let Some(asks) = asks else { return };
        let replaced = self.question(call_id);
        self.given_up.extend(replaced);
        if self.asked.len() >= MOST_ASKED {
            self.given_up.push(self.asked.remove(0).1);
        }
        self.asked.push((call_id, Question { opnum, frame, asks }));
    }

    fn question(&mut self, call_id: u32) -> Option<Question> {
        let at = self.asked.iter().position(|(other, _)| *other == call_id)?;
        Some(self.asked.remove(at).1)
    }
}

fn answer(question: Question, stub: Zeroizing<Vec<u8>>, frame: u64) -> Option<Heard> {
    let frames = [question.frame, frame];
    match question.asks {
        Asks::Challenge(request) => {
            let response = ChallengeResponse::decode(&stub).ok()?;
            Some(Heard::Challenge { request, response, frames })
        }
        Asks::Authenticate(request) => {
            let response = Authenticate3Response::decode(&stub).ok()?;
            Some(Heard::Authenticate { request, response, frames })
        }
        Asks::Logon(_) => Some(Heard::Logon { question, stub, frame }),
    }
}
