//! SMB 2: a session setup, then reads and writes (MS-SMB2 2.2).

use super::Fate;
use super::bulk::BulkKind;
use super::connection::{Place, Side, Step, Steps};
use super::handshake::{Handshake, NegState, neg_token_init, neg_token_resp};
use crate::random::Random;
use ntlm_smb::keys::SigningKey;
use ntlm_smb::{Signer, SigningAlgorithm};

const NEGOTIATE: u16 = 0;
const SESSION_SETUP: u16 = 1;
const READ: u16 = 8;
const WRITE: u16 = 9;

const MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;
const LONGEST_READ: usize = 1 << 16;

pub(super) fn steps(handshake: &Handshake, mut size: usize, random: &mut Random) -> Steps {
    let mut steps = Steps::default();
    let mut header = Header { session: 0, message: 0, status: 0 };
    let say = |side, bytes| Step::Say(side, netbios(bytes, 0));
    steps.push(say(Side::Client, negotiate_request(&header, random)));
    steps.push(say(Side::Server, negotiate_response(&header, random)));

    let raw = random.chance(0.2);
    let wrap = |state, message: &[u8]| {
        if raw { message.to_vec() } else { neg_token_resp(state, message) }
    };
    let first =
        if raw { handshake.negotiate.clone() } else { neg_token_init(&handshake.negotiate) };
    header.message = 1;
    steps.push(token(Side::Client, setup_request(&header, &first)));
    header.session = random.bits() | 1;
    header.status = MORE_PROCESSING_REQUIRED;
    let challenge = wrap(NegState::AcceptIncomplete, &handshake.challenge);
    steps.push(token(Side::Server, setup_response(&header, &challenge)));
    header.message = 2;
    header.status = 0;
    let authenticate = wrap(NegState::None, &handshake.authenticate);
    steps.push(token(Side::Client, setup_request(&header, &authenticate)));
    let last = if raw { Vec::new() } else { neg_token_resp(NegState::AcceptCompleted, &[]) };
    steps.push(say(Side::Server, signed(setup_response(&header, &last), handshake)));

    let kind = if random.chance(0.7) { BulkKind::Random } else { BulkKind::Text };
    while size > 0 {
        header.message += 1;
        let count = size.min(1 + random.place(LONGEST_READ));
        size -= count;
        if random.chance(0.7) {
            steps.push(say(Side::Client, read_request(&header, count)));
            let front = netbios(read_response(&header, count), count);
            steps.push(Step::Bulk(Side::Server, front, kind, count));
        } else {
            let front = netbios(write_request(&header, count), count);
            steps.push(Step::Bulk(Side::Client, front, kind, count));
            steps.push(say(Side::Server, write_response(&header, count)));
        }
    }
    steps
}

/// The last response of session setup is signed in any case, under 2.1 with the session's own key.
fn signed(mut message: Vec<u8>, handshake: &Handshake) -> Vec<u8> {
    let key = SigningKey::new(*handshake.exported_session_key.expose());
    let signer = Signer::new(SigningAlgorithm::HmacSha256, &key);
    // It is a message that can be signed; were it not, the check of what is generated would say so.
    let _ = signer.sign(&mut message);
    message
}

fn token(side: Side, message: Vec<u8>) -> Step {
    let bytes = netbios(message, 0);
    let signature = bytes.windows(8).position(|window| window == b"NTLMSSP\0").unwrap_or_default();
    let place = Place { signature: signature..signature + 8, end: bytes.len() };
    Step::Token(side, bytes, place, Fate::Whole)
}

/// The length in front, of what is there and what follows (MS-SMB2 2.1).
fn netbios(message: Vec<u8>, following: usize) -> Vec<u8> {
    [&wide(message.len() + following).to_be_bytes(), &message[..]].concat()
}

struct Header {
    session: u64,
    message: u64,
    status: u32,
}

impl Header {
    fn start(&self, command: u16, side: Side) -> Vec<u8> {
        let mut out = b"\xfeSMB\x40\0\x01\0".to_vec();
        out.extend(if side == Side::Server { self.status } else { 0 }.to_le_bytes());
        out.extend(command.to_le_bytes());
        out.extend([31, 0]);
        out.extend(u32::from(side == Side::Server).to_le_bytes());
        out.extend([0; 4]);
        out.extend(self.message.to_le_bytes());
        out.extend([0xff, 0xfe, 0, 0, 1, 0, 0, 0]);
        out.extend(self.session.to_le_bytes());
        out.extend([0; 16]);
        out
    }
}

fn negotiate_request(header: &Header, random: &mut Random) -> Vec<u8> {
    let mut out = header.start(NEGOTIATE, Side::Client);
    out.extend([36, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    random.append(&mut out, 16);
    out.extend([0; 8]);
    out.extend([0x10, 0x02]);
    out
}

fn negotiate_response(header: &Header, random: &mut Random) -> Vec<u8> {
    let mut out = header.start(NEGOTIATE, Side::Server);
    out.extend([65, 0, 1, 0, 0x10, 0x02, 0, 0]);
    random.append(&mut out, 16);
    out.extend([1, 0, 0, 0]);
    for _ in 0..3 {
        out.extend(wide(LONGEST_READ).to_le_bytes());
    }
    out.extend([0; 16]);
    out.extend([128, 0, 0, 0, 0, 0, 0, 0]);
    out
}

fn setup_request(header: &Header, token: &[u8]) -> Vec<u8> {
    let mut out = header.start(SESSION_SETUP, Side::Client);
    out.extend([25, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 88, 0]);
    out.extend(narrow(token.len()).to_le_bytes());
    out.extend([0; 8]);
    out.extend_from_slice(token);
    out
}

fn setup_response(header: &Header, token: &[u8]) -> Vec<u8> {
    let mut out = header.start(SESSION_SETUP, Side::Server);
    out.extend([9, 0, 0, 0, 72, 0]);
    out.extend(narrow(token.len()).to_le_bytes());
    out.extend_from_slice(token);
    out
}

fn read_request(header: &Header, count: usize) -> Vec<u8> {
    let mut out = header.start(READ, Side::Client);
    out.extend([49, 0, 80, 0]);
    out.extend(wide(count).to_le_bytes());
    out.extend([0; 8]);
    out.extend([7; 16]);
    out.extend([0; 17]);
    out
}

fn read_response(header: &Header, count: usize) -> Vec<u8> {
    let mut out = header.start(READ, Side::Server);
    out.extend([17, 0, 80, 0]);
    out.extend(wide(count).to_le_bytes());
    out.extend([0; 8]);
    out
}

fn write_request(header: &Header, count: usize) -> Vec<u8> {
    let mut out = header.start(WRITE, Side::Client);
    out.extend([49, 0, 112, 0]);
    out.extend(wide(count).to_le_bytes());
    out.extend([0; 8]);
    out.extend([7; 16]);
    out.extend([0; 16]);
    out
}

fn write_response(header: &Header, count: usize) -> Vec<u8> {
    let mut out = header.start(WRITE, Side::Server);
    out.extend([17, 0, 0, 0]);
    out.extend(wide(count).to_le_bytes());
    out.extend([0; 8]);
    out
}

fn wide(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn narrow(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}
