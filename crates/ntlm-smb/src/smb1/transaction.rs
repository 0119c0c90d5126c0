//! SMB_COM_TRANSACTION (MS-CIFS 2.2.4.33), whole in one message: it carries RPC over pipes.

use super::block::{Block, BytesWriter, Texts, encode, part};
use super::header::{Command, Header};
use crate::error::{DecodeError, TooLong};
use crate::wire::{Part, Writer, length};
use alloc::vec::Vec;

/// SMB_COM_TRANSACTION Request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionRequest<'a> {
    /// MaxParameterCount of the response, in bytes.
    pub max_parameter_count: u16,
    /// MaxDataCount of the response, in bytes.
    pub max_data_count: u16,
    /// MaxSetupCount of the response, in words.
    pub max_setup_count: u8,
    /// Flags.
    pub flags: u16,
    /// Timeout, in milliseconds.
    pub timeout: u32,
    /// Setup words; the first names the subcommand.
    pub setup: Part<'a>,
    /// Name: `\PIPE\`.
    pub name: Part<'a>,
    /// Trans_Parameters.
    pub parameters: Part<'a>,
    /// Trans_Data.
    pub data: Part<'a>,
    /// Whether the name is UTF-16LE; else it is OEM.
    pub unicode: bool,
}

impl<'a> TransactionRequest<'a> {
    /// TRANS_TRANSACT_NMPIPE: writes to a pipe and reads the answer. The second word of Setup is the
    /// FID.
    pub const TRANSACT_NMPIPE: u16 = 0x0026;

    /// Reads the first command of a message. A transaction in several messages is refused.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::TRANSACTION)?;
        let unicode = Header::decode(message)?.is_unicode();
        let mut r = block.reader_of_at_least(14)?;
        let total_parameter_count = r.u16("TotalParameterCount")?;
        let total_data_count = r.u16("TotalDataCount")?;
        let max_parameter_count = r.u16("MaxParameterCount")?;
        let max_data_count = r.u16("MaxDataCount")?;
        let max_setup_count = r.u8("MaxSetupCount")?;
        r.u8("Reserved1")?;
        let flags = r.u16("Flags")?;
        let timeout = r.u32("Timeout")?;
        r.u16("Reserved2")?;
        let parameter_count = r.u16("ParameterCount")?;
        let parameter_offset = usize::from(r.u16("ParameterOffset")?);
        let data_count = r.u16("DataCount")?;
        let data_offset = usize::from(r.u16("DataOffset")?);
        let setup_count = usize::from(r.u8("SetupCount")?);
        r.u8("Reserved3")?;
        let setup = r.take(setup_count * 2, "Setup")?;
        if total_parameter_count != parameter_count || total_data_count != data_count {
            return Err(block.in_several_messages("TotalDataCount"));
        }
        let parameter_len = usize::from(parameter_count);
        let parameters =
            part(message, &block, parameter_offset, parameter_len, "Trans_Parameters")?;
        let data = part(message, &block, data_offset, usize::from(data_count), "Trans_Data")?;
        Ok(Self {
            max_parameter_count,
            max_data_count,
            max_setup_count,
            flags,
            timeout,
            setup,
            name: Texts::new(block.bytes, 0, unicode).next(),
            parameters,
            data,
            unicode,
        })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let (setup, parameters, data) =
            (self.setup.bytes(), self.parameters.bytes(), self.data.bytes());
        let parameter_count: u16 = length(parameters.len(), "ParameterCount")?;
        let data_count: u16 = length(data.len(), "DataCount")?;
        let words_len = 28 + setup.len().next_multiple_of(2);
        let mut bytes = BytesWriter::after_words(words_len, self.unicode);
        bytes.text(self.name);
        let parameter_offset = bytes.aligned(4, parameters);
        let data_offset = bytes.aligned(4, data);

        let mut words = Writer::new(&[]);
        words.u16(parameter_count);
        words.u16(data_count);
        words.u16(self.max_parameter_count);
        words.u16(self.max_data_count);
        words.u8(self.max_setup_count);
        words.u8(0); // Reserved1
        words.u16(self.flags);
        words.u32(self.timeout);
        words.u16(0); // Reserved2
        words.u16(parameter_count);
        words.u16(length(parameter_offset, "ParameterOffset")?);
        words.u16(data_count);
        words.u16(length(data_offset, "DataOffset")?);
        words.u8(length(setup.len() / 2, "SetupCount")?);
        words.u8(0); // Reserved3
        words.bytes(setup);
        words.pad(2);
        encode(header, &words.finish(), bytes.finish())
    }
}

/// SMB_COM_TRANSACTION Response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionResponse<'a> {
    /// Setup words.
    pub setup: Part<'a>,
    /// Trans_Parameters.
    pub parameters: Part<'a>,
    /// Trans_Data.
    pub data: Part<'a>,
}

impl<'a> TransactionResponse<'a> {
    /// Reads the first command of a message. A transaction in several messages is refused.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        let block = Block::first(message)?.expect(Command::TRANSACTION)?;
        let mut r = block.reader_of_at_least(10)?;
        let total_parameter_count = r.u16("TotalParameterCount")?;
        let total_data_count = r.u16("TotalDataCount")?;
        r.u16("Reserved1")?;
        let parameter_count = r.u16("ParameterCount")?;
        let parameter_offset = usize::from(r.u16("ParameterOffset")?);
        r.u16("ParameterDisplacement")?;
        let data_count = r.u16("DataCount")?;
        let data_offset = usize::from(r.u16("DataOffset")?);
        r.u16("DataDisplacement")?;
        let setup_count = usize::from(r.u8("SetupCount")?);
        r.u8("Reserved2")?;
        let setup = r.take(setup_count * 2, "Setup")?;
        if total_parameter_count != parameter_count || total_data_count != data_count {
            return Err(block.in_several_messages("TotalDataCount"));
        }
        let parameter_len = usize::from(parameter_count);
        Ok(Self {
            setup,
            parameters: part(message, &block, parameter_offset, parameter_len, "Trans_Parameters")?,
            data: part(message, &block, data_offset, usize::from(data_count), "Trans_Data")?,
        })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let (setup, parameters, data) =
            (self.setup.bytes(), self.parameters.bytes(), self.data.bytes());
        let parameter_count: u16 = length(parameters.len(), "ParameterCount")?;
        let data_count: u16 = length(data.len(), "DataCount")?;
        let words_len = 20 + setup.len().next_multiple_of(2);
        let mut bytes = BytesWriter::after_words(words_len, false);
        let parameter_offset = bytes.aligned(4, parameters);
        let data_offset = bytes.aligned(4, data);

        let mut words = Writer::new(&[]);
        words.u16(parameter_count);
        words.u16(data_count);
        words.u16(0); // Reserved1
        words.u16(parameter_count);
        words.u16(length(parameter_offset, "ParameterOffset")?);
        words.u16(0); // ParameterDisplacement
        words.u16(data_count);
        words.u16(length(data_offset, "DataOffset")?);
        words.u16(0); // DataDisplacement
        words.u8(length(setup.len() / 2, "SetupCount")?);
        words.u8(0); // Reserved2
        words.bytes(setup);
        words.pad(2);
        encode(header, &words.finish(), bytes.finish())
    }
}
