//! `ntlm explain`.

use crate::args::{ExplainArgs, Format};
use crate::decrypted::Decrypted;
use crate::failure::Failure;
use crate::input::{Input, Stop};
use crate::report::{Json, Label, Page, Picture, Report, SessionKeys, Text};
use crate::screen::{self, Output};
use crate::{secrets, select};
use ntlm_capture::{Capture, Limits};
use ntlm_explain::netlogon::ChannelExplained;
use ntlm_explain::{Explained, Known, Sink, SmbMessage, read_capture, render};
use std::path::PathBuf;
use std::process::ExitCode;

pub(crate) fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    if args.list_findings {
        screen::print(&render::findings_markdown())?;
        return Ok(ExitCode::SUCCESS);
    }
    let format = if args.json { Format::Json } else { args.format };
    if matches!(format, Format::Json | Format::Svg) && (args.brief || args.only_findings) {
        return Err(Failure::new("--brief and --only-findings are for text and html"));
    }
    let accounts = secrets::accounts(&args.secrets)?;
    let known = Known { accounts: &accounts, code_page: args.secrets.code_page.into() };
    let output = Output::open(args.output.as_deref())?;
    let report: Box<dyn Report> = match format {
        _ if args.session_keys => Box::new(SessionKeys),
        Format::Text => Box::new(Text::new(args, screen::layout())),
        Format::Html => Box::new(Page::new(args)),
        Format::Json => Box::new(Json::default()),
        Format::Svg => Box::new(Picture::default()),
    };
    let decrypted = args.write_decrypted.as_deref().map(Decrypted::create).transpose()?;
    let mut run = Run { args, output, report, decrypted, invalid: false, unchecked: false };
    let begin = run.report.begin();
    run.output.write(&begin)?;
    let mut damaged = false;
    if args.merge {
        damaged |= !run.capture(&args.files, known)?;
    } else {
        for path in args.files.chunks(1) {
            damaged |= !run.capture(path, known)?;
        }
    }
    let end = run.report.end()?;
    run.output.write(&end)?;
    run.output.finish()?;
    run.decrypted.map_or(Ok(()), Decrypted::finish)?;
    let failed = run.invalid || (args.strict && run.unchecked);
    Ok(match (damaged, failed) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::from(1),
        (false, false) => ExitCode::SUCCESS,
    })
}

struct Run<'a> {
    args: &'a ExplainArgs,
    output: Output,
    report: Box<dyn Report + 'a>,
    decrypted: Option<Decrypted>,
    invalid: bool,
    unchecked: bool,
}

impl Run<'_> {
    /// Explains one file, or several as one. False if one is damaged; what came before the damage has been shown.
    fn capture(&mut self, paths: &[PathBuf], known: Known<'_>) -> Result<bool, Failure> {
        let files: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        let label = Label::new(&files);
        let stop = Stop::default();
        let inputs: Vec<_> = paths.iter().map(|path| Input::open(path, stop.clone())).collect();
        if let ([file], [Err(error)]) = (files.as_slice(), inputs.as_slice()) {
            anstream::eprintln!("ntlm: {}", Failure::io(file, error));
            return Ok(false);
        }
        let text = self.report.capture(&label);
        self.output.write(&text)?;
        if let Some(decrypted) = &mut self.decrypted {
            decrypted.next_capture();
        }
        let mut capture = Capture::of_files(inputs, Limits::default());
        let mut found = Found { run: self, count: 0, failure: None, stop };
        let about = read_capture(&mut capture, label.files(), known, &mut found);
        let Found { count: found_any, failure, .. } = found;
        drop(capture);
        if let Some(failure) = failure {
            return Err(failure);
        }
        let text = self.report.capture_end(found_any, &about)?;
        self.output.write(&text)?;
        for error in &about.damage {
            let number = usize::try_from(error.file).unwrap_or(usize::MAX);
            let file = files.get(number).map_or("", String::as_str);
            anstream::eprintln!("ntlm: {file}: {error}");
        }
        Ok(about.damage.is_empty())
    }

    fn exchange(&mut self, mut explained: Explained) -> Result<(), Failure> {
        if !select::fits(self.args, &explained) {
            return Ok(());
        }
        self.invalid |= explained.has_invalid();
        self.unchecked |= explained.has_unchecked();
        if self.args.redact_keys {
            explained.redact_keys();
        }
        let text = self.report.exchange(&explained)?;
        if text.is_empty() { Ok(()) } else { self.output.write(&text) }
    }
}

impl Run<'_> {
    fn channel(&mut self, mut channel: ChannelExplained) -> Result<(), Failure> {
        if !select::fits_channel(self.args, &channel) {
            return Ok(());
        }
        self.invalid |= channel.has_invalid();
        self.unchecked |= channel.has_unchecked();
        if self.args.redact_keys {
            channel.redact_keys();
        }
        self.report.channel(&channel)
    }
}

/// What is found in one capture goes to the report, until that fails.
struct Found<'r, 'a> {
    run: &'r mut Run<'a>,
    count: u64,
    failure: Option<Failure>,
    stop: Stop,
}

impl Found<'_, '_> {
    fn unless_failed(&mut self, act: impl FnOnce(&mut Run<'_>) -> Result<(), Failure>) {
        if self.failure.is_none() {
            self.failure = act(self.run).err();
        }
        if self.failure.is_some() {
            self.stop.stop();
        }
    }
}

impl Sink for Found<'_, '_> {
    fn exchange(&mut self, explained: Explained) {
        self.count += 1;
        self.unless_failed(|run| run.exchange(explained));
    }

    fn channel(&mut self, channel: ChannelExplained) {
        self.unless_failed(|run| run.channel(channel));
    }

    fn wants_smb_messages(&self) -> bool {
        self.run.decrypted.is_some()
    }

    fn smb_message(&mut self, message: &SmbMessage<'_>) {
        self.unless_failed(|run| {
            run.decrypted.as_mut().map_or(Ok(()), |decrypted| decrypted.message(message))
        });
    }
}
