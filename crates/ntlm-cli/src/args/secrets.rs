//! Where secrets come from.

use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

/// Where secrets come from. They never need to stand on the command line.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct SecretArgs {
    /// File of accounts: TOML, NTLM_USER_FILE or smbpasswd lines. May be given several times
    ///
    /// In TOML: `[[account]]` with user, optional domain, and one of password, nt_hash (optionally
    /// with lm_hash), exported_session_key with server_challenge, or netlogon_session_key of a
    /// machine's secure channel (optionally with server_challenge).
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets: Vec<PathBuf>,
    /// One account instead of a file: user, DOMAIN\user or user@realm
    ///
    /// Its password is read from the environment variable NTLM_PASSWORD, or asked for.
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// Password of --user. Everyone on this machine can see it while the program runs
    #[arg(long, value_name = "PASSWORD", requires = "user")]
    pub(crate) password_visible_to_others: Option<String>,
    /// NT hash of --user in hex. Everyone on this machine can see it while the program runs
    #[arg(
        long,
        value_name = "HEX",
        requires = "user",
        conflicts_with = "password_visible_to_others"
    )]
    pub(crate) nt_hash_visible_to_others: Option<String>,
    /// Code page of names and passwords of peers without Unicode
    #[arg(long, value_name = "PAGE", value_enum, default_value_t = Page::Cp850)]
    pub(crate) code_page: Page,
}

/// Code pages by the names that people use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Page {
    Ascii,
    Cp437,
    #[default]
    Cp850,
    Cp852,
    Cp866,
    Windows1252,
}

impl From<Page> for ntlm::text::CodePage {
    fn from(page: Page) -> Self {
        match page {
            Page::Ascii => Self::Ascii,
            Page::Cp437 => Self::Cp437,
            Page::Cp850 => Self::Cp850,
            Page::Cp852 => Self::Cp852,
            Page::Cp866 => Self::Cp866,
            Page::Windows1252 => Self::Windows1252,
        }
    }
}
