//! The primitives, by the names of MS-NRPC 3.1.4.

use aes::Aes128;
use cfb8::cipher::{
    Block, BlockCipherEncrypt, BlockModeDecrypt, BlockModeEncrypt, InnerIvInit, KeyInit,
    StreamCipher,
};
use cfb8::{Decryptor, Encryptor};
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A key of HMAC-SHA256 with its two midstates, so that each use saves two blocks.
#[derive(Clone)]
pub(crate) struct HmacSha256(Hmac<Sha256>);

impl HmacSha256 {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
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

/// `MD5` over the parts as if they were one.
pub(crate) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// A key of AES-128 in 8-bit CFB mode, with its key schedule.
pub(crate) struct AesCfb8(Aes128);

impl AesCfb8 {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        Self(Aes128::new(&(*key).into()))
    }

    /// Encrypts the parts in place as one stream.
    pub(crate) fn encrypt(&self, iv: [u8; 16], parts: &mut [&mut [u8]]) {
        let mut stream = Encryptor::inner_iv_init(self.0.clone(), &iv.into());
        for part in parts {
            stream.encrypt_blocks(Block::<Encryptor<Aes128>>::slice_as_chunks_mut(part).0);
        }
    }

    /// Decrypts the parts in place as one stream.
    pub(crate) fn decrypt(&self, iv: [u8; 16], parts: &mut [&mut [u8]]) {
        let mut stream = Decryptor::inner_iv_init(self.0.clone(), &iv.into());
        for part in parts {
            stream.decrypt_blocks(Block::<Decryptor<Aes128>>::slice_as_chunks_mut(part).0);
        }
    }
}

/// `RC4(key, data)` in place, under a fresh stream.
pub(crate) fn rc4(key: &[u8; 16], data: &mut [u8]) {
    if let Ok(mut stream) = rc4::Rc4::new_from_slice(key) {
        stream.apply_keystream(data);
    }
}

/// `DES(key, data)` with a 56-bit key given as 7 bytes (InitLMKey, MS-NRPC 3.1.4.4.2).
pub(crate) fn des(key: [u8; 7], data: [u8; 8]) -> [u8; 8] {
    let [a, b, c, d, e, f, g] = key;
    let bits = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
    // Seven key bits to a byte; the lowest bit of each is parity, which DES ignores.
    let group = |shift: u32| {
        let [.., byte] = (bits.checked_shr(shift).unwrap_or(0) << 1).to_be_bytes();
        byte & 0xfe
    };
    let mut spread = [49, 42, 35, 28, 21, 14, 7, 0].map(group);
    let mut block = data.into();
    des::Des::new(&spread.into()).encrypt_block(&mut block);
    spread.zeroize();
    block.into()
}

/// Whether two proofs are the same, in time that does not tell where they differ.
pub(crate) fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
