//! NTLM exchanges found in traffic and explained.
//!
//! [`find_exchanges`] reads a capture and brings the three messages of each logon together;
//! [`explain`] says what holds under the account's secret and derives every key, with the rule that
//! chose it and the bytes it came from. Bytes in, values out: this crate opens nothing and prints
//! nothing.
//!
//! ```
//! use ntlm_accounts::{Accounts, Format};
//! use ntlm_capture::{Capture, Limits};
//! use ntlm_explain::{Known, Verdict, explain, find_exchanges};
//! use ntlm::text::CodePage;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file = include_bytes!("../../../testdata/captures/smbclient-smb3_11-sign-ntlmv2.pcap");
//! let mut accounts = Accounts::new(CodePage::Cp850);
//! accounts.add("here", "WORKGROUP:alice:Wonderland-42", Format::UserFile)?;
//! let known = Known { accounts: &accounts, code_page: CodePage::Cp850 };
//!
//! let mut found = Vec::new();
//! find_exchanges(&mut Capture::new(&file[..], Limits::default()), |exchange| found.push(exchange))?;
//! let explained = explain(1, found.remove(0), known);
//! assert_eq!(explained.response, Verdict::Valid);
//! assert_eq!(explained.mic, Verdict::Valid);
//! # Ok(())
//! # }
//! ```
//!
//! From the bottom up: `carrier` finds tokens in a flow, `assemble` pairs them, `flows` joins both
//! to a capture; `inspect` looks for what is weak or odd; `ladder` and
//! `finding` are what `explain` makes of an exchange; `render` draws it.

mod assemble;
pub mod carrier;
mod clock;
mod decoded;
mod explain;
mod explained;
mod finding;
mod flows;
mod inspect;
mod ladder;
pub mod render;
mod subject;
mod token;

pub use assemble::{Assembler, FoundExchange, Seen};
pub use decoded::{Decoded, DecodedField, DecodedFlag};
pub use explain::{Known, explain};
pub use explained::{AccountNames, Explained, Flags, Outcome, Verdict};
pub use finding::{At, Finding, FindingCode, Severity};
pub use flows::find_exchanges;
pub use ladder::{
    InputOrigin, Ladder, Part, Place, Places, Rung, RungInput, RungRule, RungValue, hex,
};
pub use token::{NoToken, Token};
