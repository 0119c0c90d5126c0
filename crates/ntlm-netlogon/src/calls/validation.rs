//! What a domain controller says of an account: NETLOGON_VALIDATION_SAM_INFO, SAM_INFO2 and
//! SAM_INFO4 (MS-NRPC 2.2.1.4.11 to 2.2.1.4.13).

use crate::error::{DecodeError, DecodeErrorKind};
use crate::flags::NegotiateFlags;
use crate::keys::ChannelKeys;
use crate::ndr::NdrReader;
use alloc::vec::Vec;
use bitflags::bitflags;
use core::fmt;
use ntlm::FileTime;
use ntlm::keys::{LmowfPrefix, SessionBaseKey};
use ntlm::text::Utf16String;
use zeroize::Zeroize;

/// ValidationLevel: how much is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValidationLevel {
    /// NetlogonValidationSamInfo, 2.
    SamInfo,
    /// NetlogonValidationSamInfo2, 3: and SIDs of other domains.
    SamInfo2,
    /// NetlogonValidationSamInfo4, 6: and DNS names. Its keys are in the clear, so the channel has
    /// to be sealed.
    SamInfo4,
}

impl ValidationLevel {
    /// The one that says most, on a channel that is sealed (MS-NRPC 3.1.4.2, 3.5.4.5.1).
    #[must_use]
    pub const fn choose(flags: NegotiateFlags) -> Self {
        let cross_forest = NegotiateFlags::CROSS_FOREST_TRUSTS.union(NegotiateFlags::SECURE_RPC);
        if flags.contains(cross_forest) {
            Self::SamInfo4
        } else if flags.contains(NegotiateFlags::VALIDATION_SAM_INFO2) {
            Self::SamInfo2
        } else {
            Self::SamInfo
        }
    }

    /// The next one that says less, for a server that does not know this one
    /// (STATUS_INVALID_INFO_CLASS).
    #[must_use]
    pub const fn older(self) -> Option<Self> {
        match self {
            Self::SamInfo4 => Some(Self::SamInfo2),
            Self::SamInfo2 => Some(Self::SamInfo),
            Self::SamInfo => None,
        }
    }

    /// Its number: 2, 3 or 6.
    #[must_use]
    pub const fn value(self) -> u16 {
        match self {
            Self::SamInfo => 2,
            Self::SamInfo2 => 3,
            Self::SamInfo4 => 6,
        }
    }

    pub(super) fn read(r: &mut NdrReader<'_>) -> Result<Self, DecodeError> {
        match r.u16("ValidationLevel")? {
            2 => Ok(Self::SamInfo),
            3 => Ok(Self::SamInfo2),
            6 => Ok(Self::SamInfo4),
            _ => Err(r.error(DecodeErrorKind::WrongValue, "ValidationLevel")),
        }
    }
}

/// Who logged on, and the key that the logon leaves.
#[derive(Debug)]
pub struct Validation {
    /// How much was said.
    pub level: ValidationLevel,
    /// EffectiveName: the account as the domain spells it.
    pub effective_name: Utf16String,
    /// FullName.
    pub full_name: Utf16String,
    /// LogonServer: who judged.
    pub logon_server: Utf16String,
    /// LogonDomainName: whose account it is.
    pub logon_domain_name: Utf16String,
    /// LogonDomainId.
    pub logon_domain_id: Option<Sid>,
    /// UserId: the account, under LogonDomainId.
    pub user_id: u32,
    /// PrimaryGroupId, under LogonDomainId.
    pub primary_group_id: u32,
    /// GroupIds, under LogonDomainId.
    pub groups: Vec<Group>,
    /// ExtraSids: groups of other domains. Empty at level 2.
    pub extra_sids: Vec<SidAttributes>,
    /// UserFlags.
    pub user_flags: UserFlags,
    /// UserSessionKey: SessionBaseKey of the version that was judged.
    pub user_session_key: SessionBaseKey,
    /// LMKey: the first 8 bytes of LMOWFv1, of NTLMv1.
    pub lm_key: LmowfPrefix,
    /// UserAccountControl.
    pub user_account_control: u32,
    /// PasswordLastSet.
    pub password_last_set: FileTime,
    /// PasswordMustChange.
    pub password_must_change: FileTime,
    /// DnsLogonDomainName, at level 6.
    pub dns_logon_domain_name: Option<Utf16String>,
    /// Upn, at level 6.
    pub upn: Option<Utf16String>,
}

impl Validation {
    /// The SID of something in the account's own domain, such as [`user_id`](Self::user_id).
    #[must_use]
    pub fn sid_of(&self, relative_id: u32) -> Option<Sid> {
        let mut sid = self.logon_domain_id.clone()?;
        sid.sub_authorities.push(relative_id);
        Some(sid)
    }
}

/// GROUP_MEMBERSHIP (MS-SAMR 2.2.7.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group {
    /// RelativeId.
    pub relative_id: u32,
    /// Attributes.
    pub attributes: u32,
}

/// NETLOGON_SID_AND_ATTRIBUTES (MS-NRPC 2.2.1.4.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SidAttributes {
    /// Sid.
    pub sid: Sid,
    /// Attributes.
    pub attributes: u32,
}

bitflags! {
    /// UserFlags (MS-PAC 2.5). Unknown bits are kept.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct UserFlags: u32 {
        /// The guest account stands in, and there is no key.
        const GUEST = 0x1;
        /// NOENCRYPTION.
        const NO_ENCRYPTION = 0x2;
        /// The LM password was used.
        const USED_LM_PASSWORD = 0x8;
        /// ExtraSids are there.
        const EXTRA_SIDS = 0x20;
        /// SUBAUTH_SESSION_KEY.
        const SUBAUTH_SESSION_KEY = 0x40;
        /// A server trust account.
        const SERVER_TRUST_ACCOUNT = 0x80;
        /// NTLMv2 was used.
        const NTLMV2_ENABLED = 0x100;
        /// RESOURCE_GROUPS.
        const RESOURCE_GROUPS = 0x200;
    }
}

/// RPC_SID: who somebody is (MS-DTYP 2.4.2.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sid {
    /// IdentifierAuthority, 48 bits.
    pub identifier_authority: u64,
    /// SubAuthority, at most 15.
    pub sub_authorities: Vec<u32>,
}

impl Sid {
    const MAX_SUB_AUTHORITIES: u32 = 15;

    fn read(r: &mut NdrReader<'_>, field: &'static str) -> Result<Self, DecodeError> {
        let count = r.count(4, field)?;
        if count > Self::MAX_SUB_AUTHORITIES {
            return Err(r.error(DecodeErrorKind::TooLong, field));
        }
        if r.u8(field)? != 1 {
            return Err(r.error(DecodeErrorKind::WrongValue, field));
        }
        if u32::from(r.u8(field)?) != count {
            return Err(r.error(DecodeErrorKind::Contradiction, field));
        }
        let [a, b, c, d, e, f] = r.array(field)?;
        let identifier_authority = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let sub_authorities = (0..count).map(|_| r.u32(field)).collect::<Result<_, _>>()?;
        Ok(Self { identifier_authority, sub_authorities })
    }
}

/// As MS-DTYP 2.4.2.1 spells it: S-1-5-21-...
impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u32::try_from(self.identifier_authority) {
            Ok(authority) => write!(f, "S-1-{authority}")?,
            Err(_) => write!(f, "S-1-0x{:012x}", self.identifier_authority)?,
        }
        self.sub_authorities.iter().try_for_each(|part| write!(f, "-{part}"))
    }
}

impl Validation {
    pub(super) fn read(
        r: &mut NdrReader<'_>,
        level: ValidationLevel,
        keys: &ChannelKeys,
    ) -> Result<Self, DecodeError> {
        for field in ["LogonTime", "LogoffTime", "KickOffTime"] {
            r.old_large_integer(field)?;
        }
        let password_last_set = FileTime(r.old_large_integer("PasswordLastSet")?);
        r.old_large_integer("PasswordCanChange")?;
        let password_must_change = FileTime(r.old_large_integer("PasswordMustChange")?);
        let effective_name = r.string_header("EffectiveName")?;
        let full_name = r.string_header("FullName")?;
        let unused = [
            (r.string_header("LogonScript")?, "LogonScript"),
            (r.string_header("ProfilePath")?, "ProfilePath"),
            (r.string_header("HomeDirectory")?, "HomeDirectory"),
            (r.string_header("HomeDirectoryDrive")?, "HomeDirectoryDrive"),
        ];
        r.u16("LogonCount")?;
        r.u16("BadPasswordCount")?;
        let user_id = r.u32("UserId")?;
        let primary_group_id = r.u32("PrimaryGroupId")?;
        let group_count = r.u32("GroupCount")?;
        let has_groups = r.pointer("GroupIds")?;
        let user_flags = UserFlags::from_bits_retain(r.u32("UserFlags")?);
        let mut user_session_key: [u8; 16] = r.array("UserSessionKey")?;
        let logon_server = r.string_header("LogonServer")?;
        let logon_domain_name = r.string_header("LogonDomainName")?;
        let has_domain_id = r.pointer("LogonDomainId")?;
        // In SAM_INFO and SAM_INFO2 these 40 bytes are ExpansionRoom, with the same things in them.
        let mut lm_key: [u8; 8] = r.array("LMKey")?;
        let user_account_control = r.u32("UserAccountControl")?;
        r.u32("SubAuthStatus")?;
        r.old_large_integer("LastSuccessfulILogon")?;
        r.old_large_integer("LastFailedILogon")?;
        r.u32("FailedILogonCount")?;
        r.u32("Reserved4")?;
        if level != ValidationLevel::SamInfo4 {
            keys.decrypt_field(&mut user_session_key);
            keys.decrypt_field(&mut lm_key);
        }
        let keys = (SessionBaseKey::new(user_session_key), LmowfPrefix::new(lm_key));
        user_session_key.zeroize();
        lm_key.zeroize();
        let (sid_count, has_sids) = match level {
            ValidationLevel::SamInfo => (0, false),
            _ => (r.u32("SidCount")?, r.pointer("ExtraSids")?),
        };
        let (mut dns_logon_domain_name, mut upn, mut expansion) = (None, None, Vec::new());
        if level == ValidationLevel::SamInfo4 {
            dns_logon_domain_name = Some(r.string_header("DnsLogonDomainName")?);
            upn = Some(r.string_header("Upn")?);
            let strings = (0..10).map(|_| r.string_header("ExpansionString"));
            expansion = strings.collect::<Result<_, _>>()?;
        }

        let effective_name = r.unicode_string(effective_name, "EffectiveName")?;
        let full_name = r.unicode_string(full_name, "FullName")?;
        for (header, field) in unused {
            r.unicode_string(header, field)?;
        }
        let groups = read_groups(r, has_groups, group_count)?;
        let logon_server = r.unicode_string(logon_server, "LogonServer")?;
        let logon_domain_name = r.unicode_string(logon_domain_name, "LogonDomainName")?;
        let logon_domain_id = match has_domain_id {
            true => Some(Sid::read(r, "LogonDomainId")?),
            false => None,
        };
        let extra_sids = read_extra_sids(r, has_sids, sid_count)?;
        let dns_logon_domain_name = dns_logon_domain_name
            .map(|header| r.unicode_string(header, "DnsLogonDomainName"))
            .transpose()?;
        let upn = upn.map(|header| r.unicode_string(header, "Upn")).transpose()?;
        for header in expansion {
            r.unicode_string(header, "ExpansionString")?;
        }
        let (user_session_key, lm_key) = keys;
        Ok(Self {
            level,
            effective_name,
            full_name,
            logon_server,
            logon_domain_name,
            logon_domain_id,
            user_id,
            primary_group_id,
            groups,
            extra_sids,
            user_flags,
            user_session_key,
            lm_key,
            user_account_control,
            password_last_set,
            password_must_change,
            dns_logon_domain_name,
            upn,
        })
    }
}

fn read_groups(
    r: &mut NdrReader<'_>,
    present: bool,
    stated: u32,
) -> Result<Vec<Group>, DecodeError> {
    let count = conformance(r, present, stated, "GroupIds")?;
    let groups = (0..count).map(|_| {
        let relative_id = r.u32("GroupIds")?;
        let attributes = r.u32("GroupIds")?;
        Ok(Group { relative_id, attributes })
    });
    groups.collect()
}

fn read_extra_sids(
    r: &mut NdrReader<'_>,
    present: bool,
    stated: u32,
) -> Result<Vec<SidAttributes>, DecodeError> {
    let count = conformance(r, present, stated, "ExtraSids")?;
    let attributes = (0..count).map(|_| {
        r.pointer_to("ExtraSids")?;
        r.u32("ExtraSids")
    });
    let attributes = attributes.collect::<Result<Vec<_>, _>>()?;
    let read = |attributes| Ok(SidAttributes { sid: Sid::read(r, "ExtraSids")?, attributes });
    attributes.into_iter().map(read).collect()
}

/// The count before an array of elements of 8 bytes, which has to be the one that was stated.
fn conformance(
    r: &mut NdrReader<'_>,
    present: bool,
    stated: u32,
    field: &'static str,
) -> Result<u32, DecodeError> {
    let count = if present { r.count(8, field)? } else { 0 };
    match count == stated {
        true => Ok(count),
        false => Err(r.error(DecodeErrorKind::Contradiction, field)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn sids_are_spelled_as_the_specification_does() {
        let sid = |identifier_authority, sub_authorities: &[u32]| {
            Sid { identifier_authority, sub_authorities: sub_authorities.to_vec() }.to_string()
        };
        assert_eq!(sid(5, &[21, 4_294_967_295, 500]), "S-1-5-21-4294967295-500");
        assert_eq!(sid(1, &[]), "S-1-1");
        assert_eq!(sid(0x1234_5678_9abc, &[1]), "S-1-0x123456789abc-1");
    }
}
