//! What SMB makes of a logon: the keys that follow ExportedSessionKey, every signature checked with
//! them, every encrypted packet opened.
//!
//! The carrier hands over packets, `Connection` follows the sessions on one connection, and
//! `Sessions` knows those that another connection may join. A session begins with a `Logon` and
//! ends as an [`SmbExplained`]. `tally` counts. From the bottom up: `keyed` is a session's keys ready
//! for use, `session` one session of SMB 2 or 3; `smb1` and `smb2` read the packets of their versions.

mod connection;
mod keyed;
mod logon;
mod session;
mod smb1;
mod smb2;

pub use crate::tally::{Decrypted, Failure, Signatures, Unchecked};
pub(crate) use connection::Connection;
pub(crate) use keyed::Sessions;
pub(crate) use logon::{Ended, Logon};

use crate::ladder::Ladder;
use serde::Serialize;

/// What SMB made of one logon. It serializes to `smb` in the JSON contract.
#[derive(Debug, Serialize)]
pub struct SmbExplained {
    /// `NT LM 0.12`, `2.0.2` to `3.1.1`. `None` where NEGOTIATE was not seen.
    pub dialect: Option<String>,
    /// Whether session setup carries tokens of GSS-API: SMB's extended security, which has nothing
    /// to do with NTLM's extended session security.
    pub smb_extended_security: bool,
    /// How messages are signed.
    pub signing_algorithm: Option<&'static str>,
    /// How they are encrypted, if they can be.
    pub cipher: Option<&'static str>,
    /// SessionId, or of SMB 1 the UID: `0x` and hex digits.
    pub session_id: Option<String>,
    /// What this logon did.
    pub purpose: Purpose,
    /// The keys, in order of derivation.
    pub keys: Ladder,
    /// What the signatures came to.
    pub signatures: Signatures,
    /// What the encrypted packets came to.
    pub decrypted: Decrypted,
    /// What does not hold, the first few of each session.
    pub failures: Vec<Failure>,
    /// Why signatures and packets were left unchecked.
    #[serde(skip)]
    pub(crate) unchecked: Vec<(Unchecked, u64)>,
    /// The first frame before which packets of the connection are missing.
    #[serde(skip)]
    pub(crate) gap: Option<u64>,
    /// The capture ends before the session does.
    #[serde(skip)]
    pub(crate) is_cut_off: bool,
    /// Of the valid signatures: with the key of an anonymous logon, which anyone can compute.
    #[serde(skip)]
    pub(crate) by_anyone: u64,
    /// Why the session has no keys, though it should.
    #[serde(skip)]
    pub(crate) unknown: Option<&'static str>,
}

impl SmbExplained {
    /// Whether a signature does not hold, or a packet does not open.
    #[must_use]
    pub const fn has_invalid(&self) -> bool {
        self.signatures.invalid > 0 || self.decrypted.failed > 0
    }

    /// Whether a signature or an encrypted packet was left unchecked.
    #[must_use]
    pub const fn has_unchecked(&self) -> bool {
        self.signatures.unchecked > 0 || self.decrypted.unopened > 0
    }
}

impl SmbExplained {
    /// The session's keys as a line of Wireshark's file `smb2_seskey_list`: SessionId as it stands in
    /// packets, SessionKey, server-to-client and client-to-server key. `None` unless this logon made
    /// a session of SMB 2 or 3 whose key is known.
    #[must_use]
    pub fn wireshark_key(&self) -> Option<String> {
        let key = |name: &str| match self.keys.value(name) {
            Some(value) => value.to_owned(),
            None => "\"\"".to_owned(),
        };
        let session_key = self.keys.value("session_key")?;
        let is_smb2 = self.keys.value("mac_key").is_none();
        let session_id = self.session_id.as_ref()?.strip_prefix("0x")?;
        let session_id = u64::from_str_radix(session_id, 16).ok()?.swap_bytes();
        (is_smb2 && self.purpose == Purpose::Session).then(|| {
            let (to_client, to_server) = (key("server_to_client_key"), key("client_to_server_key"));
            format!("{session_id:016x},{session_key},{to_client},{to_server}")
        })
    }
}

impl Default for SmbExplained {
    /// Nothing was seen.
    fn default() -> Self {
        Self {
            dialect: None,
            smb_extended_security: false,
            signing_algorithm: None,
            cipher: None,
            session_id: None,
            purpose: Purpose::default(),
            keys: Ladder::of_smb(std::iter::empty(), &[]),
            signatures: Signatures::default(),
            decrypted: Decrypted::default(),
            failures: Vec::new(),
            unchecked: Vec::new(),
            gap: None,
            is_cut_off: false,
            by_anyone: 0,
            unknown: None,
        }
    }
}

/// What a logon did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// It made a session, or tried to.
    #[default]
    Session,
    /// It joined this connection to a session of another.
    Binding,
    /// It proved once more who the session is for; its keys stay what they are.
    Reauthentication,
}
