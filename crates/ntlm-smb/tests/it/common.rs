//! What the tests share: hex, the vector file, and messages taken out of captures.

use ntlm_capture::{Capture, Direction, Event, FlowId, Limits};
use ntlm_smb::{Frame, FrameType, Transport};
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

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    unhex(value.as_str().unwrap_or_else(|| panic!("no text: {value}")))
}

pub(crate) fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

/// `0x...` as a number.
pub(crate) fn number(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

fn testdata(path: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata")).join(path)
}

/// Every vector of smb.json.
pub(crate) fn vectors() -> Vec<Value> {
    let text = std::fs::read_to_string(testdata("vectors/smb.json")).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

/// One SMB message of a capture, without transport prefix.
pub(crate) struct Message {
    pub(crate) from_client: bool,
    pub(crate) bytes: Vec<u8>,
}

/// The SMB messages of one connection, in the order in which they were complete.
pub(crate) type Connection = Vec<Message>;

/// Every capture whose sidecar says what SMB it holds: its name, the sidecar, its connections.
pub(crate) fn captures() -> Vec<(String, Value, Vec<Connection>)> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(testdata("captures"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    let mut captures = Vec::new();
    for path in paths {
        let sidecar: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        if sidecar["checked"]["dialects"].is_array() {
            let file = std::fs::read(path.with_extension("pcap")).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            captures.push((name, sidecar, connections(&file)));
        }
    }
    captures
}

#[derive(Default)]
struct Flow {
    netbios: bool,
    streams: [Vec<u8>; 2],
    messages: Connection,
}

fn connections(file: &[u8]) -> Vec<Connection> {
    let mut capture = Capture::new(file, Limits::default());
    let mut flows: BTreeMap<FlowId, Flow> = BTreeMap::new();
    while let Some(event) = capture.next_event().unwrap() {
        match event {
            Event::FlowStarted(started)
                if [139, 445].contains(&started.endpoints.server.port()) =>
            {
                let netbios = started.endpoints.server.port() == 139;
                flows.insert(started.flow, Flow { netbios, ..Flow::default() });
            }
            Event::Data(data) => {
                if let Some(flow) = flows.get_mut(&data.flow) {
                    flow.add(data.direction == Direction::ClientToServer, data.bytes);
                }
            }
            _ => (),
        }
    }
    flows.into_values().map(|flow| flow.messages).filter(|messages| !messages.is_empty()).collect()
}

impl Flow {
    fn add(&mut self, from_client: bool, bytes: &[u8]) {
        let stream = &mut self.streams[usize::from(from_client)];
        stream.extend_from_slice(bytes);
        let transport = if self.netbios { Transport::NetBios } else { Transport::DirectTcp };
        let mut rest = stream.as_slice();
        while let Some((frame, behind)) = Frame::split(transport, rest).unwrap() {
            if frame.frame_type == FrameType::SessionMessage {
                self.messages.push(Message { from_client, bytes: frame.payload.to_vec() });
            }
            rest = behind;
        }
        *stream = rest.to_vec();
    }
}
