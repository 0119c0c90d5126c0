use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::bytes::{Order, array, index};

/// A pcapng name-resolution block: names that the recorder knew for addresses.
#[derive(Clone, Copy, Debug)]
pub struct NameResolution<'a> {
    pub(crate) file: u32,
    pub(crate) order: Order,
    pub(crate) records: &'a [u8],
}

impl<'a> NameResolution<'a> {
    /// Which file, counted from 0.
    #[must_use]
    pub fn file(&self) -> u32 {
        self.file
    }

    /// Each name with its address. Names are UTF-8 if the recorder kept to the format.
    pub fn iter(&self) -> impl Iterator<Item = (IpAddr, &'a [u8])> + use<'a> {
        let order = self.order;
        let mut rest = self.records;
        std::iter::from_fn(move || {
            let kind = order.u16(rest, 0)?;
            let length = usize::from(order.u16(rest, 2)?);
            let value = rest.get(4..)?.get(..length)?;
            rest = rest.get(4..)?.get(index(length.next_multiple_of(4))..).unwrap_or_default();
            (kind != 0).then_some((kind, value))
        })
        .filter_map(|(kind, value)| match kind {
            1 => Some((IpAddr::from(Ipv4Addr::from(array::<4>(value, 0)?)), value.get(4..)?)),
            2 => Some((IpAddr::from(Ipv6Addr::from(array::<16>(value, 0)?)), value.get(16..)?)),
            _ => None,
        })
        .flat_map(|(address, names)| {
            names
                .split(|byte| *byte == 0)
                .filter(|name| !name.is_empty())
                .map(move |name| (address, name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_comes_with_its_address() {
        let mut records = vec![0, 1, 0, 11, 10, 0, 0, 1];
        records.extend(b"dc1\0dc\0");
        records.push(0); // padding
        records.extend([0, 9, 0, 1, 7, 0, 0, 0]); // of a kind to come
        records.extend([0, 2, 0, 19]);
        records.extend(Ipv6Addr::LOCALHOST.octets());
        records.extend(b"me\0\0");
        records.extend([0, 0, 0, 0]);
        let names = NameResolution { file: 0, order: Order::Big, records: &records };
        let names: Vec<_> = names.iter().collect();
        let dc = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(
            names,
            [(dc, &b"dc1"[..]), (dc, &b"dc"[..]), (IpAddr::from(Ipv6Addr::LOCALHOST), &b"me"[..])]
        );
    }

    #[test]
    fn a_record_cut_short_ends_the_list() {
        let names =
            NameResolution { file: 0, order: Order::Little, records: &[1, 0, 200, 0, 1, 2] };
        assert_eq!(names.iter().count(), 0);
    }
}
