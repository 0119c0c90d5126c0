"""What the rows of dc_matrix.py share: the controller with its audit log, files of secrets, and an
address at which there is nobody.
"""
import json
import os
import socket
import subprocess

ROW_SECONDS = 40
HERE = os.path.dirname(os.path.abspath(__file__))
DOMAIN, DNS_DOMAIN, MACHINE = "CORP", "CORP.EXAMPLE.TEST", "MEMBER1"
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
# The password of accounts that the server has itself.
LOCAL = "Local-Only-1"


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
        with open(self.facts["AUTH_LOG"], "rb") as log:
            log.seek(self.log_position)
            # The last line may not be whole yet.
            lines = log.read().rpartition(b"\n")[0]
        self.log_position += len(lines)
        events = [json.loads(line) for line in lines.splitlines() if line.strip().startswith(b"{")]
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
