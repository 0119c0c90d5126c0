//! The forms of a report. Each is told what comes up and answers with what is to be written now.

use crate::args::ExplainArgs;
use crate::failure::Failure;
use crate::select;
use ntlm_explain::netlogon::ChannelExplained;
use ntlm_explain::{CaptureReport, Explained, Severity, render};
use render::{Layout, Row};

/// A form of report.
pub(crate) trait Report {
    /// Before everything.
    fn begin(&mut self) -> String {
        String::new()
    }

    /// Before a capture.
    fn capture(&mut self, label: &Label) -> String;

    /// An exchange that is asked for.
    fn exchange(&mut self, explained: &Explained) -> Result<String, Failure>;

    /// A secure channel that is asked for.
    fn channel(&mut self, _channel: &ChannelExplained) -> Result<(), Failure> {
        Ok(())
    }

    /// Behind a capture: how many exchanges it had in all, and what there is to say of itself.
    fn capture_end(&mut self, found: u64, about: &CaptureReport) -> Result<String, Failure>;

    /// Behind everything.
    fn end(&mut self) -> Result<String, Failure> {
        Ok(String::new())
    }
}

/// What a capture is called.
pub(crate) struct Label {
    name: String,
    files: Vec<String>,
}

impl Label {
    /// Of one file, or of several that are read as one.
    pub(crate) fn new(files: &[String]) -> Self {
        const MANY: usize = 3;
        match files {
            [one] => Self { name: one.clone(), files: Vec::new() },
            several => {
                let names: Vec<String> = several.iter().take(MANY).map(file_name).collect();
                let more = match several.len().saturating_sub(MANY) {
                    0 => String::new(),
                    more => format!(" + {more} more"),
                };
                let name = format!("{}{more} as one", names.join(" + "));
                Self { name, files: several.to_vec() }
            }
        }
    }

    /// The files, if there are several.
    pub(crate) fn files(&self) -> &[String] {
        &self.files
    }
}

/// What is kept of a capture until its overview can be written, within limits.
#[derive(Default)]
struct Spool {
    label: String,
    rows: Vec<Row>,
    details: String,
    /// How many secure channels there are, how many of them could not be kept since memory was last
    /// given back, and those that are kept.
    channels: usize,
    channels_left_out: usize,
    channel_details: Vec<String>,
    /// A few lines for each of these.
    channel_lines: String,
    size: usize,
    is_given_back: bool,
}

impl Spool {
    const MAX_ROWS: usize = 10_000;
    const MAX_SIZE: usize = 64 << 20;

    fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    fn keep(&mut self, row: Row, details: &str) {
        self.size = self.size.saturating_add(row.size()).saturating_add(details.len());
        self.rows.push(row);
        self.details.push_str(details);
    }

    fn keep_channel(&mut self, line: &str, details: String) {
        self.channels += 1;
        if self.is_full() || self.is_given_back {
            self.channels_left_out += 1;
            return;
        }
        self.size = self.size.saturating_add(line.len()).saturating_add(details.len());
        self.channel_lines.push_str(line);
        self.channel_details.push(details);
    }

    /// What there is to say of channels that could not be kept.
    fn channels_left_out(&self) -> Option<String> {
        match self.channels_left_out {
            0 => None,
            1 => Some("1 more secure channel is left out.".to_owned()),
            count => Some(format!("{count} more secure channels are left out.")),
        }
    }

    /// Whether nothing more can be kept.
    const fn is_full(&self) -> bool {
        self.rows.len() >= Self::MAX_ROWS || self.size >= Self::MAX_SIZE
    }

    /// Gives back the memory; what follows is shown as it comes.
    fn give_back(&mut self) {
        *self = Self { is_given_back: true, channels: self.channels, ..Self::default() };
    }
}

/// What there is to say where no exchange is shown.
fn nothing(label: &str, found: u64, filtered: bool) -> Option<String> {
    match found {
        0 => None,
        1 if filtered => Some(format!("{label}: 1 exchange, which is filtered out\n")),
        found if filtered => Some(format!("{label}: {found} exchanges, all filtered out\n")),
        _ => None,
    }
}

const MORE_THAN_KEPT: &str = "\
More follow than can be kept in memory: from here on, a few lines for each.
Narrow them down by --exchange or another filter to see more.
";

/// For a terminal.
pub(crate) struct Text<'a> {
    args: &'a ExplainArgs,
    layout: Layout,
    spool: Spool,
    captures: usize,
}

impl<'a> Text<'a> {
    pub(crate) fn new(args: &'a ExplainArgs, layout: Layout) -> Self {
        Self { args, layout, spool: Spool::default(), captures: 0 }
    }

    fn flush(&self, about: &str) -> String {
        let Spool { label, rows, details, channels, channel_lines, .. } = &self.spool;
        let overview = render::overview(label, rows, *channels, self.layout);
        let left_out = self.spool.channels_left_out().map(|text| format!("{text}\n"));
        let left_out = left_out.unwrap_or_default();
        let channels = self.spool.channel_details.concat();
        let gap = if channel_lines.is_empty() { "" } else { "\n" };
        format!("{overview}{gap}{channel_lines}{left_out}{about}{details}{channels}")
    }
}

impl Report for Text<'_> {
    fn capture(&mut self, label: &Label) -> String {
        self.spool = Spool::new(&label.name);
        self.captures += 1;
        if self.captures > 1 { "\n".to_owned() } else { String::new() }
    }

    fn exchange(&mut self, explained: &Explained) -> Result<String, Failure> {
        let row = Row::new(explained);
        if self.spool.is_given_back {
            return Ok(render::overview_line(&row, self.layout));
        }
        if self.spool.is_full() {
            let text = self.flush("");
            self.spool.give_back();
            let line = render::overview_line(&row, self.layout);
            return Ok(format!("{text}\n{MORE_THAN_KEPT}\n{line}"));
        }
        let details = match (self.args.brief, self.args.only_findings) {
            (true, _) => String::new(),
            (_, true) => render::findings(explained, self.layout),
            _ => render::exchange(explained, self.layout),
        };
        self.spool.keep(row, &details);
        Ok(String::new())
    }

    fn channel(&mut self, channel: &ChannelExplained) -> Result<(), Failure> {
        let details = match (self.args.brief, self.args.only_findings) {
            (true, _) => String::new(),
            (_, true) => render::channel_findings(channel, self.layout),
            _ => render::channel(channel, self.layout),
        };
        self.spool.keep_channel(&render::channel_line(channel, self.layout), details);
        Ok(())
    }

    fn capture_end(&mut self, found: u64, about: &CaptureReport) -> Result<String, Failure> {
        let is_short = self.args.brief || select::is_filtered(self.args);
        let least = if is_short { Severity::Warning } else { Severity::Info };
        let findings = render::capture_findings(&about.findings, least, self.layout);
        if self.spool.is_given_back {
            let left_out = self.spool.channels_left_out().map(|text| format!("{text}\n"));
            return Ok(format!("{}{findings}", left_out.unwrap_or_default()));
        }
        if self.spool.rows.is_empty()
            && self.spool.channels == 0
            && let Some(text) = nothing(&self.spool.label, found, select::is_filtered(self.args))
        {
            return Ok(format!("{text}{findings}"));
        }
        Ok(self.flush(&findings))
    }
}

/// One HTML page.
pub(crate) struct Page<'a> {
    args: &'a ExplainArgs,
    spool: Spool,
    captures: usize,
    left_out: u64,
}

impl<'a> Page<'a> {
    pub(crate) fn new(args: &'a ExplainArgs) -> Self {
        Self { args, spool: Spool::default(), captures: 0, left_out: 0 }
    }
}

impl Report for Page<'_> {
    fn begin(&mut self) -> String {
        let title = match self.args.files.as_slice() {
            [one] => file_name(one.display().to_string()),
            several if self.args.merge => format!("{} files as one", several.len()),
            many => format!("{} captures", many.len()),
        };
        render::html_start(&title)
    }

    fn capture(&mut self, label: &Label) -> String {
        self.spool = Spool::new(file_name(&label.name));
        self.captures += 1;
        self.left_out = 0;
        String::new()
    }

    fn exchange(&mut self, explained: &Explained) -> Result<String, Failure> {
        if self.spool.is_full() {
            self.left_out += 1;
            return Ok(String::new());
        }
        let details = match (self.args.brief, self.args.only_findings) {
            (true, _) => String::new(),
            (_, true) => render::html_findings(self.captures, explained),
            _ => render::html_exchange(self.captures, explained),
        };
        self.spool.keep(Row::new(explained), &details);
        Ok(String::new())
    }

    fn channel(&mut self, channel: &ChannelExplained) -> Result<(), Failure> {
        let details = match (self.args.brief, self.args.only_findings) {
            (true, _) => String::new(),
            (_, true) => render::html_channel_findings(channel),
            _ => render::html_channel(channel),
        };
        self.spool.keep_channel("", details);
        Ok(())
    }

    fn capture_end(&mut self, found: u64, about: &CaptureReport) -> Result<String, Failure> {
        let Spool { label, rows, channels, .. } = &self.spool;
        let mut text = render::html_capture(self.captures, label, rows, *channels);
        if self.spool.rows.is_empty()
            && let Some(why) = nothing(&self.spool.label, found, select::is_filtered(self.args))
        {
            text.push_str(&render::html_note(&why));
        }
        if self.left_out > 0 {
            let note = format!(
                "{} more exchanges are left out, as a page would be too long for them.",
                self.left_out
            );
            text.push_str(&render::html_note(&note));
        }
        if let Some(note) = self.spool.channels_left_out() {
            text.push_str(&render::html_note(&note));
        }
        text.push_str(&render::html_capture_findings(&about.findings));
        text.push_str(&self.spool.details);
        text.push_str(&self.spool.channel_details.concat());
        Ok(text)
    }

    fn end(&mut self) -> Result<String, Failure> {
        Ok(render::html_end())
    }
}

fn file_name(label: impl AsRef<str>) -> String {
    let label = label.as_ref();
    label.rsplit('/').next().unwrap_or(label).to_owned()
}

/// JSON, written as exchanges come up.
#[derive(Default)]
pub(crate) struct Json {
    captures: usize,
    exchanges: usize,
    /// Channels stand behind the exchanges, and are kept until then.
    channels: Spool,
}

impl Report for Json {
    fn begin(&mut self) -> String {
        r#"{"schema":"ntlm-explain/1","captures":["#.to_owned()
    }

    fn capture(&mut self, label: &Label) -> String {
        self.captures += 1;
        self.exchanges = 0;
        self.channels = Spool::default();
        let comma = if self.captures > 1 { "," } else { "" };
        let Label { name, files } = label;
        let name = serde_json::Value::from(name.as_str());
        let files = match files.as_slice() {
            [] => String::new(),
            files => format!(r#","files":{}"#, serde_json::Value::from(files)),
        };
        format!(r#"{comma}{{"file":{name}{files},"exchanges":["#)
    }

    fn exchange(&mut self, explained: &Explained) -> Result<String, Failure> {
        self.exchanges += 1;
        let json = written(serde_json::to_string(explained))?;
        let comma = if self.exchanges > 1 { "," } else { "" };
        Ok(format!("{comma}{json}"))
    }

    fn channel(&mut self, channel: &ChannelExplained) -> Result<(), Failure> {
        self.channels.keep_channel("", written(serde_json::to_string(channel))?);
        Ok(())
    }

    fn capture_end(&mut self, _: u64, about: &CaptureReport) -> Result<String, Failure> {
        let findings = written(serde_json::to_string(&about.findings))?;
        let Spool { channels, channel_details: kept, .. } = &self.channels;
        let left_out = match channels.saturating_sub(kept.len()) {
            0 => String::new(),
            count => format!(r#","channels_left_out":{count}"#),
        };
        let channels = kept.join(",");
        Ok(format!(r#"],"channels":[{channels}]{left_out},"findings":{findings}}}"#))
    }

    fn end(&mut self) -> Result<String, Failure> {
        Ok("]}\n".to_owned())
    }
}

fn written(json: serde_json::Result<String>) -> Result<String, Failure> {
    json.map_err(|error| Failure::new(error.to_string()))
}

/// The keys of SMB sessions, for Wireshark.
pub(crate) struct SessionKeys;

impl Report for SessionKeys {
    fn capture(&mut self, _: &Label) -> String {
        String::new()
    }

    fn exchange(&mut self, explained: &Explained) -> Result<String, Failure> {
        let key = explained.smb.as_ref().and_then(|smb| smb.wireshark_key());
        Ok(key.map(|line| format!("{line}\n")).unwrap_or_default())
    }

    fn capture_end(&mut self, _: u64, _: &CaptureReport) -> Result<String, Failure> {
        Ok(String::new())
    }
}

/// The ladder of the one exchange that is asked for.
#[derive(Default)]
pub(crate) struct Picture {
    picture: Option<String>,
    count: u64,
}

impl Report for Picture {
    fn capture(&mut self, _: &Label) -> String {
        String::new()
    }

    fn exchange(&mut self, explained: &Explained) -> Result<String, Failure> {
        self.count += 1;
        if self.picture.is_none() {
            self.picture = Some(render::svg(explained));
        }
        Ok(String::new())
    }

    fn capture_end(&mut self, _: u64, _: &CaptureReport) -> Result<String, Failure> {
        Ok(String::new())
    }

    fn end(&mut self) -> Result<String, Failure> {
        match (self.count, self.picture.take()) {
            (1, Some(picture)) => Ok(picture),
            (0, _) | (_, None) => {
                Err(Failure::new("no exchange to draw: see --brief for what there is"))
            }
            (count, _) => Err(Failure::new(format!(
                "a picture shows one exchange, and {count} fit: choose one by --exchange N (see --brief)"
            ))),
        }
    }
}
