//! Which exchanges are shown.

use crate::args::{ExplainArgs, WithVerdict, WithVersion};
use ntlm_explain::netlogon::ChannelExplained;
use ntlm_explain::{Explained, Verdict};

/// Whether the options ask for anything less than everything.
pub(crate) fn is_filtered(args: &ExplainArgs) -> bool {
    !(args.exchange.is_empty()
        && args.account.is_empty()
        && args.host.is_empty()
        && args.with_version.is_empty()
        && args.verdict.is_empty())
}

/// Whether an exchange is asked for: each kind of filter must fit, by any of its values.
pub(crate) fn fits(args: &ExplainArgs, explained: &Explained) -> bool {
    any(&args.exchange, |number| *number == explained.id)
        && any(&args.account, |name| is_account(explained, name))
        && any(&args.host, |host| is_host(explained, host))
        && any(&args.with_version, |version| is_version(explained, *version))
        && any(&args.verdict, |verdict| is_verdict(explained, *verdict))
}

/// Whether a secure channel is asked for: by its machine or one of its logons; not where one exchange is.
pub(crate) fn fits_channel(args: &ExplainArgs, channel: &ChannelExplained) -> bool {
    let logons = &channel.logons;
    let is_linked = |id: &u64| logons.iter().any(|logon| logon.exchange == Some(*id));
    any(&args.exchange, is_linked)
        && any(&args.account, |name| {
            let account = channel.account.as_deref().unwrap_or(&channel.machine);
            is_name(account, &channel.domain, name)
                || logons
                    .iter()
                    .any(|logon| is_name(&logon.account.user, &logon.account.domain, name))
        })
        && any(&args.host, |host| {
            is_end(&channel.client, host)
                || is_end(&channel.server, host)
                || channel.machine.to_lowercase() == host.to_lowercase()
        })
        && any(&args.with_version, |version| {
            logons.iter().any(|logon| is_one_of(logon.version, *version))
        })
        && any(&args.verdict, |verdict| match verdict {
            WithVerdict::Valid => !channel.has_invalid() && channel.signatures.valid > 0,
            WithVerdict::Invalid => channel.has_invalid(),
            WithVerdict::Unchecked => channel.has_unchecked(),
            WithVerdict::Absent => false,
        })
}

fn any<T>(wanted: &[T], fits: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(fits)
}

fn is_account(explained: &Explained, name: &str) -> bool {
    is_name(&explained.account.user, &explained.account.domain, name)
}

fn is_name(user: &str, domain: &str, name: &str) -> bool {
    let name = name.to_lowercase();
    [user.to_owned(), format!("{domain}\\{user}"), format!("{user}@{domain}")]
        .iter()
        .any(|known| known.to_lowercase() == name)
}

fn is_host(explained: &Explained, host: &str) -> bool {
    let ends = [&explained.client, &explained.server];
    ends.into_iter().flatten().any(|end| is_end(end, host))
        || explained.account.workstation.to_lowercase() == host.to_lowercase()
}

fn is_end(end: &str, host: &str) -> bool {
    let address = end.rsplit_once(':').map_or(end, |(address, _)| address);
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    [end, address, bare].iter().any(|known| known.eq_ignore_ascii_case(host))
}

fn is_version(explained: &Explained, version: WithVersion) -> bool {
    is_one_of(explained.version, version)
}

fn is_one_of(seen: Option<&str>, version: WithVersion) -> bool {
    let names: &[&str] = match version {
        WithVersion::Ntlmv2 => &["NTLMv2"],
        WithVersion::Ntlmv1 => &["NTLMv1", "NTLMv1-ESS"],
        WithVersion::Ntlmv1Ess => &["NTLMv1-ESS"],
        WithVersion::Lm => &["LM"],
        WithVersion::Lmv2 => &["LMv2"],
        WithVersion::Anonymous => &["anonymous"],
        WithVersion::LocalCall => &["local-call"],
    };
    seen.is_some_and(|version| names.contains(&version))
}

fn is_verdict(explained: &Explained, verdict: WithVerdict) -> bool {
    match verdict {
        WithVerdict::Valid => explained.response == Verdict::Valid && !explained.has_invalid(),
        WithVerdict::Invalid => explained.has_invalid(),
        WithVerdict::Unchecked => explained.response == Verdict::Unchecked,
        WithVerdict::Absent => explained.response == Verdict::Absent,
    }
}
