//! What can be wrong with an account file, and with looking into it.

use crate::account::Origin;
use crate::format::Format;
use std::fmt;
use std::sync::Arc;

/// Why a text was not taken. Says where, and never what a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccountsError {
    /// The text is longer than [`Accounts::MAX_TEXT_LEN`](crate::Accounts::MAX_TEXT_LEN).
    TextTooLong {
        /// Its label.
        label: Arc<str>,
    },
    /// With this account there would be more than
    /// [`Accounts::MAX_ACCOUNTS`](crate::Accounts::MAX_ACCOUNTS).
    TooManyAccounts {
        /// The first account too many.
        origin: Origin,
    },
    /// The line is not of this format.
    Syntax {
        /// The line.
        origin: Origin,
        /// What was expected.
        format: Format,
    },
    /// TOML, but neither an `[[account]]` nor inside one.
    NotAnAccount {
        /// The line.
        origin: Origin,
    },
    /// An account has a key that means nothing.
    UnknownKey {
        /// Its line.
        origin: Origin,
        /// The key as written.
        key: String,
    },
    /// An account has no secret at all.
    NoSecret {
        /// Where the account begins.
        origin: Origin,
    },
    /// One field of an account is wrong.
    Field {
        /// Its line; if it is missing, where the account begins.
        origin: Origin,
        /// Its name: in TOML its key.
        field: &'static str,
        /// What is wrong with it.
        defect: FieldDefect,
    },
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldDefect {
    /// It must be there.
    Missing,
    /// It must not be empty.
    Empty,
    /// It stands there twice.
    Duplicate,
    /// It is no TOML string.
    NotText,
    /// It must be exactly so many hex digits.
    NotHex {
        /// How many.
        digits: usize,
    },
    /// It must be whole UTF-16 code units in hex, four digits each.
    NotUtf16Hex,
    /// It must be a decimal number.
    NotANumber,
    /// It must be capital letters and spaces in brackets.
    NotAccountFlags,
    /// The account has another secret already.
    SecondSecret,
    /// It means something only beside another field.
    OnlyWith(&'static str),
}

impl fmt::Display for AccountsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TextTooLong { label } => write!(f, "{label}: text too long"),
            Self::TooManyAccounts { origin } => write!(f, "{origin}: too many accounts"),
            Self::Syntax { origin, format } => write!(f, "{origin}: not {format}"),
            Self::NotAnAccount { origin } => write!(f, "{origin}: not in an [[account]]"),
            Self::UnknownKey { origin, key } => {
                write!(f, "{origin}: {}: unknown key", key.escape_debug())
            }
            Self::NoSecret { origin } => write!(
                f,
                "{origin}: no password, password_utf16le, nt_hash, exported_session_key or \
                 netlogon_session_key"
            ),
            Self::Field { origin, field, defect } => write!(f, "{origin}: {field}: {defect}"),
        }
    }
}

impl fmt::Display for FieldDefect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("missing"),
            Self::Empty => f.write_str("empty"),
            Self::Duplicate => f.write_str("given twice"),
            Self::NotText => f.write_str("not a string"),
            Self::NotHex { digits } => write!(f, "not {digits} hex digits"),
            Self::NotUtf16Hex => f.write_str("not UTF-16LE in hex"),
            Self::NotANumber => f.write_str("not a number"),
            Self::NotAccountFlags => f.write_str("not account flags in brackets"),
            Self::SecondSecret => f.write_str("a second secret"),
            Self::OnlyWith(other) => write!(f, "only with {other}"),
        }
    }
}

impl std::error::Error for AccountsError {}

/// Two entries fit equally and have different secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ambiguous {
    /// One of them.
    pub first: Origin,
    /// The other.
    pub second: Origin,
}

impl fmt::Display for Ambiguous {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} and {} fit equally", self.first, self.second)
    }
}

impl std::error::Error for Ambiguous {}
