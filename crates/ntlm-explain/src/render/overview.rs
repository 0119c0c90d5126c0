//! All exchanges at a glance: a line for each.

use super::fact::{self, Tone};
use super::style::{BAD, FAINT, GOOD, HEADING, KEY, Layout, PLAIN, WARN, printable, shortened};
use super::view;
use crate::explained::{Explained, Verdict};
use crate::finding::Severity;
use anstyle::Style;
use std::fmt::Write;
use textwrap::core::display_width;

/// What the overview keeps of an exchange.
#[derive(Clone, Debug)]
pub struct Row {
    pub(super) id: u64,
    pub(super) day: String,
    pub(super) time: String,
    pub(super) account: String,
    pub(super) ends: String,
    pub(super) carrier: &'static str,
    pub(super) version: &'static str,
    pub(super) protection: String,
    pub(super) response: Verdict,
    pub(super) mic: Verdict,
    pub(super) answer: &'static str,
    pub(super) errors: usize,
    pub(super) warnings: usize,
}

impl Row {
    /// From an explained exchange.
    #[must_use]
    pub fn new(explained: &Explained) -> Self {
        let (day, time) = view::day_and_time(explained).unwrap_or_default();
        let count = |severity| {
            explained.findings.iter().filter(|finding| finding.severity == severity).count()
        };
        Self {
            id: explained.id,
            day: day.to_owned(),
            time: time.split('.').next().unwrap_or_default().to_owned(),
            account: shortened(&printable(&view::account(explained)), 40),
            ends: view::ends(explained),
            carrier: explained.carrier,
            version: explained.version.unwrap_or("unknown"),
            protection: match view::protected_by(explained).as_str() {
                "" => "-".to_owned(),
                protection => protection.to_owned(),
            },
            response: explained.response,
            mic: explained.mic,
            answer: view::answer_word(explained),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
        }
    }

    /// About how many bytes it takes to keep this row.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.account.len() + self.ends.len() + 32
    }

    pub(super) fn findings(&self) -> String {
        let count = |mark: &str, count: usize| match count {
            0 => String::new(),
            count => format!("{mark}{count}"),
        };
        let both = [count("✘", self.errors), count("!", self.warnings)];
        both.join(" ").trim().to_owned()
    }

    fn finding_style(&self) -> Style {
        match (self.errors, self.warnings) {
            (0, 0) => PLAIN,
            (0, _) => WARN,
            _ => BAD,
        }
    }

    fn cells(&self) -> [(Style, String); 10] {
        let verdict = |verdict: Verdict| {
            let tone = fact::tone(verdict);
            (style(tone), format!("{} {}", tone.mark(), verdict.text()))
        };
        [
            (FAINT, format!("{:>2}", self.id)),
            (FAINT, self.time.clone()),
            (HEADING, self.account.clone()),
            (PLAIN, self.ends.clone()),
            (PLAIN, self.carrier.to_owned()),
            (PLAIN, self.version.to_owned()),
            (PLAIN, self.protection.clone()),
            verdict(self.response),
            verdict(self.mic),
            (style(view::answer_tone(self.answer)), self.answer.to_owned()),
        ]
    }
}

const HEADS: [&str; 11] = [
    " #",
    "time",
    "account",
    "client → server",
    "carrier",
    "version",
    "protection",
    "response",
    "MIC",
    "answer",
    "findings",
];

pub(super) const fn style(tone: Tone) -> Style {
    match tone {
        Tone::Good => GOOD,
        Tone::Bad => BAD,
        Tone::Warn => WARN,
        Tone::Plain => PLAIN,
    }
}

/// The exchanges of one capture, which has so many secure channels: a table where it fits, else a few
/// short lines for each.
#[must_use]
pub fn overview(capture: &str, rows: &[Row], channels: usize, layout: Layout) -> String {
    let mut out = String::new();
    let summary = summary(rows, channels);
    let items = [(HEADING, capture.to_owned()), (PLAIN, summary)];
    layout.flow(&mut out, "", &items);
    if rows.is_empty() {
        return out;
    }
    out.push('\n');
    let mut table: Vec<[(Style, String); 11]> = rows.iter().map(table_row).collect();
    let heads = HEADS.map(|head| (FAINT, head.to_owned()));
    let widths: [usize; 11] = core::array::from_fn(|column| {
        let cells = core::iter::once(&heads).chain(&table);
        let cells = cells.filter_map(|row| row.get(column));
        cells.map(|(_, text)| display_width(text)).max().unwrap_or_default()
    });
    if widths.iter().sum::<usize>() + 2 * (widths.len() - 1) > layout.columns() {
        rows.iter().for_each(|row| out.push_str(&overview_line(row, layout)));
        return out;
    }
    let mut day = "";
    table.insert(0, heads);
    for (index, line) in table.iter().enumerate() {
        if let Some(row) = index.checked_sub(1).and_then(|index| rows.get(index))
            && row.day != day
        {
            day = &row.day;
            let blanks = widths.first().copied().unwrap_or_default() + 2;
            let _ = writeln!(out, "{}{FAINT}{day}{FAINT:#}", " ".repeat(blanks));
        }
        for (column, ((style, text), width)) in line.iter().zip(widths).enumerate() {
            let gap = if column > 0 { "  " } else { "" };
            if text.is_empty() && column + 1 == line.len() {
                break;
            }
            let blanks = " ".repeat(width.saturating_sub(display_width(text)));
            let blanks = if column + 1 < line.len() { blanks } else { String::new() };
            let _ = write!(out, "{gap}{style}{text}{style:#}{blanks}");
        }
        out.push('\n');
    }
    out
}

fn table_row(row: &Row) -> [(Style, String); 11] {
    let [id, time, account, ends, carrier, version, protection, response, mic, answer] =
        row.cells();
    let findings = (row.finding_style(), row.findings());
    [id, time, account, ends, carrier, version, protection, response, mic, answer, findings]
}

/// One exchange in a few short lines, for narrow terminals and for captures without end.
#[must_use]
pub fn overview_line(row: &Row, layout: Layout) -> String {
    let mut out = String::new();
    let [(_, id), time, (_, account), ends, carrier, version, protection, response, mic, answer] =
        row.cells();
    let _ = write!(out, "{FAINT}{id}{FAINT:#}  ");
    let mut first = String::new();
    let when = match row.day.as_str() {
        "" => time,
        day => (FAINT, format!("{day} {}", row.time)),
    };
    layout.flow(&mut first, "    ", &[(KEY, account), version, protection, when]);
    out.push_str(first.trim_start_matches(' '));
    let label = |(style, text): (Style, String), what: &str| (style, format!("{text} {what}"));
    let findings = match row.findings() {
        none if none.is_empty() => String::new(),
        findings => format!("findings {findings}"),
    };
    let answer = match row.answer {
        "unknown" => (PLAIN, String::new()),
        _ => answer,
    };
    let verdicts =
        [label(response, "response"), label(mic, "MIC"), answer, (row.finding_style(), findings)];
    layout.flow(&mut out, "    ", &verdicts);
    let place = (FAINT, format!("{} {}", carrier.1, ends.1));
    layout.flow(&mut out, "    ", &[place]);
    out
}

pub(super) fn summary(rows: &[Row], channels: usize) -> String {
    let channels = match channels {
        0 => String::new(),
        1 => ", 1 secure channel".to_owned(),
        count => format!(", {count} secure channels"),
    };
    let exchanges = match rows.len() {
        0 if channels.is_empty() => {
            return "no NTLM exchange, so there was nothing to check".to_owned();
        }
        0 => return format!("no NTLM exchange{channels}"),
        1 => "1 exchange".to_owned(),
        count => format!("{count} exchanges"),
    };
    let with = |verdict: Verdict| rows.iter().filter(|row| row.response == verdict).count();
    let counts = [
        (with(Verdict::Valid), "valid"),
        (with(Verdict::Invalid), "invalid"),
        (with(Verdict::Unchecked), "unchecked"),
        (with(Verdict::Absent), "without a response"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let counts = counts.join(", ");
    match channels.as_str() {
        "" => format!("{exchanges}: {counts}"),
        channels => format!("{exchanges}: {counts}; {}", channels.trim_start_matches(", ")),
    }
}
