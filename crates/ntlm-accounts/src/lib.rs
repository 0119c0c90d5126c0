//! Account files in, accounts out, and one rule that says which account a client means.
//!
//! No file is opened here: whoever has the text adds it, with a label for error messages. The
//! formats are those of [`Format`]; the rule is that of [`Accounts::find`].
//!
//! ```
//! use ntlm::text::CodePage;
//! use ntlm_accounts::{Accounts, Format, MatchKind};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = r#"
//! [[account]]
//! user = "Bjørn"
//! domain = "EXAMPLE"
//! password = "Wonder-Land1"
//!
//! [[account]]
//! user = "carol"
//! nt_hash = "8846f7eaee8fb117ad06bdd830b7586c"
//! "#;
//! let mut accounts = Accounts::new(CodePage::Cp437);
//! accounts.add("accounts.toml", text, Format::detect(text).ok_or("unknown format")?)?;
//!
//! let found = accounts.find(&"BJØRN".into(), &"example".into())?.ok_or("no account")?;
//! assert_eq!(found.kind, MatchKind::SameDomain);
//! assert_eq!(found.account.origin.to_string(), "accounts.toml line 2");
//!
//! let found = accounts.find(&"carol".into(), &"ANY".into())?.ok_or("no account")?;
//! assert_eq!(found.kind, MatchKind::AnyDomain);
//! assert!(found.secret.lm_hash().is_none());
//! # Ok(())
//! # }
//! ```
//!
//! A TOML file holds any number of `[[account]]` tables, whose values are all strings:
//!
//! | key | value |
//! |---|---|
//! | `user` | the user name, as a client sends it |
//! | `domain` | its domain; left out or empty, the account fits every domain |
//! | `password` | the password, or else one of the next four |
//! | `password_utf16le` | the password in UTF-16LE, in hex: for one that is not valid Unicode |
//! | `nt_hash` | 32 hex digits; with it, optionally, `lm_hash` |
//! | `exported_session_key` | 32 hex digits; with it `server_challenge`, 16 hex digits |
//! | `netlogon_session_key` | of a machine's secure channel, 32 hex digits; with it, optionally, `server_challenge` |
//!
//! The other formats are lines: `DOMAIN:user:password` and smbpasswd.
//!
//! Secrets are wiped when dropped. The text itself belongs to the caller, who wipes it.

mod account;
mod accounts;
mod error;
mod format;
mod hex;
mod read;
mod smbpasswd;
mod toml;
mod user_file;

pub use account::{Account, NetlogonSessionKey, Origin, Secret};
pub use accounts::{Accounts, Match, MatchKind, SessionKeyMatch};
pub use error::{AccountsError, Ambiguous, FieldDefect};
pub use format::Format;
