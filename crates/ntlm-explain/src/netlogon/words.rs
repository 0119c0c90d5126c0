//! What a secure channel says of itself on the wire, and its values in words.

use ntlm_netlogon::calls::SecureChannelType;
use ntlm_netlogon::keys::Algorithms;

/// SignatureAlgorithm, as the first two bytes of a signature say it (MS-NRPC 2.2.1.3.2, 2.2.1.3.3).
pub(super) const fn algorithms_of(signature: &[u8]) -> Option<Algorithms> {
    match signature {
        [0x13, 0, ..] => Some(Algorithms::AesSha2),
        [0x77, 0, ..] => Some(Algorithms::InsecureRc4Md5),
        _ => None,
    }
}

pub(super) const fn algorithms_text(algorithms: Algorithms) -> &'static str {
    match algorithms {
        Algorithms::AesSha2 => "AES-SHA2",
        Algorithms::InsecureRc4Md5 => "RC4-MD5",
    }
}

pub(super) const fn type_text(secure_channel_type: SecureChannelType) -> &'static str {
    match secure_channel_type {
        SecureChannelType::WORKSTATION => "workstation",
        SecureChannelType::TRUSTED_DNS_DOMAIN => "trusted-dns-domain",
        SecureChannelType::TRUSTED_DOMAIN => "trusted-domain",
        SecureChannelType::SERVER => "server",
        SecureChannelType::CDC_SERVER => "read-only-server",
        _ => "other",
    }
}

/// NetBIOS names of domain and computer in NL_AUTH_MESSAGE; what is not there is empty
/// (MS-NRPC 2.2.1.3.1).
pub(super) fn names(token: &[u8]) -> (&[u8], &[u8]) {
    let Some((&[_, _, _, _, flags, _, _, _], mut rest)) = token.split_first_chunk::<8>() else {
        return (&[], &[]);
    };
    let mut name = |is_there: bool| -> &[u8] {
        let end = rest.iter().position(|byte| *byte == 0).filter(|_| is_there);
        let Some((name, behind)) = end.and_then(|end| rest.split_at_checked(end)) else {
            return &[];
        };
        rest = behind.get(1..).unwrap_or_default();
        name
    };
    let domain = name(flags & 1 != 0);
    (domain, name(flags & 2 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_far_as_they_are_there() {
        assert_eq!(names(b"\0\0\0\0\x03\0\0\0CORP\0MEMBER1\0"), (&b"CORP"[..], &b"MEMBER1"[..]));
        assert_eq!(names(b"\0\0\0\0\x02\0\0\0MEMBER1\0"), (&b""[..], &b"MEMBER1"[..]));
        assert_eq!(names(b"\0\0\0\0\x01\0\0\0CORP\0\x04corp\0"), (&b"CORP"[..], &b""[..]));
        assert_eq!(names(b"\0\0\0\0\x03\0\0\0CORP"), (&b""[..], &b""[..]));
        assert_eq!(names(b"\0\0\0"), (&b""[..], &b""[..]));
    }
}
