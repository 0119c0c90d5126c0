//! A real domain controller, started by `testing/peers/samba_dc` with the program's CONTROLLER_KEYS.

use crate::CONTROLLER_KEYS;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;

/// The controller that all tests of this program share. It ends with the program, however that ends,
/// because the script stops it at the end of its own input.
pub(crate) struct Controller {
    facts: HashMap<String, String>,
    _script: Child,
    _stdin: ChildStdin,
    /// Its folder is nobody else's for so long.
    _lock: File,
}

/// More test programs at a time than this there are not.
const FOLDERS: usize = 16;

impl Controller {
    /// `None`, said aloud, where there is none; with `CI=true` that is a failure.
    pub(crate) fn get() -> Option<&'static Self> {
        static SHARED: OnceLock<Result<Controller, String>> = OnceLock::new();
        match SHARED.get_or_init(Self::start) {
            Ok(controller) => Some(controller),
            Err(missing) => {
                assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{missing}");
                println!("SKIPPED: {missing}: cargo xtask setup, as root");
                None
            }
        }
    }

    /// On a loopback address of its own: the folder decides which.
    pub(crate) fn address(&self) -> IpAddr {
        self.fact("ADDR").parse().unwrap()
    }

    /// What the script says under this key: `MACHINE_PASSWORD`, `NETLOGON_TCP_PORT` and so on.
    pub(crate) fn fact(&self, key: &str) -> &str {
        self.facts.get(key).unwrap_or_else(|| panic!("samba_dc prints no {key}"))
    }

    /// The account's password, whose name is spelled as in the script.
    pub(crate) fn password(&self, user: &str) -> &str {
        self.fact(&format!("PASSWORD_{}", user.to_uppercase()))
    }

    /// `Err` where it cannot be had; a panic where it was to be had and did not come.
    fn start() -> Result<Self, String> {
        if !is_root() {
            return Err("a domain controller needs root".to_owned());
        }
        if !is_installed() {
            return Err("Samba's domain controller is not installed".to_owned());
        }
        let (folder, lock) = own_folder();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testing/peers/samba_dc");
        let mut child = Command::new(script)
            .arg("run")
            .arg(&folder)
            .args(CONTROLLER_KEYS)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut facts = HashMap::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let line = line.unwrap();
            let (key, value) = line.split_once('=').expect("KEY=VALUE");
            facts.insert(key.to_owned(), value.to_owned());
            if key == "READY" {
                return Ok(Self { facts, _script: child, _stdin: stdin, _lock: lock });
            }
        }
        panic!("the domain controller did not start: {:?}", child.wait());
    }
}

/// Kept from run to run, so that the domain is made once; locked, so that two programs that run at the
/// same time have two.
fn own_folder() -> (PathBuf, File) {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
    for number in 0..FOLDERS {
        let lock = File::create(parent.join(format!("dc-{number}.lock"))).unwrap();
        if lock.try_lock().is_ok() {
            return (parent.join(format!("dc-{number}")), lock);
        }
    }
    panic!("{FOLDERS} domain controllers run already");
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

fn is_installed() -> bool {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let answers = |program: &str| Command::new(program).arg("-V").env("PATH", &path).output();
    let provisions = Path::new("/usr/share/samba/setup/ad-schema").exists();
    let parts = ["samba", "winbindd", "smbclient", "samba-tool"];
    provisions && parts.iter().all(|program| answers(program).is_ok())
}

#[test]
fn the_controller_says_where_it_is() {
    let Some(controller) = Controller::get() else { return };
    assert!(controller.address().is_loopback());
    let port = controller.fact("NETLOGON_TCP_PORT").parse().unwrap();
    std::net::TcpStream::connect((controller.address(), port)).unwrap();
    assert!(!controller.password("carla").is_ascii());
}
