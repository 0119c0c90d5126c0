//! The ladder of one exchange as a picture: keys are boxes in the order of derivation, what goes
//! into them arrives by arrows, bytes of messages stand beside them as tags.
//!
//! A key that the next one is made of points straight down. All other arrows run in lanes to the
//! left, one lane for each source, short ones inside, so that no two lines lie on each other.

use super::style::{escaped, shortened};
use super::view::{self, Group, Step};
use crate::explained::Explained;
use crate::ladder::{InputOrigin, Rung, RungInput, RungValue};
use std::fmt::Write;

/// The ladder as a file of its own.
#[must_use]
pub fn svg(explained: &Explained) -> String {
    picture(explained, Some(STYLE))
}

/// The ladder inside a page that has [`STYLE`].
pub(super) fn inline_svg(explained: &Explained) -> String {
    picture(explained, None)
}

const WIDTH: i32 = 1000;
const BOX_LEFT: i32 = 132;
const BOX_WIDTH: i32 = 600;
const BOX_RIGHT: i32 = BOX_LEFT + BOX_WIDTH;
const TAG_LEFT: i32 = 776;
const TAG_WIDTH: i32 = 200;
const TAG_HEIGHT: i32 = 36;
const TAG_GAP: i32 = 6;
const PADDING: i32 = 16;
/// Between two boxes of a group, and before a new group.
const GAP: i32 = 24;
const GROUP_GAP: i32 = 46;
const LINE: i32 = 18;
/// The innermost lane, and how far apart they are.
const LANE: i32 = BOX_LEFT - 24;
const LANES_APART: i32 = 18;
/// Characters that fit on a line of a box: formulas, and rules in proportional type.
const FORMULA: usize = 76;
const RULE: usize = 88;
/// And beside the longest name.
const BESIDE: usize = 54;

/// The colours, for a light page and a dark one. No variables: converters do not know them.
pub(super) const STYLE: &str = "\
.ladder text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif;fill:#1f2933}
.ladder .mono{font-family:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace}
.ladder .page{fill:#fdfdfc}
.ladder .title{font-size:20px;font-weight:600}
.ladder .sub{font-size:13px;fill:#52606d}
.ladder .group{font-size:12px;font-weight:600;letter-spacing:.12em;fill:#829ab1}
.ladder .box{fill:#fff;stroke:#9fb3c8;stroke-width:1.2}
.ladder .box.main{stroke:#2f6f9f;stroke-width:1.8}
.ladder .box.none{fill:none;stroke:#bcccdc;stroke-dasharray:5 4}
.ladder .box.unknown{fill:#fff8e6;stroke:#d9a520;stroke-dasharray:2 3}
.ladder .name{font-size:14px;font-weight:600;fill:#1b4f72}
.ladder .none .name,.ladder text.dim{fill:#829ab1}
.ladder .value{font-size:13px}
.ladder .formula{font-size:12px;fill:#334e68}
.ladder .rule{font-size:12px;fill:#627d98}
.ladder .warn{fill:#8a6100}
.ladder .tag{fill:#eef4f9;stroke:#c3d5e5}
.ladder .tag.secret{fill:#fbeeee;stroke:#e3bcbc}
.ladder .tagname{font-size:12px}
.ladder .tagplace{font-size:11px;fill:#627d98}
.ladder .wire{fill:none;stroke:#8aa4bd;stroke-width:1.4}
.ladder .head{fill:#8aa4bd}
@media (prefers-color-scheme:dark){
.ladder text{fill:#dfe6ee}
.ladder .page{fill:#14191f}
.ladder .sub,.ladder .rule,.ladder .tagplace{fill:#93a4b5}
.ladder .group{fill:#6f8499}
.ladder .box{fill:#1c232b;stroke:#4a5c6e}
.ladder .box.main{stroke:#5aa5d8}
.ladder .box.none{fill:none;stroke:#3c4a58}
.ladder .box.unknown{fill:#2b2412;stroke:#a8821c}
.ladder .name{fill:#8cc8f0}
.ladder .none .name,.ladder text.dim{fill:#6f8499}
.ladder .formula{fill:#b8c7d6}
.ladder .warn{fill:#e0b64a}
.ladder .tag{fill:#202b36;stroke:#3a4d60}
.ladder .tag.secret{fill:#332324;stroke:#5f4143}
.ladder .wire{stroke:#5f7890}
.ladder .head{fill:#5f7890}
}
";

fn picture(explained: &Explained, style: Option<&str>) -> String {
    let title = format!("{}: the keys of NTLM", view::account(explained));
    let mut body = String::new();
    let bottom = match view::all_unknown(&explained.keys) {
        Some(why) => {
            let text = format!("No key is known: {why}.");
            line(&mut body, (PADDING + 24, 112), "sub warn", &text);
            140
        }
        None => ladder(&mut body, &view::groups(view::rungs(explained))),
    };
    let height = bottom + 44;
    // Inside a page the title stands above it already.
    let top = if style.is_some() { 0 } else { 72 };
    let shown = height - top;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ladder\" role=\"img\" \
         viewBox=\"0 {top} {WIDTH} {shown}\" width=\"{WIDTH}\" height=\"{shown}\">\n\
         <title>{}</title>\n",
        escaped(&title)
    );
    if let Some(style) = style {
        let _ = write!(out, "<style>\n{style}</style>\n");
    }
    let _ = writeln!(out, "<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>");
    let account = shortened(&view::account(explained), 60);
    line(&mut out, (PADDING + 24, 44), "title", &account);
    line(&mut out, (PADDING + 24, 68), "sub", &view::settled(explained));
    out.push_str(&body);
    legend(&mut out, bottom + 24);
    out.push_str("</svg>\n");
    out
}

fn legend(out: &mut String, y: i32) {
    let text = "solid: a key · dashed: left empty by the rule · dotted: unknown · at the right: what \
                comes from outside, with its bytes in the message";
    line(out, (PADDING + 24, y), "rule", text);
}

/// One box on its place.
struct Placed<'a> {
    step: &'a Step<'a>,
    top: i32,
    height: i32,
    lines: Lines,
}

/// What a box says below its head.
struct Lines {
    formula: Vec<String>,
    rule: Vec<String>,
    note: Vec<String>,
}

impl Placed<'_> {
    const fn bottom(&self) -> i32 {
        self.top + self.height
    }

    fn has(&self, key: &str) -> bool {
        self.step.rungs().any(|rung| rung.json_name == key)
    }
}

/// Draws everything and says where it ends.
fn ladder(out: &mut String, groups: &[Group<'_>]) -> i32 {
    let mut boxes = Vec::new();
    let mut y = 84;
    for group in groups {
        y += GROUP_GAP - GAP;
        line(out, (BOX_LEFT, y - 8), "group", &group.title.to_uppercase());
        for step in &group.steps {
            let lines = lines(step);
            let height = height(step, &lines);
            boxes.push(Placed { step, top: y, height, lines });
            y += height + GAP;
        }
    }
    wires(out, &boxes);
    boxes.iter().for_each(|placed| draw(out, placed));
    y - GAP
}

fn lines(step: &Step<'_>) -> Lines {
    let rule = step.rule().map(|rule| wrap(&rule, RULE)).unwrap_or_default();
    match &step.rung.value {
        RungValue::Empty => Lines { formula: Vec::new(), rule: Vec::new(), note: empty(step.rung) },
        value => {
            let formula = match view::alias(step.rung) {
                Some(key) => vec![format!("= {key}")],
                None => step.formula().map(|text| wrap(&text, FORMULA)).unwrap_or_default(),
            };
            let note = match value {
                RungValue::Unknown(why) => wrap(&format!("unknown: {why}"), RULE),
                _ => Vec::new(),
            };
            Lines { formula, rule, note }
        }
    }
}

/// Why a key is left empty: beside its name where there is room.
fn empty(rung: &Rung) -> Vec<String> {
    let condition = rung.rule.map(|rule| rule.condition).unwrap_or_default();
    wrap(&format!("none: {condition}"), RULE)
}

fn is_beside(lines: &Lines) -> bool {
    matches!(lines.note.as_slice(), [note] if note.chars().count() <= BESIDE)
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let options =
        textwrap::Options::new(width).word_splitter(textwrap::WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(text, options).into_iter();
    lines.map(|line| line.replace('\u{a0}', " ")).collect()
}

fn height(step: &Step<'_>, lines: &Lines) -> i32 {
    let heads = step.rungs().count();
    if step.is_empty() {
        let notes = if is_beside(lines) { 0 } else { lines.note.len() };
        return count(heads + notes) * LINE + 16;
    }
    let all = heads + lines.formula.len() + lines.rule.len() + lines.note.len();
    let tags = count(view::outside_inputs(step.rung).count());
    let tags = tags * (TAG_HEIGHT + TAG_GAP) - TAG_GAP;
    (count(all) * LINE + 18).max(tags)
}

fn count(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX / 1024)
}

fn draw(out: &mut String, placed: &Placed<'_>) {
    let (step, lines) = (placed.step, &placed.lines);
    let class = match &step.rung.value {
        RungValue::Empty => "box none",
        RungValue::Unknown(_) => "box unknown",
        RungValue::Known(_) if step.rung.json_name == "exported_session_key" => "box main",
        RungValue::Known(_) => "box",
    };
    let (top, height) = (placed.top, placed.height);
    let group = if step.is_empty() { "none" } else { "some" };
    let _ = write!(
        out,
        "<g class=\"{group}\"><rect class=\"{class}\" x=\"{BOX_LEFT}\" y=\"{top}\" \
         width=\"{BOX_WIDTH}\" height=\"{height}\" rx=\"8\"/>"
    );
    let mut y = top + if step.is_empty() { 22 } else { 24 };
    for rung in step.rungs() {
        line(out, (BOX_LEFT + PADDING, y), "name", rung.name);
        match (&rung.value, lines.note.first()) {
            (RungValue::Known(key), _) => {
                let value = view::short_value(key.expose(), 32);
                line_to(out, (BOX_RIGHT - PADDING, y), "mono value", &value);
            }
            (RungValue::Empty, Some(note)) if is_beside(lines) => {
                line_to(out, (BOX_RIGHT - PADDING, y), "rule dim", note);
            }
            _ => {}
        }
        y += LINE;
    }
    if step.is_empty() && !is_beside(lines) {
        for note in &lines.note {
            line(out, (BOX_LEFT + PADDING, y), "rule dim", note);
            y += LINE;
        }
    }
    if !step.is_empty() {
        let formula = lines.formula.iter().map(|text| ("mono formula", text));
        let note = lines.note.iter().map(|text| ("rule warn", text));
        let rule = lines.rule.iter().map(|text| ("rule", text));
        for (class, text) in formula.chain(note).chain(rule) {
            line(out, (BOX_LEFT + PADDING, y), class, text);
            y += LINE;
        }
        tags(out, placed);
    }
    out.push_str("</g>\n");
}

/// What comes from outside the ladder, to the right of its box.
fn tags(out: &mut String, placed: &Placed<'_>) {
    let inputs: Vec<&RungInput> = view::outside_inputs(placed.step.rung).collect();
    let total = count(inputs.len()) * (TAG_HEIGHT + TAG_GAP) - TAG_GAP;
    let mut y = placed.top + (placed.height - total) / 2;
    for input in inputs {
        let (class, name, place) = tag(input);
        let _ = write!(
            out,
            "<rect class=\"{class}\" x=\"{TAG_LEFT}\" y=\"{y}\" width=\"{TAG_WIDTH}\" \
             height=\"{TAG_HEIGHT}\" rx=\"6\"/>"
        );
        line(out, (TAG_LEFT + 10, y + 15), "mono tagname", &name);
        line(out, (TAG_LEFT + 10, y + 29), "tagplace", &place);
        let middle = y + TAG_HEIGHT / 2;
        let _ = write!(out, "<path class=\"wire\" d=\"M{TAG_LEFT} {middle}H{}\"/>", BOX_RIGHT + 8);
        arrow_left(out, BOX_RIGHT + 1, middle);
        y += TAG_HEIGHT + TAG_GAP;
    }
}

fn tag(input: &RungInput) -> (&'static str, String, String) {
    let name = shortened(input.name, 25);
    match input.origin {
        InputOrigin::Password => {
            ("tag secret", "password".to_owned(), "known to both ends".to_owned())
        }
        InputOrigin::Nonce => ("tag", name, "random, drawn by the client".to_owned()),
        _ => ("tag", name, shortened(&view::input_place(input).unwrap_or_default(), 32)),
    }
}

/// All arrows from one box to boxes that are not the next one.
struct Trunk {
    from: usize,
    to: Vec<usize>,
    top: i32,
    bottom: i32,
    lane: i32,
}

fn wires(out: &mut String, boxes: &[Placed<'_>]) {
    let mut trunks: Vec<Trunk> = Vec::new();
    let inputs = |placed: &Placed<'_>| -> Vec<&'static str> {
        if placed.step.is_empty() {
            return Vec::new();
        }
        placed.step.rung.inputs.iter().filter_map(|input| input.key).collect()
    };
    for (to, placed) in boxes.iter().enumerate() {
        for key in inputs(placed) {
            let Some(from) = boxes.iter().position(|source| source.has(key)) else { continue };
            let Some(source) = boxes.get(from) else { continue };
            if from + 1 == to {
                let x = BOX_LEFT + BOX_WIDTH / 2;
                let (start, end) = (source.bottom(), placed.top);
                let _ = write!(out, "<path class=\"wire\" d=\"M{x} {start}V{}\"/>", end - 7);
                arrow_down(out, x, end - 1);
            } else if from < to {
                let top = source.bottom() - 12;
                let bottom = placed.top;
                match trunks.iter_mut().find(|trunk| trunk.from == from) {
                    Some(trunk) => {
                        trunk.to.push(to);
                        trunk.bottom = bottom;
                    }
                    None => trunks.push(Trunk { from, to: vec![to], top, bottom, lane: 0 }),
                }
            }
        }
    }
    assign_lanes(&mut trunks);
    let mut arrivals = vec![0; boxes.len()];
    for trunk in &trunks {
        for (index, to) in trunk.to.iter().enumerate() {
            let (Some(placed), Some(arrival)) = (boxes.get(*to), arrivals.get_mut(*to)) else {
                continue;
            };
            let end = placed.top + 14 + *arrival * 11;
            *arrival += 1;
            let (x, start) = (LANE - trunk.lane * LANES_APART, trunk.top);
            // The farthest arrow is the trunk itself; the others branch off.
            let from = if index + 1 == trunk.to.len() {
                format!("M{BOX_LEFT} {start}H{}Q{x} {start} {x} {}V", x + 8, start + 8)
            } else {
                format!("M{x} {}V", end - 9)
            };
            let (bend, corner) = (end - 8, x + 8);
            let _ = write!(
                out,
                "<path class=\"wire\" d=\"{from}{bend}Q{x} {end} {corner} {end}H{}\"/>",
                BOX_LEFT - 8
            );
            arrow_right(out, BOX_LEFT - 1, end);
        }
    }
    out.push('\n');
}

/// Short trunks first, each in the innermost lane that is free all the way.
fn assign_lanes(trunks: &mut [Trunk]) {
    trunks.sort_by_key(|trunk| trunk.bottom - trunk.top);
    let mut taken: Vec<(i32, i32, i32)> = Vec::new();
    for trunk in trunks {
        let (top, bottom) = (trunk.top - 4, trunk.bottom + 40);
        let is_free = |lane: i32| {
            taken.iter().all(|(other, start, end)| *other != lane || *end < top || *start > bottom)
        };
        trunk.lane = (0..).find(|lane| is_free(*lane)).unwrap_or_default();
        taken.push((trunk.lane, top, bottom));
    }
}

fn arrow_down(out: &mut String, x: i32, y: i32) {
    let (left, right, back) = (x - 4, x + 4, y - 7);
    let _ = writeln!(out, "<path class=\"head\" d=\"M{left} {back}L{x} {y}L{right} {back}z\"/>");
}

fn arrow_right(out: &mut String, x: i32, y: i32) {
    let (up, down, back) = (y - 4, y + 4, x - 7);
    let _ = writeln!(out, "<path class=\"head\" d=\"M{back} {up}L{x} {y}L{back} {down}z\"/>");
}

fn arrow_left(out: &mut String, x: i32, y: i32) {
    let (up, down, back) = (y - 4, y + 4, x + 7);
    let _ = write!(out, "<path class=\"head\" d=\"M{back} {up}L{x} {y}L{back} {down}z\"/>");
}

fn line(out: &mut String, (x, y): (i32, i32), class: &str, text: &str) {
    let text = escaped(text);
    let _ = write!(out, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{text}</text>");
}

fn line_to(out: &mut String, (x, y): (i32, i32), class: &str, text: &str) {
    let text = escaped(text);
    let _ = write!(
        out,
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"end\">{text}</text>"
    );
}
