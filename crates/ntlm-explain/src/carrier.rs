//! What carriers report: an NTLM token with its place, what the server said in the end, what is
//! lost.
//!
//! A carrier knows its protocol and nothing of keys; whoever reads its reports knows nothing of the
//! protocol. From the bottom up: `raw`, `base64_text` and `spnego` know tokens; `search` finds them
//! in anything; `protocol` says what a carrier is; `smb`, `http`, `rpc`, `ldap`, `mail` and `tls` are
//! carriers; `classify` tells them by their first bytes; `stream` cuts one direction into messages
//! for them, and [`FlowReader`] joins two.

mod base64_text;
mod bytes;
mod classify;
mod flow_reader;
mod http;
mod http_head;
mod ldap;
mod mail;
mod netbios;
mod numbered;
mod pipe;
mod protocol;
mod raw;
mod rpc;
mod search;
mod smb;
mod smb1;
mod smb2;
mod spnego;
mod status;
mod stream;
mod tls;

pub use flow_reader::FlowReader;
pub(crate) use raw::octet_string_length;

use ntlm_capture::{Direction, GapCause, Origin};
use serde::Serialize;
use std::borrow::Cow;

/// The longest token that is waited for; real ones have less than 4 KiB.
pub(crate) const MAX_TOKEN: usize = 128 * 1024;

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
    /// DCE/RPC authentication, over TCP or inside a named pipe.
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
    /// No token at all: challenge and responses are fields of the carrier (SMB 1).
    Bare,
}

/// An NTLM message that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The protocol around it.
    pub carrier: Carrier,
    /// What stood between the protocol and the message.
    pub wrapping: Wrapping,
    /// Tells exchanges on one connection apart; 0 where the carrier cannot.
    pub conversation: u64,
    /// The carrier's own number for it, where one was given: a session id, a UID, a context id.
    pub session: Option<u64>,
    /// Who sent it.
    pub direction: Direction,
    /// The message exactly as sent.
    pub bytes: Vec<u8>,
    /// The frame that completes it.
    pub origin: Origin,
}

/// Responses that were sent without any NTLM message (MS-CIFS 2.2.4.53.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BareSighting {
    /// Who sent the responses.
    pub direction: Direction,
    /// Tells exchanges on one connection apart.
    pub conversation: u64,
    /// What was sent.
    pub bare: BareExchange,
}

/// A logon whose challenge and responses are fields of SMB 1: NEGOTIATE response and
/// SESSION_SETUP_ANDX request (MS-CIFS 2.2.4.52, 2.2.4.53.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BareExchange {
    /// The server's nonce. `None` where the NEGOTIATE response was not seen.
    pub server_challenge: Option<BareField>,
    /// OEMPassword, or the only password of LANMAN dialects.
    pub lm: BareField,
    /// UnicodePassword; empty in LANMAN dialects.
    pub nt: BareField,
    /// AccountName.
    pub user: BareField,
    /// PrimaryDomain.
    pub domain: BareField,
    /// Whether the names are UTF-16.
    pub unicode: bool,
}

/// A field with its place in an SMB message, counted from the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BareField {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// First byte.
    pub offset: usize,
    /// The frame that completes the message.
    pub origin: Origin,
}

/// What the server answered in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The conversation that it ends.
    pub conversation: u64,
    /// What it comes to.
    pub said: Said,
    /// The status in the carrier's words, such as `STATUS_LOGON_FAILURE` or `401`.
    pub status: Cow<'static, str>,
    /// Where it stands.
    pub origin: Origin,
}

/// What an answer comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Said {
    /// The logon was accepted.
    Accepted,
    /// It was accepted as a guest's.
    AcceptedAsGuest,
    /// It was refused.
    Refused,
    /// Either: the server says the same to a refused logon and to a call that is not allowed.
    Unclear,
}

impl Said {
    /// From a plain yes or no.
    pub(crate) const fn plain(accepted: bool) -> Self {
        if accepted { Self::Accepted } else { Self::Refused }
    }
}

/// Bytes that the capture does not have, or that came too late to be of use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Who sent them.
    pub direction: Direction,
    /// What happened.
    pub kind: LossKind,
    /// The frame in which it shows.
    pub origin: Origin,
}

/// What happened to bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LossKind {
    /// They were not captured.
    Missing {
        /// How many.
        bytes: u64,
        /// How this is known.
        cause: GapCause,
    },
    /// A token began there and never became whole.
    CutOff,
}

/// A report of a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Report {
    /// An NTLM message.
    Token(Sighting),
    /// Responses without an NTLM message.
    Bare(Box<BareSighting>),
    /// The server's answer.
    Answer(Answer),
    /// Bytes that are lost.
    Loss(Loss),
}

/// Takes what a carrier reports. A closure that takes a [`Report`] is one.
pub trait Listener {
    /// Something that bears on an exchange.
    fn report(&mut self, report: Report);

    /// Whether packets are asked for whole. Their beginnings come in any case.
    fn wants_whole_packets(&self) -> bool {
        false
    }

    /// Whether a long message may be held until all of it is there.
    fn may_wait(&self) -> bool {
        true
    }

    /// A packet of SMB, after what there was to report of it; an encrypted one before that.
    /// Returns what it holds, if it is encrypted and can be opened.
    fn packet(&mut self, _packet: &SmbPacket<'_>) -> Option<Vec<u8>> {
        None
    }

    /// A fragment of DCE/RPC, after what there was to report of it.
    fn fragment(&mut self, _fragment: &RpcFragment<'_>) {}
}

impl<F: FnMut(Report)> Listener for F {
    fn report(&mut self, report: Report) {
        self(report);
    }
}

/// A packet of SMB, or its beginning.
#[derive(Clone, Copy, Debug)]
pub struct SmbPacket<'a> {
    /// Who sent it.
    pub direction: Direction,
    /// What there is of it, from the header on.
    pub bytes: &'a [u8],
    /// How long it is, in bytes.
    pub length: usize,
    /// The frame that completes it, or what there is of it.
    pub origin: Origin,
}

impl SmbPacket<'_> {
    /// The longest packet that is handed over whole: what the prefix of direct TCP can say.
    pub const MAX_LENGTH: usize = 0x00ff_ffff;

    /// Whether all of it is there.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.bytes.len() == self.length
    }
}

/// A fragment of DCE/RPC, over TCP or inside a named pipe, or its beginning.
#[derive(Clone, Copy, Debug)]
pub struct RpcFragment<'a> {
    /// Who sent it.
    pub direction: Direction,
    /// Tells associations of one flow apart: 0 over TCP, each pipe has a number of its own.
    pub association: u64,
    /// The conversation of its verifier, where that is NTLM's or SPNEGO's.
    pub conversation: Option<u64>,
    /// Whether SPNEGO's token in it has a mechListMIC.
    pub has_mech_list_mic: bool,
    /// Whether fragments of this direction may be missing before it.
    pub is_after_gap: bool,
    /// What there is of it; all of it, if its association protects what it carries or may lead to a
    /// secure channel.
    pub bytes: &'a [u8],
    /// Whether all of it is there.
    pub is_whole: bool,
    /// The frame that completes it, or what there is of it.
    pub origin: Origin,
}

impl Report {
    /// The same with the two ends of the flow in each other's place.
    fn flipped(mut self) -> Self {
        let direction = match &mut self {
            Self::Token(sighting) => &mut sighting.direction,
            Self::Bare(sighting) => &mut sighting.direction,
            Self::Loss(loss) => &mut loss.direction,
            Self::Answer(_) => return self,
        };
        *direction = direction.opposite();
        self
    }
}
