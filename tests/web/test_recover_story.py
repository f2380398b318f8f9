"""The record in plain words."""

from __future__ import annotations

import pytest

from alertengine.core.account import span, tell
from alertengine.core.events import EventType, NewEvent
from alertengine.core.model import SYSTEM
from alertengine.testing import RESTART_POOL, TARIRO, detected, diagnosed, make_events

AUTHORIZED = NewEvent(
    type=EventType.RECOVERY_AUTHORIZED,
    actor=TARIRO,
    data={"action": RESTART_POOL.to_json(), "channel": "phone", "execution_id": "exe_1", "round": 1},
)


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


def test_what_happened_at_the_terminal_and_what_was_noted_is_told() -> None:
    looked = NewEvent(type=EventType.RECOVERY_PREVIEWED, actor=TARIRO, data={"channel": "terminal"})
    against = NewEvent(type=EventType.RECOVERY_REJECTED, actor=TARIRO, data={"note": "in the maintenance"})

    assert [tell(e) for e in make_events(detected(), looked, against)][1:] == [
        "Tariro looked at the terminal at what would run",
        "Tariro decided not to run it “in the maintenance”",
    ]


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
