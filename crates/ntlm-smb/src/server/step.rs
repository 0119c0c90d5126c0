//! What comes of a packet, and the requests of SMB1.

use super::judging::Judging;
use super::logon::{LoggedOn, Refusal};
use super::requests::Requests;
use crate::error::TooLong;
use crate::signature_rule::Identity;
use crate::smb1::{BareMessage, Flags, Flags2, Header};
use alloc::boxed::Box;
use alloc::vec::Vec;
use ntlm::{LogonRequest, NtStatus};

/// What comes of a packet, or of a judge's word.
#[derive(Debug)]
pub enum Step {
    /// The packet goes to the client.
    Reply(Vec<u8>),
    /// Whoever knows the account answers the request, and [`Connection::settle`](super::Connection::settle) takes what comes of
    /// it. The connection can receive meanwhile.
    Judge(Box<LogonRequest>, Box<Judging>),
    /// Somebody is logged on; the packet goes to the client.
    LoggedOn(Vec<u8>, Box<LoggedOn>),
    /// A session setup was refused; the packet goes to the client.
    Refused(Vec<u8>, Refusal),
    /// There is no answer.
    Nothing,
    /// A request of SMB1, whose answer [`Connection::reply_smb1`](super::Connection::reply_smb1) makes fit to be sent.
    Smb1Request(Box<Smb1Request>),
    /// Requests of sessions: see [`Connection::next`](super::Connection::next).
    Requests(Requests),
}

/// A request of SMB1 that may be carried out: its session stands, and its signature holds.
#[derive(Clone, Debug)]
pub struct Smb1Request {
    /// Its header.
    pub header: Header,
    /// The message, from its header on.
    pub message: Vec<u8>,
    /// SessionId, by which the server knows the session of the UID.
    pub session_id: u64,
    /// Whom the session is for.
    pub identity: Identity,
    pub(super) sequence_number: Option<u32>,
}

impl Smb1Request {
    /// The header of an answer.
    #[must_use]
    pub fn response(&self, status: NtStatus) -> Header {
        response(&self.header, status)
    }

    /// An answer that says no.
    ///
    /// # Errors
    ///
    /// None: there is nothing to be too long. It has the form of the others.
    pub fn refuse(&self, status: NtStatus) -> Result<Vec<u8>, TooLong> {
        BareMessage.encode(&self.response(status))
    }
}

/// The header of an answer.
pub(super) fn response(header: &Header, status: NtStatus) -> Header {
    Header {
        status: status.0,
        flags: Flags::REPLY | Flags::CASE_INSENSITIVE,
        flags2: (header.flags2 | Flags2::NT_STATUS | Flags2::UNICODE)
            - Flags2::SECURITY_SIGNATURE_REQUIRED,
        security_signature: [0; 8],
        ..*header
    }
}
