//! SMB in clear, as a capture that other programs read.

use crate::failure::Failure;
use crate::screen::Pending;
use ntlm_capture::StreamWriter;
use ntlm_explain::SmbMessage;
use std::path::Path;

/// The file that packets in clear go to, which appears once it is whole.
pub(crate) struct Decrypted {
    writer: StreamWriter<Pending>,
    label: String,
}

impl Decrypted {
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let label = path.display().to_string();
        let writer = StreamWriter::new(Pending::create(path)?);
        let writer = writer.map_err(|error| Failure::io(&label, &error))?;
        Ok(Self { writer, label })
    }

    /// The flows of the next capture have nothing to do with those before.
    pub(crate) fn next_capture(&mut self) {
        self.writer.forget_flows();
    }

    /// Writes a message with the prefix of direct TCP.
    pub(crate) fn message(&mut self, message: &SmbMessage<'_>) -> Result<(), Failure> {
        let length = u32::try_from(message.bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
        let packet = [&length, message.bytes].concat();
        let is_encrypted = message.bytes.starts_with(b"\xfdSMB");
        let comment = match (message.was_encrypted, message.signatures.invalid) {
            (true, _) => Some("was encrypted"),
            (false, _) if is_encrypted => Some("could not be opened"),
            (false, 1..) => Some("the signature does not hold"),
            (false, 0) => None,
        };
        let (flow, endpoints, direction) = (message.flow, message.endpoints, message.direction);
        self.writer
            .message(flow, endpoints, direction, message.origin.time, &packet, comment)
            .map_err(|error| Failure::io(&self.label, &error))
    }

    pub(crate) fn finish(self) -> Result<(), Failure> {
        let file = self.writer.finish().map_err(|error| Failure::io(&self.label, &error))?;
        file.finish()
    }
}
