//! A logon passed through a channel, and what the domain controller said (MS-APDS 3.1.5.2).

use super::calls::{Asks, Question};
use crate::explained::{AccountNames, Verdict};
use crate::known::Known;
use crate::ladder::{KeyHex, hex};
use ntlm::keys::{NtlmVersion, ResponseKind, Responses};
use ntlm_netlogon::calls::{
    LogonInformation, NetworkInfo, SamLogonMethod, SamLogonResponse, UserFlags, Validation,
    ValidationLevel,
};
use ntlm_netlogon::keys::ChannelKeys;
use serde::Serialize;

/// One logon passed through.
#[derive(Debug, Serialize)]
pub struct LogonExplained {
    /// The frames of request and response.
    pub frames: Vec<u64>,
    /// The method that passes it through.
    pub method: &'static str,
    /// `network` where responses are judged, `interactive` where a password is; `None` where the
    /// request cannot be read.
    pub kind: Option<&'static str>,
    /// LogonLevel.
    pub logon_level: Option<u16>,
    /// Who logs on.
    pub account: AccountNames,
    /// LmChallenge in hex: what the responses answer. `None` of interactive logons.
    pub challenge: Option<String>,
    /// `NTLMv2`, `NTLMv1-ESS` and so on, as far as lengths show it.
    pub version: Option<&'static str>,
    /// Whether the responses hold under the account's secret.
    pub response: Verdict,
    /// What the domain controller said; `None` where its answer was not seen or cannot be read.
    pub status: Option<String>,
    /// Whether that is final for the account.
    pub authoritative: Option<bool>,
    /// ValidationLevel: how much was asked for.
    pub validation_level: Option<u8>,
    /// What the domain controller says of the account.
    pub validated: Option<Validated>,
    /// UserSessionKey: SessionBaseKey of the logon. `None` where there is none or it is not known.
    pub user_session_key: Option<KeyHex>,
    /// LMKey, where it is not zero.
    pub lm_key: Option<KeyHex>,
    /// The exchange of this capture that was passed through.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exchange: Option<u64>,
    /// The beginning of NtChallengeResponse, by which that exchange is known.
    #[serde(skip)]
    pub(crate) proof: Vec<u8>,
}

/// As much of an NT response as tells it from others: NTProofStr, or all of NTLMv1.
pub(crate) fn proof(nt_challenge_response: &[u8]) -> Vec<u8> {
    nt_challenge_response.iter().take(24).copied().collect()
}

/// What a domain controller says of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Validated {
    /// LogonDomainName: whose account it is.
    pub domain: String,
    /// EffectiveName: the account as the domain spells it.
    pub user: String,
    /// LogonServer: who judged.
    pub logon_server: String,
    /// The account's SID.
    pub sid: Option<String>,
    /// SIDs of its groups.
    pub groups: Vec<String>,
    /// Whether the guest account stands in.
    pub guest: bool,
}

impl LogonExplained {
    /// A logon of which the request was seen.
    pub(super) fn asked(question: Question, known: Known<'_>) -> (Self, Option<String>) {
        let method = match question.opnum {
            SamLogonMethod::EX_OPNUM => "NetrLogonSamLogonEx",
            SamLogonMethod::WITH_FLAGS_OPNUM => "NetrLogonSamLogonWithFlags",
            _ => "NetrLogonSamLogon",
        };
        let mut logon = Self {
            frames: vec![question.frame],
            method,
            kind: None,
            logon_level: None,
            account: AccountNames::default(),
            challenge: None,
            version: None,
            response: Verdict::Absent,
            status: None,
            authoritative: None,
            validation_level: None,
            validated: None,
            user_session_key: None,
            lm_key: None,
            exchange: None,
            proof: Vec::new(),
        };
        let request = match question.asks {
            Asks::Logon(Ok(request)) => request,
            Asks::Logon(Err(error)) => return (logon, Some(error)),
            Asks::Challenge(_) | Asks::Authenticate(_) => return (logon, None),
        };
        logon.logon_level = Some(request.logon_level);
        logon.validation_level = Some(match request.validation_level {
            ValidationLevel::SamInfo => 2,
            ValidationLevel::SamInfo2 => 3,
            ValidationLevel::SamInfo4 => 6,
        });
        let (domain, user, workstation) = match &request.logon_information {
            LogonInformation::Interactive(info) => {
                (&info.logon_domain_name, &info.user_name, &info.workstation)
            }
            LogonInformation::Network(info) => {
                (&info.logon_domain_name, &info.user_name, &info.workstation)
            }
        };
        logon.account = AccountNames {
            domain: domain.to_string(),
            user: user.to_string(),
            workstation: workstation.to_string(),
        };
        match request.logon_information {
            LogonInformation::Interactive(_) => logon.kind = Some("interactive"),
            LogonInformation::Network(info) => logon.network(info, known),
        }
        (logon, None)
    }

    fn network(&mut self, info: NetworkInfo, known: Known<'_>) {
        let responses = Responses {
            server_challenge: info.lm_challenge,
            lm: &info.lm_challenge_response,
            nt: &info.nt_challenge_response,
            user: info.user_name.as_units(),
            domain: info.logon_domain_name.as_units(),
            // The challenge is the one that makes it plain NTLMv1 (MS-APDS 3.1.5.2).
            extended_session_security: false,
        };
        let is_ess = matches!(responses.kind(), ResponseKind::Ntlmv1)
            && matches!(responses.lm, [_, _, _, _, _, _, _, _, rest @ ..]
                if rest.len() == 16 && rest.iter().all(|byte| *byte == 0));
        self.version = match responses.kind() {
            ResponseKind::Anonymous => Some(NtlmVersion::Anonymous.name()),
            ResponseKind::Ntlmv2 => Some(NtlmVersion::Ntlmv2.name()),
            ResponseKind::Ntlmv1 if is_ess => Some(NtlmVersion::Ntlmv1Ess.name()),
            ResponseKind::Ntlmv1Ess => Some(NtlmVersion::Ntlmv1Ess.name()),
            ResponseKind::Ntlmv1 => Some(NtlmVersion::Ntlmv1.name()),
            ResponseKind::LmField => Some(NtlmVersion::Lmv2.name()),
            ResponseKind::Malformed => None,
        };
        self.response = match known.accounts.find(&info.user_name, &info.logon_domain_name) {
            Ok(Some(found)) => match responses.verify(found.secret) {
                Some(_) => Verdict::Valid,
                None => Verdict::Invalid,
            },
            Ok(None) | Err(_) => Verdict::Unchecked,
        };
        self.kind = Some("network");
        self.challenge = Some(hex(&info.lm_challenge));
        self.proof = proof(&info.nt_challenge_response);
    }

    /// The answer came. Without `keys`, what is encrypted in it stays unknown. Returns what is wrong
    /// with it.
    pub(super) fn answered(
        &mut self,
        opnum: u16,
        stub: &[u8],
        keys: Option<&ChannelKeys>,
        frame: u64,
    ) -> Option<String> {
        self.frames.push(frame);
        let none;
        let (has_keys, keys) = match keys {
            Some(keys) => (true, keys),
            None => {
                none = ChannelKeys {
                    algorithms: ntlm_netlogon::keys::Algorithms::AesSha2,
                    session_key: ntlm_netlogon::keys::SessionKey::new([0; 16]),
                };
                (false, &none)
            }
        };
        let response = match SamLogonResponse::decode(opnum, stub, keys) {
            Ok(response) => response,
            Err(error) => return Some(error.to_string()),
        };
        self.status = Some(response.status.to_string());
        self.authoritative = Some(response.authoritative);
        let validation = response.validation?;
        if has_keys || validation.level == ValidationLevel::SamInfo4 {
            self.user_session_key = key(validation.user_session_key.expose());
            self.lm_key = key(validation.lm_key.expose());
        }
        self.validated = Some(Validated::new(&validation));
        None
    }

    /// The call was not carried out.
    pub(super) fn failed(&mut self, status: String, frame: u64) {
        self.frames.push(frame);
        self.status = Some(status);
    }

    /// About how many bytes it takes to keep it.
    pub(super) fn size(&self) -> usize {
        let AccountNames { domain, user, workstation } = &self.account;
        let texts = [domain, user, workstation].into_iter();
        let validated = self.validated.iter();
        let said = validated.flat_map(|it| [&it.domain, &it.user, &it.logon_server]);
        let groups = self.validated.iter().flat_map(|it| &it.groups);
        let texts = texts.chain(said).chain(groups);
        let texts: usize = texts.map(|text| text.len() + size_of::<String>()).sum();
        size_of::<Self>() + texts
    }

    /// Replaces the value of every key by a mask of the same length.
    pub(super) fn redact_keys(&mut self) {
        for key in [&mut self.user_session_key, &mut self.lm_key].into_iter().flatten() {
            *key = key.masked();
        }
    }
}

/// Zeros are no key.
fn key(bytes: &[u8]) -> Option<KeyHex> {
    bytes.iter().any(|byte| *byte != 0).then(|| KeyHex::new(bytes))
}

impl Validated {
    fn new(validation: &Validation) -> Self {
        let of_domain = |id: u32| {
            let domain = validation.logon_domain_id.as_ref()?;
            Some(format!("{domain}-{id}"))
        };
        let primary = of_domain(validation.primary_group_id);
        let groups = validation.groups.iter().filter_map(|group| of_domain(group.relative_id));
        let extra = validation.extra_sids.iter().map(|extra| extra.sid.to_string());
        let mut groups: Vec<String> = primary.into_iter().chain(groups).chain(extra).collect();
        let mut seen = std::collections::BTreeSet::new();
        groups.retain(|group| seen.insert(group.clone()));
        Self {
            domain: validation.logon_domain_name.to_string(),
            user: validation.effective_name.to_string(),
            logon_server: validation.logon_server.to_string(),
            sid: of_domain(validation.user_id),
            groups,
            guest: validation.user_flags.contains(UserFlags::GUEST),
        }
    }
}
