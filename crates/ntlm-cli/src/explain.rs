//! `ntlm explain`.

use crate::args::ExplainArgs;
use crate::failure::Failure;
use crate::screen::{self, Progress};
use crate::secrets;
use ntlm_capture::{Capture, Limits};
use ntlm_explain::{Explained, Known, explain, find_exchanges, render};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(args: &ExplainArgs) -> Result<ExitCode, Failure> {
    if args.list_findings {
        screen::print(&render::findings_markdown())?;
        return Ok(ExitCode::SUCCESS);
    }
    let accounts = secrets::accounts(&args.secrets)?;
    let known = Known { accounts: &accounts, code_page: args.secrets.code_page.into() };
    let mut report = Report { args, count: 0, invalid: false, unchecked: false, failure: None };
    let mut damaged = false;
    report.open()?;
    for (index, path) in args.files.iter().enumerate() {
        damaged |= !report.file(path, index, known)?;
    }
    report.close()?;
    let failed = report.invalid || (args.strict && report.unchecked);
    Ok(match (damaged, failed) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::from(1),
        (false, false) => ExitCode::SUCCESS,
    })
}

/// Prints each exchange as soon as it is over.
struct Report<'a> {
    args: &'a ExplainArgs,
    count: u64,
    invalid: bool,
    unchecked: bool,
    failure: Option<Failure>,
}

impl Report<'_> {
    fn open(&self) -> Result<(), Failure> {
        if self.args.json {
            screen::print(r#"{"schema":"ntlm-explain/1","captures":["#)
        } else {
            Ok(())
        }
    }

    fn close(&self) -> Result<(), Failure> {
        if self.args.json {
            return screen::print("]}\n");
        }
        if self.count == 0 {
            return screen::print("No NTLM exchange was found, so there was nothing to check.\n");
        }
        Ok(())
    }

    /// False if the file is damaged; what came before the damage has been printed.
    fn file(&mut self, path: &Path, index: usize, known: Known<'_>) -> Result<bool, Failure> {
        let label = path.display().to_string();
        let input: Box<dyn Read> = if path.as_os_str() == "-" {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(File::open(path).map_err(|error| Failure::io(&label, &error))?)
        };
        if self.args.json {
            let comma = if index > 0 { "," } else { "" };
            let name = serde_json::Value::from(label.as_str());
            screen::print(&format!(r#"{comma}{{"file":{name},"exchanges":["#))?;
        }
        let mut progress = Progress::new();
        progress.show(&format!("reading {label}"));
        let mut capture = Capture::new(input, Limits::default());
        let mut id = 0;
        let result = find_exchanges(&mut capture, |found| {
            id += 1;
            progress.clear();
            let explained = explain(id, found, known);
            if self.failure.is_none() {
                self.failure = self.exchange(explained).err();
            }
        });
        progress.clear();
        if let Some(failure) = self.failure.take() {
            return Err(failure);
        }
        if self.args.json {
            screen::print(r#"],"channels":[]}"#)?;
        }
        if let Err(error) = &result {
            anstream::eprintln!("ntlm: {label}: {error}");
        }
        Ok(result.is_ok())
    }

    fn exchange(&mut self, mut explained: Explained) -> Result<(), Failure> {
        self.count += 1;
        self.invalid |= explained.has_invalid();
        self.unchecked |= explained.has_unchecked();
        if self.args.redact_keys {
            explained.keys.redact();
        }
        if self.args.json {
            let json = serde_json::to_string(&explained)
                .map_err(|error| Failure::new(error.to_string()))?;
            let comma = if explained.id > 1 { "," } else { "" };
            return screen::print(&format!("{comma}{json}"));
        }
        screen::print(&render::exchange(&explained, screen::layout()))
    }
}
