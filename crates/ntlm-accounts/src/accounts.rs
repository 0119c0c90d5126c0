//! The accounts of all texts, and the rule that finds one.

use crate::account::{Account, NetlogonSessionKey, Origin, Secret};
use crate::error::{AccountsError, Ambiguous, FieldDefect};
use crate::format::Format;
use crate::read::Reading;
use crate::{smbpasswd, toml, user_file};
use ntlm::keys::{AccountSecret, ExportedSessionKey};
use ntlm::text::{CodePage, Utf16String};
use std::collections::BTreeMap;

/// The accounts of any number of texts.
#[derive(Debug)]
pub struct Accounts {
    code_page: CodePage,
    accounts: Vec<Account>,
    /// Places of those with an [`AccountSecret`] or the key of a channel, by the user name in upper case.
    by_user: BTreeMap<Utf16String, Vec<usize>>,
    /// Places of those with an [`ExportedSessionKey`].
    by_server_challenge: BTreeMap<[u8; 8], Vec<usize>>,
    without_secret: Vec<Origin>,
}

impl Accounts {
    /// How long a text may be, in bytes.
    pub const MAX_TEXT_LEN: usize = 4 << 20;
    /// How many accounts there may be, of all texts together.
    pub const MAX_ACCOUNTS: usize = 100_000;

    /// No accounts yet. LM hashes of passwords will be computed in this OEM code page.
    #[must_use]
    pub const fn new(code_page: CodePage) -> Self {
        Self {
            code_page,
            accounts: Vec::new(),
            by_user: BTreeMap::new(),
            by_server_challenge: BTreeMap::new(),
            without_secret: Vec::new(),
        }
    }

    /// Adds the accounts of a text, which errors will call by its label.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with the text; then none of its accounts is added.
    pub fn add(&mut self, label: &str, text: &str, format: Format) -> Result<(), AccountsError> {
        if text.len() > Self::MAX_TEXT_LEN {
            return Err(AccountsError::TextTooLong { label: label.into() });
        }
        let mut reading = Reading {
            label: label.into(),
            code_page: self.code_page,
            accounts: Vec::new(),
            room: Self::MAX_ACCOUNTS.saturating_sub(self.accounts.len()),
            without_secret: Vec::new(),
        };
        match format {
            Format::Toml => toml::read(text, &mut reading)?,
            Format::UserFile => user_file::read(text, &mut reading)?,
            Format::Smbpasswd => smbpasswd::read(text, &mut reading)?,
        }
        self.without_secret.append(&mut reading.without_secret);
        reading.accounts.into_iter().for_each(|account| self.push(account));
        Ok(())
    }

    /// Adds one account whose secret came by another way than a text. An empty domain fits every
    /// domain. `label` says where it came from, for errors.
    ///
    /// # Errors
    ///
    /// An empty user name, or one account too many.
    pub fn add_secret(
        &mut self,
        label: &str,
        user: Utf16String,
        domain: Utf16String,
        secret: AccountSecret,
    ) -> Result<(), AccountsError> {
        let origin = Origin { label: label.into(), line: 1 };
        if user.is_empty() {
            return Err(AccountsError::Field { origin, field: "user", defect: FieldDefect::Empty });
        }
        if self.accounts.len() >= Self::MAX_ACCOUNTS {
            return Err(AccountsError::TooManyAccounts { origin });
        }
        self.push(Account {
            user,
            domain: Some(domain).filter(|domain| !domain.is_empty()),
            secret: Secret::Account(secret),
            disabled: false,
            origin,
        });
        Ok(())
    }

    fn push(&mut self, account: Account) {
        let place = self.accounts.len();
        match account.secret {
            Secret::Account(_) | Secret::NetlogonSessionKey { .. } => {
                self.by_user.entry(account.user.to_uppercase()).or_default().push(place);
            }
            Secret::ExportedSessionKey { server_challenge, .. } => {
                self.by_server_challenge.entry(server_challenge).or_default().push(place);
            }
        }
        self.accounts.push(account);
    }

    /// Finds the account that a client means, by the names that it sent.
    ///
    /// Among the entries whose user name is the same without regard to case, as Windows has it:
    ///
    /// 1. those of the same domain, without regard to case;
    /// 2. else those without a domain;
    /// 3. else, if there is only one, that one, though its domain is another.
    ///
    /// Names are compared whole: `alice@example.com` is a user name of its own, which means no
    /// entry but one that is written so. Entries alike in names, secret and being disabled or not
    /// count as one. Entries with the key of an exchange are not looked at.
    ///
    /// NTOWFv2 takes the domain as the client sent it, never as it stands in the file.
    ///
    /// # Errors
    ///
    /// [`Ambiguous`] if under 1 or 2 several entries fit. Under 3 several are no match.
    pub fn find(
        &self,
        user: &Utf16String,
        domain: &Utf16String,
    ) -> Result<Option<Match<'_>>, Ambiguous> {
        if let Some(found) = self.find_in_domain(user, domain)? {
            return Ok(Some(found));
        }
        let of_user: Vec<_> = self.of_user(user).collect();
        let any_domain = of_user.iter().filter(|(account, _)| account.domain.is_none());
        if let Some((account, secret)) = the_only(any_domain)? {
            return Ok(Some(Match { account, secret, kind: MatchKind::AnyDomain }));
        }
        let unique = of_user.first().filter(|first| {
            of_user.iter().all(|other| same_domain(first.0, other.0) && alike(**first, *other))
        });
        Ok(unique.map(|&(account, secret)| Match { account, secret, kind: MatchKind::OtherDomain }))
    }

    /// Finds an account of just this domain, by the first step of [`Accounts::find`] alone: for who
    /// lets people in, and does not look for the account that explains a capture.
    ///
    /// # Errors
    ///
    /// [`Ambiguous`] if several fit.
    pub fn find_in_domain(
        &self,
        user: &Utf16String,
        domain: &Utf16String,
    ) -> Result<Option<Match<'_>>, Ambiguous> {
        let of_domain: Vec<_> = self
            .of_user(user)
            .filter(|(account, _)| {
                account.domain.as_ref().is_some_and(|own| own.eq_ignore_case(domain))
            })
            .collect();
        let found = the_only(of_domain.iter())?;
        Ok(found.map(|(account, secret)| Match { account, secret, kind: MatchKind::SameDomain }))
    }

    /// Finds the key of the exchange with this `ServerChallenge`, whoever logged on in it.
    ///
    /// # Errors
    ///
    /// [`Ambiguous`] if there are different keys for it.
    pub fn find_session_key(
        &self,
        server_challenge: [u8; 8],
    ) -> Result<Option<SessionKeyMatch<'_>>, Ambiguous> {
        let places = self.by_server_challenge.get(&server_challenge).into_iter().flatten();
        let mut found = places.filter_map(|&place| {
            let account = self.accounts.get(place)?;
            let Secret::ExportedSessionKey { exported_session_key, .. } = &account.secret else {
                return None;
            };
            Some(SessionKeyMatch { account, exported_session_key })
        });
        let Some(first) = found.next() else { return Ok(None) };
        let expected = first.exported_session_key.expose();
        match found.find(|other| other.exported_session_key.expose() != expected) {
            Some(other) => Err(ambiguous(first.account, other.account)),
            None => Ok(Some(first)),
        }
    }

    /// Finds the key of a secure channel by the machine's account, as [`find`](Self::find) has it: an
    /// entry of this domain, one without, or one of another if no other entry names the user. Entries
    /// with another `ServerChallenge` are not looked at; one with this is taken before one without.
    ///
    /// # Errors
    ///
    /// [`Ambiguous`] if there are different keys for it.
    pub fn find_netlogon_session_key(
        &self,
        user: &Utf16String,
        domain: &Utf16String,
        server_challenge: Option<[u8; 8]>,
    ) -> Result<Option<&NetlogonSessionKey>, Ambiguous> {
        let places = self.by_user.get(&user.to_uppercase()).into_iter().flatten();
        let fitting = places.filter_map(|&place| {
            let account = self.accounts.get(place)?;
            let Secret::NetlogonSessionKey { netlogon_session_key, server_challenge: own } =
                &account.secret
            else {
                return None;
            };
            if own.zip(server_challenge).is_some_and(|(own, seen)| own != seen) {
                return None;
            }
            // This domain, none, another; and in each, a challenge before none.
            let rank = match account.domain.as_ref().map(|own| own.eq_ignore_case(domain)) {
                Some(true) => 2_u8,
                None => 1,
                Some(false) => 0,
            };
            let rank = (rank, own.is_some());
            Some((rank, account, netlogon_session_key))
        });
        let fitting: Vec<_> = fitting.collect();
        let Some((best, first, key)) = fitting.iter().rev().max_by_key(|(rank, ..)| *rank) else {
            return Ok(None);
        };
        let mut alike = fitting.iter().filter(|(rank, ..)| rank == best);
        match alike.find(|(.., other)| other.expose() != key.expose()) {
            Some((_, other, _)) => Err(ambiguous(first, other)),
            None => Ok(Some(key)),
        }
    }

    /// All accounts, in the order in which they were added.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Account> {
        self.accounts.iter()
    }

    /// How many accounts there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.accounts.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// Lines of smbpasswd without an NT hash. They are no accounts here: nothing is known of them.
    #[must_use]
    pub fn without_secret(&self) -> &[Origin] {
        &self.without_secret
    }

    fn of_user(&self, user: &Utf16String) -> impl Iterator<Item = Candidate<'_>> {
        let places = self.by_user.get(&user.to_uppercase()).into_iter().flatten();
        places.filter_map(|&place| {
            let account = self.accounts.get(place)?;
            match &account.secret {
                Secret::Account(secret) => Some((account, secret)),
                Secret::ExportedSessionKey { .. } | Secret::NetlogonSessionKey { .. } => None,
            }
        })
    }
}

/// What [`Accounts::find`] found.
#[derive(Clone, Copy, Debug)]
pub struct Match<'a> {
    /// The account.
    pub account: &'a Account,
    /// Its secret.
    pub secret: &'a AccountSecret,
    /// Why it is this one.
    pub kind: MatchKind,
}

/// Why an account fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MatchKind {
    /// Its domain is the one sent.
    SameDomain,
    /// It has none, so it fits every domain.
    AnyDomain,
    /// Its domain is another, but no other account has its user name. Worth a finding.
    OtherDomain,
}

/// What [`Accounts::find_session_key`] found.
#[derive(Clone, Copy, Debug)]
pub struct SessionKeyMatch<'a> {
    /// The entry.
    pub account: &'a Account,
    /// The key of the exchange.
    pub exported_session_key: &'a ExportedSessionKey,
}

type Candidate<'a> = (&'a Account, &'a AccountSecret);

/// The first, if no other differs from it.
fn the_only<'a: 'b, 'b>(
    mut candidates: impl Iterator<Item = &'b Candidate<'a>>,
) -> Result<Option<Candidate<'a>>, Ambiguous> {
    let Some(&first) = candidates.next() else { return Ok(None) };
    match candidates.find(|other| !alike(first, **other)) {
        Some((other, _)) => Err(ambiguous(first.0, other)),
        None => Ok(Some(first)),
    }
}

/// Whether both have a domain, and the same.
fn same_domain(a: &Account, b: &Account) -> bool {
    a.domain.as_ref().zip(b.domain.as_ref()).is_some_and(|(a, b)| a.eq_ignore_case(b))
}

/// Whether it makes no difference which of the two is taken.
fn alike((a, a_secret): Candidate<'_>, (b, b_secret): Candidate<'_>) -> bool {
    a.disabled == b.disabled && a_secret.is_same_as(b_secret)
}

fn ambiguous(first: &Account, second: &Account) -> Ambiguous {
    Ambiguous { first: first.origin.clone(), second: second.origin.clone() }
}
