//! Judging a logon: what a server asks whoever knows the account, and what it makes of the answer
//! (MS-NLMP 3.2.5.1.2).

use crate::anonymous::AnonymousLogon;
use crate::channel_bindings::{ChannelBindings, ChannelBindingsResult};
use crate::error::PeerError;
use crate::exchange::{Check, Exchange};
use crate::keys::{AccountSecret, KeySource, NtlmVersion, Ntowfv1, ResponseKind, SessionBaseKey};
use crate::message::{AvId, NtChallengeResponse};
use crate::outcome::{AccountLogon, DenialReason, GuestLogon, LogonDenied, LogonOutcome};
use crate::policy::{ChannelBindingsPolicy, Relaxation};
use crate::server_config::ServerConfig;
use crate::text::Utf16String;
use crate::time::FileTime;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Who wants in, and what there is to check: what MS-APDS sends to a domain controller.
///
/// Nothing in it is proved. It is answered once, by [`verify`](LogonRequest::verify) or
/// [`accept`](LogonRequest::accept), which consume it.
#[derive(Debug)]
pub struct LogonRequest {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) negotiate: Option<Vec<u8>>,
    pub(crate) challenge: Vec<u8>,
    pub(crate) authenticate: Vec<u8>,
    pub(crate) now: FileTime,
}

/// A domain controller's verdict that the responses are right.
#[derive(Debug)]
pub struct Verdict {
    /// UserSessionKey: SessionBaseKey of the version that was judged.
    pub session_base_key: SessionBaseKey,
    /// The first 8 bytes of LMOWFv1 (LmKey), which the controller returns for NTLMv1.
    pub lmowf_prefix: Option<[u8; 8]>,
}

impl LogonRequest {
    /// UserName.
    #[must_use]
    pub fn user(&self) -> Utf16String {
        self.with_exchange(|exchange| exchange.user().clone())
    }

    /// DomainName, exactly as sent.
    #[must_use]
    pub fn domain(&self) -> Utf16String {
        self.with_exchange(|exchange| exchange.domain().clone())
    }

    /// Workstation, which the client may claim at will.
    #[must_use]
    pub fn workstation(&self) -> Utf16String {
        self.with_exchange(|exchange| exchange.workstation().clone())
    }

    /// Whether the client offers no proof.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.with_exchange(|exchange| exchange.responses().kind() == ResponseKind::Anonymous)
    }

    /// The challenge that a domain controller must be given: with NTLMv1 and extended session
    /// security, not the one that was sent to the client.
    #[must_use]
    pub fn challenge_for_domain_controller(&self) -> [u8; 8] {
        self.with_exchange(|exchange| exchange.challenge_for_domain_controller())
    }

    /// LmChallengeResponse, for the domain controller.
    #[must_use]
    pub fn lm_challenge_response(&self) -> Vec<u8> {
        self.with_exchange(|exchange| exchange.responses().lm.to_vec())
    }

    /// NtChallengeResponse, for the domain controller.
    #[must_use]
    pub fn nt_challenge_response(&self) -> Vec<u8> {
        self.with_exchange(|exchange| exchange.responses().nt.to_vec())
    }

    /// Judges here. `None` for an unknown account costs the same work and is denied alike.
    ///
    /// # Errors
    ///
    /// [`LogonDenied`], whatever the reason.
    pub fn verify(self, account: Option<&AccountSecret>) -> Result<LogonOutcome, LogonDenied> {
        let exchange = self.exchange().map_err(|_| DenialReason::Malformed)?;
        let policy = &self.config.policy;
        if exchange.responses().kind() == ResponseKind::Anonymous {
            return self.anonymous(&exchange);
        }
        let nobody = AccountSecret::from_hashes(Ntowfv1::new([0; 16]), None);
        let proof = exchange.prove(account.unwrap_or(&nobody));
        let Some(secret) = account else {
            return if policy.insecure_allow_guest {
                guest(&exchange)
            } else {
                Err(DenialReason::WrongSecret.into())
            };
        };
        let proof = proof.ok_or(DenialReason::WrongSecret)?;
        let source = KeySource::Secret { secret, proof };
        self.establish(&exchange, source)
    }

    /// Takes a domain controller's verdict. Everything that needs no secret is still checked here.
    ///
    /// # Errors
    ///
    /// [`LogonDenied`]: the controller's yes does not outweigh a bad MIC, bindings or policy.
    pub fn accept(self, verdict: Verdict) -> Result<LogonOutcome, LogonDenied> {
        let exchange = self.exchange().map_err(|_| DenialReason::Malformed)?;
        let version = match exchange.apparent_version() {
            None | Some(NtlmVersion::Anonymous | NtlmVersion::Guest) => {
                return Err(DenialReason::Malformed.into());
            }
            // The controller does not say which of the two it was; LM counts as the weaker.
            Some(NtlmVersion::Lmv2) if self.config.policy.insecure_accept_lm => NtlmVersion::Lm,
            Some(version) => version,
        };
        let Verdict { session_base_key, lmowf_prefix } = verdict;
        let source = KeySource::DomainController { version, session_base_key, lmowf_prefix };
        self.establish(&exchange, source)
    }

    fn anonymous(&self, exchange: &Exchange<'_>) -> Result<LogonOutcome, LogonDenied> {
        if !self.config.policy.insecure_allow_anonymous {
            return Err(DenialReason::Anonymous.into());
        }
        let keys = exchange.keys(KeySource::Anonymous).map_err(|_| DenialReason::SessionKey)?;
        Ok(LogonOutcome::Anonymous(AnonymousLogon::new(keys)))
    }

    /// The response holds; now everything that rests on it (MS-NLMP 3.2.5.1.2).
    fn establish(
        &self,
        exchange: &Exchange<'_>,
        source: KeySource<'_>,
    ) -> Result<LogonOutcome, LogonDenied> {
        let policy = &self.config.policy;
        let keys = exchange.keys(source).map_err(|_| DenialReason::SessionKey)?;
        let mut relaxed = Vec::new();
        if !policy.accepts(keys.version()) {
            return Err(DenialReason::Version(keys.version()).into());
        }
        match keys.version() {
            NtlmVersion::Ntlmv1 | NtlmVersion::Ntlmv1Ess => relaxed.push(Relaxation::Ntlmv1),
            NtlmVersion::Lm => relaxed.push(Relaxation::Lm),
            _ => {}
        }
        let mic = exchange.check_mic(keys.exported_session_key());
        match mic {
            Check::Valid => {}
            Check::Absent if !policy.require_mic => {}
            Check::Absent => return Err(DenialReason::MicMissing.into()),
            Check::Invalid | Check::Unchecked => return Err(DenialReason::Mic.into()),
        }
        let target_info = exchange.client_target_info().unwrap_or_default();
        let sent = target_info.channel_bindings();
        let channel_bindings = ChannelBindings::compare(self.config.channel_bindings, sent);
        check_channel_bindings(channel_bindings, &self.config)?;
        let target_name = self.check_target_name(exchange)?;
        self.check_clock(exchange)?;
        if keys.version() == NtlmVersion::Ntlmv2 && !exchange.target_info_is_echoed() {
            if policy.require_target_info_echo {
                return Err(DenialReason::TargetInfoNotEchoed.into());
            }
            relaxed.push(Relaxation::TargetInfoNotEchoed);
        }
        relaxed.extend(Relaxation::of_keys(&keys));
        Ok(LogonOutcome::Account(AccountLogon {
            user: exchange.user().clone(),
            domain: exchange.domain().clone(),
            workstation: exchange.workstation().clone(),
            target_name,
            mic,
            channel_bindings,
            keys,
            relaxed,
        }))
    }

    fn check_target_name(
        &self,
        exchange: &Exchange<'_>,
    ) -> Result<Option<Utf16String>, LogonDenied> {
        let policy = &self.config.policy.target_name;
        let list = exchange.client_target_info().unwrap_or_default();
        let untrusted = list.flags().is_some_and(|flags| flags.untrusted_target_name());
        let name = list.text(AvId::TARGET_NAME).filter(|name| !name.is_empty() && !untrusted);
        let accepted = match &name {
            None => !policy.require,
            Some(_) if policy.accepted.is_empty() => true,
            Some(name) => policy.accepted.iter().any(|ours| ours.eq_ignore_case(name)),
        };
        if accepted { Ok(name) } else { Err(DenialReason::TargetName.into()) }
    }

    fn check_clock(&self, exchange: &Exchange<'_>) -> Result<(), LogonDenied> {
        let response = exchange.authenticate().nt_challenge_response();
        match (self.config.policy.max_clock_skew_seconds, response) {
            (Some(allowed), Ok(NtChallengeResponse::Ntlmv2(response))) => {
                let skew = response.client_challenge.time_stamp.seconds_apart(self.now);
                if skew <= allowed { Ok(()) } else { Err(DenialReason::ClockSkew.into()) }
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn exchange(&self) -> Result<Exchange<'_>, PeerError> {
        Ok(Exchange::decode(
            self.negotiate.as_deref(),
            &self.challenge,
            &self.authenticate,
            self.config.code_page,
        )?)
    }

    /// `receive` has decoded these bytes once, so the default never shows.
    fn with_exchange<T: Default>(&self, read: impl FnOnce(&Exchange<'_>) -> T) -> T {
        self.exchange().map(|exchange| read(&exchange)).unwrap_or_default()
    }
}

fn guest(exchange: &Exchange<'_>) -> Result<LogonOutcome, LogonDenied> {
    let (user, domain) = (exchange.user().clone(), exchange.domain().clone());
    Ok(LogonOutcome::Guest(GuestLogon { user, domain }))
}

fn check_channel_bindings(
    result: ChannelBindingsResult,
    config: &ServerConfig,
) -> Result<(), LogonDenied> {
    let required = config.policy.channel_bindings == ChannelBindingsPolicy::Require;
    match result {
        ChannelBindingsResult::Match => Ok(()),
        ChannelBindingsResult::Present => Ok(()),
        ChannelBindingsResult::Absent | ChannelBindingsResult::Zero if !required => Ok(()),
        _ => Err(DenialReason::ChannelBindings.into()),
    }
}
