//! Lists the TCP flows of capture files: `cargo run -p ntlm-capture --example flows -- FILE..`

use std::{collections::HashMap, error::Error, fs::File};

use ntlm_capture::{Capture, Direction, Endpoints, Event, FlowId, Limits};

#[derive(Clone, Copy, Default)]
struct Totals {
    to_server: usize,
    to_client: usize,
    missing: u64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let files = std::env::args_os().skip(1).map(File::open);
    let mut capture = Capture::of_files(files, Limits::default());
    let mut flows: HashMap<FlowId, (Endpoints, Totals)> = HashMap::new();
    let mut datagrams = 0;
    loop {
        let event = match capture.next_event() {
            Ok(Some(event)) => event,
            Ok(None) => break,
            Err(error) => {
                println!("file {} {error}", error.file + 1);
                continue;
            }
        };
        match event {
            Event::FlowStarted(started) => {
                flows.insert(started.flow, (started.endpoints, Totals::default()));
            }
            Event::Data(data) => {
                let Some((_, totals)) = flows.get_mut(&data.flow) else { continue };
                match data.direction {
                    Direction::ClientToServer => totals.to_server += data.bytes.len(),
                    Direction::ServerToClient => totals.to_client += data.bytes.len(),
                }
            }
            Event::Gap(gap) => {
                let Some((_, totals)) = flows.get_mut(&gap.flow) else { continue };
                totals.missing += gap.length;
            }
            Event::FlowEnded(ended) => {
                let Some((endpoints, totals)) = flows.remove(&ended.flow) else { continue };
                let Totals { to_server, to_client, missing } = totals;
                let Endpoints { client, server, .. } = endpoints;
                let reason = ended.reason;
                println!(
                    "{client} > {server}: {to_server} and {to_client} bytes, {missing} missing, {reason:?}"
                );
            }
            Event::Datagram(_) => datagrams += 1,
            other => println!("{other:?}"),
        }
    }
    let totals = capture.totals();
    println!("{} packets, {datagrams} datagrams, {} other", totals.packets, totals.other_packets);
    Ok(())
}
