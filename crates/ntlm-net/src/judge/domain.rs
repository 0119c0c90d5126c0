//! Accounts of a domain: its controllers judge.

use super::{Answer, ByController, DenialCause, Denied, judged};
use crate::netlogon::{Domain, Verdict};
use ntlm::LogonRequest;
use ntlm_netlogon::logon::Refusal;
use ntlm_smb::NtStatus;

pub(super) async fn judge(domain: &Domain, request: LogonRequest) -> Answer {
    if request.is_anonymous() {
        return Answer::here(request.verify(None));
    }
    match domain.judge(request).await {
        Ok(Verdict::Accepted { outcome, account, via }) => {
            let by_controller = ByController { via, account: Some(account) };
            judged(*outcome, Some(Box::new(by_controller))).into()
        }
        Ok(Verdict::Refused {
            request,
            refusal: Refusal::NoSuchUser,
            authoritative: false,
            ..
        }) => Answer::NotKnown(request),
        Ok(Verdict::Refused { refusal, via, .. }) => Err(Denied {
            status: status_of_refusal(refusal),
            cause: DenialCause::Controller(refusal),
            by_controller: Some(Box::new(ByController { via, account: None })),
        })
        .into(),
        Err(why) => {
            Err(Denied::new(NtStatus::NO_LOGON_SERVERS, DenialCause::NotJudged(why))).into()
        }
    }
}

/// What a client is told: whether the name or the password is wrong is not its business.
const fn status_of_refusal(refusal: Refusal) -> NtStatus {
    match refusal {
        Refusal::WrongPassword | Refusal::NoSuchUser | Refusal::LogonFailure | Refusal::Guest => {
            NtStatus::LOGON_FAILURE
        }
        refusal => refusal.status(),
    }
}
