//! Input that may be anything: every prefix and every changed byte of captured messages, packets
//! that contradict themselves, and inputs that once broke something.

use crate::common::captures;
use ntlm::FileTime;
use ntlm_smb::keys::CipherKey;
use ntlm_smb::smb2::{
    Capabilities, Command, Compound, ContextListBuilder, ContextType, Header, NegotiateResponse,
    SecurityMode, SessionSetupRequest, TransformHeader,
};
use ntlm_smb::{
    Cipher, DecodeErrorKind, DecryptError, Frame, PacketCipher, Part, ProtocolId, Transport, smb1,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

#[expect(unreachable_pub, clippy::expect_used, reason = "as the fuzz targets need it")]
#[path = "../../../../fuzz/src/smb.rs"]
mod smb;

/// Messages that differ in more than numbers: by kind, command, direction and length.
fn samples() -> Samples {
    let mut samples = BTreeMap::new();
    for (_, _, connections) in captures() {
        for message in connections.into_iter().flatten() {
            let bytes = message.bytes;
            let command = match ProtocolId::of(&bytes) {
                Some(ProtocolId::Smb1) => usize::from(bytes[4]),
                Some(ProtocolId::Smb2) => 0x100 + usize::from(bytes[12]),
                _ => 0x200,
            };
            samples.entry((command, message.from_client, bytes.len())).or_insert(bytes);
        }
    }
    samples
}

/// By command, direction and length.
type Samples = BTreeMap<(usize, bool, usize), Vec<u8>>;

fn read(bytes: &[u8]) {
    smb::read_smb1(bytes);
    smb::read_smb2(bytes);
    let _ = TransformHeader::decode(bytes);
}

#[test]
fn what_holds_of_any_input_holds_of_captured_messages() {
    let samples = samples();
    assert!(samples.len() > 100, "{}", samples.len());
    for sample in samples.into_values() {
        for (_, run) in smb::TARGETS {
            run(&sample);
        }
    }
}

#[test]
fn no_prefix_and_no_changed_byte_breaks_a_decoder() {
    let mut inputs = 0_u64;
    let mut kinds = BTreeSet::new();
    for ((command, from_client, length), sample) in samples() {
        // The shortest comes first; long ones of the same kind have more data, nothing else.
        if !kinds.insert((command, from_client)) && length > 2048 {
            continue;
        }
        // What comes behind is data, which no decoder here looks into.
        let looked_into = sample.len().min(512);
        for end in 0..looked_into {
            read(&sample[..end]);
        }
        let mut changed = sample;
        for at in 0..looked_into {
            let was = changed[at];
            for byte in [0, 0xff, was ^ 1, was ^ 0x80, was.wrapping_add(8)] {
                changed[at] = byte;
                read(&changed);
            }
            changed[at] = was;
        }
        inputs += 6 * u64::try_from(looked_into).unwrap();
    }
    println!("{inputs} inputs");
    assert!(inputs > 100_000);
}

#[test]
fn what_once_broke_a_target_does_not_any_more() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/regress"));
    for (target, run) in smb::TARGETS {
        // There is a folder only for targets that ever broke.
        for input in fs::read_dir(root.join(target)).into_iter().flatten() {
            let path = input.unwrap().path();
            println!("{}", path.display());
            run(&fs::read(path).unwrap());
        }
    }
}

/// Two ECHO messages of 72 bytes, the first with this NextCommand.
fn compound(next_command: u32) -> Vec<u8> {
    let first = Header { next_command, ..Header::new(Command::ECHO, 1) };
    let body = [4, 0, 0, 0, 0, 0, 0, 0];
    [first, Header::new(Command::ECHO, 2)]
        .iter()
        .flat_map(|header| [header.encode().as_slice(), &body].concat())
        .collect()
}

#[test]
fn a_compound_leads_on_and_stays_inside() {
    assert_eq!(Compound::new(&compound(72)).filter(Result::is_ok).count(), 2);
    for (next_command, kind) in [
        (1, DecodeErrorKind::NotForward),
        (63, DecodeErrorKind::NotForward),
        (145, DecodeErrorKind::OutOfBounds),
        (0x8000_0000, DecodeErrorKind::OutOfBounds),
        (u32::MAX, DecodeErrorKind::OutOfBounds),
    ] {
        let packet = compound(next_command);
        let mut messages = Compound::new(&packet);
        let error = messages.next().unwrap().unwrap_err();
        assert_eq!((error.kind, error.field, error.offset), (kind, "NextCommand", 20));
        assert!(messages.next().is_none());
    }
    // It ends where the packet ends, and says that another one follows.
    let packet = compound(144);
    let mut messages = Compound::new(&packet);
    assert_eq!(messages.next().unwrap().unwrap().bytes.len(), 144);
    let error = messages.next().unwrap().unwrap_err();
    assert_eq!((error.kind, error.offset), (DecodeErrorKind::Truncated, 144));
}

#[test]
fn an_andx_chain_of_any_offsets_ends() {
    let header = [b"\xffSMB\x73".as_slice(), &[0; 27]].concat();
    for first in 0..=80_u8 {
        for second in 0..=80_u8 {
            let block = |offset| smb1::Block::encode(&[0x73, 0, offset, 0], &[]).unwrap();
            let message = [header.as_slice(), &block(first), &block(second), &block(0)].concat();
            assert!(smb1::Blocks::new(&message).unwrap().count() <= 4, "{first} {second}");
        }
    }
}

#[test]
fn lengths_that_only_claim_cost_nothing() {
    for transport in [Transport::DirectTcp, Transport::NetBios] {
        let most = [0, u8::from(transport == Transport::NetBios), 0xff, 0xff];
        assert!(Frame::split(transport, &[&most, [1; 100].as_slice()].concat()).unwrap().is_none());
    }
    let cipher = PacketCipher::new(&CipherKey::new(Cipher::Aes256Gcm, &[7; 32]).unwrap());
    for original_message_size in [0, 9, 11, u32::MAX] {
        let header = TransformHeader {
            signature: [0; 16],
            nonce: [0; 16],
            original_message_size,
            reserved: 0,
            flags: TransformHeader::ENCRYPTED,
            session_id: 1,
        };
        let mut packet = [header.encode().as_slice(), &[0; 10]].concat();
        assert_eq!(cipher.decrypt(&mut packet).unwrap_err(), DecryptError::WrongSize);
    }
}

fn session_setup(offset: u16, length: u16) -> Vec<u8> {
    let mut message = Header::new(Command::SESSION_SETUP, 1).encode().to_vec();
    message.extend_from_slice(&[25, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    message.extend_from_slice(&offset.to_le_bytes());
    message.extend_from_slice(&length.to_le_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(b"token");
    message
}

#[test]
fn a_buffer_stands_behind_what_describes_it_or_nowhere() {
    let good = session_setup(88, 5);
    assert_eq!(SessionSetupRequest::decode(&good).unwrap().security_buffer.bytes(), b"token");
    for (offset, length) in [(88, 6), (89, 5), (93, 1), (u16::MAX, 5), (88, u16::MAX)] {
        let error = SessionSetupRequest::decode(&session_setup(offset, length)).unwrap_err();
        assert_eq!(error.kind, DecodeErrorKind::OutOfBounds, "{offset} {length}: {error}");
        assert_eq!(error.field, "SecurityBuffer");
    }
    for offset in [0, 64, 87] {
        let error = SessionSetupRequest::decode(&session_setup(offset, 5)).unwrap_err();
        assert_eq!(error.to_string(), "does not lead on: SecurityBuffer at offset 76");
    }
    assert!(SessionSetupRequest::decode(&session_setup(0, 0)).unwrap().security_buffer.is_empty());
}

#[test]
fn counts_that_only_claim_end_with_the_list() {
    let list = ContextListBuilder::new().encryption(&[1]).unwrap();
    let mut contexts = list.contexts();
    assert_eq!(contexts.iter().filter(Result::is_ok).count(), 1);
    contexts.count = u16::MAX;
    let read: Vec<bool> = contexts.iter().map(|context| context.is_ok()).collect();
    assert_eq!(read, [true, false]);
}

/// A NEGOTIATE response of 3.1.1 with contexts, and with these offsets in the place of its own.
fn negotiate_response(buffer_offset: u16, list_offset: u32) -> Vec<u8> {
    let list = ContextListBuilder::new().encryption(&[2]).unwrap();
    let response = NegotiateResponse {
        security_mode: SecurityMode::SIGNING_ENABLED,
        dialect_revision: 0x0311,
        reserved: 0,
        server_guid: [0; 16],
        capabilities: Capabilities::empty(),
        max_transact_size: 0,
        max_read_size: 0,
        max_write_size: 0,
        system_time: FileTime::from_le_bytes([0; 8]),
        server_start_time: FileTime::from_le_bytes([0; 8]),
        reserved2: 0,
        security_buffer: Part::from(&b"token"[..]),
        contexts: list.contexts(),
    };
    let mut message = response.encode(&Header::new(Command::NEGOTIATE, 0)).unwrap();
    message[120..122].copy_from_slice(&buffer_offset.to_le_bytes());
    message[124..128].copy_from_slice(&list_offset.to_le_bytes());
    message
}

#[test]
fn contexts_stand_behind_what_describes_them() {
    let message = negotiate_response(128, 136);
    let response = NegotiateResponse::decode(&message).unwrap();
    assert_eq!(response.contexts.chosen(ContextType::ENCRYPTION), Some(2));
    for (buffer, list, expected) in [
        (128, 0, "does not lead on: NegotiateContextOffset at offset 124"),
        (128, 124, "does not lead on: NegotiateContextOffset at offset 124"),
        (128, u32::MAX, "out of bounds: NegotiateContextOffset at offset 124"),
        (120, 136, "does not lead on: SecurityBuffer at offset 120"),
    ] {
        let message = negotiate_response(buffer, list);
        let error = NegotiateResponse::decode(&message).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}
