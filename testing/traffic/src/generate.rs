//! A mixed capture of any size: SMB 2, HTTP and other connections, interleaved.

mod bulk;
mod connection;
mod handshake;
mod http;
mod other;
mod smb2;

use crate::error::TrafficError;
use crate::pcap::{Packet, Writer};
use crate::random::{Random, mix};
use bulk::Bulk;
use connection::{Connection, Ends};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

pub use handshake::{PASSWORD, server_challenge, user};

/// What to generate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Generate {
    /// About how many bytes the file shall have.
    pub size: u64,
    /// The same seed gives the same file.
    pub seed: u64,
    /// How often `NTLMSSP` shall stand in bulk data, where it is no message.
    pub decoys: u64,
    /// How many times more messages than by default shall be split or sent twice.
    pub faults: u64,
}

impl Default for Generate {
    fn default() -> Self {
        Self { size: REFERENCE_SIZE, seed: 1, decoys: 0, faults: 1 }
    }
}

/// What a generated capture holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The seed.
    pub seed: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Frames.
    pub packets: u64,
    /// SMB 2 connections, with one exchange each.
    pub smb2: u64,
    /// HTTP connections, with one exchange each.
    pub http: u64,
    /// Connections without NTLM.
    pub other: u64,
    /// Exchanges, numbered from 0: [`user`] and [`server_challenge`] tell which is which.
    pub exchanges: u64,
    /// NTLMSSP messages, three an exchange.
    pub messages: u64,
    /// Messages that came in two segments.
    pub split: u64,
    /// Of these, those that were cut within the signature.
    pub split_in_signature: u64,
    /// Of these, those whose second half came first.
    pub swapped: u64,
    /// Messages that were sent twice.
    pub sent_twice: u64,
    /// How often `NTLMSSP` stands in bulk data.
    pub decoys: u64,
}

/// The mix at this size; other sizes have as much more or less of each.
const REFERENCE_SIZE: u64 = 1_122_397_335;
const SMB2: u64 = 1708;
const HTTP: u64 = 1262;
const OTHER: u64 = 1967;
/// Of so many messages of the reference ..
const MESSAGES: u64 = 8910;
/// .. so many are split within the signature, split elsewhere, swapped if split, and sent twice.
const SPLIT_IN_SIGNATURE: u64 = 42;
const SPLIT: u64 = 145;
const SWAPPED: u64 = 40;
const SENT_TWICE: u64 = 102;

/// So many connections are open at a time.
const OPEN: usize = 64;
/// 2026-01-05T09:00:00Z.
const START_SECONDS: u64 = 1_767_603_600;

/// Writes the capture, with memory for the connections that are open.
///
/// # Errors
///
/// Writing failed.
pub fn generate(out: impl Write, what: &Generate) -> Result<Summary, TrafficError> {
    let mut writer = Writer::new(out)?;
    let mut random = Random::new(what.seed);
    let mut left = Left::new(what.size);
    let mut bulk = Bulk::new(what, &mut random);
    let mut summary = Summary { seed: what.seed, ..Summary::default() };
    let mut open: Vec<Connection> = Vec::new();
    let mut nanos = START_SECONDS * 1_000_000_000;
    loop {
        while open.len() < OPEN
            && let Some(kind) = left.next(&mut random)
        {
            let size = left.size(&mut random);
            open.push(connect(kind, size, what, &mut summary, &mut random)?);
        }
        let at = random.place(open.len());
        let Some(connection) = open.get_mut(at) else { break };
        match connection.next(&mut bulk, &mut random) {
            Some(frame) => {
                nanos += 1000 * (1 + random.below(40));
                writer.packet(&Packet::whole(nanos, frame))?;
                summary.packets += 1;
            }
            None => {
                open.swap_remove(at);
            }
        }
    }
    summary.decoys = bulk.decoys_placed();
    summary.bytes = writer.finish()?;
    Ok(summary)
}

#[derive(Clone, Copy)]
enum Kind {
    Smb2,
    Http,
    Other,
}

/// Connections still to be opened.
struct Left {
    smb2: u64,
    http: u64,
    other: u64,
    bytes: u64,
}

impl Left {
    fn new(size: u64) -> Self {
        let share = |count: u64| {
            let scaled = u128::from(count) * u128::from(size) / u128::from(REFERENCE_SIZE);
            u64::try_from(scaled).unwrap_or(u64::MAX).max(1)
        };
        Self { smb2: share(SMB2), http: share(HTTP), other: share(OTHER), bytes: size }
    }

    fn count(&self) -> u64 {
        self.smb2 + self.http + self.other
    }

    fn next(&mut self, random: &mut Random) -> Option<Kind> {
        let draw = random.below(self.count());
        let (kind, left) = if draw < self.smb2 {
            (Kind::Smb2, &mut self.smb2)
        } else if draw < self.smb2 + self.http {
            (Kind::Http, &mut self.http)
        } else {
            (Kind::Other, &mut self.other)
        };
        *left = left.checked_sub(1)?;
        Some(kind)
    }

    /// Bulk bytes of a connection. A few connections carry most, and each is given its share of
    /// what is left.
    fn size(&mut self, random: &mut Random) -> usize {
        let mean = self.bytes / (self.count() + 1);
        let share = match self.count() {
            0 => mean,
            _ if random.chance(0.75) => mean / 16,
            _ => mean / 16 * 61,
        };
        let share = (share / 2 + random.below(share)).min(self.bytes);
        self.bytes = self.bytes.saturating_sub(share);
        // Seven hundredths are headers; a few packets are there in any case.
        let size = share.saturating_sub(4000) / 107 * 100;
        usize::try_from(size).unwrap_or_default()
    }
}

/// What happens to a message on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Whole,
    /// Cut within the signature, or behind it; the second half first, or not.
    Split {
        in_signature: bool,
        swapped: bool,
    },
    SentTwice,
}

fn connect(
    kind: Kind,
    size: usize,
    what: &Generate,
    summary: &mut Summary,
    random: &mut Random,
) -> Result<Connection, TrafficError> {
    let serial = summary.smb2 + summary.http + summary.other;
    let count = match kind {
        Kind::Smb2 => &mut summary.smb2,
        Kind::Http => &mut summary.http,
        Kind::Other => &mut summary.other,
    };
    *count += 1;
    let exchange = summary.exchanges;
    let mut steps = match kind {
        Kind::Smb2 => {
            smb2::steps(&handshake::handshake(what.seed, exchange, START_SECONDS)?, size, random)
        }
        Kind::Http => {
            http::steps(&handshake::handshake(what.seed, exchange, START_SECONDS)?, size, random)
        }
        Kind::Other => other::steps(size, random),
    };
    let port = match kind {
        Kind::Smb2 => 445,
        Kind::Http => [80, 8080, 3128].get(random.place(3)).copied().unwrap_or(80),
        Kind::Other => [443, 22, 9000, 9001].get(random.place(4)).copied().unwrap_or(9000),
    };
    if let Kind::Smb2 | Kind::Http = kind {
        summary.exchanges += 1;
        for (number, fate) in (summary.messages..).zip(steps.fates()) {
            *fate = choose(mix(what.seed ^ mix(number)), what.faults);
            match *fate {
                Fate::Whole => {}
                Fate::Split { in_signature, swapped } => {
                    summary.split += 1;
                    summary.split_in_signature += u64::from(in_signature);
                    summary.swapped += u64::from(swapped);
                }
                Fate::SentTwice => summary.sent_twice += 1,
            }
        }
        summary.messages += 3;
    }
    Ok(Connection::new(ends(serial, port), steps, random))
}

fn choose(chance: u64, faults: u64) -> Fate {
    let draw = chance % MESSAGES;
    if draw < SPLIT * faults {
        let in_signature = draw < SPLIT_IN_SIGNATURE * faults;
        let swapped = (chance / MESSAGES) % SPLIT < SWAPPED;
        return Fate::Split { in_signature, swapped };
    }
    if draw < (SPLIT + SENT_TWICE) * faults { Fate::SentTwice } else { Fate::Whole }
}

/// No two connections have the same client.
fn ends(serial: u64, port: u16) -> Ends {
    let [.., a, b, c] = serial.to_be_bytes();
    let client_port = 32_768 + u16::from_be_bytes([b & 0x3f, c]);
    let (client, server): (IpAddr, IpAddr) = if serial % 8 == 7 {
        let address = |last| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, u16::from(a), last);
        (
            address(u16::from_be_bytes([b, c])).into(),
            Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1).into(),
        )
    } else {
        (Ipv4Addr::new(10, a, b, c).into(), Ipv4Addr::new(192, 168, 0, 1 + (c & 7)).into())
    };
    Ends { client: SocketAddr::new(client, client_port), server: SocketAddr::new(server, port) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pcap;

    fn small() -> Generate {
        Generate { size: 3_000_000, seed: 9, decoys: 8, faults: 12 }
    }

    #[test]
    fn a_seed_says_it_all() {
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let summary = generate(&mut one, &small()).unwrap();
        assert_eq!(generate(&mut other, &small()).unwrap(), summary);
        assert!(one == other);
        generate(&mut other, &Generate { seed: 10, ..small() }).unwrap();
        assert!(one != other);
    }

    #[test]
    fn the_summary_counts_what_is_there() {
        let mut file = Vec::new();
        let summary = generate(&mut file, &small()).unwrap();
        assert_eq!(summary.bytes, u64::try_from(file.len()).unwrap());
        let packets = pcap::read(&file).unwrap();
        assert_eq!(summary.packets, u64::try_from(packets.len()).unwrap());
        assert!((1_500_000..4_500_000).contains(&file.len()), "{}", file.len());
        assert_eq!(summary.exchanges, summary.smb2 + summary.http);
        assert_eq!(summary.messages, 3 * summary.exchanges);
        assert!(summary.split > 0 && summary.sent_twice > 0);
        assert!(summary.split_in_signature <= summary.split && summary.swapped <= summary.split);
        assert_eq!(summary.decoys, 8);
    }

    #[test]
    fn fates_are_as_frequent_as_they_should_be() {
        let fates: Vec<Fate> = (0..89_100).map(|number| choose(mix(number), 1)).collect();
        let count = |is: fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count();
        assert!((1250..1650).contains(&count(|fate| matches!(fate, Fate::Split { .. }))));
        assert!((850..1200).contains(&count(|fate| *fate == Fate::SentTwice)));
    }
}
