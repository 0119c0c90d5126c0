//! The keys of a session of SMB 2 and 3, ready for use, and the sessions that can be joined.

use crate::alive::Alive;
use ntlm::keys::Direction;
use ntlm_smb::keys::SmbKeySchedule;
use ntlm_smb::{PacketCipher, Signer};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Weak};

/// A session's keys.
#[derive(Debug)]
pub(super) struct Keyed {
    pub(super) schedule: SmbKeySchedule,
    pub(super) signer: Option<Signer>,
    to_server: Option<PacketCipher>,
    to_client: Option<PacketCipher>,
    /// Counts the sessions that have keys.
    _alive: Option<Arc<()>>,
}

impl Keyed {
    pub(super) fn new(schedule: SmbKeySchedule, alive: Option<Arc<()>>) -> Self {
        let signer = schedule.signing_key();
        let signer = signer.map(|key| Signer::new(schedule.signing_algorithm(), key));
        let cipher = |direction| schedule.cipher_key(direction).map(PacketCipher::new);
        let (to_server, to_client) =
            (cipher(Direction::ClientToServer), cipher(Direction::ServerToClient));
        Self { schedule, signer, to_server, to_client, _alive: alive }
    }

    pub(super) const fn cipher(&self, direction: Direction) -> Option<&PacketCipher> {
        match direction {
            Direction::ClientToServer => self.to_server.as_ref(),
            Direction::ServerToClient => self.to_client.as_ref(),
        }
    }

    /// Whether there is anything to check with.
    pub(super) const fn has_keys(&self) -> bool {
        self.signer.is_some() || self.to_server.is_some()
    }
}

/// The sessions that a connection may join, of all servers in a capture: by ServerGuid and
/// SessionId.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    known: BTreeMap<Name, Weak<Keyed>>,
    order: VecDeque<Name>,
    alive: Alive,
}

type Name = ([u8; 16], u64);

impl Sessions {
    /// More than this, and the oldest cannot be joined any more.
    const MOST: usize = 4096;

    /// What a session with keys holds on to; `None` if there are too many.
    pub(super) fn token(&self) -> Option<Arc<()>> {
        self.alive.token()
    }

    /// A session has begun. With keys it can be joined as long as a connection has it.
    pub(super) fn insert(&mut self, server_guid: [u8; 16], session_id: u64, keyed: &Arc<Keyed>) {
        let name = (server_guid, session_id);
        if self.known.insert(name, Arc::downgrade(keyed)).is_none() {
            self.order.push_back(name);
        }
        while self.order.len() > Self::MOST {
            self.order.pop_front().map(|oldest| self.known.remove(&oldest));
        }
    }

    /// The id may be given anew, to a session whose keys are not known.
    pub(super) fn forget(&mut self, server_guid: [u8; 16], session_id: u64) {
        if let Some(known) = self.known.get_mut(&(server_guid, session_id)) {
            *known = Weak::new();
        }
    }

    pub(super) fn get(&self, server_guid: [u8; 16], session_id: u64) -> Option<Arc<Keyed>> {
        let keyed = self.known.get(&(server_guid, session_id))?.upgrade()?;
        keyed.has_keys().then_some(keyed)
    }
}
