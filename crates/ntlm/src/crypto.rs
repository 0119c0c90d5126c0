//! The primitives of MS-NLMP 6 and 3.4.5, by the names used there.

use cipher::{BlockCipherEncrypt, KeyInit, StreamCipher};
use des::cipher;
use hmac::{Hmac, Mac};
use md5::{Digest, Md5};
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// `MD4` over bytes that come in pieces (RFC 1320).
pub(crate) fn md4<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 16] {
    count::one(count::Primitive::Md4);
    let mut hash = md4::Md4::new();
    parts.into_iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// `MD4` over UTF-16LE text, without a buffer for the whole.
pub(crate) fn md4_utf16(units: &[u16]) -> [u8; 16] {
    count::one(count::Primitive::Md4);
    let mut hash = md4::Md4::new();
    units.iter().for_each(|unit| hash.update(unit.to_le_bytes()));
    hash.finalize().into()
}

/// `MD5` over the parts as if they were one (RFC 1321).
pub(crate) fn md5(parts: &[&[u8]]) -> [u8; 16] {
    count::one(count::Primitive::Md5);
    let mut hash = Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// `HMAC_MD5(key, parts as if they were one)` (RFC 2104).
pub(crate) fn hmac_md5(key: &[u8; 16], parts: &[&[u8]]) -> [u8; 16] {
    HmacMd5::new(key).compute(parts)
}

/// A key of HMAC-MD5 with its two midstates, so that each use saves two blocks.
#[derive(Clone)]
pub(crate) struct HmacMd5(Hmac<Md5>);

impl HmacMd5 {
    pub(crate) fn new(key: &[u8; 16]) -> Self {
        let mut padded = hmac::digest::array::Array::from([0; 64]);
        padded.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        let keyed = Self(Hmac::new(&padded));
        padded.as_mut_slice().zeroize();
        keyed
    }

    pub(crate) fn compute(&self, parts: &[&[u8]]) -> [u8; 16] {
        self.compute_iter(parts.iter().copied())
    }

    pub(crate) fn compute_iter<'a>(&self, parts: impl Iterator<Item = &'a [u8]>) -> [u8; 16] {
        count::one(count::Primitive::HmacMd5);
        let mut mac = self.0.clone();
        parts.for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    }

    /// Over UTF-16LE text, without a buffer for the whole.
    pub(crate) fn compute_utf16(&self, units: impl Iterator<Item = u16>) -> [u8; 16] {
        count::one(count::Primitive::HmacMd5);
        let mut mac = self.0.clone();
        units.for_each(|unit| mac.update(&unit.to_le_bytes()));
        mac.finalize().into_bytes().into()
    }
}

/// A running RC4 stream: `RC4(h, D)` of MS-NLMP 6.
pub(crate) struct Rc4 {
    key: Rc4Key,
    stream: rc4::Rc4,
    position: u64,
}

/// 8 or 16 bytes, wiped on drop.
struct Rc4Key {
    bytes: [u8; 16],
    length: usize,
}

impl Drop for Rc4Key {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl Rc4 {
    /// `RC4Init`. The key has 1 to 16 bytes; longer ones do not occur in NTLM and are cut.
    pub(crate) fn new(key: &[u8]) -> Self {
        count::one(count::Primitive::Rc4Init);
        let mut kept = Rc4Key { bytes: [0; 16], length: key.len().clamp(1, 16) };
        kept.bytes.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
        Self { stream: kept.schedule(), key: kept, position: 0 }
    }

    pub(crate) fn apply(&mut self, data: &mut [u8]) {
        self.position += u64::try_from(data.len()).unwrap_or(u64::MAX);
        self.stream.apply_keystream(data);
    }

    /// Bytes of keystream used so far; `rewind` goes back there.
    pub(crate) const fn position(&self) -> u64 {
        self.position
    }

    /// Starts over and runs to `position`: the cipher library gives no copy of a running stream.
    /// A position ahead is none that was saved, and changes nothing.
    pub(crate) fn rewind(&mut self, position: u64) {
        if position > self.position {
            return;
        }
        self.stream = self.key.schedule();
        self.position = 0;
        let mut skipped = [0; 64];
        let mut left = position;
        while left > 0 {
            let step = left.min(64);
            let step_len = usize::try_from(step).unwrap_or(64);
            self.apply(skipped.get_mut(..step_len).unwrap_or_default());
            left -= step;
        }
    }
}

impl Rc4Key {
    fn schedule(&self) -> rc4::Rc4 {
        let key = self.bytes.get(..self.length).unwrap_or(&self.bytes);
        // The only error is a length outside 1..=256, which `new` rules out.
        rc4::Rc4::new_from_slice(key).unwrap_or_else(|_| rc4::Rc4::new(&Default::default()))
    }
}

/// `RC4K(K, D)`: one block of 16 bytes under a fresh stream.
pub(crate) fn rc4k(key: &[u8; 16], mut data: [u8; 16]) -> [u8; 16] {
    Rc4::new(key).apply(&mut data);
    data
}

/// `DES(K, D)` with a 56-bit key given as 7 bytes (MS-NLMP 6).
pub(crate) fn des(key: [u8; 7], data: [u8; 8]) -> [u8; 8] {
    count::one(count::Primitive::Des);
    let [a, b, c, d, e, f, g] = key;
    let bits = u64::from_be_bytes([0, a, b, c, d, e, f, g]);
    // Seven key bits to a byte; the lowest bit of each is parity, which DES ignores.
    let mut spread = [0_u8; 8];
    for (index, byte) in spread.iter_mut().rev().enumerate() {
        let group = bits.checked_shr(u32::try_from(index * 7).unwrap_or(0)).unwrap_or(0) & 0x7f;
        *byte = u8::try_from(group << 1).unwrap_or(0);
    }
    let mut block = data.into();
    des::Des::new(&spread.into()).encrypt_block(&mut block);
    spread.zeroize();
    block.into()
}

/// `DESL(K, D)`: three DES blocks under the 16 bytes of `key` and five zeros (MS-NLMP 6).
pub(crate) fn desl(key: &[u8; 16], data: [u8; 8]) -> [u8; 24] {
    let [k0, k1, k2, k3, k4, k5, k6, k7, k8, k9, k10, k11, k12, k13, k14, k15] = *key;
    let blocks = [
        des([k0, k1, k2, k3, k4, k5, k6], data),
        des([k7, k8, k9, k10, k11, k12, k13], data),
        des([k14, k15, 0, 0, 0, 0, 0], data),
    ];
    let mut out = [0; 24];
    out.iter_mut().zip(blocks.as_flattened()).for_each(|(to, from)| *to = *from);
    out
}

/// `CRC32` over bytes that come in pieces.
pub(crate) fn crc32<'a>(parts: impl Iterator<Item = &'a [u8]>) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    parts.for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// Whether two proofs are the same, in time that does not tell where they differ.
pub(crate) fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// The first 8 of 16 bytes.
pub(crate) const fn first_8(bytes: &[u8; 16]) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = *bytes;
    [a, b, c, d, e, f, g, h]
}

/// Counts primitive operations in tests: a denied logon must cost the same, whatever was wrong.
pub(crate) mod count {
    #[derive(Clone, Copy, Debug)]
    pub(crate) enum Primitive {
        Md4,
        Md5,
        HmacMd5,
        Rc4Init,
        Des,
    }

    #[cfg(not(test))]
    pub(crate) const fn one(_: Primitive) {}

    #[cfg(test)]
    pub(crate) use counting::{one, taken};

    #[cfg(test)]
    mod counting {
        extern crate std;
        use super::Primitive;
        use core::cell::Cell;

        std::thread_local! {
            static COUNTS: Cell<[usize; 5]> = const { Cell::new([0; 5]) };
        }

        pub(crate) fn one(primitive: Primitive) {
            COUNTS.with(|counts| {
                let mut now = counts.get();
                let place = match primitive {
                    Primitive::Md4 => 0,
                    Primitive::Md5 => 1,
                    Primitive::HmacMd5 => 2,
                    Primitive::Rc4Init => 3,
                    Primitive::Des => 4,
                };
                now[place] += 1;
                counts.set(now);
            });
        }

        /// What was counted on this thread since the last call: MD4, MD5, HMAC-MD5, RC4 schedules, DES.
        pub(crate) fn taken() -> [usize; 5] {
            COUNTS.with(|counts| counts.replace([0; 5]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::string::String;
    use std::vec::Vec;

    /// Every vector of the operations that are private to this crate; `tests/it/vectors.rs` runs
    /// the others. A `key8_odd_parity` of DES is not compared: parity bits do not count.
    #[test]
    fn primitives_meet_the_published_vectors() {
        let json = include_str!("../../../testdata/vectors/nlmp.json");
        let file: Value = serde_json::from_str(json).unwrap();
        let mut run = 0;
        for vector in file["vectors"].as_array().unwrap() {
            let input = |name: &str| unhex(vector["inputs"][name].as_str().unwrap());
            let (out, expected) = match vector["op"].as_str().unwrap() {
                "md4" => (md4([input("data").as_slice()]).to_vec(), "digest"),
                "hmac_md5" => {
                    // HMAC pads short keys with zeros.
                    let mut key = input("key");
                    key.resize(16, 0);
                    let key = key.try_into().unwrap();
                    (hmac_md5(&key, &[&input("data")]).to_vec(), "out")
                }
                "rc4" => {
                    let mut data = input("data");
                    Rc4::new(&input("key")).apply(&mut data);
                    (data, "out")
                }
                "crc32_le" => {
                    let data = input("data");
                    (crc32([data.as_slice()].into_iter()).to_le_bytes().to_vec(), "out")
                }
                "des7" => {
                    let key7 = input("key7").try_into().unwrap();
                    (des(key7, input("data").try_into().unwrap()).to_vec(), "out")
                }
                _ => continue,
            };
            let expected = unhex(vector["expected"][expected].as_str().unwrap());
            assert_eq!(out, expected, "{}", vector["id"]);
            run += 1;
        }
        assert_eq!(run, 4 + 2 + 2 + 1 + 8);
    }

    #[test]
    fn parts_count_as_if_they_were_one() {
        let whole = md5(&[b"message digest"]);
        assert_eq!(md5(&[b"message", b"", b" digest"]), whole);
        assert_eq!(whole[..4], [0xf9, 0x6b, 0x69, 0x7d]); // RFC 1321 A.5
        assert_eq!(md4([b"mess".as_slice(), b"age"]), md4([b"message".as_slice()]));
        assert_eq!(md4_utf16(&[0x61, 0x1234]), md4([b"a\0\x34\x12".as_slice()]));
        let key = [7; 16];
        assert_eq!(hmac_md5(&key, &[b"ab", b"c"]), hmac_md5(&key, &[b"abc"]));
        let units = [0x61, 0x1234];
        let expected = hmac_md5(&key, &[b"a\0\x34\x12"]);
        assert_eq!(HmacMd5::new(&key).compute_utf16(units.into_iter()), expected);
        let parts = [b"ab".as_slice(), b"c"].into_iter();
        assert_eq!(crc32(parts), crc32([b"abc".as_slice()].into_iter()));
    }

    #[test]
    fn rc4_goes_back_to_where_it_was() {
        for position in [0, 1, 63, 64, 65, 1000] {
            let mut rc4 = Rc4::new(b"0123456789abcdef");
            rc4.apply(&mut std::vec![0; position]);
            let saved = rc4.position();
            let mut first = [0; 100];
            rc4.apply(&mut first);
            rc4.rewind(saved);
            let mut again = [0; 100];
            rc4.apply(&mut again);
            assert_eq!(first, again, "from {position}");
            assert_eq!(rc4.position(), saved + 100);
        }
    }

    #[test]
    fn counting_counts_each_primitive_once() {
        count::taken();
        md4([b"".as_slice()]);
        md5(&[]);
        md5(&[]);
        hmac_md5(&[0; 16], &[]);
        Rc4::new(&[0; 16]);
        desl(&[0; 16], [0; 8]);
        assert_eq!(count::taken(), [1, 2, 1, 1, 3]);
        assert_eq!(count::taken(), [0; 5]);
    }

    fn unhex(text: &str) -> Vec<u8> {
        let digits: Vec<char> = text.chars().collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap())
            .collect()
    }
}
