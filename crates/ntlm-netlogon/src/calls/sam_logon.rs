//! NetrLogonSamLogonEx, NetrLogonSamLogonWithFlags and NetrLogonSamLogon: a network logon passed
//! through (MS-NRPC 3.5.4.5, MS-APDS 3.1.5.2).

use super::validation::{Validation, ValidationLevel};
use super::{read_authenticator, write_authenticator};
use crate::error::{DecodeError, DecodeErrorKind, TooLong};
use crate::flags::NegotiateFlags;
use crate::keys::{Authenticator, ChannelKeys};
use crate::ndr::{NdrReader, NdrWriter};
use alloc::vec::Vec;
use bitflags::bitflags;
use ntlm::NtStatus;
use ntlm::text::Utf16String;

/// Which method, and what only it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamLogonMethod {
    /// NetrLogonSamLogonEx, for which the channel's seal is enough.
    Ex,
    /// NetrLogonSamLogonWithFlags, which wants an authenticator besides.
    WithFlags(Authenticator),
    /// NetrLogonSamLogon, the same without ExtraFlags: what servers before Windows XP have.
    SamLogon(Authenticator),
}

impl SamLogonMethod {
    /// NetrLogonSamLogonEx.
    pub const EX_OPNUM: u16 = 39;
    /// NetrLogonSamLogonWithFlags.
    pub const WITH_FLAGS_OPNUM: u16 = 45;
    /// NetrLogonSamLogon.
    pub const SAM_LOGON_OPNUM: u16 = 2;

    const fn authenticator(&self) -> Option<&Authenticator> {
        match self {
            Self::Ex => None,
            Self::WithFlags(authenticator) | Self::SamLogon(authenticator) => Some(authenticator),
        }
    }

    /// Its number.
    #[must_use]
    pub const fn opnum(&self) -> u16 {
        match self {
            Self::Ex => Self::EX_OPNUM,
            Self::WithFlags(_) => Self::WITH_FLAGS_OPNUM,
            Self::SamLogon(_) => Self::SAM_LOGON_OPNUM,
        }
    }
}

/// NETLOGON_LOGON_INFO_CLASS, of network logons (MS-NRPC 2.2.1.4.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogonLevel {
    /// NetlogonNetworkInformation, 2.
    Network,
    /// NetlogonNetworkTransitiveInformation, 6: through transitive trusts too.
    NetworkTransitive,
}

impl LogonLevel {
    /// The one that reaches furthest (MS-APDS 3.1.5.2).
    #[must_use]
    pub const fn choose(flags: NegotiateFlags) -> Self {
        if flags.contains(NegotiateFlags::TRANSITIVE_TRUSTS) {
            Self::NetworkTransitive
        } else {
            Self::Network
        }
    }

    const fn value(self) -> u16 {
        match self {
            Self::Network => 2,
            Self::NetworkTransitive => 6,
        }
    }
}

bitflags! {
    /// ParameterControl (MS-NRPC 2.2.1.4.15). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct ParameterControl: u32 {
        /// MSV1_0_ALLOW_SERVER_TRUST_ACCOUNT: domain controllers may log on.
        const ALLOW_SERVER_TRUST_ACCOUNT = 0x20;
        /// MSV1_0_ALLOW_WORKSTATION_TRUST_ACCOUNT: members may log on.
        const ALLOW_WORKSTATION_TRUST_ACCOUNT = 0x800;
        /// MSV1_0_ALLOW_MSVCHAPV2: NTLMv1 although only NTLMv2 is allowed.
        const ALLOW_MSVCHAPV2 = 0x1_0000;
    }
}

/// NETLOGON_NETWORK_INFO: what a client proved itself with (MS-NRPC 2.2.1.4.5).
#[derive(Clone, PartialEq, Eq)]
pub struct NetworkInfo {
    /// LogonDomainName, exactly as the client sent it: it enters NTLMv2.
    pub logon_domain_name: Utf16String,
    /// ParameterControl.
    pub parameter_control: ParameterControl,
    /// UserName, exactly as sent.
    pub user_name: Utf16String,
    /// Workstation, exactly as sent.
    pub workstation: Utf16String,
    /// LmChallenge: what the responses answer.
    pub lm_challenge: [u8; 8],
    /// NtChallengeResponse.
    pub nt_challenge_response: Vec<u8>,
    /// LmChallengeResponse.
    pub lm_challenge_response: Vec<u8>,
}

impl core::fmt::Debug for NetworkInfo {
    /// Leaves out what one could guess at the password with.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("NetworkInfo")
            .field("logon_domain_name", &self.logon_domain_name)
            .field("user_name", &self.user_name)
            .field("workstation", &self.workstation)
            .finish_non_exhaustive()
    }
}

/// The request of any of these methods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamLogonRequest {
    /// Which method.
    pub method: SamLogonMethod,
    /// LogonServer, with two backslashes before it.
    pub logon_server: Option<Utf16String>,
    /// ComputerName: as in the challenge.
    pub computer_name: Option<Utf16String>,
    /// LogonLevel.
    pub logon_level: LogonLevel,
    /// LogonInformation.
    pub network_info: NetworkInfo,
    /// ValidationLevel.
    pub validation_level: ValidationLevel,
    /// ExtraFlags; 0 where the method has none.
    pub extra_flags: u32,
}

impl SamLogonRequest {
    /// Reads the stub of the method with this number.
    ///
    /// # Errors
    ///
    /// It is none of these methods, or no network logon.
    pub fn decode(opnum: u16, stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let logon_server = r.optional_string("LogonServer")?;
        let computer_name = r.optional_string("ComputerName")?;
        let method = match opnum {
            SamLogonMethod::EX_OPNUM => SamLogonMethod::Ex,
            SamLogonMethod::WITH_FLAGS_OPNUM => {
                SamLogonMethod::WithFlags(read_authenticators(&mut r)?)
            }
            SamLogonMethod::SAM_LOGON_OPNUM => {
                SamLogonMethod::SamLogon(read_authenticators(&mut r)?)
            }
            _ => return Err(r.error(DecodeErrorKind::WrongValue, "opnum")),
        };
        let level = r.u16("LogonLevel")?;
        let logon_level = match level {
            2 => LogonLevel::Network,
            6 => LogonLevel::NetworkTransitive,
            _ => return Err(r.error(DecodeErrorKind::WrongValue, "LogonLevel")),
        };
        if r.u16("LogonInformation")? != level {
            return Err(r.error(DecodeErrorKind::Contradiction, "LogonInformation"));
        }
        r.pointer_to("LogonInformation")?;
        let network_info = NetworkInfo::read(&mut r)?;
        let validation_level = ValidationLevel::read(&mut r)?;
        let extra_flags = read_extra_flags(opnum, &mut r)?;
        r.end()?;
        Ok(Self {
            method,
            logon_server,
            computer_name,
            logon_level,
            network_info,
            validation_level,
            extra_flags,
        })
    }

    /// Writes the stub.
    ///
    /// # Errors
    ///
    /// A name or response is too long.
    pub fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let mut w = NdrWriter::default();
        w.optional_string(self.logon_server.as_ref(), "LogonServer")?;
        w.optional_string(self.computer_name.as_ref(), "ComputerName")?;
        if let Some(authenticator) = self.method.authenticator() {
            w.pointer(true);
            write_authenticator(authenticator, &mut w);
            w.pointer(true);
            write_authenticator(&Authenticator { credential: [0; 8], timestamp: 0 }, &mut w);
        }
        w.u16(self.logon_level.value());
        w.u16(self.logon_level.value());
        w.pointer(true);
        self.network_info.write(&mut w)?;
        w.u16(self.validation_level.value());
        if !matches!(self.method, SamLogonMethod::SamLogon(_)) {
            w.u32(self.extra_flags);
        }
        Ok(w.finish())
    }
}

/// Authenticator, and ReturnAuthenticator, which a request has for nothing.
pub(super) fn read_authenticators(r: &mut NdrReader<'_>) -> Result<Authenticator, DecodeError> {
    r.pointer_to("Authenticator")?;
    let authenticator = read_authenticator(r, "Authenticator")?;
    if r.pointer("ReturnAuthenticator")? {
        read_authenticator(r, "ReturnAuthenticator")?;
    }
    Ok(authenticator)
}

pub(super) fn read_extra_flags(opnum: u16, r: &mut NdrReader<'_>) -> Result<u32, DecodeError> {
    if opnum == SamLogonMethod::SAM_LOGON_OPNUM { Ok(0) } else { r.u32("ExtraFlags") }
}

impl NetworkInfo {
    pub(super) fn read(r: &mut NdrReader<'_>) -> Result<Self, DecodeError> {
        let domain = r.string_header("LogonDomainName")?;
        let parameter_control = ParameterControl::from_bits_retain(r.u32("ParameterControl")?);
        r.old_large_integer("Reserved")?;
        let user = r.string_header("UserName")?;
        let workstation = r.string_header("Workstation")?;
        let lm_challenge = r.array("LmChallenge")?;
        let nt = r.string_header("NtChallengeResponse")?;
        let lm = r.string_header("LmChallengeResponse")?;
        Ok(Self {
            logon_domain_name: r.unicode_string(domain, "LogonDomainName")?,
            parameter_control,
            user_name: r.unicode_string(user, "UserName")?,
            workstation: r.unicode_string(workstation, "Workstation")?,
            lm_challenge,
            nt_challenge_response: r.octets(nt, "NtChallengeResponse")?.to_vec(),
            lm_challenge_response: r.octets(lm, "LmChallengeResponse")?.to_vec(),
        })
    }

    fn write(&self, w: &mut NdrWriter) -> Result<(), TooLong> {
        let text = |text: &Utf16String| text.as_units().len().saturating_mul(2);
        w.string_header(text(&self.logon_domain_name), "LogonDomainName")?;
        w.u32(self.parameter_control.bits());
        w.u32(0); // Reserved
        w.u32(0);
        w.string_header(text(&self.user_name), "UserName")?;
        w.string_header(text(&self.workstation), "Workstation")?;
        w.array(&self.lm_challenge);
        w.string_header(self.nt_challenge_response.len(), "NtChallengeResponse")?;
        w.string_header(self.lm_challenge_response.len(), "LmChallengeResponse")?;
        w.unicode_string(&self.logon_domain_name, "LogonDomainName")?;
        w.unicode_string(&self.user_name, "UserName")?;
        w.unicode_string(&self.workstation, "Workstation")?;
        w.octets(&self.nt_challenge_response, "NtChallengeResponse")?;
        w.octets(&self.lm_challenge_response, "LmChallengeResponse")
    }
}

/// The answer of any of these methods.
#[derive(Debug)]
pub struct SamLogonResponse {
    /// ReturnAuthenticator, where the method has one.
    pub return_authenticator: Option<Authenticator>,
    /// ValidationInformation; `None` where the logon failed.
    pub validation: Option<Validation>,
    /// Authoritative: whether the verdict is final for the account.
    pub authoritative: bool,
    /// ExtraFlags; 0 where the method has none.
    pub extra_flags: u32,
    /// The verdict.
    pub status: NtStatus,
}

impl SamLogonResponse {
    /// Reads the stub of the method with this number. At validation levels below 6 its keys are
    /// encrypted with those of the channel.
    ///
    /// # Errors
    ///
    /// It is none of these methods, or contradicts itself.
    pub fn decode(opnum: u16, stub: &[u8], keys: &ChannelKeys) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        let return_authenticator = match opnum {
            SamLogonMethod::EX_OPNUM => None,
            SamLogonMethod::WITH_FLAGS_OPNUM | SamLogonMethod::SAM_LOGON_OPNUM => {
                match r.pointer("ReturnAuthenticator")? {
                    true => Some(read_authenticator(&mut r, "ReturnAuthenticator")?),
                    false => None,
                }
            }
            _ => return Err(r.error(DecodeErrorKind::WrongValue, "opnum")),
        };
        let level = ValidationLevel::read(&mut r)?;
        let validation = match r.pointer("ValidationInformation")? {
            true => Some(Validation::read(&mut r, level, keys)?),
            false => None,
        };
        let authoritative = r.u8("Authoritative")? != 0;
        let extra_flags = read_extra_flags(opnum, &mut r)?;
        let status = NtStatus(r.u32("status")?);
        r.end()?;
        Ok(Self { return_authenticator, validation, authoritative, extra_flags, status })
    }
}
