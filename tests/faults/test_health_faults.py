"""Whatever a health URL does has a state and a sentence, opens one incident, and is over when it is over."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from harness import Admit, Daemon, MakeDaemon, Patient, admit_on
from stage import (
    CRITICAL,
    HEALTHY,
    Receiver,
    Server,
    Stage,
    bomb,
    cut,
    drip,
    drop,
    endless,
    garbage,
    hang,
    report,
    say,
    wait_for,
)

from alertengine.testing import healthy_report

NESTED = "[" * 100_000
NAN = json.dumps(healthy_report(uptime_s=float("nan")))

MISBEHAVIOURS = {
    "503": (say(503, "{}"), "HTTP 503"),
    "404": (say(404, "{}"), "HTTP 404"),
    "204": (say(204), "HTTP 204"),
    "html": (say(200, "<html>It works!</html>", "text/html"), "not JSON"),
    "empty": (say(200), "not JSON"),
    "invalid JSON": (say(200, '{"status": "ok"'), "not JSON"),
    "not UTF-8": (say(200, b'{"status": "ok\xff"}'), "not JSON"),
    "NaN": (say(200, NAN), "not JSON"),
    "nested JSON": (say(200, NESTED), "not JSON"),
    "a list": (report([healthy_report()]), "JSON of another shape"),
    "another shape": (report({"up": True}), "JSON of another shape"),
    "a foreign status": (report({"status": "UP"}), "JSON of another shape"),
    "10 MB": (say(200, b" " * 10_000_000), "answers too much"),
    "gzip bomb": (bomb(), "answers too much"),
    "endless chunks": (endless, "answers too much"),
    "hang": (hang, "does not answer in time"),
    "slow drip": (drip, "does not answer in time"),
    "redirect": (say(302, location="/health/alerts"), "HTTP 302"),
    "too short a body": (say(200, "{}", content_length="1000"), "broke"),
    "too long a body": (say(200, json.dumps(healthy_report()), content_length="10"), "not JSON"),
    "half an answer": (cut, "broke"),
    "no answer": (drop, "broke"),
    "no HTTP": (garbage, "broke"),
}


@pytest.mark.slow
def test_a_health_url_that_misbehaves_is_an_outage_in_words_until_it_is_over(
    make_daemon: MakeDaemon, serve: Callable[[], Server], take: Callable[[], Receiver]
) -> None:
    """All of them side by side: begun, seen, borne for two polls more, ended."""
    daemon = make_daemon(env={"LOOP_INTERVAL_S": "0.5"}).start()
    ward = {name: admit_on(daemon, serve(), take()) for name in MISBEHAVIOURS}
    for patient in ward.values():
        patient.watched.wait_health("ok")
    for name, patient in ward.items():
        patient.server.behave = MISBEHAVIOURS[name][0]
    asked = {name: (p.phone.wait("alert"), len(p.server.requests)) for name, p in ward.items()}
    for name, patient in ward.items():
        wait_for(lambda p=patient, n=asked[name][1]: len(p.server.requests) >= n + 2, "it is polled on")
    seen = {name: looked_at(patient) for name, patient in ward.items()}
    for patient in ward.values():
        patient.server.behave = HEALTHY
    for patient in ward.values():
        patient.phone.wait("healed")

    wrong = {name: what for name, what in seen.items() if not as_expected(MISBEHAVIOURS[name][1], what)}
    assert wrong == {}
    assert {name: p.phone.kinds for name, p in ward.items()} == {name: ["alert", "healed"] for name in ward}
    assert {p.watched.incidents()[0]["stage"] for p in ward.values()} == {"RESOLVED"}
    assert daemon.stop() == 0


def looked_at(patient: Patient) -> dict[str, Any]:
    incidents = patient.watched.incidents()
    return {
        "headline": patient.watched.row()["headline"],
        "detected": patient.watched.events(incidents[0]["incident_id"], "incident_detected")[0]["data"],
        "alert": patient.phone.messages[0]["text"],
        "incidents": len(incidents),
    }


def as_expected(words: str, seen: dict[str, Any]) -> bool:
    reason = seen["detected"]["reason"]
    told = words in seen["headline"] and words in reason and words in seen["alert"]
    outage = seen["detected"]["kind"] == "outage" and reason.startswith("2 polls in a row failed")
    return told and outage and seen["incidents"] == 1


def test_a_health_url_that_refuses(admit: Admit, stage: Stage) -> None:
    patient = admit(HEALTHY)
    patient.watched.wait_health("ok")
    stage.run(patient.server.close())

    assert "nothing answers at its health address" in patient.watched.wait_health("unreachable")["headline"]
    incident = patient.watched.wait_incident()
    stage.run(patient.server.open())
    patient.watched.wait_stage(incident, "RESOLVED")


def test_a_name_that_does_not_resolve(shared: Daemon) -> None:
    watched = shared.onboard("nowhere", "http://nowhere.invalid/health/alerts", actions=[])

    assert "does not resolve" in watched.wait_health("unreachable")["headline"]
    watched.wait_incident()


def test_one_lost_poll_is_no_outage(admit: Admit) -> None:
    patient = admit(HEALTHY)
    patient.watched.wait_health("ok")
    patient.server.script = [say(503), HEALTHY, HEALTHY, say(503)]
    wait_for(lambda: not patient.server.script, "the script is played")
    patient.watched.wait_health("ok")

    assert patient.watched.incidents() == []


HOSTILE = {
    "figures": {"score": "23", "status": 7},
    "infinity": {"score": 1e308, "status": "critical"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_critical_report_with_hostile_parts_is_still_critical(name: str, admit: Admit) -> None:
    hostile = {
        "status": "critical",
        "health_score": HOSTILE[name],
        "metrics": [1, 2],
        "alerts": {"a": "\u001b[31m"},
        "routes": "none",
        "storage": None,
    }
    patient = admit(report(hostile))

    assert patient.watched.wait_health("critical")["headline"] == "health is critical"


def test_a_target_that_hangs_delays_no_other(admit: Admit) -> None:
    hanging = [admit(hang) for _ in range(5)]
    fine = admit(HEALTHY)
    fine.watched.wait_health("ok")
    polled = len(fine.server.requests)
    fine.server.behave = CRITICAL
    incident = fine.watched.wait_incident(within_s=2)

    asked = fine.server.requests[polled - 1 :]
    gaps = [b.at - a.at for a, b in pairwise(asked)]
    assert max(gaps, default=0) < 0.9
    assert fine.watched.events(incident, "incident_detected")
    for patient in hanging:
        patient.server.behave = HEALTHY
