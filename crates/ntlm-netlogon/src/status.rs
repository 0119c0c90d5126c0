//! NTSTATUS, as far as a secure channel needs it (MS-ERREF 2.3).

use core::fmt;

/// How a call ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct NtStatus(pub u32);

macro_rules! statuses {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl NtStatus {
            $(
                #[doc = concat!($text, ".")]
                pub const $name: Self = Self($value);
            )*

            /// Its name, where it is one of those that a logon ends with.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self {
                    $(Self::$name => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    SUCCESS = 0, "STATUS_SUCCESS";
    INVALID_INFO_CLASS = 0xc000_0003, "STATUS_INVALID_INFO_CLASS";
    ACCESS_DENIED = 0xc000_0022, "STATUS_ACCESS_DENIED";
    NO_LOGON_SERVERS = 0xc000_005e, "STATUS_NO_LOGON_SERVERS";
    NO_SUCH_USER = 0xc000_0064, "STATUS_NO_SUCH_USER";
    WRONG_PASSWORD = 0xc000_006a, "STATUS_WRONG_PASSWORD";
    LOGON_FAILURE = 0xc000_006d, "STATUS_LOGON_FAILURE";
    ACCOUNT_RESTRICTION = 0xc000_006e, "STATUS_ACCOUNT_RESTRICTION";
    INVALID_LOGON_HOURS = 0xc000_006f, "STATUS_INVALID_LOGON_HOURS";
    INVALID_WORKSTATION = 0xc000_0070, "STATUS_INVALID_WORKSTATION";
    PASSWORD_EXPIRED = 0xc000_0071, "STATUS_PASSWORD_EXPIRED";
    ACCOUNT_DISABLED = 0xc000_0072, "STATUS_ACCOUNT_DISABLED";
    INVALID_COMPUTER_NAME = 0xc000_0122, "STATUS_INVALID_COMPUTER_NAME";
    TIME_DIFFERENCE_AT_DC = 0xc000_0133, "STATUS_TIME_DIFFERENCE_AT_DC";
    INVALID_LEVEL = 0xc000_0148, "STATUS_INVALID_LEVEL";
    LOGON_TYPE_NOT_GRANTED = 0xc000_015b, "STATUS_LOGON_TYPE_NOT_GRANTED";
    NO_TRUST_LSA_SECRET = 0xc000_018a, "STATUS_NO_TRUST_LSA_SECRET";
    NO_TRUST_SAM_ACCOUNT = 0xc000_018b, "STATUS_NO_TRUST_SAM_ACCOUNT";
    TRUSTED_DOMAIN_FAILURE = 0xc000_018c, "STATUS_TRUSTED_DOMAIN_FAILURE";
    TRUSTED_RELATIONSHIP_FAILURE = 0xc000_018d, "STATUS_TRUSTED_RELATIONSHIP_FAILURE";
    ACCOUNT_EXPIRED = 0xc000_0193, "STATUS_ACCOUNT_EXPIRED";
    NOLOGON_INTERDOMAIN_TRUST_ACCOUNT = 0xc000_0198, "STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT";
    NOLOGON_WORKSTATION_TRUST_ACCOUNT = 0xc000_0199, "STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT";
    NOLOGON_SERVER_TRUST_ACCOUNT = 0xc000_019a, "STATUS_NOLOGON_SERVER_TRUST_ACCOUNT";
    PASSWORD_MUST_CHANGE = 0xc000_0224, "STATUS_PASSWORD_MUST_CHANGE";
    ACCOUNT_LOCKED_OUT = 0xc000_0234, "STATUS_ACCOUNT_LOCKED_OUT";
    SMARTCARD_LOGON_REQUIRED = 0xc000_02fa, "STATUS_SMARTCARD_LOGON_REQUIRED";
    DOWNGRADE_DETECTED = 0xc000_0388, "STATUS_DOWNGRADE_DETECTED";
    AUTHENTICATION_FIREWALL_FAILED = 0xc000_0413, "STATUS_AUTHENTICATION_FIREWALL_FAILED";
    NTLM_BLOCKED = 0xc000_0418, "STATUS_NTLM_BLOCKED";
}

impl fmt::Display for NtStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:08x}", self.0),
        }
    }
}
