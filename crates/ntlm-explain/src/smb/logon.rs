//! What the observer of a connection is told of a logon, and what it hands back.

use super::SmbExplained;
use ntlm::keys::{KeySchedule, NtlmVersion};
use ntlm_smb::keys::{SessionKeySource, Smb1KeySource};

/// A logon that the server accepted.
#[derive(Debug)]
pub(crate) struct Logon {
    /// The number of the exchange.
    pub(crate) ticket: u64,
    /// SessionId or UID. `None` where the messages do not say.
    pub(crate) session: Option<u64>,
    /// Its keys; `None` where they are not known.
    pub(crate) keys: Option<KeySchedule>,
    /// The responses, LM and NT, of a logon without extended security.
    pub(crate) bare: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether nobody logged on.
    pub(crate) is_anonymous: bool,
    /// Why the keys are not known.
    pub(crate) unknown: &'static str,
}

impl Logon {
    /// What is left for SMB 2 and 3.
    pub(super) fn source(&self) -> Option<SessionKeySource> {
        let keys = self.keys.as_ref()?;
        Some(SessionKeySource::Account(keys.exported_session_key().into()))
    }

    /// What is left for SMB 1.
    pub(super) fn smb1_source(&self) -> Option<Smb1KeySource<'_>> {
        let keys = self.keys.as_ref()?;
        Some(match &self.bare {
            None => Smb1KeySource::ExtendedSecurity(keys.exported_session_key()),
            Some(_) if keys.version() == NtlmVersion::Anonymous => Smb1KeySource::Anonymous,
            Some((lm_response, nt_response)) => Smb1KeySource::Responses {
                version: keys.version(),
                session_base_key: keys.session_base_key()?,
                lm_response,
                nt_response,
            },
        })
    }
}

/// A logon whose session is over, or is followed no further.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The number of the exchange.
    pub(crate) ticket: u64,
    /// What came of it.
    pub(crate) smb: SmbExplained,
}
