//! NetrServerReqChallenge, NetrServerAuthenticate3, NetrLogonGetCapabilities (MS-NRPC 3.5.4.4).

use super::{read_authenticator, write_authenticator};
use crate::error::{DecodeError, TooLong};
use crate::flags::NegotiateFlags;
use crate::keys::Authenticator;
use crate::ndr::{NdrReader, NdrWriter};
use alloc::vec::Vec;
use ntlm::NtStatus;
use ntlm::text::Utf16String;

/// NetrServerReqChallenge: the client's challenge (MS-NRPC 3.5.4.4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengeRequest {
    /// PrimaryName: the server, with two backslashes before it.
    pub primary_name: Option<Utf16String>,
    /// ComputerName: NetBIOS name of the client.
    pub computer_name: Utf16String,
    /// ClientChallenge.
    pub client_challenge: [u8; 8],
}

impl ChallengeRequest {
    /// Its number.
    pub const OPNUM: u16 = 4;

    /// Reads a stub.
    ///
    /// # Errors
    ///
    /// It is none of this call.
    pub fn decode(stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let primary_name = r.optional_string("PrimaryName")?;
        let computer_name = r.string("ComputerName")?;
        let client_challenge = r.array("ClientChallenge")?;
        r.end()?;
        Ok(Self { primary_name, computer_name, client_challenge })
    }

    /// Writes the stub.
    ///
    /// # Errors
    ///
    /// A name is too long.
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let mut w = NdrWriter::default();
        w.optional_string(self.primary_name.as_ref(), "PrimaryName")?;
        w.string(&self.computer_name, "ComputerName")?;
        w.array(&self.client_challenge);
        Ok(w.finish())
    }
}

/// Its answer: the server's challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChallengeResponse {
    /// ServerChallenge.
    pub server_challenge: [u8; 8],
    /// How it ended.
    pub status: NtStatus,
}

impl ChallengeResponse {
    /// Reads a stub.
    ///
    /// # Errors
    ///
    /// It is none of this call.
    pub fn decode(stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let server_challenge = r.array("ServerChallenge")?;
        let status = NtStatus(r.u32("status")?);
        r.end()?;
        Ok(Self { server_challenge, status })
    }
}

/// NETLOGON_SECURE_CHANNEL_TYPE: what the client is to the domain (MS-NRPC 2.2.1.3.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SecureChannelType(pub u16);

impl SecureChannelType {
    /// A member.
    pub const WORKSTATION: Self = Self(2);
    /// A trust between domains, by DNS name.
    pub const TRUSTED_DNS_DOMAIN: Self = Self(3);
    /// A trust between domains.
    pub const TRUSTED_DOMAIN: Self = Self(4);
    /// Another domain controller.
    pub const SERVER: Self = Self(6);
    /// A read-only domain controller.
    pub const CDC_SERVER: Self = Self(7);
}

/// NetrServerAuthenticate3: the client proves itself (MS-NRPC 3.5.4.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authenticate3Request {
    /// PrimaryName: the server, with two backslashes before it.
    pub primary_name: Option<Utf16String>,
    /// AccountName: the machine account, with its dollar sign.
    pub account_name: Utf16String,
    /// SecureChannelType.
    pub secure_channel_type: SecureChannelType,
    /// ComputerName: as in the challenge.
    pub computer_name: Utf16String,
    /// ClientCredential.
    pub client_credential: [u8; 8],
    /// NegotiateFlags: what the client can do.
    pub negotiate_flags: NegotiateFlags,
}

impl Authenticate3Request {
    /// Its number.
    pub const OPNUM: u16 = 26;

    /// Reads a stub.
    ///
    /// # Errors
    ///
    /// It is none of this call.
    pub fn decode(stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let primary_name = r.optional_string("PrimaryName")?;
        let account_name = r.string("AccountName")?;
        let secure_channel_type = SecureChannelType(r.u16("SecureChannelType")?);
        let computer_name = r.string("ComputerName")?;
        let client_credential = r.array("ClientCredential")?;
        let negotiate_flags = NegotiateFlags::from_bits_retain(r.u32("NegotiateFlags")?);
        r.end()?;
        Ok(Self {
            primary_name,
            account_name,
            secure_channel_type,
            computer_name,
            client_credential,
            negotiate_flags,
        })
    }

    /// Writes the stub.
    ///
    /// # Errors
    ///
    /// A name is too long.
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let mut w = NdrWriter::default();
        w.optional_string(self.primary_name.as_ref(), "PrimaryName")?;
        w.string(&self.account_name, "AccountName")?;
        w.u16(self.secure_channel_type.0);
        w.string(&self.computer_name, "ComputerName")?;
        w.array(&self.client_credential);
        w.u32(self.negotiate_flags.bits());
        Ok(w.finish())
    }
}

/// Its answer: the server proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authenticate3Response {
    /// ServerCredential.
    pub server_credential: [u8; 8],
    /// NegotiateFlags: what both can do.
    pub negotiate_flags: NegotiateFlags,
    /// AccountRid of the machine account.
    pub account_rid: u32,
    /// How it ended.
    pub status: NtStatus,
}

impl Authenticate3Response {
    /// Reads a stub.
    ///
    /// # Errors
    ///
    /// It is none of this call.
    pub fn decode(stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let server_credential = r.array("ServerCredential")?;
        let negotiate_flags = NegotiateFlags::from_bits_retain(r.u32("NegotiateFlags")?);
        let account_rid = r.u32("AccountRid")?;
        let status = NtStatus(r.u32("status")?);
        r.end()?;
        Ok(Self { server_credential, negotiate_flags, account_rid, status })
    }
}

/// NetrLogonGetCapabilities at query level 1: what was negotiated, asked again where nobody can
/// change it (MS-NRPC 3.5.4.4.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapabilitiesRequest {
    /// ServerName, with two backslashes before it.
    pub server_name: Utf16String,
    /// ComputerName.
    pub computer_name: Option<Utf16String>,
    /// Authenticator.
    pub authenticator: Authenticator,
}

impl CapabilitiesRequest {
    /// Its number.
    pub const OPNUM: u16 = 21;

    const QUERY_LEVEL: u32 = 1;

    /// Reads a stub.
    ///
    /// # Errors
    ///
    /// It is none of this call, or of another level.
    pub fn decode(stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let server_name = r.string("ServerName")?;
        let computer_name = r.optional_string("ComputerName")?;
        let authenticator = read_authenticator(&mut r, "Authenticator")?;
        read_authenticator(&mut r, "ReturnAuthenticator")?;
        let error = r.error(crate::error::DecodeErrorKind::WrongValue, "QueryLevel");
        if r.u32("QueryLevel")? != Self::QUERY_LEVEL {
            return Err(error);
        }
        r.end()?;
        Ok(Self { server_name, computer_name, authenticator })
    }

    /// Writes the stub.
    ///
    /// # Errors
    ///
    /// A name is too long.
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let mut w = NdrWriter::default();
        w.string(&self.server_name, "ServerName")?;
        w.optional_string(self.computer_name.as_ref(), "ComputerName")?;
        write_authenticator(&self.authenticator, &mut w);
        write_authenticator(&Authenticator { credential: [0; 8], timestamp: 0 }, &mut w);
        w.u32(Self::QUERY_LEVEL);
        Ok(w.finish())
    }
}

/// Its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapabilitiesResponse {
    /// ReturnAuthenticator.
    pub return_authenticator: Authenticator,
    /// ServerCapabilities: NegotiateFlags as the server has them.
    pub server_capabilities: NegotiateFlags,
    /// How it ended.
    pub status: NtStatus,
}

impl CapabilitiesResponse {
    /// Reads a stub.
    ///
    /// # Errors
    ///
    /// It is none of this call.
    pub fn decode(stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let return_authenticator = read_authenticator(&mut r, "ReturnAuthenticator")?;
        let error = r.error(crate::error::DecodeErrorKind::WrongValue, "ServerCapabilities");
        if r.u32("ServerCapabilities")? != CapabilitiesRequest::QUERY_LEVEL {
            return Err(error);
        }
        let server_capabilities = NegotiateFlags::from_bits_retain(r.u32("ServerCapabilities")?);
        let status = NtStatus(r.u32("status")?);
        r.end()?;
        Ok(Self { return_authenticator, server_capabilities, status })
    }
}
