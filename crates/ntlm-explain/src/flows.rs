//! From a capture to exchanges: one carrier and one assembler for each flow.

use crate::assemble::{Assembler, FoundExchange};
use crate::carrier::FlowReader;
use ntlm_capture::{Capture, CaptureError, EndReason, Event, FlowId, FlowStarted};
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
    let mut flows = Flows::default();
    let mut damage = Ok(());
    loop {
        match capture.next_event() {
            Ok(None) => break,
            // The damaged file ends here; what is in order before it, and other files, follow.
            Err(error) => damage = damage.and(Err(error)),
            Ok(Some(Event::FlowStarted(started))) => flows.start(started),
            Ok(Some(Event::Data(data))) => {
                if let Some(Flow { reader, assembler, .. }) = flows.get_mut(data.flow) {
                    reader.data(&data, &mut |report| assembler.report(report, &mut done));
                }
            }
            Ok(Some(Event::Gap(gap))) => {
                if let Some(Flow { reader, assembler, .. }) = flows.get_mut(gap.flow) {
                    reader.gap(&gap, &mut |report| assembler.report(report, &mut done));
                }
            }
            Ok(Some(Event::FlowEnded(ended))) => {
                if let Some(flow) = flows.take(ended.flow) {
                    flow.end(ended.reason, &mut done);
                }
            }
            Ok(Some(_)) => {}
        }
    }
    flows.end(&mut done);
    damage
}

/// The flows that are under way, by their slot, which is a small number.
#[derive(Default)]
struct Flows(Vec<Option<Box<Flow>>>);

struct Flow {
    id: FlowId,
    reader: FlowReader,
    assembler: Assembler,
}

impl Flows {
    fn start(&mut self, started: FlowStarted) {
        let Some(slot) = slot(started.flow) else { return };
        if self.0.len() <= slot {
            self.0.resize_with(slot + 1, || None);
        }
        if let Some(place) = self.0.get_mut(slot) {
            *place = Some(Box::new(Flow {
                id: started.flow,
                reader: FlowReader::default(),
                assembler: Assembler::new(started.endpoints),
            }));
        }
    }

    fn get_mut(&mut self, id: FlowId) -> Option<&mut Flow> {
        let flow = self.0.get_mut(slot(id)?)?.as_deref_mut();
        flow.filter(|flow| flow.id == id)
    }

    fn take(&mut self, id: FlowId) -> Option<Box<Flow>> {
        self.0.get_mut(slot(id)?)?.take_if(|flow| flow.id == id)
    }

    /// The capture is over before they are.
    fn end(self, done: &mut impl FnMut(FoundExchange)) {
        let mut rest: Vec<_> = self.0.into_iter().flatten().collect();
        rest.sort_by_key(|flow| flow.id);
        rest.into_iter().for_each(|flow| flow.end(EndReason::CaptureEnded, done));
    }
}

impl Flow {
    fn end(mut self, reason: EndReason, done: &mut impl FnMut(FoundExchange)) {
        let assembler = &mut self.assembler;
        self.reader.end(&mut |report| assembler.report(report, done));
        self.assembler.end(reason, done);
    }
}

fn slot(id: FlowId) -> Option<usize> {
    usize::try_from(id.slot()).ok()
}
