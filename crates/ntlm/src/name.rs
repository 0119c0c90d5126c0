//! Account names in their two forms, which are not the same.

use crate::text::Utf16String;
use core::fmt;

/// An account's name, in the form in which it goes into AUTHENTICATE.
///
/// The two forms give different NTOWFv2 keys, so one is never turned into the other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AccountName {
    /// `DOMAIN\user`; the domain may be empty.
    DownLevel {
        /// DomainName, exactly as it will be sent.
        domain: Utf16String,
        /// UserName.
        user: Utf16String,
    },
    /// `user@realm`: the whole is UserName, and DomainName is empty.
    UserPrincipalName(Utf16String),
}

impl AccountName {
    /// `DOMAIN\user`.
    #[must_use]
    pub fn down_level(domain: &str, user: &str) -> Self {
        Self::DownLevel { domain: domain.into(), user: user.into() }
    }

    /// Tells the form by the first backslash, else by an at sign; a bare name has no domain.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.split_once('\\') {
            Some((domain, user)) => Self::down_level(domain, user),
            None if text.contains('@') => Self::UserPrincipalName(text.into()),
            None => Self::down_level("", text),
        }
    }

    /// UserName and DomainName as they are sent.
    #[must_use]
    pub fn fields(&self) -> (Utf16String, Utf16String) {
        match self {
            Self::DownLevel { domain, user } => (user.clone(), domain.clone()),
            Self::UserPrincipalName(name) => (name.clone(), Utf16String::default()),
        }
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DownLevel { domain, user } if domain.is_empty() => user.fmt(f),
            Self::DownLevel { domain, user } => write!(f, "{domain}\\{user}"),
            Self::UserPrincipalName(name) => name.fmt(f),
        }
    }
}
