//! Secure channels of Netlogon, and the logons that members pass through them to their domain
//! controller (MS-NRPC 3.1.4, 3.3.4.2, 3.5.4.5).
//!
//! `Setups` remembers, for a whole capture, what clients and servers said in the clear to set a channel
//! up; a `Channel` is one association that such a key protects, and ends as a [`ChannelExplained`].
//! From the bottom up: `calls` reads what is called, `setups` and `logon` say what it comes to,
//! `key` finds the key and `numbers` keeps count, and `channel` checks with both.

mod calls;
mod channel;
mod key;
mod logon;
mod numbers;
mod setups;

pub(crate) use calls::Calls;
pub(crate) use channel::{Channel, Ends};
pub(crate) use logon::proof;
pub use logon::{LogonExplained, Validated};
pub(crate) use setups::{Setups, hear_setup};

use crate::explained::Verdict;
use crate::finding::Finding;
use crate::ladder::Ladder;
use crate::tally::{Failure, Signatures};
use serde::Serialize;

/// One association that a secure channel protects. It serializes to one element of `channels` in the
/// JSON contract.
#[derive(Debug, Serialize)]
pub struct ChannelExplained {
    /// `netlogon`.
    pub kind: &'static str,
    /// Address and port of the member.
    pub client: String,
    /// Address and port of the domain controller.
    pub server: String,
    /// The frames that set it up, and those of bind and its answer.
    pub frames: Vec<u64>,
    /// NetBIOS name of the member.
    pub machine: String,
    /// NetBIOS name of its domain.
    pub domain: String,
    /// AccountName of the member, where the setup was seen.
    pub account: Option<String>,
    /// What the member is to the domain, where the setup was seen.
    pub secure_channel_type: Option<&'static str>,
    /// `AES-SHA2` or `RC4-MD5`; `None` where nothing tells.
    pub algorithms: Option<&'static str>,
    /// NegotiateFlags that both ends can do: `0x` and hex digits.
    pub negotiate_flags: Option<String>,
    /// `integrity` or `privacy`.
    pub level: &'static str,
    /// Whether headers are signed too.
    pub header_signing: bool,
    /// ClientChallenge in hex.
    pub client_challenge: Option<String>,
    /// ServerChallenge in hex.
    pub server_challenge: Option<String>,
    /// Whether ClientCredential holds under the session key.
    pub client_credential: Verdict,
    /// Whether ServerCredential does.
    pub server_credential: Verdict,
    /// The session key, and what it comes from.
    pub keys: Ladder,
    /// What the signatures came to.
    pub signatures: Signatures,
    /// How many fragments were sealed and open.
    pub unsealed: u64,
    /// What does not hold, the first few.
    pub failures: Vec<Failure>,
    /// The logons passed through, in order.
    pub logons: Vec<LogonExplained>,
    /// What is worth saying.
    pub findings: Vec<Finding>,
}

impl ChannelExplained {
    /// Whether anything that was checked does not hold.
    #[must_use]
    pub fn has_invalid(&self) -> bool {
        self.signatures.invalid > 0
            || self.client_credential == Verdict::Invalid
            || self.server_credential == Verdict::Invalid
            || self.logons.iter().any(|logon| logon.response == Verdict::Invalid)
    }

    /// Whether anything was left unchecked.
    #[must_use]
    pub fn has_unchecked(&self) -> bool {
        self.signatures.unchecked > 0
            || self.client_credential == Verdict::Unchecked
            || self.server_credential == Verdict::Unchecked
            || self.logons.iter().any(|logon| logon.response == Verdict::Unchecked)
    }

    /// Replaces the value of every key by a mask of the same length.
    pub fn redact_keys(&mut self) {
        self.keys.redact();
        self.logons.iter_mut().for_each(LogonExplained::redact_keys);
    }
}
