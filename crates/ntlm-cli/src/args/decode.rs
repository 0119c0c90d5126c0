//! `ntlm decode`.

use super::secrets::Page;
use clap::Args as ClapArgs;

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
