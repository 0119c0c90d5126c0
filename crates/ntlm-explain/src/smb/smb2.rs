//! Sessions of SMB 2 and 3 on one connection (MS-SMB2 3.2.5, 3.3.5), as an observer sees them.

use super::session::{Chain, Negotiated, Session, about, session_id_text};
use super::{Ended, Logon, Purpose, Sessions, Signatures, SmbExplained};
use crate::carrier::SmbPacket;
use crate::tally::{Checked, Place, Unchecked};
use ntlm::keys::Direction;
use ntlm_smb::smb2::{
    Capabilities, Command, Compound, Header, HeaderFlags, NegotiateRequest, NegotiateResponse,
    SessionFlags, SessionSetupFlags, SessionSetupRequest, SessionSetupResponse, TransformHeader,
};
use ntlm_smb::{Identity, NtStatus, ProtocolId, SessionPhase, SignatureRule, Signed};
use std::collections::BTreeMap;

/// The SMB 2 or 3 of one connection.
#[derive(Debug, Default)]
pub(super) struct Smb2 {
    client_capabilities: Capabilities,
    negotiated: Option<Negotiated>,
    /// The hash of the NEGOTIATE request, until its response comes.
    negotiating: Option<Chain>,
    /// The hash of NEGOTIATE; `None` until both its messages were seen, in this order.
    hash: Option<Chain>,
    /// Requests of session setup without a response yet, by MessageId.
    setups: BTreeMap<u64, Setup>,
    /// The hash of a session setup under way, by SessionId; `None` if a message of it is missing.
    chains: BTreeMap<u64, Option<Chain>>,
    sessions: BTreeMap<u64, Box<Session>>,
    /// How many sessions there have been.
    count: u64,
    /// The connection's client is the flow's server.
    is_reversed: bool,
    /// What the signatures of the last packet came to.
    checked: Signatures,
    ended: Vec<Ended>,
}

#[derive(Clone, Debug)]
struct Setup {
    hash: Option<Chain>,
    is_binding: bool,
}

/// More than this at once, and the oldest is followed no further.
const MOST_SESSIONS: usize = 256;
/// More sessions than this do not wait for a logon. Those of other mechanisms never get one.
const MOST_UNCLAIMED: usize = 8;
/// In no more sessions than this, the key of a signature that does not hold is looked for.
const MOST_OTHERS: usize = 16;
/// More than this at once, and the oldest is forgotten.
const MOST_SETUPS: usize = 256;

impl Smb2 {
    pub(super) fn has_keys(&self) -> bool {
        self.sessions.values().any(|session| session.has_keys())
    }

    /// What was being made has messages missing now.
    pub(super) fn gap(&mut self) {
        self.setups.values_mut().for_each(|setup| setup.hash = None);
        self.chains.values_mut().for_each(|hash| *hash = None);
        self.negotiating = None;
    }

    /// Takes a logon whose session stands already: its last message was seen before, or the session
    /// authenticates again. Hands back any other.
    pub(super) fn take_late(&mut self, logon: Logon, sessions: &mut Sessions) -> Option<Logon> {
        let Some(session_id) = logon.session else { return Some(logon) };
        let negotiated = self.negotiated;
        let Some(session) = self.sessions.get_mut(&session_id) else { return Some(logon) };
        if session.phase != SessionPhase::Established {
            return Some(logon);
        }
        if session.ticket.is_none() {
            session.take(logon, negotiated, session_id, sessions);
        } else {
            self.authenticated_again(session_id, logon.ticket);
        }
        None
    }

    /// A packet, or its beginning.
    pub(super) fn packet(
        &mut self,
        packet: &SmbPacket<'_>,
        offered: &mut Vec<Logon>,
        sessions: &mut Sessions,
    ) {
        let place = Place { frame: packet.origin.frame, whole: packet.is_whole() };
        if let Ok(header) = Header::decode(packet.bytes) {
            let to_client = packet.direction == ntlm_capture::Direction::ServerToClient;
            self.is_reversed = header.is_response() != to_client;
        }
        self.messages(packet.bytes, None, place, offered, sessions);
    }

    /// An encrypted packet. Returns what is in it.
    pub(super) fn transform(
        &mut self,
        packet: &SmbPacket<'_>,
        offered: &mut Vec<Logon>,
        sessions: &mut Sessions,
    ) -> Option<Vec<u8>> {
        let header = TransformHeader::decode(packet.bytes).ok()?;
        let session = self.sessions.get_mut(&header.session_id)?;
        let to_client = packet.direction == ntlm_capture::Direction::ServerToClient;
        let direction = match to_client != self.is_reversed {
            true => Direction::ServerToClient,
            false => Direction::ClientToServer,
        };
        let frame = packet.origin.frame;
        let keyed = session.joined.clone().or_else(|| session.keyed.clone());
        let Some(cipher) = keyed.as_deref().and_then(|keyed| keyed.cipher(direction)) else {
            session.tally.unopened(Unchecked::NoKey);
            return None;
        };
        if !packet.is_whole() {
            session.tally.unopened(Unchecked::NotWhole);
            return None;
        }
        let mut inside = packet.bytes.to_vec();
        match cipher.decrypt(&mut inside) {
            Ok(decrypted) => {
                session.tally.decrypted.ok += 1;
                if let Some(defect) = decrypted.defect() {
                    session.tally.fail(frame, format!("the encrypted packet opens, but {defect}"));
                }
            }
            Err(error) => {
                let key = match direction {
                    Direction::ClientToServer => "client-to-server",
                    Direction::ServerToClient => "server-to-client",
                };
                let name = cipher.cipher().name();
                let text = format!(
                    "an encrypted packet does not open under the {key} key ({name}): {error}"
                );
                session.tally.unopenable(frame, text);
                return None;
            }
        }
        inside.drain(..TransformHeader::LENGTH.min(inside.len()));
        if ProtocolId::of(&inside) == Some(ProtocolId::Smb2) {
            let place = Place { frame, whole: true };
            self.messages(&inside, Some(header.session_id), place, offered, sessions);
        }
        Some(inside)
    }

    /// A compressed packet, which says nothing of its session.
    pub(super) fn compressed(&mut self) {
        if let Some(session) = self.sessions.values_mut().max_by_key(|session| session.number) {
            let checked = Checked::Unchecked(Unchecked::Compressed);
            self.checked.count(&checked);
            session.tally.count(checked, 0);
        }
    }

    /// What the signatures of the last packet came to.
    pub(super) fn take_checked(&mut self) -> Signatures {
        std::mem::take(&mut self.checked)
    }

    pub(super) fn take_ended(&mut self) -> Vec<Ended> {
        std::mem::take(&mut self.ended)
    }

    pub(super) fn end(&mut self) {
        let mut sessions: Vec<_> = std::mem::take(&mut self.sessions).into_iter().collect();
        sessions.sort_by_key(|(_, session)| session.number);
        for (session_id, session) in sessions {
            self.ended.extend(session.end(self.negotiated, session_id));
        }
    }

    /// What was negotiated, without a session.
    pub(super) fn about(&self) -> SmbExplained {
        about(self.negotiated)
    }

    /// The messages of a packet; `encrypted_for` is the session whose key opened it.
    fn messages(
        &mut self,
        packet: &[u8],
        encrypted_for: Option<u64>,
        place: Place,
        offered: &mut Vec<Logon>,
        sessions: &mut Sessions,
    ) {
        let mut before = encrypted_for.unwrap_or_default();
        for message in Compound::new(packet).map_while(Result::ok) {
            let mut header = message.header;
            let is_related = header.flags.contains(HeaderFlags::RELATED_OPERATIONS);
            if is_related && header.session_id == u64::MAX {
                header.session_id = before;
            }
            before = header.session_id;
            match header.command {
                Command::NEGOTIATE if place.whole => {
                    self.negotiate(&header, message.bytes, place.frame);
                }
                Command::SESSION_SETUP if place.whole => {
                    let message = (message.bytes, place.frame);
                    self.session_setup(&header, message, offered, sessions);
                }
                _ => {}
            }
            self.signature(&header, message.bytes, encrypted_for.is_some(), place);
            let succeeds = header.is_response() && header.status == NtStatus::SUCCESS;
            match header.command {
                Command::SESSION_SETUP if succeeds => {
                    if let Some(session) = self.sessions.get_mut(&header.session_id) {
                        session.phase = SessionPhase::Established;
                    }
                }
                Command::LOGOFF if succeeds => self.end_session(header.session_id),
                _ => {}
            }
        }
    }

    fn negotiate(&mut self, header: &Header, message: &[u8], frame: u64) {
        if !header.is_response() {
            if let Ok(request) = NegotiateRequest::decode(message) {
                self.client_capabilities = request.capabilities;
                self.negotiating = Some(Chain::default().after(message, frame));
            }
            return;
        }
        let Ok(response) = NegotiateResponse::decode(message) else { return };
        // 0x02ff answers an SMB1 negotiate and asks for a second one.
        let Some((dialect, signing_algorithm)) =
            response.dialect().zip(response.signing_algorithm())
        else {
            return;
        };
        self.negotiated = Some(Negotiated {
            dialect,
            signing_algorithm,
            cipher: response.cipher(self.client_capabilities),
            server_guid: response.server_guid,
        });
        self.hash = self.negotiating.take().map(|hash| hash.after(message, frame));
    }

    fn session_setup(
        &mut self,
        header: &Header,
        (message, frame): (&[u8], u64),
        offered: &mut Vec<Logon>,
        sessions: &mut Sessions,
    ) {
        let session_id = header.session_id;
        let session = self.sessions.get(&session_id);
        let stands = session.is_some_and(|session| session.phase == SessionPhase::Established);
        if !header.is_response() {
            if !stands {
                self.setup_request(header, (message, frame), sessions);
            }
            return;
        }
        if header.is_interim() {
            return;
        }
        let setup = self.setups.remove(&header.message_id);
        // A request is remembered unless its session stands: this one named none, or one that did not.
        if stands && setup.is_none() {
            if header.status == NtStatus::SUCCESS
                && let Some(logon) = take_offered(offered, session_id)
            {
                self.authenticated_again(session_id, logon.ticket);
            }
            return;
        }
        let is_binding = setup.as_ref().is_some_and(|setup| setup.is_binding);
        let hash = setup.and_then(|setup| setup.hash);
        match header.status {
            NtStatus::MORE_PROCESSING_REQUIRED => {
                if stands {
                    // The server gives the SessionId anew; that its session is over was not seen.
                    self.end_session(session_id);
                }
                let hash = hash.map(|hash| hash.after(message, frame));
                bounded(&mut self.chains, MOST_SETUPS);
                self.chains.insert(session_id, hash);
            }
            NtStatus::SUCCESS => {
                let logon = take_offered(offered, session_id);
                self.established(session_id, message, hash, is_binding, logon, sessions);
            }
            _ => {
                self.sessions.remove(&session_id);
            }
        }
    }

    fn setup_request(
        &mut self,
        header: &Header,
        (message, frame): (&[u8], u64),
        sessions: &Sessions,
    ) {
        let session_id = header.session_id;
        let request = SessionSetupRequest::decode(message);
        let is_binding =
            request.is_ok_and(|request| request.flags.contains(SessionSetupFlags::BINDING));
        let before = match self.chains.remove(&session_id) {
            Some(before) => before,
            None if session_id == 0 => self.hash.clone(),
            // Behind the first request of a binding, a response is missing.
            None if is_binding && !self.sessions.contains_key(&session_id) => self.hash.clone(),
            None => None,
        };
        let hash = before.map(|before| before.after(message, frame));
        bounded(&mut self.setups, MOST_SETUPS);
        self.setups.insert(header.message_id, Setup { hash, is_binding });
        if is_binding && !self.sessions.contains_key(&session_id) {
            let server_guid = self.negotiated.map(|negotiated| negotiated.server_guid);
            let joined = server_guid.and_then(|guid| sessions.get(guid, session_id));
            let session = self.new_session(session_id);
            session.phase = SessionPhase::BeingBound;
            session.purpose = Purpose::Binding;
            session.joined = joined;
        }
    }

    fn established(
        &mut self,
        session_id: u64,
        message: &[u8],
        hash: Option<Chain>,
        is_binding: bool,
        logon: Option<Logon>,
        sessions: &mut Sessions,
    ) {
        let flags = SessionSetupResponse::decode(message).map(|response| response.session_flags);
        let flags = flags.unwrap_or_default();
        let negotiated = self.negotiated;
        if !is_binding || !self.sessions.contains_key(&session_id) {
            self.new_session(session_id);
        }
        let Some(session) = self.sessions.get_mut(&session_id) else { return };
        session.hash = hash;
        session.identity = if flags.contains(SessionFlags::IS_GUEST) {
            Identity::Guest
        } else if flags.contains(SessionFlags::IS_NULL) {
            Identity::Anonymous
        } else {
            Identity::Account
        };
        if let Some(logon) = logon {
            session.take(logon, negotiated, session_id, sessions);
        }
    }

    fn new_session(&mut self, session_id: u64) -> &mut Session {
        self.end_session(session_id);
        self.make_room(MOST_SESSIONS, |_| true);
        self.make_room(MOST_UNCLAIMED, |session| session.ticket.is_none());
        self.count += 1;
        let number = self.count;
        self.sessions.entry(session_id).or_insert_with(|| Box::new(Session::new(number)))
    }

    /// Follows the oldest session of a kind no further if there are as many as there may be.
    fn make_room(&mut self, most: usize, kind: impl Fn(&Session) -> bool) {
        let of_kind = || self.sessions.iter().filter(|(_, session)| kind(session));
        if self.sessions.len() < most || of_kind().count() < most {
            return;
        }
        let oldest = of_kind().min_by_key(|(_, session)| session.number);
        if let Some(oldest) = oldest.map(|(session_id, _)| *session_id) {
            self.end_session(oldest);
        }
    }

    fn end_session(&mut self, session_id: u64) {
        if let Some(session) = self.sessions.remove(&session_id) {
            self.ended.extend(session.end(self.negotiated, session_id));
        }
    }

    fn authenticated_again(&mut self, session_id: u64, ticket: u64) {
        let smb = SmbExplained {
            session_id: Some(session_id_text(session_id)),
            purpose: Purpose::Reauthentication,
            ..about(self.negotiated)
        };
        self.ended.push(Ended { ticket, smb });
    }

    fn signature(&mut self, header: &Header, message: &[u8], encrypted: bool, place: Place) {
        let checked = self.check(header, message, encrypted, place);
        if let Some((session, checked)) = self.sessions.get_mut(&header.session_id).zip(checked) {
            self.checked.count(&checked);
            session.tally.count(checked, place.frame);
        }
    }

    /// `None` where no signature is expected.
    fn check(
        &self,
        header: &Header,
        message: &[u8],
        encrypted: bool,
        place: Place,
    ) -> Option<Checked> {
        let session = self.sessions.get(&header.session_id)?;
        let rule = SignatureRule::choose(header, encrypted, session.phase, session.identity);
        let doc = rule.doc();
        let Some(key) = doc.key else {
            let is_odd = rule == SignatureRule::NoKey && header.is_signed();
            return is_odd.then(|| session.signed_without_key(message, place));
        };
        if !header.is_signed() {
            return Some(match doc.signed {
                // Whose session it is may not be known: then it may be nobody's, which is not signed.
                Signed::Always if session.ticket.is_none() => Checked::Unsigned,
                Signed::Always => {
                    Checked::Invalid(format!("{} is not signed, though it has to be", name(header)))
                }
                Signed::IfRequired | Signed::Never => Checked::Unsigned,
            });
        }
        let keyed = match rule {
            SignatureRule::Binding => session.joined.as_deref(),
            _ => session.keyed.as_deref(),
        };
        let Some(signer) = keyed.and_then(|keyed| keyed.signer.as_ref()) else {
            return Some(Checked::Unchecked(Unchecked::NoKey));
        };
        if !place.whole {
            return Some(Checked::Unchecked(Unchecked::NotWhole));
        }
        if signer.verify(message).is_ok() {
            return Some(Checked::Valid);
        }
        let (name, algorithm) = (name(header), signer.algorithm().name());
        let known = match header.signature.iter().all(|byte| *byte == 0) {
            true => ": it is zero".to_owned(),
            false if session.tally.is_full() => String::new(),
            false => self.other_key(header.session_id, message),
        };
        Some(Checked::Invalid(format!(
            "the signature of {name} does not hold under {key} ({algorithm}){known}"
        )))
    }

    /// Whether a signature that does not hold is one of another session on this connection.
    fn other_key(&self, session_id: u64, message: &[u8]) -> String {
        let others = self.sessions.iter().filter(|(other, _)| **other != session_id);
        let holds = |session: &Session| {
            let signer = session.keyed.as_deref().and_then(|keyed| keyed.signer.as_ref());
            signer.is_some_and(|signer| signer.verify(message).is_ok())
        };
        match others.take(MOST_OTHERS).find(|(_, session)| holds(session)) {
            Some((other, _)) => format!(": it is one of session {}", session_id_text(*other)),
            None => String::new(),
        }
    }
}

/// The logon that was accepted for this session.
fn take_offered(offered: &mut Vec<Logon>, session_id: u64) -> Option<Logon> {
    let fits = |logon: &Logon| logon.session.is_none_or(|session| session == session_id);
    let at = offered.iter().rposition(fits)?;
    Some(offered.remove(at))
}

/// Makes room for one more.
fn bounded<T>(map: &mut BTreeMap<u64, T>, most: usize) {
    if map.len() >= most {
        map.pop_first();
    }
}

/// `READ response (MessageId 7)`.
fn name(header: &Header) -> String {
    let what = if header.is_response() { "response" } else { "request" };
    format!("{} {what} (MessageId {})", header.command, header.message_id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntlm_capture::Origin;

    /// The messages of a recording, each with its direction. Each is a frame of its own there.
    fn recorded(name: &str) -> Vec<(ntlm_capture::Direction, Vec<u8>)> {
        let message = |packet: ntlm_traffic::pcap::Packet| {
            let at = packet.bytes.windows(4).position(|mark| mark == b"\xfeSMB")?;
            let bytes = packet.bytes[at..].to_vec();
            let direction = match Header::decode(&bytes).ok()?.is_response() {
                true => ntlm_capture::Direction::ServerToClient,
                false => ntlm_capture::Direction::ClientToServer,
            };
            Some((direction, bytes))
        };
        let packets = ntlm_traffic::Recorded::named(name).unwrap().packets().unwrap();
        packets.into_iter().filter_map(message).collect()
    }

    fn see(smb2: &mut Smb2, (direction, bytes): &(ntlm_capture::Direction, Vec<u8>)) {
        let origin = Origin { frame: 1, file: 0, frame_in_file: 1, time: None };
        let packet = SmbPacket { direction: *direction, bytes, length: bytes.len(), origin };
        smb2.packet(&packet, &mut Vec::new(), &mut Sessions::default());
    }

    /// The only session: which one it is, and its hash.
    fn session(smb2: &Smb2) -> (u64, Option<[u8; 64]>) {
        let session = smb2.sessions.values().next().unwrap();
        (session.number, session.hash.as_ref().map(|chain| *chain.hash.as_bytes()))
    }

    const NAME: &str = "smbclient-smb3_11-sign-ntlmv2";

    #[test]
    fn the_hash_of_negotiate_needs_both_its_messages_in_order() {
        let messages = recorded(NAME);
        let mut in_order = Smb2::default();
        messages[..6].iter().for_each(|message| see(&mut in_order, message));
        assert!(session(&in_order).1.is_some());
        let orders: [&[usize]; 4] =
            [&[1, 0, 2, 3, 4, 5], &[0, 2, 1, 3, 4, 5], &[0, 2, 3, 4, 5], &[1, 2, 3, 4, 5]];
        for order in orders {
            let mut smb2 = Smb2::default();
            order.iter().for_each(|at| see(&mut smb2, &messages[*at]));
            assert_eq!(session(&smb2).1, None, "{order:?}");
        }
    }

    #[test]
    fn a_session_id_that_is_given_anew_begins_a_new_session() {
        let messages = recorded(NAME);
        let mut smb2 = Smb2::default();
        messages[..6].iter().for_each(|message| see(&mut smb2, message));
        let (number, hash) = session(&smb2);
        // The same SESSION_SETUP as before: LOGOFF is not among what was captured.
        messages[2..6].iter().for_each(|message| see(&mut smb2, message));
        assert_eq!(session(&smb2), (number + 1, hash));
        // In the session that stands, it authenticates again.
        messages[4..6].iter().for_each(|message| see(&mut smb2, message));
        assert_eq!(session(&smb2), (number + 1, hash));
    }

    #[test]
    fn few_sessions_wait_for_a_logon() {
        let messages = recorded(NAME);
        let mut smb2 = Smb2::default();
        let (direction, last) = &messages[5];
        for session_id in 1..2000_u64 {
            let mut bytes = last.clone();
            bytes[40..48].copy_from_slice(&session_id.to_le_bytes());
            see(&mut smb2, &(*direction, bytes));
        }
        assert_eq!(smb2.sessions.len(), MOST_UNCLAIMED);
        assert!(smb2.sessions.contains_key(&1999));
    }
}
