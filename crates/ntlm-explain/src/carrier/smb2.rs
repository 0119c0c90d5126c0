//! SMB 2 and 3: session setup by message and session id (MS-SMB2 2.2.5, 2.2.6), and what goes
//! through named pipes.

use super::bytes::{size16_at, size32_at, u16_at, u32_at, u64_at};
use super::numbered::Numbered;
use super::pipe::{self, Pipes};
use super::protocol::{Carried, Message, Out, Verdict};
use super::status::{self, MORE_PROCESSING_REQUIRED, PENDING};
use super::{Carrier, MAX_TOKEN, Said};
use std::ops::Range;

/// The state of one connection.
#[derive(Debug, Default)]
pub(super) struct Smb2 {
    /// Session setups without an answer yet: message id to conversation.
    setups: Numbered<u64, u64>,
    /// Answers whose request was not seen, which may be told late: message id to conversation.
    early: Numbered<u64, u64>,
    /// Session id to conversation.
    sessions: Numbered<u64, u64>,
    /// Reads from pipes without an answer yet: message id to file.
    reads: Numbered<u64, FileId>,
    pipes: Pipes<FileId>,
}

type FileId = [u8; 16];

pub(super) const MAGIC: &[u8] = b"\xfeSMB";
const HEADER: usize = 64;
const NEGOTIATE: u16 = 0;
const SESSION_SETUP: u16 = 1;
const READ: u16 = 8;
const WRITE: u16 = 9;
const IOCTL: u16 = 11;
const SERVER_TO_REDIR: u32 = 1;
const IS_GUEST: u16 = 1;
const FSCTL_PIPE_TRANSCEIVE: u32 = 0x0011_c017;

/// A session id, unless it is not given yet.
fn known(session: u64) -> Option<u64> {
    (session != 0).then_some(session)
}
/// Where the data of a READ, WRITE or IOCTL stand; `at` is where the header does.
fn data(bytes: &[u8], at: usize, command: u16, is_response: bool) -> Option<Range<usize>> {
    let body = at + HEADER;
    let (offset, length) = match (command, is_response) {
        (WRITE, false) => (size16_at(bytes, body + 2)?, size32_at(bytes, body + 4)?),
        (READ, true) => (usize::from(*bytes.get(body + 2)?), size32_at(bytes, body + 4)?),
        (IOCTL, false) => (size32_at(bytes, body + 24)?, size32_at(bytes, body + 28)?),
        (IOCTL, true) => (size32_at(bytes, body + 32)?, size32_at(bytes, body + 36)?),
        _ => return None,
    };
    let start = at.checked_add(offset)?;
    (offset >= HEADER).then_some(start..start.checked_add(length)?)
}

impl Smb2 {
    /// How much of a message is to be read: `None` until more of it is there.
    pub(super) fn wanted(&self, bytes: &[u8], length: usize) -> Option<usize> {
        if length < HEADER {
            return Some(length);
        }
        let command = u16_at(bytes, 12)?;
        let is_response = u32_at(bytes, 16)? & SERVER_TO_REDIR != 0;
        let next = u32_at(bytes, 20)?;
        if next != 0 || matches!(command, NEGOTIATE | SESSION_SETUP) {
            return Some(length.min(MAX_TOKEN));
        }
        let fixed = match (command, is_response) {
            (READ, false) | (WRITE, false) => 48,
            (READ, true) => 16,
            (IOCTL, false) => 56,
            (IOCTL, true) => 48,
            _ => return Some(HEADER),
        };
        let peek = (HEADER + fixed + pipe::ENOUGH).min(length);
        let head = bytes.get(..peek)?;
        let data = data(head, 0, command, is_response);
        let is_rpc = self.pipes.is_midway()
            || data.is_some_and(|data| head.get(data.start..).is_some_and(pipe::is_rpc));
        Some(if is_rpc { length.min(MAX_TOKEN) } else { (HEADER + fixed).min(length) })
    }

    /// Reads the messages of a packet, of which the first begins at `start`.
    pub(super) fn packet(&mut self, message: &Message<'_>, start: usize, out: &mut Out<'_>) {
        let mut at = start;
        while message.bytes.get(at..).is_some_and(|rest| rest.starts_with(MAGIC)) {
            self.one(message, at, out);
            match size32_at(message.bytes, at + 20) {
                Some(next) if next >= HEADER => at += next,
                _ => return,
            }
        }
    }

    /// Messages may be missing.
    pub(super) fn gap(&mut self) {
        self.pipes.gap();
    }

    fn one(&mut self, message: &Message<'_>, at: usize, out: &mut Out<'_>) -> Option<()> {
        let command = u16_at(message.bytes, at + 12)?;
        let is_response = u32_at(message.bytes, at + 16)? & SERVER_TO_REDIR != 0;
        match (command, is_response) {
            (SESSION_SETUP, false) => self.setup_request(message, at, out),
            (SESSION_SETUP, true) => self.setup_response(message, at, out),
            (READ | WRITE | IOCTL, _) => self.pipe(message, at, command, is_response, out),
            _ => None,
        }
    }

    fn setup_request(&mut self, message: &Message<'_>, at: usize, out: &mut Out<'_>) -> Option<()> {
        let message_id = u64_at(message.bytes, at + 24)?;
        let session = u64_at(message.bytes, at + 40)?;
        let conversation = match self.early.take(&message_id) {
            Some(conversation) => conversation,
            None => {
                let conversation = self.conversation(session, out);
                self.setups.insert(message_id, conversation);
                conversation
            }
        };
        let offset = size16_at(message.bytes, at + HEADER + 12)?;
        let length = size16_at(message.bytes, at + HEADER + 14)?;
        let buffer = at + offset..at + offset + length;
        let token = Carried { carrier: Carrier::Smb2, conversation, session: known(session) };
        out.security_buffer(message, buffer, token)?;
        Some(())
    }

    fn setup_response(
        &mut self,
        message: &Message<'_>,
        at: usize,
        out: &mut Out<'_>,
    ) -> Option<()> {
        let status = u32_at(message.bytes, at + 8)?;
        let message_id = u64_at(message.bytes, at + 24)?;
        let session = u64_at(message.bytes, at + 40)?;
        if status == PENDING {
            return None;
        }
        let conversation = match self.setups.take(&message_id) {
            Some(conversation) => {
                if session != 0 {
                    self.sessions.insert(session, conversation);
                }
                conversation
            }
            None => {
                let conversation = self.conversation(session, out);
                self.early.insert(message_id, conversation);
                conversation
            }
        };
        let is_error = !status::is_success(status) && status != MORE_PROCESSING_REQUIRED;
        let body = at + HEADER;
        if !is_error {
            let offset = size16_at(message.bytes, body + 4)?;
            let length = size16_at(message.bytes, body + 6)?;
            let buffer = at + offset..at + offset + length;
            let token = Carried { carrier: Carrier::Smb2, conversation, session: known(session) };
            out.security_buffer(message, buffer, token);
        }
        if status != MORE_PROCESSING_REQUIRED {
            let flags = u16_at(message.bytes, body + 2).unwrap_or_default();
            let said = match is_error {
                false if flags & IS_GUEST != 0 => Said::AcceptedAsGuest,
                is_error => Said::plain(!is_error),
            };
            let status = status::ntstatus(status);
            out.answer(message, Verdict { conversation, said, status });
        }
        Some(())
    }

    /// The conversation of a session; a new one where there is none.
    fn conversation(&mut self, session: u64, out: &mut Out<'_>) -> u64 {
        if let Some(conversation) = self.sessions.get_mut(&session).filter(|_| session != 0) {
            return *conversation;
        }
        let conversation = out.new_conversation();
        if session != 0 {
            self.sessions.insert(session, conversation);
        }
        conversation
    }

    fn pipe(
        &mut self,
        message: &Message<'_>,
        at: usize,
        command: u16,
        is_response: bool,
        out: &mut Out<'_>,
    ) -> Option<()> {
        let message_id = u64_at(message.bytes, at + 24)?;
        let body = at + HEADER;
        let file = |at: usize| message.bytes.get(at..)?.first_chunk::<16>().copied();
        let file = match (command, is_response) {
            (WRITE, true) => return None,
            (READ, true) => {
                if u32_at(message.bytes, at + 8)? == PENDING {
                    return None;
                }
                self.reads.take(&message_id)?
            }
            (READ, false) => {
                let file = file(body + 16)?;
                if self.pipes.knows(&file) {
                    self.reads.insert(message_id, file);
                }
                return Some(());
            }
            (WRITE, _) => file(body + 16)?,
            _ if u32_at(message.bytes, body + 4)? != FSCTL_PIPE_TRANSCEIVE => return None,
            _ => file(body + 8)?,
        };
        let data = data(message.bytes, at, command, is_response)?;
        self.pipes.data(file, message, data, out)
    }
}

#[cfg(test)]
mod tests {
    use super::super::protocol::Protocol;
    use super::super::protocol::driver::{CLIENT, SERVER, damage, drive, ntlm, spnego, words};
    use super::super::smb::Smb;
    use super::*;
    use ntlm_capture::Direction;

    fn header(command: u16, is_response: bool, status: u32, message: u64, session: u64) -> Vec<u8> {
        let mut header = [MAGIC, &[64, 0, 0, 0]].concat();
        header.extend(status.to_le_bytes());
        header.extend(command.to_le_bytes());
        header.extend([0, 0]);
        header.extend(u32::from(is_response).to_le_bytes());
        header.extend([0; 4]);
        header.extend(message.to_le_bytes());
        header.extend([0; 8]);
        header.extend(session.to_le_bytes());
        header.extend([0; 16]);
        header
    }

    fn packet(message: &[u8]) -> Vec<u8> {
        let length = u32::try_from(message.len()).unwrap().to_be_bytes();
        [&length, message].concat()
    }

    fn request(message: u64, session: u64, token: &[u8]) -> (Direction, Vec<u8>) {
        let mut bytes = header(SESSION_SETUP, false, 0, message, session);
        bytes.extend([25, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 88, 0]);
        bytes.extend(u16::try_from(token.len()).unwrap().to_le_bytes());
        bytes.extend([0; 8]);
        bytes.extend(token);
        (CLIENT, packet(&bytes))
    }

    fn response(
        message: u64,
        session: u64,
        status: u32,
        flags: u8,
        token: &[u8],
    ) -> (Direction, Vec<u8>) {
        let mut bytes = header(SESSION_SETUP, true, status, message, session);
        bytes.extend([9, 0, flags, 0, 72, 0]);
        bytes.extend(u16::try_from(token.len()).unwrap().to_le_bytes());
        bytes.extend(token);
        (SERVER, packet(&bytes))
    }

    fn smb() -> Box<dyn Protocol> {
        Box::new(Smb::default())
    }

    #[test]
    fn sessions_at_once_are_told_apart_by_message_and_session() {
        let pieces = [
            request(1, 0, &ntlm(1)),
            request(2, 0, &spnego(&ntlm(1))),
            response(2, 0x20, MORE_PROCESSING_REQUIRED, 0, &spnego(&ntlm(2))),
            response(1, 0x10, MORE_PROCESSING_REQUIRED, 0, &ntlm(2)),
            request(3, 0x20, &spnego(&ntlm(3))),
            request(4, 0x10, &ntlm(3)),
            response(4, 0x10, 0xc000_006d, 0, &[]),
            response(3, 0x20, 0, 1, &[]),
        ];
        let reports = drive(&mut Smb::default(), &pieces);
        let expected = [
            "n1",
            "n2",
            "c2",
            "c1",
            "a2",
            "a1",
            "no1: STATUS_LOGON_FAILURE",
            "guest2: STATUS_SUCCESS",
        ];
        assert_eq!(words(&reports), expected);
        let sessions: Vec<_> = reports
            .iter()
            .filter_map(|report| match report {
                super::super::Report::Token(token) => Some(token.session),
                _ => None,
            })
            .collect();
        let (one, two) = (Some(0x10), Some(0x20));
        assert_eq!(sessions, [None, None, two, one, two, one]);
        damage(smb, &pieces);
    }

    #[test]
    fn pending_is_no_answer() {
        let pieces = [
            request(1, 0x10, &ntlm(3)),
            response(1, 0x10, PENDING, 0, &[]),
            response(1, 0x10, 0, 0, &[]),
        ];
        assert_eq!(words(&drive(&mut Smb::default(), &pieces)), ["a1", "yes1: STATUS_SUCCESS"]);
    }

    #[test]
    fn an_answer_told_before_its_request_keeps_its_conversation() {
        let pieces =
            [response(1, 0x10, MORE_PROCESSING_REQUIRED, 0, &ntlm(2)), request(1, 0, &ntlm(1))];
        assert_eq!(words(&drive(&mut Smb::default(), &pieces)), ["c1", "n1"]);
    }

    #[test]
    fn every_message_of_a_compound_is_read() {
        let mut first = header(0, false, 0, 0, 0);
        first[20..24].copy_from_slice(&72_u32.to_le_bytes());
        first.extend([0; 8]);
        let (_, setup) = request(1, 0, &ntlm(1));
        let pieces = [(CLIENT, packet(&[&first[..], &setup[4..]].concat()))];
        assert_eq!(words(&drive(&mut Smb::default(), &pieces)), ["n1"]);
        damage(smb, &pieces);
    }

    #[test]
    fn rpc_in_a_pipe_has_conversations_of_its_own() {
        let bind = super::super::rpc::tests::pdu(11, 1, &ntlm(1));
        let ack = super::super::rpc::tests::pdu(12, 1, &ntlm(2));
        let write = |file: u8, data: &[u8]| {
            let mut bytes = header(WRITE, false, 0, 7, 0x10);
            bytes.extend([49, 0, 112, 0]);
            bytes.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
            bytes.extend([0; 8]);
            bytes.extend([file; 16]);
            bytes.extend([0; 16]);
            bytes.extend(data);
            (CLIENT, packet(&bytes))
        };
        let mut read = header(READ, false, 0, 8, 0x10);
        read.extend([49, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        read.extend([2; 16]);
        let mut answer = header(READ, true, 0, 8, 0x10);
        answer.extend([17, 0, 80, 0]);
        answer.extend(u32::try_from(ack.len()).unwrap().to_le_bytes());
        answer.extend([0; 8]);
        answer.extend(&ack);
        let (start, end) = bind.split_at(40);
        let pieces = [
            write(1, &bind),
            // One PDU in two writes.
            write(2, start),
            write(2, end),
            (CLIENT, packet(&read)),
            (SERVER, packet(&answer)),
        ];
        let reports = drive(&mut Smb::default(), &pieces);
        // Each pipe takes a number too.
        assert_eq!(words(&reports), ["n2", "n4", "c4"]);
        damage(smb, &pieces);
    }
}
