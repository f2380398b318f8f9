"""The commands against a real daemon: its socket, its announcement, its end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tenancy import add_and_remove, export, look_after

from alertengine.testing import critical_report, healthy_report

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("cli-daemon")]

ALERTENGINE = [sys.executable, "-c", "from alertengine.cli.main import main; main()"]
CONFIGURATION = """
[poll]
interval_s = 0.2
[actions.heal]
kind = "command"
argv = ["/bin/rm", "{folder}/broken"]
preview_argv = ["/bin/echo", "would remove the fault"]
"""


@dataclass
class Daemon:
    """A process of `alertengine serve`, and commands beside it."""

    folder: Path
    process: subprocess.Popen[str]
    announced: str

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def run(self, *args: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        ran = alertengine(self.folder, *args)
        assert ran.returncode == code, ran.stderr
        return ran

    def json(self, *args: str, code: int = 0) -> Any:
        return json.loads(self.run(*args, "--json", code=code).stdout)

    def rehearse(self) -> str:
        given = (
            "--service",
            "payments",
            "--health-url",
            "http://127.0.0.1:1/health/alerts",
            "--contact",
            "Tariro=",
        )
        tenant = self.json("onboard", *given)["tenant_id"]
        incident: str = self.json("test", tenant)["incident_id"]
        return incident

    def end(self) -> tuple[int, str]:
        self.process.terminate()
        _, said = self.process.communicate(timeout=20)
        return self.process.returncode, said


def environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "LANG") if name in os.environ}
    return {**kept, "HOME": str(folder)}


def alertengine(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [*ALERTENGINE, "--data-dir", "data", *args]
    return subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=30
    )


@contextmanager
def started(folder: Path) -> Iterator[Daemon]:
    """A daemon that has announced itself; killed at the end if it still runs."""
    (folder / "alertengine.toml").write_text(CONFIGURATION.format(folder=folder))
    command = [*ALERTENGINE, "--data-dir", "data", "serve", "--port", "0"]
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Daemon(folder, process, announcement(process))
        finally:
            process.kill()


def announcement(process: subprocess.Popen[str]) -> str:
    """What it says on stderr until it says what to do next: no service is watched yet."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if "onboard --service" in line:
            return said
    raise AssertionError(said)


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with started(tmp_path_factory.mktemp("daemon")) as running:
        yield running
        code, _ = running.end()
        assert code == 0


def test_it_says_where_it_is_and_what_to_do_next(daemon: Daemon) -> None:
    said = daemon.announced
    for part in (
        "http://127.0.0.1:",
        str(daemon.data),
        "alertengine.toml",
        "console (console)",
        "none yet",
        "admin_key",
    ):
        assert part in said
    assert "alertengine --data-dir data onboard --service NAME --health-url" in said


def test_a_second_one_is_refused_with_the_reason(daemon: Daemon) -> None:
    ran = daemon.run("serve", "--port", "0", code=75)
    assert str(daemon.process.pid) in ran.stderr
    assert str(daemon.data) in ran.stderr
    assert "Traceback" not in ran.stderr


def test_commands_go_through_it(daemon: Daemon) -> None:
    incident = daemon.rehearse()

    assert daemon.json("status")["daemon"] is True
    assert incident in daemon.run("incidents", "--open").stdout
    assert daemon.json("diagnose", "payments")["cause"] == "service_down"
    assert daemon.json("diagnose", incident)["incident_id"] == incident
    assert daemon.json("preview", incident)["action"]["name"] == "test"
    assert "--yes" in daemon.run("approve", incident, code=2).stderr
    followed = daemon.run("approve", incident, "--yes", "--wait")
    assert followed.stdout.split()[1:] == ["succeeded", "RESOLVED"]
    assert "authorized test" in followed.stderr
    assert "already authorized" in daemon.run("approve", incident, "--yes", code=1).stderr
    assert "authorized test" in daemon.run("audit", incident).stdout


def test_tenants_are_looked_after_through_it(daemon: Daemon, cli: Any, tmp_path: Path) -> None:
    """The commands run in this process; the daemon is another, and alone writes the store."""
    cli.data = daemon.data
    made = cli.onboard()
    tenant = made["tenant_id"]
    look_after(cli, tenant, made["api_key"])
    with service(tmp_path) as url:
        add_and_remove(cli, tenant, url)
    export(cli, tenant, cli.json("test", tenant)["incident_id"])
    assert cli.json("status")["daemon"] is True


def test_what_it_refuses_is_told_in_its_words(daemon: Daemon) -> None:
    assert daemon.run("audit", "inc_nothing", code=1).stderr == "There is no incident inc_nothing.\n"
    said = daemon.run("onboard", "--service", "x", "--health-url", "ftp://x", code=2).stderr
    assert said.startswith("health_url: ")


def test_nothing_is_lost_when_it_ends(tmp_path: Path) -> None:
    with started(tmp_path) as daemon:
        incident = daemon.rehearse()
        code, said = daemon.end()
    trail = json.loads(alertengine(tmp_path, "audit", incident, "--json").stdout)

    assert code == 0
    assert said == "AlertEngine stopped. What is open goes on when it starts again.\n"
    assert not (daemon.data / "daemon.sock").exists()
    assert trail["events"][0]["type"] == "incident_detected"


def test_a_stopped_daemon_is_75_and_a_killed_one_no_obstacle(tmp_path: Path) -> None:
    with started(tmp_path) as daemon:
        daemon.process.send_signal(signal.SIGSTOP)
        assert f"process {daemon.process.pid}" in daemon.run("incidents", code=75).stderr
    assert (daemon.data / "daemon.sock").exists()
    assert daemon.json("incidents") == {"incidents": []}


@contextmanager
def service(folder: Path) -> Iterator[str]:
    """A service that is critical while the file `broken` is there; answers its health URL."""

    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            report = critical_report() if (folder / "broken").exists() else healthy_report()
            body = json.dumps(report).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Health) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/health/alerts"
        server.shutdown()
        thread.join()


def test_a_real_fault_is_watched_and_healed_also_after_the_daemon_is_gone(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()
    with service(tmp_path) as url, started(tmp_path) as daemon:
        watch = [*ALERTENGINE, "--data-dir", "data", "status", "--watch"]
        with subprocess.Popen(
            watch, cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE, text=True
        ) as watching:
            assert watching.stdout is not None
            daemon.run("onboard", "--service", "payments", "--health-url", url)
            seen = next(line for line in watching.stdout if "ALERTED" in line)
            watching.send_signal(signal.SIGINT)
            watching.stdout.read()  # to its end: a pipe that is closed while it paints is another story
        incident = seen.split()[0]
        daemon.end()
        healed = daemon.run("approve", incident, "--yes", "--wait")

    assert watching.returncode == 0
    assert "would remove the fault" in healed.stderr
    assert "verified health" in healed.stderr
    assert healed.stdout.split()[1:] == ["succeeded", "RESOLVED"]
