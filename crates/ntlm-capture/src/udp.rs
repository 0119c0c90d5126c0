use std::net::{IpAddr, SocketAddr};

use etherparse::UdpHeaderSlice;

use crate::{
    bytes::wide,
    event::{Datagram, Origin},
    ip::Payload,
};

/// Reads a UDP datagram (RFC 768); `None` if its header is cut short or wrong.
pub(crate) fn parse(
    addresses: (IpAddr, IpAddr),
    payload: Payload<'_>,
    origin: Origin,
) -> Option<Datagram<'_>> {
    let header = UdpHeaderSlice::from_slice(payload.bytes).ok()?;
    let header_len = header.slice().len();
    let captured = payload.bytes.get(header_len..)?;
    let on_wire = captured.len() + payload.missing;
    let length = match usize::from(header.length()) {
        // A jumbogram (RFC 2675), or segmentation offload.
        0 => on_wire,
        length => length.checked_sub(header_len)?.min(on_wire),
    };
    let bytes = captured.get(..length).unwrap_or(captured);
    Some(Datagram {
        source: SocketAddr::new(addresses.0, header.source_port()),
        destination: SocketAddr::new(addresses.1, header.destination_port()),
        bytes,
        missing: wide(length - bytes.len()),
        origin,
    })
}
