//! An exchange explained, as a value: what every face shows.

use crate::assemble::{FoundExchange, Seen};
use crate::finding::{At, Finding};
use crate::ladder::Ladder;
use crate::rpc::RpcExplained;
use crate::smb::SmbExplained;
use ntlm::Check;
use ntlm::flags::NegotiateFlags;
use ntlm::message::MessageType;
use ntlm::text::CodePage;
use serde::Serialize;
use std::borrow::Cow;

/// An exchange explained. It serializes to one element of `exchanges` in the JSON contract.
#[derive(Debug, Serialize)]
pub struct Explained {
    /// 1, 2, 3 in a capture.
    pub id: u64,
    /// The protocol around it, or `token`.
    pub carrier: &'static str,
    /// Address and port of the client.
    pub client: Option<String>,
    /// Address and port of the server.
    pub server: Option<String>,
    /// When AUTHENTICATE, or the last message seen, was sent: RFC 3339.
    pub time: Option<String>,
    /// The frames that complete the messages, and that of the answer: numbers in the capture.
    pub frames: Vec<u64>,
    /// The same frames by file, where the capture has several; see [`name_files`](Self::name_files).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileFrames>,
    /// Who logs on.
    pub account: AccountNames,
    /// `NTLMv2`, `NTLMv1-ESS` and so on; `None` where there is no telling.
    pub version: Option<&'static str>,
    /// Whether ESS is in force.
    pub extended_session_security: bool,
    /// ServerChallenge in hex.
    pub server_challenge: Option<String>,
    /// What a domain controller must be given instead.
    pub challenge_for_domain_controller: Option<String>,
    /// Flags of each message.
    pub flags: Flags,
    /// Whether the response holds.
    pub response: Verdict,
    /// Whether the MIC holds.
    pub mic: Verdict,
    /// What the client's channel bindings say.
    pub channel_bindings: &'static str,
    /// The SPN that the client means.
    pub target_name: Option<String>,
    /// What the server said.
    pub outcome: Outcome,
    /// The ladder.
    pub keys: Ladder,
    /// What SMB made of the keys. `None` with other carriers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smb: Option<Box<SmbExplained>>,
    /// What DCE/RPC made of them. `None` with other carriers, and where no association was followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpc: Option<Box<RpcExplained>>,
    /// What is worth saying.
    pub findings: Vec<Finding>,
    /// The messages, for display.
    #[serde(skip)]
    pub found: FoundExchange,
    /// The flags in force.
    #[serde(skip)]
    pub negotiated: NegotiateFlags,
    /// The code page that names without Unicode were read by.
    #[serde(skip)]
    pub code_page: CodePage,
}

/// Frames of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileFrames {
    /// Its name.
    pub file: String,
    /// Numbers in this file, counted from 1.
    pub frames: Vec<u64>,
}

/// Names in AUTHENTICATE.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AccountNames {
    /// DomainName.
    pub domain: String,
    /// UserName.
    pub user: String,
    /// Workstation.
    pub workstation: String,
}

/// Names of the flags of each message; empty where the message was not seen or has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Flags {
    /// Offered by the client.
    pub negotiate: Vec<&'static str>,
    /// Returned by the server.
    pub challenge: Vec<&'static str>,
    /// Kept by the client.
    pub authenticate: Vec<&'static str>,
}

/// What a check came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It holds.
    Valid,
    /// It does not.
    Invalid,
    /// There is nothing to check.
    Absent,
    /// What is needed to check it is missing.
    Unchecked,
}

impl Verdict {
    /// As in JSON.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Invalid => "invalid",
            Self::Absent => "absent",
            Self::Unchecked => "unchecked",
        }
    }
}

impl From<Check> for Verdict {
    fn from(check: Check) -> Self {
        match check {
            Check::Valid => Self::Valid,
            Check::Invalid => Self::Invalid,
            Check::Absent => Self::Absent,
            Check::Unchecked => Self::Unchecked,
        }
    }
}

/// What the server said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// `accepted`, `refused` or `unknown`.
    pub result: &'static str,
    /// In the words of the carrier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Cow<'static, str>>,
    /// Whether it let the client in as a guest.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
}

impl Explained {
    /// Says in which files the frames are; `files` are the names of all, in order.
    pub fn name_files(&mut self, files: &[String]) {
        let answer = self.found.answer.as_ref().map(|answer| answer.origin);
        for origin in self.found.origins().chain(answer) {
            let number = usize::try_from(origin.file).unwrap_or(usize::MAX);
            let Some(file) = files.get(number) else { continue };
            match self.files.last_mut().filter(|last| last.file == *file) {
                Some(last) => last.frames.push(origin.frame_in_file),
                None => {
                    let frames = vec![origin.frame_in_file];
                    self.files.push(FileFrames { file: file.clone(), frames });
                }
            }
        }
    }

    /// Whether anything that was checked does not hold.
    #[must_use]
    pub fn has_invalid(&self) -> bool {
        self.response == Verdict::Invalid
            || self.mic == Verdict::Invalid
            || self.channel_bindings == "mismatch"
            || self.smb.as_ref().is_some_and(|smb| smb.has_invalid())
            || self.rpc.as_ref().is_some_and(|rpc| rpc.has_invalid())
    }

    /// Replaces the value of every key by a mask of the same length.
    pub fn redact_keys(&mut self) {
        self.keys.redact();
        if let Some(smb) = &mut self.smb {
            smb.keys.redact();
        }
    }

    /// Whether anything was left unchecked.
    #[must_use]
    pub fn has_unchecked(&self) -> bool {
        self.response == Verdict::Unchecked
            || self.mic == Verdict::Unchecked
            || self.smb.as_ref().is_some_and(|smb| smb.has_unchecked())
            || self.rpc.as_ref().is_some_and(|rpc| rpc.has_unchecked())
    }
}

pub(crate) fn account_text(account: &AccountNames) -> String {
    match account.domain.as_str() {
        "" => account.user.clone(),
        domain => format!("{domain}\\{}", account.user),
    }
}

pub(crate) fn names(flags: NegotiateFlags) -> Vec<&'static str> {
    flags.info().map(|info| info.name).collect()
}

pub(crate) fn at(kind: MessageType, seen: &Seen, offset: usize, length: usize) -> Option<At> {
    let message = match kind {
        MessageType::Negotiate => "negotiate",
        MessageType::Challenge => "challenge",
        MessageType::Authenticate => "authenticate",
    };
    Some(At { message, frame: seen.origin.map(|origin| origin.frame), offset, length })
}
