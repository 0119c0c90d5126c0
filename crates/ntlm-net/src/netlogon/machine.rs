//! As whom controllers are asked.

use ntlm::keys::AccountSecret;
use ntlm::text::Utf16String;
use ntlm_netlogon::calls::SecureChannelType;
use ntlm_netlogon::client::{ChannelConfig, ChannelPolicy};
use ntlm_netlogon::flags::NegotiateFlags;
use ntlm_netlogon::keys::Algorithms;
use std::fmt;

/// A computer with an account in a domain.
#[derive(Debug)]
pub struct Machine {
    /// NetBIOS name of the domain.
    pub domain: String,
    /// NetBIOS name of the computer, without a dollar sign.
    pub computer: String,
    /// The secret of its account.
    pub secret: AccountSecret,
}

impl Machine {
    /// From the name of the account, `DOMAIN\COMPUTER$`.
    ///
    /// # Errors
    ///
    /// It is none: a part is missing, is no ASCII, longer than NetBIOS has it, or with a character
    /// that no name has.
    pub fn new(account: &str, secret: AccountSecret) -> Result<Self, NoMachine> {
        let name = |name: &str| {
            let is_allowed = |c: char| c.is_ascii_graphic() && !r#"\/:*?"<>|$"#.contains(c);
            let fits = (1..=15).contains(&name.len()) && name.chars().all(is_allowed);
            fits.then(|| name.to_owned())
        };
        let (domain, user) = account.split_once('\\').ok_or(NoMachine)?;
        let computer = user.strip_suffix('$').ok_or(NoMachine)?;
        let domain = name(domain).ok_or(NoMachine)?;
        let computer = name(computer).ok_or(NoMachine)?;
        Ok(Self { domain, computer, secret })
    }

    /// The name of the account, with a dollar sign.
    #[must_use]
    pub fn account_name(&self) -> String {
        format!("{}$", self.computer)
    }

    /// To a server of this name. What is offered decides what protects the channel, for the client's
    /// credential is computed before the server says what it has.
    pub(super) fn channel_config(&self, server: &str, algorithms: Algorithms) -> ChannelConfig {
        let weak = algorithms == Algorithms::InsecureRc4Md5;
        let mut negotiate_flags = NegotiateFlags::OFFERED;
        negotiate_flags.set(NegotiateFlags::AES_SHA2, !weak);
        ChannelConfig {
            server_name: server.into(),
            domain_name: self.domain.as_bytes().to_vec(),
            computer_name: self.computer.as_bytes().to_vec(),
            account_name: Utf16String::from(self.account_name().as_str()),
            secure_channel_type: SecureChannelType::WORKSTATION,
            negotiate_flags,
            policy: ChannelPolicy { allow_insecure_rc4: weak, ..ChannelPolicy::default() },
        }
    }
}

/// A name that is not `DOMAIN\COMPUTER$`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMachine;

impl fmt::Display for NoMachine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r"not the account of a machine, which looks like DOMAIN\COMPUTER$")
    }
}

impl std::error::Error for NoMachine {}

#[cfg(test)]
mod tests {
    use super::*;
    use ntlm::keys::Ntowfv1;

    #[test]
    fn a_machine_has_a_domain_and_a_dollar_sign() {
        let new =
            |name| Machine::new(name, AccountSecret::from_hashes(Ntowfv1::new([1; 16]), None));
        let machine = new(r"CORP\MEMBER1$").unwrap();
        assert_eq!((machine.domain.as_str(), machine.computer.as_str()), ("CORP", "MEMBER1"));
        assert_eq!(machine.account_name(), "MEMBER1$");
        for bad in [
            "MEMBER1$",
            r"CORP\MEMBER1",
            r"CORP\\MEMBER1$",
            r"\MEMBER1$",
            r"CORP\$",
            r"CORP\MEMBER1$$",
            r"CORP\SIXTEEN-LETTERS-$",
            r"CORP\MÜLLER$",
        ] {
            assert!(new(bad).is_err(), "{bad}");
        }
    }
}
