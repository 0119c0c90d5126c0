//! The SMB1 header (MS-CIFS 2.2.3.1, MS-SMB 2.2.3.1).

use crate::error::DecodeError;
use crate::transport::ProtocolId;
use crate::wire::{Reader, concat};
use bitflags::bitflags;
use core::fmt;
use ntlm::NtStatus;
use ntlm::wire::Span;

bitflags! {
    /// Flags of an SMB1 header. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Flags: u8 {
        /// SMB_FLAGS_CASE_INSENSITIVE.
        const CASE_INSENSITIVE = 0x08;
        /// SMB_FLAGS_CANONICALIZED_PATHS.
        const CANONICALIZED_PATHS = 0x10;
        /// SMB_FLAGS_REPLY: a response.
        const REPLY = 0x80;

        const _ = !0;
    }
}

bitflags! {
    /// Flags2 of an SMB1 header. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Flags2: u16 {
        /// SMB_FLAGS2_LONG_NAMES.
        const LONG_NAMES = 0x0001;
        /// SMB_FLAGS2_EAS.
        const EAS = 0x0002;
        /// SMB_FLAGS2_SMB_SECURITY_SIGNATURE: signed, or able to sign.
        const SECURITY_SIGNATURE = 0x0004;
        /// SMB_FLAGS2_SMB_SECURITY_SIGNATURE_REQUIRED.
        const SECURITY_SIGNATURE_REQUIRED = 0x0010;
        /// SMB_FLAGS2_IS_LONG_NAME.
        const IS_LONG_NAME = 0x0040;
        /// SMB_FLAGS2_EXTENDED_SECURITY: GSS tokens in session setup. It is not NTLM's "extended
        /// session security".
        const EXTENDED_SECURITY = 0x0800;
        /// SMB_FLAGS2_DFS.
        const DFS = 0x1000;
        /// SMB_FLAGS2_NT_STATUS: Status is an NTSTATUS, not a class and a code.
        const NT_STATUS = 0x4000;
        /// SMB_FLAGS2_UNICODE: text is UTF-16LE.
        const UNICODE = 0x8000;

        const _ = !0;
    }
}

/// What a message asks or answers. Unknown ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Command(pub u8);

impl Command {
    /// SMB_COM_CLOSE.
    pub const CLOSE: Self = Self(0x04);
    /// SMB_COM_LOCKING_ANDX; from the server unasked, it breaks an oplock.
    pub const LOCKING_ANDX: Self = Self(0x24);
    /// SMB_COM_TRANSACTION.
    pub const TRANSACTION: Self = Self(0x25);
    /// SMB_COM_ECHO.
    pub const ECHO: Self = Self(0x2b);
    /// SMB_COM_OPEN_ANDX.
    pub const OPEN_ANDX: Self = Self(0x2d);
    /// SMB_COM_READ_ANDX.
    pub const READ_ANDX: Self = Self(0x2e);
    /// SMB_COM_WRITE_ANDX.
    pub const WRITE_ANDX: Self = Self(0x2f);
    /// SMB_COM_TREE_DISCONNECT.
    pub const TREE_DISCONNECT: Self = Self(0x71);
    /// SMB_COM_NEGOTIATE.
    pub const NEGOTIATE: Self = Self(0x72);
    /// SMB_COM_SESSION_SETUP_ANDX.
    pub const SESSION_SETUP_ANDX: Self = Self(0x73);
    /// SMB_COM_LOGOFF_ANDX.
    pub const LOGOFF_ANDX: Self = Self(0x74);
    /// SMB_COM_TREE_CONNECT_ANDX.
    pub const TREE_CONNECT_ANDX: Self = Self(0x75);
    /// SMB_COM_NT_CREATE_ANDX.
    pub const NT_CREATE_ANDX: Self = Self(0xa2);
    /// SMB_COM_NT_CANCEL, which has no response.
    pub const NT_CANCEL: Self = Self(0xa4);
    /// SMB_COM_NO_ANDX_COMMAND: the end of a chain.
    pub const NO_ANDX_COMMAND: Self = Self(0xff);

    /// Whether its words begin with the AndX fields.
    #[must_use]
    pub const fn is_andx(self) -> bool {
        matches!(
            self,
            Self::LOCKING_ANDX
                | Self::OPEN_ANDX
                | Self::READ_ANDX
                | Self::WRITE_ANDX
                | Self::SESSION_SETUP_ANDX
                | Self::LOGOFF_ANDX
                | Self::TREE_CONNECT_ANDX
                | Self::NT_CREATE_ANDX
        )
    }

    /// Its name, for those that sessions deal with.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::CLOSE => Some("CLOSE"),
            Self::LOCKING_ANDX => Some("LOCKING_ANDX"),
            Self::TRANSACTION => Some("TRANSACTION"),
            Self::ECHO => Some("ECHO"),
            Self::OPEN_ANDX => Some("OPEN_ANDX"),
            Self::READ_ANDX => Some("READ_ANDX"),
            Self::WRITE_ANDX => Some("WRITE_ANDX"),
            Self::TREE_DISCONNECT => Some("TREE_DISCONNECT"),
            Self::NEGOTIATE => Some("NEGOTIATE"),
            Self::SESSION_SETUP_ANDX => Some("SESSION_SETUP_ANDX"),
            Self::LOGOFF_ANDX => Some("LOGOFF_ANDX"),
            Self::TREE_CONNECT_ANDX => Some("TREE_CONNECT_ANDX"),
            Self::NT_CREATE_ANDX => Some("NT_CREATE_ANDX"),
            Self::NT_CANCEL => Some("NT_CANCEL"),
            _ => None,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "command {:#04x}", self.0),
        }
    }
}

/// An SMB1 header, 32 bytes (MS-CIFS 2.2.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Command.
    pub command: Command,
    /// Status: an NTSTATUS with NT_STATUS, else class, reserved byte and code.
    pub status: u32,
    /// Flags.
    pub flags: Flags,
    /// Flags2.
    pub flags2: Flags2,
    /// PIDHigh.
    pub pid_high: u16,
    /// SecuritySignature, or something else where nothing is signed.
    pub security_signature: [u8; 8],
    /// Reserved.
    pub reserved: u16,
    /// TID; all ones for none.
    pub tid: u16,
    /// PIDLow.
    pub pid_low: u16,
    /// UID.
    pub uid: u16,
    /// MID. All ones in what the server sends unasked.
    pub mid: u16,
}

impl Header {
    /// Length in bytes.
    pub const LENGTH: usize = 32;
    /// Where SecuritySignature stands.
    pub const SECURITY_SIGNATURE: Span = Span { offset: 14, length: 8 };
    /// Where Flags2 stands.
    pub const FLAGS2: Span = Span { offset: 10, length: 2 };
    /// What clients write in the place of a signature before there is a key. Samba ends it with a
    /// space, Windows with a zero.
    pub const PLACEHOLDER: &'static [u8; 7] = b"BSRSPYL";

    /// A header for `command`, without tree and all else zero.
    #[must_use]
    pub const fn new(command: Command, mid: u16) -> Self {
        Self {
            command,
            status: 0,
            flags: Flags::empty(),
            flags2: Flags2::empty(),
            pid_high: 0,
            security_signature: [0; 8],
            reserved: 0,
            tid: u16::MAX,
            pid_low: 0,
            uid: 0,
            mid,
        }
    }

    /// Reads the header at the start of `message`.
    ///
    /// # Errors
    ///
    /// It is too short, or not an SMB1 message.
    pub fn decode(message: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(message, 0);
        ProtocolId::Smb1.expect(r.array("Protocol")?)?;
        Ok(Self {
            command: Command(r.u8("Command")?),
            status: r.u32("Status")?,
            flags: Flags::from_bits_retain(r.u8("Flags")?),
            flags2: Flags2::from_bits_retain(r.u16("Flags2")?),
            pid_high: r.u16("PIDHigh")?,
            security_signature: r.array("SecuritySignature")?,
            reserved: r.u16("Reserved")?,
            tid: r.u16("TID")?,
            pid_low: r.u16("PIDLow")?,
            uid: r.u16("UID")?,
            mid: r.u16("MID")?,
        })
    }

    /// The 32 bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        concat(&[
            &ProtocolId::Smb1.bytes(),
            &[self.command.0],
            &self.status.to_le_bytes(),
            &[self.flags.bits()],
            &self.flags2.bits().to_le_bytes(),
            &self.pid_high.to_le_bytes(),
            &self.security_signature,
            &self.reserved.to_le_bytes(),
            &self.tid.to_le_bytes(),
            &self.pid_low.to_le_bytes(),
            &self.uid.to_le_bytes(),
            &self.mid.to_le_bytes(),
        ])
    }

    /// Whether it is a response.
    #[must_use]
    pub const fn is_response(&self) -> bool {
        self.flags.contains(Flags::REPLY)
    }

    /// Whether its text is UTF-16LE.
    #[must_use]
    pub const fn is_unicode(&self) -> bool {
        self.flags2.contains(Flags2::UNICODE)
    }

    /// Status, where it is an NTSTATUS.
    #[must_use]
    pub fn nt_status(&self) -> Option<NtStatus> {
        let is_one = self.flags2.contains(Flags2::NT_STATUS) || self.status == 0;
        is_one.then_some(NtStatus(self.status))
    }

    /// The process that asks, both halves.
    #[must_use]
    pub fn pid(&self) -> u32 {
        u32::from(self.pid_high).wrapping_shl(16) | u32::from(self.pid_low)
    }

    /// Whether the signature is what clients write before there is a key.
    #[must_use]
    pub fn has_placeholder(&self) -> bool {
        self.security_signature.starts_with(Self::PLACEHOLDER)
    }
}
