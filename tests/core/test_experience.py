"""How earlier runs ended, and how that is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alertengine.core.events import Event, EventType, NewEvent
from alertengine.core.experience import experience, past_runs, tell
from alertengine.core.language import ENGLISH
from alertengine.testing import RESTART_POOL, START, TARIRO, diagnosed, make_events

AUTHORIZED = NewEvent(
    type=EventType.RECOVERY_AUTHORIZED,
    actor=TARIRO,
    data={"action": RESTART_POOL.to_json(), "channel": "phone", "execution_id": "exe_1", "round": 1},
)
FAILED, VERIFIED, USELESS = (
    NewEvent(type=kind, data={"reason": "two healthy reports", "detail": "exit 0"})
    for kind in (EventType.RECOVERY_FAILED, EventType.HEALTH_VERIFIED, EventType.HEALTH_NOT_RECOVERED)
)


def run(took_s: float, end: NewEvent = VERIFIED, cause: str = "pool_exhaustion", day: int = 0) -> list[Event]:
    """One incident's diagnosis, approval and end."""
    begun = make_events(diagnosed(cause=cause), AUTHORIZED, at=START + timedelta(days=day))
    ended = make_events(end, at=begun[-1].at + timedelta(seconds=took_s))
    return [*begun, *ended]


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
    events = run(40.0, NewEvent(type=kind, data={}))
    known = experience(events, "restart-pool", "pool_exhaustion")

    assert [past.result for past in past_runs(events, "restart-pool")] == [result]
    assert f"Last on 2026-01-02: {result}." in tell(known, "restart-pool", ENGLISH)


def test_what_healed_without_a_run_is_no_run() -> None:
    assert past_runs(make_events(VERIFIED), "restart-pool") == []
    ended = past_runs(make_events(AUTHORIZED, FAILED, VERIFIED), "restart-pool")
    assert [past.result for past in ended] == ["failed"]
    assert past_runs(make_events(AUTHORIZED, VERIFIED), "another") == []


@pytest.mark.parametrize("data", [{}, {"action": None}, {"action": "restart-pool"}])
def test_an_approval_that_lacks_its_action_counts_for_none(data: dict[str, object]) -> None:
    odd = NewEvent(type=EventType.RECOVERY_AUTHORIZED, actor=TARIRO, data=data)
    assert past_runs(make_events(odd, VERIFIED), "restart-pool") == []


def test_an_action_is_known_by_how_often_it_helped_and_how_fast() -> None:
    events = [*run(38), *run(41, day=1), *run(39, day=2), *run(300, day=3), *run(120, USELESS, day=4)]
    known = experience(events, "restart-pool", "pool_exhaustion")

    assert str(known) == "Helped 4 of 5 times. Median 40 s."
    assert known is not None
    assert known.to_json() == {
        "action": "restart-pool",
        "tried": 5,
        "helped": 4,
        "median_s": 40.0,
        "last_at": "2026-01-06T03:04:06.000000Z",
        "last_result": "did not help",
        "same_cause": True,
        "text": "Helped 4 of 5 times. Median 40 s.",
    }


def test_an_action_that_never_helped_says_so() -> None:
    assert str(experience(run(9, FAILED), "restart-pool", "pool_exhaustion")) == "Helped 0 of 1 time."


def test_runs_for_the_same_cause_count_before_those_for_others() -> None:
    events = [*run(40), *run(9, FAILED, cause="disk_full", day=1)]

    assert str(experience(events, "restart-pool", "pool_exhaustion")) == "Helped 1 of 1 time. Median 40 s."
    assert str(experience(events, "restart-pool", "db_slow")) == (
        "Helped 1 of 2 times with other causes. Median 40 s."
    )


def test_causes_that_are_not_clear_are_alike_in_nothing() -> None:
    known = experience(run(40, cause="unclear"), "restart-pool", "unclear")
    assert known is not None
    assert not known.same_cause


def test_what_never_ran_has_no_figures() -> None:
    assert experience([], "restart-pool", "pool_exhaustion") is None
    assert "No earlier run of restart-pool" in tell(None, "restart-pool", ENGLISH)
