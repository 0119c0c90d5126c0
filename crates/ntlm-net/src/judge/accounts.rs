//! Accounts whose secrets are here.

use super::{Answer, DenialCause, Denied};
use ntlm::text::Utf16String;
use ntlm::{LogonOutcome, LogonRequest};
use ntlm_accounts::{Accounts, Ambiguous, Match, MatchKind};
use ntlm_smb::NtStatus;

/// All logons, by the rule that captures are read with.
pub(super) fn judge(accounts: &Accounts, request: LogonRequest) -> Answer {
    settle(accounts.find(&request.user(), &request.domain()), request)
}

/// Those that mean an account of this computer, or one whose domain is the one they name.
pub(super) fn judge_of(
    accounts: &Accounts,
    computer: &Utf16String,
    request: LogonRequest,
) -> Answer {
    let (user, domain) = (request.user(), request.domain());
    let is_local =
        domain.is_empty() || domain == Utf16String::from(".") || domain.eq_ignore_case(computer);
    let found = match accounts.find_in_domain(&user, &domain) {
        Ok(None) if is_local => {
            let found = accounts.find(&user, computer);
            found.map(|found| found.filter(|found| found.kind != MatchKind::OtherDomain))
        }
        found => found,
    };
    settle(found, request)
}

fn settle(found: Result<Option<Match<'_>>, Ambiguous>, request: LogonRequest) -> Answer {
    let Ok(found) = found else {
        // As if it were unknown, but never a guest.
        let _: Result<_, _> = request.verify(None);
        return Err(Denied::new(NtStatus::LOGON_FAILURE, DenialCause::Ambiguous)).into();
    };
    if found.is_none() && !request.is_anonymous() {
        return Answer::NotKnown(request);
    }
    let answer = request.verify(found.as_ref().map(|found| found.secret));
    if matches!(answer, Ok(LogonOutcome::Account(_)))
        && found.is_some_and(|found| found.account.disabled)
    {
        return Err(Denied::new(NtStatus::ACCOUNT_DISABLED, DenialCause::Disabled)).into();
    }
    Answer::here(answer)
}
