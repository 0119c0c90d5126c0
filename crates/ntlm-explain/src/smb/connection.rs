//! One connection, whichever versions of SMB are spoken on it.

use super::smb1::Smb1;
use super::smb2::Smb2;
use super::{Ended, Logon, Sessions, Signatures, SmbExplained};
use crate::carrier::SmbPacket;
use ntlm_smb::ProtocolId;

/// One connection: told of every packet and of every logon in the order in which they happen.
#[derive(Debug, Default)]
pub(crate) struct Connection {
    smb1: Smb1,
    smb2: Smb2,
    /// Logons whose session setup has not been seen yet.
    offered: Vec<Logon>,
    /// The first frame before which packets may be missing.
    gap: Option<u64>,
}

/// More logons than this do not wait for their session setup.
const MOST_OFFERED: usize = 16;

impl Connection {
    /// Whether there is a key to check packets with.
    pub(crate) fn wants_whole_packets(&self) -> bool {
        self.smb1.has_keys() || self.smb2.has_keys()
    }

    /// The server accepted a logon. Its last message may have been seen already.
    pub(crate) fn accept(&mut self, logon: Logon, sessions: &mut Sessions) {
        let logon = match self.smb2.take_late(logon, sessions) {
            Some(logon) => logon,
            None => return,
        };
        if self.offered.len() >= MOST_OFFERED {
            self.offered.remove(0);
        }
        self.offered.push(logon);
    }

    /// Packets may be missing before a frame.
    pub(crate) fn gap(&mut self, frame: u64) {
        self.gap.get_or_insert(frame);
        self.smb1.gap();
        self.smb2.gap();
    }

    /// A packet went by. Returns what it holds, if it is encrypted and opens, and what its signatures
    /// came to.
    pub(crate) fn packet(
        &mut self,
        packet: &SmbPacket<'_>,
        sessions: &mut Sessions,
    ) -> (Option<Vec<u8>>, Signatures) {
        let mut inside = None;
        match ProtocolId::of(packet.bytes) {
            Some(ProtocolId::Smb1) => {
                self.smb1.packet(packet, &mut self.offered);
                return (None, self.smb1.take_checked());
            }
            Some(ProtocolId::Smb2) => self.smb2.packet(packet, &mut self.offered, sessions),
            Some(ProtocolId::Transform) => {
                inside = self.smb2.transform(packet, &mut self.offered, sessions);
            }
            Some(ProtocolId::Compression) => self.smb2.compressed(),
            None => {}
        }
        (inside, self.smb2.take_checked())
    }

    /// The sessions that are over since this was last asked.
    pub(crate) fn take_ended(&mut self) -> impl Iterator<Item = Ended> + use<> {
        let gap = self.gap;
        let ended = self.smb1.take_ended().into_iter().chain(self.smb2.take_ended());
        ended.map(move |ended| Ended { smb: SmbExplained { gap, ..ended.smb }, ..ended })
    }

    /// The connection is over, and with it every session on it; or the capture is.
    pub(crate) fn end(&mut self, is_cut_off: bool) -> impl Iterator<Item = Ended> + use<> {
        self.smb1.end();
        self.smb2.end();
        let ended = self.take_ended();
        ended.map(move |ended| Ended { smb: SmbExplained { is_cut_off, ..ended.smb }, ..ended })
    }

    /// What is known of a logon that made no session: the connection alone.
    pub(crate) fn about(&self, is_smb1: bool, is_bare: bool) -> SmbExplained {
        let about = if is_smb1 { self.smb1.about(is_bare) } else { self.smb2.about() };
        SmbExplained { gap: self.gap, ..about }
    }
}
