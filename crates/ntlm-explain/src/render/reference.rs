//! The reference table: every key of MS-NLMP and of SMB, one row for each rule, made of the rule
//! values.

mod by_dialect;
mod by_version;
mod rows;

use self::rows::{Key, cell, code, ntlm_keys, smb_keys};
use super::style::{FAINT, HEADING, KEY, Layout, PLAIN, WARN};
use crate::finding::{FindingCode, Severity};
use ntlm_smb::smb1::SequenceRule;
use ntlm_smb::{SignatureRule, Signed};
use std::fmt::Write;

/// The table as a document.
#[must_use]
pub fn reference_markdown() -> String {
    let mut out = String::from(HEAD);
    out.push_str("\n## By version\n\n");
    out.push_str(BY_VERSION);
    by_version::by_version(&mut out);
    out.push_str("\n## Key by key\n\n");
    out.push_str(KEY_BY_KEY);
    keys_markdown(&mut out, &ntlm_keys());
    out.push_str(SMB);
    out.push_str("\n### By dialect\n\n");
    out.push_str(BY_DIALECT);
    by_dialect::by_dialect(&mut out);
    keys_markdown(&mut out, &smb_keys());
    out.push_str("\n### Which key signs a message of SMB 2 and 3\n\n");
    out.push_str(SIGNATURES);
    out.push_str("| rule | to which messages | key | signed | section |\n|---|---|---|---|---|\n");
    let docs = SignatureRule::ALL.map(SignatureRule::doc);
    for doc in docs {
        let key = doc.key.map_or("none", |key| key.name());
        let (condition, signed) = (cell(doc.condition), signed(doc.signed));
        let _ =
            writeln!(out, "| `{}` | {condition} | {key} | {signed} | {} |", doc.name, doc.section);
    }
    warnings(&mut out, docs.iter().map(|doc| (doc.name, doc.beware)));
    out.push_str("\n### Which number signs a message of SMB 1\n\n");
    out.push_str(NUMBERS);
    out.push_str(
        "| rule | to which messages | number | counter | section |\n|---|---|---|---|---|\n",
    );
    let docs = SequenceRule::ALL.map(SequenceRule::doc);
    for doc in docs {
        let _ = writeln!(
            out,
            "| `{}` | {} | {} | +{} | {} |",
            doc.name, doc.condition, doc.formula, doc.advance, doc.section
        );
    }
    warnings(&mut out, docs.iter().map(|doc| (doc.name, doc.beware)));
    out
}

fn keys_markdown(out: &mut String, keys: &[Key]) {
    for key in keys {
        let _ = writeln!(out, "\n### {}\n", key.name);
        if !key.other_names.is_empty() {
            let _ =
                writeln!(out, "Also called: {}.\n", key.other_names.join("; ").replace('|', "\\|"));
        }
        out.push_str("| rule | when | formula | inputs | bytes | by | section |\n");
        out.push_str("|---|---|---|---|---|---|---|\n");
        for row in &key.rows {
            let _ = writeln!(
                out,
                "| `{}` | {} | {} | {} | {} | {} | {} |",
                row.name,
                cell(row.condition),
                code(row.formula),
                row.inputs,
                row.length(),
                row.computed_by,
                row.section
            );
        }
        warnings(out, key.rows.iter().map(|row| (row.name, row.beware)));
    }
}

fn warnings(out: &mut String, rows: impl Iterator<Item = (&'static str, Option<&'static str>)>) {
    let warnings: Vec<_> =
        rows.filter_map(|(name, beware)| beware.map(|beware| (name, beware))).collect();
    if !warnings.is_empty() {
        out.push_str("\nBeware:\n\n");
        for (name, beware) in warnings {
            let _ = writeln!(out, "- `{name}`: {}", cell(beware));
        }
    }
}

const fn signed(signed: Signed) -> &'static str {
    match signed {
        Signed::Never => "never",
        Signed::IfRequired => "if required",
        Signed::Always => "always",
    }
}

/// The table for a terminal.
#[must_use]
pub fn reference_text(layout: Layout) -> String {
    let mut out = String::new();
    for key in ntlm_keys() {
        key_text(&mut out, layout, &key);
    }
    let _ = writeln!(out, "{HEADING}SMB: where ExportedSessionKey goes{HEADING:#}\n");
    for key in smb_keys() {
        key_text(&mut out, layout, &key);
    }
    let _ = writeln!(out, "{KEY}Which key signs a message of SMB 2 and 3{KEY:#}");
    for doc in SignatureRule::ALL.map(SignatureRule::doc) {
        let key = doc.key.map_or("none", |key| key.name());
        let rows = [
            ("when", doc.condition),
            ("key", key),
            ("signed", signed(doc.signed)),
            ("section", doc.section),
        ];
        row_text(&mut out, layout, doc.name, &rows, doc.beware);
    }
    let _ = writeln!(out, "\n{KEY}Which number signs a message of SMB 1{KEY:#}");
    for doc in SequenceRule::ALL.map(SequenceRule::doc) {
        let advance = format!("+{}", doc.advance);
        let rows = [
            ("when", doc.condition),
            ("number", doc.formula),
            ("counter", &advance),
            ("section", doc.section),
        ];
        row_text(&mut out, layout, doc.name, &rows, doc.beware);
    }
    out.push('\n');
    out
}

fn key_text(out: &mut String, layout: Layout, key: &Key) {
    let _ = writeln!(out, "{KEY}{}{KEY:#}", key.name);
    if !key.other_names.is_empty() {
        let text = format!("also called: {}", key.other_names.join("; "));
        layout.wrap(out, "  ", "  ", FAINT, &text);
    }
    for row in &key.rows {
        let length = format!("{} bytes, by {}", row.length(), row.computed_by);
        let rows = [
            ("when", row.condition),
            ("formula", row.formula),
            ("inputs", &row.inputs),
            ("length", &length),
            ("section", row.section),
        ];
        row_text(out, layout, row.name, &rows, row.beware);
    }
    out.push('\n');
}

fn row_text(
    out: &mut String,
    layout: Layout,
    name: &str,
    rows: &[(&str, &str)],
    beware: Option<&str>,
) {
    let _ = writeln!(out, "  {HEADING}{name}{HEADING:#}");
    for (label, text) in rows.iter().filter(|(_, text)| !text.is_empty()) {
        let first = format!("    {label:<8} ");
        layout.wrap(out, &first, "             ", PLAIN, text);
    }
    if let Some(beware) = beware {
        layout.wrap(out, "    beware   ", "             ", WARN, beware);
    }
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

What `ntlm explain` may say about an exchange or a capture, by its code. Codes are stable: they may be
added to, never change their meaning. This page is generated (`ntlm explain --list-findings`).
";

const HEAD: &str = "\
# The keys of NTLM

Every key of MS-NLMP, and of [SMB](#smb) on top of it, and the rule that chooses how it is computed.
This page is generated from the code that computes (`ntlm keys --table --markdown`); a test fails when
it is out of date, when a rule has no row, or when no vector has chosen a row and confirmed its value.
For seven rows of NTLM no published vector is known, and ours, computed apart from this code, stand
for them: LMOWFv1 `Unavailable`, NTOWFv2 `EmptyDomain`, SessionBaseKey `Lmv2` and `Guest`,
KeyExchangeKey `NoLmHash`, the responses `Ntlmv2Alone`, MIC `Connectionless`. The rows of SMB are
chosen by published vectors and recorded traffic, but for four that nothing at hand shows:
ApplicationKey `SessionKey`, the signature rule `Unsolicited`, the numbers `NtCancel` and
`OplockBreak`.

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
                                       ExportedSessionKey ─> MIC, SMB (below), RPC
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

const SMB: &str = "
## SMB

What SMB makes of the key that NTLM leaves, and which key protects which message. The sections are
those of MS-SMB2, and for SMB 1 of MS-SMB and MS-CIFS.

```text
ExportedSessionKey: SMB 2 and 3,        SessionBaseKey: SMB 1 without
SMB 1 with extended security            extended security, no NTLM messages
                └──────────────┬──────────────┘
                               v
                          SessionKey ─> MAC key (SMB 1)
                               │
                               │ KDF: dialect, label, and under 3.1.1 PreauthIntegrityHashValue
                               v
      SigningKey, Channel.SigningKey, a cipher key for each direction, ApplicationKey
```

`KDF(key, Label, Context, L)` is NIST SP 800-108 in counter mode with HMAC-SHA256, r = 32, of L bits.
NTLM's own signing and sealing keys protect no SMB message: they sign the mechListMICs of SPNEGO, and
inside of pipes what RPC protects for itself.
";

const BY_DIALECT: &str = "\
For an account, with encryption negotiated where the dialect has it. ″ is the same as to the left.

";

const SIGNATURES: &str = "\
Both ends sign with the same key. SMB2_FLAGS_SIGNED says that a message is signed. \"If required\" is
where one end requires signing; a response is signed where its request was.

";

const NUMBERS: &str = "\
The first 8 bytes of `MD5(MAC key || message)`, the number standing where the signature will. The
connection counts; +n is by how much it goes on.

";
