"""An incident is its events."""

from __future__ import annotations

import pytest

from alertengine.core.events import Event, EventType, NewEvent, SystemEventType
from alertengine.core.incident import apply, fold
from alertengine.testing import RESTART_POOL, TARIRO, detected, diagnosed, make_events, make_incident

AUTHORIZED = NewEvent(
    type=EventType.RECOVERY_AUTHORIZED,
    actor=TARIRO,
    data={"execution_id": "exe_1", "action": RESTART_POOL.to_json(), "round": 1},
)
STARTED = NewEvent(type=EventType.RECOVERY_STARTED, data={"execution_id": "exe_1", "boot": "boot_1"})
SUCCEEDED = NewEvent(type=EventType.RECOVERY_SUCCEEDED, data={"execution_id": "exe_1", "detail": "done"})
QUEUED = NewEvent(type=EventType.ALERT_QUEUED, data={"message": "alert", "asks": True})
ACCEPTED = NewEvent(type=EventType.ALERT_ACCEPTED, data={"message": "alert", "asks": True})


def of(kind: EventType, **data: object) -> NewEvent:
    return NewEvent(type=kind, data=data)


@pytest.mark.parametrize(
    ("news", "stage"),
    [
        ([], "DIAGNOSED"),
        ([QUEUED], "DIAGNOSED"),
        ([QUEUED, ACCEPTED], "ALERTED"),
        ([QUEUED, ACCEPTED, AUTHORIZED], "AUTHORIZED"),
        ([QUEUED, ACCEPTED, AUTHORIZED, STARTED], "RECOVERING"),
        ([AUTHORIZED, STARTED, SUCCEEDED], "VERIFYING"),
        ([AUTHORIZED, STARTED, of(EventType.RECOVERY_FAILED, detail="exit 1")], "DIAGNOSED"),
        ([AUTHORIZED, STARTED, of(EventType.RECOVERY_OUTCOME_UNKNOWN, detail="?")], "UNKNOWN"),
        ([AUTHORIZED, STARTED, SUCCEEDED, of(EventType.HEALTH_NOT_RECOVERED)], "DIAGNOSED"),
        ([AUTHORIZED, STARTED, SUCCEEDED, of(EventType.INCIDENT_RESOLVED)], "RESOLVED"),
        ([NewEvent(type=EventType.RECOVERY_REJECTED, actor=TARIRO)], "REJECTED"),
        ([of(EventType.INCIDENT_EXPIRED)], "EXPIRED"),
        ([of(EventType.INCIDENT_EXPIRED), of(EventType.LINK_REISSUED, contact="c")], "DIAGNOSED"),
    ],
)
def test_stages_follow_from_events(news: list[NewEvent], stage: str) -> None:
    assert make_incident(*news).stage == stage


def test_a_message_that_asks_nothing_does_not_alert() -> None:
    told = NewEvent(type=EventType.ALERT_ACCEPTED, data={"message": "authorized", "asks": False})
    assert make_incident(told).stage == "DIAGNOSED"


def test_each_failed_recovery_opens_a_new_round() -> None:
    failed = make_incident(QUEUED, AUTHORIZED, STARTED, of(EventType.RECOVERY_FAILED, detail="exit 1"))

    assert failed.round == 2
    assert failed.alert_queued_at is None
    assert failed.approvals == ()


def test_an_unknown_outcome_makes_room_only_once_the_service_is_healthy() -> None:
    unknown = [AUTHORIZED, STARTED, of(EventType.RECOVERY_OUTCOME_UNKNOWN, detail="?")]

    assert make_incident(*unknown).holds_slot
    released = make_incident(*unknown, of(EventType.HEALTH_VERIFIED))
    assert released.open
    assert not released.holds_slot


def test_a_test_holds_no_slot() -> None:
    assert not fold(make_events(detected(is_test=True))).holds_slot


def test_a_recovery_that_nobody_authorized_cannot_go_on() -> None:
    with pytest.raises(ValueError, match="nobody authorized"):
        make_incident(STARTED)


def test_without_events_there_is_no_incident() -> None:
    with pytest.raises(ValueError, match="without events"):
        fold([])


def test_every_event_keeps_version_and_time() -> None:
    events = make_events(detected(), diagnosed(), QUEUED)
    state = None
    for event in events:
        state = apply(state, event)
        assert (state.version, state.last_at) == (event.seq, event.at)


def test_no_type_is_both_an_incident_s_and_the_system_s() -> None:
    assert not set(EventType) & set(SystemEventType)


def test_an_event_s_json_is_the_contract_s() -> None:
    event: Event = make_events(detected())[0]
    assert event.to_json().keys() == {"seq", "at", "type", "actor", "data", "hash", "prev_hash"}
    assert event.to_json()["at"] == "2026-01-02T03:04:05.000000Z"
