//! A real smbd for one test, started by `testing/peers/smbd.py`.

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A smbd that ends with the test. There is one at a time: each takes a port that was free before.
pub(crate) struct Smbd {
    child: Child,
    stdin: Option<ChildStdin>,
    pub(crate) address: SocketAddr,
    pub(crate) folder: PathBuf,
    _alone: MutexGuard<'static, ()>,
}

static ALONE: Mutex<()> = Mutex::new(());

impl Smbd {
    /// `None`, said aloud, where there is no smbd; with `CI=true` that is a failure.
    pub(crate) fn start() -> Option<Self> {
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let version = Command::new("smbd").arg("-V").env("PATH", &path).output();
        if version.is_err() {
            assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "smbd is not installed");
            println!("SKIPPED: smbd is not installed: cargo xtask setup, as root");
            return None;
        }
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let one = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = one.local_addr().unwrap();
        drop(one);
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testing/peers/smbd.py");
        let name = format!("ntlm-smbd-{}-{}", std::process::id(), address.port());
        let folder = std::env::temp_dir().join(name);
        let mut child = Command::new("python3")
            .arg(script)
            .arg(&folder)
            .arg(address.port().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "smbd did not start; it needs root");
        let stdin = child.stdin.take();
        Some(Self { child, stdin, address, folder, _alone: alone })
    }
}

impl Drop for Smbd {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
