//! Hex digits, of either case; what they decode to is wiped.

use zeroize::Zeroizing;

/// Reads exactly `N` bytes.
pub(crate) fn array<const N: usize>(digits: &str) -> Option<Zeroizing<[u8; N]>> {
    let (pairs, []) = digits.as_bytes().as_chunks() else { return None };
    let mut bytes = Zeroizing::new([0; N]);
    if pairs.len() != N {
        return None;
    }
    for (to, pair) in bytes.iter_mut().zip(pairs) {
        *to = byte(*pair)?;
    }
    Some(bytes)
}

/// Reads as many bytes as there are.
pub(crate) fn bytes(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    let (pairs, []) = digits.as_bytes().as_chunks() else { return None };
    // Room for all of them, so that the buffer never moves and leaves no copy.
    let mut bytes = Zeroizing::new(Vec::with_capacity(pairs.len()));
    for pair in pairs {
        bytes.push(byte(*pair)?);
    }
    Some(bytes)
}

fn byte([high, low]: [u8; 2]) -> Option<u8> {
    let value = |digit: u8| char::from(digit).to_digit(16);
    u8::try_from(value(high)? << 4 | value(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_either_case_are_read() {
        assert_eq!(array("00fFA5").as_deref(), Some(&[0x00, 0xff, 0xa5]));
        assert_eq!(bytes("00fFA5").as_deref(), Some(&vec![0x00, 0xff, 0xa5]));
        assert_eq!(bytes("").as_deref(), Some(&vec![]));
    }

    #[test]
    fn anything_else_is_refused() {
        for digits in ["", "00", "000", "00000", "000000", "0g00", "+100", " 000", "é00"] {
            assert_eq!(array::<2>(digits), None, "{digits}");
        }
        for digits in ["0", "0x", "é", "0é0"] {
            assert_eq!(bytes(digits), None, "{digits}");
        }
    }
}
