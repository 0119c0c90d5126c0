//! Every vector of testdata/vectors/spnego.json. The mechListMICs of recorded exchanges are checked
//! where they are made, in `src/mic.rs`.

use crate::common::{unhex, vectors};
use ntlm::keys::{AccountSecret, Direction, KeySource, Password};
use ntlm::text::CodePage;
use ntlm::{ChannelBindings, Check, Exchange, tls_server_end_point};
use ntlm_spnego::{
    MechTypeList, NegHints, NegTokenInit, NegTokenInit2, NegTokenResp, NegotiationToken,
};
use serde_json::Value;
use std::collections::BTreeMap;

#[test]
fn every_vector_passes() {
    let mut passed = BTreeMap::new();
    for vector in vectors() {
        assert_eq!(vector["verified"], true);
        let (input, expected) = (&vector["input"], &vector["expected"]);
        let category = vector["category"].as_str().unwrap();
        match category {
            "negtokeninit" => init(input, expected),
            "negtokeninit2" => init2(input, expected),
            "negtokenresp" => resp(input, expected),
            "spnego-exchange" => exchange(input, expected),
            "ldap-sasl" => ldap(input),
            "channel-binding" => channel_binding(input, expected),
            "mechlistmic" => {
                let sent = unhex(&input["client_token"]);
                assert_mic(&sent, &expected["client_mech_list_mic"]);
                assert_mic(&unhex(&input["server_final_token"]), &expected["server_mech_list_mic"]);
            }
            other => panic!("{other}"),
        }
        *passed.entry(category.to_owned()).or_insert(0) += 1;
    }
    let passed: Vec<_> =
        passed.iter().map(|(category, number)| (category.as_str(), *number)).collect();
    let expected = [
        ("channel-binding", 1),
        ("ldap-sasl", 1),
        ("mechlistmic", 1),
        ("negtokeninit", 1),
        ("negtokeninit2", 2),
        ("negtokenresp", 3),
        ("spnego-exchange", 5),
    ];
    assert_eq!(passed, expected, "every vector, none left out");
}

fn dotted(list: &MechTypeList<'_>) -> Vec<Value> {
    list.iter().map(|mech| mech.to_string().into()).collect()
}

fn octets(value: &Value) -> Option<Vec<u8>> {
    value.as_str().map(|_| unhex(value))
}

fn init(input: &Value, expected: &Value) {
    let token = unhex(&input["token"]);
    let init = NegTokenInit::decode(&token).unwrap();
    assert_eq!(dotted(&init.mech_types), *expected["mech_types"].as_array().unwrap());
    assert_eq!(init.mech_types.as_bytes(), unhex(&expected["mech_types_der"]));
    assert_eq!(init.mech_token.unwrap(), unhex(&expected["mech_token"]));
    assert_eq!(init.encode(), token);
    assert_eq!(NegotiationToken::decode(&token).unwrap(), NegotiationToken::Init(init));
}

fn init2(input: &Value, expected: &Value) {
    let token = unhex(&input["token"]);
    let init2 = NegTokenInit2::decode(&token).unwrap();
    let mech_types = init2.mech_types.as_ref().unwrap();
    assert_eq!(dotted(mech_types), *expected["mech_types"].as_array().unwrap());
    assert_eq!(init2.mech_token.unwrap(), unhex(&expected["mech_token"]));
    let name = expected["hint_name"].as_str().map(str::as_bytes);
    assert_eq!(init2.neg_hints.and_then(|hints| hints.hint_name), name);
    assert_eq!(init2.encode(), token);
}

fn resp(input: &Value, expected: &Value) {
    let token = unhex(&input["token"]);
    let resp = NegTokenResp::decode(&token).unwrap();
    let state = resp.neg_state.map(|state| u64::from(state.number()));
    assert_eq!(state, expected["neg_state"].as_u64());
    let mech = resp.supported_mech.map(|mech| mech.to_string());
    assert_eq!(mech.as_deref(), expected["supported_mech"].as_str());
    assert_eq!(resp.response_token.map(<[u8]>::to_vec), octets(&expected["response_token"]));
    assert_eq!(resp.mech_list_mic.map(<[u8]>::to_vec), octets(&expected["mech_list_mic"]));
    assert_eq!(resp.encode(), token);
    assert_eq!(NegotiationToken::decode(&token).unwrap(), NegotiationToken::Resp(resp));
}

fn assert_mic(token: &[u8], expected: &Value) {
    let mic = NegTokenResp::decode(token).unwrap().mech_list_mic.unwrap().to_vec();
    assert_eq!(mic, unhex(expected));
}

/// The NTLM messages inside, from the password to the keys that sign the list.
fn exchange(input: &Value, expected: &Value) {
    let tokens = input["tokens"].as_object().unwrap();
    let hint = unhex(&tokens["server_negTokenInit2"]);
    let hint = NegTokenInit2::decode(&hint).unwrap();
    assert_eq!(hint.neg_hints, Some(NegHints::IGNORE));
    let first = unhex(&tokens["client_1"]);
    let init = NegTokenInit::decode(&first).unwrap();
    assert_eq!(init.mech_types.as_bytes(), unhex(&input["mech_types_der"]));
    let message = |name: &str| {
        let token = unhex(tokens.get(name)?);
        Some(NegTokenResp::decode(&token).unwrap().response_token.unwrap().to_vec())
    };
    let negotiate = message("client_2").unwrap_or_else(|| init.mech_token.unwrap().to_vec());
    let challenge = message("server_2").or_else(|| message("server_1")).unwrap();
    assert_keys(input, &negotiate, &challenge, &message("client_3").unwrap());
    if let Some(mic) = expected.get("server_mech_list_mic") {
        assert_mic(&unhex(&tokens["server_3"]), mic);
    }
    assert_eq!(expected["final_status"] == "0x00000000", !unhex(&tokens["server_3"]).is_empty());
}

fn assert_keys(input: &Value, negotiate: &[u8], challenge: &[u8], authenticate: &[u8]) {
    let exchange =
        Exchange::decode(Some(negotiate), challenge, authenticate, CodePage::Cp437).unwrap();
    let password = Password::from(input["password"].as_str().unwrap());
    let secret = AccountSecret::from_password(&password, CodePage::Cp437);
    let proof = exchange.prove(&secret).unwrap();
    let keys = exchange.keys(KeySource::Proof(proof)).unwrap();
    assert_eq!(
        keys.exported_session_key().expose().to_vec(),
        unhex(&input["exported_session_key"])
    );
    assert_eq!(exchange.check_mic(keys.exported_session_key()), Check::Valid);
    for (direction, name) in
        [(Direction::ClientToServer, "client"), (Direction::ServerToClient, "server")]
    {
        let signing = keys.signing_key(direction).unwrap().expose().to_vec();
        assert_eq!(signing, unhex(&input[format!("{name}_signing_key")]));
        let sealing = keys.sealing_key(direction).expose().to_vec();
        assert_eq!(sealing, unhex(&input[format!("{name}_sealing_key")]));
    }
}

/// The tokens as LDAP's bind carries them: the last element of each message.
fn ldap(input: &Value) {
    let after = |name: &str, header: &[u8]| {
        let bytes = unhex(&input[name]);
        let place = bytes.windows(header.len()).position(|window| window == header).unwrap();
        bytes[place..].to_vec()
    };
    let first = after("bind_request_1", &[0x60, 0x48]);
    let init = NegTokenInit::decode(&first).unwrap();
    assert_eq!(init.encode(), first);
    let message = |name, header: &[u8]| {
        let token = after(name, header);
        let resp = NegTokenResp::decode(&token).unwrap();
        assert_eq!(resp.encode(), token);
        resp.response_token.unwrap().to_vec()
    };
    let challenge = message("bind_response_1", &[0xa1, 0x81, 0xce]);
    let authenticate = message("bind_request_2", &[0xa1, 0x82, 0x01, 0x92]);
    assert_keys(input, init.mech_token.unwrap(), &challenge, &authenticate);
}

fn channel_binding(input: &Value, expected: &Value) {
    let certificate = unhex(&input["certificate_der"]);
    let hash = tls_server_end_point(&certificate).unwrap();
    assert_eq!(hash.as_bytes(), unhex(&expected["certificate_hash"]));
    let bindings = ChannelBindings::from_certificate(&certificate).unwrap();
    assert_eq!(bindings.to_bytes().to_vec(), unhex(&expected["msv_av_channel_bindings"]));
    let data = unhex(&expected["application_data"]);
    assert_eq!(bindings, ChannelBindings::from_application_data(&data));
}
