//! One secure channel as text.

use super::exchange::{draw_facts, one_finding, section};
use super::ladder;
use super::overview::style;
use super::style::{FAINT, HEADING, KEY, Layout, PLAIN};
use super::view_channel as view;
use crate::netlogon::ChannelExplained;
use std::fmt::Write;

/// Everything about one channel.
#[must_use]
pub fn channel(channel: &ChannelExplained, layout: Layout) -> String {
    let mut out = String::new();
    heading(&mut out, channel, layout);
    draw_facts(&mut out, &view::facts(channel), layout);
    section(&mut out, "Keys", "from the secret down: formula, then rule and condition", layout);
    out.push_str(&ladder(&channel.keys, layout));
    section(&mut out, "Logons", "passed through to the domain controller", layout);
    if channel.logons.is_empty() {
        let _ = writeln!(out, "  {}", view::no_logons(channel));
    }
    for logon in &channel.logons {
        let (tone, verdict) = view::verdict(logon);
        let verdict = (style(tone), format!("{} {verdict}", tone.mark()));
        layout.flow(&mut out, "  ", &[(HEADING, view::logon(logon)), verdict]);
        draw_facts(&mut out, &view::logon_facts(logon), layout);
    }
    section(&mut out, "Findings", "and what to do next", layout);
    list(&mut out, channel, layout);
    out
}

/// The findings of one channel alone; nothing where there are none.
#[must_use]
pub fn channel_findings(channel: &ChannelExplained, layout: Layout) -> String {
    let mut out = String::new();
    if !channel.findings.is_empty() {
        heading(&mut out, channel, layout);
        list(&mut out, channel, layout);
    }
    out
}

/// One channel in a few short lines, for the overview: itself, then each of its logons.
#[must_use]
pub fn channel_line(channel: &ChannelExplained, layout: Layout) -> String {
    let mut out = String::new();
    let signatures = view::signatures(channel.signatures, 0);
    let signatures =
        signatures.map(|(tone, text)| (style(tone), format!("{} {text}", tone.mark())));
    let items = [
        (FAINT, "channel".to_owned()),
        (KEY, view::name(channel)),
        (PLAIN, view::protection(channel)),
        signatures.unwrap_or((PLAIN, String::new())),
        (FAINT, view::ends(channel)),
    ];
    layout.flow(&mut out, "  ", &items);
    for logon in &channel.logons {
        let (tone, verdict) = view::verdict(logon);
        let verdict = (style(tone), format!("{} {verdict}", tone.mark()));
        layout.flow(&mut out, "    ", &[(PLAIN, view::logon(logon)), verdict]);
    }
    out
}

fn heading(out: &mut String, channel: &ChannelExplained, layout: Layout) {
    let rest = layout.width().saturating_sub(11);
    let _ = writeln!(
        out,
        "\n{FAINT}──{FAINT:#} {HEADING}channel{HEADING:#} {FAINT}{}{FAINT:#}",
        "─".repeat(rest)
    );
    let from = format!("from {}", channel.machine);
    layout.flow(out, "", &[(HEADING, view::name(channel)), (PLAIN, from)]);
    let about = format!("Netlogon secure channel, {}", view::protection(channel));
    layout.wrap(out, "", "", PLAIN, &about);
    let frames: Vec<String> = channel.frames.iter().map(u64::to_string).collect();
    let items = [format!("rpc {}", view::ends(channel)), format!("frames {}", frames.join(", "))];
    layout.flow(out, "", &items.map(|item| (FAINT, item)));
    out.push('\n');
}

fn list(out: &mut String, channel: &ChannelExplained, layout: Layout) {
    if channel.findings.is_empty() {
        let _ = writeln!(out, "  none");
    }
    for finding in &channel.findings {
        one_finding(out, finding.severity, finding.code, &finding.message, layout);
    }
}
