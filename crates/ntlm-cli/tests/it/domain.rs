//! `ntlm logon netlogon://` and `ntlm serve smb --machine`, before a controller that is a script. All
//! that a real one says is asserted by `testing/peers/dc_matrix.py`.

use crate::common::{Folder, Ran, ntlm, ran, root, run};
use crate::controller::{Controller, MACHINE_PASSWORD, PASSWORD, Wrong};
use crate::serve::Served;
use serde_json::Value;
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Instant;

const MACHINE: &str = r"CORP\MEMBER1$";

fn passwords(command: &mut Command, machine: &str, user: &str) {
    command.env("NTLM_MACHINE_PASSWORD", machine).env("NTLM_PASSWORD", user);
}

/// Lets the controller judge; it answers meanwhile.
async fn log_on(at: SocketAddr, user: &str, more: &[&str], machine: &str, password: &str) -> Ran {
    let url = format!("netlogon://{at}");
    let arguments = ["logon", &url, "--machine", MACHINE, "--user", user];
    let mut command = ntlm(&[&arguments[..], more].concat());
    passwords(&mut command, machine, password);
    tokio::task::spawn_blocking(move || ran(command.output().unwrap())).await.unwrap()
}

/// What it printed, which must be as the published schema says.
fn json(ran: &Ran) -> Value {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let path = root().join("docs/ntlm-logon-netlogon-1.schema.json");
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        jsonschema::validator_for(&schema).unwrap()
    });
    let report = serde_json::from_str(&ran.out);
    let report = report.unwrap_or_else(|_| panic!("{} {}", ran.out, ran.err));
    let errors: Vec<_> = SCHEMA
        .iter_errors(&report)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{errors:?} {report:#}");
    report
}

#[tokio::test]
async fn a_controller_accepts() {
    let controller = Controller::start(Box::new(|_| None)).await;
    let at = controller.address;
    let alice = r"CORP\alice";
    let ran = log_on(at, alice, &["--json", "--show-keys"], MACHINE_PASSWORD, PASSWORD).await;
    let report = json(&ran);
    assert_eq!(ran.code, 0, "{report:#}");
    assert_eq!(report["result"], "accepted");
    assert_eq!((&report["account"], &report["machine"]), (&alice.into(), &MACHINE.into()));
    assert_eq!(report["controller"]["host"], "127.0.0.1");
    assert_eq!(report["controller"]["address"], at.to_string());
    assert_eq!(report["controller"]["transport"], "ncacn_ip_tcp");
    assert_eq!(report["channel"]["algorithms"], "AES");
    assert_eq!(report["channel"]["account_rid"], 1116);
    assert_eq!(report["logon"]["status"], "STATUS_SUCCESS");
    assert_eq!(report["logon"]["version"], "NTLMv2");
    assert_eq!(report["logon"]["authoritative"], Value::Null, "a yes has no such thing");
    assert!(report["account_info"]["sid"].as_str().unwrap().starts_with("S-1-5-21-"), "{report:#}");
    assert!(report["keys"]["session_base_key"]["value"].is_string());
    assert_eq!(report["failure"], Value::Null);
    assert_eq!(controller.judged(), ["alice"]);

    let ran = log_on(at, alice, &[], MACHINE_PASSWORD, PASSWORD).await;
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains(r"accepted  CORP\alice"), "{}", ran.out);
    assert!(!ran.out.contains("final") && !ran.out.contains("Keys"), "{}", ran.out);
}

#[tokio::test]
async fn a_controller_refuses() {
    let controller = Controller::start(Box::new(|_| None)).await;
    for (user, password, status, advice) in [
        (r"CORP\alice", "wrong", "STATUS_WRONG_PASSWORD", "The password is wrong"),
        (r"CORP\nobody", PASSWORD, "STATUS_NO_SUCH_USER", r"--user 'DOMAIN\user'"),
    ] {
        let ran = log_on(controller.address, user, &["--json"], MACHINE_PASSWORD, password).await;
        let report = json(&ran);
        assert_eq!((ran.code, &report["result"]), (1, &"refused".into()), "{report:#}");
        assert_eq!(report["logon"]["status"], status);
        assert_eq!(report["logon"]["authoritative"], true);
        assert_eq!(report["failure"]["step"], "the controller refuses");
        assert_eq!(report["failure"]["status"], status);
        assert!(report["failure"]["advice"].as_str().unwrap().contains(advice), "{report:#}");
        assert_eq!((&report["account_info"], &report["keys"]), (&Value::Null, &Value::Null));
        let ran = log_on(controller.address, user, &[], MACHINE_PASSWORD, password).await;
        assert!(ran.out.contains(status) && ran.out.contains("final"), "{}", ran.out);
    }
}

#[tokio::test]
async fn there_is_no_verdict() {
    let controller = Controller::start(Box::new(|_| Some(Wrong::Fault))).await;
    let alice = r"CORP\alice";
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().map(|address| (address, silent)).unwrap();
    for (at, machine, error, advice) in [
        (controller.address, "wrong", "STATUS_ACCESS_DENIED", "password of the machine's account"),
        (controller.address, MACHINE_PASSWORD, "access denied", ""),
        (nobody, MACHINE_PASSWORD, "connect: connection refused", "Nobody answers there"),
        (silent.0, MACHINE_PASSWORD, "no answer in time", "Nobody answers there"),
    ] {
        let began = Instant::now();
        let more = ["--json", "--timeout", "1"];
        let ran = log_on(at, alice, &more, machine, PASSWORD).await;
        let report = json(&ran);
        assert_eq!((ran.code, &report["result"]), (2, &"not judged".into()), "{report:#}");
        assert_eq!(report["failure"]["step"], "no verdict");
        let said = report["failure"]["error"].as_str().unwrap();
        assert!(said.starts_with(&at.to_string()) && said.contains(error), "{said}");
        let advised = report["failure"]["advice"].as_str().unwrap_or_default();
        assert!(advised.contains(advice), "{report:#}");
        let status = said.contains("STATUS_").then_some(error);
        assert_eq!(report["failure"]["status"].as_str(), status, "{report:#}");
        assert_eq!(report["channel"], Value::Null);
        assert_eq!(report["logon"]["status"], Value::Null);
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
        let ran = log_on(at, alice, &["--timeout", "1"], machine, PASSWORD).await;
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.out.contains("not judged") && ran.out.contains(error), "{}", ran.out);
    }
    let more = ["--timeout", "1", "--pipe"];
    let ran = log_on(silent.0, alice, &more, MACHINE_PASSWORD, PASSWORD).await;
    assert!(ran.out.contains("no answer") && ran.out.contains("Nobody answers"), "{}", ran.out);
}

/// Secrets may stand in files, of one or of both.
#[tokio::test]
async fn secrets_come_from_files_and_else_from_the_environment() {
    let controller = Controller::start(Box::new(|_| None)).await;
    let folder = Folder::new("domain-secrets");
    let entry = |user: &str, password: &str| {
        format!("[[account]]\nuser = \"{user}\"\npassword = \"{password}\"\n")
    };
    let machine = entry("MEMBER1$", MACHINE_PASSWORD);
    let alone = folder.write("machine.toml", &machine);
    let both = folder.write("both.toml", machine + &entry("alice", PASSWORD));
    for (file, environment, code) in [(&alone, PASSWORD, 0), (&alone, "x", 1), (&both, "x", 0)] {
        let more = ["--secrets", file.as_str()];
        let ran = log_on(controller.address, r"CORP\alice", &more, "x", environment).await;
        assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let url = "netlogon://127.0.0.1:1";
    let serve =
        ["serve", "smb", "--listen", "127.0.0.1:0", "--dc", "127.0.0.1:1", "--machine", MACHINE];
    let serve = |more: &[&'static str]| [&serve[..], more].concat();
    for (arguments, says) in [
        (vec!["logon", url], "needs --machine"),
        (vec!["logon", url, "--machine", MACHINE], "needs --user"),
        (vec!["logon", url, "--encrypt"], "--encrypt has no place with netlogon://"),
        (vec!["logon", url, "--machine", "MEMBER1", "--user", "a"], r"looks like DOMAIN\COMPUTER$"),
        (serve(&["--name", "OTHER"]), "leave it out, or say MEMBER1"),
        (serve(&["--policy", "insecure-guest"]), "is for the domain's controllers to say"),
    ] {
        let mut command = ntlm(&arguments);
        passwords(&mut command, "x", "x");
        let ran = ran(command.output().unwrap());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
}

/// Who logs on with which password, and what the record has to say.
fn client(address: &str, user: &str, password: &str) -> i32 {
    let mut command = ntlm(&["logon", &format!("smb://{user}@{address}/data"), "--sign"]);
    ran(command.env("NTLM_PASSWORD", password).output().unwrap()).code
}

#[tokio::test]
async fn a_server_lets_the_controller_judge() {
    let controller = Controller::start(Box::new(|_| None)).await;
    let at = controller.address.to_string();
    let folder = Folder::new("domain-serve");
    let here =
        folder.write("here.toml", "[[account]]\nuser = \"alice\"\npassword = \"of alice here\"\n");
    let records = tokio::task::spawn_blocking(move || {
        let mut command = ntlm(&["serve", "smb", "--listen", "127.0.0.1:0", "--json"]);
        command.args(["--accounts", &here, "--machine", MACHINE, "--dc", &at, "--name", "member1"]);
        passwords(&mut command, MACHINE_PASSWORD, "x");
        let (mut server, address) = Served::run(command);
        let records: Vec<Value> = [
            ("CORP;alice", PASSWORD, 0),
            ("CORP;alice", "of alice here", 1),
            ("CORP;nobody", PASSWORD, 1),
            ("MEMBER1;alice", "of alice here", 0),
            ("alice", "of alice here", 0),
            ("MEMBER1;alice", PASSWORD, 1),
        ]
        .into_iter()
        .map(|(user, password, code)| {
            assert_eq!(client(&address, user, password), code, "{user} {password}");
            server.next()
        })
        .collect();
        server.stop();
        records
    });
    let records = records.await.unwrap();
    assert_eq!(controller.judged(), ["alice", "alice", "nobody"], "those of the domain");
    let at = controller.address.to_string();
    let accepted = &records[0]["judge"];
    assert_eq!(
        (&accepted["controller"], &accepted["address"]),
        (&at.clone().into(), &at.clone().into())
    );
    assert_eq!(accepted["method"], "NetrLogonSamLogonEx");
    assert!(accepted["sid"].as_str().unwrap().starts_with("S-1-5-21-"), "{accepted}");
    for (record, reason) in [(&records[1], "wrong password"), (&records[2], "no such user")] {
        assert_eq!(record["status"], "STATUS_LOGON_FAILURE", "{record}");
        assert!(record["reason"].as_str().unwrap().contains(reason), "{record}");
        assert_eq!(record["judge"]["controller"], at, "{record}");
        assert_eq!(record["judge"].get("sid"), None, "{record}");
    }
    for record in &records[3..] {
        assert_eq!(record["judge"], Value::Null, "{record}");
    }
}

/// The controller says yes, and this server's policy no: the record names both.
#[tokio::test]
async fn a_server_may_refuse_what_the_controller_accepts() {
    let controller = Controller::start(Box::new(|_| None)).await;
    let at = controller.address.to_string();
    let record = tokio::task::spawn_blocking(move || {
        let mut command = ntlm(&["serve", "smb", "--listen", "127.0.0.1:0", "--json"]);
        command.args(["--machine", MACHINE, "--dc", &at]);
        passwords(&mut command, MACHINE_PASSWORD, "x");
        let (mut server, address) = Served::run(command);
        let url = format!("smb://CORP;alice@{address}/data");
        let mut command = ntlm(&["logon", &url, "--insecure-level", "1"]);
        let ran = ran(command.env("NTLM_PASSWORD", PASSWORD).output().unwrap());
        assert_eq!(ran.code, 1, "{}", ran.out);
        let record = server.next();
        server.stop();
        record
    });
    let record = record.await.unwrap();
    assert_eq!(record["result"], "refused");
    assert_eq!(controller.judged(), ["alice"], "{record}");
    assert_eq!(record["judge"]["controller"], controller.address.to_string(), "{record}");
    assert!(record["judge"]["sid"].is_string(), "{record}");
}

/// The client leaves while the controller thinks.
#[tokio::test]
async fn a_client_that_leaves_is_recorded() {
    let controller = Controller::start(Box::new(|_| Some(Wrong::Silence))).await;
    let at = controller.address.to_string();
    let record = tokio::task::spawn_blocking(move || {
        let mut command = ntlm(&["serve", "smb", "--listen", "127.0.0.1:0", "--json"]);
        command.args(["--machine", MACHINE, "--dc", &at]);
        passwords(&mut command, MACHINE_PASSWORD, "x");
        let (mut server, address) = Served::run(command);
        let url = format!("smb://CORP;alice@{address}/data");
        let mut command = ntlm(&["logon", &url, "--timeout", "1"]);
        let ran = ran(command.env("NTLM_PASSWORD", PASSWORD).output().unwrap());
        assert_eq!(ran.code, 1, "{}", ran.out);
        let record = server.next();
        server.stop();
        record
    });
    let record = record.await.unwrap();
    assert_eq!(record["event"], "abandoned", "{record}");
    assert_eq!(record["account"]["user"], "alice");
    assert_eq!(record["account"]["domain"], "CORP");
}

/// Help is as wide as it says, and a backslash is one.
#[test]
fn help_is_readable() {
    for command in [&["logon", "--help"][..], &["serve", "smb", "--help"]] {
        let help = run(command).out;
        assert!(help.contains(r"DOMAIN\COMPUTER$") && !help.contains(r"\\"), "{help}");
        let examples = help.split_once("Examples:").unwrap().1;
        for line in help.split("Usage:").next().unwrap().lines().chain(examples.lines()) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
