//! SMB_COM_NEGOTIATE (MS-CIFS 2.2.4.52, MS-SMB 2.2.4.5).

use super::block::{Block, BytesWriter, Texts, encode};
use super::header::{Command, Header};
use crate::error::{DecodeError, DecodeErrorKind, TooLong};
use crate::wire::{Part, Writer, length};
use alloc::vec::Vec;
use bitflags::bitflags;
use ntlm::FileTime;

bitflags! {
    /// SecurityMode of SMB_COM_NEGOTIATE. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct SecurityMode: u16 {
        /// NEGOTIATE_USER_SECURITY: users log on, not shares.
        const USER_SECURITY = 0x01;
        /// NEGOTIATE_ENCRYPT_PASSWORDS: challenge and response.
        const ENCRYPT_PASSWORDS = 0x02;
        /// NEGOTIATE_SECURITY_SIGNATURES_ENABLED.
        const SECURITY_SIGNATURES_ENABLED = 0x04;
        /// NEGOTIATE_SECURITY_SIGNATURES_REQUIRED.
        const SECURITY_SIGNATURES_REQUIRED = 0x08;

        const _ = !0;
    }
}

bitflags! {
    /// Capabilities of SMB_COM_NEGOTIATE and SMB_COM_SESSION_SETUP_ANDX. Unknown bits are kept.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Capabilities: u32 {
        /// CAP_UNICODE.
        const UNICODE = 0x0000_0004;
        /// CAP_LARGE_FILES.
        const LARGE_FILES = 0x0000_0008;
        /// CAP_NT_SMBS.
        const NT_SMBS = 0x0000_0010;
        /// CAP_STATUS32: NTSTATUS.
        const STATUS32 = 0x0000_0040;
        /// CAP_EXTENDED_SECURITY: GSS tokens in session setup. It is not NTLM's "extended session
        /// security".
        const EXTENDED_SECURITY = 0x8000_0000;

        const _ = !0;
    }
}

/// SMB_COM_NEGOTIATE Request (MS-CIFS 2.2.4.52.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiateRequest<'a> {
    dialects: Part<'a>,
}

impl<'a> NegotiateRequest<'a> {
    /// `NT LM 0.12`.
    pub const NT_LM_0_12: &'static [u8] = b"NT LM 0.12";
    /// `SMB 2.002`: the client speaks SMB 2.0.2.
    pub const SMB_2_002: &'static [u8] = b"SMB 2.002";
    /// `SMB 2.???`: the client speaks SMB 2.1 or more.
    pub const SMB_2_WILDCARD: &'static [u8] = b"SMB 2.???";

    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::NEGOTIATE)?;
        block.reader(0)?;
        let this = Self { dialects: block.bytes };
        let offset = block.bytes.span().offset;
        let ends = block.bytes.bytes().last().is_none_or(|last| *last == 0);
        if !ends {
            return Err(DecodeError::new(DecodeErrorKind::Unterminated, "Dialects", offset));
        }
        if this.entries().any(|entry| entry.first() != Some(&2)) {
            return Err(DecodeError::new(DecodeErrorKind::WrongValue, "BufferFormat", offset));
        }
        Ok(this)
    }

    /// Header and body for these dialects.
    ///
    /// # Errors
    ///
    /// They are too long.
    pub fn encode(header: &Header, dialects: &[&[u8]]) -> Result<Vec<u8>, TooLong> {
        let bytes = dialects.iter().flat_map(|dialect| [&[2], *dialect, &[0]]).flatten();
        let bytes: Vec<u8> = bytes.copied().collect();
        encode(header, &[], &bytes)
    }

    /// The dialects by name, in the order that DialectIndex counts.
    pub fn dialects(&self) -> impl Iterator<Item = &'a [u8]> + Clone + 'a {
        self.entries().map(|entry| entry.get(1..).unwrap_or_default())
    }

    /// The name that a DialectIndex stands for.
    #[must_use]
    pub fn dialect(&self, dialect_index: u16) -> Option<&'a [u8]> {
        self.dialects().nth(usize::from(dialect_index))
    }

    fn entries(&self) -> impl Iterator<Item = &'a [u8]> + Clone + 'a {
        let list = self.dialects.bytes();
        let list = list.strip_suffix(&[0]).unwrap_or(list);
        let entries = (!list.is_empty()).then(|| list.split(|byte| *byte == 0));
        entries.into_iter().flatten()
    }
}

/// SMB_COM_NEGOTIATE Response, whose form depends on the dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NegotiateResponse<'a> {
    /// 1 word: the core protocol, or no dialect at all (0xffff).
    Core {
        /// DialectIndex.
        dialect_index: u16,
    },
    /// 13 words: LANMAN 1.0 to 2.1.
    LanMan(NegotiateLanMan<'a>),
    /// 17 words: NT LM 0.12.
    NtLm(NegotiateNtLm<'a>),
}

/// Response of LANMAN 1.0 to 2.1 (MS-CIFS 2.2.4.52.2, in the form of the older dialects).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiateLanMan<'a> {
    /// DialectIndex.
    pub dialect_index: u16,
    /// SecurityMode.
    pub security_mode: SecurityMode,
    /// MaxBufferSize.
    pub max_buffer_size: u16,
    /// SessionKey, an opaque number to be echoed; no key.
    pub session_key: u32,
    /// Challenge: the server's nonce, 8 bytes, or none.
    pub challenge: Part<'a>,
    /// PrimaryDomain, of LANMAN 2.1; some servers leave it out.
    pub primary_domain: Part<'a>,
}

/// Response of NT LM 0.12 (MS-CIFS 2.2.4.52.2, MS-SMB 2.2.4.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiateNtLm<'a> {
    /// DialectIndex.
    pub dialect_index: u16,
    /// SecurityMode.
    pub security_mode: SecurityMode,
    /// MaxMpxCount.
    pub max_mpx_count: u16,
    /// MaxNumberVcs.
    pub max_number_vcs: u16,
    /// MaxBufferSize.
    pub max_buffer_size: u32,
    /// MaxRawSize.
    pub max_raw_size: u32,
    /// SessionKey, an opaque number to be echoed; no key.
    pub session_key: u32,
    /// Capabilities.
    pub capabilities: Capabilities,
    /// SystemTime.
    pub system_time: FileTime,
    /// ServerTimeZone, in minutes west of UTC.
    pub server_time_zone: i16,
    /// What it says of authentication.
    pub security: ServerSecurity<'a>,
}

impl NegotiateNtLm<'_> {
    /// Header and body. The texts are in the character set that the header names.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let mut words = Writer::new(&self.dialect_index.to_le_bytes());
        let [security_mode, _] = self.security_mode.bits().to_le_bytes();
        words.u8(security_mode);
        words.u16(self.max_mpx_count);
        words.u16(self.max_number_vcs);
        words.u32(self.max_buffer_size);
        words.u32(self.max_raw_size);
        words.u32(self.session_key);
        words.u32(self.capabilities.bits());
        words.u64(self.system_time.0);
        words.bytes(&self.server_time_zone.to_le_bytes());
        match self.security {
            ServerSecurity::Extended { .. } => words.u8(0), // ChallengeLength
            ServerSecurity::Challenge { challenge, .. } => {
                words.u8(length(challenge.bytes().len(), "ChallengeLength")?);
            }
        }
        let words = words.finish();
        let mut bytes = BytesWriter::new(&words, header.is_unicode());
        match self.security {
            ServerSecurity::Extended { server_guid, security_blob } => {
                bytes.bytes(&server_guid);
                bytes.bytes(security_blob.bytes());
            }
            ServerSecurity::Challenge { challenge, domain_name, server_name } => {
                bytes.bytes(challenge.bytes());
                bytes.text_unaligned(domain_name);
                bytes.text_unaligned(server_name);
            }
        }
        encode(header, &words, bytes.finish())
    }
}

/// With CAP_EXTENDED_SECURITY or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerSecurity<'a> {
    /// GSS tokens (MS-SMB 2.2.4.5.2.1).
    Extended {
        /// ServerGUID.
        server_guid: [u8; 16],
        /// SecurityBlob: NegTokenInit2, or nothing.
        security_blob: Part<'a>,
    },
    /// Challenge and responses (MS-SMB 2.2.4.5.2.2).
    Challenge {
        /// Challenge: the server's nonce, 8 bytes, for every session of the connection.
        challenge: Part<'a>,
        /// DomainName.
        domain_name: Part<'a>,
        /// ServerName.
        server_name: Part<'a>,
    },
}

impl<'a> NegotiateResponse<'a> {
    /// Reads the first command of a message.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::NEGOTIATE)?;
        match block.word_count() {
            1 => Ok(Self::Core { dialect_index: block.reader(1)?.u16("DialectIndex")? }),
            13 => lan_man(&block).map(Self::LanMan),
            17 => nt_lm(&block, Header::decode(message)?.is_unicode()).map(Self::NtLm),
            _ => Err(block.wrong_word_count()),
        }
    }

    /// Header and body of a response that says which dialect and no more: 0xffff for none.
    ///
    /// # Errors
    ///
    /// None: nothing in it varies in length. It has the form of the others.
    pub fn encode_core(header: &Header, dialect_index: u16) -> Result<Vec<u8>, TooLong> {
        encode(header, &dialect_index.to_le_bytes(), &[])
    }

    /// DialectIndex: which of the client's dialects, 0xffff for none.
    #[must_use]
    pub const fn dialect_index(&self) -> u16 {
        match self {
            Self::Core { dialect_index } => *dialect_index,
            Self::LanMan(response) => response.dialect_index,
            Self::NtLm(response) => response.dialect_index,
        }
    }

    /// The server's nonce for bare responses; `None` with extended security, or without a nonce.
    #[must_use]
    pub fn server_challenge(&self) -> Option<[u8; 8]> {
        match self {
            Self::LanMan(NegotiateLanMan { challenge, .. })
            | Self::NtLm(NegotiateNtLm {
                security: ServerSecurity::Challenge { challenge, .. },
                ..
            }) => challenge.bytes().try_into().ok(),
            Self::Core { .. } | Self::NtLm(_) => None,
        }
    }
}

fn lan_man<'a>(block: &Block<'a>) -> Result<NegotiateLanMan<'a>, DecodeError> {
    let mut r = block.reader(13)?;
    let dialect_index = r.u16("DialectIndex")?;
    let security_mode = SecurityMode::from_bits_retain(r.u16("SecurityMode")?);
    let max_buffer_size = r.u16("MaxBufferSize")?;
    r.array::<6>("MaxMpxCount")?; // and MaxNumberVcs, RawMode
    let session_key = r.u32("SessionKey")?;
    r.array::<6>("ServerTime")?; // and ServerDate, ServerTimeZone
    let challenge_len = usize::from(r.u16("ChallengeLength")?);
    let challenge = block.bytes.slice(0, challenge_len, "Challenge")?;
    let primary_domain = Texts::new(block.bytes, challenge_len, false).next();
    Ok(NegotiateLanMan {
        dialect_index,
        security_mode,
        max_buffer_size,
        session_key,
        challenge,
        primary_domain,
    })
}

fn nt_lm<'a>(block: &Block<'a>, unicode: bool) -> Result<NegotiateNtLm<'a>, DecodeError> {
    let mut r = block.reader(17)?;
    let dialect_index = r.u16("DialectIndex")?;
    let security_mode = SecurityMode::from_bits_retain(u16::from(r.u8("SecurityMode")?));
    let max_mpx_count = r.u16("MaxMpxCount")?;
    let max_number_vcs = r.u16("MaxNumberVcs")?;
    let max_buffer_size = r.u32("MaxBufferSize")?;
    let max_raw_size = r.u32("MaxRawSize")?;
    let session_key = r.u32("SessionKey")?;
    let capabilities = Capabilities::from_bits_retain(r.u32("Capabilities")?);
    let system_time = FileTime::from_le_bytes(r.array("SystemTime")?);
    let server_time_zone = i16::from_le_bytes(r.array("ServerTimeZone")?);
    let challenge_len = usize::from(r.u8("ChallengeLength")?);
    let bytes = block.bytes;
    let security = if capabilities.contains(Capabilities::EXTENDED_SECURITY) {
        let guid = bytes.bytes().split_first_chunk();
        let (server_guid, blob) = guid.ok_or(DecodeError::new(
            DecodeErrorKind::Truncated,
            "ServerGUID",
            bytes.span().offset,
        ))?;
        let security_blob = Part::at(blob, bytes.span().offset + 16);
        ServerSecurity::Extended { server_guid: *server_guid, security_blob }
    } else {
        let challenge = bytes.slice(0, challenge_len, "Challenge")?;
        // Not aligned here, whatever its charset.
        let mut texts = Texts::new(bytes, challenge_len, unicode);
        let domain_name = texts.next_unaligned();
        ServerSecurity::Challenge { challenge, domain_name, server_name: texts.next_unaligned() }
    };
    Ok(NegotiateNtLm {
        dialect_index,
        security_mode,
        max_mpx_count,
        max_number_vcs,
        max_buffer_size,
        max_raw_size,
        session_key,
        capabilities,
        system_time,
        server_time_zone,
        security,
    })
}
