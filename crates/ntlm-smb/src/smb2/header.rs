//! The SMB2 header (MS-SMB2 2.2.1).

use crate::error::{DecodeError, DecodeErrorKind};
use crate::transport::ProtocolId;
use crate::wire::{Reader, concat};
use bitflags::bitflags;
use core::fmt;
use ntlm::NtStatus;
use ntlm::keys::Direction;
use ntlm::wire::Span;

bitflags! {
    /// Flags of an SMB2 header. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct HeaderFlags: u32 {
        /// SMB2_FLAGS_SERVER_TO_REDIR: a response.
        const SERVER_TO_REDIR = 0x0000_0001;
        /// SMB2_FLAGS_ASYNC_COMMAND: AsyncId stands in the place of TreeId.
        const ASYNC_COMMAND = 0x0000_0002;
        /// SMB2_FLAGS_RELATED_OPERATIONS: goes on with the session, tree and file of the one before.
        const RELATED_OPERATIONS = 0x0000_0004;
        /// SMB2_FLAGS_SIGNED.
        const SIGNED = 0x0000_0008;
        /// SMB2_FLAGS_PRIORITY_MASK, three bits.
        const PRIORITY_MASK = 0x0000_0070;
        /// SMB2_FLAGS_DFS_OPERATIONS.
        const DFS_OPERATIONS = 0x1000_0000;
        /// SMB2_FLAGS_REPLAY_OPERATION.
        const REPLAY_OPERATION = 0x2000_0000;

        const _ = !0;
    }
}

/// What a message asks or answers. Unknown ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command(pub u16);

impl Command {
    /// SMB2 NEGOTIATE.
    pub const NEGOTIATE: Self = Self(0);
    /// SMB2 SESSION_SETUP.
    pub const SESSION_SETUP: Self = Self(1);
    /// SMB2 LOGOFF.
    pub const LOGOFF: Self = Self(2);
    /// SMB2 TREE_CONNECT.
    pub const TREE_CONNECT: Self = Self(3);
    /// SMB2 TREE_DISCONNECT.
    pub const TREE_DISCONNECT: Self = Self(4);
    /// SMB2 CREATE.
    pub const CREATE: Self = Self(5);
    /// SMB2 CLOSE.
    pub const CLOSE: Self = Self(6);
    /// SMB2 READ.
    pub const READ: Self = Self(8);
    /// SMB2 WRITE.
    pub const WRITE: Self = Self(9);
    /// SMB2 IOCTL.
    pub const IOCTL: Self = Self(11);
    /// SMB2 CANCEL, which has no response.
    pub const CANCEL: Self = Self(12);
    /// SMB2 ECHO.
    pub const ECHO: Self = Self(13);
    /// SMB2 CHANGE_NOTIFY.
    pub const CHANGE_NOTIFY: Self = Self(15);
    /// SMB2 QUERY_INFO.
    pub const QUERY_INFO: Self = Self(16);
    /// SMB2 SET_INFO.
    pub const SET_INFO: Self = Self(17);
    /// SMB2 OPLOCK_BREAK, also a notification that nobody asked for.
    pub const OPLOCK_BREAK: Self = Self(18);

    const NAMES: [&'static str; 20] = [
        "NEGOTIATE",
        "SESSION_SETUP",
        "LOGOFF",
        "TREE_CONNECT",
        "TREE_DISCONNECT",
        "CREATE",
        "CLOSE",
        "FLUSH",
        "READ",
        "WRITE",
        "LOCK",
        "IOCTL",
        "CANCEL",
        "ECHO",
        "QUERY_DIRECTORY",
        "CHANGE_NOTIFY",
        "QUERY_INFO",
        "SET_INFO",
        "OPLOCK_BREAK",
        "SERVER_TO_CLIENT_NOTIFICATION",
    ];

    /// Its name, without `SMB2`.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES.get(usize::from(self.0)).copied()
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "command {}", self.0),
        }
    }
}

/// What stands at offset 32: a tree, or the name of a request that takes longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HeaderId {
    /// Without ASYNC_COMMAND (MS-SMB2 2.2.1.2).
    Sync {
        /// Often 0x0000feff, the process id of old.
        reserved: u32,
        /// TreeId.
        tree_id: u32,
    },
    /// With ASYNC_COMMAND (MS-SMB2 2.2.1.1).
    Async {
        /// AsyncId.
        async_id: u64,
    },
}

/// An SMB2 header, 64 bytes (MS-SMB2 2.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// CreditCharge: 0 under 2.0.2 and in NEGOTIATE.
    pub credit_charge: u16,
    /// Status in responses; ChannelSequence and Reserved in requests of 3.x.
    pub status: NtStatus,
    /// Command.
    pub command: Command,
    /// CreditRequest or CreditResponse.
    pub credits: u16,
    /// Flags.
    pub flags: HeaderFlags,
    /// NextCommand: where the next message of a compound begins, from this header; 0 in the last.
    pub next_command: u32,
    /// MessageId. All ones in what the server sends unasked.
    pub message_id: u64,
    /// TreeId or AsyncId.
    pub id: HeaderId,
    /// SessionId.
    pub session_id: u64,
    /// Signature.
    pub signature: [u8; 16],
}

impl Header {
    /// Length in bytes.
    pub const LENGTH: usize = 64;
    /// Where Signature stands.
    pub const SIGNATURE: Span = Span { offset: 48, length: 16 };
    /// Where Flags stands.
    pub const FLAGS: Span = Span { offset: 16, length: 4 };
    /// MessageId of what the server sends unasked.
    pub const UNSOLICITED: u64 = u64::MAX;

    /// A header for `command`, all else zero.
    #[must_use]
    pub const fn new(command: Command, message_id: u64) -> Self {
        Self {
            credit_charge: 0,
            status: NtStatus::SUCCESS,
            command,
            credits: 1,
            flags: HeaderFlags::empty(),
            next_command: 0,
            message_id,
            id: HeaderId::Sync { reserved: 0, tree_id: 0 },
            session_id: 0,
            signature: [0; 16],
        }
    }

    /// Reads the header at the start of `message`.
    ///
    /// # Errors
    ///
    /// It is too short, or not an SMB2 message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(message, 0);
        ProtocolId::Smb2.expect(r.array("ProtocolId")?)?;
        r.structure_size(64)?;
        let credit_charge = r.u16("CreditCharge")?;
        let status = NtStatus(r.u32("Status")?);
        let command = Command(r.u16("Command")?);
        let credits = r.u16("Credit")?;
        let flags = HeaderFlags::from_bits_retain(r.u32("Flags")?);
        let next_command = r.u32("NextCommand")?;
        let message_id = r.u64("MessageId")?;
        let id = if flags.contains(HeaderFlags::ASYNC_COMMAND) {
            HeaderId::Async { async_id: r.u64("AsyncId")? }
        } else {
            HeaderId::Sync { reserved: r.u32("Reserved")?, tree_id: r.u32("TreeId")? }
        };
        let session_id = r.u64("SessionId")?;
        let signature = r.array("Signature")?;
        Ok(Self {
            credit_charge,
            status,
            command,
            credits,
            flags,
            next_command,
            message_id,
            id,
            session_id,
            signature,
        })
    }

    /// Reads the header of a message that must be of this command.
    pub(super) fn expect(message: &[u8], command: Command) -> Result<Self, DecodeError> {
        let header = Self::decode(message)?;
        if header.command == command {
            Ok(header)
        } else {
            Err(DecodeError::new(DecodeErrorKind::WrongCommand, "Command", 12))
        }
    }

    /// The 64 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let id = match self.id {
            HeaderId::Sync { reserved, tree_id } => {
                u64::from(reserved) | u64::from(tree_id).wrapping_shl(32)
            }
            HeaderId::Async { async_id } => async_id,
        };
        concat(&[
            &ProtocolId::Smb2.bytes(),
            &64_u16.to_le_bytes(),
            &self.credit_charge.to_le_bytes(),
            &self.status.0.to_le_bytes(),
            &self.command.0.to_le_bytes(),
            &self.credits.to_le_bytes(),
            &self.flags.bits().to_le_bytes(),
            &self.next_command.to_le_bytes(),
            &self.message_id.to_le_bytes(),
            &id.to_le_bytes(),
            &self.session_id.to_le_bytes(),
            &self.signature,
        ])
    }

    /// Whether it is a response.
    #[must_use]
    pub const fn is_response(&self) -> bool {
        self.flags.contains(HeaderFlags::SERVER_TO_REDIR)
    }

    /// Which way it goes, by its own word.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        if self.is_response() { Direction::ServerToClient } else { Direction::ClientToServer }
    }

    /// Whether it says that it is signed.
    #[must_use]
    pub const fn is_signed(&self) -> bool {
        self.flags.contains(HeaderFlags::SIGNED)
    }

    /// Whether it only says that the answer takes longer (MS-SMB2 3.3.4.2).
    #[must_use]
    pub fn is_interim(&self) -> bool {
        self.is_response()
            && self.flags.contains(HeaderFlags::ASYNC_COMMAND)
            && self.status == NtStatus::PENDING
    }
}
