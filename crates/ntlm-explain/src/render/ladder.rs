//! The ladder as text: a tree from the secret down to the keys that protect messages.

use super::style::{FAINT, HEADING, KEY, Layout, PLAIN, WARN, printable};
use super::view::{self, Group, Step};
use crate::explained::Explained;
use crate::ladder::{Ladder, Rung, RungValue};
use anstyle::Style;
use std::fmt::Write;

/// The longest name, `client-to-server cipher key`.
const NAMES: usize = 27;
/// A key of 16 bytes in hex.
const VALUES: usize = 32;

/// The ladder alone.
#[must_use]
pub fn ladder(ladder: &Ladder, layout: Layout) -> String {
    let mut out = String::new();
    if let Some(why) = view::all_unknown(ladder) {
        layout.wrap(&mut out, "  ", "  ", WARN, &format!("No key is known: {why}."));
        return out;
    }
    draw_groups(&mut out, &view::groups(ladder.rungs().iter()), layout);
    out
}

/// The ladder of an exchange, down to the keys of SMB.
pub(super) fn whole_ladder(explained: &Explained, layout: Layout) -> String {
    if view::all_unknown(&explained.keys).is_some() {
        return ladder(&explained.keys, layout);
    }
    let mut out = String::new();
    draw_groups(&mut out, &view::groups(view::rungs(explained)), layout);
    out
}

fn draw_groups(out: &mut String, groups: &[Group<'_>], layout: Layout) {
    for (index, group) in groups.iter().enumerate() {
        let is_last_group = index + 1 == groups.len();
        let _ = writeln!(out, "  {FAINT}◆{FAINT:#} {HEADING}{}{HEADING:#}", group.title);
        for (index, step) in group.steps.iter().enumerate() {
            let is_last = is_last_group && index + 1 == group.steps.len();
            draw(out, step, is_last, layout);
        }
        if !is_last_group {
            let _ = writeln!(out, "  {FAINT}│{FAINT:#}");
        }
    }
}

fn draw(out: &mut String, step: &Step<'_>, is_last: bool, layout: Layout) {
    let count = step.rungs().count();
    for (index, rung) in step.rungs().enumerate() {
        let ends = is_last && index + 1 == count;
        head(out, rung, ends, layout);
    }
    let stem = if is_last { "       " } else { "  │    " };
    let detail = |out: &mut String, style, text: &str| {
        layout.wrap(out, stem, &format!("{stem}  "), style, text);
    };
    if step.is_empty() || step.rung.rule.is_none() {
        return;
    }
    if view::alias(step.rung).is_none()
        && let Some(formula) = step.formula()
    {
        detail(out, PLAIN, &formula);
    }
    if let Some(rule) = step.rule() {
        detail(out, FAINT, &rule);
    }
    let places: Vec<String> = view::outside_inputs(step.rung)
        .filter_map(|input| Some(format!("{} = {}", input.name, view::input_place(input)?)))
        .collect();
    if !places.is_empty() {
        detail(out, FAINT, &places.join("   "));
    }
}

/// The name and the value; where the key is another one, which.
fn head(out: &mut String, rung: &Rung, ends: bool, layout: Layout) {
    let joint = if ends { "└─" } else { "├─" };
    let name = rung.name;
    let gap = " ".repeat(NAMES.saturating_sub(name.len()) + 2);
    let _ = write!(out, "  {FAINT}{joint}{FAINT:#} {KEY}{name}{KEY:#}");
    let stem = if ends { "       " } else { "  │    " };
    let is_wide = layout.width() >= 5 + NAMES + 2 + VALUES;
    match &rung.value {
        RungValue::Known(key) if key.expose().len() > VALUES => {
            let stem = format!("{FAINT}{stem}{FAINT:#}");
            out.push('\n');
            for line in long_value(key.expose(), layout) {
                let _ = writeln!(out, "{stem}{line}");
            }
        }
        RungValue::Known(key) => {
            let hex = key.expose();
            let alias = view::alias(rung).map(|key| format!("= {key}")).unwrap_or_default();
            let needs = 5 + NAMES + 2 + VALUES + 2 + alias.len();
            match (is_wide, layout.width() >= needs) {
                (true, true) => {
                    let _ = writeln!(out, "{gap}{}", format!("{hex}  {alias}").trim_end());
                }
                (true, false) => {
                    let _ = writeln!(out, "{gap}{hex}");
                    let _ = writeln!(out, "{FAINT}{stem}{FAINT:#}{alias}");
                }
                (false, _) => {
                    let alias = if alias.is_empty() { alias } else { format!("{gap}{alias}") };
                    let _ = writeln!(out, "{alias}");
                    let _ = writeln!(out, "{FAINT}{stem}{FAINT:#}{hex}");
                }
            }
        }
        RungValue::Empty => {
            let condition = rung.rule.map(|rule| rule.condition).unwrap_or_default();
            let text = format!("none   {condition}");
            note(out, (&gap, stem), FAINT, &text, layout);
        }
        RungValue::Unknown(why) => {
            note(out, (&gap, stem), WARN, &format!("unknown   {why}"), layout);
        }
    }
}

/// A value of more than 16 bytes, in lines; of a very long one the beginning.
fn long_value(hex: &str, layout: Layout) -> Vec<String> {
    let shown = view::short_value(hex, 128);
    let width = layout.width().saturating_sub(7).clamp(VALUES, 2 * VALUES);
    let characters: Vec<char> = shown.chars().collect();
    characters.chunks(width).map(|line| line.iter().collect()).collect()
}

/// Beside the name where there is room, else below it.
fn note(out: &mut String, (gap, stem): (&str, &str), style: Style, text: &str, layout: Layout) {
    if 5 + NAMES + 2 + text.chars().count() <= layout.width() {
        let _ = writeln!(out, "{gap}{style}{}{style:#}", printable(text));
    } else {
        out.push('\n');
        layout.wrap(out, stem, stem, style, text);
    }
}
