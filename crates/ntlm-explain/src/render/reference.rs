//! The reference table: every key of MS-NLMP, one row for each rule, made of the rule values.

use super::style::{FAINT, HEADING, KEY, Layout, PLAIN, WARN};
use crate::finding::{FindingCode, Severity};
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{Direction, LmowfRule};
use ntlm::keys::{
    DomainControllerChallengeRule, EncryptedRandomSessionKeyRule, ExportedSessionKeyRule,
    KeyExchangeKeyRule, KeyName, MicRule, NtProofStrRule, NtlmVersion, Ntowfv2Rule,
    RandomSessionKeyRule, ResponseKeyLmRule, ResponseKeyNtRule, Rule, RuleDoc, SealingKeyRule,
    SessionBaseKeyRule, SigningKeyRule,
};
use std::fmt::Write;

/// The table as a document.
#[must_use]
pub fn reference_markdown() -> String {
    let mut out = String::from(HEAD);
    out.push_str("\n## By version\n\n");
    out.push_str(BY_VERSION);
    by_version(&mut out);
    out.push_str("\n## Key by key\n\n");
    out.push_str(KEY_BY_KEY);
    for (key, rules) in keys() {
        let _ = writeln!(out, "\n### {}\n", key.name());
        let others = key.other_names();
        if !others.is_empty() {
            let _ = writeln!(out, "Also called: {}.\n", others.join("; "));
        }
        out.push_str("| rule | when | formula | inputs | bytes | by | section |\n");
        out.push_str("|---|---|---|---|---|---|---|\n");
        for doc in rules.iter().map(|rule| rule.doc()) {
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {} | {} | {} | {} |",
                doc.name,
                cell(doc.condition),
                formula(&doc),
                inputs(&doc),
                length(&doc),
                doc.computed_by,
                doc.section
            );
        }
        let warnings: Vec<_> = rules
            .iter()
            .filter_map(|rule| rule.doc().beware.map(|beware| (rule.doc().name, beware)))
            .collect();
        if !warnings.is_empty() {
            out.push_str("\nBeware:\n\n");
            for (name, beware) in warnings {
                let _ = writeln!(out, "- `{name}`: {}", cell(beware));
            }
        }
    }
    out
}

/// The table for a terminal.
#[must_use]
pub fn reference_text(layout: Layout) -> String {
    let mut out = String::new();
    for (key, rules) in keys() {
        let _ = writeln!(out, "{KEY}{}{KEY:#}", key.name());
        let others = key.other_names();
        if !others.is_empty() {
            let text = format!("also called: {}", others.join("; "));
            layout.wrap(&mut out, "  ", "  ", FAINT, &text);
        }
        for doc in rules.iter().map(|rule| rule.doc()) {
            let _ = writeln!(out, "  {HEADING}{}{HEADING:#}", doc.name);
            let rows = [
                ("when", doc.condition.to_owned()),
                ("formula", doc.formula.to_owned()),
                ("inputs", inputs(&doc)),
                ("length", format!("{} bytes, by {}", length(&doc), doc.computed_by)),
                ("section", doc.section.to_owned()),
            ];
            for (label, text) in rows.iter().filter(|(_, text)| !text.is_empty()) {
                let first = format!("    {label:<8} ");
                layout.wrap(&mut out, &first, "             ", PLAIN, text);
            }
            if let Some(beware) = doc.beware {
                layout.wrap(&mut out, "    beware   ", "             ", WARN, beware);
            }
        }
        out.push('\n');
    }
    out
}

/// Every finding there is, as a document.
#[must_use]
pub fn findings_markdown() -> String {
    let mut out = String::from(FINDINGS_HEAD);
    for code in FindingCode::ALL {
        let severity = match code.severity() {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        let _ = writeln!(out, "\n## {}\n\nSeverity: {severity}.\n", code.code());
        let _ = writeln!(out, "{}\n\n{}", code.meaning().trim(), code.advice());
    }
    out
}

const FINDINGS_HEAD: &str = "\
# Findings

What `ntlm explain` may say about an exchange, by its code. Codes are stable: they may be added to,
never change their meaning. This page is generated (`ntlm explain --list-findings`).
";

const HEAD: &str = "\
# The keys of NTLM

Every key of MS-NLMP, and the rule that chooses how it is computed. This page is generated from the
code that computes (`ntlm keys --table --markdown`); a test fails when it is out of date, when a
rule has no row, or when no vector has chosen a row and confirmed its value. For seven rows no
published vector is known, and ours, computed apart from this code, stand for them: LMOWFv1
`Unavailable`, NTOWFv2 `EmptyDomain`, SessionBaseKey `Lmv2` and `Guest`, KeyExchangeKey `NoLmHash`,
the responses `Ntlmv2Alone`, MIC `Connectionless`.

```text
password ─> LMOWFv1, NTOWFv1 ─> NTOWFv2 ─> ResponseKeyNT, ResponseKeyLM ─> the responses
                                                │
                                                v
                                         SessionBaseKey
                                                │ KXKEY: version, ESS, LM_KEY, NON_NT_SESSION_KEY
                                                v
                                         KeyExchangeKey
                                                │ KEY_EXCH with SIGN or SEAL: RandomSessionKey
                                                v
                                       ExportedSessionKey ─> MIC, SMB, RPC
                                                │ SIGNKEY, SEALKEY: ESS, 128, 56, LM_KEY, DATAGRAM
                                                v
            ClientSigningKey, ServerSigningKey, ClientSealingKey, ServerSealingKey
```

Four names that are easily confused:

- **Extended session security (ESS)** is a negotiated flag. It changes the NTLMv1 response, KXKEY for
  NTLMv1, and all four signing and sealing keys. Others call it NTLM2 session security.
- **NTLMv2** is not negotiated. It is another way to compute the responses, and the server tells it
  by their length.
- **The NTLM2 session response** is NTLMv1 with ESS. It is not NTLMv2.
- **Extended security** of SMB says that session setup carries GSS-API tokens. It has nothing to do
  with any of these.
";

const BY_VERSION: &str = "\
With SIGN, SEAL, KEY_EXCH and 128 negotiated, ESS where the version's name says so and for NTLMv2, no
LM_KEY and no NON_NT_SESSION_KEY, and an LM hash at hand. ″ is the same as to the left.

";

const KEY_BY_KEY: &str = "\
`x[a..b]` are the bytes a to b, both included; `Z(n)` are n zero bytes; `||` joins. KEY_EXCH, SIGN,
SEAL, 128, 56, LM_KEY and DATAGRAM are the flags `NTLMSSP_NEGOTIATE_...`; NON_NT_SESSION_KEY is
`NTLMSSP_REQUEST_NON_NT_SESSION_KEY`.
";

fn keys() -> Vec<(KeyName, Vec<Rule>)> {
    let mut keys: Vec<(KeyName, Vec<Rule>)> = Vec::new();
    for rule in Rule::all() {
        match keys.last_mut() {
            Some((key, rules)) if *key == rule.key() => rules.push(rule),
            _ => keys.push((rule.key(), vec![rule])),
        }
    }
    keys
}

const VERSIONS: [NtlmVersion; 5] = [
    NtlmVersion::Lm,
    NtlmVersion::Ntlmv1,
    NtlmVersion::Ntlmv1Ess,
    NtlmVersion::Ntlmv2,
    NtlmVersion::Anonymous,
];

fn by_version(out: &mut String) {
    let heads: Vec<_> = VERSIONS.iter().map(|version| version.name()).collect();
    let _ = writeln!(out, "| key | {} |", heads.join(" | "));
    let _ = writeln!(out, "|---|{}", "---|".repeat(VERSIONS.len()));
    let names =
        KeyName::STEPS.into_iter().chain([KeyName::Mic, KeyName::ChallengeForDomainController]);
    for key in names {
        let cells: Vec<_> =
            VERSIONS.iter().map(|version| formula(&chosen(key, *version).doc())).collect();
        let _ = writeln!(out, "| {} | {} |", key.name(), cells.join(" | "));
    }
}

/// The rule for a key under the flags of the table above, by the functions that the schedule uses.
fn chosen(key: KeyName, version: NtlmVersion) -> Rule {
    let mut flags = NegotiateFlags::NEGOTIATE_SIGN
        | NegotiateFlags::NEGOTIATE_SEAL
        | NegotiateFlags::NEGOTIATE_KEY_EXCH
        | NegotiateFlags::NEGOTIATE_128
        | NegotiateFlags::NEGOTIATE_56;
    if matches!(version, NtlmVersion::Ntlmv1Ess | NtlmVersion::Ntlmv2 | NtlmVersion::Anonymous) {
        flags |= NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY;
    }
    let is_v2 = version == NtlmVersion::Ntlmv2;
    let ntowf_v2 = if is_v2 { Ntowfv2Rule::DomainAsSent } else { Ntowfv2Rule::NotUsed };
    let (client, server) = (Direction::ClientToServer, Direction::ServerToClient);
    match key {
        KeyName::Lmowf => Rule::Lmowf(LmowfRule::Lmowfv1),
        KeyName::NtowfV1 => Rule::NtowfV1,
        KeyName::NtowfV2 => Rule::NtowfV2(ntowf_v2),
        KeyName::ResponseKeyNt => Rule::ResponseKeyNt(ResponseKeyNtRule::choose(version)),
        KeyName::ResponseKeyLm => Rule::ResponseKeyLm(ResponseKeyLmRule::choose(version, true)),
        KeyName::NtProofStr => Rule::NtProofStr(NtProofStrRule::choose(version)),
        KeyName::SessionBaseKey => Rule::SessionBaseKey(SessionBaseKeyRule::choose(version)),
        KeyName::KeyExchangeKey => {
            Rule::KeyExchangeKey(KeyExchangeKeyRule::choose(version, flags, true))
        }
        KeyName::RandomSessionKey => Rule::RandomSessionKey(RandomSessionKeyRule::DrawnByClient),
        KeyName::ExportedSessionKey => {
            Rule::ExportedSessionKey(ExportedSessionKeyRule::choose(flags))
        }
        KeyName::EncryptedRandomSessionKey => {
            Rule::EncryptedRandomSessionKey(EncryptedRandomSessionKeyRule::KeyExchange)
        }
        KeyName::ClientSigningKey => Rule::SigningKey(client, SigningKeyRule::choose(flags)),
        KeyName::ServerSigningKey => Rule::SigningKey(server, SigningKeyRule::choose(flags)),
        KeyName::ClientSealingKey => Rule::SealingKey(client, SealingKeyRule::choose(flags)),
        KeyName::ServerSealingKey => Rule::SealingKey(server, SealingKeyRule::choose(flags)),
        KeyName::Responses | KeyName::Mic => Rule::Mic(MicRule::choose(is_v2, false)),
        KeyName::ChallengeForDomainController => {
            Rule::ChallengeForDomainController(DomainControllerChallengeRule::choose(version))
        }
    }
}

fn formula(doc: &RuleDoc) -> String {
    match doc.formula {
        "none" => "none".to_owned(),
        formula => format!("`{}`", formula.replace('|', "\\|")),
    }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn inputs(doc: &RuleDoc) -> String {
    let names: Vec<_> = doc.inputs.iter().map(|input| input.name()).collect();
    names.join(", ")
}

fn length(doc: &RuleDoc) -> String {
    if doc.length == 0 { "-".to_owned() } else { doc.length.to_string() }
}
