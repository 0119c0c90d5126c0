//! What each key is under each version of NTLM.

use super::rows::{code, line};
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{
    Direction, DomainControllerChallengeRule, EncryptedRandomSessionKeyRule,
    ExportedSessionKeyRule, KeyExchangeKeyRule, KeyName, LmowfRule, MicRule, NtProofStrRule,
    NtlmVersion, Ntowfv2Rule, RandomSessionKeyRule, ResponseKeyLmRule, ResponseKeyNtRule, Rule,
    SealingKeyRule, SessionBaseKeyRule, SigningKeyRule,
};
use std::fmt::Write;

const VERSIONS: [NtlmVersion; 5] = [
    NtlmVersion::Lm,
    NtlmVersion::Ntlmv1,
    NtlmVersion::Ntlmv1Ess,
    NtlmVersion::Ntlmv2,
    NtlmVersion::Anonymous,
];

/// The table.
pub(super) fn by_version(out: &mut String) {
    let heads: Vec<_> = VERSIONS.iter().map(|version| version.name()).collect();
    let _ = writeln!(out, "| key | {} |", heads.join(" | "));
    let _ = writeln!(out, "|---|{}", "---|".repeat(VERSIONS.len()));
    let names =
        KeyName::STEPS.into_iter().chain([KeyName::Mic, KeyName::ChallengeForDomainController]);
    for key in names {
        let cells: Vec<_> =
            VERSIONS.iter().map(|version| code(chosen(key, *version).doc().formula)).collect();
        let _ = writeln!(out, "| {} | {} |", key.name(), line(&cells));
    }
}

/// The rule for a key under the flags of the table above, by the functions that the schedule uses.
fn chosen(key: KeyName, version: NtlmVersion) -> Rule {
    let mut flags = NegotiateFlags::NEGOTIATE_SIGN
        | NegotiateFlags::NEGOTIATE_SEAL
        | NegotiateFlags::NEGOTIATE_KEY_EXCH
        | NegotiateFlags::NEGOTIATE_128
        | NegotiateFlags::NEGOTIATE_56;
    if matches!(version, NtlmVersion::Ntlmv1Ess | NtlmVersion::Ntlmv2 | NtlmVersion::Anonymous) {
        flags |= NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY;
    }
    let is_v2 = version == NtlmVersion::Ntlmv2;
    let ntowf_v2 = if is_v2 { Ntowfv2Rule::DomainAsSent } else { Ntowfv2Rule::NotUsed };
    let (client, server) = (Direction::ClientToServer, Direction::ServerToClient);
    match key {
        KeyName::Lmowf => Rule::Lmowf(LmowfRule::Lmowfv1),
        KeyName::NtowfV1 => Rule::NtowfV1,
        KeyName::NtowfV2 => Rule::NtowfV2(ntowf_v2),
        KeyName::ResponseKeyNt => Rule::ResponseKeyNt(ResponseKeyNtRule::choose(version)),
        KeyName::ResponseKeyLm => Rule::ResponseKeyLm(ResponseKeyLmRule::choose(version, true)),
        KeyName::NtProofStr => Rule::NtProofStr(NtProofStrRule::choose(version)),
        KeyName::SessionBaseKey => Rule::SessionBaseKey(SessionBaseKeyRule::choose(version)),
        KeyName::KeyExchangeKey => {
            Rule::KeyExchangeKey(KeyExchangeKeyRule::choose(version, flags, true))
        }
        KeyName::RandomSessionKey => Rule::RandomSessionKey(RandomSessionKeyRule::DrawnByClient),
        KeyName::ExportedSessionKey => {
            Rule::ExportedSessionKey(ExportedSessionKeyRule::choose(flags))
        }
        KeyName::EncryptedRandomSessionKey => {
            Rule::EncryptedRandomSessionKey(EncryptedRandomSessionKeyRule::KeyExchange)
        }
        KeyName::ClientSigningKey => Rule::SigningKey(client, SigningKeyRule::choose(flags)),
        KeyName::ServerSigningKey => Rule::SigningKey(server, SigningKeyRule::choose(flags)),
        KeyName::ClientSealingKey => Rule::SealingKey(client, SealingKeyRule::choose(flags)),
        KeyName::ServerSealingKey => Rule::SealingKey(server, SealingKeyRule::choose(flags)),
        KeyName::Responses | KeyName::Mic => Rule::Mic(MicRule::choose(is_v2, false)),
        KeyName::ChallengeForDomainController => {
            Rule::ChallengeForDomainController(DomainControllerChallengeRule::choose(version))
        }
    }
}
