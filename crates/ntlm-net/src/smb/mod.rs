//! SMB over TCP (MS-SMB2 2.1).

mod client;
mod error;
mod operations;
mod server;
mod smb1;
mod smb2;
mod wire;

pub use client::{Client, Negotiated, Options, Who};
pub use error::Error;
pub use operations::{File, Tree};
pub use server::{
    Claimed, CloseReason, Event, LogonRecord, RefusedLogon, Server, ServerLimits, ServerOptions,
    ShareLimits,
};
pub use wire::{Limits, Record, Recorded, RecordedFrame};
