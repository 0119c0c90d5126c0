//! What the tests share: hex, the vector file, and the DCE/RPC of captures, over TCP and in pipes.

use ntlm::Session;
use ntlm_capture::{Capture, Direction, Event, FlowId, Limits};
use ntlm_netlogon::pdu;
use ntlm_smb::keys::CipherKey;
use ntlm_smb::smb2::{
    Command, Compound, FileId, Header, IoctlRequest, IoctlResponse, ReadRequest, ReadResponse,
    TransformHeader, WriteRequest,
};
use ntlm_smb::{Cipher, Frame, PacketCipher, ProtocolId, Transport};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    let digit = |byte: u8| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap();
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    unhex(value.as_str().unwrap_or_else(|| panic!("no text: {value}")))
}

/// `0x...` as a number.
pub(crate) fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

fn testdata(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata")).join(path)
}

/// Every vector of netlogon.json.
pub(crate) fn vectors() -> Vec<Value> {
    let text = std::fs::read_to_string(testdata("vectors/netlogon.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

/// The vector of this name.
pub(crate) fn vector(id: &str) -> Value {
    vectors().into_iter().find(|vector| vector["id"] == id).unwrap_or_else(|| panic!("{id}"))
}

/// SPNEGO's mechListMIC uses up the first sequence number of each direction, and no key stream.
pub(crate) fn use_up_one_number(client: &mut Session, server: &mut Session) {
    let (before, at_server) = (client.save_rc4(), server.save_rc4());
    let signature = client.sign(b"mechTypes").unwrap();
    server.verify(b"mechTypes", &signature).unwrap();
    let signature = server.sign(b"mechTypes").unwrap();
    client.verify(b"mechTypes", &signature).unwrap();
    client.restore_rc4(before);
    server.restore_rc4(at_server);
}

/// One fragment of a capture.
#[derive(Clone)]
pub(crate) struct Fragment {
    /// Which event of the capture completed it: what came first in the whole of it.
    pub(crate) at: usize,
    pub(crate) from_client: bool,
    pub(crate) bytes: Vec<u8>,
}

/// What both ends of one association said, in the order in which it was complete.
pub(crate) type Association = Vec<Fragment>;

/// A capture, what its sidecar says, and the associations in it.
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) sidecar: Value,
    pub(crate) over_tcp: Vec<Association>,
    pub(crate) in_pipes: Vec<Association>,
}

impl Recording {
    pub(crate) fn associations(&self) -> impl Iterator<Item = &Association> {
        self.over_tcp.iter().chain(&self.in_pipes)
    }
}

/// Every capture whose kind says that there is DCE/RPC in it.
pub(crate) fn recordings() -> Vec<Recording> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(testdata("captures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    let mut recordings = Vec::new();
    for path in paths {
        let sidecar: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let kind = sidecar["kind"].as_str().unwrap_or_default();
        if kind.starts_with("dcerpc") || kind.starts_with("netlogon") {
            let file = std::fs::read(path.with_extension("pcap")).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            recordings.push(record(name, sidecar, &file));
        }
    }
    recordings
}

enum Flow {
    Tcp { streams: [Vec<u8>; 2], association: Association },
    Smb(Box<SmbFlow>),
    Other,
}

#[derive(Default)]
struct SmbFlow {
    streams: [Vec<u8>; 2],
    asked: BTreeMap<u64, FileId>,
    pipes: Vec<(FileId, Pipe)>,
}

#[derive(Default)]
struct Pipe {
    streams: [Vec<u8>; 2],
    association: Association,
}

fn record(name: String, sidecar: Value, file: &[u8]) -> Recording {
    let mut capture = Capture::new(file, Limits::default());
    let mut flows: BTreeMap<FlowId, Flow> = BTreeMap::new();
    let mut at = 0;
    while let Some(event) = capture.next_event().unwrap() {
        at += 1;
        match event {
            Event::FlowStarted(started) => {
                let flow = match started.endpoints.server.port() {
                    139 | 445 => Flow::Smb(Box::default()),
                    // Kerberos and LDAP of winbindd.
                    88 | 389 => Flow::Other,
                    _ => Flow::Tcp { streams: Default::default(), association: Vec::new() },
                };
                flows.insert(started.flow, flow);
            }
            Event::Data(data) => {
                let said = (at, data.direction == Direction::ClientToServer);
                match flows.get_mut(&data.flow) {
                    Some(Flow::Tcp { streams, association }) => {
                        add(streams, association, said, data.bytes);
                    }
                    Some(Flow::Smb(flow)) => flow.add(&sidecar, said, data.bytes),
                    Some(Flow::Other) | None => (),
                }
            }
            _ => (),
        }
    }
    let (mut over_tcp, mut in_pipes) = (Vec::new(), Vec::new());
    for flow in flows.into_values() {
        match flow {
            Flow::Tcp { association, streams } => {
                assert!(streams.iter().all(Vec::is_empty), "{name}: bytes left over");
                over_tcp.push(association);
            }
            Flow::Smb(flow) => {
                in_pipes.extend(flow.pipes.into_iter().map(|(_, pipe)| pipe.association));
            }
            Flow::Other => (),
        }
    }
    over_tcp.retain(|association| !association.is_empty());
    in_pipes.retain(|association| !association.is_empty());
    Recording { name, sidecar, over_tcp, in_pipes }
}

/// When, and by whom.
type Said = (usize, bool);

fn add(
    streams: &mut [Vec<u8>; 2],
    association: &mut Association,
    (at, from_client): Said,
    bytes: &[u8],
) {
    let stream = &mut streams[usize::from(from_client)];
    stream.extend_from_slice(bytes);
    let mut rest = stream.as_slice();
    while let Some((fragment, behind)) = pdu::split(rest).unwrap() {
        association.push(Fragment { at, from_client, bytes: fragment.to_vec() });
        rest = behind;
    }
    *stream = rest.to_vec();
}

impl SmbFlow {
    fn add(&mut self, sidecar: &Value, said: Said, bytes: &[u8]) {
        let from_client = said.1;
        let stream = &mut self.streams[usize::from(from_client)];
        stream.extend_from_slice(bytes);
        let stream = std::mem::take(stream);
        let mut rest = stream.as_slice();
        while let Some((frame, behind)) = Frame::split(Transport::DirectTcp, rest).unwrap() {
            self.packet(sidecar, said, frame.payload);
            rest = behind;
        }
        self.streams[usize::from(from_client)] = rest.to_vec();
    }

    fn packet(&mut self, sidecar: &Value, said: Said, packet: &[u8]) {
        match ProtocolId::of(packet).unwrap() {
            ProtocolId::Smb2 => self.messages(said, packet),
            ProtocolId::Transform => {
                let session_id = TransformHeader::decode(packet).unwrap().session_id;
                let Some(sessions) = sidecar["checked"]["sessions"].as_array() else { return };
                let stated = sessions.iter().find(|session| {
                    session["session_id"].is_string()
                        && number(&session["session_id"]) == session_id
                });
                // impacket encrypts its LOGOFF for session 0, whose key nobody can choose.
                let Some(session) = stated else { return };
                let side = if said.1 { "encryption_key" } else { "decryption_key" };
                let cipher = match session["cipher"].as_str().unwrap() {
                    "AES-128-GCM" => Cipher::Aes128Gcm,
                    "AES-128-CCM" => Cipher::Aes128Ccm,
                    other => panic!("{other}"),
                };
                let key = CipherKey::new(cipher, &bytes(&session[side])).unwrap();
                let mut packet = packet.to_vec();
                let decrypted = PacketCipher::new(&key).decrypt(&mut packet).unwrap();
                let message = decrypted.into_message().to_vec();
                self.messages(said, &message);
            }
            ProtocolId::Smb1 | ProtocolId::Compression => (),
        }
    }

    fn messages(&mut self, said: Said, packet: &[u8]) {
        for message in Compound::new(packet) {
            let message = message.unwrap();
            self.message(said, &message.header, message.bytes);
        }
    }

    fn message(&mut self, said: Said, header: &Header, message: &[u8]) {
        let command = header.command;
        if said.1 {
            match command {
                Command::WRITE => {
                    let request = WriteRequest::decode(message).unwrap();
                    self.pipe(request.file_id, said, request.data.bytes());
                }
                Command::READ => {
                    let request = ReadRequest::decode(message).unwrap();
                    self.asked.insert(header.message_id, request.file_id);
                }
                Command::IOCTL => {
                    let request = IoctlRequest::decode(message).unwrap();
                    self.asked.insert(header.message_id, request.file_id);
                    self.pipe(request.file_id, said, request.input.bytes());
                }
                _ => (),
            }
            return;
        }
        let Some(file_id) = self.asked.get(&header.message_id).copied() else { return };
        match command {
            Command::READ => {
                let Ok(response) = ReadResponse::decode(message) else { return };
                self.pipe(file_id, said, response.data.bytes());
            }
            Command::IOCTL => {
                let Ok(response) = IoctlResponse::decode(message) else { return };
                self.pipe(file_id, said, response.output.bytes());
            }
            _ => (),
        }
    }

    fn pipe(&mut self, file_id: FileId, said: Said, bytes: &[u8]) {
        let known = self.pipes.iter().position(|(id, _)| *id == file_id);
        let index = known.unwrap_or_else(|| {
            self.pipes.push((file_id, Pipe::default()));
            self.pipes.len() - 1
        });
        let Pipe { streams, association } = &mut self.pipes[index].1;
        if association.is_empty() && !bytes.starts_with(&[5, 0]) {
            return;
        }
        add(streams, association, said, bytes);
    }
}
