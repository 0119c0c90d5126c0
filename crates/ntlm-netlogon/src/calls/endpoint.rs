//! ept_map: on which port an interface is (C706 appendices L and O).

use crate::error::{DecodeError, DecodeErrorKind, TooLong};
use crate::ndr::{NdrReader, NdrWriter};
use crate::pdu::SyntaxId;
use crate::wire::{Reader, Writer, length};
use alloc::vec::Vec;

/// Asks for the TCP port of an interface over NDR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapRequest {
    /// The interface.
    pub interface: SyntaxId,
    /// max_towers: how many answers at most.
    pub max_towers: u32,
}

impl MapRequest {
    /// Its number.
    pub const OPNUM: u16 = 3;

    /// Writes the stub.
    ///
    /// # Errors
    ///
    /// None that can occur: a tower of TCP has one length.
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let mut w = NdrWriter::default();
        w.pointer(false); // object
        w.pointer(true); // map_tower
        let tower = self.tower();
        let tower_length = length(tower.len(), "tower_length")?;
        w.u32(tower_length);
        w.u32(tower_length);
        w.array(&tower);
        w.u32(0); // entry_handle: attributes, and a UUID of zeros
        w.array(&[0; 16]);
        w.u32(self.max_towers);
        Ok(w.finish())
    }

    /// Five floors: interface, transfer syntax, connection-oriented RPC, TCP, IP.
    fn tower(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.u16(5);
        for syntax in [self.interface, SyntaxId::NDR] {
            w.u16(19);
            w.u8(PROTOCOL_UUID);
            w.bytes(&syntax.uuid.0);
            w.u16(syntax.major);
            w.u16(2);
            w.u16(syntax.minor);
        }
        for (protocol, address) in [(PROTOCOL_RPC, 2), (PROTOCOL_TCP, 2), (PROTOCOL_IP, 4)] {
            w.u16(1);
            w.u8(protocol);
            w.u16(address);
            w.zeros(usize::from(address));
        }
        w.finish()
    }
}

const PROTOCOL_UUID: u8 = 0x0d;
const PROTOCOL_RPC: u8 = 0x0b;
const PROTOCOL_TCP: u8 = 0x07;
const PROTOCOL_IP: u8 = 0x09;

/// Where the interface is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapResponse {
    /// The TCP ports of the towers that have one, in order.
    pub ports: Vec<u16>,
    /// 0, or why there are none.
    pub status: u32,
}

impl MapResponse {
    /// The most towers that are taken.
    pub const MAX_TOWERS: u32 = 64;

    /// Reads a stub.
    ///
    /// # Errors
    ///
    /// It is none of this call, or a tower contradicts itself.
    pub fn decode(stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        r.u32("entry_handle")?;
        r.array::<16>("entry_handle")?;
        let num_towers = r.u32("num_towers")?;
        let max_towers = r.u32("towers")?;
        let offset = r.u32("towers")?;
        let actual = r.u32("towers")?;
        if offset != 0 || actual > max_towers || actual != num_towers {
            return Err(r.error(DecodeErrorKind::Contradiction, "num_towers"));
        }
        if actual > Self::MAX_TOWERS {
            return Err(r.error(DecodeErrorKind::TooLong, "num_towers"));
        }
        let present = (0..actual).map(|_| r.pointer("towers")).collect::<Result<Vec<_>, _>>()?;
        let mut ports = Vec::new();
        for _ in present.into_iter().filter(|present| *present) {
            let conformance = r.u32("tower_length")?;
            let tower_length = r.u32("tower_length")?;
            if conformance != tower_length {
                return Err(r.error(DecodeErrorKind::Contradiction, "tower_length"));
            }
            ports.extend(tcp_port(r.take(
                usize::try_from(tower_length).unwrap_or(usize::MAX),
                "tower_octet_string",
            )?)?);
        }
        let status = r.u32("status")?;
        r.end()?;
        Ok(Self { ports, status })
    }
}

/// Offsets in errors are those in the tower.
fn tcp_port(tower: &[u8]) -> Result<Option<u16>, DecodeError> {
    let mut r = Reader::new(tower);
    let floors = r.u16("floor_count")?;
    let mut port = None;
    for _ in 0..floors {
        let length = r.u16("lhs")?;
        let lhs = r.take(usize::from(length), "lhs")?;
        let length = r.u16("rhs")?;
        let rhs = r.take(usize::from(length), "rhs")?;
        if let ([PROTOCOL_TCP], [high, low]) = (lhs, rhs) {
            port = Some(u16::from_be_bytes([*high, *low]));
        }
    }
    Ok(port.filter(|port| *port != 0))
}
