//! Channel bindings from a TLS server's certificate: `tls-server-end-point` (RFC 5929 4.1).
//!
//! It binds an NTLM logon to the server's certificate, so that a logon relayed over another TLS
//! connection is noticed. Both ends hash the certificate as it was sent; how that becomes
//! `MsvAvChannelBindings` is MS-NLMP 2.2.2.1.

use alloc::string::ToString;
use alloc::vec::Vec;
use core::fmt;

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::der::{Der, DerError, Element, ObjectIdentifier, tag};

/// Hashes a server's certificate for `tls-server-end-point` (RFC 5929 4.1).
///
/// The certificate's own signature algorithm decides which hash it is, where MD5 and SHA-1 count as
/// SHA-256. The certificate is not validated; that is the TLS library's work.
///
/// # Errors
///
/// When this is no X.509 certificate in DER, or its signature algorithm has no hash to go by, as
/// with Ed25519: RFC 5929 leaves the binding undefined, and a guess would fail without a word.
pub fn tls_server_end_point(certificate_der: &[u8]) -> Result<CertificateHash, CertificateError> {
    Ok(match signature_hash(certificate_der)? {
        Hash::Sha224 => CertificateHash::Sha224(Sha224::digest(certificate_der).into()),
        Hash::Md5 | Hash::Sha1 | Hash::Sha256 => {
            CertificateHash::Sha256(Sha256::digest(certificate_der).into())
        }
        Hash::Sha384 => CertificateHash::Sha384(Sha384::digest(certificate_der).into()),
        Hash::Sha512 => CertificateHash::Sha512(Sha512::digest(certificate_der).into()),
    })
}

/// The hash of a whole certificate, by the algorithm that its `tls-server-end-point` wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateHash {
    /// SHA-224.
    Sha224([u8; 28]),
    /// SHA-256, also where the certificate is signed with MD5 or SHA-1.
    Sha256([u8; 32]),
    /// SHA-384.
    Sha384([u8; 48]),
    /// SHA-512.
    Sha512([u8; 64]),
}

impl CertificateHash {
    /// The name of the algorithm, such as `SHA-256`.
    #[must_use]
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Sha224(_) => "SHA-224",
            Self::Sha256(_) => "SHA-256",
            Self::Sha384(_) => "SHA-384",
            Self::Sha512(_) => "SHA-512",
        }
    }

    /// The hash: 28 to 64 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha224(bytes) => bytes,
            Self::Sha256(bytes) => bytes,
            Self::Sha384(bytes) => bytes,
            Self::Sha512(bytes) => bytes,
        }
    }

    /// What the bindings carry as `application_data`: `tls-server-end-point:` and the hash.
    #[must_use]
    pub fn application_data(&self) -> Vec<u8> {
        [b"tls-server-end-point:", self.as_bytes()].concat()
    }
}

/// The hash function of a certificate's signature.
#[derive(Clone, Copy)]
enum Hash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Finds the signature algorithm in a `Certificate` (RFC 5280 4.1), and its hash function.
fn signature_hash(certificate_der: &[u8]) -> Result<Hash, CertificateError> {
    let mut document = Der::new(certificate_der);
    let mut certificate = document.inside(tag::SEQUENCE)?;
    document.finish()?;

    let mut tbs_certificate = certificate.inside(tag::SEQUENCE)?;
    let signature_algorithm = certificate.expect(tag::SEQUENCE)?;
    certificate.expect(tag::BIT_STRING)?; // signatureValue
    certificate.finish()?;

    tbs_certificate.optional(tag::context(0))?; // version
    tbs_certificate.expect(tag::INTEGER)?; // serialNumber
    let signature = tbs_certificate.expect(tag::SEQUENCE)?;
    // Only the inner one is signed; they must be the same (RFC 5280 4.1.1.2).
    if signature.whole != signature_algorithm.whole {
        return Err(CertificateError::AlgorithmMismatch);
    }
    hash_of_signature_algorithm(&signature_algorithm)
}

/// The hash function that a signature's `AlgorithmIdentifier` names or implies.
fn hash_of_signature_algorithm(algorithm: &Element<'_>) -> Result<Hash, CertificateError> {
    let mut fields = algorithm.reader();
    let oid = fields.expect(tag::OID)?.content;
    Ok(match ObjectIdentifier(oid).to_string().as_str() {
        // RSASSA-PKCS1-v1_5: RFC 8017 A.2.4; 1.3.14.3.2.29 is the old name that makecert wrote.
        "1.2.840.113549.1.1.4" => Hash::Md5,
        "1.2.840.113549.1.1.5" | "1.3.14.3.2.29" => Hash::Sha1,
        "1.2.840.113549.1.1.14" => Hash::Sha224,
        "1.2.840.113549.1.1.11" => Hash::Sha256,
        "1.2.840.113549.1.1.12" => Hash::Sha384,
        "1.2.840.113549.1.1.13" => Hash::Sha512,
        // RSASSA-PSS.
        "1.2.840.113549.1.1.10" => return hash_of_pss_parameters(fields),
        // ECDSA: RFC 3279 2.2.3, RFC 5758 3.2.
        "1.2.840.10045.4.1" => Hash::Sha1,
        "1.2.840.10045.4.3.1" => Hash::Sha224,
        "1.2.840.10045.4.3.2" => Hash::Sha256,
        "1.2.840.10045.4.3.3" => Hash::Sha384,
        "1.2.840.10045.4.3.4" => Hash::Sha512,
        // DSA: RFC 3279 2.2.2, RFC 5758 3.1; with SHA-384 and SHA-512 registered by NIST.
        "1.2.840.10040.4.3" => Hash::Sha1,
        "2.16.840.1.101.3.4.3.1" => Hash::Sha224,
        "2.16.840.1.101.3.4.3.2" => Hash::Sha256,
        "2.16.840.1.101.3.4.3.3" => Hash::Sha384,
        "2.16.840.1.101.3.4.3.4" => Hash::Sha512,
        _ => return Err(CertificateError::UnsupportedAlgorithm { oid: oid.to_vec() }),
    })
}

/// The hash function in `RSASSA-PSS-params`, SHA-1 if none is named (RFC 4055 3.1).
///
/// The mask generation function has a hash of its own, which does not count.
fn hash_of_pss_parameters(mut fields: Der<'_>) -> Result<Hash, CertificateError> {
    let mut parameters = fields.inside(tag::SEQUENCE)?;
    let Some(hash_algorithm) = parameters.optional(tag::context(0))? else {
        return Ok(Hash::Sha1);
    };
    let oid = hash_algorithm.reader().inside(tag::SEQUENCE)?.expect(tag::OID)?.content;
    Ok(match ObjectIdentifier(oid).to_string().as_str() {
        "1.2.840.113549.2.5" => Hash::Md5,
        "1.3.14.3.2.26" => Hash::Sha1,
        "2.16.840.1.101.3.4.2.4" => Hash::Sha224,
        "2.16.840.1.101.3.4.2.1" => Hash::Sha256,
        "2.16.840.1.101.3.4.2.2" => Hash::Sha384,
        "2.16.840.1.101.3.4.2.3" => Hash::Sha512,
        _ => return Err(CertificateError::UnsupportedAlgorithm { oid: oid.to_vec() }),
    })
}

/// There is no `tls-server-end-point` for these bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// They are not a certificate in DER.
    Der(DerError),
    /// The certificate names one signature algorithm inside and another outside.
    AlgorithmMismatch,
    /// The signature algorithm has no hash function, or none that we know.
    UnsupportedAlgorithm {
        /// The content of its object identifier; `Display` shows it dotted.
        oid: Vec<u8>,
    },
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Der(error) => write!(f, "not a certificate: {error}"),
            Self::AlgorithmMismatch => {
                f.write_str("signature algorithms inside and outside the certificate differ")
            }
            Self::UnsupportedAlgorithm { oid } => {
                write!(f, "no certificate hash defined for algorithm {}", ObjectIdentifier(oid))
            }
        }
    }
}

impl core::error::Error for CertificateError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Der(error) => Some(error),
            _ => None,
        }
    }
}

impl From<DerError> for CertificateError {
    fn from(error: DerError) -> Self {
        Self::Der(error)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::der::DerErrorKind;
    use hex_literal::hex;
    use std::string::String;
    use std::{format, fs};

    const CERTIFICATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/certificates");

    fn certificate(name: &str) -> Vec<u8> {
        fs::read(format!("{CERTIFICATES}/{name}.der")).unwrap()
    }

    fn expected() -> serde_json::Map<String, serde_json::Value> {
        let json = fs::read_to_string(format!("{CERTIFICATES}/expected.json")).unwrap();
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn hashes_are_those_that_openssl_computes() {
        for (name, expected) in expected() {
            match tls_server_end_point(&certificate(&name)) {
                Ok(hash) => {
                    assert_eq!(hash.algorithm(), expected["algorithm"], "{name}");
                    assert_eq!(to_hex(hash.as_bytes()), expected["hash"], "{name}");
                }
                Err(error) => {
                    let algorithm = expected["unsupported"].as_str().unwrap();
                    let message = format!("no certificate hash defined for algorithm {algorithm}");
                    assert_eq!(error.to_string(), message, "{name}");
                }
            }
        }
    }

    #[test]
    fn every_certificate_has_an_expectation() {
        let files = fs::read_dir(CERTIFICATES).unwrap().map(|entry| entry.unwrap().path());
        let certificates = files.filter(|path| path.extension().is_some_and(|e| e == "der"));
        assert_eq!(certificates.count(), expected().len());
    }

    #[test]
    fn application_data_names_the_binding() {
        let hash = CertificateHash::Sha224([0x5a; 28]);
        assert_eq!(hash.application_data(), [&b"tls-server-end-point:"[..], &[0x5a; 28]].concat());
    }

    /// The fixtures cover most algorithms; the others are put into a fixture of the same length.
    #[test]
    fn algorithms_without_a_fixture_are_known_too() {
        let ecdsa_sha256 = &hex!("2a8648ce3d040302")[..];
        let dsa_sha256 = &hex!("608648016503040302")[..];
        for (fixture, last_octet, algorithm) in [
            (("ecdsa-sha256", ecdsa_sha256), 1, "SHA-224"),
            (("dsa-sha256", dsa_sha256), 1, "SHA-224"),
            (("dsa-sha256", dsa_sha256), 3, "SHA-384"),
            (("dsa-sha256", dsa_sha256), 4, "SHA-512"),
        ] {
            let (name, oid) = fixture;
            let mut certificate = certificate(name);
            for position in positions(&certificate, oid) {
                certificate[position + oid.len() - 1] = last_octet;
            }
            assert_eq!(tls_server_end_point(&certificate).unwrap().algorithm(), algorithm);
        }
    }

    #[test]
    fn algorithms_inside_and_outside_must_be_the_same() {
        let mut certificate = certificate("rsa-sha256");
        let sha256_with_rsa = hex!("2a864886f70d01010b");
        let [_inner, outer] = positions(&certificate, &sha256_with_rsa)[..] else {
            panic!("the algorithm stands in two places")
        };
        certificate[outer + sha256_with_rsa.len() - 1] = 0x0c; // SHA-384
        let error = tls_server_end_point(&certificate).unwrap_err();
        assert_eq!(error, CertificateError::AlgorithmMismatch);
    }

    #[test]
    fn nothing_may_follow_a_certificate() {
        let mut certificate = certificate("ecdsa-sha256");
        let offset = certificate.len();
        certificate.push(0);
        let error = DerError { kind: DerErrorKind::TrailingData, offset };
        assert_eq!(tls_server_end_point(&certificate), Err(CertificateError::Der(error)));
    }

    #[test]
    fn every_prefix_is_refused() {
        for name in expected().keys() {
            let certificate = certificate(name);
            for length in 0..certificate.len() {
                let error = DerError { kind: DerErrorKind::Truncated, offset: 0 };
                let result = tls_server_end_point(&certificate[..length]);
                assert_eq!(result, Err(CertificateError::Der(error)), "{name}, {length} bytes");
            }
        }
    }

    #[test]
    fn no_corruption_panics_or_keeps_the_hash() {
        for name in expected().keys() {
            let certificate = certificate(name);
            let original = tls_server_end_point(&certificate);
            for position in 0..certificate.len() {
                for bit in 0..8 {
                    let mut corrupt = certificate.clone();
                    corrupt[position] ^= 1 << bit;
                    let result = tls_server_end_point(&corrupt);
                    assert!(result.is_err() || result != original, "{name}, byte {position}");
                }
            }
        }
    }

    #[test]
    fn no_value_of_any_byte_panics() {
        for name in ["ecdsa-sha256", "rsa-pss-sha256", "rsa-pss-default"] {
            let mut certificate = certificate(name);
            for position in 0..certificate.len() {
                let original = certificate[position];
                for value in 0..=0xff {
                    certificate[position] = value;
                    let _ = signature_hash(&certificate);
                }
                certificate[position] = original;
            }
        }
    }

    /// Where in a certificate these bytes stand.
    fn positions(certificate: &[u8], bytes: &[u8]) -> Vec<usize> {
        let windows = certificate.windows(bytes.len()).enumerate();
        windows.filter(|(_, window)| *window == bytes).map(|(position, _)| position).collect()
    }

    fn to_hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
