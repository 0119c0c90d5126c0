//! The command line. Help is written to teach.

use crate::failure::Failure;
use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// NTLM that one can look inside.
#[derive(Debug, Parser)]
#[command(name = "ntlm", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  ntlm explain capture.pcapng --secrets accounts.toml
      every logon in a capture: which key was computed how, and whether it all holds
  ntlm decode 'Authorization: NTLM TlRMTVNTUAABAAAAl4II4gAAAAAAAAAAAAAAAAAAAAAGAbEdAAAADw=='
      one message, field by field
  ntlm keys --table
      every key of NTLM, and the rule that chooses how it is computed

Exit codes:
  0  nothing that could be checked is wrong
  1  a response, MIC or binding is invalid (with --strict: or unchecked)
  2  usage, unreadable or damaged input, no NTLM where a token was given";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Derive every key from typed values, or print the reference table
    Keys(Box<KeysArgs>),
    /// Show the fields of messages given as hex, base64, header lines or files
    Decode(DecodeArgs),
    /// Find the NTLM exchanges in captures and explain each: every key, every verdict
    Explain(ExplainArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write man pages into a folder
    Man {
        /// The folder, which must exist
        folder: PathBuf,
    },
}

/// Where secrets come from. They never need to stand on the command line.
#[derive(Debug, Default, ClapArgs)]
pub(crate) struct SecretArgs {
    /// File of accounts: TOML, NTLM_USER_FILE or smbpasswd lines. May be given several times
    ///
    /// In TOML: [[account]] with user, optional domain, and one of password, nt_hash (optionally
    /// with lm_hash), or exported_session_key with server_challenge.
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

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ntlm keys --table
      the reference table
  ntlm keys --challenge TlRM.. --authenticate TlRM.. --negotiate TlRM.. --secrets accounts.toml
      the ladder of an exchange whose messages you have
  NTLM_PASSWORD=Password ntlm keys --user 'Domain\\User' --version ntlmv2 --flags e28a8233 \\
      --server-challenge 0123456789abcdef --client-challenge aaaaaaaaaaaaaaaa --time 0 \\
      --target-info 02000c0044006f006d00610069006e0001000c005300650072007600650072000000000000
      the ladder of the specification's example, from typed values
  ntlm keys --exported-session-key 55555555555555555555555555555555 --flags e28a8233 \\
      --version ntlmv2
      the signing and sealing keys of a session key")]
pub(crate) struct KeysArgs {
    /// Print the reference table: every key, one row for each rule
    #[arg(long)]
    pub(crate) table: bool,
    /// With --table: as Markdown, as in docs/keys.md
    #[arg(long, requires = "table")]
    pub(crate) markdown: bool,
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
    /// CHALLENGE_MESSAGE as hex, base64 or header line
    #[arg(long, value_name = "TOKEN", requires = "authenticate", help_heading = "From messages")]
    pub(crate) challenge: Option<String>,
    /// AUTHENTICATE_MESSAGE
    #[arg(long, value_name = "TOKEN", requires = "challenge", help_heading = "From messages")]
    pub(crate) authenticate: Option<String>,
    /// NEGOTIATE_MESSAGE, which the MIC covers
    #[arg(long, value_name = "TOKEN", requires = "challenge", help_heading = "From messages")]
    pub(crate) negotiate: Option<String>,
    /// How the client proves itself
    #[arg(long, value_enum, help_heading = "From values", conflicts_with = "challenge")]
    pub(crate) version: Option<Version>,
    /// Negotiated flags, 8 hex digits as they are usually written: e28a8233
    #[arg(long, value_name = "HEX", help_heading = "From values", conflicts_with = "challenge")]
    pub(crate) flags: Option<String>,
    /// ServerChallenge, 8 bytes
    #[arg(long, value_name = "HEX", help_heading = "From values")]
    pub(crate) server_challenge: Option<String>,
    /// ChallengeFromClient, 8 bytes: the response is then computed
    #[arg(long, value_name = "HEX", help_heading = "From values")]
    pub(crate) client_challenge: Option<String>,
    /// TimeStamp of the NTLMv2 response, as a FILETIME in decimal
    #[arg(long, value_name = "FILETIME", default_value_t = 0, help_heading = "From values")]
    pub(crate) time: u64,
    /// AV_PAIR list of the NTLMv2 response
    #[arg(long, value_name = "HEX", help_heading = "From values")]
    pub(crate) target_info: Option<String>,
    /// NtChallengeResponse: the response is then checked
    #[arg(
        long,
        value_name = "HEX",
        help_heading = "From values",
        conflicts_with = "client_challenge"
    )]
    pub(crate) nt_response: Option<String>,
    /// LmChallengeResponse
    #[arg(long, value_name = "HEX", help_heading = "From values")]
    pub(crate) lm_response: Option<String>,
    /// EncryptedRandomSessionKey as received, 16 bytes
    #[arg(long, value_name = "HEX", help_heading = "From values")]
    pub(crate) encrypted_random_session_key: Option<String>,
    /// RandomSessionKey as the client drew it, 16 bytes
    #[arg(
        long,
        value_name = "HEX",
        help_heading = "From values",
        conflicts_with = "encrypted_random_session_key"
    )]
    pub(crate) random_session_key: Option<String>,
    /// SessionBaseKey as a domain controller returned it: everything before it is left out
    #[arg(long, value_name = "HEX", help_heading = "From values", conflicts_with = "user")]
    pub(crate) session_base_key: Option<String>,
    /// ExportedSessionKey: everything before it is left out
    #[arg(long, value_name = "HEX", help_heading = "From values", conflicts_with_all = ["user", "session_base_key"])]
    pub(crate) exported_session_key: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Mask the values of the keys
    #[arg(long)]
    pub(crate) redact_keys: bool,
}

/// How the client proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Version {
    /// NTLMv2
    Ntlmv2,
    /// NTLMv1 with extended session security
    Ntlmv1Ess,
    /// NTLMv1
    Ntlmv1,
    /// LMv2 alone (needs --lm-response)
    Lmv2,
    /// LM alone (needs --lm-response)
    Lm,
    /// No proof
    Anonymous,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
A TOKEN is hex, base64, a header line such as 'WWW-Authenticate: NTLM TlRM..', the name of a file, or
- for lines on standard input. A message inside SPNEGO is found there.")]
pub(crate) struct DecodeArgs {
    /// What to decode
    #[arg(required = true, value_name = "TOKEN")]
    pub(crate) tokens: Vec<String>,
    /// Code page of names without Unicode
    #[arg(long, value_name = "PAGE", value_enum, default_value_t = Page::Cp850)]
    pub(crate) code_page: Page,
    /// Print JSON, one object for each token
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
From a capture to an answer:
  1. Capture the whole connection, from its first packet: tcpdump -i any -w capture.pcap port 445
  2. Write the account into a file, say accounts.toml (keep it to yourself, and delete it after):
         [[account]]
         user = \"alice\"
         password = \"Wonderland-42\"
  3. ntlm explain capture.pcap --secrets accounts.toml
Without secrets, everything is shown that needs none. Findings come last, with what to do next.")]
pub(crate) struct ExplainArgs {
    /// Captures: pcap or pcapng, plain or gzip; - for standard input
    #[arg(required_unless_present = "list_findings", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print every finding there is, what it means and what to do, as Markdown
    #[arg(long)]
    pub(crate) list_findings: bool,
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
    /// Print JSON (schema ntlm-explain/1)
    #[arg(long)]
    pub(crate) json: bool,
    /// Mask the values of the keys
    #[arg(long)]
    pub(crate) redact_keys: bool,
    /// Exit with 1 also where something could not be checked
    #[arg(long)]
    pub(crate) strict: bool,
}

/// Prints a completion script.
pub(crate) fn completions(shell: clap_complete::Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "ntlm", &mut script);
    crate::screen::print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a page for the program and one for each command.
pub(crate) fn man_pages(folder: &Path) -> Result<ExitCode, Failure> {
    let what = folder.display().to_string();
    clap_mangen::generate_to(Args::command(), folder)
        .map_err(|error| Failure::io(&what, &error))?;
    Ok(ExitCode::SUCCESS)
}
