//! A logon passed through, as one reads it who looks on: any of its methods, at any of the levels
//! that are passwords or responses (MS-NRPC 3.5.4.5, 2.2.1.4.16).

use super::sam_logon::{
    NetworkInfo, ParameterControl, SamLogonMethod, read_authenticators, read_extra_flags,
};
use super::validation::ValidationLevel;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::ndr::NdrReader;
use ntlm::text::Utf16String;

/// NetrLogonSamLogon, NetrLogonSamLogonEx or NetrLogonSamLogonWithFlags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedLogon {
    /// LogonServer, with two backslashes before it.
    pub logon_server: Option<Utf16String>,
    /// ComputerName.
    pub computer_name: Option<Utf16String>,
    /// LogonLevel.
    pub logon_level: u16,
    /// LogonInformation.
    pub logon_information: LogonInformation,
    /// ValidationLevel: how much is asked for.
    pub validation_level: ValidationLevel,
}

/// NETLOGON_LEVEL: what there is to judge (MS-NRPC 2.2.1.4.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogonInformation {
    /// Levels 1, 3, 5 and 7: a password's hashes, encrypted with the channel's key.
    Interactive(InteractiveInfo),
    /// Levels 2 and 6: responses to a challenge.
    Network(NetworkInfo),
}

/// NETLOGON_INTERACTIVE_INFO and NETLOGON_SERVICE_INFO, which are alike (MS-NRPC 2.2.1.4.3,
/// 2.2.1.4.4). The hashes are passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InteractiveInfo {
    /// LogonDomainName.
    pub logon_domain_name: Utf16String,
    /// ParameterControl.
    pub parameter_control: ParameterControl,
    /// UserName.
    pub user_name: Utf16String,
    /// Workstation.
    pub workstation: Utf16String,
}

impl ObservedLogon {
    /// Whether a call of this number logs somebody on.
    #[must_use]
    pub const fn is_opnum(opnum: u16) -> bool {
        matches!(
            opnum,
            SamLogonMethod::EX_OPNUM
                | SamLogonMethod::WITH_FLAGS_OPNUM
                | SamLogonMethod::SAM_LOGON_OPNUM
        )
    }

    /// Reads the stub of the method with this number.
    ///
    /// # Errors
    ///
    /// It is none of these methods, or at a level that is neither password nor responses.
    pub fn decode(opnum: u16, stub: &[u8]) -> Result<Self, DecodeError> {
        let mut r = NdrReader::new(stub);
        if !Self::is_opnum(opnum) {
            return Err(r.error(DecodeErrorKind::WrongValue, "opnum"));
        }
        let logon_server = r.optional_string("LogonServer")?;
        let computer_name = r.optional_string("ComputerName")?;
        if opnum != SamLogonMethod::EX_OPNUM {
            read_authenticators(&mut r)?;
        }
        let logon_level = r.u16("LogonLevel")?;
        if r.u16("LogonInformation")? != logon_level {
            return Err(r.error(DecodeErrorKind::Contradiction, "LogonInformation"));
        }
        r.pointer_to("LogonInformation")?;
        let logon_information = match logon_level {
            1 | 3 | 5 | 7 => LogonInformation::Interactive(InteractiveInfo::read(&mut r)?),
            2 | 6 => LogonInformation::Network(NetworkInfo::read(&mut r)?),
            _ => return Err(r.error(DecodeErrorKind::WrongValue, "LogonLevel")),
        };
        let validation_level = ValidationLevel::read(&mut r)?;
        read_extra_flags(opnum, &mut r)?;
        r.end()?;
        Ok(Self { logon_server, computer_name, logon_level, logon_information, validation_level })
    }
}

impl InteractiveInfo {
    fn read(r: &mut NdrReader<'_>) -> Result<Self, DecodeError> {
        let domain = r.string_header("LogonDomainName")?;
        let parameter_control = ParameterControl::from_bits_retain(r.u32("ParameterControl")?);
        r.old_large_integer("Reserved")?;
        let user = r.string_header("UserName")?;
        let workstation = r.string_header("Workstation")?;
        r.array::<16>("LmOwfPassword")?;
        r.array::<16>("NtOwfPassword")?;
        Ok(Self {
            logon_domain_name: r.unicode_string(domain, "LogonDomainName")?,
            parameter_control,
            user_name: r.unicode_string(user, "UserName")?,
            workstation: r.unicode_string(workstation, "Workstation")?,
        })
    }
}
