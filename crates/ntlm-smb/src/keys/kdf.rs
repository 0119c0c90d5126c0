//! The key derivation function of SMB 3 (MS-SMB2 3.1.4.2, NIST SP 800-108).

use super::doc::KdfDoc;
use super::{PreauthIntegrityHash, SessionKey};
use crate::crypto::HmacSha256;
use zeroize::Zeroizing;

/// SP 800-108 in counter mode, r = 32, PRF HMAC-SHA256: the first `L` bits of
/// `HMAC(SessionKey, 1 || Label || 00 || Context || L)`. One round is enough for 256 bits.
///
/// Label and text contexts end with a zero byte of their own.
pub(super) fn kdf(
    session_key: &SessionKey,
    doc: KdfDoc,
    preauth_integrity_hash: Option<&PreauthIntegrityHash>,
) -> Option<Zeroizing<[u8; 32]>> {
    let context = match doc.context {
        Some(text) => text.as_bytes(),
        None => preauth_integrity_hash?.as_bytes(),
    };
    let length = doc.length_bits.to_be_bytes();
    Some(counter_mode(session_key.expose(), &[doc.label.as_bytes(), &[0], context, &length]))
}

fn counter_mode(ki: &[u8], fixed_input: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut parts: [&[u8]; 8] = [&[]; 8];
    let counter = 1_u32.to_be_bytes();
    let all = core::iter::once(counter.as_slice()).chain(fixed_input.iter().copied());
    parts.iter_mut().zip(all).for_each(|(to, from)| *to = from);
    Zeroizing::new(HmacSha256::new(ki).compute(&parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{unhex, vectors};

    #[test]
    fn counter_mode_meets_the_published_vector() {
        let [vector] = &vectors("sp800-108-raw")[..] else { panic!("one vector") };
        let input = |name: &str| unhex(&vector["input"][name]);
        let out = counter_mode(&input("ki"), &[&input("fixed_input_data")]);
        assert_eq!(out[..16], unhex(&vector["expected"]["ko"]));
    }
}
