//! `ntlm keys`.

use crate::args::{KeysArgs, Version};
use crate::failure::Failure;
use crate::screen;
use crate::secrets::{self, hex_array, hex_bytes};
use ntlm::AccountName;
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{
    AccountSecret, Derivation, ExportedSessionKey, KeyExchange, KeySchedule, KeySource,
    NtlmVersion, RandomSessionKey, ResponseInputs, ResponseRule, Responses, SessionBaseKey,
};
use ntlm::message::{Ntlmv2ClientChallenge, TargetInfo};
use ntlm_explain::carrier::Wrapping;
use ntlm_explain::{FoundExchange, Known, Ladder, Seen, Token, explain, hex, render};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(args: &KeysArgs) -> Result<ExitCode, Failure> {
    if args.table {
        let table = if args.markdown {
            render::reference_markdown()
        } else {
            render::reference_text(screen::layout())
        };
        screen::print(&table)?;
        return Ok(ExitCode::SUCCESS);
    }
    match (&args.challenge, &args.authenticate) {
        (Some(challenge), Some(authenticate)) => from_messages(args, challenge, authenticate),
        _ => from_values(args),
    }
}

fn from_messages(
    args: &KeysArgs,
    challenge: &str,
    authenticate: &str,
) -> Result<ExitCode, Failure> {
    let accounts = secrets::accounts(&args.secrets)?;
    let known = Known { accounts: &accounts, code_page: args.secrets.code_page.into() };
    let mut found = FoundExchange::empty(None, Wrapping::Raw, None);
    found.negotiate =
        args.negotiate.as_deref().map(|text| seen("--negotiate", text)).transpose()?;
    found.challenge = Some(seen("--challenge", challenge)?);
    found.authenticate = Some(seen("--authenticate", authenticate)?);
    let mut explained = explain(1, found, known);
    if args.redact_keys {
        explained.keys.redact();
    }
    if args.json {
        let json = serde_json::to_string_pretty(&explained);
        screen::print(&format!("{}\n", json.map_err(|error| Failure::new(error.to_string()))?))?;
    } else {
        screen::print(&render::exchange(&explained, screen::layout()))?;
    }
    Ok(if explained.has_invalid() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn seen(option: &str, text: &str) -> Result<Seen, Failure> {
    let path = Path::new(text);
    let token =
        if path.is_file() { crate::decode::read_file(path)? } else { Token::from_text(text) };
    let token = token.map_err(|why| Failure::new(format!("{option}: {why}")))?;
    Ok(Seen { bytes: token.bytes, origin: None })
}

fn from_values(args: &KeysArgs) -> Result<ExitCode, Failure> {
    let Some(flags) = &args.flags else {
        return Err(Failure::new(
            "nothing to derive from: give --challenge and --authenticate, or --flags and --version \
             with values, or --table (see `ntlm keys --help`)",
        ));
    };
    let flags = u32::from_be_bytes(hex_array::<4>("--flags", flags)?);
    let flags = NegotiateFlags::from_bits_retain(flags);
    let mut typed = Typed::new(args, flags)?;
    let mut ladder = Ladder::new(&typed.schedule, None);
    if args.redact_keys {
        ladder.redact();
        // The first half of an NTLMv2 response is a key of the ladder.
        typed.responses = None;
    }
    if args.json {
        let keys = serde_json::to_value(&ladder);
        let keys = keys.map_err(|error| Failure::new(error.to_string()))?;
        let responses = typed.responses.map(|(lm, nt)| {
            serde_json::json!({ "lm_challenge_response": hex(&lm), "nt_challenge_response": hex(&nt) })
        });
        let version = typed.schedule.version().name();
        let document =
            serde_json::json!({ "version": version, "computed": responses, "keys": keys });
        screen::print(&format!("{document}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some((lm, nt)) = &typed.responses {
        screen::print(&format!(
            "Computed\n  LmChallengeResponse  {}\n  NtChallengeResponse  {}\n\n",
            hex(lm),
            hex(nt)
        ))?;
    }
    let version = typed.schedule.version().name();
    screen::print(&format!("Keys of {version} under flags 0x{:08x}\n", flags.bits()))?;
    screen::print(&render::ladder(&ladder, screen::layout()))?;
    Ok(ExitCode::SUCCESS)
}

/// What typed values come to.
struct Typed {
    schedule: KeySchedule,
    /// LM and NT response, where they were computed.
    responses: Option<(Vec<u8>, Vec<u8>)>,
}

impl Typed {
    fn new(args: &KeysArgs, flags: NegotiateFlags) -> Result<Self, Failure> {
        let version =
            args.version.ok_or_else(|| Failure::new("--version is needed with --flags"))?;
        let server_challenge =
            optional::<8>("--server-challenge", args.server_challenge.as_deref())?;
        let lm = args.lm_response.as_deref().map(|text| hex_bytes("--lm-response", text));
        let lm = lm.transpose()?.unwrap_or_default();
        let exchange = key_exchange(args, flags)?;
        let derive = |lm: &[u8], source| {
            KeySchedule::derive(Derivation {
                negotiate_flags: flags,
                server_challenge: server_challenge.unwrap_or_default(),
                lm_challenge_response: lm,
                source,
                key_exchange: exchange,
            })
        };
        if let Some(key) = &args.exported_session_key {
            let key = ExportedSessionKey::new(hex_array("--exported-session-key", key)?);
            let (version, exported_session_key) = (version.into(), key);
            let source = KeySource::ExportedSessionKey { version, exported_session_key };
            return Ok(Self { schedule: derive(&lm, source), responses: None });
        }
        if let Some(key) = &args.session_base_key {
            let session_base_key = SessionBaseKey::new(hex_array("--session-base-key", key)?);
            let (version, lmowf_prefix) = (version.into(), None);
            let source = KeySource::DomainController { version, session_base_key, lmowf_prefix };
            return Ok(Self { schedule: derive(&lm, source), responses: None });
        }
        if version == Version::Anonymous {
            return Ok(Self { schedule: derive(&[0], KeySource::Anonymous), responses: None });
        }
        let server_challenge = server_challenge
            .ok_or_else(|| Failure::new("--server-challenge is needed to compute a response"))?;
        let (name, secret) = account(args)?;
        let (user, domain) = name.fields();
        if args.nt_response.is_some() || matches!(version, Version::Lm | Version::Lmv2) {
            let nt = args.nt_response.as_deref().map(|text| hex_bytes("--nt-response", text));
            let nt = nt.transpose()?.unwrap_or_default();
            let responses = Responses {
                server_challenge,
                lm: &lm,
                nt: &nt,
                user: user.as_units(),
                domain: domain.as_units(),
                extended_session_security: flags
                    .contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY),
            };
            let proof = responses.verify(&secret).ok_or_else(|| {
                Failure::new("the response is not valid under this secret, so there are no keys")
            })?;
            let source = KeySource::Proof(proof);
            return Ok(Self { schedule: derive(&lm, source), responses: None });
        }
        let client_challenge = optional::<8>(
            "--client-challenge",
            args.client_challenge.as_deref(),
        )?
        .ok_or_else(|| {
            Failure::new("give --nt-response to check it, or --client-challenge to compute it")
        })?;
        let list = args.target_info.as_deref().map(|text| hex_bytes("--target-info", text));
        let list = list.transpose()?.unwrap_or_else(|| vec![0; 4]);
        let time = ntlm::FileTime(args.time);
        let temp = Ntlmv2ClientChallenge::encode(time, client_challenge, TargetInfo::new(&list));
        let computed = response_rule(version, TargetInfo::new(&list)).compute(
            &secret,
            &ResponseInputs {
                server_challenge,
                client_challenge,
                user: user.as_units(),
                domain: domain.as_units(),
                temp: &temp,
            },
        );
        let source = KeySource::Proof(computed.proof);
        let schedule = derive(&computed.lm, source);
        Ok(Self { schedule, responses: Some((computed.lm, computed.nt)) })
    }
}

fn response_rule(version: Version, list: TargetInfo<'_>) -> ResponseRule {
    match version {
        Version::Ntlmv1Ess => ResponseRule::Ntlmv1Ess,
        Version::Ntlmv1 => ResponseRule::Ntlmv1AndLm,
        _ if list.timestamp().is_some() => ResponseRule::Ntlmv2,
        _ => ResponseRule::Ntlmv2AndLmv2,
    }
}

impl From<Version> for NtlmVersion {
    fn from(version: Version) -> Self {
        match version {
            Version::Ntlmv2 => Self::Ntlmv2,
            Version::Ntlmv1Ess => Self::Ntlmv1Ess,
            Version::Ntlmv1 => Self::Ntlmv1,
            Version::Lmv2 => Self::Lmv2,
            Version::Lm => Self::Lm,
            Version::Anonymous => Self::Anonymous,
        }
    }
}

fn key_exchange(args: &KeysArgs, flags: NegotiateFlags) -> Result<KeyExchange, Failure> {
    if let Some(key) = &args.random_session_key {
        let key = RandomSessionKey::new(hex_array("--random-session-key", key)?);
        return Ok(KeyExchange::drawn(flags, key));
    }
    let field = args.encrypted_random_session_key.as_deref();
    let field = field.map(|text| hex_bytes("--encrypted-random-session-key", text)).transpose()?;
    match (KeyExchange::received(flags, &field.clone().unwrap_or_default()), field) {
        (Ok(exchange), _) => Ok(exchange),
        (Err(_), None) if args.exported_session_key.is_some() => {
            // The key itself is known, so nothing has to be decrypted.
            Ok(KeyExchange::drawn(flags, RandomSessionKey::new([0; 16])))
        }
        (Err(_), None) => Err(Failure::new(
            "these flags exchange a key: give --random-session-key or \
             --encrypted-random-session-key",
        )),
        (Err(error), Some(_)) => Err(Failure::new(error.to_string())),
    }
}

fn account(args: &KeysArgs) -> Result<(AccountName, AccountSecret), Failure> {
    let Some(name) = &args.secrets.user else {
        return Err(Failure::new("--user is needed to derive keys from a password"));
    };
    let parsed = AccountName::parse(name);
    let (user, domain) = parsed.fields();
    let accounts = secrets::accounts(&args.secrets)?;
    let found = accounts.find(&user, &domain).map_err(|why| Failure::new(why.to_string()))?;
    match found {
        Some(found) => Ok((parsed, found.secret.duplicate())),
        None => Err(Failure::new(format!("no secret is known for {name}"))),
    }
}

fn optional<const N: usize>(option: &str, text: Option<&str>) -> Result<Option<[u8; N]>, Failure> {
    text.map(|text| hex_array(option, text)).transpose()
}
