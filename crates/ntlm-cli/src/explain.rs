//! `ntlm explain`.

use crate::args::{ExplainArgs, Format};
use crate::decrypted::Decrypted;
use crate::failure::Failure;
use crate::input::{Input, Stop};
use crate::report::{Json, Page, Picture, Report, SessionKeys, Text};
use crate::screen::{self, Output};
use crate::{secrets, select};
use ntlm_capture::{Capture, CaptureError, Limits};
use ntlm_explain::{Explained, Known, Sink, SmbMessage, explain_capture, render};
use std::path::Path;
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
    for path in &args.files {
        damaged |= !run.file(path, known)?;
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
    /// False if the file is damaged; what came before the damage has been shown.
    fn file(&mut self, path: &Path, known: Known<'_>) -> Result<bool, Failure> {
        let label = path.display().to_string();
        let stop = Stop::default();
        let input = match Input::open(path, stop.clone()) {
            Ok(input) => input,
            Err(failure) => {
                anstream::eprintln!("ntlm: {failure}");
                return Ok(false);
            }
        };
        let text = self.report.capture(&label);
        self.output.write(&text)?;
        if let Some(decrypted) = &mut self.decrypted {
            decrypted.next_capture();
        }
        let mut capture = Capture::new(input, Limits::default());
        let mut found = Found { run: self, count: 0, failure: None, stop };
        let result = explain_capture(&mut capture, known, &mut found);
        let Found { count: found_any, failure, .. } = found;
        drop(capture);
        if let Some(failure) = failure {
            return Err(failure);
        }
        let text = self.report.capture_end(found_any, result.is_err());
        self.output.write(&text)?;
        if let Err(error) = &result {
            say_damage(&label, error);
        }
        Ok(result.is_ok())
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

    fn wants_smb_messages(&self) -> bool {
        self.run.decrypted.is_some()
    }

    fn smb_message(&mut self, message: &SmbMessage<'_>) {
        self.unless_failed(|run| {
            run.decrypted.as_mut().map_or(Ok(()), |decrypted| decrypted.message(message))
        });
    }
}

fn say_damage(label: &str, error: &CaptureError) {
    anstream::eprintln!("ntlm: {label}: {error}");
}
