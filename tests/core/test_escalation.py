"""Steps, the people they name, and what people can bear."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alertengine.core.audience import Address, Audience, choose
from alertengine.core.decide import Do, next_step
from alertengine.core.detection import Watch
from alertengine.core.escalation import EscalationStep, Override, ladder, problems
from alertengine.core.events import EventType, NewEvent
from alertengine.core.given import Given
from alertengine.core.model import Contact, Role
from alertengine.core.policy import Policy
from alertengine.core.snapshot import read_report
from alertengine.testing import START, TARIRO, critical_report, healthy_report, make_incident

STEPS = (
    EscalationStep(who=("Tariro",)),
    EscalationStep(after_s=180, who=("Tariro", "Rudo"), channels=("voice",), repeats=1, repeat_every_s=60),
    EscalationStep(after_s=200, who=("admin",)),
)
QUEUED = NewEvent(
    type=EventType.ALERT_QUEUED,
    data={"message": "alert", "asks": True, "deliveries": [{"delivery_id": "msg_1"}]},
)
DEAD = NewEvent(type=EventType.ALERT_DEAD, data={"delivery_id": "msg_1"})
ACKNOWLEDGED = NewEvent(type=EventType.INCIDENT_ACKNOWLEDGED, actor=TARIRO)


def escalated(turn: int) -> NewEvent:
    return NewEvent(type=EventType.INCIDENT_ESCALATED, data={"turn": turn, "to": ["Rudo"]})


def due(*news: NewEvent, after_s: float, policy: Policy | None = None, well: bool = False) -> object:
    watch, at = Watch(), START + timedelta(seconds=after_s)
    for number in range(2):
        report = healthy_report() if well else critical_report()
        watch = watch.see(read_report(START + timedelta(seconds=number - 60), report))
    step = next_step(make_incident(*news), watch, policy or Policy(steps=STEPS), at, "this life")
    return (step.do, step.turn and step.turn.step) if step else None


def test_a_ladder_has_every_turn_in_its_order() -> None:
    turns = [(t.number, t.step, t.repeat, t.after_s) for t in ladder(STEPS)]
    assert turns == [(0, 0, 0, 0), (1, 1, 0, 180), (2, 2, 0, 200), (3, 1, 1, 240)]


@pytest.mark.parametrize(
    ("news", "after_s", "expected"),
    [
        ([QUEUED], 181, None),
        ([QUEUED], 182, (Do.ESCALATE, 1)),
        ([QUEUED, escalated(1)], 201, None),
        ([QUEUED, escalated(1)], 203, (Do.ESCALATE, 2)),
        ([QUEUED, escalated(1), escalated(2)], 243, (Do.ESCALATE, 1)),
        ([QUEUED, escalated(1), escalated(2), escalated(3)], 800, None),
        ([QUEUED, ACKNOWLEDGED], 500, None),
        ([QUEUED, ACKNOWLEDGED], 604, (Do.ESCALATE, 1)),
        ([QUEUED, ACKNOWLEDGED, escalated(1), ACKNOWLEDGED], 604, None),
        ([QUEUED, DEAD], 10, (Do.ESCALATE, 1)),
        ([QUEUED, DEAD, escalated(1)], 10, (Do.ESCALATE, 2)),
        ([QUEUED, DEAD, escalated(1), escalated(2), escalated(3)], 10, None),
    ],
)
def test_each_turn_comes_once_in_its_time(news: list[NewEvent], after_s: float, expected: object) -> None:
    assert due(*news, after_s=after_s) == expected


def test_nobody_is_called_for_what_is_well_again() -> None:
    assert due(QUEUED, after_s=400, well=True) is None


@pytest.mark.parametrize(("after_s", "expected"), [(1800, None), (1803, (Do.REMIND, None))])
def test_it_is_called_to_mind_while_it_stays_broken(after_s: float, expected: object) -> None:
    expired = NewEvent(type=EventType.INCIDENT_EXPIRED)
    assert due(QUEUED, expired, after_s=after_s) == expected
    assert due(QUEUED, expired, after_s=after_s, well=True) is None
    assert due(QUEUED, expired, after_s=after_s, policy=Policy(remind_after_s=0)) is None


def test_reminders_grow_rarer() -> None:
    assert [Policy().reminder_s(n) for n in (0, 1, 2, 3, 4, 99)] == [1800, 3600, 7200, 14400, 14400, 14400]


def test_the_first_override_that_fits_goes_before_the_steps() -> None:
    own = (EscalationStep(who=("Chipo",)),)
    other = (EscalationStep(who=("Farai",)),)
    policy = Policy(
        steps=STEPS,
        overrides=(
            Override(service="Pay*", tenant="ten_1", steps=own),
            Override(service="pay*", steps=other),
        ),
    )
    assert policy.steps_for("ten_1", "payments") == own
    assert policy.steps_for("ten_2", "payments") == other
    assert policy.steps_for("ten_2", "orders") == STEPS
    assert Policy().steps_for("ten_2", "orders")[1].after_s == 180


def test_a_deadline_leaves_time_for_the_last_step() -> None:
    assert Policy().deadline_s == 900
    assert Policy(steps=(EscalationStep(), EscalationStep(after_s=3600))).deadline_s == 3900
    assert list(problems((EscalationStep(), EscalationStep(after_s=3600)), 900))
    assert list(problems((EscalationStep(after_s=5),), 900))
    assert list(problems((EscalationStep(), EscalationStep(repeats=2)), 900))
    assert not list(problems(STEPS, 900))


def someone(name: str, channel: str = "telegram", role: Role = Role.APPROVER) -> Address:
    contact = Contact(
        id=f"con_{name}_{channel}",
        tenant_id="ten_1",
        name=name,
        channel=channel,
        role=role,
        verified_at=START,
    )
    return Address(contact=contact, ways=frozenset({channel, f"{channel}_twilio"}))


TEAM = [
    someone("Tariro"),
    someone("Tariro", "voice"),
    someone("Rudo", "whatsapp"),
    someone("Rudo", "voice"),
    someone("Chipo", role=Role.ADMIN),
]


def test_a_namesake_whom_a_tenant_s_key_gave_is_told_in_nobody_s_place() -> None:
    decoy = replace(someone("tariro", "voice").contact, role=Role.VIEWER, given_by=Given.TENANT)
    team = [someone("Tariro"), Address(contact=decoy, ways=frozenset({"voice"}))]

    def told(step: EscalationStep, reach: list[Address]) -> list[Role]:
        return [c.role for c in choose(reach, step, lambda _: None, {"tariro\n": 3}, wakes=True).contacts]

    assert told(EscalationStep(who=("Tariro",), channels=("voice",)), team) == [Role.APPROVER]
    assert told(EscalationStep(who=("Tariro",)), [someone("Rudo"), team[1]]) == [Role.APPROVER]


def chosen(
    step: EscalationStep,
    asleep: tuple[str, ...] = (),
    had: Mapping[str, int] | None = None,
    wakes: bool = True,
    widens: bool = True,
) -> tuple[list[str], Audience]:
    def quiet(contact: Contact) -> datetime | None:
        return START if contact.name in asleep else None

    found = choose(TEAM, step, quiet, had or {}, wakes=wakes, widens=widens)
    return [f"{c.name} {c.channel}" for c in found.contacts], found


@pytest.mark.parametrize(
    ("who", "channels", "expected"),
    [
        (("everyone",), (), ["Tariro telegram", "Rudo whatsapp", "Chipo telegram"]),
        (("tariro",), ("all",), ["Tariro telegram", "Tariro voice"]),
        (("Rudo", "admin"), ("voice",), ["Rudo voice", "Chipo telegram"]),
        (("Rudo",), ("voice_twilio",), ["Rudo voice"]),
        (("Nobody",), (), ["Tariro telegram", "Rudo whatsapp", "Chipo telegram"]),
    ],
)
def test_a_step_finds_its_people(
    who: tuple[str, ...], channels: tuple[str, ...], expected: list[str]
) -> None:
    assert chosen(EscalationStep(who=who, channels=channels))[0] == expected


def test_who_was_told_and_left_is_not_replaced_by_everybody() -> None:
    assert chosen(EscalationStep(who=("Nobody",)), widens=False)[0] == []


def test_who_sleeps_is_held_and_the_most_senior_is_woken_where_all_do() -> None:
    told, found = chosen(EscalationStep(), asleep=("Rudo",))
    assert told == ["Tariro telegram", "Chipo telegram"]
    assert found.held == {"Rudo": START}

    told, found = chosen(EscalationStep(), asleep=("Tariro", "Rudo", "Chipo"))
    assert told == ["Chipo telegram"]
    assert set(found.held) == {"Tariro", "Rudo"}

    assert chosen(EscalationStep(), asleep=("Tariro", "Rudo", "Chipo"), wakes=False)[0] == []


def test_a_person_is_spared_what_they_cannot_bear() -> None:
    told, found = chosen(EscalationStep(channels=("all",)), had={"tariro": 2, "rudo": 3})
    assert told == ["Tariro telegram", "Chipo telegram"]
    assert found.spared == ("Rudo",)
