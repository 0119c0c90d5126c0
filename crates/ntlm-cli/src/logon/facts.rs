//! What every report of a logon is made of.

use crate::failure::Failure;
use crate::screen::printable;
use anstyle::{AnsiColor, Style};
use serde_json::{Map, Value, json};
use std::fmt::Write;

pub(super) const GOOD: Style = AnsiColor::Green.on_default();
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(super) const WARN: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();

/// How wide a line of advice may be.
const WIDTH: usize = 92;

/// Something to be shown, to people and to programs.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) json_name: &'static str,
    pub(super) value: Value,
    pub(super) text: String,
}

/// Where a logon came to its end.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) step: &'static str,
    pub(super) error: String,
    pub(super) status: Option<String>,
    pub(super) advice: Option<&'static str>,
}

impl Failed {
    pub(super) fn write(&self, out: &mut String) {
        let error = printable(&self.error);
        let _ = writeln!(out, "\n{BAD}{}{BAD:#}: {error}", self.step);
        for line in self.advice.map(wrapped).unwrap_or_default() {
            let _ = writeln!(out, "  {line}");
        }
    }

    pub(super) fn json(&self) -> Value {
        let Self { step, error, status, advice } = self;
        json!({ "step": step, "error": error, "status": status, "advice": advice })
    }
}

pub(super) fn section(out: &mut String, title: &str, facts: &[Fact]) {
    if facts.is_empty() {
        return;
    }
    let _ = writeln!(out, "\n{title}");
    for fact in facts {
        let _ = writeln!(out, "  {FAINT}{:18}{FAINT:#} {}", fact.name, printable(&fact.text));
    }
}

pub(super) fn object(facts: &[Fact]) -> Map<String, Value> {
    facts.iter().map(|fact| (fact.json_name.to_owned(), fact.value.clone())).collect()
}

pub(super) fn pretty(document: &Value) -> Result<String, Failure> {
    let text = serde_json::to_string_pretty(document);
    Ok(format!("{}\n", text.map_err(|error| Failure::new(error.to_string()))?))
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
