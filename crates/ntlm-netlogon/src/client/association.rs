//! An association: bound to one interface, one call at a time (C706 12, MS-RPCE 3.3.1).

use crate::error::{DecodeError, TooLong};
use crate::keys::ChannelKeys;
use crate::pdu::{
    Assembly, AssemblyError, AuthLevel, AuthType, AuthVerifier, Bind, Body, ContextResult,
    FaultStatus, Fragments, Header, PacketType, Pdu, PfcFlags, PresentationContext, Request,
    SyntaxId,
};
use crate::protect::{Coverage, NetlogonProtection, ProtectError};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use ntlm::keys::Direction;

/// The longest fragment that is sent and taken, in bytes.
const MAX_FRAG: u16 = 5840;
/// The longest stub of an answer that is taken, in bytes.
const MAX_STUB: usize = 0x10_0000;
/// What the one security context of an association is called.
const AUTH_CONTEXT_ID: u32 = 1;
/// What the one presentation context is called.
const CONTEXT_ID: u16 = 0;
/// Before the stub of a request.
const REQUEST_HEADER: usize = 24;

/// What protects an association.
#[derive(Debug)]
pub enum Security {
    /// Nothing.
    None,
    /// A secure channel, always sealed: patched servers take nothing else (CVE-2020-1472).
    Netlogon {
        /// Its keys.
        keys: ChannelKeys,
        /// NetBIOS name of the domain, in ASCII.
        domain: Vec<u8>,
        /// NetBIOS name of the client, as in its challenge, in ASCII.
        computer: Vec<u8>,
        /// Whether a server may leave headers unsigned.
        allow_unsigned_headers: bool,
    },
}

/// bind was sent, and its answer is awaited.
#[derive(Debug)]
pub struct Binding {
    call_id: u32,
    security: Security,
}

impl Binding {
    /// Begins an association with `interface`: what to send.
    ///
    /// # Errors
    ///
    /// A name is too long.
    pub fn start(interface: SyntaxId, security: Security) -> Result<(Vec<u8>, Self), TooLong> {
        let call_id = 1;
        let contexts = vec![PresentationContext {
            context_id: CONTEXT_ID,
            abstract_syntax: interface,
            transfer_syntaxes: vec![SyntaxId::NDR],
        }];
        let token = nl_auth_message(&security);
        let mut pfc_flags = PfcFlags::WHOLE;
        pfc_flags.set(PfcFlags::SUPPORT_HEADER_SIGN, token.is_some());
        let pdu = Pdu {
            rpc_vers_minor: 0,
            pfc_flags,
            call_id,
            body: Body::Bind(Bind {
                max_xmit_frag: MAX_FRAG,
                max_recv_frag: MAX_FRAG,
                assoc_group_id: 0,
                contexts,
            }),
            verifier: token.as_ref().map(|token| verifier(&[], token)),
        };
        Ok((pdu.encode()?, Self { call_id, security }))
    }

    /// Takes the answer.
    ///
    /// # Errors
    ///
    /// The server refuses, or answers something else.
    pub fn receive(self, fragment: &[u8]) -> Result<Association, AssociationError> {
        let pdu = Pdu::decode(fragment)?;
        if pdu.call_id != self.call_id {
            return Err(AssociationError::Unexpected("call_id"));
        }
        let ack = match pdu.body {
            Body::BindAck(ack) => ack,
            Body::BindNak(nak) => return Err(AssociationError::BindRefused(nak.reason)),
            Body::Fault(fault) => return Err(AssociationError::Fault(fault.status)),
            _ => return Err(AssociationError::Unexpected("PTYPE")),
        };
        match ack.results.as_slice() {
            [result] if result.result != ContextResult::ACCEPTANCE => {
                return Err(AssociationError::ContextRefused(result.reason));
            }
            [result] if result.transfer_syntax == SyntaxId::NDR => (),
            _ => return Err(AssociationError::Unexpected("p_result_list")),
        }
        let protection = match self.security {
            Security::None => None,
            Security::Netlogon { keys, allow_unsigned_headers, .. } => {
                let answered = pdu.verifier.is_some_and(|verifier| {
                    verifier.auth_type == AuthType::NETLOGON
                        && verifier.auth_level == AuthLevel::PKT_PRIVACY
                        && verifier.auth_context_id == AUTH_CONTEXT_ID
                        && verifier.auth_value.starts_with(&NEGOTIATE_RESPONSE)
                });
                if !answered {
                    return Err(AssociationError::Unexpected("auth_verifier"));
                }
                let header_signing = pdu.pfc_flags.contains(PfcFlags::SUPPORT_HEADER_SIGN);
                if !header_signing && !allow_unsigned_headers {
                    return Err(AssociationError::HeadersUnsigned);
                }
                Some(NetlogonProtection::new(
                    keys.algorithms,
                    &keys.session_key,
                    AuthLevel::PKT_PRIVACY,
                    AUTH_CONTEXT_ID,
                    Coverage::choose(header_signing),
                )?)
            }
        };
        let max_xmit_frag = ack.max_recv_frag.min(MAX_FRAG);
        Ok(Association { protection, max_xmit_frag, call_id: self.call_id })
    }
}

/// MessageType 1 of NL_AUTH_MESSAGE (MS-NRPC 2.2.1.3.1).
const NEGOTIATE_RESPONSE: [u8; 4] = [1, 0, 0, 0];

/// NL_AUTH_MESSAGE: a request, with the NetBIOS names of domain and computer (MS-NRPC 2.2.1.3.1).
fn nl_auth_message(security: &Security) -> Option<Vec<u8>> {
    match security {
        Security::None => None,
        Security::Netlogon { domain, computer, .. } => {
            let flags = 3_u32.to_le_bytes();
            Some([&[0; 4], flags.as_slice(), domain, &[0], computer, &[0]].concat())
        }
    }
}

const fn verifier<'a>(auth_pad: &'a [u8], auth_value: &'a [u8]) -> AuthVerifier<'a> {
    AuthVerifier {
        auth_pad,
        auth_type: AuthType::NETLOGON,
        auth_level: AuthLevel::PKT_PRIVACY,
        auth_context_id: AUTH_CONTEXT_ID,
        auth_value,
    }
}

/// Bound, and no call under way.
#[derive(Debug)]
pub struct Association {
    protection: Option<NetlogonProtection>,
    max_xmit_frag: u16,
    call_id: u32,
}

impl Association {
    /// Calls a method: what to send, one fragment after the other. `confounders` are random; each
    /// sealed fragment takes one.
    ///
    /// # Errors
    ///
    /// The server's fragments are too short for anything, no confounder was left, or the channel's
    /// sequence numbers are used up.
    pub fn call(
        mut self,
        opnum: u16,
        stub: &[u8],
        confounders: impl IntoIterator<Item = [u8; 8]>,
    ) -> Result<(Vec<u8>, Calling), AssociationError> {
        self.call_id = self.call_id.checked_add(1).ok_or(AssociationError::CallsExhausted)?;
        let auth_length = self.protection.as_ref().map_or(0, NetlogonProtection::auth_length);
        // sec_trailer, and padding of a last fragment that is full.
        let overhead = REQUEST_HEADER + if auth_length > 0 { 8 + auth_length } else { 0 };
        let fragments = Fragments::new(stub.len(), self.max_xmit_frag, overhead)
            .ok_or(AssociationError::FragmentsTooShort)?;
        let mut confounders = confounders.into_iter();
        let mut sent = Vec::new();
        let (no_token, padding) = ([0; MAX_AUTH_LENGTH], [0; 16]);
        let token = no_token.get(..auth_length).unwrap_or_default();
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
                verifier: self.protection.is_some().then(|| verifier(auth_pad, token)),
            };
            let mut fragment = pdu.encode()?;
            if let Some(protection) = &mut self.protection {
                let confounder = confounders.next().ok_or(AssociationError::NoConfounder)?;
                protection.protect(Direction::ClientToServer, &mut fragment, confounder)?;
            }
            sent.append(&mut fragment);
        }
        let assembly = Assembly::new(self.call_id, MAX_STUB);
        Ok((sent, Calling { association: self, assembly }))
    }
}

/// The longest auth_value that is sent, in bytes.
const MAX_AUTH_LENGTH: usize = 56;

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
        match &mut self.association.protection {
            Some(protection) if !bare_fault => {
                protection.open(Direction::ServerToClient, fragment)?;
            }
            _ => (),
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

/// Why an association is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AssociationError {
    /// What came is no PDU.
    Decode(DecodeError),
    /// Something is too long to be sent.
    TooLong(TooLong),
    /// A PDU that has no place here, or with another value in this field.
    Unexpected(&'static str),
    /// bind_nak, with provider_reject_reason.
    BindRefused(u16),
    /// The interface or NDR was refused, with the reason.
    ContextRefused(u16),
    /// The server does not sign headers.
    HeadersUnsigned,
    /// The call failed.
    Fault(FaultStatus),
    /// The answer's fragments do not fit together.
    Assembly(AssemblyError),
    /// A fragment cannot be protected, or its verifier does not hold.
    Protect(ProtectError),
    /// The server takes only fragments too short for a call.
    FragmentsTooShort,
    /// A sealed fragment had no confounder.
    NoConfounder,
    /// All call_ids are used.
    CallsExhausted,
}

impl fmt::Display for AssociationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::TooLong(error) => error.fmt(f),
            Self::Unexpected(field) => write!(f, "not the answer that is awaited: {field}"),
            Self::BindRefused(reason) => write!(f, "bind refused, reason {reason}"),
            Self::ContextRefused(reason) => write!(f, "interface refused, reason {reason}"),
            Self::HeadersUnsigned => f.write_str("server does not sign headers"),
            Self::Fault(status) => write!(f, "call failed: {status}"),
            Self::Assembly(error) => error.fmt(f),
            Self::Protect(error) => error.fmt(f),
            Self::FragmentsTooShort => f.write_str("server takes only fragments too short"),
            Self::NoConfounder => f.write_str("no confounder for a sealed fragment"),
            Self::CallsExhausted => f.write_str("all call_ids are used"),
        }
    }
}

impl core::error::Error for AssociationError {}

impl From<DecodeError> for AssociationError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<TooLong> for AssociationError {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}

impl From<AssemblyError> for AssociationError {
    fn from(error: AssemblyError) -> Self {
        Self::Assembly(error)
    }
}

impl From<ProtectError> for AssociationError {
    fn from(error: ProtectError) -> Self {
        Self::Protect(error)
    }
}
