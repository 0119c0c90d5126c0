//! One secure channel as a part of the page.

use super::fact::{Fact, Tone};
use super::html::{badge, one_finding, value_and_formula};
use super::style::escaped;
use super::view_channel as view;
use crate::netlogon::ChannelExplained;
use std::fmt::Write;

/// One channel, whole.
#[must_use]
pub fn html_channel(channel: &ChannelExplained) -> String {
    let mut out = String::new();
    heading(&mut out, channel);
    facts(&mut out, &view::facts(channel));
    findings(&mut out, channel);
    keys(&mut out, channel);
    out.push_str("<h3>Logons</h3>\n");
    if channel.logons.is_empty() {
        out.push_str("<p class=\"quiet\">none</p>\n");
    }
    for logon in &channel.logons {
        let (tone, verdict) = view::verdict(logon);
        let who = escaped(&view::logon(logon));
        let _ = writeln!(out, "<details open><summary>{who} {}</summary>", badge(tone, &verdict));
        facts(&mut out, &view::logon_facts(logon));
        out.push_str("</details>\n");
    }
    out.push_str("</article>\n");
    out
}

/// The findings of one channel alone; nothing where there are none.
#[must_use]
pub fn html_channel_findings(channel: &ChannelExplained) -> String {
    let mut out = String::new();
    if !channel.findings.is_empty() {
        heading(&mut out, channel);
        findings(&mut out, channel);
        out.push_str("</article>\n");
    }
    out
}

fn heading(out: &mut String, channel: &ChannelExplained) {
    let frames: Vec<String> = channel.frames.iter().map(u64::to_string).collect();
    let _ = write!(
        out,
        "<article>\n<h2><span class=\"num\">channel</span> {} <small>from {}</small></h2>\n\
         <p>Netlogon secure channel, {}</p>\n<p class=\"quiet\">rpc {} · frames {}</p>\n",
        escaped(&view::name(channel)),
        escaped(&channel.machine),
        escaped(&view::protection(channel)),
        escaped(&view::ends(channel)),
        frames.join(", "),
    );
}

fn facts(out: &mut String, facts: &[Fact]) {
    out.push_str("<dl class=\"facts\">");
    for fact in facts {
        let value = match fact.tone {
            Tone::Plain => escaped(&fact.value),
            tone => badge(tone, &fact.value),
        };
        let _ = write!(out, "<div><dt>{}</dt><dd>{value}</dd></div>", escaped(fact.name));
    }
    out.push_str("</dl>\n");
}

fn findings(out: &mut String, channel: &ChannelExplained) {
    out.push_str("<h3>Findings</h3>\n");
    if channel.findings.is_empty() {
        out.push_str("<p class=\"quiet\">none</p>\n");
        return;
    }
    out.push_str("<ul class=\"findings\">\n");
    for finding in &channel.findings {
        one_finding(out, finding.severity, finding.code, &finding.message);
    }
    out.push_str("</ul>\n");
}

fn keys(out: &mut String, channel: &ChannelExplained) {
    out.push_str(
        "<h3>Keys</h3>\n<div class=\"scroll\"><table><thead><tr><th>key</th><th>value</th>\
         <th>formula</th><th>rule</th></tr></thead>\n<tbody>\n",
    );
    for rung in channel.keys.rungs() {
        let (value, formula) = value_and_formula(rung);
        let rule =
            rung.rule.map(|rule| format!("{}: {} ({})", rule.name, rule.condition, rule.section));
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{value}</td><td><code>{}</code></td><td>{}</td></tr>",
            rung.name,
            escaped(&formula),
            escaped(&rule.unwrap_or_default()),
        );
    }
    out.push_str("</tbody></table></div>\n");
}
