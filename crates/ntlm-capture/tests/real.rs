//! Captures of real programs: packets, flows and stream lengths as tshark 4.0 counts them, and bytes as they are known.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::{collections::BTreeMap, io::Write};

use flate2::{Compression, write::GzEncoder};
use ntlm_capture::{Capture, Direction, EndReason, Event, FlowId, Limits};

#[derive(Debug, Default, PartialEq, Eq)]
struct Stream {
    bytes: Vec<u8>,
    frames: Vec<u64>,
}

/// Streams by flow in order of start, and the number of packets.
fn streams(file: &[u8]) -> (Vec<[Stream; 2]>, u64) {
    let mut flows: BTreeMap<FlowId, [Stream; 2]> = BTreeMap::new();
    let mut capture = Capture::new(file, Limits::default());
    while let Some(event) = capture.next_event().unwrap() {
        match event {
            Event::FlowStarted(started) => {
                assert!(!started.endpoints.guessed);
                flows.insert(started.flow, Default::default());
            }
            Event::Data(data) => {
                let [to_server, to_client] = flows.get_mut(&data.flow).unwrap();
                let stream = match data.direction {
                    Direction::ClientToServer => to_server,
                    Direction::ServerToClient => to_client,
                };
                assert_eq!(usize::try_from(data.offset).unwrap(), stream.bytes.len());
                stream.bytes.extend_from_slice(data.bytes);
                stream.frames.push(data.origin.frame);
            }
            Event::FlowEnded(ended) => assert_eq!(ended.reason, EndReason::Closed),
            other => panic!("{other:?}"),
        }
    }
    (flows.into_values().collect(), capture.totals().packets)
}

fn lengths(flows: &[[Stream; 2]]) -> Vec<(usize, usize)> {
    flows
        .iter()
        .map(|[to_server, to_client]| (to_server.bytes.len(), to_client.bytes.len()))
        .collect()
}

#[test]
fn http() {
    let (flows, packets) = streams(include_bytes!("../../../testdata/captures/http/ntlm-get.pcap"));
    assert_eq!((packets, lengths(&flows)), (17, vec![(975, 2149)]));
    let [requests, answers] = &flows[0];
    assert!(requests.bytes.starts_with(b"GET /both/whoami HTTP/1.1\r\n"));
    assert!(answers.bytes.starts_with(b"HTTP/1.1 401 Unauthorized\r\n"));
    assert_eq!(requests.frames, [4, 8, 10]);
}

#[test]
fn smb() {
    let (flows, packets) =
        streams(include_bytes!("../../../testdata/captures/smbclient-smb3_11-sign-async.pcap"));
    assert_eq!((packets, lengths(&flows)), (26, vec![(1574, 1118)]));
    let (flows, packets) =
        streams(include_bytes!("../../../testdata/captures/smbprotocol-smb_2_0_2-sign.pcap"));
    assert_eq!((packets, lengths(&flows)), (28, vec![(1395, 1272)]));
    // Each message, with its length in front, and nothing else.
    for stream in &flows[0] {
        let mut rest = &stream.bytes[..];
        while let Some((length, after)) = rest.split_first_chunk() {
            assert!(after.starts_with(b"\xfeSMB") || after.starts_with(b"\xffSMB"));
            rest = &after[usize::try_from(u32::from_be_bytes(*length)).unwrap()..];
        }
        assert!(rest.is_empty());
    }
}

#[test]
fn rpc_in_several_flows_and_gzip() {
    let file = include_bytes!("../../../testdata/captures/rpcclient-tcp-seal-ntlm.pcap");
    let (flows, packets) = streams(file);
    assert_eq!(packets, 90);
    let expected = [(212, 212), (740, 286), (212, 212), (740, 286), (212, 212), (1284, 1534)];
    assert_eq!(lengths(&flows), expected);

    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(file).unwrap();
    assert_eq!(streams(&gzip.finish().unwrap()), (flows, packets));
}
