//! What a domain is set up with.

use super::controllers::Controllers;
use crate::smb;
use ntlm::keys::AccountSecret;
use ntlm::text::Utf16String;
use ntlm_netlogon::calls::SecureChannelType;
use ntlm_netlogon::client::{ChannelConfig, ChannelPolicy};
use ntlm_netlogon::flags::NegotiateFlags;
use std::fmt;
use std::time::Duration;

/// What a domain is set up with.
#[derive(Debug)]
pub struct DomainOptions {
    /// Who judges.
    pub controllers: Controllers,
    /// As whom they are asked.
    pub machine: Machine,
    /// How they are reached.
    pub transport: Transport,
    /// What they may leave out.
    pub policy: ChannelPolicy,
    /// What it may cost.
    pub limits: DomainLimits,
}

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
    /// It is none: a part is missing, is no ASCII, or longer than NetBIOS has it.
    pub fn new(account: &str, secret: AccountSecret) -> Result<Self, NoMachine> {
        let name = |name: &str| {
            let fits = (1..=15).contains(&name.len());
            (fits && name.bytes().all(|byte| byte.is_ascii_graphic())).then(|| name.to_owned())
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

    pub(super) fn channel_config(&self, policy: ChannelPolicy) -> ChannelConfig {
        // What is offered decides, for the credential is computed before the server says what it has.
        let mut negotiate_flags = NegotiateFlags::OFFERED;
        negotiate_flags.set(NegotiateFlags::AES_SHA2, !policy.allow_insecure_rc4);
        ChannelConfig {
            server_name: Utf16String::default(),
            domain_name: self.domain.as_bytes().to_vec(),
            computer_name: self.computer.as_bytes().to_vec(),
            account_name: self.account_name().as_str().into(),
            secure_channel_type: SecureChannelType::WORKSTATION,
            negotiate_flags,
            policy,
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

/// How a controller is reached.
#[derive(Clone, Debug)]
pub enum Transport {
    /// ncacn_ip_tcp: the endpoint mapper tells the port.
    Tcp,
    /// ncacn_np: the pipe of Netlogon, in a session of the machine.
    Pipe(Box<smb::Options>),
}

/// What asking a domain may cost.
#[derive(Clone, Copy, Debug)]
pub struct DomainLimits {
    /// How many associations there are, each with one call at a time.
    pub connections: usize,
    /// How many logons may wait for their turn.
    pub waiting: usize,
    /// How long a logon may take, waiting and all.
    pub logon: Duration,
    /// How long setting a channel up with one controller may take, or one call.
    pub step: Duration,
    /// How often a logon is passed on at most.
    pub tries: u32,
    /// How long a channel is used before it gets a new key.
    pub rekey: Duration,
    /// How long an association may lie idle before it is given up.
    pub idle: Duration,
    /// How long a controller that failed is left alone, the first time; then twice as long each.
    pub back_off: Duration,
    /// How long at most.
    pub back_off_most: Duration,
    /// How old a channel must be for STATUS_ACCESS_DENIED to be answered by setting up another at
    /// once (MS-NRPC 3.4.5.3.2).
    pub lost_too_soon: Duration,
}

impl Default for DomainLimits {
    fn default() -> Self {
        Self {
            connections: 4,
            waiting: 1024,
            logon: Duration::from_secs(15),
            step: Duration::from_secs(5),
            tries: 3,
            rekey: Duration::from_secs(8 * 60 * 60),
            idle: Duration::from_secs(5 * 60),
            back_off: Duration::from_millis(500),
            back_off_most: Duration::from_secs(60),
            lost_too_soon: Duration::from_secs(45),
        }
    }
}
