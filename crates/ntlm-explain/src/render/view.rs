//! What text, HTML and pictures have in common: the exchange in words, the ladder in groups.

use super::fact::{Fact, Tone, tone};
use super::style::printable;
use super::view_channel;
use crate::carrier::{BareExchange, BareField};
use crate::decoded::{Decoded, DecodedField};
use crate::explained::Explained;
use crate::finding::Severity;
use crate::inspect;
use crate::ladder::{InputOrigin, Ladder, Part, Place, Rung, RungInput, RungValue, hex};
use crate::smb::{Decrypted, Purpose, Signatures, SmbExplained};
use ntlm::flags::{FLAGS, FlagInfo, NegotiateFlags};
use ntlm::keys::SealingKeyRule;
use ntlm::message::{
    AuthenticateMessage, ChallengeMessage, Message, MessageType, NegotiateMessage,
};

pub(super) const fn tone_of(severity: Severity) -> (Tone, &'static str, &'static str) {
    match severity {
        Severity::Error => (Tone::Bad, "✘", "error"),
        Severity::Warning => (Tone::Warn, "!", "warning"),
        Severity::Info => (Tone::Plain, "·", "info"),
    }
}

pub(super) fn account(explained: &Explained) -> String {
    match (explained.account.domain.as_str(), explained.account.user.as_str()) {
        ("", "") if explained.version == Some("anonymous") => "(anonymous)".to_owned(),
        ("", "") => "(no name)".to_owned(),
        ("", user) => user.to_owned(),
        (domain, user) => format!("{domain}\\{user}"),
    }
}

pub(super) fn ends(explained: &Explained) -> String {
    match (&explained.client, &explained.server) {
        (Some(client), Some(server)) => format!("{client} → {server}"),
        _ => String::new(),
    }
}

/// What NTLM does for the messages that follow, in a few words.
pub(super) fn protection(flags: NegotiateFlags) -> String {
    let what = match (
        flags.contains(NegotiateFlags::NEGOTIATE_SIGN),
        flags.contains(NegotiateFlags::NEGOTIATE_SEAL),
    ) {
        (_, true) => "sealed",
        (true, false) => "signed",
        (false, false) => return String::new(),
    };
    format!("{what} {} bits", SealingKeyRule::choose(flags).strength_bits())
}

/// The same in a sentence, with what else the flags settle.
pub(super) fn settled(explained: &Explained) -> String {
    let flags = explained.negotiated;
    let mut words = vec![explained.version.unwrap_or("version unknown").to_owned()];
    if !flags.is_empty() {
        words.push(
            match explained.extended_session_security {
                true => "extended session security",
                false => "no extended session security",
            }
            .to_owned(),
        );
        words.push(match protection(flags).as_str() {
            // SMB protects messages by its own means.
            _ if explained.smb.is_some() => {
                format!("keys of {} bits", SealingKeyRule::choose(flags).strength_bits())
            }
            "" => "messages not protected by NTLM".to_owned(),
            protection => format!("messages {protection}"),
        });
        if flags.protects() && flags.contains(NegotiateFlags::NEGOTIATE_KEY_EXCH) {
            words.push("key exchanged".to_owned());
        }
    }
    words.join(", ")
}

/// The frames of an exchange; with several files also by file. `None` where there are none.
pub(super) fn frames(explained: &Explained) -> Option<String> {
    let numbers = |frames: &[u64]| {
        let frames: Vec<String> = frames.iter().map(u64::to_string).collect();
        frames.join(", ")
    };
    let all = match explained.frames.as_slice() {
        [] => return None,
        [one] => format!("frame {one}"),
        several => format!("frames {}", numbers(several)),
    };
    let files = explained.files.iter();
    let files: Vec<String> =
        files.map(|file| format!("{} {}", file.file, numbers(&file.frames))).collect();
    Some(if files.is_empty() { all } else { format!("{all} ({})", files.join("; ")) })
}

/// `2026-11-22T13:01:40.222Z` as day and time.
pub(super) fn day_and_time(explained: &Explained) -> Option<(&str, &str)> {
    explained.time.as_deref()?.trim_end_matches('Z').split_once('T')
}

pub(super) fn facts(explained: &Explained) -> Vec<Fact> {
    let fact = |tone, name, value: &str| Fact { tone, name, value: value.to_owned() };
    let bindings = match explained.channel_bindings {
        "match" => Tone::Good,
        "mismatch" => Tone::Bad,
        _ => Tone::Plain,
    };
    let said = match explained.outcome.guest {
        true => "accepted as a guest",
        false => explained.outcome.result,
    };
    let answer = match &explained.outcome.status {
        Some(status) if !status.is_empty() && said == "refused" => {
            format!("{said}: {}", inspect::words(status))
        }
        Some(status) if !status.is_empty() => format!("{said}: {status}"),
        _ => said.to_owned(),
    };
    let mut facts = vec![
        fact(tone(explained.response), "response", explained.response.text()),
        fact(tone(explained.mic), "MIC", explained.mic.text()),
        fact(bindings, "channel bindings", explained.channel_bindings),
        fact(Tone::Plain, "target name", explained.target_name.as_deref().unwrap_or("none")),
        fact(answer_tone(answer_word(explained)), "server's answer", &answer),
    ];
    if !explained.negotiated.is_empty() || explained.smb.is_some() {
        let answer = yes_or_no(explained.extended_session_security);
        facts.push(fact(Tone::Plain, "extended session security", answer));
    }
    if let Some(smb) = &explained.smb {
        facts.extend(smb_facts(smb));
    }
    if let Some(rpc) = &explained.rpc {
        let level = format!("{} ({})", rpc.level, rpc.auth_type);
        facts.push(fact(Tone::Plain, "RPC level", &level));
        if let Some((tone, value)) = view_channel::signatures(rpc.signatures, rpc.unsealed) {
            facts.push(fact(tone, "RPC signatures", &value));
        }
    }
    if let Some(challenge) = &explained.server_challenge {
        facts.push(fact(Tone::Plain, "ServerChallenge", challenge));
        match &explained.challenge_for_domain_controller {
            Some(other) if other != challenge => {
                facts.push(fact(Tone::Plain, "for the DC", other));
            }
            _ => {}
        }
    }
    facts
}

const fn yes_or_no(answer: bool) -> &'static str {
    if answer { "yes" } else { "no" }
}

/// What SMB made of the logon.
fn smb_facts(smb: &SmbExplained) -> Vec<Fact> {
    let fact = |tone, name, value: String| Fact { tone, name, value };
    let count = |count: u64, what: &str| (count > 0).then(|| format!("{count} {what}"));
    let list = |parts: [Option<String>; 4]| parts.into_iter().flatten().collect::<Vec<_>>();
    let dialect = match &smb.dialect {
        Some(dialect) => printable(dialect),
        None => "not known".to_owned(),
    };
    let purpose = match smb.purpose {
        Purpose::Session => None,
        Purpose::Binding => Some("joins this connection to a session".to_owned()),
        Purpose::Reauthentication => Some("authenticates a session again".to_owned()),
    };
    let session = smb.session_id.as_ref().map(|id| format!("session {id}"));
    let dialect = list([Some(dialect), session, purpose, None]).join(", ");
    let extended = yes_or_no(smb.smb_extended_security);
    let mut facts = vec![
        fact(Tone::Plain, "SMB extended security", extended.to_owned()),
        fact(Tone::Plain, "SMB dialect", dialect),
    ];
    let Signatures { valid, invalid, unchecked, unsigned } = smb.signatures;
    let signatures = list([
        count(valid, "valid"),
        count(invalid, "invalid"),
        count(unchecked, "unchecked"),
        count(unsigned, "messages without"),
    ]);
    if !signatures.is_empty() {
        let tone = match (valid, invalid, unchecked) {
            (_, 1.., _) => Tone::Bad,
            (_, _, 1..) => Tone::Warn,
            (1.., ..) => Tone::Good,
            _ => Tone::Plain,
        };
        let how = smb.signing_algorithm.unwrap_or("algorithm not known");
        let keys = ["mac_key", "signing_key"];
        let key = smb.keys.rungs().iter().find(|rung| {
            keys.contains(&rung.json_name) && matches!(rung.value, RungValue::Known(_))
        });
        let key = key.map(|rung| format!(" under {}", rung.name)).unwrap_or_default();
        let value = format!("{} ({how}{key})", signatures.join(", "));
        facts.push(fact(tone, "SMB signatures", value));
    }
    let Decrypted { ok, failed, unopened } = smb.decrypted;
    let packets = list([
        count(ok, "opened"),
        count(failed, "do not open"),
        count(unopened, "without a key"),
        None,
    ]);
    if !packets.is_empty() {
        let tone = match (failed, unopened) {
            (1.., _) => Tone::Bad,
            (0, 1..) => Tone::Warn,
            (0, 0) => Tone::Good,
        };
        let how = smb.cipher.unwrap_or("cipher not known");
        facts.push(fact(tone, "SMB encrypted packets", format!("{} ({how})", packets.join(", "))));
    }
    facts
}

/// What protects the messages that follow, in a few words: SMB by its own means, everything else by
/// NTLM's.
pub(super) fn protected_by(explained: &Explained) -> String {
    let Some(smb) = &explained.smb else {
        return match &explained.rpc {
            // The flags may allow more than the level asks for.
            Some(rpc) if rpc.level == "connect" => "none".to_owned(),
            _ => protection(explained.negotiated),
        };
    };
    let Signatures { valid, invalid, unchecked, unsigned } = smb.signatures;
    let signed = valid + invalid + unchecked;
    // The last response of session setup is signed in any case.
    match (smb.decrypted == Decrypted::default(), signed, unsigned) {
        (false, ..) => format!("encrypted {}", smb.cipher.unwrap_or_default()),
        (true, 0..=1, 1..) => "none".to_owned(),
        (true, 0, 0) => String::new(),
        (true, ..) => format!("signed {}", smb.signing_algorithm.unwrap_or_default()),
    }
}

/// The answer in a word.
pub(super) const fn answer_word(explained: &Explained) -> &'static str {
    if explained.outcome.guest { "guest" } else { explained.outcome.result }
}

pub(super) fn answer_tone(word: &str) -> Tone {
    match word {
        "guest" => Tone::Warn,
        "accepted" => Tone::Good,
        "refused" => Tone::Bad,
        _ => Tone::Plain,
    }
}

/// One flag in the three messages; `None` where the message was not seen or has no flags.
pub(super) struct FlagRow {
    pub(super) info: &'static FlagInfo,
    pub(super) seen: [Option<bool>; 3],
    pub(super) in_force: bool,
}

impl FlagRow {
    pub(super) fn short_name(&self) -> &'static str {
        let name = self.info.name.trim_start_matches("NTLMSSP_").trim_start_matches("NTLM_");
        name.strip_prefix("NEGOTIATE_").unwrap_or(name)
    }
}

pub(super) fn flag_rows(explained: &Explained) -> Vec<FlagRow> {
    let of = |kind: MessageType| {
        let seen = explained.found.messages().find(|(seen, _)| *seen == kind);
        seen.and_then(|(_, seen)| flags_of(kind, &seen.bytes))
    };
    let seen =
        [of(MessageType::Negotiate), of(MessageType::Challenge), of(MessageType::Authenticate)];
    let any = seen.iter().flatten().fold(NegotiateFlags::empty(), |any, flags| any | *flags);
    let rows = FLAGS.iter().filter(|info| any.contains(info.flag));
    rows.map(|info| FlagRow {
        info,
        seen: seen.map(|flags| flags.map(|flags| flags.contains(info.flag))),
        in_force: explained.negotiated.contains(info.flag),
    })
    .collect()
}

fn flags_of(kind: MessageType, bytes: &[u8]) -> Option<NegotiateFlags> {
    match kind {
        MessageType::Negotiate => {
            NegotiateMessage::decode(bytes).ok().map(|message| message.negotiate_flags)
        }
        MessageType::Challenge => {
            ChallengeMessage::decode(bytes).ok().map(|message| message.negotiate_flags)
        }
        MessageType::Authenticate => {
            AuthenticateMessage::decode(bytes).ok().and_then(|message| message.negotiate_flags)
        }
    }
}

/// One message, with the fields that say something.
pub(super) struct MessageView {
    pub(super) name: &'static str,
    /// `None` where the fields are those of a message that is not NTLM's.
    pub(super) length: Option<usize>,
    pub(super) frame: Option<u64>,
    pub(super) fields: Vec<FieldView>,
}

pub(super) struct FieldView {
    pub(super) name: String,
    pub(super) offset: usize,
    pub(super) length: usize,
    pub(super) value: String,
    pub(super) depth: usize,
}

pub(super) fn messages(explained: &Explained) -> Vec<MessageView> {
    let masked = explained.keys.is_redacted();
    let view = |(kind, seen): (MessageType, &crate::assemble::Seen)| {
        let mut fields = Vec::new();
        if let Ok(decoded) = Decoded::new(&seen.bytes, explained.code_page) {
            decoded.fields.iter().for_each(|field| add_field(&mut fields, field, 0, masked));
        }
        MessageView {
            name: kind.name(),
            length: Some(seen.bytes.len()),
            frame: seen.origin.map(|origin| origin.frame),
            fields,
        }
    };
    let bare = explained.found.bare.iter().flat_map(|bare| bare_messages(bare, explained));
    explained.found.messages().map(view).chain(bare).collect()
}

/// The fields of SMB 1 that stand for messages.
fn bare_messages(bare: &BareExchange, explained: &Explained) -> Vec<MessageView> {
    let masked = explained.keys.is_redacted();
    let bytes = |name: &str, field: &BareField, is_secret: bool| {
        let value =
            if masked && is_secret { "*".repeat(field.bytes.len() * 2) } else { hex(&field.bytes) };
        let (name, offset, length) = (name.to_owned(), field.offset, field.bytes.len());
        FieldView { name, offset, length, value, depth: 0 }
    };
    let name = |name: &str, field: &BareField, text: &str| {
        let (name, value) = (name.to_owned(), printable(&format!("\"{text}\"")));
        FieldView { name, offset: field.offset, length: field.bytes.len(), value, depth: 0 }
    };
    let message = |name, first: &BareField, fields: Vec<FieldView>| {
        let fields = fields.into_iter().filter(|field| field.length > 0).collect();
        MessageView { name, length: None, frame: Some(first.origin.frame), fields }
    };
    let challenge = bare.server_challenge.as_ref().map(|challenge| {
        let fields = vec![bytes("ServerChallenge", challenge, false)];
        message("SMB_COM_NEGOTIATE response", challenge, fields)
    });
    let setup = message(
        "SMB_COM_SESSION_SETUP_ANDX request",
        &bare.lm,
        vec![
            bytes("LmChallengeResponse", &bare.lm, true),
            bytes("NtChallengeResponse", &bare.nt, true),
            name("AccountName", &bare.user, &explained.account.user),
            name("PrimaryDomain", &bare.domain, &explained.account.domain),
        ],
    );
    challenge.into_iter().chain([setup]).collect()
}

/// Length and frame of a message, in words.
pub(super) fn about(message: &MessageView) -> String {
    let length = message.length.map(|length| format!("{length} bytes"));
    let frame = message.frame.map(|frame| format!("frame {frame}"));
    let parts: Vec<String> = length.into_iter().chain(frame).collect();
    parts.join(", ")
}

/// Where an input stands, in a few words.
pub(super) fn input_place(input: &RungInput) -> Option<String> {
    match input.frames.as_slice() {
        [] => input.place.as_ref().map(place),
        frames => {
            let frames: Vec<String> = frames.iter().map(u64::to_string).collect();
            Some(format!("frames {}", frames.join(", ")))
        }
    }
}

fn place(place: &Place) -> String {
    let message = match place.message {
        "smb_negotiate_response" => "SMB negotiate",
        "smb_session_setup_request" => "SMB setup",
        message => message,
    };
    format!("{message} {}..{}", place.offset, place.offset + place.length)
}

/// Descriptors only say where other fields are, and flags have a table of their own.
fn add_field(fields: &mut Vec<FieldView>, field: &DecodedField, depth: usize, masked: bool) {
    let is_dull = matches!(
        field.name.as_str(),
        "Signature" | "MessageType" | "NegotiateFlags" | "Reserved" | "MsvAvEOL"
    ) || (depth > 0 && matches!(field.name.as_str(), "RespType" | "HiRespType"));
    if field.is_descriptor || is_dull || field.length == 0 {
        return;
    }
    let is_secret = matches!(
        field.name.as_str(),
        "NTProofStr" | "EncryptedRandomSessionKey" | "NtChallengeResponse" | "LmChallengeResponse"
    );
    let value =
        if masked && is_secret { "*".repeat(field.value.len()) } else { printable(&field.value) };
    let (name, offset, length) = (printable(&field.name), field.offset, field.length);
    fields.push(FieldView { name, offset, length, value, depth });
    field.inner.iter().for_each(|inner| add_field(fields, inner, depth + 1, masked));
}

/// The keys of one part of the ladder.
pub(super) struct Group<'a> {
    pub(super) title: &'static str,
    pub(super) steps: Vec<Step<'a>>,
}

/// One key; or the client's and the server's where they differ by the direction only.
pub(super) struct Step<'a> {
    pub(super) rung: &'a Rung,
    pub(super) server: Option<&'a Rung>,
}

/// All keys of an exchange: NTLM's, and what SMB makes of them.
pub(super) fn rungs(explained: &Explained) -> impl Iterator<Item = &Rung> {
    let smb = explained.smb.iter().flat_map(|smb| smb.keys.rungs());
    explained.keys.rungs().iter().chain(smb)
}

pub(super) fn groups<'a>(rungs: impl Iterator<Item = &'a Rung>) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for rung in rungs {
        let title = title(rung.part);
        match groups.last_mut() {
            Some(group) if group.title == title => match group.steps.last_mut() {
                Some(step) if step.server.is_none() && differ_by_direction(step.rung, rung) => {
                    step.server = Some(rung);
                }
                _ => group.steps.push(Step { rung, server: None }),
            },
            _ => groups.push(Group { title, steps: vec![Step { rung, server: None }] }),
        }
    }
    groups
}

const fn title(part: Part) -> &'static str {
    match part {
        Part::Secret => "secret",
        Part::Response => "response",
        Part::Session => "session",
        Part::Protection => "protection",
        Part::Smb => "SMB",
        Part::Netlogon => "Netlogon",
    }
}

fn differ_by_direction(client: &Rung, server: &Rung) -> bool {
    let is_pair = matches!(
        (client.json_name, server.json_name),
        ("client_signing_key", "server_signing_key") | ("client_sealing_key", "server_sealing_key")
    );
    let rules = client.rule.zip(server.rule);
    is_pair && rules.is_some_and(|(one, other)| one.name == other.name)
}

impl Step<'_> {
    /// The formula; for a pair with both directions.
    pub(super) fn formula(&self) -> Option<String> {
        let formula = self.rung.rule?.formula;
        let both = "client-to-server / server-to-client";
        Some(match self.server {
            Some(_) => formula.replace("client-to-server", both),
            None => formula.to_owned(),
        })
    }

    /// The rule, its condition and its section.
    pub(super) fn rule(&self) -> Option<String> {
        let rule = self.rung.rule?;
        // A section is not parted from its document at the end of a line.
        let section = ["MS-NLMP", "MS-SMB2", "MS-SMB", "MS-CIFS", "MS-NRPC"].iter().fold(
            rule.section.to_owned(),
            |section, document| {
                section.replace(&format!("{document} "), &format!("{document}\u{a0}"))
            },
        );
        Some(format!("{}: {} · {section}", rule.name, rule.condition))
    }

    pub(super) fn rungs(&self) -> impl Iterator<Item = &Rung> {
        core::iter::once(self.rung).chain(self.server)
    }

    /// Whether there is a formula that was, or would be, used.
    pub(super) const fn is_empty(&self) -> bool {
        matches!(self.rung.value, RungValue::Empty)
    }
}

/// The value, or the beginning of a long one; JSON has all of it.
pub(super) fn short_value(hex: &str, most: usize) -> String {
    match hex.get(..20).filter(|_| hex.len() > most) {
        Some(start) => format!("{start}… {} bytes", hex.len() / 2),
        None => hex.to_owned(),
    }
}

/// The key that this one simply is.
pub(super) fn alias(rung: &Rung) -> Option<&'static str> {
    let formula = rung.rule?.formula;
    match rung.inputs.as_slice() {
        [RungInput { name, origin: InputOrigin::Key, .. }] if !formula.contains(['(', '[']) => {
            Some(name)
        }
        _ => None,
    }
}

/// The inputs that are no keys of the ladder: bytes of messages, the password, random bytes.
pub(super) fn outside_inputs(rung: &Rung) -> impl Iterator<Item = &RungInput> {
    let is_outside =
        |input: &&RungInput| !matches!(input.origin, InputOrigin::Key | InputOrigin::Constant);
    rung.inputs.iter().filter(is_outside)
}

/// Why no key at all is known.
pub(super) fn all_unknown(ladder: &Ladder) -> Option<&str> {
    let mut whys = ladder.rungs().iter().map(|rung| match (&rung.rule, &rung.value) {
        (None, RungValue::Unknown(why)) => Some(why.as_str()),
        _ => None,
    });
    let first = whys.next()??;
    whys.all(|why| why == Some(first)).then_some(first)
}
