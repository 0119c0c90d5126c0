//! What text and HTML of a secure channel have in common: the channel and its logons in words.

use super::fact::{Fact, Tone, tone};
use crate::explained::{Verdict, account_text};
use crate::inspect;
use crate::netlogon::{ChannelExplained, LogonExplained};
use crate::tally::Signatures;

/// `CORP\MEMBER1`, or the account.
pub(super) fn name(channel: &ChannelExplained) -> String {
    let machine = channel.account.as_deref().unwrap_or(&channel.machine);
    match channel.domain.as_str() {
        "" => machine.to_owned(),
        domain => format!("{domain}\\{machine}"),
    }
}

pub(super) fn ends(channel: &ChannelExplained) -> String {
    format!("{} → {}", channel.client, channel.server)
}

/// How the channel is protected, in a few words.
pub(super) fn protection(channel: &ChannelExplained) -> String {
    let what = if channel.level == "privacy" { "sealed" } else { "signed" };
    format!("{what} {}", channel.algorithms.unwrap_or("algorithms not known"))
}

/// What signatures came to, in words and as a whole; `None` where there were none.
pub(super) fn signatures(signatures: Signatures, unsealed: u64) -> Option<(Tone, String)> {
    let Signatures { valid, invalid, unchecked, unsigned } = signatures;
    let counts = [
        (valid, "valid"),
        (invalid, "invalid"),
        (unchecked, "unchecked"),
        (unsigned, "calls and answers without"),
        (unsealed, "unsealed"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, what)| format!("{count} {what}")).collect();
    let tone = match (valid, invalid, unchecked) {
        (_, 1.., _) => Tone::Bad,
        (_, _, 1..) => Tone::Warn,
        (1.., ..) => Tone::Good,
        _ => Tone::Plain,
    };
    (!counts.is_empty()).then(|| (tone, counts.join(", ")))
}

pub(super) fn facts(channel: &ChannelExplained) -> Vec<Fact> {
    let fact = |tone, name, value: String| Fact { tone, name, value };
    let of = |verdict: Verdict, name| fact(tone(verdict), name, verdict.text().to_owned());
    let mut facts = Vec::new();
    if let Some((tone, value)) = signatures(channel.signatures, channel.unsealed) {
        facts.push(fact(tone, "signatures", value));
    }
    facts.push(of(channel.client_credential, "ClientCredential"));
    facts.push(of(channel.server_credential, "ServerCredential"));
    let signs = if channel.header_signing { "signed" } else { "not signed" };
    facts.push(fact(Tone::Plain, "headers", signs.to_owned()));
    let rest = [
        ("secure channel type", channel.secure_channel_type.map(str::to_owned)),
        ("NegotiateFlags", channel.negotiate_flags.clone()),
        ("ClientChallenge", channel.client_challenge.clone()),
        ("ServerChallenge", channel.server_challenge.clone()),
    ];
    let rest = rest.into_iter().filter_map(|(name, value)| Some((name, value?)));
    facts.extend(rest.map(|(name, value)| fact(Tone::Plain, name, value)));
    facts
}

/// Who logs on, and how.
pub(super) fn logon(logon: &LogonExplained) -> String {
    let name = match account_text(&logon.account) {
        name if name.is_empty() => "(no name)".to_owned(),
        name => name,
    };
    let kind = match (logon.kind, logon.version) {
        (Some("network"), Some(version)) => format!("network {version}"),
        (Some(kind), _) => kind.to_owned(),
        (None, _) => "not readable".to_owned(),
    };
    let from = match logon.account.workstation.as_str() {
        "" => String::new(),
        workstation => format!(" from {workstation}"),
    };
    format!("{name}{from}, {kind}")
}

/// What the domain controller said.
pub(super) fn verdict(logon: &LogonExplained) -> (Tone, String) {
    match logon.status.as_deref() {
        None => (Tone::Warn, "no answer was seen".to_owned()),
        Some("STATUS_SUCCESS") => (Tone::Good, "STATUS_SUCCESS".to_owned()),
        Some(status) => {
            let words = inspect::words(status);
            let final_ = if logon.authoritative == Some(false) { ", not final" } else { "" };
            (Tone::Bad, format!("{words}{final_}"))
        }
    }
}

/// The rest of a logon, a line for each.
pub(super) fn logon_facts(logon: &LogonExplained) -> Vec<Fact> {
    let fact = |tone, name, value: String| Fact { tone, name, value };
    let mut facts = Vec::new();
    if logon.response != Verdict::Absent {
        facts.push(fact(tone(logon.response), "response", logon.response.text().to_owned()));
    }
    let validated = logon.validated.as_ref();
    let account = validated.map(|it| {
        let sid = it.sid.as_ref().map(|sid| format!(" {sid}")).unwrap_or_default();
        let guest = if it.guest { ", as a guest" } else { "" };
        format!("{}\\{}{sid}, judged by {}{guest}", it.domain, it.user, it.logon_server)
    });
    let levels = logon.logon_level.map(|level| {
        let validation = logon.validation_level.map(|level| format!(", validation {level}"));
        format!("{} level {level}{}", logon.method, validation.unwrap_or_default())
    });
    let frames: Vec<String> = logon.frames.iter().map(u64::to_string).collect();
    let plain = [
        ("call", levels.or_else(|| Some(logon.method.to_owned()))),
        ("frames", Some(frames.join(", "))),
        ("LmChallenge", logon.challenge.clone()),
        ("account", account),
        ("groups", validated.map(|it| it.groups.join(", ")).filter(|groups| !groups.is_empty())),
        ("UserSessionKey", logon.user_session_key.as_ref().map(|key| key.expose().to_owned())),
        ("LMKey", logon.lm_key.as_ref().map(|key| key.expose().to_owned())),
        ("exchange", logon.exchange.map(|id| format!("{id} of this capture"))),
    ];
    let plain = plain.into_iter().filter_map(|(name, value)| Some((name, value?)));
    facts.extend(plain.map(|(name, value)| fact(Tone::Plain, name, value)));
    facts
}
