//! Accounts whose secrets are here.

use super::{Answer, DenialCause};
use ntlm::{LogonOutcome, LogonRequest};
use ntlm_accounts::Accounts;
use ntlm_smb::NtStatus;

pub(super) fn judge(accounts: &Accounts, request: LogonRequest) -> Answer {
    let Ok(found) = accounts.find(&request.user(), &request.domain()) else {
        // As if it were unknown, but never a guest.
        let _: Result<_, _> = request.verify(None);
        return Answer::denied(NtStatus::LOGON_FAILURE, DenialCause::Ambiguous);
    };
    if found.is_none() && !request.is_anonymous() {
        return Answer::NotKnown(request);
    }
    let answer = request.verify(found.as_ref().map(|found| found.secret));
    if matches!(answer, Ok(LogonOutcome::Account(_)))
        && found.is_some_and(|found| found.account.disabled)
    {
        return Answer::denied(NtStatus::ACCOUNT_DISABLED, DenialCause::Disabled);
    }
    Answer::here(answer)
}
