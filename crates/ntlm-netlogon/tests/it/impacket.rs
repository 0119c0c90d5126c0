//! Protection of fragments, held against impacket's functions: what we protect they open, and what
//! they protect we open, whichever end speaks.

use crate::common::{hex, unhex};
use ntlm::flags::NegotiateFlags as NtlmFlags;
use ntlm::keys::{Direction, ExportedSessionKey, SealingKeyRule, SigningKeyRule, sealkey, signkey};
use ntlm::{DirectionalKeys, Role, Session};
use ntlm_netlogon::keys::{Algorithms, SessionKey};
use ntlm_netlogon::pdu::{
    AuthLevel, AuthType, AuthVerifier, Body, Pdu, PfcFlags, Request, Response,
};
use ntlm_netlogon::protect::{
    Coverage, NetlogonProtection, NtlmProtection, ProtectError, SecurityContext,
};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const KEY: [u8; 16] = *b"\x01#Eg\x89\xab\xcd\xef\x10\x32\x54\x76\x98\xba\xdc\xfe";
const LEVELS: [AuthLevel; 2] = [AuthLevel::PKT_INTEGRITY, AuthLevel::PKT_PRIVACY];
const LENGTHS: [usize; 5] = [0, 1, 16, 100, 4096];

/// `testing/peers/rpc_peer.py`, which ends with its input.
struct Impacket {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Impacket {
    /// `None`, said aloud, where there is no impacket; with `CI=true` that is a failure.
    fn start() -> Option<Self> {
        let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../peers/bin/python");
        if !python.exists() {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "impacket is not installed");
            println!("SKIPPED: impacket is not installed: testing/peers/setup target/peers");
            return None;
        }
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testing/peers/rpc_peer.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        Some(Self { child, input, output })
    }

    fn ask(&mut self, request: &str) -> Result<Vec<u8>, String> {
        writeln!(self.input.as_mut().unwrap(), "{request}").unwrap();
        let mut reply = String::new();
        self.output.read_line(&mut reply).unwrap();
        match reply.trim_end().strip_prefix("ok") {
            Some(bytes) => Ok(unhex(bytes.trim_start())),
            None => Err(reply),
        }
    }

    fn send(&mut self, from: Direction, action: &str, fragment: &[u8]) -> Result<Vec<u8>, String> {
        let end = match from {
            Direction::ClientToServer => "client",
            Direction::ServerToClient => "server",
        };
        self.ask(&format!("{action} {end} {}", hex(fragment)))
    }
}

impl Drop for Impacket {
    fn drop(&mut self) {
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

/// One end of ours.
enum Ours {
    Ntlm(Box<NtlmProtection>),
    Netlogon(NetlogonProtection),
}

impl Ours {
    fn protect(&mut self, from: Direction, fragment: &mut [u8]) {
        match self {
            Self::Ntlm(protection) => protection.protect(fragment).unwrap(),
            Self::Netlogon(protection) => protection.protect(from, fragment, [9; 8]).unwrap(),
        }
    }

    fn open(&mut self, from: Direction, fragment: &mut [u8]) -> Result<(), ProtectError> {
        match self {
            Self::Ntlm(protection) => protection.open(fragment),
            Self::Netlogon(protection) => protection.open(from, fragment),
        }
    }
}

/// A whole call or answer, padded, with room for a signature.
fn plain(from: Direction, context: SecurityContext, stub: &[u8], auth_length: usize) -> Vec<u8> {
    let (padding, token) = ([0; 16], vec![0; auth_length]);
    let alloc_hint = u32::try_from(stub.len()).unwrap();
    let body = match from {
        Direction::ClientToServer => {
            Body::Request(Request { alloc_hint, context_id: 0, opnum: 5, object: None, stub })
        }
        Direction::ServerToClient => {
            Body::Response(Response { alloc_hint, context_id: 0, cancel_count: 0, stub })
        }
    };
    let SecurityContext { auth_type, auth_level, auth_context_id } = context;
    let verifier = AuthVerifier {
        auth_pad: &padding[..stub.len().next_multiple_of(16) - stub.len()],
        auth_type,
        auth_level,
        auth_context_id,
        auth_value: &token,
    };
    let (pfc_flags, verifier) = (PfcFlags::WHOLE, Some(verifier));
    Pdu { rpc_vers_minor: 0, pfc_flags, call_id: 2, body, verifier }.encode().unwrap()
}

/// What goes to and fro, protected at one end and opened at the other: first ours speaks, then
/// impacket's. Gives the number of fragments.
fn converse(
    impacket: &mut Impacket,
    mut ours: Ours,
    role: Role,
    context: SecurityContext,
    auth_length: usize,
) -> usize {
    let (sends, receives) = match role {
        Role::Client => (Direction::ClientToServer, Direction::ServerToClient),
        Role::Server => (Direction::ServerToClient, Direction::ClientToServer),
    };
    for length in LENGTHS {
        let stub: Vec<u8> = (0..length).map(|index| index.to_le_bytes()[0]).collect();
        let original = plain(sends, context, &stub, auth_length);
        let (body, token) = (24..original.len() - auth_length - 8, original.len() - auth_length..);
        let mut fragment = original.clone();
        ours.protect(sends, &mut fragment);
        assert_ne!(fragment[token.clone()], original[token.clone()]);
        let sealed = context.auth_level == AuthLevel::PKT_PRIVACY && length > 0;
        assert_eq!(fragment[body.clone()] != original[body.clone()], sealed);
        let opened = impacket.send(sends, "open", &fragment).expect("impacket opens it");
        assert_eq!(hex(&opened[..token.start]), hex(&original[..token.start]));

        let original = plain(receives, context, &stub, auth_length);
        let mut fragment = impacket.send(receives, "protect", &original).expect("it protects");
        assert_ne!(fragment[token.clone()], original[token.clone()]);
        ours.open(receives, &mut fragment).expect("we open it");
        assert_eq!(hex(&fragment[..token.start]), hex(&original[..token.start]));
    }
    // And what was changed is refused by either.
    let mut fragment = plain(sends, context, b"changed on its way", auth_length);
    ours.protect(sends, &mut fragment);
    fragment[24] ^= 1;
    let error = impacket.send(sends, "open", &fragment).unwrap_err();
    assert!(error.starts_with("err Refused: signature"), "{error}");
    2 * LENGTHS.len()
}

#[test]
fn impacket_agrees_on_ntlm() {
    let Some(mut impacket) = Impacket::start() else { return };
    let base = NtlmFlags::NEGOTIATE_SIGN | NtlmFlags::NEGOTIATE_SEAL | NtlmFlags::NEGOTIATE_NTLM;
    let (ess, key_exch) =
        (NtlmFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY, NtlmFlags::NEGOTIATE_KEY_EXCH);
    let (bits_128, bits_56) = (NtlmFlags::NEGOTIATE_128, NtlmFlags::NEGOTIATE_56);
    let mut fragments = 0;
    for more in [
        ess | key_exch | bits_128,
        ess | bits_128,
        ess | key_exch | bits_56,
        ess | key_exch,
        key_exch | bits_128,
        bits_128,
    ] {
        let flags = base | more;
        for auth_level in LEVELS {
            for role in [Role::Client, Role::Server] {
                for (auth_type, number) in [(AuthType::WINNT, 0), (AuthType::GSS_NEGOTIATE, 1)] {
                    let spnego = auth_type == AuthType::GSS_NEGOTIATE;
                    if spnego && !flags.contains(ess) {
                        // There both ends have used a number up, of one counter.
                        continue;
                    }
                    let key = hex(&KEY);
                    let request =
                        format!("ntlm {:x} {key} {} {number}", flags.bits(), auth_level.0);
                    impacket.ask(&request).unwrap();
                    let exported = ExportedSessionKey::new(KEY);
                    let keys = |direction| DirectionalKeys {
                        signing_key: signkey(SigningKeyRule::choose(flags), &exported, direction),
                        sealing_key: sealkey(SealingKeyRule::choose(flags), &exported, direction),
                    };
                    let [client, server] = Direction::ALL.map(keys);
                    let mut session = Session::from_directional_keys(client, server, flags, role);
                    if spnego {
                        let [client, server] = Direction::ALL.map(keys);
                        let other = if role == Role::Client { Role::Server } else { Role::Client };
                        let mut other =
                            Session::from_directional_keys(client, server, flags, other);
                        crate::common::use_up_one_number(&mut session, &mut other);
                    }
                    let context = SecurityContext { auth_type, auth_level, auth_context_id: 7 };
                    let ours = Ours::Ntlm(Box::new(NtlmProtection::new(session, context).unwrap()));
                    fragments += converse(&mut impacket, ours, role, context, 16);
                }
            }
        }
    }
    assert_eq!(fragments, 10 * 2 * 2 * 10);
}

#[test]
fn impacket_agrees_on_netlogon() {
    let Some(mut impacket) = Impacket::start() else { return };
    let mut fragments = 0;
    for (algorithms, name) in [(Algorithms::AesSha2, "aes"), (Algorithms::InsecureRc4Md5, "rc4")] {
        for auth_level in LEVELS {
            for (coverage, covered) in [(Coverage::Whole, "whole"), (Coverage::Body, "body")] {
                for role in [Role::Client, Role::Server] {
                    let key = hex(&KEY);
                    let request = format!("netlogon {name} {key} {} {covered}", auth_level.0);
                    impacket.ask(&request).unwrap();
                    let key = SessionKey::new(KEY);
                    let ours =
                        NetlogonProtection::new(algorithms, &key, auth_level, 7, coverage).unwrap();
                    let (context, length) = (ours.context(), ours.auth_length());
                    let ours = Ours::Netlogon(ours);
                    fragments += converse(&mut impacket, ours, role, context, length);
                }
            }
        }
    }
    assert_eq!(fragments, 2 * 2 * 2 * 2 * 10);
}
