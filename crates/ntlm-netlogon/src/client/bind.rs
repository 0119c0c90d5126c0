//! bind without a logon: for nobody, or under a secure channel (C706 12.6.4.3, MS-NRPC 3.3.4.1).

use super::association::{Association, CALL_ID, CONTEXT_ID, MAX_FRAG, Protection};
use super::error::AssociationError;
use crate::error::TooLong;
use crate::keys::ChannelKeys;
use crate::pdu::{
    AuthLevel, AuthType, Bind, BindAck, Body, ContextResult, PacketType, Pdu, PfcFlags,
    PresentationContext, SyntaxId,
};
use crate::protect::{Coverage, NetlogonProtection, SecurityContext};
use alloc::vec;
use alloc::vec::Vec;

/// What the one security context of an association is called.
pub(super) const AUTH_CONTEXT_ID: u32 = 1;

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
    security: Security,
}

impl Binding {
    /// Begins an association with `interface`: what to send.
    ///
    /// # Errors
    ///
    /// A name is too long.
    pub fn start(interface: SyntaxId, security: Security) -> Result<(Vec<u8>, Self), TooLong> {
        let token = nl_auth_message(&security);
        let verifier = token.as_ref().map(|token| CHANNEL.verifier(&[], token));
        let mut pfc_flags = PfcFlags::WHOLE;
        pfc_flags.set(PfcFlags::SUPPORT_HEADER_SIGN, token.is_some());
        let body = Body::Bind(presentation(interface));
        let pdu = Pdu { rpc_vers_minor: 0, pfc_flags, call_id: CALL_ID, body, verifier };
        Ok((pdu.encode()?, Self { security }))
    }

    /// Takes the answer.
    ///
    /// # Errors
    ///
    /// The server refuses, or answers something else.
    pub fn receive(self, fragment: &[u8]) -> Result<Association, AssociationError> {
        let pdu = Pdu::decode(fragment)?;
        let ack = accepted(&pdu, PacketType::BIND_ACK)?;
        let protection = match self.security {
            Security::None => Protection::Nothing,
            Security::Netlogon { keys, allow_unsigned_headers, .. } => {
                if !token(&pdu, CHANNEL)?.starts_with(&NEGOTIATE_RESPONSE) {
                    return Err(AssociationError::Unexpected("auth_verifier"));
                }
                let header_signing = pdu.pfc_flags.contains(PfcFlags::SUPPORT_HEADER_SIGN);
                if !header_signing && !allow_unsigned_headers {
                    return Err(AssociationError::HeadersUnsigned);
                }
                Protection::Netlogon(NetlogonProtection::new(
                    keys.algorithms,
                    &keys.session_key,
                    CHANNEL.auth_level,
                    CHANNEL.auth_context_id,
                    Coverage::choose(header_signing),
                )?)
            }
        };
        Ok(Association::new(protection, ack.max_recv_frag))
    }
}

/// How a secure channel protects an association.
const CHANNEL: SecurityContext = SecurityContext {
    auth_type: AuthType::NETLOGON,
    auth_level: AuthLevel::PKT_PRIVACY,
    auth_context_id: AUTH_CONTEXT_ID,
};

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

/// The body of bind and alter_context: one interface, over NDR.
pub(super) fn presentation(interface: SyntaxId) -> Bind {
    Bind {
        max_xmit_frag: MAX_FRAG,
        max_recv_frag: MAX_FRAG,
        assoc_group_id: 0,
        contexts: vec![PresentationContext {
            context_id: CONTEXT_ID,
            abstract_syntax: interface,
            transfer_syntaxes: vec![SyntaxId::NDR],
        }],
    }
}

/// The answer to [`presentation`], which has to be of this type and take it.
pub(super) fn accepted<'p, 'a>(
    pdu: &'p Pdu<'a>,
    ptype: PacketType,
) -> Result<&'p BindAck<'a>, AssociationError> {
    if pdu.call_id != CALL_ID {
        return Err(AssociationError::Unexpected("call_id"));
    }
    let ack = match &pdu.body {
        Body::BindAck(ack) | Body::AlterContextResp(ack) if pdu.body.ptype() == ptype => ack,
        Body::BindNak(nak) => return Err(AssociationError::BindRefused(nak.reason)),
        Body::Fault(fault) => return Err(AssociationError::Fault(fault.status)),
        _ => return Err(AssociationError::Unexpected("PTYPE")),
    };
    match ack.results.as_slice() {
        [result] if result.result != ContextResult::ACCEPTANCE => {
            Err(AssociationError::ContextRefused(result.reason))
        }
        [result] if result.transfer_syntax == SyntaxId::NDR => Ok(ack),
        _ => Err(AssociationError::Unexpected("p_result_list")),
    }
}

/// The token of an answer, which has to be one of this security context.
pub(super) fn token<'a>(
    pdu: &Pdu<'a>,
    context: SecurityContext,
) -> Result<&'a [u8], AssociationError> {
    let received = pdu
        .verifier
        .filter(|received| *received == context.verifier(received.auth_pad, received.auth_value));
    let received = received.ok_or(AssociationError::Unexpected("auth_verifier"))?;
    Ok(received.auth_value)
}
