//! What is known beforehand.

use ntlm::text::CodePage;
use ntlm_accounts::Accounts;

/// What an exchange is explained with.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The accounts whose secrets are known.
    pub accounts: &'a Accounts,
    /// The code page of peers without Unicode.
    pub code_page: CodePage,
}
