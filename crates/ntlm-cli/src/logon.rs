//! `ntlm logon`.

mod facts;
mod netlogon;
mod smb;

use crate::args::{LogonArgs, SecretArgs};
use crate::failure::Failure;
use crate::secrets;
use ntlm::policy::{ClientPolicy, LmCompatibilityLevel};
use ntlm::{AccountName, Credential};
use std::process::ExitCode;

pub(crate) fn run(args: &LogonArgs) -> Result<ExitCode, Failure> {
    if args.url.starts_with("netlogon://") { netlogon::run(args) } else { smb::run(args) }
}

fn credential(args: &LogonArgs, name: &AccountName) -> Result<Credential, Failure> {
    let source = SecretArgs {
        secrets: args.secrets.clone(),
        user: None,
        password_visible_to_others: args.password_visible_to_others.clone(),
        nt_hash_visible_to_others: args.nt_hash_visible_to_others.clone(),
        code_page: args.code_page,
    };
    Ok(Credential { name: name.clone(), secret: secrets::user(&source, name)? })
}

/// Refuses what has no place with this kind of URL.
fn refuse(given: &[(bool, &str)], scheme: &str) -> Result<(), Failure> {
    match given.iter().find(|(given, _)| *given) {
        Some((_, option)) => Err(Failure::new(format!("{option} has no place with {scheme}"))),
        None => Ok(()),
    }
}

fn client_policy(args: &LogonArgs) -> Result<ClientPolicy, Failure> {
    match args.insecure_level.map(LmCompatibilityLevel::from_number) {
        None => Ok(ClientPolicy::default()),
        Some(Some(level)) => Ok(ClientPolicy::at_level(level)),
        Some(None) => Err(Failure::new("--insecure-level: 0, 1 or 2")),
    }
}
