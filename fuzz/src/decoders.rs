//! What holds of any input to the decoders of `ntlm`: one function for each target.
//!
//! `crates/ntlm/tests/regress.rs` runs the same functions over `testdata/regress/`.

use ntlm::der::{Der, ObjectIdentifier, tag};
use ntlm::keys::{
    AccountSecret, KeyName, KeySource, LmowfPrefix, Password, ResponseKind, SessionBaseKey,
};
use ntlm::message::{
    AuthenticateMessage, AvId, ChallengeMessage, Message, MessageSignature,
    MessageSignatureWithoutEss, NegotiateMessage, NtChallengeResponse, Ntlmv2ClientChallenge,
    SingleHostData, TargetInfo, TargetInfoBuilder,
};
use ntlm::text::{Charset, CodePage, Utf16String};
use ntlm::{ChannelBindings, Exchange, tls_server_end_point};

/// A target's name and what it checks.
pub type Target = (&'static str, fn(&[u8]));

/// The targets of this file.
pub const TARGETS: [Target; 10] = [
    ("negotiate", negotiate),
    ("challenge", challenge),
    ("authenticate", authenticate),
    ("target_info", target_info),
    ("ntlmv2_response", ntlmv2_response),
    ("exchange", exchange),
    ("der", der),
    ("certificate", certificate),
    ("signature", signature),
    ("text", text),
];

const CODE_PAGES: [CodePage; 6] = [
    CodePage::Ascii,
    CodePage::Cp437,
    CodePage::Cp850,
    CodePage::Cp852,
    CodePage::Cp866,
    CodePage::Windows1252,
];

/// The password of the specification's example, so that its exchange proves itself.
pub fn secret() -> AccountSecret {
    AccountSecret::from_password(&Password::from("Password"), CodePage::Cp437)
}

/// Decodes; what decodes stands where it says, and encodes to what decodes to the same.
macro_rules! decode {
    ($message:ident, $data:expr) => {{
        let decoded = $message::decode_with_fields($data);
        if let Ok((message, fields)) = &decoded {
            for field in fields.iter() {
                let end = field.span.offset.checked_add(field.span.length);
                assert!(end.is_some_and(|end| end <= $data.len()), "{field:?}");
            }
            let encoded = message.encode().expect("what was decoded encodes");
            assert!(encoded.len() <= $data.len());
            let again = $message::decode(&encoded).expect("what was encoded decodes");
            // Debug shows the descriptors too, which equality leaves out.
            assert_eq!(format!("{again:?}"), format!("{message:?}"));
            assert_eq!(again.encode().as_ref(), Ok(&encoded));
        }
        decoded.map(|(message, _)| message)
    }};
}

/// NEGOTIATE_MESSAGE.
pub fn negotiate(data: &[u8]) {
    if let Ok(message) = decode!(NegotiateMessage, data) {
        let _ = message.defects();
    }
}

/// CHALLENGE_MESSAGE and the list in it.
pub fn challenge(data: &[u8]) {
    if let Ok(message) = decode!(ChallengeMessage, data) {
        let _ = message.defects();
        if let Some(list) = message.target_info() {
            target_info(list.bytes());
        }
    }
}

/// AUTHENTICATE_MESSAGE and the response in it.
pub fn authenticate(data: &[u8]) {
    if let Ok(message) = decode!(AuthenticateMessage, data) {
        let _ = message.defects();
        let response = message.nt_challenge_response();
        assert!(!message.announces_mic() || matches!(response, Ok(NtChallengeResponse::Ntlmv2(_))));
        ntlmv2_response(message.nt_challenge_response.bytes());
    }
}

/// An `AV_PAIR` list: where nothing is wrong with it, it can be rebuilt from its pairs.
pub fn target_info(data: &[u8]) {
    let list = TargetInfo::new(data);
    let trimmed = list.without_trailing_bytes();
    assert_eq!(trimmed.without_trailing_bytes(), trimmed);
    assert!(list.pairs().count() <= data.len() / 4 + 1);
    let _ = (list.flags(), list.timestamp(), list.channel_bindings());
    let mut builder = TargetInfoBuilder::new();
    for pair in list.pairs().map_while(Result::ok) {
        assert!(list.get(pair.id).is_some());
        let _ = (pair.id.to_string(), list.text(pair.id));
        if let Some(host) = SingleHostData::decode(pair.value) {
            let _ = host.token_integrity();
            assert_eq!(SingleHostData::decode(&host.encode()), Some(host));
        }
        if pair.id != AvId::EOL {
            builder = builder.pair(pair.id, pair.value);
        }
    }
    let intact = list.defects().inspect(|defect| drop(defect.to_string())).count() == 0;
    if let (true, Ok(rebuilt)) = (intact, builder.finish()) {
        assert_eq!(rebuilt, trimmed.bytes());
    }
}

/// An NT response, and the client challenge of NTLMv2.
pub fn ntlmv2_response(data: &[u8]) {
    let Ok(NtChallengeResponse::Ntlmv2(response)) = NtChallengeResponse::decode(data) else {
        return;
    };
    let temp = response.client_challenge;
    let (time, nonce) = (temp.time_stamp, temp.challenge_from_client);
    let encoded = Ntlmv2ClientChallenge::encode(time, nonce, temp.target_info);
    let decoded = Ntlmv2ClientChallenge::decode(&encoded).expect("what was encoded decodes");
    assert_eq!((decoded.time_stamp, decoded.challenge_from_client), (time, nonce));
    assert!(decoded.target_info.bytes().starts_with(temp.target_info.bytes()));
    target_info(temp.target_info.bytes());
}

/// A whole exchange: see [`split`] for its three parts.
pub fn exchange(data: &[u8]) {
    let [negotiate, challenge, authenticate] = split(data);
    for (negotiate, code_page) in [(Some(negotiate), CodePage::Cp437), (None, CodePage::Ascii)] {
        let Ok(exchange) = Exchange::decode(negotiate, challenge, authenticate, code_page) else {
            continue;
        };
        let _ = (exchange.target_info_is_echoed(), exchange.challenge_for_domain_controller());
        let proof = exchange.prove(&secret());
        let kind = exchange.responses().kind();
        assert!(proof.is_none() || kind != ResponseKind::Malformed);
        assert!(proof.is_none() || kind != ResponseKind::Anonymous);
        let source = match (proof, exchange.apparent_version()) {
            (Some(proof), _) => KeySource::Proof(proof),
            (None, Some(version)) => KeySource::DomainController {
                version,
                session_base_key: SessionBaseKey::new([7; 16]),
                lmowf_prefix: (version.name().len() % 2 == 0).then(|| LmowfPrefix::new([9; 8])),
            },
            (None, None) => KeySource::Guest,
        };
        if let Ok(keys) = exchange.keys(source) {
            let _ = exchange.check_mic(keys.exported_session_key());
            assert_eq!(keys.steps().count(), KeyName::STEPS.len());
        }
    }
}

/// Two bytes are the length of the first part, two that of the second; the rest is the third.
pub fn split(data: &[u8]) -> [&[u8]; 3] {
    let (lengths, rest) = data.split_at(data.len().min(4));
    let length = |at: usize| match lengths.get(at..at + 2) {
        Some(&[low, high]) => usize::from(u16::from_le_bytes([low, high])),
        _ => 0,
    };
    let (first, rest) = rest.split_at(rest.len().min(length(0)));
    let (second, third) = rest.split_at(rest.len().min(length(2)));
    [first, second, third]
}

/// Every element of a DER document, at any depth.
pub fn der(data: &[u8]) {
    let mut open = vec![Der::new(data)];
    while let Some(mut reader) = open.pop() {
        while !reader.is_empty() {
            let before = reader.offset();
            let Ok(element) = reader.element() else {
                assert_eq!(reader.offset(), before, "a call that fails moves nothing");
                break;
            };
            let end = element.offset + element.whole.len();
            assert_eq!(data.get(element.offset..end), Some(element.whole));
            assert_eq!(data.get(element.content_offset..end), Some(element.content));
            assert_eq!(reader.offset(), end);
            if element.tag == tag::OID {
                let _ = ObjectIdentifier(element.content).to_string();
            }
            open.push(element.reader());
        }
    }
    let mut reader = Der::new(data);
    let _ = reader.optional(tag::SEQUENCE).map(|element| element.map(|it| it.reader().finish()));
    let _ = reader.expect(tag::INTEGER).map_err(|error| error.to_string());
    let _ = reader.inside(tag::context(0));
}

/// The hash of a certificate for channel bindings.
pub fn certificate(data: &[u8]) {
    let bindings = ChannelBindings::from_certificate(data);
    match tls_server_end_point(data) {
        Ok(hash) => {
            let expected = ChannelBindings::from_application_data(&hash.application_data());
            assert_eq!(bindings.as_ref(), Ok(&expected));
            assert!(hash.application_data().ends_with(hash.as_bytes()));
        }
        Err(error) => assert_eq!(bindings.map_err(|e| e.to_string()), Err(error.to_string())),
    }
}

/// Both forms of a message signature.
pub fn signature(data: &[u8]) {
    let with_ess = MessageSignature::decode(data);
    let without_ess = MessageSignatureWithoutEss::decode(data);
    assert_eq!(with_ess.is_ok(), without_ess.is_ok());
    if let (Ok(with_ess), Ok(without_ess)) = (with_ess, without_ess) {
        assert_eq!(with_ess.encode().as_slice(), data);
        assert_eq!(without_ess.encode().as_slice(), data);
    }
}

/// Text in UTF-16 and in every code page.
pub fn text(data: &[u8]) {
    for charset in CODE_PAGES.map(Charset::Oem).into_iter().chain([Charset::Unicode]) {
        let Ok(text) = charset.decode(data) else { continue };
        let _ = (text.to_string(), format!("{text:?}"));
        // A byte that stands for nothing has become U+FFFD, which no code page holds.
        if let Some(encoded) = charset.encode(text.as_units()) {
            assert_eq!(encoded, data);
        }
        let upper = text.to_uppercase();
        assert_eq!(upper.as_units().len(), text.as_units().len());
        assert!(upper.eq_ignore_case(&text));
        assert_eq!(upper.to_uppercase(), upper);
        assert_eq!(Utf16String::from_le_bytes(&text.to_le_bytes()).as_ref(), Ok(&text));
    }
    for code_page in CODE_PAGES {
        let upper = code_page.to_uppercase(data);
        assert_eq!(code_page.to_uppercase(&upper), upper);
    }
    let password = Password::from_utf16le(data);
    let _ = password.map(|password| AccountSecret::from_password(&password, CodePage::Cp850));
}
