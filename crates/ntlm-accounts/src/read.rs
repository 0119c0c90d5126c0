//! What the readers of all formats share: where they are, and what they have read.

use crate::account::{Account, Origin};
use crate::error::{AccountsError, FieldDefect};
use ntlm::text::{CodePage, Utf16String};
use std::sync::Arc;

/// One text being read.
pub(crate) struct Reading {
    pub(crate) label: Arc<str>,
    pub(crate) code_page: CodePage,
    pub(crate) accounts: Vec<Account>,
    /// How many accounts there may be at most.
    pub(crate) room: usize,
    pub(crate) without_secret: Vec<Origin>,
}

impl Reading {
    pub(crate) fn push(&mut self, account: Account) -> Result<(), AccountsError> {
        if self.accounts.len() >= self.room {
            return Err(AccountsError::TooManyAccounts { origin: account.origin });
        }
        self.accounts.push(account);
        Ok(())
    }

    pub(crate) fn origin(&self, line: usize) -> Origin {
        Origin { label: Arc::clone(&self.label), line }
    }

    pub(crate) fn defect(
        &self,
        line: usize,
        field: &'static str,
        defect: FieldDefect,
    ) -> AccountsError {
        AccountsError::Field { origin: self.origin(line), field, defect }
    }

    /// The user name, which must not be empty: an empty one is an anonymous client.
    pub(crate) fn user(&self, line: usize, text: &str) -> Result<Utf16String, AccountsError> {
        if text.is_empty() {
            return Err(self.defect(line, "user", FieldDefect::Empty));
        }
        Ok(text.into())
    }
}

/// The domain; an empty one is none.
pub(crate) fn domain(text: &str) -> Option<Utf16String> {
    (!text.is_empty()).then(|| text.into())
}
