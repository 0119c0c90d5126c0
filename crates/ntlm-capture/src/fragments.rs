use std::{
    collections::{BTreeMap, HashMap},
    net::IpAddr,
};

use foldhash::fast::RandomState;

use crate::{
    bytes::wide,
    event::{Notice, NoticeKind, Origin},
    ip::{Fragment, Packet},
    limits::Limits,
    store::{About, Content, Store},
};

/// What an IP packet can be long, header excluded.
const LONGEST: u64 = 65_535;

/// IP datagrams of which not all fragments have come yet (RFC 791 3.2, RFC 8200 4.5).
#[derive(Default)]
pub(crate) struct Fragments {
    partial: HashMap<Key, Partial, RandomState>,
    /// The same by serial number, which is by age.
    by_age: BTreeMap<u64, Key>,
    cost: usize,
    serial: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    identification: u32,
    /// In IPv4 it is part of the key; in IPv6 the first fragment's counts.
    protocol: Option<u8>,
}

struct Partial {
    serial: u64,
    first: Origin,
    protocol: u8,
    store: Store,
    /// Known once the last fragment has come.
    length: Option<u64>,
}

impl Fragments {
    /// Takes a fragment in. If that completes its datagram, writes what it carries to `datagram` and returns
    /// the protocol.
    pub(crate) fn add(
        &mut self,
        packet: &Packet<'_>,
        fragment: Fragment,
        origin: Origin,
        limits: &Limits,
        datagram: &mut Vec<u8>,
        mut notice: impl FnMut(Notice),
    ) -> Option<u8> {
        let payload = packet.payload;
        let start = u64::from(fragment.offset);
        let bytes = match payload.missing {
            // All but the last are a multiple of eight bytes long; what is more cannot be placed.
            0 if fragment.more => {
                payload.bytes.get(..payload.bytes.len() / 8 * 8).unwrap_or_default()
            }
            _ => payload.bytes,
        };
        let end = start + wide(bytes.len());
        if end > LONGEST {
            notice(Notice { kind: NoticeKind::FragmentRange, origin });
            return None;
        }
        let key = Key {
            source: packet.source,
            destination: packet.destination,
            identification: fragment.identification,
            protocol: packet.source.is_ipv4().then_some(payload.protocol),
        };
        let old = |partial: &mut Partial| {
            let (Some(first), Some(now)) = (partial.first.time, origin.time) else { return false };
            now.0.saturating_sub(first.0) / 1_000_000_000 >= limits.fragment_seconds
        };
        if self.partial.get_mut(&key).is_some_and(old) {
            self.give_up(key, &mut notice);
        }

        let partial = self.partial.entry(key).or_insert_with(|| {
            self.serial += 1;
            self.by_age.insert(self.serial, key);
            Partial {
                serial: self.serial,
                first: origin,
                protocol: payload.protocol,
                store: Store::default(),
                length: None,
            }
        });
        if start == 0 {
            partial.protocol = payload.protocol;
        }
        // One that was cut when captured is as good as lost for its missing part.
        if !fragment.more && payload.missing == 0 {
            if partial.length.is_some_and(|length| length != end) {
                notice(Notice { kind: NoticeKind::FragmentRange, origin });
                return None;
            }
            partial.length = Some(end);
        }
        let cost = partial.store.cost();
        if partial.store.insert(start, bytes, 0, About { origin, ack: None }).is_some() {
            notice(Notice { kind: NoticeKind::FragmentConflict, origin });
        }
        self.cost = self.cost - cost + partial.store.cost();

        if let Some(length) = partial.length.filter(|length| partial.store.covers(*length)) {
            let mut done = self.remove(key)?;
            datagram.clear();
            while let Some((_, piece)) = done.store.pop_first(u64::MAX) {
                if let Content::Bytes(bytes) = piece.content {
                    datagram.extend_from_slice(&bytes);
                }
            }
            datagram.truncate(usize::try_from(length).unwrap_or(usize::MAX));
            return Some(done.protocol);
        }
        while self.partial.len() > limits.datagrams || self.cost > limits.fragments {
            if !self.give_up_oldest(&mut notice) {
                break;
            }
        }
        None
    }

    /// Gives up the datagram whose first fragment came first; false if there is none.
    pub(crate) fn give_up_oldest(&mut self, notice: impl FnMut(Notice)) -> bool {
        let oldest = self.by_age.first_key_value().map(|(_, key)| *key);
        oldest.map(|key| self.give_up(key, notice)).is_some()
    }

    fn give_up(&mut self, key: Key, mut notice: impl FnMut(Notice)) {
        if let Some(partial) = self.remove(key) {
            notice(Notice { kind: NoticeKind::FragmentsIncomplete, origin: partial.first });
        }
    }

    fn remove(&mut self, key: Key) -> Option<Partial> {
        let partial = self.partial.remove(&key)?;
        self.by_age.remove(&partial.serial);
        self.cost -= partial.store.cost();
        Some(partial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Timestamp, ip::Payload};

    struct Reassembly {
        fragments: Fragments,
        limits: Limits,
        notices: Vec<NoticeKind>,
        datagram: Vec<u8>,
        seconds: u64,
    }

    impl Reassembly {
        fn new() -> Self {
            Self {
                fragments: Fragments::default(),
                limits: Limits::default(),
                notices: Vec::new(),
                datagram: Vec::new(),
                seconds: 0,
            }
        }

        fn add(
            &mut self,
            identification: u32,
            offset: u32,
            bytes: &[u8],
            more: bool,
        ) -> Option<&[u8]> {
            let packet = Packet {
                source: [10, 0, 0, 1].into(),
                destination: [10, 0, 0, 2].into(),
                payload: Payload { protocol: 6, bytes, missing: 0 },
                fragment: None,
            };
            let fragment = Fragment { identification, offset, more };
            let origin = Origin {
                frame: 1,
                file: 0,
                frame_in_file: 1,
                time: Some(Timestamp(self.seconds * 1_000_000_000)),
            };
            let notices = &mut self.notices;
            let protocol = self.fragments.add(
                &packet,
                fragment,
                origin,
                &self.limits,
                &mut self.datagram,
                |notice| notices.push(notice.kind),
            )?;
            assert_eq!(protocol, 6);
            Some(&self.datagram)
        }
    }

    #[test]
    fn fragments_are_joined_in_any_order() {
        let mut r = Reassembly::new();
        assert_eq!(r.add(1, 16, b"rest", false), None);
        assert_eq!(r.add(2, 0, b"anothers", true), None);
        assert_eq!(r.add(1, 8, b"89abcdef", true), None);
        assert_eq!(r.add(1, 8, b"89abcdef", true), None);
        assert_eq!(r.add(1, 0, b"01234567", true), Some(&b"0123456789abcdefrest"[..]));
        assert_eq!(r.add(2, 8, b"", false), Some(&b"anothers"[..]));
        assert_eq!(r.notices, []);
        assert_eq!(r.fragments.cost, 0);
        assert!(r.fragments.by_age.is_empty());
    }

    #[test]
    fn overlapping_fragments_keep_the_first_copy() {
        let mut r = Reassembly::new();
        r.add(1, 8, b"FIRST567", true);
        r.add(1, 16, b"!", false);
        assert_eq!(r.add(1, 0, b"01234567second__", true), Some(&b"01234567FIRST567!"[..]));
        assert_eq!(r.notices, [NoticeKind::FragmentConflict]);
    }

    #[test]
    fn an_old_datagram_does_not_mix_with_a_new_one() {
        let mut r = Reassembly::new();
        r.add(1, 0, b"old.....", true);
        r.seconds = 61;
        assert_eq!(r.add(1, 8, b"new", false), None);
        assert_eq!(r.notices, [NoticeKind::FragmentsIncomplete]);
        assert_eq!(r.add(1, 0, b"new.....", true), Some(&b"new.....new"[..]));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut r = Reassembly::new();
        r.limits.datagrams = 10;
        for identification in 0..1000 {
            r.add(identification, 0, b"12345678", true);
        }
        assert_eq!(r.notices.len(), 990);
        assert_eq!(r.fragments.partial.len(), 10);
        r.limits.fragments = 1000;
        for offset in 1..100 {
            r.add(5000, offset * 16, b"12345678", true);
        }
        assert!(r.fragments.cost <= 1000);
        while r.fragments.give_up_oldest(|_| {}) {}
        assert_eq!(r.fragments.cost, 0);
    }

    #[test]
    fn impossible_fragments_are_told() {
        let mut r = Reassembly::new();
        assert_eq!(r.add(1, 65_528, b"12345678", false), None);
        assert_eq!(r.add(2, 8, b"12", false), None);
        assert_eq!(r.add(2, 16, b"12", false), None);
        assert_eq!(r.notices, [NoticeKind::FragmentRange, NoticeKind::FragmentRange]);
    }
}
