"""Logons by `ntlm logon netlogon://`: what our program says of each, and what the controller's audit
log says.
"""
import json
import subprocess
from dataclasses import dataclass, field

from dc import (BEFORE_THE_PASSWORD, DNS_DOMAIN, DOMAIN, LENIENT, NOBODY, ROW_SECONDS, SPELLED, STATES,
                STRICT, Failed, Nobody, same)

LEVELS = {"NTLMv1": "0", "NTLMv1-ESS": "1"}


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
