//! Sessions of SMB 1 on one connection (MS-CIFS 3.2.5, MS-SMB 3.2.5), as an observer sees them.

use super::{Ended, Logon, Signatures, SmbExplained};
use crate::carrier::SmbPacket;
use crate::ladder::Ladder;
use crate::tally::{Checked, Place, Tally, Unchecked};
use ntlm_smb::NtStatus;
use ntlm_smb::keys::{KeyName, Smb1KeySchedule, Smb1KeySource};
use ntlm_smb::smb1::{
    Action, Block, Blocks, Command, Flags2, Header, NegotiateRequest, NegotiateResponse,
    SequenceNumbers, SequenceRule, SessionSetupResponse, Signer,
};
use std::collections::BTreeMap;

/// The SMB 1 of one connection.
#[derive(Debug, Default)]
pub(super) struct Smb1 {
    /// The dialects that the client offered.
    offered_dialects: Vec<String>,
    dialect: Option<String>,
    sessions: BTreeMap<u16, Session>,
    /// How many sessions there have been.
    count: u64,
    signing: Option<Box<Signing>>,
    /// A session whose key is not known may have activated signing: the key is its then, whoever logs on.
    may_be_active: bool,
    /// What the signatures of the last packet came to.
    checked: Signatures,
    ended: Vec<Ended>,
}

/// A connection has one key and one counter, whoever logs on later.
#[derive(Debug)]
struct Signing {
    signer: Signer,
    numbers: SequenceNumbers,
    /// The session that activated it.
    uid: u16,
    /// `None` as long as the counter is known; else how often it may still be looked for.
    lost: Option<u32>,
    /// The counter at the last gap. Among what was lost may be a request with PID and MID of an earlier
    /// one, so what a response to one of those does not hold with may not be its number.
    at_gap: u32,
}

/// One session.
#[derive(Debug)]
struct Session {
    number: u64,
    logon: Logon,
    keys: Option<Smb1KeySchedule>,
    is_guest: bool,
    /// A tree was asked for with TREE_CONNECT_ANDX_EXTENDED_SIGNATURES.
    asks_extended_signatures: bool,
    tally: Tally,
}

/// More dialects than this are not remembered.
const MOST_DIALECTS: usize = 32;
/// More at once, and the oldest is followed no further.
const MOST_SESSIONS: usize = 256;
/// After messages were lost: how many requests may be missing, and how often this is tried.
const WINDOW: u32 = 2 * 256;
const MOST_SEARCHES: u32 = 64;
/// Longer messages, in bytes, are not searched with: each try hashes all of them.
const LONGEST_SEARCHED: usize = 1 << 16;

impl Smb1 {
    pub(super) const fn has_keys(&self) -> bool {
        self.signing.is_some()
    }

    /// The counter is not known from here on, until a signature shows it.
    pub(super) fn gap(&mut self) {
        self.may_be_active = true;
        if let Some(signing) = &mut self.signing {
            signing.lost = Some(MOST_SEARCHES);
            signing.at_gap = signing.numbers.next_request();
        }
    }

    /// A packet, or its beginning.
    pub(super) fn packet(&mut self, packet: &SmbPacket<'_>, offered: &mut Vec<Logon>) {
        let Ok(header) = Header::decode(packet.bytes) else { return };
        let place = Place { frame: packet.origin.frame, whole: packet.is_whole() };
        let succeeds = header.is_response() && header.nt_status() == Some(NtStatus::SUCCESS);
        match header.command {
            Command::NEGOTIATE if place.whole => {
                self.negotiate(&header, packet.bytes);
            }
            Command::SESSION_SETUP_ANDX if succeeds && place.whole => {
                if self.signing.is_some() {
                    self.signature(&header, packet.bytes, place);
                }
                self.established(&header, packet.bytes, place, offered);
            }
            _ => self.signature(&header, packet.bytes, place),
        }
        if place.whole {
            self.tree_connect(&header, packet.bytes);
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
        let mut uids: Vec<_> =
            self.sessions.iter().map(|(uid, session)| (session.number, *uid)).collect();
        uids.sort_unstable();
        uids.into_iter().for_each(|(_, uid)| self.end_session(uid));
    }

    /// What was negotiated, without a session.
    pub(super) fn about(&self, is_bare: bool) -> SmbExplained {
        SmbExplained {
            dialect: self.dialect.clone(),
            smb_extended_security: !is_bare,
            signing_algorithm: Some("MD5"),
            ..SmbExplained::default()
        }
    }

    fn negotiate(&mut self, header: &Header, message: &[u8]) {
        if header.is_response() {
            let index = NegotiateResponse::decode(message).map(|response| response.dialect_index());
            let index = index.map_or(usize::MAX, usize::from);
            self.dialect = self.offered_dialects.get(index).cloned();
        } else if let Ok(request) = NegotiateRequest::decode(message) {
            let text = |dialect: &[u8]| String::from_utf8_lossy(dialect).into_owned();
            self.offered_dialects = request.dialects().take(MOST_DIALECTS).map(text).collect();
        }
    }

    fn established(
        &mut self,
        header: &Header,
        message: &[u8],
        place: Place,
        offered: &mut Vec<Logon>,
    ) {
        let uid = header.uid;
        let fits = |logon: &Logon| logon.session.is_none_or(|session| session == u64::from(uid));
        let at = offered.iter().rposition(fits);
        let Some(logon) = at.map(|at| offered.remove(at)) else { return };
        self.end_session(uid);
        let action = SessionSetupResponse::decode(message).map(|response| response.action);
        let is_guest = action.is_ok_and(|action| action.contains(Action::GUEST));
        if self.sessions.len() >= MOST_SESSIONS {
            let oldest = self.sessions.iter().min_by_key(|(_, session)| session.number);
            if let Some(oldest) = oldest.map(|(uid, _)| *uid) {
                self.end_session(oldest);
            }
        }
        self.count += 1;
        let mut session = Session {
            number: self.count,
            logon,
            keys: None,
            is_guest,
            asks_extended_signatures: false,
            tally: Tally::default(),
        };
        session.derive(false);
        self.may_be_active |= self.dialect.is_none();
        if self.signing.is_none()
            && let Some((signing, checked)) = activate(header, message, &session)
        {
            let is_doubtful = self.may_be_active && matches!(checked, Checked::Invalid(_));
            let checked = match is_doubtful {
                true => Checked::Unchecked(Unchecked::NoKey),
                false => checked,
            };
            self.signing = (!is_doubtful).then(|| Box::new(signing));
            self.checked.count(&checked);
            session.tally.count(checked, place.frame);
        }
        self.may_be_active |= session.has_identity() && session.keys.is_none() && is_signed(header);
        self.sessions.insert(uid, session);
    }

    fn end_session(&mut self, uid: u16) {
        let Some(session) = self.sessions.remove(&uid) else { return };
        let unknown = session.logon.unknown;
        let keys = match &session.keys {
            Some(keys) => Ladder::of_smb(keys.steps(), &[]),
            None => Ladder::of_smb_unknown(KEYS, unknown),
        };
        let smb = SmbExplained {
            session_id: Some(format!("{uid:#06x}")),
            keys,
            signatures: session.tally.signatures,
            decrypted: session.tally.decrypted,
            unchecked: session.tally.whys(),
            unknown: session.keys.is_none().then_some(unknown),
            failures: session.tally.failures,
            ..self.about(session.logon.bare.is_some())
        };
        self.ended.push(Ended { ticket: session.logon.ticket, smb });
    }

    /// Whether the key is to be kept from applications is settled with a tree (MS-SMB 3.2.5.4).
    fn tree_connect(&mut self, header: &Header, message: &[u8]) {
        const ASKED: u16 = 0x0004;
        const GRANTED: u16 = 0x0020;
        let Some(session) = self.sessions.get_mut(&header.uid) else { return };
        let Ok(blocks) = Blocks::new(message) else { return };
        let is_tree = |block: &Block<'_>| block.command == Command::TREE_CONNECT_ANDX;
        let Some(block) = blocks.map_while(Result::ok).find(is_tree) else { return };
        // Flags of the request, OptionalSupport of the response: both behind the AndX fields.
        let word = block.words.bytes().get(4..).and_then(|rest| rest.first_chunk());
        let word = word.map_or(0, |word| u16::from_le_bytes(*word));
        if !header.is_response() {
            session.asks_extended_signatures = word & ASKED != 0;
        } else if session.asks_extended_signatures && word & GRANTED != 0 {
            session.derive(true);
        }
    }

    fn signature(&mut self, header: &Header, message: &[u8], place: Place) {
        let uid = match &self.signing {
            Some(signing) if !self.sessions.contains_key(&header.uid) => signing.uid,
            _ => header.uid,
        };
        let Some(session) = self.sessions.get_mut(&uid) else { return };
        let checked = match &mut self.signing {
            Some(signing) => signing.check(header, message, place),
            None if !session.has_identity() => None,
            None if SequenceRule::choose(header) == SequenceRule::OplockBreak => None,
            None if is_signed(header) && (session.keys.is_none() || self.may_be_active) => {
                Some(Checked::Unchecked(Unchecked::NoKey))
            }
            None => Some(Checked::Unsigned),
        };
        if let Some(checked) = checked {
            self.checked.count(&checked);
            session.tally.count(checked, place.frame);
        }
    }
}

impl Session {
    /// Whether it is for an account.
    fn has_identity(&self) -> bool {
        !self.is_guest && !self.logon.is_anonymous
    }

    fn derive(&mut self, extended_signatures: bool) {
        let source = if self.is_guest {
            Some(Smb1KeySource::Guest)
        } else if self.logon.is_anonymous {
            Some(Smb1KeySource::Anonymous)
        } else {
            self.logon.smb1_source()
        };
        self.keys = source.map(|source| Smb1KeySchedule::derive(&source, extended_signatures));
    }
}

impl Signing {
    /// `None` where no signature is expected.
    fn check(&mut self, header: &Header, message: &[u8], place: Place) -> Option<Checked> {
        let rule = SequenceRule::choose(header);
        if rule == SequenceRule::OplockBreak {
            return None;
        }
        let number = self.numbers.number(header);
        if !place.whole {
            return Some(Checked::Unchecked(Unchecked::NotWhole));
        }
        if number.is_some_and(|number| self.signer.verify(message, number).is_ok()) {
            if rule != SequenceRule::Response {
                self.lost = None;
            }
            return Some(Checked::Valid);
        }
        let checked = match (self.lost, number) {
            (None, Some(number)) if rule != SequenceRule::Response || number > self.at_gap => {
                Checked::Invalid(does_not_hold(header, number))
            }
            (Some(1..), _) if self.find(header, message, rule, number) => Checked::Valid,
            _ => Checked::Unchecked(Unchecked::SequenceNumber),
        };
        Some(checked)
    }

    /// Looks for the number of a message behind a gap, and goes on from it.
    fn find(
        &mut self,
        header: &Header,
        message: &[u8],
        rule: SequenceRule,
        expected: Option<u32>,
    ) -> bool {
        if message.len() > LONGEST_SEARCHED {
            return false;
        }
        self.lost = self.lost.map(|searches| searches.saturating_sub(1));
        let is_response = rule == SequenceRule::Response;
        let next = expected.filter(|_| !is_response).unwrap_or(self.numbers.next_request());
        let from = if is_response { next.saturating_sub(WINDOW) } else { next };
        let found = self.signer.verify_any(message, from..=next.saturating_add(WINDOW));
        if let Ok(verified) = &found
            && !is_response
        {
            self.numbers.resume(header, verified.sequence_number());
            self.lost = None;
        }
        found.is_ok()
    }
}

fn does_not_hold(header: &Header, number: u32) -> String {
    let none = if is_signed(header) { "" } else { ": there is none" };
    let name = name(header);
    format!(
        "the signature of {name} does not hold with the MAC key and sequence number {number}{none}"
    )
}

/// Whether the response that may activate signing does.
fn activate(header: &Header, message: &[u8], session: &Session) -> Option<(Signing, Checked)> {
    let mac_key = session.keys.as_ref()?.mac_key()?;
    let signer = Signer::new(mac_key);
    let number = SequenceRule::ACTIVATING_RESPONSE;
    let checked = match signer.verify(message, number) {
        Ok(_) => Checked::Valid,
        Err(_) if is_signed(header) => Checked::Invalid(does_not_hold(header, number)),
        Err(_) => return None,
    };
    let numbers = SequenceNumbers::activated();
    Some((Signing { signer, numbers, uid: header.uid, lost: None, at_gap: 0 }, checked))
}

/// Whether there is something in the place of the signature that looks like one.
fn is_signed(header: &Header) -> bool {
    header.flags2.contains(Flags2::SECURITY_SIGNATURE)
        && header.security_signature != [0; 8]
        && !header.has_placeholder()
}

const KEYS: &[KeyName] = &[KeyName::SessionKey, KeyName::MacKey, KeyName::ApplicationKey];

/// `READ_ANDX response (MID 7)`.
fn name(header: &Header) -> String {
    let what = if header.is_response() { "response" } else { "request" };
    format!("{} {what} (MID {})", header.command, header.mid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ntlm::flags::NegotiateFlags;
    use ntlm::keys::{
        Derivation, ExportedSessionKey, KeyExchange, KeySchedule, KeySource, NtlmVersion,
        RandomSessionKey,
    };
    use ntlm_capture::{Direction, Origin};
    use ntlm_smb::keys::MacKey;
    use ntlm_smb::smb1::Flags;

    fn header(is_response: bool, mid: u16) -> Header {
        Header {
            command: Command::ECHO,
            status: 0,
            flags: if is_response { Flags::REPLY } else { Flags::empty() },
            flags2: Flags2::SECURITY_SIGNATURE | Flags2::NT_STATUS,
            pid_high: 0,
            security_signature: [0; 8],
            reserved: 0,
            tid: 1,
            pid_low: 2,
            uid: 3,
            mid,
        }
    }

    fn signed(header: &Header, number: u32) -> Vec<u8> {
        let mut message = [&header.encode()[..], &[0, 0, 0]].concat();
        Signer::new(&MacKey::new(b"key")).sign(&mut message, number).unwrap();
        message
    }

    fn signing() -> Signing {
        let (signer, numbers) = (Signer::new(&MacKey::new(b"key")), SequenceNumbers::activated());
        Signing { signer, numbers, uid: 3, lost: None, at_gap: 0 }
    }

    const PLACE: Place = Place { frame: 1, whole: true };

    #[test]
    fn a_response_to_a_request_in_a_gap_is_never_called_wrong() {
        let mut smb1 = Smb1 { signing: Some(Box::new(signing())), ..Smb1::default() };
        let check = |smb1: &mut Smb1, header: &Header, number| {
            let message = signed(header, number);
            let header = Header::decode(&message).unwrap();
            smb1.signing.as_mut().unwrap().check(&header, &message, PLACE)
        };
        let (request, response) = (|mid| header(false, mid), |mid| header(true, mid));
        assert!(matches!(check(&mut smb1, &request(5), 2), Some(Checked::Valid)));
        assert!(matches!(check(&mut smb1, &response(5), 3), Some(Checked::Valid)));
        assert!(matches!(check(&mut smb1, &response(5), 5), Some(Checked::Invalid(_))));
        // Request 4, with the MID of the one before, is lost.
        smb1.gap();
        assert!(matches!(check(&mut smb1, &request(6), 6), Some(Checked::Valid)));
        assert!(matches!(check(&mut smb1, &response(5), 5), Some(Checked::Unchecked(_))));
        assert!(matches!(check(&mut smb1, &response(6), 9), Some(Checked::Invalid(_))));
        assert!(matches!(check(&mut smb1, &response(6), 7), Some(Checked::Valid)));
    }

    fn logon(uid: u16, key: Option<u8>) -> Logon {
        let flags = NegotiateFlags::empty();
        let keys = |key| {
            KeySchedule::derive(Derivation {
                negotiate_flags: flags,
                server_challenge: [0; 8],
                lm_challenge_response: &[],
                source: KeySource::ExportedSessionKey {
                    version: NtlmVersion::Ntlmv2,
                    exported_session_key: ExportedSessionKey::new([key; 16]),
                },
                key_exchange: KeyExchange::drawn(flags, RandomSessionKey::new([0; 16])),
            })
        };
        Logon {
            ticket: u64::from(uid),
            session: Some(u64::from(uid)),
            keys: key.map(keys),
            bare: None,
            is_anonymous: false,
            unknown: "",
        }
    }

    /// SESSION_SETUP_ANDX succeeds for a session whose key is known, or not, signed with any key.
    fn set_up(smb1: &mut Smb1, uid: u16, key: Option<u8>, signed_by: (u8, u32)) {
        let header = Header { command: Command::SESSION_SETUP_ANDX, uid, ..header(true, uid) };
        let mut message = [&header.encode()[..], &[4], &[0; 8], &[0, 0]].concat();
        let (signing_key, number) = signed_by;
        let signer = Signer::new(&MacKey::new(&[signing_key; 16]));
        signer.sign(&mut message, number).unwrap();
        let origin = Origin { frame: 1, file: 0, frame_in_file: 1, time: None };
        let packet = SmbPacket {
            direction: Direction::ServerToClient,
            bytes: &message,
            length: message.len(),
            origin,
        };
        smb1.packet(&packet, &mut vec![logon(uid, key)]);
    }

    #[test]
    fn the_key_is_that_of_the_session_which_activated_signing() {
        let checked = |smb1: &mut Smb1| {
            let Signatures { valid, invalid, unchecked, .. } = smb1.take_checked();
            (valid, invalid, unchecked)
        };
        let connection = || Smb1 { dialect: Some("NT LM 0.12".to_owned()), ..Smb1::default() };
        let mut smb1 = connection();
        set_up(&mut smb1, 1, Some(7), (7, 1));
        assert_eq!(checked(&mut smb1), (1, 0, 0));
        // With a key that is not the session's, nothing holds.
        let mut smb1 = connection();
        set_up(&mut smb1, 1, Some(7), (8, 1));
        assert_eq!(checked(&mut smb1), (0, 1, 0));
        // But the key may be that of an earlier session, which is not known,
        let mut smb1 = connection();
        set_up(&mut smb1, 1, None, (8, 1));
        set_up(&mut smb1, 2, Some(7), (8, 5));
        assert_eq!(checked(&mut smb1), (0, 0, 1));
        assert!(!smb1.has_keys());
        // or was not seen.
        let mut smb1 = Smb1::default();
        set_up(&mut smb1, 2, Some(7), (8, 5));
        assert_eq!(checked(&mut smb1), (0, 0, 1));
        let mut smb1 = connection();
        smb1.gap();
        set_up(&mut smb1, 2, Some(7), (8, 5));
        assert_eq!(checked(&mut smb1), (0, 0, 1));
        set_up(&mut smb1, 3, Some(7), (7, 1));
        assert_eq!(checked(&mut smb1), (1, 0, 0));
    }
}
