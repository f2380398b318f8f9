"""A full disk: nothing runs that cannot be recorded, everybody can see why, and it is over when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from harness import QUICK, Admit, Daemon, MakeDaemon, Patient
from mounts import mounted
from recoveries import Scripts, command
from stage import CRITICAL, HEALTHY, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def cramped(make_daemon: MakeDaemon) -> Iterator[Daemon]:
    """A daemon whose data lie on a file system of 4 MB."""
    daemon = make_daemon(QUICK + command("ok"))
    with mounted(daemon.data, "size=4m,mode=700"):
        yield daemon.start()
        assert daemon.stop() == 0


def fill(folder: Path) -> Path:
    """Take all the space that is left."""
    ballast = folder / "ballast"
    with open(ballast, "ab", buffering=0) as file:
        for size in (65536, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return ballast


def titles(patient: Patient) -> list[str]:
    return [message["title"] for message in patient.phone.messages]


def test_on_a_full_disk_nothing_runs_and_it_says_so_until_there_is_space(
    cramped: Daemon, admit: Admit, scripts: Scripts
) -> None:
    patient = admit(CRITICAL, daemon=cramped, actions=["ok"])
    alert = patient.phone.wait("alert")
    incident = patient.watched.wait_incident()
    patient.watched.wait_event(incident, "alert_accepted")
    ballast = fill(cramped.data)
    refused = [cramped.link("confirm", alert) for _ in range(3)]

    assert {(r.status, r.code) for r in refused} == {(503, "STORE_UNAVAILABLE")}
    assert cramped.get("/health").body["status"] == "degraded"
    status = cramped.status()
    assert status["mode"] == "EMERGENCY"
    assert any("full" in reason for reason in status["reasons"])
    wait_for(lambda: "AlertEngine cannot record anything" in titles(patient), "people are told")
    asked = len(patient.server.requests)
    wait_for(lambda: len(patient.server.requests) >= asked + 3, "it is polled on")
    assert patient.watched.audit(incident)["stage"] == "ALERTED"
    assert scripts.runs(incident) == []

    ballast.unlink()
    wait_for(lambda: cramped.get("/health").body["status"] == "ok", "it is well by itself", 10)
    wait_for(lambda: cramped.status()["mode"] == "NORMAL", "the mode follows", 60)
    wait_for(lambda: "AlertEngine records again" in titles(patient), "people are told that, too")
    assert cramped.link("confirm", alert).status == 200
    patient.watched.wait_event(incident, "recovery_succeeded")
    assert len(scripts.runs(incident)) == 1


def test_a_disk_that_fills_while_a_recovery_runs_loses_no_outcome(
    make_daemon: MakeDaemon, admit: Admit, scripts: Scripts
) -> None:
    daemon = make_daemon(QUICK + command("slow"))
    with mounted(daemon.data, "size=4m,mode=700"):
        daemon.start()
        patient = admit(CRITICAL, daemon=daemon, actions=["slow"])
        assert daemon.link("confirm", patient.phone.wait("alert")).status == 200
        incident = patient.watched.wait_incident()
        wait_for(lambda: scripts.runs(incident), "it runs")
        ballast = fill(daemon.data)
        wait_for(lambda: not scripts.alive(incident), "it has run")
        wait_for(lambda: daemon.get("/health").body["status"] == "degraded", "the store is in trouble")
        ballast.unlink()

        patient.watched.wait_event(incident, "recovery_succeeded")
        patient.server.behave = HEALTHY
        patient.watched.wait_stage(incident, "RESOLVED")
        assert len(scripts.runs(incident)) == 1
        assert daemon.stop() == 0
