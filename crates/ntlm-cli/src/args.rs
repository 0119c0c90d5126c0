//! The command line. Help is written to teach.

use crate::host::Host;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use ntlm_smb::{Dialect, DialectRange, Protocol};
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

#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  ntlm keys --table
      the reference table
  ntlm keys --negotiate negotiate.b64 --challenge challenge.b64 --authenticate authenticate.b64 \\
      --secrets accounts.toml
      the ladder of an exchange whose messages you have, as text or in files
  NTLM_PASSWORD=Password ntlm keys --user 'Domain\\User' --version ntlmv2 --flags e28a8233 \\
      --server-challenge 0123456789abcdef --client-challenge aaaaaaaaaaaaaaaa --time 0 \\
      --random-session-key 55555555555555555555555555555555 \\
      --target-info 02000c0044006f006d00610069006e0001000c0053006500720076006500720000000000
      the ladder of the specification's example (MS-NLMP 4.2.4), from typed values
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
    /// CHALLENGE_MESSAGE as hex, base64, header line, or the name of a file
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
- for lines on standard input. A message inside SPNEGO is found there.

Examples:
  ntlm decode TlRMTVNTUAABAAAAl4II4gAAAAAAAAAAAAAAAAAAAAAGAbEdAAAADw==
      a NEGOTIATE_MESSAGE in base64: which flags the client offers
  ntlm decode challenge.b64 authenticate.b64
      messages in files: raw bytes, or text
  ntlm decode - --json < tokens.txt
      a JSON object for each line

Exit codes:
  0  every token is an NTLM message, defects or not (they are listed)
  2  one of them is none")]
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
#[command(
    override_usage = "ntlm explain [OPTIONS] <FILE>...",
    before_help = EXPLAIN_FIRST,
    after_help = EXPLAIN_LAST
)]
pub(crate) struct ExplainArgs {
    /// Captures: pcap or pcapng, plain or gzip; - for standard input
    #[arg(required_unless_present = "list_findings", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Read all files as one capture, such as one recording cut into many: packets by time, and connections
    /// go on from one file to another
    #[arg(long)]
    pub(crate) merge: bool,
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
    /// Only exchange number N of each capture, as the overview counts. May be given several times
    #[arg(long, short = 'n', value_name = "N", help_heading = "Which exchanges")]
    pub(crate) exchange: Vec<u64>,
    /// Only exchanges of this account: user, DOMAIN\user or user@domain, whatever the case
    #[arg(long, value_name = "NAME", help_heading = "Which exchanges")]
    pub(crate) account: Vec<String>,
    /// Only exchanges with this client or server: address, address:port, or workstation name
    #[arg(long, value_name = "HOST", help_heading = "Which exchanges")]
    pub(crate) host: Vec<String>,
    /// Only exchanges of this version
    #[arg(long, value_name = "VERSION", value_enum, help_heading = "Which exchanges")]
    pub(crate) with_version: Vec<WithVersion>,
    /// Only exchanges that come to this
    #[arg(long, value_name = "VERDICT", value_enum, help_heading = "Which exchanges")]
    pub(crate) verdict: Vec<WithVerdict>,
    /// Only the overview: a line for each exchange
    #[arg(long, short, conflicts_with = "only_findings", help_heading = "What to show")]
    pub(crate) brief: bool,
    /// Only the overview and the findings
    #[arg(long, help_heading = "What to show")]
    pub(crate) only_findings: bool,
    /// Mask the values of the keys, and of the fields of messages that are keys or responses
    #[arg(long, help_heading = "What to show")]
    pub(crate) redact_keys: bool,
    /// How to show it
    #[arg(long, short, value_enum, default_value_t = Format::Text, help_heading = "Output")]
    pub(crate) format: Format,
    /// Short for --format json
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    pub(crate) json: bool,
    /// Write into this file, which appears once it is whole
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    pub(crate) output: Option<PathBuf>,
    /// Write the packets of SMB in clear, what was encrypted too, into this pcapng file. Whatever the
    /// filters say; the packets around the messages are made up, what is not all there is left out, and
    /// what does not open is in it as it was sent, with a comment
    #[arg(long, value_name = "FILE", help_heading = "SMB")]
    pub(crate) write_decrypted: Option<PathBuf>,
    /// Print the keys of SMB 2 and 3 sessions instead, as lines of Wireshark's smb2_seskey_list
    #[arg(
        long,
        conflicts_with_all = ["format", "json", "brief", "only_findings", "redact_keys"],
        help_heading = "SMB"
    )]
    pub(crate) session_keys: bool,
    /// Exit with 1 also where something could not be checked
    #[arg(long, help_heading = "Output")]
    pub(crate) strict: bool,
    /// Print every finding there is, what it means and what to do, as Markdown; reads no capture
    #[arg(long, help_heading = "Output")]
    pub(crate) list_findings: bool,
}

const EXPLAIN_FIRST: &str = "\
Finds every NTLM logon in a capture and explains it: what was negotiated, how
each key was computed and by which rule, whether the response and the MIC hold
under the account's secret, what is weak or wrong, and what to do next.";

// No wider than 80 columns, in which lines that stand under one another stay so.
const EXPLAIN_LAST: &str = "\
From a capture to an answer:

  1. Capture the whole connection, from its first packet on, for example
         tcpdump -i any -w capture.pcap 'port 445 or port 135 or port 80'
  2. See what is in it. This needs no secret:
         ntlm explain capture.pcap --brief
  3. Write the account into a file, say accounts.toml (keep it to yourself,
     delete it after):
         [[account]]
         user = \"alice\"
         password = \"Wonderland-42\"
  4. See whether it all holds, and why not:
         ntlm explain capture.pcap --secrets accounts.toml
     The overview has a line for each exchange. Take its number to see that one
     alone:
         ntlm explain capture.pcap --secrets accounts.toml --exchange 1

How to read it:

  response   the client's proof that it knows the password.
             valid: made with the secret you gave. invalid: made with another
             one, or for another name or challenge. unchecked: you gave no
             secret for this account. absent: an anonymous logon, which proves
             nothing.
  MIC        a checksum over the three messages. invalid: one of them was
             changed on the way.
  SMB        each signature checked and each encrypted packet opened, with the
             keys that follow from ExportedSessionKey. unchecked: the key is not
             known, or packets are missing. 'extended session security' is a
             flag of NTLM; 'SMB extended security' is another matter: that
             session setup carries tokens, which all of SMB 2 and 3 does.
  RPC        DCE/RPC over TCP and in pipes: each signature checked and each
             sealed body opened with the keys of the ladder. Behind a loss, what
             needs the key stream is unchecked.
  channel    a secure channel of Netlogon, over which a member asks its domain
             controller. With the machine account (user = \"MEMBER1$\") in the
             secrets, or its netlogon_session_key, it opens: which user, which
             challenge, what verdict.
  answer     what the server said, and what its status means. A valid response
             may well be refused: see the findings.
  Flags      what the client offers, what the server returns, what the client
             settles on.
  Keys       the ladder, from the password down to the keys that sign and seal.
             `ntlm keys --table` explains every rule.
  Findings   what is weak or wrong, each with a code (`--list-findings`) and
             what to do next.
  The capture
             what is missing or damaged in it and belongs to no exchange.

Which key signs this session? The line 'SMB signatures' names it, and Keys has
it; under RPC and LDAP it is ClientSigningKey or ServerSigningKey; in a secure
channel it is SessionKey.
Why was this logon refused? See 'server's answer', then give the account: if the
response is invalid, the client used another password than you think.

More:

  who still uses NTLMv1?
         ntlm explain *.pcapng --with-version ntlmv1 --brief
  one recording in many files
         ntlm explain *.pcapng --merge
  what does not hold in a large capture?
         ntlm explain big.pcap.gz --verdict invalid --only-findings
  a page to read or print; the ladder of one exchange as a picture
         ntlm explain capture.pcap --format html --output report.html
         ntlm explain capture.pcap --exchange 1 --format svg --output ladder.svg
  what SMB encrypted, in clear
         ntlm explain capture.pcap --secrets accounts.toml \\
             --write-decrypted clear.pcapng
  or have Wireshark open it, with this file in its profile's folder
         ntlm explain capture.pcap --secrets accounts.toml --session-keys \\
             >> smb2_seskey_list
  for programs
         tcpdump -i any -w - port 445 | ntlm explain - --json

Exit codes, for the exchanges that are shown (what the filters leave out does
not count):
  0  nothing that could be checked is wrong; also if there was nothing to check
  1  a response, a MIC, bindings, a signature or an encrypted packet are invalid
     (with --strict: or unchecked)
  2  a file is unreadable or damaged; what could be read is shown all the same";

/// The forms that `explain` has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Text for a terminal
    #[default]
    Text,
    /// JSON, schema ntlm-explain/1 (docs/ntlm-explain-1.schema.json)
    Json,
    /// One page that needs nothing else
    Html,
    /// The ladder of one exchange as a picture
    Svg,
}

/// Versions as filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WithVersion {
    /// NTLMv2
    Ntlmv2,
    /// NTLMv1, without and with extended session security
    Ntlmv1,
    /// NTLMv1 with extended session security only
    Ntlmv1Ess,
    /// LM alone
    Lm,
    /// LMv2 alone
    Lmv2,
    /// No proof
    Anonymous,
    /// A local call of Windows
    LocalCall,
}

/// Verdicts as filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WithVerdict {
    /// The response holds, and nothing else is invalid
    Valid,
    /// The response, the MIC or the channel bindings do not hold
    Invalid,
    /// The response could not be checked
    Unchecked,
    /// There is no response
    Absent,
}

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

/// A range of dialects.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SmbDialects(pub(crate) DialectRange);

impl SmbDialects {
    fn parse(text: &str) -> Result<Self, String> {
        let (oldest, newest) = text.split_once('-').unwrap_or((text, text));
        let protocol = |name: &str| {
            let dialect = Dialect::ALL.into_iter().find(|dialect| dialect.name() == name);
            match (name, dialect) {
                ("1", _) => Ok(Protocol::Smb1),
                (_, Some(dialect)) => Ok(Protocol::Smb2(dialect)),
                _ => Err(format!("no dialect {name}: there are 1, 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1")),
            }
        };
        let range = DialectRange { oldest: protocol(oldest)?, newest: protocol(newest)? };
        if range.oldest > range.newest {
            return Err("the older dialect comes first".to_owned());
        }
        Ok(Self(range))
    }
}

/// How messages are signed under 3.1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Signing {
    HmacSha256,
    AesCmac,
    AesGmac,
}

/// How messages are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SmbCipher {
    #[value(name = "aes-128-ccm")]
    Aes128Ccm,
    #[value(name = "aes-128-gcm")]
    Aes128Gcm,
    #[value(name = "aes-256-ccm")]
    Aes256Ccm,
    #[value(name = "aes-256-gcm")]
    Aes256Gcm,
}

/// What was given, or else what is usual.
pub(crate) fn or_default<T: Copy + Into<U>, U>(given: &[T], default: Vec<U>) -> Vec<U> {
    if given.is_empty() { default } else { given.iter().copied().map(Into::into).collect() }
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
