//! `ntlm serve smb`, with `ntlm logon` as its client; others are in testing/peers.

use crate::common::{accounts, ntlm};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A server that ends with the test.
pub(crate) struct Served {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Served {
    fn start(more: &[&str]) -> (Self, String) {
        let file = accounts();
        let arguments = ["serve", "smb", "--listen", "127.0.0.1:0", "--accounts", &file, "--json"];
        Self::run(ntlm(&[&arguments[..], more].concat()))
    }

    /// One whose lines are JSON; and where it listens.
    pub(crate) fn run(mut command: Command) -> (Self, String) {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let mut served = Self { child, lines };
        let first = served.next();
        assert_eq!(first["event"], "listening");
        (served, first["address"].as_str().unwrap().to_owned())
    }

    pub(crate) fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// SIGTERM ends it well.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn log_on(address: &str, password: &str) -> i32 {
    let url = format!("smb://alice@{address}/data");
    let mut command = ntlm(&["logon", &url, "--json"]);
    command.env("NTLM_PASSWORD", password).stdout(Stdio::null());
    command.status().unwrap().code().unwrap()
}

#[test]
fn a_logon_is_served_and_recorded() {
    let (mut server, address) = Served::start(&["--show-keys"]);
    assert_eq!(log_on(&address, "Wonderland-42"), 0);
    let record = server.next();
    for (field, value) in [
        ("event", "logon"),
        ("result", "accepted"),
        ("identity", "account"),
        ("setup", "new"),
        ("dialect", "3.1.1"),
        ("version", "NTLMv2"),
        ("mic", "valid"),
        ("mech_list_mic", "valid"),
    ] {
        assert_eq!(record[field], value, "{field} of {record}");
    }
    let keys = record["keys"].as_object().unwrap();
    assert!(keys["exported_session_key"]["value"].is_string());
    assert!(keys["signing_key"]["value"].is_string());

    assert_eq!(log_on(&address, "wrong"), 1);
    let record = server.next();
    assert_eq!(record["result"], "refused");
    assert_eq!(record["status"], "STATUS_LOGON_FAILURE");
    assert_eq!(record["account"]["user"], "alice");
    server.stop();
}

#[test]
fn keys_are_shown_only_where_they_are_asked_for() {
    let (mut server, address) = Served::start(&["--policy", "require-encryption"]);
    assert_eq!(log_on(&address, "Wonderland-42"), 0);
    let record = server.next();
    assert_eq!(record["encrypted"], true);
    assert!(record.get("keys").is_none());
    server.stop();
}
