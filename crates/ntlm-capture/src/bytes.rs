//! Fixed-width fields out of slices, in either byte order.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Big,
    Little,
}

impl Order {
    pub(crate) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let field = array(bytes, at)?;
        Some(match self {
            Self::Big => u16::from_be_bytes(field),
            Self::Little => u16::from_le_bytes(field),
        })
    }

    pub(crate) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let field = array(bytes, at)?;
        Some(match self {
            Self::Big => u32::from_be_bytes(field),
            Self::Little => u32::from_le_bytes(field),
        })
    }

    pub(crate) fn i64(self, bytes: &[u8], at: usize) -> Option<i64> {
        let field = array(bytes, at)?;
        Some(match self {
            Self::Big => i64::from_be_bytes(field),
            Self::Little => i64::from_le_bytes(field),
        })
    }
}

pub(crate) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Lossless wherever `usize` has 32 bits or more; where not, the greatest length, which no buffer has.
pub(crate) fn index(value: impl TryInto<usize>) -> usize {
    value.try_into().unwrap_or(usize::MAX)
}

/// Lossless: no platform has addresses wider than 64 bits.
pub(crate) fn wide(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// Where `part`, a slice of `whole`, lies in it.
pub(crate) fn range_within(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    start..start.saturating_add(part.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_found_in_its_whole() {
        let whole = [0_u8; 10];
        assert_eq!(range_within(&whole, &whole[3..7]), 3..7);
        assert_eq!(range_within(&whole, &whole[10..]), 10..10);
    }

    #[test]
    fn fields_outside_are_none() {
        assert_eq!(Order::Big.u32(&[1, 2, 3], 0), None);
        assert_eq!(Order::Big.u16(&[1, 2, 3], 1), Some(0x0203));
        assert_eq!(Order::Little.u16(&[1, 2, 3], 1), Some(0x0302));
        assert_eq!(Order::Little.u16(&[1, 2, 3], 9), None);
    }
}
