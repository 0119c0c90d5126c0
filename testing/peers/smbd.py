"""A real smbd on loopback, private and thrown away: configuration, databases,
accounts and shares of its own below one folder, nothing in /etc. Needs root,
because smbd switches user ids, and Debian's samba and libnss-wrapper.

    with Smbd(folder, port, min_protocol="NT1") as server:
        server.authentications()   # what its audit log says of each logon

Shares: `pub` (guests too), `data` (any account), `secret` (encryption required).
An unknown account name becomes a guest.
"""
import glob
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

# Where Debian puts daemons, whatever the caller's path.
os.environ["PATH"] = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

# name, password, what is done to it
ACCOUNTS = [
    ("alice", "Wonderland-42", None),
    ("carla", "Grüße-Ωμέγα-雪", None),
    ("dmitri", "ключ-🔑-Passwort", None),
    ("MixedCase", "mIxEdCaSe-pw9", None),
    ("longpw", "a-very-long-passphrase-of-more-than-fourteen-characters-0123456789", None),
    ("emptypw", "", None),
    ("daisy", "Disabled-1", "disable"),
    ("mustchg", "Change-me-1", "must-change"),
]

CONF = """[global]
  workgroup = LABGROUP
  netbios name = STANDALONE
  server role = standalone server
  unix charset = UTF-8
  interfaces = 127.0.0.1/8
  bind interfaces only = yes
  smb ports = {ports}
  disable netbios = yes
  multicast dns register = no
  name resolve order = host
  load printers = no
  printing = bsd
  printcap name = /dev/null
  disable spoolss = yes
  usershare max shares = 0
  private dir = {dir}/private
  lock directory = {dir}/lock
  state directory = {dir}/state
  cache directory = {dir}/cache
  pid directory = {dir}/run
  ncalrpc dir = {dir}/ncalrpc
  binddns dir = {dir}/binddns
  passdb backend = tdbsam:{dir}/private/passdb.tdb
  log file = {dir}/log/log.%m
  max log size = 0
  log level = 1 auth_json_audit:5@{dir}/log/auth.json
  null passwords = yes
  map to guest = bad user
  guest account = nobody
  # the folder may lie where only root may enter, on a file system without these
  force user = root
  ea support = no
  store dos attributes = no
  map archive = no
  oplocks = no
  ntlm auth = ntlmv1-permitted
  lanman auth = yes
  raw NTLMv2 auth = yes
  server min protocol = NT1
  {settings}
[pub]
  path = {dir}/share
  guest ok = yes
  read only = no
[data]
  path = {dir}/share
  read only = no
[secret]
  path = {dir}/share
  read only = no
  server smb encrypt = required
"""
START_SECONDS = 20


def version():
    """As smbd prints it, without Debian's part."""
    printed = subprocess.run(["smbd", "-V"], capture_output=True, text=True, timeout=10)
    return re.search(r"\d+\.\d+\.\d+", printed.stdout).group()


class Smbd:
    """One server. `settings` are lines of [global], by their names with _ for a space."""

    def __init__(self, folder, port, netbios_port=None, **settings):
        self.folder = os.path.abspath(folder)
        self.port = port
        self.netbios_port = netbios_port
        self.settings = {name.replace("_", " "): value for name, value in settings.items()}
        self.process = None
        self.log_position = 0

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        for name in ("private", "lock", "state", "cache", "run", "ncalrpc", "binddns", "log",
                     "nss", "share"):
            os.makedirs(os.path.join(self.folder, name))
        for name in ("", "ncalrpc", "share"):
            os.chmod(os.path.join(self.folder, name), 0o755)
        os.chmod(os.path.join(self.folder, "private"), 0o700)
        self._write("share/hello.txt", "hello from the share\n")
        ports = " ".join(str(port) for port in (self.port, self.netbios_port) if port)
        settings = "\n  ".join(f"{name} = {value}" for name, value in self.settings.items())
        self.conf = self._write(
            "smb.conf", CONF.format(dir=self.folder, ports=ports, settings=settings))
        self._write_users()
        try:
            self._add_accounts()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def authentications(self):
        """The logons that the audit log has since this was asked last."""
        path = os.path.join(self.folder, "log", "auth.json")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as log:
            log.seek(self.log_position)
            text = log.read()
            self.log_position = log.tell()
        events = []
        for line in text.splitlines():
            # Samba writes a line of its own before each object.
            if line.strip().startswith("{"):
                event = json.loads(line)
                if event.get("type") == "Authentication":
                    events.append(event["Authentication"])
        return events

    def stop(self):
        """Ends every process of this server and no other."""
        for sign in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + 5
            for pid in self._pids():
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    pass
            while self._pids() and time.monotonic() < deadline:
                time.sleep(0.05)
        if self.process is not None:
            self.process.wait(timeout=5)
            self.process = None

    def _pids(self):
        """All that has our configuration on its command line: smbd and its helpers."""
        ours = []
        for path in glob.glob("/proc/[0-9]*/cmdline"):
            try:
                with open(path, "rb") as cmdline:
                    words = cmdline.read().decode(errors="replace").split("\0")
            except OSError:
                continue
            if any(word in (self.conf, f"--configfile={self.conf}") for word in words):
                ours.append(int(path.split("/")[2]))
        return ours

    def _write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def _write_users(self):
        """smbd asks the system for its users: nss_wrapper answers with these."""
        users = ["root:x:0:0:root:/root:/bin/sh",
                 "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin"]
        for number, (name, _, _) in enumerate(ACCOUNTS):
            users.append(f"{name}:x:{61001 + number}:61000:{name}:/nonexistent:/usr/sbin/nologin")
        self._write("nss/passwd", "\n".join(users) + "\n")
        self._write("nss/group", "root:x:0:\nnogroup:x:65534:\nlabusers:x:61000:\n")

    def _environment(self):
        wrapper = glob.glob("/usr/lib/*/libnss_wrapper.so")
        if not wrapper:
            raise RuntimeError("libnss_wrapper.so is missing (Debian package libnss-wrapper)")
        return dict(
            os.environ,
            LC_ALL="C.UTF-8",
            LD_PRELOAD=wrapper[0],
            NSS_WRAPPER_PASSWD=os.path.join(self.folder, "nss/passwd"),
            NSS_WRAPPER_GROUP=os.path.join(self.folder, "nss/group"),
            # A winbindd that something else runs on this machine is not asked.
            _NO_WINBINDD="1",
            SELFTEST_WINBINDD_SOCKET_DIR=os.path.join(self.folder, "run/nowinbind"),
            TDB_NO_FSYNC="1",
        )

    def _run(self, *command, given=""):
        done = subprocess.run(command, input=given, text=True, capture_output=True, timeout=20,
                              env=self._environment())
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}: {done.stdout}{done.stderr}")

    def _add_accounts(self):
        for name, password, state in ACCOUNTS:
            self._run("smbpasswd", "-c", self.conf, "-s", "-a", name,
                      given=f"{password}\n{password}\n")
            if state == "disable":
                self._run("smbpasswd", "-c", self.conf, "-d", name)
            elif state == "must-change":
                self._run("net", "-s", self.conf, "sam", "set", "pwdmustchangenow", name, "yes")

    def _start(self):
        with open(os.path.join(self.folder, "log/smbd.out"), "wb") as out:
            self.process = subprocess.Popen(
                ["smbd", "-F", "--no-process-group", "-s", self.conf], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, env=self._environment(), start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        with open(os.path.join(self.folder, "log/smbd.out"), encoding="utf-8",
                  errors="replace") as out:
            raise RuntimeError(f"smbd did not answer on port {self.port}: {out.read()}")


if __name__ == "__main__":
    # For trying things out: python3 smbd.py FOLDER PORT; ends with its input, or by a signal.
    import sys
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        with Smbd(sys.argv[1], int(sys.argv[2]), server_signing="auto"):
            print("ready", flush=True)
            sys.stdin.read()
    except KeyboardInterrupt:
        pass
