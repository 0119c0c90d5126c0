//! Input that may be anything: what the fuzz targets check, over what was recorded, each byte of it
//! changed or the end cut off there, and over inputs that once broke something.

use crate::common::{bytes, recordings, vectors};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[expect(unreachable_pub, clippy::expect_used, reason = "as the fuzz targets need it")]
#[path = "../../../../fuzz/src/netlogon.rs"]
mod netlogon;

/// Fragments that differ in more than numbers, and recorded stubs.
fn samples() -> Vec<Vec<u8>> {
    let mut samples = BTreeMap::new();
    for recording in recordings() {
        for fragment in recording.associations().flatten() {
            let bytes = &fragment.bytes;
            samples.entry((bytes[2], bytes.len())).or_insert_with(|| bytes.clone());
        }
    }
    let mut samples: Vec<Vec<u8>> = samples.into_values().collect();
    for vector in vectors() {
        for value in [&vector["input"]["request_stub"], &vector["expected"]["response_stub"]] {
            samples.extend(value.is_string().then(|| bytes(value)));
        }
    }
    samples
}

#[test]
fn what_holds_of_any_input_holds_of_what_was_recorded() {
    let samples = samples();
    assert!(samples.len() > 60, "{}", samples.len());
    for sample in samples {
        for (_, run) in netlogon::TARGETS {
            run(&sample);
        }
    }
}

#[test]
fn nor_does_it_break_once_a_byte_is_changed_or_the_end_cut_off() {
    for sample in samples() {
        for index in 0..sample.len() {
            let mut changed = sample.clone();
            changed[index] ^= 0xff;
            for hostile in [&changed, &sample[..index]] {
                netlogon::rpc_pdu(hostile);
                netlogon::netlogon_calls(hostile);
            }
        }
    }
}

#[test]
fn what_once_broke_something_does_not_any_more() {
    for (name, run) in netlogon::TARGETS {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/regress").join(name);
        for entry in fs::read_dir(folder).into_iter().flatten() {
            run(&fs::read(entry.unwrap().path()).unwrap());
        }
    }
}
