//! NTSTATUS, as far as sessions need it (MS-ERREF 2.3).

use core::fmt;

/// The status of a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NtStatus(pub u32);

impl NtStatus {
    /// STATUS_SUCCESS.
    pub const SUCCESS: Self = Self(0);
    /// STATUS_PENDING: an interim response; the real one follows.
    pub const PENDING: Self = Self(0x0000_0103);
    /// STATUS_BUFFER_OVERFLOW: what fits is there, and there is more.
    pub const BUFFER_OVERFLOW: Self = Self(0x8000_0005);
    /// STATUS_END_OF_FILE.
    pub const END_OF_FILE: Self = Self(0xc000_0011);
    /// STATUS_OBJECT_NAME_NOT_FOUND.
    pub const OBJECT_NAME_NOT_FOUND: Self = Self(0xc000_0034);
    /// STATUS_BAD_NETWORK_NAME: no such share.
    pub const BAD_NETWORK_NAME: Self = Self(0xc000_00cc);
    /// STATUS_ACCOUNT_RESTRICTION.
    pub const ACCOUNT_RESTRICTION: Self = Self(0xc000_006e);
    /// STATUS_ACCOUNT_DISABLED.
    pub const ACCOUNT_DISABLED: Self = Self(0xc000_0072);
    /// STATUS_PASSWORD_EXPIRED.
    pub const PASSWORD_EXPIRED: Self = Self(0xc000_0071);
    /// STATUS_PASSWORD_MUST_CHANGE.
    pub const PASSWORD_MUST_CHANGE: Self = Self(0xc000_0224);
    /// STATUS_ACCOUNT_LOCKED_OUT.
    pub const ACCOUNT_LOCKED_OUT: Self = Self(0xc000_0234);
    /// STATUS_INVALID_LOGON_HOURS.
    pub const INVALID_LOGON_HOURS: Self = Self(0xc000_006f);
    /// STATUS_INVALID_WORKSTATION.
    pub const INVALID_WORKSTATION: Self = Self(0xc000_0070);
    /// STATUS_LOGON_TYPE_NOT_GRANTED.
    pub const LOGON_TYPE_NOT_GRANTED: Self = Self(0xc000_015b);
    /// STATUS_ACCOUNT_EXPIRED.
    pub const ACCOUNT_EXPIRED: Self = Self(0xc000_0193);
    /// STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT: the account of a domain.
    pub const NOLOGON_INTERDOMAIN_TRUST_ACCOUNT: Self = Self(0xc000_0198);
    /// STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT: the account of a member.
    pub const NOLOGON_WORKSTATION_TRUST_ACCOUNT: Self = Self(0xc000_0199);
    /// STATUS_NOLOGON_SERVER_TRUST_ACCOUNT: the account of a domain controller.
    pub const NOLOGON_SERVER_TRUST_ACCOUNT: Self = Self(0xc000_019a);
    /// STATUS_SMARTCARD_LOGON_REQUIRED.
    pub const SMARTCARD_LOGON_REQUIRED: Self = Self(0xc000_02fa);
    /// STATUS_AUTHENTICATION_FIREWALL_FAILED: not allowed on this server.
    pub const AUTHENTICATION_FIREWALL_FAILED: Self = Self(0xc000_0413);
    /// STATUS_NTLM_BLOCKED: a policy of the domain.
    pub const NTLM_BLOCKED: Self = Self(0xc000_0418);
    /// STATUS_MORE_PROCESSING_REQUIRED: the logon goes on.
    pub const MORE_PROCESSING_REQUIRED: Self = Self(0xc000_0016);
    /// STATUS_ACCESS_DENIED: also the answer to a bad signature.
    pub const ACCESS_DENIED: Self = Self(0xc000_0022);
    /// STATUS_LOGON_FAILURE.
    pub const LOGON_FAILURE: Self = Self(0xc000_006d);
    /// STATUS_INVALID_PARAMETER.
    pub const INVALID_PARAMETER: Self = Self(0xc000_000d);
    /// STATUS_NOT_SUPPORTED.
    pub const NOT_SUPPORTED: Self = Self(0xc000_00bb);
    /// STATUS_REQUEST_NOT_ACCEPTED.
    pub const REQUEST_NOT_ACCEPTED: Self = Self(0xc000_00d0);
    /// STATUS_USER_SESSION_DELETED: no such session.
    pub const USER_SESSION_DELETED: Self = Self(0xc000_0203);
    /// STATUS_NETWORK_NAME_DELETED: no such tree.
    pub const NETWORK_NAME_DELETED: Self = Self(0xc000_00c9);
    /// STATUS_NETWORK_SESSION_EXPIRED: the client has to authenticate again.
    pub const NETWORK_SESSION_EXPIRED: Self = Self(0xc000_035c);
    /// STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP.
    pub const SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP: Self = Self(0xc05d_0000);
    /// STATUS_NO_MORE_FILES.
    pub const NO_MORE_FILES: Self = Self(0x8000_0006);
    /// STATUS_INVALID_INFO_CLASS.
    pub const INVALID_INFO_CLASS: Self = Self(0xc000_0003);
    /// STATUS_INFO_LENGTH_MISMATCH.
    pub const INFO_LENGTH_MISMATCH: Self = Self(0xc000_0004);
    /// STATUS_OBJECT_NAME_INVALID.
    pub const OBJECT_NAME_INVALID: Self = Self(0xc000_0033);
    /// STATUS_OBJECT_NAME_COLLISION: there is one already.
    pub const OBJECT_NAME_COLLISION: Self = Self(0xc000_0035);
    /// STATUS_DISK_FULL.
    pub const DISK_FULL: Self = Self(0xc000_007f);
    /// STATUS_INSUFFICIENT_RESOURCES: a limit was reached.
    pub const INSUFFICIENT_RESOURCES: Self = Self(0xc000_009a);
    /// STATUS_NO_LOGON_SERVERS: whoever judges cannot be reached.
    pub const NO_LOGON_SERVERS: Self = Self(0xc000_005e);
    /// STATUS_DELETE_PENDING: the file goes once nobody has it open.
    pub const DELETE_PENDING: Self = Self(0xc000_0056);
    /// STATUS_INVALID_DEVICE_REQUEST.
    pub const INVALID_DEVICE_REQUEST: Self = Self(0xc000_0010);
    /// STATUS_CANCELLED: the client cancelled it.
    pub const CANCELLED: Self = Self(0xc000_0120);
    /// STATUS_SHARING_VIOLATION: somebody else has it open.
    pub const SHARING_VIOLATION: Self = Self(0xc000_0043);
    /// STATUS_FILE_IS_A_DIRECTORY.
    pub const FILE_IS_A_DIRECTORY: Self = Self(0xc000_00ba);
    /// STATUS_TOO_MANY_OPENED_FILES.
    pub const TOO_MANY_OPENED_FILES: Self = Self(0xc000_011f);
    /// STATUS_FILE_CLOSED: no such file is open.
    pub const FILE_CLOSED: Self = Self(0xc000_0128);
    /// STATUS_NOT_FOUND.
    pub const NOT_FOUND: Self = Self(0xc000_0225);
    /// STATUS_REQUEST_OUT_OF_SEQUENCE.
    pub const REQUEST_OUT_OF_SEQUENCE: Self = Self(0xc000_042a);
    /// STATUS_SMB_BAD_TID, of SMB1: no such tree.
    pub const SMB_BAD_TID: Self = Self(0x0005_0002);
    /// STATUS_SMB_BAD_UID, of SMB1: no such session.
    pub const SMB_BAD_UID: Self = Self(0x005b_0002);

    const NAMES: [(Self, &str); 50] = [
        (Self::SUCCESS, "STATUS_SUCCESS"),
        (Self::PENDING, "STATUS_PENDING"),
        (Self::BUFFER_OVERFLOW, "STATUS_BUFFER_OVERFLOW"),
        (Self::END_OF_FILE, "STATUS_END_OF_FILE"),
        (Self::OBJECT_NAME_NOT_FOUND, "STATUS_OBJECT_NAME_NOT_FOUND"),
        (Self::BAD_NETWORK_NAME, "STATUS_BAD_NETWORK_NAME"),
        (Self::ACCOUNT_RESTRICTION, "STATUS_ACCOUNT_RESTRICTION"),
        (Self::ACCOUNT_DISABLED, "STATUS_ACCOUNT_DISABLED"),
        (Self::PASSWORD_EXPIRED, "STATUS_PASSWORD_EXPIRED"),
        (Self::PASSWORD_MUST_CHANGE, "STATUS_PASSWORD_MUST_CHANGE"),
        (Self::ACCOUNT_LOCKED_OUT, "STATUS_ACCOUNT_LOCKED_OUT"),
        (Self::INVALID_LOGON_HOURS, "STATUS_INVALID_LOGON_HOURS"),
        (Self::INVALID_WORKSTATION, "STATUS_INVALID_WORKSTATION"),
        (Self::LOGON_TYPE_NOT_GRANTED, "STATUS_LOGON_TYPE_NOT_GRANTED"),
        (Self::ACCOUNT_EXPIRED, "STATUS_ACCOUNT_EXPIRED"),
        (Self::NOLOGON_INTERDOMAIN_TRUST_ACCOUNT, "STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT"),
        (Self::NOLOGON_WORKSTATION_TRUST_ACCOUNT, "STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT"),
        (Self::NOLOGON_SERVER_TRUST_ACCOUNT, "STATUS_NOLOGON_SERVER_TRUST_ACCOUNT"),
        (Self::SMARTCARD_LOGON_REQUIRED, "STATUS_SMARTCARD_LOGON_REQUIRED"),
        (Self::AUTHENTICATION_FIREWALL_FAILED, "STATUS_AUTHENTICATION_FIREWALL_FAILED"),
        (Self::NTLM_BLOCKED, "STATUS_NTLM_BLOCKED"),
        (Self::MORE_PROCESSING_REQUIRED, "STATUS_MORE_PROCESSING_REQUIRED"),
        (Self::ACCESS_DENIED, "STATUS_ACCESS_DENIED"),
        (Self::LOGON_FAILURE, "STATUS_LOGON_FAILURE"),
        (Self::INVALID_PARAMETER, "STATUS_INVALID_PARAMETER"),
        (Self::NOT_SUPPORTED, "STATUS_NOT_SUPPORTED"),
        (Self::REQUEST_NOT_ACCEPTED, "STATUS_REQUEST_NOT_ACCEPTED"),
        (Self::USER_SESSION_DELETED, "STATUS_USER_SESSION_DELETED"),
        (Self::NETWORK_NAME_DELETED, "STATUS_NETWORK_NAME_DELETED"),
        (Self::NETWORK_SESSION_EXPIRED, "STATUS_NETWORK_SESSION_EXPIRED"),
        (
            Self::SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP,
            "STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP",
        ),
        (Self::NO_MORE_FILES, "STATUS_NO_MORE_FILES"),
        (Self::INVALID_INFO_CLASS, "STATUS_INVALID_INFO_CLASS"),
        (Self::INFO_LENGTH_MISMATCH, "STATUS_INFO_LENGTH_MISMATCH"),
        (Self::OBJECT_NAME_INVALID, "STATUS_OBJECT_NAME_INVALID"),
        (Self::OBJECT_NAME_COLLISION, "STATUS_OBJECT_NAME_COLLISION"),
        (Self::DISK_FULL, "STATUS_DISK_FULL"),
        (Self::INSUFFICIENT_RESOURCES, "STATUS_INSUFFICIENT_RESOURCES"),
        (Self::NO_LOGON_SERVERS, "STATUS_NO_LOGON_SERVERS"),
        (Self::DELETE_PENDING, "STATUS_DELETE_PENDING"),
        (Self::INVALID_DEVICE_REQUEST, "STATUS_INVALID_DEVICE_REQUEST"),
        (Self::CANCELLED, "STATUS_CANCELLED"),
        (Self::SHARING_VIOLATION, "STATUS_SHARING_VIOLATION"),
        (Self::FILE_IS_A_DIRECTORY, "STATUS_FILE_IS_A_DIRECTORY"),
        (Self::TOO_MANY_OPENED_FILES, "STATUS_TOO_MANY_OPENED_FILES"),
        (Self::FILE_CLOSED, "STATUS_FILE_CLOSED"),
        (Self::NOT_FOUND, "STATUS_NOT_FOUND"),
        (Self::REQUEST_OUT_OF_SEQUENCE, "STATUS_REQUEST_OUT_OF_SEQUENCE"),
        (Self::SMB_BAD_TID, "STATUS_SMB_BAD_TID"),
        (Self::SMB_BAD_UID, "STATUS_SMB_BAD_UID"),
    ];

    /// Its name, where it is one of those that sessions deal with.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Self::NAMES.iter().find(|(status, _)| *status == self).map(|(_, name)| *name)
    }
}

impl fmt::Display for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:08x}", self.0),
        }
    }
}
