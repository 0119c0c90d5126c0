//! Tokens: what is read, what is not, and that nothing makes a reader panic.

use crate::common::{unhex, vectors};
use hex_literal::hex;
use ntlm::der::{DerErrorKind, ObjectIdentifier, encode, tag};
use ntlm_spnego::{
    AcceptorConfig, DecodeError, DecodeErrorKind, MechTypeList, NegHints, NegState, NegTokenInit,
    NegTokenInit2, NegTokenResp, NegotiationToken, mechanism,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::hint::black_box;

/// Every token of the vectors.
fn fixtures() -> BTreeSet<Vec<u8>> {
    fn collect(value: &Value, found: &mut BTreeSet<Vec<u8>>) {
        match value {
            Value::String(text) if ["60", "a0", "a1"].iter().any(|tag| text.starts_with(tag)) => {
                found.insert(unhex(value));
            }
            Value::Object(fields) => fields.values().for_each(|field| collect(field, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    vectors().iter().for_each(|vector| collect(&vector["input"], &mut found));
    found
}

fn read_every_way(bytes: &[u8]) -> Option<Vec<u8>> {
    let _ = black_box(NegTokenInit2::decode(bytes).map(|token| token.encode()));
    Some(match NegotiationToken::decode(bytes).ok()? {
        NegotiationToken::Init(token) => token.encode(),
        NegotiationToken::Init2(token) => token.encode(),
        NegotiationToken::Resp(token) => token.encode(),
    })
}

#[test]
fn what_is_read_is_written_alike() {
    let fixtures = fixtures();
    assert!(fixtures.len() > 25, "{}", fixtures.len());
    for token in fixtures {
        assert_eq!(read_every_way(&token).as_ref(), Some(&token));
    }
}

#[test]
fn no_prefix_is_a_token() {
    for token in fixtures() {
        for length in 0..token.len() {
            assert_eq!(read_every_way(&token[..length]), None);
        }
    }
}

#[test]
fn no_corruption_panics_and_what_is_read_can_be_written() {
    for token in fixtures() {
        for position in 0..token.len() {
            for change in [0x01, 0x20, 0x80, 0xff] {
                let mut corrupt = token.clone();
                corrupt[position] ^= change;
                if let Some(written) = read_every_way(&corrupt) {
                    assert_eq!(read_every_way(&written), Some(written));
                }
            }
        }
    }
}

fn kind(token: &[u8]) -> (DecodeErrorKind, &'static str, usize) {
    let DecodeError { kind, field, offset } = match NegotiationToken::decode(token) {
        Err(error) => error,
        Ok(token) => panic!("{token:?}"),
    };
    (kind, field, offset)
}

/// A NegTokenInit of these fields, with the framing.
fn init(fields: &[u8]) -> Vec<u8> {
    let oid = hex!("06062b0601050502");
    let chosen = encode(tag::context(0), &[&encode(tag::SEQUENCE, &[fields])]);
    encode(tag::application(0), &[&oid, &chosen])
}

fn resp(fields: &[u8]) -> Vec<u8> {
    encode(tag::context(1), &[&encode(tag::SEQUENCE, &[fields])])
}

const NTLM_ONLY: [u8; 16] = hex!("a00e300c060a2b06010401823702020a");

#[test]
fn errors_name_field_and_offset() {
    use DecodeErrorKind::{Der, Empty, Missing, TooLong, WrongValue};
    let unexpected = |expected, found| Der(DerErrorKind::UnexpectedTag { expected, found });
    assert_eq!(kind(&[]), (Der(DerErrorKind::Truncated), "NegotiationToken", 0));
    assert_eq!(kind(&hex!("3000")), (unexpected(0xa0, 0x30), "NegotiationToken", 0));
    assert_eq!(kind(&hex!("6003060101")), (WrongValue, "thisMech", 2));
    assert_eq!(kind(&hex!("60020500")), (unexpected(0x06, 0x05), "thisMech", 2));
    assert_eq!(kind(&init(&[])), (Missing, "mechTypes", 12));
    assert_eq!(kind(&init(&hex!("a0023000"))), (Empty, "mechTypes", 16));
    assert_eq!(kind(&init(&hex!("a00430020600"))), (WrongValue, "mechTypes", 18));
    assert_eq!(kind(&init(&hex!("a00530030601ff"))), (WrongValue, "mechTypes", 18));
    assert_eq!(kind(&init(&hex!("a00630040602 8001"))), (WrongValue, "mechTypes", 18));
    assert_eq!(kind(&resp(&hex!("a0030a0104"))), (WrongValue, "negState", 6));
    assert_eq!(kind(&resp(&hex!("a0040a020001"))), (WrongValue, "negState", 6));
    assert_eq!(kind(&resp(&hex!("a003020101"))), (unexpected(0x0a, 0x02), "negState", 6));
    assert_eq!(kind(&resp(&hex!("a1020600"))), (WrongValue, "supportedMech", 6));
    assert_eq!(kind(&resp(&hex!("a2020500"))), (unexpected(0x04, 0x05), "responseToken", 6));
    // Two elements where one belongs.
    assert_eq!(
        kind(&resp(&hex!("a20404000400"))),
        (Der(DerErrorKind::TrailingData), "responseToken", 8)
    );
    let long = resp(&encode(tag::context(2), &[&encode(tag::OCTET_STRING, &[&[0; 0x2_0000]])]));
    assert_eq!(kind(&long), (TooLong, "NegotiationToken", 0x2_0000));
    let text = NegTokenResp::decode(&resp(&hex!("a0030a0104"))).unwrap_err().to_string();
    assert_eq!(text, "another value than it can have: negState at offset 6");
}

#[test]
fn lengths_are_those_of_der() {
    for indefinite in [hex!("a1803000").as_slice(), &hex!("a18102 3000"), &hex!("a1820002 3000")] {
        assert!(NegTokenResp::decode(indefinite).is_err());
    }
}

#[test]
fn fields_come_once_and_in_order() {
    for fields in [
        hex!("a0030a0101 a0030a0101").as_slice(),
        &hex!("a303040100 a0030a0101"),
        &hex!("a5020500 a4020500"),
        &hex!("a4020500 a4020500"),
        &hex!("0500"),
    ] {
        assert!(NegTokenResp::decode(&resp(fields)).is_err(), "{fields:02x?}");
    }
    let twice = [NTLM_ONLY, NTLM_ONLY].concat();
    assert!(NegTokenInit::decode(&init(&twice)).is_err());
}

#[test]
fn fields_of_later_versions_are_passed_over() {
    let token = resp(&hex!("a0030a0101 a4020500 a7030101ff"));
    let expected =
        NegTokenResp { neg_state: Some(NegState::AcceptIncomplete), ..NegTokenResp::default() };
    assert_eq!(NegTokenResp::decode(&token), Ok(expected));
    // 30 is the last number that a tag of one byte holds: what follows is out of order.
    assert_eq!(NegTokenResp::decode(&resp(&hex!("be020500"))), Ok(NegTokenResp::default()));
    assert!(NegTokenResp::decode(&resp(&hex!("be020500 be020500"))).is_err());
    assert!(NegTokenResp::decode(&resp(&hex!("be020500 a0030a0101"))).is_err());
}

#[test]
fn framing_may_be_missing_or_too_much_and_bytes_may_follow() {
    let framed = init(&NTLM_ONLY);
    let bare = &framed[10..];
    assert_eq!(bare[0], 0xa0);
    assert_eq!(NegTokenInit::decode(bare), NegTokenInit::decode(&framed));
    let token = resp(&hex!("a0030a0101"));
    let framed = encode(tag::application(0), &[&hex!("06062b0601050502"), &token]);
    assert_eq!(NegTokenResp::decode(&framed), NegTokenResp::decode(&token));
    assert_eq!(NegTokenResp::decode(&framed).unwrap().encode(), token);
    let followed = [&token[..], b"more"].concat();
    assert_eq!(NegTokenResp::decode(&followed), NegTokenResp::decode(&token));
    let inside = encode(tag::application(0), &[&hex!("06062b0601050502"), &followed]);
    assert!(NegTokenResp::decode(&inside).is_err(), "but not inside the framing");
}

/// Field 3 is a MIC in the one and hints in the other.
#[test]
fn hints_and_signatures_are_told_apart() {
    let signed = init(&[&NTLM_ONLY[..], &hex!("a304 0402aabb")].concat());
    assert_eq!(NegTokenInit::decode(&signed).unwrap().mech_list_mic, Some(&hex!("aabb")[..]));
    assert!(matches!(NegotiationToken::decode(&signed), Ok(NegotiationToken::Init(_))));
    assert!(NegTokenInit2::decode(&signed).is_err());
    let hinted = init(&[&NTLM_ONLY[..], &hex!("a307 3005 a003 1b0168 a404 0402aabb")].concat());
    let Ok(NegotiationToken::Init2(init2)) = NegotiationToken::decode(&hinted) else { panic!() };
    let hints = NegHints { hint_name: Some(b"h"), hint_address: None };
    assert_eq!(init2.neg_hints, Some(hints));
    assert_eq!(init2.mech_list_mic, Some(&hex!("aabb")[..]));
    assert_eq!(init2.encode(), hinted);
    assert!(NegTokenInit::decode(&hinted).is_err());
}

#[test]
fn a_list_is_kept_as_it_was_sent() {
    // A number of more than 64 bits, and the same mechanism twice.
    let list = hex!("301a 060a2bffffffffffffffff7f 0605 2bff8080 01 06052bff808001");
    let fields = encode(tag::context(0), &[&list]);
    let token = init(&fields);
    let init = NegTokenInit::decode(&token).unwrap();
    assert_eq!(init.mech_types.as_bytes(), list);
    assert_eq!(init.mech_types.iter().count(), 3);
    assert_eq!(init.encode(), token);
}

#[test]
fn a_long_list_is_read() {
    let mut mechs = vec![ObjectIdentifier(&[0x2a, 3]); 1000];
    mechs.push(mechanism::NTLM);
    let mech_types = MechTypeList::new(&mechs);
    let token = NegTokenInit { mech_types, req_flags: None, mech_token: None, mech_list_mic: None };
    let token = token.encode();
    let init = NegTokenInit::decode(&token).unwrap();
    assert_eq!(init.mech_types.iter().count(), 1001);
    assert!(init.mech_types.contains(mechanism::NTLM));
}

#[test]
fn the_hint_of_an_acceptor_is_that_of_samba_and_in_the_order_of_windows() {
    let recorded = hex!(
        "604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa32a3028a0261b24"
        "6e6f745f646566696e65645f696e5f5246433431373840706c656173655f69676e6f7265"
    );
    assert_eq!(AcceptorConfig::default().hint(), recorded);
    let [ms_kerberos, kerberos, _, negoex] = mechanism::WINDOWS;
    let foreign = vec![ms_kerberos, negoex, kerberos];
    let hint = AcceptorConfig { foreign, ..AcceptorConfig::default() }.hint();
    let mech_types = NegTokenInit2::decode(&hint).unwrap().mech_types.unwrap();
    assert!(mech_types.iter().eq(mechanism::WINDOWS));
}

#[test]
fn req_flags_are_kept_whatever_they_are() {
    let token = init(&[&NTLM_ONLY[..], &hex!("a104 0302 0136")].concat());
    let init = NegTokenInit::decode(&token).unwrap();
    assert_eq!(init.req_flags, Some(&hex!("0136")[..]));
    assert_eq!(init.encode(), token);
}
