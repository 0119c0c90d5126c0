//! What the captures of testdata/ say over TCP: just enough of their formats for seeds. They were recorded
//! on the loopback interface, in order.

use std::collections::BTreeMap;

/// Who speaks, the client or not, and what.
pub(crate) type Conversation = Vec<(bool, Vec<u8>)>;

/// The TCP conversations of a little-endian pcap file of Ethernet frames; none of another file.
pub(crate) fn conversations(pcap: &[u8]) -> Vec<Conversation> {
    let mut found: BTreeMap<Vec<u8>, Flow> = BTreeMap::new();
    let mut rest = pcap.get(24..).unwrap_or_default();
    while let Some(length) = number(rest, 8) {
        let Some(packet) = rest.get(16..).and_then(|rest| rest.get(..length)) else { break };
        rest = rest.get(16 + length..).unwrap_or_default();
        segment(packet, &mut found);
    }
    found.into_values().map(|flow| flow.said).filter(|said| !said.is_empty()).collect()
}

#[derive(Default)]
struct Flow {
    client: Vec<u8>,
    /// Where each side goes on, in sequence: the client's first.
    next: [Option<u32>; 2],
    said: Conversation,
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..)?.first_chunk()?;
    usize::try_from(u32::from_le_bytes(*field)).ok()
}

/// Takes one frame; nothing comes of one that is no TCP over IPv4.
fn segment(frame: &[u8], flows: &mut BTreeMap<Vec<u8>, Flow>) -> Option<()> {
    const SYN: u8 = 2;
    let ip = frame.get(14..)?;
    if frame.get(12..14)? != [8, 0] || *ip.get(9)? != 6 {
        return None;
    }
    let header = usize::from(ip.first()? & 15) * 4;
    let total = usize::from(u16::from_be_bytes(*ip.get(2..)?.first_chunk()?));
    let tcp = ip.get(header..total)?;
    let source = [ip.get(12..16)?, tcp.get(..2)?].concat();
    let destination = [ip.get(16..20)?, tcp.get(2..4)?].concat();
    let seq = u32::from_be_bytes(*tcp.get(4..)?.first_chunk()?);
    let bytes = tcp.get(usize::from(tcp.get(12)? >> 4) * 4..)?;
    let is_syn = tcp.get(13)? & SYN != 0;
    let mut key = [source.clone(), destination];
    key.sort();
    let flow = flows.entry(key.concat()).or_default();
    if flow.client.is_empty() {
        flow.client.clone_from(&source);
    }
    let is_client = flow.client == source;
    let next = flow.next.get_mut(usize::from(!is_client))?;
    let first = if is_syn { seq.wrapping_add(1) } else { seq };
    // What came before is a copy.
    let is_new = next.is_none_or(|next| next == first);
    if is_new {
        *next = Some(first.wrapping_add(u32::try_from(bytes.len()).ok()?));
        if !bytes.is_empty() {
            flow.said.push((is_client, bytes.to_vec()));
        }
    }
    Some(())
}

/// As fuzz/src/carriers.rs takes it apart.
pub(crate) fn as_pieces(conversation: &Conversation) -> Vec<u8> {
    let pieces = conversation.iter().flat_map(|(is_client, bytes)| {
        bytes.chunks(60_000).flat_map(move |bytes| {
            let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_le_bytes();
            [&[u8::from(!is_client)], &length[..], bytes].concat()
        })
    });
    pieces.collect()
}

/// As fuzz/src/bin/reassembly.rs takes it apart: the segments without their bytes.
pub(crate) fn as_segments(conversation: &Conversation) -> Vec<u8> {
    const PATIENT: u8 = u8::MAX;
    let mut sent = [0_u16; 2];
    let mut segments = vec![PATIENT];
    for (is_client, bytes) in conversation {
        let sides = if *is_client { [0, 1] } else { [1, 0] };
        let [own, other] = sides.map(|side| sent.get(side).copied().unwrap_or_default());
        for part in bytes.chunks(1400) {
            let length = u16::try_from(part.len()).unwrap_or_default();
            let at = sent
                .get_mut(usize::from(!is_client))
                .map_or(own, |sent| std::mem::replace(sent, sent.wrapping_add(length)));
            segments.push(u8::from(!is_client));
            segments.extend([at, length, other].map(u16::to_le_bytes).concat());
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capture_is_taken_apart() {
        let path = crate::workspace::root().join("testdata/captures/http/ntlm-get.pcap");
        let file = std::fs::read(path).unwrap_or_default();
        let found = conversations(&file);
        let said = found.first().cloned().unwrap_or_default();
        let starts = |at: usize, is_client: bool, text: &str| {
            said.get(at).is_some_and(|(side, bytes)| {
                *side == is_client && bytes.starts_with(text.as_bytes())
            })
        };
        assert!(starts(0, true, "GET ") && starts(1, false, "HTTP/1.1 401"), "{}", said.len());
        let pieces = as_pieces(&said);
        assert_eq!(pieces.first(), Some(&0));
        assert_eq!(pieces.get(3..7), Some(&b"GET "[..]));
        assert_eq!(as_segments(&said).len() % 7, 1);
        assert!(conversations(b"no capture at all").is_empty());
    }
}
