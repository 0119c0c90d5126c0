#!/usr/bin/env python3
"""Logs on to real smbds with `ntlm logon` and checks what came of it, three ways.

  smb_matrix.py --ntlm target/debug/ntlm [--only NAME] [--check docs/interop.md | --write ..]

Each row is one logon and has one right outcome. It must be what our program says,
what Samba's audit log says, and what `ntlm explain` says of the bytes that went
over the wire: response, MIC, every signature, every encrypted packet.

Ends with 1 if a row failed, or if the page does not show the rows as they are.
"""
import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import smbd  # noqa: E402

ROW_SECONDS = 30
PASSWORDS = {name: password for name, password, _ in smbd.ACCOUNTS}
LEVELS = {"NTLMv2": (), "NTLMv1-ESS": ("--insecure-level", "1"),
          "NTLMv1": ("--insecure-level", "0"), "NTLMv1 alone": ("--insecure-level", "2")}
DIALECTS = ("2.0.2", "2.1", "3.0", "3.0.2", "3.1.1")

SERVERS = {
    "plain": {"server_signing": "auto"},
    "signing": {"server_signing": "mandatory"},
    "encrypting": {"server_smb_encrypt": "required", "server_min_protocol": "SMB3_00"},
    "old": {"server_max_protocol": "SMB2_02"},
    "strict": {"ntlm_auth": "ntlmv2-only", "raw_NTLMv2_auth": "no", "lanman_auth": "no"},
}


@dataclass
class Row:
    """One logon and what must come of it; None is not asked."""

    kind: str
    name: str
    args: tuple = ()
    server: str = "plain"
    user: str | None = "alice"
    password: str | None = None  # what is typed, if not the account's
    share: str = "data"
    netbios: bool = False
    code: int = 0
    dialect: str | None = None
    facts: dict = field(default_factory=dict)  # of "negotiated" and "session"
    proved: dict = field(default_factory=dict)
    status: str | None = None
    error: str | None = None
    logged: tuple | None = None  # passwordType and status in Samba's log
    response: str | None = "valid"  # what explain must say
    signed: bool = False
    encrypted: bool = False


OK = "NT_STATUS_OK"


def rows():
    yield from dialects()
    yield from algorithms()
    yield from servers()
    yield from accounts()
    yield from weak()


def dialects():
    for dialect in ("1",) + DIALECTS:
        for demand in ((), ("--sign",)):
            name = dialect + (" signing demanded" if demand else "")
            yield Row("dialect", name, ("--dialect", dialect) + demand, dialect=dialect,
                      facts={"version": "NTLMv2", "protection": "signed", "identity": "account"},
                      proved={"server": True, "mech_list_mic": True},
                      logged=("NTLMv2", OK), signed=True)
        if dialect >= "3":
            yield Row("dialect", f"{dialect} encryption demanded",
                      ("--dialect", dialect, "--encrypt"), dialect=dialect,
                      facts={"protection": "encrypted"}, logged=("NTLMv2", OK), encrypted=True)
            yield Row("dialect", f"{dialect} share demands encryption", ("--dialect", dialect),
                      share="secret", dialect=dialect,
                      facts={"protection": "signed",
                             "share": {"name": "secret", "encrypted": True}},
                      logged=("NTLMv2", OK), encrypted=True)
        else:
            yield Row("dialect", f"{dialect} has no encryption",
                      ("--dialect", dialect, "--encrypt"), code=1,
                      error="encryption is not available", response=None)
    yield Row("dialect", "1 to 3.1.1 by an SMB1 negotiate", ("--dialect", "1-3.1.1"),
              dialect="3.1.1", logged=("NTLMv2", OK), signed=True)
    yield Row("dialect", "2.0.2 by an SMB1 negotiate",
              ("--dialect", "2.0.2", "--multi-protocol"), dialect="2.0.2",
              logged=("NTLMv2", OK), signed=True)
    yield Row("dialect", "2.1 to 3.0.2 by an SMB1 negotiate",
              ("--dialect", "2.1-3.0.2", "--multi-protocol"), dialect="3.0.2",
              proved={"negotiate_info": True}, logged=("NTLMv2", OK), signed=True)
    yield Row("dialect", "1 to 3.1.1 by an SMB1 negotiate, a server of 2.0.2",
              ("--dialect", "1-3.1.1"), server="old", dialect="2.0.2",
              proved={"negotiate_info": False}, logged=("NTLMv2", OK), signed=True)
    yield Row("dialect", "2.0.2 to 3.1.1, a server of 2.0.2", server="old", dialect="2.0.2",
              proved={"negotiate_info": False}, logged=("NTLMv2", OK), signed=True)
    yield Row("dialect", "2.0.2 to 3.0", ("--dialect", "2.0.2-3.0"), dialect="3.0",
              proved={"negotiate_info": True}, logged=("NTLMv2", OK), signed=True)
    for dialect in ("1", "3.1.1"):
        yield Row("dialect", f"{dialect} over NetBIOS", ("--dialect", dialect, "--netbios"),
                  netbios=True, dialect=dialect, logged=("NTLMv2", OK), signed=True)


def algorithms():
    for algorithm in ("HMAC-SHA256", "AES-CMAC", "AES-GMAC"):
        yield Row("signing", f"3.1.1 {algorithm}", ("--signing-algorithm", algorithm.lower()),
                  dialect="3.1.1", facts={"signing_algorithm": algorithm},
                  logged=("NTLMv2", OK), signed=True)
    for cipher in ("AES-128-CCM", "AES-128-GCM", "AES-256-CCM", "AES-256-GCM"):
        yield Row("cipher", f"3.1.1 {cipher}", ("--cipher", cipher.lower(), "--encrypt"),
                  dialect="3.1.1", facts={"cipher": cipher, "protection": "encrypted"},
                  logged=("NTLMv2", OK), encrypted=True)


def servers():
    for dialect in ("1",) + DIALECTS:
        yield Row("server requires signing", dialect, ("--dialect", dialect), server="signing",
                  dialect=dialect, facts={"server_signing": "required", "protection": "signed"},
                  logged=("NTLMv2", OK), signed=True)
    for dialect in ("3.0", "3.0.2", "3.1.1"):
        yield Row("server requires encryption", dialect, ("--dialect", dialect),
                  server="encrypting", dialect=dialect, facts={"protection": "encrypted"},
                  logged=("NTLMv2", OK), encrypted=True)
    yield Row("server requires encryption", "2.1, which has none, is refused",
              ("--dialect", "2.1"), server="encrypting", code=1,
              error="server has no dialect in common", response=None)
    yield Row("server requires signing", "anonymous, unsigned all the same", server="signing",
              user=None, share="IPC$", facts={"identity": "anonymous", "protection": "none"},
              logged=(None, OK), response="absent")


def accounts():
    for user, says in (("carla", "password outside ASCII"), ("dmitri", "password with emoji"),
                       ("longpw", "long password"), ("emptypw", "empty password"),
                       ("mixedcase", "name in another case")):
        for dialect in ("1", "2.1", "3.1.1"):
            yield Row("account", f"{says}, {dialect}", ("--dialect", dialect), user=user,
                      dialect=dialect, logged=("NTLMv2", OK), signed=True)
    yield Row("account", "with a domain", user="OTHER;alice", logged=("NTLMv2", OK), signed=True)
    for dialect in ("1", "3.1.1"):
        only = ("--dialect", dialect)
        yield Row("refused", f"wrong password, {dialect}", only, password="Looking-Glass-43",
                  code=1, status="STATUS_LOGON_FAILURE",
                  logged=("NTLMv2", "NT_STATUS_WRONG_PASSWORD"), response="invalid")
        yield Row("refused", f"disabled account, {dialect}", only, user="daisy", code=1,
                  status="STATUS_ACCOUNT_DISABLED",
                  logged=("NTLMv2", "NT_STATUS_ACCOUNT_DISABLED"))
        yield Row("refused", f"password must change, {dialect}", only, user="mustchg", code=1,
                  status="STATUS_PASSWORD_MUST_CHANGE",
                  logged=("NTLMv2", "NT_STATUS_PASSWORD_MUST_CHANGE"))
        yield Row("refused", f"no such share, {dialect}", only, share="nowhere", code=1,
                  dialect=dialect, status="STATUS_BAD_NETWORK_NAME", logged=("NTLMv2", OK),
                  signed=True)
        yield Row("anonymous", dialect, only, user=None, share="pub",
                  facts={"identity": "anonymous", "protection": "none"},
                  proved={"server": False}, logged=(None, OK), response="absent")
        yield Row("anonymous", f"refused where signing is demanded, {dialect}",
                  only + ("--sign",), user=None, share="pub", code=1,
                  error="signing is not available", response=None)
        yield Row("guest", dialect, only + ("--insecure-allow-guest",), user="nobody-here",
                  password="x", share="pub", facts={"identity": "guest", "protection": "none"},
                  proved={"server": False}, logged=("NTLMv2", "NT_STATUS_NO_SUCH_USER"),
                  response=None)
        yield Row("guest", f"refused unless allowed, {dialect}", only, user="nobody-here",
                  password="x", share="pub", code=1,
                  error="server let the account in as guest or as nobody",
                  logged=("NTLMv2", "NT_STATUS_NO_SUCH_USER"), response=None)


def weak():
    for dialect in ("1", "2.1", "3.0.2", "3.1.1"):
        for version in ("NTLMv1-ESS", "NTLMv1"):
            yield Row("weak", f"{version}, {dialect}", ("--dialect", dialect) + LEVELS[version],
                      dialect=dialect, facts={"version": version, "protection": "signed"},
                      logged=("NTLMv1", OK), signed=True)
    yield Row("weak", "NTLMv1-ESS, encrypted", LEVELS["NTLMv1-ESS"] + ("--encrypt",),
              dialect="3.1.1", facts={"version": "NTLMv1-ESS"}, logged=("NTLMv1", OK),
              encrypted=True)
    yield Row("weak", "NTLMv1 is refused by a server of NTLMv2", LEVELS["NTLMv1"],
              server="strict", code=1,
              status="STATUS_LOGON_FAILURE", logged=("NTLMv1", "NT_STATUS_WRONG_PASSWORD"))
    bare = ("--dialect", "1", "--insecure-bare-session-setup")
    for version, level in LEVELS.items():
        if version != "NTLMv1-ESS":
            yield Row("SMB1 without extended security", version, bare + level, dialect="1",
                      facts={"version": version.split()[0], "smb_extended_security": False,
                             "protection": "none"},
                      logged=(version.split()[0], OK))
    yield Row("SMB1 without extended security",
              "refused where signing is demanded, which Samba does not do", bare + ("--sign",),
              code=1, error="signature does not hold", logged=("NTLMv2", OK))
    yield Row("SMB1 without extended security", "anonymous", bare, user=None, share="pub",
              facts={"identity": "anonymous", "protection": "none"},
              logged=("No-Password", OK), response=None)
    yield Row("SMB1 without extended security", "guest", bare + ("--insecure-allow-guest",),
              user="nobody-here", password="x", share="pub",
              facts={"identity": "guest", "protection": "none"},
              logged=("NTLMv2", "NT_STATUS_NO_SUCH_USER"), response=None)
    yield Row("SMB1 without extended security", "wrong password", bare, password="x", code=1,
              status="STATUS_LOGON_FAILURE", logged=("NTLMv2", "NT_STATUS_WRONG_PASSWORD"),
              response="invalid")
    yield Row("SMB1 without extended security",
              "NTLMv2 is refused where Samba takes no raw one", bare,
              server="strict", code=1, status="STATUS_INVALID_PARAMETER", logged=None)


class Failed(Exception):
    """What is not as it must be."""


def same(what, found, expected):
    if found != expected:
        raise Failed(f"{what}: {found!r}, not {expected!r}")


def run(command, environment=None):
    done = subprocess.run(command, capture_output=True, timeout=ROW_SECONDS, text=True,
                          env=environment, stdin=subprocess.DEVNULL)
    if "panicked" in done.stderr:
        raise Failed(done.stderr)
    return done


def check(row, server, ntlm, folder, reports):
    """Runs a row; raises Failed where something is not as it must be."""
    capture = os.path.join(folder, "row.pcapng")
    if os.path.exists(capture):
        os.remove(capture)
    server.authentications()
    port = server.netbios_port if row.netbios else server.port
    who = f"{row.user}@" if row.user else ""
    bare_user = (row.user or "").split(";")[-1]
    password = row.password
    if password is None:
        by_lower = {name.lower(): password for name, password in PASSWORDS.items()}
        password = by_lower.get(bare_user.lower(), "")
    environment = dict(os.environ, NTLM_PASSWORD=password)
    url = f"smb://{who}127.0.0.1:{port}/{row.share}"
    done = run([ntlm, "logon", url, "--json", "--show-keys", "--write-capture", capture,
                *row.args], environment)
    if not done.stdout:
        raise Failed(f"no report: {done.stderr}")
    report = json.loads(done.stdout)
    if reports:
        name = "".join(c if c.isalnum() else "-" for c in f"{row.kind} {row.name}")
        with open(os.path.join(reports, f"{name}.json"), "w", encoding="utf-8") as file:
            file.write(done.stdout)
    failure = report["failure"] or {}
    same("exit code", done.returncode, row.code)
    same("result", report["result"], "refused" if row.code else "accepted")
    if row.status is not None:
        same("status", failure.get("status"), row.status)
    if row.error is not None and row.error not in failure.get("error", ""):
        raise Failed(f"error: {failure.get('error')!r} has no {row.error!r}")
    said = report["negotiated"] | report["session"]
    if row.dialect is not None:
        same("dialect", said["dialect"], row.dialect)
    for name, expected in row.facts.items():
        same(name, said.get(name), expected)
    for name, expected in row.proved.items():
        same(f"proved {name}", report["proved"].get(name), expected)
    if row.logged is not None:
        events = server.authentications()
        if not events:
            raise Failed("Samba's log has no logon")
        same("Samba's log", (events[-1]["passwordType"], events[-1]["status"]), row.logged)
    if row.response is not None:
        explain(row, ntlm, capture, folder, report)


def explain(row, ntlm, capture, folder, report):
    """The bytes of the wire, seen from outside."""
    secrets = os.path.join(folder, "accounts.toml")
    with open(secrets, "w", encoding="utf-8") as file:
        for name, password in PASSWORDS.items():
            file.write(f"[[account]]\nuser = {json.dumps(name)}\npassword = "
                       f"{json.dumps(password, ensure_ascii=False)}\n")
    done = run([ntlm, "explain", capture, "--secrets", secrets, "--json"])
    if not done.stdout:
        raise Failed(f"explain: {done.stderr}")
    exchanges = json.loads(done.stdout)["captures"][0]["exchanges"]
    same("exchanges in the capture", len(exchanges), 1)
    found = exchanges[0]
    same("explain: response", found["response"], row.response)
    if row.response == "valid" and row.facts.get("smb_extended_security", True) \
            and "bare" not in " ".join(row.args) and found["version"] == "NTLMv2":
        same("explain: MIC", found["mic"], "valid")
    if row.dialect is not None:
        spelled = {"1": "NT LM 0.12"}.get(row.dialect, row.dialect)
        same("explain: dialect", found["smb"]["dialect"], spelled)
    smb = found.get("smb") or {}
    signatures = smb.get("signatures", {"valid": 0, "invalid": 0})
    decrypted = smb.get("decrypted", {"ok": 0, "failed": 0})
    same("explain: invalid signatures", signatures["invalid"], 0)
    same("explain: packets that do not open", decrypted["failed"], 0)
    if row.signed and signatures["valid"] < 2:
        raise Failed(f"explain: {signatures['valid']} valid signatures")
    if row.encrypted and decrypted["ok"] < 2:
        raise Failed(f"explain: {decrypted['ok']} decrypted packets")
    if row.signed or row.encrypted:
        # The same keys, from inside and from outside.
        outside = found["keys"] | smb["keys"]
        compared = [name for name in report["keys"]
                    if outside[name]["value"] is not None]
        for name in compared:
            same(f"explain: {name}", outside[name]["value"], report["keys"][name]["value"])
        needed = {"exported_session_key", "mac_key" if row.dialect == "1" else "signing_key"}
        if not needed <= set(compared):
            raise Failed(f"explain: no {needed - set(compared)}")


def free_ports(count):
    """Ports that nobody has now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


BEGIN, END = "<!-- smb_matrix.py begins -->", "<!-- smb_matrix.py ends -->"


def page(passed):
    """The part of docs/interop.md that shows the rows."""
    lines = [BEGIN, f"`smbd` {smbd.version()} (Debian 12), {sum(map(len, passed.values()))} rows:",
             "", "| what | rows that passed |", "|---|---|"]
    lines += [f"| {kind} | {'; '.join(names)} |" for kind, names in passed.items()]
    return "\n".join(lines + [END])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ntlm", required=True, help="the program")
    parser.add_argument("--only", help="rows whose kind or name has this")
    parser.add_argument("--check", metavar="PAGE", help="fail unless the page shows these rows")
    parser.add_argument("--write", metavar="PAGE", help="write the rows into the page")
    parser.add_argument("--reports", metavar="FOLDER", help="keep the JSON of each row there")
    parser.add_argument("--list", action="store_true", help="print the rows and end")
    options = parser.parse_args()
    chosen = [row for row in rows()
              if not options.only or options.only in f"{row.kind}: {row.name}"]
    if options.list:
        print("\n".join(f"{row.kind}: {row.name}" for row in chosen))
        return 0
    passed, failed = {}, 0
    with tempfile.TemporaryDirectory(prefix="ntlm-smb-matrix-") as folder:
        for number, (name, settings) in enumerate(SERVERS.items()):
            of_server = [row for row in chosen if row.server == name]
            if not of_server:
                continue
            port, netbios_port = free_ports(2)
            home = os.path.join(folder, str(number))
            with smbd.Smbd(home, port, netbios_port, **settings) as server:
                for row in of_server:
                    try:
                        check(row, server, os.path.abspath(options.ntlm), folder, options.reports)
                        row.passed = True
                    except (Failed, subprocess.TimeoutExpired) as why:
                        row.passed = False
                        failed += 1
                        print(f"FAILED {row.kind}: {row.name}: {why}", flush=True)
    for row in chosen:
        if row.passed:
            passed.setdefault(row.kind, []).append(row.name)
    print(f"smb: {len(chosen) - failed} of {len(chosen)} rows passed")
    if failed or options.only:
        return 1 if failed else 0
    target = options.check or options.write
    if target:
        with open(target, encoding="utf-8") as file:
            text = file.read()
        before, _, rest = text.partition(BEGIN)
        _, _, after = rest.partition(END)
        new = before + page(passed) + after
        if options.write:
            with open(target, "w", encoding="utf-8") as file:
                file.write(new)
        elif new != text:
            print(f"{target} does not show the rows as they are: run with --write")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
