//! What carriers report: an NTLM token with its place, and what the server said in the end.
//!
//! A carrier reads one flow and knows its protocol; it knows nothing of keys. Whoever reads its
//! reports knows nothing of the protocol.

mod scan;

pub use scan::Scanner;
pub(crate) use scan::octet_string_length;

use ntlm_capture::{Direction, Origin};
use serde::Serialize;
use std::borrow::Cow;

/// The protocol around a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Carrier {
    /// SMB 1 session setup.
    Smb1,
    /// SMB 2 or 3 session setup.
    Smb2,
    /// HTTP authentication.
    Http,
    /// DCE/RPC authentication.
    Rpc,
    /// LDAP bind.
    Ldap,
    /// SMTP, IMAP or POP authentication.
    Mail,
    /// Tokens found in a stream of another protocol.
    Stream,
}

impl Carrier {
    /// The name in JSON and on screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smb1 => "smb1",
            Self::Smb2 => "smb2",
            Self::Http => "http",
            Self::Rpc => "rpc",
            Self::Ldap => "ldap",
            Self::Mail => "mail",
            Self::Stream => "stream",
        }
    }
}

/// How the token stood in its carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wrapping {
    /// As it is.
    Raw,
    /// Inside SPNEGO.
    Spnego,
}

/// An NTLM message that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The protocol around it.
    pub carrier: Carrier,
    /// What stood between the protocol and the message.
    pub wrapping: Wrapping,
    /// Tells exchanges on one connection apart: a session id, a context id, or 0.
    pub conversation: u64,
    /// Who sent it.
    pub direction: Direction,
    /// The message exactly as sent.
    pub bytes: Vec<u8>,
    /// The frame that completes it.
    pub origin: Origin,
}

/// What the server answered to AUTHENTICATE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The conversation that it ends.
    pub conversation: u64,
    /// Whether the logon was accepted.
    pub accepted: bool,
    /// The status in the carrier's words, such as `STATUS_LOGON_FAILURE` or `401`.
    pub status: Cow<'static, str>,
    /// Where it stands.
    pub origin: Origin,
}

/// A report of a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Report {
    /// An NTLM message.
    Token(Sighting),
    /// The server's answer.
    Answer(Answer),
    /// Bytes of a token that never became whole: capture lost, cut, or too long.
    Incomplete {
        /// Who sent them.
        direction: Direction,
        /// Where they begin.
        origin: Origin,
    },
}
