//! SMB2 IOCTL (MS-SMB2 2.2.31, 2.2.32), and what it carries here.

use super::negotiate::{Capabilities, SecurityMode};
use super::{Command, FileId, Header};
use crate::error::{DecodeError, TooLong};
use crate::wire::{Part, Reader, U16List, Writer, length, offset};
use alloc::vec::Vec;

/// CtlCode: what is asked of a file, a pipe or the server. Unknown ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CtlCode(pub u32);

impl CtlCode {
    /// FSCTL_PIPE_TRANSCEIVE: writes to a pipe and reads the answer.
    pub const PIPE_TRANSCEIVE: Self = Self(0x0011_c017);
    /// FSCTL_VALIDATE_NEGOTIATE_INFO: what each end saw of NEGOTIATE, signed.
    pub const VALIDATE_NEGOTIATE_INFO: Self = Self(0x0014_0204);
}

/// SMB2 IOCTL Request (MS-SMB2 2.2.31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoctlRequest<'a> {
    /// CtlCode.
    pub ctl_code: CtlCode,
    /// FileId.
    pub file_id: FileId,
    /// MaxInputResponse, in bytes.
    pub max_input_response: u32,
    /// MaxOutputResponse: how much output fits, in bytes.
    pub max_output_response: u32,
    /// Flags; 1 is [`IS_FSCTL`](Self::IS_FSCTL).
    pub flags: u32,
    /// Input.
    pub input: Part<'a>,
    /// Output, which requests do not have.
    pub output: Part<'a>,
}

impl<'a> IoctlRequest<'a> {
    /// SMB2_0_IOCTL_IS_FSCTL: CtlCode is one of a file system.
    pub const IS_FSCTL: u32 = 1;

    const INPUT: u32 = 0x78;

    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::IOCTL)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(57)?;
        r.u16("Reserved")?;
        let ctl_code = CtlCode(r.u32("CtlCode")?);
        let file_id = FileId::read(&mut r)?;
        let input = part(&mut r, "Input")?;
        let max_input_response = r.u32("MaxInputResponse")?;
        let output = part(&mut r, "Output")?;
        let max_output_response = r.u32("MaxOutputResponse")?;
        let flags = r.u32("Flags")?;
        r.u32("Reserved2")?;
        Ok(Self {
            ctl_code,
            file_id,
            max_input_response,
            max_output_response,
            flags,
            input,
            output,
        })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let (input, output) = (self.input.bytes(), self.output.bytes());
        let mut w = Writer::new(&header.encode());
        w.u16(57);
        w.zeros(2); // Reserved
        w.u32(self.ctl_code.0);
        self.file_id.write(&mut w);
        w.u32(Self::INPUT);
        w.u32(length(input.len(), "InputCount")?);
        w.u32(self.max_input_response);
        w.u32(output_offset(Self::INPUT, input, output)?);
        w.u32(length(output.len(), "OutputCount")?);
        w.u32(self.max_output_response);
        w.u32(self.flags);
        w.zeros(4); // Reserved2
        buffer(&mut w, input, output);
        Ok(w.finish())
    }
}

/// SMB2 IOCTL Response (MS-SMB2 2.2.32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IoctlResponse<'a> {
    /// CtlCode of the request.
    pub ctl_code: CtlCode,
    /// FileId of the request.
    pub file_id: FileId,
    /// Flags.
    pub flags: u32,
    /// Input, which most responses do not have.
    pub input: Part<'a>,
    /// Output.
    pub output: Part<'a>,
}

impl<'a> IoctlResponse<'a> {
    const INPUT: u32 = 0x70;

    /// Reads the message that begins with its header.
    ///
    /// # Errors
    ///
    /// It is no such message.
    pub fn decode(message: &'a [u8]) -> Result<Self, DecodeError> {
        Header::expect(message, Command::IOCTL)?;
        let mut r = Reader::new(message, Header::LENGTH);
        r.structure_size(49)?;
        r.u16("Reserved")?;
        let ctl_code = CtlCode(r.u32("CtlCode")?);
        let file_id = FileId::read(&mut r)?;
        let input = part(&mut r, "Input")?;
        let output = part(&mut r, "Output")?;
        let flags = r.u32("Flags")?;
        r.u32("Reserved2")?;
        Ok(Self { ctl_code, file_id, flags, input, output })
    }

    /// Header and body.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn encode(&self, header: &Header) -> Result<Vec<u8>, TooLong> {
        let (input, output) = (self.input.bytes(), self.output.bytes());
        let mut w = Writer::new(&header.encode());
        w.u16(49);
        w.zeros(2); // Reserved
        w.u32(self.ctl_code.0);
        self.file_id.write(&mut w);
        w.u32(Self::INPUT);
        w.u32(length(input.len(), "InputCount")?);
        w.u32(output_offset(Self::INPUT, input, output)?);
        w.u32(length(output.len(), "OutputCount")?);
        w.u32(self.flags);
        w.zeros(4); // Reserved2
        buffer(&mut w, input, output);
        Ok(w.finish())
    }
}

fn part<'a>(r: &mut Reader<'a>, field: &'static str) -> Result<Part<'a>, DecodeError> {
    let descriptor = r.position();
    let start = offset(r.u32(field)?);
    let length = offset(r.u32(field)?);
    r.part(start, length, field, descriptor)
}

/// Output stands behind input, 8-aligned.
fn output_offset(start: u32, input: &[u8], output: &[u8]) -> Result<u32, TooLong> {
    let input_len: u32 = length(input.len(), "InputCount")?;
    let behind = start.saturating_add(input_len).checked_next_multiple_of(8);
    let behind = behind.ok_or(TooLong { field: "OutputOffset" })?;
    Ok(if output.is_empty() { 0 } else { behind })
}

fn buffer(w: &mut Writer, input: &[u8], output: &[u8]) {
    w.bytes(input);
    if !output.is_empty() {
        w.pad(8);
        w.bytes(output);
    }
}

/// VALIDATE_NEGOTIATE_INFO Request: what the client's NEGOTIATE said (MS-SMB2 2.2.31.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidateNegotiateInfoRequest<'a> {
    /// Capabilities.
    pub capabilities: Capabilities,
    /// Guid: ClientGuid.
    pub guid: [u8; 16],
    /// SecurityMode.
    pub security_mode: SecurityMode,
    /// Dialects, each two bytes.
    pub dialects: Part<'a>,
}

impl<'a> ValidateNegotiateInfoRequest<'a> {
    /// Reads the input of the IOCTL; places in errors count from its start.
    ///
    /// # Errors
    ///
    /// It is too short.
    pub fn decode(input: &'a [u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(input, 0);
        let capabilities = Capabilities::from_bits_retain(r.u32("Capabilities")?);
        let guid = r.array("Guid")?;
        let security_mode = SecurityMode::from_bits_retain(r.u16("SecurityMode")?);
        let dialect_count = usize::from(r.u16("DialectCount")?);
        let dialects = r.take(dialect_count * 2, "Dialects")?;
        Ok(Self { capabilities, guid, security_mode, dialects })
    }

    /// The input of the IOCTL.
    ///
    /// # Errors
    ///
    /// Too many dialects.
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let dialects = self.dialects.bytes();
        let mut w = Writer::new(&self.capabilities.bits().to_le_bytes());
        w.bytes(&self.guid);
        w.u16(self.security_mode.bits());
        w.u16(length(dialects.len() / 2, "DialectCount")?);
        w.bytes(dialects);
        Ok(w.finish())
    }

    /// DialectRevision of each dialect.
    #[must_use]
    pub const fn dialect_revisions(&self) -> U16List<'a> {
        U16List::new(self.dialects.bytes())
    }
}

/// VALIDATE_NEGOTIATE_INFO Response: what the server's NEGOTIATE said, 24 bytes (MS-SMB2 2.2.32.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidateNegotiateInfoResponse {
    /// Capabilities.
    pub capabilities: Capabilities,
    /// Guid: ServerGuid.
    pub guid: [u8; 16],
    /// SecurityMode.
    pub security_mode: SecurityMode,
    /// Dialect: a DialectRevision.
    pub dialect: u16,
}

impl ValidateNegotiateInfoResponse {
    /// Length in bytes.
    pub const LENGTH: u32 = 24;

    /// Reads the output of the IOCTL; places in errors count from its start.
    ///
    /// # Errors
    ///
    /// It is too short.
    pub fn decode(output: &[u8]) -> Result<Self, DecodeError> {
        let mut r = Reader::new(output, 0);
        Ok(Self {
            capabilities: Capabilities::from_bits_retain(r.u32("Capabilities")?),
            guid: r.array("Guid")?,
            security_mode: SecurityMode::from_bits_retain(r.u16("SecurityMode")?),
            dialect: r.u16("Dialect")?,
        })
    }

    /// The output of the IOCTL.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::new(&self.capabilities.bits().to_le_bytes());
        w.bytes(&self.guid);
        w.u16(self.security_mode.bits());
        w.u16(self.dialect);
        w.finish()
    }
}
