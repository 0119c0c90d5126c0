//! `ntlm logon`.

use super::secrets::Page;
use super::smb::{Signing, SmbCipher, SmbDialects};
use clap::Args as ClapArgs;
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
#[command(before_help = LOGON_FIRST, after_help = LOGON_LAST)]
pub(crate) struct LogonArgs {
    /// Where to log on, and as whom
    #[arg(
        value_name = "URL",
        help = "smb://[DOMAIN;]user@host[:port]/share, where without user@ nobody logs on: anonymous; \
                or netlogon://controller[:port]"
    )]
    pub(crate) url: String,
    /// File of accounts to find the user's secret in. May be given several times
    ///
    /// Where it is not in there, the password is read from the environment variable NTLM_PASSWORD, or
    /// asked for.
    #[arg(long, value_name = "FILE")]
    pub(crate) secrets: Vec<PathBuf>,
    /// Password. Everyone on this machine can see it while the program runs
    #[arg(long, value_name = "PASSWORD", conflicts_with = "secrets")]
    pub(crate) password_visible_to_others: Option<String>,
    /// NT hash in hex. Everyone on this machine can see it while the program runs
    #[arg(
        long,
        value_name = "HEX",
        conflicts_with_all = ["secrets", "password_visible_to_others"]
    )]
    pub(crate) nt_hash_visible_to_others: Option<String>,
    /// Code page of the LM hash
    #[arg(long, value_name = "PAGE", value_enum, default_value_t = Page::Cp850)]
    pub(crate) code_page: Page,
    /// The account of this machine in the controller's domain, DOMAIN\COMPUTER$. Its secret is looked
    /// for in --secrets, then in the environment variable NTLM_MACHINE_PASSWORD, or asked for
    #[arg(long, value_name = "ACCOUNT", help_heading = "With netlogon://")]
    pub(crate) machine: Option<String>,
    /// Who logs on: DOMAIN\user, user or user@domain
    #[arg(long, value_name = "NAME", help_heading = "With netlogon://")]
    pub(crate) user: Option<String>,
    /// From which workstation, as the client says
    #[arg(long, value_name = "NAME", default_value = "", help_heading = "With netlogon://")]
    pub(crate) workstation: String,
    /// By the named pipe, inside SMB, and not over TCP
    #[arg(long, help_heading = "With netlogon://")]
    pub(crate) pipe: bool,
    /// Only this dialect, or with a hyphen between two a range: 1, 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1
    #[arg(long, value_name = "DIALECT", default_value = "2.0.2-3.1.1", value_parser = SmbDialects::parse, help_heading = "What to ask for")]
    pub(crate) dialect: SmbDialects,
    /// Insist on signatures, and say so. Where there is a key, messages are signed anyhow
    #[arg(long, help_heading = "What to ask for")]
    pub(crate) sign: bool,
    /// Insist on encryption
    #[arg(long, help_heading = "What to ask for")]
    pub(crate) encrypt: bool,
    /// Offer only this way of signing under 3.1.1. May be given several times
    #[arg(long, value_name = "ALGORITHM", value_enum, help_heading = "What to ask for")]
    pub(crate) signing_algorithm: Vec<Signing>,
    /// Offer only this cipher. May be given several times
    #[arg(long, value_name = "CIPHER", value_enum, help_heading = "What to ask for")]
    pub(crate) cipher: Vec<SmbCipher>,
    /// Begin with an SMB1 NEGOTIATE that offers SMB 2
    #[arg(long, help_heading = "What to ask for")]
    pub(crate) multi_protocol: bool,
    /// Ask for a NetBIOS session first, as on port 139
    #[arg(long, help_heading = "What to ask for")]
    pub(crate) netbios: bool,
    /// LM compatibility level below 3: NTLMv1, and at 0 and 1 LM as well. Whoever listens can find
    /// the password
    #[arg(long, value_name = "LEVEL", value_parser = clap::value_parser!(u8).range(0..=2), help_heading = "Weak")]
    pub(crate) insecure_level: Option<u8>,
    /// Let the server make the account a guest: nothing is signed then
    #[arg(long, help_heading = "Weak")]
    pub(crate) insecure_allow_guest: bool,
    /// SMB1 without extended security: bare responses, no MIC, no target name, no key exchange
    #[arg(long, help_heading = "Weak")]
    pub(crate) insecure_bare_session_setup: bool,
    /// A secure channel to the controller with RC4 and MD5, without AES (CVE-2022-38023)
    #[arg(long, help_heading = "Weak")]
    pub(crate) insecure_rc4: bool,
    /// Show every key, from the password down to those of SMB
    #[arg(long, help_heading = "Output")]
    pub(crate) show_keys: bool,
    /// Print JSON
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Write what was sent and received as a capture, for `ntlm explain` and Wireshark
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) write_capture: Option<PathBuf>,
    /// How long to wait for the server's answers, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=3600), help_heading = "Output")]
    pub(crate) timeout: u16,
}

// As EXPLAIN_LAST, no wider than 80 columns.
const LOGON_FIRST: &str = "\
Logs on to an SMB server as a client: negotiates, proves the account, uses the
share, asks for an echo, logs off. Shows what was negotiated and what each end
proved to the other.

With netlogon:// it asks a domain controller, as a member of the domain does
whose client logs on: client and server of NTLM are both here, and what a server
would pass on is passed on. Shows what the controller was given, its verdict,
and who the account is.";

const LOGON_LAST: &str = "\
Examples:
  ntlm logon smb://alice@server/data
      asks for the password; the newest dialect that both have
  ntlm logon 'smb://CORP;alice@server/IPC$' --encrypt --show-keys
      insists on encryption, and shows which key does what
  ntlm logon smb://alice@server/data --write-capture logon.pcapng
  ntlm explain logon.pcapng --secrets accounts.toml
      the same logon seen from outside
  ntlm logon smb://alice@server/data --dialect 2.1-3.0.2 --json
      a range of dialects; an object for programs
  ntlm logon netlogon://dc1.corp.example --machine 'CORP\\MEMBER1$' \\
      --user 'CORP\\alice' --show-keys
      what the controller says of alice, and what a server makes of it

Exit codes:
  0  logged on, and all that was demanded came about
  1  refused, or what the server did is not allowed
  2  usage, no such server or no verdict of a controller, no secret";
