//! AV_PAIR lists (MS-NLMP 2.2.2.1) and Single_Host_Data (2.2.2.2).

use crate::text::Utf16String;
use crate::time::FileTime;
use crate::wire::{DecodeError, DecodeErrorKind, TooLong, array_at};
use alloc::vec::Vec;
use core::fmt;

/// An encoded list of `AV_PAIR`s, as it stands in CHALLENGE and inside an NTLMv2 response
/// (MS-NLMP 2.2.2.1). Bytes behind `MsvAvEOL` are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TargetInfo<'a> {
    bytes: &'a [u8],
}

impl<'a> TargetInfo<'a> {
    /// Takes the bytes as they are; [`TargetInfo::defects`] says what is wrong with them.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The bytes as received, with what follows `MsvAvEOL`.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The pairs up to `MsvAvEOL`, which comes last, or up to the first damage.
    #[must_use]
    pub const fn pairs(&self) -> AvPairs<'a> {
        AvPairs { bytes: self.bytes, position: 0, ended: false }
    }

    /// The value of the first pair of that id.
    #[must_use]
    pub fn get(&self, id: AvId) -> Option<&'a [u8]> {
        self.intact().find(|pair| pair.id == id).map(|pair| pair.value)
    }

    /// The text of the first pair of that id.
    #[must_use]
    pub fn text(&self, id: AvId) -> Option<Utf16String> {
        self.get(id).and_then(|value| Utf16String::from_le_bytes(value).ok())
    }

    /// MsvAvFlags; of several, which a careful peer refuses, all bits together.
    #[must_use]
    pub fn flags(&self) -> Option<AvFlags> {
        self.intact()
            .filter(|pair| pair.id == AvId::FLAGS)
            .filter_map(|pair| array_at(pair.value, 0).map(u32::from_le_bytes))
            .reduce(|all, bits| all | bits)
            .map(AvFlags)
    }

    /// MsvAvTimestamp.
    #[must_use]
    pub fn timestamp(&self) -> Option<FileTime> {
        self.get(AvId::TIMESTAMP).and_then(|value| array_at(value, 0)).map(FileTime::from_le_bytes)
    }

    /// MsvAvChannelBindings, the MD5 of the bindings; all zero says that there are none.
    #[must_use]
    pub fn channel_bindings(&self) -> Option<[u8; 16]> {
        self.get(AvId::CHANNEL_BINDINGS).and_then(|value| array_at(value, 0))
    }

    /// The list without what follows `MsvAvEOL`.
    #[must_use]
    pub fn without_trailing_bytes(&self) -> Self {
        let end = self.intact().last().map_or(0, |pair| pair.offset + 4 + pair.value.len());
        Self { bytes: self.bytes.get(..end).unwrap_or(self.bytes) }
    }

    /// What breaks MS-NLMP 2.2.2.1: damage, wrong lengths, a missing end, or an id present twice.
    /// Offsets count from the list.
    pub fn defects(&self) -> impl Iterator<Item = DecodeError> + 'a {
        let list = *self;
        let mut seen = 0_u16;
        self.pairs()
            .filter_map(move |pair| match pair {
                Err(error) => Some(error),
                Ok(pair) => pair.defect().or_else(|| {
                    let bit = 1_u16.checked_shl(u32::from(pair.id.0)).unwrap_or(0);
                    let twice = (1..=10).contains(&pair.id.0) && seen & bit != 0;
                    seen |= bit;
                    let (kind, field) = (DecodeErrorKind::Duplicate, pair.id.field());
                    twice.then_some(DecodeError { kind, field, offset: pair.offset })
                }),
            })
            .chain(core::iter::once_with(move || list.missing_end()).flatten())
    }

    fn missing_end(&self) -> Option<DecodeError> {
        let ends = self.pairs().any(|pair| !matches!(pair, Ok(pair) if pair.id != AvId::EOL));
        let (kind, field) = (DecodeErrorKind::MissingEol, "MsvAvEOL");
        (!ends).then_some(DecodeError { kind, field, offset: self.bytes.len() })
    }

    fn intact(&self) -> impl Iterator<Item = AvPair<'a>> {
        self.pairs().map_while(Result::ok)
    }
}

/// One `AV_PAIR` (MS-NLMP 2.2.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvPair<'a> {
    /// Which attribute it is; unknown ids are kept.
    pub id: AvId,
    /// The value, at most 65535 bytes.
    pub value: &'a [u8],
    /// Where its AvId stands, from the start of the list.
    pub offset: usize,
}

impl AvPair<'_> {
    fn defect(&self) -> Option<DecodeError> {
        let length = self.value.len();
        let right = match self.id {
            AvId::EOL => length == 0,
            AvId::FLAGS => length == 4,
            AvId::TIMESTAMP => length == 8,
            AvId::SINGLE_HOST => length >= SingleHostData::MIN_LENGTH,
            AvId::CHANNEL_BINDINGS => length == 16,
            id if id.is_text() => length.is_multiple_of(2),
            _ => true,
        };
        let kind = if self.id.is_text() {
            DecodeErrorKind::OddLength
        } else {
            DecodeErrorKind::WrongLength
        };
        (!right).then_some(DecodeError { kind, field: self.id.field(), offset: self.offset })
    }
}

/// Iterator over a list. It ends after `MsvAvEOL` or after the first error.
#[derive(Clone, Debug)]
pub struct AvPairs<'a> {
    bytes: &'a [u8],
    position: usize,
    ended: bool,
}

impl<'a> Iterator for AvPairs<'a> {
    type Item = Result<AvPair<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended || self.position >= self.bytes.len() {
            return None;
        }
        let offset = self.position;
        let truncated =
            |field| Some(Err(DecodeError { kind: DecodeErrorKind::Truncated, field, offset }));
        let Some([i0, i1, l0, l1]) = array_at(self.bytes, offset) else {
            self.ended = true;
            return truncated("AvId");
        };
        let id = AvId(u16::from_le_bytes([i0, i1]));
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        let Some(value) = self.bytes.get(offset + 4..).and_then(|rest| rest.get(..length)) else {
            self.ended = true;
            return truncated(id.field());
        };
        self.position = offset + 4 + length;
        self.ended = id == AvId::EOL;
        Some(Ok(AvPair { id, value, offset }))
    }
}

/// AvId: which attribute an `AV_PAIR` holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AvId(pub u16);

impl AvId {
    /// MsvAvEOL: the end of the list.
    pub const EOL: Self = Self(0);
    /// MsvAvNbComputerName: the server's NetBIOS name.
    pub const NB_COMPUTER_NAME: Self = Self(1);
    /// MsvAvNbDomainName: the server's NetBIOS domain.
    pub const NB_DOMAIN_NAME: Self = Self(2);
    /// MsvAvDnsComputerName: the server's DNS name.
    pub const DNS_COMPUTER_NAME: Self = Self(3);
    /// MsvAvDnsDomainName: the DNS name of its domain.
    pub const DNS_DOMAIN_NAME: Self = Self(4);
    /// MsvAvDnsTreeName: the DNS name of its forest.
    pub const DNS_TREE_NAME: Self = Self(5);
    /// MsvAvFlags: see [`AvFlags`].
    pub const FLAGS: Self = Self(6);
    /// MsvAvTimestamp: the server's clock.
    pub const TIMESTAMP: Self = Self(7);
    /// MsvAvSingleHost: see [`SingleHostData`].
    pub const SINGLE_HOST: Self = Self(8);
    /// MsvAvTargetName: the SPN that the client means to speak to.
    pub const TARGET_NAME: Self = Self(9);
    /// MsvAvChannelBindings: MD5 of the channel bindings.
    pub const CHANNEL_BINDINGS: Self = Self(10);

    /// The name as the specification spells it; `None` for an unknown id.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::EOL => "MsvAvEOL",
            Self::NB_COMPUTER_NAME => "MsvAvNbComputerName",
            Self::NB_DOMAIN_NAME => "MsvAvNbDomainName",
            Self::DNS_COMPUTER_NAME => "MsvAvDnsComputerName",
            Self::DNS_DOMAIN_NAME => "MsvAvDnsDomainName",
            Self::DNS_TREE_NAME => "MsvAvDnsTreeName",
            Self::FLAGS => "MsvAvFlags",
            Self::TIMESTAMP => "MsvAvTimestamp",
            Self::SINGLE_HOST => "MsvAvSingleHost",
            Self::TARGET_NAME => "MsvAvTargetName",
            Self::CHANNEL_BINDINGS => "MsvAvChannelBindings",
            _ => return None,
        })
    }

    /// Whether the value is UTF-16LE text.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self.0, 1..=5 | 9)
    }

    fn field(self) -> &'static str {
        self.name().unwrap_or("AV_PAIR of unknown AvId")
    }
}

impl fmt::Display for AvId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "AvId {}", self.0),
        }
    }
}

/// The bits of MsvAvFlags (MS-NLMP 2.2.2.1). Other bits are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AvFlags(pub u32);

impl AvFlags {
    /// The server's account is constrained.
    pub const CONSTRAINED: Self = Self(0x1);
    /// AUTHENTICATE holds a MIC.
    pub const MIC_PRESENT: Self = Self(0x2);
    /// MsvAvTargetName comes from an untrusted source.
    pub const UNTRUSTED_TARGET_NAME: Self = Self(0x4);

    /// Both sets of bits.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a MIC is announced.
    #[must_use]
    pub const fn mic_present(self) -> bool {
        self.0 & Self::MIC_PRESENT.0 != 0
    }

    /// Whether the target name is said to come from an untrusted source.
    #[must_use]
    pub const fn untrusted_target_name(self) -> bool {
        self.0 & Self::UNTRUSTED_TARGET_NAME.0 != 0
    }
}

/// `Single_Host_Data` (MS-NLMP 2.2.2.2): meant for the machine that made it only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SingleHostData {
    /// In practice [`TokenIntegrity`].
    pub custom_data: [u8; 8],
    /// Random, the same until the machine restarts.
    pub machine_id: [u8; 32],
}

impl SingleHostData {
    /// Longer values are legal; what follows is ignored.
    pub const MIN_LENGTH: usize = 48;

    /// `None` if there are fewer than [`Self::MIN_LENGTH`] bytes.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Some(Self { custom_data: array_at(bytes, 8)?, machine_id: array_at(bytes, 16)? })
    }

    /// The 48 bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> [u8; Self::MIN_LENGTH] {
        let mut bytes = [0; Self::MIN_LENGTH];
        let size = 48_u32.to_le_bytes();
        let parts = size.iter().chain(&[0; 4]).chain(&self.custom_data).chain(&self.machine_id);
        bytes.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// The custom data as Windows fills it.
    #[must_use]
    pub const fn token_integrity(&self) -> TokenIntegrity {
        let [f0, f1, f2, f3, l0, l1, l2, l3] = self.custom_data;
        TokenIntegrity {
            flags: u32::from_le_bytes([f0, f1, f2, f3]),
            level: u32::from_le_bytes([l0, l1, l2, l3]),
        }
    }
}

/// `LSAP_TOKEN_INFO_INTEGRITY`: the rights of the process that logged on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenIntegrity {
    /// 0 full token, 1 restricted by UAC.
    pub flags: u32,
    /// 0x1000 low, 0x2000 medium, 0x3000 high, 0x4000 system.
    pub level: u32,
}

/// Writes an `AV_PAIR` list; `MsvAvEOL` is added at the end.
#[derive(Clone, Debug, Default)]
pub struct TargetInfoBuilder {
    bytes: Vec<u8>,
    overflow: bool,
}

impl TargetInfoBuilder {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a pair.
    #[must_use]
    pub fn pair(mut self, id: AvId, value: &[u8]) -> Self {
        match u16::try_from(value.len()) {
            Ok(length) => {
                self.bytes.extend_from_slice(&id.0.to_le_bytes());
                self.bytes.extend_from_slice(&length.to_le_bytes());
                self.bytes.extend_from_slice(value);
            }
            Err(_) => self.overflow = true,
        }
        self
    }

    /// Appends a text as UTF-16LE.
    #[must_use]
    pub fn text(self, id: AvId, value: &Utf16String) -> Self {
        self.pair(id, &value.to_le_bytes())
    }

    /// Appends a text unless it is empty.
    #[must_use]
    pub fn text_if_any(self, id: AvId, value: &Utf16String) -> Self {
        if value.is_empty() { self } else { self.text(id, value) }
    }

    /// The encoded list with `MsvAvEOL`.
    ///
    /// # Errors
    ///
    /// [`TooLong`] where a value, or the list, is longer than 65535 bytes.
    pub fn finish(self) -> Result<Vec<u8>, TooLong> {
        let list = self.pair(AvId::EOL, &[]);
        let fits = !list.overflow && u16::try_from(list.bytes.len()).is_ok();
        if fits { Ok(list.bytes) } else { Err(TooLong) }
    }
}
