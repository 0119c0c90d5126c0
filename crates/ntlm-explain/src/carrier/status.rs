//! Names of what servers answer: NTSTATUS (MS-ERREF 2.3.1), DOS classes (MS-CIFS 2.2.2.4), DCE/RPC
//! faults (C706 appendix E, MS-RPCE 2.2.2.9).

use super::Said;
use std::borrow::Cow;

pub(super) const SUCCESS: u32 = 0;
pub(super) const PENDING: u32 = 0x0000_0103;
pub(super) const MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;

/// The name of an NTSTATUS, or its number.
pub(super) fn ntstatus(status: u32) -> Cow<'static, str> {
    let name = match status {
        SUCCESS => "STATUS_SUCCESS",
        PENDING => "STATUS_PENDING",
        0x8000_0005 => "STATUS_BUFFER_OVERFLOW",
        0x8009_0302 => "SEC_E_UNSUPPORTED_FUNCTION",
        0x8009_0308 => "SEC_E_INVALID_TOKEN",
        0x8009_030a => "SEC_E_QOP_NOT_SUPPORTED",
        0x8009_030c => "SEC_E_LOGON_DENIED",
        0x8009_030e => "SEC_E_NO_CREDENTIALS",
        0x8009_030f => "SEC_E_MESSAGE_ALTERED",
        0x8009_0310 => "SEC_E_OUT_OF_SEQUENCE",
        0x8009_0321 => "SEC_E_BUFFER_TOO_SMALL",
        0x8009_0346 => "SEC_E_BAD_BINDINGS",
        0xc000_0001 => "STATUS_UNSUCCESSFUL",
        0xc000_0002 => "STATUS_NOT_IMPLEMENTED",
        0xc000_000d => "STATUS_INVALID_PARAMETER",
        MORE_PROCESSING_REQUIRED => "STATUS_MORE_PROCESSING_REQUIRED",
        0xc000_0017 => "STATUS_NO_MEMORY",
        0xc000_0022 => "STATUS_ACCESS_DENIED",
        0xc000_005e => "STATUS_NO_LOGON_SERVERS",
        0xc000_0064 => "STATUS_NO_SUCH_USER",
        0xc000_006a => "STATUS_WRONG_PASSWORD",
        0xc000_006d => "STATUS_LOGON_FAILURE",
        0xc000_006e => "STATUS_ACCOUNT_RESTRICTION",
        0xc000_006f => "STATUS_INVALID_LOGON_HOURS",
        0xc000_0070 => "STATUS_INVALID_WORKSTATION",
        0xc000_0071 => "STATUS_PASSWORD_EXPIRED",
        0xc000_0072 => "STATUS_ACCOUNT_DISABLED",
        0xc000_009a => "STATUS_INSUFFICIENT_RESOURCES",
        0xc000_00b5 => "STATUS_IO_TIMEOUT",
        0xc000_00bb => "STATUS_NOT_SUPPORTED",
        0xc000_00c9 => "STATUS_NETWORK_NAME_DELETED",
        0xc000_00ca => "STATUS_NETWORK_ACCESS_DENIED",
        0xc000_00d0 => "STATUS_REQUEST_NOT_ACCEPTED",
        0xc000_00dc => "STATUS_INVALID_SERVER_STATE",
        0xc000_00df => "STATUS_NO_SUCH_DOMAIN",
        0xc000_0133 => "STATUS_TIME_DIFFERENCE_AT_DC",
        0xc000_015b => "STATUS_LOGON_TYPE_NOT_GRANTED",
        0xc000_018a => "STATUS_NO_TRUST_LSA_SECRET",
        0xc000_018b => "STATUS_NO_TRUST_SAM_ACCOUNT",
        0xc000_018c => "STATUS_TRUSTED_DOMAIN_FAILURE",
        0xc000_018d => "STATUS_TRUSTED_RELATIONSHIP_FAILURE",
        0xc000_0192 => "STATUS_NETLOGON_NOT_STARTED",
        0xc000_0193 => "STATUS_ACCOUNT_EXPIRED",
        0xc000_0198 => "STATUS_NOLOGON_INTERDOMAIN_TRUST_ACCOUNT",
        0xc000_0199 => "STATUS_NOLOGON_WORKSTATION_TRUST_ACCOUNT",
        0xc000_019a => "STATUS_NOLOGON_SERVER_TRUST_ACCOUNT",
        0xc000_0203 => "STATUS_USER_SESSION_DELETED",
        0xc000_0224 => "STATUS_PASSWORD_MUST_CHANGE",
        0xc000_0234 => "STATUS_ACCOUNT_LOCKED_OUT",
        0xc000_02fa => "STATUS_SMARTCARD_LOGON_REQUIRED",
        0xc000_035c => "STATUS_NETWORK_SESSION_EXPIRED",
        0xc000_0388 => "STATUS_DOWNGRADE_DETECTED",
        0xc000_0413 => "STATUS_AUTHENTICATION_FIREWALL_FAILED",
        0xc000_0418 => "STATUS_NTLM_BLOCKED",
        0xc05d_0000 => "STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP",
        _ => return format!("0x{status:08x}").into(),
    };
    name.into()
}

/// Whether an NTSTATUS says yes: severity success or informational.
pub(super) const fn is_success(status: u32) -> bool {
    status >> 31 == 0
}

/// The name of a DOS class and code, which LANMAN dialects and old clients get.
pub(super) fn dos(class: u8, code: u16) -> Cow<'static, str> {
    let name = match (class, code) {
        (0, 0) => "SUCCESS",
        (1, 5) => "ERRDOS/ERRnoaccess",
        (1, 87) => "ERRDOS/ERRinvalidparam",
        (2, 1) => "ERRSRV/ERRerror",
        (2, 2) => "ERRSRV/ERRbadpw",
        (2, 4) => "ERRSRV/ERRaccess",
        (2, 5) => "ERRSRV/ERRinvtid",
        (2, 91) => "ERRSRV/ERRbaduid",
        (2, 2239) => "ERRSRV/ERRaccountExpired",
        (2, 2240) => "ERRSRV/ERRbadClient",
        (2, 2241) => "ERRSRV/ERRbadLogonTime",
        (2, 2242) => "ERRSRV/ERRpasswordExpired",
        (1, _) => return format!("ERRDOS/{code}").into(),
        (2, _) => return format!("ERRSRV/{code}").into(),
        (3, _) => return format!("ERRHRD/{code}").into(),
        _ => return format!("class {class} code {code}").into(),
    };
    name.into()
}

/// The name of the status of a fault, and what it says of the logon before. Many are about the call
/// alone, which only who is logged on may make; access is denied to a refused logon and to a call
/// that is not allowed alike.
pub(super) fn fault(status: u32) -> (Cow<'static, str>, Said) {
    let (name, said) = match status {
        0x0000_0001 => ("nca_s_fault_other", Said::Unclear),
        0x0000_0005 => ("nca_s_fault_access_denied", Said::Unclear),
        0x0000_06d3 => ("RPC_S_UNKNOWN_AUTHN_SERVICE", Said::Refused),
        0x0000_06f7 => ("nca_s_fault_ndr", Said::Accepted),
        0x0000_0721 => ("nca_s_fault_sec_pkg_error", Said::Refused),
        0x1c00_001b => ("nca_s_fault_remote_no_memory", Said::Accepted),
        0x1c01_0002 => ("nca_s_op_rng_error", Said::Accepted),
        0x1c01_0003 => ("nca_s_unk_if", Said::Accepted),
        0x1c01_0006 => ("nca_s_out_args_too_big", Said::Accepted),
        _ => return (format!("fault 0x{status:08x}").into(), Said::Unclear),
    };
    (name.into(), said)
}

/// Why a bind was refused (C706 12.6.4.5, MS-RPCE 2.2.2.5).
pub(super) fn bind_nak(reason: u16) -> Cow<'static, str> {
    let reason = match reason {
        0 => "reason not specified",
        1 => "temporary congestion",
        2 => "local limit exceeded",
        4 => "protocol version not supported",
        8 => "authentication type not recognized",
        9 => "invalid checksum",
        _ => return format!("bind_nak: reason {reason}").into(),
    };
    format!("bind_nak: {reason}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_have_names_and_others_numbers() {
        assert_eq!(ntstatus(0xc000_006d), "STATUS_LOGON_FAILURE");
        assert_eq!(ntstatus(0xc000_1234), "0xc0001234");
        assert_eq!(dos(2, 2), "ERRSRV/ERRbadpw");
        assert_eq!(dos(3, 19), "ERRHRD/19");
        assert_eq!(fault(5), ("nca_s_fault_access_denied".into(), Said::Unclear));
        assert_eq!(bind_nak(8), "bind_nak: authentication type not recognized");
        assert!(is_success(SUCCESS) && is_success(PENDING) && !is_success(0x8000_0005));
    }
}
