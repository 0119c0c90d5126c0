//! The requests of one packet, and their answers (MS-SMB2 3.3.5.2.7).

use super::error::PeerError;
use crate::error::TooLong;
use crate::signature_rule::Identity;
use crate::signing::Signer;
use crate::smb2::{Compound, ErrorResponse, Header};
use crate::wire::Part;
use alloc::boxed::Box;
use alloc::vec::{IntoIter, Vec};
use ntlm::NtStatus;
use ntlm::wire::Span;

/// The requests of one packet, and the answers so far.
#[derive(Debug)]
pub struct Requests {
    pub(super) packet: Vec<u8>,
    pub(super) messages: IntoIter<(Header, Span)>,
    /// The session that encrypted the packet.
    pub(super) encrypted: Option<u64>,
    pub(super) previous: Option<Header>,
    pub(super) replies: Vec<Reply>,
}

/// One answer, and who signs it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) message: Vec<u8>,
    pub(super) signed_by: SignedBy,
}

/// Whose key signs an answer.
#[derive(Debug)]
pub(super) enum SignedBy {
    Nobody,
    /// A session on this connection.
    Channel(u64),
    /// A session that is on other connections only.
    Session(Box<Signer>),
}

impl From<Option<u64>> for SignedBy {
    fn from(session_id: Option<u64>) -> Self {
        session_id.map_or(Self::Nobody, Self::Channel)
    }
}

impl Requests {
    /// The messages of a packet from `start` on.
    pub(super) fn new(
        packet: Vec<u8>,
        start: usize,
        encrypted: Option<u64>,
    ) -> Result<Self, PeerError> {
        let mut messages = Vec::new();
        for message in Compound::new(packet.get(start..).unwrap_or_default()) {
            let message = message?;
            let Span { offset, length } = message.span;
            messages.push((message.header, Span { offset: start + offset, length }));
        }
        let messages = messages.into_iter();
        Ok(Self { packet, messages, encrypted, previous: None, replies: Vec::new() })
    }

    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        let rest = self.packet.get(span.offset..).unwrap_or_default();
        rest.get(..span.length).unwrap_or(rest)
    }

    /// The bytes of a request, from its header on.
    #[must_use]
    pub fn message(&self, request: &Request) -> &[u8] {
        self.bytes(request.span)
    }

    /// Answers a request with a message that begins with [`Request::response`], its status changed
    /// if need be. A request that is not answered gets no response.
    pub fn answer(&mut self, request: &Request, message: Vec<u8>) {
        // Related requests go on with the tree that this one has just connected.
        if let (Ok(header), Some(previous)) = (Header::decode(&message), &mut self.previous) {
            previous.id = header.id;
        }
        self.replies.push(Reply { message, signed_by: request.signed_by.into() });
    }
}

/// A request that may be carried out: its session stands, and it is protected as it has to be.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Its header, with the session and tree of the one before where it goes on with them.
    pub header: Header,
    /// Whom the session is for.
    pub identity: Identity,
    /// Whether it goes on with the file of the request before.
    pub is_related: bool,
    /// The header of a successful answer.
    pub response: Header,
    pub(super) span: Span,
    pub(super) signed_by: Option<u64>,
}

impl Request {
    /// An answer that says no.
    ///
    /// # Errors
    ///
    /// None: there is nothing to be too long. It has the form of the others.
    pub fn refuse(&self, status: NtStatus) -> Result<Vec<u8>, TooLong> {
        error_response(&self.response, status)
    }
}

/// The answer to what failed.
pub(super) fn error_response(response: &Header, status: NtStatus) -> Result<Vec<u8>, TooLong> {
    let error = ErrorResponse { error_context_count: 0, error_data: Part::default() };
    error.encode(&Header { status, ..*response })
}
