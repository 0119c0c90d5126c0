//! What a logon came to, as text and as JSON.

use super::super::facts::{self, BAD, Fact, Failed, GOOD, WARN, object, section};
use super::advice::advice;
use super::url::Url;
use crate::args::LogonArgs;
use crate::failure::Failure;
use crate::screen::printable;
use ntlm_explain::{Ladder, render};
use ntlm_net::smb::{Client, Error, Negotiated, Tree};
use ntlm_smb::Identity;
use ntlm_smb::client::{ClientError, Logon};
use ntlm_smb::smb1;
use ntlm_smb::smb2::SecurityMode;
use ntlm_spnego::MechListMic;
use render::Layout;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::net::SocketAddr;

/// What a logon came to, as far as it went.
#[derive(Debug, Default)]
pub(super) struct Report {
    account: Option<String>,
    host: String,
    share: String,
    show_keys: bool,
    pub(super) address: Option<SocketAddr>,
    negotiated: Vec<Fact>,
    logon: Vec<Fact>,
    proved: Vec<Proof>,
    relaxed: Vec<&'static str>,
    keys: Option<Ladder>,
    failure: Option<Failed>,
}

/// Something that is proved, or is not.
#[derive(Debug)]
struct Proof {
    json_name: &'static str,
    holds: bool,
    text: &'static str,
}

impl Report {
    pub(super) fn new(url: &Url, args: &LogonArgs) -> Self {
        Self {
            account: url.name.as_ref().map(ToString::to_string),
            host: url.host.clone(),
            share: url.share.clone(),
            show_keys: args.show_keys,
            ..Self::default()
        }
    }

    pub(super) const fn is_good(&self) -> bool {
        self.failure.is_none()
    }

    /// What is known once NEGOTIATE is done.
    pub(super) fn negotiated(&mut self, client: &Client) {
        let mut facts = Vec::new();
        let mut fact = |name, json_name, value: Value, text: String| {
            facts.push(Fact { name, json_name, value, text });
        };
        match client.negotiated() {
            Negotiated::Smb1(smb1) => {
                fact("dialect", "dialect", "1".into(), "1 (NT LM 0.12)".to_owned());
                let extended = smb1.extended_security;
                let text = if extended { "yes" } else { "no: bare responses" };
                let name = "extended security";
                fact(name, "smb_extended_security", extended.into(), text.to_owned());
                let mode = smb1.security_mode;
                let required = mode.contains(smb1::SecurityMode::SECURITY_SIGNATURES_REQUIRED);
                let enabled = mode.contains(smb1::SecurityMode::SECURITY_SIGNATURES_ENABLED);
                let server = match (required, enabled) {
                    (true, _) => "required",
                    (false, true) => "enabled",
                    (false, false) => "disabled",
                };
                fact("server's signing", "server_signing", server.into(), server.to_owned());
            }
            Negotiated::Smb2(smb2) => {
                let dialect = smb2.dialect.name();
                fact("dialect", "dialect", dialect.into(), dialect.to_owned());
                let algorithm = smb2.signing_algorithm.name();
                fact("signing", "signing_algorithm", algorithm.into(), algorithm.to_owned());
                let cipher = smb2.cipher.map(ntlm_smb::Cipher::name);
                let text = cipher.unwrap_or("none").to_owned();
                fact("cipher", "cipher", cipher.into(), text);
                let required = smb2.security_mode.contains(SecurityMode::SIGNING_REQUIRED);
                let server = if required { "required" } else { "enabled" };
                fact("server's signing", "server_signing", server.into(), server.to_owned());
            }
        }
        self.negotiated = facts;
    }

    pub(super) fn logged_on(&mut self, client: &mut Client) {
        let Some(logon) = client.logon() else { return };
        let mut facts = Vec::new();
        let mut fact = |name, json_name, value: Value, text: String| {
            facts.push(Fact { name, json_name, value, text });
        };
        let (identity, text) = match logon.identity {
            Identity::Account => ("account", "the account"),
            Identity::Guest => ("guest", "guest: the server did not check the account"),
            Identity::Anonymous => ("anonymous", "nobody"),
        };
        fact("as", "identity", identity.into(), text.to_owned());
        let version = logon.version.name();
        fact("version", "version", version.into(), version.to_owned());
        let protection = match (client.is_encrypted(), client.is_signed()) {
            (true, _) => "encrypted",
            (false, true) => "signed",
            (false, false) => "none",
        };
        let text = match (protection, client.negotiated()) {
            ("encrypted", Negotiated::Smb2(smb2)) => {
                let cipher = smb2.cipher.map(ntlm_smb::Cipher::name).unwrap_or_default();
                format!("encrypted by {cipher}, with a cipher key for each direction")
            }
            ("signed", Negotiated::Smb2(smb2)) => {
                format!("signed by {}, with SigningKey", smb2.signing_algorithm)
            }
            ("signed", Negotiated::Smb1(_)) => "signed by MD5, with the MAC key".to_owned(),
            _ => "neither signed nor encrypted".to_owned(),
        };
        fact("messages", "protection", protection.into(), text);
        self.logon = facts;
        self.proved = proofs(client, logon);
        self.relaxed = logon.relaxed.iter().map(|relaxed| relaxed.text()).collect();
        if self.show_keys {
            let ntlm = client.take_ntlm_steps();
            self.keys = Some(Ladder::of_session(ntlm, client.smb_steps()));
        }
    }

    pub(super) fn share_is_used(&mut self, client: &Client, tree: &Tree) {
        if let Some(confirmed) = client.negotiate_info_confirmed() {
            self.proved.push(Proof {
                json_name: "negotiate_info",
                holds: confirmed,
                text: if confirmed {
                    "negotiation: the server confirms, signed, what it saw and said"
                } else {
                    "negotiation: the server is too old to confirm it"
                },
            });
        }
        let encrypts = tree.encrypts() || client.is_encrypted();
        let text = if encrypts { format!("{}, encrypted", self.share) } else { self.share.clone() };
        let value = json!({ "name": self.share, "encrypted": encrypts });
        self.logon.push(Fact { name: "share", json_name: "share", value, text });
    }

    pub(super) fn echoed(&mut self) {
        self.logon.push(Fact {
            name: "echo",
            json_name: "echo",
            value: true.into(),
            text: "answered".to_owned(),
        });
    }

    pub(super) fn fail(&mut self, step: &'static str, error: &Error) {
        let status = match error {
            Error::Client(ClientError::Refused { status, .. }) => Some(status.to_string()),
            _ => None,
        };
        let (error, advice) = (error.to_string(), advice(error));
        self.failure = Some(Failed { step, error, status, advice });
    }

    pub(super) fn text(&self, layout: Layout) -> String {
        let mut out = String::new();
        let who = self.account.as_deref().unwrap_or("nobody");
        let address = self.address.map(|address| format!(" ({address})")).unwrap_or_default();
        let (mark, style, word) = match &self.failure {
            None => ("✔", GOOD, "logged on"),
            Some(_) if self.logon.is_empty() => ("✘", BAD, "not logged on"),
            Some(_) => ("✘", BAD, "logged on, and then"),
        };
        // Names came from the command line; still, nothing that moves the cursor is printed.
        let head = printable(&format!("{who} at {}{address}", self.host));
        let _ = writeln!(out, "{style}{mark} {word}{style:#}  {head}");
        section(&mut out, "Negotiated", &self.negotiated);
        section(&mut out, "Session", &self.logon);
        if !self.proved.is_empty() {
            let _ = writeln!(out, "\nProved");
            for proof in &self.proved {
                let (style, mark) = if proof.holds { (GOOD, "✔") } else { (WARN, "·") };
                let _ = writeln!(out, "  {style}{mark}{style:#} {}", proof.text);
            }
        }
        if !self.relaxed.is_empty() {
            let list = self.relaxed.join(", ");
            let _ = writeln!(out, "\n{WARN}Weak{WARN:#}  {list}");
        }
        if let Some(keys) = &self.keys {
            let _ = writeln!(out, "\nKeys");
            out.push_str(&render::ladder(keys, layout));
        }
        if let Some(failure) = &self.failure {
            failure.write(&mut out);
        }
        out
    }

    pub(super) fn json(&self) -> Result<String, Failure> {
        let proved: Map<String, Value> = self
            .proved
            .iter()
            .map(|proof| (proof.json_name.to_owned(), proof.holds.into()))
            .collect();
        let keys = self.keys.as_ref().map(serde_json::to_value).transpose();
        let document = json!({
            "schema": "ntlm-logon/1",
            "account": self.account,
            "host": self.host,
            "address": self.address.map(|address| address.to_string()),
            "result": if self.is_good() { "accepted" } else { "refused" },
            "negotiated": object(&self.negotiated),
            "session": object(&self.logon),
            "proved": proved,
            "relaxed": self.relaxed,
            "keys": keys.map_err(|error| Failure::new(error.to_string()))?,
            "failure": self.failure.as_ref().map(Failed::json),
        });
        facts::pretty(&document)
    }
}

fn proofs(client: &Client, logon: &Logon) -> Vec<Proof> {
    let mut proofs = Vec::new();
    let mut proof = |json_name, holds, text| proofs.push(Proof { json_name, holds, text });
    let is_account = logon.identity == Identity::Account;
    if is_account && client.is_signed() {
        proof("server", true, "server: its answer to the logon is signed, so it has the key");
    } else {
        proof("server", false, "server: nothing shows that it is the one that was meant");
    }
    if logon.has_mic && is_account {
        proof("mic", true, "NTLM messages: AUTHENTICATE carries a MIC, which the server checks");
    }
    if logon.mech_list_mic == MechListMic::Valid {
        proof("mech_list_mic", true, "choice of NTLM: the mechListMICs of both ends hold");
    }
    if let Negotiated::Smb2(smb2) = client.negotiated()
        && smb2.dialect == ntlm_smb::Dialect::Smb311
        && is_account
    {
        proof(
            "preauth_integrity",
            true,
            "negotiation: the keys depend on every packet of it, as both ends saw them",
        );
    }
    proofs
}
