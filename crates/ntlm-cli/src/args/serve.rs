//! `ntlm serve`.

use super::secrets::Page;
use super::smb::{Signing, SmbCipher, SmbDialects};
use crate::host::Host;
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, ClapArgs)]
pub(crate) struct ServeArgs {
    #[command(subcommand)]
    pub(crate) protocol: ServeProtocol,
}

/// What is served.
#[derive(Debug, Subcommand)]
pub(crate) enum ServeProtocol {
    /// SMB, with IPC$ and one flat share in memory
    Smb(Box<ServeSmbArgs>),
}

#[derive(Debug, ClapArgs)]
#[command(before_help = SERVE_FIRST, after_help = SERVE_LAST)]
pub(crate) struct ServeSmbArgs {
    /// Where to listen: address and port; port 0 for any that is free
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: std::net::SocketAddr,
    /// File of accounts: TOML, NTLM_USER_FILE or smbpasswd lines. May be given several times
    #[arg(long, value_name = "FILE", required_unless_present = "machine")]
    pub(crate) accounts: Vec<PathBuf>,
    /// Have logons judged by the controllers of a domain, as this member of it: DOMAIN\COMPUTER$.
    /// With --accounts too, those are accounts of this computer: for logons that name it, or no domain
    #[arg(long, value_name = "ACCOUNT", help_heading = "Domain")]
    pub(crate) machine: Option<String>,
    /// File to find the machine's secret in. Without it the password is read from the environment
    /// variable NTLM_MACHINE_PASSWORD, or asked for. May be given several times
    #[arg(long, value_name = "FILE", help_heading = "Domain", requires = "machine")]
    pub(crate) secrets: Vec<PathBuf>,
    /// DNS name of the domain, by which its controllers are found
    #[arg(long, value_name = "NAME", help_heading = "Domain", requires = "machine")]
    pub(crate) domain: Option<String>,
    /// A controller, with its port or without, and not what DNS names. May be given several times,
    /// best first
    #[arg(long, value_name = "HOST", help_heading = "Domain", requires = "machine")]
    pub(crate) dc: Vec<Host>,
    /// Whom to ask for DNS names of controllers, and not whom this machine asks
    #[arg(
        long,
        value_name = "ADDR:PORT",
        help_heading = "Domain",
        requires = "domain",
        conflicts_with = "dc"
    )]
    pub(crate) dns_server: Option<std::net::SocketAddr>,
    /// Reach controllers by the named pipe, inside SMB, and not over TCP
    #[arg(long, help_heading = "Domain", requires = "machine")]
    pub(crate) pipe: bool,
    /// A secure channel to controllers with RC4 and MD5, without AES (CVE-2022-38023)
    #[arg(long, help_heading = "Domain", requires = "machine")]
    pub(crate) insecure_rc4: bool,
    /// What to insist on, or to let through. May be given several times
    #[arg(long, value_name = "POLICY", value_enum)]
    pub(crate) policy: Vec<ServePolicy>,
    /// Code page of clients without Unicode, and of LM hashes
    #[arg(long, value_name = "PAGE", value_enum, default_value_t = Page::Cp850)]
    pub(crate) code_page: Page,
    /// Only this dialect, or with a hyphen between two a range: 1, 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1
    #[arg(long, value_name = "DIALECT", default_value = "2.0.2-3.1.1", value_parser = SmbDialects::parse)]
    pub(crate) dialect: SmbDialects,
    /// Only this way of signing under 3.1.1, best first. May be given several times
    #[arg(long, value_name = "ALGORITHM", value_enum)]
    pub(crate) signing_algorithm: Vec<Signing>,
    /// Only this cipher, best first. May be given several times
    #[arg(long, value_name = "CIPHER", value_enum)]
    pub(crate) cipher: Vec<SmbCipher>,
    /// NetBIOS name of the server, and of its domain: NTLM unless given. With --machine the server has
    /// the machine's name, and no other
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Name of the share
    #[arg(long, value_name = "NAME", default_value = "data")]
    pub(crate) share: String,
    /// How many connections there may be; when there are more, the oldest without a logon goes
    #[arg(long, value_name = "COUNT", default_value_t = 512, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) connections: u16,
    /// Show every key of each logon, from the account's secret down to those of SMB
    #[arg(long, help_heading = "Output")]
    pub(crate) show_keys: bool,
    /// Print JSON, one object a line
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// What a server insists on, or lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServePolicy {
    /// Every message of an account must be signed
    RequireSigning,
    /// Everything is encrypted; who cannot is refused
    RequireEncryption,
    /// NTLM messages must have a MIC
    RequireMic,
    /// Accept NTLMv1: whoever listens can find the password
    InsecureNtlmv1,
    /// Accept LM responses alone: whoever listens can find the password at once
    InsecureLm,
    /// Accept LMv2 responses alone, which protect nothing but themselves
    InsecureLmv2Alone,
    /// Accept keys of less than 128 bits, and no extended session security
    InsecureWeakKeys,
    /// Let nobody in, to IPC$: nothing is signed then
    InsecureAnonymous,
    /// Let unknown accounts in as guest: nothing is signed then. Not with --machine
    InsecureGuest,
    /// SMB1 without extended security: bare responses, no MIC, no target name, no key exchange
    InsecureBareSessionSetup,
}

const SERVE_FIRST: &str = "\
An SMB server to log on to: IPC$ and one share, whose files are in memory and
gone afterwards. Shows of each logon how it was proved, how it is protected,
what a strict policy would not have let through, and of each that is refused
why.";

const SERVE_LAST: &str = "\
Examples:
  ntlm serve smb --listen 127.0.0.1:4450 --accounts accounts.toml
      serves until SIGTERM or Ctrl-C; the first line says that it listens
  smbclient //127.0.0.1/data -p 4450 -U alice
      a client, in another terminal
  ntlm serve smb --listen 127.0.0.1:4450 --accounts accounts.toml --show-keys
      and every key of each logon
  ntlm serve smb --listen 127.0.0.1:4450 --accounts accounts.toml --json \\
      --policy require-encryption
      an audit record for each logon, one a line; everything encrypted
  ntlm serve smb --listen 0.0.0.0:445 --machine 'CORP\\FILES$' \\
      --domain corp.example --secrets machine.toml
      a member of a domain, whose controllers judge

Exit codes:
  0  stopped by a signal
  2  usage, no such address, unreadable accounts";
