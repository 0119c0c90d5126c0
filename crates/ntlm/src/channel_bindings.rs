//! Channel bindings: what ties a logon to the TLS channel around it (MS-NLMP 2.2.2.1, RFC 5929).

use crate::certificate::{CertificateError, tls_server_end_point};
use crate::crypto::md5;

/// The MD5 of `gss_channel_bindings_struct`, as it stands in MsvAvChannelBindings, 16 bytes
/// (RFC 4121 4.1.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChannelBindings([u8; 16]);

impl ChannelBindings {
    /// `tls-server-end-point` of the server's certificate, DER (RFC 5929 4.1).
    ///
    /// # Errors
    ///
    /// The certificate cannot be read, or its signature algorithm has no hash that we know of.
    pub fn from_certificate(certificate_der: &[u8]) -> Result<Self, CertificateError> {
        let hash = tls_server_end_point(certificate_der)?;
        Ok(Self::from_application_data(&hash.application_data()))
    }

    /// From application data such as `tls-server-end-point:` and a hash; no addresses.
    #[must_use]
    pub fn from_application_data(application_data: &[u8]) -> Self {
        Self::from_parts(0, &[], 0, &[], application_data)
    }

    /// From all five parts of `gss_channel_bindings_struct`.
    #[must_use]
    pub fn from_parts(
        initiator_addrtype: u32,
        initiator_address: &[u8],
        acceptor_addrtype: u32,
        acceptor_address: &[u8],
        application_data: &[u8],
    ) -> Self {
        let length = |part: &[u8]| u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes();
        Self(md5(&[
            &initiator_addrtype.to_le_bytes(),
            &length(initiator_address),
            initiator_address,
            &acceptor_addrtype.to_le_bytes(),
            &length(acceptor_address),
            acceptor_address,
            &length(application_data),
            application_data,
        ]))
    }

    /// The 16 bytes of MsvAvChannelBindings.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0
    }

    /// Compares with what a client sent.
    #[must_use]
    pub fn compare(expected: Option<Self>, sent: Option<[u8; 16]>) -> ChannelBindingsResult {
        match (sent, expected) {
            (None, _) => ChannelBindingsResult::Absent,
            (Some(sent), _) if sent == [0; 16] => ChannelBindingsResult::Zero,
            (Some(_), None) => ChannelBindingsResult::Present,
            (Some(sent), Some(Self(expected))) if crate::crypto::equal(&sent, &expected) => {
                ChannelBindingsResult::Match
            }
            (Some(_), Some(_)) => ChannelBindingsResult::Mismatch,
        }
    }
}

/// What MsvAvChannelBindings of a client comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChannelBindingsResult {
    /// The client sent none.
    Absent,
    /// The client sent 16 zeros: it has none.
    Zero,
    /// The client sent some, and there is nothing to compare with.
    Present,
    /// They are the server's.
    Match,
    /// They are those of another channel.
    Mismatch,
}
