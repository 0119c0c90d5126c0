#!/usr/bin/env python3
"""Lets a real domain controller judge: `ntlm logon netlogon://`, and `ntlm serve smb --machine` before
other people's clients.

  dc_matrix.py --ntlm target/debug/ntlm --folder DIR [--only NAME] [--check docs/interop.md | --write ..]

Each logon has one right outcome. It must be what our program says and what the controller's audit log
says; behind `ntlm serve smb` also what the client was told, and a file that it writes and reads under
signatures or encryption shows that both ends have the same key. Needs root. DIR keeps the domain.

Ends with 1 if a row failed, or if the page does not show the rows as they are.
"""
import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import dc_serve  # noqa: E402
import smbd  # noqa: E402
import torture  # noqa: E402
from dc import LENIENT, ROW_SECONDS, STRICT, Controller, Failed, Secrets, same  # noqa: E402
from dc_logon import log_on, logons  # noqa: E402
from dc_outage import outage, taken_away  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
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
        dc_serve.run(keys, rows, controller, secrets, ntlm, folder)
    if rows.wanted("README", "its commands"):
        controller.start(STRICT)
        rows.run("README", "its commands", readme, controller, ntlm)
    name = "a channel that another by the same name takes away"
    if rows.wanted("controller", name):
        controller.start(STRICT)
        rows.run("controller", name, taken_away, controller, secrets, ntlm, folder)
    ways = {
        "stopped and started twice while clients log on":
            (controller.stop, lambda: controller.start(STRICT), 2, 2),
        "frozen while clients log on":
            (lambda: controller.signal(signal.SIGSTOP), lambda: controller.signal(signal.SIGCONT), 7, 1),
    }
    for name, way in ways.items():
        if rows.wanted("controller", name):
            controller.start(STRICT)
            rows.run("controller", name, outage, *way, controller, secrets, ntlm, folder)


if __name__ == "__main__":
    sys.exit(main())
