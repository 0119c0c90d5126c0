//! `ntlm explain`.

use crate::args::{ExplainArgs, Format};
use crate::failure::Failure;
use crate::input::{Input, Stop};
use crate::report::{Json, Page, Picture, Report, Text};
use crate::screen::{self, Output};
use crate::{secrets, select};
use ntlm_capture::{Capture, CaptureError, Limits};
use ntlm_explain::{Explained, Known, explain_capture, render};
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
        Format::Text => Box::new(Text::new(args, screen::layout())),
        Format::Html => Box::new(Page::new(args)),
        Format::Json => Box::new(Json::default()),
        Format::Svg => Box::new(Picture::default()),
    };
    let mut run = Run { args, output, report, invalid: false, unchecked: false };
    let begin = run.report.begin();
    run.output.write(&begin)?;
    let mut damaged = false;
    for path in &args.files {
        damaged |= !run.file(path, known)?;
    }
    let end = run.report.end()?;
    run.output.write(&end)?;
    run.output.finish()?;
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
        let mut found_any = 0;
        let mut failure = None;
        let mut capture = Capture::new(input, Limits::default());
        let result = explain_capture(&mut capture, known, &mut |explained: Explained| {
            found_any += 1;
            if failure.is_none() {
                failure = self.exchange(explained).err();
            }
            if failure.is_some() {
                stop.stop();
            }
        });
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

fn say_damage(label: &str, error: &CaptureError) {
    anstream::eprintln!("ntlm: {label}: {error}");
}
