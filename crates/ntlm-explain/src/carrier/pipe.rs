//! DCE/RPC inside the named pipes of SMB: a connection of its own for each open file.

use super::numbered::Numbered;
use super::protocol::{Message, Out};
use super::rpc::{self, Pdu, Rpc};
use ntlm_capture::Direction;
use std::ops::Range;

/// The pipes of one SMB connection, by what SMB calls an open file.
#[derive(Debug)]
pub(super) struct Pipes<K>(Numbered<K, Pipe>);

/// One open pipe.
#[derive(Debug, Default)]
struct Pipe {
    rpc: Rpc,
    to_server: Half,
    to_client: Half,
}

/// What is under way in one direction.
#[derive(Debug, Default)]
struct Half {
    /// The beginning of a PDU.
    held: Vec<u8>,
    /// How much of a PDU is still to come that nobody wants.
    skip: usize,
}

/// As much of the data as [`is_rpc`] needs.
pub(super) const ENOUGH: usize = rpc::HEADER;

/// Whether data of a file begin like DCE/RPC.
pub(super) fn is_rpc(data: &[u8]) -> bool {
    rpc::is_pdu(data)
}

impl<K> Default for Pipes<K> {
    fn default() -> Self {
        Self(Numbered::default())
    }
}

impl<K: PartialEq> Pipes<K> {
    /// Whether this file was seen to be a pipe.
    pub(super) fn knows(&mut self, file: &K) -> bool {
        self.0.get_mut(file).is_some()
    }

    /// Whether a PDU is under way in any of them.
    pub(super) fn is_midway(&self) -> bool {
        self.0.values().any(|pipe| pipe.to_server.is_midway() || pipe.to_client.is_midway())
    }

    /// Messages may be missing: nothing that was begun can be finished.
    pub(super) fn gap(&mut self) {
        for pipe in self.0.values_mut() {
            (pipe.to_server, pipe.to_client) = (Half::default(), Half::default());
            // What answers a request that was not seen is not known to be of this pipe.
            pipe.rpc.lose(Direction::ClientToServer);
            pipe.rpc.lose(Direction::ServerToClient);
        }
    }

    /// Data that were read from or written to a file.
    pub(super) fn data(
        &mut self,
        file: K,
        message: &Message<'_>,
        range: Range<usize>,
        out: &mut Out<'_>,
    ) -> Option<()> {
        let data = message.bytes.get(range.clone())?;
        if !self.knows(&file) {
            if !is_rpc(data) {
                return None;
            }
            // The file becomes a pipe by its first PDU.
            let Pipes(pipes) = self;
            let rpc = Rpc::in_pipe(out.new_conversation());
            pipes.insert(file, Pipe { rpc, ..Pipe::default() });
            return pipes.last_mut()?.data(message, range, out);
        }
        self.0.get_mut(&file)?.data(message, range, out)
    }
}

impl Half {
    fn is_midway(&self) -> bool {
        self.skip > 0 || !self.held.is_empty()
    }
}

impl Pipe {
    fn direction(&mut self, direction: Direction) -> (&mut Rpc, &mut Half) {
        let half = match direction {
            Direction::ClientToServer => &mut self.to_server,
            Direction::ServerToClient => &mut self.to_client,
        };
        (&mut self.rpc, half)
    }

    fn data(
        &mut self,
        message: &Message<'_>,
        range: Range<usize>,
        out: &mut Out<'_>,
    ) -> Option<()> {
        let data = message.bytes.get(range.clone())?;
        let (rpc, half) = self.direction(message.direction);
        if is_rpc(data) {
            // A PDU begins; if another was under way, its end was not captured.
            if half.is_midway() {
                rpc.lose(message.direction);
            }
            *half = Half::default();
        }
        let mut bytes = std::mem::take(&mut half.held);
        let held = bytes.len();
        bytes.extend_from_slice(data);
        let mut at = half.skip.min(bytes.len());
        half.skip -= at;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let Some((length, wanted)) = rpc.lengths(rest) else {
                if rest.len() >= rpc::HEADER {
                    rpc.lose(message.direction);
                    return None;
                }
                break;
            };
            let Some(bytes_of_pdu) = rest.get(..wanted) else { break };
            let pdu = rpc.pdu(bytes_of_pdu, out);
            let fragment = rpc.fragment(message.direction, bytes_of_pdu, &pdu);
            let Pdu { token, verdict, .. } = pdu;
            let place = |in_pdu: usize| (range.start + at + in_pdu).saturating_sub(held);
            if let Some((token, wrapping, carried)) = token
                && let Some(bytes) = bytes_of_pdu.get(token.clone())
            {
                let end = place(token.end);
                out.claim(place(token.start).max(range.start)..end);
                out.token(message, end, bytes.to_vec(), wrapping, carried);
            }
            if let Some(verdict) = verdict {
                out.answer(message, verdict);
            }
            if let Some(fragment) = fragment {
                out.fragment(message, place(wanted), &fragment);
            }
            half.skip = length.saturating_sub(rest.len());
            at += length.min(rest.len());
        }
        let rest = bytes.get(at..).unwrap_or_default();
        if !rest.is_empty() {
            // It is looked at when the PDU is whole.
            out.claim((range.start + at).saturating_sub(held).max(range.start)..range.end);
            half.held = rest.to_vec();
        }
        Some(())
    }
}
