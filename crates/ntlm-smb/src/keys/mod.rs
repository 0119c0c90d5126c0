//! Every key of an SMB session: one function for each, one value for each rule.
//!
//! It goes on where `ntlm::keys` ends, in the same words: [`SmbKeySchedule`] and
//! [`Smb1KeySchedule`] have `steps()` of name, rule and value; [`Rule::doc`] has condition, formula,
//! label and context, inputs and section.

mod application_key;
mod cipher_key;
mod doc;
mod kdf;
mod mac_key;
mod preauth;
mod rule;
mod schedule;
mod session_key;
mod signing_key;
mod smb1_schedule;

pub use application_key::{ApplicationKey, ApplicationKeyRule, application_key};
pub use cipher_key::{CipherKey, CipherKeyRule, cipher_key};
pub use doc::{Input, KdfDoc, KeyName, PacketField, RuleDoc};
pub use mac_key::{MacKey, MacKeyRule, mac_key};
pub use preauth::{PreauthIntegrityHash, PreauthRule};
pub use rule::{Rule, Step, StepBytes, StepValue, Unknown};
pub use schedule::{Establishment, SessionKeySource, SmbDerivation, SmbKeySchedule};
pub use session_key::{SessionKey, SessionKeyRule};
pub use signing_key::{SigningKey, SigningKeyRule, signing_key};
pub use smb1_schedule::{Smb1KeySchedule, Smb1KeySource};
