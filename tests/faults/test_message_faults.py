"""Webhooks whose receiver misbehaves: tried again with the same id, or given up, and always on record."""

from __future__ import annotations

import pytest
from harness import Admit, Patient
from stage import CRITICAL, Behaviour, Receiver, Stage, drop, say, wait_for


def attempts(patient: Patient, incident: str) -> list[dict[str, object]]:
    return patient.daemon.get(f"/delivery/{incident}").body["attempts"]


def sick(admit: Admit, *script: Behaviour) -> tuple[Patient, str]:
    patient = admit()
    patient.watched.wait_health("ok")
    patient.phone.script = list(script)
    patient.server.behave = CRITICAL
    return patient, patient.watched.wait_incident()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["500", "cut after it was taken"])
def test_a_receiver_that_fails_once_gets_it_again_with_the_same_id(name: str, admit: Admit) -> None:
    behave = {"500": say(500), "cut after it was taken": drop}[name]
    patient, incident = sick(admit, behave)
    patient.watched.wait_event(incident, "alert_accepted")

    assert len({r.headers["webhook-id"] for r in patient.phone.requests}) == 1
    assert [a["outcome"] for a in attempts(patient, incident)] == ["failed", "accepted"]
    assert len({a["delivery_id"] for a in attempts(patient, incident)}) == 1


@pytest.mark.slow
def test_a_receiver_that_asks_for_patience_gets_it(admit: Admit) -> None:
    patient, incident = sick(admit, say(429, retry_after="4"))
    patient.watched.wait_event(incident, "alert_accepted")

    first, second = patient.phone.requests[:2]
    assert second.at - first.at >= 3.9


@pytest.mark.parametrize("status", [410, 404, 302])
def test_a_receiver_that_is_gone_is_a_dead_letter(status: int, admit: Admit) -> None:
    patient, incident = sick(admit, say(status, location="/elsewhere"))
    dead = patient.watched.wait_event(incident, "alert_dead")

    assert f"HTTP {status}" in dead["data"]["error"]
    assert len(patient.phone.requests) == 1
    assert wait_for(lambda: patient.daemon.status()["dlq_count"], "it is counted") >= 1


def test_a_receiver_that_is_down_holds_up_nobody_else_s_messages(admit: Admit, stage: Stage) -> None:
    down = Receiver(say(204))
    stage.run(down.open())
    stage.run(down.close())
    lost = [{"name": "Lost", "channel": "hook", "address": down.url}]
    failing = [admit(CRITICAL, contacts=lost) for _ in range(8)]
    for patient in failing:
        patient.watched.wait_event(patient.watched.wait_incident(), "alert_failed")
    fine = admit(CRITICAL)

    assert fine.phone.wait("alert", within_s=8)
