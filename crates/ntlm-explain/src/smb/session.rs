//! One session of SMB 2 or 3 on one connection: what its keys come from, and what it comes to
//! (MS-SMB2 3.2.5.3, 3.3.5.5).

use super::keyed::Keyed;
use super::{Ended, Logon, Purpose, Sessions, SmbExplained};
use crate::alive::TOO_MANY;
use crate::ladder::Ladder;
use crate::tally::{Checked, Place, Tally, Unchecked};
use ntlm_smb::keys::{
    Establishment, KeyName, PreauthIntegrityHash, SessionKeySource, SmbDerivation, SmbKeySchedule,
};
use ntlm_smb::{Cipher, Dialect, Identity, SessionPhase, Signer, SigningAlgorithm};
use std::sync::Arc;

/// What NEGOTIATE settled for a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Negotiated {
    pub(super) dialect: Dialect,
    pub(super) signing_algorithm: SigningAlgorithm,
    pub(super) cipher: Option<Cipher>,
    pub(super) server_guid: [u8; 16],
}

/// The hash of the messages before authentication, and the frames that they came in.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    pub(super) hash: PreauthIntegrityHash,
    pub(super) frames: Vec<u64>,
}

/// More frames of messages before authentication than this are not listed.
const MOST_FRAMES: usize = 16;
impl Chain {
    pub(super) fn after(mut self, message: &[u8], frame: u64) -> Self {
        self.hash = self.hash.after(message);
        if self.frames.len() < MOST_FRAMES {
            self.frames.push(frame);
        }
        self
    }
}

/// One session on this connection.
#[derive(Debug)]
pub(super) struct Session {
    /// Which one it is on this connection, counted.
    pub(super) number: u64,
    /// The exchange that began it. `None` as long as that is not known.
    pub(super) ticket: Option<u64>,
    pub(super) phase: SessionPhase,
    pub(super) purpose: Purpose,
    pub(super) identity: Identity,
    /// The keys that this connection got.
    pub(super) keyed: Option<Arc<Keyed>>,
    /// The keys of the session that this connection joins.
    pub(super) joined: Option<Arc<Keyed>>,
    /// What some peers sign anonymous sessions with: keys that anyone can compute.
    pub(super) anyones: Option<Box<Signer>>,
    /// The hash of its setup, kept until the exchange is known.
    pub(super) hash: Option<Chain>,
    /// Why there are no keys.
    pub(super) unknown: &'static str,
    pub(super) tally: Tally,
}

const NO_NEGOTIATE: &str = "NEGOTIATE was not seen, so the dialect is not known";
const NO_HASH: &str = "a message before authentication is missing, and the keys depend on all";
const NOT_JOINED: &str = "the session that this connection joins was not seen to begin";

impl Session {
    /// One that is being made.
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            ticket: None,
            phase: SessionPhase::BeingMade,
            purpose: Purpose::Session,
            identity: Identity::Account,
            keyed: None,
            joined: None,
            anyones: None,
            hash: None,
            unknown: "no logon was seen",
            tally: Tally::default(),
        }
    }

    pub(super) fn has_keys(&self) -> bool {
        let keys = [&self.keyed, &self.joined];
        keys.into_iter().flatten().any(|keyed| keyed.has_keys()) || self.anyones.is_some()
    }

    /// The exchange that this session comes from is known now.
    pub(super) fn take(
        &mut self,
        logon: Logon,
        negotiated: Option<Negotiated>,
        session_id: u64,
        sessions: &mut Sessions,
    ) {
        self.ticket = Some(logon.ticket);
        self.unknown = logon.unknown;
        if logon.is_anonymous && self.identity == Identity::Account {
            self.identity = Identity::Anonymous;
        }
        let Some(negotiated) = negotiated else {
            self.unknown = NO_NEGOTIATE;
            return;
        };
        if self.purpose == Purpose::Session {
            sessions.forget(negotiated.server_guid, session_id);
        }
        let source = match self.identity {
            Identity::Guest => Some(SessionKeySource::Guest),
            Identity::Anonymous => {
                let keyed = logon.source().map(|source| self.derive(negotiated, source, None));
                self.anyones = keyed.and_then(|keyed| keyed.signer).map(Box::new);
                Some(SessionKeySource::Anonymous)
            }
            Identity::Account => logon.source(),
        };
        let Some(source) = source else { return };
        if self.purpose == Purpose::Binding && self.joined.is_none() {
            self.unknown = NOT_JOINED;
        }
        let Some(alive) = sessions.token() else {
            self.unknown = TOO_MANY;
            return;
        };
        let keyed = Arc::new(self.derive(negotiated, source, Some(alive)));
        if self.purpose == Purpose::Session {
            sessions.insert(negotiated.server_guid, session_id, &keyed);
        }
        if negotiated.dialect == Dialect::Smb311 && self.hash.is_none() {
            self.unknown = NO_HASH;
        }
        self.keyed = Some(keyed);
    }

    fn derive(
        &self,
        negotiated: Negotiated,
        source: SessionKeySource,
        alive: Option<Arc<()>>,
    ) -> Keyed {
        let schedule = SmbKeySchedule::derive(SmbDerivation {
            dialect: negotiated.dialect,
            signing_algorithm: negotiated.signing_algorithm,
            cipher: negotiated.cipher,
            source,
            preauth_integrity_hash: self.hash.as_ref().map(|chain| &chain.hash),
            establishment: match self.purpose {
                Purpose::Binding => Establishment::Binding,
                Purpose::Session | Purpose::Reauthentication => Establishment::NewSession,
            },
        });
        Keyed::new(schedule, alive)
    }

    /// Windows and impacket sign anonymous sessions too, with what ExportedSessionKey comes to. It
    /// proves nothing, since anyone can compute it; but it holds or it does not.
    pub(super) fn signed_without_key(&self, message: &[u8], place: Place) -> Checked {
        match &self.anyones {
            Some(signer) if place.whole && signer.verify(message).is_ok() => Checked::ByAnyone,
            _ => Checked::Unchecked(Unchecked::NoKey),
        }
    }

    /// What it came to, if it was ours to follow.
    pub(super) fn end(self, negotiated: Option<Negotiated>, session_id: u64) -> Option<Ended> {
        let keys = match &self.keyed {
            Some(keyed) => {
                let frames = self.hash.as_ref().map(|chain| chain.frames.as_slice());
                Ladder::of_smb(keyed.schedule.steps(), frames.unwrap_or_default())
            }
            None => Ladder::of_smb_unknown(KEYS, self.unknown),
        };
        let smb = SmbExplained {
            session_id: Some(session_id_text(session_id)),
            purpose: self.purpose,
            keys,
            signatures: self.tally.signatures,
            decrypted: self.tally.decrypted,
            unchecked: self.tally.whys(),
            unknown: (!self.has_keys() && self.identity == Identity::Account)
                .then_some(self.unknown),
            by_anyone: self.tally.by_anyone,
            failures: self.tally.failures,
            ..about(negotiated)
        };
        Some(Ended { ticket: self.ticket?, smb })
    }
}

const KEYS: &[KeyName] = &[
    KeyName::SessionKey,
    KeyName::SigningKey,
    KeyName::ClientToServerKey,
    KeyName::ServerToClientKey,
    KeyName::ApplicationKey,
];

/// What is known of a connection without a session.
pub(super) fn about(negotiated: Option<Negotiated>) -> SmbExplained {
    SmbExplained {
        dialect: negotiated.map(|negotiated| negotiated.dialect.name().to_owned()),
        smb_extended_security: true,
        signing_algorithm: negotiated.map(|negotiated| negotiated.signing_algorithm.name()),
        cipher: negotiated.and_then(|negotiated| negotiated.cipher).map(Cipher::name),
        ..SmbExplained::default()
    }
}

pub(super) fn session_id_text(session_id: u64) -> String {
    format!("{session_id:#018x}")
}
