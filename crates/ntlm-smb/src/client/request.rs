//! A request of SMB 2 or 3, and what is remembered of it until its response.

use crate::smb2::Command;
use alloc::vec::Vec;

/// A request and how to know its response.
#[derive(Debug)]
pub struct Request {
    /// Goes to the server, without transport prefix.
    pub packet: Vec<u8>,
    /// For [`Connection::receive`](super::Connection::receive).
    pub pending: Pending,
}

/// A request that waits for its response.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// What was asked.
    pub command: Command,
    /// MessageId.
    pub message_id: u64,
    /// How the request went.
    pub protection: Protection,
}

/// How a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// As it is: there is no key.
    None,
    /// Signed.
    Signed,
    /// Encrypted.
    Encrypted,
}
