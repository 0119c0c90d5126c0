//! Every capture of `testdata/`, cut into several files: read as one, they are explained as the whole is.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use ntlm::text::CodePage;
use ntlm_accounts::{Accounts, Format};
use ntlm_capture::{Capture, Limits};
use ntlm_explain::{Explained, Known, read_capture};
use ntlm_traffic::Recorded;
use ntlm_traffic::pcap::{self, Packet};
use serde_json::{Value, json};

/// What `ntlm explain --json` has of a capture, and the frames by file.
fn explained(files: &[Vec<u8>]) -> (Value, Vec<Vec<(String, u64)>>) {
    let text = include_str!("../../../testdata/accounts.toml");
    let mut accounts = Accounts::new(CodePage::Cp850);
    accounts.add("accounts.toml", text, Format::Toml).unwrap();
    let known = Known { accounts: &accounts, code_page: CodePage::Cp850 };
    let names: Vec<String> = (0..files.len()).map(|number| number.to_string()).collect();
    let mut capture = Capture::of_files(files.iter().map(|file| Ok(&file[..])), Limits::default());
    let (mut exchanges, mut places) = (Vec::new(), Vec::new());
    let report = read_capture(&mut capture, &names, known, &mut |mut one: Explained| {
        let files = std::mem::take(&mut one.files).into_iter();
        let each = files.flat_map(|it| it.frames.into_iter().map(move |n| (it.file.clone(), n)));
        places.push(each.collect());
        exchanges.push(serde_json::to_value(one).unwrap());
    });
    assert!(report.damage.is_empty());
    (json!({"exchanges": exchanges, "findings": report.findings}), places)
}

/// Every capture with its name.
fn captures() -> Vec<(String, Vec<Packet>)> {
    let all = Recorded::all().unwrap();
    assert!(all.len() > 150);
    all.into_iter().map(|one| (one.name.clone(), one.packets().unwrap())).collect()
}

/// Deals the packets out to `count` files, and checks what comes of them.
fn check(name: &str, packets: &[Packet], count: usize, file_of: impl Fn(usize) -> usize) {
    let mut files = vec![Vec::new(); count];
    let mut frames = Vec::new();
    for (number, packet) in packets.iter().enumerate() {
        let file: &mut Vec<Packet> = &mut files[file_of(number)];
        file.push(packet.clone());
        frames.push((file_of(number).to_string(), u64::try_from(file.len()).unwrap()));
    }
    let files: Vec<Vec<u8>> = files.iter().map(|packets| pcap::write(packets)).collect();
    let (whole, _) = explained(&[pcap::write(packets)]);
    let (merged, places) = explained(&files);
    assert_eq!(merged, whole, "{name}");
    // Each frame of the whole lies in the file that it was dealt to.
    for (exchange, places) in whole["exchanges"].as_array().unwrap().iter().zip(places) {
        let numbers = exchange["frames"].as_array().unwrap().iter();
        let numbers = numbers.map(|number| usize::try_from(number.as_u64().unwrap()).unwrap());
        let expected: Vec<_> = numbers.map(|number| frames[number - 1].clone()).collect();
        assert_eq!(places, expected, "{name}");
    }
}

#[test]
fn a_recording_cut_into_files_is_explained_as_the_whole() {
    for (name, mut packets) in captures() {
        packets.sort_by_key(|packet| packet.nanos);
        let each = packets.len() / 3 + 1;
        check(&name, &packets, 3, |number| number / each);
        // Whatever the order in which files are given, if no time is in two of them.
        if packets.is_sorted_by(|a, b| a.nanos < b.nanos) {
            check(&name, &packets, 3, |number| 2 - number / each);
        }
    }
}

#[test]
fn recordings_side_by_side_are_explained_as_one() {
    for (name, mut packets) in captures() {
        // Where two files have the same time, their order decides, so no two packets have it here.
        packets.sort_by_key(|packet| packet.nanos);
        for at in 1..packets.len() {
            packets[at].nanos = packets[at].nanos.max(packets[at - 1].nanos + 1000);
        }
        check(&name, &packets, 4, |number| number * 7 % 4);
        // As where two interfaces each see one direction.
        let addresses: Vec<usize> = packets
            .iter()
            .map(|packet| usize::from(packet.bytes.get(34) < packet.bytes.get(36)))
            .collect();
        check(&name, &packets, 2, |number| addresses[number]);
    }
}
