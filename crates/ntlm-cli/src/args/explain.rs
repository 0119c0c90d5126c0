//! `ntlm explain`.

use super::secrets::SecretArgs;
use clap::{Args as ClapArgs, ValueEnum};
use std::path::PathBuf;

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
