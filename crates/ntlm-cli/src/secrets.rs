//! Secrets from files, the environment, or a prompt.

use crate::args::SecretArgs;
use crate::failure::Failure;
use ntlm::AccountName;
use ntlm::keys::{AccountSecret, Ntowfv1, Password};
use ntlm_accounts::{Accounts, Format};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The environment variable with the password of `--user`.
const PASSWORD_VARIABLE: &str = "NTLM_PASSWORD";
/// The environment variable with the password of `--machine`.
const MACHINE_PASSWORD_VARIABLE: &str = "NTLM_MACHINE_PASSWORD";

/// Every account that was given, in files and by `--user`.
pub(crate) fn accounts(args: &SecretArgs) -> Result<Accounts, Failure> {
    let mut accounts = files(args)?;
    if let Some(name) = &args.user {
        let (user, domain) = AccountName::parse(name).fields();
        accounts
            .add_secret("--user", user, domain, user_secret(args, name)?)
            .map_err(|error| Failure::new(error.to_string()))?;
    }
    Ok(accounts)
}

fn files(args: &SecretArgs) -> Result<Accounts, Failure> {
    let mut accounts = Accounts::new(args.code_page.into());
    for file in &args.secrets {
        add_file(&mut accounts, file)?;
    }
    Ok(accounts)
}

fn add_file(accounts: &mut Accounts, file: &Path) -> Result<(), Failure> {
    let label = file.display().to_string();
    let text = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| Failure::io(&label, &error))?;
    let format = Format::detect(&text).ok_or_else(|| {
        Failure::new(format!(
            "{label}: no accounts in it; expected TOML with [[account]], lines DOMAIN:user:password, \
             or smbpasswd lines"
        ))
    })?;
    accounts.add(&label, &text, format).map_err(|error| Failure::new(error.to_string()))
}

fn user_secret(args: &SecretArgs, name: &str) -> Result<AccountSecret, Failure> {
    let from_password =
        |text: &str| AccountSecret::from_password(&Password::from(text), args.code_page.into());
    if let Some(hash) = &args.nt_hash_visible_to_others {
        let hash = hex_array::<16>("--nt-hash-visible-to-others", hash)?;
        return Ok(AccountSecret::from_hashes(Ntowfv1::new(hash), None));
    }
    if let Some(password) = &args.password_visible_to_others {
        return Ok(from_password(password));
    }
    ask(PASSWORD_VARIABLE, name).map(|text| from_password(&text))
}

/// The secret of whoever logs on: in files, from an option, in the environment, or asked for.
pub(crate) fn user(args: &SecretArgs, name: &AccountName) -> Result<AccountSecret, Failure> {
    match in_files(args, name)? {
        Some(secret) => Ok(secret),
        None => user_secret(args, &name.to_string()),
    }
}

/// The secret of a machine account: in files, in the environment, or asked for.
pub(crate) fn machine(files: &[PathBuf], account: &str) -> Result<AccountSecret, Failure> {
    // A machine has no LM hash, so the code page is nothing to it.
    let source = SecretArgs { secrets: files.to_vec(), ..SecretArgs::default() };
    if let Some(secret) = in_files(&source, &AccountName::parse(account))? {
        return Ok(secret);
    }
    let text = ask(MACHINE_PASSWORD_VARIABLE, account)?;
    Ok(AccountSecret::from_password(&Password::from(text.as_str()), source.code_page.into()))
}

fn in_files(args: &SecretArgs, name: &AccountName) -> Result<Option<AccountSecret>, Failure> {
    let accounts = files(args)?;
    let (user, domain) = name.fields();
    let found = accounts.find(&user, &domain).map_err(|why| Failure::new(why.to_string()))?;
    Ok(found.map(|found| found.secret.duplicate()))
}

fn ask(variable: &str, name: &str) -> Result<Zeroizing<String>, Failure> {
    if let Ok(password) = std::env::var(variable) {
        return Ok(Zeroizing::new(password));
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::new(format!(
            "no password for {name}: set {variable}, or run on a terminal to be asked"
        )));
    }
    let password = rpassword::prompt_password(format!("Password of {name}: ")).map(Zeroizing::new);
    password.map_err(|error| Failure::io("password", &error))
}

/// Hex of a fixed length from an option.
pub(crate) fn hex_array<const N: usize>(option: &str, text: &str) -> Result<[u8; N], Failure> {
    let bytes = hex_bytes(option, text)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| Failure::new(format!("{option}: {length} bytes, not {N}")))
}

/// Hex of any length from an option.
pub(crate) fn hex_bytes(option: &str, text: &str) -> Result<Vec<u8>, Failure> {
    let text = text.trim().trim_start_matches("0x");
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !c.is_whitespace() && *c != ':')
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    match digits {
        Some(digits) if digits.len().is_multiple_of(2) => Ok(digits
            .chunks_exact(2)
            .map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit))
            .collect()),
        _ => Err(Failure::new(format!("{option}: not hex"))),
    }
}
