//! From a capture to exchanges: one carrier and one assembler for each flow.

use crate::assemble::{Assembler, FoundExchange};
use crate::carrier::Scanner;
use ntlm_capture::{Capture, CaptureError, Event, FlowId};
use std::collections::HashMap;
use std::io::{self, Read};

/// Reads a capture to its end and hands over each exchange once it is over.
///
/// # Errors
///
/// The capture is damaged. What was found before the damage has been handed over.
pub fn find_exchanges<F, R>(
    capture: &mut Capture<F, R>,
    mut done: impl FnMut(FoundExchange),
) -> Result<(), CaptureError>
where
    F: Iterator<Item = io::Result<R>>,
    R: Read,
{
    let mut flows: HashMap<FlowId, Flow> = HashMap::new();
    let mut damage = Ok(());
    loop {
        match capture.next_event() {
            Ok(None) => break,
            // The damaged file ends here; what is in order before it, and other files, follow.
            Err(error) => damage = damage.and(Err(error)),
            Ok(Some(Event::FlowStarted(started))) => {
                let flow = Flow {
                    scanner: Scanner::default(),
                    assembler: Assembler::new(started.endpoints),
                };
                flows.insert(started.flow, flow);
            }
            Ok(Some(Event::Data(data))) => {
                if let Some(flow) = flows.get_mut(&data.flow) {
                    let assembler = &mut flow.assembler;
                    flow.scanner.data(&data, &mut |report| assembler.report(report, &mut done));
                }
            }
            Ok(Some(Event::Gap(gap))) => {
                if let Some(flow) = flows.get_mut(&gap.flow) {
                    let assembler = &mut flow.assembler;
                    flow.scanner.gap(&gap, &mut |report| assembler.report(report, &mut done));
                }
            }
            Ok(Some(Event::FlowEnded(ended))) => {
                if let Some(flow) = flows.remove(&ended.flow) {
                    flow.end(&mut done);
                }
            }
            Ok(Some(_)) => {}
        }
    }
    let mut rest: Vec<_> = flows.into_iter().collect();
    rest.sort_by_key(|(id, _)| *id);
    rest.into_iter().for_each(|(_, flow)| flow.end(&mut done));
    damage
}

struct Flow {
    scanner: Scanner,
    assembler: Assembler,
}

impl Flow {
    fn end(mut self, done: &mut impl FnMut(FoundExchange)) {
        let assembler = &mut self.assembler;
        self.scanner.end(&mut |report| assembler.report(report, done));
        self.assembler.end(done);
    }
}
