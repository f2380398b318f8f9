"""From alert to outcome, with recoveries that fail in every way, and the same for people who do not answer."""

from __future__ import annotations

import os
import signal

import pytest
from harness import Admit, Daemon, MakeDaemon, Patient
from recoveries import Scripts
from stage import CRITICAL, HEALTHY, wait_for

ASKED = ["incident_detected", "diagnosis_completed", "alert_queued", "alert_accepted"]


def fall(admit: Admit, *actions: str, **more: object) -> tuple[Patient, str]:
    """A service that is critical from the start, and its incident, alerted."""
    patient = admit(CRITICAL, actions=list(actions), **more)
    patient.phone.wait("alert")
    return patient, patient.watched.wait_incident()


def approve(patient: Patient, message: dict[str, object] | None = None) -> None:
    answer = patient.daemon.link("confirm", message or patient.phone.wait("alert"))
    assert (answer.status, answer.body.get("authorized")) == (200, True), answer.body


def ended(patient: Patient, incident: str, how: str) -> dict[str, object]:
    return patient.watched.wait_event(incident, f"recovery_{how}")["data"]


def test_an_approved_recovery_runs_once_and_its_whole_way_is_on_record(
    admit: Admit, scripts: Scripts
) -> None:
    patient, incident = fall(admit, "ok")
    approve(patient)
    ended(patient, incident, "succeeded")
    patient.server.behave = HEALTHY
    patient.watched.wait_stage(incident, "RESOLVED")
    patient.phone.wait("recovered")

    types = patient.watched.types(incident)
    assert types[:4] == ASKED
    steps = [t for t in types[4:] if not t.startswith("alert")]
    begun = ["recovery_authorized", "recovery_started", "recovery_succeeded"]
    assert steps == [*begun, "health_verified", "incident_resolved"]
    human = patient.watched.events(incident, "recovery_authorized")[0]["actor"]
    assert (human["kind"], human["name"]) == ("contact", "Tariro")
    assert scripts.runs(incident) == [ended(patient, incident, "succeeded")["execution_id"]]
    assert patient.phone.kinds == ["alert", "authorized", "recovered"]


def test_a_second_tap_is_told_what_happened(admit: Admit, scripts: Scripts) -> None:
    patient, incident = fall(admit, "ok")
    approve(patient)
    ended(patient, incident, "succeeded")
    again = patient.daemon.link("confirm", patient.phone.wait("alert"))

    assert (again.status, again.code) == (409, "TOKEN_USED")
    assert again.body["execution"]["status"] == "succeeded"
    assert len(scripts.runs(incident)) == 1


def test_the_same_fault_twice_alerts_twice(admit: Admit) -> None:
    patient, first = fall(admit)
    patient.server.behave = HEALTHY
    patient.watched.wait_stage(first, "RESOLVED")
    patient.phone.wait("healed")
    patient.server.behave = CRITICAL
    second = patient.watched.wait_incident(count=2)
    patient.phone.wait("alert", count=2)

    assert second != first
    assert patient.phone.kinds == ["alert", "healed", "alert"]


def test_what_heals_before_the_approval_is_resolved_and_runs_nothing(admit: Admit, scripts: Scripts) -> None:
    patient, incident = fall(admit, "ok")
    patient.server.behave = HEALTHY
    patient.watched.wait_stage(incident, "RESOLVED")
    told = patient.phone.wait("healed")
    late = patient.daemon.link("confirm", patient.phone.wait("alert"))

    assert "nothing was run" in told["title"]
    assert (late.status, late.code) == (409, "NOT_AWAITING_APPROVAL")
    assert scripts.runs(incident) == []
    assert "authorization_refused" in patient.watched.types(incident)


def test_a_rejected_recovery_never_runs_and_the_service_is_still_watched(
    admit: Admit, scripts: Scripts
) -> None:
    patient, incident = fall(admit, "ok")
    alert = patient.phone.wait("alert")
    rejected = patient.daemon.link("reject", alert)
    patient.phone.wait("rejected")
    late = patient.daemon.link("confirm", alert)

    assert (rejected.status, rejected.body["rejected"]) == (200, True)
    assert (late.status, late.code) == (409, "TOKEN_USED")
    assert patient.watched.audit(incident)["stage"] == "REJECTED"
    patient.server.behave = HEALTHY
    patient.watched.wait_stage(incident, "RESOLVED")
    assert scripts.runs(incident) == []


@pytest.mark.slow
def test_nobody_answering_is_escalated_expired_and_can_be_taken_up_again(
    admit: Admit, make_daemon: MakeDaemon, scripts: Scripts
) -> None:
    daemon = make_daemon(IMPATIENT).start()
    patient, incident = fall(admit, "ok", daemon=daemon)
    patient.phone.wait("escalation")
    patient.watched.wait_stage(incident, "EXPIRED")
    patient.phone.wait("expired")
    old = patient.phone.wait("alert")

    assert daemon.link("confirm", old).code == "TOKEN_EXPIRED"
    assert daemon.link("reissue", old).status == 202
    approve(patient, patient.phone.wait("link"))
    ended(patient, incident, "succeeded")
    types = patient.watched.types(incident)
    assert types.index("incident_escalated") < types.index("incident_expired") < types.index("link_reissued")
    assert len(scripts.runs(incident)) == 1


IMPATIENT = """
[policy]
approval_timeout_s = 2
escalate_after_s = 1
decision_timeout_s = 3
[channels.hook]
kind = "webhook"
url = "http://127.0.0.1:9/"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[actions.ok]
kind = "command"
argv = ["/bin/sh", "{scripts}/recover.sh", "ok", "{scripts}"]
"""


def test_a_recovery_that_did_not_help_asks_again(admit: Admit) -> None:
    patient, incident = fall(admit, "ok")
    approve(patient)
    again = patient.phone.wait("not_recovered")

    assert "health_not_recovered" in patient.watched.types(incident)
    assert again["url"]
    assert "token=" in again["text"]


def test_a_failing_command_is_told_with_its_words_and_a_fresh_link_runs_it_again(
    admit: Admit, scripts: Scripts
) -> None:
    patient, incident = fall(admit, "fail")
    approve(patient)
    failed = ended(patient, incident, "failed")
    again = patient.phone.wait("failed")

    assert (failed["exit_code"], failed["ran"]) == (3, True)
    assert "payments.service not found" in failed["output"]
    assert "exit 3" in again["title"]
    approve(patient, again)
    wait_for(lambda: len(scripts.runs(incident)) == 2, "it ran again")
    assert len(patient.watched.events(incident, "recovery_authorized")) == 2


@pytest.mark.parametrize("action", ["hang", "deaf"])
def test_a_command_past_its_limit_is_stopped_with_all_its_processes(
    action: str, admit: Admit, scripts: Scripts
) -> None:
    patient, incident = fall(admit, action)
    approve(patient)
    failed = ended(patient, incident, "failed")

    assert failed["timed_out"] is True
    assert "limit of 1 s" in failed["detail"]
    assert scripts.alive(incident) == []
    assert len(scripts.runs(incident)) == 1


def test_a_command_that_cannot_start_is_a_failure_that_ran_nothing(admit: Admit) -> None:
    patient, incident = fall(admit, "missing")
    approve(patient)
    failed = ended(patient, incident, "failed")

    assert failed["ran"] is False
    assert "No such file" in failed["detail"]


def test_an_output_of_10_mb_is_kept_cut_and_hashed(admit: Admit) -> None:
    patient, incident = fall(admit, "flood")
    approve(patient)
    done = ended(patient, incident, "succeeded")

    assert done["output_bytes"] == 10_000_000
    assert len(done["output"]) < 20_000
    assert "bytes cut" in done["output"]
    assert len(done["output_sha256"]) == 64


def test_a_child_that_outlives_its_command_delays_nothing_and_goes_on(admit: Admit, scripts: Scripts) -> None:
    patient, incident = fall(admit, "child")
    approve(patient)
    done = ended(patient, incident, "succeeded")

    assert done["exit_code"] == 0
    assert "parent is done" in done["output"]
    assert done["duration_s"] < 5
    left = scripts.alive(incident)
    for pid in left:
        os.kill(int(pid), signal.SIGKILL)
    assert len(left) == 1


def test_a_child_in_a_session_of_its_own_delays_nothing(admit: Admit) -> None:
    patient, incident = fall(admit, "escape")
    approve(patient)

    assert ended(patient, incident, "succeeded")["duration_s"] < 5


def test_an_http_recovery_that_is_refused_has_not_run(admit: Admit) -> None:
    patient, incident = fall(admit, "refused")
    approve(patient)

    assert ended(patient, incident, "failed")["ran"] is False
    assert "could not be asked" in patient.phone.wait("failed")["title"]


@pytest.mark.parametrize("action", ["hangs", "drops"])
def test_an_http_recovery_without_an_answer_is_unknown_and_never_repeated(
    action: str, admit: Admit, shared: Daemon, misbehaving: dict[str, object]
) -> None:
    patient, incident = fall(admit, action)
    approve(patient)
    ended(patient, incident, "outcome_unknown")
    told = patient.phone.wait("unknown")
    again = shared.link("confirm", patient.phone.wait("alert"))

    assert "alertengine close" in told["text"]
    assert (again.status, again.code) == (409, "TOKEN_USED")
    taken = [r for r in misbehaving[action].requests if r.json()["incident_id"] == incident]
    assert len(taken) == 1
    assert taken[0].headers["idempotency-key"] == taken[0].headers["webhook-id"]
    assert patient.watched.audit(incident)["stage"] == "UNKNOWN"
    closed = shared.ask("POST", f"/tenant/{patient.watched.tenant}/incidents/{incident}/close", json=NOTE)
    assert closed.status == 200
    assert patient.watched.audit(incident)["stage"] == "RESOLVED"


NOTE = {"note": "it did not run"}


def test_an_http_recovery_does_not_follow_a_redirect(admit: Admit, misbehaving: dict[str, object]) -> None:
    patient, incident = fall(admit, "moved")
    approve(patient)

    assert ended(patient, incident, "failed")["http_status"] == 302
    assert {r.path for r in misbehaving["moved"].requests} == {"/"}
