//! Session setups under way, and those that wait for a judge.

use super::logon::{Logon, SetupKind};
use crate::keys::PreauthIntegrityHash;
use crate::smb1;
use crate::smb2::Header;
use alloc::boxed::Box;
use alloc::vec::Vec;
use ntlm_spnego::{Acceptor, Waiting};

/// A session setup under way.
#[derive(Debug)]
pub(super) enum Pending {
    /// It waits for the client.
    Waiting(Box<Setup>),
    /// It waits for the judge.
    Judged,
}

#[derive(Debug)]
pub(super) struct Setup {
    pub(super) session_id: u64,
    pub(super) kind: SetupKind,
    pub(super) hash: PreauthIntegrityHash,
    pub(super) acceptor: Option<Acceptor>,
    pub(super) logon: Option<Logon>,
    pub(super) signing_required: bool,
    /// A session of a lost connection, which this one takes the place of; 0 for none.
    pub(super) previous_session_id: u64,
}

/// A session setup whose logon is being judged.
#[derive(Debug)]
pub struct Judging(pub(super) Waits);

/// What takes the judge's word.
#[derive(Debug)]
pub(super) enum Waits {
    Smb1(Box<Smb1Judging>),
    Smb2(Box<Smb2Judging>),
}

#[derive(Debug)]
pub(super) struct Smb2Judging {
    pub(super) setup: Box<Setup>,
    pub(super) waiting: Waiting,
    pub(super) turn: Smb2Turn,
}

impl Judging {
    /// SessionId.
    #[must_use]
    pub const fn session_id(&self) -> u64 {
        match &self.0 {
            Waits::Smb1(judging) => judging.session_id,
            Waits::Smb2(judging) => judging.setup.session_id,
        }
    }
}

/// The request that is to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Smb2Turn {
    pub(super) header: Header,
    pub(super) response: Header,
    pub(super) encrypted: Option<u64>,
    /// Whether the key of a session that is on other connections only signed the request.
    pub(super) has_key_of_another: bool,
}

/// The request of SMB1 that is to be answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Smb1Turn {
    pub(super) header: smb1::Header,
    /// Signs the answer, where signing is active.
    pub(super) sequence_number: Option<u32>,
}

/// A session setup whose logon is being judged.
#[derive(Debug)]
pub(super) struct Smb1Judging {
    pub(super) session_id: u64,
    pub(super) turn: Smb1Turn,
    pub(super) waits: Smb1Waits,
}

/// What takes the judge's word.
pub(super) enum Smb1Waits {
    Extended(Waiting),
    /// The responses as sent, for the key that signs.
    Bare {
        lm_response: Vec<u8>,
        nt_response: Vec<u8>,
    },
}

/// Without the responses: whoever has them can guess at the password.
impl core::fmt::Debug for Smb1Waits {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Smb1Waits(..)")
    }
}
