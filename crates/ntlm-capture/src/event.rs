use std::{fmt, net::SocketAddr};

use crate::{link::LinkType, names::NameResolution};

/// What a capture tells, in the order in which it can be told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A TCP flow was seen for the first time.
    FlowStarted(FlowStarted),
    /// Bytes of a TCP stream, each exactly once and in order.
    Data(Data<'a>),
    /// Bytes of a TCP stream that the capture does not have. Two gaps may follow one another.
    Gap(Gap),
    /// Bytes of a TCP stream came twice and differ. The first copy was or will be delivered.
    Conflict(Conflict),
    /// Nothing more will come from this flow.
    FlowEnded(FlowEnded),
    /// A UDP datagram.
    Datagram(Datagram<'a>),
    /// A pcapng decryption-secrets block.
    Secrets(Secrets<'a>),
    /// A pcapng name-resolution block.
    Names(NameResolution<'a>),
    /// Packets of a kind of link that is not known. Told once an interface; its packets are not looked into.
    UnknownLinkType(UnknownLinkType),
    /// Something that could not be used.
    Notice(Notice),
}

/// Time of capture: nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

/// The frame that something came in. Ordered as the frames were read.
///
/// What was reassembled from IP fragments came in the frame that completed it, as Wireshark has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    /// Number of the frame in the capture, counted from 1: as Wireshark counts in the file or, of several files,
    /// in what `mergecap` makes of them.
    pub frame: u64,
    /// Which file, counted from 0.
    pub file: u32,
    /// Number of the frame in this file, counted from 1. The same as `frame` if there is but one.
    pub frame_in_file: u64,
    /// `None` where the file has no time for it (pcapng simple packet block).
    pub time: Option<Timestamp>,
}

/// One TCP connection, or what the capture has of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId {
    pub(crate) serial: u64,
    pub(crate) slot: u32,
}

impl FlowId {
    /// An id for flows that are written rather than read.
    #[must_use]
    pub const fn numbered(serial: u64) -> Self {
        Self { serial, slot: 0 }
    }

    /// A number that no other flow of the capture has, in order of their start.
    #[must_use]
    pub fn serial(self) -> u64 {
        self.serial
    }

    /// An index below [`Limits::flows`](crate::Limits::flows), which no other flow has before this one has ended.
    #[must_use]
    pub fn slot(self) -> u32 {
        self.slot
    }
}

/// Which way bytes went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client.
    ClientToServer,
    /// From the server.
    ServerToClient,
}

impl Direction {
    /// The other one.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::ClientToServer => Self::ServerToClient,
            Self::ServerToClient => Self::ClientToServer,
        }
    }
}

/// The two ends of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Endpoints {
    /// Who opened the connection.
    pub client: SocketAddr,
    /// Who was connected to.
    pub server: SocketAddr,
    /// No SYN was seen: the lower port is taken for the server's.
    pub guessed: bool,
}

/// A TCP flow was seen for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowStarted {
    /// The flow.
    pub flow: FlowId,
    /// Its ends.
    pub endpoints: Endpoints,
    /// Its first frame.
    pub origin: Origin,
}

/// Bytes of a TCP stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Data<'a> {
    /// The flow.
    pub flow: FlowId,
    /// Which of its two streams.
    pub direction: Direction,
    /// Position of the first byte in the stream. The stream starts at 0 with the first byte after SYN, or
    /// the first that was captured; gaps count.
    pub offset: u64,
    /// Never empty, and all from one frame.
    pub bytes: &'a [u8],
    /// That frame.
    pub origin: Origin,
}

/// Bytes of a TCP stream that the capture does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The flow.
    pub flow: FlowId,
    /// Which of its two streams.
    pub direction: Direction,
    /// Position of the first missing byte in the stream.
    pub offset: u64,
    /// How many are missing, at least 1.
    pub length: u64,
    /// How this is known.
    pub cause: GapCause,
    /// The frame that made it certain; at the end of the capture its last one.
    pub origin: Origin,
}

/// How a gap became certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GapCause {
    /// The receiver acknowledged what was never captured.
    Acknowledged,
    /// The packet was captured in part (snap length).
    Cut,
    /// More later bytes were waiting than [`Limits`](crate::Limits) allows.
    Bound,
    /// The flow ended.
    FlowEnd,
}

/// Bytes of a TCP stream that came twice and differ.
///
/// Noticed where the first copy was still waiting for earlier bytes. What has been delivered is not kept, so
/// a later copy of it is not compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Conflict {
    /// The flow.
    pub flow: FlowId,
    /// Which of its two streams.
    pub direction: Direction,
    /// Position of the first byte that differs.
    pub offset: u64,
    /// The frame of the second copy.
    pub origin: Origin,
}

/// Nothing more will come from this flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlowEnded {
    /// The flow.
    pub flow: FlowId,
    /// Why.
    pub reason: EndReason,
}

/// Why nothing more will come from a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// Both ends closed it, and everything up to there was delivered or is known to be missing.
    Closed,
    /// One end reset it.
    Reset,
    /// A new connection between the same ends.
    Reused,
    /// There were too many flows. Its later bytes, if any, start another flow.
    Evicted,
    /// The capture ended first.
    CaptureEnded,
}

/// A UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Datagram<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// What it carries.
    pub bytes: &'a [u8],
    /// How many bytes at its end were not captured.
    pub missing: u64,
    /// Its frame.
    pub origin: Origin,
}

/// A pcapng decryption-secrets block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Secrets<'a> {
    /// Which file, counted from 0.
    pub file: u32,
    /// Which format `bytes` is in: `0x544c534b` for a TLS key log.
    pub kind: u32,
    /// The secrets.
    pub bytes: &'a [u8],
}

/// Packets of a kind of link that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnknownLinkType {
    /// The kind.
    pub link_type: LinkType,
    /// The interface within the pcapng section; 0 in pcap.
    pub interface: u32,
    /// The first such frame.
    pub origin: Origin,
}

/// Something that could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notice {
    /// What.
    pub kind: NoticeKind,
    /// Where.
    pub origin: Origin,
}

/// What could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NoticeKind {
    /// The packet ends within its link header, or that header is wrong.
    LinkHeader,
    /// The packet ends within its IP header, or that header is wrong.
    IpHeader,
    /// The packet ends within its TCP or UDP header, or that header is wrong.
    TransportHeader,
    /// Fragments of an IP datagram overlap and differ. The first copy is used.
    FragmentConflict,
    /// An IP datagram was given up before all its fragments came. The frame is that of its first one.
    FragmentsIncomplete,
    /// A fragment reaches beyond the longest IP datagram, or contradicts the length of its own.
    FragmentRange,
    /// TCP bytes from before the first that was captured of their stream, which has been delivered.
    BeforeStart,
    /// A TCP sequence number more than 1 GiB away from what is expected.
    SequenceOutOfWindow,
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LinkHeader => "link header is cut short or wrong",
            Self::IpHeader => "ip header is cut short or wrong",
            Self::TransportHeader => "tcp or udp header is cut short or wrong",
            Self::FragmentConflict => "overlapping ip fragments differ",
            Self::FragmentsIncomplete => "ip datagram lacks fragments",
            Self::FragmentRange => "ip fragment lies outside its datagram",
            Self::BeforeStart => "tcp bytes from before the captured start of their stream",
            Self::SequenceOutOfWindow => "tcp sequence number far from what is expected",
        })
    }
}
