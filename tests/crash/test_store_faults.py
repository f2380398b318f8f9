"""A full disk, a sync that fails, a frozen process and a second daemon, against the real daemon."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from killing import Case, Harness, died_within, injected, may_trace, wait_for

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("crash"),
    pytest.mark.skipif(not may_trace(), reason="strace is not here, or may not trace"),
]


@pytest.fixture
def harness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    monkeypatch.delenv("ALERTENGINE_CONFIG", raising=False)
    harness = Harness(tmp_path, random.Random(20261124))
    yield harness
    harness.close()


@pytest.fixture
def case(harness: Harness) -> Case:
    case = harness.open_case()
    harness.receive(case)
    return case


def mode(harness: Harness) -> str:
    answer = harness.daemon.ask("GET", "/status")[1]
    return str(answer["mode"]) if answer else ""


def starts(harness: Harness, case: Case) -> int:
    return len(harness._runs(case)["start"])


def test_on_a_full_disk_nothing_runs_and_it_recovers_by_itself(harness: Harness, case: Case) -> None:
    with injected(harness.daemon, "pwrite64", "error=ENOSPC"):
        assert harness.confirm(case) == 503
        wait_for(lambda: mode(harness) == "EMERGENCY", 5, "it does not say so")
        assert starts(harness, case) == 0
    wait_for(lambda: harness.confirm(case) == 200, 10, "it does not recover")
    wait_for(lambda: starts(harness, case) == 1, 10, "the recovery does not run")
    told = [body["title"] for _, body in harness.outside.messages[case.tenant]]
    assert "AlertEngine cannot record anything" in told


def test_after_a_failed_sync_nothing_runs_until_a_restart(harness: Harness, case: Case) -> None:
    with injected(harness.daemon, "fdatasync", "error=EIO:when=1"):
        assert harness.confirm(case) == 503
    assert harness.confirm(case) == 503
    assert mode(harness) == "EMERGENCY"
    assert starts(harness, case) == 0
    harness.daemon.kill()
    harness.daemon.start()
    assert mode(harness) == "NORMAL"
    harness.inspect(case)
    assert harness.violations == []


def test_a_daemon_that_was_frozen_runs_the_action_once(harness: Harness, case: Case) -> None:
    assert harness.confirm(case) == 200
    os.kill(harness.daemon.pid, signal.SIGSTOP)
    time.sleep(1.0)
    os.kill(harness.daemon.pid, signal.SIGCONT)
    harness.inspect(case)
    assert harness.violations == []
    assert starts(harness, case) <= 1


def test_a_second_daemon_is_turned_away(harness: Harness) -> None:
    config = [
        "--config",
        str(harness.daemon.folder / "alertengine.toml"),
        "--data-dir",
        str(harness.daemon.data),
    ]
    second = subprocess.run(
        [
            sys.executable,
            "-c",
            "from alertengine.cli.main import main; main()",
            *config,
            "serve",
            "--port",
            "0",
        ],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert second.returncode == 75
    assert "holds" in second.stderr
    assert not died_within(harness.daemon, 0.1)
    assert harness.daemon.ask("GET", "/health")[0] == 200


def test_a_store_that_was_changed_is_found_at_start(harness: Harness, case: Case) -> None:
    harness.daemon.kill()
    with contextlib.closing(
        sqlite3.connect(harness.daemon.data / "alertengine.db", isolation_level=None)
    ) as db:
        guard = db.execute("SELECT sql FROM sqlite_schema WHERE name = 'event_unchanged'").fetchone()[0]
        db.execute("DROP TRIGGER event_unchanged")
        db.execute(
            "UPDATE event SET type = 'recovery_authorized' WHERE incident = ? AND seq = 2", (case.incident,)
        )
        db.execute(guard)
    harness.daemon.start()
    assert mode(harness) == "EMERGENCY"
    reasons = harness.daemon.ask("GET", "/status")[1]["reasons"]
    assert "does not verify" in reasons[0]
    assert harness.confirm(case) == 503
    assert starts(harness, case) == 0


def test_a_write_ahead_log_that_was_cut_off_is_found_at_start(harness: Harness, case: Case) -> None:
    harness.daemon.kill()
    log = harness.daemon.data / "alertengine.db-wal"
    log.write_bytes(log.read_bytes()[: -20 * 4120])  # the last twenty pages
    harness.daemon.start()
    reasons = harness.daemon.ask("GET", "/status")[1]["reasons"]
    assert "were acknowledged: an older copy was put back" in reasons[0]
    assert harness.confirm(case) in (401, 503)
    assert starts(harness, case) == 0
