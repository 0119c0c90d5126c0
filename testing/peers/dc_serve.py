"""Other people's clients at `ntlm serve smb`, whose logons the controller judges: what each is told, what
our server's record says, what the audit log says, and what a capture of it all comes to.
"""
import contextlib
import json
import os
import subprocess
import threading
from dataclasses import dataclass, field, replace

import smb_server_matrix as clients
import torture
from dc import (BEFORE_THE_PASSWORD, DNS_DOMAIN, DOMAIN, LENIENT, LOCAL, MACHINE, NOBODY, ROW_SECONDS,
                SPELLED, STATES, STRICT, Failed, Nobody, same)


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


# Whose rows are recorded, by the name of the server.
RECORDED = {"domain": "logons over SMB and over Netlogon", "weak": "those with weak responses"}
# What a controller says and a client does not hear.
NOT_TOLD = ("STATUS_WRONG_PASSWORD", "STATUS_NO_SUCH_USER")


def recording(wanted, server, controller, path):
    if not wanted:
        return contextlib.nullcontext()
    return clients.Capture(f"tcp port {server.port} or host {controller.address}", path)


def explain(ntlm, path, secrets, server, chosen):
    """What went over the wire, seen from outside with the same passwords: each logon at our server, and
    inside the sealed channel what the controller was asked and said."""
    done = subprocess.run([ntlm, "explain", path, "--json", "--secrets", secrets.right],
                          capture_output=True, text=True, timeout=120)
    capture = json.loads(done.stdout)["captures"][0]
    exchanges = [exchange for exchange in capture["exchanges"]
                 if exchange["server"].endswith(f":{server.port}")]
    found = [(exchange["account"]["user"], exchange["response"]) for exchange in exchanges]
    same("responses", found, [(row.user, "valid" if row.right else "invalid") for row in chosen])
    for channel in capture["channels"]:
        proved = channel["client_credential"], channel["server_credential"]
        same("channel: credentials", proved, ("valid", "valid"))
        tallies = {name: channel["signatures"][name] for name in ("invalid", "unchecked", "unsigned")}
        same("channel: signatures", tallies, {"invalid": 0, "unchecked": 0, "unsigned": 0})
    passed_on = {logon["exchange"]: logon for channel in capture["channels"]
                 for logon in channel["logons"]}
    same("logons passed on", sorted(passed_on), [exchange["id"] for exchange in exchanges])
    for exchange, row in zip(exchanges, chosen):
        smb = exchange.get("smb") or {}
        wrong = (smb.get("signatures", {}).get("invalid"), smb.get("decrypted", {}).get("failed"))
        if any(wrong):
            raise Failed(f"{row.name}: signatures and packets that do not hold: {wrong}")
        same(f"{row.name}: status", exchange["outcome"]["status"], f"STATUS_{row.status or 'SUCCESS'}")
        explain_passed_on(row, exchange, passed_on[exchange["id"]])


def explain_passed_on(row, exchange, logon):
    """A logon inside the channel, beside the same logon at our server."""
    same(f"{row.name}: passed on", (logon["account"]["user"], logon["response"]),
         (row.user, exchange["response"]))
    same(f"{row.name}: challenge", logon["challenge"], exchange["challenge_for_domain_controller"])
    said = "LOGON_FAILURE" if logon["status"] in NOT_TOLD else logon["status"].removeprefix("STATUS_")
    same(f"{row.name}: the controller's status", said, row.status or "SUCCESS")
    if row.status is None:
        same(f"{row.name}: the controller's key", logon["user_session_key"],
             exchange["keys"]["session_base_key"]["value"])


def run(keys, rows, controller, secrets, ntlm, folder):
    """Every row at a controller of these keys."""
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
                recording(name in RECORDED, server, controller, recorded):
            for row in chosen:
                rows.run(f"{row.client} and `ntlm serve smb`", row.name, serve, row, server,
                         controller, folder)
        if name in RECORDED:
            title = f"{RECORDED[name]}, {'lenient' if keys else 'strict'} controller"
            rows.run("`ntlm explain`, with a capture of", title, explain, ntlm, recorded, secrets,
                     server, chosen)
