//! How a logon went, and how a session setup is refused.

use super::error::RefusalReason;
use crate::keys::Step as KeyStep;
use crate::signature_rule::Identity;
use alloc::vec::Vec;
use ntlm::keys::{NtlmVersion, Step as NtlmStep};
use ntlm::policy::Relaxation;
use ntlm::text::Utf16String;
use ntlm::{Check, LogonOutcome, NtStatus};
use ntlm_spnego::MechListMic;

/// What a session setup is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupKind {
    /// A session of its own.
    New,
    /// The session authenticates again; its keys stay.
    Again,
    /// The connection joins a session of another.
    Binding,
}

/// How a logon went, in NTLM's words.
#[derive(Debug)]
pub struct Logon {
    /// As whom.
    pub identity: Identity,
    /// UserName, as sent; a guest merely claims it. Empty for nobody.
    pub user: Utf16String,
    /// DomainName, as sent.
    pub domain: Utf16String,
    /// Workstation: only NTLMv2 with a MIC protects it.
    pub workstation: Utf16String,
    /// How it was proved.
    pub version: NtlmVersion,
    /// What the default policy would not have let through.
    pub relaxed: Vec<Relaxation>,
    /// Whether AUTHENTICATE carried a MIC, which holds.
    pub has_mic: bool,
    /// The SPN that the client meant, where it vouches for it.
    pub target_name: Option<Utf16String>,
    /// Every key of NTLM, where [`keep_keys`](super::ServerConfig::keep_keys) says so; else none.
    pub steps: Vec<NtlmStep>,
}

impl Logon {
    pub(super) fn new(outcome: &LogonOutcome, keep_keys: bool) -> Self {
        let mut logon = Self {
            identity: Identity::Anonymous,
            user: Utf16String::default(),
            domain: Utf16String::default(),
            workstation: Utf16String::default(),
            version: NtlmVersion::Anonymous,
            relaxed: outcome.relaxed().to_vec(),
            has_mic: false,
            target_name: None,
            steps: Vec::new(),
        };
        match outcome {
            LogonOutcome::Account(account) => {
                logon.identity = Identity::Account;
                logon.user = account.user().clone();
                logon.domain = account.domain().clone();
                logon.workstation = account.workstation().clone();
                logon.version = account.keys().version();
                logon.has_mic = account.mic() == Check::Valid;
                logon.target_name = account.target_name().cloned();
                if keep_keys {
                    logon.steps = account.keys().steps().collect();
                }
            }
            LogonOutcome::Guest(guest) => {
                logon.identity = Identity::Guest;
                logon.user = guest.user().clone();
                logon.domain = guest.domain().clone();
                logon.version = NtlmVersion::Guest;
            }
            LogonOutcome::Anonymous(_) => {}
        }
        logon
    }
}

/// Somebody is logged on.
#[derive(Debug)]
pub struct LoggedOn {
    /// SessionId.
    pub session_id: u64,
    /// What the session setup was for.
    pub kind: SetupKind,
    /// How it went.
    pub logon: Logon,
    /// What protected the choice of NTLM.
    pub mech_list_mic: MechListMic,
    /// Whether the session insists on signatures. There are some in any case where the client signs.
    pub signing_required: bool,
    /// Whether everything is encrypted.
    pub encrypts: bool,
    /// Every key of SMB, where [`keep_keys`](super::ServerConfig::keep_keys) says so; else none.
    pub steps: Vec<KeyStep>,
}

/// A session setup that was refused.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// What the client is told.
    pub status: NtStatus,
    /// Why, for the server's own log.
    pub reason: RefusalReason,
}

pub(super) type Refused = (NtStatus, RefusalReason);

/// What a client is told of a token that is refused.
pub(super) const fn token_status(error: &ntlm_spnego::PeerError) -> NtStatus {
    match error {
        ntlm_spnego::PeerError::Decode(_)
        | ntlm_spnego::PeerError::Ntlm(ntlm::PeerError::Decode(_)) => NtStatus::INVALID_PARAMETER,
        ntlm_spnego::PeerError::Ntlm(ntlm::PeerError::Blocked) => NtStatus::NOT_SUPPORTED,
        _ => NtStatus::LOGON_FAILURE,
    }
}
