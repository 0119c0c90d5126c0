//! One exchange as text.

use super::style::{BAD, FAINT, GOOD, HEADING, KEY, Layout, PLAIN, WARN, printable};
use crate::explain::{Explained, Verdict};
use crate::finding::Severity;
use crate::ladder::{Ladder, Rung, RungValue};
use anstyle::Style;
use ntlm::flags::{FLAGS, NegotiateFlags};
use ntlm::keys::SealingKeyRule;
use ntlm::message::{
    AuthenticateMessage, ChallengeMessage, Message, MessageType, NegotiateMessage,
};
use std::fmt::Write;

/// Everything about one exchange.
#[must_use]
pub fn exchange(explained: &Explained, layout: Layout) -> String {
    let mut out = String::new();
    heading(&mut out, explained, layout);
    verdicts(&mut out, explained, layout);
    flags(&mut out, explained);
    messages(&mut out, explained);
    section(
        &mut out,
        "Keys",
        "each with the rule that chose it, its formula and where that stands",
    );
    out.push_str(&ladder(&explained.keys, layout));
    findings(&mut out, explained, layout);
    out
}

fn heading(out: &mut String, explained: &Explained, layout: Layout) {
    let ends = match (&explained.client, &explained.server) {
        (Some(client), Some(server)) => format!("  {client} → {server}"),
        _ => String::new(),
    };
    let title = format!("Exchange {}  {}{ends}", explained.id, explained.carrier);
    let rule = "─".repeat(layout.width());
    let _ = writeln!(out, "{FAINT}{rule}{FAINT:#}\n{HEADING}{title}{HEADING:#}");
    let when = explained.time.as_deref().unwrap_or_default();
    let frames: Vec<String> = explained.frames.iter().map(u64::to_string).collect();
    if !frames.is_empty() {
        layout.wrap(out, "", "", FAINT, &format!("{when}  frames {}", frames.join(", ")));
    }
    let account = &explained.account;
    let name = match (account.domain.as_str(), account.user.as_str()) {
        ("", "") => "(no name)".to_owned(),
        ("", user) => user.to_owned(),
        (domain, user) => format!("{domain}\\{user}"),
    };
    let from = match account.workstation.as_str() {
        "" => String::new(),
        workstation => format!(" from {workstation}"),
    };
    let version = explained.version.unwrap_or("version unknown");
    layout.wrap(
        out,
        "",
        "  ",
        PLAIN,
        &format!("{name}{from}, {version}{}", protection(explained.negotiated)),
    );
    out.push('\n');
}

/// What the flags in force come to, in words.
fn protection(flags: NegotiateFlags) -> String {
    if flags.is_empty() {
        return String::new();
    }
    let ess = flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
    let mut words = String::from(if ess { " with" } else { " without" });
    words.push_str(" extended session security; messages ");
    words.push_str(
        match (
            flags.contains(NegotiateFlags::NEGOTIATE_SIGN),
            flags.contains(NegotiateFlags::NEGOTIATE_SEAL),
        ) {
            (_, true) => "signed and sealed",
            (true, false) => "signed",
            (false, false) => "not protected by NTLM",
        },
    );
    if flags.protects() {
        let bits = SealingKeyRule::choose(flags).strength_bits();
        let _ = write!(words, ", {bits} bits");
        if flags.contains(NegotiateFlags::NEGOTIATE_KEY_EXCH) {
            words.push_str(", key exchanged");
        }
    }
    words
}

fn verdicts(out: &mut String, explained: &Explained, layout: Layout) {
    for (what, verdict) in [("response", explained.response), ("MIC", explained.mic)] {
        let (style, mark) = mark(verdict);
        let _ = writeln!(out, "  {what:<17} {style}{mark} {}{style:#}", verdict.text());
    }
    let style = if explained.channel_bindings == "mismatch" { BAD } else { PLAIN };
    let bindings = explained.channel_bindings;
    let _ = writeln!(out, "  {:<17} {style}  {bindings}{style:#}", "channel bindings");
    let target = explained.target_name.as_deref().unwrap_or("(none)");
    let indent = " ".repeat(22);
    layout.wrap(out, &format!("  {:<17}   ", "target name"), &indent, PLAIN, target);
    let status = explained.outcome.status.as_deref().unwrap_or_default();
    let answer = format!("{} {status}", explained.outcome.result);
    layout.wrap(out, &format!("  {:<17}   ", "server's answer"), &indent, PLAIN, answer.trim_end());
    if let Some(challenge) = &explained.server_challenge {
        let _ = writeln!(out, "  {:<17}   {challenge}", "ServerChallenge");
        match &explained.challenge_for_domain_controller {
            Some(other) if other != challenge => {
                let _ = writeln!(out, "  {:<17}   {other}  for the domain controller", "");
            }
            _ => {}
        }
    }
}

const fn mark(verdict: Verdict) -> (Style, &'static str) {
    match verdict {
        Verdict::Valid => (GOOD, "✔"),
        Verdict::Invalid => (BAD, "✘"),
        Verdict::Absent => (PLAIN, "-"),
        Verdict::Unchecked => (WARN, "?"),
    }
}

fn section(out: &mut String, title: &str, explanation: &str) {
    let _ = writeln!(out, "\n{HEADING}{title}{HEADING:#}  {FAINT}{explanation}{FAINT:#}");
}

fn flags(out: &mut String, explained: &Explained) {
    section(out, "Flags", "offered, returned, kept; * = in force");
    let of = |kind: MessageType| {
        let seen = explained.found.messages().find(|(seen, _)| *seen == kind);
        seen.and_then(|(_, seen)| flags_of(kind, &seen.bytes))
    };
    let seen =
        [of(MessageType::Negotiate), of(MessageType::Challenge), of(MessageType::Authenticate)];
    let any = seen.iter().flatten().fold(NegotiateFlags::empty(), |any, flags| any | *flags);
    for info in FLAGS.iter().filter(|info| any.contains(info.flag)) {
        let cells = seen.map(|flags| match flags {
            None => '?',
            Some(flags) if flags.contains(info.flag) => '●',
            Some(_) => '·',
        });
        let [offered, returned, kept] = cells;
        let in_force = explained.negotiated.contains(info.flag);
        let star = if in_force { "*" } else { " " };
        let (letter, name) = (info.letter, info.name.trim_start_matches("NTLMSSP_"));
        let style = if in_force { PLAIN } else { FAINT };
        let _ = writeln!(
            out,
            "  {offered} {returned} {kept} {star} {style}{letter:<3} {name}{style:#}"
        );
    }
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

fn messages(out: &mut String, explained: &Explained) {
    section(out, "Messages", "`ntlm decode` shows the fields of one");
    for (kind, seen) in explained.found.messages() {
        let place = seen.origin.map(|origin| format!("  frame {}", origin.frame));
        let place = place.unwrap_or_default();
        let length = seen.bytes.len();
        let _ = writeln!(out, "  {:<21} {length:>5} bytes{place}", kind.name());
    }
}

/// The ladder alone.
#[must_use]
pub fn ladder(ladder: &Ladder, layout: Layout) -> String {
    let mut out = String::new();
    let mut rungs = ladder.rungs().iter().peekable();
    if let Some(why) = all_unknown(ladder) {
        layout.wrap(&mut out, "  ", "  ", WARN, &format!("No key is known: {why}."));
        return out;
    }
    while let Some(rung) = rungs.next() {
        draw(&mut out, rung, rungs.peek().is_none(), layout);
    }
    out
}

fn all_unknown(ladder: &Ladder) -> Option<&str> {
    let mut whys = ladder.rungs().iter().map(|rung| match (&rung.rule, &rung.value) {
        (None, RungValue::Unknown(why)) => Some(why.as_str()),
        _ => None,
    });
    let first = whys.next()??;
    whys.all(|why| why == Some(first)).then_some(first)
}

fn draw(out: &mut String, rung: &Rung, is_last: bool, layout: Layout) {
    let name = rung.key.name();
    let (joint, stem) = if is_last { ("└─", "    ") } else { ("├─", "│   ") };
    let _ = write!(out, "  {FAINT}{joint}{FAINT:#} {KEY}{name}{KEY:#}");
    let gap = " ".repeat(26_usize.saturating_sub(name.chars().count()));
    match &rung.value {
        RungValue::Known(hex) if layout.width() >= 66 => {
            let _ = writeln!(out, "{gap}{hex}");
        }
        RungValue::Known(hex) => {
            let _ = writeln!(out, "\n  {FAINT}{stem}{FAINT:#}{hex}");
        }
        RungValue::Empty => {
            let _ = writeln!(out, "{gap}{FAINT}none{FAINT:#}");
        }
        RungValue::Unknown(why) => {
            let _ = writeln!(out, "{gap}{WARN}unknown: {}{WARN:#}", printable(why));
        }
    }
    let Some(rule) = rung.rule else { return };
    let doc = rule.doc();
    let indent = format!("  {stem}");
    let detail = |out: &mut String, label: &str, text: &str| {
        let first = format!("{indent}{label:<8} ");
        layout.wrap(out, &first, &format!("{indent}{:9}", ""), FAINT, text);
    };
    detail(out, "rule", &format!("{}: {}", doc.name, doc.condition));
    if matches!(rung.value, RungValue::Empty) {
        return;
    }
    detail(out, "formula", &format!("{}  [{}]", doc.formula, doc.section));
    let places = rung.inputs.iter().filter_map(|input| {
        let place = input.place.as_ref()?;
        let frame = place.frame.map(|frame| format!(", frame {frame}")).unwrap_or_default();
        let end = place.offset + place.length;
        Some(format!("{} = {} bytes {}..{end}{frame}", input.name, place.message, place.offset))
    });
    let places: Vec<String> = places.collect();
    if !places.is_empty() {
        detail(out, "from", &places.join("; "));
    }
}

fn findings(out: &mut String, explained: &Explained, layout: Layout) {
    section(out, "Findings", "and what to do next");
    if explained.findings.is_empty() {
        let _ = writeln!(out, "  none");
    }
    let mut findings: Vec<_> = explained.findings.iter().collect();
    findings.sort_by_key(|finding| core::cmp::Reverse(finding.severity));
    for finding in findings {
        let (style, mark) = match finding.severity {
            Severity::Error => (BAD, "✘ error  "),
            Severity::Warning => (WARN, "! warning"),
            Severity::Info => (PLAIN, "· info   "),
        };
        let place = finding.at.as_ref().map(|at| format!(" ({} offset {})", at.message, at.offset));
        let text = format!("{}{}", finding.message, place.unwrap_or_default());
        layout.wrap(out, &format!("  {mark} "), "            ", style, &text);
        let advice = format!("[{}] {}", finding.code.code(), finding.code.advice());
        layout.wrap(out, "            ", "            ", FAINT, &advice);
    }
}
