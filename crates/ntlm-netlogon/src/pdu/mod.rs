//! PDUs of connection-oriented DCE/RPC (C706 12.6, MS-RPCE 2.2.2).
//!
//! A fragment is read where it lies. What is sealed has to be unsealed first, in place:
//! see [`protect`](crate::protect).

mod bind;
mod call;
mod fragment;
mod header;
mod syntax;
mod verifier;

pub use bind::{Bind, BindAck, BindNak, ContextResult, PresentationContext};
pub use call::{Auth3, Fault, FaultStatus, Request, Response};
pub use fragment::{Assembly, AssemblyError, Fragments, Split, split};
pub use header::{Header, PacketType, PfcFlags};
pub use syntax::{SyntaxId, Uuid};
pub use verifier::{AuthLevel, AuthType, AuthVerifier, Layout};

use crate::error::{DecodeError, DecodeErrorKind, TooLong};
use crate::wire::{Reader, Writer, length};
use alloc::vec::Vec;

/// One fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu<'a> {
    /// 0 or 1.
    pub rpc_vers_minor: u8,
    /// Which fragment, and what its sender supports.
    pub pfc_flags: PfcFlags,
    /// Which call.
    pub call_id: u32,
    /// What it says.
    pub body: Body<'a>,
    /// What vouches for it.
    pub verifier: Option<AuthVerifier<'a>>,
}

/// What a PDU says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// Opens an association.
    Bind(Bind),
    /// Takes it.
    BindAck(BindAck<'a>),
    /// Refuses it.
    BindNak(BindNak<'a>),
    /// Adds contexts, or carries the next token.
    AlterContext(Bind),
    /// Its answer.
    AlterContextResp(BindAck<'a>),
    /// The last token.
    Auth3(Auth3),
    /// A call.
    Request(Request<'a>),
    /// Its answer.
    Response(Response<'a>),
    /// Its failure.
    Fault(Fault<'a>),
    /// Asks that a call be cancelled.
    CoCancel,
    /// Gives a call up.
    Orphaned,
}

impl<'a> Pdu<'a> {
    /// Reads a fragment, which has to be whole and alone; [`split`] finds it in a stream.
    ///
    /// # Errors
    ///
    /// It is no PDU, or one that contradicts itself.
    pub fn decode(fragment: &'a [u8]) -> Result<Self, DecodeError> {
        let header = Header::decode(fragment)?;
        let frag_length = usize::from(header.frag_length);
        match fragment.len() {
            length if length < frag_length => {
                return Err(DecodeError::new(DecodeErrorKind::Truncated, "frag_length", 8));
            }
            length if length > frag_length => {
                let kind = DecodeErrorKind::TrailingBytes;
                return Err(DecodeError::new(kind, "frag_length", frag_length));
            }
            _ => (),
        }
        let (before, verifier) = AuthVerifier::split(&header, fragment)?;
        let mut r = Reader::new(before);
        r.take(Header::LENGTH, "call_id")?;
        let body = Body::read(header.ptype, header.pfc_flags, &mut r)?;
        r.end("body")?;
        let Header { rpc_vers_minor, pfc_flags, call_id, .. } = header;
        Ok(Self { rpc_vers_minor, pfc_flags, call_id, body, verifier })
    }

    /// Writes it, lengths and all.
    ///
    /// # Errors
    ///
    /// A part is too long for its length field: a fragment has at most 65535 bytes.
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let mut w = Writer::default();
        w.zeros(Header::LENGTH);
        self.body.write(&mut w)?;
        let mut auth_length = 0;
        if let Some(verifier) = &self.verifier {
            auth_length = length(verifier.auth_value.len(), "auth_length")?;
            verifier.write(length(verifier.auth_pad.len(), "auth_pad_length")?, &mut w);
        }
        let header = Header {
            rpc_vers_minor: self.rpc_vers_minor,
            ptype: self.body.ptype(),
            pfc_flags: self.pfc_flags_as_sent(),
            frag_length: length(w.len(), "frag_length")?,
            auth_length,
            call_id: self.call_id,
        };
        let mut head = Writer::default();
        header.write(&mut head);
        let mut fragment = w.finish();
        fragment.iter_mut().zip(head.finish()).for_each(|(to, from)| *to = from);
        Ok(fragment)
    }

    /// A request's PFC_OBJECT_UUID follows from whether it names one.
    fn pfc_flags_as_sent(&self) -> PfcFlags {
        let mut flags = self.pfc_flags;
        if let Body::Request(request) = &self.body {
            flags.set(PfcFlags::OBJECT_UUID, request.object.is_some());
        }
        flags
    }
}

impl<'a> Body<'a> {
    fn read(ptype: PacketType, flags: PfcFlags, r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(match ptype {
            PacketType::BIND => Self::Bind(Bind::read(r)?),
            PacketType::BIND_ACK => Self::BindAck(BindAck::read(r)?),
            PacketType::BIND_NAK => Self::BindNak(BindNak::read(r)?),
            PacketType::ALTER_CONTEXT => Self::AlterContext(Bind::read(r)?),
            PacketType::ALTER_CONTEXT_RESP => Self::AlterContextResp(BindAck::read(r)?),
            PacketType::AUTH3 => Self::Auth3(Auth3::read(r)?),
            PacketType::REQUEST => Self::Request(Request::read(r, flags)?),
            PacketType::RESPONSE => Self::Response(Response::read(r)?),
            PacketType::FAULT => Self::Fault(Fault::read(r)?),
            PacketType::CO_CANCEL => Self::CoCancel,
            PacketType::ORPHANED => Self::Orphaned,
            _ => return Err(DecodeError::new(DecodeErrorKind::WrongValue, "PTYPE", 2)),
        })
    }

    fn write(&self, w: &mut Writer) -> Result<(), TooLong> {
        match self {
            Self::Bind(bind) | Self::AlterContext(bind) => bind.write(w)?,
            Self::BindAck(ack) | Self::AlterContextResp(ack) => ack.write(w)?,
            Self::BindNak(nak) => nak.write(w)?,
            Self::Auth3(auth3) => w.bytes(&auth3.pad),
            Self::Request(request) => request.write(w),
            Self::Response(response) => response.write(w),
            Self::Fault(fault) => fault.write(w),
            Self::CoCancel | Self::Orphaned => (),
        }
        Ok(())
    }

    /// Which PTYPE says so.
    #[must_use]
    pub const fn ptype(&self) -> PacketType {
        match self {
            Self::Bind(_) => PacketType::BIND,
            Self::BindAck(_) => PacketType::BIND_ACK,
            Self::BindNak(_) => PacketType::BIND_NAK,
            Self::AlterContext(_) => PacketType::ALTER_CONTEXT,
            Self::AlterContextResp(_) => PacketType::ALTER_CONTEXT_RESP,
            Self::Auth3(_) => PacketType::AUTH3,
            Self::Request(_) => PacketType::REQUEST,
            Self::Response(_) => PacketType::RESPONSE,
            Self::Fault(_) => PacketType::FAULT,
            Self::CoCancel => PacketType::CO_CANCEL,
            Self::Orphaned => PacketType::ORPHANED,
        }
    }
}
