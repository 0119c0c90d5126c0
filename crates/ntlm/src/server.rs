//! The server (MS-NLMP 3.2).
//!
//! ```text
//! Server::new <──NEGOTIATE──
//!   challenge ──CHALLENGE──>     Challenged
//!     receive <──AUTHENTICATE──  LogonRequest: who, and what there is to check
//!      verify                    our comparison of the response ┐
//!   or accept                    a domain controller's verdict  ┴> then MIC, bindings, target name
//! ```
//!
//! A server that needs an account's secret is not called back: it hands out a [`LogonRequest`], and
//! whoever knows the secret, or a domain controller, answers it. One challenge judges one
//! AUTHENTICATE; every step consumes the one before.

use crate::anonymous::AnonymousLogon;
use crate::channel_bindings::{ChannelBindings, ChannelBindingsResult};
use crate::error::{Misuse, PeerError};
use crate::exchange::{Check, Exchange};
use crate::flags::NegotiateFlags;
use crate::fresh::Fresh;
use crate::keys::{
    AccountSecret, KeySchedule, KeySource, NtlmVersion, Ntowfv1, ResponseKind, SessionBaseKey,
};
use crate::message::{
    AuthenticateMessage, AvId, ChallengeMessage, Message, NegotiateMessage, NtChallengeResponse,
    TargetInfoBuilder, Version,
};
use crate::policy::{ChannelBindingsPolicy, Relaxation, ServerPolicy};
use crate::session::{DatagramKeying, DatagramSession, Role, Session};
use crate::text::{Charset, CodePage, Utf16String};
use crate::time::FileTime;
use crate::wire::Payload;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

/// What a server calls itself in TargetInfo. NetBIOS names must not be empty: Windows refuses a
/// CHALLENGE without them. A server outside a domain gives its own name for the domain's too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNames {
    /// MsvAvNbComputerName.
    pub nb_computer: Utf16String,
    /// MsvAvNbDomainName.
    pub nb_domain: Utf16String,
    /// MsvAvDnsComputerName; left out if empty.
    pub dns_computer: Utf16String,
    /// MsvAvDnsDomainName; left out if empty.
    pub dns_domain: Utf16String,
    /// MsvAvDnsTreeName; left out if empty.
    pub dns_tree: Utf16String,
}

/// What a server is set up with.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// What it is allowed.
    pub policy: ServerPolicy,
    /// What it calls itself.
    pub names: ServerNames,
    /// Whether it belongs to a domain: TargetName is then the domain's name.
    pub is_domain_joined: bool,
    /// What ties logons to the TLS channel around them.
    pub channel_bindings: Option<ChannelBindings>,
    /// Whether MsvAvTimestamp is sent, as MS-NLMP 2.2.2.1 asks. Without it, clients send no MIC.
    pub send_timestamp: bool,
    /// The code page for clients that have no Unicode.
    pub code_page: CodePage,
    /// What it says of itself, to clients that negotiate VERSION.
    pub version: Version,
}

impl ServerConfig {
    /// The default policy, and names of a server outside a domain.
    #[must_use]
    pub fn new(names: ServerNames) -> Self {
        Self {
            policy: ServerPolicy::default(),
            names,
            is_domain_joined: false,
            channel_bindings: None,
            send_timestamp: true,
            code_page: CodePage::Cp437,
            version: Version::OURS,
        }
    }
}

/// A server before the first message. Cheap to clone: one for each connection.
#[derive(Clone, Debug)]
pub struct Server {
    config: Arc<ServerConfig>,
}

impl Server {
    /// The longest name, in UTF-16 code units: what DNS allows.
    pub const MAX_NAME_LENGTH: usize = 255;

    /// Takes what all connections share.
    ///
    /// # Errors
    ///
    /// [`Misuse::NameTooLong`] for a name of more than [`Self::MAX_NAME_LENGTH`].
    pub fn new(config: ServerConfig) -> Result<Self, Misuse> {
        let ServerNames { nb_computer, nb_domain, dns_computer, dns_domain, dns_tree } =
            &config.names;
        let names = [nb_computer, nb_domain, dns_computer, dns_domain, dns_tree];
        if names.iter().any(|name| name.as_units().len() > Self::MAX_NAME_LENGTH) {
            return Err(Misuse::NameTooLong);
        }
        Ok(Self { config: Arc::new(config) })
    }

    /// Answers NEGOTIATE. The token goes to the client.
    ///
    /// # Errors
    ///
    /// The NEGOTIATE is damaged, or offers less than the policy insists on.
    pub fn challenge(
        self,
        negotiate: &[u8],
        fresh: Fresh,
    ) -> Result<(Vec<u8>, Challenged), PeerError> {
        let message = NegotiateMessage::decode(negotiate)?;
        if let Some(defect) = message.defects().first() {
            return Err((*defect).into());
        }
        let flags = self.grant(message.negotiate_flags)?;
        Ok(self.send_challenge(flags, Some(negotiate.to_vec()), &fresh))
    }

    /// Begins a connectionless logon, which has no NEGOTIATE. The token goes to the client.
    #[must_use]
    pub fn challenge_connectionless(self, fresh: Fresh) -> (Vec<u8>, Challenged) {
        let offer = NegotiateFlags::NEGOTIATE_UNICODE
            | NegotiateFlags::NEGOTIATE_SIGN
            | NegotiateFlags::NEGOTIATE_SEAL
            | NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY
            | NegotiateFlags::NEGOTIATE_128
            | NegotiateFlags::NEGOTIATE_56
            | NegotiateFlags::NEGOTIATE_VERSION
            | NegotiateFlags::NEGOTIATE_DATAGRAM
            | NegotiateFlags::NEGOTIATE_KEY_EXCH;
        let flags = offer.union(self.always());
        self.send_challenge(flags, None, &fresh)
    }

    /// CHALLENGE's flags (MS-NLMP 3.2.5.1.1).
    fn grant(&self, asked: NegotiateFlags) -> Result<NegotiateFlags, PeerError> {
        let policy = &self.config.policy;
        let mut supported = NegotiateFlags::NEGOTIATE_56
            | NegotiateFlags::NEGOTIATE_KEY_EXCH
            | NegotiateFlags::NEGOTIATE_128
            | NegotiateFlags::NEGOTIATE_VERSION
            | NegotiateFlags::NEGOTIATE_IDENTIFY
            | NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY
            | NegotiateFlags::NEGOTIATE_SEAL
            | NegotiateFlags::NEGOTIATE_SIGN
            | NegotiateFlags::NEGOTIATE_OEM
            | NegotiateFlags::NEGOTIATE_UNICODE;
        if policy.insecure_grant_lm_keys {
            supported |=
                NegotiateFlags::NEGOTIATE_LM_KEY | NegotiateFlags::REQUEST_NON_NT_SESSION_KEY;
        }
        let mut flags = asked.intersection(supported);
        if flags.contains(NegotiateFlags::NEGOTIATE_UNICODE) {
            flags.remove(NegotiateFlags::NEGOTIATE_OEM);
        }
        if flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY) {
            flags.remove(NegotiateFlags::NEGOTIATE_LM_KEY);
        }
        // KEY_EXCH counts only with SIGN or SEAL, and peers disagree about it elsewhere.
        if !flags.protects() {
            flags.remove(NegotiateFlags::NEGOTIATE_KEY_EXCH);
        }
        let mut required = NegotiateFlags::empty();
        if policy.require_signing {
            required |= NegotiateFlags::NEGOTIATE_SIGN;
        }
        if policy.require_128_bit && flags.protects() {
            required |= NegotiateFlags::NEGOTIATE_128;
        }
        let missing = required.difference(flags);
        if !missing.is_empty() {
            return Err(PeerError::FlagsMissing(missing));
        }
        Ok(flags.union(self.always()))
    }

    fn always(&self) -> NegotiateFlags {
        let target_type = if self.config.is_domain_joined {
            NegotiateFlags::TARGET_TYPE_DOMAIN
        } else {
            NegotiateFlags::TARGET_TYPE_SERVER
        };
        NegotiateFlags::REQUEST_TARGET
            | NegotiateFlags::NEGOTIATE_NTLM
            | NegotiateFlags::NEGOTIATE_ALWAYS_SIGN
            | NegotiateFlags::NEGOTIATE_TARGET_INFO
            | target_type
    }

    fn send_challenge(
        self,
        flags: NegotiateFlags,
        negotiate: Option<Vec<u8>>,
        fresh: &Fresh,
    ) -> (Vec<u8>, Challenged) {
        let names = &self.config.names;
        let target_name =
            if self.config.is_domain_joined { &names.nb_domain } else { &names.nb_computer };
        let charset = if flags.contains(NegotiateFlags::NEGOTIATE_UNICODE) {
            Charset::Unicode
        } else {
            Charset::Oem(self.config.code_page)
        };
        // A name that the client's code page cannot hold is left empty: it is for display.
        let target_name = charset.encode(target_name.as_units()).unwrap_or_default();
        let mut target_info = TargetInfoBuilder::new()
            .text(AvId::NB_DOMAIN_NAME, &names.nb_domain)
            .text(AvId::NB_COMPUTER_NAME, &names.nb_computer)
            .text_if_any(AvId::DNS_DOMAIN_NAME, &names.dns_domain)
            .text_if_any(AvId::DNS_COMPUTER_NAME, &names.dns_computer)
            .text_if_any(AvId::DNS_TREE_NAME, &names.dns_tree);
        if self.config.send_timestamp {
            target_info = target_info.pair(AvId::TIMESTAMP, &fresh.now.to_le_bytes());
        }
        // Five names of at most 255 characters fit, in the list and in the message.
        let target_info = target_info.finish().unwrap_or_default();
        let has_version = flags.contains(NegotiateFlags::NEGOTIATE_VERSION);
        let message = ChallengeMessage {
            target_name: Payload::new(&target_name),
            negotiate_flags: flags,
            server_challenge: fresh.nonce,
            reserved: Some([0; 8]),
            target_info: Some(Payload::new(&target_info)),
            version: Some(if has_version { self.config.version } else { Version::default() }),
        };
        let token = message.encode().unwrap_or_default();
        let challenge = token.clone();
        (token, Challenged { config: self.config, negotiate, challenge, created: fresh.now })
    }
}

/// A server that has sent CHALLENGE and waits for AUTHENTICATE.
#[derive(Debug)]
pub struct Challenged {
    config: Arc<ServerConfig>,
    negotiate: Option<Vec<u8>>,
    challenge: Vec<u8>,
    created: FileTime,
}

impl Challenged {
    /// Takes AUTHENTICATE and says what there is to judge.
    ///
    /// # Errors
    ///
    /// The AUTHENTICATE is damaged or drops what the policy insists on, or the challenge is older
    /// than the policy allows.
    pub fn receive(self, authenticate: &[u8], now: FileTime) -> Result<LogonRequest, PeerError> {
        let policy = &self.config.policy;
        let age = now.seconds_apart(self.created);
        if now < self.created || age > policy.challenge_lifetime_seconds {
            return Err(PeerError::ChallengeExpired);
        }
        let message = AuthenticateMessage::decode(authenticate)?;
        if let Some(defect) = message.defects().first() {
            return Err((*defect).into());
        }
        let request = LogonRequest {
            config: self.config,
            negotiate: self.negotiate,
            challenge: self.challenge,
            authenticate: authenticate.to_vec(),
            now,
        };
        let exchange = request.exchange()?;
        let flags = exchange.negotiate_flags();
        // A datagram client concludes the flags, but from what was offered (3.2.5.2.2). Otherwise
        // what it adds does not count in the first place.
        let offered = exchange.challenge().negotiate_flags.union(NegotiateFlags::ANONYMOUS);
        let added = flags.difference(offered);
        if !added.is_empty() {
            return Err(PeerError::FlagsNotOffered(added));
        }
        let mut required = NegotiateFlags::empty();
        if request.config.policy.require_signing {
            required |= NegotiateFlags::NEGOTIATE_SIGN;
        }
        if request.config.policy.require_128_bit && flags.protects() {
            required |= NegotiateFlags::NEGOTIATE_128;
        }
        if request.negotiate.is_none() {
            required |= NegotiateFlags::NEGOTIATE_DATAGRAM | NegotiateFlags::NEGOTIATE_KEY_EXCH;
        } else if flags.contains(NegotiateFlags::NEGOTIATE_DATAGRAM) {
            return Err(PeerError::FlagsNotOffered(NegotiateFlags::NEGOTIATE_DATAGRAM));
        }
        let missing = required.difference(flags);
        if missing.is_empty() { Ok(request) } else { Err(PeerError::FlagsMissing(missing)) }
    }
}

/// Who wants in, and what there is to check: what MS-APDS sends to a domain controller.
///
/// Nothing in it is proved. It is answered once, by [`verify`](LogonRequest::verify) or
/// [`accept`](LogonRequest::accept), which consume it.
#[derive(Debug)]
pub struct LogonRequest {
    config: Arc<ServerConfig>,
    negotiate: Option<Vec<u8>>,
    challenge: Vec<u8>,
    authenticate: Vec<u8>,
    now: FileTime,
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

    fn exchange(&self) -> Result<Exchange<'_>, PeerError> {
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

/// How a logon ended well.
#[derive(Debug)]
pub enum LogonOutcome {
    /// The account proved itself.
    Account(AccountLogon),
    /// The account is unknown, and the policy lets such in as guest. Nothing was proved.
    Guest(GuestLogon),
    /// No proof was offered, and the policy lets such in.
    Anonymous(AnonymousLogon),
}

impl LogonOutcome {
    /// The account, unless it is guest or anonymous.
    #[must_use]
    pub fn into_account(self) -> Option<AccountLogon> {
        match self {
            Self::Account(logon) => Some(logon),
            Self::Guest(_) | Self::Anonymous(_) => None,
        }
    }

    /// What the default policy would not have let through.
    #[must_use]
    pub fn relaxed(&self) -> &[Relaxation] {
        match self {
            Self::Account(logon) => &logon.relaxed,
            Self::Guest(_) => &[Relaxation::Guest],
            Self::Anonymous(_) => &[Relaxation::Anonymous],
        }
    }
}

/// An account that proved itself, and what was found on the way.
#[derive(Debug)]
pub struct AccountLogon {
    user: Utf16String,
    domain: Utf16String,
    workstation: Utf16String,
    target_name: Option<Utf16String>,
    mic: Check,
    channel_bindings: ChannelBindingsResult,
    keys: KeySchedule,
    relaxed: Vec<Relaxation>,
}

impl AccountLogon {
    /// UserName, as sent.
    #[must_use]
    pub const fn user(&self) -> &Utf16String {
        &self.user
    }

    /// DomainName, as sent.
    #[must_use]
    pub const fn domain(&self) -> &Utf16String {
        &self.domain
    }

    /// Workstation: only NTLMv2 with a MIC protects it.
    #[must_use]
    pub const fn workstation(&self) -> &Utf16String {
        &self.workstation
    }

    /// The SPN that the client meant, where it vouches for it.
    #[must_use]
    pub const fn target_name(&self) -> Option<&Utf16String> {
        self.target_name.as_ref()
    }

    /// [`Check::Valid`] or [`Check::Absent`].
    #[must_use]
    pub const fn mic(&self) -> Check {
        self.mic
    }

    /// What the client's channel bindings came to.
    #[must_use]
    pub const fn channel_bindings(&self) -> ChannelBindingsResult {
        self.channel_bindings
    }

    /// Every key, with the rule that chose it.
    #[must_use]
    pub const fn keys(&self) -> &KeySchedule {
        &self.keys
    }

    /// What the default policy would not have let through.
    #[must_use]
    pub fn relaxed(&self) -> &[Relaxation] {
        &self.relaxed
    }

    /// Session security for a connection; wipes every key before ExportedSessionKey.
    #[must_use]
    pub fn into_session(self) -> Session {
        Session::new(self.keys, Role::Server)
    }

    /// Session security for datagrams.
    #[must_use]
    pub fn into_datagram_session(self, keying: DatagramKeying) -> DatagramSession {
        DatagramSession::new(self.keys, Role::Server, keying)
    }
}

/// An unknown account let in as guest. There are no keys: the client derived others.
#[derive(Debug)]
pub struct GuestLogon {
    user: Utf16String,
    domain: Utf16String,
}

impl GuestLogon {
    /// UserName, as claimed.
    #[must_use]
    pub const fn user(&self) -> &Utf16String {
        &self.user
    }

    /// DomainName, as claimed.
    #[must_use]
    pub const fn domain(&self) -> &Utf16String {
        &self.domain
    }
}

/// The logon is denied (SEC_E_LOGON_DENIED). The client is told nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogonDenied {
    reason: DenialReason,
}

impl LogonDenied {
    /// For the server's own log, never for the client.
    #[must_use]
    pub const fn reason_for_the_log(&self) -> DenialReason {
        self.reason
    }
}

impl fmt::Display for LogonDenied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("logon denied")
    }
}

impl core::error::Error for LogonDenied {}

impl From<DenialReason> for LogonDenied {
    fn from(reason: DenialReason) -> Self {
        Self { reason }
    }
}

/// Why a logon was denied. An unknown account and a wrong password are one reason here too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenialReason {
    /// No such account, or another password.
    WrongSecret,
    /// The messages do not decode.
    Malformed,
    /// The policy does not accept this version.
    Version(NtlmVersion),
    /// Anonymous, which the policy does not allow.
    Anonymous,
    /// EncryptedRandomSessionKey is not 16 bytes long.
    SessionKey,
    /// The announced MIC does not hold.
    Mic,
    /// The policy requires a MIC, and none is announced.
    MicMissing,
    /// The channel bindings are another channel's, or required and missing.
    ChannelBindings,
    /// The target name is not one of ours, or required and missing.
    TargetName,
    /// The client's timestamp is too far from our clock.
    ClockSkew,
    /// The client did not send back the AV_PAIRs of our CHALLENGE.
    TargetInfoNotEchoed,
}

impl fmt::Display for DenialReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongSecret => f.write_str("no such account or wrong password"),
            Self::Malformed => f.write_str("malformed messages"),
            Self::Version(version) => write!(f, "{version} is not accepted"),
            Self::Anonymous => f.write_str("anonymous logons are not allowed"),
            Self::SessionKey => f.write_str("EncryptedRandomSessionKey is not 16 bytes"),
            Self::Mic => f.write_str("MIC does not hold"),
            Self::MicMissing => f.write_str("MIC is missing"),
            Self::ChannelBindings => f.write_str("channel bindings do not match"),
            Self::TargetName => f.write_str("target name is not this server"),
            Self::ClockSkew => f.write_str("timestamp is too far from the clock"),
            Self::TargetInfoNotEchoed => f.write_str("TargetInfo was not sent back"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Client, ClientConfig, Credential};
    use crate::crypto::count;
    use crate::keys::{Lmowfv1, Password};
    use crate::name::AccountName;
    use crate::policy::{ClientPolicy, ClientSends};
    use std::string::ToString;

    const NOW: FileTime = FileTime::from_unix_seconds(1_767_225_600);

    /// What the client proves with, and the NT response's fate on the way.
    #[derive(Clone, Copy, Debug)]
    enum Sent {
        Ntlmv2,
        Ntlmv1,
        Ntlmv1Ess,
        LmField,
        Lmv2Field,
    }

    fn logon(sent: Sent, password: &str) -> LogonRequest {
        let policy = ServerPolicy {
            insecure_accept_ntlmv1: true,
            insecure_accept_lm: true,
            ..ServerPolicy::default()
        };
        let send_timestamp = !matches!(sent, Sent::Lmv2Field);
        let names = ServerNames {
            nb_computer: "SERVER".into(),
            nb_domain: "SERVER".into(),
            ..ServerNames::default()
        };
        let config = ServerConfig { policy, send_timestamp, ..ServerConfig::new(names) };
        let policy = ClientPolicy {
            sends: match sent {
                Sent::Ntlmv2 | Sent::Lmv2Field => ClientSends::Ntlmv2,
                _ => ClientSends::InsecureLmAndNtlmv1,
            },
            offer_extended_session_security: matches!(sent, Sent::Ntlmv1Ess | Sent::Ntlmv2),
            ..ClientPolicy::default()
        };
        let fresh = |seed| Fresh::from_random(NOW, [seed; 24]);
        let (negotiate, client) = Client::start(ClientConfig { policy, ..Default::default() });
        let server = Server::new(config).unwrap();
        let (challenge, server) = server.challenge(&negotiate, fresh(1)).unwrap();
        let credential = Credential {
            name: AccountName::parse(r"EXAMPLE\alice"),
            secret: AccountSecret::from_password(&Password::from(password), CodePage::Cp437),
        };
        let (mut token, _) = client.respond(&challenge, &credential, fresh(2)).unwrap();
        if matches!(sent, Sent::LmField | Sent::Lmv2Field) {
            let mut message = AuthenticateMessage::decode(&token).unwrap();
            message.nt_challenge_response = Payload::default();
            token = message.encode().unwrap();
        }
        server.receive(&token, NOW).unwrap()
    }

    #[test]
    fn unknown_account_and_wrong_password_cost_the_same_and_are_answered_alike() {
        let alice = AccountSecret::from_password(&"Wonder-Land1".into(), CodePage::Cp437);
        let nt_hash_only = AccountSecret::from_hashes(alice.nt_hash().duplicate(), None);
        let lm_hash = Some(Lmowfv1::new([9; 16]));
        let both = AccountSecret::from_hashes(alice.nt_hash().duplicate(), lm_hash);
        let variants = [
            (Sent::Ntlmv2, [0, 0, 4, 0, 0]),
            (Sent::Ntlmv1, [0, 0, 0, 0, 3]),
            (Sent::Ntlmv1Ess, [0, 1, 0, 0, 3]),
            (Sent::LmField, [0, 0, 4, 0, 3]),
            (Sent::Lmv2Field, [0, 0, 4, 0, 3]),
        ];
        for (sent, operations) in variants {
            assert!(logon(sent, "Wonder-Land1").verify(Some(&alice)).is_ok(), "{sent:?}");
            let judged = |password, account: Option<&AccountSecret>| {
                let logon = logon(sent, password);
                count::taken();
                let denied = logon.verify(account).unwrap_err();
                (denied, denied.to_string(), count::taken())
            };
            let unknown = judged("Wonder-Land1", None);
            assert_eq!(unknown.0.reason_for_the_log(), DenialReason::WrongSecret);
            // A response is checked, and no key derived.
            assert_eq!(unknown.2, operations, "{sent:?}");
            assert_eq!(unknown.1, "logon denied");
            for account in [&alice, &nt_hash_only, &both] {
                assert_eq!(judged("another", Some(account)), unknown, "{sent:?}");
            }
            assert_eq!(judged("another", None), unknown, "{sent:?}");
        }
    }

    #[test]
    fn guest_costs_the_same_too() {
        let mut request = logon(Sent::Ntlmv2, "any");
        let config = Arc::make_mut(&mut request.config);
        config.policy.insecure_allow_guest = true;
        count::taken();
        assert!(matches!(request.verify(None), Ok(LogonOutcome::Guest(_))));
        assert_eq!(count::taken(), [0, 0, 4, 0, 0]);
    }
}
