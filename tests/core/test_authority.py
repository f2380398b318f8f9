"""Who may decide: every right, every proof, and each person once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertengine.core.authority import (
    Asker,
    PinFor,
    PinShown,
    Rules,
    decide_against,
    decide_for,
    holder,
    may_break_glass,
    may_go_on_alone,
    operator,
)
from alertengine.core.events import EventType, NewEvent
from alertengine.core.given import Given
from alertengine.core.incident import Incident
from alertengine.core.model import ActionSpec, Actor, Contact, Risk, Role
from alertengine.core.people import Crowd
from alertengine.errors import (
    GlassNotBroken,
    NotAnApprover,
    NotAwaitingApproval,
    PinNeeded,
    PinUnset,
    Refused,
    SelfApproval,
    SignInNeeded,
)
from alertengine.testing import RESTART_POOL, make_incident

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
HOW: dict[str, Any] = {"channel": "telegram"}


def contact(name: str, number: int = 1, **more: Any) -> Contact:
    ident = f"con_{name.lower()}_{number}"
    return Contact(id=ident, tenant_id="t_1", name=name, channel="telegram", **{"verified_at": NOW, **more})


TARIRO, RUDO, CHIPO = contact("Tariro"), contact("Rudo"), contact("Chipo", role=Role.ADMIN)
EVERYBODY = Crowd((TARIRO, RUDO, CHIPO))


def asks(who: Contact, **more: Any) -> Asker:
    return holder(who, **{"proven": True, "pin": PinShown.MISSING, **more})


def proposing(
    approvals: int = 1, risk: Risk = Risk.LOW, given: Sequence[Contact] = (), **detected: Any
) -> Incident:
    action: ActionSpec = replace(RESTART_POOL, approvals=approvals, risk=risk)
    known = make_incident().diagnosis or {}
    diagnosis = {**known, "action": action.to_json(), "digest": action.digest()}
    events = [NewEvent(type=EventType.DIAGNOSIS_COMPLETED, data=diagnosis)]
    events += [NewEvent(type=EventType.RECOVERY_APPROVED, actor=c.actor, data={}) for c in given]
    incident = make_incident(*events)
    return replace(incident, detected={**incident.detected, **detected}, is_test=bool(detected))


def decide(incident: Incident, asker: Asker, crowd: Crowd = EVERYBODY, rules: Rules = Rules()) -> NewEvent:  # noqa: B008
    return decide_for(incident, asker, crowd, rules, "exe_1", HOW)


def test_one_approval_is_the_authorization_where_one_is_enough() -> None:
    event = decide(proposing(), asks(TARIRO))
    assert (event.type, event.actor) == (EventType.RECOVERY_AUTHORIZED, TARIRO.actor)
    assert event.data["approvals"] == {"required": 1, "given": 1}


@pytest.mark.parametrize("change", [{"role": Role.VIEWER}, {"verified_at": None}])
def test_a_viewer_and_whom_is_not_verified_decide_nothing(change: dict[str, Any]) -> None:
    with pytest.raises(NotAnApprover):
        asks(replace(TARIRO, **change))


def test_the_last_of_several_authorizes() -> None:
    first = decide(proposing(3), asks(TARIRO))
    assert (first.type, first.data["approvals"]["given"]) == (EventType.RECOVERY_APPROVED, 1)
    last = decide(proposing(3, given=(TARIRO, RUDO)), asks(CHIPO))
    assert (last.type, last.data["approvals"]["given"]) == (EventType.RECOVERY_AUTHORIZED, 3)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (TARIRO, TARIRO),
        (TARIRO, contact("tariro", 2)),
        (TARIRO, contact("  TARIRO ", 2)),
        (contact("Ｔariro", 2), TARIRO),
        (contact("Tariro", address="+263771234567"), contact("T. Moyo", 2, address="+263771234567")),
        (contact("Tariro", address="263771234567"), contact("T. Moyo", 2, address="+263771234567")),
        (contact("Tariro", address="t@example.com"), contact("T. Moyo", 2, address="T@example.com")),
    ],
)
def test_one_person_never_counts_twice(first: Contact, again: Contact) -> None:
    crowd = Crowd((first, again, RUDO))
    with pytest.raises(NotAwaitingApproval):
        decide(proposing(2, given=(first,)), asks(again), crowd)
    assert decide(proposing(2, given=(first,)), asks(RUDO), crowd).type is EventType.RECOVERY_AUTHORIZED


def test_addresses_hang_together_over_several_names() -> None:
    chain = (
        contact("A", address="+263770000001"),
        contact("B", 1, address="+263770000001"),
        contact("B", 2, address="+263770000002"),
        contact("C", address="+263770000002"),
    )
    with pytest.raises(NotAwaitingApproval):
        decide(proposing(2, given=(chain[0],)), asks(chain[3]), Crowd(chain))
    assert Crowd(chain).approvers == 1


def test_an_address_that_nobody_proved_makes_no_two_people_one() -> None:
    one, other = (
        contact("Tariro", address="+263770000001"),
        contact("Rudo", address="+263770000002"),
    )
    said = contact("Tariro", 2, address="+263770000002", role=Role.VIEWER, verified_at=None)
    crowd = Crowd((one, other, said))
    assert crowd.approvers == 2
    assert not crowd.same(one.actor, other.actor)
    event = decide(proposing(2, given=(one,)), asks(other), crowd)
    assert event.type is EventType.RECOVERY_AUTHORIZED
    assert Crowd((one, other, replace(said, verified_at=NOW))).approvers == 1


def test_what_a_tenant_s_key_gave_makes_no_two_people_one() -> None:
    more = {"address": "+263770000003", "role": Role.VIEWER}
    both = contact("Tariro", 2, **more), contact("Rudo", 2, **more)
    assert Crowd((TARIRO, RUDO, *both)).approvers == 1, "the operator says that they are one"
    keyed = [replace(c, given_by=Given.TENANT) for c in both]
    assert Crowd((TARIRO, RUDO, *keyed)).approvers == 2
    named = [replace(c, role=Role.APPROVER) for c in keyed]
    assert Crowd((TARIRO, RUDO, *named)).approvers == 1, "who may decide is said by the operator"


def test_a_place_that_many_read_makes_them_no_one_person() -> None:
    one, other = (contact(n, address="https://hooks.example.com/ops") for n in ("A", "B"))
    event = decide(proposing(2, given=(one,)), asks(other), Crowd((one, other)))
    assert event.type is EventType.RECOVERY_AUTHORIZED


def test_the_account_at_the_terminal_is_the_person_of_that_name() -> None:
    rudo = operator(Actor(kind="operator", id="os:rudo", name="rudo"))
    with pytest.raises(NotAwaitingApproval):
        decide(proposing(2, given=(RUDO,)), rudo)
    assert decide(proposing(2, given=(TARIRO,)), rudo).type is EventType.RECOVERY_AUTHORIZED


@pytest.mark.parametrize("gone", [None, replace(TARIRO, role=Role.VIEWER), replace(TARIRO, verified_at=None)])
def test_who_may_not_decide_any_more_counts_no_more(gone: Contact | None) -> None:
    now = Crowd((RUDO, CHIPO) if gone is None else (gone, RUDO, CHIPO))
    event = decide(proposing(2, given=(TARIRO,)), asks(RUDO), now)
    assert (event.type, event.data["approvals"]["given"]) == (EventType.RECOVERY_APPROVED, 1)


@pytest.mark.parametrize(
    ("demand", "risk", "needed"),
    [
        (PinFor.NEVER, Risk.HIGH, False),
        (PinFor.HIGH, Risk.LOW, False),
        (PinFor.HIGH, Risk.HIGH, True),
        (PinFor.ALWAYS, Risk.LOW, True),
    ],
)
def test_a_pin_is_asked_for_where_the_rules_say_so(demand: PinFor, risk: Risk, needed: bool) -> None:
    incident, rules = proposing(risk=risk), Rules(pin=demand)
    for pin, refusal in ((PinShown.MISSING, PinNeeded), (PinShown.UNSET, PinUnset)):
        if needed:
            with pytest.raises(refusal):
                decide(incident, asks(TARIRO, pin=pin), rules=rules)
        else:
            assert decide(incident, asks(TARIRO, pin=pin), rules=rules)
    assert decide(incident, asks(TARIRO, pin=PinShown.RIGHT), rules=rules)
    assert decide(incident, operator(Actor(kind="operator", id="os:x", name="x")), rules=rules)


def test_whoever_cannot_be_told_apart_signs_in_first() -> None:
    with pytest.raises(SignInNeeded):
        decide(proposing(), asks(TARIRO, proven=False))
    with pytest.raises(SignInNeeded):
        decide_against(proposing(), asks(TARIRO, proven=False), HOW)


def test_who_asked_for_a_test_approves_it_only_where_the_rules_let_them() -> None:
    asked = {"requested_by": Actor(kind="operator", id="os:rudo", name="rudo").to_json()}
    incident = proposing(**asked)
    assert decide(incident, asks(RUDO))
    strict = Rules(self_approval=False)
    with pytest.raises(SelfApproval):
        decide(incident, asks(RUDO), rules=strict)
    assert decide(incident, asks(TARIRO), rules=strict)


def test_one_rejection_outweighs_any_approvals() -> None:
    event = decide_against(proposing(3, given=(TARIRO, RUDO)), asks(CHIPO), HOW)
    assert event.type is EventType.RECOVERY_REJECTED


def test_an_admin_breaks_the_glass_with_a_reason_where_allowed() -> None:
    rules = Rules(break_glass=True)
    event = decide(proposing(3), asks(CHIPO, reason=" customers cannot pay "), rules=rules)
    assert event.type is EventType.RECOVERY_AUTHORIZED
    assert event.data["break_glass"] == "customers cannot pay"
    assert event.data["approvals"] == {"required": 3, "given": 1}


def test_an_admin_who_approved_already_breaks_the_glass_when_nobody_else_comes() -> None:
    rules = Rules(break_glass=True)
    event = decide(proposing(3, given=(CHIPO,)), asks(CHIPO, reason="nobody is awake"), rules=rules)
    assert event.type is EventType.RECOVERY_AUTHORIZED
    assert event.data["approvals"] == {"required": 3, "given": 1}
    with pytest.raises(Refused):
        decide(proposing(3, given=(CHIPO,)), asks(CHIPO), rules=rules)
    assert may_go_on_alone(proposing(3, given=(CHIPO,)), CHIPO, EVERYBODY, rules)
    assert not may_go_on_alone(proposing(3, given=(TARIRO,)), CHIPO, EVERYBODY, rules)
    assert not may_go_on_alone(proposing(3, given=(TARIRO,)), TARIRO, EVERYBODY, rules)
    assert not may_go_on_alone(proposing(3, given=(CHIPO,)), CHIPO, EVERYBODY, Rules())


@pytest.mark.parametrize(
    ("who", "reason", "rules"),
    [
        (TARIRO, "customers cannot pay", Rules(break_glass=True)),
        (CHIPO, "customers cannot pay", Rules()),
        (CHIPO, "", Rules(break_glass=True)),
        (CHIPO, "   ", Rules(break_glass=True)),
    ],
)
def test_the_glass_holds_otherwise(who: Contact, reason: str, rules: Rules) -> None:
    with pytest.raises(GlassNotBroken):
        decide(proposing(2), asks(who, reason=reason), rules=rules)


def test_a_broken_glass_needs_the_pin_all_the_same() -> None:
    rules = Rules(break_glass=True, pin=PinFor.ALWAYS)
    with pytest.raises(PinNeeded):
        decide(proposing(2), asks(CHIPO, reason="customers cannot pay"), rules=rules)


def test_the_glass_is_there_only_where_several_are_needed() -> None:
    rules = Rules(break_glass=True)
    assert may_break_glass(replace(RESTART_POOL, approvals=2), Role.ADMIN, rules)
    assert not may_break_glass(RESTART_POOL, Role.ADMIN, rules)
    assert not may_break_glass(replace(RESTART_POOL, approvals=2), Role.APPROVER, rules)
    assert "break_glass" not in decide(proposing(), asks(CHIPO, reason="whatever"), rules=rules).data


NAMES = st.sampled_from(["Tariro", "tariro", "Rudo", "Chipo", "T. Moyo"])
PHONES = st.sampled_from(["", "+263770000001", "263770000001", "+263770000002", "https://x.example/h"])


@given(st.lists(st.tuples(NAMES, PHONES, st.sampled_from(Role)), min_size=1, max_size=6), st.data())
def test_never_more_approvals_than_people(rows: list[tuple[str, str, Role]], data: st.DataObject) -> None:
    people = [contact(n, i, address=a, role=r) for i, (n, a, r) in enumerate(rows)]
    crowd = Crowd(tuple(people))
    needed = crowd.approvers + 1
    given_by: list[Contact] = []
    for who in data.draw(st.lists(st.sampled_from(people), max_size=12)):
        try:
            event = decide(proposing(needed, given=given_by), asks(who), crowd)
        except Refused:
            continue
        assert event.type is EventType.RECOVERY_APPROVED, "more people than there are have approved"
        given_by.append(who)
