//! `DOMAIN:user:password`, one account a line.

use crate::account::{Account, Secret};
use crate::error::AccountsError;
use crate::format::{Format, lines};
use crate::read::{Reading, domain};
use ntlm::keys::{AccountSecret, Password};

pub(crate) fn read(text: &str, reading: &mut Reading) -> Result<(), AccountsError> {
    for (line, content) in lines(text) {
        if content.trim().is_empty() || content.starts_with('#') {
            continue;
        }
        let mut fields = content.splitn(3, ':');
        let (Some(domain_name), Some(user), Some(password)) =
            (fields.next(), fields.next(), fields.next())
        else {
            let origin = reading.origin(line);
            return Err(AccountsError::Syntax { origin, format: Format::UserFile });
        };
        let secret = AccountSecret::from_password(&Password::from(password), reading.code_page);
        reading.push(Account {
            user: reading.user(line, user)?,
            domain: domain(domain_name),
            secret: Secret::Account(secret),
            disabled: false,
            origin: reading.origin(line),
        })?;
    }
    Ok(())
}
