"""The record in plain words, and how earlier runs ended."""

from __future__ import annotations

import pytest

from alertengine.core.account import past_runs, span, tell, tell_runs
from alertengine.core.events import EventType, NewEvent
from alertengine.core.model import SYSTEM
from alertengine.testing import RESTART_POOL, TARIRO, detected, diagnosed, make_events

AUTHORIZED = NewEvent(
    type=EventType.RECOVERY_AUTHORIZED,
    actor=TARIRO,
    data={"action": RESTART_POOL.to_json(), "channel": "phone", "execution_id": "exe_1", "round": 1},
)


def ended(kind: EventType) -> NewEvent:
    return NewEvent(type=kind, data={"reason": "two healthy reports", "detail": "exit 0"})


@pytest.mark.parametrize("kind", EventType)
def test_every_event_has_words_whatever_it_carries(kind: EventType) -> None:
    for data in ({}, {"action": None, "deliveries": None, "approvals": None, "confidence": "high"}):
        event = make_events(NewEvent(type=kind, actor=SYSTEM, data=data))[0]
        assert tell(event)


def test_events_are_told_in_plain_words() -> None:
    told = [tell(e) for e in make_events(detected(), diagnosed(), AUTHORIZED)]

    assert told == [
        "Noticed: 61 % of requests to POST /pay fail (usual 0.2 %)",
        "Diagnosis by rules: database connections are used up (92 % sure)",
        "Tariro authorized restart-pool via phone",
    ]


@pytest.mark.parametrize(
    ("kind", "result"),
    [
        (EventType.HEALTH_VERIFIED, "helped"),
        (EventType.HEALTH_NOT_RECOVERED, "did not help"),
        (EventType.RECOVERY_FAILED, "failed"),
        (EventType.RECOVERY_OUTCOME_UNKNOWN, "unknown"),
    ],
)
def test_a_run_counts_by_how_it_ended(kind: EventType, result: str) -> None:
    runs = past_runs(make_events(AUTHORIZED, ended(kind)), "restart-pool")

    assert [run.result for run in runs] == [result]
    assert result in tell_runs(runs, "restart-pool")


def test_what_healed_without_a_run_is_no_run() -> None:
    failed, verified = ended(EventType.RECOVERY_FAILED), ended(EventType.HEALTH_VERIFIED)

    assert past_runs(make_events(verified), "restart-pool") == []
    assert [r.result for r in past_runs(make_events(AUTHORIZED, failed, verified), "restart-pool")] == [
        "failed"
    ]
    assert past_runs(make_events(AUTHORIZED, verified), "another") == []


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (2.13, "2.1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (260, "4 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_as_people_say_them(seconds: float, said: str) -> None:
    assert span(seconds) == said
