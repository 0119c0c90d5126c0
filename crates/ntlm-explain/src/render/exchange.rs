//! One exchange as text.

use super::fact::{Fact, Tone};
use super::ladder::whole_ladder;
use super::overview::style;
use super::style::{FAINT, HEADING, KEY, Layout, PLAIN, padded, printable, shortened};
use super::view;
use crate::capture_findings::CaptureFinding;
use crate::explained::Explained;
use crate::finding::{FindingCode, Severity};
use std::fmt::Write;

/// Everything about one exchange.
#[must_use]
pub fn exchange(explained: &Explained, layout: Layout) -> String {
    let mut out = String::new();
    heading(&mut out, explained, layout);
    facts(&mut out, explained, layout);
    flags(&mut out, explained, layout);
    messages(&mut out, explained, layout);
    section(&mut out, "Keys", "from the secret down: formula, then rule and condition", layout);
    out.push_str(&whole_ladder(explained, layout));
    section(&mut out, "Findings", "and what to do next", layout);
    list(&mut out, explained, layout);
    out
}

/// The findings of one exchange alone; nothing where there are none.
#[must_use]
pub fn findings(explained: &Explained, layout: Layout) -> String {
    let mut out = String::new();
    if !explained.findings.is_empty() {
        heading(&mut out, explained, layout);
        list(&mut out, explained, layout);
    }
    out
}

fn heading(out: &mut String, explained: &Explained, layout: Layout) {
    let number = explained.id.to_string();
    let rest = layout.width().saturating_sub(4 + number.len());
    let _ = writeln!(
        out,
        "\n{FAINT}──{FAINT:#} {HEADING}{number}{HEADING:#} {FAINT}{}{FAINT:#}",
        "─".repeat(rest)
    );
    let workstation = match explained.account.workstation.as_str() {
        "" => String::new(),
        workstation => format!("from {workstation}"),
    };
    layout.flow(out, "", &[(HEADING, view::account(explained)), (PLAIN, workstation)]);
    layout.wrap(out, "", "", PLAIN, &view::settled(explained));
    let when = view::day_and_time(explained).map(|(day, time)| format!("{day} {time} UTC"));
    let frames = view::frames(explained).unwrap_or_default();
    let place = format!("{} {}", explained.carrier, view::ends(explained));
    let items = [place.trim_end().to_owned(), when.unwrap_or_default(), frames];
    layout.flow(out, "", &items.map(|item| (FAINT, item)));
    out.push('\n');
}

fn facts(out: &mut String, explained: &Explained, layout: Layout) {
    draw_facts(out, &view::facts(explained), layout);
}

pub(super) fn draw_facts(out: &mut String, facts: &[Fact], layout: Layout) {
    for fact in facts {
        let colour = style(fact.tone);
        let mark = fact.tone.mark();
        let first = format!("  {} ", padded(fact.name, 25));
        let _ = write!(out, "{first}{colour}{mark}{colour:#} ");
        let indent = " ".repeat(30);
        let mut value = String::new();
        let colour = if fact.tone == Tone::Plain { PLAIN } else { colour };
        layout.wrap(&mut value, "", &indent, colour, &fact.value);
        out.push_str(&value);
    }
}

pub(super) fn section(out: &mut String, title: &str, explanation: &str, layout: Layout) {
    out.push('\n');
    let items = [(HEADING, title.to_owned()), (FAINT, explanation.to_owned())];
    layout.flow(out, "", &items);
}

fn flags(out: &mut String, explained: &Explained, layout: Layout) {
    let rows = view::flag_rows(explained);
    if rows.is_empty() {
        return;
    }
    section(out, "Flags", "what each message sets; ✔ is in force", layout);
    let _ = writeln!(out, "  {FAINT}offered  returned  final{FAINT:#}");
    for row in rows {
        let [offered, returned, kept] = row.seen.map(|set| match set {
            None => "?",
            Some(true) => "●",
            Some(false) => "·",
        });
        let style = if row.in_force { PLAIN } else { FAINT };
        let force = if row.in_force { "✔" } else { " " };
        let (letter, name) = (row.info.letter, row.short_name());
        let _ = writeln!(
            out,
            "  {style}   {offered}        {returned}        {kept}    {force} {letter:<3} {name}{style:#}"
        );
    }
}

fn messages(out: &mut String, explained: &Explained, layout: Layout) {
    section(out, "Messages", "offset, length, field, value", layout);
    for message in view::messages(explained) {
        let (name, about) = (message.name, view::about(&message));
        let _ = writeln!(out, "  {HEADING}{name}{HEADING:#}  {about}");
        for field in message.fields {
            let place = format!("  {:>6} {:>5}  ", field.offset, field.length);
            let blanks = "  ".repeat(field.depth);
            let name = format!("{blanks}{}", field.name);
            let _ = write!(out, "{FAINT}{place}{FAINT:#}{KEY}{name}{KEY:#}");
            if !field.value.is_empty() {
                let gap = " ".repeat(27_usize.saturating_sub(name.len()).max(1));
                let room = layout.width().saturating_sub(17 + 27);
                let value = shortened(&printable(&field.value), room.max(12));
                let _ = write!(out, "{gap}{value}");
            }
            out.push('\n');
        }
    }
}

fn list(out: &mut String, explained: &Explained, layout: Layout) {
    if explained.findings.is_empty() {
        let _ = writeln!(out, "  none");
    }
    for finding in &explained.findings {
        let place = finding.at.as_ref().map(|at| format!(" ({} offset {})", at.message, at.offset));
        let text = format!("{}{}", finding.message, place.unwrap_or_default());
        one_finding(out, finding.severity, finding.code, &text, layout);
    }
}

/// What there is to say of a capture as a whole that matters at `least` so much; nothing if there is nothing.
#[must_use]
pub fn capture_findings(findings: &[CaptureFinding], least: Severity, layout: Layout) -> String {
    let mut out = String::new();
    for finding in findings.iter().filter(|finding| finding.severity >= least) {
        if out.is_empty() {
            section(&mut out, "The capture", "what is missing or damaged in it", layout);
        }
        one_finding(&mut out, finding.severity, finding.code, &finding.message, layout);
    }
    out
}

pub(super) fn one_finding(
    out: &mut String,
    severity: Severity,
    code: FindingCode,
    text: &str,
    layout: Layout,
) {
    let (tone, mark, word) = view::tone_of(severity);
    let (indent, colour) = (" ".repeat(12), style(tone));
    let _ = write!(out, "  {colour}{mark} {word:<7}{colour:#} ");
    layout.wrap(out, "", &indent, colour, text);
    let advice = format!("→ {}", code.advice());
    layout.wrap(out, &indent, &format!("{indent}  "), PLAIN, &advice);
    layout.wrap(out, &indent, &indent, FAINT, &format!("[{}]", code.code()));
}
