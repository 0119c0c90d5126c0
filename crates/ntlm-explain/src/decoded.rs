//! One message as a document: fields with their places, flags in words, what is wrong.

use crate::ladder::hex;
use ntlm::flags::NegotiateFlags;
use ntlm::message::{
    AuthenticateMessage, AvFlags, AvId, ChallengeMessage, Message, MessageType, NegotiateMessage,
    NtChallengeResponse, SingleHostData, TargetInfo, Version,
};
use ntlm::text::{Charset, CodePage, Utf16String};
use ntlm::wire::{DecodeError, Field, FieldKind, Fields};
use serde::Serialize;

/// A decoded message. Offsets count from its first byte.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decoded {
    /// `CHALLENGE_MESSAGE` and so on.
    pub message: &'static str,
    /// Its length in bytes.
    pub length: usize,
    /// Its fields in the order of the header, each descriptor before its payload.
    pub fields: Vec<DecodedField>,
    /// Its flags, highest bit first.
    pub flags: Vec<DecodedFlag>,
    /// What breaks a rule of the format.
    pub defects: Vec<String>,
}

/// A field of a message, or of a structure inside a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecodedField {
    /// As the specification spells it.
    pub name: String,
    /// First byte.
    pub offset: usize,
    /// Number of bytes.
    pub length: usize,
    /// The value in words or hex; empty where `inner` says it all.
    pub value: String,
    /// Whether it only says where another field is.
    #[serde(skip)]
    pub is_descriptor: bool,
    /// The parts of a structure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inner: Vec<DecodedField>,
}

/// A flag that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DecodedFlag {
    /// The letter in the specification's drawing.
    pub letter: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What others call it.
    pub other_names: &'static [&'static str],
}

impl Decoded {
    /// Decodes one message. `code_page` is for text that is not Unicode.
    ///
    /// # Errors
    ///
    /// The bytes are no NTLM message, or end too early.
    pub fn new(bytes: &[u8], code_page: CodePage) -> Result<Self, DecodeError> {
        let kind = MessageType::of(bytes)?;
        let (fields, flags, charset, defects) = match kind {
            MessageType::Negotiate => {
                let (message, fields) = NegotiateMessage::decode_with_fields(bytes)?;
                let charset = Charset::Oem(code_page);
                (fields, message.negotiate_flags, charset, message.defects())
            }
            MessageType::Challenge => {
                let (message, fields) = ChallengeMessage::decode_with_fields(bytes)?;
                let flags = message.negotiate_flags;
                (fields, flags, charset(flags, code_page), message.defects())
            }
            MessageType::Authenticate => {
                let (message, fields) = AuthenticateMessage::decode_with_fields(bytes)?;
                let flags = message.negotiate_flags.unwrap_or(NegotiateFlags::empty());
                (fields, flags, charset(flags, code_page), message.defects())
            }
        };
        Ok(Self {
            message: kind.name(),
            length: bytes.len(),
            fields: decode_fields(&fields, bytes, flags, charset),
            flags: flags.info().map(DecodedFlag::new).collect(),
            defects: defects.iter().map(ToString::to_string).collect(),
        })
    }
}

impl DecodedFlag {
    const fn new(info: &'static ntlm::flags::FlagInfo) -> Self {
        let ntlm::flags::FlagInfo { letter, name, meaning, other_names, .. } = info;
        Self { letter, name, meaning, other_names }
    }
}

const fn charset(flags: NegotiateFlags, code_page: CodePage) -> Charset {
    if flags.contains(NegotiateFlags::NEGOTIATE_UNICODE) {
        Charset::Unicode
    } else {
        Charset::Oem(code_page)
    }
}

fn decode_fields(
    fields: &Fields,
    bytes: &[u8],
    flags: NegotiateFlags,
    charset: Charset,
) -> Vec<DecodedField> {
    let decode = |field: Field| {
        let (offset, length) = (field.span.offset, field.span.length);
        let part = bytes.get(offset..offset + length).unwrap_or_default();
        decode_field(field, part, flags, charset)
    };
    fields.iter().map(decode).collect()
}

fn decode_field(
    field: Field,
    bytes: &[u8],
    flags: NegotiateFlags,
    charset: Charset,
) -> DecodedField {
    let offset = field.span.offset;
    let is_descriptor = field.kind == FieldKind::Descriptor;
    let inner = match (field.kind, field.name) {
        (FieldKind::Payload, "TargetInfo") => av_pairs(TargetInfo::new(bytes), offset),
        (FieldKind::Payload, "NtChallengeResponse") => nt_response(bytes, offset),
        _ => Vec::new(),
    };
    let value = match (field.kind, field.name) {
        _ if !inner.is_empty() => String::new(),
        (FieldKind::Descriptor, _) => descriptor(bytes),
        (_, "Signature") => "NTLMSSP\\0".to_owned(),
        (_, "NegotiateFlags") => format!("0x{:08x}", flags.bits()),
        (_, "MessageType") => bytes.first().map_or_else(String::new, u8::to_string),
        (_, "Version") => <[u8; 8]>::try_from(bytes)
            .map_or_else(|_| hex(bytes), |bytes| Version::from_bytes(bytes).to_string()),
        (_, "TargetName" | "DomainName" | "UserName" | "Workstation") => {
            charset.decode(bytes).map_or_else(|_| hex(bytes), |text| quoted(&text))
        }
        _ => hex(bytes),
    };
    let name = if is_descriptor { format!("{}Fields", field.name) } else { field.name.to_owned() };
    DecodedField { name, offset, length: field.span.length, value, is_descriptor, inner }
}

fn part(name: &str, offset: usize, length: usize, value: String) -> DecodedField {
    let (name, inner) = (name.to_owned(), Vec::new());
    DecodedField { name, offset, length, value, is_descriptor: false, inner }
}

fn nt_response(bytes: &[u8], offset: usize) -> Vec<DecodedField> {
    let Ok(NtChallengeResponse::Ntlmv2(response)) = NtChallengeResponse::decode(bytes) else {
        return Vec::new();
    };
    let challenge = response.client_challenge;
    let mut parts = vec![
        part("NTProofStr", offset, 16, hex(&response.nt_proof_str)),
        part("RespType", offset + 16, 1, challenge.resp_type.to_string()),
        part("HiRespType", offset + 17, 1, challenge.hi_resp_type.to_string()),
        part("TimeStamp", offset + 24, 8, time(challenge.time_stamp)),
        part("ChallengeFromClient", offset + 32, 8, hex(&challenge.challenge_from_client)),
    ];
    parts.extend(av_pairs(challenge.target_info, offset + 44));
    parts
}

fn av_pairs(list: TargetInfo<'_>, offset: usize) -> Vec<DecodedField> {
    let intact = list.pairs().map_while(Result::ok);
    let mut parts: Vec<_> = intact
        .map(|pair| {
            let (name, length) = (pair.id.to_string(), 4 + pair.value.len());
            part(&name, offset + pair.offset, length, av_value(pair.id, pair.value))
        })
        .collect();
    let end = list.without_trailing_bytes().bytes().len();
    let rest = list.bytes().get(end..).unwrap_or_default();
    if !rest.is_empty() {
        parts.push(part("(after the list)", offset + end, rest.len(), hex(rest)));
    }
    parts
}

fn descriptor(bytes: &[u8]) -> String {
    match bytes {
        [l0, l1, m0, m1, o0, o1, o2, o3] => format!(
            "Len {} MaxLen {} BufferOffset {}",
            u16::from_le_bytes([*l0, *l1]),
            u16::from_le_bytes([*m0, *m1]),
            u32::from_le_bytes([*o0, *o1, *o2, *o3])
        ),
        _ => hex(bytes),
    }
}

fn av_value(id: AvId, value: &[u8]) -> String {
    match (id, value) {
        (AvId::FLAGS, [a, b, c, d]) => {
            let flags = AvFlags(u32::from_le_bytes([*a, *b, *c, *d]));
            let words = [
                (flags.0 & AvFlags::CONSTRAINED.0 != 0, "account constrained"),
                (flags.mic_present(), "MIC present"),
                (flags.untrusted_target_name(), "target name from an untrusted source"),
            ];
            let words: Vec<_> =
                words.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
            format!("0x{:08x} {}", flags.0, words.join(", "))
        }
        (AvId::TIMESTAMP, value) => <[u8; 8]>::try_from(value)
            .map_or_else(|_| hex(value), |bytes| time(ntlm::FileTime::from_le_bytes(bytes))),
        (AvId::SINGLE_HOST, value) => match SingleHostData::decode(value) {
            Some(data) => {
                let token = data.token_integrity();
                let machine = hex(&data.machine_id);
                format!("flags {} integrity 0x{:04x} machine {machine}", token.flags, token.level)
            }
            None => hex(value),
        },
        (id, value) if id.is_text() => {
            Utf16String::from_le_bytes(value).map_or_else(|_| hex(value), |text| quoted(&text))
        }
        (_, value) => hex(value),
    }
}

fn time(time: ntlm::FileTime) -> String {
    match time.unix_seconds().and_then(|unix| unix.checked_mul(1_000_000_000)) {
        Some(nanos) => {
            let text = crate::clock::rfc3339(ntlm_capture::Timestamp(nanos));
            format!("{} ({})", text.replace(".000Z", "Z"), time.0)
        }
        None => time.0.to_string(),
    }
}

fn quoted(text: &Utf16String) -> String {
    format!("\"{text}\"")
}
