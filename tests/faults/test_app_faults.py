"""Recoveries inside the app: a real one with the SDK in its own process, and apps with the other package."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from json import loads
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from harness import Admit, Daemon, Watched
from stage import Receiver, report, wait_for

SERVICE_SECRET = "a-secret-of-the-clinic-alone"


class Clinic:
    """The app's process, with traffic on demand."""

    def __init__(self) -> None:
        script = Path(__file__).with_name("clinic.py")
        environ = {"PATH": os.environ["PATH"], "ALERTENGINE_SECRET": SERVICE_SECRET}
        self.process = subprocess.Popen([sys.executable, script], env=environ, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().strip()
        wait_for(self._up, "the clinic answers", 30)

    def _up(self) -> bool:
        try:
            return self.ask("GET", "/state")["broken"] is False
        except OSError:
            return False

    def ask(self, method: str, path: str, times: int = 1) -> Any:
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=5)
        for _ in range(times):
            connection.request(method, path)
            raw = connection.getresponse().read()
        connection.close()
        return loads(raw)

    def fail(self) -> None:
        """Real traffic that fails, until the SDK calls it critical."""
        self.ask("POST", "/break")

        def critical() -> bool:
            self.ask("POST", "/pay", times=50)
            return self.ask("GET", "/health/alerts")["status"] == "critical"

        wait_for(critical, "the app calls itself critical")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def clinic() -> Iterator[Clinic]:
    opened = Clinic()
    yield opened
    opened.close()


def under_watch(daemon: Daemon, clinic: Clinic, phone: Receiver, hook: str) -> Watched:
    return daemon.onboard(
        f"clinic-{hook}-{time.monotonic_ns()}",
        f"{clinic.url}/health/alerts",
        contacts=[{"name": "Tariro", "channel": "hook", "address": phone.url}],
        service_secret=SERVICE_SECRET,
        actions=[{"name": hook, "kind": "app"}],
    )


@pytest.mark.slow
def test_an_app_is_looked_at_healed_and_verified_by_its_own_hook(
    shared: Daemon, clinic: Clinic, phone: Receiver
) -> None:
    clinic.ask("POST", "/pay", times=100)
    watched = under_watch(shared, clinic, phone, "reset")
    clinic.fail()
    alert = phone.wait("alert")
    incident = watched.wait_incident()
    shown = shared.ask("GET", alert["url"].removeprefix(shared.url), key=None)
    assert shown.body["preview"] == "frees connections; 0 resets before"
    assert clinic.ask("GET", "/state") == {"broken": True, "resets": 0}

    assert shared.link("confirm", alert).status == 200
    done = watched.wait_event(incident, "recovery_succeeded")
    assert "freed" in done["data"]["output"]
    wait_for(lambda: clinic.ask("POST", "/pay", times=50) and mended(watched, incident), "verified", 30)
    assert clinic.ask("GET", "/state") == {"broken": False, "resets": 1}


def mended(watched: Watched, incident: str) -> bool:
    """Verified, or (where its window is too short for the app's own minute) at least looked after."""
    types = watched.types(incident)
    return "incident_resolved" in types or "health_not_recovered" in types


@pytest.mark.slow
def test_an_app_that_dies_of_its_recovery_leaves_it_unknown(
    shared: Daemon, clinic: Clinic, phone: Receiver
) -> None:
    watched = under_watch(shared, clinic, phone, "die")
    clinic.fail()
    incident = watched.wait_incident()
    alert = phone.wait("alert")
    assert shared.link("confirm", alert).status == 200

    unknown = watched.wait_event(incident, "recovery_outcome_unknown")
    assert "may or may not have run" in unknown["data"]["detail"]
    phone.wait("unknown")
    assert shared.link("confirm", alert).code == "TOKEN_USED"
    assert watched.types(incident).count("recovery_started") == 1


def test_a_hook_that_raises_has_failed_in_its_own_words(
    shared: Daemon, clinic: Clinic, phone: Receiver
) -> None:
    watched = under_watch(shared, clinic, phone, "raise")
    clinic.fail()
    incident = watched.wait_incident()
    assert shared.link("confirm", phone.wait("alert")).status == 200

    failed = watched.wait_event(incident, "recovery_failed")["data"]
    assert (failed["ran"], failed["http_status"]) == (True, 500)
    assert "the pool is locked" in failed["output"]


def test_an_app_that_is_gone_before_its_recovery_has_not_run_it(
    shared: Daemon, clinic: Clinic, phone: Receiver
) -> None:
    watched = under_watch(shared, clinic, phone, "reset")
    clinic.close()
    incident = watched.wait_incident()
    assert shared.link("confirm", phone.wait("alert")).status == 200

    assert watched.wait_event(incident, "recovery_failed")["data"]["ran"] is False


def foreign(status: str, score: float, health: str, **metrics: float) -> dict[str, Any]:
    """What the endpoint of fastapi-alertengine 1.7.0 answers."""
    figures = {
        "overall_p95_ms": 41.2,
        "webhook_p95_ms": 0.0,
        "api_p95_ms": 41.2,
        "error_rate": 0.0,
        "anomaly_score": 0.412,
        "sample_size": 200,
    }
    return {
        "status": status,
        "service_name": "default",
        "instance_id": "host-1:4242",
        "metrics": figures | metrics,
        "alerts": [],
        "health_score": {
            "score": score,
            "status": health,
            "components": {"latency": 100.0, "errors": 100.0, "anomalies": 100.0},
            "trend": "stable",
        },
        "adaptive_thresholds": None,
        "rate_of_change": [],
        "timestamp": 1790000000,
    }


SPIKE = {
    "type": "error_anomaly",
    "message": "Error rate 61.0% exceeds critical threshold",
    "severity": "critical",
    "reason_for_trigger": "61.0% is 1120.0% above the threshold of 5.0%",
    "trend_direction": "increasing",
    "triggered_by": "absolute_threshold",
}


def test_an_app_with_the_other_package_is_watched_too(admit: Admit) -> None:
    patient = admit(report(foreign("ok", 98.5, "healthy")))
    row = patient.watched.wait_health("ok")
    assert row["score"] == 98.5

    patient.server.behave = report(foreign("warning", 55.0, "degraded", error_rate=0.03))
    assert patient.watched.wait_health("warning")["score"] == 55.0
    assert patient.watched.incidents() == []

    critical = foreign("critical", 23.0, "critical", error_rate=0.61) | {"alerts": [SPIKE]}
    patient.server.behave = report(critical)
    alert = patient.phone.wait("alert")
    assert "Error rate 61.0% exceeds critical threshold" in alert["text"]

    patient.server.behave = report(foreign("ok", 98.5, "healthy"))
    patient.phone.wait("healed")


@pytest.mark.parametrize("size", [0, 5])
def test_few_requests_seen_by_the_other_package_alarm_nobody(size: int, admit: Admit) -> None:
    body = foreign("critical", 20.0, "critical", sample_size=size)
    patient = admit(report(body))
    patient.watched.wait_health("critical")
    asked = len(patient.server.requests)
    wait_for(lambda: len(patient.server.requests) >= asked + 4, "it is polled on")

    assert patient.watched.incidents() == []


def test_no_data_of_the_other_package_is_no_trouble(admit: Admit) -> None:
    nothing = dict.fromkeys(("overall_p95_ms", "api_p95_ms", "anomaly_score"), 0.0)
    body = foreign("ok", 100.0, "healthy", sample_size=0, **nothing) | {"reason": "no_data"}
    patient = admit(report(body))

    assert patient.watched.wait_health("ok")["headline"] == ""
    assert patient.watched.incidents() == []
