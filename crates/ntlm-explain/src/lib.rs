//! NTLM exchanges found in traffic and explained.
//!
//! [`explain_capture`] reads a capture, brings the three messages of each logon together, says what
//! holds under the account's secret and derives every key, with the rule that chose it and the bytes
//! it came from; with SMB it goes on to the last signature and the last encrypted packet. Bytes in,
//! values out: this crate opens nothing and prints nothing.
//!
//! ```
//! use ntlm_accounts::{Accounts, Format};
//! use ntlm_capture::{Capture, Limits};
//! use ntlm_explain::{Explained, Known, Verdict, explain_capture};
//! use ntlm::text::CodePage;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let file = include_bytes!("../../../testdata/captures/smbclient-smb3_11-sign-ntlmv2.pcap");
//! let mut accounts = Accounts::new(CodePage::Cp850);
//! accounts.add("here", "WORKGROUP:alice:Wonderland-42", Format::UserFile)?;
//! let known = Known { accounts: &accounts, code_page: CodePage::Cp850 };
//!
//! let mut found = Vec::new();
//! let mut capture = Capture::new(&file[..], Limits::default());
//! explain_capture(&mut capture, known, &mut |explained: Explained| found.push(explained))?;
//! let explained = found.remove(0);
//! assert_eq!(explained.response, Verdict::Valid);
//! assert_eq!(explained.mic, Verdict::Valid);
//! let smb = explained.smb.ok_or("this is SMB")?;
//! assert_eq!((smb.dialect.as_deref(), smb.signatures.invalid), (Some("3.1.1"), 0));
//! # Ok(())
//! # }
//! ```
//!
//! From the bottom up: `ladder` and `finding` are what an exchange is explained with; `carrier` finds
//! tokens in a flow, `assemble` pairs them, `inspect` looks for what is weak or odd, `explain` says
//! what an exchange comes to, [`smb`] and [`rpc`] follow the session that it begins, [`netlogon`] the
//! secure channels that no exchange begins; `flows` joins all of these
//! to a capture, and `capture_findings` says what is missing in it; `render` draws it.

mod alive;
mod assemble;
mod capture_findings;
pub mod carrier;
mod clock;
mod decoded;
mod explain;
mod explained;
mod finding;
mod flows;
mod inspect;
mod known;
mod ladder;
pub mod netlogon;
mod queue;
pub mod render;
pub mod rpc;
pub mod smb;
mod subject;
mod tally;
mod token;

pub use assemble::{Assembler, FoundExchange, Seen, Unclaimed};
pub use capture_findings::{CaptureFinding, CapturePlace, CaptureReport};
pub use clock::rfc3339;
pub use decoded::{Decoded, DecodedField, DecodedFlag};
pub use explain::explain;
pub use explained::{AccountNames, Explained, FileFrames, Flags, Outcome, Verdict};
pub use finding::{At, Finding, FindingCode, Severity};
pub use flows::{Sink, SmbMessage, explain_capture, read_capture};
pub use known::Known;
pub use ladder::{
    InputOrigin, KeyHex, Ladder, Part, Place, Places, Rung, RungInput, RungRule, RungValue, hex,
};
pub use token::{NoToken, Token};
