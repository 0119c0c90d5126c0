//! The client (MS-NLMP 3.1).
//!
//! ```text
//! Client::start ──NEGOTIATE──>
//!       Client <──CHALLENGE──            the server may only grant what was offered
//!       respond ──AUTHENTICATE──>        Established: keys, and a session once it is wanted
//!
//! Client::start_connectionless <──CHALLENGE── ──AUTHENTICATE──>
//! ```
//!
//! NTLM proves the client to the server only: that the server knew the key, the client learns when
//! the first protected message of the server verifies (MS-NLMP 1.6).

use crate::anonymous::AnonymousLogon;
use crate::channel_bindings::ChannelBindings;
use crate::datagram::{DatagramKeying, DatagramSession};
use crate::error::{ClientError, Misuse, PeerError};
use crate::flags::NegotiateFlags;
use crate::fresh::Fresh;
use crate::keys::{
    AccountSecret, Derivation, KeyExchange, KeySchedule, KeySource, RandomSessionKey,
    ResponseInputs, ResponseRule, mic,
};
use crate::message::{
    AuthenticateMessage, AvFlags, AvId, ChallengeMessage, Message, NegotiateMessage,
    Ntlmv2ClientChallenge, SingleHostData, TargetInfo, TargetInfoBuilder, Version,
};
use crate::name::AccountName;
use crate::policy::{ChallengeTraits, ClientPolicy, ClientSends, Relaxation};
use crate::protect::Role;
use crate::session::Session;
use crate::text::{Charset, CodePage, Utf16String};
use crate::time::FileTime;
use crate::wire::{Payload, TooLong};
use alloc::vec::Vec;

/// How messages are to be protected after the logon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protection {
    /// Not at all: HTTP, or SMB, which protects messages itself.
    #[default]
    None,
    /// Signed.
    Sign,
    /// Signed and sealed.
    Seal,
}

/// What a client is set up with.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// What it is allowed.
    pub policy: ClientPolicy,
    /// What it asks for, and insists on.
    pub protection: Protection,
    /// Whether signing is offered though `protection` does not insist on it. SPNEGO offers it always:
    /// its mechListMIC is such a signature.
    pub offer_signing: bool,
    /// Whether the server may only identify the client, not act for it.
    pub identify: bool,
    /// Its own NetBIOS name; may be empty.
    pub workstation: Utf16String,
    /// The SPN of the server, such as `cifs/server.example.com`.
    pub target_name: Option<Utf16String>,
    /// Whether the SPN comes from a source that is not to be trusted.
    pub target_name_is_untrusted: bool,
    /// What ties the logon to the TLS channel around it.
    pub channel_bindings: Option<ChannelBindings>,
    /// What Windows tells itself about the process, if anything.
    pub single_host: Option<SingleHostData>,
    /// The code page for servers that have no Unicode.
    pub code_page: CodePage,
    /// What it says of itself. `None` leaves `NEGOTIATE_VERSION` out.
    pub version: Option<Version>,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            policy: ClientPolicy::default(),
            protection: Protection::None,
            offer_signing: false,
            identify: false,
            workstation: Utf16String::default(),
            target_name: None,
            target_name_is_untrusted: false,
            channel_bindings: None,
            single_host: None,
            code_page: CodePage::Cp437,
            version: Some(Version::OURS),
        }
    }
}

/// Who logs on.
#[derive(Debug)]
pub struct Credential {
    /// The account's name, in the form it is to be sent.
    pub name: AccountName,
    /// What it proves.
    pub secret: AccountSecret,
}

/// A client that has sent NEGOTIATE and waits for CHALLENGE.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    /// `None` in the connectionless mode.
    negotiate: Option<Vec<u8>>,
    offered: NegotiateFlags,
}

impl Client {
    /// Begins a connection-oriented logon. The token goes to the server.
    #[must_use]
    pub fn start(config: ClientConfig) -> (Vec<u8>, Self) {
        let offered = offer(&config);
        let message = NegotiateMessage {
            negotiate_flags: offered,
            domain_name: Some(Payload::default()),
            workstation: Some(Payload::default()),
            version: Some(config.version.unwrap_or_default()),
        };
        // Two empty items always fit.
        let token = message.encode().unwrap_or_default();
        (token.clone(), Self { config, negotiate: Some(token), offered })
    }

    /// Waits for the CHALLENGE of a connectionless logon, which has no NEGOTIATE.
    #[must_use]
    pub fn start_connectionless(config: ClientConfig) -> Self {
        let datagram = NegotiateFlags::NEGOTIATE_DATAGRAM.union(NegotiateFlags::NEGOTIATE_KEY_EXCH);
        let offered = offer(&config).union(datagram);
        Self { config, negotiate: None, offered }
    }

    /// What was offered, or may be accepted.
    #[must_use]
    pub const fn offered(&self) -> NegotiateFlags {
        self.offered
    }

    /// Answers CHALLENGE with a proof. The token goes to the server.
    ///
    /// # Errors
    ///
    /// The CHALLENGE is damaged, takes away what is insisted on, or a name cannot be sent.
    pub fn respond(
        self,
        challenge: &[u8],
        credential: &Credential,
        fresh: Fresh,
    ) -> Result<(Vec<u8>, Established), ClientError> {
        if self.config.policy.blocks(self.config.target_name.as_ref()) {
            return Err(Misuse::Blocked.into());
        }
        let decoded = self.read(challenge)?;
        let (user, domain) = credential.name.fields();
        let target_info = decoded.message.target_info();
        let timestamp = target_info.and_then(|list| list.timestamp());
        let rule = self.config.policy.response_rule(ChallengeTraits {
            extended_session_security: decoded
                .flags
                .contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY),
            target_info: target_info.is_some(),
            timestamp: timestamp.is_some(),
            connectionless: self.negotiate.is_none(),
        });
        let is_v2 = self.config.policy.sends == ClientSends::Ntlmv2;
        if is_v2 && self.config.protection != Protection::None {
            let has = |id| target_info.is_some_and(|list| list.get(id).is_some());
            if !has(AvId::NB_COMPUTER_NAME) || !has(AvId::NB_DOMAIN_NAME) {
                return Err(PeerError::NoServerNames.into());
            }
        }
        let temp = if is_v2 { self.temp(target_info, timestamp, &fresh)? } else { Vec::new() };
        let responses = rule.compute(
            &credential.secret,
            &ResponseInputs {
                server_challenge: decoded.message.server_challenge,
                client_challenge: fresh.nonce,
                user: user.as_units(),
                domain: domain.as_units(),
                temp: &temp,
            },
        );
        let keys = decoded.keys(
            &responses.lm,
            KeySource::Proof(responses.proof),
            fresh.random_session_key,
        );
        self.check_strength(&keys)?;
        let names = Names { user: &user, domain: &domain, workstation: &self.config.workstation };
        // The server's own MsvAvFlags are sent back: what they announce must be there.
        let flags = target_info.and_then(|list| list.flags()).unwrap_or_default();
        let announced = is_v2 && (timestamp.is_some() || flags.mic_present());
        let token = self.authenticate(
            &decoded,
            challenge,
            &names,
            (&responses.lm, &responses.nt),
            &keys,
            announced,
        )?;
        let relaxed = relaxations(rule, &keys);
        Ok((token, Established { keys, relaxed, has_mic: announced }))
    }

    /// Answers CHALLENGE without a proof (MS-NLMP 3.3.1).
    ///
    /// # Errors
    ///
    /// As [`Client::respond`].
    pub fn respond_anonymously(
        self,
        challenge: &[u8],
        fresh: Fresh,
    ) -> Result<(Vec<u8>, AnonymousLogon), ClientError> {
        let mut decoded = self.read(challenge)?;
        decoded.flags |= NegotiateFlags::ANONYMOUS;
        let lm: &[u8] = &[0];
        let keys = decoded.keys(lm, KeySource::Anonymous, fresh.random_session_key);
        let empty = Utf16String::default();
        let names = Names { user: &empty, domain: &empty, workstation: &self.config.workstation };
        let token = self.authenticate(&decoded, challenge, &names, (lm, &[]), &keys, false)?;
        Ok((token, AnonymousLogon::new(keys)))
    }

    fn read<'c>(&self, challenge: &'c [u8]) -> Result<Agreed<'c>, PeerError> {
        let message = ChallengeMessage::decode(challenge)?;
        if let Some(defect) = message.defects().first() {
            return Err((*defect).into());
        }
        let flags = self.agree(message.negotiate_flags)?;
        Ok(Agreed { message, flags })
    }

    /// What CHALLENGE and the offer have in common, once nothing that is insisted on is missing.
    fn agree(&self, challenge: NegotiateFlags) -> Result<NegotiateFlags, PeerError> {
        let unasked = NegotiateFlags::NEGOTIATE_TARGET_INFO;
        let mut flags = challenge.intersection(self.offered.union(unasked));
        if flags.contains(NegotiateFlags::NEGOTIATE_UNICODE) {
            flags.remove(NegotiateFlags::NEGOTIATE_OEM);
        }
        if flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY) {
            flags.remove(NegotiateFlags::NEGOTIATE_LM_KEY);
        }
        let missing = self.required().difference(flags);
        if missing.is_empty() { Ok(flags) } else { Err(PeerError::FlagsMissing(missing)) }
    }

    /// NEGOTIATE_128 alone is no strength: LM_KEY, or datagrams without ESS, cut the key all the same.
    fn check_strength(&self, keys: &KeySchedule) -> Result<(), PeerError> {
        let weak = keys.negotiate_flags().protects() && keys.strength_bits() < 128;
        if weak && self.config.policy.require_128_bit { Err(PeerError::WeakKeys) } else { Ok(()) }
    }

    fn required(&self) -> NegotiateFlags {
        let mut required = NegotiateFlags::empty();
        if self.negotiate.is_none() {
            required |= NegotiateFlags::NEGOTIATE_DATAGRAM | NegotiateFlags::NEGOTIATE_KEY_EXCH;
        }
        if self.config.protection == Protection::None {
            return required;
        }
        required |= NegotiateFlags::NEGOTIATE_SIGN;
        if self.config.protection == Protection::Seal {
            required |= NegotiateFlags::NEGOTIATE_SEAL;
        }
        if self.config.policy.require_128_bit {
            required |= NegotiateFlags::NEGOTIATE_128;
        }
        if self.config.policy.require_extended_session_security {
            required |= NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY;
        }
        required
    }

    /// `NTLMv2_CLIENT_CHALLENGE` with the server's AV_PAIRs and ours (MS-NLMP 3.1.5.1.2).
    fn temp(
        &self,
        target_info: Option<TargetInfo<'_>>,
        timestamp: Option<FileTime>,
        fresh: &Fresh,
    ) -> Result<Vec<u8>, PeerError> {
        let list = match target_info {
            None => TargetInfoBuilder::new().finish(),
            Some(list) => self.av_pairs(list, timestamp.is_some()),
        };
        let list = list.map_err(|_| PeerError::TargetInfoTooLong)?;
        let time_stamp = timestamp.unwrap_or(fresh.now);
        Ok(Ntlmv2ClientChallenge::encode(time_stamp, fresh.nonce, TargetInfo::new(&list)))
    }

    /// The server's pairs in their order, then ours in the order of Windows: 6, 8, 10, 9.
    fn av_pairs(&self, list: TargetInfo<'_>, announce_mic: bool) -> Result<Vec<u8>, TooLong> {
        // Whether our target name can be trusted is ours to say.
        let theirs = list.flags().unwrap_or_default().0 & !AvFlags::UNTRUSTED_TARGET_NAME.0;
        let mut flags = AvFlags(theirs);
        if announce_mic {
            flags = flags.with(AvFlags::MIC_PRESENT);
        }
        if self.config.target_name.is_some() && self.config.target_name_is_untrusted {
            flags = flags.with(AvFlags::UNTRUSTED_TARGET_NAME);
        }
        let had_flags = list.get(AvId::FLAGS).is_some();
        let ours = [AvId::EOL, AvId::SINGLE_HOST, AvId::TARGET_NAME, AvId::CHANNEL_BINDINGS];
        let mut builder = TargetInfoBuilder::new();
        for pair in list.pairs().map_while(Result::ok).filter(|pair| !ours.contains(&pair.id)) {
            builder = match pair.id {
                // Merged, never added a second time: a peer may only look at one of them.
                AvId::FLAGS => builder.pair(AvId::FLAGS, &flags.0.to_le_bytes()),
                id => builder.pair(id, pair.value),
            };
        }
        if !had_flags && flags != AvFlags::default() {
            builder = builder.pair(AvId::FLAGS, &flags.0.to_le_bytes());
        }
        if let Some(single_host) = &self.config.single_host {
            builder = builder.pair(AvId::SINGLE_HOST, &single_host.encode());
        }
        let bindings = self.config.channel_bindings.map_or([0; 16], ChannelBindings::to_bytes);
        let target_name = self.config.target_name.clone().unwrap_or_default();
        builder
            .pair(AvId::CHANNEL_BINDINGS, &bindings)
            .text(AvId::TARGET_NAME, &target_name)
            .finish()
    }

    fn authenticate(
        &self,
        agreed: &Agreed<'_>,
        challenge: &[u8],
        names: &Names<'_>,
        (lm, nt): (&[u8], &[u8]),
        keys: &KeySchedule,
        announced: bool,
    ) -> Result<Vec<u8>, Misuse> {
        let charset = if agreed.flags.contains(NegotiateFlags::NEGOTIATE_UNICODE) {
            Charset::Unicode
        } else {
            Charset::Oem(self.config.code_page)
        };
        let encode =
            |name: &Utf16String| charset.encode(name.as_units()).ok_or(Misuse::NameNotInCodePage);
        let user_name = encode(names.user)?;
        let domain_name = encode(names.domain)?;
        let workstation = encode(names.workstation)?;
        let session_key = keys.encrypted_random_session_key();
        let has_version = agreed.flags.contains(NegotiateFlags::NEGOTIATE_VERSION);
        let message = AuthenticateMessage {
            lm_challenge_response: Payload::new(lm),
            nt_challenge_response: Payload::new(nt),
            domain_name: Payload::new(&domain_name),
            user_name: Payload::new(&user_name),
            workstation: Payload::new(&workstation),
            encrypted_random_session_key: Some(Payload::new(
                session_key.as_ref().map_or(&[], |key| key.as_slice()),
            )),
            negotiate_flags: Some(agreed.flags),
            version: Some(self.config.version.filter(|_| has_version).unwrap_or_default()),
            mic: Some([0; 16]),
        };
        let mut token = message.encode().map_err(|_| Misuse::NameTooLong)?;
        if announced {
            let range = AuthenticateMessage::MIC_RANGE;
            let key = keys.exported_session_key();
            let mic = mic(key, self.negotiate.as_deref(), challenge, &token, range.clone());
            if let Some(place) = token.get_mut(range) {
                place.copy_from_slice(&mic);
            }
        }
        Ok(token)
    }
}

/// A CHALLENGE that was found acceptable.
struct Agreed<'c> {
    message: ChallengeMessage<'c>,
    flags: NegotiateFlags,
}

impl Agreed<'_> {
    fn keys(
        &self,
        lm: &[u8],
        source: KeySource,
        random_session_key: RandomSessionKey,
    ) -> KeySchedule {
        KeySchedule::derive(Derivation {
            negotiate_flags: self.flags,
            server_challenge: self.message.server_challenge,
            lm_challenge_response: lm,
            source,
            key_exchange: KeyExchange::drawn(self.flags, random_session_key),
        })
    }
}

struct Names<'n> {
    user: &'n Utf16String,
    domain: &'n Utf16String,
    workstation: &'n Utf16String,
}

/// NEGOTIATE's flags (MS-NLMP 3.1.5.1.1).
fn offer(config: &ClientConfig) -> NegotiateFlags {
    let mut flags = NegotiateFlags::NEGOTIATE_UNICODE
        | NegotiateFlags::NEGOTIATE_OEM
        | NegotiateFlags::REQUEST_TARGET
        | NegotiateFlags::NEGOTIATE_NTLM
        | NegotiateFlags::NEGOTIATE_ALWAYS_SIGN
        | NegotiateFlags::NEGOTIATE_128
        | NegotiateFlags::NEGOTIATE_56;
    let asked = [
        (config.version.is_some(), NegotiateFlags::NEGOTIATE_VERSION),
        (
            config.policy.offer_extended_session_security,
            NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY,
        ),
        (config.identify, NegotiateFlags::NEGOTIATE_IDENTIFY),
        (config.policy.insecure_offer_lm_key, NegotiateFlags::NEGOTIATE_LM_KEY),
        (
            config.policy.insecure_request_non_nt_session_key,
            NegotiateFlags::REQUEST_NON_NT_SESSION_KEY,
        ),
        // KEY_EXCH counts only with SIGN or SEAL, and peers disagree about it elsewhere.
        (
            config.protection != Protection::None || config.offer_signing,
            NegotiateFlags::NEGOTIATE_SIGN | NegotiateFlags::NEGOTIATE_KEY_EXCH,
        ),
        (config.protection == Protection::Seal, NegotiateFlags::NEGOTIATE_SEAL),
    ];
    for (_, flag) in asked.into_iter().filter(|(asked, _)| *asked) {
        flags |= flag;
    }
    flags
}

fn relaxations(rule: ResponseRule, keys: &KeySchedule) -> Vec<Relaxation> {
    let mut relaxed = Vec::new();
    match rule {
        ResponseRule::Ntlmv2 | ResponseRule::Ntlmv2AndLmv2 | ResponseRule::Ntlmv2Alone => {}
        ResponseRule::Ntlmv1 | ResponseRule::Ntlmv1Ess => relaxed.push(Relaxation::Ntlmv1),
        ResponseRule::Ntlmv1AndLm => relaxed.extend([Relaxation::Ntlmv1, Relaxation::Lm]),
    }
    relaxed.extend(Relaxation::of_keys(keys));
    relaxed
}

/// A client that has sent its proof. Whether the server accepts it, the protocol around NTLM says.
#[derive(Debug)]
pub struct Established {
    keys: KeySchedule,
    relaxed: Vec<Relaxation>,
    has_mic: bool,
}

impl Established {
    /// Every key, with the rule that chose it.
    #[must_use]
    pub const fn keys(&self) -> &KeySchedule {
        &self.keys
    }

    /// Whether AUTHENTICATE carries a MIC and says so.
    #[must_use]
    pub const fn has_mic(&self) -> bool {
        self.has_mic
    }

    /// What the default policy would not have done.
    #[must_use]
    pub fn relaxed(&self) -> &[Relaxation] {
        &self.relaxed
    }

    /// Session security for a connection; wipes every key before ExportedSessionKey.
    #[must_use]
    pub fn into_session(self) -> Session {
        Session::new(self.keys, Role::Client)
    }

    /// Session security for datagrams.
    #[must_use]
    pub fn into_datagram_session(self, keying: DatagramKeying) -> DatagramSession {
        DatagramSession::new(self.keys, Role::Client, keying)
    }
}
