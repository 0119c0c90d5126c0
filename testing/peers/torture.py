"""smbtorture against `ntlm serve smb`, and beside it against a real smbd.

  torture.py --ntlm target/debug/ntlm [--only NAME] [--check docs/interop.md | --write ..]

Needs root for smbd, and Debian's samba, samba-testsuite and libnss-wrapper. A test that does not pass
against us is a failure unless EXPECTED names the line at which it stops; a test named there that
passes is a failure too.
"""
import argparse
import os
import re
import socket
import subprocess
import sys
import tempfile

import smbd

ACCOUNT = "alice%Wonderland-42"
TEST_SECONDS = 60

# Tests by the group in which the page shows them, and what our server needs for them.
NEEDS_ANONYMOUS = ["insecure-anonymous", "insecure-weak-keys"]
GROUPS = [
    ("two_logoff", ["smb2.session.two_logoff"], []),
    ("reconnect1, reconnect2", ["smb2.session.reconnect1", "smb2.session.reconnect2"], []),
    ("reauth1, reauth6", ["smb2.session.reauth1", "smb2.session.reauth6"], []),
    ("reauth2", ["smb2.session.reauth2"], NEEDS_ANONYMOUS),
    ("signing-*", r"smb2\.session\.signing-", []),
    ("encryption-*", r"smb2\.session\.encryption-", []),
    ("bind1, bind2", ["smb2.session.bind1", "smb2.session.bind2"], []),
    ("bind_negative_*", r"smb2\.session\.bind_negative_", []),
    ("ntlmssp_bug14932", ["smb2.session.ntlmssp_bug14932"], []),
    ("smb2.session-id", ["smb2.session-id"], []),
    ("smb2.session-require-signing", ["smb2.session-require-signing"], ["require-signing"]),
]

# What does not pass against us: test, and where it stops.
EXPECTED = {}

BEGIN, END = "<!-- torture.py begins -->", "<!-- torture.py ends -->"


class Ours:
    """`ntlm serve smb` on a free port, which ends with the block."""

    def __init__(self, ntlm, policies, accounts):
        self.command = [ntlm, "serve", "smb", "--listen", "127.0.0.1:0", "--accounts", accounts]
        for policy in policies:
            self.command += ["--policy", policy]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", line)
        if not found:
            self.process.kill()
            raise RuntimeError(f"not ready: {line!r}")
        self.port = int(found.group(1))
        return self

    def __exit__(self, *_):
        self.process.terminate()
        # Whatever it printed is read, so that it can end.
        self.rest, _ = self.process.communicate(timeout=15)
        if self.process.returncode != 0:
            raise RuntimeError(f"ntlm serve ended with {self.process.returncode}")


def listed():
    """Every test that this smbtorture has, without the suite's name behind it."""
    printed = subprocess.run(["smbtorture", "--list"], capture_output=True, text=True, timeout=60)
    names = re.findall(r"^(smb2\.session\S*)$", printed.stdout, re.MULTILINE)
    return sorted({re.sub(r"\.([^.]+)\.\1$", r".\1", name) for name in names})


def run(port, test):
    """None if it passes, else where it stops."""
    done = subprocess.run(
        ["smbtorture", "//127.0.0.1/data", "-p", str(port), "-U", ACCOUNT, test],
        capture_output=True, text=True, timeout=TEST_SECONDS)
    printed = done.stdout + done.stderr
    if done.returncode == 0 and re.search(r"^success: ", printed, re.MULTILINE):
        return None
    skipped = re.search(r"^skip: (.*)", printed, re.MULTILINE)
    if skipped:
        return f"skipped: {skipped.group(1)}"
    where = re.search(r"([a-z]+\.c:\d+): (.*?)\]?$", printed, re.MULTILINE)
    return f"{where.group(1)}: {where.group(2)}" if where else f"exit code {done.returncode}"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ntlm", required=True)
    parser.add_argument("--only")
    parser.add_argument("--check", metavar="PAGE", help="fail unless the page shows this")
    parser.add_argument("--write", metavar="PAGE", help="write it into the page")
    options = parser.parse_args()
    root = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
    accounts = os.path.join(root, "testdata/accounts.toml")
    ntlm, known = os.path.abspath(options.ntlm), listed()
    rows, failures = [], []
    for label, names, policies in GROUPS:
        if isinstance(names, str):
            names = [name for name in known if re.match(names, name)]
        names = [name for name in names if not options.only or options.only in name]
        if not names:
            continue
        with Ours(ntlm, policies, accounts) as server:
            ours = {name: run(server.port, name) for name in names}
        with tempfile.TemporaryDirectory(prefix="ntlm-torture-") as folder:
            os.chmod(folder, 0o755)
            signing = "mandatory" if "require-signing" in policies else "auto"
            with smbd.Smbd(os.path.join(folder, "smbd"), free_port(), server_signing=signing,
                           map_archive="yes", oplocks="yes",
                           server_multi_channel_support="yes") as server:
                theirs = {name: run(server.port, name) for name in names}
        for name in names:
            print(f"{name}: {ours[name] or 'passes'} | smbd: {theirs[name] or 'passes'}", flush=True)
            if ours[name] != EXPECTED.get(name):
                failures.append(f"{name}: {ours[name]}")
        rows.append((label, policies, ours, theirs))
    page = table(rows)
    if failures:
        sys.exit("\n".join(["not as expected:"] + failures))
    if options.check or options.write:
        show(options, page)


def table(rows):
    version = smbd.version()
    lines = ["", f"| smbtorture {version} | `ntlm serve smb` | smbd {version} |", "|---|---|---|"]
    stops = []
    for label, policies, ours, theirs in rows:
        counts = []
        for who, results in (("ntlm", ours), ("smbd", theirs)):
            passed = sum(result is None for result in results.values())
            counts.append(f"{passed} of {len(results)}")
            for name, result in results.items():
                if result is not None:
                    stops.append(f"- {who}, `{name}`: {result}")
        needs = ", ".join(f"`{policy}`" for policy in policies)
        lines.append(f"| {label} | {counts[0]}{' with ' + needs if needs else ''} | {counts[1]} |")
    if stops:
        lines += ["", "What does not pass stops there:", ""] + stops
    return "\n".join(lines + ["", ""])


def show(options, page):
    path = options.check or options.write
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, rest = text.split(BEGIN)
    shown, after = rest.split(END)
    if options.check and shown != page:
        sys.exit(f"{path} shows something else; write it with --write")
    if options.write:
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{before}{BEGIN}{page}{END}{after}")


if __name__ == "__main__":
    main()
