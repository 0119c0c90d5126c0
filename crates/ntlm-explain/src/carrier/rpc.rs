//! DCE/RPC: the authentication of bind, alter_context and auth3 (C706 12.6, MS-RPCE 2.2.2).
//!
//! It cuts PDUs of either byte order and of every type, and takes the token out of what is damaged
//! elsewhere, which `ntlm-netlogon`'s strict reader does not: that one reads what is handed on from here.

use super::numbered::Numbered;
use super::protocol::{Carried, Extent, Fragment, Message, Out, Protocol, Verdict};
use super::spnego::{self, NegState};
use super::{Carrier, Said, Wrapping, status};
use ntlm::message::MessageType;
use ntlm_capture::Direction;
use ntlm_netlogon::pdu::SyntaxId;
use std::borrow::Cow;
use std::ops::Range;

/// One connection, over TCP or inside a named pipe.
#[derive(Debug, Default)]
pub(super) struct Rpc {
    /// By auth_context_id.
    contexts: Numbered<u32, Context>,
    /// Calls made while an AUTHENTICATE waits for its first answer: call_id to auth_context_id.
    calls: Numbered<u32, u32>,
    /// The context whose token was seen last.
    last: Option<u32>,
    /// Which association of its flow it is.
    association: u64,
    /// Whether fragments are handed on whole: somebody authenticates, or Netlogon is spoken.
    is_watched: bool,
    /// Fragments may be missing, from the client and from the server.
    is_after_gap: [bool; 2],
}

#[derive(Clone, Copy, Debug)]
struct Context {
    conversation: u64,
    /// The client has said its last word, and the server nothing yet.
    waiting: bool,
}

/// What one PDU says.
#[derive(Debug, Default)]
pub(super) struct Pdu {
    /// A token in it.
    pub(super) token: Option<(Range<usize>, Wrapping, Carried)>,
    /// What the server says to a logon.
    pub(super) verdict: Option<Verdict>,
    /// Whether the token vouches for SPNEGO's list of mechanisms.
    has_mech_list_mic: bool,
}

/// As much as [`extent`] needs.
pub(super) const HEADER: usize = 16;
const TRAILER: usize = 8;
const REQUEST: u8 = 0;
const RESPONSE: u8 = 2;
const FAULT: u8 = 3;
const BIND: u8 = 11;
const BIND_ACK: u8 = 12;
const BIND_NAK: u8 = 13;
const ALTER_CONTEXT: u8 = 14;
const ALTER_CONTEXT_RESP: u8 = 15;
const AUTH3: u8 = 16;
const LAST_TYPE: u8 = 19;
const AUTH_TYPE_SPNEGO: u8 = 9;
const AUTH_TYPE_NTLM: u8 = 10;
/// The UUID of Netlogon's interface (MS-NRPC 2.1).
const NETLOGON: [u8; 16] = SyntaxId::NETLOGON.uuid.0;

/// The common header.
#[derive(Clone, Copy, Debug)]
struct Header {
    kind: u8,
    little_endian: bool,
    fragment: usize,
    auth: usize,
    call: u32,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let [5, minor @ 0..=1, kind @ 0..=LAST_TYPE, _, drep @ .., f0, f1, a0, a1, c0, c1, c2, c3] =
            *bytes.first_chunk::<HEADER>()?
        else {
            return None;
        };
        let (0x00 | 0x10, 0..=3, 0, 0) = (drep[0], drep[1], drep[2], drep[3]) else { return None };
        let little_endian = drep[0] == 0x10;
        let short = |bytes: [u8; 2]| {
            usize::from(if little_endian {
                u16::from_le_bytes(bytes)
            } else {
                u16::from_be_bytes(bytes)
            })
        };
        let call = [c0, c1, c2, c3];
        let call = if little_endian { u32::from_le_bytes(call) } else { u32::from_be_bytes(call) };
        let (fragment, auth) = (short([f0, f1]), short([a0, a1]));
        let _ = minor;
        (fragment >= HEADER && auth <= fragment).then_some(Self {
            kind,
            little_endian,
            fragment,
            auth,
            call,
        })
    }

    fn u16_at(&self, bytes: &[u8], at: usize) -> Option<u16> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self.little_endian { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32_at(&self, bytes: &[u8], at: usize) -> Option<u32> {
        let bytes = *bytes.get(at..)?.first_chunk()?;
        Some(if self.little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    }

    /// Where the verifier begins (MS-RPCE 2.2.2.11).
    fn trailer(&self) -> Option<usize> {
        if self.auth == 0 {
            return None;
        }
        self.fragment.checked_sub(self.auth)?.checked_sub(TRAILER).filter(|at| *at >= HEADER)
    }
}

/// Whether a PDU begins here.
pub(super) fn is_pdu(bytes: &[u8]) -> bool {
    Header::read(bytes).is_some()
}

impl Rpc {
    /// One inside a named pipe.
    pub(super) fn in_pipe(association: u64) -> Self {
        Self { association, ..Self::default() }
    }

    /// Fragments of this direction may be missing.
    pub(super) const fn lose(&mut self, direction: Direction) {
        let [from_client, from_server] = &mut self.is_after_gap;
        match direction {
            Direction::ClientToServer => *from_client = true,
            Direction::ServerToClient => *from_server = true,
        }
    }

    /// What is handed on of a PDU that was read; `bytes` are what there is of it.
    pub(super) fn fragment<'a>(
        &mut self,
        direction: Direction,
        bytes: &'a [u8],
        pdu: &Pdu,
    ) -> Option<Fragment<'a>> {
        let header = Header::read(bytes)?;
        let [from_client, from_server] = &mut self.is_after_gap;
        let is_after_gap = std::mem::take(match direction {
            Direction::ClientToServer => from_client,
            Direction::ServerToClient => from_server,
        });
        let verifier = header
            .trailer()
            .filter(|at| matches!(bytes.get(*at), Some(&(AUTH_TYPE_SPNEGO | AUTH_TYPE_NTLM))));
        let id = verifier.and_then(|at| header.u32_at(bytes, at + 4));
        let context = id.and_then(|id| self.contexts.get_mut(&id));
        Some(Fragment {
            association: self.association,
            conversation: context.map(|context| context.conversation),
            has_mech_list_mic: pdu.has_mech_list_mic,
            is_after_gap,
            bytes,
            is_whole: bytes.len() == header.fragment,
        })
    }

    /// Whether what this begins is to be handed on whole.
    fn watch(&mut self, header: &Header, bytes: &[u8]) {
        self.is_watched |= header.auth > 0 || memchr::memmem::find(bytes, &NETLOGON).is_some();
    }

    /// The length of a PDU and how much of it is to be read; `None` if it is none.
    pub(super) fn lengths(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        let header = Header::read(bytes)?;
        let wanted = match header.kind {
            _ if self.is_watched => header.fragment,
            REQUEST if self.last.is_some() => header.fragment,
            FAULT => 28,
            BIND..=AUTH3 => header.fragment,
            _ => HEADER,
        };
        Some((header.fragment, wanted.min(header.fragment)))
    }

    /// Reads one PDU.
    pub(super) fn pdu(&mut self, bytes: &[u8], out: &mut Out<'_>) -> Pdu {
        let Some(header) = Header::read(bytes) else { return Pdu::default() };
        match header.kind {
            REQUEST => {
                self.request(&header, bytes);
                Pdu::default()
            }
            RESPONSE => Pdu { verdict: self.answered(&header, "response"), ..Pdu::default() },
            FAULT => self.fault(&header, bytes),
            BIND_NAK => {
                let reason = header.u16_at(bytes, HEADER).unwrap_or_default();
                let verdict = self
                    .last
                    .and_then(|id| self.verdict(id, Said::Refused, status::bind_nak(reason)));
                Pdu { verdict, ..Pdu::default() }
            }
            BIND | BIND_ACK | ALTER_CONTEXT | ALTER_CONTEXT_RESP | AUTH3 => {
                self.authentication(&header, bytes, out)
            }
            _ => Pdu::default(),
        }
    }

    fn authentication(&mut self, header: &Header, bytes: &[u8], out: &mut Out<'_>) -> Pdu {
        self.watch(header, bytes);
        let found = self.token(header, bytes, out);
        let has_mech_list_mic = found.as_ref().is_some_and(|found| found.has_mech_list_mic);
        if header.kind != ALTER_CONTEXT_RESP {
            let token = found.and_then(|found| found.token);
            return Pdu { token, verdict: None, has_mech_list_mic };
        }
        let Some(found) = found else {
            let verdict = self
                .waiting()
                .and_then(|id| self.verdict(id, Said::Accepted, "alter_context_resp".into()));
            return Pdu { verdict, ..Pdu::default() };
        };
        let said = match found.state {
            _ if found.token.is_some() || !self.is_waiting(found.id) => None,
            Some(NegState::AcceptIncomplete | NegState::RequestMic) => None,
            Some(NegState::Reject) => Some(Said::Refused),
            Some(NegState::AcceptCompleted) | None => Some(Said::Accepted),
        };
        let status = found.state.map_or("alter_context_resp", NegState::name);
        let verdict = said.and_then(|said| self.verdict(found.id, said, status.into()));
        Pdu { token: found.token, verdict, has_mech_list_mic }
    }

    fn token(&mut self, header: &Header, bytes: &[u8], out: &mut Out<'_>) -> Option<FoundToken> {
        let trailer = header.trailer()?;
        let auth_type = *bytes.get(trailer)?;
        if !matches!(auth_type, AUTH_TYPE_SPNEGO | AUTH_TYPE_NTLM) {
            return None;
        }
        let id = header.u32_at(bytes, trailer + 4)?;
        let start = trailer + TRAILER;
        let buffer = bytes.get(start..start + header.auth)?;
        let content = spnego::content(buffer);
        let message = content.message(buffer);
        let conversation = match self.contexts.get_mut(&id) {
            Some(context) => context.conversation,
            None => {
                let conversation = out.new_conversation();
                self.contexts.insert(id, Context { conversation, waiting: false });
                conversation
            }
        };
        self.last = Some(id);
        let token = message.map(|(range, wrapping)| {
            let kind = buffer.get(range.clone()).and_then(|bytes| MessageType::of(bytes).ok());
            if let (Some(context), Some(kind)) = (self.contexts.get_mut(&id), kind) {
                context.waiting = kind == MessageType::Authenticate;
            }
            let session = Some(u64::from(id));
            let carried = Carried { carrier: Carrier::Rpc, conversation, session };
            (start + range.start..start + range.end, wrapping, carried)
        });
        let has_mech_list_mic = content.has_mech_list_mic();
        Some(FoundToken { id, token, state: content.state(), has_mech_list_mic })
    }

    /// Remembers whose call it is, as long as somebody waits to hear.
    fn request(&mut self, header: &Header, bytes: &[u8]) {
        let verifier = header.trailer().and_then(|trailer| header.u32_at(bytes, trailer + 4));
        if let Some(id) = verifier.or_else(|| self.waiting())
            && self.is_waiting(id)
        {
            self.calls.insert(header.call, id);
        }
    }

    fn fault(&mut self, header: &Header, bytes: &[u8]) -> Pdu {
        let (name, said) = status::fault(header.u32_at(bytes, 24).unwrap_or_default());
        let id = self.calls.take(&header.call).or_else(|| self.waiting());
        let verdict = id.and_then(|id| self.verdict(id, said, name));
        Pdu { verdict, ..Pdu::default() }
    }

    fn answered(&mut self, header: &Header, status: &'static str) -> Option<Verdict> {
        let id = self.calls.take(&header.call)?;
        self.verdict(id, Said::Accepted, status.into())
    }

    fn verdict(&mut self, id: u32, said: Said, status: Cow<'static, str>) -> Option<Verdict> {
        let context = self.contexts.get_mut(&id)?;
        if said != Said::Refused && !context.waiting {
            return None;
        }
        context.waiting = false;
        if self.last == Some(id) {
            self.last = None;
        }
        Some(Verdict { conversation: context.conversation, said, status })
    }

    fn is_waiting(&mut self, id: u32) -> bool {
        self.contexts.get_mut(&id).is_some_and(|context| context.waiting)
    }

    /// The context that was heard of last, if it waits.
    fn waiting(&mut self) -> Option<u32> {
        self.last.filter(|id| self.contexts.get_mut(id).is_some_and(|context| context.waiting))
    }
}

struct FoundToken {
    id: u32,
    token: Option<(Range<usize>, Wrapping, Carried)>,
    state: Option<NegState>,
    has_mech_list_mic: bool,
}

impl Protocol for Rpc {
    fn carrier(&self) -> Carrier {
        Carrier::Rpc
    }

    fn extent(&mut self, direction: Direction, bytes: &[u8]) -> Extent {
        match self.lengths(bytes) {
            Some((length, wanted)) => Extent::new(length, wanted),
            None if bytes.len() < HEADER => Extent::More,
            None => {
                self.lose(direction);
                Extent::Lost
            }
        }
    }

    fn message(&mut self, message: &Message<'_>, out: &mut Out<'_>) {
        let pdu = self.pdu(message.bytes, out);
        let fragment = self.fragment(message.direction, message.bytes, &pdu);
        let Pdu { token, verdict, .. } = pdu;
        if let Some((range, wrapping, carried)) = token
            && let Some(bytes) = message.bytes.get(range.clone())
        {
            let end = range.end;
            out.claim(range);
            out.token(message, end, bytes.to_vec(), wrapping, carried);
        }
        if let Some(verdict) = verdict {
            out.answer(message, verdict);
        }
        if let Some(fragment) = fragment {
            out.fragment(message, message.bytes.len(), &fragment);
        }
    }

    fn gap(&mut self, direction: Direction) {
        self.lose(direction);
    }

    fn resume(&self, _: Direction, bytes: &[u8]) -> Option<usize> {
        // version 5.0, and little-endian integers, ASCII, IEEE floats eight bytes on
        memchr::memmem::find_iter(bytes, b"\x05\0").find(|at| bytes.get(*at..).is_some_and(is_pdu))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::protocol::driver::{CLIENT, SERVER, damage, drive, ntlm, spnego, words};
    use super::*;

    /// A PDU with an empty body and a token of NTLM in context 7.
    pub(in super::super) fn pdu(kind: u8, call: u32, token: &[u8]) -> Vec<u8> {
        with_auth(kind, call, AUTH_TYPE_NTLM, token)
    }

    fn with_auth(kind: u8, call: u32, auth_type: u8, token: &[u8]) -> Vec<u8> {
        let trailer = [auth_type, 6, 0, 0, 7, 0, 0, 0];
        let body =
            if token.is_empty() { vec![0; 12] } else { [&[0; 12], &trailer[..], token].concat() };
        let short = |length: usize| u16::try_from(length).unwrap().to_le_bytes();
        let mut pdu = vec![5, 0, kind, 3, 0x10, 0, 0, 0];
        pdu.extend(short(HEADER + body.len()));
        pdu.extend(short(token.len()));
        pdu.extend(call.to_le_bytes());
        pdu.extend(body);
        pdu
    }

    fn fault(call: u32, status: u32) -> Vec<u8> {
        let mut pdu = with_auth(FAULT, call, 0, &[]);
        pdu[24..28].copy_from_slice(&status.to_le_bytes());
        pdu
    }

    fn logon() -> Vec<(Direction, Vec<u8>)> {
        vec![
            (CLIENT, pdu(BIND, 1, &ntlm(1))),
            (SERVER, pdu(BIND_ACK, 1, &ntlm(2))),
            (CLIENT, pdu(AUTH3, 1, &ntlm(3))),
            (CLIENT, pdu(REQUEST, 2, &[1; 16])),
        ]
    }

    #[test]
    fn the_first_answer_to_a_call_says_yes() {
        let mut pieces = logon();
        pieces.push((SERVER, pdu(RESPONSE, 2, &[1; 16])));
        assert_eq!(
            words(&drive(&mut Rpc::default(), &pieces)),
            ["n1", "c1", "a1", "yes1: response"]
        );
        damage(|| Box::new(Rpc::default()), &pieces);
    }

    #[test]
    fn a_fault_says_what_its_status_says() {
        for (status, word) in [
            (0x1c01_0002, "yes1: nca_s_op_rng_error"),
            (0x0000_0721, "no1: nca_s_fault_sec_pkg_error"),
            (0x0000_0005, "unclear1: nca_s_fault_access_denied"),
        ] {
            let mut pieces = logon();
            pieces.push((SERVER, fault(2, status)));
            let words = words(&drive(&mut Rpc::default(), &pieces));
            assert_eq!(words.last().map(String::as_str), Some(word));
        }
    }

    #[test]
    fn a_bind_may_be_refused() {
        let mut nak = with_auth(BIND_NAK, 1, 0, &[]);
        nak[HEADER] = 8;
        let pieces = [(CLIENT, pdu(BIND, 1, &ntlm(1))), (SERVER, nak)];
        let expected = ["n1", "no1: bind_nak: authentication type not recognized"];
        assert_eq!(words(&drive(&mut Rpc::default(), &pieces)), expected);
    }

    #[test]
    fn spnego_ends_with_alter_context_resp() {
        let with_spnego = |kind, token: &[u8]| with_auth(kind, 1, AUTH_TYPE_SPNEGO, token);
        let token = |kind| spnego(&ntlm(kind));
        let pieces = [
            (CLIENT, with_spnego(BIND, &token(1))),
            (SERVER, with_spnego(BIND_ACK, &token(2))),
            (CLIENT, with_spnego(ALTER_CONTEXT, &token(3))),
            (SERVER, with_spnego(ALTER_CONTEXT_RESP, b"\xa1\x07\x30\x05\xa0\x03\x0a\x01\x00")),
        ];
        let words = words(&drive(&mut Rpc::default(), &pieces));
        assert_eq!(words, ["n1", "c1", "a1", "yes1: accept-completed"]);
        damage(|| Box::new(Rpc::default()), &pieces);
    }

    #[test]
    fn other_mechanisms_are_none_of_ours() {
        let pieces = [(CLIENT, with_auth(BIND, 1, 68, &ntlm(1)))];
        assert!(drive(&mut Rpc::default(), &pieces).is_empty());
    }
}
