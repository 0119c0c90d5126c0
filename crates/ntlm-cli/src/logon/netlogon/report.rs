//! A logon as the controller saw it, as text and as JSON.

use super::super::facts::{BAD, Fact, Failed, GOOD, WARN, object, pretty, section};
use super::advice;
use crate::args::LogonArgs;
use crate::failure::Failure;
use crate::screen::printable;
use ntlm::{AccountName, LogonDenied, LogonOutcome, LogonRequest};
use ntlm_explain::{Ladder, render};
use ntlm_net::netlogon::{ControllerName, NotJudged, Verdict, Via};
use ntlm_netlogon::calls::Validation;
use ntlm_netlogon::keys::Algorithms;
use ntlm_netlogon::logon::Refusal;
use render::Layout;
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::ExitCode;

/// What a logon came to.
#[derive(Debug)]
pub(super) struct Report {
    account: String,
    machine: Option<String>,
    controller: ControllerName,
    address: Option<String>,
    transport: &'static str,
    show_keys: bool,
    result: Outcome,
    channel: Vec<Fact>,
    logon: Vec<Fact>,
    who: Vec<Fact>,
    relaxed: Vec<&'static str>,
    keys: Option<Ladder>,
    failure: Option<Failed>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Accepted,
    Refused,
    NotJudged,
}

impl Report {
    pub(super) fn new(
        args: &LogonArgs,
        user: &AccountName,
        controller: &ControllerName,
        request: &LogonRequest,
    ) -> Self {
        Self {
            account: user.to_string(),
            machine: args.machine.clone(),
            controller: controller.clone(),
            address: None,
            transport: if args.pipe { "ncacn_np" } else { "ncacn_ip_tcp" },
            show_keys: args.show_keys,
            result: Outcome::NotJudged,
            channel: Vec::new(),
            logon: passed_on(request),
            who: Vec::new(),
            relaxed: Vec::new(),
            keys: None,
            failure: None,
        }
    }

    pub(super) fn judged(&mut self, verdict: Result<Verdict, NotJudged>) {
        match verdict {
            Ok(Verdict::Accepted { outcome, account, via }) => {
                self.asked(&via);
                self.logon.push(fact("verdict", "status", "STATUS_SUCCESS"));
                self.who = who(&account);
                self.settle(*outcome);
            }
            Ok(Verdict::Refused { refusal, authoritative, via, .. }) => {
                self.asked(&via);
                self.refuse(refusal, authoritative);
            }
            Err(why) => {
                let status = why.status().map(|status| status.to_string());
                let advice = advice::on_no_verdict(&why);
                self.failure =
                    Some(Failed { step: "no verdict", error: why.to_string(), status, advice });
            }
        }
    }

    fn asked(&mut self, via: &Via) {
        self.address = Some(via.address.to_string());
        let algorithms = match via.algorithms {
            Algorithms::AesSha2 => ("AES", "sealed by AES-128-CFB8, signed by HMAC-SHA256"),
            Algorithms::InsecureRc4Md5 => ("RC4", "sealed by RC4, signed by HMAC-MD5: weak"),
        };
        let level = via.validation_level.value();
        let flags = format!("0x{:08x}", via.negotiate_flags.bits());
        self.channel = vec![
            Fact { text: algorithms.1.to_owned(), ..fact("messages", "algorithms", algorithms.0) },
            fact("flags of both", "negotiate_flags", &flags),
            number("machine's RID", "account_rid", via.account_rid),
            fact("method", "method", via.method.name()),
            number("validation level", "validation_level", u32::from(level)),
        ];
    }

    fn refuse(&mut self, refusal: Refusal, authoritative: bool) {
        let status = refusal.status().to_string();
        let text = if authoritative { "yes" } else { "no: another authority may know the account" };
        self.logon.push(fact("verdict", "status", &status));
        self.logon.push(Fact {
            name: "final",
            json_name: "authoritative",
            value: authoritative.into(),
            text: text.to_owned(),
        });
        self.result = Outcome::Refused;
        self.failure = Some(Failed {
            step: "the controller refuses",
            error: format!("{status}, {refusal}"),
            status: Some(status),
            advice: advice::on_refusal(refusal),
        });
    }

    /// What a server makes of it: MIC, channel bindings and policy are its own business.
    fn settle(&mut self, outcome: Result<LogonOutcome, LogonDenied>) {
        match outcome {
            Ok(outcome) => {
                self.result = Outcome::Accepted;
                self.relaxed = outcome.relaxed().iter().map(|relaxed| relaxed.text()).collect();
                if self.show_keys {
                    let account = outcome.into_account();
                    self.keys = account.map(|account| Ladder::new(account.keys(), None));
                }
            }
            Err(denied) => {
                self.result = Outcome::Refused;
                self.failure = Some(Failed {
                    step: "the server refuses",
                    error: denied.reason_for_the_log().to_string(),
                    status: None,
                    advice: None,
                });
            }
        }
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        match self.result {
            Outcome::Accepted => ExitCode::SUCCESS,
            Outcome::Refused => ExitCode::from(1),
            Outcome::NotJudged => ExitCode::from(2),
        }
    }

    pub(super) fn text(&self, layout: Layout) -> String {
        let mut out = String::new();
        let (mark, style, word) = match self.result {
            Outcome::Accepted => ("✔", GOOD, "accepted"),
            Outcome::Refused => ("✘", BAD, "refused"),
            Outcome::NotJudged => ("✘", BAD, "not judged"),
        };
        let address = self.address.as_ref().map(|address| format!(" ({address})"));
        let head =
            format!("{}, by {}{}", self.account, self.controller, address.unwrap_or_default());
        let _ = writeln!(out, "{style}{mark} {word}{style:#}  {}", printable(&head));
        section(&mut out, "Channel", &self.channel);
        section(&mut out, "Logon", &self.logon);
        section(&mut out, "Account", &self.who);
        if !self.relaxed.is_empty() {
            let _ = writeln!(out, "\n{WARN}Weak{WARN:#}  {}", self.relaxed.join(", "));
        }
        if let Some(keys) = &self.keys {
            let _ = writeln!(out, "\nKeys, as a server has them: from the controller's on");
            out.push_str(&render::ladder(keys, layout));
        }
        if let Some(failure) = &self.failure {
            failure.write(&mut out);
        }
        out
    }

    pub(super) fn json(&self) -> Result<String, Failure> {
        let keys = self.keys.as_ref().map(serde_json::to_value).transpose();
        let filled = |facts: &[Fact]| match facts {
            [] => Value::Null,
            facts => object(facts).into(),
        };
        let mut logon = object(&self.logon);
        for only_sometimes in ["status", "authoritative"] {
            logon.entry(only_sometimes).or_insert(Value::Null);
        }
        pretty(&json!({
            "schema": "ntlm-logon-netlogon/1",
            "account": self.account,
            "machine": self.machine,
            "controller": {
                "host": self.controller.host,
                "address": self.address,
                "transport": self.transport,
            },
            "result": match self.result {
                Outcome::Accepted => "accepted",
                Outcome::Refused => "refused",
                Outcome::NotJudged => "not judged",
            },
            "channel": filled(&self.channel),
            "logon": logon,
            "account_info": filled(&self.who),
            "relaxed": self.relaxed,
            "keys": keys.map_err(|error| Failure::new(error.to_string()))?,
            "failure": self.failure.as_ref().map(Failed::json),
        }))
    }
}

/// What the controller is given.
fn passed_on(request: &LogonRequest) -> Vec<Fact> {
    let sent = hex(&request.server_challenge());
    let given = hex(&request.challenge_for_domain_controller());
    let version = request.apparent_version().map_or("none", |version| version.name());
    let text = if given == sent {
        "the same".to_owned()
    } else {
        format!("{given}: the first 8 bytes of MD5(server challenge, client challenge)")
    };
    let name = "challenge_for_domain_controller";
    vec![
        fact("version", "version", version),
        fact("server challenge", "server_challenge", &sent),
        Fact { text, ..fact("passed on as", name, &given) },
    ]
}

/// What the controller says of the account.
fn who(account: &Validation) -> Vec<Fact> {
    let sid = |relative_id| account.sid_of(relative_id).map(|sid| sid.to_string());
    let groups: Vec<_> = account.groups.iter().filter_map(|group| sid(group.relative_id)).collect();
    let extra: Vec<_> = account.extra_sids.iter().map(|extra| extra.sid.to_string()).collect();
    let optional = |name, json_name, text: Option<String>| Fact {
        name,
        json_name,
        value: text.clone().into(),
        text: text.filter(|text| !text.is_empty()).unwrap_or_else(|| "none".to_owned()),
    };
    let list = |name, json_name, list: Vec<String>| Fact {
        name,
        json_name,
        text: if list.is_empty() { "none".to_owned() } else { list.join(", ") },
        value: list.into(),
    };
    let flags = account.user_flags.iter_names().map(|(name, _)| name.to_owned()).collect();
    let dns = account.dns_logon_domain_name.as_ref().map(ToString::to_string);
    vec![
        fact("name", "effective_name", &account.effective_name.to_string()),
        optional("full name", "full_name", Some(account.full_name.to_string())),
        fact("domain", "domain", &account.logon_domain_name.to_string()),
        optional("DNS domain", "dns_domain", dns),
        optional("UPN", "upn", account.upn.as_ref().map(ToString::to_string)),
        fact("judged by", "logon_server", &account.logon_server.to_string()),
        optional("SID", "sid", sid(account.user_id)),
        optional("primary group", "primary_group", sid(account.primary_group_id)),
        list("groups", "groups", groups),
        list("other SIDs", "extra_sids", extra),
        list("flags", "user_flags", flags),
    ]
}

fn fact(name: &'static str, json_name: &'static str, text: &str) -> Fact {
    Fact { name, json_name, value: text.into(), text: text.to_owned() }
}

fn number(name: &'static str, json_name: &'static str, value: u32) -> Fact {
    Fact { name, json_name, value: value.into(), text: value.to_string() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
