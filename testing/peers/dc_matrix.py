#!/usr/bin/env python3
"""Lets a real domain controller judge: `ntlm logon netlogon://`, and `ntlm serve smb --domain` before
other people's clients.

  dc_matrix.py --ntlm target/debug/ntlm --folder DIR [--only NAME] [--check docs/interop.md | --write ..]

Each logon has one right outcome. It must be what our program says and what the controller's audit log
says; behind `ntlm serve smb` also what the client was told, and a file that it writes and reads under
signatures or encryption shows that both ends have the same key. Needs root. DIR keeps the domain.

Ends with 1 if a row failed, or if the page does not show the rows as they are.
"""
import argparse
import collections
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import smb_server_matrix as clients  # noqa: E402
import smbd  # noqa: E402
import torture  # noqa: E402

ROW_SECONDS = 40
HERE = os.path.dirname(os.path.abspath(__file__))
DOMAIN, DNS_DOMAIN, MACHINE = "CORP", "CORP.EXAMPLE.TEST", "MEMBER1"
AES = "0x612fffff"
# What comes of the right password, and of a wrong one where that is not looked at first.
STATES = {
    "alice": "OK", "bob": "OK", "carla": "OK", "MixedCase": "OK", "longpw": "OK",
    "Administrator": "OK", "daisy": "ACCOUNT_DISABLED", "locky": "ACCOUNT_LOCKED_OUT",
    "expired": "PASSWORD_EXPIRED", "mustchg": "PASSWORD_MUST_CHANGE", "gone": "ACCOUNT_EXPIRED",
    "nohours": "INVALID_LOGON_HOURS", "otherws": "INVALID_WORKSTATION",
    "guarded": "ACCOUNT_RESTRICTION",
}
BEFORE_THE_PASSWORD = ("locky", "guarded")
# How strict the controller is.
STRICT = {}
LENIENT = {"NTLM_AUTH": "ntlmv1-permitted", "REJECT_MD5": "no"}
# An address at which there is nobody but who a row puts there.
NOBODY = "127.0.17.4"
# As the audit log has them, where it has another name.
SPELLED = {"LM": "LANMan", "NTLMv1-ESS": "NTLMv1"}
# Of accounts that the server has itself.
LOCAL = "Local-Only-1"
LEVELS = {"NTLMv1": "0", "NTLMv1-ESS": "1"}


class Failed(Exception):
    """What is not as it must be."""


def same(what, found, expected):
    if found != expected:
        raise Failed(f"{what}: {found!r}, not {expected!r}")


class Controller:
    """One `samba_dc`, started with other keys as the rows want it."""

    def __init__(self, folder):
        self.folder = folder
        self.keys = None
        self.log_position = 0

    def start(self, keys):
        if self.keys == keys:
            return
        self.stop()
        pairs = [f"{key}={value}" for key, value in keys.items()]
        lines = self.call("start", self.folder, *pairs).splitlines()
        self.facts = dict(line.split("=", 1) for line in lines)
        self.address = self.facts["ADDR"]
        self.keys = keys
        self.log_position = 0
        self.passwords = {user: self.facts[f"PASSWORD_{user.upper()}"] for user in STATES}

    def stop(self):
        self.call("stop", self.folder)
        self.keys = None

    def signal(self, sign):
        for pid in self.call("pids", self.folder).split():
            os.kill(int(pid), sign)

    def call(self, *words):
        done = subprocess.run([os.path.join(HERE, "samba_dc"), *words], capture_output=True,
                              text=True, timeout=120, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise RuntimeError(f"samba_dc {words[0]}: {done.stderr}")
        return done.stdout

    def events(self):
        """What its audit log has since this was asked last, but for what it does by itself."""
        with open(self.facts["AUTH_LOG"], encoding="utf-8") as log:
            log.seek(self.log_position)
            text = log.read()
            self.log_position = log.tell()
        events = [json.loads(line) for line in text.splitlines() if line.strip().startswith("{")]
        return [event["Authentication"] for event in events if event["type"] == "Authentication"]

    def judged(self):
        """The logons that members passed on."""
        return [event for event in self.events() if event["serviceDescription"] == "SamLogon"]


class Secrets:
    """Files of accounts, with right and with wrong passwords."""

    def __init__(self, folder, controller):
        facts = controller.facts
        machines = {facts[f"{key}_ACCOUNT"]: facts[f"{key}_PASSWORD"] for key in ("MACHINE", "MACHINE2")}
        users = controller.passwords
        self.right = self.write(folder, "right", machines | users | {"stranger": "x"})
        self.wrong = self.write(folder, "wrong", machines | {user: "Looking-Glass-43" for user in users})
        self.here = self.write(folder, "here", {"local": LOCAL, "alice": LOCAL})
        self.wrong_machine = self.write(folder, "wrong-machine", users | {"MEMBER1$": "x"})

    @staticmethod
    def write(folder, name, passwords):
        path = os.path.join(folder, f"{name}.toml")
        with open(path, "w", encoding="utf-8") as file:
            for user, password in passwords.items():
                quoted = json.dumps(password, ensure_ascii=False)
                file.write(f"[[account]]\nuser = {json.dumps(user)}\npassword = {quoted}\n")
        return path


# ---- ntlm logon netlogon://


@dataclass
class Logon:
    """One logon and what must come of it."""

    kind: str
    name: str
    user: str = "alice"
    args: tuple = ()
    right: bool = True  # the password
    secrets: str | None = None
    machine: str = "MEMBER1$"
    keys: dict = field(default_factory=lambda: STRICT)
    status: str | None = "SUCCESS"
    version: str = "NTLMv2"
    channel: dict = field(default_factory=dict)
    transport: str = "ncacn_ip_tcp"
    failure: str | None = None  # what the error has in it
    workstation: str = "WS1"
    host: str | None = None  # another than the controller


def logons():
    for pipe in ((), ("--pipe",)):
        where = "over the named pipe" if pipe else "over TCP"
        transport = "ncacn_np" if pipe else "ncacn_ip_tcp"
        for user, state in STATES.items():
            for right in (True, False):
                wrong = state if user in BEFORE_THE_PASSWORD else "WRONG_PASSWORD"
                status = (state if right else wrong).replace("OK", "SUCCESS")
                name = user if right else f"{user}, wrong password"
                yield Logon(f"account, {where}", name, user, pipe, right, status=status,
                            transport=transport, channel={"algorithms": "AES"})
        yield Logon(f"account, {where}", "unknown", "stranger", pipe, status="NO_SUCH_USER",
                    transport=transport)
    yield Logon("account, over TCP", "name in another case", "ALICE")
    yield Logon("account, over TCP", "otherws from its workstation", "otherws",
                workstation="OTHERPC")
    yield Logon("machine", "password not ASCII", machine="MEMBER2$", channel={"algorithms": "AES"})
    yield Logon("machine", "wrong password", secrets="wrong_machine", status=None,
                failure="STATUS_ACCESS_DENIED")
    for version, level in LEVELS.items():
        args = ("--insecure-level", level)
        yield Logon("version", f"{version}, which the controller does not allow", args=args,
                    version=version, status="WRONG_PASSWORD")
        yield Logon("version", version, args=args, version=version, keys=LENIENT)
        yield Logon("version", f"{version}, wrong password", args=args, version=version,
                    right=False, status="WRONG_PASSWORD", keys=LENIENT)
    yield Logon("channel", "RC4, not asked for where AES is there", keys=LENIENT,
                channel={"algorithms": "AES"})
    yield Logon("channel", "RC4", args=("--insecure-rc4",), keys=LENIENT, channel={"algorithms": "RC4"})
    yield Logon("channel", "RC4, which the controller does not allow", args=("--insecure-rc4",),
                status=None, failure="STATUS_DOWNGRADE_DETECTED")
    for host, error in (("dead", "connect"), ("silent", "time")):
        yield Logon("no controller", f"a {host} address", host=host, args=("--timeout", "2"),
                    status=None, failure=error)


def log_on(row, controller, secrets, ntlm):
    """Runs a row; raises Failed where something is not as it must be."""
    controller.events()
    path = getattr(secrets, row.secrets or ("right" if row.right else "wrong"))
    with Nobody(row.host):
        host = NOBODY if row.host else controller.address
        command = [ntlm, "logon", f"netlogon://{host}", "--machine", f"{DOMAIN}\\{row.machine}",
                   "--user", f"{DOMAIN}\\{row.user}", "--secrets", path, "--json", "--show-keys",
                   "--workstation", row.workstation, *row.args]
        done = subprocess.run(command, capture_output=True, text=True, timeout=ROW_SECONDS,
                              stdin=subprocess.DEVNULL)
    if not done.stdout:
        raise Failed(f"no report: {done.stderr}")
    report = json.loads(done.stdout)
    expected = {"SUCCESS": (0, "accepted"), None: (2, "not judged")}.get(row.status, (1, "refused"))
    same("exit code and result", (done.returncode, report["result"]), expected)
    events = controller.events()
    judged = [event for event in events if event["serviceDescription"] == "SamLogon"]
    if row.failure is not None:
        if row.failure not in report["failure"]["error"]:
            raise Failed(f"error: {report['failure']['error']!r} has no {row.failure!r}")
        same("logons in the audit log", len(judged), 0)
        return
    same("controller", report["controller"]["host"], controller.address)
    same("transport", report["controller"]["transport"], row.transport)
    for name, value in row.channel.items():
        same(name, report["channel"][name], value)
    logon = report["logon"]
    same("status", logon["status"], f"STATUS_{row.status}")
    same("version", logon["version"], row.version)
    challenges = logon["server_challenge"], logon["challenge_for_domain_controller"]
    same("challenges differ", challenges[0] != challenges[1], row.version == "NTLMv1-ESS")
    # The second witness.
    same("logons in the audit log", len(judged), 1)
    event = judged[0]
    same("audit log: status", event["status"], f"NT_STATUS_{row.status}".replace("_SUCCESS", "_OK"))
    same("audit log: account", event["clientAccount"], row.user)
    same("audit log: machine", event["netlogonTrustAccount"], row.machine)
    same("audit log: version", event["passwordType"], SPELLED.get(row.version, row.version))
    channels = [event for event in events if event["authDescription"] == "ServerAuthenticate"]
    types = {"AES": "HMAC-SHA256", "RC4": "HMAC-MD5"}
    same("audit log: channel", channels[-1]["passwordType"], types[report["channel"]["algorithms"]])
    same("audit log: flags", channels[-1]["netlogonNegotiateFlags"].lower(),
         report["channel"]["negotiate_flags"])
    if row.status == "SUCCESS":
        account(row, controller, report, event)


def account(row, controller, report, event):
    """What a right logon has to come with."""
    info, sid = report["account_info"], controller.facts["DOMAIN_SID"]
    spelled = next(user for user in STATES if user.lower() == row.user.lower())
    same("effective name", info["effective_name"], spelled)
    same("SID", info["sid"], event["becameSid"])
    same("primary group", info["primary_group"], f"{sid}-513")
    if f"{sid}-513" not in info["groups"]:
        raise Failed(f"groups: {info['groups']}")
    same("domain", info["domain"], DOMAIN)
    same("DNS domain", info["dns_domain"].upper(), DNS_DOMAIN)
    same("logon server", info["logon_server"], "DC1")
    key = report["keys"]["session_base_key"]["value"]
    if row.version.startswith("NTLMv1"):
        # MD4 of the NT hash, computed by others.
        from impacket.ntlm import NTOWFv1
        from Cryptodome.Hash import MD4
        password = controller.passwords[spelled]
        same("SessionBaseKey", key, MD4.new(NTOWFv1(password)).hexdigest())
    elif not key or not int(key, 16):
        raise Failed(f"SessionBaseKey: {key}")


class Nobody:
    """What is at that address: nothing, or, where it is to be `silent`, who takes connections and
    never answers."""

    def __init__(self, kind):
        self.kind = kind
        self.sockets = []

    def __enter__(self):
        if self.kind == "silent":
            for port in (135, 445):
                listener = socket.socket()
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((NOBODY, port))
                listener.listen()
                self.sockets.append(listener)

    def __exit__(self, *_):
        for listener in self.sockets:
            listener.close()


# ---- ntlm serve smb --domain


class Server(torture.Ours):
    """`ntlm serve smb` that lets the controller judge; its records come in the background."""

    def __init__(self, ntlm, secrets, *more):
        self.command = [ntlm, "serve", "smb", "--listen", "127.0.0.1:0", "--machine",
                        f"{DOMAIN}\\{MACHINE}$", "--secrets", secrets.right, "--json", "--dialect",
                        "1-3.1.1", *more]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        first = json.loads(self.process.stdout.readline())
        self.port = int(first["address"].rsplit(":", 1)[1])
        self.records, self.came = [], threading.Condition()
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.reader.join(timeout=30)
        self.process.wait(timeout=15)
        if self.process.returncode != 0:
            raise RuntimeError(f"ntlm serve ended with {self.process.returncode}")

    def read(self):
        for line in self.process.stdout:
            record = json.loads(line)
            if record["event"] == "logon":
                with self.came:
                    self.records.append(record)
                    self.came.notify_all()

    def wait_for(self, count):
        with self.came:
            if not self.came.wait_for(lambda: len(self.records) >= count, timeout=ROW_SECONDS):
                raise Failed(f"{len(self.records)} records, not {count}")
            return self.records[count - 1]


@dataclass
class Served:
    """One logon of somebody's client, and what must come of it."""

    client: str
    name: str
    call: object
    options: dict
    user: str = "alice"
    right: bool = True
    status: str | None = None  # what the client is told
    keys: dict = field(default_factory=lambda: STRICT)
    server: str = "domain"
    expected: dict = field(default_factory=dict)  # of the record
    version: str = "NTLMv2"
    password: str | None = None  # of an account that the controller does not have
    judged: bool = True  # by the controller
    domain: str = DOMAIN


def served():
    # Each client in each dialect, signed and encrypted, with the right and with a wrong password.
    for client, name, call, options, expected in clients.rows():
        if options.get("spnego") is False or "signing" in options or "cipher" in options:
            continue
        yield Served(client, name, call, options, expected=expected)
        yield Served(client, f"{name}, wrong password", call, options, right=False,
                     status="LOGON_FAILURE")
    # Each account.
    for client, call in (("smbclient", clients.smbclient), ("impacket", clients.impacket),
                         ("smbprotocol", clients.smbprotocol)):
        for user, state in STATES.items():
            status = None if state == "OK" else state
            if (client, user) == ("impacket", "otherws"):
                # It names no workstation, and Samba asks for none.
                status = None
            yield Served(client, user, call, {"dialect": "3.1.1"}, user, status=status)
    for user in ("carla", "daisy", "locky", "guarded", "nohours"):
        status = STATES[user] if user in BEFORE_THE_PASSWORD else "LOGON_FAILURE"
        yield Served("smbclient", f"{user}, wrong password", clients.smbclient, {"dialect": "3.1.1"},
                     user, right=False, status=status)
    yield Served("smbclient", "unknown account", clients.smbclient, {"dialect": "3.1.1"}, "stranger",
                 status="LOGON_FAILURE")
    yield Served("smbclient", "no controller", clients.smbclient, {"dialect": "3.1.1"},
                 server="dead", status="NO_LOGON_SERVERS", judged=False)
    yield Served("smbclient", "controller reached by its named pipe", clients.smbclient,
                 {"dialect": "3.1.1"}, server="pipe")
    # The controller and the server have an alice each, and each is asked about its own.
    for user, domain, password, status in (
            ("local", MACHINE, LOCAL, None), ("alice", MACHINE, LOCAL, None),
            ("alice", DOMAIN, None, None), ("alice", DOMAIN, LOCAL, "LOGON_FAILURE")):
        name = f"local accounts, and the domain: {domain}\\{user}" + (", wrong password" if status else "")
        yield Served("smbclient", name, clients.smbclient, {"dialect": "3.1.1"}, user, server="both",
                     password=password, domain=domain, judged=domain == DOMAIN, status=status)
    yield Served("smbclient", "otherws from its workstation", clients.smbclient,
                 {"dialect": "3.1.1", "workstation": "OTHERPC"}, "otherws")
    for server, name in (("dns", "controllers found by DNS"),
                         ("dead first", "the first of two controllers is dead"),
                         ("silent first", "the first of two controllers never answers")):
        yield Served("smbclient", name, clients.smbclient, {"dialect": "3.1.1"}, server=server)
    for dialect in ("2.1", "3.1.1"):
        row = Served("impacket", f"LMv2 alone, which counts as LM, {dialect}", clients.impacket_lmv2,
                     {"dialect": dialect}, server="weak", version="LM")
        yield row
        yield replace(row, name=f"{row.name}, wrong password", right=False, status="LOGON_FAILURE")


def ntlmv1():
    for dialect in (clients.SMB1, "2.1", "3.1.1"):
        for kind, version in (("ESS", "NTLMv1-ESS"), ("alone", "NTLMv1")):
            row = Served("smbclient", f"{version}, {dialect}", clients.smbclient,
                         {"dialect": dialect, "protection": "sign", "ntlmv1": kind}, keys=LENIENT,
                         server="weak", version=version)
            yield row
            yield replace(row, name=f"{row.name}, wrong password", right=False, status="LOGON_FAILURE")
            yield replace(row, name=f"{row.name}, not allowed by the controller",
                          status="LOGON_FAILURE", keys=STRICT)
    for version, kind in (("NTLMv2", None), ("NTLMv1", "bare")):
        yield Served("smbclient", f"{version}, 1 without extended security", clients.smbclient,
                     {"dialect": clients.SMB1, "protection": "sign", "spnego": False, "ntlmv1": kind},
                     keys=LENIENT, server="weak", version=version)


def serve(row, server, controller, folder):
    """Runs a row; raises Failed where something is not as it must be."""
    controller.events()
    before = len(server.records)
    password = row.password or controller.passwords.get(row.user, "x")
    if not row.right:
        password = "Looking-Glass-43"
    told = None
    try:
        row.call(server.port, password, folder, user=f"{row.domain}\\{row.user}", **row.options)
    except clients.Refused as refused:
        told = str(refused)
    status = row.status and f"STATUS_{row.status}"
    same("the client was told", told, status)
    record = server.wait_for(before + 1)
    same("records", len(server.records), before + 1)
    expected = {"result": "refused", "status": status} if status else \
        dict(row.expected, result="accepted", identity="account", version=row.version)
    same("record", {name: record.get(name) for name in expected}, expected)
    judged = controller.judged()
    same("logons in the audit log", len(judged), int(row.judged))
    if not row.judged:
        same("judge", record.get("judge"), None)
        return
    event = judged[0]
    same("audit log: accepted", event["status"] == "NT_STATUS_OK", status is None)
    same("audit log: account", event["clientAccount"], row.user)
    same("audit log: member", event["netlogonComputer"], MACHINE)
    port = 445 if row.server == "pipe" else controller.facts["NETLOGON_TCP_PORT"]
    same("judge", record["judge"]["address"], f"{controller.address}:{port}")
    if status is None:
        same("account", [record["judge"][name] for name in ("sid", "domain")], [event["becameSid"], DOMAIN])
        same("audit log: version", event["passwordType"], SPELLED.get(row.version, row.version))


def recording(wanted, server, controller, path):
    if not wanted:
        return contextlib.nullcontext()
    return clients.Capture(f"tcp port {server.port} or host {controller.address}", path)


def explain(ntlm, path, secrets, server, chosen):
    """What went over the wire, seen from outside with the same passwords."""
    done = subprocess.run([ntlm, "explain", path, "--json", "--secrets", secrets.right],
                          capture_output=True, text=True, timeout=120)
    exchanges = [exchange for exchange in json.loads(done.stdout)["captures"][0]["exchanges"]
                 if exchange["server"].endswith(f":{server.port}")]
    found = [(exchange["account"]["user"], exchange["response"]) for exchange in exchanges]
    same("responses", found, [(row.user, "valid" if row.right else "invalid") for row in chosen])
    for exchange, row in zip(exchanges, chosen):
        told = exchange["outcome"]["status"]
        same(f"{row.name}: status", told, f"STATUS_{row.status or 'SUCCESS'}")
        smb = exchange.get("smb") or {}
        wrong = (smb.get("signatures", {}).get("invalid"), smb.get("decrypted", {}).get("failed"))
        if any(wrong):
            raise Failed(f"{row.name}: signatures and packets that do not hold: {wrong}")


# ---- the controller goes away and comes back


class Crowd:
    """Clients that log on all the time, each as one account, and what they were told."""

    PEOPLE = {"alice": "encrypt", "carla": "sign", "longpw": "sign", "bob": "sign"}
    WRONG = "bob"

    def __init__(self, server, controller, folder):
        self.server, self.folder = server, folder
        self.passwords = dict(controller.passwords, **{self.WRONG: "wrong"})
        self.told, self.lock, self.over = [], threading.Lock(), threading.Event()
        self.threads = [threading.Thread(target=self.log_on, args=person)
                        for person in self.PEOPLE.items()]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(timeout=60)

    def log_on(self, user, protection):
        own = os.path.join(self.folder, user)
        os.makedirs(own, exist_ok=True)
        while not self.over.is_set():
            began = time.monotonic()
            try:
                clients.smbclient(self.server.port, self.passwords[user], own, "3.1.1", protection,
                                  user=f"{DOMAIN}\\{user}", file=user)
                status = "STATUS_SUCCESS"
            except clients.Refused as refused:
                status = str(refused)
            except Exception as error:  # neither let in nor refused: that is a failed row
                status = f"{type(error).__name__}: {error}"
            with self.lock:
                self.told.append((began, time.monotonic(), user, status))

    def since(self, when):
        """What those were told who began after that moment and had the right password."""
        with self.lock:
            return [status for began, _, user, status in self.told
                    if began > when and user != self.WRONG]

    def across(self, first, last):
        """How many logons were under way all that time."""
        with self.lock:
            return sum(began < first and ended > last for began, ended, _, _ in self.told)

    def counted(self):
        with self.lock:
            return collections.Counter((user, status) for _, _, user, status in self.told)


def outage(go_away, come_back, seconds, controller, secrets, ntlm, folder):
    """Clients log on all the time while the controller goes away and comes back, twice.

    Each logon has one answer, which the server's record has too; no wrong password is let in, and no
    right one is called wrong, whatever happens to the controller. When it is back all get in."""
    gone = []
    with Server(ntlm, secrets, "--dc", controller.address) as server:
        with Crowd(server, controller, folder) as crowd:
            for _ in range(2):
                time.sleep(1)
                go_away()
                first = time.monotonic()
                time.sleep(seconds)
                gone.append((first, time.monotonic()))
                come_back()
                # The server leaves a controller alone for a while that did not answer.
                back = settled = time.monotonic()
                while len(crowd.since(settled)) < 8:
                    time.sleep(0.2)
                    if set(crowd.since(settled)) - {"STATUS_SUCCESS"}:
                        settled = time.monotonic()
                    if time.monotonic() > back + 20:
                        raise Failed(f"not all accepted 20 s after it came back: {crowd.counted()}")
        told = crowd.counted()
        server.wait_for(sum(told.values()))
        # One too many would come now.
        time.sleep(0.5)
        recorded = collections.Counter(
            (record["account"]["user"], record.get("status") or "STATUS_SUCCESS")
            for record in server.records)
    same("records and what the clients were told", recorded, told)
    no_verdict = "STATUS_NO_LOGON_SERVERS"
    strange = {(user, status): count for (user, status), count in told.items() if status not in
               (no_verdict, "STATUS_LOGON_FAILURE" if user == crowd.WRONG else "STATUS_SUCCESS")}
    same("what must not be", strange, {})
    waited = [crowd.across(*times) for times in gone]
    if not all(waited):
        raise Failed(f"logons that were under way all the time that it was away: {waited}")
    print(f"{sum(told.values())} logons, each answered once; under way all the time that the controller "
          f"was away: {waited}; without a verdict: "
          f"{sum(count for (_, status), count in told.items() if status == no_verdict)}", flush=True)


# ---- the commands of README


def readme(controller, ntlm):
    """What README says to type comes to what it says."""
    with open(os.path.join(HERE, "../../README.md"), encoding="utf-8") as file:
        text = file.read().partition("## Judge logons with your domain controller")[2].partition("\n## ")[0]
    typed = re.findall(r"^\$ (.*)$", text, re.MULTILINE)
    port = torture.free_port()
    for old, new in (("cargo run --release --", ntlm), ("127.0.0.88", controller.address),
                     ("4450", str(port))):
        typed = [line.replace(old, new) for line in typed]
    export, logon, serve_, alice, daisy = typed
    server = subprocess.Popen(["bash", "-c", f"{export}; exec {serve_}"], stdout=subprocess.PIPE, text=True)
    try:
        same("listening", server.stdout.readline(), f"listening on 127.0.0.1:{port}\n")
        for line, code, says in ((logon, 0, "✔ accepted  CORP\\alice"), (alice, 0, ""),
                                 (daisy, 1, "session setup failed: NT_STATUS_ACCOUNT_DISABLED")):
            done = subprocess.run(["bash", "-c", f"{export}; {line}"], capture_output=True, text=True,
                                  timeout=ROW_SECONDS, cwd=os.path.join(HERE, "../.."))
            if done.returncode != code or says not in done.stdout:
                raise Failed(f"{line}: {done.returncode}: {done.stdout}{done.stderr}")
    finally:
        server.terminate()
        said = server.communicate(timeout=15)[0]
    for part in ("alice logged on: NTLMv2, MIC valid", "daisy refused: STATUS_ACCOUNT_DISABLED"):
        if part not in said:
            raise Failed(f"ntlm serve said {said!r}")


# ---- all of it

BEGIN, END = "<!-- dc_matrix.py begins -->", "<!-- dc_matrix.py ends -->"


def page(passed):
    count = sum(map(len, passed.values()))
    lines = ["", f"Samba {smbd.version()} (Debian 12) as the domain controller, {count} rows:", "",
             "| what | rows that passed; with *, with a wrong password too |", "|---|---|"]
    wrong = ", wrong password"
    for kind, names in passed.items():
        shown = [f"{name} *" if name + wrong in names else name for name in names
                 if name.removesuffix(wrong) not in names or not name.endswith(wrong)]
        lines.append(f"| {kind} | {'; '.join(shown)} |")
    return "\n".join(lines + [""])


class Rows:
    """What passed and what did not."""

    def __init__(self, only):
        self.only = only
        self.passed, self.failed, self.count = {}, [], 0

    def wanted(self, kind, name):
        return not self.only or self.only in f"{kind}: {name}"

    def run(self, kind, name, check, *arguments):
        self.count += 1
        try:
            check(*arguments)
        except Exception as why:  # a client's own trouble is a failed row too
            self.failed.append(name)
            print(f"FAILED {kind}: {name}: {type(why).__name__}: {why}", flush=True)
        else:
            self.passed.setdefault(kind, []).append(name)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ntlm", required=True, help="the program")
    parser.add_argument("--folder", required=True, help="where the domain is kept")
    parser.add_argument("--only", help="rows whose kind or name has this")
    parser.add_argument("--check", metavar="PAGE", help="fail unless the page shows these rows")
    parser.add_argument("--write", metavar="PAGE", help="write the rows into the page")
    options = parser.parse_args()
    ntlm, rows = os.path.abspath(options.ntlm), Rows(options.only)
    controller = Controller(os.path.abspath(options.folder))
    with tempfile.TemporaryDirectory(prefix="ntlm-dc-matrix-") as folder:
        try:
            controller.start(STRICT)
            run_all(rows, controller, Secrets(folder, controller), ntlm, folder)
        finally:
            controller.stop()
    print(f"dc: {rows.count - len(rows.failed)} of {rows.count} rows passed")
    if rows.failed or not rows.count:
        return 1
    if (options.check or options.write) and not options.only:
        torture.BEGIN, torture.END = BEGIN, END
        torture.show(options, page(rows.passed))
    return 0


def run_all(rows, controller, secrets, ntlm, folder):
    for keys in (STRICT, LENIENT):
        for row in logons():
            if row.keys == keys and rows.wanted(row.kind, row.name):
                controller.start(keys)
                rows.run(row.kind, row.name, log_on, row, controller, secrets, ntlm)
        here = ("--dc",)
        weak = ("insecure-ntlmv1", "insecure-weak-keys", "insecure-bare-session-setup", "insecure-lm")
        servers = {
            "domain": (*here, controller.address),
            "dns": ("--domain", DNS_DOMAIN.lower(), "--dns-server", f"{controller.address}:53"),
            "pipe": (*here, controller.address, "--pipe"),
            "both": (*here, controller.address, "--accounts", secrets.here),
            "dead": (*here, NOBODY),
            "dead first": (*here, NOBODY, "--dc", controller.address),
            "silent first": (*here, NOBODY, "--dc", controller.address),
            "weak": (*here, controller.address, *(f"--policy={policy}" for policy in weak)),
        }
        for name, arguments in servers.items():
            chosen = [row for row in (*served(), *ntlmv1())
                      if (row.server, row.keys) == (name, keys) and rows.wanted(row.client, row.name)]
            if not chosen:
                continue
            controller.start(keys)
            recorded = os.path.join(folder, f"{name}.pcapng")
            with Nobody(name.partition(" first")[0]), \
                    Server(ntlm, secrets, *arguments) as server, \
                    recording(name == "domain", server, controller, recorded):
                for row in chosen:
                    rows.run(f"{row.client} and `ntlm serve smb`", row.name, serve, row, server,
                             controller, folder)
            if name == "domain":
                rows.run("`ntlm explain`", "all of these logons, recorded", explain, ntlm, recorded,
                         secrets, server, chosen)
    if rows.wanted("README", "its commands"):
        controller.start(STRICT)
        rows.run("README", "its commands", readme, controller, ntlm)
    ways = {
        "stopped and started twice while clients log on":
            (controller.stop, lambda: controller.start(STRICT), 2),
        "frozen twice while clients log on":
            (lambda: controller.signal(signal.SIGSTOP), lambda: controller.signal(signal.SIGCONT), 7),
    }
    for name, way in ways.items():
        if rows.wanted("controller", name):
            controller.start(STRICT)
            rows.run("controller", name, outage, *way, controller, secrets, ntlm, folder)


if __name__ == "__main__":
    sys.exit(main())
