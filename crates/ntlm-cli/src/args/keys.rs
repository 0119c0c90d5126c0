//! `ntlm keys`.

use super::secrets::SecretArgs;
use clap::{Args as ClapArgs, ValueEnum};

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
