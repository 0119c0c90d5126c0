//! `ntlm completions` and `ntlm man`.

use crate::args::Args;
use crate::failure::Failure;
use clap::CommandFactory;
use std::path::Path;
use std::process::ExitCode;

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "ntlm", &mut script);
    crate::screen::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a page for the program and one for each command.
pub(crate) fn man_pages(folder: &Path) -> Result<ExitCode, Failure> {
    let what = folder.display().to_string();
    clap_mangen::generate_to(Args::command(), folder)
        .map_err(|error| Failure::io(&what, &error))?;
    Ok(ExitCode::SUCCESS)
}
