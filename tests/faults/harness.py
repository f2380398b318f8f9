"""The real daemon as a process, and what a test sees of it from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from json import dumps, loads
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from stage import Receiver, Server, wait_for

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SERVE = (str(Path(sys.executable).with_name("alertengine")), "serve")

QUICK = f"""
[poll]
timeout_s = 1
[policy]
approval_timeout_s = 60
escalate_after_s = 60
verify_window_s = 5
cooldown_s = 0
[channels.hook]
kind = "webhook"
url = "http://127.0.0.1:9/"
secret = "{SECRET}"
"""
"""Settings for a test that does not wait: contacts bring their own address for `hook`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def code(self) -> str | None:
        return self.body.get("code") if isinstance(self.body, dict) else None


def read(response: HTTPResponse) -> Answer:
    raw, headers = response.read(), dict(response.getheaders())
    is_json = "json" in headers.get("content-type", "")
    return Answer(
        status=response.status, body=loads(raw) if is_json and raw else raw.decode(), headers=headers
    )


@dataclass
class Daemon:
    """`alertengine serve` on a data directory of its own. `port` 0 until it listens, then kept over restarts."""

    folder: Path
    config: str = QUICK
    env: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    lives: int = 0

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def admin_key(self) -> str:
        return self.env.get("ALERTENGINE_ADMIN_KEY") or (self.data / "admin_key").read_text().strip()

    @property
    def output(self) -> str:
        """Everything that all its lives printed."""
        return "".join(file.read_text(errors="replace") for file in sorted(self.folder.glob("*.log")))

    def begin(self, *extra: str) -> subprocess.Popen[bytes]:
        """Start it without waiting."""
        self.lives += 1
        config = self.folder / "alertengine.toml"
        config.write_text(self.config)
        argv = [*SERVE, "--config", str(config), "--data-dir", str(self.data), "--port", str(self.port)]
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "LOOP_INTERVAL_S": "0.2",
            "PYTHONUNBUFFERED": "1",
            **self.env,
        }
        with open(self.folder / f"life-{self.lives}.log", "wb") as log:
            self.process = subprocess.Popen(
                [*argv, *extra], cwd=self.folder, env=environ, stdout=log, stderr=log, start_new_session=True
            )
        return self.process

    def start(self) -> Daemon:
        self.begin()
        log = self.folder / f"life-{self.lives}.log"

        def listening() -> re.Match[str] | None:
            assert self.process is not None
            said = log.read_text(errors="replace")
            assert self.process.poll() is None, f"it ended with {self.process.returncode}: {said}"
            return re.search(r"http://127\.0\.0\.1:(\d+)", said)

        self.port = int(wait_for(listening, "it says where it listens", 30)[1])
        wait_for(lambda: self._answers(), "it answers")
        return self

    def _answers(self) -> bool:
        try:
            return self.get("/health").status == 200
        except OSError:
            return False

    def stop(self, number: signal.Signals = signal.SIGTERM, within_s: float = 15) -> int:
        """Send the signal and wait for the end; answers the exit status."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(within_s)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def restart(self) -> Daemon:
        self.kill()
        return self.start()

    def ask(
        self,
        method: str,
        path: str,
        key: str | None = "admin",
        json: Any = None,
        form: Mapping[str, str] | None = None,
    ) -> Answer:
        headers = {"accept": "application/json"}
        if key is not None:
            headers["authorization"] = f"Bearer {self.admin_key if key == 'admin' else key}"
        body = None
        if json is not None:
            headers["content-type"], body = "application/json", dumps(json)
        if form is not None:
            headers["content-type"], body = "application/x-www-form-urlencoded", urlencode(form)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        with closing(connection):
            connection.request(method, path, body, headers)
            return read(connection.getresponse())

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def status(self) -> dict[str, Any]:
        return self.get("/status").body

    def link(self, decision: str, message: Mapping[str, Any]) -> Answer:
        """Post what the person with this message decides: confirm, reject or reissue."""
        return self.ask("POST", f"/action/recover/{decision}", key=None, form={"token": token_of(message)})

    def onboard(self, name: str, health_url: str, **more: Any) -> Watched:
        body = {"service_name": name, "health_url": health_url, **more}
        made = self.ask("POST", "/onboard", json=body)
        assert made.status == 201, made.body
        return Watched(self, name, made.body["tenant_id"], made.body["service_id"], made.body["api_key"])


@dataclass(frozen=True)
class Watched:
    """A service that the daemon watches, seen through the API."""

    daemon: Daemon
    name: str
    tenant: str
    service_id: str
    api_key: str

    def row(self) -> dict[str, Any]:
        """Its line in /status."""
        return next(s for s in self.daemon.status()["services"] if s["service_id"] == self.service_id)

    def incidents(self) -> list[dict[str, Any]]:
        """Newest first."""
        return self.daemon.get(f"/tenant/{self.tenant}/incidents").body["incidents"]

    def wait_health(self, health: str) -> dict[str, Any]:
        return wait_for(lambda: (r := self.row())["health"] == health and r, f"{self.name} is {health}")

    def wait_incident(self, count: int = 1, within_s: float = 15.0) -> str:
        """The `count`-th incident's id."""
        found = wait_for(
            lambda: len(i := self.incidents()) >= count and i, f"{self.name} has {count} incidents", within_s
        )
        return found[-count]["incident_id"]

    def wait_stage(self, incident: str, stage: str, within_s: float = 15.0) -> None:
        wait_for(
            lambda: self.audit(incident)["stage"] == stage,
            f"{incident} is {stage}: {self.types(incident)}",
            within_s,
        )

    def audit(self, incident: str) -> dict[str, Any]:
        return self.daemon.get(f"/audit/{incident}").body

    def events(self, incident: str, kind: str | None = None) -> list[dict[str, Any]]:
        return [e for e in self.audit(incident)["events"] if kind in (None, e["type"])]

    def types(self, incident: str) -> list[str]:
        return [e["type"] for e in self.events(incident)]

    def wait_event(self, incident: str, kind: str, within_s: float = 15.0) -> dict[str, Any]:
        return wait_for(lambda: self.events(incident, kind), f"{kind} in {self.types(incident)}", within_s)[
            -1
        ]


def token_of(message: Mapping[str, Any]) -> str:
    return parse_qs(urlsplit(message["url"]).query)["token"][0]


@dataclass
class Patient:
    """A watched service whose health the test decides, and the phone of its engineer, Tariro."""

    server: Server
    phone: Receiver
    watched: Watched

    @property
    def daemon(self) -> Daemon:
        return self.watched.daemon


Admit = Callable[..., Patient]
MakeDaemon = Callable[..., Daemon]


def admit_on(daemon: Daemon, server: Server, phone: Receiver, **more: Any) -> Patient:
    """Onboard the service behind `server`; without `actions` nothing can be approved."""
    tariro = {"name": "Tariro", "channel": "hook", "address": phone.url}
    more = {"contacts": [tariro], "actions": [], **more}
    return Patient(server, phone, daemon.onboard(f"s{server.port}", f"{server.url}/health/alerts", **more))
