//! `ntlm logon`.

mod facts;
mod netlogon;
mod smb;

use crate::args::{LogonArgs, SecretArgs};
use crate::failure::Failure;
use crate::secrets;
use ntlm::keys::AccountSecret;
use ntlm::policy::{ClientPolicy, LmCompatibilityLevel};
use ntlm::{AccountName, Credential};
use std::process::ExitCode;

pub(crate) fn run(args: &LogonArgs) -> Result<ExitCode, Failure> {
    if args.url.starts_with("netlogon://") { netlogon::run(args) } else { smb::run(args) }
}

fn credential(args: &LogonArgs, name: &AccountName) -> Result<Credential, Failure> {
    let wanted = name.to_string();
    let source = SecretArgs {
        secrets: args.secrets.clone(),
        user: args.secrets.is_empty().then(|| wanted.clone()),
        password_visible_to_others: args.password_visible_to_others.clone(),
        nt_hash_visible_to_others: args.nt_hash_visible_to_others.clone(),
        code_page: args.code_page,
    };
    let accounts = secrets::accounts(&source)?;
    let (user, domain) = name.fields();
    let found = accounts.find(&user, &domain).map_err(|why| Failure::new(why.to_string()))?;
    let secret = found.map(|found| AccountSecret::duplicate(found.secret));
    let secret = secret.ok_or_else(|| Failure::new(format!("no secret is known for {wanted}")))?;
    Ok(Credential { name: name.clone(), secret })
}

fn client_policy(args: &LogonArgs) -> Result<ClientPolicy, Failure> {
    match args.insecure_level.map(LmCompatibilityLevel::from_number) {
        None => Ok(ClientPolicy::default()),
        Some(Some(level)) => Ok(ClientPolicy::at_level(level)),
        Some(None) => Err(Failure::new("--insecure-level: 0, 1 or 2")),
    }
}
