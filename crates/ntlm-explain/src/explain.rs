//! One exchange explained: what was said, what holds under the account's secret, and every key.

use crate::assemble::{FoundExchange, Seen};
use crate::carrier::{BareExchange, Carrier, Loss, LossKind, Said};
use crate::clock::rfc3339;
use crate::explained::{AccountNames, Explained, Flags, Outcome, Verdict, account_text, at, names};
use crate::finding::{FindingCode, Findings};
use crate::inspect;
use crate::known::Known;
use crate::ladder::{Ladder, Places, hex};
use crate::subject::{self, Bare, Subject};
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{AccountSecret, KeySchedule, KeySource, NtlmVersion, Ntowfv2Rule, Proof};
use ntlm::message::{
    AuthenticateMessage, AvId, ChallengeMessage, Message, MessageType, NegotiateMessage,
};
use ntlm::text::{Charset, CodePage};
use ntlm::wire::DecodeError;
use ntlm::{ChannelBindings, ChannelBindingsResult, Exchange};
use ntlm_accounts::MatchKind;
use ntlm_capture::{Direction, EndReason, GapCause};

/// Explains one exchange, apart from what its carrier made of the keys.
#[must_use]
pub fn explain(id: u64, found: FoundExchange, known: Known<'_>) -> Explained {
    with_keys(id, found, known).0
}

/// The same, and its keys or why there are none.
pub(crate) fn with_keys(
    id: u64,
    found: FoundExchange,
    known: Known<'_>,
) -> (Explained, Result<KeySchedule, &'static str>) {
    let mut findings = Findings::default();
    let mut explained = skeleton(id, &found);
    for loss in &found.losses {
        findings.say(FindingCode::CaptureGap, describe_loss(loss));
    }
    let keys = match &found.bare {
        Some(bare) => explain_bare(&found, bare, known, &mut explained, &mut findings),
        None => explain_messages(&found, known, &mut explained, &mut findings),
    };
    if let Err(why) = keys {
        explained.keys = Ladder::unknown(why);
    }
    answer_not_seen(&found, &mut findings);
    inspect::version(&explained, &mut findings);
    inspect::answer(&explained, &mut findings);
    explained.findings = findings.into_sorted();
    explained.found = found;
    explained.code_page = known.code_page;
    (explained, keys)
}

fn explain_messages(
    found: &FoundExchange,
    known: Known<'_>,
    explained: &mut Explained,
    findings: &mut Findings,
) -> Result<KeySchedule, &'static str> {
    read_messages(found, known.code_page, explained, findings);
    let keys = match found.challenge.as_ref().zip(found.authenticate.as_ref()) {
        None => {
            let missing = match (&found.challenge, &found.authenticate) {
                (None, _) => "CHALLENGE_MESSAGE was not seen",
                (_, _) => "AUTHENTICATE_MESSAGE was not seen",
            };
            findings.say(FindingCode::HalfExchange, half(found, missing));
            Err(missing)
        }
        Some((challenge, authenticate)) => {
            explain_whole(found, challenge, authenticate, known, explained, findings)
        }
    };
    negotiate_not_seen(found, explained, findings);
    keys
}

fn skeleton(id: u64, found: &FoundExchange) -> Explained {
    let frames = found.origins().map(|origin| origin.frame);
    let last = found.origins().last();
    let outcome = match &found.answer {
        None => Outcome { result: "unknown", status: None, guest: false },
        Some(answer) => Outcome {
            result: match answer.said {
                Said::Accepted | Said::AcceptedAsGuest => "accepted",
                Said::Refused => "refused",
                Said::Unclear => "unknown",
            },
            status: Some(answer.status.clone()),
            guest: answer.said == Said::AcceptedAsGuest,
        },
    };
    let answer_frame = found.answer.as_ref().map(|answer| answer.origin.frame);
    Explained {
        id,
        carrier: found.carrier.map_or("token", |carrier| carrier.name()),
        client: found.endpoints.map(|ends| ends.client.to_string()),
        server: found.endpoints.map(|ends| ends.server.to_string()),
        time: last.and_then(|origin| origin.time).map(rfc3339),
        frames: frames.chain(answer_frame).collect(),
        files: Vec::new(),
        account: AccountNames::default(),
        version: None,
        extended_session_security: false,
        server_challenge: None,
        challenge_for_domain_controller: None,
        flags: Flags::default(),
        response: Verdict::Unchecked,
        mic: Verdict::Unchecked,
        channel_bindings: "absent",
        target_name: None,
        outcome,
        keys: Ladder::unknown("nothing was derived"),
        smb: None,
        rpc: None,
        findings: Vec::new(),
        found: FoundExchange::empty(None, found.wrapping, None),
        negotiated: NegotiateFlags::empty(),
        code_page: CodePage::Cp850,
    }
}

/// What each message says by itself, damaged or not.
fn read_messages(
    found: &FoundExchange,
    code_page: CodePage,
    explained: &mut Explained,
    findings: &mut Findings,
) {
    for (kind, seen) in found.messages() {
        let defects = match kind {
            MessageType::Negotiate => NegotiateMessage::decode(&seen.bytes).map(|message| {
                explained.flags.negotiate = names(message.negotiate_flags);
                message.defects()
            }),
            MessageType::Challenge => ChallengeMessage::decode(&seen.bytes).map(|message| {
                explained.flags.challenge = names(message.negotiate_flags);
                explained.server_challenge = Some(hex(&message.server_challenge));
                message.defects()
            }),
            MessageType::Authenticate => AuthenticateMessage::decode(&seen.bytes).map(|message| {
                explained.flags.authenticate =
                    message.negotiate_flags.map(names).unwrap_or_default();
                explained.account = account(&message, code_page);
                message.defects()
            }),
        };
        match defects {
            Ok(defects) => {
                for defect in defects {
                    let at = at(kind, seen, defect.offset, 0);
                    findings.point(inspect::code_of(&defect), describe(kind, &defect), at);
                }
            }
            Err(error) => {
                let at = at(kind, seen, error.offset, 0);
                findings.point(FindingCode::UnreadableMessage, describe(kind, &error), at);
            }
        }
    }
}

/// The names that AUTHENTICATE alone says; whole exchanges know more of the character set.
fn account(message: &AuthenticateMessage<'_>, code_page: CodePage) -> AccountNames {
    let unicode = message
        .negotiate_flags
        .is_some_and(|flags| flags.contains(NegotiateFlags::NEGOTIATE_UNICODE));
    let charset = if unicode { Charset::Unicode } else { Charset::Oem(code_page) };
    let text = |bytes| charset.decode(bytes).map_or_else(|_| hex(bytes), |name| name.to_string());
    AccountNames {
        domain: text(message.domain_name.bytes()),
        user: text(message.user_name.bytes()),
        workstation: text(message.workstation.bytes()),
    }
}

fn describe(kind: MessageType, error: &DecodeError) -> String {
    format!("{}: {error}", kind.name())
}

/// What is missing of an exchange, and why as far as the capture shows.
fn half(found: &FoundExchange, missing: &str) -> String {
    match why_ended(found) {
        Some(why) => format!("{missing}: {why}"),
        None => missing.to_owned(),
    }
}

fn why_ended(found: &FoundExchange) -> Option<&'static str> {
    Some(match found.ended {
        _ if found.endpoints.is_some_and(|ends| ends.guessed) && found.negotiate.is_none() => {
            "the capture begins in the middle of this connection"
        }
        Some(EndReason::CaptureEnded) => "the capture ended first",
        Some(EndReason::Closed) => "the connection was closed first",
        Some(EndReason::Reset) => "the connection was reset first",
        Some(EndReason::Reused) => "another connection took its place",
        Some(EndReason::Evicted) => "there was too much at once to keep it in mind",
        _ => return None,
    })
}

/// NEGOTIATE is missing, which matters to the MIC and to nothing else.
fn negotiate_not_seen(found: &FoundExchange, explained: &Explained, findings: &mut Findings) {
    let is_datagram = explained.negotiated.contains(NegotiateFlags::NEGOTIATE_DATAGRAM);
    if found.negotiate.is_some() || is_datagram {
        return;
    }
    let needs_it = explained.response == Verdict::Valid && explained.mic == Verdict::Unchecked;
    let missing = "NEGOTIATE_MESSAGE was not seen";
    match found.endpoints {
        _ if needs_it => {
            let text = format!("{missing}, so the MIC cannot be checked");
            findings.say(FindingCode::NegotiateNotSeen, text);
        }
        Some(ends) if ends.guessed => {
            let why = "the capture begins in the middle of this connection";
            findings.say(FindingCode::NegotiateNotSeen, format!("{missing}: {why}"));
        }
        Some(_) => findings.say(FindingCode::NegotiateNotSeen, missing),
        None => {}
    }
}

/// The client proved itself, and what the server answered is not known.
fn answer_not_seen(found: &FoundExchange, findings: &mut Findings) {
    let is_proved = found.authenticate.is_some() || found.bare.is_some();
    if found.answer.is_some() || found.endpoints.is_none() || !is_proved {
        return;
    }
    let text = match found.carrier {
        Some(Carrier::Stream) => {
            "the protocol around the messages was not recognized, so its answer is not known".into()
        }
        _ => half(found, "the server's answer was not seen"),
    };
    findings.say(FindingCode::AnswerNotSeen, text);
}

/// Which bytes are lost, and where that shows.
fn describe_loss(loss: &Loss) -> String {
    let sender = match loss.direction {
        Direction::ClientToServer => "client",
        Direction::ServerToClient => "server",
    };
    let frame = loss.origin.frame;
    match loss.kind {
        LossKind::Missing { bytes, cause } => {
            let why = match cause {
                GapCause::Acknowledged => "acknowledged, but not captured",
                GapCause::Cut => "cut from the packet by the snap length",
                GapCause::Bound => "did not come in time",
                _ => "never captured",
            };
            format!("{bytes} bytes from the {sender} are missing before frame {frame}: {why}")
        }
        LossKind::CutOff => {
            format!("a message from the {sender} that begins in frame {frame} breaks off")
        }
    }
}

/// Challenge and responses that are fields of SMB 1: no flags, no MIC, no key exchange.
fn explain_bare(
    found: &FoundExchange,
    bare: &BareExchange,
    known: Known<'_>,
    explained: &mut Explained,
    findings: &mut Findings,
) -> Result<KeySchedule, &'static str> {
    explained.mic = Verdict::Absent;
    if let Some((user, domain)) = subject::names(bare, known.code_page) {
        let workstation = String::new();
        explained.account =
            AccountNames { domain: domain.to_string(), user: user.to_string(), workstation };
    }
    let Some(read) = Bare::new(bare, known.code_page) else {
        let missing = "the challenge in the response to SMB_COM_NEGOTIATE was not seen";
        findings.say(FindingCode::HalfExchange, half(found, missing));
        return Err(missing);
    };
    let subject = Subject::Bare(read);
    let challenge = hex(&subject.responses().server_challenge);
    explained.challenge_for_domain_controller = Some(challenge.clone());
    explained.server_challenge = Some(challenge);
    explained.version = subject.apparent_version().map(NtlmVersion::name);
    read_client_target_info(&subject, explained);
    let keys = judge(&subject, known, explained, findings);
    if let Ok(keys) = &keys {
        explained.version = Some(keys.version().name());
        explained.keys = Ladder::new(keys, Some(&Places::Bare(bare)));
    }
    inspect::lm_response(subject.apparent_version(), &bare.lm.bytes, &bare.nt.bytes, findings);
    keys
}

/// What an NTLMv2 response says of target and channel.
fn read_client_target_info(subject: &Subject<'_>, explained: &mut Explained) {
    let list = subject.client_target_info().unwrap_or_default();
    explained.target_name =
        list.text(AvId::TARGET_NAME).map(|name| name.to_string()).filter(|name| !name.is_empty());
    explained.channel_bindings = match ChannelBindings::compare(None, list.channel_bindings()) {
        ChannelBindingsResult::Absent => "absent",
        ChannelBindingsResult::Zero => "zero",
        ChannelBindingsResult::Match => "match",
        ChannelBindingsResult::Mismatch => "mismatch",
        ChannelBindingsResult::Present => "present",
    };
}

fn explain_whole(
    found: &FoundExchange,
    challenge: &Seen,
    authenticate: &Seen,
    known: Known<'_>,
    explained: &mut Explained,
    findings: &mut Findings,
) -> Result<KeySchedule, &'static str> {
    const UNREADABLE: &str = "the messages cannot be decoded";
    let negotiate = found.negotiate.as_ref().map(|seen| seen.bytes.as_slice());
    let decoded =
        Exchange::decode(negotiate, &challenge.bytes, &authenticate.bytes, known.code_page);
    let exchange = decoded.map_err(|_| UNREADABLE)?;
    explained.account = AccountNames {
        domain: exchange.domain().to_string(),
        user: exchange.user().to_string(),
        workstation: exchange.workstation().to_string(),
    };
    let flags = exchange.negotiate_flags();
    explained.negotiated = flags;
    explained.extended_session_security =
        flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
    explained.version = exchange.apparent_version().map(NtlmVersion::name);
    explained.challenge_for_domain_controller =
        Some(hex(&exchange.challenge_for_domain_controller()));
    explained.mic = match exchange.mic_rule() {
        ntlm::keys::MicRule::NotAnnounced => Verdict::Absent,
        _ => Verdict::Unchecked,
    };
    let subject = Subject::Messages(&exchange);
    read_client_target_info(&subject, explained);
    inspect::messages(&exchange, found, findings);

    let Some((fields_challenge, fields_authenticate)) =
        ChallengeMessage::decode_with_fields(&challenge.bytes)
            .ok()
            .zip(AuthenticateMessage::decode_with_fields(&authenticate.bytes).ok())
    else {
        return Err(UNREADABLE);
    };
    let places = Places::Messages {
        challenge: &fields_challenge.1,
        challenge_frame: challenge.origin.map(|origin| origin.frame),
        authenticate: &fields_authenticate.1,
        authenticate_frame: authenticate.origin.map(|origin| origin.frame),
    };
    let keys = judge(&subject, known, explained, findings)?;
    explained.version = Some(keys.version().name());
    explained.mic = exchange.check_mic(keys.exported_session_key()).into();
    if explained.mic == Verdict::Invalid {
        let range = AuthenticateMessage::MIC_RANGE;
        let at = at(MessageType::Authenticate, authenticate, range.start, range.len());
        findings.point(FindingCode::InvalidMic, "the MIC does not hold", at);
    }
    explained.keys = Ladder::new(&keys, Some(&places));
    Ok(keys)
}

/// Finds the secret, checks the response, derives the keys; or says why there are none.
fn judge(
    subject: &Subject<'_>,
    known: Known<'_>,
    explained: &mut Explained,
    findings: &mut Findings,
) -> Result<KeySchedule, &'static str> {
    let version = subject.apparent_version();
    if version == Some(NtlmVersion::Anonymous) {
        explained.response = Verdict::Absent;
        if subject.is_local_call() {
            explained.version = Some("local-call");
            findings.say(FindingCode::LocalCall, "a local call: the proof is not in the messages");
            return Err("a local call: the keys are not derived from the messages");
        }
        findings.say(FindingCode::Anonymous, "an anonymous logon");
        return keys(subject, KeySource::Anonymous, findings);
    }
    match known.accounts.find(subject.user(), subject.domain()) {
        Err(ambiguous) => {
            findings.say(FindingCode::AmbiguousAccount, ambiguous.to_string());
            Err("two entries of the secrets fit this account equally well")
        }
        Ok(Some(found)) => {
            if found.kind == MatchKind::OtherDomain {
                let user = subject.user();
                let text =
                    format!("the secrets have {user} under another domain only, which was taken");
                findings.say(FindingCode::OtherDomain, text);
            }
            prove(subject, found.secret, explained, findings)
        }
        Ok(None) => without_secret(subject, known, explained, findings),
    }
}

/// Perhaps the session key of this very exchange is known.
fn without_secret(
    subject: &Subject<'_>,
    known: Known<'_>,
    explained: &Explained,
    findings: &mut Findings,
) -> Result<KeySchedule, &'static str> {
    match known.accounts.find_session_key(subject.responses().server_challenge) {
        Err(ambiguous) => {
            findings.say(FindingCode::AmbiguousAccount, ambiguous.to_string());
            Err("two session keys are given for this exchange")
        }
        Ok(Some(found)) => {
            from_session_key(subject, found.exported_session_key.duplicate(), findings)
        }
        Ok(None) => {
            let name = account_text(&explained.account);
            let text = format!("no secret is known for {name}, so nothing was checked");
            findings.say(FindingCode::UnknownAccount, text);
            Err("no secret is known for this account")
        }
    }
}

fn prove(
    subject: &Subject<'_>,
    secret: &AccountSecret,
    explained: &mut Explained,
    findings: &mut Findings,
) -> Result<KeySchedule, &'static str> {
    let Some(proof) = subject.prove(secret) else {
        explained.response = Verdict::Invalid;
        let name = account_text(&explained.account);
        findings.say(
            FindingCode::InvalidResponse,
            format!("the response is not valid under the secret given for {name}"),
        );
        return Err("the response is not valid under this secret");
    };
    explained.response = Verdict::Valid;
    report_proof(subject, &proof, findings);
    keys(subject, KeySource::Proof(proof), findings)
}

fn report_proof(subject: &Subject<'_>, proof: &Proof, findings: &mut Findings) {
    if proof.ntowf_v2_rule() == Ntowfv2Rule::EmptyDomain && !subject.domain().is_empty() {
        findings.say(
            FindingCode::EmptyDomain,
            format!(
                "the response holds with an empty domain, though {} was sent",
                subject.domain()
            ),
        );
    }
}

fn from_session_key(
    subject: &Subject<'_>,
    exported_session_key: ntlm::keys::ExportedSessionKey,
    findings: &mut Findings,
) -> Result<KeySchedule, &'static str> {
    findings.say(
        FindingCode::SessionKeyOnly,
        "only the ExportedSessionKey is known: the response was not checked",
    );
    let version = subject.apparent_version().ok_or("the responses belong to no version")?;
    keys(subject, KeySource::ExportedSessionKey { version, exported_session_key }, findings)
}

fn keys(
    subject: &Subject<'_>,
    source: KeySource,
    findings: &mut Findings,
) -> Result<KeySchedule, &'static str> {
    subject.keys(source).map_err(|error| {
        findings.say(FindingCode::InvalidSessionKey, error.to_string());
        "EncryptedRandomSessionKey is not 16 bytes long"
    })
}
