//! NTLM without SPNEGO around it.

/// Whether a token is an NTLM message as it is (MS-NLMP 2.2.1).
pub(crate) fn is_ntlm(token: &[u8]) -> bool {
    token.starts_with(b"NTLMSSP\0")
}
