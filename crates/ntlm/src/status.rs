//! NTSTATUS, as far as logons and sessions need it (MS-ERREF 2.3).

use core::fmt;

/// How a call, a request or a logon ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NtStatus(pub u32);

macro_rules! statuses {
    ($($(#[$meta:meta])* $name:ident = $value:literal;)*) => {
        impl NtStatus {
            $(
                #[doc = concat!("`STATUS_", stringify!($name), "`.")]
                $(
                    #[doc = ""]
                    #[$meta]
                )*
                pub const $name: Self = Self($value);
            )*

            /// Its name, where it is one of these.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some(concat!("STATUS_", stringify!($name))),)*
                    _ => None,
                }
            }
        }
    };
}

// By value.
statuses! {
    SUCCESS = 0;
    /// An interim response; the real one follows.
    PENDING = 0x0000_0103;
    /// Of SMB1: no such tree.
    SMB_BAD_TID = 0x0005_0002;
    /// Of SMB1: no such session.
    SMB_BAD_UID = 0x005b_0002;
    /// What fits is there, and there is more.
    BUFFER_OVERFLOW = 0x8000_0005;
    NO_MORE_FILES = 0x8000_0006;
    INVALID_INFO_CLASS = 0xc000_0003;
    INFO_LENGTH_MISMATCH = 0xc000_0004;
    INVALID_PARAMETER = 0xc000_000d;
    INVALID_DEVICE_REQUEST = 0xc000_0010;
    END_OF_FILE = 0xc000_0011;
    /// The logon goes on.
    MORE_PROCESSING_REQUIRED = 0xc000_0016;
    /// Also the answer to a bad signature.
    ACCESS_DENIED = 0xc000_0022;
    OBJECT_NAME_INVALID = 0xc000_0033;
    OBJECT_NAME_NOT_FOUND = 0xc000_0034;
    /// There is one already.
    OBJECT_NAME_COLLISION = 0xc000_0035;
    /// Somebody else has it open.
    SHARING_VIOLATION = 0xc000_0043;
    /// The file goes once nobody has it open.
    DELETE_PENDING = 0xc000_0056;
    /// Whoever judges cannot be reached.
    NO_LOGON_SERVERS = 0xc000_005e;
    NO_SUCH_USER = 0xc000_0064;
    WRONG_PASSWORD = 0xc000_006a;
    LOGON_FAILURE = 0xc000_006d;
    ACCOUNT_RESTRICTION = 0xc000_006e;
    INVALID_LOGON_HOURS = 0xc000_006f;
    INVALID_WORKSTATION = 0xc000_0070;
    PASSWORD_EXPIRED = 0xc000_0071;
    ACCOUNT_DISABLED = 0xc000_0072;
    DISK_FULL = 0xc000_007f;
    SERVER_DISABLED = 0xc000_0080;
    /// A limit was reached.
    INSUFFICIENT_RESOURCES = 0xc000_009a;
    FILE_IS_A_DIRECTORY = 0xc000_00ba;
    NOT_SUPPORTED = 0xc000_00bb;
    /// No such tree.
    NETWORK_NAME_DELETED = 0xc000_00c9;
    /// No such share.
    BAD_NETWORK_NAME = 0xc000_00cc;
    REQUEST_NOT_ACCEPTED = 0xc000_00d0;
    INVALID_SERVER_STATE = 0xc000_00dc;
    TOO_MANY_OPENED_FILES = 0xc000_011f;
    /// The client cancelled it.
    CANCELLED = 0xc000_0120;
    INVALID_COMPUTER_NAME = 0xc000_0122;
    /// No such file is open.
    FILE_CLOSED = 0xc000_0128;
    TIME_DIFFERENCE_AT_DC = 0xc000_0133;
    INVALID_LEVEL = 0xc000_0148;
    LOGON_TYPE_NOT_GRANTED = 0xc000_015b;
    NO_TRUST_LSA_SECRET = 0xc000_018a;
    NO_TRUST_SAM_ACCOUNT = 0xc000_018b;
    TRUSTED_DOMAIN_FAILURE = 0xc000_018c;
    TRUSTED_RELATIONSHIP_FAILURE = 0xc000_018d;
    NETLOGON_NOT_STARTED = 0xc000_0192;
    ACCOUNT_EXPIRED = 0xc000_0193;
    /// The account of a domain.
    NOLOGON_INTERDOMAIN_TRUST_ACCOUNT = 0xc000_0198;
    /// The account of a member.
    NOLOGON_WORKSTATION_TRUST_ACCOUNT = 0xc000_0199;
    /// The account of a domain controller.
    NOLOGON_SERVER_TRUST_ACCOUNT = 0xc000_019a;
    /// No such session.
    USER_SESSION_DELETED = 0xc000_0203;
    PASSWORD_MUST_CHANGE = 0xc000_0224;
    NOT_FOUND = 0xc000_0225;
    ACCOUNT_LOCKED_OUT = 0xc000_0234;
    SMARTCARD_LOGON_REQUIRED = 0xc000_02fa;
    /// The client has to authenticate again.
    NETWORK_SESSION_EXPIRED = 0xc000_035c;
    DOWNGRADE_DETECTED = 0xc000_0388;
    /// Not allowed on this server.
    AUTHENTICATION_FIREWALL_FAILED = 0xc000_0413;
    /// A policy of the domain.
    NTLM_BLOCKED = 0xc000_0418;
    REQUEST_OUT_OF_SEQUENCE = 0xc000_042a;
    SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP = 0xc05d_0000;
}

impl fmt::Display for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:08x}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn a_status_is_shown_by_name_or_number() {
        assert_eq!(NtStatus::LOGON_FAILURE.to_string(), "STATUS_LOGON_FAILURE");
        assert_eq!(NtStatus(0xc000_0001).to_string(), "0xc0000001");
        assert_eq!(NtStatus(0xc000_0001).name(), None);
    }
}
