//! GlobalSessionTable: the sessions of all connections (MS-SMB2 3.3.1.1).

use crate::dialect::{Cipher, Dialect, SigningAlgorithm};
use crate::keys::{CipherKey, SigningKey};
use crate::signature_rule::Identity;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use ntlm::text::Utf16String;

/// The sessions of a server. Every connection's steps take it.
#[derive(Debug)]
pub struct Sessions {
    last_id: u32,
    sessions: BTreeMap<u64, SharedSession>,
    ended: Vec<u64>,
}

/// What all connections of a session share.
#[derive(Debug)]
pub(super) struct SharedSession {
    pub(super) identity: Identity,
    pub(super) user: Utf16String,
    pub(super) domain: Utf16String,
    pub(super) dialect: Dialect,
    pub(super) signing_algorithm: SigningAlgorithm,
    pub(super) cipher: Option<Cipher>,
    /// `None` for guest and anonymous.
    pub(super) signing_key: Option<SigningKey>,
    /// To the server, to the client.
    pub(super) cipher_keys: Option<[CipherKey; 2]>,
    pub(super) signing_required: bool,
    pub(super) encrypts: bool,
    pub(super) connections: u32,
    /// The number of the connection that joined last: each has nonces of its own.
    pub(super) last_channel: u8,
}

impl Sessions {
    /// None yet. SessionId counts from `first` on: a random one, so that ids of before a restart
    /// mean nothing. It stays within 32 bits, as Samba's, whose tools keep no more of it.
    #[must_use]
    pub const fn new(first: u32) -> Self {
        Self { last_id: first, sessions: BTreeMap::new(), ended: Vec::new() }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// The sessions that ended since this was asked: what they had open is to be closed.
    pub fn take_ended(&mut self) -> Vec<u64> {
        core::mem::take(&mut self.ended)
    }

    /// A SessionId that no session has: neither 0 nor all ones.
    pub(super) fn new_id(&mut self) -> u64 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            let id = u64::from(self.last_id);
            if self.last_id != 0 && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    pub(super) fn get(&self, session_id: u64) -> Option<&SharedSession> {
        self.sessions.get(&session_id)
    }

    pub(super) fn get_mut(&mut self, session_id: u64) -> Option<&mut SharedSession> {
        self.sessions.get_mut(&session_id)
    }

    pub(super) fn insert(&mut self, session_id: u64, session: SharedSession) {
        self.sessions.insert(session_id, session);
    }

    /// The session ends, on all its connections.
    pub(super) fn end(&mut self, session_id: u64) {
        if self.sessions.remove(&session_id).is_some() {
            self.ended.push(session_id);
        }
    }

    /// A session of SMB1 ends, which has one connection and stands in no table.
    pub(super) fn end_smb1(&mut self, session_id: u64) {
        self.ended.push(session_id);
    }

    /// A connection of the session ends, and with the last one the session.
    pub(super) fn leave(&mut self, session_id: u64) {
        let Some(session) = self.sessions.get_mut(&session_id) else { return };
        session.connections = session.connections.saturating_sub(1);
        if session.connections == 0 {
            self.end(session_id);
        }
    }
}
