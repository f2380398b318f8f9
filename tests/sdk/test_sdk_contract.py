"""The report the daemon reads: its shape is kept in tests/contract/health_report.json."""

import json
import os
from pathlib import Path

import pytest

from fastapi_alertengine import Monitor, evidence

FIXTURE = Path(__file__).parents[1] / "contract" / "health_report.json"


class Clock:
    t = 1000.0

    def __call__(self):
        return self.t


def failing_monitor():
    """Two minutes of a healthy service, then eight seconds in which POST /pay fails or hangs."""
    clock = Clock()
    monitor = Monitor(service="payments", now=clock)
    monitor.mark("startup", version="1.4.2")
    for tenth in range(1280):
        clock.t += 0.1
        failing = tenth >= 1200
        monitor.record("/items/{id}", "GET", 200, 0.02 + tenth % 7 * 0.002)
        with monitor.dependency("http", "psp") as call:
            if failing:
                call.fail(503)
        if tenth % 3 == 0:
            monitor.record("/pay", "POST", 502 if failing else 201, 0.5 if failing else 0.08)
            if failing:
                monitor.faults.add(clock.t, _raised(), "POST /pay")
        if tenth % 10 == 0:
            monitor.runtime.beat(0.001)
            monitor.runtime.second(clock.t, 2)
    return monitor


def _raised():
    try:
        raise ConnectionRefusedError(111, "refused for ada@example.com, token=abc123")
    except OSError as error:
        return error


def critical_report():
    monitor = failing_monitor()
    return {**monitor.report(), "evidence": evidence.build(monitor, monitor.now())}


def shape(value):
    if isinstance(value, dict):
        return {key: shape(one) for key, one in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return (
        "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__
    )


def test_report_keeps_the_shape_the_daemon_reads():
    report = critical_report()
    if os.environ.get("WRITE_CONTRACT"):
        FIXTURE.write_text(json.dumps(report, indent=2) + "\n")
    assert shape(report) == shape(json.loads(FIXTURE.read_text()))


def test_fixture_is_critical_and_tells_where():
    report = critical_report()
    assert report["status"] == report["health_score"]["status"] == "critical"
    assert report["alerts"][0]["type"] == "error_anomaly"
    assert report["alerts"][0]["route"] == "POST /pay"
    assert report["evidence"]["exceptions"][0]["errno"] == 111
    assert report["evidence"]["exceptions"][0]["new"] is True
    psp = report["evidence"]["dependencies"][0]
    assert psp["codes"]["503"] >= 0.9 * psp["count"]
    assert psp["usual"]["fail_rate"] == 0


@pytest.mark.parametrize("secret", ["ada@example.com", "abc123"])
def test_evidence_tells_no_secret(secret):
    assert secret not in json.dumps(critical_report())
