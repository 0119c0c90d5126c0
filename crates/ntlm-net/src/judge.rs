//! Who answers a logon: accounts, a domain, or one after the other.

mod accounts;
mod domain;

use crate::netlogon::{Domain, NotJudged, Via};
use ntlm::text::Utf16String;
use ntlm::{DenialReason, LogonDenied, LogonOutcome, LogonRequest};
use ntlm_accounts::Accounts;
use ntlm_netlogon::calls::Validation;
use ntlm_netlogon::logon::Refusal;
use ntlm_smb::NtStatus;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Whoever knows the accounts, and answers each [`LogonRequest`]: here, or a domain controller far
/// away. It may take its time; others are served meanwhile.
///
/// ```
/// use ntlm_net::{Answer, Judge};
///
/// // Nobody gets in.
/// let judge = Judge::new(|request| async move { Answer::here(request.verify(None)) });
/// ```
#[derive(Clone)]
pub struct Judge(Arc<Ask>);

type Ask = dyn Fn(LogonRequest) -> Pin<Box<dyn Future<Output = Answer> + Send>> + Send + Sync;

/// What a judge says.
#[derive(Debug)]
pub enum Answer {
    /// The logon is accepted or refused.
    Judged(Box<Judged>),
    /// The account is not one of the judge's. Another may know it.
    NotKnown(LogonRequest),
}

/// How a logon ended.
pub type Judged = Result<Granted, Denied>;

/// A logon that is accepted.
#[derive(Debug)]
pub struct Granted {
    /// What it leaves.
    pub outcome: LogonOutcome,
    /// Which domain controller judged, where it was one.
    pub by_controller: Option<Box<ByController>>,
}

/// Which domain controller judged, and what it said of the account.
#[derive(Debug)]
pub struct ByController {
    /// Which one, and how it was asked.
    pub via: Via,
    /// Names, groups and the like; `None` where it refused.
    pub account: Option<Box<Validation>>,
}

/// A logon that is refused.
#[derive(Debug)]
pub struct Denied {
    /// What the client is told.
    pub status: NtStatus,
    /// Why, for the server's own log.
    pub cause: DenialCause,
    /// Which domain controller judged, where it was one. It may have accepted what was then refused
    /// here: for the MIC, channel bindings, or the policy.
    pub by_controller: Option<Box<ByController>>,
}

/// Why a logon is refused.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum DenialCause {
    /// The proof, or what the policy asks for.
    Logon(DenialReason),
    /// The account proved itself, and is disabled.
    Disabled,
    /// Several accounts fit the name.
    Ambiguous,
    /// The domain controller refuses.
    Controller(Refusal),
    /// No domain controller gave a verdict.
    NotJudged(NotJudged),
    /// The judge did not answer in time.
    TimedOut,
}

impl fmt::Display for DenialCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logon(reason) => reason.fmt(f),
            Self::Disabled => f.write_str("the account is disabled"),
            Self::Ambiguous => f.write_str("several accounts fit the name"),
            Self::Controller(refusal) => write!(f, "the domain controller says {refusal}"),
            Self::NotJudged(why) => write!(f, "no verdict: {why}"),
            Self::TimedOut => f.write_str("the judge did not answer in time"),
        }
    }
}

impl Denied {
    pub(crate) const fn new(status: NtStatus, cause: DenialCause) -> Self {
        Self { status, cause, by_controller: None }
    }
}

impl From<LogonDenied> for Denied {
    fn from(denied: LogonDenied) -> Self {
        Self::new(NtStatus::LOGON_FAILURE, DenialCause::Logon(denied.reason_for_the_log()))
    }
}

impl Answer {
    /// A logon that was judged here.
    #[must_use]
    pub fn here(result: Result<LogonOutcome, LogonDenied>) -> Self {
        judged(result, None).into()
    }
}

impl From<Judged> for Answer {
    fn from(judged: Judged) -> Self {
        Self::Judged(Box::new(judged))
    }
}

/// What our own checks make of a logon, which a controller accepted first if it was asked.
fn judged(
    result: Result<LogonOutcome, LogonDenied>,
    by_controller: Option<Box<ByController>>,
) -> Judged {
    match result {
        Ok(outcome) => Ok(Granted { outcome, by_controller }),
        Err(denied) => Err(Denied { by_controller, ..denied.into() }),
    }
}

impl Judge {
    /// Answers by a function.
    #[must_use]
    pub fn new<F, A>(answer: F) -> Self
    where
        F: Fn(LogonRequest) -> A + Send + Sync + 'static,
        A: Future<Output = Answer> + Send + 'static,
    {
        Self(Arc::new(move |request| Box::pin(answer(request))))
    }

    /// Answers from accounts. An unknown account, and names that fit several, cost what a wrong
    /// password costs; only who has the password of a disabled account learns that it is.
    #[must_use]
    pub fn accounts(accounts: Accounts) -> Self {
        let accounts = Arc::new(accounts);
        Self::new(move |request| {
            let answer = accounts::judge(&accounts, request);
            async move { answer }
        })
    }

    /// Answers from the accounts of one computer, a member of a domain whose controllers know the
    /// others. Its own are those without a domain or of its NetBIOS name, for logons that name no
    /// domain, `.`, or that name; an account of another domain is for logons that name just that. Of
    /// every other logon it says that it does not know the account.
    #[must_use]
    pub fn accounts_of(accounts: Accounts, computer: &str) -> Self {
        let own = Arc::new((accounts, Utf16String::from(computer)));
        Self::new(move |request| {
            let answer = accounts::judge_of(&own.0, &own.1, request);
            async move { answer }
        })
    }

    /// Asks the controllers of a domain. It does not know the accounts of which they say that they
    /// do not, and are not the ones to say so.
    #[must_use]
    pub fn domain(domain: Domain) -> Self {
        let domain = Arc::new(domain);
        Self::new(move |request| {
            let domain = Arc::clone(&domain);
            async move { domain::judge(&domain, request).await }
        })
    }

    /// Asks one after the other, until one knows the account.
    #[must_use]
    pub fn chain(judges: Vec<Self>) -> Self {
        let judges: Arc<[Self]> = judges.into();
        Self::new(move |request| {
            let judges = Arc::clone(&judges);
            async move {
                let mut request = request;
                for judge in judges.iter() {
                    match judge.ask(request).await {
                        Answer::NotKnown(again) => request = again,
                        judged @ Answer::Judged(_) => return judged,
                    }
                }
                Answer::NotKnown(request)
            }
        })
    }

    /// What it says, once.
    pub async fn ask(&self, request: LogonRequest) -> Answer {
        (self.0)(request).await
    }

    /// The last word: an account that nobody knows costs what a wrong password costs.
    pub async fn judge(&self, request: LogonRequest) -> Judged {
        match self.ask(request).await {
            Answer::Judged(judged) => *judged,
            Answer::NotKnown(request) => judged(request.verify(None), None),
        }
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judge(..)")
    }
}
