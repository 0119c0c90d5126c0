//! From a capture to exchanges: for each flow a carrier, an assembler, and where it is SMB an
//! observer of its sessions.

use crate::alive::Alive;
use crate::assemble::{Assembler, FoundExchange};
use crate::capture_findings::{CaptureReport, Tallies};
use crate::carrier::{Carrier, FlowReader, Listener, Report, RpcFragment, SmbPacket, Wrapping};
use crate::explain::with_keys;
use crate::explained::Explained;
use crate::inspect;
use crate::known::Known;
use crate::netlogon::{ChannelExplained, Setups, proof};
use crate::queue::Queue;
use crate::rpc::{self, Shared};
use crate::smb::{self, Logon};
use ntlm::message::{AuthenticateMessage, Message, MessageType};
use ntlm_capture::{
    Capture, CaptureError, Direction, EndReason, Endpoints, Event, FlowId, FlowStarted, Origin,
};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};

/// Takes what is found in a capture. A closure that takes an [`Explained`] is one.
pub trait Sink {
    /// An exchange, once it is over, and with SMB its session. They come in the order of their
    /// logons, but for captures with more than a thousand sessions at once.
    fn exchange(&mut self, explained: Explained);

    /// A secure channel, once its association is over.
    fn channel(&mut self, _channel: ChannelExplained) {}

    /// Whether [`smb_message`](Self::smb_message) is to be called.
    fn wants_smb_messages(&self) -> bool {
        false
    }

    /// A packet of SMB that is all there: as it was sent, or what was encrypted if it opens.
    fn smb_message(&mut self, _message: &SmbMessage<'_>) {}
}

impl<F: FnMut(Explained)> Sink for F {
    fn exchange(&mut self, explained: Explained) {
        self(explained);
    }
}

/// A packet of SMB, in clear unless it was encrypted and does not open.
#[derive(Clone, Copy, Debug)]
pub struct SmbMessage<'a> {
    /// Which connection it went over.
    pub flow: FlowId,
    /// Both ends of it.
    pub endpoints: Endpoints,
    /// Who sent it.
    pub direction: Direction,
    /// The frame that completes it.
    pub origin: Origin,
    /// The message or compound, without the prefix of the transport.
    pub bytes: &'a [u8],
    /// Whether it was encrypted.
    pub was_encrypted: bool,
    /// What its signatures came to.
    pub signatures: smb::Signatures,
}

/// Reads a capture to its end and hands over each exchange once it is over.
///
/// # Errors
///
/// The capture is damaged. What was found before the damage has been handed over.
pub fn explain_capture<F, R>(
    capture: &mut Capture<F, R>,
    known: Known<'_>,
    sink: &mut dyn Sink,
) -> Result<(), CaptureError>
where
    F: Iterator<Item = io::Result<R>>,
    R: Read,
{
    let damage = read_capture(capture, &[], known, sink).damage;
    damage.into_iter().next().map_or(Ok(()), Err)
}

/// Reads a capture to its end, hands over each exchange once it is over, and says what there is to say
/// of the capture itself: damage, and what is missing in it that no exchange can name.
///
/// `files` are the names of its files, in order; none where it is one file, which needs no name.
pub fn read_capture<F, R>(
    capture: &mut Capture<F, R>,
    files: &[String],
    known: Known<'_>,
    sink: &mut dyn Sink,
) -> CaptureReport
where
    F: Iterator<Item = io::Result<R>>,
    R: Read,
{
    let mut flows = Flows::default();
    let mut exchanges = Exchanges {
        files,
        known,
        count: 0,
        queue: Queue::default(),
        sessions: smb::Sessions::default(),
        setups: Setups::default(),
        alive: Alive::default(),
        passed_on: PassedOn::default(),
        held: 0,
        sink,
    };
    let mut tallies = Tallies::default();
    loop {
        match capture.next_event() {
            Ok(None) => break,
            // The damaged file ends here; what is in order before it, and other files, follow.
            Err(error) => tallies.damage(error),
            Ok(Some(Event::FlowStarted(started))) => flows.start(started),
            Ok(Some(Event::Data(data))) => {
                if let Some(flow) = flows.get_mut(data.flow) {
                    flow.with(&mut exchanges, |reader, listener| reader.data(&data, listener));
                }
            }
            Ok(Some(Event::Gap(gap))) => {
                if let Some(flow) = flows.get_mut(gap.flow) {
                    flow.smb.get().gap(gap.origin.frame);
                    flow.rpc.get().gap(gap.origin.frame);
                    flow.with(&mut exchanges, |reader, listener| reader.gap(&gap, listener));
                }
            }
            Ok(Some(Event::FlowEnded(ended))) => {
                if let Some(flow) = flows.take(ended.flow) {
                    flow.end(ended.reason, &mut exchanges, &mut tallies);
                }
            }
            Ok(Some(Event::Conflict(conflict))) => {
                let ends = flows.get_mut(conflict.flow).map(|flow| flow.endpoints);
                tallies.conflict(conflict.origin, ends);
            }
            Ok(Some(Event::UnknownLinkType(unknown))) => {
                tallies.unknown_link(unknown.link_type, unknown.origin);
            }
            Ok(Some(Event::Notice(notice))) => tallies.notice(notice.kind, notice.origin),
            Ok(Some(_)) => {}
        }
    }
    flows.end(&mut exchanges, &mut tallies);
    exchanges.queue.end(|explained| exchanges.sink.exchange(explained));
    tallies.into_report(files)
}

/// The exchanges of the whole capture.
struct Exchanges<'a> {
    files: &'a [String],
    known: Known<'a>,
    count: u64,
    queue: Queue,
    sessions: smb::Sessions,
    setups: Setups,
    alive: Alive,
    passed_on: PassedOn,
    /// How many bytes of packets that are not all there all flows hold.
    held: usize,
    sink: &'a mut dyn Sink,
}

/// With more bytes held than this, long messages are not waited for until they are whole; what may be
/// a token is still searched for. Two of the longest packets.
const MOST_HELD: usize = 2 * SmbPacket::MAX_LENGTH;

impl Exchanges<'_> {
    /// An exchange is over; with SMB, its session may have begun.
    fn found(&mut self, found: FoundExchange, connection: &mut SmbIfAny, rpc: &mut RpcIfAny) {
        self.count += 1;
        let conversation = found.conversation;
        let carrier = found.carrier;
        let session = found.session;
        let is_bare = found.wrapping == Wrapping::Bare;
        let bare = found.bare.as_ref().map(|bare| (bare.lm.bytes.clone(), bare.nt.bytes.clone()));
        let (mut explained, keys) = with_keys(self.count, found, self.known);
        explained.name_files(self.files);
        self.passed_on.remember(&explained);
        match carrier {
            Some(Carrier::Smb1 | Carrier::Smb2) if explained.outcome.result == "accepted" => {
                let logon = Logon {
                    ticket: explained.id,
                    session,
                    bare,
                    is_anonymous: explained.version == Some("anonymous"),
                    unknown: keys.as_ref().err().copied().unwrap_or("no logon was seen"),
                    keys: keys.ok(),
                };
                self.queue.wait(explained);
                connection.get().accept(logon, &mut self.sessions);
            }
            Some(Carrier::Smb1 | Carrier::Smb2) => {
                let smb = connection.get().about(carrier == Some(Carrier::Smb1), is_bare);
                inspect::smb(&smb, &mut explained.findings);
                explained.smb = Some(Box::new(smb));
                self.queue.ready(explained);
            }
            Some(Carrier::Rpc)
                if rpc.0.as_mut().is_some_and(|rpc| rpc.claim(conversation, explained.id)) =>
            {
                self.queue.wait(explained);
            }
            _ => self.queue.ready(explained),
        }
    }

    /// The client proved itself to DCE/RPC: what follows is protected before the server answers.
    fn proved(&self, found: &FoundExchange, conversation: u64, rpc: &mut RpcIfAny) {
        if let (_, Ok(keys)) = with_keys(0, found.clone(), self.known) {
            rpc.get().prove(conversation, keys);
        }
    }

    fn settle(&mut self, smb: &mut SmbIfAny, rpc: &mut RpcIfAny) {
        let ended = smb.0.iter_mut().flat_map(|smb| smb.take_ended());
        ended.for_each(|ended| self.queue.finish(ended));
        if let Some(rpc) = &mut rpc.0 {
            rpc.take_ended().into_iter().for_each(|ended| self.queue.finish_rpc(ended));
            for mut channel in rpc.take_channels() {
                self.passed_on.link(&mut channel);
                self.sink.channel(channel);
            }
        }
        self.queue.drain(|explained| self.sink.exchange(explained));
    }
}

/// The flows that are under way, by their slot, which is a small number.
#[derive(Default)]
struct Flows(Vec<Option<Box<Flow>>>);

struct Flow {
    id: FlowId,
    endpoints: Endpoints,
    began: Origin,
    reader: FlowReader,
    assembler: Assembler,
    smb: SmbIfAny,
    rpc: RpcIfAny,
    has_exchange: bool,
}

// There may be `Limits::flows` of them: 65 536, all half-open, are to stay below 100 MB with the reader's own.
const _: () = assert!(size_of::<Flow>() <= 1024);

/// The sessions of a flow of SMB. Most flows are of something else, and these take some kilobytes.
#[derive(Default)]
struct SmbIfAny(Option<Box<smb::Connection>>);

impl SmbIfAny {
    fn get(&mut self) -> &mut smb::Connection {
        self.0.get_or_insert_default()
    }
}

/// The associations of a flow of DCE/RPC, or of SMB with pipes.
#[derive(Default)]
struct RpcIfAny(Option<Box<rpc::Connection>>);

impl RpcIfAny {
    fn get(&mut self) -> &mut rpc::Connection {
        self.0.get_or_insert_default()
    }
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
                endpoints: started.endpoints,
                began: started.origin,
                reader: FlowReader::default(),
                assembler: Assembler::new(started.endpoints),
                smb: SmbIfAny::default(),
                rpc: RpcIfAny::default(),
                has_exchange: false,
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
    fn end(self, exchanges: &mut Exchanges<'_>, tallies: &mut Tallies) {
        let mut rest: Vec<_> = self.0.into_iter().flatten().collect();
        rest.sort_by_key(|flow| flow.id);
        rest.into_iter().for_each(|flow| flow.end(EndReason::CaptureEnded, exchanges, tallies));
    }
}

impl Flow {
    /// Lets the carrier read on, and takes what it reports.
    fn with(
        &mut self,
        exchanges: &mut Exchanges<'_>,
        read: impl FnOnce(&mut FlowReader, &mut FlowListener<'_, '_>),
    ) {
        let Self { id, endpoints, reader, assembler, smb, rpc, has_exchange, .. } = self;
        let (flow, endpoints) = (*id, *endpoints);
        let held = reader.held();
        let mut listener =
            FlowListener { flow, endpoints, assembler, smb, rpc, has_exchange, exchanges };
        read(reader, &mut listener);
        exchanges.held = exchanges.held.saturating_sub(held).saturating_add(reader.held());
        exchanges.settle(smb, rpc);
    }

    fn end(mut self, reason: EndReason, exchanges: &mut Exchanges<'_>, tallies: &mut Tallies) {
        self.with(exchanges, |reader, listener| reader.end(listener));
        let Self { assembler, smb, rpc, has_exchange, .. } = &mut self;
        assembler.end(reason, &mut |found| {
            *has_exchange = true;
            exchanges.found(found, smb, rpc);
        });
        let is_cut_off = !matches!(reason, EndReason::Closed | EndReason::Reset);
        let ended = smb.0.iter_mut().flat_map(|smb| smb.end(is_cut_off));
        ended.for_each(|ended| exchanges.queue.finish(ended));
        if let Some(rpc) = &mut rpc.0 {
            rpc.end(is_cut_off, exchanges.known);
        }
        exchanges.settle(smb, rpc);
        self.tally(reason, tallies);
    }
}

impl Flow {
    /// What no exchange can say of the flow, now that it has ended.
    fn tally(&self, reason: EndReason, tallies: &mut Tallies) {
        let Self { endpoints, began, .. } = *self;
        let unclaimed = self.assembler.unclaimed();
        if let Some(first) = unclaimed.first {
            tallies.gaps(unclaimed.count, unclaimed.bytes, first, endpoints);
        }
        // What is encrypted from its first byte on shows no exchange in any case.
        let hides_tokens = self.reader.hides_tokens() && !endpoints.guessed;
        if reason == EndReason::Evicted {
            tallies.dropped(endpoints, began);
        } else if !self.has_exchange && !hides_tokens {
            tallies.without_exchange(endpoints, began, reason);
        }
    }
}

/// What listens to the carrier of one flow.
struct FlowListener<'f, 'k> {
    flow: FlowId,
    endpoints: Endpoints,
    assembler: &'f mut Assembler,
    smb: &'f mut SmbIfAny,
    rpc: &'f mut RpcIfAny,
    has_exchange: &'f mut bool,
    exchanges: &'f mut Exchanges<'k>,
}

impl Listener for FlowListener<'_, '_> {
    fn report(&mut self, report: Report) {
        let Self { assembler, smb, rpc, has_exchange, exchanges, .. } = self;
        let proves = match &report {
            Report::Token(token) if token.carrier == Carrier::Rpc => {
                let kind = MessageType::of(&token.bytes);
                (kind == Ok(MessageType::Authenticate)).then_some(token.conversation)
            }
            _ => None,
        };
        assembler.report(report, &mut |found| {
            **has_exchange = true;
            exchanges.found(found, smb, rpc);
        });
        if let Some(conversation) = proves
            && let Some(found) = assembler.proved(conversation)
        {
            exchanges.proved(found, conversation, rpc);
        }
    }

    fn wants_whole_packets(&self) -> bool {
        self.smb.0.as_ref().is_some_and(|smb| smb.wants_whole_packets())
            || self.exchanges.sink.wants_smb_messages()
    }

    fn may_wait(&self) -> bool {
        self.exchanges.held < MOST_HELD
    }

    fn packet(&mut self, packet: &SmbPacket<'_>) -> Option<Vec<u8>> {
        let (inside, signatures) = self.smb.get().packet(packet, &mut self.exchanges.sessions);
        let sink = &mut self.exchanges.sink;
        if sink.wants_smb_messages() && packet.is_whole() {
            sink.smb_message(&SmbMessage {
                flow: self.flow,
                endpoints: self.endpoints,
                direction: packet.direction,
                origin: packet.origin,
                bytes: inside.as_deref().unwrap_or(packet.bytes),
                was_encrypted: inside.is_some(),
                signatures,
            });
        }
        inside
    }

    fn fragment(&mut self, fragment: &RpcFragment<'_>) {
        let Exchanges { known, setups, alive, .. } = &mut *self.exchanges;
        let mut shared = Shared { known: *known, setups, alive };
        self.rpc.get().fragment(fragment, self.endpoints, &mut shared);
    }
}

/// Exchanges by what a server would pass on of them: challenge and NT response.
#[derive(Default)]
struct PassedOn {
    known: BTreeMap<String, (u64, Vec<u8>)>,
    order: VecDeque<String>,
}

impl PassedOn {
    /// More than this, and the oldest are forgotten.
    const MOST: usize = 4096;

    fn remember(&mut self, explained: &Explained) {
        let Some(challenge) = &explained.challenge_for_domain_controller else { return };
        let found = &explained.found;
        let response = match (&found.authenticate, &found.bare) {
            (Some(seen), _) => AuthenticateMessage::decode(&seen.bytes)
                .map(|message| proof(message.nt_challenge_response.bytes())),
            (None, Some(bare)) => Ok(proof(&bare.nt.bytes)),
            (None, None) => return,
        };
        let Ok(response) = response else { return };
        while self.order.len() >= Self::MOST {
            self.order.pop_front().map(|oldest| self.known.remove(&oldest));
        }
        if self.known.insert(challenge.clone(), (explained.id, response)).is_none() {
            self.order.push_back(challenge.clone());
        }
    }

    fn link(&self, channel: &mut ChannelExplained) {
        for logon in &mut channel.logons {
            let known = logon.challenge.as_ref().and_then(|challenge| self.known.get(challenge));
            let same = known.filter(|(_, proof)| *proof == logon.proof);
            logon.exchange = same.map(|(id, _)| *id);
        }
    }
}

fn slot(id: FlowId) -> Option<usize> {
    usize::try_from(id.slot()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntlm::text::CodePage;
    use ntlm_accounts::{Accounts, Format};
    use ntlm_capture::Limits;
    use std::path::Path;

    #[derive(Default)]
    struct Found {
        exchanges: Vec<Explained>,
        channels: Vec<ChannelExplained>,
    }

    impl Sink for Found {
        fn exchange(&mut self, explained: Explained) {
            self.exchanges.push(explained);
        }

        fn channel(&mut self, channel: ChannelExplained) {
            self.channels.push(channel);
        }
    }

    fn found(name: &str) -> Found {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata");
        let file = std::fs::read(folder.join("captures").join(name)).unwrap();
        let mut accounts = Accounts::new(CodePage::Cp850);
        let text = std::fs::read_to_string(folder.join("accounts.toml")).unwrap();
        accounts.add("accounts.toml", &text, Format::Toml).unwrap();
        let known = Known { accounts: &accounts, code_page: CodePage::Cp850 };
        let mut found = Found::default();
        let mut capture = Capture::new(&file[..], Limits::default());
        explain_capture(&mut capture, known, &mut found).unwrap();
        found
    }

    /// No recording has both, so the logon of one stands for what the other's server passes on.
    #[test]
    fn a_logon_passed_through_is_linked_to_its_exchange() {
        for name in ["smbclient-smb3_11-sign-ntlmv1-ess.pcap", "smbclient-nt1-noextsec-ntlmv2.pcap"]
        {
            let mut exchange = found(name).exchanges.remove(0);
            exchange.id = 7;
            let mut passed_on = PassedOn::default();
            passed_on.remember(&exchange);
            let mut channel = found("netlogon-aes-seal-tcp.pcap").channels.remove(0);
            passed_on.link(&mut channel);
            assert!(channel.logons.iter().all(|logon| logon.exchange.is_none()), "{name}");
            let nt = match (&exchange.found.authenticate, &exchange.found.bare) {
                (Some(seen), _) => {
                    let message = AuthenticateMessage::decode(&seen.bytes).unwrap();
                    message.nt_challenge_response.bytes().to_vec()
                }
                (None, bare) => bare.as_ref().unwrap().nt.bytes.clone(),
            };
            let logon = &mut channel.logons[1];
            logon.challenge = exchange.challenge_for_domain_controller.clone();
            // The same challenge alone does not do.
            passed_on.link(&mut channel);
            assert_eq!(channel.logons[1].exchange, None, "{name}");
            channel.logons[1].proof = proof(&nt);
            passed_on.link(&mut channel);
            let linked: Vec<_> = channel.logons.iter().map(|logon| logon.exchange).collect();
            assert_eq!(linked, [None, Some(7), None, None, None], "{name}");
        }
    }
}
