//! Every vector of testdata/vectors, run from the files. The primitives (MD4, DES, ...) are private
//! to the crate: a unit test of crypto.rs runs those.

use crate::common::{NOW, all_vectors, fresh, hex, unhex, vector_file};
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{
    AccountSecret, Derivation, Direction, DomainControllerChallengeRule, ExportedSessionKey,
    KeyExchange, KeyExchangeKeyRule, KeyName, KeySchedule, KeySource, KxkeyInputs, LmowfRule,
    Lmowfv1, NtlmVersion, Ntowfv1, Ntowfv2Rule, Password, RandomSessionKey, ResponseInputs,
    ResponseKeyNt, ResponseRule, Responses, Rule, SealingKeyRule, SessionBaseKey, SigningKey,
    SigningKeyRule, StepValue, kxkey, lm_challenge_response_v2, lmowf_v1, lmowf_v1_from_oem,
    lmowf_v2, mic, nt_proof_str, ntowf_v1, ntowf_v2, sealkey, session_base_key_v1,
    session_base_key_v2, signkey,
};
use ntlm::message::{
    AuthenticateMessage, AvFlags, AvId, ChallengeMessage, Message, NegotiateMessage,
    NtChallengeResponse, Ntlmv2ClientChallenge, TargetInfo, TargetInfoBuilder, Version,
};
use ntlm::policy::{ChannelBindingsPolicy, ClientPolicy, ClientSends, ServerPolicy};
use ntlm::text::{CodePage, Utf16String};
use ntlm::wire::{DecodeError, FieldKind, Fields, Payload};
use ntlm::{
    AccountName, ChannelBindings, Check, Client, ClientConfig, Credential, DatagramKeying,
    DatagramSession, DirectionalKeys, Exchange, FileTime, Protection, Role, Server, ServerConfig,
    ServerNames, Session,
};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a vector is expected to fail, and why. Nothing else may fail, and these must.
const EXCEPTIONS: [(&str, &str); 1] = [(
    "upcase-5",
    "has U+03C2, the final sigma, go to U+03A3 as up to Windows Server 2003; Windows Vista and \
     later leave it, and so do we (testdata/upcase.tsv)",
)];

/// Run by the unit test of crypto.rs.
pub(crate) const PRIMITIVES: [&str; 5] = ["md4", "hmac_md5", "rc4", "crc32_le", "des7"];

#[test]
fn every_vector_of_the_file_runs_and_holds() {
    let file = vector_file("nlmp.json");
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(u64::try_from(vectors.len()).unwrap(), file["counts"]["total"].as_u64().unwrap());
    let (primitives, others): (Vec<_>, Vec<_>) =
        vectors.iter().partition(|vector| PRIMITIVES.contains(&vector["op"].as_str().unwrap()));
    let runs: Vec<Run> = others.into_iter().map(run).collect();
    assert_eq!((primitives.len(), runs.len()), (17, 214));
    let verified = vectors.iter().filter(|vector| vector["verified"] == true).count();
    assert_eq!(verified, 215);
    assert!(runs.iter().all(|run| run.checks > 0), "a vector that checks nothing");
    let failed: Vec<&Run> = runs.iter().filter(|run| !run.failures.is_empty()).collect();
    let unexpected: Vec<String> = failed
        .iter()
        .filter(|run| EXCEPTIONS.iter().all(|(id, _)| *id != run.id))
        .map(|run| format!("{}: {}", run.id, run.failures.join("; ")))
        .collect();
    assert!(unexpected.is_empty(), "{}", unexpected.join("\n"));
    for (id, reason) in EXCEPTIONS {
        assert!(failed.iter().any(|run| run.id == id), "{id} holds, though it {reason}");
    }
}

#[test]
fn every_derived_vector_holds() {
    let file = vector_file("derived.json");
    let vectors = file["vectors"].as_array().unwrap();
    let ids: BTreeSet<&str> = vectors.iter().map(|vector| vector["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), vectors.len());
    for vector in vectors {
        assert_eq!(vector["basis"], "derived");
        let run = run(vector);
        assert!(run.checks > 0 && run.failures.is_empty(), "{}: {:?}", run.id, run.failures);
    }
}

#[test]
fn a_changed_vector_fails() {
    let mut changed = 0;
    for vector in all_vectors() {
        let op = vector["op"].as_str().unwrap();
        if PRIMITIVES.contains(&op) || !["kxkey", "sealkey", "exchange"].contains(&op) {
            continue;
        }
        let mut wrong = vector.clone();
        for (name, value) in wrong["expected"].as_object_mut().unwrap() {
            if let Some(text) = value.as_str()
                && name != "kind"
            {
                let mut text = text.to_owned();
                let last = text.pop();
                text.push(if last == Some('0') { '1' } else { '0' });
                *value = Value::from(text);
                changed += 1;
            }
        }
        if wrong != vector {
            assert!(!run(&wrong).failures.is_empty(), "{}", vector["id"]);
        }
    }
    assert!(changed > 100);
}

/// What came of one vector.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) rules: Vec<Rule>,
    checks: usize,
    failures: Vec<String>,
}

impl Run {
    fn check(&mut self, what: &str, actual: impl Into<Value>, expected: &Value) {
        let actual = actual.into();
        self.checks += 1;
        if actual != *expected {
            self.failures.push(format!("{what} is {actual}, not {expected}"));
        }
    }

    fn is(&mut self, what: &str, holds: bool) {
        self.check(what, holds, &Value::from(true));
    }

    /// Notes the rules of those keys: the ones whose values the vector confirms.
    fn take_rules(&mut self, keys: &KeySchedule, confirmed: &[KeyName]) {
        let steps = keys.steps().filter(|step| confirmed.contains(&step.key));
        let steps = steps.filter(|step| !matches!(step.value, StepValue::Unknown(_)));
        self.rules.extend(steps.map(|step| step.rule));
    }
}

/// Runs one vector and says which rules it chose.
pub(crate) fn run(vector: &Value) -> Run {
    let id = vector["id"].as_str().unwrap().to_owned();
    let mut run = Run { id, rules: Vec::new(), checks: 0, failures: Vec::new() };
    let (inputs, expected) = (&vector["inputs"], &vector["expected"]);
    match vector["op"].as_str().unwrap() {
        "table" => table(&mut run, expected),
        "lmowfv1" => lmowfv1(&mut run, inputs, expected),
        "ntowfv1" => ntowfv1(&mut run, inputs, expected),
        "ntowfv2" => ntowfv2(&mut run, inputs, expected),
        "ntlmv1_response" => ntlmv1_response(&mut run, inputs, &with_derived(vector)),
        "ntlmv2_response" => ntlmv2_response(&mut run, inputs, &with_derived(vector)),
        "kxkey" => kxkey_vector(&mut run, inputs, expected),
        "encrypt_session_key" => encrypt_session_key(&mut run, inputs, expected),
        "signkey" => signkey_vector(&mut run, inputs, expected),
        "sealkey" => sealkey_vector(&mut run, inputs, expected),
        "mic" => mic_vector(&mut run, inputs, expected),
        "channel_bindings" => {
            let bindings =
                ChannelBindings::from_application_data(&bytes(inputs, "application_data"));
            run.check("md5", hex(&bindings.to_bytes()), &expected["md5"]);
        }
        "filetime" => {
            let seconds = inputs["unix_seconds"].as_u64().unwrap();
            let time = FileTime::from_unix_seconds(seconds);
            run.check("filetime_le", hex(&time.to_le_bytes()), &expected["filetime_le"]);
            run.is("unix_seconds", time.unix_seconds() == Some(seconds));
        }
        "upcase" => {
            let text = Utf16String::from(text(inputs, "string"));
            let upper = text.to_uppercase().to_le_bytes();
            run.check("utf16le", hex(&upper), &expected["utf16le"]);
        }
        "parse" => parse(&mut run, inputs, expected),
        "reject" => {
            let refused = problems(inputs).map_or(true, |defects| !defects.is_empty());
            run.is("refused", refused);
        }
        "accept" => {
            let problems = problems(inputs);
            run.is("accepted", problems == Ok(Vec::new()));
        }
        "exchange" => exchange(&mut run, inputs, &with_derived(vector)),
        "verify_fail" => verify_fail(&mut run, inputs),
        "session" => session(&mut run, inputs, vector["steps"].as_array().unwrap()),
        "negotiate" => negotiate(&mut run, inputs, expected),
        "epa" => epa(&mut run, inputs, expected),
        op => panic!("{}: no such operation: {op}", run.id),
    }
    run
}

fn with_derived(vector: &Value) -> Value {
    let mut expected = vector["expected"].clone();
    if let Some(derived) = vector["derived"].as_object() {
        expected.as_object_mut().unwrap().extend(derived.clone());
    }
    expected
}

fn text<'v>(inputs: &'v Value, name: &str) -> &'v str {
    inputs[name].as_str().unwrap()
}

fn bytes(inputs: &Value, name: &str) -> Vec<u8> {
    unhex(text(inputs, name))
}

fn array<const N: usize>(inputs: &Value, name: &str) -> [u8; N] {
    bytes(inputs, name).try_into().unwrap()
}

fn optional_array<const N: usize>(inputs: &Value, name: &str) -> Option<[u8; N]> {
    inputs[name].as_str().map(|text| unhex(text).try_into().unwrap())
}

fn flags(inputs: &Value, name: &str) -> NegotiateFlags {
    NegotiateFlags::from_bits_retain(u32::from_str_radix(text(inputs, name), 16).unwrap())
}

fn flags_hex(flags: NegotiateFlags) -> String {
    format!("{:08x}", flags.bits())
}

fn secret(inputs: &Value) -> AccountSecret {
    AccountSecret::from_password(&Password::from(text(inputs, "password")), CodePage::Cp437)
}

/// Every expected value has to be one that the runner knows.
fn check_all(run: &mut Run, expected: &Value, known: &[(&str, Value)]) {
    for (name, value) in expected.as_object().unwrap() {
        match known.iter().find(|(known, _)| known == name) {
            Some((_, actual)) => run.check(name, actual.clone(), value),
            None => run.failures.push(format!("{name} is not looked at")),
        }
    }
}

fn table(run: &mut Run, expected: &Value) {
    if expected["wire"].is_string() {
        let flags = flags(expected, "negotiate_flags");
        run.check("wire", hex(&flags.bits().to_le_bytes()), &expected["wire"]);
        return;
    }
    let utf16 = |text: &str| Value::from(hex(&Utf16String::from(text).to_le_bytes()));
    let mut oem = CodePage::Cp437.to_uppercase(b"Password");
    oem.resize(14, 0);
    let user_oem = CodePage::Cp437.encode(Utf16String::from("User").as_units()).unwrap();
    let known = [
        ("user", utf16("User")),
        ("user_upper", hex(&Utf16String::from("User").to_uppercase().to_le_bytes()).into()),
        ("user_oem", hex(&user_oem).into()),
        ("user_dom", utf16("Domain")),
        ("passwd", utf16("Password")),
        ("passwd_oem_upper_padded14", hex(&oem).into()),
        ("server_name", utf16("Server")),
        ("workstation", utf16("COMPUTER")),
        ("random_session_key", "55".repeat(16).into()),
        ("time", hex(&FileTime::default().to_le_bytes()).into()),
        ("client_challenge", "aa".repeat(8).into()),
        ("server_challenge", "0123456789abcdef".into()),
    ];
    check_all(run, expected, &known);
}

fn lmowfv1(run: &mut Run, inputs: &Value, expected: &Value) {
    let hash = lmowf_v1(&Password::from(text(inputs, "password")), CodePage::Cp437);
    let value = hash.as_ref().map_or(Value::Null, |hash| hex(hash.expose()).into());
    run.check("hash", value, &expected["hash"]);
    run.rules.push(Rule::Lmowf(match hash {
        Some(_) => LmowfRule::Lmowfv1,
        None => LmowfRule::Unavailable,
    }));
    if inputs["oem_password"].is_string() {
        let hash = lmowf_v1_from_oem(&bytes(inputs, "oem_password")).unwrap();
        run.check("hash from OEM", hex(hash.expose()), &expected["hash"]);
    }
}

fn ntowfv1(run: &mut Run, inputs: &Value, expected: &Value) {
    let password = match inputs["password_utf16le"].as_str() {
        Some(raw) => Password::from_utf16le(&unhex(raw)).unwrap(),
        None => Password::from(text(inputs, "password")),
    };
    run.check("hash", hex(ntowf_v1(&password).expose()), &expected["hash"]);
    run.rules.push(Rule::NtowfV1);
}

fn ntowfv2(run: &mut Run, inputs: &Value, expected: &Value) {
    let nt_hash = match optional_array(inputs, "nt_hash") {
        Some(hash) => Ntowfv1::new(hash),
        None => ntowf_v1(&Password::from(text(inputs, "password"))),
    };
    let (user, domain) = (Utf16String::from(text(inputs, "user")), text(inputs, "domain"));
    let domain = Utf16String::from(domain);
    let hash = ntowf_v2(&nt_hash, user.as_units(), domain.as_units());
    run.check("hash", hex(hash.expose()), &expected["hash"]);
    run.check("LMOWFv2", hex(lmowf_v2(&hash).expose()), &expected["hash"]);
    run.rules.push(Rule::NtowfV2(Ntowfv2Rule::DomainAsSent));
}

fn ntlmv1_response(run: &mut Run, inputs: &Value, expected: &Value) {
    let flags = flags(inputs, "negotiate_flags");
    let ess = flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
    let sends = match inputs["no_lm_response_ntlmv1"].as_bool() {
        Some(true) => ClientSends::InsecureNtlmv1,
        _ => ClientSends::InsecureLmAndNtlmv1,
    };
    let policy = ClientPolicy { sends, ..ClientPolicy::default() };
    let rule = policy.response_rule(ntlm::policy::ChallengeTraits {
        extended_session_security: ess,
        ..Default::default()
    });
    let secret = AccountSecret::from_hashes(
        Ntowfv1::new(array(inputs, "nt_hash")),
        Some(Lmowfv1::new(array(inputs, "lm_hash"))),
    );
    let server_challenge = array(inputs, "server_challenge");
    let client_challenge = optional_array(inputs, "client_challenge").unwrap_or_default();
    let (user, domain, temp) = (&[], &[], &[]);
    let responses = rule.compute(
        &secret,
        &ResponseInputs { server_challenge, client_challenge, user, domain, temp },
    );
    let received = Responses {
        server_challenge,
        lm: &responses.lm,
        nt: &responses.nt,
        user,
        domain,
        extended_session_security: ess,
    };
    let proved = received.verify(&secret).map(|proof| proof.version());
    run.is("verified", proved == Some(responses.proof.version()));
    run.is("followed", ResponseRule::followed_by(&received, &responses.proof) == Some(rule));
    run.rules.push(Rule::Responses(rule));
    let keys = KeySchedule::derive(Derivation {
        negotiate_flags: flags,
        server_challenge,
        lm_challenge_response: &responses.lm,
        source: KeySource::Proof(responses.proof),
        key_exchange: KeyExchange::drawn(flags, RandomSessionKey::new([0x55; 16])),
    });
    let confirmed = [
        KeyName::ResponseKeyNt,
        KeyName::ResponseKeyLm,
        KeyName::NtProofStr,
        KeyName::SessionBaseKey,
    ];
    run.take_rules(&keys, &confirmed);
    let known = [
        ("nt_response", hex(&responses.nt).into()),
        ("lm_response", hex(&responses.lm).into()),
        ("session_base_key", hex(session_base_key_v1(secret.nt_hash()).expose()).into()),
    ];
    check_all(run, expected, &known);
}

fn ntlmv2_response(run: &mut Run, inputs: &Value, expected: &Value) {
    let key = ResponseKeyNt::new(array(inputs, "response_key"));
    let server_challenge = array(inputs, "server_challenge");
    let client_challenge = array(inputs, "client_challenge");
    let list = bytes(inputs, "av_pairs");
    let time = FileTime::from_le_bytes(array(inputs, "time"));
    let temp = Ntlmv2ClientChallenge::encode(time, client_challenge, TargetInfo::new(&list));
    let proof = nt_proof_str(&key, server_challenge, &temp);
    let lm = lm_challenge_response_v2(&lmowf_v2(&key), server_challenge, client_challenge);
    let nt = [proof.as_slice(), &temp].concat();
    let known = [
        ("temp", hex(&temp).into()),
        ("nt_proof_str", hex(&proof).into()),
        ("nt_response", hex(&nt).into()),
        ("lm_response", hex(&lm).into()),
        ("session_base_key", hex(session_base_key_v2(&key, &proof).expose()).into()),
    ];
    check_all(run, expected, &known);
}

fn kxkey_vector(run: &mut Run, inputs: &Value, expected: &Value) {
    let flags = match inputs["negotiate_flags"].as_str() {
        Some(_) => flags(inputs, "negotiate_flags"),
        None => NegotiateFlags::empty(),
    };
    let ess = flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
    let version = match inputs["ntlm_version"].as_u64() {
        Some(2) => NtlmVersion::Ntlmv2,
        _ if ess => NtlmVersion::Ntlmv1Ess,
        _ => NtlmVersion::Ntlmv1,
    };
    let lm_hash = optional_array(inputs, "lm_hash").map(Lmowfv1::new);
    let lm: Option<[u8; 24]> = optional_array(inputs, "lm_response");
    let rule = KeyExchangeKeyRule::choose(version, flags, lm_hash.is_some());
    let key = kxkey(
        rule,
        &SessionBaseKey::new(array(inputs, "session_base_key")),
        &KxkeyInputs {
            server_challenge: optional_array(inputs, "server_challenge").unwrap_or_default(),
            lm_challenge_response: lm.map(|lm| *lm.first_chunk().unwrap()).unwrap_or_default(),
            lm_hash: lm_hash.as_ref(),
        },
    );
    run.rules.push(Rule::KeyExchangeKey(rule));
    run.check("key_exchange_key", hex(key.expose()), &expected["key_exchange_key"]);
}

/// Under NTLMv2, KeyExchangeKey is SessionBaseKey: so the schedule can be begun with it.
fn encrypt_session_key(run: &mut Run, inputs: &Value, expected: &Value) {
    let flags = NegotiateFlags::NEGOTIATE_KEY_EXCH | NegotiateFlags::NEGOTIATE_SIGN;
    let schedule = |key_exchange| {
        KeySchedule::derive(Derivation {
            negotiate_flags: flags,
            server_challenge: [0; 8],
            lm_challenge_response: &[],
            source: KeySource::DomainController {
                version: NtlmVersion::Ntlmv2,
                session_base_key: SessionBaseKey::new(array(inputs, "key_exchange_key")),
                lmowf_prefix: None,
            },
            key_exchange,
        })
    };
    let random = RandomSessionKey::new(array(inputs, "exported_session_key"));
    let client = schedule(KeyExchange::drawn(flags, random));
    let encrypted = client.encrypted_random_session_key().unwrap();
    let field = "encrypted_random_session_key";
    run.check(field, hex(&encrypted), &expected[field]);
    let server = schedule(KeyExchange::received(flags, &encrypted).unwrap());
    let exported = hex(server.exported_session_key().expose());
    run.check("exported_session_key", exported, &inputs["exported_session_key"]);
    let confirmed = [
        KeyName::RandomSessionKey,
        KeyName::ExportedSessionKey,
        KeyName::EncryptedRandomSessionKey,
    ];
    run.take_rules(&client, &confirmed);
    run.take_rules(&server, &confirmed);
}

fn direction(inputs: &Value) -> Direction {
    match text(inputs, "mode") {
        "Client" => Direction::ClientToServer,
        _ => Direction::ServerToClient,
    }
}

fn signkey_vector(run: &mut Run, inputs: &Value, expected: &Value) {
    let rule = SigningKeyRule::choose(flags(inputs, "negotiate_flags"));
    let exported = ExportedSessionKey::new(array(inputs, "exported_session_key"));
    let key = signkey(rule, &exported, direction(inputs));
    let value = key.map_or(Value::Null, |key| hex(key.expose()).into());
    run.check("key", value, &expected["key"]);
    run.rules.push(Rule::SigningKey(direction(inputs), rule));
}

fn sealkey_vector(run: &mut Run, inputs: &Value, expected: &Value) {
    let flags = flags(inputs, "negotiate_flags");
    let rule = SealingKeyRule::choose(flags);
    let exported = ExportedSessionKey::new(array(inputs, "exported_session_key"));
    let directions = if flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY) {
        vec![direction(inputs)]
    } else {
        Direction::ALL.to_vec() // one key for both
    };
    for direction in directions {
        let key = sealkey(rule, &exported, direction);
        run.check("key", hex(key.expose()), &expected["key"]);
        run.rules.push(Rule::SealingKey(direction, rule));
    }
}

fn mic_vector(run: &mut Run, inputs: &Value, expected: &Value) {
    let key = ExportedSessionKey::new(array(inputs, "exported_session_key"));
    let negotiate = inputs["negotiate"].as_str().map(unhex);
    let (challenge, authenticate) = (bytes(inputs, "challenge"), bytes(inputs, "authenticate"));
    let range = AuthenticateMessage::MIC_RANGE;
    let mic = mic(&key, negotiate.as_deref(), &challenge, &authenticate, range);
    run.check("mic", hex(&mic), &expected["mic"]);
    let (challenge, authenticate) = (challenge.as_slice(), authenticate.as_slice());
    let exchange =
        Exchange::decode(negotiate.as_deref(), challenge, authenticate, CodePage::Cp437).unwrap();
    run.is("valid", exchange.check_mic(&key) == Check::Valid);
    run.rules.push(Rule::Mic(exchange.mic_rule()));
}

fn parse(run: &mut Run, inputs: &Value, expected: &Value) {
    let message = bytes(inputs, "message");
    let version = |version: Option<Version>| {
        version.map_or(Value::Null, |version| {
            serde_json::json!({
                "major": version.product_major,
                "minor": version.product_minor,
                "build": version.product_build,
                "revision": version.ntlm_revision_current,
            })
        })
    };
    let payload = |payload: Option<Payload<'_>>| {
        payload.map_or(Value::Null, |payload| hex(payload.bytes()).into())
    };
    let known = match inputs["type"].as_u64() {
        Some(1) => {
            let message = NegotiateMessage::decode(&message).unwrap();
            vec![
                ("negotiate_flags", flags_hex(message.negotiate_flags).into()),
                ("domain_oem", payload(message.domain_name)),
                ("workstation_oem", payload(message.workstation)),
                ("version", version(message.version)),
            ]
        }
        Some(2) => {
            let message = ChallengeMessage::decode(&message).unwrap();
            let list = message.target_info();
            let reserved = message.reserved.map_or(Value::Null, |bytes| hex(&bytes).into());
            vec![
                ("negotiate_flags", flags_hex(message.negotiate_flags).into()),
                ("target_name", payload(Some(message.target_name))),
                ("server_challenge", hex(&message.server_challenge).into()),
                ("reserved", reserved),
                ("target_info", hex(list.unwrap_or_default().bytes()).into()),
                ("av_pairs", av_pairs(list.unwrap_or_default())),
                ("version", version(message.version)),
            ]
        }
        _ => {
            let (decoded, fields) = AuthenticateMessage::decode_with_fields(&message).unwrap();
            let mic = decoded.mic.filter(|_| decoded.announces_mic());
            let list = match decoded.nt_challenge_response() {
                Ok(NtChallengeResponse::Ntlmv2(response)) => av_pairs(response.target_info()),
                _ => Value::Null,
            };
            vec![
                ("negotiate_flags", flags_hex(decoded.negotiate_flags.unwrap()).into()),
                ("lm_response", payload(Some(decoded.lm_challenge_response))),
                ("nt_response", payload(Some(decoded.nt_challenge_response))),
                ("domain", payload(Some(decoded.domain_name))),
                ("user", payload(Some(decoded.user_name))),
                ("workstation", payload(Some(decoded.workstation))),
                ("encrypted_random_session_key", payload(decoded.encrypted_random_session_key)),
                ("first_payload_offset", first_payload(&fields, message.len()).into()),
                ("version", version(decoded.version)),
                ("av_pairs", list),
                ("mic_flagged", decoded.announces_mic().into()),
                ("mic_field", mic.map_or(Value::Null, |mic| hex(&mic).into())),
            ]
        }
    };
    check_all(run, expected, &known);
}

fn first_payload(fields: &Fields, end: usize) -> usize {
    let payloads = fields.iter().filter(|field| field.kind == FieldKind::Payload);
    payloads.map(|field| field.span.offset).min().unwrap_or(end)
}

fn av_pairs(list: TargetInfo<'_>) -> Value {
    let pairs = list.pairs().map(Result::unwrap);
    Value::from_iter(pairs.map(|pair| serde_json::json!([pair.id.0, hex(pair.value)])))
}

/// Decoding errors, or what a state machine would refuse.
fn problems(inputs: &Value) -> Result<Vec<DecodeError>, DecodeError> {
    let message = bytes(inputs, "message");
    match inputs["type"].as_u64() {
        Some(1) => NegotiateMessage::decode(&message).map(|message| message.defects()),
        Some(2) => ChallengeMessage::decode(&message).map(|message| message.defects()),
        _ => AuthenticateMessage::decode(&message).map(|message| message.defects()),
    }
}

fn exchange(run: &mut Run, inputs: &Value, expected: &Value) {
    let negotiate = inputs["negotiate"].as_str().map(unhex);
    let (challenge, authenticate) = (bytes(inputs, "challenge"), bytes(inputs, "authenticate"));
    let exchange =
        Exchange::decode(negotiate.as_deref(), &challenge, &authenticate, CodePage::Cp437).unwrap();
    let mut known = vec![("mic", Value::Null)];
    let (kind, source) = match (inputs["password"].as_str(), inputs["as"].as_str()) {
        (None, _) => {
            let anonymous = exchange.apparent_version() == Some(NtlmVersion::Anonymous);
            run.is("apparently anonymous", anonymous);
            ("anonymous", KeySource::Anonymous)
        }
        (Some(_), Some("guest")) => ("guest", KeySource::Guest),
        (Some(_), _) => {
            let secret = secret(inputs);
            known.push((
                "lm_response_valid",
                exchange.responses().lm_field_holds(&secret).map_or(Value::Null, Value::from),
            ));
            let Some(proof) = exchange.prove(&secret) else {
                run.failures.push("no proof".to_owned());
                return;
            };
            let kind = match proof.version() {
                NtlmVersion::Ntlmv1 => "ntlmv1",
                NtlmVersion::Ntlmv1Ess => "ntlmv1_ess",
                NtlmVersion::Ntlmv2 => "ntlmv2",
                NtlmVersion::Lm => "lm_only",
                NtlmVersion::Lmv2 => "lmv2_only",
                other => panic!("{other}"),
            };
            let retry = proof.ntowf_v2_rule() == Ntowfv2Rule::EmptyDomain;
            known.push(("nil_domain_retry", retry.into()));
            let followed = ResponseRule::followed_by(&exchange.responses(), &proof);
            run.rules.extend(followed.map(Rule::Responses));
            // The schedule keeps what it needs of the secret.
            let keys = exchange.keys(KeySource::Proof(proof)).unwrap();
            return exchange_keys(run, &exchange, keys, kind, known, expected);
        }
    };
    let keys = exchange.keys(source).unwrap();
    exchange_keys(run, &exchange, keys, kind, known, expected);
}

fn exchange_keys(
    run: &mut Run,
    exchange: &Exchange<'_>,
    keys: KeySchedule,
    kind: &str,
    mut known: Vec<(&'static str, Value)>,
    expected: &Value,
) {
    let step = |name| match keys.step(name).unwrap().value {
        StepValue::Known(bytes) => hex(bytes.expose()).into(),
        StepValue::Empty | StepValue::Unknown(_) => Value::Null,
    };
    let names = [
        ("response_key_nt", KeyName::ResponseKeyNt),
        ("session_base_key", KeyName::SessionBaseKey),
        ("key_exchange_key", KeyName::KeyExchangeKey),
        ("exported_session_key", KeyName::ExportedSessionKey),
        ("client_sign_key", KeyName::ClientSigningKey),
        ("server_sign_key", KeyName::ServerSigningKey),
        ("client_seal_key", KeyName::ClientSealingKey),
        ("server_seal_key", KeyName::ServerSealingKey),
    ];
    known.extend(names.map(|(name, key)| (name, step(key))));
    let mic_is = exchange.check_mic(keys.exported_session_key());
    known.push(("kind", kind.into()));
    known.push(("mic_valid", (mic_is == Check::Valid).into()));
    if let (Some(mic), true) = (exchange.authenticate().mic, mic_is != Check::Absent) {
        known[0].1 = hex(&mic).into();
    }
    known.push((
        "domain_controller_challenge",
        hex(&exchange.challenge_for_domain_controller()).into(),
    ));
    check_all(run, expected, &known);
    // Whoever knows only ExportedSessionKey derives the same keys from there on.
    let exported = keys.exported_session_key().duplicate();
    let source =
        KeySource::ExportedSessionKey { version: keys.version(), exported_session_key: exported };
    let again = exchange.keys(source).unwrap();
    for direction in Direction::ALL {
        let key = |keys: &KeySchedule| keys.sealing_key(direction).expose().to_vec();
        // Without an LM hash, LM_KEY does not count, which the key alone does not show.
        if keys.key_exchange_key_rule() != KeyExchangeKeyRule::NoLmHash {
            run.is("sealing key from ExportedSessionKey", key(&keys) == key(&again));
        }
    }
    run.take_rules(&keys, &KeyName::STEPS);
    run.rules.push(Rule::Mic(exchange.mic_rule()));
    let rule = DomainControllerChallengeRule::choose(keys.version());
    run.rules.push(Rule::ChallengeForDomainController(rule));
}

fn verify_fail(run: &mut Run, inputs: &Value) {
    let negotiate = inputs["negotiate"].as_str().map(unhex);
    let (challenge, authenticate) = (bytes(inputs, "challenge"), bytes(inputs, "authenticate"));
    let exchange =
        Exchange::decode(negotiate.as_deref(), &challenge, &authenticate, CodePage::Cp437).unwrap();
    let secret = secret(inputs);
    let holds = exchange.prove(&secret).is_some_and(|proof| {
        let keys = exchange.keys(KeySource::Proof(proof));
        keys.is_ok_and(|keys| {
            let mic = exchange.check_mic(keys.exported_session_key());
            matches!(mic, Check::Valid | Check::Absent)
        })
    });
    run.is("refused", !holds);
}

const SESSION_KEYS: [KeyName; 4] = [
    KeyName::ClientSigningKey,
    KeyName::ServerSigningKey,
    KeyName::ClientSealingKey,
    KeyName::ServerSealingKey,
];

/// One context, both ends: what one protects is compared, and the other opens it.
fn session(run: &mut Run, inputs: &Value, steps: &[Value]) {
    let flags = flags(inputs, "negotiate_flags");
    let ess = flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
    let schedule = || {
        let version = if ess { NtlmVersion::Ntlmv1Ess } else { NtlmVersion::Ntlmv1 };
        let exported_session_key = ExportedSessionKey::new(array(inputs, "exported_session_key"));
        KeySchedule::derive(Derivation {
            negotiate_flags: flags,
            server_challenge: [0; 8],
            lm_challenge_response: &[],
            source: KeySource::ExportedSessionKey { version, exported_session_key },
            key_exchange: KeyExchange::received(flags, &[0; 16]).unwrap(),
        })
    };
    if let Some(keying) = inputs["connectionless"].as_str() {
        let keying = match keying {
            "legacy_reset" => DatagramKeying::InsecureReset,
            _ => DatagramKeying::PerMessage,
        };
        let client = DatagramSession::new(schedule(), Role::Client, keying);
        let server = DatagramSession::new(schedule(), Role::Server, keying);
        run.take_rules(&schedule(), &SESSION_KEYS);
        for step in steps {
            let ends = if step["dir"] == "c2s" { (&client, &server) } else { (&server, &client) };
            datagram_step(run, step, ends);
        }
        return;
    }
    let new = |role| match inputs["exported_session_key"].as_str() {
        Some(_) => Session::new(schedule(), role),
        None => Session::from_directional_keys(
            directional_keys(inputs, "client_sign_key", "client_seal_key"),
            // Without ESS there is one key for both directions.
            match inputs["server_seal_key"].as_str() {
                Some(_) => directional_keys(inputs, "server_sign_key", "server_seal_key"),
                None => directional_keys(inputs, "client_sign_key", "client_seal_key"),
            },
            flags,
            role,
        ),
    };
    let (mut client, mut server) = (new(Role::Client), new(Role::Server));
    if inputs["exported_session_key"].is_string() {
        run.take_rules(&schedule(), &SESSION_KEYS);
    }
    if !flags.contains(NegotiateFlags::NEGOTIATE_SEAL) {
        client.allow_sealing_without_seal();
        server.allow_sealing_without_seal();
    }
    for step in steps {
        if step["dir"] == "c2s" {
            session_step(run, step, &mut client, &mut server);
        } else {
            session_step(run, step, &mut server, &mut client);
        }
    }
}

fn directional_keys(inputs: &Value, signing: &str, sealing: &str) -> DirectionalKeys {
    let sealing_key = match bytes(inputs, sealing).len() {
        8 => ntlm::keys::SealingKey::new_8(array(inputs, sealing)),
        _ => ntlm::keys::SealingKey::new(array(inputs, sealing)),
    };
    DirectionalKeys {
        signing_key: optional_array(inputs, signing).map(SigningKey::new),
        sealing_key,
    }
}

fn session_step(run: &mut Run, step: &Value, sender: &mut Session, receiver: &mut Session) {
    use ntlm::Buffer::{Sealed, Signed};
    let message = bytes(step, "message");
    let expected = bytes(step, "signature");
    match step["op"].as_str().unwrap() {
        "sign" => {
            let signature = sender.sign(&message).unwrap();
            check_signature(run, step, &signature);
            // The signature as it was recorded: the pad holds what it holds.
            run.is("verified", receiver.verify(&message, &expected).is_ok());
        }
        "seal" => {
            let all = step["signed_data"].as_str().map_or_else(|| message.clone(), unhex);
            let at = all.windows(message.len().max(1)).position(|part| part == message);
            let at = if message.is_empty() { 0 } else { at.unwrap() };
            let (before, after) = (all[..at].to_vec(), all[at + message.len()..].to_vec());
            let mut body = message.clone();
            let signature = sender
                .seal_buffers(&mut [Signed(&before), Sealed(&mut body), Signed(&after)])
                .unwrap();
            run.check("sealed", hex(&body), &step["sealed"]);
            check_signature(run, step, &signature);
            let mut buffers = [Signed(&before), Sealed(&mut body), Signed(&after)];
            run.is("unsealed", receiver.unseal_buffers(&mut buffers, &expected).is_ok());
            run.check("opened", hex(&body), &step["message"]);
        }
        op => panic!("{op}"),
    }
}

fn datagram_step(
    run: &mut Run,
    step: &Value,
    (sender, receiver): (&DatagramSession, &DatagramSession),
) {
    let seq_num = u32::try_from(step["seq"].as_u64().unwrap()).unwrap();
    let mut message = bytes(step, "message");
    let expected = bytes(step, "signature");
    if step["op"] == "sign" {
        let signature = sender.sign(seq_num, &message).unwrap();
        check_signature(run, step, &signature);
        run.is("verified", receiver.verify(seq_num, &message, &expected).is_ok());
    } else {
        let signature = sender.seal(seq_num, &mut message).unwrap();
        run.check("sealed", hex(&message), &step["sealed"]);
        check_signature(run, step, &signature);
        run.is("unsealed", receiver.unseal(seq_num, &mut message, &expected).is_ok());
        run.check("opened", hex(&message), &step["message"]);
    }
}

fn check_signature(run: &mut Run, step: &Value, signature: &[u8; 16]) {
    let mask = step["signature_mask"].as_str().map_or(vec![0xff; 16], unhex);
    let masked = |bytes: &[u8]| -> String {
        hex(&bytes.iter().zip(&mask).map(|(byte, mask)| byte & mask).collect::<Vec<u8>>())
    };
    let expected = masked(&bytes(step, "signature"));
    run.check("signature", masked(signature), &Value::from(expected));
}

/// A domain member that has everything, and a client that offers everything.
fn negotiate(run: &mut Run, inputs: &Value, expected: &Value) {
    if inputs["client_flags"].is_string() {
        assert_eq!(text(inputs, "server"), "domain member, all features supported");
        let policy = ServerPolicy {
            insecure_grant_lm_keys: true,
            require_128_bit: false,
            require_extended_session_security: false,
            ..ServerPolicy::default()
        };
        let config = ServerConfig { policy, is_domain_joined: true, ..ServerConfig::new(names()) };
        let message = NegotiateMessage {
            negotiate_flags: flags(inputs, "client_flags"),
            domain_name: None,
            workstation: None,
            version: None,
        };
        let server = Server::new(config).unwrap();
        let (challenge, _) = server.challenge(&message.encode().unwrap(), fresh(1)).unwrap();
        let challenge = ChallengeMessage::decode(&challenge).unwrap();
        let flags = flags_hex(challenge.negotiate_flags);
        run.check("challenge_flags", flags, &expected["challenge_flags"]);
        return;
    }
    let flags = flags(inputs, "challenge_flags");
    let policy = ClientPolicy {
        offer_extended_session_security: true,
        require_extended_session_security: false,
        require_128_bit: false,
        insecure_offer_lm_key: true,
        ..ClientPolicy::default()
    };
    let protection = if flags.contains(NegotiateFlags::NEGOTIATE_SEAL) {
        Protection::Seal
    } else if flags.contains(NegotiateFlags::NEGOTIATE_SIGN) {
        Protection::Sign
    } else {
        Protection::None
    };
    let target_info = TargetInfoBuilder::new()
        .text(AvId::NB_DOMAIN_NAME, &"DOMAIN".into())
        .text(AvId::NB_COMPUTER_NAME, &"SERVER".into())
        .finish()
        .unwrap();
    let challenge = ChallengeMessage {
        target_name: Payload::default(),
        negotiate_flags: flags,
        server_challenge: [1; 8],
        reserved: Some([0; 8]),
        target_info: Some(Payload::new(&target_info)),
        version: Some(Version::OURS),
    };
    let (_, client) = Client::start(ClientConfig { policy, protection, ..Default::default() });
    let name = AccountName::parse("user");
    let secret = AccountSecret::from_password(&"password".into(), CodePage::Cp437);
    let (authenticate, _) = client
        .respond(&challenge.encode().unwrap(), &Credential { name, secret }, fresh(2))
        .unwrap();
    let authenticate = AuthenticateMessage::decode(&authenticate).unwrap();
    let flags = flags_hex(authenticate.negotiate_flags.unwrap());
    run.check("authenticate_flags", flags, &expected["authenticate_flags"]);
}

fn names() -> ServerNames {
    ServerNames {
        nb_computer: "SERVER".into(),
        nb_domain: "DOMAIN".into(),
        ..ServerNames::default()
    }
}

/// The strict table is that of [`ChannelBindingsPolicy::Require`]; the default lets a client without
/// bindings through, as Windows does where they are "supported" but not required.
fn epa(run: &mut Run, inputs: &Value, expected: &Value) {
    let requires = inputs["application_requires_cbt"].as_bool().unwrap();
    let ours = inputs["server_bindings_md5"].as_str().map(|md5| {
        let data = "746c732d7365727665722d656e642d706f696e743aea05fefecc6b0bd571dbbc5baa3ed45386d0446\
                    835f7b74c85621b9983475f95";
        let bindings = ChannelBindings::from_application_data(&unhex(data));
        assert_eq!(hex(&bindings.to_bytes()), md5);
        bindings
    });
    let sent = optional_array(inputs, "client_msvavchannelbindings");
    let strict = if ours.is_some() || requires {
        ChannelBindingsPolicy::Require
    } else {
        ChannelBindingsPolicy::RefuseWrong
    };
    let result = |accepted| if accepted { "ok" } else { "bad_bindings" };
    run.check("result", result(accepts_bindings(ours, sent, strict)), &expected["result"]);
    let absent = sent.is_none_or(|sent: [u8; 16]| sent == [0; 16]);
    let lenient = accepts_bindings(ours, sent, ChannelBindingsPolicy::RefuseWrong);
    run.is("by default", lenient == (absent || expected["result"] == "ok"));
}

/// One logon with that value of MsvAvChannelBindings, or none.
fn accepts_bindings(
    ours: Option<ChannelBindings>,
    sent: Option<[u8; 16]>,
    policy: ChannelBindingsPolicy,
) -> bool {
    let policy = ServerPolicy { channel_bindings: policy, ..ServerPolicy::default() };
    let config = ServerConfig { policy, channel_bindings: ours, ..ServerConfig::new(names()) };
    let (negotiate, _) = Client::start(ClientConfig::default());
    let server = Server::new(config).unwrap();
    let (challenge, server) = server.challenge(&negotiate, fresh(1)).unwrap();
    let challenge = ChallengeMessage::decode(&challenge).unwrap();
    let mut list = TargetInfoBuilder::new();
    for pair in challenge.target_info().unwrap().pairs().map(Result::unwrap) {
        if pair.id != AvId::EOL {
            list = list.pair(pair.id, pair.value);
        }
    }
    if let Some(sent) = sent {
        list = list.pair(AvId::CHANNEL_BINDINGS, &sent);
    }
    let list = list.pair(AvId::FLAGS, &AvFlags::default().0.to_le_bytes()).finish().unwrap();
    let temp = Ntlmv2ClientChallenge::encode(NOW, [2; 8], TargetInfo::new(&list));
    let secret = AccountSecret::from_password(&"password".into(), CodePage::Cp437);
    let user = Utf16String::from("user");
    let responses = ResponseRule::Ntlmv2.compute(
        &secret,
        &ResponseInputs {
            server_challenge: challenge.server_challenge,
            client_challenge: [2; 8],
            user: user.as_units(),
            domain: &[],
            temp: &temp,
        },
    );
    let user = user.to_le_bytes();
    let authenticate = AuthenticateMessage {
        lm_challenge_response: Payload::new(&responses.lm),
        nt_challenge_response: Payload::new(&responses.nt),
        domain_name: Payload::default(),
        user_name: Payload::new(&user),
        workstation: Payload::default(),
        encrypted_random_session_key: Some(Payload::default()),
        negotiate_flags: Some(challenge.negotiate_flags),
        version: Some(Version::OURS),
        mic: None,
    };
    let logon = server.receive(&authenticate.encode().unwrap(), NOW).unwrap();
    match logon.verify(Some(&secret)) {
        Ok(_) => true,
        Err(denied) => {
            assert_eq!(denied.reason_for_the_log(), ntlm::DenialReason::ChannelBindings);
            false
        }
    }
}
