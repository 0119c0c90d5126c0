//! An association: bound to one interface, one call at a time (C706 12, MS-RPCE 3.3.1).

use super::error::AssociationError;
use crate::pdu::{Assembly, Body, Fragments, Header, PacketType, Pdu, Request};
use crate::protect::{NetlogonProtection, NtlmProtection, ProtectError, SecurityContext};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use ntlm::keys::Direction;

/// The longest fragment that is sent and taken, in bytes.
pub(super) const MAX_FRAG: u16 = 5840;
/// The longest stub of an answer that is taken, in bytes.
const MAX_STUB: usize = 0x10_0000;
/// What the one presentation context is called.
pub(super) const CONTEXT_ID: u16 = 0;
/// call_id of everything before the first call.
pub(super) const CALL_ID: u32 = 1;
/// Before the stub of a request.
const REQUEST_HEADER: usize = 24;
/// The longest auth_value that is sent, in bytes.
const MAX_AUTH_LENGTH: usize = 56;

/// Bound, and no call under way.
#[derive(Debug)]
pub struct Association {
    protection: Protection,
    max_xmit_frag: u16,
    call_id: u32,
}

/// What protects each fragment.
#[derive(Debug)]
pub(super) enum Protection {
    Nothing,
    Netlogon(NetlogonProtection),
    Ntlm(Box<NtlmProtection>),
}

impl Protection {
    /// What each verifier says, and how long its token is in bytes.
    const fn verifier(&self) -> Option<(SecurityContext, usize)> {
        match self {
            Self::Nothing => None,
            Self::Netlogon(protection) => Some((protection.context(), protection.auth_length())),
            Self::Ntlm(protection) => Some((protection.context(), NtlmProtection::AUTH_LENGTH)),
        }
    }

    fn protect(
        &mut self,
        fragment: &mut [u8],
        confounders: &mut impl Iterator<Item = [u8; 8]>,
    ) -> Result<(), AssociationError> {
        match self {
            Self::Nothing => (),
            Self::Netlogon(protection) => {
                let confounder = confounders.next().ok_or(AssociationError::NoConfounder)?;
                protection.protect(Direction::ClientToServer, fragment, confounder)?;
            }
            Self::Ntlm(protection) => protection.protect(fragment)?,
        }
        Ok(())
    }

    fn open(&mut self, fragment: &mut [u8]) -> Result<(), ProtectError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Netlogon(protection) => protection.open(Direction::ServerToClient, fragment),
            Self::Ntlm(protection) => protection.open(fragment),
        }
    }
}

impl Association {
    pub(super) fn new(protection: Protection, servers_max_recv_frag: u16) -> Self {
        Self { protection, max_xmit_frag: servers_max_recv_frag.min(MAX_FRAG), call_id: CALL_ID }
    }

    /// Calls a method: what to send, one fragment after the other. `confounders` are random: under a
    /// secure channel each fragment takes one, and otherwise none is taken.
    ///
    /// # Errors
    ///
    /// The server's fragments are too short for anything, no confounder was left, or sequence
    /// numbers are used up.
    pub fn call(
        mut self,
        opnum: u16,
        stub: &[u8],
        confounders: impl IntoIterator<Item = [u8; 8]>,
    ) -> Result<(Vec<u8>, Calling), AssociationError> {
        self.call_id = self.call_id.checked_add(1).ok_or(AssociationError::CallsExhausted)?;
        let (no_token, padding) = ([0; MAX_AUTH_LENGTH], [0; 16]);
        let protected = self.protection.verifier();
        // sec_trailer and token. Padding fits, for a fragment holds a multiple of 16.
        let overhead = REQUEST_HEADER + protected.map_or(0, |(_, auth_length)| 8 + auth_length);
        let fragments = Fragments::new(stub.len(), self.max_xmit_frag, overhead)
            .ok_or(AssociationError::FragmentsTooShort)?;
        let mut confounders = confounders.into_iter();
        let mut sent = Vec::new();
        for (range, pfc_flags) in fragments {
            let left = stub.len().saturating_sub(range.start);
            let part = stub.get(range).unwrap_or_default();
            let pad = part.len().next_multiple_of(16).saturating_sub(part.len());
            let auth_pad = padding.get(..pad).unwrap_or_default();
            let request = Request {
                alloc_hint: u32::try_from(left).unwrap_or(u32::MAX),
                context_id: CONTEXT_ID,
                opnum,
                object: None,
                stub: part,
            };
            let pdu = Pdu {
                rpc_vers_minor: 0,
                pfc_flags,
                call_id: self.call_id,
                body: Body::Request(request),
                verifier: protected.map(|(context, auth_length)| {
                    context.verifier(auth_pad, no_token.get(..auth_length).unwrap_or_default())
                }),
            };
            let mut fragment = pdu.encode()?;
            self.protection.protect(&mut fragment, &mut confounders)?;
            sent.append(&mut fragment);
        }
        let assembly = Assembly::new(self.call_id, MAX_STUB);
        Ok((sent, Calling { association: self, assembly }))
    }
}

/// A call was sent, and its answer is awaited.
#[derive(Debug)]
pub struct Calling {
    association: Association,
    assembly: Assembly,
}

/// What a fragment of an answer comes to.
///
/// `Debug` leaves the stub out: a verdict has keys in it.
pub enum Answer {
    /// There is more to come.
    More(Calling),
    /// The stub is whole.
    Whole(Vec<u8>, Association),
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::More(calling) => f.debug_tuple("More").field(calling).finish(),
            Self::Whole(_, association) => f.debug_tuple("Whole").field(association).finish(),
        }
    }
}

impl Calling {
    /// Takes the next fragment, which is unsealed in place; [`split`](crate::pdu::split) finds it.
    ///
    /// # Errors
    ///
    /// The call failed, or what came is no answer to it. The association is of no use any more.
    pub fn receive(mut self, fragment: &mut [u8]) -> Result<Answer, AssociationError> {
        let header = Header::decode(fragment)?;
        if ![PacketType::RESPONSE, PacketType::FAULT].contains(&header.ptype) {
            return Err(AssociationError::Unexpected("PTYPE"));
        }
        // Servers send some faults before they look at the verifier, and without one.
        let bare_fault = header.ptype == PacketType::FAULT && header.auth_length == 0;
        if !bare_fault {
            self.association.protection.open(fragment)?;
        }
        let pdu = Pdu::decode(fragment)?;
        let response = match pdu.body {
            Body::Response(response) => response,
            Body::Fault(fault) => return Err(AssociationError::Fault(fault.status)),
            _ => return Err(AssociationError::Unexpected("PTYPE")),
        };
        if response.context_id != CONTEXT_ID {
            return Err(AssociationError::Unexpected("p_cont_id"));
        }
        let last = self.assembly.add(pdu.call_id, pdu.pfc_flags, response.stub)?;
        let Self { association, assembly } = self;
        if !last {
            return Ok(Answer::More(Self { association, assembly }));
        }
        let stub = assembly.finish().ok_or(AssociationError::Unexpected("pfc_flags"))?;
        Ok(Answer::Whole(stub, association))
    }
}
