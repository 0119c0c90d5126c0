//! Who answers a logon.

use ntlm::{DenialReason, LogonOutcome, LogonRequest};
use ntlm_accounts::Accounts;
use ntlm_smb::NtStatus;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Whoever knows the accounts, and answers each [`LogonRequest`]: here, or a domain controller far
/// away. It may take its time; others are served meanwhile.
///
/// ```
/// use ntlm_net::smb::{Denied, Judge};
///
/// // Nobody gets in.
/// let judge = Judge::new(|request| async move { Ok(request.verify(None)?) });
/// ```
#[derive(Clone)]
pub struct Judge(Arc<Answer>);

type Answer = dyn Fn(LogonRequest) -> Pin<Box<dyn Future<Output = Judged> + Send>> + Send + Sync;

/// What a judge says.
pub type Judged = Result<LogonOutcome, Denied>;

/// A logon that is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What the client is told.
    pub status: NtStatus,
    /// Why, for the server's own log.
    pub cause: DenialCause,
}

/// Why a logon is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DenialCause {
    /// The proof, or what the policy asks for.
    Logon(DenialReason),
    /// The account proved itself, and is disabled.
    Disabled,
    /// Several accounts fit the name.
    Ambiguous,
    /// The judge did not answer in time.
    TimedOut,
    /// Something else, which the status says.
    Other,
}

impl fmt::Display for DenialCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logon(reason) => reason.fmt(f),
            Self::Disabled => f.write_str("the account is disabled"),
            Self::Ambiguous => f.write_str("several accounts fit the name"),
            Self::TimedOut => f.write_str("the judge did not answer in time"),
            Self::Other => f.write_str("the judge says no"),
        }
    }
}

impl From<ntlm::LogonDenied> for Denied {
    fn from(denied: ntlm::LogonDenied) -> Self {
        let cause = DenialCause::Logon(denied.reason_for_the_log());
        Self { status: NtStatus::LOGON_FAILURE, cause }
    }
}

impl Judge {
    /// Answers by a function.
    #[must_use]
    pub fn new<F, A>(answer: F) -> Self
    where
        F: Fn(LogonRequest) -> A + Send + Sync + 'static,
        A: Future<Output = Judged> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(answer(request))))
    }

    /// Answers from accounts. An unknown account, and names that fit several, cost what a wrong
    /// password costs; only who has the password of a disabled account learns that it is.
    #[must_use]
    pub fn accounts(accounts: Accounts) -> Self {
        let accounts = Arc::new(accounts);
        Self::new(move |request| {
            let judged = judge(&accounts, request);
            async move { judged }
        })
    }

    pub(super) async fn answer(&self, request: LogonRequest) -> Judged {
        (self.0)(request).await
    }
}

fn judge(accounts: &Accounts, request: LogonRequest) -> Judged {
    let found = accounts.find(&request.user(), &request.domain());
    let Ok(found) = found else {
        // As if it were unknown, but never a guest.
        let cause = DenialCause::Ambiguous;
        let _: Result<_, _> = request.verify(None);
        return Err(Denied { status: NtStatus::LOGON_FAILURE, cause });
    };
    let outcome = request.verify(found.as_ref().map(|found| found.secret))?;
    if matches!(outcome, LogonOutcome::Account(_))
        && found.is_some_and(|found| found.account.disabled)
    {
        let status = NtStatus::ACCOUNT_DISABLED;
        return Err(Denied { status, cause: DenialCause::Disabled });
    }
    Ok(outcome)
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge(..)")
    }
}
