//! Words and bytes of SMB1 messages, and the chains that AndX makes of them (MS-CIFS 2.2.3.2 to
//! 2.2.3.4).

use super::header::{Command, Header};
use crate::error::{DecodeError, DecodeErrorKind, TooLong};
use crate::wire::{Part, Reader, Writer, length};
use alloc::vec::Vec;

/// One command of a message: parameters and data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// The command: the header's, or what AndXCommand says.
    pub command: Command,
    /// Words: twice WordCount bytes.
    pub words: Part<'a>,
    /// Bytes: ByteCount bytes.
    pub bytes: Part<'a>,
}

impl<'a> Block<'a> {
    /// The first command of a message.
    ///
    /// # Errors
    ///
    /// It is no SMB1 message, or a damaged one.
    pub fn first(message: &'a [u8]) -> Result<Self, DecodeError> {
        let header = Header::decode(message)?;
        Self::read(message, header.command, Header::LENGTH)
    }

    fn read(message: &'a [u8], command: Command, start: usize) -> Result<Self, DecodeError> {
        let mut r = Reader::new(message, start);
        let word_count = usize::from(r.u8("WordCount")?);
        let words = r.take(word_count * 2, "Words")?;
        let byte_count = usize::from(r.u16("ByteCount")?);
        let bytes = r.take(byte_count, "Bytes")?;
        Ok(Self { command, words, bytes })
    }

    /// WordCount, which tells the forms of a command apart.
    #[must_use]
    pub const fn word_count(&self) -> usize {
        self.words.bytes().len() / 2
    }

    /// WordCount, Words, ByteCount and Bytes of a command.
    ///
    /// # Errors
    ///
    /// Too many words or bytes.
    pub fn encode(words: &[u8], bytes: &[u8]) -> Result<Vec<u8>, TooLong> {
        let word_count: u8 = length(words.len() / 2, "WordCount")?;
        let byte_count: u16 = length(bytes.len(), "ByteCount")?;
        Ok([&[word_count], words, &byte_count.to_le_bytes(), bytes].concat())
    }

    /// A reader of words that are followed by as many setup words as they say.
    pub(super) fn reader_of_at_least(
        &self,
        word_count: usize,
    ) -> Result<BlockReader<'a>, DecodeError> {
        if self.word_count() < word_count {
            return Err(self.wrong_word_count());
        }
        self.reader(self.word_count())
    }

    /// The rest of this command comes in further messages, which is not supported.
    pub(super) const fn in_several_messages(&self, field: &'static str) -> DecodeError {
        DecodeError::new(DecodeErrorKind::WrongValue, field, self.words.span().offset)
    }

    /// The block, if it is of this command.
    pub(super) fn expect(self, command: Command) -> Result<Self, DecodeError> {
        if self.command == command {
            Ok(self)
        } else {
            Err(DecodeError::new(DecodeErrorKind::WrongCommand, "Command", 4))
        }
    }

    /// A reader of the words.
    pub(super) fn reader(&self, word_count: usize) -> Result<BlockReader<'a>, DecodeError> {
        if self.word_count() == word_count {
            Ok(BlockReader {
                r: Reader::new(self.words.bytes(), 0),
                base: self.words.span().offset,
            })
        } else {
            Err(self.wrong_word_count())
        }
    }

    pub(super) const fn wrong_word_count(&self) -> DecodeError {
        let offset = self.words.span().offset.saturating_sub(1);
        DecodeError::new(DecodeErrorKind::WrongWordCount, "WordCount", offset)
    }
}

/// Reads words; errors count from the header of the message.
pub(super) struct BlockReader<'a> {
    r: Reader<'a>,
    base: usize,
}

impl<'a> BlockReader<'a> {
    pub(super) fn take(
        &mut self,
        length: usize,
        field: &'static str,
    ) -> Result<Part<'a>, DecodeError> {
        let part = self.r.take(length, field).map_err(|error| error.within(self.base))?;
        Ok(Part::at(part.bytes(), self.base + part.span().offset))
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        self.r.array(field).map_err(|error| error.within(self.base))
    }

    pub(super) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        self.array(field).map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        self.array(field).map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        self.array(field).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        self.array(field).map(u64::from_le_bytes)
    }
}

/// The part of a message that an offset from its header points to. An empty one may point anywhere.
pub(super) fn part<'a>(
    message: &'a [u8],
    block: &Block<'a>,
    offset: usize,
    length: usize,
    field: &'static str,
) -> Result<Part<'a>, DecodeError> {
    Reader::new(message, 0).part(offset, length, field, block.words.span().offset)
}

/// A message of one command.
pub(super) fn encode(header: &Header, words: &[u8], bytes: &[u8]) -> Result<Vec<u8>, TooLong> {
    Ok([header.encode().as_slice(), &Block::encode(words, bytes)?].concat())
}

/// The words of a command that no other follows, behind AndXCommand, AndXReserved and AndXOffset.
pub(super) fn without_andx() -> Writer {
    Writer::new(&[Command::NO_ANDX_COMMAND.0, 0, 0, 0])
}

/// Writes the bytes of a block, which know how far they are from the header.
pub(super) struct BytesWriter {
    bytes: Vec<u8>,
    start: usize,
    unicode: bool,
}

impl BytesWriter {
    pub(super) const fn new(words: &[u8], unicode: bool) -> Self {
        Self::after_words(words.len(), unicode)
    }

    /// Behind so many bytes of words, with WordCount and ByteCount.
    pub(super) const fn after_words(words_len: usize, unicode: bool) -> Self {
        Self { bytes: Vec::new(), start: Header::LENGTH + 1 + words_len + 2, unicode }
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Text and its terminator. UTF-16 is aligned to the header of the message.
    pub(super) fn text(&mut self, text: Part<'_>) {
        if self.unicode {
            self.pad(2);
        }
        self.text_unaligned(text);
    }

    pub(super) fn text_unaligned(&mut self, text: Part<'_>) {
        self.bytes(text.bytes());
        self.bytes(if self.unicode { &[0, 0] } else { &[0] });
    }

    /// OEM text and its terminator.
    pub(super) fn oem(&mut self, text: Part<'_>) {
        self.bytes(text.bytes());
        self.bytes(&[0]);
    }

    /// Bytes at a multiple of `alignment` from the header; where they begin.
    pub(super) fn aligned(&mut self, alignment: usize, bytes: &[u8]) -> usize {
        self.pad(alignment);
        let offset = self.start + self.bytes.len();
        self.bytes(bytes);
        offset
    }

    fn pad(&mut self, alignment: usize) {
        let end = self.start + self.bytes.len();
        self.bytes.resize(end.next_multiple_of(alignment) - self.start, 0);
    }

    pub(super) fn finish(&self) -> &[u8] {
        &self.bytes
    }
}

/// The commands of a message, one or a chain of them. Each stands behind the one before.
#[derive(Clone, Debug)]
pub struct Blocks<'a> {
    message: &'a [u8],
    next: Option<(Command, usize)>,
}

impl<'a> Blocks<'a> {
    /// The commands of `message`.
    ///
    /// # Errors
    ///
    /// It is no SMB1 message.
    pub fn new(message: &'a [u8]) -> Result<Self, DecodeError> {
        let header = Header::decode(message)?;
        Ok(Self { message, next: Some((header.command, Header::LENGTH)) })
    }

    fn block(&mut self, command: Command, start: usize) -> Result<Block<'a>, DecodeError> {
        let block = Block::read(self.message, command, start)?;
        // A refusal has no words, and ends the chain.
        let andx = block.words.bytes().first_chunk::<4>().filter(|_| command.is_andx());
        if let Some([next, _, low, high]) = andx
            && Command(*next) != Command::NO_ANDX_COMMAND
        {
            let offset = usize::from(u16::from_le_bytes([*low, *high]));
            let words = block.words.span();
            if offset < words.offset + words.length {
                let kind = DecodeErrorKind::NotForward;
                return Err(DecodeError::new(kind, "AndXOffset", words.offset + 2));
            }
            self.next = Some((Command(*next), offset));
        }
        Ok(block)
    }
}

impl<'a> Iterator for Blocks<'a> {
    type Item = Result<Block<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let (command, start) = self.next.take()?;
        Some(self.block(command, start))
    }
}

impl core::iter::FusedIterator for Blocks<'_> {}

/// Text in the bytes of a block, one after the other.
pub(super) struct Texts<'a> {
    bytes: Part<'a>,
    position: usize,
    unicode: bool,
}

impl<'a> Texts<'a> {
    /// From `position` in the bytes on.
    pub(super) const fn new(bytes: Part<'a>, position: usize, unicode: bool) -> Self {
        Self { bytes, position, unicode }
    }

    /// The next text without its terminator, which the last one may lack. UTF-16 is aligned to the
    /// header of the message.
    pub(super) fn next(&mut self) -> Part<'a> {
        let base = self.bytes.span().offset;
        if self.unicode && !(base + self.position).is_multiple_of(2) {
            self.position += 1;
        }
        self.next_unaligned()
    }

    /// The next text, which is OEM whatever the others are.
    pub(super) fn next_oem(&mut self) -> Part<'a> {
        let unicode = core::mem::replace(&mut self.unicode, false);
        let text = self.next_unaligned();
        self.unicode = unicode;
        text
    }

    /// The same without alignment, as in NEGOTIATE.
    pub(super) fn next_unaligned(&mut self) -> Part<'a> {
        let start = self.position.min(self.bytes.bytes().len());
        let rest = self.bytes.bytes().get(start..).unwrap_or_default();
        let (length, terminator) = if self.unicode {
            let units = rest.as_chunks::<2>().0;
            let zero = units.iter().position(|unit| *unit == [0, 0]);
            (zero.map_or(units.len() * 2, |units| units * 2), 2)
        } else {
            (rest.iter().position(|byte| *byte == 0).unwrap_or(rest.len()), 1)
        };
        self.position = start.saturating_add(length).saturating_add(terminator);
        Part::at(rest.get(..length).unwrap_or_default(), self.bytes.span().offset + start)
    }
}
