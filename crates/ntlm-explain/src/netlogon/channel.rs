//! One association that a secure channel protects: which key it is, what its signatures come to, and
//! the logons in it (MS-NRPC 3.1.4.3, 3.1.4.4, 3.3.4.2).

use super::calls::{Heard, Question};
use super::key::{Missing, Wanted};
use super::numbers::{Numbers, Place};
use super::setups::{Challenges, Setup, Setups};
use super::{ChannelExplained, LogonExplained};
use crate::explained::Verdict;
use crate::finding::{FindingCode, Findings};
use crate::inspect;
use crate::known::Known;
use crate::ladder::{Ladder, hex};
use crate::rpc::level_text;
use crate::tally::{Checked, Tally, Unchecked};
use ntlm::keys::Direction;
use ntlm::text::{Charset, Utf16String};
use ntlm_netlogon::calls::SecureChannelType;
use ntlm_netlogon::keys::{Algorithms, ChannelKeys};
use ntlm_netlogon::pdu::{AuthLevel, Header, Layout};
use ntlm_netlogon::protect::{
    Coverage, NetlogonError, NetlogonProtection, ProtectError, SecurityContext,
};
use std::net::SocketAddr;
use std::sync::Arc;

/// Both ends of an association.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
}

/// One association.
#[derive(Debug)]
pub(crate) struct Channel {
    ends: Ends,
    context: SecurityContext,
    /// Whether the server took the bind.
    is_bound: bool,
    header_signing: bool,
    domain: Utf16String,
    computer: Utf16String,
    frames: Vec<u64>,
    setup: Option<Arc<Setup>>,
    /// Those that the key is made of, or may be.
    challenges: Option<Challenges>,
    /// Whether a key was looked for.
    is_settled: bool,
    keyed: Option<Keyed>,
    keys: Ladder,
    credentials: [Verdict; 2],
    numbers: Numbers,
    /// Whether fragments were found to be missing since this was last asked.
    has_lost: bool,
    gap: Option<u64>,
    unsealed: u64,
    /// Signatures that do not hold while none does: the key may be that of another channel.
    suspects: Vec<(u64, String)>,
    more_suspects: u64,
    logons: Vec<LogonExplained>,
    /// About how many bytes they take.
    size: usize,
    more_logons: u64,
    tally: Tally,
    findings: Findings,
}

#[derive(Debug)]
struct Keyed {
    keys: ChannelKeys,
    protection: NetlogonProtection,
}

/// More signatures than this are counted only.
const MOST_SUSPECTS: usize = 64;
/// More logons of one association than this are counted only.
const MOST_LOGONS: usize = 1024;
/// More bytes of them are not kept.
const MOST_OF_LOGONS: usize = 1 << 20;

impl Channel {
    /// The client binds with this token, NL_AUTH_MESSAGE.
    pub(crate) fn new(
        context: SecurityContext,
        token: &[u8],
        ends: Ends,
        frame: u64,
        known: Known<'_>,
    ) -> Self {
        let (domain, computer) = names(token);
        let charset = Charset::Oem(known.code_page);
        let text = |bytes| charset.decode(bytes).unwrap_or_default();
        Self {
            ends,
            context,
            is_bound: false,
            header_signing: false,
            domain: text(domain),
            computer: text(computer),
            frames: vec![frame],
            setup: None,
            challenges: None,
            is_settled: false,
            keyed: None,
            keys: Ladder::of_channel_unknown("no fragment was protected"),
            credentials: [Verdict::Unchecked; 2],
            numbers: Numbers::default(),
            has_lost: false,
            gap: None,
            unsealed: 0,
            suspects: Vec::new(),
            more_suspects: 0,
            logons: Vec::new(),
            size: 0,
            more_logons: 0,
            tally: Tally::default(),
            findings: Findings::default(),
        }
    }

    /// The server takes the bind.
    pub(crate) fn bound(&mut self, header_signing: bool, frame: u64) {
        self.is_bound = true;
        self.header_signing = header_signing;
        self.frames.push(frame);
    }

    /// Fragments may be missing before a frame.
    pub(crate) fn gap(&mut self, frame: u64) {
        self.gap.get_or_insert(frame);
    }

    /// A request, response or fault, which is unsealed in place. Whether its stub can be read.
    pub(crate) fn fragment(
        &mut self,
        direction: Direction,
        bytes: &mut [u8],
        is_whole: bool,
        frame: u64,
        known: Known<'_>,
        setups: &Setups,
    ) -> bool {
        let header = Header::decode(bytes).ok();
        let layout = header.as_ref().and_then(Layout::of);
        let Some(layout) = layout else {
            // Where the server did not take the bind, nothing has to be signed.
            let checked = match self.is_bound {
                true => {
                    Checked::Invalid(format!("{} has no verifier", inspect::fragment_name(bytes)))
                }
                false => Checked::Unsigned,
            };
            self.tally.count(checked, frame);
            return false;
        };
        if !self.is_settled {
            let token = bytes.get(layout.auth_value).unwrap_or_default();
            // What is set up later is of channels that begin later.
            let bind = self.frames.first().copied().unwrap_or(frame);
            self.setup = setups.get(self.ends.server.ip(), &self.computer, bind);
            self.settle(algorithms_of(token), known);
        }
        let is_sealed = self.context.auth_level == AuthLevel::PKT_PRIVACY;
        let Some(keyed) = self.keyed.as_ref().filter(|_| is_whole) else {
            let why = if is_whole { Unchecked::NoKey } else { Unchecked::NotWhole };
            self.tally.count(Checked::Unchecked(why), frame);
            return is_whole && !is_sealed;
        };
        match keyed.protection.observe(direction, bytes) {
            Ok(number) => {
                self.is_bound = true;
                self.confirm();
                match self.numbers.take(number) {
                    Place::Taken(due) => {
                        let name = inspect::fragment_name(bytes);
                        let text =
                            format!("{name} has sequence number {number} where {due} is due");
                        self.tally.count(Checked::Invalid(text), frame);
                        return false;
                    }
                    Place::Ahead => {
                        self.gap(frame);
                        self.has_lost = true;
                    }
                    Place::Expected => {}
                }
                self.unsealed += u64::from(is_sealed);
                self.tally.count(Checked::Valid, frame);
                true
            }
            Err(error) => {
                let name = inspect::fragment_name(bytes);
                self.numbers.skip();
                let why = match error {
                    ProtectError::Netlogon(
                        NetlogonError::DoesNotHold | NetlogonError::OutOfSequence,
                    ) => " under SessionKey".to_owned(),
                    error => format!(": {error}"),
                };
                let text = format!("the signature of {name} does not hold{why}");
                if self.tally.signatures.valid > 0 {
                    self.tally.count(Checked::Invalid(text), frame);
                } else if self.suspects.len() < MOST_SUSPECTS {
                    self.suspects.push((frame, text));
                } else {
                    self.more_suspects += 1;
                }
                false
            }
        }
    }

    /// The key is that of this channel, so what did not hold before is wrong.
    fn confirm(&mut self) {
        for (frame, text) in std::mem::take(&mut self.suspects) {
            self.tally.count(Checked::Invalid(text), frame);
        }
        self.tally.signatures.invalid += std::mem::take(&mut self.more_suspects);
    }

    /// Whether fragments were found to be missing since this was last asked.
    pub(crate) const fn take_loss(&mut self) -> bool {
        std::mem::replace(&mut self.has_lost, false)
    }

    /// A logon of which the answer was not seen.
    pub(crate) fn unanswered(&mut self, question: Question, known: Known<'_>) {
        let frame = question.frame;
        let (logon, problem) = LogonExplained::asked(question, known);
        self.unreadable("request", frame, problem);
        self.push(logon);
    }

    /// A call was answered.
    pub(crate) fn hear(&mut self, heard: Heard, known: Known<'_>) {
        match heard {
            Heard::Logon { question, stub, frame } => {
                let opnum = question.opnum;
                let keys = self.keyed.as_ref().map(|keyed| &keyed.keys);
                let asked = question.frame;
                let (mut logon, problem) = LogonExplained::asked(question, known);
                let other = logon.answered(opnum, &stub, keys, frame);
                self.unreadable("request", asked, problem);
                self.unreadable("response", frame, other);
                self.push(logon);
            }
            Heard::Fault { question, status, frame } => {
                let (mut logon, _) = LogonExplained::asked(question, known);
                logon.failed(status, frame);
                self.push(logon);
            }
            Heard::Challenge { .. } | Heard::Authenticate { .. } => {}
        }
    }

    fn unreadable(&mut self, what: &str, frame: u64, problem: Option<String>) {
        if let Some(problem) = problem.filter(|_| !self.is_full()) {
            let text = format!("the {what} of a logon in frame {frame} cannot be read: {problem}");
            self.findings.say(FindingCode::NetlogonCallUnreadable, text);
        }
    }

    const fn is_full(&self) -> bool {
        self.logons.len() >= MOST_LOGONS || self.size >= MOST_OF_LOGONS
    }

    fn push(&mut self, logon: LogonExplained) {
        if self.is_full() {
            self.more_logons += 1;
        } else {
            self.size += logon.size();
            self.logons.push(logon);
        }
    }

    /// Looks for the key. `seen` are the algorithms of the first signature.
    fn settle(&mut self, seen: Option<Algorithms>, known: Known<'_>) {
        self.is_settled = true;
        let setup = self.setup.clone();
        let latest = setup.as_ref().and_then(|setup| setup.challenges.first());
        self.challenges = latest.copied();
        let algorithms = match &setup {
            Some(setup) => Algorithms::choose(setup.negotiate_flags).or(seen),
            None => seen,
        };
        let Some(algorithms) = algorithms else {
            return self.unknown("the algorithms of the channel are not known");
        };
        let account = self.account_name();
        let domain = &self.domain;
        let wanted = Wanted { account: &account, domain, setup: setup.as_deref(), algorithms };
        let found = match wanted.find(known, &mut self.findings) {
            Ok(found) => found,
            Err(Missing::Unknown(why)) => return self.unknown(&why),
            Err(Missing::Other(why)) => {
                self.keys = Ladder::of_channel_unknown(&why);
                return self.findings.say(FindingCode::NetlogonOtherKey, why);
            }
        };
        self.challenges = found.challenges;
        self.credentials = found.credentials;
        if self.credentials.contains(&Verdict::Invalid) {
            let why = format!(
                "the credentials do not hold under the secret given for {domain}\\{account}"
            );
            self.keys = Ladder::of_channel_unknown(&why);
            let text = format!("{why}, so nothing was checked with it");
            return self.findings.say(FindingCode::NetlogonCredentialInvalid, text);
        }
        let keys = found.keys;
        self.keys = found.ladder;
        let SecurityContext { auth_level, auth_context_id, .. } = self.context;
        let coverage = Coverage::choose(self.header_signing);
        let protection = NetlogonProtection::new(
            algorithms,
            &keys.session_key,
            auth_level,
            auth_context_id,
            coverage,
        );
        match protection {
            Ok(protection) => self.keyed = Some(Keyed { keys, protection }),
            Err(error) => self.findings.say(FindingCode::NetlogonKeyUnknown, error.to_string()),
        }
    }

    fn unknown(&mut self, why: &str) {
        self.keys = Ladder::of_channel_unknown(why);
        let account = self.account_name();
        let domain = &self.domain;
        let text = format!(
            "{why}; password, nt_hash or netlogon_session_key of {domain}\\{account} would open the channel"
        );
        self.findings.say(FindingCode::NetlogonKeyUnknown, text);
    }

    /// As the setup has it, else by the rule for members.
    fn account_name(&self) -> Utf16String {
        match &self.setup {
            Some(setup) => setup.account_name.clone(),
            None => self.computer.as_units().iter().copied().chain([u16::from(b'$')]).collect(),
        }
    }

    /// What it came to. `unanswered` are the calls without an answer, `gap` the first frame before which
    /// packets of the flow are missing.
    pub(crate) fn end(
        mut self,
        unanswered: impl Iterator<Item = Question>,
        gap: Option<u64>,
        is_cut_off: bool,
        known: Known<'_>,
    ) -> ChannelExplained {
        for question in unanswered {
            self.unanswered(question, known);
        }
        if !self.suspects.is_empty() {
            for (frame, _) in std::mem::take(&mut self.suspects) {
                self.tally.count(Checked::Unchecked(Unchecked::NoKey), frame);
            }
            self.tally.leave_unchecked(Unchecked::NoKey, self.more_suspects);
            let text = "no signature holds under the session key that is known: it is that of another channel, \
                        whose setup was seen or given in place of this one's";
            self.findings.say(FindingCode::NetlogonOtherKey, text);
        }
        self.logons.sort_by_key(|logon| logon.frames.first().copied());
        if self.more_logons > 0 {
            let text = format!("{} more logons were passed through", self.more_logons);
            self.findings.say(FindingCode::NetlogonLogonsLeftOut, text);
        }
        let setup = self.setup.as_deref();
        let flags = setup.map(|setup| setup.negotiate_flags);
        let algorithms = match (&self.keyed, flags) {
            (Some(keyed), _) => Some(keyed.keys.algorithms),
            (None, Some(flags)) => Algorithms::choose(flags),
            (None, None) => None,
        };
        let challenges = self.challenges;
        let before = challenges.into_iter().flat_map(|challenges| challenges.frames);
        let before = before.chain(setup.into_iter().flat_map(|setup| setup.frames));
        let [client_credential, server_credential] = self.credentials;
        let mut explained = ChannelExplained {
            kind: "netlogon",
            client: self.ends.client.to_string(),
            server: self.ends.server.to_string(),
            frames: before.chain(self.frames.iter().copied()).collect(),
            machine: self.computer.to_string(),
            domain: self.domain.to_string(),
            account: setup.map(|setup| setup.account_name.to_string()),
            secure_channel_type: setup.map(|setup| type_text(setup.secure_channel_type)),
            algorithms: algorithms.map(algorithms_text),
            negotiate_flags: flags.map(|flags| format!("0x{:08x}", flags.bits())),
            level: level_text(self.context.auth_level),
            header_signing: self.header_signing,
            client_challenge: challenges.map(|challenges| hex(&challenges.client)),
            server_challenge: challenges.map(|challenges| hex(&challenges.server)),
            client_credential,
            server_credential,
            keys: self.keys,
            signatures: self.tally.signatures,
            unsealed: self.unsealed,
            failures: std::mem::take(&mut self.tally.failures),
            logons: self.logons,
            findings: Vec::new(),
        };
        let unchecked = self.tally.whys();
        let gap = self.gap.or(gap);
        inspect::channel(&explained, &unchecked, gap, is_cut_off, &mut self.findings);
        explained.findings = self.findings.into_sorted();
        explained
    }
}

/// SignatureAlgorithm, as the first two bytes of a signature say it (MS-NRPC 2.2.1.3.2, 2.2.1.3.3).
const fn algorithms_of(signature: &[u8]) -> Option<Algorithms> {
    match signature {
        [0x13, 0, ..] => Some(Algorithms::AesSha2),
        [0x77, 0, ..] => Some(Algorithms::InsecureRc4Md5),
        _ => None,
    }
}

const fn algorithms_text(algorithms: Algorithms) -> &'static str {
    match algorithms {
        Algorithms::AesSha2 => "AES-SHA2",
        Algorithms::InsecureRc4Md5 => "RC4-MD5",
    }
}

const fn type_text(secure_channel_type: SecureChannelType) -> &'static str {
    match secure_channel_type {
        SecureChannelType::WORKSTATION => "workstation",
        SecureChannelType::TRUSTED_DNS_DOMAIN => "trusted-dns-domain",
        SecureChannelType::TRUSTED_DOMAIN => "trusted-domain",
        SecureChannelType::SERVER => "server",
        SecureChannelType::CDC_SERVER => "read-only-server",
        _ => "other",
    }
}

/// NetBIOS names of domain and computer in NL_AUTH_MESSAGE; what is not there is empty
/// (MS-NRPC 2.2.1.3.1).
fn names(token: &[u8]) -> (&[u8], &[u8]) {
    let Some((&[_, _, _, _, flags, _, _, _], mut rest)) = token.split_first_chunk::<8>() else {
        return (&[], &[]);
    };
    let mut name = |is_there: bool| -> &[u8] {
        let end = rest.iter().position(|byte| *byte == 0).filter(|_| is_there);
        let Some((name, behind)) = end.and_then(|end| rest.split_at_checked(end)) else {
            return &[];
        };
        rest = behind.get(1..).unwrap_or_default();
        name
    };
    let domain = name(flags & 1 != 0);
    (domain, name(flags & 2 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_far_as_they_are_there() {
        assert_eq!(names(b"\0\0\0\0\x03\0\0\0CORP\0MEMBER1\0"), (&b"CORP"[..], &b"MEMBER1"[..]));
        assert_eq!(names(b"\0\0\0\0\x02\0\0\0MEMBER1\0"), (&b""[..], &b"MEMBER1"[..]));
        assert_eq!(names(b"\0\0\0\0\x01\0\0\0CORP\0\x04corp\0"), (&b"CORP"[..], &b""[..]));
        assert_eq!(names(b"\0\0\0\0\x03\0\0\0CORP"), (&b""[..], &b""[..]));
        assert_eq!(names(b"\0\0\0"), (&b""[..], &b""[..]));
    }
}
