//! Elements as bytes, each in its one DER form (X.690 10.1).

use alloc::vec::Vec;

/// One element: its tag, the length in its shortest form, and the content, which may be given in
/// parts. What lies inside is encoded first.
///
/// ```
/// use ntlm::der::{encode, tag};
///
/// let version = encode(tag::INTEGER, &[&[42]]);
/// assert_eq!(encode(tag::SEQUENCE, &[&version]), [0x30, 0x03, 0x02, 0x01, 0x2a]);
/// ```
#[must_use]
pub fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let mut element = Vec::with_capacity(content.len().saturating_add(LONGEST_HEADER));
    element.push(tag);
    push_length(&mut element, content.len());
    element.extend_from_slice(&content);
    element
}

/// The tag, one byte that counts, and the length itself.
const LONGEST_HEADER: usize = 2 + size_of::<usize>();

fn push_length(element: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short @ 0..0x80) => element.push(short),
        _ => {
            let digits = length.to_be_bytes();
            let digits: Vec<u8> = digits.into_iter().skip_while(|&digit| digit == 0).collect();
            // No more than 8, so the sum is below 0x100.
            element.push(digits.iter().fold(0x80, |count, _| count + 1));
            element.extend_from_slice(&digits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::der::{Der, tag};
    use std::vec;

    #[test]
    fn each_length_is_written_in_its_shortest_form() {
        for (length, header) in [
            (0, vec![0x04, 0x00]),
            (0x7f, vec![0x04, 0x7f]),
            (0x80, vec![0x04, 0x81, 0x80]),
            (0xff, vec![0x04, 0x81, 0xff]),
            (0x100, vec![0x04, 0x82, 0x01, 0x00]),
            (0x1_0000, vec![0x04, 0x83, 0x01, 0x00, 0x00]),
        ] {
            let content = vec![0x55; length];
            let element = encode(tag::OCTET_STRING, &[&content]);
            assert_eq!(element, [header, content.clone()].concat());
            let mut document = Der::new(&element);
            assert_eq!(document.expect(tag::OCTET_STRING).unwrap().content, content);
            document.finish().unwrap();
        }
    }

    #[test]
    fn content_may_come_in_parts() {
        assert_eq!(encode(tag::OCTET_STRING, &[]), [4, 0]);
        assert_eq!(encode(tag::OCTET_STRING, &[b"a", b"", b"bc"]), *b"\x04\x03abc");
    }
}
