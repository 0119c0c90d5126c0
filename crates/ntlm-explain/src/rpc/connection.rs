//! The associations of one flow: over TCP, or in each of its pipes.

use super::Ended;
use super::session::Session;
use crate::alive::Alive;
use crate::carrier::RpcFragment;
use crate::known::Known;
use crate::netlogon::{Calls, Channel, ChannelExplained, Ends, Setups, hear_setup};
use ntlm::keys::{Direction, KeySchedule};
use ntlm_capture::Endpoints;
use ntlm_netlogon::pdu::{AuthType, AuthVerifier, Body, Header, PacketType, Pdu, PfcFlags};
use ntlm_netlogon::protect::SecurityContext;
use std::collections::BTreeMap;
use std::net::IpAddr;
use zeroize::Zeroize;

/// One flow: told of every fragment, and of every logon in the order in which they happen.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    associations: BTreeMap<u64, Association>,
    /// Security contexts of NTLM by conversation, each with its association.
    sessions: BTreeMap<u64, (u64, Box<Session>)>,
    /// Keys of the logon that the fragment which comes next completes.
    proved: Option<(u64, KeySchedule)>,
    /// The first frame before which fragments may be missing.
    gap: Option<u64>,
    /// A fragment while it is unsealed.
    scratch: Vec<u8>,
    ended: Vec<Ended>,
    channels: Vec<ChannelExplained>,
}

#[derive(Debug, Default)]
struct Association {
    /// The conversation of the last security context of NTLM.
    session: Option<u64>,
    channel: Option<Box<Channel>>,
    calls: Calls,
    /// The server's address, by which setups are known.
    server: Option<IpAddr>,
}

/// What all flows of a capture share.
pub(crate) struct Shared<'a> {
    pub(crate) known: Known<'a>,
    pub(crate) setups: &'a mut Setups,
    pub(crate) alive: &'a Alive,
}

/// More associations or security contexts of one flow than this, and the oldest is followed no further.
const MOST: usize = 256;

impl Connection {
    /// The client proved itself, and these are the keys.
    pub(crate) fn prove(&mut self, conversation: u64, keys: KeySchedule) {
        self.proved = Some((conversation, keys));
    }

    /// An exchange is over. Whether it has a security context that is told of later.
    pub(crate) fn claim(&mut self, conversation: u64, ticket: u64) -> bool {
        let session = self.sessions.get_mut(&conversation);
        let session =
            session.map(|(_, session)| session).filter(|session| session.ticket.is_none());
        match session {
            Some(session) => {
                session.ticket = Some(ticket);
                true
            }
            None => false,
        }
    }

    /// Packets of the flow are missing before a frame.
    pub(crate) fn gap(&mut self, frame: u64) {
        self.gap.get_or_insert(frame);
    }

    /// A fragment went by.
    pub(crate) fn fragment(
        &mut self,
        fragment: &RpcFragment<'_>,
        endpoints: Endpoints,
        shared: &mut Shared<'_>,
    ) {
        let Ok(header) = Header::decode(fragment.bytes) else { return };
        let direction = sender(header.ptype);
        let is_reversed = fragment.direction
            != match direction {
                Direction::ClientToServer => ntlm_capture::Direction::ClientToServer,
                Direction::ServerToClient => ntlm_capture::Direction::ServerToClient,
            };
        if fragment.is_after_gap {
            self.lose(fragment.association, direction, fragment.origin.frame, shared.known);
        }
        match header.ptype {
            PacketType::REQUEST | PacketType::RESPONSE | PacketType::FAULT => {
                self.call(fragment, direction, &header, shared);
            }
            _ => {
                let ends = ends(endpoints, is_reversed);
                self.handshake(fragment, direction, ends, shared);
            }
        }
    }

    /// Those that are over since this was last asked.
    pub(crate) fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    /// Those that are over since this was last asked.
    pub(crate) fn take_channels(&mut self) -> Vec<ChannelExplained> {
        std::mem::take(&mut self.channels)
    }

    /// The flow is over, or the capture is.
    pub(crate) fn end(&mut self, is_cut_off: bool, known: Known<'_>) {
        let gap = self.gap;
        let sessions = std::mem::take(&mut self.sessions).into_values();
        self.ended.extend(sessions.filter_map(|(_, session)| session.end(gap, is_cut_off)));
        for (_, association) in std::mem::take(&mut self.associations) {
            self.channels.extend(association.end(gap, is_cut_off, known));
        }
    }

    fn lose(&mut self, association: u64, direction: Direction, frame: u64, known: Known<'_>) {
        self.gap(frame);
        for (of, session) in self.sessions.values_mut() {
            if *of == association {
                session.gap(direction);
            }
        }
        if let Some(association) = self.associations.get_mut(&association) {
            association.calls.gap(direction);
            if let Some(channel) = &mut association.channel {
                channel.gap(frame);
            }
            association.pass_given_up(known);
        }
    }

    /// bind and its answer, alter_context and its answer, auth3.
    fn handshake(
        &mut self,
        fragment: &RpcFragment<'_>,
        direction: Direction,
        ends: Ends,
        shared: &mut Shared<'_>,
    ) {
        let Ok(pdu) = Pdu::decode(fragment.bytes) else { return };
        let frame = fragment.origin.frame;
        let number = fragment.association;
        if let (Some(conversation), Some(verifier)) = (fragment.conversation, &pdu.verifier) {
            self.session(number, conversation, verifier, shared);
            if let Some((_, session)) = self.sessions.get_mut(&conversation)
                && fragment.has_mech_list_mic
            {
                session.mech_list_mic(direction);
            }
        }
        let speaks_of_netlogon = match &pdu.body {
            Body::Bind(bind) | Body::AlterContext(bind) => Some(bind),
            _ => None,
        };
        if !self.associations.contains_key(&number) {
            if speaks_of_netlogon.is_none() {
                return;
            }
            self.make_room(shared.known);
        }
        let association = self.associations.entry(number).or_default();
        association.server = Some(ends.server.ip());
        if let Some(bind) = speaks_of_netlogon {
            association.calls.bind(bind);
        }
        let of_channel = pdu.verifier.filter(|verifier| verifier.auth_type == AuthType::NETLOGON);
        match (&pdu.body, of_channel) {
            (Body::Bind(_), Some(verifier)) => {
                let (context, token) = (context(&verifier), verifier.auth_value);
                let channel = Channel::new(context, token, ends, frame, shared.known);
                let before = association.channel.replace(Box::new(channel));
                let before =
                    before.map(|before| before.end([].into_iter(), self.gap, false, shared.known));
                self.channels.extend(before);
            }
            (Body::BindAck(_), Some(_)) => {
                if let Some(channel) = &mut association.channel {
                    let signs = pdu.pfc_flags.contains(PfcFlags::SUPPORT_HEADER_SIGN);
                    channel.bound(signs, frame);
                }
            }
            _ => {}
        }
        if fragment.conversation.is_some() {
            association.session = fragment.conversation;
        }
    }

    /// The security context of a conversation, which takes the keys of a logon that was just proved.
    fn session(
        &mut self,
        association: u64,
        conversation: u64,
        verifier: &AuthVerifier<'_>,
        shared: &Shared<'_>,
    ) {
        let proved = self.proved.take_if(|(of, _)| *of == conversation);
        let is_over = |session: &Session| session.is_over(proved.is_some());
        if self.sessions.get(&conversation).is_some_and(|(_, session)| is_over(session)) {
            let before = self.sessions.remove(&conversation);
            self.ended.extend(before.and_then(|(_, session)| session.end(self.gap, false)));
        }
        if !self.sessions.contains_key(&conversation) && self.sessions.len() >= MOST {
            let oldest = self.sessions.pop_first();
            self.ended.extend(oldest.and_then(|(_, (_, session))| session.end(self.gap, true)));
        }
        let new = || (association, Box::new(Session::new(context(verifier))));
        let (_, session) = self.sessions.entry(conversation).or_insert_with(new);
        if let Some((_, keys)) = proved {
            session.take(keys, shared.alive);
        }
    }

    /// request, response and fault.
    fn call(
        &mut self,
        fragment: &RpcFragment<'_>,
        direction: Direction,
        header: &Header,
        shared: &mut Shared<'_>,
    ) {
        let frame = fragment.origin.frame;
        let Some(association) = self.associations.get_mut(&fragment.association) else { return };
        let conversation = fragment.conversation.or(association.session);
        let session = conversation.and_then(|of| self.sessions.get_mut(&of));
        // Servers send some faults before they look at the verifier, and without one.
        let is_bare_fault = header.ptype == PacketType::FAULT && header.auth_length == 0;
        let is_spoken = association.calls.is_spoken();
        if session.is_none() && association.channel.is_none() && !is_spoken {
            return;
        }
        self.scratch.clear();
        self.scratch.extend_from_slice(fragment.bytes);
        let bytes = self.scratch.as_mut_slice();
        let is_whole = fragment.is_whole;
        let is_open = match (session, &mut association.channel) {
            _ if is_bare_fault => true,
            (Some((_, session)), _) => session.fragment(direction, bytes, is_whole, frame),
            (None, Some(channel)) => {
                channel.fragment(direction, bytes, is_whole, frame, shared.known, shared.setups)
            }
            (None, None) => header.auth_length == 0,
        };
        if !is_spoken {
            return;
        }
        if association.channel.as_mut().is_some_and(|channel| channel.take_loss()) {
            association.calls.give_up();
        }
        if is_open
            && is_whole
            && let Ok(pdu) = Pdu::decode(&self.scratch)
            && let Some(heard) = association.calls.fragment(&pdu, frame)
        {
            match &mut association.channel {
                Some(channel) if heard.is_logon() => channel.hear(heard, shared.known),
                _ => {
                    if let Some(server) = association.server {
                        hear_setup(shared.setups, server, heard);
                    }
                }
            }
        }
        association.pass_given_up(shared.known);
        // There are keys in a verdict.
        self.scratch.zeroize();
    }

    /// Follows the oldest association no further if there are as many as there may be.
    fn make_room(&mut self, known: Known<'_>) {
        if self.associations.len() >= MOST
            && let Some((_, oldest)) = self.associations.pop_first()
        {
            self.channels.extend(oldest.end(self.gap, true, known));
        }
    }
}

impl Association {
    /// Tells the channel of logons that will not be answered any more.
    fn pass_given_up(&mut self, known: Known<'_>) {
        let given_up = self.calls.take_given_up();
        if let Some(channel) = &mut self.channel {
            given_up.for_each(|question| channel.unanswered(question, known));
        }
    }

    fn end(
        mut self,
        gap: Option<u64>,
        is_cut_off: bool,
        known: Known<'_>,
    ) -> Option<ChannelExplained> {
        let unanswered = self.calls.unanswered();
        self.channel.map(|channel| channel.end(unanswered, gap, is_cut_off, known))
    }
}

const fn context(verifier: &AuthVerifier<'_>) -> SecurityContext {
    SecurityContext {
        auth_type: verifier.auth_type,
        auth_level: verifier.auth_level,
        auth_context_id: verifier.auth_context_id,
    }
}

/// Who sends such a PDU, whichever way the flow was guessed to go.
const fn sender(ptype: PacketType) -> Direction {
    match ptype {
        PacketType::RESPONSE
        | PacketType::FAULT
        | PacketType::BIND_ACK
        | PacketType::BIND_NAK
        | PacketType::ALTER_CONTEXT_RESP => Direction::ServerToClient,
        _ => Direction::ClientToServer,
    }
}

const fn ends(endpoints: Endpoints, is_reversed: bool) -> Ends {
    let Endpoints { client, server, .. } = endpoints;
    if is_reversed { Ends { client: server, server: client } } else { Ends { client, server } }
}
