//! The command line. Help is written to teach.

mod decode;
mod explain;
mod keys;
mod logon;
mod secrets;
mod serve;
mod smb;

use clap::{Parser, Subcommand, ValueEnum};
pub(crate) use decode::DecodeArgs;
pub(crate) use explain::{ExplainArgs, Format, WithVerdict, WithVersion};
pub(crate) use keys::{KeysArgs, Version};
pub(crate) use logon::LogonArgs;
pub(crate) use secrets::SecretArgs;
pub(crate) use serve::{ServeArgs, ServePolicy, ServeProtocol, ServeSmbArgs};
pub(crate) use smb::{Signing, SmbCipher, or_default};
use std::path::PathBuf;

/// NTLM that one can look inside.
#[derive(Debug, Parser)]
#[command(name = "ntlm", version, max_term_width = 100, after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Colours: on a terminal only, always, or never (as with the variable NO_COLOR)
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Colour::Auto)]
    pub(crate) color: Colour,
}

/// When text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Colour {
    /// On a terminal
    #[default]
    Auto,
    /// Also into files and pipes
    Always,
    /// Nowhere
    Never,
}

const EXAMPLES: &str = "\
NTLM is the challenge-response logon of Windows networks. A client sends
NEGOTIATE, the server answers CHALLENGE with a random number, the client sends
AUTHENTICATE with a response that is computed from that number and its password.
From the same secret both ends derive the keys that sign and seal what follows.
This program shows how.

Examples:
  ntlm explain capture.pcapng --brief
      every logon in a capture, a line for each
  ntlm explain capture.pcapng --secrets accounts.toml
      and whether it all holds: responses, MICs, and how every key was computed
  ntlm decode 'Authorization: NTLM TlRMTVNTUAABAAAAl4II4gAAAAAAAAAAAAAAAAAAAAAGAbEdAAAADw=='
      one message, field by field
  ntlm keys --table
      every key of NTLM, and the rule that chooses how it is computed
  ntlm logon smb://alice@server/share --show-keys
      a real logon: what was negotiated, what was proved, and every key that came of it
  ntlm serve smb --listen 127.0.0.1:4450 --accounts accounts.toml --show-keys
      a server to log on to, which shows the same of whoever does

Exit codes:
  0  nothing that could be checked is wrong
  1  a response, MIC or binding is invalid (with --strict: or unchecked); a logon was refused
  2  usage, unreadable or damaged input, no NTLM where a token was given";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Derive every key from typed values, or print the reference table
    Keys(Box<KeysArgs>),
    /// Show the fields of messages given as hex, base64, header lines or files
    Decode(DecodeArgs),
    /// Find the NTLM exchanges in captures and explain each: every key, every verdict
    Explain(Box<ExplainArgs>),
    /// Log on to a server and show what was negotiated and proved
    Logon(Box<LogonArgs>),
    /// Serve logons, and show what was negotiated and proved in each
    Serve(Box<ServeArgs>),
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
