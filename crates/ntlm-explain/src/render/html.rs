//! One page that needs nothing else: no script, no font, no picture from elsewhere.
//!
//! It comes in pieces so that a program can write it as exchanges come up: `html_start`, for each
//! capture `html_capture` and for each of its exchanges `html_exchange`, then `html_end`.

use super::fact::{Tone, tone};
use super::overview::{Row, summary};
use super::style::escaped;
use super::svg::{STYLE as LADDER_STYLE, inline_svg};
use super::view;
use crate::capture_findings::CaptureFinding;
use crate::explained::Explained;
use crate::finding::{FindingCode, Severity};
use crate::ladder::{Rung, RungInput, RungValue};
use std::fmt::Write;

/// A name that may go on in the next line behind the domain.
fn breakable(name: &str) -> String {
    escaped(name).replacen('\\', "\\<wbr>", 1)
}

/// Everything up to the first capture.
#[must_use]
pub fn html_start(title: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}: NTLM explained</title>\n<style>\n{PAGE_STYLE}{LADDER_STYLE}</style>\n</head>\n\
         <body>\n<main>\n"
    )
}

/// The overview of one capture, which has so many secure channels. `number` tells captures of one page
/// apart.
#[must_use]
pub fn html_capture(number: usize, capture: &str, rows: &[Row], channels: usize) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "<header><h1>{}</h1><p class=\"sum\">{}</p></header>",
        escaped(capture),
        escaped(&summary(rows, channels))
    );
    if rows.is_empty() {
        return out;
    }
    out.push_str("<table class=\"overview\"><thead><tr>");
    for head in [
        "#",
        "time (UTC)",
        "account",
        "client → server",
        "carrier",
        "version",
        "protection",
        "response",
        "MIC",
        "answer",
        "findings",
    ] {
        let _ = write!(out, "<th>{head}</th>");
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        let link = format!("<a href=\"#c{number}e{id}\">{id}</a>", id = row.id);
        let cell = |class: &str, label: &str, text: &str| {
            format!("<td class=\"{class}\" data-label=\"{label}\">{text}</td>")
        };
        let verdict = |verdict| badge(tone(verdict), verdict.text());
        let when = format!("{} {}", row.day, row.time);
        let finding_class = match (row.errors, row.warnings) {
            (0, 0) => "plain",
            (0, _) => "warn",
            _ => "bad",
        };
        let _ = writeln!(
            out,
            "<tr>{}{}{}{}{}{}{}{}{}{}{}</tr>",
            cell("n", "exchange", &link),
            cell("quiet", "time", &escaped(&when)),
            cell("who", "account", &breakable(&row.account)),
            cell("quiet", "ends", &escaped(&row.ends)),
            cell("", "carrier", row.carrier),
            cell("", "version", &escaped(row.version)),
            cell("", "protection", &escaped(&row.protection)),
            cell("", "response", &verdict(row.response)),
            cell("", "MIC", &verdict(row.mic)),
            cell(view::answer_tone(row.answer).class(), "answer", row.answer),
            cell(finding_class, "findings", &row.findings()),
        );
    }
    out.push_str("</tbody></table>\n");
    out
}

/// One exchange, whole.
#[must_use]
pub fn html_exchange(number: usize, explained: &Explained) -> String {
    let mut out = String::new();
    heading(&mut out, number, explained);
    out.push_str("<dl class=\"facts\">");
    for fact in view::facts(explained) {
        let value = match fact.tone {
            Tone::Plain => escaped(&fact.value),
            tone => badge(tone, &fact.value),
        };
        let _ = write!(out, "<div><dt>{}</dt><dd>{value}</dd></div>", escaped(fact.name));
    }
    out.push_str("</dl>\n");
    findings(&mut out, explained);
    out.push_str("<h3>Keys</h3>\n");
    let _ = writeln!(out, "<figure>{}</figure>", inline_svg(explained));
    keys(&mut out, explained);
    flags(&mut out, explained);
    messages(&mut out, explained);
    out.push_str("</article>\n");
    out
}

/// The findings of one exchange alone; nothing where there are none.
#[must_use]
pub fn html_findings(number: usize, explained: &Explained) -> String {
    let mut out = String::new();
    if !explained.findings.is_empty() {
        heading(&mut out, number, explained);
        findings(&mut out, explained);
        out.push_str("</article>\n");
    }
    out
}

/// A remark about the page itself.
#[must_use]
pub fn html_note(text: &str) -> String {
    format!("<p class=\"note\">{}</p>\n", escaped(text))
}

/// Everything behind the last exchange.
#[must_use]
pub fn html_end() -> String {
    "</main>\n</body>\n</html>\n".to_owned()
}

fn heading(out: &mut String, number: usize, explained: &Explained) {
    let when = view::day_and_time(explained).map(|(day, time)| format!("{day} {time} UTC"));
    let frames = view::frames(explained).unwrap_or_default();
    let ends = format!("{} {}", explained.carrier, view::ends(explained));
    let place: Vec<String> = [ends, when.unwrap_or_default(), frames]
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .collect();
    let workstation = match explained.account.workstation.as_str() {
        "" => String::new(),
        name => format!(" <small>from {}</small>", escaped(name)),
    };
    let _ = write!(
        out,
        "<article id=\"c{number}e{id}\">\n<h2><span class=\"num\">{id}</span> {account}{workstation}</h2>\n\
         <p>{settled}</p>\n<p class=\"quiet\">{place}</p>\n",
        id = explained.id,
        account = escaped(&view::account(explained)),
        settled = escaped(&view::settled(explained)),
        place = escaped(&place.join(" · ")),
    );
}

pub(super) fn badge(tone: Tone, text: &str) -> String {
    let (class, mark) = (tone.class(), tone.mark());
    format!("<span class=\"{class}\">{mark} {}</span>", escaped(text))
}

fn findings(out: &mut String, explained: &Explained) {
    out.push_str("<h3>Findings</h3>\n");
    if explained.findings.is_empty() {
        out.push_str("<p class=\"quiet\">none</p>\n");
        return;
    }
    out.push_str("<ul class=\"findings\">\n");
    for finding in &explained.findings {
        let place = finding.at.as_ref().map(|at| format!(" ({} offset {})", at.message, at.offset));
        let text = format!("{}{}", finding.message, place.unwrap_or_default());
        one_finding(out, finding.severity, finding.code, &text);
    }
    out.push_str("</ul>\n");
}

/// What there is to say of a capture as a whole; nothing if there is nothing.
#[must_use]
pub fn html_capture_findings(findings: &[CaptureFinding]) -> String {
    if findings.is_empty() {
        return String::new();
    }
    let mut out = "<h3>The capture</h3>\n<ul class=\"findings\">\n".to_owned();
    for finding in findings {
        one_finding(&mut out, finding.severity, finding.code, &finding.message);
    }
    out.push_str("</ul>\n");
    out
}

pub(super) fn one_finding(out: &mut String, severity: Severity, code: FindingCode, text: &str) {
    let (tone, mark, word) = view::tone_of(severity);
    let _ = writeln!(
        out,
        "<li class=\"{}\"><b>{mark} {word}</b> {}<br><span class=\"advice\">→ {}</span> \
         <code>{}</code></li>",
        tone.class(),
        escaped(text),
        escaped(code.advice()),
        code.code(),
    );
}

/// The ladder as text, to be searched and copied.
fn keys(out: &mut String, explained: &Explained) {
    if view::all_unknown(&explained.keys).is_some() {
        return;
    }
    out.push_str(
        "<details><summary>The same as a table</summary>\n<div class=\"scroll\"><table><thead><tr>\
         <th>key</th><th>value</th><th>formula</th><th>rule</th><th>from</th></tr></thead>\n<tbody>\n",
    );
    for rung in view::rungs(explained) {
        let (value, formula) = value_and_formula(rung);
        let rule =
            rung.rule.map(|rule| format!("{}: {} ({})", rule.name, rule.condition, rule.section));
        let places: Vec<String> = rung.inputs.iter().filter_map(place).collect();
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td>{value}</td><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            rung.name,
            escaped(&formula),
            escaped(&rule.unwrap_or_default()),
            escaped(&places.join("; ")),
        );
    }
    out.push_str("</tbody></table></div></details>\n");
}

fn place(input: &RungInput) -> Option<String> {
    Some(format!("{} = {}", input.name, view::input_place(input)?))
}

pub(super) fn value_and_formula(rung: &Rung) -> (String, String) {
    let formula = rung.rule.map(|rule| rule.formula).unwrap_or_default().to_owned();
    match &rung.value {
        RungValue::Known(key) => (format!("<code>{}</code>", escaped(key.expose())), formula),
        RungValue::Empty => ("<span class=\"quiet\">none</span>".to_owned(), String::new()),
        RungValue::Unknown(why) => {
            (format!("<span class=\"warn\">unknown: {}</span>", escaped(why)), formula)
        }
    }
}

fn flags(out: &mut String, explained: &Explained) {
    let rows = view::flag_rows(explained);
    if rows.is_empty() {
        return;
    }
    out.push_str(
        "<h3>Flags</h3>\n<div class=\"scroll\"><table class=\"flags\"><thead><tr><th>offered</th>\
         <th>returned</th><th>final</th><th>in force</th><th></th><th>flag</th><th>meaning</th>\
         </tr></thead>\n<tbody>\n",
    );
    for row in rows {
        let class = if row.in_force { "on" } else { "off" };
        let _ = write!(out, "<tr class=\"{class}\">");
        for set in row.seen {
            let mark = match set {
                None => "?",
                Some(true) => "●",
                Some(false) => "·",
            };
            let _ = write!(out, "<td class=\"dot\">{mark}</td>");
        }
        let _ = writeln!(
            out,
            "<td class=\"dot\">{}</td><td>{}</td><td>{}</td><td class=\"quiet\">{}</td></tr>",
            if row.in_force { "✔" } else { "" },
            row.info.letter,
            row.short_name(),
            escaped(row.info.meaning),
        );
    }
    out.push_str("</tbody></table></div>\n");
}

fn messages(out: &mut String, explained: &Explained) {
    out.push_str("<h3>Messages</h3>\n");
    for message in view::messages(explained) {
        let _ = write!(
            out,
            "<details open><summary>{} <span class=\"quiet\">{}</span></summary>\n\
             <div class=\"scroll\"><table class=\"fields\"><thead><tr><th>offset</th><th>length</th>\
             <th>field</th><th>value</th></tr></thead>\n<tbody>\n",
            message.name,
            view::about(&message),
        );
        for field in message.fields {
            let _ = writeln!(
                out,
                "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td>\
                 <td class=\"d{}\">{}</td><td><code>{}</code></td></tr>",
                field.offset,
                field.length,
                field.depth.min(3),
                escaped(&field.name),
                escaped(&field.value),
            );
        }
        out.push_str("</tbody></table></div></details>\n");
    }
}

const PAGE_STYLE: &str = "\
:root{color-scheme:light dark;--bg:#fdfdfc;--fg:#1f2933;--quiet:#5b6b7b;--line:#dde4ea;--soft:#f4f7f9;\
--link:#1b5f8f;--good:#1a7f4b;--bad:#b3261e;--warn:#8a6100}
@media (prefers-color-scheme:dark){:root{--bg:#14191f;--fg:#dfe6ee;--quiet:#93a4b5;--line:#2c3742;\
--soft:#1b222a;--link:#8cc8f0;--good:#5fd39a;--bad:#ff8a80;--warn:#e0b64a}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:16px/1.55 system-ui,-apple-system,'Segoe UI',\
Roboto,'DejaVu Sans',sans-serif}
main{max-width:1180px;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.6rem;margin:1rem 0 .2rem;overflow-wrap:anywhere}
article+header{margin-top:4rem}
h2{font-size:1.3rem;margin:0 0 .4rem;overflow-wrap:anywhere}
h2 small{font-weight:400;font-size:.8em;color:var(--quiet)}
h3{font-size:1.05rem;margin:1.8rem 0 .5rem}
p{margin:.2rem 0}
a{color:var(--link)}
code{font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace;font-size:.86em;\
overflow-wrap:anywhere}
.sum,.quiet,.advice{color:var(--quiet)}
.num{display:inline-block;min-width:1.8em;padding:0 .45em;border-radius:1em;background:var(--soft);\
border:1px solid var(--line);text-align:center;font-size:.85em}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}
.note{margin:1rem 0;padding:.6rem .9rem;border-left:3px solid var(--warn);background:var(--soft)}
article{margin-top:2.5rem;padding-top:2rem;border-top:1px solid var(--line)}
table{border-collapse:collapse;width:100%;font-size:.875rem}
th{font-weight:500;color:var(--quiet);text-align:left;white-space:nowrap}
th,td{padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top}
.overview{margin-top:1rem}
.overview td{white-space:nowrap}
.overview .who{font-weight:600;white-space:normal;overflow-wrap:break-word;max-width:16rem}
.overview .quiet{white-space:normal}
td.n{font-variant-numeric:tabular-nums}
.fields td.n{text-align:right;padding-right:1rem;color:var(--quiet)}
.fields th:nth-child(-n+2){text-align:right;padding-right:1rem}
.d1{padding-left:1.2rem}.d2,.d3{padding-left:2.4rem}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(15rem,1fr));gap:.5rem 1.5rem;margin:1rem 0}
.facts dt{font-size:.8rem;color:var(--quiet)}.facts dd{margin:0;overflow-wrap:anywhere}
.findings{list-style:none;padding:0;margin:0}
.findings li{padding:.5rem .9rem;margin:.5rem 0;background:var(--soft);border-left:3px solid var(--line);\
color:var(--fg);border-radius:0 6px 6px 0}
.findings li.bad{border-color:var(--bad)}.findings li.warn{border-color:var(--warn)}
.findings li.bad b{color:var(--bad)}.findings li.warn b{color:var(--warn)}
.findings code{color:var(--quiet)}
.flags .dot{text-align:center}.flags th:nth-child(-n+4){text-align:center}
.flags .off{color:var(--quiet)}
figure{margin:0;overflow-x:auto;border:1px solid var(--line);border-radius:10px}
figure svg{display:block;width:100%;min-width:760px;height:auto}
details{margin:.6rem 0}summary{cursor:pointer;padding:.2rem 0}
.scroll{overflow-x:auto}
@media screen and (max-width:900px){
.overview thead{display:none}
.overview tr{display:block;padding:.6rem 0;border-bottom:1px solid var(--line)}
.overview td{display:flex;gap:1rem;border:0;padding:.1rem 0}
.overview td::before{content:attr(data-label);flex:0 0 6.5rem;color:var(--quiet);font-weight:400}
.overview td:empty{display:none}
}
@media screen and (max-width:640px){
.facts{grid-template-columns:repeat(2,minmax(0,1fr))}
.flags td:last-child,.flags th:last-child{display:none}
main{padding:1rem 1rem 3rem}
}
@media print{
:root{--bg:#fff;--fg:#000;--quiet:#444;--line:#bbb;--soft:#fff}
body{font-size:10.5pt}main{max-width:none;padding:0}
article{border:0;padding-top:0}article+article,article+header{break-before:page}
.overview{font-size:.7rem}table{font-size:.75rem}
figure{break-inside:avoid;border:0}figure svg{min-width:0;max-height:24cm}
tr,.findings li,.facts{break-inside:avoid}h3,summary{break-after:avoid}
a{color:inherit;text-decoration:none}
}
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_stays_text() {
        let text = escaped("<script>alert('x')</script>\u{202e}&\"");
        assert_eq!(text, "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\\u{202e}&amp;&quot;");
    }
}
