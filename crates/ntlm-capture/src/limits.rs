/// Bounds on what one [`Capture`](crate::Capture) holds at a time, whatever its input claims.
///
/// With the defaults that is less than 100 MiB in the worst case, and less than 1 MiB for a handful of flows in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Longest packet, and longest pcapng block, in bytes: 16 MiB. A longer one is damage.
    pub packet: usize,
    /// Interfaces in one pcapng section: 65 536.
    pub interfaces: usize,
    /// TCP flows followed at once: 65 536. Beyond it closed flows make room first, then those that
    /// never carried data, then the least recently used.
    pub flows: usize,
    /// Bytes that one direction of a flow may hold back while it waits for earlier ones: 4 MiB.
    pub waiting_per_stream: usize,
    /// Bytes that all flows together may hold back: 16 MiB.
    pub waiting: usize,
    /// Packets of the same flow that may still bring bytes which the peer has acknowledged already, or the
    /// beginning of a flow: 32. Captures from several queues or interfaces do record an answer before its question.
    /// So frames that are recorded up to half as many places late lose nothing. After that the bytes are taken as
    /// lost. With 0 they are at once.
    pub patience: u32,
    /// IP datagrams under reassembly at once: 1024.
    pub datagrams: usize,
    /// Bytes of IP fragments held for reassembly: 4 MiB.
    pub fragments: usize,
    /// Age at which an incomplete IP datagram is given up, in seconds: 60, as RFC 8200 4.5 has it.
    pub fragment_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            packet: 16 << 20,
            interfaces: 65_536,
            flows: 65_536,
            waiting_per_stream: 4 << 20,
            waiting: 16 << 20,
            patience: 32,
            datagrams: 1024,
            fragments: 4 << 20,
            fragment_seconds: 60,
        }
    }
}
