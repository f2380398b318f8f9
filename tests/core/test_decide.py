"""What is due next."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from alertengine.core.decide import Do, next_step
from alertengine.core.detection import Watch
from alertengine.core.events import EventType, NewEvent
from alertengine.core.incident import Incident, fold
from alertengine.core.policy import Policy
from alertengine.core.snapshot import read_report
from alertengine.testing import (
    RESTART_POOL,
    START,
    TARIRO,
    critical_report,
    detected,
    healthy_report,
    make_events,
    make_incident,
)

QUEUED = NewEvent(type=EventType.ALERT_QUEUED, data={"message": "alert", "asks": True})
ACCEPTED = NewEvent(type=EventType.ALERT_ACCEPTED, data={"message": "alert", "asks": True})
AUTHORIZED = NewEvent(
    type=EventType.RECOVERY_AUTHORIZED,
    actor=TARIRO,
    data={"execution_id": "exe_1", "action": RESTART_POOL.to_json(), "round": 1},
)
STARTED = NewEvent(type=EventType.RECOVERY_STARTED, data={"execution_id": "exe_1", "boot": "this life"})
SUCCEEDED = NewEvent(type=EventType.RECOVERY_SUCCEEDED, data={"execution_id": "exe_1", "detail": "done"})
UNKNOWN = NewEvent(type=EventType.RECOVERY_OUTCOME_UNKNOWN, data={"execution_id": "exe_1", "detail": "?"})
REJECTED = NewEvent(type=EventType.RECOVERY_REJECTED, actor=TARIRO)
EXPIRED = NewEvent(type=EventType.INCIDENT_EXPIRED)
LATER = START + timedelta(seconds=20)


def seen(report: dict[str, object], first: datetime = LATER, polls: int = 2) -> Watch:
    watch = Watch()
    for number in range(polls):
        watch = watch.see(read_report(first + timedelta(seconds=5 * number), report))
    return watch


SICK = seen(critical_report())
WELL = seen(healthy_report())


def due(incident: Incident, watch: Watch = SICK, after_s: float = 20, boot: str = "this life") -> Do | None:
    step = next_step(incident, watch, Policy(), START + timedelta(seconds=after_s), boot)
    return step.do if step else None


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        ([], Do.ASK),
        ([QUEUED], None),
        ([QUEUED, ACCEPTED], None),
        ([QUEUED, ACCEPTED, AUTHORIZED], Do.START),
        ([QUEUED, ACCEPTED, AUTHORIZED, STARTED], None),
        ([AUTHORIZED, STARTED, SUCCEEDED], None),
        ([AUTHORIZED, STARTED, UNKNOWN], None),
        ([QUEUED, REJECTED], None),
        ([QUEUED, EXPIRED], None),
    ],
)
def test_while_the_service_is_sick(news: list[NewEvent], expected: Do | None) -> None:
    assert due(make_incident(*news)) is expected


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        ([], Do.HEAL),
        ([QUEUED, ACCEPTED], Do.HEAL),
        ([QUEUED, REJECTED], Do.HEAL),
        ([QUEUED, EXPIRED], Do.HEAL),
        ([QUEUED, AUTHORIZED], Do.START),
        ([AUTHORIZED, STARTED], None),
        ([AUTHORIZED, STARTED, SUCCEEDED], Do.VERIFY),
        ([AUTHORIZED, STARTED, UNKNOWN], Do.RELEASE),
    ],
)
def test_once_the_service_is_well(news: list[NewEvent], expected: Do | None) -> None:
    assert due(make_incident(*news), WELL) is expected


def test_a_new_incident_is_diagnosed_first() -> None:
    assert due(fold(make_events(detected()))) is Do.DIAGNOSE


def test_health_from_before_the_recovery_ended_proves_nothing() -> None:
    early = seen(healthy_report(), first=START)
    assert due(make_incident(AUTHORIZED, STARTED, SUCCEEDED), early) is None


@pytest.mark.parametrize(
    ("after_s", "expected"), [(179, None), (183, Do.ESCALATE), (899, Do.ESCALATE), (903, Do.EXPIRE)]
)
def test_silence_escalates_and_then_expires(after_s: float, expected: Do | None) -> None:
    assert due(make_incident(QUEUED, ACCEPTED), after_s=after_s) is expected


def test_it_escalates_once() -> None:
    escalated = NewEvent(type=EventType.INCIDENT_ESCALATED)
    assert due(make_incident(QUEUED, escalated), after_s=200) is None


@pytest.mark.parametrize(("after_s", "expected"), [(30, Do.START), (40, Do.MISS_START)])
def test_a_late_start_is_missed(after_s: float, expected: Do) -> None:
    assert due(make_incident(QUEUED, AUTHORIZED), after_s=after_s) is expected


def test_a_start_in_a_former_life_is_lost() -> None:
    running = make_incident(AUTHORIZED, STARTED)
    assert due(running, boot="another life") is Do.LOSE


def test_health_that_does_not_come_back_is_given_up() -> None:
    ran = make_incident(AUTHORIZED, STARTED, SUCCEEDED)
    assert due(ran, after_s=124) is None
    assert due(ran, after_s=126) is Do.GIVE_UP_VERIFYING


def test_a_test_waits_for_no_health() -> None:
    events = make_events(detected(is_test=True), QUEUED, AUTHORIZED, STARTED, SUCCEEDED)
    assert due(fold(events)) is Do.FINISH_TEST


def test_every_step_gives_its_reason() -> None:
    step = next_step(make_incident(), SICK, Policy(), START, "this life")
    assert step is not None
    assert step.reason
