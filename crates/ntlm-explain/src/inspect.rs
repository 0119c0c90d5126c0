//! What is weak, odd or contradictory in an exchange, apart from what a secret shows.
//!
//! Each function looks at one topic and reports findings; nothing here changes a verdict.

use crate::assemble::FoundExchange;
use crate::explained::{Explained, Verdict, account_text, at, names};
use crate::finding::{At, Finding, FindingCode, Findings};
use crate::netlogon::ChannelExplained;
use crate::rpc::RpcExplained;
use crate::smb::SmbExplained;
use crate::tally::{Decrypted, Failure, Signatures, Unchecked};
use ntlm::Exchange;
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{NtlmVersion, SealingKeyRule};
use ntlm::message::{
    AuthenticateMessage, AvId, Message, MessageType, NegotiateMessage, NtChallengeResponse,
    TargetInfo,
};
use ntlm::wire::{DecodeError, DecodeErrorKind};
use ntlm_capture::Timestamp;
use ntlm_netlogon::pdu::{Header, PacketType};

/// The finding that a defect of a message is.
pub(crate) const fn code_of(defect: &DecodeError) -> FindingCode {
    match defect.kind {
        DecodeErrorKind::Duplicate => FindingCode::DuplicateAvPair,
        DecodeErrorKind::MissingEol => FindingCode::UnterminatedAvPairs,
        DecodeErrorKind::NoRoomForMic => FindingCode::AnnouncedMicMissing,
        _ => FindingCode::DamagedMessage,
    }
}

/// Findings that need no secret.
pub(crate) fn messages(exchange: &Exchange<'_>, found: &FoundExchange, findings: &mut Findings) {
    let authenticate = exchange.authenticate();
    let (lm, nt) = (authenticate.lm_challenge_response, authenticate.nt_challenge_response);
    lm_response(exchange.apparent_version(), lm.bytes(), nt.bytes(), findings);
    protection(exchange, findings);
    flags_between(exchange, found, findings);
    if exchange.apparent_version() == Some(NtlmVersion::Ntlmv2) {
        announced_mic(exchange, found, findings);
        av_pairs(exchange, found, findings);
    }
}

/// An LM response beside the NTLMv1 response. Without an LM hash, clients send the latter twice.
pub(crate) fn lm_response(
    version: Option<NtlmVersion>,
    lm: &[u8],
    nt: &[u8],
    findings: &mut Findings,
) {
    if version == Some(NtlmVersion::Ntlmv1) && lm.len() == 24 && lm != nt {
        let text = "beside the NTLMv1 response the client sent one made from the LM hash";
        findings.say(FindingCode::LmResponseSent, text);
    }
}

/// How strong the keys are that protect messages.
fn protection(exchange: &Exchange<'_>, findings: &mut Findings) {
    let flags = exchange.negotiate_flags();
    if !flags.protects() || exchange.apparent_version() == Some(NtlmVersion::Anonymous) {
        return;
    }
    if !flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY) {
        findings.say(
            FindingCode::NoExtendedSessionSecurity,
            "messages are protected without extended session security",
        );
    }
    let bits = SealingKeyRule::choose(flags).strength_bits();
    if bits < 128 {
        findings.say(FindingCode::WeakKeys, format!("sealing keys have {bits} secret bits"));
    }
}

/// The flags that decide about protection: what each message does to those of the one before.
fn flags_between(exchange: &Exchange<'_>, found: &FoundExchange, findings: &mut Findings) {
    if exchange.is_connectionless() {
        return;
    }
    let protection = NegotiateFlags::NEGOTIATE_SIGN
        | NegotiateFlags::NEGOTIATE_SEAL
        | NegotiateFlags::NEGOTIATE_128
        | NegotiateFlags::NEGOTIATE_KEY_EXCH
        | NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY;
    let granted = exchange.challenge().negotiate_flags.intersection(protection);
    let offered = found.negotiate.as_ref();
    let offered = offered.and_then(|seen| NegotiateMessage::decode(&seen.bytes).ok());
    if let Some(offered) = offered {
        let refused = offered.negotiate_flags.intersection(protection).difference(granted);
        if !refused.is_empty() {
            let place = found.challenge.as_ref();
            let place = place.and_then(|seen| at(MessageType::Challenge, seen, 20, 4));
            let text = format!("CHALLENGE does not grant {}", names(refused).join(", "));
            findings.point(FindingCode::FlagsNotGranted, text, place);
        }
    }
    let Some(kept) = exchange.authenticate().negotiate_flags else { return };
    let dropped = granted.difference(kept);
    if !dropped.is_empty() {
        let text = format!("AUTHENTICATE drops {}", names(dropped).join(", "));
        findings.point(FindingCode::FlagsDropped, text, in_authenticate(found, 60, 4));
    }
    let added = kept.intersection(protection).difference(granted);
    if !added.is_empty() {
        let text = format!("AUTHENTICATE sets {} unasked", names(added).join(", "));
        findings.point(FindingCode::FlagsAdded, text, in_authenticate(found, 60, 4));
    }
}

fn in_authenticate(found: &FoundExchange, offset: usize, length: usize) -> Option<At> {
    let seen = found.authenticate.as_ref()?;
    at(MessageType::Authenticate, seen, offset, length)
}

/// A MIC of zeros is none, whatever MsvAvFlags says.
fn announced_mic(exchange: &Exchange<'_>, found: &FoundExchange, findings: &mut Findings) {
    let authenticate = exchange.authenticate();
    if authenticate.announces_mic() && authenticate.mic == Some([0; 16]) {
        let range = AuthenticateMessage::MIC_RANGE;
        findings.point(
            FindingCode::AnnouncedMicMissing,
            "the client announces a MIC, yet the field is zero",
            in_authenticate(found, range.start, range.len()),
        );
    }
}

/// What the client says inside its NTLMv2 response.
fn av_pairs(exchange: &Exchange<'_>, found: &FoundExchange, findings: &mut Findings) {
    let list = exchange.client_target_info().unwrap_or_default();
    let offered = exchange.challenge().target_info().and_then(|list| list.timestamp());
    if offered.is_some() && !exchange.authenticate().announces_mic() {
        findings.say(
            FindingCode::MicMissing,
            "the server sent a timestamp, yet the client announces no MIC",
        );
    }
    match list.channel_bindings() {
        None => findings.say(FindingCode::ChannelBindingsAbsent, "no channel bindings"),
        Some(bindings) if bindings == [0; 16] => {
            findings.say(FindingCode::ChannelBindingsZero, "channel bindings are zero");
        }
        Some(_) => {}
    }
    if list.flags().is_some_and(|flags| flags.untrusted_target_name()) {
        findings.say(
            FindingCode::TargetNameUntrusted,
            "the client says that its target name comes from an untrusted source",
        );
    }
    if !exchange.target_info_is_echoed() {
        findings.say(
            FindingCode::TargetInfoNotEchoed,
            "the AV_PAIRs of CHALLENGE did not come back unchanged",
        );
    }
    target_name(exchange, list, found, findings);
    if let Ok(NtChallengeResponse::Ntlmv2(response)) =
        exchange.authenticate().nt_challenge_response()
    {
        clock(response.client_challenge.time_stamp, found, findings);
    }
}

/// Whether the host in the SPN is one of the names that the server gave itself, or its address.
fn target_name(
    exchange: &Exchange<'_>,
    list: TargetInfo<'_>,
    found: &FoundExchange,
    findings: &mut Findings,
) {
    let spn = list.text(AvId::TARGET_NAME).map(|name| name.to_string()).unwrap_or_default();
    let Some(host) = host_of(&spn) else { return };
    let server = exchange.challenge().target_info().unwrap_or_default();
    let ids = [AvId::NB_COMPUTER_NAME, AvId::DNS_COMPUTER_NAME];
    let server_names: Vec<String> = ids
        .into_iter()
        .filter_map(|id| server.text(id))
        .map(|name| name.to_string())
        .filter(|name| !name.is_empty())
        .collect();
    let is_known = server_names.iter().any(|name| name.to_lowercase() == host.to_lowercase());
    let address = found.endpoints.map(|ends| ends.server.ip());
    let is_address = address.is_some() && host.parse().ok() == address;
    if !server_names.is_empty() && !is_known && !is_address {
        let text = format!("the client means {spn}, the server is {}", server_names.join(", "));
        findings.say(FindingCode::TargetNameOther, text);
    }
}

/// `service/host[:port][/instance]`, or a host alone; addresses of IPv6 may stand in brackets.
fn host_of(spn: &str) -> Option<&str> {
    let mut parts = spn.split('/');
    let first = parts.next().filter(|part| !part.is_empty())?;
    let host = parts.next().unwrap_or(first);
    let host = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None if host.matches(':').count() == 1 => host.split(':').next().unwrap_or_default(),
        None => host,
    };
    (!host.is_empty()).then_some(host)
}

fn clock(time_stamp: ntlm::FileTime, found: &FoundExchange, findings: &mut Findings) {
    const HALF_AN_HOUR: u64 = 30 * 60;
    let captured = found
        .authenticate
        .as_ref()
        .and_then(|seen| seen.origin)
        .and_then(|origin| origin.time)
        .map(|Timestamp(nanos)| ntlm::FileTime::from_unix_nanos(u128::from(nanos)));
    if let Some(captured) = captured {
        let apart = captured.seconds_apart(time_stamp);
        if apart > HALF_AN_HOUR {
            findings.say(
                FindingCode::ClockSkew,
                format!("the timestamp is {apart} s away from the time of the capture"),
            );
        }
    }
}

/// How the client proved itself. That a lone response is LM, not LMv2, only a secret shows.
pub(crate) fn version(explained: &Explained, findings: &mut Findings) {
    if let Some(version @ ("LM" | "NTLMv1" | "NTLMv1-ESS")) = explained.version {
        findings.say(FindingCode::WeakVersion, format!("the client proved itself with {version}"));
    }
}

/// What the server said, beside what the secret shows.
pub(crate) fn answer(explained: &Explained, findings: &mut Findings) {
    let status = explained.outcome.status.as_deref().unwrap_or_default();
    if explained.outcome.guest {
        let name = account_text(&explained.account);
        findings.say(FindingCode::Guest, format!("{name} was let in as a guest"));
        return;
    }
    match (explained.outcome.result, explained.response) {
        ("accepted", Verdict::Invalid) => findings.say(
            FindingCode::AcceptedThoughInvalid,
            "the server accepted a response that is not valid under the secret given here",
        ),
        ("refused", Verdict::Valid) => {
            let text = format!("the response is valid, yet the server answered {}", words(status));
            findings.say(FindingCode::RefusedThoughValid, text);
        }
        ("refused", Verdict::Invalid) => {
            let answered = format!("the server answered {}", words(status));
            let agrees = "as it should if the secret given here is right";
            findings.say(FindingCode::Refused, format!("{answered}, {agrees}"));
        }
        ("refused", _) => {
            findings.say(FindingCode::Refused, format!("the server answered {}", words(status)));
        }
        _ => {}
    }
}

/// What SMB made of the keys. What matters most stays first.
pub(crate) fn smb(smb: &SmbExplained, findings: &mut Vec<Finding>) {
    let mut say = |code: FindingCode, text: String| findings.push(Finding::new(code, text));
    let list = |kind: &str, count: u64| {
        let shown: Vec<String> = smb
            .failures
            .iter()
            .take(3)
            .map(|failure| format!("frame {}: {}", failure.frame, failure.message))
            .collect();
        format!("{count} {kind}; {}", shown.join("; "))
    };
    let Signatures { valid, invalid, unsigned, .. } = smb.signatures;
    if invalid > 0 {
        say(FindingCode::SmbSignatureInvalid, list("signatures do not hold", invalid));
    }
    if smb.decrypted.failed > 0 {
        let text = list("encrypted packets do not open", smb.decrypted.failed);
        say(FindingCode::SmbDecryptionFailed, text);
    }
    if let Some(frame) = smb.gap {
        let text = format!("packets of this connection are missing before frame {frame}");
        say(FindingCode::SmbGap, text);
    }
    if smb.dialect.is_none() {
        say(FindingCode::SmbGap, "SMB's NEGOTIATE was not seen".to_owned());
    }
    if smb.is_cut_off {
        let text = "the capture ends before this session does: what followed is not counted";
        say(FindingCode::SmbNotEnded, text.to_owned());
    }
    if smb.by_anyone > 0 {
        let text = format!("{} messages of an anonymous session are signed", smb.by_anyone);
        say(FindingCode::SmbAnonymousSigned, text);
    }
    if let Some(why) = smb.unknown {
        say(FindingCode::SmbKeysUnknown, format!("SMB's keys are not known: {why}"));
    }
    if !smb.unchecked.is_empty() {
        let parts = smb.unchecked.iter().map(|(why, count)| format!("{count}: {}", why.text()));
        let parts: Vec<String> = parts.collect();
        let text = format!("signatures or packets left unchecked, {}", parts.join("; "));
        say(FindingCode::SmbUnchecked, text);
    }
    // The last response of session setup is always signed.
    if unsigned > 0 && valid + invalid <= 1 && smb.decrypted == Decrypted::default() {
        let text = format!("{unsigned} messages are neither signed nor encrypted");
        say(FindingCode::SmbNotProtected, text);
    }
    if !smb.smb_extended_security {
        let text = "session setup without SMB's extended security";
        say(FindingCode::SmbNoExtendedSecurity, text.to_owned());
    }
    findings.sort_by_key(|finding| core::cmp::Reverse(finding.severity));
}

/// What DCE/RPC made of the keys. What matters most stays first.
pub(crate) fn rpc(rpc: &RpcExplained, findings: &mut Vec<Finding>) {
    let mut say = |code: FindingCode, text: String| findings.push(Finding::new(code, text));
    signatures(rpc.signatures, &rpc.failures, &mut say);
    gaps(rpc.gap, rpc.is_cut_off, &mut say);
    unchecked(&rpc.unchecked, &mut say);
    let Signatures { unsigned, .. } = rpc.signatures;
    if unsigned > 0 {
        let text = format!("{unsigned} calls and answers are neither signed nor sealed");
        say(FindingCode::RpcNotProtected, text);
    }
    findings.sort_by_key(|finding| core::cmp::Reverse(finding.severity));
}

fn signatures(
    signatures: Signatures,
    failures: &[Failure],
    say: &mut impl FnMut(FindingCode, String),
) {
    if signatures.invalid > 0 {
        let shown = failures.iter().take(3);
        let shown = shown.map(|failure| format!("frame {}: {}", failure.frame, failure.message));
        let shown: Vec<String> = shown.collect();
        let text = match signatures.invalid {
            1 => format!("1 signature does not hold; {}", shown.join("; ")),
            count => format!("{count} signatures do not hold; {}", shown.join("; ")),
        };
        say(FindingCode::RpcSignatureInvalid, text);
    }
}

fn gaps(gap: Option<u64>, is_cut_off: bool, say: &mut impl FnMut(FindingCode, String)) {
    if let Some(frame) = gap {
        let text = format!("packets of this connection are missing before frame {frame}");
        say(FindingCode::RpcGap, text);
    }
    if is_cut_off {
        let text = "the capture ends before this association does: what followed is not counted";
        say(FindingCode::RpcNotEnded, text.to_owned());
    }
}

fn unchecked(unchecked: &[(Unchecked, u64)], say: &mut impl FnMut(FindingCode, String)) {
    if !unchecked.is_empty() {
        let parts = unchecked.iter().map(|(why, count)| format!("{count}: {}", why.text()));
        let parts: Vec<String> = parts.collect();
        let text = format!("signatures left unchecked, {}", parts.join("; "));
        say(FindingCode::RpcUnchecked, text);
    }
}

/// What a secure channel came to.
pub(crate) fn channel(
    channel: &ChannelExplained,
    left: &[(Unchecked, u64)],
    gap: Option<u64>,
    is_cut_off: bool,
    findings: &mut Findings,
) {
    let mut say = |code: FindingCode, text: String| findings.say(code, text);
    signatures(channel.signatures, &channel.failures, &mut say);
    gaps(gap, is_cut_off, &mut say);
    unchecked(left, &mut say);
    if channel.algorithms == Some("RC4-MD5") {
        let text = "the channel computes with RC4, MD5 and DES, which patched servers refuse";
        say(FindingCode::NetlogonWeak, text.to_owned());
    }
    if channel.level != "privacy" {
        let text = "what goes through the channel is signed only, and can be read on the way";
        say(FindingCode::NetlogonNotSealed, text.to_owned());
    }
    if channel.account.is_none() {
        let text = format!("how {} set this channel up was not seen", channel.machine);
        say(FindingCode::NetlogonSetupNotSeen, text);
    }
    if let Some(logon) = channel.logons.iter().find(|logon| logon.is_of_other_domain()) {
        let name = account_text(&logon.account);
        let text = format!("the secrets have {name} under another domain only, which was taken");
        say(FindingCode::OtherDomain, text);
    }
    let mut refuted = channel.logons.iter().filter(|logon| logon.response == Verdict::Invalid);
    if let Some(first) = refuted.next() {
        let name = account_text(&first.account);
        let more = match refuted.count() {
            0 => String::new(),
            count => format!(", nor are {count} more"),
        };
        let text = format!(
            "the response of {name} in a logon passed through is not valid under the secret given{more}"
        );
        say(FindingCode::InvalidResponse, text);
    }
}

/// `request (call_id 7)`.
pub(crate) fn fragment_name(fragment: &[u8]) -> String {
    let Ok(header) = Header::decode(fragment) else { return "a fragment".to_owned() };
    let what = match header.ptype {
        PacketType::REQUEST => "request",
        PacketType::RESPONSE => "response",
        PacketType::FAULT => "fault",
        _ => "fragment",
    };
    format!("{what} (call_id {})", header.call_id)
}

/// A status with what it means.
pub(crate) fn words(status: &str) -> String {
    let meaning = match status {
        "STATUS_LOGON_FAILURE" => "wrong user name or password",
        "STATUS_NO_SUCH_USER" => "there is no such account",
        "STATUS_WRONG_PASSWORD" => "wrong password",
        "STATUS_ACCOUNT_DISABLED" => "the account is disabled",
        "STATUS_ACCOUNT_EXPIRED" => "the account has expired",
        "STATUS_ACCOUNT_LOCKED_OUT" => "too many wrong passwords: the account is locked",
        "STATUS_ACCOUNT_RESTRICTION" => "a restriction of the account, or a policy against NTLM",
        "STATUS_INVALID_LOGON_HOURS" => "not at this hour",
        "STATUS_INVALID_WORKSTATION" => "not from this workstation",
        "STATUS_LOGON_TYPE_NOT_GRANTED" => "no right to log on over the network",
        "STATUS_PASSWORD_EXPIRED" => "the password has expired",
        "STATUS_PASSWORD_MUST_CHANGE" => "the password must be changed first",
        "STATUS_NTLM_BLOCKED" => "a policy forbids NTLM",
        "STATUS_NO_LOGON_SERVERS" => "the server found no domain controller",
        "STATUS_TRUSTED_RELATIONSHIP_FAILURE" => "the server's own account in the domain is broken",
        "STATUS_INVALID_PARAMETER" | "STATUS_BAD_BINDINGS" => {
            "a MIC, bindings or a message were not right"
        }
        "STATUS_ACCESS_DENIED" => "known, but not allowed",
        "401" | "407" => "credentials were asked for again",
        "" => "with a refusal",
        _ => return status.to_owned(),
    };
    match status {
        "" => meaning.to_owned(),
        status => format!("{status}: {meaning}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_of_an_spn_is_found() {
        assert_eq!(host_of("cifs/server"), Some("server"));
        assert_eq!(host_of("HTTP/server.example:8080"), Some("server.example"));
        assert_eq!(host_of("MSSQLSvc/db.example:1433/instance"), Some("db.example"));
        assert_eq!(host_of("cifs/[::1]:445"), Some("::1"));
        assert_eq!(host_of("cifs/fe80::1"), Some("fe80::1"));
        assert_eq!(host_of("server"), Some("server"));
        assert_eq!(host_of(""), None);
        assert_eq!(host_of("cifs/"), None);
    }

    #[test]
    fn a_status_is_put_into_words() {
        let words = words("STATUS_ACCOUNT_DISABLED");
        assert_eq!(words, "STATUS_ACCOUNT_DISABLED: the account is disabled");
        assert_eq!(super::words("0xc0001234"), "0xc0001234");
    }
}
