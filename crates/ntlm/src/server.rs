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

use crate::error::{Misuse, PeerError};
use crate::flags::NegotiateFlags;
use crate::fresh::Fresh;
use crate::keys::Responses;
use crate::logon::LogonRequest;
use crate::message::{
    AuthenticateMessage, AvId, ChallengeMessage, Message, NegotiateMessage, TargetInfoBuilder,
    Version,
};
use crate::server_config::{ServerConfig, ServerNames};
use crate::text::{Charset, Utf16String};
use crate::time::FileTime;
use crate::wire::{DecodeError, DecodeErrorKind, Payload, TooLong};
use alloc::sync::Arc;
use alloc::vec::Vec;

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
    /// [`Misuse::NameTooLong`] for a name of more than [`Self::MAX_NAME_LENGTH`],
    /// [`Misuse::NameMissing`] without NetBIOS names.
    pub fn new(config: ServerConfig) -> Result<Self, Misuse> {
        let ServerNames { nb_computer, nb_domain, dns_computer, dns_domain, dns_tree } =
            &config.names;
        if nb_computer.is_empty() || nb_domain.is_empty() {
            return Err(Misuse::NameMissing);
        }
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
        if self.config.policy.block {
            return Err(PeerError::Blocked);
        }
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

    /// A logon without NTLM messages: responses alone, to a nonce of the protocol around them, as in
    /// SMB1 without extended security. There is no MIC, nothing is exchanged, and no flag counts.
    ///
    /// # Errors
    ///
    /// The policy blocks NTLM, or a name or response is longer than a message can hold.
    pub fn receive_responses(
        self,
        responses: &Responses<'_>,
        now: FileTime,
    ) -> Result<LogonRequest, PeerError> {
        if self.config.policy.block {
            return Err(PeerError::Blocked);
        }
        let too_long = |TooLong| {
            let (kind, field) = (DecodeErrorKind::PayloadOutOfBounds, "NtChallengeResponse");
            PeerError::Decode(DecodeError { kind, field, offset: 0 })
        };
        // The same bytes in messages that nobody sent.
        let negotiate_flags = NegotiateFlags::NEGOTIATE_UNICODE | NegotiateFlags::NEGOTIATE_NTLM;
        let challenge = ChallengeMessage {
            target_name: Payload::default(),
            negotiate_flags,
            server_challenge: responses.server_challenge,
            reserved: Some([0; 8]),
            target_info: None,
            version: None,
        };
        let name = |units: &[u16]| Utf16String::from_units(units).to_le_bytes();
        let (user, domain) = (name(responses.user), name(responses.domain));
        let authenticate = AuthenticateMessage {
            lm_challenge_response: Payload::new(responses.lm),
            nt_challenge_response: Payload::new(responses.nt),
            domain_name: Payload::new(&domain),
            user_name: Payload::new(&user),
            workstation: Payload::default(),
            encrypted_random_session_key: Some(Payload::default()),
            negotiate_flags: Some(negotiate_flags),
            version: None,
            mic: None,
        };
        Ok(LogonRequest {
            config: self.config,
            negotiate: None,
            challenge: challenge.encode().map_err(too_long)?,
            authenticate: authenticate.encode().map_err(too_long)?,
            now,
        })
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
        let missing = policy.required_flags(flags).difference(flags);
        if missing.is_empty() {
            Ok(flags.union(self.always()))
        } else {
            Err(PeerError::FlagsMissing(missing))
        }
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
        let mut required = request.config.policy.required_flags(flags);
        if request.negotiate.is_none() {
            required |= NegotiateFlags::NEGOTIATE_DATAGRAM | NegotiateFlags::NEGOTIATE_KEY_EXCH;
        } else if flags.contains(NegotiateFlags::NEGOTIATE_DATAGRAM) {
            return Err(PeerError::FlagsNotOffered(NegotiateFlags::NEGOTIATE_DATAGRAM));
        }
        let missing = required.difference(flags);
        if missing.is_empty() { Ok(request) } else { Err(PeerError::FlagsMissing(missing)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Client, ClientConfig, Credential};
    use crate::crypto::count;
    use crate::keys::{AccountSecret, Lmowfv1, Password};
    use crate::name::AccountName;
    use crate::outcome::{DenialReason, LogonOutcome};
    use crate::policy::{ClientPolicy, ClientSends, ServerPolicy};
    use crate::text::CodePage;
    use hex_literal::hex;
    use std::string::ToString;

    const NOW: FileTime = FileTime::from_unix_seconds(1_767_225_600);

    /// The responses of MS-NLMP 4.2.2, as SMB1 sends them without extended security.
    #[test]
    fn responses_alone_are_judged_by_the_same_policy() {
        let secret = AccountSecret::from_password(&Password::from("Password"), CodePage::Cp437);
        let nt = hex!("67c43011f30298a2ad35ece64f16331c44bdbed927841f94");
        let judge = |nt: &[u8], policy: ServerPolicy| {
            let names = ServerNames::new("SERVER", "SERVER");
            let server = Server::new(ServerConfig { policy, ..ServerConfig::new(names) }).unwrap();
            let [user, domain] = ["User", "Domain"].map(Utf16String::from);
            let responses = Responses {
                server_challenge: hex!("0123456789abcdef"),
                lm: &hex!("98def7b87f88aa5dafe2df779688a172def11c7d5ccdef13"),
                nt,
                user: user.as_units(),
                domain: domain.as_units(),
                extended_session_security: false,
            };
            let request = server.receive_responses(&responses, NOW)?;
            assert_eq!((request.user(), request.domain()), (user.clone(), domain.clone()));
            Ok::<_, PeerError>(request.verify(Some(&secret)))
        };
        let weak = ServerPolicy { insecure_accept_ntlmv1: true, ..ServerPolicy::default() };
        let account = judge(&nt, weak.clone()).unwrap().unwrap().into_account().unwrap();
        let key = account.keys().session_base_key().unwrap();
        assert_eq!(key.expose(), &hex!("d87262b0cde4b1cb7499becccdf10784"));
        let mut wrong = nt;
        wrong[0] ^= 1;
        let denied = judge(&wrong, weak).unwrap().unwrap_err();
        assert_eq!(denied.reason_for_the_log(), DenialReason::WrongSecret);
        let denied = judge(&nt, ServerPolicy::default()).unwrap().unwrap_err();
        let version = crate::keys::NtlmVersion::Ntlmv1;
        assert_eq!(denied.reason_for_the_log(), DenialReason::Version(version));
        let block = ServerPolicy { block: true, ..ServerPolicy::default() };
        assert!(matches!(judge(&nt, block), Err(PeerError::Blocked)));
    }

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
            insecure_accept_lmv2_alone: true,
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
