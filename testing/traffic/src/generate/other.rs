//! Connections without NTLM: random bytes, records that look like TLS, lines of text.

use super::bulk::BulkKind;
use super::connection::{Side, Step, Steps};
use crate::random::Random;

pub(super) fn steps(mut size: usize, random: &mut Random) -> Steps {
    let mut steps = Steps::default();
    let looks = random.below(3);
    while size > 0 {
        let count = size.min(1 + random.place(16_384));
        size -= count;
        let side = if random.chance(0.3) { Side::Client } else { Side::Server };
        let step = match looks {
            0 => {
                let [high, low] = u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes();
                Step::Bulk(side, vec![0x17, 3, 3, high, low], BulkKind::Random, count)
            }
            1 => Step::Bulk(side, Vec::new(), BulkKind::Text, count),
            _ => Step::Bulk(side, Vec::new(), BulkKind::Random, count),
        };
        steps.push(step);
    }
    steps
}
