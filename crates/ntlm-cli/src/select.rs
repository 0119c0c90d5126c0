//! Which exchanges are shown.

use crate::args::{ExplainArgs, WithVerdict, WithVersion};
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

fn any<T>(wanted: &[T], fits: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(fits)
}

fn is_account(explained: &Explained, name: &str) -> bool {
    let (user, domain) = (&explained.account.user, &explained.account.domain);
    let name = name.to_lowercase();
    [user.clone(), format!("{domain}\\{user}"), format!("{user}@{domain}")]
        .iter()
        .any(|known| known.to_lowercase() == name)
}

fn is_host(explained: &Explained, host: &str) -> bool {
    let is_end = |end: &Option<String>| {
        end.as_deref().is_some_and(|end| {
            let address = end.rsplit_once(':').map_or(end, |(address, _)| address);
            let bare = address.trim_start_matches('[').trim_end_matches(']');
            [end, address, bare].iter().any(|known| known.eq_ignore_ascii_case(host))
        })
    };
    is_end(&explained.client)
        || is_end(&explained.server)
        || explained.account.workstation.to_lowercase() == host.to_lowercase()
}

fn is_version(explained: &Explained, version: WithVersion) -> bool {
    let names: &[&str] = match version {
        WithVersion::Ntlmv2 => &["NTLMv2"],
        WithVersion::Ntlmv1 => &["NTLMv1", "NTLMv1-ESS"],
        WithVersion::Ntlmv1Ess => &["NTLMv1-ESS"],
        WithVersion::Lm => &["LM"],
        WithVersion::Lmv2 => &["LMv2"],
        WithVersion::Anonymous => &["anonymous"],
        WithVersion::LocalCall => &["local-call"],
    };
    explained.version.is_some_and(|version| names.contains(&version))
}

fn is_verdict(explained: &Explained, verdict: WithVerdict) -> bool {
    match verdict {
        WithVerdict::Valid => explained.response == Verdict::Valid && !explained.has_invalid(),
        WithVerdict::Invalid => explained.has_invalid(),
        WithVerdict::Unchecked => explained.response == Verdict::Unchecked,
        WithVerdict::Absent => explained.response == Verdict::Absent,
    }
}
