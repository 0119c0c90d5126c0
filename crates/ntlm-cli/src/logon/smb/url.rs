//! `smb://[DOMAIN;]user@host[:port]/share`, as in draft-crhertel-smb-url.

use crate::host::Host;
use ntlm::AccountName;

/// Where to log on, and as whom.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url {
    /// `None` for nobody.
    pub(super) name: Option<AccountName>,
    /// A name or an address, without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) share: String,
}

const PORT: u16 = 445;

impl Url {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        // Without the text: there may be a password in it.
        let wrong = |what: &str| {
            format!("URL: {what}; one looks like smb://[DOMAIN;]user@host[:port]/share")
        };
        let rest = text.strip_prefix("smb://").ok_or_else(|| wrong("it is not smb://"))?;
        let (authority, share) = rest.split_once('/').ok_or_else(|| wrong("it names no share"))?;
        let share = decode(share.trim_end_matches('/')).ok_or_else(|| wrong("bad % escape"))?;
        if share.is_empty() || share.contains(['/', '\\']) {
            return Err(wrong("it names no share, or more than one"));
        }
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let name = match user {
            None | Some("") => None,
            Some(user) if user.contains(':') => {
                return Err(wrong("a password does not belong into it"));
            }
            Some(user) => Some(account(user).ok_or_else(|| wrong("bad % escape"))?),
        };
        let Host { host, port } = host.parse().map_err(|_| wrong("no host, or a bad port"))?;
        Ok(Self { name, host, port: port.unwrap_or(PORT), share })
    }
}

fn account(text: &str) -> Option<AccountName> {
    Some(match text.split_once(';') {
        Some((domain, user)) => AccountName::down_level(&decode(domain)?, &decode(user)?),
        None => AccountName::parse(&decode(text)?),
    })
}

/// Takes `%xx` for the byte that it stands for.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let value = digit()? << 4 | digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_who_where_and_what() {
        let url = Url::parse("smb://CORP;alice@server:4450/data").unwrap();
        assert_eq!(url.name, Some(AccountName::down_level("CORP", "alice")));
        assert_eq!((url.host.as_str(), url.port, url.share.as_str()), ("server", 4450, "data"));
        let url = Url::parse("smb://al%20ice@[::1]/IPC$/").unwrap();
        assert_eq!(url.name, Some(AccountName::down_level("", "al ice")));
        assert_eq!((url.host.as_str(), url.port, url.share.as_str()), ("::1", 445, "IPC$"));
        let url = Url::parse("smb://alice@corp.example@[::1]:1/x").unwrap();
        assert_eq!(url.name, Some(AccountName::UserPrincipalName("alice@corp.example".into())));
        assert_eq!(Url::parse("smb://host/x").unwrap().name, None);
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "alice@server/data",
            "smb://server",
            "smb://server/",
            "smb:///data",
            "smb://a@server:0/data",
            "smb://a@server:x/data",
            "smb://a@server:/data",
            "smb://a:Wonderland-42@server/data",
            "smb://a:Wonderland-42@server",
            "smb://a%2@server/data",
            "smb://a@[::1/data",
            "smb://a@server/data/file",
        ] {
            let error = Url::parse(text).unwrap_err();
            assert!(error.contains("smb://[DOMAIN;]user@host"), "{error}");
            assert!(!error.contains("Wonderland"), "{error}");
        }
    }
}
