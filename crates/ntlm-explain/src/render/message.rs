//! One message as text.

use super::style::{FAINT, HEADING, KEY, Layout, PLAIN, WARN, printable};
use crate::decoded::{Decoded, DecodedField};
use std::fmt::Write;

/// Draws one message: fields with offsets, flags in words.
#[must_use]
pub fn message(decoded: &Decoded, layout: Layout) -> String {
    let mut out = String::new();
    let (name, length) = (decoded.message, decoded.length);
    let _ = writeln!(out, "{HEADING}{name}{HEADING:#}  {length} bytes");
    let _ = writeln!(out, "{FAINT}  offset  length  field{FAINT:#}");
    for part in &decoded.fields {
        field(&mut out, part, 0, layout);
        if part.name == "NegotiateFlags" {
            for flag in &decoded.flags {
                let first = format!("{:20}{:<3} ", "", flag.letter);
                let text = format!("{}: {}", flag.name, flag.meaning);
                layout.wrap(&mut out, &first, &" ".repeat(26), PLAIN, &text);
            }
        }
    }
    for defect in &decoded.defects {
        layout.wrap(&mut out, "  ! ", "    ", WARN, defect);
    }
    out
}

fn field(out: &mut String, part: &DecodedField, depth: usize, layout: Layout) {
    let head = format!("{:>8}  {:>6}  {}", part.offset, part.length, "  ".repeat(depth));
    let name = printable(&part.name);
    let value = printable(&part.value);
    let (name_style, value_style) = if part.is_descriptor { (FAINT, FAINT) } else { (KEY, PLAIN) };
    let width = 32_usize.saturating_sub(2 * depth);
    let fits = head.chars().count() + width + 1 + value.chars().count() <= layout.width();
    let _ = write!(out, "{FAINT}{head}{FAINT:#}{name_style}{name}{name_style:#}");
    if value.is_empty() {
        out.push('\n');
    } else if fits {
        let gap = " ".repeat((width + 1).saturating_sub(name.chars().count()));
        let _ = writeln!(out, "{gap}{value_style}{value}{value_style:#}");
    } else {
        out.push('\n');
        let indent = " ".repeat(20);
        layout.wrap(out, &indent, &indent, value_style, &value);
    }
    for inner in &part.inner {
        field(out, inner, depth + 1, layout);
    }
}
