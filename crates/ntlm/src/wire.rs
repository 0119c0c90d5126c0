//! Bytes of messages: where each field stands, and what is wrong where.

use alloc::vec::Vec;
use core::fmt;

/// These bytes are no such message or structure: what is wrong, with which field, at which offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// The field as the specification spells it.
    pub field: &'static str,
    /// Where it stands, in bytes from the start of the message or structure.
    pub offset: usize,
}

impl DecodeError {
    /// The same error seen from the structure that holds this one, which begins at `base` there.
    #[must_use]
    pub fn within(self, base: u32) -> Self {
        let base = usize::try_from(base).unwrap_or(usize::MAX);
        Self { offset: self.offset.saturating_add(base), ..self }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} at offset {}", self.kind, self.field, self.offset)
    }
}

impl core::error::Error for DecodeError {}

/// The ways in which bytes fail to be what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The bytes end before the field does.
    Truncated,
    /// The message does not begin with `NTLMSSP\0`.
    WrongSignature,
    /// The message type is another one.
    WrongMessageType,
    /// A descriptor points outside the message (MS-NLMP 2.2).
    PayloadOutOfBounds,
    /// The length is not one that this field can have.
    WrongLength,
    /// UTF-16 text of an odd number of bytes.
    OddLength,
    /// A field that must hold one fixed value holds another.
    WrongValue,
    /// An `AV_PAIR` list without `MsvAvEOL` (MS-NLMP 2.2.2.1).
    MissingEol,
    /// The same AvId twice in one list.
    Duplicate,
    /// Neither `NEGOTIATE_UNICODE` nor `NEGOTIATE_OEM` is set (MS-NLMP 2.2.2.5).
    NoCharset,
    /// A MIC is announced, but the payload begins before the MIC would end.
    NoRoomForMic,
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated",
            Self::WrongSignature => "not an NTLMSSP message",
            Self::WrongMessageType => "another message type",
            Self::PayloadOutOfBounds => "payload out of bounds",
            Self::WrongLength => "impossible length",
            Self::OddLength => "odd length of UTF-16 text",
            Self::WrongValue => "unexpected value",
            Self::MissingEol => "AV_PAIR list without MsvAvEOL",
            Self::Duplicate => "AvId present twice",
            Self::NoCharset => "neither Unicode nor OEM negotiated",
            Self::NoRoomForMic => "no room for the announced MIC",
        })
    }
}

/// A range of bytes in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First byte, counted from the start of the message.
    pub offset: usize,
    /// Number of bytes.
    pub length: usize,
}

/// One field of a message, with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// The field as the specification spells it.
    pub name: &'static str,
    /// What stands there.
    pub kind: FieldKind,
    /// Where it stands.
    pub span: Span,
}

/// What stands in the bytes of a [`Field`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A value in the header.
    Fixed,
    /// Len, MaxLen and BufferOffset of a payload item.
    Descriptor,
    /// A payload item.
    Payload,
}

/// Every field of one message, in the order of the header. At most [`Fields::CAPACITY`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    fields: [Option<Field>; Self::CAPACITY],
    count: usize,
}

impl Fields {
    /// The AUTHENTICATE_MESSAGE, which has most, needs 18.
    pub const CAPACITY: usize = 20;

    const EMPTY: Self = Self { fields: [None; Self::CAPACITY], count: 0 };

    /// The fields in the order of the header.
    pub fn iter(&self) -> impl Iterator<Item = Field> + '_ {
        self.fields.iter().flatten().copied()
    }

    /// Where the value or payload `name` stands; not its descriptor.
    #[must_use]
    pub fn span(&self, name: &str) -> Option<Span> {
        self.iter()
            .find(|field| field.name == name && field.kind != FieldKind::Descriptor)
            .map(|field| field.span)
    }

    fn push(&mut self, name: &'static str, kind: FieldKind, offset: usize, length: usize) {
        if let Some(slot) = self.fields.get_mut(self.count) {
            *slot = Some(Field { name, kind, span: Span { offset, length } });
            self.count += 1;
        }
    }
}

/// An item of the payload: its bytes and, if it was received, the descriptor that led to them.
///
/// Two are equal when their bytes are.
#[derive(Clone, Copy, Debug, Default)]
pub struct Payload<'a> {
    bytes: &'a [u8],
    received: Option<Descriptor>,
}

impl<'a> Payload<'a> {
    /// An item to be sent; `encode` finds its place.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, received: None }
    }

    /// The bytes of the item, at most 65535.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Len, MaxLen and BufferOffset as received. `None` in a message that was not decoded.
    #[must_use]
    pub const fn descriptor(&self) -> Option<Descriptor> {
        self.received
    }

    /// Whether the item is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl PartialEq for Payload<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Payload<'_> {}

impl<'a> From<&'a [u8]> for Payload<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::new(bytes)
    }
}

/// Len, MaxLen and BufferOffset of a payload item as they stood in the header (MS-NLMP 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Length of the item in bytes.
    pub len: u16,
    /// Should equal `len`; receivers ignore it.
    pub max_len: u16,
    /// Where the item begins, from the start of the message.
    pub buffer_offset: u32,
}

/// Reads a header in wire order and remembers where everything stood.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    /// Where the payload begins: the least offset of an item that is not empty, else the end.
    header_end: usize,
    fields: Fields,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0, header_end: bytes.len(), fields: Fields::EMPTY }
    }

    pub(crate) fn into_fields(self) -> Fields {
        self.fields
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let offset = self.position;
        let array = self.bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>()).copied();
        let array = array.ok_or(DecodeError { kind: DecodeErrorKind::Truncated, field, offset })?;
        self.position += N;
        self.fields.push(field, FieldKind::Fixed, offset, N);
        Ok(array)
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_le_bytes)
    }

    /// Bytes that senders of old leave out: present if they end before the payload begins.
    pub(crate) fn optional_array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Option<[u8; N]> {
        if self.has_room(N) { self.array(field).ok() } else { None }
    }

    pub(crate) fn optional_u32(&mut self, field: &'static str) -> Option<u32> {
        self.optional_array(field).map(u32::from_le_bytes)
    }

    pub(crate) fn payload(&mut self, field: &'static str) -> Result<Payload<'a>, DecodeError> {
        let (descriptor, at) = self.descriptor(field)?;
        self.resolve(field, descriptor, at, true)
    }

    /// A payload that counts only where a flag is set; without it, it may point anywhere.
    pub(crate) fn optional_payload(
        &mut self,
        field: &'static str,
        in_force: bool,
    ) -> Result<Option<Payload<'a>>, DecodeError> {
        if !self.has_room(8) {
            return Ok(None);
        }
        let (descriptor, at) = self.descriptor(field)?;
        self.resolve(field, descriptor, at, in_force).map(Some)
    }

    /// A descriptor whose flag comes later in the header; `resolve` follows it.
    pub(crate) fn optional_descriptor(
        &mut self,
        field: &'static str,
    ) -> Result<Option<(Descriptor, usize)>, DecodeError> {
        if self.has_room(8) { self.descriptor(field).map(Some) } else { Ok(None) }
    }

    pub(crate) fn resolve(
        &mut self,
        field: &'static str,
        descriptor: Descriptor,
        descriptor_offset: usize,
        in_force: bool,
    ) -> Result<Payload<'a>, DecodeError> {
        let received = Some(descriptor);
        if descriptor.len == 0 {
            return Ok(Payload { bytes: &[], received });
        }
        let len = usize::from(descriptor.len);
        let item = usize::try_from(descriptor.buffer_offset)
            .ok()
            .and_then(|offset| Some((offset, self.bytes.get(offset..)?.get(..len)?)));
        match item {
            Some((offset, bytes)) => {
                self.fields.push(field, FieldKind::Payload, offset, len);
                if in_force {
                    self.header_end = self.header_end.min(offset);
                }
                Ok(Payload { bytes, received })
            }
            None if in_force => Err(DecodeError {
                kind: DecodeErrorKind::PayloadOutOfBounds,
                field,
                offset: descriptor_offset,
            }),
            None => Ok(Payload { bytes: &[], received }),
        }
    }

    fn descriptor(&mut self, field: &'static str) -> Result<(Descriptor, usize), DecodeError> {
        let offset = self.position;
        let rest = self.bytes.get(offset..).and_then(|rest| rest.first_chunk::<8>());
        let [l0, l1, m0, m1, o0, o1, o2, o3] =
            *rest.ok_or(DecodeError { kind: DecodeErrorKind::Truncated, field, offset })?;
        self.position += 8;
        self.fields.push(field, FieldKind::Descriptor, offset, 8);
        let descriptor = Descriptor {
            len: u16::from_le_bytes([l0, l1]),
            max_len: u16::from_le_bytes([m0, m1]),
            buffer_offset: u32::from_le_bytes([o0, o1, o2, o3]),
        };
        Ok((descriptor, offset))
    }

    fn has_room(&self, length: usize) -> bool {
        self.header_end.checked_sub(self.position).is_some_and(|room| room >= length)
    }
}

/// Writes a header in wire order; payload items follow it by rank.
#[derive(Debug)]
pub struct Writer<'a> {
    header: Vec<u8>,
    items: Vec<Item<'a>>,
}

#[derive(Debug)]
struct Item<'a> {
    descriptor_at: usize,
    rank: u8,
    payload: Payload<'a>,
}

impl<'a> Writer<'a> {
    pub(crate) fn new() -> Self {
        Self { header: Vec::with_capacity(88), items: Vec::with_capacity(6) }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.header.extend_from_slice(bytes);
    }

    pub(crate) fn optional_bytes<const N: usize>(&mut self, bytes: Option<&[u8; N]>) {
        self.bytes(bytes.map_or(&[], |bytes| bytes.as_slice()));
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    /// Items without a place of their own follow the header in the order of their ranks.
    pub(crate) fn payload(&mut self, rank: u8, payload: Payload<'a>) {
        self.items.push(Item { descriptor_at: self.header.len(), rank, payload });
        self.bytes(&[0; 8]);
    }

    pub(crate) fn optional_payload(&mut self, rank: u8, payload: Option<Payload<'a>>) {
        if let Some(payload) = payload {
            self.payload(rank, payload);
        }
    }

    /// # Errors
    ///
    /// An item longer than 65535 bytes, or a message longer than 4 GiB.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, TooLong> {
        let mut message = self.header;
        for item in &self.items {
            if let Some(received) = item.payload.received {
                let offset = usize::try_from(received.buffer_offset).map_err(|_| TooLong)?;
                if item.payload.is_empty() {
                    continue;
                }
                let end = offset.checked_add(item.payload.bytes.len()).ok_or(TooLong)?;
                if message.len() < end {
                    message.resize(end, 0);
                }
                if let Some(place) = message.get_mut(offset..end) {
                    place.copy_from_slice(item.payload.bytes);
                }
            }
        }
        self.items.sort_by_key(|item| item.rank);
        for item in &self.items {
            let descriptor = match item.payload.received {
                Some(received) => received,
                None => {
                    let len = u16::try_from(item.payload.bytes.len()).map_err(|_| TooLong)?;
                    let buffer_offset = u32::try_from(message.len()).map_err(|_| TooLong)?;
                    message.extend_from_slice(item.payload.bytes);
                    Descriptor { len, max_len: len, buffer_offset }
                }
            };
            let at = item.descriptor_at..item.descriptor_at + 8;
            if let Some(place) = message.get_mut(at) {
                let (lens, offset) = place.split_at_mut(4);
                let (len, max_len) = lens.split_at_mut(2);
                len.copy_from_slice(&descriptor.len.to_le_bytes());
                max_len.copy_from_slice(&descriptor.max_len.to_le_bytes());
                offset.copy_from_slice(&descriptor.buffer_offset.to_le_bytes());
            }
        }
        Ok(message)
    }
}

/// A payload item is longer than the 65535 bytes that its length field can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("payload item longer than 65535 bytes")
    }
}

impl core::error::Error for TooLong {}

/// `N` bytes of `bytes` from `offset`, for structures whose fields stand at fixed places.
pub(crate) fn array_at<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk::<N>().copied()
}
