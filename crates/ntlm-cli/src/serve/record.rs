//! What a server prints: a line for each logon, and for each connection that ends badly.

use crate::args::ServeSmbArgs;
use crate::screen;
use ntlm::text::Utf16String;
use ntlm_explain::{Ladder, render};
use ntlm_net::ByController;
use ntlm_net::smb::{Claimed, CloseReason, Event, LogonRecord, RefusedLogon};
use ntlm_smb::Identity;
use ntlm_smb::server::{LoggedOn, SetupKind};
use ntlm_spnego::MechListMic;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::mem::take;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{SystemTime, UNIX_EPOCH};

/// Hands lines to whoever prints.
pub(super) struct Records {
    lines: SyncSender<String>,
    left_out: AtomicU64,
    json: bool,
    show_keys: bool,
}

impl Records {
    pub(super) const fn new(args: &ServeSmbArgs, lines: SyncSender<String>) -> Self {
        let left_out = AtomicU64::new(0);
        Self { lines, left_out, json: args.json, show_keys: args.show_keys }
    }

    pub(super) fn listening(&self, address: SocketAddr) {
        self.print(if self.json {
            line(&json!({ "event": "listening", "address": address.to_string() }))
        } else {
            format!("listening on {address}\n")
        });
    }

    pub(super) fn event(&self, event: Event) {
        match event {
            Event::Logon(mut record) => {
                let logged_on = record.result.as_mut().ok().filter(|_| self.show_keys);
                let keys = logged_on.map(keys);
                self.print(if self.json {
                    line(&logon_json(&record, keys.as_ref()))
                } else {
                    logon_text(&record, keys.as_ref())
                });
            }
            Event::Abandoned { time, client, claimed } => {
                let time = timestamp(time);
                self.print(if self.json {
                    let (client, account) = (client.to_string(), account(&claimed));
                    line(&json!({ "event": "abandoned", "time": time, "client": client, "account": account }))
                } else {
                    let who = name(&claimed.domain, &claimed.user);
                    format!("{time}  {client}  {who} left before there was a verdict\n")
                });
            }
            Event::Closed { time, client, reason } => {
                // That a client leaves is no news.
                if matches!(reason, CloseReason::Client | CloseReason::Shutdown) {
                    return;
                }
                let (time, reason) = (timestamp(time), reason.to_string());
                self.print(if self.json {
                    let client = client.to_string();
                    line(&json!({ "event": "closed", "time": time, "client": client, "reason": reason }))
                } else {
                    format!("{time}  {client}  closed: {reason}\n")
                });
            }
            _ => {}
        }
    }

    fn print(&self, text: String) {
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        let text = match left_out {
            0 => text,
            count if self.json => line(&json!({ "event": "left_out", "count": count })) + &text,
            count => format!("({count} records were left out)\n{text}"),
        };
        if self.lines.try_send(text).is_err() {
            self.left_out.fetch_add(left_out.saturating_add(1), Ordering::Relaxed);
        }
    }
}

fn logon_text(record: &LogonRecord, keys: Option<&Ladder>) -> String {
    let mut text = format!("{}  {}  ", timestamp(record.time), record.client);
    match &record.result {
        Ok(logged_on) => {
            let logon = &logged_on.logon;
            let who = match logon.identity {
                Identity::Account => name(&logon.domain, &logon.user),
                Identity::Guest => format!("guest (as {})", name(&logon.domain, &logon.user)),
                Identity::Anonymous => "nobody".to_owned(),
            };
            let what = match logged_on.kind {
                SetupKind::New => "logged on",
                SetupKind::Again => "authenticated again",
                SetupKind::Binding => "joined a session",
            };
            let _ = write!(text, "{who} {what}: {}", logon.version);
            let _ = write!(text, ", MIC {}", if logon.has_mic { "valid" } else { "absent" });
        }
        Err(refused) => {
            let claimed = record.claimed.as_ref();
            let who = claimed.map_or_else(
                || "somebody".to_owned(),
                |claimed| name(&claimed.domain, &claimed.user),
            );
            let _ = write!(text, "{who} refused: {} ({refused})", refused.status);
        }
    }
    match &record.negotiated {
        Some(negotiated) => {
            let cipher = negotiated.cipher.map_or("no cipher", ntlm_smb::Cipher::name);
            let signing = negotiated.signing_algorithm;
            let _ = write!(text, ", SMB {}, {signing}, {cipher}", negotiated.dialect);
        }
        None => text.push_str(", SMB 1"),
    }
    if let Ok(logged_on) = &record.result {
        text.push_str(protection(logged_on));
        for relaxed in &logged_on.logon.relaxed {
            let _ = write!(text, ", relaxed: {}", relaxed.text());
        }
    }
    if let Some(by) = &record.by_controller {
        let _ = write!(text, ", judged by {}", by.via.controller);
    }
    text.push('\n');
    if let Some(keys) = keys {
        text.push_str(&render::ladder(keys, screen::layout()));
    }
    text
}

fn logon_json(record: &LogonRecord, keys: Option<&Ladder>) -> Value {
    let mut object = Map::new();
    let mut field = |name: &str, value: Value| object.insert(name.to_owned(), value);
    field("event", "logon".into());
    field("time", timestamp(record.time).into());
    field("client", record.client.to_string().into());
    let claimed = record.claimed.as_ref();
    field("account", claimed.map_or(Value::Null, account));
    let (dialect, signing, cipher) = match &record.negotiated {
        Some(negotiated) => (
            negotiated.dialect.name(),
            Value::from(negotiated.signing_algorithm.name()),
            negotiated.cipher.map(ntlm_smb::Cipher::name).into(),
        ),
        None => ("1", Value::Null, Value::Null),
    };
    field("dialect", dialect.into());
    field("signing_algorithm", signing);
    field("cipher", cipher);
    match &record.result {
        Ok(logged_on) => {
            let logon = &logged_on.logon;
            field("result", "accepted".into());
            field("identity", identity(logon.identity).into());
            field("setup", kind(logged_on.kind).into());
            field("version", logon.version.to_string().into());
            field("mic", if logon.has_mic { "valid" } else { "absent" }.into());
            let text = |name: &Utf16String| name.to_string();
            field("target_name", logon.target_name.as_ref().map(text).into());
            let mech_list_mic = match logged_on.mech_list_mic {
                MechListMic::Valid => "valid",
                MechListMic::Absent => "absent",
                MechListMic::NoList => "no list",
            };
            field("mech_list_mic", mech_list_mic.into());
            field("signing_required", logged_on.signing_required.into());
            field("encrypted", logged_on.encrypts.into());
            let relaxed: Vec<_> = logon.relaxed.iter().map(|relaxed| relaxed.text()).collect();
            field("relaxed", relaxed.into());
            if let Some(keys) = keys {
                field("keys", serde_json::to_value(keys).unwrap_or_default());
            }
        }
        Err(RefusedLogon { status, .. }) => {
            field("result", "refused".into());
            field("status", status.to_string().into());
            let reason = record.result.as_ref().err().map(ToString::to_string);
            field("reason", reason.into());
        }
    }
    field("judge", record.by_controller.as_deref().map_or(Value::Null, judge));
    object.into()
}

/// Every key, which are then gone from the record.
fn keys(logged_on: &mut LoggedOn) -> Ladder {
    Ladder::of_session(take(&mut logged_on.logon.steps), take(&mut logged_on.steps))
}

const fn protection(logged_on: &LoggedOn) -> &'static str {
    match (logged_on.logon.identity, logged_on.encrypts, logged_on.signing_required) {
        (Identity::Guest | Identity::Anonymous, _, _) => ", without any protection",
        (Identity::Account, true, _) => ", encrypted",
        (Identity::Account, false, true) => ", signed",
        (Identity::Account, false, false) => ", signed where the client signs",
    }
}

const fn identity(identity: Identity) -> &'static str {
    match identity {
        Identity::Account => "account",
        Identity::Guest => "guest",
        Identity::Anonymous => "anonymous",
    }
}

const fn kind(kind: SetupKind) -> &'static str {
    match kind {
        SetupKind::New => "new",
        SetupKind::Again => "again",
        SetupKind::Binding => "binding",
    }
}

fn account(claimed: &Claimed) -> Value {
    json!({
        "domain": claimed.domain.to_string(),
        "user": claimed.user.to_string(),
        "workstation": claimed.workstation.to_string(),
    })
}

/// Which domain controller judged, and whom it takes the account for, if it accepted.
fn judge(by: &ByController) -> Value {
    let ByController { via, account } = by;
    let mut object = Map::new();
    let mut field = |name: &str, value: Value| object.insert(name.to_owned(), value);
    field("controller", via.controller.to_string().into());
    field("address", via.address.to_string().into());
    field("method", via.method.name().into());
    if let Some(account) = account {
        let sid = account.sid_of(account.user_id).map(|sid| sid.to_string());
        let groups = account.groups.iter().filter_map(|group| account.sid_of(group.relative_id));
        let extra = account.extra_sids.iter().map(|extra| extra.sid.clone());
        let groups: Vec<_> = groups.chain(extra).map(|sid| sid.to_string()).collect();
        field("effective_name", account.effective_name.to_string().into());
        field("domain", account.logon_domain_name.to_string().into());
        field("sid", sid.into());
        field("groups", groups.into());
    }
    object.into()
}

/// `DOMAIN\user`, without what a terminal would obey.
fn name(domain: &Utf16String, user: &Utf16String) -> String {
    let text = match (domain.is_empty(), user.is_empty()) {
        (_, true) => "nobody".to_owned(),
        (true, false) => user.to_string(),
        (false, false) => format!("{domain}\\{user}"),
    };
    screen::printable(&text)
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let nanos = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    ntlm_explain::rfc3339(ntlm_capture::Timestamp(nanos))
}
