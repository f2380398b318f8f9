"""Kills the real daemon, again and again, and looks from the outside at what is left.

usage: python tests/crash/killing.py [--kills 500] [--seed 1] [--sweep]

Every kill is a SIGKILL of a daemon that is alerting or recovering; then it starts again on the same data. The
outside is real too: a service that answers health polls, a receiver of webhooks, and a recovery that notes
each start and each end in a file. Where tracing is possible (strace, and the right to), one kill in five hits a
daemon whose disk is full, slow or failing, and `--sweep` kills at every single write, sync, fork, exec and send too.

The daemon is forked from a process that has its modules loaded, so that hundreds of lives take minutes.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import http.client
import json
import multiprocessing
import multiprocessing.process
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from alertengine.ledger.keys import public_keys
from alertengine.ledger.verify import verify_file
from alertengine.testing import critical_report, healthy_report

ADMIN = "an-admin-key-for-tests"
RECOVERY = """#!/bin/sh
echo "start $ALERTENGINE_EXECUTION_ID $ALERTENGINE_INCIDENT_ID" >> "$LEDGER"
sleep 0.03
echo "done $ALERTENGINE_EXECUTION_ID $ALERTENGINE_INCIDENT_ID" >> "$LEDGER"
"""
CONFIG = """
[server]
port = {port}
[auth]
admin_key = "{admin}"
[poll]
interval_s = 0.2
[actions.restart]
kind = "command"
argv = ["{folder}/recover.sh"]
env = {{ LEDGER = "{folder}/runs.txt" }}
timeout_s = 10
"""
MOVING = {"AUTHORIZED", "RECOVERING"}
FAULTS = (
    ("fdatasync", "delay_enter=30000"),
    ("pwrite64", "error=ENOSPC:when={n}+"),
    ("pwrite64", "error=ENOSPC:when={n}"),
    ("fdatasync", "error=EIO:when={n}"),
)
"""A slow disk, a full one, one that was full for a moment, and one that fails; from the n-th call on."""
LIVES = multiprocessing.get_context("forkserver")
LIVES.set_forkserver_preload(["__main__", "alertengine.cli.main", "alertengine.daemon", "alertengine.web"])
SYSCALLS = ("pwrite64", "fdatasync", "vfork", "clone3", "execve", "sendto", "write")
Violations = list[str]


def live(words: list[str], log: Path) -> None:
    """One life of the daemon, as its own process."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.setsid()
    from alertengine.cli.main import main as alertengine

    sys.argv = ["alertengine", *words]
    alertengine()


def may_trace() -> bool:
    if shutil.which("strace") is None:
        return False
    return subprocess.run(["strace", "-qq", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


class Outside:
    """The service that fails, and the receiver of its alerts."""

    def __init__(self) -> None:
        self.healthy: set[str] = set()
        self.messages: dict[str, list[tuple[str, dict[str, Any]]]] = collections.defaultdict(list)
        outside = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                report = healthy_report() if self.path in outside.healthy else critical_report()
                self._answer(json.dumps(report).encode())

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outside.messages[body["tenant_id"]].append((self.headers["webhook-id"], body))
                self._answer(b"{}")

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Daemon:
    """The daemon as its own process, on one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.url = f"http://127.0.0.1:{free_port()}"
        self.process: multiprocessing.process.BaseProcess | None = None
        self.started_in = 0.0
        (folder / "recover.sh").write_text(RECOVERY)
        (folder / "recover.sh").chmod(0o700)
        (folder / "runs.txt").touch()
        port = self.url.rpartition(":")[2]
        (folder / "alertengine.toml").write_text(CONFIG.format(port=port, admin=ADMIN, folder=folder))

    def start(self) -> None:
        began = time.monotonic()
        words = ["--config", str(self.folder / "alertengine.toml"), "--data-dir", str(self.data), "serve"]
        self._begin(words)
        wait_for(lambda: self._is_ready(words), 120, f"daemon in {self.folder} is not ready")
        self.started_in = time.monotonic() - began

    def _begin(self, words: list[str]) -> None:
        self.process = LIVES.Process(target=live, args=(words, self.folder / "daemon.log"))
        self.process.start()

    def _is_ready(self, words: list[str]) -> bool:
        assert self.process is not None
        if not self.process.is_alive():
            told = (self.folder / "daemon.log").read_text().rstrip().rpartition("\n")[2]
            assert "cannot be listened on" in told, f"the daemon ended: {told}"
            self._begin(words)  # somebody else had its port for a moment
        return self.ask("GET", "/health")[0] == 200

    @property
    def pid(self) -> int:
        assert self.process is not None
        assert self.process.pid is not None
        return self.process.pid

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.join()

    def ask(self, method: str, path: str, body: Any = None, key: str = ADMIN) -> tuple[int, Any]:
        """(status, JSON), or (0, None) where no answer came."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {key}", "accept": "application/json"}
        if data is not None:
            headers["content-type"] = "application/json"
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with contextlib.suppress(ValueError, OSError, http.client.HTTPException):
                return error.code, json.load(error)
            return error.code, None
        except (OSError, ValueError, http.client.HTTPException):
            return 0, None


@dataclass
class Case:
    """One service with its incident, as the client outside came to know it."""

    tenant: str
    path: str
    incident: str = ""
    token: str = ""
    seen: list[tuple[int, str]] = field(default_factory=list)
    """(seq, hash) of events that were acknowledged to us."""
    confirmed: int = 0
    """The status of the confirmation before the kill; 0: no answer came."""


class Harness:
    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder = folder
        self.chance = chance
        self.outside = Outside()
        self.tally: collections.Counter[str] = collections.Counter()
        self.violations: Violations = []
        self.ready: list[float] = []
        self._number = 0
        self.daemon = self._fresh()

    def _fresh(self) -> Daemon:
        self._number += 1
        folder = self.folder / f"life_{self._number}"
        folder.mkdir()
        daemon = Daemon(folder)
        daemon.start()
        return daemon

    def renew(self) -> None:
        """Go on in an empty folder, so that old services do not slow the new ones."""
        self.daemon.kill()
        self.daemon = self._fresh()

    def open_case(self) -> Case:
        path = f"/health/{self._number}_{self.chance.getrandbits(40):x}"
        status, answer = self.daemon.ask(
            "POST",
            "/onboard",
            {
                "service_name": "payments",
                "health_url": self.outside.url + path,
                "webhook_url": self.outside.url + "/hook",
                "notification_channel": "webhook",
                "actions": ["restart"],
            },
        )
        assert status == 201, (status, answer)
        return Case(answer["tenant_id"], path)

    def receive(self, case: Case) -> None:
        """Wait for the alert with its link; take down the events that the daemon shows us."""
        message = wait_for(lambda: self._link(case), 20, f"no alert for {case.tenant}")
        case.incident, url = message["incident_id"], message["url"]
        case.token = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["token"][0]
        self.remember(case)

    def _link(self, case: Case) -> dict[str, Any] | None:
        found = [body for _, body in self.outside.messages[case.tenant] if body.get("url")]
        return found[-1] if found else None

    def remember(self, case: Case) -> None:
        status, answer = self.audit(case)
        if status == 200:
            case.seen = [(event["seq"], event["hash"]) for event in answer["events"]]

    def audit(self, case: Case) -> tuple[int, Any]:
        return self.daemon.ask("GET", f"/audit/{case.incident}?tenant_id={case.tenant}")

    def confirm(self, case: Case) -> int:
        return self.daemon.ask("POST", "/action/recover/confirm", key=case.token)[0]

    def kill_once(self, kill: Callable[[Case], None]) -> None:
        """One case, one kill somewhere in it, a restart, and the look at what is left."""
        case = self.open_case()
        kill(case)
        self.daemon.start()
        self.ready.append(self.daemon.started_in)
        before = len(self.violations)
        self.inspect(case)
        self.tally["violations"] += len(self.violations) - before
        self.outside.healthy.add(case.path)
        self.tally["kills"] += 1

    def kill_while_alerting(self, case: Case) -> None:
        time.sleep(self.chance.uniform(0, 0.8))
        self.daemon.kill()

    def kill_while_recovering(self, case: Case) -> None:
        self.receive(case)
        delay = self.chance.uniform(0, 0.12)
        timer = threading.Timer(delay, self.daemon.kill)
        timer.start()
        case.confirmed = self.confirm(case)
        self.remember(case)
        timer.join()

    def kill_while_faulty(self, case: Case) -> None:
        self.receive(case)
        call, fault = self.chance.choice(FAULTS)
        with injected(self.daemon, call, fault.format(n=self.chance.randrange(1, 12))):
            timer = threading.Timer(self.chance.uniform(0, 0.5), self.daemon.kill)
            timer.start()
            case.confirmed = self.confirm(case)
            self.remember(case)
            timer.join()
        self.tally[f"under {call} {fault.partition(':')[0]}"] += 1

    def inspect(self, case: Case) -> None:
        if not case.token:
            self.receive(case)  # the alert arrives, whatever was cut off
        events = self._settled(case)
        if events is None:
            return
        types = [event["type"] for event in events]
        runs = self._runs(case)
        self._check_record(case, events)
        self._check_runs(case, types, runs)
        again = self.confirm(case)
        self._check_again(case, types, again)
        self.tally[
            f"confirm {case.confirmed} then {again}, ran {len(runs['start'])}, {self._story(types)}"
        ] += 1
        report = verify_file(
            self.daemon.data / "alertengine.db", public_keys(self.daemon.data / "ledger.key")[:1]
        )
        self.violations += [f"the ledger does not verify: {problem}" for problem in report.problems]

    def _settled(self, case: Case) -> list[dict[str, Any]] | None:
        def settled() -> list[dict[str, Any]] | None:
            status, answer = self.audit(case)
            moving = status != 200 or answer["stage"] in MOVING
            return None if moving else answer["events"]

        try:
            return wait_for(settled, 15, "still moving")
        except TimeoutError:
            self.violations.append(f"{case.incident} stays in {self.audit(case)[1]}")
            return None

    def _check_record(self, case: Case, events: list[dict[str, Any]]) -> None:
        kept = {(event["seq"], event["hash"]) for event in events}
        lost = [entry for entry in case.seen if entry not in kept]
        if lost:
            self.violations.append(f"{case.incident}: events were acknowledged and lost: {lost}")
        types = [event["type"] for event in events]
        if case.confirmed == 200 and "recovery_authorized" not in types:
            self.violations.append(f"{case.incident}: an acknowledged authorization is lost")

    def _check_runs(self, case: Case, types: list[str], runs: dict[str, list[str]]) -> None:
        twice = [run for run, count in collections.Counter(runs["start"]).items() if count > 1]
        if twice or len(runs["start"]) > types.count("recovery_authorized"):
            self.violations.append(f"{case.incident}: ran {runs['start']} for {types}")
        if types.count("recovery_succeeded") > len(runs["done"]):
            self.violations.append(f"{case.incident}: a success is recorded that did not happen")
        if runs["start"] and "recovery_started" not in types:
            self.violations.append(f"{case.incident}: it ran before that was recorded")

    def _check_again(self, case: Case, types: list[str], again: int) -> None:
        spent = "recovery_authorized" in types
        if again == 200 and spent:
            self.violations.append(f"{case.incident}: a spent link worked again")
        if again not in (200, 401, 409):
            self.violations.append(f"{case.incident}: a repeated confirmation was answered with {again}")

    def _runs(self, case: Case) -> dict[str, list[str]]:
        runs: dict[str, list[str]] = {"start": [], "done": []}
        for line in (self.daemon.folder / "runs.txt").read_text().splitlines():
            word, execution, incident = line.split()
            if incident == case.incident:
                runs[word].append(execution)
        return runs

    @staticmethod
    def _story(types: list[str]) -> str:
        told = [
            t.removeprefix("recovery_")
            for t in types
            if t.startswith("recovery_") and t != "recovery_previewed"
        ]
        return " > ".join(told) or "nothing authorized"

    def close(self) -> None:
        self.daemon.kill()
        self.outside.server.shutdown()
        self.outside.server.server_close()


def random_kills(harness: Harness, kills: int) -> None:
    ways = [harness.kill_while_alerting] * 3 + [harness.kill_while_recovering] * 5
    if may_trace():
        ways += [harness.kill_while_faulty] * 2
    for n in range(kills):
        if n % 20 == 19:
            harness.renew()
        harness.kill_once(harness.chance.choice(ways))
        if n % 10 == 9:
            print(f"{n + 1} kills, {len(harness.violations)} violations", file=sys.stderr, flush=True)


def sweep(harness: Harness, most: int) -> None:
    """Kill at the first, second, ... call of each kind, until a run gets through without reaching it."""
    for call in SYSCALLS:
        for n in range(1, most + 1):
            reached = False

            def kill(case: Case, call: str = call, n: int = n) -> None:
                nonlocal reached
                harness.receive(case)
                with injected(harness.daemon, call, f"signal=KILL:when={n}"):
                    case.confirmed = harness.confirm(case)
                    reached = died_within(harness.daemon, 2.0)
                if not reached:
                    harness.daemon.kill()

            harness.kill_once(kill)
            harness.tally[f"at {call}"] += reached
            if n % 10 == 0:
                print(f"{call} {n}, {len(harness.violations)} violations", file=sys.stderr, flush=True)
                harness.renew()
            if not reached:
                break


@contextlib.contextmanager
def injected(daemon: Daemon, call: str, fault: str) -> Iterator[None]:
    """The daemon's calls of this kind go wrong in this way."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(daemon.pid)]  # noqa: RUF005 - two lines
        + ["-e", f"trace={call}", "-e", f"inject={call}:{fault}"],
        stderr=subprocess.DEVNULL,
    )
    status = Path(f"/proc/{daemon.pid}/status")
    wait_for(lambda: f"TracerPid:\t{tracer.pid}\n" in status.read_text(), 30, "strace did not attach")
    try:
        yield
    finally:
        tracer.terminate()
        try:
            tracer.wait(5)
        except subprocess.TimeoutExpired:  # it can wait for ever for a process that was killed under it
            tracer.kill()
            tracer.wait()


def died_within(daemon: Daemon, seconds: float) -> bool:
    assert daemon.process is not None
    daemon.process.join(seconds)
    return not daemon.process.is_alive()


def wait_for(look: Callable[[], Any], seconds: float, what: str) -> Any:
    """What `look` finds, once it finds something."""
    until = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > until:
            raise TimeoutError(what)
        time.sleep(0.02)
    return found


def free_port() -> int:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--most", type=int, default=40, help="calls of one kind in a sweep")
    given = parser.parse_args()
    os.environ.pop("ALERTENGINE_CONFIG", None)
    with tempfile.TemporaryDirectory() as folder:
        harness = Harness(Path(folder), random.Random(given.seed))
        try:
            random_kills(harness, given.kills)
            if given.sweep:
                sweep(harness, given.most)
        finally:
            harness.close()
            report(harness)
    sys.exit(bool(harness.violations))


def report(harness: Harness) -> None:
    for line, count in sorted(harness.tally.items()):
        print(f"{count:6}  {line}")
    ready = sorted(harness.ready) or [0.0]
    print(f"ready again after {ready[len(ready) // 2]:.2f} s, at most {ready[-1]:.2f} s")
    print(f"VIOLATIONS {len(harness.violations)}")
    for violation in harness.violations:
        print(violation)


if __name__ == "__main__":
    main()
