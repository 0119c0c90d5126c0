//! The primitives, by the names of the specifications.

use aes::Aes128;
use aes::cipher::BlockCipherEncrypt;
use cmac::Cmac;
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::{Sha256, Sha512};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A key of HMAC-SHA256 with its two midstates, so that each use saves two blocks.
#[derive(Clone)]
pub(crate) struct HmacSha256(Hmac<Sha256>);

impl HmacSha256 {
    /// Takes up to 64 bytes; no key of SMB has more.
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut padded = hmac::digest::array::Array::from([0; 64]);
        padded.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        let keyed = Self(Hmac::new(&padded));
        padded.as_mut_slice().zeroize();
        keyed
    }

    pub(crate) fn compute(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

/// `HMAC_MD5(key, data)` (RFC 2104).
pub(crate) fn hmac_md5(key: &[u8; 16], data: &[u8]) -> [u8; 16] {
    let mut padded = hmac::digest::array::Array::from([0; 64]);
    padded.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    let mut mac = Hmac::<Md5>::new(&padded);
    padded.as_mut_slice().zeroize();
    mac.update(data);
    mac.finalize().into_bytes().into()
}

/// A key of AES-128-CMAC with its key schedule (RFC 4493).
#[derive(Clone)]
pub(crate) struct AesCmac(Cmac<Aes128>);

impl AesCmac {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        Self(Cmac::new(&(*key).into()))
    }

    pub(crate) fn compute(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.0.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }
}

/// A key of AES-128-GMAC with its key schedule and hash key (NIST SP 800-38D, RFC 4543).
///
/// Made of GHASH and AES, because the GCM library wants all that it authenticates in one piece, and
/// a received packet, which is only lent, has its signature in the middle.
#[derive(Clone)]
pub(crate) struct AesGmac {
    aes: Aes128,
    ghash: GHash,
}

impl AesGmac {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        let aes = Aes128::new(&(*key).into());
        let mut hash_key = [0; 16].into();
        aes.encrypt_block(&mut hash_key);
        let ghash = GHash::new(&hash_key);
        hash_key.as_mut_slice().zeroize();
        Self { aes, ghash }
    }

    /// Every part but the last has to be a multiple of 16 bytes long.
    pub(crate) fn compute(&self, nonce: [u8; 12], parts: &[&[u8]]) -> [u8; 16] {
        let mut ghash = self.ghash.clone();
        let mut length = 0_u64;
        for part in parts {
            ghash.update_padded(part);
            length = length.wrapping_add(u64::try_from(part.len()).unwrap_or(u64::MAX));
        }
        // The lengths in bits of what is authenticated and of what is encrypted, which is nothing.
        let bits = u128::from(length.wrapping_mul(8)).wrapping_shl(64);
        ghash.update(&[bits.to_be_bytes().into()]);
        let [a, b, c, d, e, f, g, h, i, j, k, l] = nonce;
        let mut tag = [a, b, c, d, e, f, g, h, i, j, k, l, 0, 0, 0, 1].into();
        self.aes.encrypt_block(&mut tag);
        tag.iter_mut().zip(ghash.finalize()).for_each(|(to, from)| *to ^= from);
        tag.into()
    }
}

/// `SHA-512` over the parts as if they were one.
pub(crate) fn sha512(parts: &[&[u8]]) -> [u8; 64] {
    let mut hash = Sha512::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// MD5 with something hashed already: each use goes on from there.
#[derive(Clone)]
pub(crate) struct Md5Prefix(Md5);

impl Md5Prefix {
    pub(crate) fn new(prefix: &[u8]) -> Self {
        Self(Md5::new_with_prefix(prefix))
    }

    pub(crate) fn compute(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut hash = self.0.clone();
        parts.iter().for_each(|part| hash.update(part));
        hash.finalize().into()
    }
}

/// Whether two proofs are the same, in time that does not tell where they differ.
pub(crate) fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// The first 16 of 32 bytes.
pub(crate) const fn first_16(bytes: [u8; 32]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, ..] = bytes;
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{unhex, vectors};
    use hex_literal::hex;

    #[test]
    fn aes_cmac_meets_rfc_4493() {
        let mut run = 0;
        for vector in vectors("aes-cmac") {
            let mac = AesCmac::new(&unhex(&vector["input"]["key"]).try_into().unwrap());
            let message = unhex(&vector["input"]["message"]);
            let expected = unhex(&vector["expected"]["mac"]);
            assert_eq!(mac.compute(&[&message]), *expected, "{}", vector["id"]);
            let (left, right) = message.split_at(message.len() / 3);
            assert_eq!(mac.compute(&[left, right]), *expected, "{}", vector["id"]);
            run += 1;
        }
        assert_eq!(run, 4);
    }

    /// Test cases 1 and 4 of the GCM specification; the latter without its plaintext, which leaves
    /// a value that the GCM library computes too.
    #[test]
    fn gmac_is_gcm_without_plaintext() {
        let tag = AesGmac::new(&[0; 16]).compute([0; 12], &[]);
        assert_eq!(tag, hex!("58e2fccefa7e3061367f1d57a4e7455a"));
        use aes_gcm::aead::AeadInOut;
        let key = hex!("feffe9928665731c6d6a8f9467308308");
        let nonce = hex!("cafebabefacedbaddecaf888");
        let data = [7; 100];
        for length in [0, 1, 15, 16, 17, 64, 100] {
            let gcm = aes_gcm::Aes128Gcm::new(&key.into());
            let covered = &data[..length];
            let expected =
                gcm.encrypt_inout_detached(&nonce.into(), covered, (&mut [][..]).into()).unwrap();
            assert_eq!(AesGmac::new(&key).compute(nonce, &[covered]), *expected, "{length}");
            let (left, right) = covered.split_at(length.min(48) / 16 * 16);
            assert_eq!(AesGmac::new(&key).compute(nonce, &[left, right]), *expected, "{length}");
        }
    }
}
