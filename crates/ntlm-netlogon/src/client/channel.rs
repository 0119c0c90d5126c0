//! The secure channel set up and checked (MS-NRPC 3.1.4.1, 3.4.5.2).

use super::bind::Security;
use crate::calls::{
    Authenticate3Request, Authenticate3Response, CapabilitiesRequest, CapabilitiesResponse,
    ChallengeRequest, ChallengeResponse, SecureChannelType,
};
use crate::error::{DecodeError, TooLong};
use crate::flags::NegotiateFlags;
use crate::keys::{Algorithms, Authenticator, ChannelKeys, CredentialChain};
use alloc::vec::Vec;
use core::fmt;
use ntlm::NtStatus;
use ntlm::keys::Ntowfv1;
use ntlm::text::Utf16String;

/// Who the client is, whom it asks, and what it insists on.
#[derive(Clone, Debug)]
pub struct ChannelConfig {
    /// NetBIOS or DNS name of the domain controller, without backslashes.
    pub server_name: Utf16String,
    /// NetBIOS name of the domain, in ASCII.
    pub domain_name: Vec<u8>,
    /// NetBIOS name of the client, in ASCII.
    pub computer_name: Vec<u8>,
    /// The machine account, with its dollar sign.
    pub account_name: Utf16String,
    /// What the client is to the domain.
    pub secure_channel_type: SecureChannelType,
    /// What the client offers.
    pub negotiate_flags: NegotiateFlags,
    /// What it insists on.
    pub policy: ChannelPolicy,
}

/// What a client lets a server have. By default nothing that is weak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChannelPolicy {
    /// RC4 and MD5 where the server has no AES (CVE-2022-38023).
    pub allow_insecure_rc4: bool,
    /// Headers that nobody signs.
    pub allow_unsigned_headers: bool,
}

impl ChannelConfig {
    /// The server's name with two backslashes before it.
    pub(crate) fn unc(&self) -> Utf16String {
        let mut units = alloc::vec![0x5c, 0x5c];
        units.extend_from_slice(self.server_name.as_units());
        Utf16String::from_units(units)
    }

    pub(crate) fn computer(&self) -> Utf16String {
        Utf16String::from_units(
            self.computer_name.iter().map(|byte| u16::from(*byte)).collect::<Vec<_>>(),
        )
    }
}

/// A call to be made: its method and its stub.
///
/// `Debug` leaves the stub out: whoever has the responses in it can guess at the password.
#[derive(PartialEq, Eq)]
pub struct Call {
    /// Which method of Netlogon.
    pub opnum: u16,
    /// What it is asked.
    pub stub: Vec<u8>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("opnum", &self.opnum).finish_non_exhaustive()
    }
}

/// NetrServerReqChallenge was asked.
#[derive(Debug)]
pub struct Challenging {
    config: ChannelConfig,
    nt_hash: Ntowfv1,
    client_challenge: [u8; 8],
}

impl Challenging {
    /// Begins with a random challenge and the machine account's NT hash. The call goes over an
    /// association without protection.
    ///
    /// # Errors
    ///
    /// A challenge that no server takes: its first five bytes are the same (CVE-2020-1472).
    pub fn start(
        config: ChannelConfig,
        nt_hash: Ntowfv1,
        client_challenge: [u8; 8],
    ) -> Result<(Call, Self), ChannelError> {
        if is_weak(client_challenge) {
            return Err(ChannelError::WeakChallenge("ClientChallenge"));
        }
        let request = ChallengeRequest {
            primary_name: Some(config.unc()),
            computer_name: config.computer(),
            client_challenge,
        };
        let call = Call { opnum: ChallengeRequest::OPNUM, stub: request.encode()? };
        Ok((call, Self { config, nt_hash, client_challenge }))
    }

    /// Takes the answer: the next call, over the same association.
    ///
    /// # Errors
    ///
    /// The server refuses, its challenge is none, or what is offered leaves DES or forbidden RC4.
    pub fn receive(self, stub: &[u8]) -> Result<(Call, Authenticating), ChannelError> {
        let response = ChallengeResponse::decode(stub)?;
        if response.status != NtStatus::SUCCESS {
            return Err(ChannelError::Refused(response.status));
        }
        if is_weak(response.server_challenge) {
            return Err(ChannelError::WeakChallenge("ServerChallenge"));
        }
        let Self { config, nt_hash, client_challenge } = self;
        let offered = config.negotiate_flags;
        // The credential has to be computed before it is known what the server can do; so what is
        // offered decides, and a server that cannot do that is refused.
        let algorithms = allowed(&config, offered)?;
        let session_key =
            algorithms.session_key(&nt_hash, client_challenge, response.server_challenge);
        let keys = ChannelKeys { algorithms, session_key };
        let client_credential = keys.credential(client_challenge);
        let server_credential = keys.credential(response.server_challenge);
        let request = Authenticate3Request {
            primary_name: Some(config.unc()),
            account_name: config.account_name.clone(),
            secure_channel_type: config.secure_channel_type,
            computer_name: config.computer(),
            client_credential,
            negotiate_flags: offered,
        };
        let call = Call { opnum: Authenticate3Request::OPNUM, stub: request.encode()? };
        Ok((call, Authenticating { config, keys, client_credential, server_credential }))
    }
}

/// Whether its first five bytes are the same, as servers since CVE-2020-1472 check.
fn is_weak(challenge: [u8; 8]) -> bool {
    let [first, second, third, fourth, fifth, ..] = challenge;
    [second, third, fourth, fifth] == [first; 4]
}

fn allowed(config: &ChannelConfig, flags: NegotiateFlags) -> Result<Algorithms, ChannelError> {
    if !flags.contains(NegotiateFlags::SECURE_RPC) {
        return Err(ChannelError::NotNegotiated("secure RPC"));
    }
    match Algorithms::choose(flags) {
        Some(Algorithms::AesSha2) => Ok(Algorithms::AesSha2),
        Some(Algorithms::InsecureRc4Md5) if config.policy.allow_insecure_rc4 => {
            Ok(Algorithms::InsecureRc4Md5)
        }
        Some(Algorithms::InsecureRc4Md5) => Err(ChannelError::NotNegotiated("AES")),
        None => Err(ChannelError::NotNegotiated("strong keys")),
    }
}

/// NetrServerAuthenticate3 was asked.
#[derive(Debug)]
pub struct Authenticating {
    config: ChannelConfig,
    keys: ChannelKeys,
    client_credential: [u8; 8],
    server_credential: [u8; 8],
}

impl Authenticating {
    /// Takes the answer, in which the server proves that it knows the machine account's secret.
    ///
    /// # Errors
    ///
    /// The server refuses, does not prove itself, or takes away what is insisted on.
    pub fn receive(self, stub: &[u8]) -> Result<Unchecked, ChannelError> {
        let response = Authenticate3Response::decode(stub)?;
        if response.status != NtStatus::SUCCESS {
            return Err(ChannelError::Refused(response.status));
        }
        let Self { config, keys, client_credential, server_credential } = self;
        if !crate::crypto::equal(&server_credential, &response.server_credential) {
            return Err(ChannelError::ServerNotProved);
        }
        let negotiate_flags = response.negotiate_flags;
        if !config.negotiate_flags.contains(negotiate_flags) {
            return Err(ChannelError::NotOffered(negotiate_flags - config.negotiate_flags));
        }
        if allowed(&config, negotiate_flags)? != keys.algorithms {
            return Err(ChannelError::NotNegotiated("AES"));
        }
        let session_key = keys.session_key.duplicate();
        let chain = CredentialChain::new(keys.algorithms, session_key, client_credential);
        let account_rid = response.account_rid;
        Ok(Unchecked { channel: Channel { config, keys, chain, negotiate_flags, account_rid } })
    }
}

/// Both ends know the key; but the flags went over the wire unprotected.
///
/// What the server has is asked again (QueryLevel 1), what it got is not (QueryLevel 2, which old
/// servers answer with a fault, and so with the end of the association): whoever takes flags out of
/// the offer gains nothing, because AES and secure RPC are insisted on.
#[derive(Debug)]
pub struct Unchecked {
    channel: Channel,
}

impl Unchecked {
    /// What an association needs to be protected by this channel.
    #[must_use]
    pub fn security(&self) -> Security {
        self.channel.security()
    }

    /// Asks for the flags again, over an association that is protected. `timestamp` is the time in
    /// seconds since 1970.
    ///
    /// # Errors
    ///
    /// A name is too long.
    pub fn capabilities(&mut self, timestamp: u32) -> Result<Call, ChannelError> {
        let channel = &mut self.channel;
        let request = CapabilitiesRequest {
            server_name: channel.config.unc(),
            computer_name: Some(channel.config.computer()),
            authenticator: channel.chain.next(timestamp),
        };
        Ok(Call { opnum: CapabilitiesRequest::OPNUM, stub: request.encode()? })
    }

    /// Takes the answer: the channel, if nobody has changed the flags on their way.
    ///
    /// # Errors
    ///
    /// The server refuses, its authenticator is wrong, or its flags are others (MS-NRPC 3.4.5.2.10).
    pub fn receive(mut self, stub: &[u8]) -> Result<Channel, ChannelError> {
        let response = CapabilitiesResponse::decode(stub)?;
        if response.status != NtStatus::SUCCESS {
            return Err(ChannelError::Refused(response.status));
        }
        if !self.channel.chain.check(&response.return_authenticator) {
            return Err(ChannelError::WrongAuthenticator);
        }
        if response.server_capabilities != self.channel.negotiate_flags {
            return Err(ChannelError::Downgraded(response.server_capabilities));
        }
        Ok(self.channel)
    }
}

/// A secure channel, over which logons may be passed.
#[derive(Debug)]
pub struct Channel {
    pub(crate) config: ChannelConfig,
    pub(crate) keys: ChannelKeys,
    chain: CredentialChain,
    negotiate_flags: NegotiateFlags,
    account_rid: u32,
}

impl Channel {
    /// What another association needs to be protected by this channel.
    #[must_use]
    pub fn security(&self) -> Security {
        let ChannelKeys { algorithms, session_key } = &self.keys;
        let keys = ChannelKeys { algorithms: *algorithms, session_key: session_key.duplicate() };
        Security::Netlogon {
            keys,
            domain: self.config.domain_name.clone(),
            computer: self.config.computer_name.clone(),
            allow_unsigned_headers: self.config.policy.allow_unsigned_headers,
        }
    }

    /// What both ends can do.
    #[must_use]
    pub const fn negotiate_flags(&self) -> NegotiateFlags {
        self.negotiate_flags
    }

    /// The keys, for whoever shows them.
    #[must_use]
    pub const fn keys(&self) -> &ChannelKeys {
        &self.keys
    }

    /// RelativeId of the machine account.
    #[must_use]
    pub const fn account_rid(&self) -> u32 {
        self.account_rid
    }

    pub(crate) fn authenticator(&mut self, timestamp: u32) -> Authenticator {
        self.chain.next(timestamp)
    }

    pub(crate) fn check(&mut self, returned: &Authenticator) -> bool {
        self.chain.check(returned)
    }
}

/// Why there is no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChannelError {
    /// What came is no answer to the call.
    Decode(DecodeError),
    /// A name is too long to be sent.
    TooLong(TooLong),
    /// A challenge whose first five bytes are the same.
    WeakChallenge(&'static str),
    /// The server refuses.
    Refused(NtStatus),
    /// The server does not know the machine account's secret.
    ServerNotProved,
    /// The server claims flags that were not offered.
    NotOffered(NegotiateFlags),
    /// What is insisted on was not offered, or the server does not have it.
    NotNegotiated(&'static str),
    /// The server's authenticator is wrong.
    WrongAuthenticator,
    /// The server has other flags than those that arrived.
    Downgraded(NegotiateFlags),
}

impl fmt::Display for ChannelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => error.fmt(f),
            Self::TooLong(error) => error.fmt(f),
            Self::WeakChallenge(field) => write!(f, "too little randomness: {field}"),
            Self::Refused(status) => write!(f, "server refuses the channel: {status}"),
            Self::ServerNotProved => f.write_str("server does not know the machine account"),
            Self::NotOffered(flags) => {
                write!(f, "server claims flags that were not offered: 0x{:08x}", flags.bits())
            }
            Self::NotNegotiated(what) => write!(f, "not negotiated: {what}"),
            Self::WrongAuthenticator => f.write_str("server's authenticator is wrong"),
            Self::Downgraded(flags) => {
                write!(f, "flags were changed on their way: server has 0x{:08x}", flags.bits())
            }
        }
    }
}

impl core::error::Error for ChannelError {}

impl From<DecodeError> for ChannelError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<TooLong> for ChannelError {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}
