//! Several messages in one packet (MS-SMB2 3.2.4.1.4).

use super::Header;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::wire::offset;
use ntlm::wire::Span;

/// The messages of a packet, one or several, in order. Each step leads on by at least a header.
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    packet: &'a [u8],
    next: Option<usize>,
}

/// One message of a packet.
#[derive(Clone, Copy, Debug)]
pub struct CompoundMessage<'a> {
    /// Its header.
    pub header: Header,
    /// Header and body, with the padding up to the next message: what a signature covers.
    pub bytes: &'a [u8],
    /// Where it stands in the packet.
    pub span: Span,
}

impl<'a> Compound<'a> {
    /// The messages of `packet`, which has no transport prefix.
    #[must_use]
    pub const fn new(packet: &'a [u8]) -> Self {
        Self { packet, next: Some(0) }
    }

    fn message(&mut self, start: usize) -> Result<CompoundMessage<'a>, DecodeError> {
        let rest = self.packet.get(start..).unwrap_or_default();
        let header = Header::decode(rest).map_err(|error| error.within(start))?;
        let bytes = match offset(header.next_command) {
            0 => rest,
            length => {
                let error = |kind| DecodeError::new(kind, "NextCommand", start + 20);
                if length < Header::LENGTH {
                    return Err(error(DecodeErrorKind::NotForward));
                }
                let bytes = rest.get(..length).ok_or(error(DecodeErrorKind::OutOfBounds))?;
                self.next = Some(start + length);
                bytes
            }
        };
        Ok(CompoundMessage { header, bytes, span: Span { offset: start, length: bytes.len() } })
    }
}

impl<'a> Iterator for Compound<'a> {
    type Item = Result<CompoundMessage<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.next.take()?;
        Some(self.message(start))
    }
}

impl core::iter::FusedIterator for Compound<'_> {}

/// The same messages, to be signed in place.
///
/// Calls `each` with the header and the bytes of every message.
///
/// # Errors
///
/// What decoding or `each` fails with, which ends the walk.
pub fn for_each_message<E: From<DecodeError>>(
    packet: &mut [u8],
    mut each: impl FnMut(&Header, &mut [u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut next = Some(0);
    while let Some(start) = next {
        let mut compound = Compound { packet, next: Some(start) };
        let Some(message) = compound.next() else { break };
        let CompoundMessage { header, span, .. } = message?;
        next = compound.next;
        if let Some(bytes) = packet.get_mut(span.offset..span.offset + span.length) {
            each(&header, bytes)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smb2::Command;
    use std::vec::Vec;

    fn packet(next: [u32; 3]) -> Vec<u8> {
        next.into_iter()
            .flat_map(|next_command| {
                let header = Header { next_command, ..Header::new(Command::ECHO, 1) };
                [header.encode().as_slice(), &[4, 0, 0, 0, 0, 0, 0, 0]].concat()
            })
            .collect()
    }

    #[test]
    fn messages_follow_one_another() {
        let packet = packet([72, 72, 0]);
        let spans: Vec<Span> =
            Compound::new(&packet).map(|message| message.unwrap().span).collect();
        let expected = [0, 72, 144].map(|offset| Span { offset, length: 72 });
        assert_eq!(spans, expected);
    }

    #[test]
    fn a_chain_leads_on_or_ends() {
        for (next, kind, at) in [
            ([1, 0, 0], DecodeErrorKind::NotForward, 20),
            ([72, 63, 0], DecodeErrorKind::NotForward, 92),
            ([72, 72, 73], DecodeErrorKind::OutOfBounds, 164),
            ([u32::MAX, 0, 0], DecodeErrorKind::OutOfBounds, 20),
        ] {
            let packet = packet(next);
            let last = Compound::new(&packet).last().unwrap().unwrap_err();
            assert_eq!((last.kind, last.field, last.offset), (kind, "NextCommand", at));
            assert!(Compound::new(&packet).count() <= 3);
        }
        let short = packet([72, 0, 0]);
        let error = Compound::new(&short[..80]).last().unwrap().unwrap_err();
        assert_eq!((error.kind, error.offset), (DecodeErrorKind::Truncated, 80));
    }

    #[test]
    fn messages_can_be_changed_in_place() {
        let mut packet = packet([72, 72, 0]);
        let mut count = 0;
        for_each_message(&mut packet, |_, bytes| {
            bytes[64] = 9;
            count += 1;
            Ok::<(), DecodeError>(())
        })
        .unwrap();
        assert_eq!((count, packet[64], packet[136], packet[208]), (3, 9, 9, 9));
    }
}
