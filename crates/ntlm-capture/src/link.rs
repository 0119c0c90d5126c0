use std::fmt;

use crate::bytes::{Order, array};

/// Which header packets start with: a `LINKTYPE_` number as pcap and pcapng use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: address family in the recorder's byte order.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Bare IP, as some systems number it.
    pub const RAW_BSD: Self = Self(12);
    /// Bare IP, as OpenBSD numbers it.
    pub const RAW_OPENBSD: Self = Self(14);
    /// Bare IP, version 4 or 6.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Bare IPv4.
    pub const IPV4: Self = Self(228);
    /// Bare IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "BSD loopback",
            1 => "Ethernet",
            6 => "Token Ring",
            8 => "SLIP",
            9 => "PPP",
            10 => "FDDI",
            12 | 14 | 101 => "raw IP",
            50 => "PPP in HDLC framing",
            51 => "PPPoE",
            105 => "IEEE 802.11",
            108 => "OpenBSD loopback",
            113 => "Linux cooked v1",
            119 => "IEEE 802.11 with Prism header",
            122 => "IP over Fibre Channel",
            127 => "IEEE 802.11 with radiotap header",
            138 => "Apple IP over IEEE 1394",
            149 | 187 | 201 => "Bluetooth",
            189 | 220 | 249 => "USB",
            192 => "PPI",
            195 | 215 | 230 => "IEEE 802.15.4",
            228 => "raw IPv4",
            229 => "raw IPv6",
            239 => "Linux netfilter log",
            247 => "InfiniBand",
            252 => "Wireshark upper PDU",
            253 => "Linux netlink",
            276 => "Linux cooked v2",
            _ => return write!(f, "link type {}", self.0),
        };
        write!(f, "{name} (link type {})", self.0)
    }
}

/// What is below the link header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network<'a> {
    Ip(&'a [u8]),
    /// ARP and the like.
    Other,
    UnknownLinkType,
    /// The packet ends within the link header.
    Cut,
}

/// Takes the link header off.
pub(crate) fn network(link_type: LinkType, packet: &[u8]) -> Network<'_> {
    let ip_after = |length: usize| packet.get(length..).map_or(Network::Cut, Network::Ip);
    match link_type {
        LinkType::ETHERNET => ether_type(packet, 12, 14),
        LinkType::LINUX_SLL => ether_type(packet, 14, 16),
        LinkType::LINUX_SLL2 => ether_type(packet, 0, 20),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_OPENBSD => ip_after(0),
        LinkType::IPV4 | LinkType::IPV6 => ip_after(0),
        LinkType::NULL | LinkType::LOOP => match array::<4>(packet, 0) {
            None => Network::Cut,
            // AF_INET, and AF_INET6 as Linux, NetBSD, FreeBSD and Darwin number it, from either byte order.
            Some([family, 0, 0, 0] | [0, 0, 0, family])
                if matches!(family, 2 | 10 | 24 | 28 | 30) =>
            {
                ip_after(4)
            }
            Some(_) => Network::Other,
        },
        _ => Network::UnknownLinkType,
    }
}

/// Follows VLAN tags from the EtherType at `at` to the IP packet, which starts at `rest` if there are none.
fn ether_type(packet: &[u8], at: usize, rest: usize) -> Network<'_> {
    let (mut at, mut rest) = (at, rest);
    loop {
        let (Some(ether_type), Some(payload)) = (Order::Big.u16(packet, at), packet.get(rest..))
        else {
            return Network::Cut;
        };
        match ether_type {
            0x0800 | 0x86dd => return Network::Ip(payload),
            // 802.1Q, 802.1ad and what was in use before it.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => (at, rest) = (rest + 2, rest + 4),
            // A length: IEEE 802.3, with an EtherType if SNAP follows.
            0..=1500 if payload.starts_with(&[0xaa, 0xaa, 3, 0, 0, 0]) => {
                (at, rest) = (rest + 6, rest + 8);
            }
            _ => return Network::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ethernet(types: &[u8]) -> Vec<u8> {
        [&[0; 12], types, b"packet"].concat()
    }

    #[test]
    fn vlan_tags_stack() {
        for types in [
            &[8, 0][..],
            &[0x86, 0xdd],
            &[0x81, 0, 0, 5, 8, 0],
            &[0x88, 0xa8, 0, 5, 0x81, 0, 0, 6, 8, 0],
            &[0x91, 0, 0, 5, 0x91, 0, 0, 5, 0x81, 0, 0, 6, 8, 0],
            &[0, 50, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0],
        ] {
            assert_eq!(network(LinkType::ETHERNET, &ethernet(types)), Network::Ip(b"packet"));
        }
        assert_eq!(network(LinkType::ETHERNET, &ethernet(&[8, 6])), Network::Other);
        assert_eq!(network(LinkType::ETHERNET, &ethernet(&[0, 50])), Network::Other);
        assert_eq!(network(LinkType::ETHERNET, &[0; 13]), Network::Cut);
        assert_eq!(network(LinkType::ETHERNET, &ethernet(&[0x81, 0])[..16]), Network::Cut);
    }

    #[test]
    fn cooked_headers_are_taken_off() {
        let v1 = [&[0; 14][..], &[8, 0], b"packet"].concat();
        assert_eq!(network(LinkType::LINUX_SLL, &v1), Network::Ip(b"packet"));
        let tagged = [&[0; 14][..], &[0x81, 0, 0, 7, 0x86, 0xdd], b"packet"].concat();
        assert_eq!(network(LinkType::LINUX_SLL, &tagged), Network::Ip(b"packet"));
        let v2 = [&[8, 0][..], &[0; 18], b"packet"].concat();
        assert_eq!(network(LinkType::LINUX_SLL2, &v2), Network::Ip(b"packet"));
        assert_eq!(network(LinkType::LINUX_SLL2, &v2[..19]), Network::Cut);
    }

    #[test]
    fn loopback_is_read_in_both_byte_orders() {
        for family in [[2, 0, 0, 0], [0, 0, 0, 2], [30, 0, 0, 0], [0, 0, 0, 24]] {
            let packet = [&family[..], b"packet"].concat();
            assert_eq!(network(LinkType::NULL, &packet), Network::Ip(b"packet"));
            assert_eq!(network(LinkType::LOOP, &packet), Network::Ip(b"packet"));
        }
        assert_eq!(network(LinkType::NULL, &[7, 0, 0, 0]), Network::Other);
        assert_eq!(network(LinkType::NULL, &[2, 0, 0]), Network::Cut);
    }

    #[test]
    fn raw_ip_has_no_header() {
        for link_type in [12, 14, 101, 228, 229] {
            assert_eq!(network(LinkType(link_type), b"packet"), Network::Ip(b"packet"));
        }
    }

    #[test]
    fn other_links_are_named() {
        assert_eq!(network(LinkType(105), b"packet"), Network::UnknownLinkType);
        assert_eq!(LinkType(105).to_string(), "IEEE 802.11 (link type 105)");
        assert_eq!(LinkType(999).to_string(), "link type 999");
    }
}
