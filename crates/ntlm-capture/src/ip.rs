use std::net::IpAddr;

use etherparse::{
    IpAuthHeaderSlice, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice,
};

use crate::bytes::index;

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;

/// What an IP packet carries, or a fragment of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) payload: Payload<'a>,
    pub(crate) fragment: Option<Fragment>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload<'a> {
    pub(crate) protocol: u8,
    /// As far as it was captured.
    pub(crate) bytes: &'a [u8],
    /// How many bytes more there were on the wire.
    pub(crate) missing: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) identification: u32,
    /// Of the payload in the datagram's, in bytes.
    pub(crate) offset: u32,
    pub(crate) more: bool,
}

/// Reads an IP packet that had `wire_len` bytes; `None` if its header is cut short or wrong.
pub(crate) fn parse(bytes: &[u8], wire_len: usize) -> Option<Packet<'_>> {
    match bytes.first()? >> 4 {
        4 => v4(bytes, wire_len),
        6 => v6(bytes, wire_len),
        _ => None,
    }
}

/// IPv4 (RFC 791).
fn v4(bytes: &[u8], wire_len: usize) -> Option<Packet<'_>> {
    let header = Ipv4HeaderSlice::from_slice(bytes).ok()?;
    let header_len = header.slice().len();
    // Segmentation offload: recorded before the network card wrote the length.
    let total_len = match header.total_len() {
        0 => wire_len,
        length => length.into(),
    };
    let (bytes, missing) = cut(bytes, header_len, total_len.checked_sub(header_len)?)?;
    let payload = Payload { protocol: header.protocol().0, bytes, missing };
    let fragment = header.is_fragmenting_payload().then(|| Fragment {
        identification: header.identification().into(),
        offset: u32::from(header.fragments_offset().value()) * 8,
        more: header.more_fragments(),
    });
    Some(Packet {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        payload,
        fragment,
    })
}

/// IPv6 (RFC 8200).
fn v6(bytes: &[u8], wire_len: usize) -> Option<Packet<'_>> {
    let header = Ipv6HeaderSlice::from_slice(bytes).ok()?;
    let header_len = header.slice().len();
    // Zero for segmentation offload and for jumbograms (RFC 2675), whose option repeats what is known here.
    let payload_len = match header.payload_length() {
        0 => wire_len.checked_sub(header_len)?,
        length => length.into(),
    };
    let (bytes, missing) = cut(bytes, header_len, payload_len)?;
    let (payload, fragment) =
        extensions(Payload { protocol: header.next_header().0, bytes, missing })?;
    Some(Packet {
        source: header.source_addr().into(),
        destination: header.destination_addr().into(),
        payload,
        fragment,
    })
}

/// What follows the header, of the length that the header claims, and how much of that is missing.
fn cut(bytes: &[u8], header_len: usize, payload_len: usize) -> Option<(&[u8], usize)> {
    let captured = bytes.get(header_len..)?;
    let bytes = captured.get(..payload_len).unwrap_or(captured);
    Some((bytes, payload_len - bytes.len()))
}

/// Follows IPv6 extension headers up to what they announce, or to a fragment's header.
pub(crate) fn extensions(payload: Payload<'_>) -> Option<(Payload<'_>, Option<Fragment>)> {
    let Payload { mut protocol, mut bytes, missing } = payload;
    loop {
        let header_len = match protocol {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6.
            0 | 43 | 60 | 135 | 139 | 140 => {
                let header = Ipv6RawExtHeaderSlice::from_slice(bytes).ok()?;
                protocol = header.next_header().0;
                header.slice().len()
            }
            // Authentication.
            51 => {
                let header = IpAuthHeaderSlice::from_slice(bytes).ok()?;
                protocol = header.next_header().0;
                header.slice().len()
            }
            44 => {
                let header = Ipv6FragmentHeaderSlice::from_slice(bytes).ok()?;
                protocol = header.next_header().0;
                let header_len = header.slice().len();
                if header.is_fragmenting_payload() {
                    let fragment = Fragment {
                        identification: header.identification(),
                        offset: u32::from(header.fragment_offset().value()) * 8,
                        more: header.more_fragments(),
                    };
                    let bytes = bytes.get(header_len..)?;
                    return Some((Payload { protocol, bytes, missing }, Some(fragment)));
                }
                header_len
            }
            _ => return Some((Payload { protocol, bytes, missing }, None)),
        };
        bytes = bytes.get(index(header_len)..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4_packet(total_len: u16, flags_and_offset: u16, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0];
        packet.extend(total_len.to_be_bytes());
        packet.extend([0x12, 0x34]);
        packet.extend(flags_and_offset.to_be_bytes());
        packet.extend([64, TCP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        packet.extend(payload);
        packet
    }

    fn v6_packet(payload_len: u16, next_header: u8, payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(payload_len.to_be_bytes());
        packet.extend([next_header, 64]);
        packet.extend([0; 32]);
        packet.extend(payload);
        packet
    }

    #[test]
    fn the_length_decides_what_is_padding_and_what_is_missing() {
        let payload = |total_len, wire_len| {
            let packet = v4_packet(total_len, 0, b"payload");
            parse(&packet, wire_len)
                .map(|packet| (packet.payload.bytes.to_vec(), packet.payload.missing))
        };
        assert_eq!(payload(27, 27), Some((b"payload".to_vec(), 0)));
        assert_eq!(payload(23, 27), Some((b"pay".to_vec(), 0)));
        assert_eq!(payload(30, 30), Some((b"payload".to_vec(), 3)));
        assert_eq!(payload(0, 27), Some((b"payload".to_vec(), 0)));
        assert_eq!(payload(0, 40), Some((b"payload".to_vec(), 13)));
        assert_eq!(payload(19, 27), None);

        let payload = |payload_len, wire_len| {
            let packet = v6_packet(payload_len, TCP, b"payload");
            parse(&packet, wire_len)
                .map(|packet| (packet.payload.bytes.to_vec(), packet.payload.missing))
        };
        assert_eq!(payload(7, 47), Some((b"payload".to_vec(), 0)));
        assert_eq!(payload(3, 47), Some((b"pay".to_vec(), 0)));
        assert_eq!(payload(9, 49), Some((b"payload".to_vec(), 2)));
        assert_eq!(payload(0, 100_000), Some((b"payload".to_vec(), 100_000 - 47)));
        assert_eq!(payload(0, 39), None);
    }

    #[test]
    fn fragments_are_told_from_whole_datagrams() {
        let fragment = |flags_and_offset| {
            parse(&v4_packet(27, flags_and_offset, b"payload"), 27).unwrap().fragment
        };
        assert_eq!(fragment(0x4000), None);
        let first = Fragment { identification: 0x1234, offset: 0, more: true };
        assert_eq!(fragment(0x2000), Some(first));
        assert_eq!(fragment(3), Some(Fragment { offset: 24, more: false, ..first }));

        let packet = v6_packet(15, 44, &[&[TCP, 0, 0, 25, 0, 0, 0, 7][..], b"payload"].concat());
        let packet = parse(&packet, packet.len()).unwrap();
        assert_eq!(packet.fragment, Some(Fragment { identification: 7, offset: 24, more: true }));
        assert_eq!((packet.payload.protocol, packet.payload.bytes), (TCP, &b"payload"[..]));
    }

    #[test]
    fn extension_headers_are_followed() {
        let chain = [&[60, 0, 0, 0, 0, 0, 0, 0][..], &[UDP, 1], &[0; 14], b"payload"].concat();
        let packet = v6_packet(31, 0, &chain);
        let packet = parse(&packet, packet.len()).unwrap();
        assert_eq!((packet.payload.protocol, packet.payload.bytes), (UDP, &b"payload"[..]));
        assert_eq!(packet.fragment, None);
    }

    #[test]
    fn headers_cut_short_are_none() {
        let chain = [&[60, 0, 0, 0, 0, 0, 0, 0][..], &[TCP, 1], &[0; 14]].concat();
        let whole = v6_packet(24, 0, &chain);
        for length in 0..whole.len() {
            assert_eq!(parse(&whole[..length], whole.len()), None);
        }
        for length in 0..20 {
            assert_eq!(parse(&v4_packet(27, 0, b"")[..length], 27), None);
        }
        assert_eq!(parse(&[0x50; 40], 40), None);
    }
}
