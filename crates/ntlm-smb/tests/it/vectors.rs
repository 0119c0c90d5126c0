//! Every vector of smb.json, run from the file. What is private to the crate (AES-CMAC, the KDF over
//! opaque input) runs in the unit tests of crypto.rs and kdf.rs.

use crate::common::{array, bytes, hex, number, vectors};
use crate::evidence::{Evidence, sequence_row, signature_row};
use ntlm::keys::{
    AccountSecret, Derivation, Direction, ExportedSessionKey, KeyExchange, KeySchedule, KeySource,
    NtlmVersion, Password, RandomSessionKey, Responses, SessionBaseKey,
};
use ntlm::text::{CodePage, Utf16String};
use ntlm::{Check, Exchange};
use ntlm_smb::keys::{
    CipherKey, Establishment, KeyName, PreauthIntegrityHash, SessionKey, SessionKeySource,
    SigningKey, Smb1KeySchedule, Smb1KeySource, SmbDerivation, SmbKeySchedule, StepValue,
};
use ntlm_smb::smb2::{
    Command, ErrorResponse, Header, NegotiateRequest, NegotiateResponse, SessionSetupFlags,
    SessionSetupRequest, SessionSetupResponse, TransformHeader,
};
use ntlm_smb::{
    Cipher, DecryptError, Dialect, Identity, Nonce, NtStatus, PacketCipher, SessionPhase,
    SignatureError, SignatureRule, Signed, Signer, SigningAlgorithm, smb1,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// Run by unit tests, because the crate does not show these operations.
const PRIMITIVES: [&str; 2] = ["aes-cmac", "sp800-108-raw"];

/// Values that belong to SPNEGO, which this crate only carries.
const OF_SPNEGO: [&str; 2] = ["client_mech_list_mic", "server_mech_list_mic"];

#[test]
fn every_vector_of_the_file_runs_and_holds() {
    run_all(&mut Evidence::default());
}

/// Runs them, and notes which rules they chose.
pub(crate) fn run_all(evidence: &mut Evidence) {
    let mut run = BTreeMap::new();
    for vector in vectors() {
        let category = vector["category"].as_str().unwrap().to_owned();
        let (input, expected) = (&vector["input"], &vector["expected"]);
        let id = vector["id"].as_str().unwrap();
        match category.as_str() {
            "smb3-keys" => smb3_keys(evidence, id, input, expected),
            "smb311-preauth-hash" => preauth_hash(id, input, expected),
            "ntlmv2-session-key" => ntlmv2_session_key(id, input, expected),
            "smb2-signature" => smb2_signature(id, input, expected),
            "smb3-encryption" => smb3_encryption(id, input, expected),
            "smb2-session" => smb2_session(evidence, id, input, expected),
            "smb2-session-setup" => smb2_session_setup(evidence, id, input, expected),
            "smb1-session" => smb1_session(evidence, id, input, expected),
            "smb1-sskeyhash" => smb1_sskeyhash(evidence, id, input, expected),
            "smb3-binding-keys" => smb3_binding_keys(evidence, id, input, expected),
            "smb2-binding" => smb2_binding(evidence, id, input, expected),
            "smb1-signature" => smb1_signature(evidence, id, input, expected),
            other => assert!(PRIMITIVES.contains(&other), "{id}: no such category: {other}"),
        }
        assert_eq!(vector["verified"], category != "smb1-sskeyhash", "{id}");
        *run.entry(category).or_insert(0) += 1;
    }
    let counts: Vec<(&str, i32)> =
        run.iter().map(|(category, count)| (category.as_str(), *count)).collect();
    let expected = [
        ("aes-cmac", 4),
        ("ntlmv2-session-key", 2),
        ("smb1-session", 3),
        ("smb1-signature", 1),
        ("smb1-sskeyhash", 1),
        ("smb2-binding", 1),
        ("smb2-session", 9),
        ("smb2-session-setup", 4),
        ("smb2-signature", 2),
        ("smb3-binding-keys", 1),
        ("smb3-encryption", 8),
        ("smb3-keys", 4),
        ("smb311-preauth-hash", 1),
        ("sp800-108-raw", 1),
    ];
    assert_eq!(counts, expected);
}

fn dialect(value: &Value) -> Dialect {
    Dialect::from_revision(u16::try_from(number(value)).unwrap()).unwrap()
}

fn cipher(value: &Value) -> Option<Cipher> {
    let name = value.as_str()?;
    Some(Cipher::ALL.into_iter().find(|cipher| cipher.name() == name).unwrap())
}

fn algorithm(value: &Value) -> SigningAlgorithm {
    let name = value.as_str().unwrap();
    SigningAlgorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name).unwrap()
}

fn secret(input: &Value) -> AccountSecret {
    let password = Password::from(input["password"].as_str().unwrap());
    AccountSecret::from_password(&password, CodePage::Cp437)
}

/// Compares what was derived with every value that a vector states under these names.
fn check_keys(evidence: &mut Evidence, id: &str, keys: &SmbKeySchedule, expected: &Value) {
    for (key, needed) in [
        (KeyName::PreauthIntegrityHashValue, false),
        (KeyName::SigningKey, true),
        (KeyName::ClientToServerKey, true),
        (KeyName::ServerToClientKey, true),
        (KeyName::ApplicationKey, false),
    ] {
        let step = keys.step(key).unwrap();
        let value = match &step.value {
            StepValue::Known(bytes) => Some(hex(bytes.expose())),
            _ => None,
        };
        let stated = expected[key.json_name()].as_str();
        if needed || stated.is_some() || value.is_none() {
            assert_eq!(value.as_deref(), stated, "{id} {key}");
            evidence.step(&step, id);
        }
    }
    // Every other key comes from it.
    evidence.step(&keys.step(KeyName::SessionKey).unwrap(), id);
}

fn smb3_keys(evidence: &mut Evidence, id: &str, input: &Value, expected: &Value) {
    let hash = input["preauth_hash"]
        .is_string()
        .then(|| PreauthIntegrityHash::new(array(&input["preauth_hash"])));
    let keys = SmbKeySchedule::derive(SmbDerivation {
        dialect: dialect(&input["dialect"]),
        signing_algorithm: SigningAlgorithm::AesCmac,
        cipher: cipher(&input["cipher"]).or(Some(Cipher::Aes128Ccm)),
        source: SessionKeySource::Account(SessionKey::new(array(&input["session_key"]))),
        preauth_integrity_hash: hash.as_ref(),
        establishment: Establishment::NewSession,
    });
    check_keys(evidence, id, &keys, expected);
}

fn smb3_binding_keys(evidence: &mut Evidence, id: &str, input: &Value, expected: &Value) {
    let keys = SmbKeySchedule::derive(SmbDerivation {
        dialect: dialect(&input["dialect"]),
        signing_algorithm: SigningAlgorithm::AesCmac,
        cipher: Some(Cipher::Aes128Ccm),
        source: SessionKeySource::Account(SessionKey::new(array(&input["session_key"]))),
        preauth_integrity_hash: None,
        establishment: Establishment::Binding,
    });
    check_channel(evidence, id, &keys, expected);
}

/// A bound connection has one key of its own, the stated one.
fn check_channel(evidence: &mut Evidence, id: &str, keys: &SmbKeySchedule, expected: &Value) {
    let signing_key = hex(keys.signing_key().unwrap().expose());
    assert_eq!(signing_key, expected["channel_signing_key"], "{id}");
    evidence.step(&keys.step(KeyName::ChannelSigningKey).unwrap(), id);
    assert!(keys.step(KeyName::SigningKey).is_none(), "{id}");
    for key in [KeyName::ClientToServerKey, KeyName::ServerToClientKey, KeyName::ApplicationKey] {
        evidence.step(&keys.step(key).unwrap(), id);
    }
}

fn smb2_binding(evidence: &mut Evidence, id: &str, input: &Value, expected: &Value) {
    let packet = |name: &str| packet(input, name);
    let (request, response) = (packet("negotiate_request"), packet("negotiate_response"));
    let negotiate = NegotiateResponse::decode(&response).unwrap();
    let capabilities = NegotiateRequest::decode(&request).unwrap().capabilities;
    assert_eq!(negotiate.dialect(), Some(dialect(&input["dialect"])), "{id}");
    assert_eq!(negotiate.cipher(capabilities), cipher(&input["cipher"]), "{id}");
    let algorithm = negotiate.signing_algorithm().unwrap();
    let mut hash = PreauthIntegrityHash::default().after(&request).after(&response);

    let of_session = Signer::new(algorithm, &SigningKey::new(array(&input["session_signing_key"])));
    let setup = ["request_1", "response_1", "request_2", "response_2"]
        .map(|name| packet(&format!("session_setup_{name}")));
    for packet in &setup[..3] {
        let header = Header::decode(packet).unwrap();
        let phase = SessionPhase::BeingBound;
        let rule = SignatureRule::choose(&header, false, phase, Identity::Account);
        assert_eq!(rule.doc().key, Some(KeyName::SigningKey), "{id}");
        check_signature(id, &of_session, packet);
        evidence.add(signature_row(rule), id);
        hash = if header.is_response() {
            hash.after_session_setup_response(header.status, packet)
        } else {
            let flags = SessionSetupRequest::decode(packet).unwrap().flags;
            assert!(flags.contains(SessionSetupFlags::BINDING), "{id}");
            hash.after(packet)
        };
    }
    assert_eq!(hex(hash.as_bytes()), expected["preauth_hash"], "{id}");

    let exported = ExportedSessionKey::new(array(&input["exported_session_key"]));
    let keys = SmbKeySchedule::derive(SmbDerivation {
        dialect: negotiate.dialect().unwrap(),
        signing_algorithm: algorithm,
        cipher: negotiate.cipher(capabilities),
        source: SessionKeySource::Account(SessionKey::from(&exported)),
        preauth_integrity_hash: Some(&hash),
        establishment: Establishment::Binding,
    });
    check_channel(evidence, id, &keys, expected);
    let last = Header::decode(&setup[3]).unwrap();
    let rule = SignatureRule::choose(&last, false, SessionPhase::BeingBound, Identity::Account);
    assert_eq!(rule.doc().key, Some(KeyName::ChannelSigningKey), "{id}");
    check_signature(id, &Signer::new(algorithm, keys.signing_key().unwrap()), &setup[3]);
    assert!(of_session.verify(&setup[3]).is_err(), "{id}");
    evidence.add(signature_row(rule), id);
}

fn preauth_hash(id: &str, input: &Value, expected: &Value) {
    let mut hash = PreauthIntegrityHash::default();
    let messages = input["messages"].as_array().unwrap();
    let hashes = expected["hash_after_each"].as_array().unwrap();
    assert_eq!(messages.len(), hashes.len());
    for (message, expected) in messages.iter().zip(hashes) {
        let packet = bytes(&message["packet"]);
        let header = Header::decode(&packet).unwrap();
        hash = if message["name"] == "session_setup_response_1" {
            hash.after_session_setup_response(header.status, &packet)
        } else {
            hash.after(&packet)
        };
        assert_eq!(hex(hash.as_bytes()), *expected, "{id} {}", message["name"]);
    }
    let packet = bytes(&messages[0]["packet"]);
    assert_eq!(hash.after_session_setup_response(NtStatus::SUCCESS, &packet), hash);
}

fn ntlmv2_session_key(id: &str, input: &Value, expected: &Value) {
    let (negotiate, challenge, authenticate) = (
        bytes(&input["negotiate_message"]),
        bytes(&input["challenge_message"]),
        bytes(&input["authenticate_message"]),
    );
    let exchange =
        Exchange::decode(Some(&negotiate), &challenge, &authenticate, CodePage::Cp437).unwrap();
    assert_eq!(exchange.user().to_string(), input["user"].as_str().unwrap());
    let secret = secret(input);
    let proof = exchange.prove(&secret).unwrap();
    let keys = exchange.keys(KeySource::Proof(proof)).unwrap();
    assert_eq!(exchange.check_mic(keys.exported_session_key()), Check::Valid, "{id}");
    for step in keys.steps() {
        let name = step.key.json_name();
        let name = if name == "nt_proof_str" { "nt_proof" } else { name };
        if let (ntlm::keys::StepValue::Known(value), Some(expected)) =
            (&step.value, expected[name].as_str())
        {
            assert_eq!(hex(value.expose()), expected, "{id} {name}");
        }
    }
}

fn smb2_signature(id: &str, input: &Value, expected: &Value) {
    let key = SigningKey::new(array(&input["key"]));
    let packet = bytes(&input["packet"]);
    check_signature(id, &Signer::new(algorithm(&input["algorithm"]), &key), &packet);
    let signature = Header::decode(&packet).unwrap().signature;
    assert_eq!(hex(&signature), expected["signature"], "{id}");
}

fn check_signature(id: &str, signer: &Signer, packet: &[u8]) {
    let verified = signer.verify(packet).unwrap_or_else(|error| panic!("{id}: {error}"));
    assert_eq!(verified.message(), packet);
    let mut again = packet.to_vec();
    again[48..64].fill(0xaa);
    assert_eq!(signer.verify(&again).unwrap_err(), SignatureError::DoesNotHold);
    signer.sign(&mut again).unwrap();
    assert_eq!(again, packet, "{id}");
}

fn smb3_encryption(id: &str, input: &Value, expected: &Value) {
    let kind = cipher(&input["cipher"]).unwrap();
    let cipher = PacketCipher::new(&CipherKey::new(kind, &bytes(&input["key"])).unwrap());
    let transformed = bytes(&expected["transformed_message"]);
    let header = TransformHeader::decode(&transformed).unwrap();
    assert_eq!(hex(&header.authenticated()), expected["aad"], "{id}");
    assert_eq!(hex(&header.signature), expected["signature"], "{id}");
    assert_eq!(header.session_id, number(&input["session_id"]), "{id}");
    let mut packet = transformed.clone();
    let decrypted = cipher.decrypt(&mut packet).unwrap();
    assert_eq!(hex(decrypted.message()), input["plaintext"], "{id}");
    assert_eq!(decrypted.defect(), None, "{id}");

    let nonce = bytes(&input["nonce"]);
    assert_eq!(nonce.len(), kind.nonce_len());
    let mut field = [0; 12];
    field[..nonce.len()].copy_from_slice(&nonce);
    let mut packet = [vec![0; TransformHeader::LENGTH], bytes(&input["plaintext"])].concat();
    cipher.encrypt(&mut packet, Nonce::never_used_before(field), header.session_id).unwrap();
    assert_eq!(hex(&packet[TransformHeader::LENGTH..]), expected["ciphertext"], "{id}");
    // Windows 8 leaves something behind its nonce, and the tag covers it. We leave zeros.
    if header.nonce[kind.nonce_len()..].iter().all(|byte| *byte == 0) {
        assert_eq!(packet, transformed, "{id}");
    } else {
        assert_eq!(input["cipher"], "AES-128-CCM", "{id}");
    }
}

fn packet(input: &Value, name: &str) -> Vec<u8> {
    bytes(&input["packets"][name])
}

fn smb2_session(evidence: &mut Evidence, id: &str, input: &Value, expected: &Value) {
    let [request, response] =
        ["negotiate_request", "negotiate_response"].map(|name| packet(input, name));
    let negotiate = NegotiateResponse::decode(&response).unwrap();
    let capabilities = NegotiateRequest::decode(&request).unwrap().capabilities;
    let (dialect, signing) = (negotiate.dialect().unwrap(), negotiate.signing_algorithm().unwrap());
    assert_eq!(u64::from(dialect.revision()), number(&input["dialect"]), "{id}");
    assert_eq!(signing, algorithm(&expected["signing_algorithm"]), "{id}");
    assert_eq!(negotiate.cipher(capabilities), cipher(&input["cipher"]), "{id}");

    let [setup_1, setup_2] =
        ["session_setup_request_1", "session_setup_request_2"].map(|name| packet(input, name));
    let [more, last] =
        ["session_setup_response_1", "session_setup_response_2"].map(|name| packet(input, name));
    let last_header = Header::decode(&last).unwrap();
    let hash = PreauthIntegrityHash::default()
        .after(&request)
        .after(&response)
        .after(&setup_1)
        .after_session_setup_response(Header::decode(&more).unwrap().status, &more)
        .after(&setup_2)
        .after_session_setup_response(last_header.status, &last);
    let exported = ExportedSessionKey::new(array(&input["exported_session_key"]));
    let keys = SmbKeySchedule::derive(SmbDerivation {
        dialect,
        signing_algorithm: signing,
        cipher: negotiate.cipher(capabilities),
        source: SessionKeySource::Account(SessionKey::from(&exported)),
        preauth_integrity_hash: Some(&hash),
        establishment: Establishment::NewSession,
    });
    check_keys(evidence, id, &keys, expected);
    let rule =
        SignatureRule::choose(&last_header, false, SessionPhase::BeingMade, Identity::Account);
    assert_eq!(expected["final_session_setup_signed"], rule.doc().signed == Signed::Always);
    evidence.add(signature_row(rule), id);

    let signer = Signer::new(signing, keys.signing_key().unwrap());
    let mut signed = 0;
    for (name, text) in input["packets"].as_object().unwrap() {
        let packet = bytes(text);
        if name.starts_with("encrypted_echo_re") {
            check_encrypted(id, input, name, &keys, packet);
        } else if Header::decode(&packet).unwrap().is_signed() && !name.contains("_plain_") {
            check_signature(id, &signer, &packet);
            signed += 1;
            if name != "session_setup_response_2" {
                let header = Header::decode(&packet).unwrap();
                let phase = SessionPhase::Established;
                let rule = SignatureRule::choose(&header, false, phase, Identity::Account);
                assert_ne!(rule.doc().signed, Signed::Never, "{id} {name}");
                evidence.add(signature_row(rule), id);
            }
        }
    }
    assert!(signed >= 9, "{id}: {signed}");
    for name in expected.as_object().unwrap().keys().map(String::as_str) {
        let known = [
            "signing_key",
            "signing_algorithm",
            "final_session_setup_signed",
            "client_to_server_key",
            "server_to_client_key",
            "application_key",
            "preauth_hash",
        ];
        assert!(known.contains(&name) || OF_SPNEGO.contains(&name), "{id}: {name}");
    }
}

fn check_encrypted(
    id: &str,
    input: &Value,
    name: &str,
    keys: &SmbKeySchedule,
    mut encrypted: Vec<u8>,
) {
    let (direction, other, plain) = if name.ends_with("request") {
        let plain = "encrypted_echo_plain_request";
        (Direction::ClientToServer, Direction::ServerToClient, plain)
    } else {
        let plain = "encrypted_echo_plain_response";
        (Direction::ServerToClient, Direction::ClientToServer, plain)
    };
    let cipher = |direction| PacketCipher::new(keys.cipher_key(direction).unwrap());
    let error = cipher(other).decrypt(&mut encrypted.clone()).unwrap_err();
    assert_eq!(error, DecryptError::DoesNotHold);
    let decrypted = cipher(direction).decrypt(&mut encrypted).unwrap();
    assert_eq!(hex(decrypted.message()), input["packets"][plain], "{id}");
    assert_eq!(decrypted.defect(), None);
}

fn smb2_session_setup(evidence: &mut Evidence, id: &str, input: &Value, expected: &Value) {
    let request = packet(input, "session_setup_request_2");
    assert!(!SessionSetupRequest::decode(&request).unwrap().security_buffer.is_empty());
    let last = packet(input, "session_setup_response_2");
    let header = Header::decode(&last).unwrap();
    assert_eq!(header.command, Command::SESSION_SETUP);
    assert_eq!(u64::from(header.status.0), number(&expected["status"]), "{id}");
    assert_eq!(header.is_signed(), expected["final_response_signed"], "{id}");
    let identity = if input["user"] == "" { Identity::Anonymous } else { Identity::Account };
    let rule = SignatureRule::choose(&header, false, SessionPhase::BeingMade, identity);
    assert_eq!(rule.doc().signed == Signed::Always, header.is_signed(), "{id}");
    evidence.add(signature_row(rule), id);
    if header.status == NtStatus::SUCCESS {
        let response = SessionSetupResponse::decode(&last).unwrap();
        assert_eq!(u64::from(response.session_flags.bits()), expected["session_flags"], "{id}");
    } else {
        assert!(ErrorResponse::decode(&last).unwrap().error_data.is_empty());
    }
}

fn smb1_session(evidence: &mut Evidence, id: &str, input: &Value, expected: &Value) {
    let response = packet(input, "negotiate_response");
    let response = smb1::NegotiateResponse::decode(&response).unwrap();
    let smb1::NegotiateResponse::NtLm(negotiated) = response else { panic!("{id}: NT LM 0.12") };
    let security_mode = u64::from(negotiated.security_mode.bits());
    assert_eq!(security_mode, number(&expected["security_mode"]), "{id}");
    let capabilities = u64::from(negotiated.capabilities.bits());
    assert_eq!(capabilities, number(&expected["capabilities"]), "{id}");
    let request = packet(input, "negotiate_request");
    let request = smb1::NegotiateRequest::decode(&request).unwrap();
    let dialect = request.dialect(negotiated.dialect_index);
    assert_eq!(dialect, Some(smb1::NegotiateRequest::NT_LM_0_12), "{id}");
    match response.server_challenge() {
        None => smb1_extended_security(evidence, id, input, expected),
        Some(challenge) => smb1_responses(evidence, id, challenge, input, expected),
    }
}

fn smb1_extended_security(evidence: &mut Evidence, id: &str, input: &Value, expected: &Value) {
    let exported = ExportedSessionKey::new(array(&input["exported_session_key"]));
    let keys = Smb1KeySchedule::derive(&Smb1KeySource::ExtendedSecurity(&exported), false);
    check_mac_key(evidence, id, &keys, &expected["mac_key"]);
    let signer = smb1::Signer::new(keys.mac_key().unwrap());
    let mut numbers = smb1::SequenceNumbers::activated();
    let names = [
        "session_setup_response_2",
        "tree_connect_request",
        "tree_connect_response",
        "echo_request",
        "echo_response",
        "tree_disconnect_request",
        "tree_disconnect_response",
        "logoff_request",
        "logoff_response",
    ];
    assert_eq!(expected["signatures"].as_object().unwrap().len(), names.len());
    for name in names {
        let packet = packet(input, name);
        let header = smb1::Header::decode(&packet).unwrap();
        let (rule, number) = match name {
            "session_setup_response_2" => {
                (smb1::SequenceRule::Activation, smb1::SequenceRule::ACTIVATING_RESPONSE)
            }
            _ => (smb1::SequenceRule::choose(&header), numbers.number(&header).unwrap()),
        };
        assert_eq!(expected["sequence_numbers"][name], number, "{id} {name}");
        assert_eq!(hex(&header.security_signature), expected["signatures"][name], "{id} {name}");
        signer.verify(&packet, number).unwrap();
        evidence.add(sequence_row(rule), id);
    }
    let first = packet(input, "session_setup_request_1");
    assert!(smb1::Header::decode(&first).unwrap().has_placeholder());
    evidence.add(sequence_row(smb1::SequenceRule::NotActive), id);
}

/// Compares the key of signatures, and notes the rules of it and of the key that it begins with.
fn check_mac_key(evidence: &mut Evidence, id: &str, keys: &Smb1KeySchedule, expected: &Value) {
    assert_eq!(hex(keys.mac_key().unwrap().expose()), *expected, "{id}");
    for step in keys.steps().filter(|step| step.key != KeyName::ApplicationKey) {
        evidence.step(&step, id);
    }
}

fn smb1_sskeyhash(evidence: &mut Evidence, id: &str, input: &Value, expected: &Value) {
    let exported = ExportedSessionKey::new(array(&input["session_key"]));
    let keys = Smb1KeySchedule::derive(&Smb1KeySource::ExtendedSecurity(&exported), true);
    let key = hex(keys.application_key().unwrap().expose());
    assert_eq!(key, expected["protected_session_key"], "{id}");
    evidence.step(&keys.steps().last().unwrap(), id);
}

fn smb1_responses(
    evidence: &mut Evidence,
    id: &str,
    server_challenge: [u8; 8],
    input: &Value,
    expected: &Value,
) {
    assert_eq!(hex(&server_challenge), expected["challenge"], "{id}");
    let request = packet(input, "session_setup_request");
    let request = smb1::SessionSetupRequest::decode(&request).unwrap();
    let smb1::Credentials::Responses {
        oem_password,
        unicode_password,
        account_name,
        primary_domain,
    } = request.credentials
    else {
        panic!("{id}: 13 words")
    };
    assert_eq!(hex(unicode_password.bytes()), expected["nt_response"], "{id}");
    assert_eq!(hex(oem_password.bytes()), expected["lm_response"], "{id}");
    let text = |bytes| Utf16String::from_le_bytes(bytes).unwrap();
    let (user, domain) = (text(account_name.bytes()), text(primary_domain.bytes()));
    assert_eq!(
        (user.to_string(), domain.to_string()),
        (named(input, "user"), named(input, "domain"))
    );
    let secret = secret(input);
    let proof = Responses {
        server_challenge,
        lm: oem_password.bytes(),
        nt: unicode_password.bytes(),
        user: user.as_units(),
        domain: domain.as_units(),
        extended_session_security: false,
    }
    .verify(&secret)
    .unwrap();
    let flags = ntlm::flags::NegotiateFlags::empty();
    let ntlm_keys = KeySchedule::derive(Derivation {
        negotiate_flags: flags,
        server_challenge,
        lm_challenge_response: oem_password.bytes(),
        source: KeySource::Proof(proof),
        key_exchange: KeyExchange::drawn(flags, RandomSessionKey::new([0; 16])),
    });
    let session_base_key = ntlm_keys.session_base_key().unwrap();
    assert_eq!(hex(session_base_key.expose()), expected["session_base_key"], "{id}");
    let source = Smb1KeySource::Responses {
        version: ntlm_keys.version(),
        session_base_key,
        lm_response: oem_password.bytes(),
        nt_response: unicode_password.bytes(),
    };
    let keys = Smb1KeySchedule::derive(&source, false);
    check_mac_key(evidence, id, &keys, &expected["mac_key_if_signing_were_active"]);
}

fn named(input: &Value, name: &str) -> String {
    input[name].as_str().unwrap().to_owned()
}

fn smb1_signature(evidence: &mut Evidence, id: &str, input: &Value, expected: &Value) {
    let source = Smb1KeySource::Responses {
        version: NtlmVersion::Ntlmv2,
        session_base_key: &SessionBaseKey::new(array(&input["session_base_key"])),
        lm_response: &[],
        nt_response: &bytes(&input["nt_response"]),
    };
    let keys = Smb1KeySchedule::derive(&source, false);
    check_mac_key(evidence, id, &keys, &expected["mac_key"]);
    let signer = smb1::Signer::new(keys.mac_key().unwrap());
    let number = u32::try_from(input["sequence_number"].as_u64().unwrap()).unwrap();
    let signature = signer.signature(&bytes(&input["packet_unsigned"]), number);
    assert_eq!(hex(&signature), expected["signature"], "{id}");
}
