//! Which session key a secure channel has: a given one, or one computed from the machine account's
//! secret, checked with the credentials that both ends sent (MS-NRPC 3.1.4.3, 3.1.4.4).

use super::setups::{Challenges, Setup};
use crate::explained::Verdict;
use crate::finding::{FindingCode, Findings};
use crate::known::Known;
use crate::ladder::Ladder;
use ntlm::keys::Ntowfv1;
use ntlm::text::Utf16String;
use ntlm_accounts::MatchKind;
use ntlm_netlogon::keys::{Algorithms, ChannelKeys, SessionKey};

/// What is known of a channel whose key is wanted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) account: &'a Utf16String,
    pub(super) domain: &'a Utf16String,
    pub(super) setup: Option<&'a Setup>,
    pub(super) algorithms: Algorithms,
}

/// A key.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) keys: ChannelKeys,
    pub(super) ladder: Ladder,
    /// Those that the credentials are of.
    pub(super) challenges: Option<Challenges>,
    /// Whether ClientCredential and ServerCredential hold under it.
    pub(super) credentials: [Verdict; 2],
}

/// Why there is no key.
#[derive(Debug)]
pub(super) enum Missing {
    /// None is known.
    Unknown(String),
    /// The one that was given is that of another channel.
    Other(String),
}

impl Wanted<'_> {
    /// The key that was given if it can be this channel's, else the one that is computed.
    pub(super) fn find(&self, known: Known<'_>, findings: &mut Findings) -> Result<Found, Missing> {
        let is_refuted = match self.given(known).map_err(Missing::Unknown)? {
            Given::Fits(found) => return Ok(*found),
            Given::Refuted => true,
            Given::None => false,
        };
        self.computed(known, findings).map_err(|why| match is_refuted {
            true => Missing::Other(format!(
                "the credentials do not hold under the netlogon_session_key of {}\\{}: it is that of another channel",
                self.domain, self.account
            )),
            false => Missing::Unknown(why),
        })
    }

    fn given(&self, known: Known<'_>) -> Result<Given, String> {
        let key = |server_challenge| {
            let key = known.accounts.find_netlogon_session_key(
                self.account,
                self.domain,
                server_challenge,
            );
            key.map_err(|ambiguous| ambiguous.to_string())
        };
        let found = |key: &[u8; 16], challenges| {
            let session_key = SessionKey::new(*key);
            self.found(session_key, Ladder::of_channel_given(key), challenges)
        };
        let Some((setup, [_, ..])) = self.setup.map(|setup| (setup, &*setup.challenges)) else {
            let key = key(None)?;
            let found = key.map(|key| Box::new(found(key.expose(), None)));
            return Ok(found.map_or(Given::None, Given::Fits));
        };
        let mut given = Given::None;
        for challenges in &setup.challenges {
            let Some(key) = key(Some(challenges.server))? else { continue };
            let found = found(key.expose(), Some(*challenges));
            if found.is_of_client() {
                return Ok(Given::Fits(Box::new(found)));
            }
            given = Given::Refuted;
        }
        Ok(given)
    }

    fn computed(&self, known: Known<'_>, findings: &mut Findings) -> Result<Found, String> {
        let account = self.account;
        let secret = known.accounts.find(account, self.domain);
        let Some(secret) = secret.map_err(|ambiguous| ambiguous.to_string())? else {
            return Err("no secret is known for the machine account".to_owned());
        };
        let nt_hash: &Ntowfv1 = secret.secret.nt_hash();
        let candidates = self.setup.map(|setup| &*setup.challenges).unwrap_or_default();
        let mut found = candidates.iter().map(|challenges| {
            let Challenges { client, server, frames } = *challenges;
            let key = self.algorithms.session_key(nt_hash, client, server);
            let ladder = Ladder::of_channel(self.algorithms, nt_hash, &key, frames);
            self.found(key, ladder, Some(*challenges))
        });
        let Some(latest) = found.next() else {
            return Err("the challenges that the session key is made of were not seen".to_owned());
        };
        if secret.kind == MatchKind::OtherDomain {
            let text =
                format!("the secrets have {account} under another domain only, which was taken");
            findings.say(FindingCode::OtherDomain, text);
        }
        Ok(match latest.is_of_client() {
            true => latest,
            false => found.find(Found::is_of_client).unwrap_or(latest),
        })
    }

    /// ComputeNetlogonCredential over what each end sent as challenge.
    fn found(
        &self,
        session_key: SessionKey,
        ladder: Ladder,
        challenges: Option<Challenges>,
    ) -> Found {
        let keys = ChannelKeys { algorithms: self.algorithms, session_key };
        let verdict =
            |challenge, credential: [u8; 8]| match keys.credential(challenge) == credential {
                true => Verdict::Valid,
                false => Verdict::Invalid,
            };
        let credentials = match (self.setup, challenges) {
            (Some(setup), Some(challenges)) => [
                verdict(challenges.client, setup.client_credential),
                verdict(challenges.server, setup.server_credential),
            ],
            _ => [Verdict::Unchecked; 2],
        };
        Found { keys, ladder, challenges, credentials }
    }
}

enum Given {
    Fits(Box<Found>),
    Refuted,
    None,
}

impl Found {
    fn is_of_client(&self) -> bool {
        let [of_client, _] = self.credentials;
        of_client == Verdict::Valid
    }
}
