//! The key schedule of SMB1: what signs, and what applications get.

use super::rule::{Rule, Step, StepValue};
use super::{
    ApplicationKey, ApplicationKeyRule, MacKey, MacKeyRule, SessionKey, SessionKeyRule,
    application_key, mac_key,
};
use ntlm::keys::{ExportedSessionKey, NtlmVersion, SessionBaseKey};

/// Every key of one SMB1 session, with the rule that chose each: the core's
/// [`KeySchedule`](ntlm::keys::KeySchedule) goes on here.
#[derive(Debug)]
pub struct Smb1KeySchedule {
    session_key_rule: SessionKeyRule,
    mac_key_rule: MacKeyRule,
    application_key_rule: ApplicationKeyRule,
    keys: Option<Keys>,
}

#[derive(Debug)]
struct Keys {
    session_key: SessionKey,
    mac_key: Option<MacKey>,
    application_key: Option<ApplicationKey>,
}

/// What authentication left.
#[derive(Debug)]
pub enum Smb1KeySource<'a> {
    /// Extended security: NTLM messages in SESSION_SETUP_ANDX of 12 words.
    ExtendedSecurity(&'a ExportedSessionKey),
    /// No extended security: responses in SESSION_SETUP_ANDX of 13 words, or of 10.
    Responses {
        /// How the client proved itself.
        version: NtlmVersion,
        /// SessionBaseKey of that proof.
        session_base_key: &'a SessionBaseKey,
        /// OEMPassword as sent.
        lm_response: &'a [u8],
        /// UnicodePassword as sent.
        nt_response: &'a [u8],
    },
    /// Nothing: the server let an unknown account in as guest.
    Guest,
    /// Nothing: anonymous.
    Anonymous,
}

impl Smb1KeySchedule {
    /// Derives every key in order. `extended_signatures` is whether a tree was connected with
    /// TREE_CONNECT_ANDX_EXTENDED_SIGNATURES, asked for and granted (MS-SMB 3.2.5.4).
    #[must_use]
    pub fn derive(source: &Smb1KeySource<'_>, extended_signatures: bool) -> Self {
        let (session_key_rule, mac_key_rule, session_key, lm_response, nt_response) = match *source
        {
            Smb1KeySource::ExtendedSecurity(key) => (
                SessionKeyRule::ExportedSessionKey,
                MacKeyRule::ExtendedSecurity,
                SessionKey::from(key),
                &[][..],
                &[][..],
            ),
            Smb1KeySource::Responses { version, session_base_key, lm_response, nt_response } => {
                let session_key_rule = match version {
                    NtlmVersion::Lm => SessionKeyRule::LmSessionBaseKey,
                    NtlmVersion::Anonymous | NtlmVersion::Guest => return Self::without_key(),
                    NtlmVersion::Lmv2
                    | NtlmVersion::Ntlmv1
                    | NtlmVersion::Ntlmv1Ess
                    | NtlmVersion::Ntlmv2 => SessionKeyRule::SessionBaseKey,
                };
                let mac_key_rule = MacKeyRule::choose_without_extended_security(nt_response);
                let session_key = SessionKey::from(session_base_key);
                (session_key_rule, mac_key_rule, session_key, lm_response, nt_response)
            }
            Smb1KeySource::Guest | Smb1KeySource::Anonymous => return Self::without_key(),
        };
        let application_key_rule = if extended_signatures {
            ApplicationKeyRule::ExtendedSignatures
        } else {
            ApplicationKeyRule::SessionKey
        };
        let mac_key = mac_key(mac_key_rule, &session_key, lm_response, nt_response);
        let application_key = application_key(application_key_rule, &session_key, None);
        Self {
            session_key_rule,
            mac_key_rule,
            application_key_rule,
            keys: Some(Keys { session_key, mac_key, application_key }),
        }
    }

    const fn without_key() -> Self {
        Self {
            session_key_rule: SessionKeyRule::NoKey,
            mac_key_rule: MacKeyRule::NoKey,
            application_key_rule: ApplicationKeyRule::NoKey,
            keys: None,
        }
    }

    /// SessionKey; `None` for guest and anonymous.
    #[must_use]
    pub fn session_key(&self) -> Option<&SessionKey> {
        self.keys.as_ref().map(|keys| &keys.session_key)
    }

    /// The key of signatures.
    #[must_use]
    pub fn mac_key(&self) -> Option<&MacKey> {
        self.keys.as_ref()?.mac_key.as_ref()
    }

    /// What applications get.
    #[must_use]
    pub fn application_key(&self) -> Option<&ApplicationKey> {
        self.keys.as_ref()?.application_key.as_ref()
    }

    /// The ladder, in the order of derivation.
    pub fn steps(&self) -> impl Iterator<Item = Step> + '_ {
        let session_key = self.session_key().map(|key| key.expose().as_slice());
        let application_key = self.application_key().map(|key| key.expose().as_slice());
        [
            (Rule::SessionKey(self.session_key_rule), session_key),
            (Rule::MacKey(self.mac_key_rule), self.mac_key().map(MacKey::expose)),
            (Rule::ApplicationKey(self.application_key_rule), application_key),
        ]
        .into_iter()
        .map(|(rule, key)| Step::new(rule, key.map_or(StepValue::Empty, StepValue::known)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_belongs_to_the_key_without_extended_security_only() {
        let session_base_key = SessionBaseKey::new([1; 16]);
        let responses = |version, lm_response, nt_response| {
            let source = Smb1KeySource::Responses {
                version,
                session_base_key: &session_base_key,
                lm_response,
                nt_response,
            };
            Smb1KeySchedule::derive(&source, false)
        };
        let keys = responses(NtlmVersion::Ntlmv1, &[2; 24], &[3; 24]);
        let expected = [[1; 16].as_slice(), &[3; 24]].concat();
        assert_eq!(keys.mac_key().unwrap().expose(), expected);
        let keys = responses(NtlmVersion::Lm, &[2; 24], &[]);
        let expected = [[1; 16].as_slice(), &[2; 24]].concat();
        assert_eq!(keys.mac_key().unwrap().expose(), expected);
        assert!(responses(NtlmVersion::Anonymous, &[0], &[]).mac_key().is_none());

        let exported = ExportedSessionKey::new([4; 16]);
        let keys = Smb1KeySchedule::derive(&Smb1KeySource::ExtendedSecurity(&exported), true);
        assert_eq!(keys.mac_key().unwrap().expose(), [4; 16]);
        assert_ne!(keys.application_key().unwrap().expose(), &[4; 16]);
        assert!(keys.steps().all(|step| matches!(step.value, StepValue::Known(_))));
        for source in [Smb1KeySource::Guest, Smb1KeySource::Anonymous] {
            let keys = Smb1KeySchedule::derive(&source, false);
            assert!(keys.session_key().is_none());
            assert!(keys.steps().all(|step| matches!(step.value, StepValue::Empty)));
        }
    }
}
