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
