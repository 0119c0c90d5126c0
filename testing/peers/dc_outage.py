"""A controller that goes away and comes back while clients log on to `ntlm serve smb`."""
import collections
import os
import threading
import time

import smb_server_matrix as clients
from dc import DOMAIN, Failed, same
from dc_logon import Logon, log_on
from dc_serve import Server


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

    def waiting(self, when):
        """How many logons were under way at that moment."""
        with self.lock:
            return sum(began < when < ended for began, ended, _, _ in self.told)

    def counted(self):
        with self.lock:
            return collections.Counter((user, status) for _, _, user, status in self.told)


# How long all may take to get in again: who did not answer in time is left alone for a while.
SETTLED_SECONDS = 40


def outage(go_away, come_back, seconds, times, controller, secrets, ntlm, folder):
    """Clients log on all the time while the controller goes away and comes back, so many times.

    Each logon has one answer, which the server's record has too; no wrong password is let in, and no
    right one is called wrong, whatever happens to the controller. When it is back all get in."""
    returns = []
    with Server(ntlm, secrets, "--dc", controller.address) as server:
        with Crowd(server, controller, folder) as crowd:
            for _ in range(times):
                time.sleep(1)
                go_away()
                time.sleep(seconds)
                returns.append(time.monotonic())
                come_back()
                back = settled = time.monotonic()
                while len(crowd.since(settled)) < 8:
                    time.sleep(0.2)
                    if set(crowd.since(settled)) - {"STATUS_SUCCESS"}:
                        settled = time.monotonic()
                    if time.monotonic() > back + SETTLED_SECONDS:
                        raise Failed(f"not all accepted in the end: {crowd.counted()}")
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
    waited = [crowd.waiting(when) for when in returns]
    if not all(waited):
        raise Failed(f"logons under way when it came back: {waited}")
    without = sum(count for (_, status), count in told.items() if status == no_verdict)
    print(f"{sum(told.values())} logons, each answered once; under way when the controller came back: "
          f"{waited}; without a verdict: {without}", flush=True)


def taken_away(controller, secrets, ntlm, folder):
    """Another by the name of our server sets a channel up, and ours is gone."""
    with Server(ntlm, secrets, "--dc", controller.address) as server:
        for count in (1, 2, 3):
            clients.smbclient(server.port, controller.passwords["alice"], folder, "3.1.1",
                              user=f"{DOMAIN}\\alice")
            same("result", server.wait_for(count)["result"], "accepted")
            log_on(Logon("controller", "taken away"), controller, secrets, ntlm)
