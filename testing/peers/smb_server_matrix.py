"""Other people's SMB clients against `ntlm serve smb`: smbclient, impacket, smbprotocol.

  smb_server_matrix.py --ntlm target/debug/ntlm [--only NAME] [--check docs/interop.md | --write ..]

Each row is one logon with the right password, a file written, read and compared, or one with a wrong
password; the record that our server prints must say the same. What went over the wire goes through
`ntlm explain`: every response, MIC, signature and encrypted packet must hold.
"""
import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import uuid

from torture import show as show_page
import torture

USER, PASSWORD = "alice", "Wonderland-42"
CONTENT = b"through the looking-glass " * 4000  # more than one READ
SECONDS = 30

SMB1 = "1"
DIALECTS = {"2.0.2": "SMB2_02", "2.1": "SMB2_10", "3.0": "SMB3_00", "3.0.2": "SMB3_02",
            "3.1.1": "SMB3_11"}
BEGIN, END = "<!-- smb_server_matrix.py begins -->", "<!-- smb_server_matrix.py ends -->"


class Refused(Exception):
    """The client was told this status instead of being let in."""


def smbclient(port, password, folder, dialect, protection=None, signing=None, cipher=None,
              spnego=True, user=USER, ntlmv1=None, workstation=None, file="file"):
    def path(name):
        return os.path.join(folder, name)
    with open(path("sent"), "wb") as sent:
        sent.write(CONTENT)
    name = DIALECTS.get(dialect, "NT1")
    # For its length smbclient asks SMB1 servers in a way that ours does not know.
    get = "" if dialect == SMB1 else f"get {file} received; allinfo {file}"
    command = ["smbclient", "//127.0.0.1/data", "-p", str(port), "-U", f"{user}%{password}",
               "-m", name, f"--option=client min protocol={name}",
               "-c", f"lcd {folder}; put sent {file}; {get}"]
    if workstation:
        command.append(f"--netbiosname={workstation}")
    if not spnego:
        command.append("--option=client use spnego=no")
    if ntlmv1:
        command.append("--option=client ntlmv2 auth=no")
    if ntlmv1 == "alone":
        # Its mechListMIC is wrong without extended session security; so it is to send none.
        command.append("--option=ntlmssp_client:ntlm2=no")
        command.append("--option=ntlmssp_client:force_old_spnego=yes")
    if protection:
        command.append(f"--client-protection={protection}")
    if signing:
        command.append(f"--option=client smb3 signing algorithms={signing}")
    if cipher:
        command.append(f"--option=client smb3 encryption algorithms={cipher}")
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    refused = re.search(r"session setup failed: NT_(STATUS_\w+)", done.stdout + done.stderr)
    if refused:
        raise Refused(refused.group(1))
    if dialect == SMB1:
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
        return
    with open(path("received"), "rb") as got:
        received = got.read()
    os.remove(path("received"))
    if received != CONTENT:
        raise RuntimeError(f"another file: {done.stdout}{done.stderr}")


def policies():
    """Servers of other policies: policy, smbclient's arguments, its exit code, and what the record says
    in the end."""
    anonymous, guest = ["insecure-anonymous", "insecure-weak-keys"], ["insecure-guest"]
    for dialect, name in [(SMB1, "NT1"), ("2.0.2", "SMB2_02"), ("3.1.1", "SMB3_11")]:
        base = ["-m", name, "--option=client min protocol=NT1"]
        nobody, stranger = ["-N", *base], ["-U", "unheard-of%x", *base]
        yield f"anonymous {dialect}", anonymous, "IPC$", nobody, 0, \
            {"identity": "anonymous", "relaxed": ["anonymous logon"]}
        yield f"anonymous {dialect} gets no files", anonymous, "data", nobody, 1, \
            {"identity": "anonymous"}
        yield f"anonymous {dialect} not allowed", [], "IPC$", nobody, 1, {"result": "refused"}
        yield f"guest {dialect}", guest, "data", stranger, 0, \
            {"identity": "guest", "relaxed": ["unknown account as guest"]}
        yield f"guest {dialect} not allowed", [], "data", stranger, 1, {"result": "refused"}
    for dialect, name in [(SMB1, "NT1"), ("3.1.1", "SMB3_11")]:
        base = ["-m", name, "--option=client min protocol=NT1"]
        for kind, user, password in [("not ASCII", "carla", "Grüße-Ωμέγα-雪"),
                                     ("emoji", "dmitri", "ключ-🔑-Passwort")]:
            yield f"password {kind} {dialect}", [], "data", ["-U", f"{user}%{password}", *base], 0, \
                {"result": "accepted", "version": "NTLMv2"}
            yield f"password {kind} {dialect}, another", [], "data", ["-U", f"{user}%{password}x", *base], \
                1, {"result": "refused", "status": "STATUS_LOGON_FAILURE"}
        old = ["-U", "bob%Hunter2!", "--option=client ntlmv2 auth=no", *base]
        yield f"NTLMv1 with ESS {dialect}", ["insecure-ntlmv1"], "data", old, 0, \
            {"result": "accepted", "version": "NTLMv1-ESS", "relaxed": ["NTLMv1 response"]}
        yield f"NTLMv1 with ESS {dialect} not allowed", [], "data", old, 1, {"result": "refused"}
    for dialect, code, expected in [
            ("2.1", 1, {"result": "refused", "status": "STATUS_ACCESS_DENIED"}),
            ("3.0", 0, {"encrypted": True}), ("3.1.1", 0, {"encrypted": True})]:
        alice = ["-U", f"{USER}%{PASSWORD}", "-m", DIALECTS[dialect]]
        yield f"encryption required {dialect}", ["require-encryption"], "data", alice, code, expected


def run_policy(ntlm, accounts, given, share, arguments, code, expected):
    """What is wrong with a row; None if nothing."""
    with Server(ntlm, accounts, given) as server:
        done = subprocess.run(
            ["smbclient", f"//127.0.0.1/{share}", "-p", str(server.port), *arguments, "-c", "exit"],
            capture_output=True, text=True, timeout=SECONDS)
    records = [json.loads(line) for line in server.rest.splitlines()]
    record = [record for record in records if record["event"] == "logon"][-1]
    wrong = {name: record.get(name) for name in expected if record.get(name) != expected[name]}
    if (done.returncode, wrong) != (code, {}):
        return f"exit code {done.returncode}, record says {wrong}: {done.stdout}{done.stderr}"
    return None


def impacket(port, password, _folder, dialect, user=USER):
    import io
    from impacket.smbconnection import SessionError, SMBConnection
    number = {SMB1: "NT LM 0.12", "2.0.2": 0x0202, "2.1": 0x0210, "3.0": 0x0300, "3.1.1": 0x0311}[dialect]
    client = SMBConnection("127.0.0.1", "127.0.0.1", sess_port=port, timeout=SECONDS,
                           preferredDialect=number)
    domain, _, name = user.rpartition("\\")
    try:
        client.login(name, password, domain)
    except SessionError as error:
        raise Refused(status_name(error.getErrorCode())) from error
    if dialect == SMB1:
        client.connectTree("data")
        client.logoff()
        return
    client.putFile("data", "impacket", io.BytesIO(CONTENT).read)
    received = io.BytesIO()
    client.getFile("data", "impacket", received.write)
    client.logoff()
    if received.getvalue() != CONTENT:
        raise RuntimeError("another file")


def impacket_lmv2(*arguments, **options):
    """impacket with the LMv2 response only, from which the key comes then."""
    from unittest import mock
    from impacket import ntlm

    def respond(_flags, server_challenge, client_challenge, _names, domain, user, password, *_, **__):
        key = ntlm.NTOWFv2(user, password, domain)
        proof = ntlm.hmac_md5(key, server_challenge + client_challenge)
        return b"", proof + client_challenge, ntlm.hmac_md5(key, proof)

    with mock.patch.object(ntlm, "computeResponse", respond):
        impacket(*arguments, **options)


def smbprotocol(port, password, _folder, dialect, encrypts=False, user=USER):
    from smbprotocol.connection import Connection, Dialects
    from smbprotocol.exceptions import SMBResponseException
    from smbprotocol.open import (CreateDisposition, CreateOptions, FileAttributes,
                                  FilePipePrinterAccessMask, ImpersonationLevel, Open, ShareAccess)
    from smbprotocol.session import Session
    from smbprotocol.tree import TreeConnect
    number = {"2.0.2": Dialects.SMB_2_0_2, "2.1": Dialects.SMB_2_1_0, "3.0": Dialects.SMB_3_0_0,
              "3.0.2": Dialects.SMB_3_0_2, "3.1.1": Dialects.SMB_3_1_1}[dialect]
    connection = Connection(uuid.uuid4(), "127.0.0.1", port, require_signing=True)
    connection.connect(dialect=number, timeout=SECONDS)
    try:
        session = Session(connection, user, password, require_encryption=encrypts,
                          auth_protocol="ntlm")
        try:
            session.connect()
        except SMBResponseException as error:
            raise Refused(status_name(error.status)) from error
        tree = TreeConnect(session, r"\\127.0.0.1\data")
        tree.connect()
        file = Open(tree, "smbprotocol")
        access = FilePipePrinterAccessMask.GENERIC_READ | FilePipePrinterAccessMask.GENERIC_WRITE
        file.create(ImpersonationLevel.Impersonation, access, FileAttributes.FILE_ATTRIBUTE_NORMAL,
                    ShareAccess.FILE_SHARE_READ, CreateDisposition.FILE_OVERWRITE_IF,
                    CreateOptions.FILE_NON_DIRECTORY_FILE)
        content = CONTENT[:60000]
        file.write(content, 0)
        received = file.read(0, len(content))
        file.close()
        session.disconnect()
        if received != content:
            raise RuntimeError("another file")
    finally:
        connection.disconnect(close=False)


def status_name(code):
    from impacket.nt_errors import ERROR_MESSAGES
    return ERROR_MESSAGES[code][0]


def rows():
    """Client, what the row is called, how to run it, and what the record must say."""
    for dialect in DIALECTS:
        expected = {"dialect": dialect, "version": "NTLMv2", "mic": "valid", "relaxed": []}
        yield "smbclient", f"{dialect} signed", smbclient, \
            {"dialect": dialect, "protection": "sign"}, dict(expected, signing_required=True)
        if dialect >= "3":
            yield "smbclient", f"{dialect} encrypted", smbclient, \
                {"dialect": dialect, "protection": "encrypt"}, expected
        yield "smbprotocol", f"{dialect} signed", smbprotocol, {"dialect": dialect}, expected
        if dialect >= "3":
            yield "smbprotocol", f"{dialect} encrypted", smbprotocol, \
                {"dialect": dialect, "encrypts": True}, expected
        if dialect != "3.0.2":
            # impacket sends no MIC.
            yield "impacket", dialect, impacket, {"dialect": dialect}, dict(expected, mic="absent")
    smb1 = {"dialect": SMB1, "version": "NTLMv2", "relaxed": []}
    for protection, signs in (("off", False), ("sign", True)):
        how = "signed" if signs else "not signed by wish"
        yield "smbclient", f"1 {how}", smbclient, {"dialect": SMB1, "protection": protection}, \
            dict(smb1, mic="valid")
        yield "smbclient", f"1 without extended security, {how}", smbclient, \
            {"dialect": SMB1, "protection": protection, "spnego": False}, \
            dict(smb1, mic="absent", relaxed=["responses without NTLM messages"])
    yield "impacket", SMB1, impacket, {"dialect": SMB1}, dict(smb1, mic="absent")
    for signing, algorithm in (("HMAC-SHA256", "HMAC-SHA256"), ("AES-128-CMAC", "AES-CMAC"),
                               ("AES-128-GMAC", "AES-GMAC")):
        yield "smbclient", f"3.1.1 {algorithm}", smbclient, \
            {"dialect": "3.1.1", "protection": "sign", "signing": signing}, \
            {"signing_algorithm": algorithm}
    for cipher in ("AES-128-CCM", "AES-128-GCM", "AES-256-CCM", "AES-256-GCM"):
        yield "smbclient", f"3.1.1 {cipher}", smbclient, \
            {"dialect": "3.1.1", "protection": "encrypt", "cipher": cipher}, {"cipher": cipher}


def run(server, folder, call, options, expected, password):
    """What is wrong with a row; None if nothing."""
    refused = None
    try:
        call(server.port, password, folder, **options)
    except Refused as error:
        refused = str(error)
    record = {}
    while record.get("event") != "logon":
        record = json.loads(server.process.stdout.readline())
    if password != PASSWORD:
        expected = {"result": "refused", "status": "STATUS_LOGON_FAILURE"}
    else:
        expected = dict(expected, result="accepted", identity="account")
    if refused != expected.get("status"):
        return f"the client was told {refused}"
    wrong = {name: record.get(name) for name in expected if record.get(name) != expected[name]}
    return f"record says {wrong}" if wrong else None


class Server(torture.Ours):
    """One that prints JSON."""

    def __init__(self, ntlm, accounts, policies):
        super().__init__(ntlm, policies, accounts)
        self.command += ["--json", "--dialect", "1-3.1.1"]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        address = json.loads(self.process.stdout.readline())["address"]
        self.port = int(address.rsplit(":", 1)[1])
        return self


class Capture:
    """What goes over the loopback, as far as a filter of libpcap lets it through."""

    def __init__(self, wanted, path):
        self.wanted, self.path = wanted, path

    def __enter__(self):
        self.process = subprocess.Popen(
            ["tshark", "-q", "-i", "lo", "-f", self.wanted, "-w", self.path],
            stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "Capturing on" in line:
                break
        # It says so a little before it does.
        time.sleep(1)
        return self

    def __exit__(self, *_):
        time.sleep(1)
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=15)


def explained(ntlm, path, accounts, wanted):
    """What `ntlm explain` finds wrong with the capture of `wanted` logons; None if nothing."""
    done = subprocess.run([ntlm, "explain", path, "--json", "--secrets", accounts],
                          capture_output=True, text=True, timeout=120)
    exchanges = json.loads(done.stdout)["captures"][0]["exchanges"]
    if len(exchanges) != wanted:
        return f"{len(exchanges)} exchanges, {wanted} expected"
    for exchange in exchanges:
        accepted = exchange["outcome"]["result"] == "accepted"
        if (exchange["response"] == "valid") != accepted or exchange["mic"] == "invalid" and accepted:
            return f"exchange {exchange['id']}: response {exchange['response']}"
        smb = exchange.get("smb", {})
        if smb.get("signatures", {}).get("invalid") or smb.get("decrypted", {}).get("failed"):
            return f"exchange {exchange['id']}: {smb['signatures']} {smb['decrypted']}"
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ntlm", required=True)
    parser.add_argument("--only")
    parser.add_argument("--check", metavar="PAGE", help="fail unless the page shows these rows")
    parser.add_argument("--write", metavar="PAGE", help="write the rows into the page")
    options = parser.parse_args()
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
    accounts, ntlm = os.path.join(root, "testdata/accounts.toml"), os.path.abspath(options.ntlm)
    wanted = [row for row in rows() if not options.only or options.only in f"{row[0]} {row[1]}"]
    passed, failures, logons = {}, [], 0
    with tempfile.TemporaryDirectory(prefix="ntlm-serve-") as folder:
        capture = os.path.join(folder, "run.pcapng")
        with Server(ntlm, accounts, ["insecure-bare-session-setup"]) as server, \
                Capture(f"tcp port {server.port}", capture):
            for client, name, call, arguments, expected in wanted:
                for password in (PASSWORD, "wrong"):
                    label = name if password == PASSWORD else f"{name}, wrong password"
                    try:
                        wrong = run(server, folder, call, arguments, expected, password)
                    except Exception as error:  # a client's own trouble is a failed row
                        wrong = f"{type(error).__name__}: {error}"
                    logons += 1
                    print(f"{'ok  ' if wrong is None else 'FAIL'} {client} {label} {wrong or ''}",
                          flush=True)
                    if wrong is None:
                        passed.setdefault(client, []).append(label)
                    else:
                        failures.append(f"{client} {label}: {wrong}")
        for name, given, *row in policies():
            if options.only and options.only not in f"smbclient {name}":
                continue
            wrong = run_policy(ntlm, accounts, given, *row)
            print(f"{'ok  ' if wrong is None else 'FAIL'} smbclient {name} {wrong or ''}", flush=True)
            if wrong is None:
                passed.setdefault("policy", []).append(name)
            else:
                failures.append(f"smbclient {name}: {wrong}")
        if not failures:
            wrong = explained(ntlm, capture, accounts, logons)
            failures += [f"explain: {wrong}"] if wrong else []
    if failures:
        sys.exit("\n".join(["failed:"] + failures))
    print(f"{logons} logons, all as expected, explain agrees")
    if options.check or options.write:
        torture.BEGIN, torture.END = BEGIN, END
        show_page(options, page(passed))


def page(passed):
    lines = ["", "| client | rows that passed, each with the right and with a wrong password |",
             "|---|---|"]
    of_policies = passed.pop("policy", [])
    for client, names in sorted(passed.items()):
        right = [name for name in names if not name.endswith(", wrong password")]
        lines.append(f"| {client} {version(client)} | {'; '.join(right)} |")
    lines += ["", f"smbclient under other policies: {'; '.join(of_policies)}.", ""]
    return "\n".join(lines)


def version(client):
    if client == "smbclient":
        import smbd
        return smbd.version()
    import importlib.metadata
    return importlib.metadata.version(client)


if __name__ == "__main__":
    main()
