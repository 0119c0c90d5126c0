//! Capture files in, what flowed out: pcap and pcapng, link layers, IP, TCP streams and UDP datagrams.
//!
//! The input is anything that implements [`Read`](std::io::Read), gzip or not, and is read once from front to back.
//! Memory is bounded by [`Limits`], whatever the input is or claims. What is damaged or missing is told, with its place.
//!
//! ```
//! use ntlm_capture::{Capture, Direction, Event, Limits};
//!
//! # let file = include_bytes!("../../../testdata/captures/http/ntlm-get.pcap");
//! let mut capture = Capture::new(&file[..], Limits::default());
//! let mut requests = 0;
//! while let Some(event) = capture.next_event()? {
//!     if let Event::Data(data) = event
//!         && data.direction == Direction::ClientToServer
//!         && data.bytes.starts_with(b"GET ")
//!     {
//!         println!("{:?} asks in frame {}", data.flow, data.origin.frame);
//!         requests += 1;
//!     }
//! }
//! assert_eq!(requests, 3);
//! # Ok::<(), ntlm_capture::CaptureError>(())
//! ```
//!
//! From the bottom up: `gzip`, `buffer` and `file` make packets of bytes, `sources` one sequence of several files; `link`, `ip` and `fragments` take off the headers; `tcp` puts
//! one stream in order, with `store` for what came too early; `flow` pairs streams, begins them with the help of `opening` and forgets them with that of `recency`; `capture`
//! joins it all and tells `event`s. `write` goes the other way.

mod buffer;
mod bytes;
mod capture;
mod error;
mod event;
mod file;
mod flow;
mod fragments;
mod gzip;
mod ip;
mod limits;
mod link;
mod names;
mod opening;
mod origins;
mod queue;
mod recency;
mod sources;
mod store;
mod tcp;
mod udp;
mod write;

pub use capture::{Capture, Totals};
pub use error::{CaptureError, Part, Problem};
pub use event::{
    Conflict, Data, Datagram, Direction, EndReason, Endpoints, Event, FlowEnded, FlowId,
    FlowStarted, Gap, GapCause, Notice, NoticeKind, Origin, Secrets, Timestamp, UnknownLinkType,
};
pub use limits::Limits;
pub use link::LinkType;
pub use names::NameResolution;
pub use origins::StreamOrigins;
pub use write::StreamWriter;
