//! Judging a logon: what a server asks whoever knows the account, and what it makes of the answer
//! (MS-NLMP 3.2.5.1.2).

use crate::anonymous::AnonymousLogon;
use crate::channel_bindings::{ChannelBindings, ChannelBindingsResult};
use crate::error::PeerError;
use crate::exchange::{Check, Exchange};
use crate::keys::{
    AccountSecret, KeySource, LmowfPrefix, NtlmVersion, Ntowfv1, ResponseKind, SessionBaseKey,
};
use crate::message::{AvId, NtChallengeResponse};
use crate::outcome::{AccountLogon, DenialReason, GuestLogon, LogonDenied, LogonOutcome};
use crate::policy::{ChannelBindingsPolicy, Relaxation};
use crate::server_config::ServerConfig;
use crate::text::Utf16String;
use crate::time::FileTime;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// Who wants in, and what there is to check: what MS-APDS sends to a domain controller.
///
/// Nothing in it is proved. It is answered once, by [`verify`](LogonRequest::verify) or
/// [`accept`](LogonRequest::accept), which consume it. `Debug` leaves the messages out: whoever has
/// them can guess at the password.
pub struct LogonRequest {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) negotiate: Option<Vec<u8>>,
    pub(crate) challenge: Vec<u8>,
    pub(crate) authenticate: Vec<u8>,
    pub(crate) now: FileTime,
}

impl fmt::Debug for LogonRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogonRequest")
            .field("user", &self.user())
            .field("domain", &self.domain())
            .field("workstation", &self.workstation())
            .finish_non_exhaustive()
    }
}

/// A domain controller's verdict that the responses are right.
#[derive(Debug)]
pub struct Verdict {
    /// UserSessionKey: SessionBaseKey of the version that was judged.
    pub session_base_key: SessionBaseKey,
    /// The first 8 bytes of LMOWFv1 (LmKey), which the controller returns for NTLMv1.
    pub lmowf_prefix: Option<LmowfPrefix>,
    /// Whether it was the LM response that proved it, whatever else was sent (USED_LM_PASSWORD of
    /// UserFlags).
    pub used_lm_password: bool,
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

    /// The version that its responses seem to be of; `None` where they are of none.
    #[must_use]
    pub fn apparent_version(&self) -> Option<NtlmVersion> {
        self.with_exchange(|exchange| exchange.apparent_version())
    }

    /// The challenge that was sent to the client.
    #[must_use]
    pub fn server_challenge(&self) -> [u8; 8] {
        self.with_exchange(|exchange| exchange.challenge().server_challenge)
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
        if exchange.responses().kind() == ResponseKind::Anonymous {
            return self.anonymous(&exchange);
        }
        self.check_version(&exchange)?;
        let nobody = AccountSecret::from_hashes(Ntowfv1::new([0; 16]), None);
        let proof = exchange.prove(account.unwrap_or(&nobody));
        if account.is_none() {
            return if self.accepts(NtlmVersion::Guest) {
                guest(&exchange)
            } else {
                Err(DenialReason::WrongSecret.into())
            };
        }
        let proof = proof.ok_or(DenialReason::WrongSecret)?;
        self.establish(&exchange, KeySource::Proof(proof))
    }

    /// Takes a domain controller's verdict. Everything that needs no secret is still checked here.
    ///
    /// # Errors
    ///
    /// [`LogonDenied`]: the controller's yes does not outweigh a bad MIC, bindings or policy.
    pub fn accept(self, verdict: Verdict) -> Result<LogonOutcome, LogonDenied> {
        let exchange = self.exchange().map_err(|_| DenialReason::Malformed)?;
        self.check_version(&exchange)?;
        let version = match exchange.apparent_version() {
            None | Some(NtlmVersion::Anonymous | NtlmVersion::Guest) => {
                return Err(DenialReason::Malformed.into());
            }
            // The controller does not say whether the LM field was LMv2 or LM: it counts as LM.
            Some(NtlmVersion::Lmv2) => NtlmVersion::Lm,
            Some(_) if verdict.used_lm_password => NtlmVersion::Lm,
            Some(version) => version,
        };
        let Verdict { session_base_key, lmowf_prefix, .. } = verdict;
        let source = KeySource::DomainController { version, session_base_key, lmowf_prefix };
        self.establish(&exchange, source)
    }

    /// Refuses what the policy does not accept before any secret is looked at, so that the time it
    /// takes says nothing of the password. An LM field may turn out to be either of two versions.
    fn check_version(&self, exchange: &Exchange<'_>) -> Result<(), LogonDenied> {
        let version = exchange.apparent_version().ok_or(DenialReason::Malformed)?;
        let accepted = match version {
            NtlmVersion::Lmv2 => self.accepts(NtlmVersion::Lmv2) || self.accepts(NtlmVersion::Lm),
            version => self.accepts(version),
        };
        if accepted { Ok(()) } else { Err(DenialReason::Version(version).into()) }
    }

    fn accepts(&self, version: NtlmVersion) -> bool {
        self.config.policy.accepts(version, self.config.channel_bindings.is_some())
    }

    fn anonymous(&self, exchange: &Exchange<'_>) -> Result<LogonOutcome, LogonDenied> {
        if !self.accepts(NtlmVersion::Anonymous) {
            return Err(DenialReason::Anonymous.into());
        }
        let keys = exchange.keys(KeySource::Anonymous).map_err(|_| DenialReason::SessionKey)?;
        Ok(LogonOutcome::Anonymous(AnonymousLogon::new(keys)))
    }

    /// The response holds; now everything that rests on it (MS-NLMP 3.2.5.1.2).
    fn establish(
        &self,
        exchange: &Exchange<'_>,
        source: KeySource,
    ) -> Result<LogonOutcome, LogonDenied> {
        let policy = &self.config.policy;
        let keys = exchange.keys(source).map_err(|_| DenialReason::SessionKey)?;
        let mut relaxed = Vec::new();
        if !self.accepts(keys.version()) {
            return Err(DenialReason::Version(keys.version()).into());
        }
        // NEGOTIATE_128 alone is no strength: LM_KEY, or datagrams without ESS, cut the key.
        if policy.require_128_bit && keys.negotiate_flags().protects() && keys.strength_bits() < 128
        {
            return Err(DenialReason::WeakKeys.into());
        }
        match keys.version() {
            NtlmVersion::Ntlmv1 | NtlmVersion::Ntlmv1Ess => relaxed.push(Relaxation::Ntlmv1),
            NtlmVersion::Lm => relaxed.push(Relaxation::Lm),
            NtlmVersion::Lmv2 => relaxed.push(Relaxation::Lmv2Alone),
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
        let sent = list.text(AvId::TARGET_NAME).filter(|name| !name.is_empty());
        // A name that is not ours is refused whatever the client says of its source.
        let is_ours = |name: &Utf16String| {
            policy.accepted.is_empty() || policy.accepted.iter().any(|own| own.eq_ignore_case(name))
        };
        if sent.as_ref().is_some_and(|name| !is_ours(name)) {
            return Err(DenialReason::TargetName.into());
        }
        match sent.filter(|_| !untrusted) {
            None if policy.require => Err(DenialReason::TargetName.into()),
            vouched_for => Ok(vouched_for),
        }
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
