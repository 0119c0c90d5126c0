//! What was spoken live, as `ntlm explain` sees it.

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Direction, Endpoints, FlowId, Limits, StreamWriter, Timestamp};
use ntlm_explain::{Explained, Known, explain_capture};
use ntlm_net::smb::Record;
use std::time::UNIX_EPOCH;

/// Every logon on these connections, in order. Alice's password is known.
pub(crate) fn explained(records: &[Record]) -> Vec<Explained> {
    let mut frames = Vec::new();
    for (serial, record) in (1..).zip(records) {
        let recorded = record.take();
        assert!(!recorded.is_cut);
        let Some((client, server)) = recorded.endpoints else { continue };
        let endpoints = Endpoints { client, server, guessed: false };
        let flow = FlowId::numbered(serial);
        frames.extend(recorded.frames.into_iter().map(|frame| (frame, flow, endpoints)));
    }
    frames.sort_by_key(|(frame, ..)| frame.time);
    let mut writer = StreamWriter::new(Vec::new()).unwrap();
    for (frame, flow, endpoints) in frames {
        let direction = match frame.from_client {
            true => Direction::ClientToServer,
            false => Direction::ServerToClient,
        };
        let nanos = frame.time.duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let time = Some(Timestamp(u64::try_from(nanos).unwrap()));
        writer.message(flow, endpoints, direction, time, &frame.bytes, None).unwrap();
    }
    let file = writer.finish().unwrap();
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add("alice", "WORKGROUP:alice:Wonderland-42", Format::UserFile).unwrap();
    let known = Known { accounts: &accounts, code_page: CodePage::Cp850 };
    let mut found = Vec::new();
    let mut capture = Capture::new(&file[..], Limits::default());
    explain_capture(&mut capture, known, &mut |explained: Explained| found.push(explained))
        .unwrap();
    found
}
