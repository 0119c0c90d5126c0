//! Where an NTLM message that nothing is wrapped around ends, by its own fields.

use super::MAX_TOKEN;
use ntlm::message::{Message, MessageType};

/// The length that a DER OCTET STRING header right before the token says.
pub(crate) fn octet_string_length(before: &[u8]) -> Option<usize> {
    const OCTET_STRING: u8 = ntlm::der::tag::OCTET_STRING;
    match before {
        [.., OCTET_STRING, 0x82, high, low] => Some(usize::from(u16::from_be_bytes([*high, *low]))),
        [.., OCTET_STRING, 0x81, low] if *low >= 0x80 => Some(usize::from(*low)),
        [.., OCTET_STRING, low @ 0x10..0x80] => Some(usize::from(*low)),
        _ => None,
    }
    .filter(|length| *length >= 16)
}

/// Where a raw message ends, by its own fields; `None` if it is none, or not enough is there.
pub(super) fn message_length(bytes: &[u8]) -> Option<usize> {
    use ntlm::message::{AuthenticateMessage, ChallengeMessage, NegotiateMessage};
    let end_of_header = match MessageType::of(bytes).ok()? {
        MessageType::Negotiate => negotiate_header(bytes)?,
        MessageType::Challenge => 32,
        MessageType::Authenticate => 52,
    };
    let descriptors: &[usize] = match MessageType::of(bytes).ok()? {
        MessageType::Negotiate => &[16, 24],
        MessageType::Challenge => &[12, 40],
        MessageType::Authenticate => &[12, 20, 28, 36, 44, 52],
    };
    let mut end = end_of_header;
    for at in descriptors.iter().filter(|at| **at + 8 <= first_payload(bytes, descriptors)) {
        if let Some([l0, l1, _, _, o0, o1, o2, o3]) =
            bytes.get(*at..).and_then(|rest| rest.first_chunk::<8>())
            && (*l0, *l1) != (0, 0)
        {
            let length = usize::from(u16::from_le_bytes([*l0, *l1]));
            let offset = usize::try_from(u32::from_le_bytes([*o0, *o1, *o2, *o3])).ok()?;
            end = end.max(offset.checked_add(length).filter(|end| *end <= MAX_TOKEN)?);
        }
    }
    let whole = bytes.get(..end);
    let decodes = whole.is_none_or(|bytes| match MessageType::of(bytes) {
        Ok(MessageType::Negotiate) => NegotiateMessage::decode(bytes).is_ok(),
        Ok(MessageType::Challenge) => ChallengeMessage::decode(bytes).is_ok(),
        Ok(MessageType::Authenticate) => AuthenticateMessage::decode(bytes).is_ok(),
        Err(_) => false,
    });
    decodes.then_some(end)
}

/// 40 bytes with VERSION, 32 with descriptors that make sense, else 16.
fn negotiate_header(bytes: &[u8]) -> Option<usize> {
    let flags = u32::from_le_bytes(*bytes.get(12..)?.first_chunk::<4>()?);
    let has_version = ntlm::flags::NegotiateFlags::from_bits_retain(flags)
        .contains(ntlm::flags::NegotiateFlags::NEGOTIATE_VERSION);
    Some(if has_version {
        40
    } else if bytes.len() >= 32 {
        32
    } else {
        16
    })
}

fn first_payload(bytes: &[u8], descriptors: &[usize]) -> usize {
    let offsets = descriptors.iter().filter_map(|at| {
        let [l0, l1, _, _, o0, o1, o2, o3] = *bytes.get(*at..)?.first_chunk::<8>()?;
        let offset = usize::try_from(u32::from_le_bytes([o0, o1, o2, o3])).ok()?;
        (l0 != 0 || l1 != 0).then_some(offset).filter(|offset| *offset >= 16)
    });
    offsets.min().unwrap_or(usize::MAX)
}

/// Whether the bytes begin as an NTLM message of a known type does.
pub(super) fn is_message(bytes: &[u8]) -> bool {
    MessageType::of(bytes).is_ok()
}
